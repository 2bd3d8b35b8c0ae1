package ingest

import (
	"context"
	"slices"
	"sync"

	"github.com/freshetdb/freshet/ingest/disk"
)

// Hold keeps what the log holds from being trimmed, so that its files can be copied while it is written to. It must be
// released.
type Hold struct {
	log     *SegmentLog
	tail    *tail
	release sync.Once
}

// HeldFile is a file of the log and how much of it counts: what stands there never changes while the hold lasts.
type HeldFile struct {
	Name  string
	Bytes int64
	Whole bool // nothing is written to it any more
}

// Hold holds everything that the log has now and that comes while the hold lasts.
func (l *SegmentLog) Hold() (*Hold, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return nil, err
	}
	t := &tail{log: l, segment: l.segments[0].number}
	l.tails[t] = struct{}{}
	return &Hold{log: l, tail: t}, nil
}

// Files lists the files that hold the entries from `from` on, and where they end now. It fails with ErrTrimmed or
// ErrBeyondEnd like Tail.
func (h *Hold) Files(from []uint64) (files []HeldFile, next []uint64, err error) {
	l := h.log
	if err := checkVector("from", from, l.partitions); err != nil {
		return nil, nil, err
	}
	if err := h.read(from); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := checkBounds(from, l.segments[0].first, l.next); err != nil {
		return nil, nil, err
	}
	for i := range l.segments {
		s := &l.segments[i]
		if below(s.first, from) {
			files = files[:0] // it begins early enough: none before it is needed
		}
		files = append(files, HeldFile{Name: segmentName(s.number), Bytes: s.end, Whole: i < len(l.segments)-1})
	}
	return files, slices.Clone(l.next), nil
}

// read reads the segments that hold the entries from `from` on, so that their ends are known.
func (h *Hold) read(from []uint64) error {
	l := h.log
	l.mu.Lock()
	var unread []uint64
	for i := range l.segments {
		if below(l.segments[i].first, from) {
			unread = unread[:0]
		}
		if l.segments[i].unread {
			unread = append(unread, l.segments[i].number)
		}
	}
	l.mu.Unlock()
	for _, number := range unread {
		if err := l.verify(context.Background(), number); err != nil {
			return err
		}
	}
	return nil
}

// Open opens a held file to be read.
func (h *Hold) Open(name string) (disk.File, error) { return h.log.fs.Open(h.log.path(name)) }

// Release ends the hold. A second call does nothing.
func (h *Hold) Release() {
	h.release.Do(func() {
		h.log.mu.Lock()
		delete(h.log.tails, h.tail)
		h.log.mu.Unlock()
	})
}
