package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// indexer keeps the indexes of a node in step with the documents. It belongs to the apply loop.
type indexer struct {
	partitions int
	states     map[matcher.CollectionID][]*indexState
	unready    []*indexState // in the order in which they are built
	changed    []*indexState // those that are dirty
	chunk      *indexChunk   // that the builder is reading, or nil
	wake       chan struct{}
	metrics    *Metrics

	before, after matcher.IndexEntries
	ops           indexOps
}

func newIndexer(partitions int, metrics *Metrics) *indexer {
	return &indexer{
		partitions: partitions, states: map[matcher.CollectionID][]*indexState{}, wake: make(chan struct{}, 1), metrics: metrics,
	}
}

// load takes the states that Pebble has, once the catalog is there. What was built by other rules is deleted, and built anew:
// before anything is applied, because what a change takes away is found by the rules of today.
func (x *indexer) load(db *pebble.DB, c *catalog) error {
	states, err := readIndexStates(db, 0)
	if err != nil {
		return err
	}
	if err := x.renew(db, states); err != nil {
		return fmt.Errorf("begin an index anew: %w", err)
	}
	for _, s := range states {
		collection, _ := c.byID.get(s.key.collection)
		i := slices.IndexFunc(collection.Indexes, func(x Index) bool { return x.ID == s.key.index })
		if i < 0 || len(s.counts) != x.partitions {
			return fmt.Errorf("read the state of index %d of collection %d: it does not belong to the catalog", s.key.index, s.key.collection)
		}
		s.name, s.compiled = collection.Indexes[i].Name, collection.Indexes[i].compiled
		x.add(s)
	}
	return nil
}

// renew empties the stale indexes. It is durable with what is applied next; a crash before that finds them stale again.
func (x *indexer) renew(db *pebble.DB, states []*indexState) error {
	for _, s := range states {
		if !s.stale {
			continue
		}
		s.stale, s.counts = false, make([]indexCount, x.partitions)
		b := db.NewBatch()
		err := b.Set(appendIndexStateKey(nil, s.key), s.append(nil), nil)
		for p := 1; p < x.partitions; p++ {
			lower, upper := indexSpan(s.key, p)
			err = errors.Join(err, b.DeleteRange(lower, upper, nil))
		}
		if err == nil {
			err = b.Commit(pebble.NoSync)
		}
		if err = errors.Join(err, b.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (x *indexer) add(s *indexState) {
	x.states[s.key.collection] = append(x.states[s.key.collection], s)
	if !s.ready {
		x.unready = append(x.unready, s)
		x.wakeBuilder()
	}
}

func (x *indexer) wakeBuilder() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// follow makes the states of a collection those of its indexes as they are now: new ones begin to be built, others are
// forgotten. It returns the forgotten ones, whose entries are to be deleted.
func (x *indexer) follow(c Collection) (dropped []indexKey) {
	indexes := c.Indexes
	if c.Fence == matcher.FenceDrop {
		indexes = nil
	}
	kept := slices.DeleteFunc(slices.Clone(x.states[c.ID]), func(s *indexState) bool {
		gone := !slices.ContainsFunc(indexes, func(x Index) bool { return x.ID == s.key.index })
		if gone {
			dropped = append(dropped, s.key)
			x.unready = slices.DeleteFunc(x.unready, func(t *indexState) bool { return t == s })
			x.changed = slices.DeleteFunc(x.changed, func(t *indexState) bool { return t == s })
			x.spoil(func(chunk *indexChunk) bool { return chunk.state == s })
		}
		return gone
	})
	if x.states[c.ID] = kept; len(kept) == 0 {
		delete(x.states, c.ID)
	}
	for _, index := range indexes {
		if !slices.ContainsFunc(kept, func(s *indexState) bool { return s.key.index == index.ID }) {
			s := &indexState{
				key: indexKey{c.ID, index.ID}, name: index.Name, compiled: index.compiled, counts: make([]indexCount, x.partitions),
			}
			x.add(s)
			x.mark(s)
		}
	}
	return dropped
}

// spoil makes the builder read its chunk again, if it is one of those.
func (x *indexer) spoil(which func(*indexChunk) bool) {
	if x.chunk != nil && which(x.chunk) {
		x.chunk.spoiled = true
	}
}

// fence notes that a collection has no documents any more in one log partition.
func (x *indexer) fence(f epochKey) {
	for _, s := range x.states[f.collection] {
		s.counts[f.partition] = indexCount{}
		x.mark(s)
	}
	x.spoil(func(chunk *indexChunk) bool { return chunk.state.key.collection == f.collection })
}

// images parses what an applied record holds, where an index needs it. The documents share the record's memory.
func (x *indexer) images(r *ingest.Record, limits matcher.Limits) (before, after *matcher.Document, err error) {
	if len(x.states[r.Collection]) == 0 {
		return nil, nil, nil
	}
	if r.Before != nil {
		if before, err = matcher.Parse(r.Before, storedLimits(limits)); err != nil {
			return nil, nil, fmt.Errorf("parse the before-image of %q: %w", r.ID, err)
		}
	}
	if r.After != nil {
		if after, err = matcher.Parse(r.After, storedLimits(limits)); err != nil {
			return nil, nil, fmt.Errorf("parse the after-image of %q: %w", r.ID, err)
		}
	}
	return before, after, nil
}

// change gathers what a document's change does to the entries of its collection's indexes.
func (x *indexer) change(k documentKey, before, after *matcher.Document) {
	for _, s := range x.states[k.collection] {
		if !s.covers(k) {
			x.chunk.touch(s, k, after)
			continue
		}
		s.compiled.Entries(&x.before, before)
		s.compiled.Entries(&x.after, after)
		x.diff(s, k)
	}
}

// diff gathers the entries that the change takes away and adds: those that stay cost nothing.
func (x *indexer) diff(s *indexState, k documentKey) {
	count := &s.counts[k.partition]
	if x.before.Overflow != x.after.Overflow {
		x.ops.overflow(s.key, k, x.after.Overflow)
		if x.after.Overflow {
			count.overflow++
		} else {
			count.overflow--
		}
		x.mark(s)
	}
	i, j := 0, 0
	for i < x.before.Len() || j < x.after.Len() {
		order := 0
		switch {
		case i == x.before.Len():
			order = 1
		case j == x.after.Len():
			order = -1
		default:
			order = bytes.Compare(x.before.At(i), x.after.At(j))
		}
		switch {
		case order < 0:
			x.ops.entry(s.key, k, x.before.At(i), false)
			count.entries--
			i++
		case order > 0:
			x.ops.entry(s.key, k, x.after.At(j), true)
			count.entries++
			j++
		default:
			i, j = i+1, j+1
			continue
		}
		x.mark(s)
	}
	if !x.after.Overflow && s.multikey|x.after.Multikey != s.multikey {
		s.multikey |= x.after.Multikey
		x.mark(s)
	}
}

// mark has the state written with the next batch.
func (x *indexer) mark(s *indexState) {
	if !s.dirty {
		s.dirty = true
		x.changed = append(x.changed, s)
	}
}

// toBatch writes what was gathered, and the states that changed.
func (x *indexer) toBatch(b *pebble.Batch) error {
	x.metrics.IndexEntriesWritten.Add(uint64(len(x.ops.list)))
	if err := x.ops.toBatch(b); err != nil {
		return err
	}
	for _, s := range x.changed {
		if err := b.Set(appendIndexStateKey(nil, s.key), s.append(nil), nil); err != nil {
			return err
		}
		s.dirty = false
	}
	x.changed = x.changed[:0]
	return nil
}

// indexOps are entries to be set or deleted, gathered so that they go into the batch in order: that is what Pebble
// takes fastest.
type indexOps struct {
	arena []byte
	list  []indexOp
}

type indexOp struct {
	start, end int // of the key in arena
	id         int // bytes of the `_id` at the key's end
	set        bool
}

func (o *indexOps) add(x indexKey, k documentKey, tag byte, entry []byte, set bool) {
	start := len(o.arena)
	o.arena = appendIndexKey(o.arena, x, k.partition)
	o.arena = append(append(append(o.arena, tag), entry...), k.id...)
	o.list = append(o.list, indexOp{start, len(o.arena), len(k.id), set})
}

func (o *indexOps) entry(x indexKey, k documentKey, entry []byte, set bool) {
	o.add(x, k, tagEntry, entry, set)
}

func (o *indexOps) overflow(x indexKey, k documentKey, set bool) {
	o.add(x, k, tagOverflow, nil, set)
}

// maxKeptOpsBytes bounds what one large group leaves behind.
const maxKeptOpsBytes = 4 << 20

// toBatch writes the entries and begins anew.
func (o *indexOps) toBatch(b *pebble.Batch) error {
	slices.SortFunc(o.list, func(x, y indexOp) int {
		return bytes.Compare(o.arena[x.start:x.end], o.arena[y.start:y.end])
	})
	for _, op := range o.list {
		key := o.arena[op.start:op.end]
		var err error
		if op.set {
			var length [binary.MaxVarintLen16]byte
			err = b.Set(key, binary.AppendUvarint(length[:0], uint64(op.id)), nil)
		} else {
			err = b.Delete(key, nil)
		}
		if err != nil {
			return err
		}
	}
	if cap(o.arena) > maxKeptOpsBytes {
		*o = indexOps{}
	}
	o.arena, o.list = o.arena[:0], o.list[:0]
	return nil
}
