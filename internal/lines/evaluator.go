package lines

import (
	"bytes"
	"context"
	"fmt"

	"github.com/freshetdb/freshet/matcher"
)

// evaluator finds the documents of chunks that match. It is one worker's.
type evaluator struct {
	*run
	parser *matcher.Parser
	sorted bool
	skim   *skimmer // nil: every line is looked at
}

func newEvaluator(r *run) *evaluator {
	_, sorted := r.sink.(*sortedSink)
	e := &evaluator{run: r, sorted: sorted, parser: matcher.NewParser(matcher.Limits{
		MaxDocumentBytes: r.MaxDocumentBytes,
		// As many as the bytes can hold ("[0,0,...]"): for lines the bytes are the one bound that there is.
		MaxDocumentFields: max(r.MaxDocumentBytes, 1),
	})}
	if literal := r.Query.Literal(); r.Unchecked && literal != nil {
		e.skim = &skimmer{literal: literal}
	}
	return e
}

func (e *evaluator) work(ctx context.Context, chunks <-chan *chunk) {
	for {
		select {
		case c, ok := <-chunks:
			if !ok {
				return
			}
			e.evaluate(c)
			c.done <- struct{}{}
		case <-ctx.Done():
			return
		}
	}
}

func (e *evaluator) evaluate(c *chunk) {
	if e.skim != nil {
		e.skim.begin(c.data)
	}
	for at := 0; at < len(c.data); {
		if e.skim != nil {
			start := e.skim.next(at)
			if c.lines += int64(bytes.Count(c.data[at:start], []byte{'\n'})); start == len(c.data) {
				return
			}
			at = start
		}
		whole := c.data[at:]
		if end := bytes.IndexByte(whole, '\n'); end >= 0 {
			whole = whole[:end+1]
		}
		c.lines++
		if line := bytes.TrimSuffix(whole, []byte{'\n'}); !isBlank(line) {
			if err := e.line(c, line, whole); err != nil {
				c.problems = append(c.problems, lineProblem{line: c.lines, hits: c.hits, err: err})
			}
		}
		at += len(whole)
	}
}

// line looks at one line; whole is it with its end. The error says why it is no document.
func (e *evaluator) line(c *chunk, line, whole []byte) error {
	if len(line) > e.MaxDocumentBytes {
		return lineTooLong(e.MaxDocumentBytes)
	}
	d, err := e.parser.ParseTransient(line)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoDocument, err)
	}
	if !e.Query.Match(d) {
		return nil
	}
	if e.sorted {
		before := len(c.keys)
		c.keys = e.Query.AppendSortKey(c.keys, d)
		if horizon := e.horizon.Load(); horizon != nil && bytes.Compare(c.keys[before:], *horizon) >= 0 {
			c.keys = c.keys[:before] // what comes later loses a tie
			return nil
		}
		c.keyEnds = append(c.keyEnds, len(c.keys))
	}
	c.hits++
	switch {
	case e.Count:
		return nil
	case e.Encode:
		c.out = append(e.Query.AppendDocument(c.out, d), '\n')
	default:
		c.out = append(c.out, whole...)
		if len(whole) == len(line) { // the last line, without an end
			c.out = append(c.out, '\n')
		}
	}
	c.outEnds = append(c.outEnds, len(c.out))
	return nil
}
