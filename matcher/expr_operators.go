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
		comparisonOperators(), arithmeticOperators(), trigonometryOperators(), bitwiseOperators(), stringOperators(), regexOperators(),
		arrayOperators(), numberOfOperators(), objectOperators(), setOperators(), typeOperators(), dateOperators(), datePartOperators(),
	} {
		for name, op := range group {
			exprOperators[name] = op
		}
	}
	exprForms = map[string]exprForm{
		"$literal":   compileLiteral,
		"$const":     compileLiteral,
		"$switch":    compileSwitch,
		"$let":       compileLet,
		"$map":       compileMap,
		"$filter":    compileFilterArray,
		"$reduce":    compileReduce,
		"$zip":       compileZip,
		"$sortArray": compileSortArray,
	}
}

func compileLiteral(_ *exprCompiler, v Value, _ *place) (expression, error) {
	return constantExpression{v}, nil
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

func arithmeticOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$add":      {min: 0, max: -1, eval: evalAdd},
		"$subtract": {min: 2, max: 2, eval: evalSubtract},
		"$multiply": {min: 0, max: -1, eval: evalMultiply},
		"$divide":   {min: 2, max: 2, eval: two(quotient)},
		"$mod":      {min: 2, max: 2, eval: two(remainder)},
		"$pow":      {min: 2, max: 2, eval: evalPower},
		"$log":      {min: 2, max: 2, eval: twoReals(logarithm)},
		"$ln":       {min: 1, max: 1, eval: function(realLog, positive)},
		"$log10":    {min: 1, max: 1, eval: function(realLog10, positive)},
		"$exp":      {min: 1, max: 1, eval: function(realExp, always)},
		"$sqrt":     {min: 1, max: 1, eval: evalSqrt},
		"$abs":      {min: 1, max: 1, eval: absolute},
		"$ceil":     {min: 1, max: 1, eval: roundOperator(roundCeil)},
		"$floor":    {min: 1, max: 1, eval: roundOperator(roundFloor)},
		"$round":    {min: 1, max: 2, eval: roundOperator(roundHalf)},
		"$trunc":    {min: 1, max: 2, eval: roundOperator(roundTrunc)},
	}
}

// evalAdd adds numbers, and to one date at most numbers of milliseconds: the sum of those before it, then one by one.
func evalAdd(e *evaluation, args []Value) (Value, error) {
	total := number{kind: KindInt32}
	var date Value
	for _, v := range args {
		n := numberOf(v)
		switch {
		case nullish(v):
			return valueNull, nil
		case v.Kind() == KindDate && !date.Exists():
			date, n = v, total
		case !v.IsNumber():
			return Value{}, errExpression
		}
		if err := e.arithmetic(total, n); err != nil {
			return Value{}, err
		}
		if !date.Exists() {
			total = sum(total, n)
			continue
		}
		var err error
		if date, err = shiftDate(date, n, 1); err != nil {
			return Value{}, err
		}
	}
	if date.Exists() {
		return date, nil
	}
	return numberValue(total), nil
}

// shiftDate moves a date by a number of milliseconds, rounded to a whole one: of a double half away from zero, of a decimal
// half to even.
func shiftDate(date Value, by number, sign int64) (Value, error) {
	if by.kind == KindDouble {
		by.double = math.Round(by.double)
	}
	rounded, err := roundNumber(by, 0, roundHalf)
	if err != nil {
		return Value{}, err
	}
	ms, _, ok := wholeNumber(numberValue(rounded))
	if !ok || ms == math.MinInt64 {
		return Value{}, errExpression
	}
	at, ms := date.Int64(), sign*ms
	if addOverflows(at, ms, at+ms) {
		return Value{}, errExpression
	}
	return dateValue(at + ms), nil
}

// evalSubtract subtracts numbers, milliseconds from a date, or dates, which gives milliseconds.
func evalSubtract(e *evaluation, args []Value) (Value, error) {
	a, b := args[0], args[1]
	switch {
	case nullish(a) || nullish(b):
		return valueNull, nil
	case a.Kind() == KindDate && b.Kind() == KindDate:
		made, err := difference(number{kind: KindInt64, integer: a.Int64()}, number{kind: KindInt64, integer: b.Int64()})
		if err != nil || made.kind == KindDouble {
			return Value{}, errExpression
		}
		return numberValue(made), nil
	case a.Kind() == KindDate && b.IsNumber():
		return shiftDate(a, numberOf(b), -1)
	}
	return two(difference)(e, args)
}

func evalMultiply(e *evaluation, args []Value) (Value, error) {
	product := productState{kind: KindInt32, integer: 1, double: 1}
	for _, v := range args {
		switch {
		case nullish(v):
			return valueNull, nil
		case !v.IsNumber():
			return Value{}, errExpression
		}
		n := numberOf(v)
		err := e.arithmetic(number{kind: product.kind, decimal: product.decimal}, n)
		if err == nil {
			err = product.times(n)
		}
		if err != nil {
			return Value{}, err
		}
	}
	return numberValue(product.result()), nil
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
	return c.folded(x), nil
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
