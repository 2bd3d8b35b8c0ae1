package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// indexKey names an index on one node.
type indexKey struct {
	collection matcher.CollectionID
	index      uint32
}

// indexState is how far an index is on this node. The apply loop owns its own; a snapshot has what Pebble held then.
type indexState struct {
	key      indexKey
	name     string
	compiled *matcher.Index

	stale     bool // its entries were made by other rules (matcher.IndexVersion): nothing else of it is known
	ready     bool
	cursor    documentKey // while it is built: documents up to it, in order of log partition and id, are in the index
	documents uint64      // that the build has read
	multikey  uint64      // matcher.IndexEntries.Multikey of all documents ever indexed
	counts    []indexCount
	dirty     bool // it is in indexer.changed
}

// indexCount is what an index holds in one log partition.
type indexCount struct{ entries, overflow uint64 }

// covers reports whether a document belongs into the index already.
func (s *indexState) covers(k documentKey) bool {
	return s.ready || k.partition < s.cursor.partition || k.partition == s.cursor.partition && k.id <= s.cursor.id
}

// of is the state with what the catalog has of its index.
func (s *indexState) of(x Index) *indexState {
	named := *s
	named.name, named.compiled = x.Name, x.compiled
	return &named
}

func (s *indexState) total() (entries, overflow uint64) {
	for _, c := range s.counts {
		entries, overflow = entries+c.entries, overflow+c.overflow
	}
	return entries, overflow
}

// append encodes the state: matcher.IndexVersion:u8 ready:u8 multikey:u64 documents:u64 cursor partition:u16 log partitions:u16, for
// each of those entries:u64 overflow:u64, then the cursor's id.
func (s *indexState) append(dst []byte) []byte {
	ready := byte(0)
	if s.ready {
		ready = 1
	}
	dst = append(dst, matcher.IndexVersion, ready)
	dst = binary.BigEndian.AppendUint64(dst, s.multikey)
	dst = binary.BigEndian.AppendUint64(dst, s.documents)
	dst = binary.BigEndian.AppendUint16(dst, uint16(s.cursor.partition))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s.counts)))
	for _, c := range s.counts {
		dst = binary.BigEndian.AppendUint64(dst, c.entries)
		dst = binary.BigEndian.AppendUint64(dst, c.overflow)
	}
	return append(dst, s.cursor.id...)
}

const indexStateBytes = 1 + 1 + 8 + 8 + 2 + 2

func parseIndexState(key indexKey, raw []byte) (*indexState, error) {
	damaged := fmt.Errorf("read the state of an index: it is damaged")
	if len(raw) < indexStateBytes || raw[0] > matcher.IndexVersion {
		return nil, damaged
	}
	if raw[0] < matcher.IndexVersion {
		return &indexState{key: key, stale: true}, nil
	}
	s := &indexState{key: key, ready: raw[1] == 1}
	s.multikey = binary.BigEndian.Uint64(raw[2:])
	s.documents = binary.BigEndian.Uint64(raw[10:])
	s.cursor.collection, s.cursor.partition = key.collection, int(binary.BigEndian.Uint16(raw[18:]))
	count := int(binary.BigEndian.Uint16(raw[20:]))
	if raw = raw[indexStateBytes:]; len(raw) < 16*count {
		return nil, damaged
	}
	for range count {
		s.counts = append(s.counts, indexCount{binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:])})
		raw = raw[16:]
	}
	s.cursor.id = string(raw)
	return s, nil
}

// readIndexStates reads the states of a collection's indexes, or of all if c is 0.
func readIndexStates(r pebble.Reader, c matcher.CollectionID) (states []*indexState, err error) {
	prefix := []byte{prefixIndexState}
	if c != 0 {
		prefix = binary.BigEndian.AppendUint32(prefix, uint32(c))
	}
	iterator, err := r.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return nil, fmt.Errorf("read the states of indexes: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	for ok := iterator.First(); ok; ok = iterator.Next() {
		key := iterator.Key()
		if len(key) != 1+4+4 {
			return nil, fmt.Errorf("read the states of indexes: a key is damaged")
		}
		s, err := parseIndexState(indexKey{matcher.CollectionID(binary.BigEndian.Uint32(key[1:])), binary.BigEndian.Uint32(key[5:])}, iterator.Value())
		if err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil // Close has its error
}

// indexStates are the states as of the snapshot, by the index's ID. They are read once and shared; not to be changed.
func (n *sharedSnapshot) indexStates(c matcher.CollectionID) (map[uint32]*indexState, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if states, ok := n.states[c]; ok {
		return states, nil
	}
	list, err := readIndexStates(n.pebble, c)
	if err != nil {
		return nil, err
	}
	states := make(map[uint32]*indexState, len(list))
	for _, s := range list {
		states[s.key.index] = s
	}
	if n.states == nil {
		n.states = map[matcher.CollectionID]map[uint32]*indexState{}
	}
	n.states[c] = states
	return states, nil
}
