package storage

import (
	"bytes"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// maxMergedRanges bounds the ranges of entries that are read side by side. More are read one after the other.
const maxMergedRanges = 64

// entryCursor goes through the entries of a range in the direction that the plan asks for.
type entryCursor struct {
	*indexReader
	iterator *pebble.Iterator
	span     matcher.IndexRange // the rest of the range that can still hold what is asked for
	last     []byte             // what span was cut for
	begun    bool

	stands *matcher.Document // of a merge: the document where the cursor is, nil at the end
	key    []byte            // its sort key
}

func (r *indexReader) cursor(iterator *pebble.Iterator, span matcher.IndexRange) *entryCursor {
	if r.find.After != nil {
		span = r.way.plan.From(span, r.find.After)
	}
	return &entryCursor{indexReader: r, iterator: iterator, span: span}
}

// entry goes on to the next entry, with the `_id` at its end; nil if there is none, or none that is needed.
func (c *entryCursor) entry() []byte {
	if last := c.take.enough(); last != nil && !bytes.Equal(last, c.last) {
		c.last, c.span = last, c.way.plan.To(c.span, last)
	}
	if !c.move() {
		return nil
	}
	entry := c.iterator.Key()[len(c.prefix):]
	if bytes.Compare(entry, c.span.Low) < 0 || c.span.High != nil && bytes.Compare(entry, c.span.High) >= 0 {
		return nil
	}
	return entry
}

func (c *entryCursor) move() bool {
	reverse := c.way.plan.Reverse
	switch {
	case c.begun && reverse:
		return c.iterator.Prev()
	case c.begun:
		return c.iterator.Next()
	}
	c.begun = true
	switch {
	case !reverse:
		return c.iterator.SeekGE(slices.Concat(c.prefix, c.span.Low))
	case c.span.High == nil:
		return c.iterator.Last()
	}
	return c.iterator.SeekLT(slices.Concat(c.prefix, c.span.High))
}

// next goes on to the next document that is to be looked at, nil at the end.
func (c *entryCursor) next() (*matcher.Document, error) {
	for entry := c.entry(); entry != nil; entry = c.entry() {
		if err := c.step(); err != nil {
			return nil, err
		}
		if d, err := c.fetch(c.iterator, entry); d != nil || err != nil {
			return d, err
		}
	}
	return nil, nil
}

func (c *entryCursor) readAll() error {
	for {
		d, err := c.next()
		if d == nil || err != nil {
			return err
		}
		if err := c.look(d); err != nil {
			return err
		}
	}
}

// countAll counts the entries without a look at their documents.
func (c *entryCursor) countAll() error {
	for c.entry() != nil {
		if err := c.step(); err != nil {
			return err
		}
		*c.count++
	}
	return nil
}

// stand goes on to the next document, and stays there.
func (c *entryCursor) stand() (err error) {
	if c.stands, err = c.next(); c.stands != nil {
		c.key = c.query.AppendSortKey(c.key[:0], c.stands)
	}
	return err
}

// merge reads the ranges side by side, always on in the one that stands at the first document in the order of the query:
// so reading ends with the last document that is wanted in all, and not with the last one of each range.
func (v *visit) merge(readers []*indexReader) (err error) {
	var cursors []*entryCursor
	defer func() {
		for _, c := range cursors {
			err = errors.Join(err, c.iterator.Close()) // a read error, too
		}
	}()
	for _, r := range readers {
		for _, span := range r.way.plan.Ranges {
			iterator, err := r.iterator(r.prefix)
			if err != nil {
				return r.failed(err)
			}
			c := r.cursor(iterator, span)
			cursors = append(cursors, c)
			if err := c.stand(); err != nil {
				return r.failed(err)
			}
		}
	}
	for {
		var first *entryCursor
		for _, c := range cursors {
			if c.stands != nil && (first == nil || bytes.Compare(c.key, first.key) < 0) {
				first = c
			}
		}
		if first == nil {
			return nil
		}
		if err := first.look(first.stands); err != nil {
			return err
		}
		if err := first.stand(); err != nil {
			return first.failed(err)
		}
	}
}
