package matcher

import (
	"bytes"
	"fmt"
	"slices"
)

// Bounds of one index and of what one document puts into it.
const (
	MaxIndexKeys               = 8
	MaxIndexKeyBytes           = 1024 // of one entry, `_id` not counted
	MaxIndexEntriesPerDocument = 1024
	MaxIndexBytesPerDocument   = 64 << 10 // of the entries of one document in one index
)

// IndexVersion says by which rules entries are made. Whatever could give a document other entries in some index, a bound or a
// count of steps included, adds 1 to it: a node then builds its indexes anew.
const IndexVersion = 2

// IndexSpec is an index as a client defined it. Both are JSON texts.
type IndexSpec struct {
	Keys    []byte // [["author",1],["date",-1]], {"author":1,"date":-1} or "author,-date"
	Partial []byte // a filter: only documents that it accepts are in the index; nil: all are
}

// Index is a compiled index: which entries a document has in it, and which of them a query has to look at. It is
// immutable and safe for concurrent use.
//
// An entry is the encoded values of the keys, one after the other as in a sort key. The storage appends the `_id`, so
// that entries with equal values are in the order of `_id`.
type Index struct {
	keys    []sortKey
	partial *boundedFilter // nil: every document is in the index
	normal  string
	text    string           // normal form of partial, "" for none
	texts   map[*node]string // of partial and its parts
}

// CompileIndex checks and compiles an index. An error's Path is a JSON pointer into the spec as an object of keys and
// partial.
func CompileIndex(spec IndexSpec, limits Limits) (*Index, error) {
	limits = limits.WithDefaults()
	keys := given(spec.Keys)
	if keys == nil {
		return nil, &Error{Code: CodeIndexInvalid, Path: "/keys", Detail: `keys is missing; name the fields, such as [["author",1],["date",-1]]`}
	}
	x := &Index{}
	var err error
	if x.keys, err = compileKeys(keys, limits); err != nil {
		return nil, below("keys", err)
	}
	if err := checkIndexKeys(x.keys); err != nil {
		return nil, err
	}
	if partial := given(spec.Partial); partial != nil {
		filter, err := compileFilter(partial, limits, &compiler{})
		if err != nil {
			return nil, below("partial", err)
		}
		form := normalize(filter)
		if nearOf(form.node) != nil {
			return nil, &Error{Code: CodeIndexInvalid, Path: "/partial", Detail: "partial holds $near, which gives an order; use $geoWithin"}
		}
		if form.node.op != opTrue {
			shareSteps(form.node)
			bounded := boundFilter(form.node)
			x.partial, x.text, x.texts = &bounded, form.text, partTexts(form.node)
		}
	}
	x.normal = string(appendNormalSort(nil, x.keys))
	return x, nil
}

func checkIndexKeys(keys []sortKey) error {
	switch {
	case len(keys) == 0:
		return &Error{Code: CodeIndexInvalid, Path: "/keys", Detail: `keys is empty; name one field at least, such as [["author",1]]`}
	case len(keys) > MaxIndexKeys:
		return &Error{Code: CodeIndexInvalid, Path: "/keys", Limit: MaxIndexKeys, Detail: fmt.Sprintf(
			"keys has %d fields, at most %d are allowed (MaxIndexKeys); leave out the last ones", len(keys), MaxIndexKeys)}
	}
	for _, k := range keys {
		if k.path.text == "_id" {
			return &Error{Code: CodeIndexInvalid, Path: "/keys",
				Detail: "keys has _id; documents are found by _id without an index, and every index is ordered by _id at its end: leave it out"}
		}
	}
	return nil
}

// Keys is the normal form of the keys: [["author",1],["date",-1]].
func (x *Index) Keys() string { return x.normal }

// Partial is the normal form of the partial filter, "" if there is none. It is for comparing, not for compiling.
func (x *Index) Partial() string { return x.text }

// Paths are the dotted paths of the keys.
func (x *Index) Paths() (paths []string) {
	for _, k := range x.keys {
		paths = append(paths, k.path.text)
	}
	return paths
}

// IndexEntries is what one document has in one index. It is filled by Index.Entries and reused from call to call.
type IndexEntries struct {
	// Overflow says that the document has more or longer entries than the index takes, or that the partial filter has more
	// to do for it than a filter may (MaxMatchSteps, MaxRegexWork): it has none, and every search has to look at it. That
	// depends on its text and on constants alone, so every node and every replay finds the same.
	Overflow bool
	// Multikey has bit k set if key k leads to or through an array, so that one document may have several values.
	Multikey uint64

	arena  []byte
	ends   []int
	values [MaxIndexKeys]entryValues
	sorted [][]byte
}

// Len is the number of entries. They are in order and distinct.
func (e *IndexEntries) Len() int { return len(e.sorted) }

// At is the i-th entry. It is valid until the next use of e.
func (e *IndexEntries) At(i int) []byte { return e.sorted[i] }

// Reset makes e that of no document.
func (e *IndexEntries) Reset() {
	e.Overflow, e.Multikey = false, 0
	e.arena, e.ends, e.sorted = e.arena[:0], e.ends[:0], e.sorted[:0]
}

// Entries fills e with the entries of d; nil is no document. Each value that a predicate on a key's path is shown is in
// an entry (filter_path.go), so that whatever such a predicate accepts is found by its value. With several keys that
// have several values each, every combination is an entry.
func (x *Index) Entries(e *IndexEntries, d *Document) {
	e.Reset()
	if d == nil {
		return
	}
	if x.partial != nil {
		holds, err := x.partial.decide(d)
		if e.Overflow = err != nil; !holds || err != nil {
			return
		}
	}
	root := d.Root()
	for k := range x.keys {
		v, plain := plainValue(root, x.keys[k].path.segments)
		if !plain {
			x.entriesOfArrays(e, root)
			return
		}
		e.arena = x.keys[k].appendPart(e.arena, v, false)
	}
	if len(e.arena) > MaxIndexKeyBytes {
		e.Overflow = true
		return
	}
	e.sorted = append(e.sorted, e.arena)
}

// entriesOfArrays is Entries for a document where a path leads to or through an array.
func (x *Index) entriesOfArrays(e *IndexEntries, root Value) {
	e.arena = e.arena[:0]
	total := 1
	for k := range x.keys {
		values := &e.values[k]
		values.reset()
		if v, plain := plainValue(root, x.keys[k].path.segments); plain {
			values.visit(v)
		} else {
			e.Multikey |= 1 << k
			if walk(values, root, x.keys[k].path.segments, true) {
				e.Overflow = true
				return
			}
		}
		values.finish(x.keys[k].descending)
		if total *= len(values.sorted); total > MaxIndexEntriesPerDocument {
			e.Overflow = true
			return
		}
	}
	for i := range total {
		start := len(e.arena)
		for k, rest := 0, i; k < len(x.keys); k++ {
			values := e.values[k].sorted
			e.arena = append(e.arena, values[rest%len(values)]...)
			rest /= len(values)
		}
		if len(e.arena)-start > MaxIndexKeyBytes || len(e.arena) > MaxIndexBytesPerDocument {
			e.Overflow = true
			return
		}
		e.ends = append(e.ends, len(e.arena))
	}
	start := 0
	for _, end := range e.ends {
		e.sorted = append(e.sorted, e.arena[start:end])
		start = end
	}
	slices.SortFunc(e.sorted, bytes.Compare)
}

// entryValues gathers the encoded values that one path leads to.
type entryValues struct {
	arena  []byte
	ends   []int
	sorted [][]byte
}

func (c *entryValues) reset() { c.arena, c.ends, c.sorted = c.arena[:0], c.ends[:0], c.sorted[:0] }

// visit implements visitor: it takes the value and asks for the next, until there are far too many.
func (c *entryValues) visit(v Value) bool {
	c.arena = appendEntryValue(c.arena, v)
	c.ends = append(c.ends, len(c.arena))
	return len(c.ends) > 4*MaxIndexEntriesPerDocument
}

// finish makes the values distinct. A path that leads nowhere at all (through an array without objects) has one that
// no predicate asks for, so that the document is in the index.
func (c *entryValues) finish(descending bool) {
	if len(c.ends) == 0 {
		c.arena = append(c.arena, noValueKey)
		c.ends = append(c.ends, len(c.arena))
	}
	if descending {
		for i := range c.arena {
			c.arena[i] = ^c.arena[i]
		}
	}
	start := 0
	for _, end := range c.ends {
		c.sorted = append(c.sorted, c.arena[start:end])
		start = end
	}
	slices.SortFunc(c.sorted, bytes.Compare)
	c.sorted = slices.CompactFunc(c.sorted, bytes.Equal)
}

// noValueKey stands for no value at all, not even the missing one. It lies below all values.
const noValueKey = 0x04

// maxArrayKeyBytes is how much of a whole array counts in an entry. Its elements have entries of their own.
const maxArrayKeyBytes = 64

// appendEntryValue is AppendSortValue, but for arrays: they keep their place among the types, and of themselves only
// the first bytes, so that a long array does not make a long entry.
func appendEntryValue(dst []byte, v Value) []byte {
	if v.Kind() != KindArray {
		return AppendSortValue(dst, v)
	}
	var buffer [4 * maxArrayKeyBytes]byte
	whole := buffer[:0]
	for c := v.First(); c.Exists() && len(whole) < maxArrayKeyBytes; c = c.Next() {
		whole = AppendSortValue(whole, c)
	}
	return appendKeyBytes(append(dst, typeOrder[KindArray]), whole[:min(len(whole), maxArrayKeyBytes)])
}
