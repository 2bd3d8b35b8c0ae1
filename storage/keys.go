package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/freshetdb/freshet/matcher"
)

// FormatVersion is the version of what this package writes into Pebble.
const FormatVersion = 1

// The key space. Integers are big-endian, so that keys sort by log partition, collection, id; data keys begin with the
// log partition so that a partition can move.
//
//	d partition:u16 collection:u32 id   the stored document: valueVersion, JSON text
//	t partition:u16 collection:u32 id   its tombstone: write id (12 bytes), offset:u64
//	x partition:u16 offset:u64          a tombstone's time: collection:u32 id
//	r partition:u16 request id          a remembered request: offset:u64 hash:u64
//	o partition:u16 offset:u64 request id   its outcome: valueVersion, operation:u8, the stored document as it was then
//	e partition:u16 collection:u32      the collection's epoch in this log partition: epoch:u32, fence:u8, offset:u64
//	s partition:u16 collection:u32 path what the documents written there showed at the path: a set of types:u32; the
//	                                    path \x00, which is none, says that there were more than MaxSeenPaths
//	y                                   what documents show has been noted since the state began, or is marked by
//	y partition:u16 collection:u32      a mark: documents were written there of which nothing was noted
//	i partition:u16 collection:u32 index:u32 tag:u8 entry id
//	                                    an index entry (tagEntry; see matcher.Index), or a document that the index cannot
//	                                    hold (tagOverflow, no entry): the length of the id, uvarint
//	j collection:u32 index:u32          how far the index is on this node, see indexState
//	c collection:u32                    the collection as the control partition has it, JSON
//	m constants                         genesis, JSON
//	v                                   the applied vector: format:u8 incarnation:u64 sequence:u64 next:u64...
const (
	prefixDocument   = 'd'
	prefixTombstone  = 't'
	prefixExpiry     = 'x'
	prefixRequest    = 'r'
	prefixOutcome    = 'o'
	prefixEpoch      = 'e'
	prefixSeen       = 's'
	prefixUnnoted    = 'y'
	prefixCollection = 'c'
	prefixIndex      = 'i'
	prefixIndexState = 'j'
)

const (
	tagOverflow = 0
	tagEntry    = 1
)

const valueVersion = 1

var (
	keyGenesis = []byte("mgenesis")
	keyVector  = []byte("v")
	keyNoted   = []byte{prefixUnnoted}
)

// documentKey names a document on one node.
type documentKey struct {
	collection matcher.CollectionID
	partition  int
	id         string
}

func appendCollectionPrefix(dst []byte, kind byte, partition int, c matcher.CollectionID) []byte {
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint16(dst, uint16(partition))
	return binary.BigEndian.AppendUint32(dst, uint32(c))
}

func appendKey(dst []byte, kind byte, k documentKey) []byte {
	return append(appendCollectionPrefix(dst, kind, k.partition, k.collection), k.id...)
}

// epochKeyOf reads what appendCollectionPrefix has written.
func epochKeyOf(key []byte) epochKey {
	return epochKey{int(binary.BigEndian.Uint16(key[1:])), matcher.CollectionID(binary.BigEndian.Uint32(key[3:]))}
}

// collectionSpan is the key range of one collection in one log partition.
func collectionSpan(kind byte, partition int, c matcher.CollectionID) (lower, upper []byte) {
	lower = appendCollectionPrefix(nil, kind, partition, c)
	return lower, prefixEnd(lower)
}

// prefixEnd is the first key after all keys that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

const collectionPrefixBytes = 1 + 2 + 4

// indexPrefixBytes is what stands before the entry in an index key.
const indexPrefixBytes = collectionPrefixBytes + 4 + 1

// appendIndexKey appends the beginning of an index's keys in one log partition, up to the tag.
func appendIndexKey(dst []byte, x indexKey, partition int) []byte {
	return binary.BigEndian.AppendUint32(appendCollectionPrefix(dst, prefixIndex, partition, x.collection), x.index)
}

// indexSpan is the key range of one index in one log partition, overflow included.
func indexSpan(x indexKey, partition int) (lower, upper []byte) {
	lower = appendIndexKey(nil, x, partition)
	return lower, prefixEnd(lower)
}

func appendIndexStateKey(dst []byte, x indexKey) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, prefixIndexState), uint32(x.collection))
	return binary.BigEndian.AppendUint32(dst, x.index)
}

func appendExpiryKey(dst []byte, partition int, offset uint64) []byte {
	dst = append(dst, prefixExpiry)
	dst = binary.BigEndian.AppendUint16(dst, uint16(partition))
	return binary.BigEndian.AppendUint64(dst, offset)
}

// expiryOffset is the offset in such a key.
func expiryOffset(key []byte) uint64 { return binary.BigEndian.Uint64(key[1+2:]) }

func appendRequestKey(dst []byte, k requestKey) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, prefixRequest), uint16(k.partition))
	return append(dst, k.id...)
}

const outcomePrefixBytes = 1 + 2 + 8

func appendOutcomeKey(dst []byte, partition int, offset uint64, request string) []byte {
	dst = binary.BigEndian.AppendUint16(append(dst, prefixOutcome), uint16(partition))
	return append(binary.BigEndian.AppendUint64(dst, offset), request...)
}

func appendEpochKey(dst []byte, partition int, c matcher.CollectionID) []byte {
	return appendCollectionPrefix(dst, prefixEpoch, partition, c)
}

func appendControlKey(dst []byte, c matcher.CollectionID) []byte {
	return binary.BigEndian.AppendUint32(append(dst, prefixCollection), uint32(c))
}

func appendVector(dst []byte, v matcher.Vector, sequence uint64) []byte {
	dst = append(dst, FormatVersion)
	dst = binary.BigEndian.AppendUint64(dst, v.Incarnation)
	dst = binary.BigEndian.AppendUint64(dst, sequence)
	for _, n := range v.Next {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	return dst
}

func parseVector(raw []byte) (v matcher.Vector, sequence uint64, err error) {
	if len(raw) < 1+8+8+8 || (len(raw)-1)%8 != 0 {
		return v, 0, fmt.Errorf("read the applied vector: %d bytes are no vector", len(raw))
	}
	if err := checkFormat("the state", int(raw[0]), FormatVersion); err != nil {
		return v, 0, err
	}
	v.Incarnation = binary.BigEndian.Uint64(raw[1:])
	sequence = binary.BigEndian.Uint64(raw[9:])
	for raw = raw[17:]; len(raw) > 0; raw = raw[8:] {
		v.Next = append(v.Next, binary.BigEndian.Uint64(raw))
	}
	return v, sequence, nil
}

// PartitionOf is the log partition of a key: murmur2 (as Kafka's default partitioner has it) of collection name, a
// zero byte and `_id`, over the data partitions, which are numbered from 1.
func PartitionOf(app, collection, id string, dataPartitions int) int {
	if dataPartitions == 1 {
		return 1
	}
	key := make([]byte, 0, len(app)+len(collection)+len(id)+2)
	key = append(append(append(key, app...), '/'), collection...)
	key = append(append(key, 0), id...)
	return 1 + int(murmur2(key)&0x7fffffff)%dataPartitions
}

// murmur2 is Austin Appleby's 32-bit MurmurHash2 with the seed that Kafka's clients use.
func murmur2(data []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
	)
	h := uint32(seed) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
