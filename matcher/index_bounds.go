package matcher

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// bounds appends what the filter says about the values at a path: sets of values of each of which a document that the
// filter accepts has one there. Which values a document has at a path is what walk shows. Where the path has one value
// in every document the sets can be intersected; where arrays are about, each may be met by another value.
//
// A set may hold more than the filter accepts (every document found is matched again), never less.
func (n *node) bounds(p path, sets []intervals) []intervals {
	switch n.op {
	case opFalse:
		return append(sets, intervals{})
	case opAnd:
		for _, child := range n.children {
			sets = child.bounds(p, sets)
		}
		return sets
	case opOr:
		var union intervals
		for _, child := range n.children {
			narrowest, found := narrowest(child.bounds(p, nil))
			if !found {
				return sets
			}
			union = append(union, narrowest...)
		}
		return append(sets, normalIntervals(union))
	case opNot:
		// Not to exist: the missing value, which is encoded as null, or none at all.
		if child := n.children[0]; child.op == opExists && child.path.text == p.text {
			return append(sets, intervals{
				{low: []byte{noValueKey}, high: []byte{noValueKey + 1}, text: "nothing"}, nullInterval(),
			})
		}
		return sets
	case opElemMatchValue, opElemMatchObject:
		return n.elementBounds(p, sets)
	}
	if n.path.text != p.text {
		return sets
	}
	if set, ok := n.accepted(); ok {
		return append(sets, set)
	}
	return sets
}

func narrowest(sets []intervals) (intervals, bool) {
	if len(sets) == 0 {
		return nil, false
	}
	return slices.MinFunc(sets, func(a, b intervals) int { return a.rank() - b.rank() }), true
}

// elementBounds is bounds for $elemMatch. Names that may be an index lead to values that the plain path does not.
func (n *node) elementBounds(p path, sets []intervals) []intervals {
	if slices.ContainsFunc(p.segments, func(s segment) bool { return s.index >= 0 }) {
		return sets
	}
	if n.op == opElemMatchValue {
		if n.path.text != p.text {
			return sets
		}
		// All conditions are on the same element, so they can be intersected.
		if set, ok := n.children[0].elementSet(); ok {
			sets = append(sets, set)
		}
		return sets
	}
	if len(n.path.segments) == 0 {
		return sets // within another $elemMatch
	}
	rest, below := strings.CutPrefix(p.text, n.path.text+".")
	if !below {
		return sets
	}
	inner := path{text: rest, segments: p.segments[len(n.path.segments):]}
	for _, set := range n.children[0].bounds(inner, nil) {
		// An element that is an array itself has no field of that name; the plain path does not enter it.
		if !set.holdsNull() {
			sets = append(sets, set)
		}
	}
	return sets
}

// elementSet is the values that an element may have, for the child of a $elemMatch whose paths are empty.
func (n *node) elementSet() (set intervals, found bool) {
	switch n.op {
	case opAnd:
		for _, child := range n.children {
			more, ok := child.elementSet()
			switch {
			case !ok:
			case found:
				set = intersect(set, more)
			default:
				set, found = more, true
			}
		}
		return set, found
	case opOr:
		for _, child := range n.children {
			more, ok := child.elementSet()
			if !ok {
				return nil, false
			}
			set = append(set, more...)
		}
		return normalIntervals(set), true
	case opEqual, opLess, opLessOrEqual, opGreater, opGreaterOrEqual, opIn, opRegex:
		return n.accepted()
	}
	return nil, false
}

// accepted is the set of values that a leaf accepts, or a larger one.
func (n *node) accepted() (intervals, bool) {
	switch n.op {
	case opEqual:
		return intervals{valueInterval(n.value)}, true
	case opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		return n.rangeSet(), true
	case opIn:
		var set intervals
		for _, v := range n.values {
			set = append(set, valueInterval(v))
		}
		for _, p := range n.patterns {
			set = append(set, p.intervals()...)
		}
		return normalIntervals(set), true
	case opRegex:
		return normalIntervals(n.patterns[0].intervals()), true
	}
	return nil, false
}

// acceptedSurely is a set of values all of which a leaf accepts, or a smaller one.
func (n *node) acceptedSurely() (intervals, bool) {
	switch n.op {
	case opEqual:
		if n.value.Kind() == KindArray { // of which an entry holds only a part
			return nil, false
		}
		return n.accepted()
	case opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		if n.value.Kind() == KindArray {
			return nil, false
		}
		return n.accepted()
	case opIn:
		var set intervals
		for _, v := range n.values {
			if v.Kind() != KindArray {
				set = append(set, valueInterval(v))
			}
		}
		return normalIntervals(set), true
	case opExists:
		null := nullInterval()
		return intervals{{low: []byte{noValueKey + 1}, high: null.low}, {low: null.high}}, true
	}
	return nil, false
}

func nullInterval() interval { return pointInterval([]byte{typeOrder[KindNull]}, "= null") }

func valueInterval(v Value) interval {
	return pointInterval(appendEntryValue(nil, v), "= "+string(AppendValue(nil, v, ValuesRelaxed)))
}

// rangeSet follows node.compare.
func (n *node) rangeSet() intervals {
	kind := n.value.Kind()
	sign := map[opcode]string{opLess: "< ", opLessOrEqual: "<= ", opGreater: "> ", opGreaterOrEqual: ">= "}[n.op]
	text := sign + string(AppendValue(nil, n.value, ValuesRelaxed))
	orEqual := n.op == opLessOrEqual || n.op == opGreaterOrEqual
	at := valueInterval(n.value)
	whole := bracket(kind, text)
	switch {
	case kind == KindArray:
		return intervals{whole} // an entry holds only a part of an array
	case n.nan || kind == KindNull:
		if orEqual {
			return intervals{at}
		}
		return intervals{}
	case kind == KindMinKey || kind == KindMaxKey:
		whole = interval{low: []byte{noValueKey + 1}, text: text}
	case n.value.IsNumber():
		whole.low = prefixEnd(nanKey) // NaN is neither below nor above
	}
	switch n.op {
	case opLess:
		whole.high = at.low
	case opLessOrEqual:
		whole.high = at.high
	case opGreater:
		whole.low = at.high
	case opGreaterOrEqual:
		whole.low = at.low
	}
	if whole.high != nil && string(whole.low) >= string(whole.high) {
		return intervals{}
	}
	return intervals{whole}
}

// nanKey encodes NaN.
var nanKey = []byte{typeOrder[KindDouble], 0, 0, 0, 0, 0, 0, 0, 0, numberIsDouble}

// intervals of a pattern: the strings that begin with what every match begins with, and the pattern itself as a value.
func (p *pattern) intervals() intervals {
	key := append([]byte{typeOrder[KindRegex]}, appendKeyBytes(appendKeyBytes(nil, []byte(p.text)), []byte(p.options))...)
	itself := pointInterval(key, "= /"+p.text+"/"+p.options)
	prefix := p.prefix()
	if prefix == "" {
		return intervals{bracket(KindString, "any string"), itself}
	}
	low := appendKeyBytes([]byte{typeOrder[KindString]}, []byte(prefix))
	low = low[:len(low)-2] // without the end
	return intervals{{low: low, high: prefixEnd(low), text: "begins with " + string(AppendString(nil, []byte(prefix)))}, itself}
}

// prefix is the text that every match begins with at the beginning of the string; "" if it is not known.
func (p *pattern) prefix() string {
	if strings.Trim(p.options, "s") != "" { // letters of either case, lines, extended syntax
		return ""
	}
	tree, err := syntax.Parse(withoutVerbs(p.text), syntax.Perl)
	if err != nil {
		return ""
	}
	tree = tree.Simplify()
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 2 || tree.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	literal := tree.Sub[1]
	if literal.Op != syntax.OpLiteral || literal.Flags&syntax.FoldCase != 0 {
		return ""
	}
	return string(literal.Rune)
}
