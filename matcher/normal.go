package matcher

import (
	"cmp"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
)

// normal is a filter in normal form: filters with the same text accept the same documents. The text is JSON.
type normal struct {
	node    *node
	text    string
	members []normal // of $and and $or, in the order of their texts; of a negation the leaf
}

// normalize brings a filter into normal form. It changes only what makes no difference to any document:
//
//   - $and and $or are flattened, sorted, rid of duplicates, and decided where a member stands beside its opposite.
//   - Negations ($not $ne $nin $nor) move to the leaves: not one of two is neither of them.
//   - Values that one path may equal become one $in: of the members of $or, and of the negated members of $and. An $in
//     of one value is equality.
//   - Numbers that are equal are written alike. Nothing within a value is reordered.
func normalize(n *node) normal { return normalOf(n, false) }

// normalOf is the normal form of n, or with negate that of its opposite.
func normalOf(n *node, negate bool) normal {
	switch n.op {
	case opAnd, opOr:
		return normalList(n, negate)
	case opNot:
		return normalOf(n.children[0], !negate)
	}
	form := normalLeafOf(n)
	if negate {
		return normalNot(form)
	}
	return form
}

func normalLeafOf(n *node) normal {
	switch n.op {
	case opIn:
		return normalIn(n)
	case opElemMatchObject, opElemMatchValue:
		child := normalize(n.children[0])
		if child.node.op == opFalse {
			return normalFalse
		}
		form := `{"object":`
		if n.op == opElemMatchValue {
			form = `{"value":`
		}
		made := *n
		made.children = []*node{child.node}
		return normalLeaf(&made, "$elemMatch", form+child.text+"}")
	case opTrue:
		return normalTrue
	case opFalse:
		return normalFalse
	case opExists:
		return normalLeaf(n, "$exists", "true")
	case opSize:
		return normalLeaf(n, "$size", strconv.FormatInt(n.size, 10))
	case opRegex:
		return normalLeaf(n, "$regex", string(n.patterns[0].appendNormal(nil)))
	case opPredicate:
		return normalLeaf(n, n.test.operator(), string(n.test.appendNormal(nil)))
	}
	return normalLeaf(n, rangeNames[n.op], string(appendNormalValue(nil, n.value)))
}

var (
	normalTrue  = normal{node: &node{op: opTrue}, text: `{}`}
	normalFalse = normal{node: &node{op: opFalse}, text: `{"$alwaysFalse":1}`}
)

var rangeNames = map[opcode]string{
	opEqual: "$eq", opLess: "$lt", opLessOrEqual: "$lte", opGreater: "$gt", opGreaterOrEqual: "$gte",
}

// normalLeaf writes {"path":{"$operator":argument}}; without a path (below the value form of $elemMatch) only the
// operator.
func normalLeaf(n *node, operator, argument string) normal {
	text := `{"` + operator + `":` + argument + `}`
	if len(n.path.segments) > 0 {
		text = "{" + string(AppendString(nil, []byte(n.path.text))) + ":" + text + "}"
	}
	return normal{node: n, text: text}
}

// normalList is the normal form of $and and $or. The opposite of one is the other over the opposites of its members.
func normalList(n *node, negate bool) normal {
	op := n.op
	if negate {
		op = opAnd + opOr - op
	}
	name, neutral, final := "$and", normalTrue, normalFalse
	if op == opOr {
		name, neutral, final = "$or", normalFalse, normalTrue
	}
	var members []normal
	for _, child := range n.children {
		switch m := normalOf(child, negate); m.node.op {
		case final.node.op:
			return final
		case neutral.node.op:
		case op:
			members = append(members, m.members...)
		default:
			members = append(members, m)
		}
	}
	members = sortNormals(joinChoices(members, op == opAnd))
	if opposed(members) {
		return final
	}
	switch len(members) {
	case 0:
		return neutral
	case 1:
		return members[0]
	}
	made := &node{op: op}
	texts := make([]string, len(members))
	for i, m := range members {
		made.children = append(made.children, m.node)
		texts[i] = m.text
	}
	// The order of the tests is free: the cheap ones first.
	slices.SortStableFunc(made.children, func(a, b *node) int { return a.cost() - b.cost() })
	return normal{node: made, text: `{"` + name + `":[` + strings.Join(texts, ",") + `]}`, members: members}
}

// sortNormals sorts by text, and leaves out what stands twice.
func sortNormals(list []normal) []normal {
	slices.SortFunc(list, func(a, b normal) int { return strings.Compare(a.text, b.text) })
	return slices.CompactFunc(list, func(a, b normal) bool { return a.text == b.text })
}

// opposed reports whether one of the members is the opposite of another one.
func opposed(members []normal) bool {
	var plain map[string]bool
	for _, m := range members {
		if m.node.op != opNot {
			continue
		}
		if plain == nil {
			plain = make(map[string]bool, len(members))
			for _, m := range members {
				plain[m.text] = true
			}
		}
		if plain[m.members[0].text] {
			return true
		}
	}
	return false
}

// joinChoices makes one $in of the members that say which values a path may equal or which expressions it may match, or
// with negated of those that say the opposite.
func joinChoices(members []normal, negated bool) []normal {
	type place struct {
		path  string
		depth int // tells the empty path of a value from the path of a field without a name
	}
	choices := map[place][]*node{}
	at := func(m normal) (n *node, p place, ok bool) {
		if n = m.node; negated {
			if n.op != opNot {
				return nil, p, false
			}
			n = n.children[0]
		}
		ok = n.op == opEqual || n.op == opIn || n.op == opRegex
		return n, place{n.path.text, len(n.path.segments)}, ok
	}
	for _, m := range members {
		if n, p, ok := at(m); ok {
			choices[p] = append(choices[p], n)
		}
	}
	kept := make([]normal, 0, len(members))
	for _, m := range members {
		_, p, ok := at(m)
		switch {
		case !ok || len(choices[p]) == 1:
			kept = append(kept, m)
		case choices[p] != nil:
			joined := normalIn(joinIn(choices[p]))
			if negated {
				joined = normalNot(joined)
			}
			kept = append(kept, joined)
			choices[p] = nil
		}
	}
	return kept
}

// joinIn is the $in that accepts what one of the nodes accepts: equality, $in or $regex on one path.
func joinIn(nodes []*node) *node {
	joined := &node{op: opIn, path: nodes[0].path}
	for _, n := range nodes {
		joined.null = joined.null || n.null || n.op == opEqual && n.value.IsNull()
		joined.patterns = append(joined.patterns, n.patterns...)
		joined.values = append(joined.values, n.values...)
		if n.op == opEqual {
			joined.values = append(joined.values, n.value)
		}
	}
	joined.values = (*collation)(nil).sortValues(joined.values) // strings under a collation are no such nodes
	return joined
}

// normalNot is the opposite of a leaf.
func normalNot(leaf normal) normal {
	switch leaf.node.op {
	case opTrue:
		return normalFalse
	case opFalse:
		return normalTrue
	}
	n := &node{op: opNot, children: []*node{leaf.node}}
	return normal{node: n, text: `{"$nor":[` + leaf.text + `]}`, members: []normal{leaf}}
}

func normalIn(n *node) normal {
	patterns := distinctPatterns(n.patterns)
	switch {
	case len(n.values) == 0 && len(patterns) == 0:
		return normalFalse
	case len(n.values) == 1 && len(patterns) == 0:
		return normalize(&node{op: opEqual, path: n.path, value: n.values[0]})
	case len(n.values) == 0 && len(patterns) == 1:
		return normalize(&node{op: opRegex, path: n.path, patterns: patterns})
	}
	made := *n
	made.patterns = patterns
	return normalLeaf(&made, "$in", string(appendNormalList(nil, n.values, patterns)))
}

// appendNormalList writes the values and patterns of an $in, of which there is one at least.
func appendNormalList(dst []byte, values []Value, patterns []*pattern) []byte {
	dst = append(dst, '[')
	for _, v := range values {
		dst = append(appendNormalValue(dst, v), ',')
	}
	for _, p := range patterns {
		dst = append(p.appendNormal(dst), ',')
	}
	dst[len(dst)-1] = ']'
	return dst
}

// distinctPatterns are the patterns in the order of their texts, each once.
func distinctPatterns(patterns []*pattern) []*pattern {
	patterns = slices.Clone(patterns)
	slices.SortFunc(patterns, func(a, b *pattern) int {
		return cmp.Or(strings.Compare(a.text, b.text), strings.Compare(a.options, b.options))
	})
	return slices.CompactFunc(patterns, func(a, b *pattern) bool { return a.text == b.text && a.options == b.options })
}

// cost ranks the kinds of nodes by what a test costs.
func (n *node) cost() int {
	switch n.op {
	case opRegex:
		return 2
	case opElemMatchObject, opElemMatchValue:
		return 3
	case opPredicate:
		return n.test.cost()
	case opIn:
		if len(n.patterns) > 0 {
			return 3
		}
		return 1
	case opAnd, opOr, opNot:
		most := 0
		for _, child := range n.children {
			most = max(most, child.cost())
		}
		return most + 1
	}
	return 0
}

func (p *pattern) appendNormal(dst []byte) []byte {
	dst = AppendString(append(dst, `{"$regularExpression":{"pattern":`...), []byte(p.text))
	dst = AppendString(append(dst, `,"options":`...), []byte(p.options))
	return append(dst, "}}"...)
}

// appendNormalValue writes a value such that values that are equal, and no others, are written alike.
func appendNormalValue(dst []byte, v Value) []byte {
	switch kind := v.Kind(); {
	case v.IsNumber():
		return appendNormalNumber(dst, v)
	case kind == KindString:
		return AppendString(dst, v.Bytes())
	case kind == KindObject:
		dst = append(dst, '{')
		for f := v.First(); f.Exists(); f = f.Next() {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			dst = append(AppendString(dst, f.Name()), ':')
			dst = appendNormalValue(dst, f)
		}
		return append(dst, '}')
	case kind == KindArray:
		dst = append(dst, '[')
		for e := v.First(); e.Exists(); e = e.Next() {
			if dst[len(dst)-1] != '[' {
				dst = append(dst, ',')
			}
			dst = appendNormalValue(dst, e)
		}
		return append(dst, ']')
	}
	return AppendValue(dst, v, ValuesCanonical)
}

// appendNormalNumber writes a number that a double holds exactly as that double, any other by its sort key.
func appendNormalNumber(dst []byte, v Value) []byte {
	f := v.Float64()
	switch {
	case math.IsNaN(f):
		return append(dst, `{"$numberDouble":"NaN"}`...)
	case v.Kind() == KindDecimal || math.Abs(f) >= 1<<53:
		text := `{"$numberDouble":"` + strconv.FormatFloat(f, 'g', -1, 64) + `"}`
		text = strings.ReplaceAll(text, "Inf", "Infinity")
		text = strings.ReplaceAll(text, "+Infinity", "Infinity")
		double, err := ParseValue([]byte(text), Limits{})
		if err == nil && Equal(double.Root(), v) {
			break
		}
		dst = append(dst, `{"$number":"`...)
		dst = hex.AppendEncode(dst, AppendSortValue(nil, v))
		return append(dst, `"}`...)
	}
	switch {
	case math.IsInf(f, 1):
		return append(dst, `{"$numberDouble":"Infinity"}`...)
	case math.IsInf(f, -1):
		return append(dst, `{"$numberDouble":"-Infinity"}`...)
	case f == 0:
		return append(dst, '0') // -0 too
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}
