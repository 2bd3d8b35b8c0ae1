package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

func (a *applier) stageFence(g *group, it *item, offset uint64) {
	r := &it.record
	key := epochKey{it.partition, r.Collection}
	it.verdict = decide(r, offset, head{}, a.epochs[key], remembered{}, a.constants)
	if it.verdict != accepted {
		return
	}
	a.applyFence(g, key, r, offset)
	a.sequence++
	g.changes = append(g.changes, &matcher.Change{
		Sequence:   a.sequence,
		Position:   matcher.Position{Incarnation: a.vector.Incarnation, Partition: it.partition, Offset: offset},
		Collection: r.Collection,
		Fence:      r.Fence,
		Epoch:      r.Epoch,
	})
}

// applyFence begins a new epoch: everything of the collection in this log partition is gone.
func (a *applier) applyFence(g *group, key epochKey, r *ingest.Record, offset uint64) {
	a.epochs[key] = epoch{number: r.Epoch, fence: r.Fence, offset: offset}
	for k := range g.entries {
		if k.collection == key.collection && k.partition == key.partition {
			delete(g.entries, k)
		}
	}
	g.fences = append(g.fences, key)
	delete(g.seen, key)
	a.advance(g, key.partition, offset)
	if c, ok := a.catalog.byID.get(key.collection); ok && c.Fence == matcher.FenceDrop && a.fenced(c) {
		a.catalog = a.catalog.forget(c.ID)
		g.change(c.ID)
	}
}

// fenced reports whether every data partition has the fence that the control partition ordered last.
func (a *applier) fenced(c Collection) bool {
	for p := 1; p < len(a.vector.Next); p++ {
		if a.lacksFence(p, c) {
			return false
		}
	}
	return true
}

// lacksFence reports whether the last fence that was ordered for c has not come in data partition p.
func (a *applier) lacksFence(p int, c Collection) bool {
	return a.epochs[epochKey{p, c.ID}].number < c.Epoch
}

func (a *applier) fenceToBatch(b *pebble.Batch, f epochKey) error {
	for _, kind := range []byte{prefixDocument, prefixTombstone, prefixSeen, prefixIndex} {
		lower, upper := collectionSpan(kind, f.partition, f.collection)
		if err := a.deleteSpan(b, lower, upper); err != nil {
			return fmt.Errorf("delete what a fence takes away: %w", err)
		}
	}
	if err := b.Delete(appendCollectionPrefix(nil, prefixUnnoted, f.partition, f.collection), nil); err != nil {
		return err
	}
	e := a.epochs[f]
	value := binary.BigEndian.AppendUint32(nil, e.number)
	value = binary.BigEndian.AppendUint64(append(value, byte(e.fence)), e.offset)
	return b.Set(appendEpochKey(nil, f.partition, f.collection), value, nil)
}

// maxSingleDeletes is how many keys a span has at most whose keys are deleted one by one.
const maxSingleDeletes = 256

// deleteSpan deletes what Pebble holds of the keys in [lower, upper). Each range that is deleted is sorted anew among all
// others by every iterator that is opened after it, until Pebble has flushed; thousands of small or empty collections that
// are dropped or truncated would make that quadratic. So a span with few keys has those deleted instead.
func (a *applier) deleteSpan(b *pebble.Batch, lower, upper []byte) (err error) {
	iterator, err := a.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	var keys [][]byte
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if len(keys) == maxSingleDeletes {
			return b.DeleteRange(lower, upper, nil)
		}
		keys = append(keys, bytes.Clone(iterator.Key()))
	}
	for _, key := range keys {
		if err := b.Delete(key, nil); err != nil {
			return err
		}
	}
	return nil // Close has its error
}

// dropToBatch deletes all of an index.
func (a *applier) dropToBatch(b *pebble.Batch, k indexKey) error {
	for p := 1; p < len(a.vector.Next); p++ {
		lower, upper := indexSpan(k, p)
		if err := a.deleteSpan(b, lower, upper); err != nil {
			return fmt.Errorf("delete the entries of an index: %w", err)
		}
	}
	return b.Delete(appendIndexStateKey(nil, k), nil)
}

func (a *applier) loadEpochs() error {
	return a.each([]byte{prefixEpoch}, func(key, value []byte) error {
		if len(key) != collectionPrefixBytes || len(value) != 13 {
			return fmt.Errorf("read an epoch: it is damaged")
		}
		a.epochs[epochKeyOf(key)] = epoch{binary.BigEndian.Uint32(value), matcher.Fence(value[4]), binary.BigEndian.Uint64(value[5:])}
		return nil
	})
}
