package matcher

import (
	"bytes"
	"slices"
)

// Comparisons with constants that hold strings, under a collation. All others are the same with and without one, and
// compile to the plain nodes.

// hasStrings reports whether there is a string in v.
func hasStrings(v Value) bool {
	if v.Kind() == KindString {
		return true
	}
	for child := v.First(); child.Exists(); child = child.Next() {
		if hasStrings(child) {
			return true
		}
	}
	return false
}

// comparison is the leaf that compares with a constant.
func (c *compiler) comparison(op opcode, p path, v Value) *node {
	if c.collation == nil || !hasStrings(v) {
		return &node{op: op, path: p, value: v, nan: isNaN(v)}
	}
	t := &collatedComparison{op: op, collation: c.collation, value: v}
	if v.Kind() == KindString {
		t.known = c.collation.known(v.Bytes())
	}
	return predicateLeaf(p, t)
}

// collatedComparison is equality or a range operator. Its constant is a string, or an object or array that holds one; so
// it never is null, NaN or one of the keys at the ends of the order.
type collatedComparison struct {
	op        opcode
	collation *collation
	value     Value
	known     knownString // where value is a string
}

func (t *collatedComparison) accepts(v Value) bool {
	kind := v.Kind()
	if kind != t.value.Kind() {
		return false // of another type bracket: these kinds have one each
	}
	if t.op == opEqual && kind != KindString {
		return t.collation.equal(v, t.value)
	}
	var order int
	if kind == KindString {
		order = t.collation.compareKnown(v.Bytes(), t.known)
	} else {
		order = t.collation.compare(v, t.value)
	}
	switch t.op {
	case opEqual:
		return order == 0
	case opLess:
		return order < 0
	case opLessOrEqual:
		return order <= 0
	case opGreater:
		return order > 0
	}
	return order >= 0
}

func (t *collatedComparison) operator() string { return rangeNames[t.op] }
func (t *collatedComparison) cost() int        { return 1 }
func (t *collatedComparison) perValue() int    { return collatedPerValue }
func (t *collatedComparison) appendNormal(dst []byte) []byte {
	return appendNormalValue(dst, t.value)
}

// collatedPerValue is what it takes to compare a string under a collation, in plain comparisons (slowPredicate).
const collatedPerValue = 8

// sortValues sorts the values of an $in, and leaves out what stands twice.
func (c *collation) sortValues(values []Value) []Value {
	slices.SortFunc(values, func(a, b Value) int {
		order := c.compare(a, b)
		if order == 0 && c != nil {
			order = Compare(a, b) // which of them stays must not depend on their order in the query
		}
		return order
	})
	return slices.CompactFunc(values, c.equal)
}

// list is the leaf that looks a value up among the values of n, an $in, which it sorts.
func (c *compiler) list(n *node) *node {
	n.values = c.collation.sortValues(n.values)
	if c.collation == nil || !slices.ContainsFunc(n.values, hasStrings) {
		return n
	}
	patterns := distinctPatterns(n.patterns)
	if len(n.values) == 1 && len(patterns) == 0 {
		return c.comparison(opEqual, n.path, n.values[0])
	}
	t := &collatedList{collation: c.collation, values: n.values, null: n.null, patterns: patterns}
	for _, v := range n.values {
		if v.Kind() == KindString {
			t.strings = append(t.strings, c.collation.appendKey(nil, v.Bytes()))
		}
	}
	return predicateLeaf(n.path, t)
}

// collatedList is $in.
type collatedList struct {
	collation *collation
	values    []Value  // sorted, distinct
	strings   [][]byte // the keys of the strings among them
	null      bool
	patterns  []*pattern
}

func (t *collatedList) accepts(v Value) bool {
	if !v.Exists() {
		return t.null
	}
	var found bool
	if v.Kind() == KindString {
		found = t.holds(v.Bytes())
	} else {
		_, found = slices.BinarySearchFunc(t.values, v, t.collation.compare)
	}
	return found || slices.ContainsFunc(t.patterns, func(p *pattern) bool { return p.match(v) })
}

func (t *collatedList) holds(s []byte) bool {
	k := keyBuffers.Get().(*keyBuffer)
	k.a = t.collation.appendKey(k.a[:0], s)
	_, found := slices.BinarySearchFunc(t.strings, k.a, bytes.Compare)
	k.giveBack()
	return found
}

func (t *collatedList) operator() string { return "$in" }
func (t *collatedList) cost() int        { return 2 }
func (t *collatedList) perValue() int    { return 2 * collatedPerValue }
func (t *collatedList) appendNormal(dst []byte) []byte {
	return appendNormalList(dst, t.values, t.patterns)
}
