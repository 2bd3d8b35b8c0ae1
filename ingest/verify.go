package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// An open reads the last segment, and of each one before it the header: those were synced whole before the next one began.
// What they hold is read by whoever needs it, and fails there if it is not what was written; and beside that once by the
// verifier, so that damage is known before somebody needs what it took. So the time of an open does not grow with the
// history.

// verifyStep is for how long the verifier reads before it rests for as long: the disk has more urgent work.
const verifyStep = 50 * time.Millisecond

// runVerifier reads the segments that an open has not, the newest first.
func (l *SegmentLog) runVerifier(ctx context.Context) {
	defer close(l.verified)
	begun := time.Now()
	for {
		number, found := l.nextUnverified()
		if !found {
			return
		}
		if err := l.verify(ctx, number); err != nil && ctx.Err() == nil {
			l.tell(number, err)
		}
		read := time.Since(begun)
		if read < verifyStep {
			continue
		}
		rest := time.NewTimer(read)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return
		}
		begun = time.Now()
	}
}

// tell tells of a damaged segment, once.
func (l *SegmentLog) tell(number uint64, err error) {
	l.mu.Lock()
	i := int(int64(number) - int64(l.segments[0].number))
	known := i < 0 || l.segments[i].damaged // or it was trimmed meanwhile
	if !known {
		l.segments[i].damaged = true
	}
	l.mu.Unlock()
	if known {
		return
	}
	l.metrics.Damaged.Add(1)
	if l.cfg.Damaged != nil {
		l.cfg.Damaged(err)
	}
}

// Verified is closed once every segment that the log held when it was opened has been read and checked, or trimmed, or
// found to be damaged; or the log is closed.
func (l *SegmentLog) Verified() <-chan struct{} { return l.verified }

// nextUnverified takes the newest segment that nobody has tried to verify.
func (l *SegmentLog) nextUnverified() (number uint64, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.segments) - 1; i >= 0; i-- {
		if s := &l.segments[i]; s.unread && !s.tried {
			s.tried = true
			return s.number, true
		}
	}
	return 0, false
}

// verify reads a segment, so that its end and its marks are known. One that has been trimmed is none.
func (l *SegmentLog) verify(ctx context.Context, number uint64) (err error) {
	l.mu.Lock()
	s, successor := l.sealed(number)
	if s == nil || !s.unread {
		l.mu.Unlock()
		return nil
	}
	header, size, first := s.segmentHeader, s.end, successor.first
	hold := &tail{log: l, segment: number} // Trim leaves it
	l.tails[hold] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.tails, hold)
		l.mu.Unlock()
	}()
	name := l.path(segmentName(number))
	f, err := l.fs.Open(name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	scan, err := scanSegment(f, name, &header, size, func(int64, []Entry) error { return ctx.Err() })
	if err != nil {
		return err
	}
	if !slices.Equal(scan.next, first) {
		return endsEarly(name, scan.end, scan.next, first)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, _ = l.sealed(number)
	s.end, s.marks, s.unread = scan.end, scan.marks, false
	return nil
}

// sealed finds a segment that is not the last one, and the one after it; nil if it was trimmed. mu is held.
func (l *SegmentLog) sealed(number uint64) (s, successor *segment) {
	i := int(int64(number) - int64(l.segments[0].number))
	if i < 0 || i >= len(l.segments)-1 {
		return nil, nil
	}
	return &l.segments[i], &l.segments[i+1]
}

// endsEarly is the damage of a segment whose groups do not lead to the next one.
func endsEarly(name string, at int64, next, first []uint64) error {
	return &CorruptError{File: name, Offset: at, Reason: fmt.Sprintf(
		"the groups end here at offsets %v, and the next segment goes on from %v", next, first)}
}
