package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/freshetdb/freshet/ingest/disk"
)

// appendRequest is one Append that waits for the writer, or a Sync, which has no entries.
type appendRequest struct {
	entries []Entry
	bytes   int64      // groupBytes(entries)
	done    chan error // of capacity 1
}

// Append implements Log. Groups that wait while others are written share the next write and the next sync.
//
// If ctx ends before the writer has taken the group, nothing is appended and the error is ctx's; after that, Append
// waits for the write that has begun. ErrInvalid and ErrTooLarge mean that nothing was appended; after ErrFailed the
// outcome is unknown.
func (l *SegmentLog) Append(ctx context.Context, entries []Entry) error {
	if err := checkEntries(entries, l.partitions); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil || len(entries) == 0 {
		return err
	}
	r := newAppend(entries)
	if err := l.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if l.withdraw(r) {
			return ctx.Err()
		}
		return <-r.done
	}
}

// StartAppend is Append without the wait: the outcome comes on the channel, and entries belong to the log until then. It
// saves a caller that has something to do meanwhile a goroutine.
func (l *SegmentLog) StartAppend(entries []Entry) <-chan error {
	r := newAppend(entries)
	err := checkEntries(entries, l.partitions)
	if err == nil && len(entries) > 0 {
		if err = l.enqueue(r); err == nil {
			return r.done
		}
	}
	r.done <- err
	return r.done
}

func newAppend(entries []Entry) *appendRequest {
	return &appendRequest{entries: entries, bytes: groupBytes(entries), done: make(chan error, 1)}
}

// enqueue hands r to the writer, unless the log takes nothing more.
func (l *SegmentLog) enqueue(r *appendRequest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return err
	}
	l.waiting = append(l.waiting, r)
	l.metrics.Waiting.Add(1)
	l.poke()
	return nil
}

// Sync makes what was appended before it durable even if the power fails, also where Append leaves that to the operating
// system (NoSync).
func (l *SegmentLog) Sync() error {
	r := &appendRequest{done: make(chan error, 1)}
	if err := l.enqueue(r); err != nil {
		return err
	}
	return <-r.done
}

func checkEntries(entries []Entry, partitions int) error {
	if len(entries) > MaxGroupEntries {
		return fmt.Errorf("%w: a group of %d entries, the limit is %d; append it in parts", ErrTooLarge, len(entries), MaxGroupEntries)
	}
	total := 0
	for i := range entries {
		e := &entries[i]
		if e.Partition < 0 || e.Partition >= partitions {
			return fmt.Errorf("%w: entry %d is for log partition %d, the log has 0 to %d; use one of these", ErrInvalid, i, e.Partition, partitions-1)
		}
		if len(e.Payload) > MaxEntryBytes {
			return fmt.Errorf("%w: entry %d has %d bytes, the limit is %d; write a smaller document", ErrTooLarge, i, len(e.Payload), MaxEntryBytes)
		}
		total += len(e.Payload)
	}
	if total > MaxGroupBytes {
		return fmt.Errorf("%w: a group of %d bytes, the limit is %d; append it in parts", ErrTooLarge, total, MaxGroupBytes)
	}
	return nil
}

// refusal says why the log takes no more appends. mu is held.
func (l *SegmentLog) refusal() error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed:
		return ErrClosed
	}
	return nil
}

// withdraw takes r back unless the writer has it already.
func (l *SegmentLog) withdraw(r *appendRequest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting, r)
	if i < 0 {
		return false
	}
	l.waiting = slices.Delete(l.waiting, i, i+1)
	l.metrics.Waiting.Add(-1)
	return true
}

// runWriter writes what waits until the log is closed and nothing waits, or the log has failed.
func (l *SegmentLog) runWriter() {
	defer close(l.done)
	for {
		requests, stop := l.take()
		if stop {
			return
		}
		if len(requests) == 0 {
			<-l.wake
			continue
		}
		durable, err := l.write(requests)
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrFailed, err)
			requests = append(requests, l.fail(err)...)
		}
		for i, r := range requests {
			if i < durable {
				r.done <- nil
			} else {
				r.done <- err
			}
		}
	}
}

// take takes the requests of the next write off the queue.
func (l *SegmentLog) take() (requests []*appendRequest, stop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(l.waiting) && (n == 0 || bytes+l.waiting[n].bytes <= maxWriteBytes) {
		bytes += l.waiting[n].bytes
		n++
	}
	requests = slices.Clone(l.waiting[:n])
	l.waiting = slices.Delete(l.waiting, 0, n)
	l.metrics.Waiting.Add(-int64(n))
	return requests, l.failed != nil || (l.closed && n == 0)
}

// fail poisons the log and returns the requests that wait in vain.
func (l *SegmentLog) fail(err error) []*appendRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
	waiting := l.waiting
	l.waiting = nil
	l.metrics.Waiting.Store(0)
	l.metrics.Failed.Store(true)
	l.notify()
	return waiting
}

// write makes the requests' groups durable and visible to tails. It returns how many of them are.
func (l *SegmentLog) write(requests []*appendRequest) (durable int, err error) {
	w := &l.writer
	sync := false
	for i, r := range requests {
		if len(r.entries) == 0 {
			sync = true
			continue
		}
		if end := w.pos + int64(len(w.buf)) + r.bytes; end > l.cfg.SegmentBytes && !w.empty() {
			if err := l.flush(); err != nil {
				return durable, err
			}
			durable = i
			if err := l.roll(); err != nil {
				return durable, err
			}
		}
		w.add(r.entries)
	}
	if err := l.flush(); err != nil {
		return durable, err
	}
	if sync && w.synced != w.pos {
		if err := l.syncWriter(); err != nil {
			return durable, err
		}
		w.synced = w.pos
	}
	return len(requests), nil
}

// segmentWriter is the segment that is written to. Everything before pos is whole groups.
type segmentWriter struct {
	file    disk.File
	start   int64 // of the first frame
	pos     int64 // where the next write goes
	synced  int64 // everything before it is durable even if the power fails; pos, unless NoSync
	filled  int64 // the file's size; zeros from pos on
	seed    uint32
	next    []uint64 // one after the last entry in buf
	buf     []byte   // groups that go into the next write
	groups  int64    // in buf
	entries int64    // in buf
}

func (w *segmentWriter) empty() bool { return w.pos == w.start && len(w.buf) == 0 }

// add sets the entries' offsets and appends them, as one group, to what the next flush writes.
func (w *segmentWriter) add(entries []Entry) {
	for i := range entries {
		e := &entries[i]
		e.Offset = w.next[e.Partition]
		w.next[e.Partition]++
	}
	w.buf = appendFrame(w.buf, w.seed, w.synced, entries)
	w.groups++
	w.entries += int64(len(entries))
}

func (w *segmentWriter) close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// zeros is what files are filled with, in pieces.
var zeros [256 << 10]byte

func fill(f disk.File, from, to int64) error {
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if _, err := f.WriteAt(zeros[:n], from); err != nil {
			return fmt.Errorf("fill segment: %w", err)
		}
		from += n
	}
	return nil
}

// flush writes and syncs what add has gathered, then shows it to the tails.
func (l *SegmentLog) flush() error {
	w := &l.writer
	if len(w.buf) == 0 {
		return nil
	}
	if _, err := w.file.WriteAt(w.buf, w.pos); err != nil {
		return fmt.Errorf("write segment: %w", err)
	}
	end := w.pos + int64(len(w.buf))
	if !l.cfg.NoSync {
		if err := l.makeDurable(end); err != nil {
			return err
		}
	}
	w.pos = end
	l.metrics.Writes.Add(1)
	l.metrics.WrittenBytes.Add(uint64(len(w.buf)))
	l.metrics.Groups.Add(uint64(w.groups))
	l.metrics.Entries.Add(uint64(w.entries))
	if w.buf = w.buf[:0]; cap(w.buf) > maxWriteBytes {
		w.buf = nil // a rare large group does not hold its memory
	}
	w.groups, w.entries = 0, 0

	l.mu.Lock()
	last := &l.segments[len(l.segments)-1]
	last.end = w.pos
	last.marks = appendMark(last.marks, w.start, w.pos, w.next)
	copy(l.next, w.next)
	l.notify()
	l.mu.Unlock()
	return nil
}

// makeDurable syncs what was written up to end. The file grows in large steps, by zeros ahead of the writes: most syncs
// then find its size and blocks unchanged, and cost no entry in the file system's journal.
func (l *SegmentLog) makeDurable(end int64) error {
	w := &l.writer
	if end > w.filled {
		filled := max(end, min(end+fillBytes, l.cfg.SegmentBytes))
		if err := fill(w.file, end, filled); err != nil {
			return err
		}
		w.filled = filled
	}
	if err := l.syncWriter(); err != nil {
		return err
	}
	w.synced = end
	return nil
}

func (l *SegmentLog) syncWriter() error {
	start := time.Now()
	if err := l.writer.file.SyncData(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	l.metrics.Syncs.Add(1)
	l.metrics.SyncNanos.Add(uint64(time.Since(start)))
	return nil
}

// roll begins the next segment. The last one becomes durable first, also under NoSync: only the last segment of a
// log may end in a torn group.
func (l *SegmentLog) roll() error {
	w := &l.writer
	if w.synced != w.pos {
		if err := l.syncWriter(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	number := l.segments[len(l.segments)-1].number + 1
	l.mu.Unlock()
	return l.nextSegment(number, w.next)
}

// nextSegment makes a segment without groups the one that is written to.
func (l *SegmentLog) nextSegment(number uint64, first []uint64) error {
	h := segmentHeader{
		number: number, salt: rand.Uint64(), begun: uint32(l.cfg.Now().Unix()), first: slices.Clone(first),
	}
	f, size, err := l.createSegment(&h)
	if err != nil {
		return fmt.Errorf("create segment: %w", err)
	}
	if err := l.writer.close(); err != nil {
		return errors.Join(fmt.Errorf("close segment: %w", err), f.Close())
	}
	start := segmentHeaderBytes(len(h.first))
	l.writer = segmentWriter{
		file: f, start: start, pos: start, synced: start, filled: max(start, size),
		seed: segmentSeed(h.number, h.salt), next: slices.Clone(h.first), buf: l.writer.buf[:0],
	}
	l.mu.Lock()
	l.segments = append(l.segments, segment{segmentHeader: h, end: start})
	l.notify()
	l.mu.Unlock()
	l.metrics.Segments.Add(1)
	return nil
}

// createSegment makes the file of a segment without groups, of a spare one if there is one. It appears under its name
// whole and durably. It returns the file's size, too.
func (l *SegmentLog) createSegment(h *segmentHeader) (f disk.File, size int64, err error) {
	name := l.path(segmentName(h.number))
	from, spare := l.takeSpare()
	if spare {
		f, err = l.fs.Open(from)
	} else {
		from = name + tmpSuffix
		f, err = l.fs.Create(from)
	}
	if err != nil {
		return nil, 0, err
	}
	steps := []func() error{
		func() error { _, err := f.WriteAt(h.append(nil), 0); return err },
		f.Sync,
		func() error { return l.fs.Rename(from, name) },
		func() error { return l.fs.SyncDirectory(l.cfg.Dir) },
		func() error { size, err = f.Size(); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, 0, errors.Join(err, f.Close())
		}
	}
	if spare {
		l.metrics.Recycled.Add(1)
	}
	return f, size, nil
}
