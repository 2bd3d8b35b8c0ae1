package matcher

import (
	"math"
	"slices"
)

// opcode is what a node of a compiled filter does.
type opcode uint8

const (
	opTrue opcode = iota
	opFalse
	opAnd
	opOr
	opNot
	opEqual
	opLess
	opLessOrEqual
	opGreater
	opGreaterOrEqual
	opIn
	opExists
	opSize
	opRegex
	opElemMatchObject // an element that is an object (or array) which the child accepts
	opElemMatchValue  // an element that the child, whose paths are empty, accepts
	opPredicate       // whatever else: see predicate
)

// node is one predicate of a compiled filter. It is immutable once compiled.
type node struct {
	op       opcode
	nan      bool // value is not a number
	null     bool // $in: one of the values is null
	path     path // of a leaf
	size     int64
	value    Value      // the constant of a comparison
	values   []Value    // $in: sorted, distinct
	patterns []*pattern // $regex: one; $in: any number
	children []*node
	test     predicate
}

// match reports whether the filter accepts v: a document, or within $elemMatch an element. It allocates nothing.
func (n *node) match(v Value) bool {
	switch n.op {
	case opTrue:
		return true
	case opFalse:
		return false
	case opAnd:
		for _, child := range n.children {
			if !child.match(v) {
				return false
			}
		}
		return true
	case opOr:
		for _, child := range n.children {
			if child.match(v) {
				return true
			}
		}
		return false
	case opNot:
		return !n.children[0].match(v)
	}
	if len(n.path.segments) == 0 {
		return n.visit(v)
	}
	return walk(n, v, n.path.segments, n.leaves())
}

// leaves reports whether the elements of an array at the end of the path count, besides the array itself.
func (n *node) leaves() bool {
	return n.op != opSize && n.op != opElemMatchObject && n.op != opElemMatchValue
}

// visit reports whether a leaf accepts one value that its path leads to.
func (n *node) visit(v Value) bool {
	switch n.op {
	case opEqual:
		return Equal(v, n.value)
	case opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		return n.compare(v)
	case opIn:
		return n.in(v)
	case opExists:
		return v.Exists()
	case opSize:
		return v.Kind() == KindArray && int64(v.Len()) == n.size
	case opRegex:
		return n.patterns[0].match(v)
	case opElemMatchObject, opElemMatchValue:
		return n.elemMatch(v)
	case opPredicate:
		return n.test.accepts(v)
	}
	return false
}

// compare applies a range operator. Values of another type bracket never match, except that every value lies between
// MinKey and MaxKey; a missing value is read as null; NaN equals itself and is neither below nor above anything.
func (n *node) compare(v Value) bool {
	kind, constant := v.Kind(), n.value.Kind()
	if kind == KindMissing {
		kind = KindNull
	}
	if TypeOrder(kind) != TypeOrder(constant) && constant != KindMinKey && constant != KindMaxKey {
		return false
	}
	if n.nan || isNaN(v) && constant != KindMinKey && constant != KindMaxKey {
		return n.nan && isNaN(v) && (n.op == opLessOrEqual || n.op == opGreaterOrEqual)
	}
	order := Compare(v, n.value)
	switch n.op {
	case opLess:
		return order < 0
	case opLessOrEqual:
		return order <= 0
	case opGreater:
		return order > 0
	}
	return order >= 0
}

func isNaN(v Value) bool {
	switch v.Kind() {
	case KindDouble:
		return math.IsNaN(v.Float64())
	case KindDecimal:
		return v.decimal().class == decimalNaN
	}
	return false
}

func (n *node) in(v Value) bool {
	if !v.Exists() {
		return n.null
	}
	if _, found := slices.BinarySearchFunc(n.values, v, Compare); found {
		return true
	}
	for _, p := range n.patterns {
		if p.match(v) {
			return true
		}
	}
	return false
}

func (n *node) elemMatch(v Value) bool {
	if v.Kind() != KindArray {
		return false
	}
	for e := v.First(); e.Exists(); e = e.Next() {
		if n.enters(e) && n.children[0].match(e) {
			return true
		}
	}
	return false
}

// enters reports whether an $elemMatch looks at an element: its object form only at what has fields.
func (n *node) enters(e Value) bool {
	if n.op == opElemMatchValue {
		return true
	}
	kind := e.Kind()
	return kind == KindObject || kind == KindArray
}
