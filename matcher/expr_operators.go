package matcher

import "math"

// The operators of expressions. A new one is a row here, its function, and a row of the tests' table.
var (
	exprOperators map[string]*exprOperator
	exprForms     map[string]exprForm
)

func init() { // not initial values: operators that nest refer to the tables
	exprOperators = map[string]*exprOperator{}
	for _, group := range []map[string]*exprOperator{
		comparisonOperators(), arithmeticOperators(), stringOperators(), arrayOperators(), setOperators(), typeOperators(), dateOperators(),
	} {
		for name, op := range group {
			exprOperators[name] = op
		}
	}
	exprForms = map[string]exprForm{
		"$literal": func(_ *exprCompiler, v Value, _ *place) (expression, error) { return constantExpression{v}, nil },
		"$switch":  compileSwitch,
		"$let":     compileLet,
		"$map":     compileMap,
		"$filter":  compileFilterArray,
		"$reduce":  compileReduce,
	}
}

// comparison compares values of all types (manual: "Comparison/Sort Order"), the missing value below null.
func comparison(holds func(c int) bool) *exprOperator {
	return &exprOperator{min: 2, max: 2, eval: func(e *evaluation, args []Value) (Value, error) {
		c, err := e.compare(args[0], args[1])
		return boolValue(holds(c)), err
	}}
}

func comparisonOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$eq":  comparison(func(c int) bool { return c == 0 }),
		"$ne":  comparison(func(c int) bool { return c != 0 }),
		"$gt":  comparison(func(c int) bool { return c > 0 }),
		"$gte": comparison(func(c int) bool { return c >= 0 }),
		"$lt":  comparison(func(c int) bool { return c < 0 }),
		"$lte": comparison(func(c int) bool { return c <= 0 }),
		"$cmp": {min: 2, max: 2, eval: func(e *evaluation, args []Value) (Value, error) {
			c, err := e.compare(args[0], args[1])
			return compared[1+c], err
		}},
		"$and": {min: 0, max: -1, lazy: allTrue(true)},
		"$or":  {min: 0, max: -1, lazy: allTrue(false)},
		"$not": {min: 1, max: 1, eval: func(_ *evaluation, args []Value) (Value, error) { return boolValue(!truth(args[0])), nil }},
		// $cond: [if, then, else]; only the branch that is taken is computed.
		"$cond":   {min: 3, max: 3, names: []string{"if", "then", "else"}, required: 3, lazy: evalCond},
		"$ifNull": {min: 2, max: -1, lazy: evalIfNull},
	}
}

// compared are the results of $cmp: they are made once, so that comparing allocates nothing.
var compared = [...]Value{int32Value(-1), int32Value(0), int32Value(1)}

// allTrue is $and, or with want false $or: it stops at the first condition that decides.
func allTrue(want bool) func(*evaluation, []expression) (Value, error) {
	return func(e *evaluation, args []expression) (Value, error) {
		for _, x := range args {
			v, err := x.eval(e)
			if err != nil || truth(v) != want {
				return boolValue(!want), err
			}
		}
		return boolValue(want), nil
	}
}

func evalCond(e *evaluation, args []expression) (Value, error) {
	condition, err := args[0].eval(e)
	switch {
	case err != nil:
		return Value{}, err
	case truth(condition):
		return args[1].eval(e)
	}
	return args[2].eval(e)
}

// evalIfNull is the first argument that is not null or missing, else the last.
func evalIfNull(e *evaluation, args []expression) (v Value, err error) {
	for _, x := range args {
		if v, err = x.eval(e); err != nil || !nullish(v) {
			break
		}
	}
	return v, err
}

func always(float64) bool { return true }

func arithmeticOperators() map[string]*exprOperator {
	positive := func(f float64) bool { return f > 0 }
	return map[string]*exprOperator{
		"$add":      {min: 0, max: -1, eval: evalAdd},
		"$subtract": {min: 2, max: 2, eval: evalSubtract},
		"$multiply": {min: 0, max: -1, eval: evalMultiply},
		"$divide":   {min: 2, max: 2, eval: two(quotient)},
		"$mod":      {min: 2, max: 2, eval: two(remainder)},
		"$pow":      {min: 2, max: 2, eval: two(power)},
		"$log":      {min: 2, max: 2, eval: two(logarithm)},
		"$abs":      {min: 1, max: 1, eval: absolute},
		"$ceil":     {min: 1, max: 1, eval: roundOperator(roundCeil)},
		"$floor":    {min: 1, max: 1, eval: roundOperator(roundFloor)},
		"$round":    {min: 1, max: 2, eval: roundOperator(roundHalf)},
		"$trunc":    {min: 1, max: 2, eval: roundOperator(roundTrunc)},
		"$sqrt":     {min: 1, max: 1, eval: function(math.Sqrt, func(f float64) bool { return f >= 0 })},
		"$exp":      {min: 1, max: 1, eval: function(math.Exp, always)},
		"$ln":       {min: 1, max: 1, eval: function(math.Log, positive)},
		"$log10":    {min: 1, max: 1, eval: function(math.Log10, positive)},
	}
}

// evalAdd adds numbers, and to one date at most numbers of milliseconds.
func evalAdd(e *evaluation, args []Value) (Value, error) {
	total := number{kind: KindInt32}
	var date Value
	for _, v := range args {
		switch {
		case nullish(v):
			return valueNull, nil
		case v.Kind() == KindDate && !date.Exists():
			date = v
			continue
		case !v.IsNumber():
			return Value{}, errExpression
		}
		n := numberOf(v)
		err := e.arithmetic(total, n)
		if err == nil {
			total, err = sum(total, n)
		}
		if err != nil {
			return Value{}, err
		}
	}
	if date.Exists() {
		return shiftDate(date, total, 1)
	}
	return numberValue(total), nil
}

// shiftDate moves a date by a number of milliseconds, rounded to a whole one.
func shiftDate(date Value, by number, sign int64) (Value, error) {
	rounded, err := roundNumber(by, 0, roundHalf)
	if err != nil {
		return Value{}, err
	}
	ms, _, ok := wholeNumber(numberValue(rounded))
	const most = 1 << 62
	if !ok || ms > most || ms < -most || date.Int64() > most || date.Int64() < -most {
		return Value{}, errExpression
	}
	return dateValue(date.Int64() + sign*ms), nil
}

// evalSubtract subtracts numbers, milliseconds from a date, or dates, which gives milliseconds.
func evalSubtract(e *evaluation, args []Value) (Value, error) {
	a, b := args[0], args[1]
	switch {
	case nullish(a) || nullish(b):
		return valueNull, nil
	case a.Kind() == KindDate && b.Kind() == KindDate:
		made, err := difference(number{kind: KindInt64, integer: a.Int64()}, number{kind: KindInt64, integer: b.Int64()})
		return numberValue(made), err
	case a.Kind() == KindDate && b.IsNumber():
		return shiftDate(a, numberOf(b), -1)
	}
	return two(difference)(e, args)
}

func evalMultiply(e *evaluation, args []Value) (Value, error) {
	total := number{kind: KindInt32, integer: 1}
	for _, v := range args {
		switch {
		case nullish(v):
			return valueNull, nil
		case !v.IsNumber():
			return Value{}, errExpression
		}
		n := numberOf(v)
		err := e.arithmetic(total, n)
		if err == nil {
			total, err = product(total, n)
		}
		if err != nil {
			return Value{}, err
		}
	}
	return numberValue(total), nil
}

// compileSwitch compiles $switch: the first branch whose case is true, else the default; without one the document does
// not match.
func compileSwitch(c *exprCompiler, v Value, at *place) (expression, error) {
	if v.Kind() != KindObject || v.Field("branches").Kind() != KindArray || v.Field("branches").Len() == 0 {
		return nil, at.invalid(`$switch needs {"branches":[{"case":...,"then":...}],"default":...} with one branch at least`)
	}
	x := &switchExpression{}
	for f := v.First(); f.Exists(); f = f.Next() {
		var err error
		switch name := string(f.Name()); name {
		case "branches":
			err = c.branches(x, f, at.field(name))
		case "default":
			x.otherwise, err = c.expression(f, at.field(name))
		default:
			err = at.field(name).invalid("$switch does not know %q; it knows branches and default", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.folded(x)
}

func (c *exprCompiler) branches(x *switchExpression, list Value, at *place) error {
	i := 0
	for branch := list.First(); branch.Exists(); branch = branch.Next() {
		args, err := c.named([]string{"case", "then"}, 2, branch, at.element(i))
		if err != nil {
			return err
		}
		x.cases, x.then = append(x.cases, args[0]), append(x.then, args[1])
		i++
	}
	return nil
}

type switchExpression struct {
	cases, then []expression
	otherwise   expression // nil: none
}

func (x *switchExpression) constant() bool {
	return allConstant(x.cases) && allConstant(x.then) && (x.otherwise == nil || x.otherwise.constant())
}

func (x *switchExpression) eval(e *evaluation) (Value, error) {
	for i, condition := range x.cases {
		v, err := condition.eval(e)
		switch {
		case err != nil:
			return Value{}, err
		case truth(v):
			return x.then[i].eval(e)
		}
	}
	if x.otherwise == nil {
		return Value{}, errExpression
	}
	return x.otherwise.eval(e)
}

func (x *switchExpression) appendNormal(dst []byte) []byte {
	dst = append(dst, `{"$switch":{"branches":[`...)
	for i := range x.cases {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendNormalNamed(dst, []string{"case", "then"}, []expression{x.cases[i], x.then[i]})
	}
	dst = append(dst, ']')
	if x.otherwise != nil {
		dst = x.otherwise.appendNormal(append(dst, `,"default":`...))
	}
	return append(dst, "}}"...)
}
