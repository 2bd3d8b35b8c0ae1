package matcher

import (
	"errors"
	"math/bits"
	"sync"
)

// MaxExpressionSteps bounds what all $expr of a filter may do for one document, each an equal share: parts of the expression that are computed, elements and
// fields that are looked at, values and texts that are made (texts in units of stepBytes), and more for what takes longer.
// An expression that would take more is false for the document. A step takes some 10 to 100 ns.
const MaxExpressionSteps = 200_000

// stepBytes is how many bytes of made text count as one step.
const stepBytes = 32

// Why an expression has no value for a document. A live query cannot fail for the sake of one document, so the document
// does not match.
var (
	errExpression      = errors.New("an operator of the expression cannot be applied to the document's values")
	errExpressionSteps = errors.New("the expression takes more than its share of MaxExpressionSteps for the document")
)

// expression is one aggregation expression (manual: "Aggregation Expressions"). It is immutable once compiled.
//
// The value of an expression may be missing. In comparisons the missing value is below null and not equal to it, unlike
// in a filter.
type expression interface {
	eval(e *evaluation) (Value, error)
	// appendNormal writes the expression alike exactly if it was compiled from one of the same meaning, as far as
	// compiling sees it.
	appendNormal(dst []byte) []byte
	// constant reports whether the value is the same for every document.
	constant() bool
}

// evaluation is the state of one evaluation for one document.
type evaluation struct {
	collation *collation
	most      int // steps
	root      Value
	variables []Value // by slot
	values    []Value // of arguments, a stack
	steps     int     // taken
}

// step counts n steps.
func (e *evaluation) step(n int) error {
	if e.steps += n; e.steps > e.most {
		return errExpressionSteps
	}
	return nil
}

// fieldsPerStep is how many names of an object are looked through in one step.
const fieldsPerStep = 8

// weight is about what it costs to walk over all of v, in steps.
func weight(v Value) int {
	if v.document == nil {
		return 1
	}
	n := v.at()
	if n.kind != KindObject && n.kind != KindArray {
		return 1 + len(v.Bytes())/stepBytes
	}
	return int(n.span) + int(n.end-n.start)/stepBytes // of the text, or of the arena where a builder made it
}

// lengthWeight is about what it costs to walk along the elements of an array, but not into them.
func lengthWeight(array Value) int { return 1 + array.Len()/fieldsPerStep }

// sortWeight is about what it costs to sort so many values that weigh so much together.
func sortWeight(count, weight int) int { return weight * (1 + bits.Len(uint(count))/4) }

// compare is order, counted.
func (e *evaluation) compare(a, b Value) (int, error) {
	if err := e.step(min(weight(a), weight(b))); err != nil {
		return 0, err
	}
	return e.order(a, b), nil
}

// order is Compare under the query's collation, with the missing value below null, as expressions have it. All operators that compare values, sort
// them or look for equal ones do so by it.
func (e *evaluation) order(a, b Value) int {
	order := e.collation.compare(a, b)
	switch {
	case order != 0 || a.Exists() == b.Exists():
		return order
	case a.Exists():
		return 1
	}
	return -1
}

var evaluations = sync.Pool{New: func() any { return new(evaluation) }}

// exprTest is $expr: a predicate on whole documents.
type exprTest struct {
	collation *collation
	root      expression
	slots     int // variables in use at once, at most
	steps     int // for a document, at most
}

func (x *exprTest) mostSteps() int     { return MaxExpressionSteps }
func (x *exprTest) setSteps(steps int) { x.steps = steps }
func (x *exprTest) allowedSteps() int  { return x.steps }

// compileExpr compiles $expr (manual: "$expr"): documents match for which the expression is true, which every value
// is but false, null, the missing value and numbers that are 0. A document that an operator cannot be applied to
// (a division by zero, a string where a number is needed, more than MaxExpressionSteps) does not match: $expr is false
// for it. Comparison is across all types. It can stand wherever a filter of the whole document can, not in $elemMatch.
func compileExpr(c *compiler, v Value, at *place) (*node, error) {
	if c.update {
		return nil, refusedInUpdate("$expr", at)
	}
	if c.elements > 0 {
		return nil, at.invalid("$expr stands in $elemMatch, but it is about the whole document; put it beside the field, or use $filter in it")
	}
	compiling := &exprCompiler{compiler: c}
	root, err := compiling.expression(v, at)
	if err != nil {
		return nil, err
	}
	if k, ok := root.(constantExpression); ok {
		return &node{op: map[bool]opcode{true: opTrue, false: opFalse}[truth(k.value)]}, nil
	}
	return predicateLeaf(path{}, &exprTest{collation: c.collation, root: root, slots: compiling.slots, steps: MaxExpressionSteps}), nil
}

func (x *exprTest) accepts(v Value) bool {
	result, err := x.eval(v)
	return err == nil && truth(result)
}

func (x *exprTest) eval(root Value) (Value, error) {
	e := evaluations.Get().(*evaluation)
	e.collation, e.root, e.steps, e.most = x.collation, root, 0, x.steps
	for len(e.variables) < x.slots {
		e.variables = append(e.variables, Value{})
	}
	result, err := x.root.eval(e)
	if cap(e.values) <= maxPooledValues && len(e.variables) <= maxPooledValues {
		e.collation, e.root = nil, Value{}
		clear(e.variables)
		clear(e.values[:cap(e.values)])
		evaluations.Put(e)
	}
	return result, err
}

// maxPooledValues bounds what one large expression leaves behind in the pool, and what clearing it costs every other.
const maxPooledValues = 256

func (x *exprTest) operator() string               { return "$expr" }
func (x *exprTest) cost() int                      { return 4 }
func (x *exprTest) appendNormal(dst []byte) []byte { return x.root.appendNormal(dst) }

// truth reads a value as a condition.
func truth(v Value) bool {
	switch kind := v.Kind(); {
	case kind == KindMissing, kind == KindNull:
		return false
	case kind == KindBool:
		return v.Bool()
	case kind == KindDecimal:
		return !v.decimal().isZero()
	case v.IsNumber():
		return v.Float64() != 0
	}
	return true
}

// nullish reports whether v is null or missing, which most operators answer with null.
func nullish(v Value) bool { k := v.Kind(); return k == KindNull || k == KindMissing }

// constantExpression is a value that stands in the query, or was computed from such.
type constantExpression struct{ value Value }

func (k constantExpression) eval(e *evaluation) (Value, error) { return k.value, e.step(1) }
func (k constantExpression) constant() bool                    { return true }

// appendNormal keeps the types of numbers apart: 1 and 1.0 are not the same to $type or $toString.
func (k constantExpression) appendNormal(dst []byte) []byte {
	if !k.value.Exists() {
		return append(dst, `"$$REMOVE"`...)
	}
	dst = append(dst, `{"$literal":`...)
	return append(AppendValue(dst, k.value, ValuesCanonical), '}')
}

// rootSlot is the variable that is the whole document: $$ROOT, $$CURRENT and what "$a" starts from.
const rootSlot = -1

// fieldExpression follows a dotted path from a variable. Unlike a filter's, its names never are indexes of arrays; an array
// on the way becomes the array of what its objects have there.
type fieldExpression struct {
	slot  int
	text  string // "$a.b" or "$$name.a.b"
	names []string
}

func (f *fieldExpression) constant() bool                 { return false }
func (f *fieldExpression) appendNormal(dst []byte) []byte { return AppendString(dst, []byte(f.text)) }

func (f *fieldExpression) eval(e *evaluation) (Value, error) {
	if err := e.step(1); err != nil {
		return Value{}, err
	}
	v := e.root
	if f.slot != rootSlot {
		v = e.variables[f.slot]
	}
	for i, name := range f.names {
		if v.Kind() == KindArray {
			return collect(e, v, f.names[i:])
		}
		if err := e.step(v.Len() / fieldsPerStep); err != nil {
			return Value{}, err
		}
		v = v.Field(name)
	}
	return v, nil
}

// collect makes the array of what the objects in an array have at a path.
func collect(e *evaluation, array Value, names []string) (Value, error) {
	b := newBuilder(e)
	b.collect(array, names)
	return b.done()
}

func (b *builder) collect(array Value, names []string) {
	b.begin(KindArray)
	for v := array.First(); v.Exists() && b.err == nil; v = v.Next() {
		b.err = b.e.step(1)
		if v.Kind() != KindObject {
			continue
		}
		found, i := v, 0
		for ; i < len(names) && found.Kind() == KindObject && b.err == nil; i++ {
			b.err = b.e.step(found.Len() / fieldsPerStep)
			found = found.Field(names[i])
		}
		switch {
		case i < len(names) && found.Kind() == KindArray:
			b.collect(found, names[i:])
		case i == len(names) && found.Exists():
			b.copy(found)
		}
	}
	b.end()
}

// listExpression makes an array, objectExpression an object: a missing element is null, a missing field is left out.
type listExpression struct{ elements []expression }

func (l *listExpression) constant() bool { return allConstant(l.elements) }

func (l *listExpression) eval(e *evaluation) (Value, error) {
	b := begun(e, KindArray)
	for _, x := range l.elements {
		v, err := x.eval(e)
		if err != nil {
			return Value{}, err
		}
		b.copy(v)
	}
	return b.done()
}

func (l *listExpression) appendNormal(dst []byte) []byte {
	return appendNormalExpressions(dst, l.elements)
}

func appendNormalExpressions(dst []byte, list []expression) []byte {
	dst = append(dst, '[')
	for i, x := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = x.appendNormal(dst)
	}
	return append(dst, ']')
}

func allConstant(list []expression) bool {
	for _, x := range list {
		if x != nil && !x.constant() {
			return false
		}
	}
	return true
}

type objectExpression struct {
	names  []string
	values []expression
}

func (o *objectExpression) constant() bool { return allConstant(o.values) }

func (o *objectExpression) eval(e *evaluation) (Value, error) {
	b := begun(e, KindObject)
	for i, x := range o.values {
		v, err := x.eval(e)
		if err != nil {
			return Value{}, err
		}
		if v.Exists() {
			b.field([]byte(o.names[i]))
			b.copy(v)
		}
	}
	return b.done()
}

func (o *objectExpression) appendNormal(dst []byte) []byte {
	return appendNormalNamed(dst, o.names, o.values)
}

// appendNormalNamed writes an object of expressions; nil ones are left out.
func appendNormalNamed(dst []byte, names []string, values []expression) []byte {
	dst = append(dst, '{')
	for i, x := range values {
		if x == nil {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, []byte(names[i])), ':')
		dst = x.appendNormal(dst)
	}
	return append(dst, '}')
}
