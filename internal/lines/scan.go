package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/freshetdb/freshet/matcher"
)

// Bounds of a scan.
const (
	// ChunkBytes is how much of a source is read and evaluated at a time. A longer line makes a longer chunk.
	ChunkBytes = 256 << 10
	// MaxWorkers bounds Scan.Workers.
	MaxWorkers = 64
	// DefaultMaxDocumentBytes bounds a line where Scan.MaxDocumentBytes does not.
	DefaultMaxDocumentBytes = 16 << 20
	// DefaultMaxMemoryBytes bounds a sorted result where Scan.MaxMemoryBytes does not.
	DefaultMaxMemoryBytes = 1 << 30
)

// MaxChunks is how many chunks there are at once: two for each worker, one that is read, one that is written.
func MaxChunks(workers int) int { return 2*workers + 2 }

var (
	// ErrNoDocument says of a Problem that the line is no document; ErrUnreadable that its source cannot be read (on).
	ErrNoDocument = errors.New("the line is no document")
	ErrUnreadable = errors.New("the input cannot be read")
	// ErrStrict is returned by a strict scan that met a Problem, after that was reported.
	ErrStrict = errors.New("the scan ends at the first line that is no document")
	// ErrMemory says that a sorted result does not fit into MaxMemoryBytes.
	ErrMemory = errors.New("the sorted result is too large")
)

// Source is one input.
type Source struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// Problem is a line that is no document, or a source that cannot be read.
type Problem struct {
	Source string
	Line   int64 // from 1; 0: the source as a whole
	Err    error // ErrNoDocument or ErrUnreadable is in it
}

func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %v", p.Source, p.Err)
	}
	return fmt.Sprintf("%s:%d: %v", p.Source, p.Line, p.Err)
}

// Scan is a query over lines. Zero values of the bounds are their defaults.
type Scan struct {
	Query   *matcher.Query // compiled with AnyDocument; its skip and limit hold for all sources together
	Sources []Source       // read one after the other
	Output  io.Writer
	Report  func(Problem) // called in the order of the input

	Encode bool // write documents as the query shows them (projection, values), not lines as they came
	Count  bool // write nothing, only count
	Strict bool // end at the first Problem

	// Unchecked passes over lines that cannot match by their bytes alone, without reading them as JSON: what is wrong with
	// them is not seen. The result is the same. It helps where the query has a Literal.
	Unchecked bool

	MaxDocumentBytes int // of one line without its line end
	MaxMemoryBytes   int // of the documents that a sorted result keeps
	Workers          int // at most MaxWorkers; 0: one for each processor

	chunkBytes int // ChunkBytes, but in tests
}

// Summary is what a scan came to.
type Summary struct {
	Shown    int64 // documents of the result
	Problems int64
}

// Run reads the sources until the result is complete. Its error is ErrStrict, ErrMemory, that of ctx or of the output;
// problems with the input are none, they are reported and counted.
func (s Scan) Run(ctx context.Context) (Summary, error) {
	if s.MaxDocumentBytes == 0 {
		s.MaxDocumentBytes = DefaultMaxDocumentBytes
	}
	if s.MaxMemoryBytes == 0 {
		s.MaxMemoryBytes = DefaultMaxMemoryBytes
	}
	if s.chunkBytes == 0 {
		s.chunkBytes = ChunkBytes
	}
	if s.Workers == 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	s.Workers = min(s.Workers, MaxWorkers)
	r := &run{Scan: s}
	if s.Query.Sorted() && !s.Count {
		r.sink = newSortedSink(r)
	} else {
		r.sink = &streamSink{output: s.Output, skip: s.Query.Skip(), left: s.Query.Limit(), endless: s.Query.Limit() == 0}
	}
	err := r.scan(ctx)
	r.summary.Shown = r.sink.shown()
	return r.summary, err
}

// run is one Scan under way.
type run struct {
	Scan
	sink    sink
	summary Summary
	source  *Source // of the chunk that was taken last
	line    int64   // lines of it so far

	// horizon is the greatest sort key that still has a place, nil while there is room: written by the sink, read by the
	// workers, which leave out what the sink would.
	horizon atomic.Pointer[[]byte]
}

// sink takes the documents that match, in the order of the input.
type sink interface {
	// add takes hits [from, to) of a chunk. more is false when the result is complete.
	add(c *chunk, from, to int) (more bool, err error)
	// finish writes what was held back.
	finish() error
	shown() int64
}

func (r *run) scan(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	count := MaxChunks(r.Workers)
	free, ordered, work := make(chan *chunk, count), make(chan *chunk, count), make(chan *chunk, count)
	for range count {
		free <- &chunk{done: make(chan struct{}, 1)}
	}
	reader := &reader{chunkBytes: r.chunkBytes, maxLineBytes: r.MaxDocumentBytes, free: free, ordered: ordered, work: work}
	go reader.run(ctx, r.Sources)
	var workers sync.WaitGroup
	for range r.Workers {
		workers.Go(func() { newEvaluator(r).work(ctx, work) })
	}
	err := r.consume(ctx, ordered, free)
	stop()
	workers.Wait()
	if err != nil {
		return err
	}
	return r.sink.finish()
}

// consume takes the chunks in the order of the input, until there are no more or the result is complete.
func (r *run) consume(ctx context.Context, ordered <-chan *chunk, free chan<- *chunk) error {
	for {
		var c *chunk
		select {
		case c = <-ordered:
		case <-ctx.Done():
			return ctx.Err()
		}
		if c == nil {
			return nil
		}
		select {
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		more, err := r.take(c)
		if !more || err != nil {
			return err
		}
		free <- c // never waits: there is room for all
	}
}

// take shows what a chunk has to show and reports its problems, each in its place.
func (r *run) take(c *chunk) (more bool, err error) {
	if c.source != r.source {
		r.source, r.line = c.source, 0
	}
	from := 0
	for _, p := range c.problems {
		if more, err = r.sink.add(c, from, p.hits); !more || err != nil {
			return false, err
		}
		from = p.hits
		problem := Problem{Source: c.source.Name, Err: p.err}
		if p.line > 0 {
			problem.Line = r.line + p.line
		}
		r.summary.Problems++
		r.Report(problem)
		if r.Strict {
			return false, ErrStrict
		}
	}
	r.line += c.lines
	return r.sink.add(c, from, c.hits)
}

// chunk is some whole lines of one source and what was found in them.
type chunk struct {
	source *Source
	buffer []byte // its memory
	data   []byte // the lines
	done   chan struct{}

	lines    int64
	hits     int // documents that match
	out      []byte
	outEnds  []int // where in out each hit ends
	keys     []byte
	keyEnds  []int // where in keys the sort key of each hit ends
	problems []lineProblem
}

type lineProblem struct {
	line int64 // in the chunk, from 1; 0: of the source
	hits int   // of the chunk before it
	err  error
}

func (c *chunk) reset(source *Source) {
	c.source, c.data, c.lines, c.hits = source, nil, 0, 0
	c.out, c.outEnds, c.keys, c.keyEnds = keep(c.out), c.outEnds[:0], keep(c.keys), c.keyEnds[:0]
	clear(c.problems)
	c.problems = c.problems[:0]
}

// keep empties a buffer, and lets it go where an unusual line has made it large.
func keep(b []byte) []byte {
	if cap(b) > 4*ChunkBytes {
		return nil
	}
	return b[:0]
}

func part(all []byte, ends []int, i int) []byte {
	if i == 0 {
		return all[:ends[0]]
	}
	return all[ends[i-1]:ends[i]]
}

// isBlank reports whether a line holds nothing but JSON's white space.
func isBlank(line []byte) bool {
	return len(line) == 0 || line[0] <= ' ' && len(bytes.Trim(line, " \t\r\n")) == 0
}
