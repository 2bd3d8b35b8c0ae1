package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// readHead reads the state of a key from Pebble. hint is used instead of a parse where it is what is stored. Tombstones
// are looked for if one can count.
func readHead(r pebble.Reader, key documentKey, hint *matcher.Document, limits matcher.Limits, tombstones bool) (head, error) {
	d, err := readDocument(r, key, hint, limits)
	if err != nil {
		return head{}, err
	}
	if d != nil {
		return head{document: d, writeID: d.Revision().WriteID}, nil
	}
	if !tombstones {
		return head{}, nil
	}
	var buffer [collectionPrefixBytes + 64]byte
	raw, closer, err := r.Get(appendKey(buffer[:0], prefixTombstone, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return head{}, nil
	}
	if err != nil {
		return head{}, fmt.Errorf("read tombstone of %q: %w", key.id, err)
	}
	defer closer.Close()
	return parseTombstone(raw)
}

// readDocument reads a document from Pebble; nil if there is none.
func readDocument(r pebble.Reader, key documentKey, hint *matcher.Document, limits matcher.Limits) (*matcher.Document, error) {
	var buffer [collectionPrefixBytes + 64]byte
	raw, closer, err := r.Get(appendKey(buffer[:0], prefixDocument, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read document %q: %w", key.id, err)
	}
	defer closer.Close()
	d, err := parseStored(raw, hint, limits)
	if err != nil {
		return nil, fmt.Errorf("read document %q: %w", key.id, err)
	}
	return d, nil
}

// tombstones are, per log partition, the offset behind that of the last delete that was applied: 0 if there was none.
// Most keys that a write finds without a document were never deleted either; this saves looking for their tombstones.
type tombstones []atomic.Uint64

// note is called on the apply loop, before the delete is published.
func (t tombstones) note(partition int, offset uint64) { t[partition].Store(offset + 1) }

// count reports whether a tombstone can still count for a write that has read up to offset.
func (t tombstones) count(partition int, offset, maxWriteLag uint64) bool {
	next := t[partition].Load()
	return next > 0 && !head{writeID: matcher.WriteID{1}, deleted: next - 1}.expired(offset, maxWriteLag)
}

// load reads the last delete of each log partition.
func (t tombstones) load(r pebble.Reader) error {
	for p := range t {
		if err := t.loadPartition(r, p); err != nil {
			return fmt.Errorf("read the tombstones of log partition %d: %w", p, err)
		}
	}
	return nil
}

func (t tombstones) loadPartition(r pebble.Reader, p int) (err error) {
	iterator, err := r.NewIter(&pebble.IterOptions{LowerBound: appendExpiryKey(nil, p, 0), UpperBound: appendExpiryKey(nil, p, math.MaxUint64)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	if iterator.Last() {
		t.note(p, expiryOffset(iterator.Key()))
	}
	return nil // Close has its error
}

func parseTombstone(raw []byte) (h head, err error) {
	if len(raw) != len(h.writeID)+8 {
		return head{}, fmt.Errorf("read a tombstone: it has %d bytes, not %d", len(raw), len(h.writeID)+8)
	}
	copy(h.writeID[:], raw)
	h.deleted = binary.BigEndian.Uint64(raw[len(h.writeID):])
	return h, nil
}
