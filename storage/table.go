package storage

import (
	"encoding/binary"
	"iter"

	iradix "github.com/hashicorp/go-immutable-radix/v2"

	"github.com/freshetdb/freshet/matcher"
)

// table is an immutable map in the order of its keys: with and without make another one, which shares with it all but the
// path to one key. So readers keep what they have, and a change costs about the same however much is in it. The zero value
// is empty.
type table[K string | matcher.CollectionID, V any] struct {
	tree *iradix.Tree[tableEntry[K, V]]
}

type tableEntry[K, V any] struct {
	key   K
	value V
}

// tableKey is the key as the tree has it. It allocates nothing where dst has room.
func tableKey[K string | matcher.CollectionID](dst []byte, key K) []byte {
	switch key := any(key).(type) {
	case matcher.CollectionID:
		return binary.BigEndian.AppendUint32(dst, uint32(key))
	case string:
		return append(dst, key...)
	}
	panic("a key of another type")
}

// tableKeyRoom is room for the keys that come often.
type tableKeyRoom [64]byte

func (t table[K, V]) len() int {
	if t.tree == nil {
		return 0
	}
	return t.tree.Len()
}

// get is the value of a key.
func (t table[K, V]) get(key K) (value V, found bool) {
	if t.tree == nil {
		return value, false
	}
	var room tableKeyRoom
	entry, found := t.tree.Get(tableKey(room[:0], key))
	return entry.value, found
}

// with is the table with another value of one key.
func (t table[K, V]) with(key K, value V) table[K, V] {
	if t.tree == nil {
		t.tree = iradix.New[tableEntry[K, V]]()
	}
	tree, _, _ := t.tree.Insert(tableKey(nil, key), tableEntry[K, V]{key, value})
	return table[K, V]{tree}
}

// without is the table without one key.
func (t table[K, V]) without(key K) table[K, V] {
	if t.tree == nil {
		return t
	}
	tree, _, _ := t.tree.Delete(tableKey(nil, key))
	return table[K, V]{tree}
}

// all are the keys and their values, in the order of the keys.
func (t table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if t.tree == nil {
			return
		}
		t.tree.Root().Walk(func(_ []byte, e tableEntry[K, V]) bool { return !yield(e.key, e.value) })
	}
}
