package matcher

import (
	"strconv"
	"strings"
)

// MaxPathSegments bounds the names in one dotted path.
const MaxPathSegments = 100

// MaxPathIndexes bounds the numeric names in one dotted path. Each of them can be read as an index and as a field name
// ("a.0"), so each may double the places that a path leads to.
const MaxPathIndexes = 8

// path is a dotted path. Without segments it means the value itself, as below the value form of $elemMatch.
type path struct {
	text     string
	segments []segment
	indexes  int // numeric names
}

// segment is one name of a path; index is the place it names in an array, -1 if it names none.
type segment struct {
	name  string
	index int
}

func parsePath(text string, at *place) (path, error) {
	names := strings.Split(text, ".")
	if len(names) > MaxPathSegments {
		return path{}, at.tooLarge(MaxPathSegments,
			"the path has %d names, at most %d are allowed (MaxPathSegments); shorten it", len(names), MaxPathSegments)
	}
	p := path{text: text, segments: make([]segment, len(names))}
	for i, name := range names {
		p.segments[i] = segment{name: name, index: pathIndex(name)}
		if p.segments[i].index >= 0 {
			p.indexes++
		}
	}
	if p.indexes > MaxPathIndexes {
		return path{}, at.tooLarge(MaxPathIndexes,
			"the path has %d numeric names, at most %d are allowed (MaxPathIndexes); use fewer array indexes", p.indexes, MaxPathIndexes)
	}
	return p, nil
}

// pathIndex reads a name as an array index: decimal digits without a leading zero; -1 if it is none.
func pathIndex(name string) int {
	n, err := strconv.ParseUint(name, 10, 31)
	if err != nil || name[0] == '0' && len(name) > 1 {
		return -1
	}
	return int(n)
}

// visitor is shown the values that a path leads to, until visit returns true.
type visitor interface {
	visit(v Value) bool
}

// walk shows vis the values that the path leads to from parent, and reports whether vis accepted one. The rules are
// MongoDB's:
//
//   - Where nothing is there, the missing value is shown, but not for array elements that are no objects.
//   - An array in the middle of the path is traversed: its objects are followed with the rest of the path. A numeric
//     name also picks the element at that index. An array directly in an array is entered by index only.
//   - An array at the end of the path is shown as a whole, and with leaves its elements before that. An empty name at
//     the end ("a.") counts for nothing there.
//
// parent is an object, or an array that is read as an object with the fields "0", "1" and so on.
func walk(vis visitor, parent Value, segments []segment, leaves bool) bool {
	v := member(parent, segments[0])
	for rest := segments[1:]; ; rest = rest[1:] {
		switch kind := v.Kind(); {
		case kind == KindArray:
			return walkArray(vis, v, rest, leaves)
		case len(rest) == 0:
			return vis.visit(v)
		case kind != KindObject:
			return vis.visit(Value{})
		}
		v = v.Field(rest[0].name)
	}
}

func walkArray(vis visitor, array Value, rest []segment, leaves bool) bool {
	if len(rest) == 0 || len(rest) == 1 && rest[0].name == "" {
		if leaves {
			for e := array.First(); e.Exists(); e = e.Next() {
				if vis.visit(e) {
					return true
				}
			}
		}
		return vis.visit(array)
	}
	i := 0
	for e := array.First(); e.Exists(); e = e.Next() {
		kind := e.Kind()
		if kind == KindObject && walk(vis, e, rest, leaves) {
			return true
		}
		if i == rest[0].index && walkElement(vis, e, kind, rest[1:], leaves) {
			return true
		}
		i++
	}
	return false
}

// walkElement follows a path on from an element that its last name picked by index.
func walkElement(vis visitor, e Value, kind Kind, rest []segment, leaves bool) bool {
	switch {
	case len(rest) == 0:
		return vis.visit(e)
	case kind == KindObject:
		return walk(vis, e, rest, leaves)
	case kind == KindArray:
		return walkArray(vis, e, rest, leaves)
	}
	return false
}

// member is the field of an object, or of an array that is read as an object.
func member(parent Value, s segment) Value {
	switch parent.Kind() {
	case KindObject:
		return parent.Field(s.name)
	case KindArray:
		if s.index >= 0 {
			return parent.Index(s.index)
		}
	}
	return Value{}
}
