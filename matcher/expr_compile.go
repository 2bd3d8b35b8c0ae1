package matcher

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// exprOperator is one row of the table of expression operators: how its arguments are written, and what it computes.
type exprOperator struct {
	// min and max count arguments in a list; max -1 is any number. An operator of one argument also takes it bare.
	min, max int
	// names, where there are any, are those of an object of arguments; the first required must be there. With max 0 the
	// object is the only form.
	names    []string
	required int
	// check sees the arguments when the query is compiled; nil for an argument that is not given.
	check func(c *exprCompiler, args []expression, at *place) error
	// eval computes the value from the arguments' values (lazy: from the arguments).
	eval func(e *evaluation, args []Value) (Value, error)
	lazy func(e *evaluation, args []expression) (Value, error)
}

// exprForm compiles an operator whose arguments are no plain expressions.
type exprForm func(c *exprCompiler, v Value, at *place) (expression, error)

// exprCompiler compiles expressions of one $expr.
type exprCompiler struct {
	*compiler
	scope []string // names of the variables, by slot
	slots int      // the most of them at once
}

// bind makes a variable for as long as compile runs.
func (c *exprCompiler) bind(names []string, compile func() error) (slot int, err error) {
	slot = len(c.scope)
	c.scope = append(c.scope, names...)
	c.slots = max(c.slots, len(c.scope))
	err = compile()
	c.scope = c.scope[:slot]
	return slot, err
}

// expression compiles any expression: a literal, "$field", "$$variable", an array, an object, {"$operator":...}.
func (c *exprCompiler) expression(v Value, at *place) (expression, error) {
	switch v.Kind() {
	case KindString:
		if text := string(v.Bytes()); strings.HasPrefix(text, "$") {
			return c.field(text, at)
		}
	case KindArray:
		elements, err := c.list(v, at)
		if err != nil {
			return nil, err
		}
		return c.folded(&listExpression{elements}), nil
	case KindObject:
		if name := string(v.First().Name()); strings.HasPrefix(name, "$") {
			return c.call(name, v, at)
		}
		return c.object(v, at)
	}
	return constantExpression{v}, nil
}

func (c *exprCompiler) list(array Value, at *place) (list []expression, err error) {
	i := 0
	for v := array.First(); v.Exists(); v = v.Next() {
		x, err := c.expression(v, at.element(i))
		if err != nil {
			return nil, err
		}
		list = append(list, x)
		i++
	}
	return list, nil
}

func (c *exprCompiler) object(v Value, at *place) (expression, error) {
	made := &objectExpression{}
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		at := at.field(name)
		switch {
		case strings.HasPrefix(name, "$"):
			return nil, at.invalid("the operator %q stands among fields; an operator stands alone in its object", name)
		case name == "" || strings.Contains(name, "."):
			return nil, at.invalid("the field %q of an object expression is empty or has a dot in it; nest objects instead", name)
		}
		x, err := c.expression(f, at)
		if err != nil {
			return nil, err
		}
		made.names, made.values = append(made.names, name), append(made.values, x)
	}
	return c.folded(made), nil
}

// field compiles "$a.b" and "$$name.a.b".
func (c *exprCompiler) field(text string, at *place) (expression, error) {
	name, isVariable := strings.CutPrefix(text, "$$")
	if !isVariable {
		return c.fieldPath(rootSlot, "$", text[1:], at)
	}
	name, rest, dotted := strings.Cut(name, ".")
	slot := rootSlot
	switch name {
	case "ROOT", "CURRENT":
		if !dotted {
			return &fieldExpression{slot: rootSlot, text: "$$ROOT"}, nil
		}
		return c.fieldPath(rootSlot, "$", rest, at)
	case "REMOVE":
		return constantExpression{}, nil
	case "":
		return nil, at.invalid(`the expression %q names no variable; use "$$ROOT", or {"$literal":%q} for the text`, text, text)
	default:
		if reason, known := refusedVariables[name]; known {
			return nil, at.invalid("the variable $$%s is not supported: %s", name, reason)
		}
		if slot = lastIndex(c.scope, name); slot < 0 {
			return nil, at.invalid("the variable $$%s is not defined here; known ones are $$ROOT, $$REMOVE and those that $let, $map, $filter and $reduce define", name)
		}
	}
	if !dotted {
		return &fieldExpression{slot: slot, text: text}, nil
	}
	return c.fieldPath(slot, "$$"+name+".", rest, at)
}

func lastIndex(names []string, name string) int {
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] == name {
			return i
		}
	}
	return -1
}

func (c *exprCompiler) fieldPath(slot int, prefix, text string, at *place) (expression, error) {
	names := strings.Split(text, ".")
	if len(names) > MaxPathSegments {
		return nil, at.tooLarge(MaxPathSegments, "the path has %d names, at most %d are allowed (MaxPathSegments); shorten it", len(names), MaxPathSegments)
	}
	for _, name := range names {
		if name == "" || name[0] == '$' || strings.ContainsRune(name, 0) {
			return nil, at.invalid(`the path %q has the name %q in it; names are not empty and do not begin with $ (a text that is no path is {"$literal":"..."})`, prefix+text, name)
		}
	}
	return &fieldExpression{slot: slot, text: prefix + text, names: names}, nil
}

// call compiles {"$operator":arguments}.
func (c *exprCompiler) call(name string, object Value, at *place) (expression, error) {
	at = at.field(name)
	if object.Len() != 1 {
		return nil, at.invalid("%s stands with other names in one object; an operator stands alone in its object", name)
	}
	v := object.First()
	if form, known := exprForms[name]; known {
		return form(c, v, at)
	}
	op, known := exprOperators[name]
	if !known {
		return nil, unknownExpression(name, at)
	}
	x := &callExpression{name: name, op: op}
	var err error
	if x.args, x.named, err = c.arguments(op, v, at); err != nil {
		return nil, err
	}
	if op.check != nil {
		if err := op.check(c, x.args, at); err != nil {
			return nil, err
		}
	}
	return c.folded(x), nil
}

func unknownExpression(name string, at *place) error {
	if reason, known := refusedExpressions[name]; known {
		return at.fail(CodeOperatorUnknown, 0, "the operator %s is not supported: %s", name, reason)
	}
	if err := refused(name, at); err != nil {
		return err
	}
	known := slices.Sorted(maps.Keys(exprOperators))
	known = append(known, slices.Sorted(maps.Keys(exprForms))...)
	hint := ""
	if near := Nearest(name, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	} else if fieldOperators[name] != nil || logicalOperators[name] != nil {
		hint = fmt.Sprintf("; %s belongs into a filter, beside $expr", name)
	}
	return at.fail(CodeOperatorUnknown, 0, "the expression operator %q is unknown%s", name, hint)
}

// arguments compiles what an operator is given: an object of named ones, a list, or one expression.
func (c *exprCompiler) arguments(op *exprOperator, v Value, at *place) (args []expression, named bool, err error) {
	if len(op.names) > 0 && v.Kind() == KindObject && (op.max == 0 || !strings.HasPrefix(string(v.First().Name()), "$")) {
		args, err = c.named(op.names, op.required, v, at)
		return args, true, err
	}
	if op.max == 0 {
		return nil, false, at.invalid("%s is %s; an object with %s is needed", at.name, describeKind(v.Kind()), strings.Join(op.needed(), ", "))
	}
	if v.Kind() == KindArray {
		args, err = c.list(v, at)
	} else {
		args = make([]expression, 1)
		args[0], err = c.expression(v, at)
	}
	if err != nil {
		return nil, false, err
	}
	if len(args) < op.min || op.max >= 0 && len(args) > op.max {
		return nil, false, at.invalid("%s has %d arguments; it takes %s", at.name, len(args), op.arity())
	}
	for len(op.names) > len(args) {
		args = append(args, nil)
	}
	return args, false, nil
}

// needed are the names that must be there, or all if none must.
func (op *exprOperator) needed() []string {
	if op.required == 0 {
		return op.names
	}
	return op.names[:op.required]
}

func (op *exprOperator) arity() string {
	switch {
	case op.max < 0:
		return fmt.Sprintf("%d or more", op.min)
	case op.min == op.max:
		return fmt.Sprint(op.min)
	}
	return fmt.Sprintf("%d to %d", op.min, op.max)
}

// named compiles an object of arguments with these names, the first required of which must be there.
func (c *exprCompiler) named(names []string, required int, v Value, at *place) ([]expression, error) {
	if v.Kind() != KindObject {
		return nil, at.invalid("%s is %s; an object with %s is needed", at.name, describeKind(v.Kind()), strings.Join(names[:required], ", "))
	}
	args := make([]expression, len(names))
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		i := slices.Index(names, name)
		if i < 0 {
			return nil, at.field(name).invalid("%s does not know %q; it knows %s", at.name, name, strings.Join(names, ", "))
		}
		x, err := c.expression(f, at.field(name))
		if err != nil {
			return nil, err
		}
		args[i] = x
	}
	for i := range required {
		if args[i] == nil {
			return nil, at.invalid("%s has no %q; add it", at.name, names[i])
		}
	}
	return args, nil
}

// callExpression is an operator with its arguments.
type callExpression struct {
	name  string
	op    *exprOperator
	args  []expression
	named bool
}

func (x *callExpression) constant() bool { return allConstant(x.args) }

func (x *callExpression) eval(e *evaluation) (Value, error) {
	if err := e.step(1); err != nil {
		return Value{}, err
	}
	if x.op.lazy != nil {
		return x.op.lazy(e, x.args)
	}
	from := len(e.values)
	for i, arg := range x.args {
		var v Value
		if arg != nil {
			var err error
			if v, err = arg.eval(e); err != nil {
				e.values = e.values[:from]
				return Value{}, err
			}
			if !v.Exists() && len(x.op.names) > 0 && i >= x.op.required {
				v = valueNull // an option that is given, but has no value, is not one that is left out
			}
		}
		e.values = append(e.values, v)
	}
	v, err := x.op.eval(e, e.values[from:len(e.values):len(e.values)])
	e.values = e.values[:from]
	return v, err
}

func (x *callExpression) appendNormal(dst []byte) []byte {
	dst = append(AppendString(append(dst, '{'), []byte(x.name)), ':')
	if x.op.max == 0 || x.named {
		dst = appendNormalNamed(dst, x.op.names, x.args)
	} else {
		dst = appendNormalExpressions(dst, slices.DeleteFunc(slices.Clone(x.args), func(x expression) bool { return x == nil }))
	}
	return append(dst, '}')
}

// Bounds on values that are computed when the query is compiled: each, and the steps for all of one filter.
const (
	maxFoldedValues = 4096
	maxFoldedBytes  = 64 << 10
	maxFoldedSteps  = MaxExpressionSteps
)

// folded computes an expression of constants once and for all. One that has no value, or a large one, stays as it is.
func (c *exprCompiler) folded(x expression) expression {
	if !x.constant() || c.foldedSteps >= maxFoldedSteps {
		return x
	}
	e := &evaluation{collation: c.collation, steps: c.foldedSteps, most: maxFoldedSteps}
	v, err := x.eval(e)
	c.foldedSteps = e.steps
	if err != nil || v.document != nil && (len(v.document.tape) > maxFoldedValues || len(v.document.arena) > maxFoldedBytes) {
		return x
	}
	return constantExpression{v}
}
