package matcher

import (
	"bytes"
	"slices"
)

// emptyArrayKey stands for an array without elements: below null and above MinKey, as in MongoDB. AppendSortValue
// begins with a byte of typeOrder, so this one byte is a whole part of its own.
const emptyArrayKey = 0x0c

// appendSortKey appends the sort key of root under keys: the parts in order, those of descending fields inverted bit by
// bit. An array on the way is sorted by its least element, or greatest where the field descends; fields that lead
// through the same array take their values from the same element of it, as in MongoDB. Where two fields lead through
// different arrays (which MongoDB refuses), each takes its own.
func appendSortKey(dst []byte, keys []sortKey, root Value) []byte {
	if keys[0].near != nil {
		dst, keys = keys[0].near.appendSortKey(dst, root), keys[1:]
	}
	start := len(dst)
	for i := range keys {
		v, plain := plainValue(root, keys[i].path.segments)
		if !plain {
			return appendArraySortKey(dst[:start], keys, root)
		}
		dst = keys[i].appendPart(dst, v, false)
	}
	return dst
}

// appendPart appends one part; empty says that the path ended at an array without elements.
func (k *sortKey) appendPart(dst []byte, v Value, empty bool) []byte {
	start := len(dst)
	if empty {
		dst = append(dst, emptyArrayKey)
	} else {
		dst = k.collation.appendSortValue(dst, v)
	}
	if k.descending {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// plainValue is the value that the path leads to; plain is false if it leads to or through an array.
func plainValue(v Value, segments []segment) (_ Value, plain bool) {
	for _, s := range segments {
		switch v.Kind() {
		case KindObject:
			v = v.Field(s.name)
		case KindArray:
			return Value{}, false
		default:
			return Value{}, true
		}
	}
	return v, v.Kind() != KindArray
}

// sortCursor is how far the path of one sort field has been followed.
type sortCursor struct {
	key      int // in keys
	value    Value
	rest     []segment
	final    bool // value is what is sorted by
	empty    bool // the path ended at an array without elements
	embedded bool // value was picked from an array by index: if it is an array it counts as a whole
}

// sorter finds the sort key of a document with arrays.
type sorter struct {
	keys  []sortKey
	parts [][]byte // of the fields that are decided, by key
}

func appendArraySortKey(dst []byte, keys []sortKey, root Value) []byte {
	s := &sorter{keys: keys, parts: make([][]byte, len(keys))}
	cursors := make([]sortCursor, len(keys))
	for i := range keys {
		cursors[i] = sortCursor{key: i, value: root, rest: keys[i].path.segments}
	}
	s.decide(cursors)
	for _, part := range s.parts {
		dst = append(dst, part...)
	}
	return dst
}

// decide sets the parts of all the cursors' fields.
func (s *sorter) decide(cursors []sortCursor) {
	for i := range cursors {
		c := &cursors[i]
		if c.follow(); c.value.Kind() != KindArray || c.final {
			s.parts[c.key] = s.keys[c.key].appendPart(nil, c.value, c.empty)
			c.final = true
		}
	}
	for i := range cursors {
		if cursors[i].final {
			continue
		}
		array := cursors[i].value
		var group []sortCursor
		for j := i; j < len(cursors); j++ {
			if !cursors[j].final && cursors[j].value == array {
				group = append(group, cursors[j])
				cursors[j].final = true
			}
		}
		s.expand(array, group)
	}
}

// follow goes on to the end of the path or to the first array, whichever comes first.
func (c *sortCursor) follow() {
	for !c.final {
		switch kind := c.value.Kind(); {
		case kind == KindArray && len(c.rest) == 0:
			c.final = c.embedded && c.value.Len() > 0
			return
		case kind == KindArray:
			return
		case len(c.rest) == 0:
			c.final = true
		case kind == KindObject:
			c.value, c.rest, c.embedded = c.value.Field(c.rest[0].name), c.rest[1:], false
		default:
			c.value, c.final = Value{}, true
		}
	}
}

// expand decides the fields that stand before the same array: those that name an index by that element, all others
// together by the element that gives the least key.
func (s *sorter) expand(array Value, all []sortCursor) {
	var picked, group []sortCursor
	for _, c := range all {
		if len(c.rest) > 0 && c.rest[0].index >= 0 && c.rest[0].index < array.Len() {
			c.value, c.rest, c.embedded = array.Index(c.rest[0].index), c.rest[1:], true
			picked = append(picked, c)
		} else {
			group = append(group, c)
		}
	}
	if s.decide(picked); len(group) == 0 {
		return
	}
	var best [][]byte
	cursors := make([]sortCursor, len(group))
	element := array.First()
	for {
		for i, c := range group {
			cursors[i] = c.enter(element)
		}
		s.decide(cursors)
		if best == nil || s.less(group, best) {
			best = slices.Clone(s.parts)
		}
		if element = element.Next(); !element.Exists() {
			break
		}
	}
	for _, c := range group {
		s.parts[c.key] = best[c.key]
	}
}

// less reports whether the parts of group are a lesser key than those of best.
func (s *sorter) less(group []sortCursor, best [][]byte) bool {
	for _, c := range group { // in the order of the sort
		if order := bytes.Compare(s.parts[c.key], best[c.key]); order != 0 {
			return order < 0
		}
	}
	return false
}

// enter is the cursor for one element of the array before which c stands; the element is missing if the array is empty.
func (c sortCursor) enter(element Value) sortCursor {
	if len(c.rest) == 0 {
		c.value, c.final, c.empty = element, true, !element.Exists()
		return c
	}
	if c.value = element; element.Kind() != KindObject {
		c.value, c.final = Value{}, true // an array directly in an array is entered by index only
	}
	return c
}
