package matcher

import "strings"

// boundExpression is an operator that runs an expression for the elements of an array: $map, $filter, $reduce.
type boundExpression struct {
	name  string // of the operator
	input expression
	as    []string // its variables
	slot  int      // of the first
	body  expression
	extra expression // $reduce: the initial value; $filter: the limit; or nil
	run   func(x *boundExpression, e *evaluation, array Value) (Value, error)
}

func (x *boundExpression) constant() bool { return false }

func (x *boundExpression) eval(e *evaluation) (Value, error) {
	array, err := x.input.eval(e)
	switch {
	case err != nil:
		return Value{}, err
	case nullish(array):
		return valueNull, nil
	case array.Kind() != KindArray:
		return Value{}, errExpression
	}
	return x.run(x, e, array)
}

// each computes the body for an element.
func (x *boundExpression) each(e *evaluation, element Value) (Value, error) {
	if err := e.step(1); err != nil {
		return Value{}, err
	}
	e.variables[x.slot] = element
	return x.body.eval(e)
}

func (x *boundExpression) appendNormal(dst []byte) []byte {
	dst = append(dst, `{"`+x.name+`":{"as":"`+strings.Join(x.as, ",")+`","input":`...)
	dst = x.input.appendNormal(dst)
	dst = x.body.appendNormal(append(dst, `,"in":`...))
	if x.extra != nil {
		dst = x.extra.appendNormal(append(dst, `,"with":`...))
	}
	return append(dst, "}}"...)
}

// variableName checks the name that a query gives to a variable.
func variableName(name string, at *place) (string, error) {
	valid := name != ""
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 0x80 || i > 0 && (r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z')
		valid = valid && letter
	}
	if !valid {
		return "", at.invalid("the variable's name is %q; it must be a text of letters, digits and _ that begins with a small letter", name)
	}
	return name, nil
}

// binding compiles the object of an operator that binds variables. body is the name of the expression that sees them,
// extra that of another one that does not, "" for none; as says that the query may name the variable.
func (c *exprCompiler) binding(name, body, extra string, v Value, at *place) (*boundExpression, error) {
	x := &boundExpression{name: name, as: []string{"this"}}
	if name == "$reduce" {
		x.as = append(x.as, "value")
	}
	if v.Kind() != KindObject {
		return nil, at.invalid("%s is %s; an object with input and %s is needed", name, describeKind(v.Kind()), body)
	}
	var err error
	for f := v.First(); f.Exists(); f = f.Next() {
		key := string(f.Name())
		at := at.field(key)
		switch {
		case key == "input":
			x.input, err = c.expression(f, at)
		case key == extra:
			x.extra, err = c.expression(f, at)
		case key == "as" && name != "$reduce":
			x.as[0], err = variableName(string(f.Bytes()), at)
		case key != body:
			err = at.invalid("%s does not know %q; it knows input, %s, as (but $reduce) and %s", name, key, body, extra)
		}
		if err != nil {
			return nil, err
		}
	}
	inner := v.Field(body)
	if x.input == nil || !inner.Exists() || name == "$reduce" && x.extra == nil {
		return nil, at.invalid(`%s needs "input" and %q, $reduce "initialValue" too; add what is missing`, name, body)
	}
	x.slot, err = c.bind(x.as, func() (err error) {
		x.body, err = c.expression(inner, at.field(body))
		return err
	})
	return x, err
}

// compileMap compiles $map: the array of what "in" is for each element ($$this, or another name).
func compileMap(c *exprCompiler, v Value, at *place) (expression, error) {
	x, err := c.binding("$map", "in", "", v, at)
	if err != nil {
		return nil, err
	}
	x.run = func(x *boundExpression, e *evaluation, array Value) (Value, error) {
		b := begun(e, KindArray)
		for v := array.First(); v.Exists(); v = v.Next() {
			made, err := x.each(e, v)
			if err != nil {
				return Value{}, err
			}
			b.copy(made)
		}
		return b.done()
	}
	return x, nil
}

// compileFilterArray compiles $filter: the array of the elements for which "cond" is true, at most "limit".
func compileFilterArray(c *exprCompiler, v Value, at *place) (expression, error) {
	x, err := c.binding("$filter", "cond", "limit", v, at)
	if err != nil {
		return nil, err
	}
	x.run = func(x *boundExpression, e *evaluation, array Value) (Value, error) {
		most := int64(-1)
		if x.extra != nil {
			v, err := x.extra.eval(e)
			if err != nil {
				return Value{}, err
			}
			if !nullish(v) {
				exact, ok := false, false
				if most, exact, ok = wholeNumber(v); !ok || !exact || most < 1 {
					return Value{}, errExpression
				}
			}
		}
		b := begun(e, KindArray)
		for v := array.First(); v.Exists() && most != 0; v = v.Next() {
			keep, err := x.each(e, v)
			if err != nil {
				return Value{}, err
			}
			if truth(keep) {
				b.copy(v)
				most--
			}
		}
		return b.done()
	}
	return x, nil
}

// compileReduce compiles $reduce: "in" for each element ($$this) and what came of those before ($$value).
func compileReduce(c *exprCompiler, v Value, at *place) (expression, error) {
	x, err := c.binding("$reduce", "in", "initialValue", v, at)
	if err != nil {
		return nil, err
	}
	x.run = func(x *boundExpression, e *evaluation, array Value) (Value, error) {
		value, err := x.extra.eval(e)
		for v := array.First(); v.Exists() && err == nil; v = v.Next() {
			e.variables[x.slot+1] = value
			value, err = x.each(e, v)
		}
		return value, err
	}
	return x, nil
}

// letExpression is $let: variables for one expression.
type letExpression struct {
	names  []string
	values []expression
	slot   int
	body   expression
}

// compileLet compiles $let: {"vars":{"name":...},"in":...}. The variables do not see one another.
func compileLet(c *exprCompiler, v Value, at *place) (expression, error) {
	vars, inner := v.Field("vars"), v.Field("in")
	if v.Kind() != KindObject || v.Len() != 2 || vars.Kind() != KindObject || !inner.Exists() {
		return nil, at.invalid(`$let needs {"vars":{"name":...},"in":...}`)
	}
	x := &letExpression{}
	for f := vars.First(); f.Exists(); f = f.Next() {
		at := at.field("vars").field(string(f.Name()))
		name, err := variableName(string(f.Name()), at)
		if err != nil {
			return nil, err
		}
		value, err := c.expression(f, at)
		if err != nil {
			return nil, err
		}
		x.names, x.values = append(x.names, name), append(x.values, value)
	}
	var err error
	x.slot, err = c.bind(x.names, func() (err error) {
		x.body, err = c.expression(inner, at.field("in"))
		return err
	})
	return x, err
}

func (x *letExpression) constant() bool { return false }

func (x *letExpression) eval(e *evaluation) (Value, error) {
	if err := e.step(1); err != nil {
		return Value{}, err
	}
	from := len(e.values)
	for _, value := range x.values { // all before the first is set: a value may use the slots for itself
		v, err := value.eval(e)
		if err != nil {
			e.values = e.values[:from]
			return Value{}, err
		}
		e.values = append(e.values, v)
	}
	copy(e.variables[x.slot:], e.values[from:])
	e.values = e.values[:from]
	return x.body.eval(e)
}

func (x *letExpression) appendNormal(dst []byte) []byte {
	dst = appendNormalNamed(append(dst, `{"$let":{"vars":`...), x.names, x.values)
	return append(x.body.appendNormal(append(dst, `,"in":`...)), "}}"...)
}
