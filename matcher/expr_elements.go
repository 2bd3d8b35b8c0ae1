package matcher

import (
	"slices"
	"strconv"
	"strings"
)

// $zip and $sortArray, which take more than expressions.

// zipExpression is $zip: an array of the first elements of all inputs, one of the second ones, and so on.
type zipExpression struct {
	inputs   []expression
	longest  bool         // as many as the longest input has, with defaults for what is not there
	defaults []expression // nil: null
}

// compileZip compiles {"inputs":[...],"useLongestLength":bool,"defaults":[...]}.
func compileZip(c *exprCompiler, v Value, at *place) (expression, error) {
	x := &zipExpression{}
	if v.Kind() != KindObject {
		return nil, at.invalid(`$zip is %s; an object such as {"inputs":["$a","$b"]} is needed`, describeKind(v.Kind()))
	}
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		at := at.field(name)
		var err error
		switch {
		case name == "useLongestLength" && f.Kind() == KindBool:
			x.longest = f.Bool()
		case name == "inputs" && f.Kind() == KindArray:
			x.inputs, err = c.list(f, at)
		case name == "defaults" && f.Kind() == KindArray:
			x.defaults, err = c.list(f, at)
		default:
			return nil, at.invalid("$zip cannot read %q as %s; it knows inputs and defaults, which are lists, and useLongestLength, which is true or false",
				name, describeKind(f.Kind()))
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case len(x.inputs) == 0:
		return nil, at.invalid(`$zip has no inputs; give a list of one array or more, such as {"inputs":["$a","$b"]}`)
	case x.defaults != nil && !x.longest:
		return nil, at.field("defaults").invalid("defaults are of no use without useLongestLength; set that to true, or leave them out")
	case x.defaults != nil && len(x.defaults) != len(x.inputs):
		return nil, at.field("defaults").invalid("there are %d defaults for %d inputs; give as many", len(x.defaults), len(x.inputs))
	}
	return c.folded(x), nil
}

func (x *zipExpression) constant() bool { return allConstant(x.inputs) && allConstant(x.defaults) }

func (x *zipExpression) eval(e *evaluation) (Value, error) {
	if err := e.step(1); err != nil {
		return Value{}, err
	}
	inputs, rows := make([]Value, len(x.inputs)), -1
	for i, input := range x.inputs {
		v, err := input.eval(e)
		switch {
		case err != nil:
			return Value{}, err
		case nullish(v):
			return valueNull, nil
		case v.Kind() != KindArray:
			return Value{}, errExpression
		}
		inputs[i] = v.First()
		if n := v.Len(); rows < 0 || x.longest == (n > rows) && n != rows {
			rows = n
		}
	}
	defaults := make([]Value, len(x.inputs))
	for i, otherwise := range x.defaults {
		var err error
		if defaults[i], err = otherwise.eval(e); err != nil {
			return Value{}, err
		}
	}
	b := begun(e, KindArray)
	for ; rows > 0 && b.err == nil; rows-- {
		b.begin(KindArray)
		for i, v := range inputs {
			inputs[i] = v.Next()
			if !v.Exists() {
				v = defaults[i]
			}
			b.copy(v)
		}
		b.end()
	}
	return b.done()
}

func (x *zipExpression) appendNormal(dst []byte) []byte {
	dst = appendNormalExpressions(append(dst, `{"$zip":{"inputs":`...), x.inputs)
	if x.longest {
		dst = append(dst, `,"useLongestLength":true`...)
	}
	if x.defaults != nil {
		dst = appendNormalExpressions(append(dst, `,"defaults":`...), x.defaults)
	}
	return append(dst, "}}"...)
}

// sortExpression is $sortArray: by the elements themselves, or by fields of theirs.
type sortExpression struct {
	input      expression
	descending bool
	keys       []elementKey // none: the elements themselves
}

type elementKey struct {
	path       []string
	descending bool
}

// compileSortArray compiles {"input":array,"sortBy":1 or -1 or {"field":1}}.
func compileSortArray(c *exprCompiler, v Value, at *place) (expression, error) {
	by := v.Field("sortBy")
	if v.Kind() != KindObject || v.Len() != 2 || !v.Field("input").Exists() || !by.Exists() {
		return nil, at.invalid(`$sortArray needs {"input":...,"sortBy":1}, or an object of fields such as {"a.b":-1} to sort by`)
	}
	x := &sortExpression{}
	var err error
	if x.input, err = c.expression(v.Field("input"), at.field("input")); err != nil {
		return nil, err
	}
	at = at.field("sortBy")
	if by.Kind() != KindObject {
		x.descending, err = sortsDown(by, at)
		return x, err
	}
	switch n := by.Len(); {
	case n == 0:
		return nil, at.invalid("sortBy names no field; name one at least, or give 1 or -1 to sort by the elements themselves")
	case n > MaxSortKeys:
		return nil, at.tooLarge(MaxSortKeys, "sortBy has %d fields, at most %d are allowed (MaxSortKeys); leave some out", n, MaxSortKeys)
	}
	for f := by.First(); f.Exists(); f = f.Next() {
		at := at.field(string(f.Name()))
		field, err := c.fieldPath(rootSlot, "$", string(f.Name()), at)
		if err != nil {
			return nil, err
		}
		key := elementKey{path: field.(*fieldExpression).names}
		if key.descending, err = sortsDown(f, at); err != nil {
			return nil, err
		}
		x.keys = append(x.keys, key)
	}
	return x, nil
}

func sortsDown(v Value, at *place) (bool, error) {
	if i, exact, ok := wholeNumber(v); ok && exact && (i == 1 || i == -1) {
		return i < 0, nil
	}
	return false, at.invalid("the direction is %s; it must be 1 or -1", shorten(v.Raw()))
}

func (x *sortExpression) constant() bool { return false }

func (x *sortExpression) eval(e *evaluation) (Value, error) {
	array, err := x.input.eval(e)
	switch {
	case err != nil:
		return Value{}, err
	case nullish(array):
		return valueNull, nil
	case array.Kind() != KindArray:
		return Value{}, errExpression
	}
	if err := e.step(sortWeight(array.Len(), weight(array)) * max(1, len(x.keys))); err != nil {
		return Value{}, err
	}
	list, err := elementsOf(e, array)
	if err != nil {
		return Value{}, err
	}
	if len(x.keys) == 0 {
		slices.SortStableFunc(list, func(a, b Value) int { return directed(e.order(a, b), x.descending) })
		return arrayOf(e, list)
	}
	type keyed struct {
		element Value
		keys    []Value
	}
	rows := make([]keyed, len(list))
	for i, v := range list {
		rows[i] = keyed{v, make([]Value, len(x.keys))}
		for k := range x.keys {
			rows[i].keys[k] = x.keys[k].of(v)
		}
	}
	slices.SortStableFunc(rows, func(a, b keyed) int {
		for i, key := range x.keys {
			if c := compareKeys(e, a.keys[i], b.keys[i]); c != 0 {
				return directed(c, key.descending)
			}
		}
		return 0
	})
	for i := range rows {
		list[i] = rows[i].element
	}
	return arrayOf(e, list)
}

func directed(c int, descending bool) int {
	if descending {
		return -c
	}
	return c
}

// compareKeys takes a missing key for null.
func compareKeys(e *evaluation, a, b Value) int {
	if nullish(a) && nullish(b) {
		return 0
	}
	return e.order(a, b)
}

// of follows the path in one element. A number in it is an index where it meets an array; arrays are not gone through.
func (k elementKey) of(v Value) Value {
	for _, name := range k.path {
		if v.Kind() == KindArray {
			i, err := strconv.Atoi(name)
			if err != nil {
				return Value{}
			}
			v = v.Index(i)
			continue
		}
		v = v.Field(name)
	}
	return v
}

func (x *sortExpression) appendNormal(dst []byte) []byte {
	direction := func(dst []byte, descending bool) []byte {
		return append(dst, map[bool]string{false: "1", true: "-1"}[descending]...)
	}
	dst = x.input.appendNormal(append(dst, `{"$sortArray":{"input":`...))
	dst = append(dst, `,"sortBy":`...)
	if len(x.keys) == 0 {
		return append(direction(dst, x.descending), "}}"...)
	}
	for i, key := range x.keys {
		dst = append(dst, "{,"[min(i, 1)])
		dst = append(AppendString(dst, []byte(strings.Join(key.path, "."))), ':')
		dst = direction(dst, key.descending)
	}
	return append(dst, "}}}"...)
}
