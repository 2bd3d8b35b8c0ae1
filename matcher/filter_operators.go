package matcher

import (
	"math"
	"strings"
)

// constant checks a value that a field is compared with. `_id` is a string of every document of a collection, so that
// another type could only be a mistake; an ObjectId is read as its hex digits. A text for a declared date is read as that.
func (c *compiler) constant(p path, v Value, at *place) (Value, error) {
	if declared := c.dates.follow(p.segments); declared != nil {
		return declared.constant(v, at, CodeQueryInvalid)
	}
	if p.text != "_id" || c.elements > 0 || c.anyID {
		return v, nil
	}
	switch v.Kind() {
	case KindString:
		return v, nil
	case KindObjectID:
		return stringValue(hexText(v.Bytes())), nil
	}
	return Value{}, at.fail(CodeIDNotString, 0,
		`_id is compared with %s, but every _id is a string; give a string, or {"$oid":"..."} for its hex digits`, describeKind(v.Kind()))
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	var text strings.Builder
	for _, c := range b {
		text.WriteByte(digits[c>>4])
		text.WriteByte(digits[c&15])
	}
	return text.String()
}

// stringValue makes a value of its own. The text needs no escapes.
func stringValue(text string) Value {
	d, err := ParseValue([]byte(`"`+text+`"`), Limits{})
	if err != nil {
		panic(err) // the text is ours
	}
	return d.Root()
}

func (c *compiler) equal(p path, v Value, at *place) (*node, error) {
	v, err := c.constant(p, v, at)
	if err != nil {
		return nil, err
	}
	return c.comparison(opEqual, p, v), nil
}

func compileEqual(c *compiler, p path, _, v Value, at *place) (*node, error) {
	return c.equal(p, v, at)
}

func compileNotEqual(c *compiler, p path, _, v Value, at *place) (*node, error) {
	if v.Kind() == KindRegex {
		return nil, at.invalid("$ne cannot take a regular expression; use {\"$not\":{\"$regex\":...}}")
	}
	return not(c.equal(p, v, at))
}

func compileRange(op opcode) fieldOperator {
	return func(c *compiler, p path, _, v Value, at *place) (*node, error) {
		if v.Kind() == KindRegex {
			return nil, at.invalid("%s cannot take a regular expression; use $regex", at.name)
		}
		v, err := c.constant(p, v, at)
		if err != nil {
			return nil, err
		}
		return c.comparison(op, p, v), nil
	}
}

func not(n *node, err error) (*node, error) {
	if err != nil {
		return nil, err
	}
	return &node{op: opNot, children: []*node{n}}, nil
}

func compileIn(c *compiler, p path, _, list Value, at *place) (*node, error) {
	if err := checkList(list, at); err != nil {
		return nil, err
	}
	n := &node{op: opIn, path: p}
	i := 0
	for v := list.First(); v.Exists(); v = v.Next() {
		at := at.element(i)
		i++
		switch {
		case v.Kind() == KindRegex:
			compiled, err := c.pattern(string(v.Bytes()), string(v.Options()), at)
			if err != nil {
				return nil, err
			}
			n.patterns = append(n.patterns, compiled)
			continue
		case isOperators(v, false):
			return nil, at.invalid("a value of this list holds the operator %q; operators cannot stand in a list of values", v.First().Name())
		}
		constant, err := c.constant(p, v, at)
		if err != nil {
			return nil, err
		}
		n.null = n.null || constant.IsNull()
		n.values = append(n.values, constant)
	}
	return c.list(n), nil
}

func compileNotIn(c *compiler, p path, all, list Value, at *place) (*node, error) {
	return not(compileIn(c, p, all, list, at))
}

func checkList(list Value, at *place) error {
	if list.Kind() != KindArray {
		return at.invalid("%s has %s; an array is needed", at.name, describeKind(list.Kind()))
	}
	if list.Len() > MaxInValues {
		return at.tooLarge(MaxInValues, "%s has %d values, at most %d are allowed (MaxInValues); split the query", at.name, list.Len(), MaxInValues)
	}
	return nil
}

// filters compiles the argument of $and, $or and $nor.
func (c *compiler) filters(op opcode, list Value, at *place) (*node, error) {
	if list.Kind() != KindArray || list.Len() == 0 {
		return nil, at.invalid("%s needs an array of one or more filters, such as {%q:[{\"a\":1},{\"b\":2}]}", at.name, at.name)
	}
	n := &node{op: op}
	i := 0
	for v := list.First(); v.Exists(); v = v.Next() {
		at := at.element(i)
		i++
		if v.Kind() != KindObject {
			return nil, at.invalid("a member of this list is %s; filters are objects", describeKind(v.Kind()))
		}
		child, err := c.filter(v, at)
		if err != nil {
			return nil, err
		}
		n.children = append(n.children, child)
	}
	return n, nil
}

func compileAnd(c *compiler, v Value, at *place) (*node, error) { return c.filters(opAnd, v, at) }
func compileNor(c *compiler, v Value, at *place) (*node, error) { return not(compileOr(c, v, at)) }

func compileOr(c *compiler, v Value, at *place) (*node, error) {
	defer c.bar(at.name)()
	return c.filters(opOr, v, at)
}

func compileNot(c *compiler, p path, _, v Value, at *place) (*node, error) {
	switch {
	case v.Kind() == KindRegex:
		return not(c.regexLeaf(p, string(v.Bytes()), string(v.Options()), at))
	case v.Kind() != KindObject || v.Len() == 0:
		return nil, at.invalid("$not needs an object of operators or a regular expression, such as {\"$not\":{\"$gt\":5}}")
	}
	defer c.bar(at.name)()
	return not(c.operators(p, v, at))
}

// compileExists reads its argument as MongoDB reads a truth value: false, null and zero are false.
func compileExists(_ *compiler, p path, _, v Value, _ *place) (*node, error) {
	n := &node{op: opExists, path: p}
	switch kind := v.Kind(); {
	case kind == KindBool && !v.Bool(), kind == KindNull, v.IsNumber() && v.Float64() == 0:
		return not(n, nil)
	}
	return n, nil
}

func (c *compiler) regexLeaf(p path, text, options string, at *place) (*node, error) {
	compiled, err := c.pattern(text, options, at)
	if err != nil {
		return nil, err
	}
	return &node{op: opRegex, path: p, patterns: []*pattern{compiled}}, nil
}

func compileRegex(c *compiler, p path, all, v Value, at *place) (*node, error) {
	options := all.Field("$options")
	if options.Exists() && options.Kind() != KindString {
		return nil, at.parent.field("$options").invalid("$options is %s; a string of the letters i, m, s and x is needed", describeKind(options.Kind()))
	}
	switch v.Kind() {
	case KindString:
		return c.regexLeaf(p, string(v.Bytes()), string(options.Bytes()), at)
	case KindRegex:
		if options.Exists() && len(v.Options()) > 0 {
			return nil, at.invalid("options stand both in the regular expression and in $options; give them once")
		}
		return c.regexLeaf(p, string(v.Bytes()), string(v.Options())+string(options.Bytes()), at)
	}
	return nil, at.invalid("$regex is %s; a string is needed", describeKind(v.Kind()))
}

// compileOptions leaves the work to $regex, which must stand beside it.
func compileOptions(_ *compiler, _ path, all, _ Value, at *place) (*node, error) {
	if !all.Field("$regex").Exists() {
		return nil, at.invalid("$options stands without $regex; add one")
	}
	return nil, nil
}

func compileSize(_ *compiler, p path, _, v Value, at *place) (*node, error) {
	f := v.Float64()
	if !v.IsNumber() || f != math.Trunc(f) || f < 0 || f > math.MaxInt32 {
		return nil, at.invalid("$size is %s; a whole number from 0 to %d is needed", v.Raw(), math.MaxInt32)
	}
	return &node{op: opSize, path: p, size: int64(f)}, nil
}

func compileElemMatch(c *compiler, p path, _, v Value, at *place) (*node, error) {
	if v.Kind() != KindObject {
		return nil, at.invalid("$elemMatch is %s; an object of operators or a filter is needed", describeKind(v.Kind()))
	}
	c.elements++
	outer := c.dates
	c.dates = outer.follow(p.segments)
	defer func() { c.elements, c.dates = c.elements-1, outer }()
	defer c.bar("$elemMatch")()
	n := &node{op: opElemMatchObject, path: p}
	compile := func() (*node, error) { return c.filter(v, at) }
	if _, logical := logicalOperators[string(v.First().Name())]; isOperators(v, true) && !logical {
		n.op = opElemMatchValue
		compile = func() (*node, error) { return c.operators(path{}, v, at) }
	}
	child, err := compile()
	if err != nil {
		return nil, err
	}
	n.children = []*node{child}
	return n, nil
}

// compileAll needs every value to be found: an empty list never is. Its members are all values, or all $elemMatch.
func compileAll(c *compiler, p path, _, list Value, at *place) (*node, error) {
	if err := checkList(list, at); err != nil {
		return nil, err
	}
	if list.Len() == 0 {
		return &node{op: opFalse}, nil
	}
	all := &node{op: opAnd}
	elements := isElemMatch(list.First())
	i := 0
	for v := list.First(); v.Exists(); v = v.Next() {
		at := at.element(i)
		i++
		var n *node
		var err error
		switch {
		case elements != isElemMatch(v):
			err = at.invalid("$all mixes $elemMatch with values; give one or the other")
		case elements:
			n, err = compileElemMatch(c, p, v, v.First(), at.field("$elemMatch"))
		case isOperators(v, false):
			err = at.invalid("a value of $all holds the operator %q; only $elemMatch may stand there", v.First().Name())
		case v.Kind() == KindRegex:
			n, err = c.regexLeaf(p, string(v.Bytes()), string(v.Options()), at)
		default:
			n, err = c.equal(p, v, at)
		}
		if err != nil {
			return nil, err
		}
		all.children = append(all.children, n)
	}
	return all, nil
}

func isElemMatch(v Value) bool {
	return v.Kind() == KindObject && v.Len() == 1 && string(v.First().Name()) == "$elemMatch"
}
