package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// index reads the documents that an index leads to. Entries come range by range and log partition by log partition;
// where a range is in the order of the query, it is left as soon as what follows lies behind what is asked for.
func (v *visit) index(ctx context.Context) error {
	for p := 1; p < v.snapshot.store.log.Partitions(); p++ {
		r := &indexReader{visit: v, ctx: ctx, partition: p}
		if err := r.read(); err != nil {
			return fmt.Errorf("read index %q: %w", v.way.Index, err)
		}
	}
	v.snapshot.store.metrics.IndexDocumentsFetched.Add(uint64(v.examined))
	return nil
}

// indexReader reads an index in one log partition.
type indexReader struct {
	*visit
	ctx       context.Context
	partition int
	iterator  *pebble.Iterator
	prefix    []byte // of the entries' keys
	steps     int
	entries   matcher.IndexEntries
	buffer    []byte
}

func (r *indexReader) read() (err error) {
	lower, upper := indexSpan(r.way.state.key, r.partition)
	if r.iterator, err = r.snapshot.shared.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.iterator.Close()) }() // a read error, too
	r.prefix = append(bytes.Clone(lower), tagEntry)
	// Documents that the index cannot hold come first, whatever their place.
	for ok := r.iterator.First(); ok && r.iterator.Key()[len(lower)] == tagOverflow; ok = r.iterator.Next() {
		id, err := r.id()
		if err != nil {
			return err
		}
		if err := r.fetch(id, nil); err != nil {
			return err
		}
	}
	for _, span := range r.way.plan.Ranges {
		if r.find.After != nil {
			span = r.way.plan.From(span, r.find.After)
		}
		if r.way.plan.Reverse {
			err = r.backward(span)
		} else {
			err = r.forward(span)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bound is the rest of a range that can still hold what is asked for. It is made anew when that has become less.
type bound struct {
	span matcher.IndexRange
	last []byte
}

func (r *indexReader) narrow(b *bound) {
	if last := r.take.enough(); last != nil && !bytes.Equal(last, b.last) {
		b.last, b.span = last, r.way.plan.To(b.span, last)
	}
}

func (r *indexReader) forward(span matcher.IndexRange) error {
	b := bound{span: span}
	r.buffer = append(append(r.buffer[:0], r.prefix...), span.Low...)
	for ok := r.iterator.SeekGE(r.buffer); ok; ok = r.iterator.Next() {
		r.narrow(&b)
		entry := r.iterator.Key()[len(r.prefix):]
		if b.span.High != nil && bytes.Compare(entry, b.span.High) >= 0 {
			return nil
		}
		if err := r.entry(entry); err != nil {
			return err
		}
	}
	return nil
}

func (r *indexReader) backward(span matcher.IndexRange) error {
	b := bound{span: span}
	ok := false
	if span.High == nil {
		ok = r.iterator.Last()
	} else {
		r.buffer = append(append(r.buffer[:0], r.prefix...), span.High...)
		ok = r.iterator.SeekLT(r.buffer)
	}
	for ; ok; ok = r.iterator.Prev() {
		r.narrow(&b)
		if !bytes.HasPrefix(r.iterator.Key(), r.prefix) {
			return nil // before the first entry
		}
		entry := r.iterator.Key()[len(r.prefix):]
		if bytes.Compare(entry, b.span.Low) < 0 {
			return nil
		}
		if err := r.entry(entry); err != nil {
			return err
		}
	}
	return nil
}

func (r *indexReader) id() ([]byte, error) {
	value, err := r.iterator.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return entryID(r.iterator.Key(), value)
}

func (r *indexReader) entry(entry []byte) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	return r.fetch(id, entry)
}

// fetch looks at the document that an entry leads to. A document that may have several entries in the ranges is taken at
// the first of them.
func (r *indexReader) fetch(id, entry []byte) error {
	if r.steps++; r.steps%visitStep == 0 && r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if len(r.undone) > 0 {
		if _, ok := r.undone[string(id)]; ok {
			return nil
		}
	}
	d, err := r.snapshot.document(documentKey{r.collection, r.partition, string(id)})
	switch {
	case err != nil:
		return err
	case d == nil:
		return fmt.Errorf("%w: it has an entry for document %q, which is not there", ErrIndexDamaged, id)
	}
	if entry != nil && r.way.plan.Repeats && !r.isFirst(d, entry[:len(entry)-len(id)]) {
		return nil
	}
	return r.document(d)
}

// isFirst reports whether an entry, without the `_id`, is the document's first one in the ranges of the plan.
func (r *indexReader) isFirst(d *matcher.Document, entry []byte) bool {
	r.way.state.compiled.Entries(&r.entries, d)
	for i := range r.entries.Len() {
		if other := r.entries.At(i); bytes.Compare(other, entry) >= 0 || r.way.plan.Holds(other, d.ID()) {
			return bytes.Equal(other, entry)
		}
	}
	return false
}

// countEntries counts the entries in the ranges of a plan. It takes at most so many steps, from range to range and from
// entry to entry; exact is false if they were not enough.
func (n *Snapshot) countEntries(key indexKey, ranges []matcher.IndexRange, most int) (count int, exact bool, err error) {
	c := entryCounter{most: most}
	for p := 1; p < n.store.log.Partitions() && c.steps < most; p++ {
		lower, upper := indexSpan(key, p)
		iterator, err := n.shared.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return 0, false, err
		}
		c.count(iterator, append(lower, tagEntry), ranges)
		if err := iterator.Close(); err != nil {
			return 0, false, err
		}
	}
	return c.entries, c.steps < most, nil
}

type entryCounter struct{ entries, steps, most int }

func (c *entryCounter) count(iterator *pebble.Iterator, prefix []byte, ranges []matcher.IndexRange) {
	var low []byte
	for _, r := range ranges {
		if c.steps++; c.steps >= c.most {
			return
		}
		low = append(append(low[:0], prefix...), r.Low...)
		for ok := iterator.SeekGE(low); ok; ok = iterator.Next() {
			if r.High != nil && bytes.Compare(iterator.Key()[len(prefix):], r.High) >= 0 {
				break
			}
			c.entries++
			if c.steps++; c.steps >= c.most {
				return
			}
		}
	}
}

// entryID is the `_id` at the end of an index entry's key; value is what the entry holds.
func entryID(key, value []byte) ([]byte, error) {
	length, n := binary.Uvarint(value)
	if n <= 0 || length == 0 || int(length) > len(key)-indexPrefixBytes {
		return nil, fmt.Errorf("%w: an entry names no document", ErrIndexDamaged)
	}
	return key[len(key)-int(length):], nil
}
