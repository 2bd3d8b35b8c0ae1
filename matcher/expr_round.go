package matcher

import (
	"math"
	"math/big"
)

// How a number is rounded to a place.
type rounding uint8

const (
	roundHalf rounding = iota // to the nearest, half to even
	roundTrunc
	roundFloor
	roundCeil
)

func (r rounding) double(f float64) float64 {
	switch r {
	case roundHalf:
		return math.RoundToEven(f)
	case roundTrunc:
		return math.Trunc(f)
	case roundFloor:
		return math.Floor(f)
	}
	return math.Ceil(f)
}

// integer takes the last digits off i.
func (r rounding) integer(i *big.Int, digits int) *big.Int {
	divisor := powerOfTen(digits)
	q, rest := new(big.Int).QuoRem(i, divisor, new(big.Int))
	up := false
	switch r {
	case roundHalf:
		half := new(big.Int).Abs(rest)
		c := half.Lsh(half, 1).Cmp(divisor)
		up = c > 0 || c == 0 && q.Bit(0) == 1
	case roundFloor:
		up = rest.Sign() < 0
	case roundCeil:
		up = rest.Sign() > 0
	}
	if up {
		q.Add(q, big.NewInt(int64(i.Sign())))
	}
	return q
}

// roundNumber rounds to a place: digits after the point, or before it if negative. The kind stays. A double is rounded by
// its exact value: 2.675 lies a little below, and becomes 2.67.
func roundNumber(n number, place int, r rounding) (number, error) {
	switch n.kind {
	case KindDouble:
		if place == 0 || math.IsNaN(n.double) || math.IsInf(n.double, 0) {
			return double(r.double(n.double)), nil
		}
		d, err := roundTo(decimalOfDouble(n.double), place, r)
		return double(d.float64()), err
	case KindDecimal:
		if n.decimal.class != decimalFinite {
			return n, nil
		}
		d, err := roundTo(n.decimal, place, r)
		return decimalNumber(d), err
	}
	if place >= 0 {
		return n, nil
	}
	rounded := r.integer(big.NewInt(n.integer), -place)
	rounded.Mul(rounded, powerOfTen(-place))
	if !rounded.IsInt64() {
		return number{}, errExpression
	}
	return integerNumber(n.kind, rounded.Int64()), nil
}

func roundTo(d decimal, place int, r rounding) (decimal, error) {
	digits := -place - int(d.exponent)
	if digits <= 0 { // nothing to take off; zeros show the place, as far as they fit
		if d.isZero() {
			return d.fitZero(-place), nil
		}
		for n := d.countDigits(); digits < 0 && n < maxDecimalDigits; n++ {
			d.shift(0)
			d.exponent--
			digits++
		}
		return d, nil
	}
	digits = min(digits, maxDecimalDigits+1) // further on, all digits are gone
	rounded := r.integer(d.scaled(d.exponent), digits)
	return roundDecimal(rounded, -place, d.negative)
}

// fitZero is a zero of an exponent.
func (d decimal) fitZero(exponent int) decimal {
	d, _ = d.fit(exponent)
	return d
}

// roundSteps is what rounding to a place counts as steps of an evaluation: it works with all the digits.
const roundSteps = 40

// places bounds the place of $round and $trunc.
const minPlace, maxPlace = -20, 100

func roundOperator(r rounding) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		n, null, err := numbersOf(args[:1])
		if err != nil || null {
			return valueNull, err
		}
		if len(args) > 1 || n[0].kind == KindDecimal {
			if err := e.step(roundSteps); err != nil {
				return Value{}, err
			}
		}
		var place int64
		if len(args) > 1 {
			if nullish(args[1]) {
				return valueNull, nil
			}
			exact, ok := false, false
			if place, exact, ok = wholeNumber(args[1]); !ok || !exact || place < minPlace || place > maxPlace {
				return Value{}, errExpression
			}
		}
		made, err := roundNumber(n[0], int(place), r)
		if err != nil {
			return Value{}, err
		}
		return numberValue(made), nil
	}
}
