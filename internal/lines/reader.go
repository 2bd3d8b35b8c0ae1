package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxEmptyReads is how often a source may return neither bytes nor an error before it counts as broken.
const maxEmptyReads = 100

// reader cuts the sources into chunks of whole lines.
type reader struct {
	chunkBytes   int
	maxLineBytes int
	free         <-chan *chunk
	ordered      chan<- *chunk // to be written, in this order
	work         chan<- *chunk // to be evaluated
	rest         []byte        // what was read beyond the last whole line
	pending      error         // what the source said when it gave rest
}

// run ends with the sources or with ctx. It closes the channels that it sends to.
func (r *reader) run(ctx context.Context, sources []Source) {
	defer close(r.ordered)
	defer close(r.work)
	for i := range sources {
		if !r.source(ctx, &sources[i]) {
			return
		}
	}
}

// source sends all of one source; it returns false when ctx has ended.
func (r *reader) source(ctx context.Context, s *Source) bool {
	in, err := s.Open()
	if err != nil {
		return r.fail(ctx, s, err)
	}
	defer func() { _ = in.Close() }() // nothing is lost when that fails
	r.rest, r.pending = r.rest[:0], nil
	for {
		c := r.chunk(ctx, s)
		if c == nil {
			return false
		}
		err := r.fill(in, c)
		r.send(c)
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return r.fail(ctx, s, err)
		}
	}
}

func lineTooLong(most int) error {
	return fmt.Errorf("%w: it has more than %d bytes (MaxDocumentBytes); split it, or raise the limit with --max-document-bytes",
		ErrNoDocument, most)
}

// chunk waits for a free one; nil when ctx has ended.
func (r *reader) chunk(ctx context.Context, s *Source) *chunk {
	if ctx.Err() != nil {
		return nil // even if one is free
	}
	select {
	case c := <-r.free:
		c.reset(s)
		c.buffer = keep(c.buffer)
		return c
	case <-ctx.Done():
		return nil
	}
}

// send hands a chunk on. It never waits: the channels have room for all chunks.
func (r *reader) send(c *chunk) {
	r.work <- c
	r.ordered <- c
}

// fail says that the source cannot be read on; it returns false when ctx has ended.
func (r *reader) fail(ctx context.Context, s *Source, err error) bool {
	c := r.chunk(ctx, s)
	if c == nil {
		return false
	}
	c.problems = append(c.problems, lineProblem{err: fmt.Errorf("%w: %w", ErrUnreadable, err)})
	r.send(c)
	return true
}

// fill makes c's data what the source offers in whole lines, at least one; the source's last line need not have an end.
// A line that is longer than it may be is not kept but noted, alone. It returns io.EOF with the source's end.
func (r *reader) fill(in io.Reader, c *chunk) error {
	b := c.buffer[:cap(c.buffer)]
	if len(b) < max(r.chunkBytes, 2*len(r.rest)) {
		b = make([]byte, max(r.chunkBytes, 2*len(r.rest)))
	}
	n := copy(b, r.rest)
	r.rest = r.rest[:0]
	if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 { // behind a line that was too long
		r.rest = append(r.rest, b[i+1:n]...)
		c.buffer, c.data = b, b[:i+1]
		return nil
	}
	for {
		if n == len(b) {
			b = append(b, make([]byte, len(b))...)
		}
		read, err := r.read(in, b[n:])
		c.buffer = b
		if i := bytes.LastIndexByte(b[n:n+read], '\n'); i >= 0 {
			whole := n + i + 1
			r.rest = append(r.rest, b[whole:n+read]...)
			c.data = b[:whole]
			if errors.Is(err, io.EOF) { // what follows is the last line
				c.data, r.rest = b[:n+read], r.rest[:0]
			}
			return err
		}
		n += read
		switch {
		case n > r.maxLineBytes:
			c.lines = 1
			c.problems = append(c.problems, lineProblem{line: 1, err: lineTooLong(r.maxLineBytes)})
			if err == nil {
				err = r.discard(in, b)
			}
			return err
		case errors.Is(err, io.EOF):
			c.data = b[:n]
			return err
		case err != nil:
			return err // what there is of a line is not shown: nobody knows how it goes on
		}
	}
}

// read reads until there is something: bytes, or an error.
func (r *reader) read(in io.Reader, b []byte) (n int, err error) {
	if r.pending != nil {
		return 0, r.pending
	}
	for range maxEmptyReads {
		if n, err = in.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// discard reads to the end of a line, with b as its memory.
func (r *reader) discard(in io.Reader, b []byte) error {
	for {
		n, err := r.read(in, b)
		if i := bytes.IndexByte(b[:n], '\n'); i >= 0 {
			r.rest, r.pending = append(r.rest[:0], b[i+1:n]...), err
			return nil
		}
		if err != nil {
			return err
		}
	}
}
