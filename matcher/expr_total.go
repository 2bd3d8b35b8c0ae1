package matcher

import (
	"math"
	"math/big"
	"slices"
)

// Operators that look at many values: their arguments, or the elements of a single one that is an array (manual:
// "Accumulators" as expressions).

func numberOfOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$min":        {min: 1, max: -1, eval: extreme(-1)},
		"$max":        {min: 1, max: -1, eval: extreme(1)},
		"$sum":        {min: 1, max: -1, eval: evalSum},
		"$avg":        {min: 1, max: -1, eval: evalAvg},
		"$stdDevPop":  {min: 1, max: -1, eval: deviation(0)},
		"$stdDevSamp": {min: 1, max: -1, eval: deviation(1)},

		"$firstN": {names: []string{"n", "input"}, required: 2, eval: someOf(func(_ *evaluation, list []Value, n int) []Value { return list[:n] })},
		"$lastN":  {names: []string{"n", "input"}, required: 2, eval: someOf(func(_ *evaluation, list []Value, n int) []Value { return list[len(list)-n:] })},
		"$minN":   {names: []string{"n", "input"}, required: 2, eval: extremesOf(1)},
		"$maxN":   {names: []string{"n", "input"}, required: 2, eval: extremesOf(-1)},
	}
}

// someOf is n elements of an array, or all if there are not as many. Neither may be null.
func someOf(choose func(e *evaluation, list []Value, n int) []Value) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		n, err := wholeArgument(args[0])
		if err != nil || n < 1 || args[1].Kind() != KindArray {
			return Value{}, errExpression
		}
		list, err := elementsOf(e, args[1])
		if err != nil {
			return Value{}, err
		}
		return arrayOf(e, choose(e, list, int(min(n, int64(len(list))))))
	}
}

// extremesOf is the n least values in order, or with sign -1 the n greatest. Null and missing do not count.
func extremesOf(sign int) func(*evaluation, []Value) (Value, error) {
	choose := someOf(func(e *evaluation, list []Value, n int) []Value {
		list = slices.DeleteFunc(list, nullish)
		slices.SortStableFunc(list, func(a, b Value) int { return sign * e.order(a, b) })
		return list[:min(n, len(list))]
	})
	return func(e *evaluation, args []Value) (Value, error) {
		if err := e.step(sortWeight(args[1].Len(), weight(args[1]))); err != nil {
			return Value{}, err
		}
		return choose(e, args)
	}
}

// many is what $min, $max, $sum and $avg look at: their arguments, or the elements of a single one that is an array.
func many(e *evaluation, args []Value) ([]Value, error) {
	if len(args) == 1 && args[0].Kind() == KindArray {
		return elementsOf(e, args[0])
	}
	return args, nil
}

// extreme is $min or $max: null and missing do not count; null if nothing does.
func extreme(sign int) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		list, err := many(e, args)
		best := valueNull
		for _, v := range list {
			if err == nil {
				err = e.walked(v)
			}
			if err != nil {
				return Value{}, err
			}
			if !nullish(v) && (best.IsNull() || e.order(v, best)*sign > 0) {
				best = v
			}
		}
		return best, err
	}
}

// totalState sums numbers so that their order does not show: integers exactly, doubles with what each sum rounds off,
// decimals apart from both.
type totalState struct {
	kind      Kind
	count     int64
	integers  big.Int
	high, low float64
	decimal   decimal
}

// total is the sum of the numbers among what many gives.
func total(e *evaluation, args []Value) (*totalState, error) {
	list, err := many(e, args)
	t := &totalState{kind: KindInt32}
	if err == nil {
		err = e.step(len(list))
	}
	for _, v := range list {
		if err != nil {
			return nil, err
		}
		if !v.IsNumber() {
			continue
		}
		n := numberOf(v)
		t.count++
		t.kind = wider(number{kind: t.kind}, n)
		switch n.kind {
		case KindDouble:
			t.add(n.double)
		case KindDecimal:
			err = e.arithmetic(decimalNumber(t.decimal), n)
			t.decimal = sumDecimals(t.decimal, n.decimal)
		default:
			t.integers.Add(&t.integers, big.NewInt(n.integer))
		}
	}
	return t, err
}

func (t *totalState) add(f float64) {
	to := t.high + f
	back := to - t.high
	t.low += (t.high - (to - back)) + (f - back)
	t.high = to
}

// float is the sum of integers and doubles as two doubles, the second of which is what the first rounds off.
func (t *totalState) float() (high, low float64) {
	whole := *t
	nearest, _ := new(big.Float).SetInt(&t.integers).Float64()
	whole.add(nearest)
	rest, _ := new(big.Float).SetFloat64(nearest).Int(nil)
	off, _ := new(big.Float).SetInt(rest.Sub(&t.integers, rest)).Float64()
	whole.add(off)
	if math.IsInf(whole.high, 0) || math.IsNaN(whole.high) {
		return whole.high, 0
	}
	return whole.high, whole.low
}

func (t *totalState) result() number {
	switch {
	case t.kind == KindDecimal:
		high, low := t.float()
		return decimalNumber(sumDecimals(t.decimal, sumDecimals(decimalOfDouble(high), decimalOfDouble(low))))
	case t.kind != KindDouble && t.integers.IsInt64():
		return integerNumber(t.kind, t.integers.Int64())
	}
	high, low := t.float()
	return double(high + low)
}

func evalSum(e *evaluation, args []Value) (Value, error) {
	t, err := total(e, args)
	if err != nil {
		return Value{}, err
	}
	return numberValue(t.result()), nil
}

func evalAvg(e *evaluation, args []Value) (Value, error) {
	t, err := total(e, args)
	if err != nil || t.count == 0 {
		return valueNull, err
	}
	if t.kind == KindDecimal {
		made, err := quotient(t.result(), number{kind: KindInt64, integer: t.count})
		return numberValue(made), err
	}
	high, low := t.float()
	return doubleValue((high + low) / float64(t.count)), nil
}

// deviation is $stdDevPop, or of a sample $stdDevSamp: null where there are too few numbers. The conversions keep a
// processor from fusing multiplication and addition, which would round otherwise.
func deviation(sample int64) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		list, err := many(e, args)
		if err == nil {
			err = e.step(len(list))
		}
		var count int64
		var mean, squares float64
		for _, v := range list {
			if !v.IsNumber() {
				continue
			}
			count++
			f := v.Float64()
			if off := f - mean; off != 0 {
				mean += float64(off / float64(count))
				squares += float64(off * (f - mean))
			}
		}
		if err != nil || count <= sample {
			return valueNull, err
		}
		return doubleValue(math.Sqrt(squares / float64(count-sample))), nil
	}
}
