package matcher

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// SeenTypes says which types of values a collection's documents have shown at a path, as VisitTypes has it.
type SeenTypes interface {
	// TypesAt is the types at a path; none: nothing was ever seen there. Without certain there may have been others.
	TypesAt(path string) (types TypeSet, certain bool)
	// Paths lists the paths at which something was seen; empty: nothing was written to the collection yet.
	Paths() []string
}

// UnseenType is a comparison that cannot hold for any document seen so far, because of its type.
type UnseenType struct {
	Path   string // of the field
	Detail string // a sentence for the user
}

// MaxUnseenTypes bounds what UnseenTypes returns.
const MaxUnseenTypes = 16

// UnseenTypes lists, by path, where the filter compares a field with a type that was never seen there, or asks for a field
// that was never seen at all; the first MaxUnseenTypes of them. It is meant for those who would wonder why a result is
// empty: a comparison with null, $exists and $type say nothing of the kind, a condition that is negated may be about a field
// that is never there, and an $in or a regular expression needs one type of several.
func (q *Query) UnseenTypes(seen SeenTypes) []UnseenType {
	u := unseen{seen: seen}
	u.node(q.filter.node, nil, false)
	slices.SortFunc(u.found, func(a, b UnseenType) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Detail, b.Detail))
	})
	u.found = slices.Compact(u.found)
	return u.found[:min(len(u.found), MaxUnseenTypes)]
}

type unseen struct {
	seen  SeenTypes
	paths []string // of seen, once they are needed
	found []UnseenType
}

// node looks at a filter on what stands at a path.
func (u *unseen) node(n *node, at []segment, negated bool) {
	switch n.op {
	case opAnd, opOr:
		for _, child := range n.children {
			u.node(child, at, negated)
		}
		return
	case opNot:
		u.node(n.children[0], at, !negated)
		return
	case opTrue, opFalse:
		return
	}
	at = slices.Concat(at, n.path.segments)
	want, asks := n.wants()
	if len(at) == 0 || !asks || !u.leaf(at, want, negated) {
		return
	}
	if n.op == opElemMatchObject || n.op == opElemMatchValue {
		u.node(n.children[0], at, negated)
	}
}

// anyType is what a condition wants that says nothing of types.
const anyType = ^TypeSet(0)

// wants is the types of which a value must have one to meet a leaf; asks is false where a missing field may meet it too,
// or where types are what it asks about.
func (n *node) wants() (types TypeSet, asks bool) {
	switch n.op {
	case opExists:
		return 0, false
	case opEqual:
		return brackets[n.value.Kind()], !n.value.IsNull()
	case opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		switch n.value.Kind() {
		case KindNull, KindMinKey, KindMaxKey:
			return 0, false
		}
		return brackets[n.value.Kind()], true
	case opRegex:
		return typesOf(KindString, KindRegex), true
	case opIn:
		return listTypes(n.values, n.patterns), !n.null
	case opPredicate:
		switch t := n.test.(type) {
		case typeTest:
			return 0, false
		case *collatedComparison:
			return brackets[t.value.Kind()], true
		case *collatedList:
			return listTypes(t.values, t.patterns), !t.null
		}
	}
	return anyType, true
}

// listTypes is the types that an $in wants.
func listTypes(values []Value, patterns []*pattern) (types TypeSet) {
	for _, v := range values {
		types |= brackets[v.Kind()]
	}
	if len(patterns) > 0 {
		types |= typesOf(KindString, KindRegex)
	}
	return types
}

// brackets is, by kind, the kinds that a comparison takes for one type with it.
var brackets = func() (sets [KindMaxKey + 1]TypeSet) {
	for k := range sets {
		for other := KindMinKey; other <= KindMaxKey; other++ {
			if TypeOrder(other) == TypeOrder(Kind(k)) {
				sets[k] |= 1 << other
			}
		}
	}
	return sets
}()

// leaf notes what is wrong with a condition on a path that wants one of some types, and reports whether nothing is.
func (u *unseen) leaf(at []segment, want TypeSet, negated bool) bool {
	types, certain := u.types(at)
	if types&want != 0 || !certain || types == 0 && negated {
		return true
	}
	if u.paths == nil {
		u.paths = u.seen.Paths()
	}
	if len(u.paths) == 0 {
		return true // nothing was written yet
	}
	path := joinPath(at)
	u.found = append(u.found, UnseenType{Path: path, Detail: u.detail(path, types, want)})
	return false
}

func (u *unseen) detail(path string, types, want TypeSet) string {
	if types == 0 {
		detail := fmt.Sprintf("no document of the collection has had the field %q so far", path)
		if near := Nearest(path, u.paths); near != "" {
			detail += fmt.Sprintf("; did you mean %q?", near)
		}
		return detail
	}
	detail := fmt.Sprintf("the field %q is compared with %s, but has only had %s so far", path, want.describe(), types.describe())
	switch {
	case want.has(KindString) && types.has(KindDate):
		detail += `; write a date as {"$date":"2026-01-31T00:00:00Z"}, or declare the field as a date in the collection's settings`
	case want.has(KindString) && types.has(KindObjectID):
		detail += `; write an ObjectId as {"$oid":"<24 hex digits>"}`
	}
	return detail
}

// maxReadings bounds in how many ways one path is read. Beyond it nothing is said about the path.
const maxReadings = 256

// types is what was seen at a path. A number in it may be a field's name or an index, which leads to an element and so
// counts for nothing here; an empty name may count for nothing, too, behind an array.
func (u *unseen) types(at []segment) (types TypeSet, certain bool) {
	readings := []string{at[0].name}
	for _, s := range at[1:] {
		var shorter []string
		if s.index >= 0 || s.name == "" {
			shorter = slices.Clone(readings)
		}
		for i := range readings {
			readings[i] += "." + s.name
		}
		readings = append(readings, shorter...)
		slices.Sort(readings)
		if readings = slices.Compact(readings); len(readings) > maxReadings {
			return 0, false
		}
	}
	certain = true
	for _, path := range readings {
		more, sure := u.seen.TypesAt(path)
		types, certain = types|more, certain && sure
	}
	return types, certain
}

func joinPath(segments []segment) string {
	names := make([]string, len(segments))
	for i, s := range segments {
		names[i] = s.name
	}
	return strings.Join(names, ".")
}

// describe is the types of a set for a sentence. The numbers compare with each other, and are one.
func (s TypeSet) describe() string {
	var names []string
	if s&numberTypes != 0 {
		names = append(names, "number")
	}
	for k := KindMinKey; k <= KindMaxKey; k++ {
		if s.has(k) && !numberTypes.has(k) {
			names = append(names, k.String())
		}
	}
	return strings.Join(names, ", ")
}
