package lines

import (
	"bytes"
	"cmp"
	"container/heap"
	"fmt"
	"math"
	"slices"
)

// entryBytes is what an entry takes besides its key and line: itself, its place in the heap and the allocator's rounding.
const entryBytes = 128

// entry is one document of a sorted result.
type entry struct {
	key, line []byte // one allocation
	sequence  int64  // place in the order of the input
}

func (e entry) bytes() int { return len(e.key) + len(e.line) + entryBytes }

func compareEntries(a, b entry) int {
	return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.sequence, b.sequence))
}

// sortedSink keeps the best of what it is given, up to skip + limit entries, and writes them at the end.
type sortedSink struct {
	run      *run
	most     int // entries
	entries  []entry
	bytes    int
	sequence int64
	count    int64
}

func newSortedSink(r *run) *sortedSink {
	s := &sortedSink{run: r, most: math.MaxInt}
	if skip, limit := r.Query.Skip(), r.Query.Limit(); limit > 0 && skip <= math.MaxInt-limit {
		s.most = skip + limit
	}
	return s
}

func (s *sortedSink) add(c *chunk, from, to int) (more bool, err error) {
	for i := from; i < to; i++ {
		if err := s.keep(part(c.keys, c.keyEnds, i), part(c.out, c.outEnds, i)); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *sortedSink) keep(key, line []byte) error {
	s.sequence++
	full := len(s.entries) == s.most
	if full && bytes.Compare(key, s.entries[0].key) >= 0 {
		return nil
	}
	text := append(append(make([]byte, 0, len(key)+len(line)), key...), line...)
	e := entry{key: text[:len(key):len(key)], line: text[len(key):], sequence: s.sequence}
	s.bytes += e.bytes()
	switch {
	case full:
		s.bytes -= s.entries[0].bytes()
		s.entries[0] = e
		heap.Fix(s, 0)
	case s.most == math.MaxInt:
		s.entries = append(s.entries, e) // all are kept: nothing to be found quickly
	default:
		heap.Push(s, e)
	}
	if len(s.entries) == s.most {
		horizon := s.entries[0].key
		s.run.horizon.Store(&horizon)
	}
	if most := s.run.MaxMemoryBytes; s.bytes > most {
		return fmt.Errorf("%w: its %d documents take more than %d bytes of memory (MaxMemoryBytes); "+
			"give --limit, a narrower filter or fewer --fields, or raise --max-memory", ErrMemory, len(s.entries), most)
	}
	return nil
}

func (s *sortedSink) finish() error {
	slices.SortFunc(s.entries, compareEntries)
	entries := s.entries[min(s.run.Query.Skip(), len(s.entries)):]
	s.count = int64(len(entries))
	buffer := make([]byte, 0, ChunkBytes)
	for _, e := range entries {
		if len(buffer)+len(e.line) > cap(buffer) {
			if err := write(s.run.Output, buffer); err != nil {
				return err
			}
			buffer = buffer[:0]
		}
		buffer = append(buffer, e.line...)
	}
	return write(s.run.Output, buffer)
}

func (s *sortedSink) shown() int64 { return s.count }

// The heap's root is the last entry in order (heap.Interface).

func (s *sortedSink) Len() int           { return len(s.entries) }
func (s *sortedSink) Less(i, j int) bool { return compareEntries(s.entries[i], s.entries[j]) > 0 }
func (s *sortedSink) Swap(i, j int)      { s.entries[i], s.entries[j] = s.entries[j], s.entries[i] }
func (s *sortedSink) Push(x any)         { s.entries = append(s.entries, x.(entry)) }

func (s *sortedSink) Pop() any {
	last := s.entries[len(s.entries)-1]
	s.entries = s.entries[:len(s.entries)-1]
	return last
}
