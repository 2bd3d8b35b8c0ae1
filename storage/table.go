package storage

import (
	"hash/maphash"
	"iter"
	"slices"
)

// table is an immutable map: with and without make another one, which shares with it all but the path to one key. So
// readers keep what they have, and a change costs the same however much is in it. The zero value is empty.
//
// It is a trie over the hash of the keys: each level goes by tableBits more of its bits.
type table[K comparable, V any] struct {
	root *tableNode[K, V]
	size int
}

const (
	tableBits       = 4
	tableHashBits   = 64
	maxTableEntries = 4 // of a node without children, unless the bits of the hash are used up
)

// tableNode has either entries or children.
type tableNode[K comparable, V any] struct {
	entries  []tableEntry[K, V]
	children *[1 << tableBits]*tableNode[K, V]
}

type tableEntry[K comparable, V any] struct {
	key   K
	value V
}

// tableSeed is of this process: the order of a table's entries means nothing.
var tableSeed = maphash.MakeSeed()

func (t table[K, V]) len() int { return t.size }

// get is the value of a key.
func (t table[K, V]) get(key K) (value V, found bool) {
	hash := maphash.Comparable(tableSeed, key)
	n := t.root
	for n != nil && n.children != nil {
		n = n.children[hash%(1<<tableBits)]
		hash >>= tableBits
	}
	if n != nil {
		if i := n.find(key); i >= 0 {
			return n.entries[i].value, true
		}
	}
	return value, false
}

// with is the table with another value of one key.
func (t table[K, V]) with(key K, value V) table[K, V] {
	if _, found := t.get(key); !found {
		t.size++
	}
	t.root = t.root.with(tableEntry[K, V]{key, value}, maphash.Comparable(tableSeed, key), 0)
	return t
}

// without is the table without one key.
func (t table[K, V]) without(key K) table[K, V] {
	if _, found := t.get(key); !found {
		return t
	}
	t.size--
	t.root = t.root.without(key, maphash.Comparable(tableSeed, key))
	return t
}

// all are the keys and their values, in no order.
func (t table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { t.root.visit(yield) }
}

func (n *tableNode[K, V]) find(key K) int {
	return slices.IndexFunc(n.entries, func(e tableEntry[K, V]) bool { return e.key == key })
}

// with is the node with an entry; hash has the bits that the levels above have not used.
func (n *tableNode[K, V]) with(e tableEntry[K, V], hash uint64, usedBits int) *tableNode[K, V] {
	if n == nil {
		return &tableNode[K, V]{entries: []tableEntry[K, V]{e}}
	}
	if n.children != nil {
		children := *n.children
		child := &children[hash%(1<<tableBits)]
		*child = (*child).with(e, hash>>tableBits, usedBits+tableBits)
		return &tableNode[K, V]{children: &children}
	}
	if i := n.find(e.key); i >= 0 {
		entries := slices.Clone(n.entries)
		entries[i] = e
		return &tableNode[K, V]{entries: entries}
	}
	if len(n.entries) < maxTableEntries || usedBits >= tableHashBits {
		return &tableNode[K, V]{entries: append(slices.Clip(n.entries), e)}
	}
	split := &tableNode[K, V]{children: new([1 << tableBits]*tableNode[K, V])}
	for _, old := range n.entries {
		split = split.with(old, maphash.Comparable(tableSeed, old.key)>>usedBits, usedBits)
	}
	return split.with(e, hash, usedBits)
}

// without is the node without a key that is in it; nil: nothing is left.
func (n *tableNode[K, V]) without(key K, hash uint64) *tableNode[K, V] {
	if n.children == nil {
		if len(n.entries) == 1 {
			return nil
		}
		i := n.find(key)
		return &tableNode[K, V]{entries: slices.Delete(slices.Clone(n.entries), i, i+1)}
	}
	children := *n.children
	child := &children[hash%(1<<tableBits)]
	if *child = (*child).without(key, hash>>tableBits); *child == nil && children == [1 << tableBits]*tableNode[K, V]{} {
		return nil
	}
	return &tableNode[K, V]{children: &children}
}

func (n *tableNode[K, V]) visit(yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	for _, e := range n.entries {
		if !yield(e.key, e.value) {
			return false
		}
	}
	if n.children != nil {
		for _, child := range n.children {
			if !child.visit(yield) {
				return false
			}
		}
	}
	return true
}
