package matcher

import (
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
	members []normal // of $and and $or, in the order of their texts
}

// normalize brings a filter into normal form. It changes only what makes no difference to any document: $and and $or
// are flattened, sorted and rid of duplicates, double negation is dropped, $ne $nin $nor become negations, $in of one
// value becomes equality, numbers that are equal are written alike. Nothing within a value is reordered.
func normalize(n *node) normal {
	switch n.op {
	case opAnd, opOr:
		return normalList(n)
	case opNot:
		return normalNot(normalize(n.children[0]))
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

func normalList(n *node) normal {
	name, neutral, final := "$and", normalTrue, normalFalse
	if n.op == opOr {
		name, neutral, final = "$or", normalFalse, normalTrue
	}
	var members []normal
	for _, child := range n.children {
		switch m := normalize(child); m.node.op {
		case final.node.op:
			return final
		case neutral.node.op:
		case n.op:
			members = append(members, m.members...)
		default:
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b normal) int { return strings.Compare(a.text, b.text) })
	members = slices.CompactFunc(members, func(a, b normal) bool { return a.text == b.text })
	switch len(members) {
	case 0:
		return neutral
	case 1:
		return members[0]
	}
	made := &node{op: n.op}
	texts := make([]string, len(members))
	for i, m := range members {
		made.children = append(made.children, m.node)
		texts[i] = m.text
	}
	// The order of the tests is free: the cheap ones first.
	slices.SortStableFunc(made.children, func(a, b *node) int { return a.cost() - b.cost() })
	return normal{node: made, text: `{"` + name + `":[` + strings.Join(texts, ",") + `]}`, members: members}
}

func normalNot(child normal) normal {
	switch child.node.op {
	case opTrue:
		return normalFalse
	case opFalse:
		return normalTrue
	case opNot:
		return child.members[0]
	}
	n := &node{op: opNot, children: []*node{child.node}}
	return normal{node: n, text: `{"$nor":[` + child.text + `]}`, members: []normal{child}}
}

func normalIn(n *node) normal {
	patterns := slices.Clone(n.patterns)
	slices.SortFunc(patterns, func(a, b *pattern) int {
		if order := strings.Compare(a.text, b.text); order != 0 {
			return order
		}
		return strings.Compare(a.options, b.options)
	})
	patterns = slices.CompactFunc(patterns, func(a, b *pattern) bool { return a.text == b.text && a.options == b.options })
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
	list := []byte{'['}
	for _, v := range n.values {
		list = append(appendNormalValue(list, v), ',')
	}
	for _, p := range patterns {
		list = append(p.appendNormal(list), ',')
	}
	list[len(list)-1] = ']'
	return normalLeaf(&made, "$in", string(list))
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
