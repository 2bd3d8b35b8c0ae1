package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// item is one record on its way through the loop.
type item struct {
	record    ingest.Record
	partition int
	after     *matcher.Document // of a write; parsed once, at the gateway or as it came out of the log
	hint      *matcher.Document // what the writer read as the current document; saves a parse where it still is
	steady    bool              // hint and the record's base are the state of the key when its turn comes (pending.advance)

	observes bool // no write: asks whether the base is still the state of the key, or the request was accepted before

	// Set by stage.
	verdict verdict
	control controlResult
	earlier remembered // where verdict is repeated
}

func (it *item) cacheKey() cacheKey {
	return cacheKey{it.record.Collection, it.record.Epoch, it.record.ID}
}

// entry is the state of one key within a group.
type entry struct {
	head   head
	value  []byte            // text of the document; nil: deleted
	before *matcher.Document // before the group; in a replay only where an index needs it
}

type epochKey struct {
	partition  int
	collection matcher.CollectionID
}

// applier is the state that the apply loop owns: everything here is of the loop's goroutine alone. It runs ahead of
// what is published by the group that is being made durable; a group that fails stops the process.
type applier struct {
	db     *pebble.DB
	cache  *documentCache
	limits matcher.Limits

	vector   matcher.Vector
	sequence uint64
	catalog  *catalog
	constants
	epochs         map[epochKey]epoch
	pruned         []uint64 // per log partition: tombstones below this offset are gone
	tombstones     tombstones
	prunedRequests []uint64 // the same of request ids
	seen           *seenTypes
	indexes        *indexer

	metrics *Metrics

	entries map[documentKey]entry // empty room for the next group's

	recheck func(it *item, found head) // Config.recheck
}

// group is what one step of the loop applies.
type group struct {
	before   matcher.Vector
	changes  []*matcher.Change
	entries  map[documentKey]entry
	requests map[requestKey]remembered // accepted in this group; nil: none
	fences   []epochKey
	seen     map[epochKey]*seenSet             // what is new in it
	dropped  []indexKey                        // indexes that are gone
	controls bool                              // the catalog changed
	changed  map[matcher.CollectionID]struct{} // what changed in it; nil: no collection
	dirty    bool                              // the vector moved
}

func (a *applier) begin() *group {
	g := &group{before: a.vector.Clone(), entries: a.entries}
	if a.entries = nil; g.entries == nil {
		g.entries = make(map[documentKey]entry)
	}
	return g
}

// maxKeptEntries bounds the room that one large group leaves behind.
const maxKeptEntries = 4096

// end keeps the room of a group that is committed, for the next one.
func (a *applier) end(g *group) {
	if len(g.entries) <= maxKeptEntries {
		clear(g.entries)
		a.entries = g.entries
	}
	g.entries = nil
}

// stage decides one record and, if it is accepted, applies it to the loop's state and the group. The record's offset
// is the next one of its log partition.
func (a *applier) stage(g *group, it *item) error {
	offset := a.vector.Next[it.partition]
	switch it.record.Kind {
	case ingest.RecordControl:
		return a.stageControl(g, it, offset)
	case ingest.RecordFence:
		a.stageFence(g, it, offset)
		return nil
	case ingest.RecordWrite:
		return a.stageWrite(g, it, offset)
	}
	return fmt.Errorf("apply a record of kind %d: this program does not know it", it.record.Kind)
}

func (a *applier) stageWrite(g *group, it *item, offset uint64) error {
	r := &it.record
	key := documentKey{collection: r.Collection, partition: it.partition, id: r.ID}
	current, err := a.current(g, key, it)
	if err != nil {
		return err
	}
	request := it.requestKey()
	earlier, err := a.request(g, request)
	if err != nil {
		return err
	}
	it.verdict = decide(r, offset, current, a.epochs[epochKey{it.partition, r.Collection}], earlier, a.constants)
	if it.observes && it.verdict == rejectedNothing {
		it.verdict = accepted // there is nothing, as it saw
	}
	switch {
	case it.verdict == repeated:
		if earlier.operation == 0 { // it came from Pebble
			if err := readOutcome(a.db, request, &earlier); err != nil {
				return err
			}
		}
		it.earlier = earlier
		a.metrics.WritesRepeated.Add(1)
		return nil
	case it.verdict != accepted:
		a.metrics.WritesRejected.Add(1)
		return nil
	case it.observes:
		return nil
	}
	if current.document != nil {
		r.Before = current.document.Text()
	}
	r.Operation = operationOf(current.document, it.after)
	a.applyWrite(g, key, r, offset, current.document, it.after)
	a.sequence++
	g.changes = append(g.changes, &matcher.Change{
		Sequence:   a.sequence,
		Position:   matcher.Position{Incarnation: a.vector.Incarnation, Partition: it.partition, Offset: offset},
		Collection: r.Collection,
		Operation:  r.Operation,
		Epoch:      r.Epoch,
		ID:         r.ID,
		Before:     current.document,
		After:      it.after,
	})
	a.see(g, epochKey{key.partition, key.collection}, it.after)
	a.metrics.WritesAccepted.Add(1)
	return nil
}

// applyWrite is the part of an accepted write that a replay does as well, where it has the documents only if an index
// needs them.
func (a *applier) applyWrite(g *group, key documentKey, r *ingest.Record, offset uint64, before, after *matcher.Document) {
	e := entry{head: head{document: after, writeID: r.WriteID}, value: r.After, before: before}
	if earlier, again := g.entries[key]; again {
		e.before = earlier.before
	}
	if r.After == nil {
		e.head.deleted = offset
		a.tombstones.note(key.partition, offset)
	}
	g.entries[key] = e
	g.remember(requestKey{key.partition, r.RequestID}, r, offset)
	a.advance(g, key.partition, offset)
}

func (a *applier) advance(g *group, partition int, offset uint64) {
	a.vector.Next[partition] = offset + 1
	g.dirty = true
}

// current is the state of an item's key as its turn comes.
func (a *applier) current(g *group, key documentKey, it *item) (head, error) {
	if !it.steady {
		return a.head(g, key, it.hint)
	}
	if a.recheck != nil && it.record.Epoch == a.epochs[epochKey{key.partition, key.collection}].number {
		if err := a.recheckSteady(g, key, it); err != nil {
			return head{}, err
		}
	}
	// A tombstone that did not count any more when the writer read it is no base; one that did counts still.
	return head{document: it.hint, writeID: it.record.Base, deleted: a.vector.Next[key.partition]}, nil
}

// recheckSteady looks up what a steady write is taken at its word for. Of tests.
func (a *applier) recheckSteady(g *group, key documentKey, it *item) error {
	found, err := a.head(g, key, nil)
	next := a.vector.Next[key.partition]
	switch {
	case err != nil:
		return err
	case next-it.record.ReadTo > a.maxWriteLag:
		return nil // decide rejects it, whatever the state is
	case found.expired(it.record.ReadTo, a.maxWriteLag):
		found = head{}
	case found == head{} && !a.tombstones.count(key.partition, next, a.maxWriteLag):
		found.writeID = it.record.Base // of a tombstone that still counted when it was read
	}
	a.recheck(it, found)
	return nil
}

// head is the current state of a key: in this group, in the cache, in Pebble.
func (a *applier) head(g *group, key documentKey, hint *matcher.Document) (head, error) {
	if e, ok := g.entries[key]; ok {
		return e.head, nil
	}
	for _, fenced := range g.fences {
		if fenced.collection == key.collection && fenced.partition == key.partition {
			return head{}, nil
		}
	}
	cacheKey := cacheKey{key.collection, a.epochs[epochKey{key.partition, key.collection}].number, key.id}
	if d, ok := a.cache.get(cacheKey); ok {
		return head{document: d, writeID: d.Revision().WriteID}, nil
	}
	h, err := readHead(a.db, key, hint, a.limits, a.tombstones.count(key.partition, a.vector.Next[key.partition], a.maxWriteLag))
	if err == nil && h.document != nil {
		a.cache.set(cacheKey, h.document)
	}
	return h, err
}

// storedLimits are those under which stored documents are read back: what was accepted once stays readable.
func storedLimits(limits matcher.Limits) matcher.Limits {
	limits.MaxDocumentBytes = MaxStoredBytes
	limits.MaxDocumentDepth = 1 << 10
	limits.MaxDocumentFields = 1 << 24
	return limits
}

// MaxStoredBytes bounds a stored document, metadata included, whatever the configured limits are.
const MaxStoredBytes = 64 << 20

func parseStored(raw []byte, hint *matcher.Document, limits matcher.Limits) (*matcher.Document, error) {
	if len(raw) == 0 || raw[0] != valueVersion {
		return nil, fmt.Errorf("%w: a stored document of an unknown version", ErrFormat)
	}
	if hint != nil && bytes.Equal(hint.Text(), raw[1:]) {
		return hint, nil
	}
	return matcher.Parse(bytes.Clone(raw[1:]), storedLimits(limits))
}

// batch puts the group's outcome into one Pebble batch, keys sorted, the vector last (invariant 2).
func (a *applier) batch(g *group) (*pebble.Batch, error) {
	b := a.db.NewBatch()
	// First, because it goes by what Pebble holds: a tombstone of this group must come after it.
	if err := a.prune(b); err != nil {
		return nil, err
	}
	for _, f := range g.fences {
		if err := a.fenceToBatch(b, f); err != nil {
			return nil, err
		}
		a.indexes.fence(f)
	}
	for _, k := range g.dropped {
		if err := a.dropToBatch(b, k); err != nil {
			return nil, err
		}
	}
	keys := make([]documentKey, 0, len(g.entries))
	for k := range g.entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y documentKey) int {
		if x.partition != y.partition {
			return x.partition - y.partition
		}
		if x.collection != y.collection {
			return int(x.collection) - int(y.collection)
		}
		return strings.Compare(x.id, y.id)
	})
	var key []byte
	for _, k := range keys {
		e := g.entries[k]
		a.indexes.change(k, e.before, e.head.document)
		if e.value != nil {
			key = appendKey(key[:0], prefixDocument, k)
			op := b.SetDeferred(len(key), 1+len(e.value))
			copy(op.Key, key)
			op.Value[0] = valueVersion
			copy(op.Value[1:], e.value)
			if err := op.Finish(); err != nil {
				return nil, err
			}
			continue
		}
		if err := a.tombstoneToBatch(b, k, e.head); err != nil {
			return nil, err
		}
	}
	if err := a.seen.toBatch(b, g); err != nil {
		return nil, err
	}
	if err := a.requestsToBatch(b, g); err != nil {
		return nil, err
	}
	if err := a.indexes.toBatch(b); err != nil {
		return nil, err
	}
	if g.controls {
		if err := a.catalogToBatch(b, g); err != nil {
			return nil, err
		}
	}
	return b, b.Set(keyVector, appendVector(nil, a.vector, a.sequence), nil)
}

// tombstoneToBatch writes a tombstone. A later document does not delete it: readHead looks for the document first,
// and prune takes the tombstone away in time.
func (a *applier) tombstoneToBatch(b *pebble.Batch, k documentKey, h head) error {
	if err := b.Delete(appendKey(nil, prefixDocument, k), nil); err != nil {
		return err
	}
	value := binary.BigEndian.AppendUint64(append([]byte(nil), h.writeID[:]...), h.deleted)
	if err := b.Set(appendKey(nil, prefixTombstone, k), value, nil); err != nil {
		return err
	}
	name := append(binary.BigEndian.AppendUint32(nil, uint32(k.collection)), k.id...)
	return b.Set(appendExpiryKey(nil, k.partition, h.deleted), name, nil)
}

// pruneStep is how many offsets pass between two looks for expired tombstones, and the most that one look takes away.
const pruneStep = 1024

// prune deletes tombstones that count no more. It is housekeeping: decide goes by the offsets alone (invariant 5).
func (a *applier) prune(b *pebble.Batch) error {
	for p := 1; p < len(a.vector.Next); p++ {
		if err := a.pruneRequests(b, p); err != nil {
			return fmt.Errorf("prune request ids: %w", err)
		}
		next := a.vector.Next[p]
		if next < a.maxWriteLag+1 || next-a.maxWriteLag-1 < a.pruned[p]+pruneStep {
			continue
		}
		if err := a.prunePartition(b, p, next-a.maxWriteLag-1); err != nil {
			return fmt.Errorf("prune tombstones: %w", err)
		}
		for key, e := range a.epochs {
			if key.partition == p && e.expired(next, a.maxWriteLag) {
				delete(a.epochs, key)
				if err := b.Delete(appendEpochKey(nil, p, key.collection), nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *applier) prunePartition(b *pebble.Batch, p int, below uint64) (err error) {
	iterator, err := a.db.NewIter(&pebble.IterOptions{
		LowerBound: appendExpiryKey(nil, p, 0),
		UpperBound: appendExpiryKey(nil, p, below),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	taken := 0
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if taken++; taken > pruneStep {
			a.pruned[p] = expiryOffset(iterator.Key())
			return nil // Close has its error
		}
		offset := expiryOffset(iterator.Key())
		name := iterator.Value()
		key := documentKey{matcher.CollectionID(binary.BigEndian.Uint32(name)), p, string(name[4:])}
		tombstone := appendKey(nil, prefixTombstone, key)
		raw, closer, err := a.db.Get(tombstone)
		if err != nil && !errors.Is(err, pebble.ErrNotFound) {
			return err
		}
		if err == nil {
			h, parseErr := parseTombstone(raw)
			closer.Close()
			if parseErr != nil {
				return parseErr
			}
			// A later delete of the same key has an expiry of its own.
			if h.deleted == offset {
				if err := b.Delete(tombstone, nil); err != nil {
					return err
				}
			}
		}
		if err := b.Delete(iterator.Key(), nil); err != nil {
			return err
		}
	}
	a.pruned[p] = below
	return nil // Close has its error
}
