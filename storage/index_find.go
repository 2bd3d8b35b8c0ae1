package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// readLegs reads the documents that the way's legs lead to. What has no place in an order comes first; then the entries, of all
// ranges side by side where they are in the order of the query, or else range by range. A range is left as soon as what
// follows in it lies behind what is asked for.
func (v *visit) readLegs(legs []leg) error {
	var readers []*indexReader
	ranges := 0
	ordered := v.find.Limit > 0
	for _, leg := range legs {
		for p := 1; p < v.snapshot.store.log.Partitions(); p++ {
			r := &indexReader{visit: v, leg: leg, partition: p}
			if leg.Uses == UsesIDs {
				if err := r.ids(); err != nil {
					return fmt.Errorf("read documents by _id: %w", err)
				}
				continue
			}
			r.prefix = append(appendIndexKey(nil, leg.state.key, p), tagEntry)
			if err := r.overflow(); err != nil {
				return r.failed(err)
			}
			readers, ordered = append(readers, r), ordered && leg.plan.Ordered()
			ranges += len(leg.plan.Ranges)
		}
	}
	if ordered && ranges > 1 && ranges <= maxMergedRanges {
		if err := v.merge(readers); err != nil {
			return err
		}
	} else {
		for _, r := range readers {
			if err := r.read(); err != nil {
				return r.failed(err)
			}
		}
	}
	v.snapshot.store.metrics.IndexDocumentsFetched.Add(uint64(v.examined))
	return nil
}

// indexReader reads what one leg leads to in one log partition.
type indexReader struct {
	*visit
	leg
	partition int
	prefix    []byte // of the entries' keys
	entries   matcher.IndexEntries
}

func (r *indexReader) failed(err error) error {
	return fmt.Errorf("read index %q: %w", r.way.Index, err)
}

// ids reads the documents that the leg names. Which log partition an id lies in depends on the collection's name, which a
// snapshot need not know: it looks in each.
func (r *indexReader) ids() error {
	for _, id := range r.way.ids {
		if err := r.step(); err != nil {
			return err
		}
		d, err := r.snapshot.document(documentKey{r.collection, r.partition, id})
		if err != nil {
			return err
		}
		if err := r.look(d); err != nil {
			return err
		}
	}
	return nil
}

// look looks at a document, if there is one.
func (r *indexReader) look(d *matcher.Document) error {
	if d == nil {
		return nil
	}
	return r.visit.document(d, &r.leg)
}

// overflow reads the documents that the index cannot hold, whatever their place.
func (r *indexReader) overflow() (err error) {
	if r.way.state.counts[r.partition].overflow == 0 {
		return nil
	}
	iterator, err := r.iterator(append(appendIndexKey(nil, r.way.state.key, r.partition), tagOverflow))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if err := r.step(); err != nil {
			return err
		}
		d, err := r.fetch(iterator, nil)
		if err != nil {
			return err
		}
		if err := r.look(d); err != nil {
			return err
		}
	}
	return nil // Close has its error
}

// read reads the entries of the ranges, one range after the other.
func (r *indexReader) read() (err error) {
	if r.count != nil && r.way.plan.Narrowed == 0 {
		*r.count += counter(r.way.state.counts[r.partition].entries)
		return nil
	}
	iterator, err := r.iterator(r.prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	for _, span := range r.way.plan.Ranges {
		c := r.cursor(iterator, span)
		if r.count != nil {
			err = c.countAll()
		} else {
			err = c.readAll()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// iterator goes through the keys with a prefix.
func (r *indexReader) iterator(prefix []byte) (*pebble.Iterator, error) {
	return r.snapshot.shared.pebble.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
}

// fetch reads the document that the entry at the iterator leads to; nil if the search is to pass it by.
func (r *indexReader) fetch(iterator *pebble.Iterator, entry []byte) (*matcher.Document, error) {
	value, err := iterator.ValueAndErr()
	if err != nil {
		return nil, err
	}
	id, err := entryID(iterator.Key(), value)
	if err != nil {
		return nil, err
	}
	if len(r.undone) > 0 {
		if _, ok := r.undone[string(id)]; ok {
			return nil, nil
		}
	}
	d, err := r.snapshot.document(documentKey{r.collection, r.partition, string(id)})
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		return nil, fmt.Errorf("%w: it has an entry for document %q, which is not there", ErrIndexDamaged, id)
	}
	if entry != nil && r.way.plan.Repeats && !r.isFirst(d, entry[:len(entry)-len(id)]) {
		return nil, nil
	}
	return d, nil
}

// isFirst reports whether an entry, without the `_id`, is the document's first one in the ranges of the plan. A document
// that may have several entries in the ranges is taken at the first of them.
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
