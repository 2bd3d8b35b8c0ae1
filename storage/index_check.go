package storage

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/freshetdb/freshet/matcher"
)

// indexCheck holds the entries of a node's indexes against its documents: sums of hashes of the keys, so that one pass
// over the state in any order is enough.
type indexCheck struct {
	seed    maphash.Seed
	indexes map[matcher.CollectionID][]*checkedIndex
	entries matcher.IndexEntries
	key     []byte
}

// checkedIndex is what was found of one index: zero where everything that the documents ask for is there.
type checkedIndex struct {
	*indexState
	collection string
	missing    int          // entries that the documents have, less those that are there
	sum        uint64       // the same of the hashes of their keys
	found      []indexCount // what is there, by log partition
}

// begin reads which indexes there are.
func (x *indexCheck) begin(c *check) error {
	states, err := readIndexStates(c.db, 0)
	if err != nil {
		return err
	}
	for _, s := range states {
		raw, closer, err := c.db.Get(appendControlKey(nil, s.key.collection))
		if err != nil {
			return fmt.Errorf("read the collection of an index: %w", err)
		}
		var collection Collection
		err = json.Unmarshal(raw, &collection)
		closer.Close()
		if err != nil {
			return err
		}
		for _, index := range collection.Indexes {
			if index.ID != s.key.index {
				continue
			}
			if s.compiled, err = index.compile(); err != nil {
				return err
			}
			s.name = index.Name
			x.indexes[s.key.collection] = append(x.indexes[s.key.collection], &checkedIndex{indexState: s, collection: collection.Name, found: make([]indexCount, len(s.counts))})
		}
	}
	return nil
}

// document counts the entries that a document must have. key is where it is stored.
func (x *indexCheck) document(key []byte, d *matcher.Document) {
	c := matcher.CollectionID(binary.BigEndian.Uint32(key[3:]))
	k := documentKey{c, int(binary.BigEndian.Uint16(key[1:])), d.ID()}
	for _, s := range x.indexes[c] {
		if s.stale || !s.covers(k) {
			continue
		}
		s.compiled.Entries(&x.entries, d)
		prefix := appendIndexKey(x.key[:0], s.key, k.partition)
		if x.entries.Overflow {
			x.key = append(append(prefix, tagOverflow), k.id...)
			s.missing++
			s.sum += maphash.Bytes(x.seed, x.key)
		}
		for i := range x.entries.Len() {
			x.key = append(append(append(prefix, tagEntry), x.entries.At(i)...), k.id...)
			s.missing++
			s.sum += maphash.Bytes(x.seed, x.key)
		}
	}
}

// entry counts an entry that is there.
func (x *indexCheck) entry(key, value []byte) error {
	if _, err := entryID(key, value); err != nil {
		return err
	}
	k := indexKey{matcher.CollectionID(binary.BigEndian.Uint32(key[3:])), binary.BigEndian.Uint32(key[7:])}
	for _, s := range x.indexes[k.collection] {
		if s.key != k {
			continue
		}
		if s.stale { // it is built anew by the next start
			return nil
		}
		s.missing--
		s.sum -= maphash.Bytes(x.seed, key)
		return s.count(key)
	}
	return fmt.Errorf("it is of an index that does not exist")
}

// count counts an entry that is there: how many there are answers counts.
func (s *checkedIndex) count(key []byte) error {
	partition := int(binary.BigEndian.Uint16(key[1:]))
	if partition >= len(s.found) {
		return fmt.Errorf("it is of log partition %d, which does not exist", partition)
	}
	if key[indexPrefixBytes-1] == tagOverflow {
		s.found[partition].overflow++
	} else {
		s.found[partition].entries++
	}
	return nil
}

// end reports what does not fit.
func (x *indexCheck) end(c *check) {
	for _, indexes := range x.indexes {
		for _, s := range indexes {
			c.report.Indexes++
			if s.missing != 0 || s.sum != 0 {
				c.problem("index %q of collection %q does not have the entries of its documents (%+d missing): drop it and create it again",
					s.name, s.collection, s.missing)
			} else if !s.stale && !slices.Equal(s.found, s.counts) {
				c.problem("index %q of collection %q states {entries overflow} of %v by log partition, and has %v: drop it and create it again",
					s.name, s.collection, s.counts, s.found)
			}
		}
	}
}
