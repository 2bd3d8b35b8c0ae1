package ingest

import (
	"context"
	"slices"
	"sync"
)

// MemoryLog implements Log in memory, for tests and simulations: durable means until Close. Every Append is a group.
// It starts no goroutine and waits on channels only, so it can be used in a testing/synctest bubble.
type MemoryLog struct {
	mu      sync.Mutex
	groups  [][]Entry // immutable once they are here
	dropped int       // groups that Trim took from the front
	first   []uint64
	next    []uint64
	closed  bool
	changed chan struct{} // closed and replaced when something changes
}

// NewMemoryLog makes an empty log with the given number of data partitions, 1 if 0.
func NewMemoryLog(logPartitions int) *MemoryLog {
	partitions := max(logPartitions, 1) + 1
	return &MemoryLog{
		first:   make([]uint64, partitions),
		next:    make([]uint64, partitions),
		changed: make(chan struct{}),
	}
}

// Partitions implements Log.
func (l *MemoryLog) Partitions() int { return len(l.next) }

// Append implements Log. It copies the payloads.
func (l *MemoryLog) Append(ctx context.Context, entries []Entry) error {
	if err := checkEntries(entries, l.Partitions()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || len(entries) == 0 {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	group := make([]Entry, len(entries))
	for i := range entries {
		e := &entries[i]
		e.Offset = l.next[e.Partition]
		l.next[e.Partition]++
		group[i] = Entry{Partition: e.Partition, Offset: e.Offset, Payload: append([]byte{}, e.Payload...)}
	}
	l.groups = append(l.groups, group)
	l.notify()
	return nil
}

// notify wakes the tails. mu is held.
func (l *MemoryLog) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Tail implements Log. A call of deliver gets one group.
func (l *MemoryLog) Tail(ctx context.Context, from []uint64, deliver func([]Entry) error) error {
	if err := checkVector("from", from, l.Partitions()); err != nil {
		return err
	}
	from = slices.Clone(from)
	l.mu.Lock()
	err := checkBounds(from, l.first, l.next)
	if l.closed {
		err = ErrClosed
	}
	at := l.dropped // number of the group to read next
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		group, changed, err := l.read(at)
		if err != nil {
			return err
		}
		if group == nil {
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		at++
		entries := make([]Entry, 0, len(group))
		for _, e := range group {
			if e.Offset >= from[e.Partition] {
				entries = append(entries, e)
			}
		}
		if len(entries) == 0 {
			continue
		}
		if err := deliver(entries); err != nil {
			return err
		}
	}
}

// read returns a group by its number, or what to wait for.
func (l *MemoryLog) read(number int) (group []Entry, changed <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch i := number - l.dropped; {
	case i < 0:
		return nil, nil, ErrTrimmed // a Trim overtook a slow tail
	case i < len(l.groups):
		return l.groups[i], nil, nil
	case l.closed:
		return nil, nil, ErrClosed
	}
	return nil, l.changed, nil
}

// Bounds implements Log.
func (l *MemoryLog) Bounds(ctx context.Context) (first, next []uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, ErrClosed
	}
	return slices.Clone(l.first), slices.Clone(l.next), nil
}

// Trim implements Log. It forgets whole groups from the front.
func (l *MemoryLog) Trim(ctx context.Context, below []uint64) error {
	if err := checkVector("below", below, l.Partitions()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	n := 0
	for n < len(l.groups) && !slices.ContainsFunc(l.groups[n], func(e Entry) bool { return e.Offset >= below[e.Partition] }) {
		for _, e := range l.groups[n] {
			l.first[e.Partition] = e.Offset + 1
		}
		n++
	}
	l.groups = slices.Delete(l.groups, 0, n)
	l.dropped += n
	return nil
}

// Close implements Log. Tails deliver what is there and end with ErrClosed.
func (l *MemoryLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.notify()
	}
	return nil
}
