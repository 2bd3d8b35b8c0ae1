package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/freshetdb/freshet/ingest/disk"
)

// tail is one running Tail: a place in the segments. It reads files and never the writer's memory, so however slow it
// is, it holds one buffer and keeps nobody waiting.
type tail struct {
	log     *SegmentLog
	segment uint64      // number of the segment that it reads; guarded by the log's mu, since Trim looks at it
	mark    segmentMark // where in its first segment it begins; zero: at the start

	file    disk.File
	reader  frameReader
	next    []uint64 // one after the last entry that was read
	from    []uint64 // entries below are skipped
	entries []Entry
}

// Tail implements Log. A call of deliver gets whole groups, one or several. If the log fails or is closed, Tail
// delivers what is durable and then returns ErrFailed or ErrClosed; a damaged file is ErrCorrupt, a *CorruptError.
func (l *SegmentLog) Tail(ctx context.Context, from []uint64, deliver func([]Entry) error) error {
	if err := checkVector("from", from, l.partitions); err != nil {
		return err
	}
	t := &tail{log: l, from: slices.Clone(from)}
	if err := l.startTail(t); err != nil {
		return err
	}
	err := t.run(ctx, deliver)
	if damage := (*CorruptError)(nil); errors.As(err, &damage) {
		l.tell(t.segment, err)
	}
	l.mu.Lock()
	delete(l.tails, t)
	l.mu.Unlock()
	if t.file != nil {
		_ = t.file.Close() // it was read only; run's error is the one to tell, as it is: callers compare deliver's own
	}
	return err
}

// startTail checks the vector and registers the tail with the segment that it begins in: the last one that begins at
// or below the vector in every log partition.
func (l *SegmentLog) startTail(t *tail) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if err := checkBounds(t.from, l.segments[0].first, l.next); err != nil {
		return err
	}
	for i := range l.segments {
		if !below(l.segments[i].first, t.from) {
			break
		}
		t.segment, t.mark = l.segments[i].number, l.segments[i].lastMark(t.from)
	}
	l.tails[t] = struct{}{}
	return nil
}

// below reports whether a is at or below b in every component.
func below(a, b []uint64) bool {
	for p := range a {
		if a[p] > b[p] {
			return false
		}
	}
	return true
}

func checkBounds(from, first, next []uint64) error {
	for p, offset := range from {
		if offset < first[p] {
			return fmt.Errorf("%w: log partition %d begins at offset %d, and %d was asked for; begin anew from a snapshot", ErrTrimmed, p, first[p], offset)
		}
		if offset > next[p] {
			return fmt.Errorf("%w: log partition %d ends before offset %d, and %d was asked for; the reader belongs to another log, or this one lost entries",
				ErrBeyondEnd, p, next[p], offset)
		}
	}
	return nil
}

// run delivers until ctx ends, deliver fails, the log ends or a file cannot be read.
func (t *tail) run(ctx context.Context, deliver func([]Entry) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.advance(ctx); err != nil {
			return err
		}
		if err := t.read(); err != nil {
			return err
		}
		if len(t.entries) == 0 {
			continue // all of them lie below from
		}
		if err := deliver(t.entries); err != nil {
			return err
		}
	}
}

// advance waits until there is something to read, and moves on to the next segment at the end of one.
func (t *tail) advance(ctx context.Context) error {
	l := t.log
	for {
		l.mu.Lock()
		i := int(t.segment - l.segments[0].number) // registered: Trim has left it and all after it
		s := &l.segments[i]
		end, last := s.end, i == len(l.segments)-1
		if t.file != nil && t.reader.pos >= end && !last {
			first := l.segments[i+1].first
			l.mu.Unlock()
			if err := t.leave(first); err != nil {
				return err
			}
			continue
		}
		if t.file == nil {
			header := s.segmentHeader
			l.mu.Unlock()
			if err := t.enter(&header); err != nil {
				return err
			}
			continue
		}
		if t.reader.pos < end {
			t.reader.end = end
			l.mu.Unlock()
			return nil
		}
		if err := l.refusal(); err != nil {
			l.mu.Unlock()
			return err
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *tail) path() string { return t.log.path(segmentName(t.segment)) }

func (t *tail) enter(h *segmentHeader) error {
	f, err := t.log.fs.Open(t.path())
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	t.file = f
	t.reader = frameReader{file: f, seed: segmentSeed(h.number, h.salt), pos: segmentHeaderBytes(len(h.first)), buf: t.reader.buf[:0]}
	t.next = append(t.next[:0], h.first...)
	if t.mark.pos > 0 {
		t.reader.pos = t.mark.pos
		copy(t.next, t.mark.next)
		t.mark = segmentMark{}
	}
	return nil
}

// leave goes on to the next segment, which begins at first.
func (t *tail) leave(first []uint64) error {
	if !slices.Equal(t.next, first) {
		return endsEarly(t.path(), t.reader.pos, t.next, first)
	}
	f := t.file
	t.file = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	t.log.mu.Lock()
	t.segment++
	t.log.mu.Unlock()
	return nil
}

// ended reports whether a segment that is not the last one ends where the tail is, though its file goes on.
func (t *tail) ended() bool {
	t.log.mu.Lock()
	defer t.log.mu.Unlock()
	_, successor := t.log.sealed(t.segment)
	return successor != nil && slices.Equal(t.next, successor.first)
}

// read fills t.entries with the groups that one read from the file brings, without those below from.
func (t *tail) read() error {
	t.entries = t.entries[:0]
	for mayRead := true; ; mayRead = false {
		at := t.reader.pos
		frame, body, err := t.reader.next(mayRead)
		if !mayRead && (errors.Is(err, errShort) || errors.Is(err, errEnd) || errors.Is(err, errFrame)) {
			break // if there is no frame, the next read finds that
		}
		if errors.Is(err, errEnd) || errors.Is(err, errFrame) {
			if t.ended() {
				t.reader.pos = t.reader.end
				return nil
			}
			return &CorruptError{File: t.path(), Offset: at, Reason: "a group that was durable fails its checksum"}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.path(), err)
		}
		if t.entries, err = appendEntries(t.entries, frame, body, t.next); err != nil {
			return &CorruptError{File: t.path(), Offset: at, Reason: err.Error()}
		}
	}
	t.entries = slices.DeleteFunc(t.entries, func(e Entry) bool { return e.Offset < t.from[e.Partition] })
	return nil
}
