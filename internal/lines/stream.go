package lines

import (
	"fmt"
	"io"
)

// streamSink writes hits as they come.
type streamSink struct {
	output  io.Writer
	skip    int
	left    int // of the limit
	endless bool
	count   int64
}

func (s *streamSink) add(c *chunk, from, to int) (more bool, err error) {
	skipped := min(s.skip, to-from)
	s.skip -= skipped
	from += skipped
	if !s.endless {
		to = min(to, from+s.left)
		s.left -= to - from
	}
	s.count += int64(to - from)
	if to > from && len(c.outEnds) > 0 {
		text := c.out[:c.outEnds[to-1]]
		if from > 0 {
			text = text[c.outEnds[from-1]:]
		}
		err = write(s.output, text)
	}
	return s.endless || s.left > 0, err
}

func (s *streamSink) finish() error { return nil }
func (s *streamSink) shown() int64  { return s.count }

func write(w io.Writer, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
