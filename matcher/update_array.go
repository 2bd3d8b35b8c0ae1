package matcher

import "slices"

// This file holds the operators on arrays (MongoDB manual: "Array Update Operators").

// needsArray reports whether v is an array or, with missing, is not there; else it fails.
func (e *updateWriter) needsArray(v Value, n *updateNode, name string, missing bool) bool {
	if v.Kind() == KindArray || missing && !v.Exists() {
		return true
	}
	e.fail(n, "the field %s has %s, but %s needs an array; $set one first", n.path, describeKind(v.Kind()), name)
	return false
}

// listElements are the elements of an array; none of a missing value.
func listElements(v Value) []Value {
	elements := make([]Value, 0, v.Len())
	for c := v.First(); c.Exists(); c = c.Next() {
		elements = append(elements, c)
	}
	return elements
}

// each reads the values of {"$each":[...]}.
func each(argument Value, at *place) ([]Value, error) {
	list := argument.Field("$each")
	if list.Kind() != KindArray {
		return nil, at.field("$each").invalid("$each is %s; give an array of values", describeKind(list.Kind()))
	}
	return listElements(list), nil
}

// wholeCount reads a whole number; what names it in an error.
func wholeCount(what string, v Value, at *place) (int, error) {
	i, exact, ok := wholeNumber(v)
	if !v.IsNumber() || !ok || !exact {
		return 0, at.invalid("%s is %s; give a whole number", what, shorten(v.Raw()))
	}
	return int(i), nil
}

// pushEdit is $push: values are put in at a position, then the array is sorted, then cut.
type pushEdit struct {
	values   []Value
	position *int // from the beginning, or if negative from the end; nil: the end
	sorts    bool
	keys     []sortKey // sorts: by these, or if there are none by the whole elements
	down     bool      // whole elements: greatest first
	slice    *int      // the first ones stay, or if negative the last ones; nil: all
}

var pushModifiers = []string{"$each", "$position", "$slice", "$sort"}

func parsePush(p *updateParser, n *updateNode, argument Value, at *place) error {
	done := &pushEdit{values: []Value{argument}}
	if name := string(argument.First().Name()); argument.Kind() == KindObject && !argument.Field("$each").Exists() {
		if slices.Contains(pushModifiers, name) {
			return at.field(name).invalid("%s of $push stands without $each; add it, as in {\"$each\":[5],%q:...}", name, name)
		}
	} else if argument.Kind() == KindObject {
		var err error
		if done.values, err = each(argument, at); err != nil {
			return err
		}
		for v := argument.First(); v.Exists(); v = v.Next() {
			if err := done.modifier(v, at.field(string(v.Name()))); err != nil {
				return err
			}
		}
	}
	return p.add(n, done)
}

func (d *pushEdit) modifier(v Value, at *place) error {
	whole := func() (*int, error) {
		i, err := wholeCount(at.name, v, at)
		return &i, err
	}
	var err error
	switch at.name {
	case "$each":
	case "$position":
		d.position, err = whole()
	case "$slice":
		d.slice, err = whole()
	case "$sort":
		d.sorts = true
		err = d.sort(v, at)
	default:
		err = unknownName("modifier of $push", at.name, pushModifiers, at)
	}
	return err
}

// sort reads 1, -1 or {"amount":-1,"name":1}.
func (d *pushEdit) sort(v Value, at *place) error {
	keys := newSortCompiler(nil)
	if v.Kind() != KindObject {
		whole := newSortCompiler(nil)
		err := whole.key("element", v, at)
		if err != nil {
			return at.invalid(`$sort is %s; give 1 or -1 for whole elements, or fields of them, such as {"amount":-1}`, shorten(v.Raw()))
		}
		d.down = whole.keys[0].descending
		return nil
	}
	if v.Len() == 0 {
		return at.invalid(`$sort is empty; give 1 or -1 for whole elements, or fields of them, such as {"amount":-1}`)
	}
	for f := v.First(); f.Exists(); f = f.Next() {
		if err := keys.key(string(f.Name()), f, at.field(string(f.Name()))); err != nil {
			return err
		}
	}
	d.keys = keys.keys
	return nil
}

func (d *pushEdit) makes() bool { return true }

func (d *pushEdit) apply(e *updateWriter, v Value, n *updateNode) {
	if !e.needsArray(v, n, "$push", true) || !e.spend(n, (v.Len()+len(d.values))*(1+len(d.keys))) {
		return
	}
	elements := listElements(v)
	at := len(elements)
	if d.position != nil {
		if at = min(*d.position, at); at < 0 {
			at = max(len(elements)+at, 0)
		}
	}
	elements = slices.Insert(elements, at, d.values...)
	if d.sorts {
		d.order(elements)
	}
	if d.slice != nil {
		if keep := *d.slice; keep >= 0 {
			elements = elements[:min(keep, len(elements))]
		} else {
			elements = elements[max(len(elements)+keep, 0):]
		}
	}
	e.array(elements)
}

// order sorts elements; equal ones stay in their order. A field of an element that is no object is missing, and a
// missing field counts as null.
func (d *pushEdit) order(elements []Value) {
	if len(d.keys) == 0 {
		slices.SortStableFunc(elements, func(a, b Value) int {
			if d.down {
				a, b = b, a
			}
			return Compare(a, b)
		})
		return
	}
	slices.SortStableFunc(elements, func(a, b Value) int {
		for _, k := range d.keys {
			x, y := fieldAt(a, k.path), fieldAt(b, k.path)
			if k.descending {
				x, y = y, x
			}
			if c := Compare(x, y); c != 0 {
				return c
			}
		}
		return 0
	})
}

// fieldAt is the value at a path of an object, where an array's elements are found by index only.
func fieldAt(v Value, p path) Value {
	if v.Kind() != KindObject {
		return Value{}
	}
	for _, s := range p.segments {
		v = member(v, s)
	}
	return v
}

// valueSet holds values; equal ones are one.
type valueSet struct {
	values []Value         // a few
	keys   map[string]bool // of many, by AppendSortValue
}

func (s *valueSet) add(v Value) {
	s.values = append(s.values, v)
	switch {
	case s.keys != nil:
		s.keys[string(AppendSortValue(nil, v))] = true
	case len(s.values) > manyNames:
		s.keys = make(map[string]bool)
		for _, v := range s.values {
			s.keys[string(AppendSortValue(nil, v))] = true
		}
	}
}

func (s *valueSet) has(v Value) bool {
	if s.keys != nil {
		return s.keys[string(AppendSortValue(nil, v))]
	}
	return slices.ContainsFunc(s.values, func(o Value) bool { return Equal(o, v) })
}

// addToSetEdit is $addToSet: values that the array does not hold come behind it, each once.
type addToSetEdit struct{ values []Value }

func parseAddToSet(p *updateParser, n *updateNode, argument Value, at *place) error {
	done := addToSetEdit{[]Value{argument}}
	if argument.Kind() == KindObject && argument.Field("$each").Exists() {
		for v := argument.First(); v.Exists(); v = v.Next() {
			if name := string(v.Name()); name != "$each" {
				return unknownName("modifier of $addToSet", name, []string{"$each"}, at.field(name))
			}
		}
		var err error
		if done.values, err = each(argument, at); err != nil {
			return err
		}
	}
	return p.add(n, &done)
}

func (d *addToSetEdit) makes() bool { return true }

func (d *addToSetEdit) apply(e *updateWriter, v Value, n *updateNode) {
	if !e.needsArray(v, n, "$addToSet", true) || !e.spend(n, v.Len()+len(d.values)) {
		return
	}
	elements := listElements(v)
	var missing valueSet // values that the array may lack: they are few where the array is long
	for _, value := range d.values {
		if !missing.has(value) {
			missing.add(value)
		}
	}
	var there valueSet
	for _, element := range elements {
		if missing.has(element) && !there.has(element) {
			there.add(element)
		}
	}
	for _, value := range missing.values {
		if !there.has(value) {
			elements = append(elements, value)
		}
	}
	e.array(elements)
}

// popEdit is $pop: the last element goes, or the first.
type popEdit struct{ first bool }

func parsePop(p *updateParser, n *updateNode, argument Value, at *place) error {
	i, exact, ok := wholeNumber(argument)
	if !argument.IsNumber() || !ok || !exact || i != 1 && i != -1 {
		return at.invalid("$pop of %s is %s; give 1 for the last element, or -1 for the first", n.path, shorten(argument.Raw()))
	}
	return p.add(n, popEdit{i < 0})
}

func (popEdit) makes() bool { return false }

func (d popEdit) apply(e *updateWriter, v Value, n *updateNode) {
	if !e.needsArray(v, n, "$pop", false) {
		return
	}
	elements := listElements(v)
	switch {
	case len(elements) == 0:
	case d.first:
		elements = elements[1:]
	default:
		elements = elements[:len(elements)-1]
	}
	e.array(elements)
}

// pullEdit is $pull or $pullAll: the elements that goes accepts go.
type pullEdit struct {
	name  string
	goes  func(element Value) bool
	costs updateCondition // what goes asks; the zero value: whether two values are equal
	wrap  bool            // goes is asked of an object that holds the element under an empty name
}

// parsePull reads a value, which elements must equal; a regular expression or an object of operators, which elements
// must match as a field does; or another object, a filter that elements which are objects must match.
func parsePull(p *updateParser, n *updateNode, argument Value, at *place) error {
	done := &pullEdit{name: "$pull"}
	if kind := argument.Kind(); kind != KindObject && kind != KindRegex {
		done.goes = func(element Value) bool { return Equal(element, argument) }
		return p.add(n, done)
	}
	_, logical := logicalOperators[string(argument.First().Name())]
	done.wrap = !logical && (argument.Kind() == KindRegex || isOperators(argument, false))
	accepts, err := p.condition(argument, at, func() (*node, error) {
		p.compiler.dates = p.declared(n.path)
		if done.wrap {
			p.compiler.dates = p.compiler.dates.named("")
			return p.compiler.condition("", argument, at)
		}
		return p.compiler.filter(argument, at)
	})
	if err != nil {
		return err
	}
	done.costs = accepts
	done.goes = func(element Value) bool { return element.Kind() == KindObject && accepts.match(element) }
	return p.add(n, done)
}

func parsePullAll(p *updateParser, n *updateNode, argument Value, at *place) error {
	if argument.Kind() != KindArray {
		return at.invalid("$pullAll of %s has %s; give an array of values", n.path, describeKind(argument.Kind()))
	}
	var values valueSet
	for _, v := range listElements(argument) {
		values.add(v)
	}
	return p.add(n, &pullEdit{name: "$pullAll", goes: values.has})
}

func (d *pullEdit) makes() bool { return false }

func (d *pullEdit) apply(e *updateWriter, v Value, n *updateNode) {
	if !e.needsArray(v, n, d.name, false) {
		return
	}
	separate := e.open('[')
	for element := v.First(); element.Exists(); element = element.Next() {
		if !e.spend(n, 1) || !e.asks(n, &d.costs, element) {
			return
		}
		asked := element
		if d.wrap {
			var ok bool
			if asked, ok = e.wrap(n, "", element); !ok {
				return
			}
		}
		if !d.goes(asked) {
			separate()
			e.keep(element)
		}
	}
	e.dst = append(e.dst, ']')
}
