package matcher

import (
	"math"
	"math/big"
	"sync"
)

// The functions of real numbers that have no exact result: $exp, $ln, $pow, $sin and so on. The standard library's differ
// from processor to processor in their last bit (they have assembly for some, and fused multiplication on others), and
// replicas must decide alike. So these are computed with whole numbers, to many more bits than a result keeps, and rounded
// once: to the nearest double, or to the 34 digits of a decimal. They take microseconds (realSteps).

// realBits is the precision that functions work with: a decimal of 34 digits takes 113 bits, a double 53.
const realBits = 288

// realSteps is what one function counts as steps of an evaluation.
const realSteps = 1000

// realNumber is a real number, an infinity or NaN.
type realNumber struct {
	special float64    // an infinity or NaN
	value   *big.Float // nil if special
}

func newReal() *big.Float              { return new(big.Float).SetPrec(realBits) }
func realInt(i int64) *big.Float       { return newReal().SetInt64(i) }
func special(f float64) realNumber     { return realNumber{special: f} }
func finite(f *big.Float) realNumber   { return realNumber{value: f} }
func (x realNumber) isNaN() bool       { return x.value == nil && math.IsNaN(x.special) }
func (x realNumber) isZero() bool      { return x.value != nil && x.value.Sign() == 0 }
func (x realNumber) exponent() int     { return x.value.MantExp(nil) }
func (x realNumber) isInfinite() bool  { return x.value == nil && math.IsInf(x.special, 0) }
func (x realNumber) isNegative() bool  { return x.value != nil && x.value.Signbit() || x.special < 0 }
func negated(x *big.Float) *big.Float  { return newReal().Neg(x) }
func added(x, y *big.Float) *big.Float { return newReal().Add(x, y) }
func minus(x, y *big.Float) *big.Float { return newReal().Sub(x, y) }
func times(x, y *big.Float) *big.Float { return newReal().Mul(x, y) }
func over(x, y *big.Float) *big.Float  { return newReal().Quo(x, y) }
func root(x *big.Float) *big.Float     { return newReal().Sqrt(x) }
func half(x *big.Float) *big.Float     { return newReal().SetMantExp(x, -1) }

func realOf(f float64) realNumber {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return special(f)
	}
	return finite(newReal().SetFloat64(f))
}

func realOfDecimal(d decimal) realNumber {
	if d.class != decimalFinite {
		return special(d.float64Class())
	}
	f, _, err := big.ParseFloat(string(d.appendText(nil)), 10, realBits, big.ToNearestEven)
	if err != nil {
		return special(math.NaN()) // not reached: a decimal's text is a number
	}
	return finite(f)
}

// double rounds to the nearest double. What lies within the error of the middle between two is taken for it.
func (x realNumber) double() float64 {
	if x.value == nil {
		return x.special
	}
	f, _ := new(big.Float).SetPrec(realBits - 64).Set(x.value).Float64()
	return f
}

// decimal rounds to 34 digits; zeros at the end are left out.
func (x realNumber) decimal() decimal {
	const digits = maxDecimalDigits + 20
	switch {
	case x.value == nil:
		return decimalOfFloat(x.special)
	case x.value.Sign() == 0:
		return decimal{negative: x.value.Signbit()}
	}
	text := x.value.Text('e', digits-1)
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	exponent, _ := parseInteger([]byte(trimPlus(text[digits+2:])))
	coefficient, _ := new(big.Int).SetString(text[:1]+text[2:digits+1], 10)
	d, err := roundDecimal(coefficient, int(exponent)-digits+1, negative)
	if err != nil || d.class != decimalFinite {
		return d
	}
	for shorter := d; shorter.exponent < maxDecimalExponent && !shorter.isZero() && shorter.unshift() == 0; d = shorter {
		shorter.exponent++
	}
	return d
}

func trimPlus(text string) string {
	if text[0] == '+' {
		return text[1:]
	}
	return text
}

// Constants, computed once.
var (
	realLn2 = sync.OnceValue(func() *big.Float { return newReal().SetMantExp(atanhSeries(over(realInt(1), realInt(3))), 1) })
	realPi  = sync.OnceValue(func() *big.Float { return newReal().Set(widePi()) })
	// widePi is enough to take every double apart into quarters of the circle.
	widePi = sync.OnceValue(func() *big.Float {
		const bits = realBits + 1024 + 64
		wide := func() *big.Float { return new(big.Float).SetPrec(bits) }
		atanOf := func(whole int64) *big.Float { // of 1/whole
			total, power := wide(), wide().Quo(wide().SetInt64(1), wide().SetInt64(whole))
			square := wide().SetInt64(whole * whole)
			for n := int64(1); power.Sign() != 0 && power.MantExp(nil) > -bits; n += 2 {
				term := wide().Quo(power, wide().SetInt64(n))
				if n&2 != 0 {
					term.Neg(term)
				}
				total.Add(total, term)
				power.Quo(power, square)
			}
			return total
		}
		// Machin: pi/4 = 4 atan(1/5) - atan(1/239)
		quarter := wide().Sub(wide().SetMantExp(atanOf(5), 2), atanOf(239))
		return wide().SetMantExp(quarter, 2)
	})
)

// series adds terms until they no longer count; next makes the term after one.
func series(term *big.Float, next func(n int64, term *big.Float) *big.Float) *big.Float {
	total := newReal()
	for n := int64(1); term.Sign() != 0 && (total.Sign() == 0 || term.MantExp(nil) > total.MantExp(nil)-realBits); n++ {
		total.Add(total, term)
		term = next(n, term)
	}
	return total
}

// powerSeries is x + x^3/3 + x^5/5..., with alternate signs if sign is -1, for |x| < 1/4.
func powerSeries(x *big.Float, sign int64) *big.Float {
	square, power := times(x, times(x, realInt(sign))), newReal().Set(x)
	return series(x, func(n int64, _ *big.Float) *big.Float {
		power = times(power, square)
		return over(power, realInt(2*n+1))
	})
}

func atanhSeries(x *big.Float) *big.Float { return powerSeries(x, 1) }

func realExp(x realNumber) realNumber {
	switch {
	case x.isInfinite() && x.isNegative():
		return finite(newReal())
	case x.value == nil:
		return x
	case x.isZero():
		return finite(realInt(1))
	case x.exponent() > 15 && x.isNegative():
		return finite(newReal())
	case x.exponent() > 15:
		return special(math.Inf(1))
	}
	whole, _ := over(x.value, realLn2()).Int64()
	rest := minus(x.value, times(realInt(whole), realLn2()))
	const squares = 8
	rest = newReal().SetMantExp(rest, -squares)
	made := series(realInt(1), func(n int64, term *big.Float) *big.Float { return over(times(term, rest), realInt(n)) })
	for range squares {
		made = times(made, made)
	}
	return finite(newReal().SetMantExp(made, int(whole)))
}

// realLog is the natural logarithm of a number above 0.
func realLog(x realNumber) realNumber {
	if x.value == nil {
		return x
	}
	mantissa := newReal()
	exponent := x.value.MantExp(mantissa)
	if mantissa.Cmp(newReal().SetFloat64(0.7)) < 0 {
		mantissa, exponent = newReal().SetMantExp(mantissa, 1), exponent-1
	}
	one := realInt(1)
	made := atanhSeries(over(minus(mantissa, one), added(mantissa, one)))
	return finite(added(newReal().SetMantExp(made, 1), times(realInt(int64(exponent)), realLn2())))
}

func realQuotient(x, y realNumber) realNumber {
	if x.value == nil || y.value == nil {
		f := func(x realNumber) float64 {
			if x.value == nil {
				return x.special
			}
			return float64(x.value.Sign())
		}
		return realOf(f(x) / f(y))
	}
	return finite(over(x.value, y.value))
}

func realLog10(x realNumber) realNumber { return realQuotient(realLog(x), realLog(realOf(10))) }

// realSqrt is of a number from 0 on.
func realSqrt(x realNumber) realNumber {
	if x.value == nil {
		return x
	}
	return finite(root(x.value))
}

// wholeOf says whether a finite number is whole, and odd.
func wholeOf(x realNumber) (whole, odd bool) {
	if x.value == nil || !x.value.IsInt() {
		return false, false
	}
	i, _ := x.value.Int(nil)
	return true, i.Bit(0) == 1
}

// realPower is x^y as the C library has it for infinities, zeros and NaN.
func realPower(x, y realNumber) realNumber {
	one := realInt(1)
	whole, odd := wholeOf(y)
	switch {
	case y.isZero(), x.value != nil && x.value.Cmp(one) == 0:
		return finite(one)
	case x.isNaN() || y.isNaN(), x.value != nil && x.isNegative() && !x.isZero() && !whole && !y.isInfinite():
		return special(math.NaN())
	}
	var made realNumber // of |x|
	switch grows := x.value == nil || newReal().Abs(x.value).Cmp(one) > 0; {
	case x.value != nil && newReal().Abs(x.value).Cmp(one) == 0:
		made = finite(one)
	case x.isZero() || x.isInfinite() || y.isInfinite():
		if made = special(math.Inf(1)); grows == y.isNegative() {
			made = finite(newReal())
		}
	default:
		made = realExp(finite(times(y.value, realLog(finite(newReal().Abs(x.value))).value)))
	}
	if !x.isNegative() || !odd {
		return made
	}
	if made.value == nil {
		return special(-made.special)
	}
	return finite(negated(made.value))
}

func logarithm(a, base number) (number, error) {
	x, y := realOfNumber(a), realOfNumber(base)
	if !x.isNaN() && !positive(x) || !y.isNaN() && (!positive(y) || y.value != nil && y.value.Cmp(realInt(1)) == 0) {
		return number{}, errExpression
	}
	return realQuotient(realLog(x), realLog(y)).as(wider(a, base)), nil
}

func realOfNumber(n number) realNumber {
	if n.kind == KindDecimal {
		return realOfDecimal(n.decimal)
	}
	return realOf(n.asDouble())
}

// as is the number as a decimal if that is the kind, else a double.
func (x realNumber) as(kind Kind) number {
	if kind == KindDecimal {
		return decimalNumber(x.decimal())
	}
	return double(x.double())
}

// Domains of functions. NaN is in all of them.

func always(realNumber) bool        { return true }
func positive(x realNumber) bool    { return !x.isNegative() && !x.isZero() }
func notNegative(x realNumber) bool { return !x.isNegative() || x.isZero() }
func notInfinite(x realNumber) bool { return !x.isInfinite() && (x.isZero() || x.exponent() <= 1024) }
func fromOne(x realNumber) bool {
	return x.value == nil && x.special > 0 || x.value != nil && x.value.Cmp(realInt(1)) >= 0
}
func withinOne(x realNumber) bool {
	return x.value != nil && newReal().Abs(x.value).Cmp(realInt(1)) <= 0
}

// twoReals is two, for a function of real numbers.
func twoReals(f func(a, b number) (number, error)) func(*evaluation, []Value) (Value, error) {
	compute := two(f)
	return func(e *evaluation, args []Value) (Value, error) {
		if err := e.step(realSteps); err != nil {
			return Value{}, err
		}
		return compute(e, args)
	}
}

// evalPower is [base, exponent]. What is no whole number takes a logarithm and an exponential.
func evalPower(e *evaluation, args []Value) (Value, error) {
	whole := func(v Value) bool { return v.Kind() == KindInt32 || v.Kind() == KindInt64 }
	if args[0].IsNumber() && args[1].IsNumber() {
		easy := whole(args[0]) && whole(args[1])
		if easy {
			_, easy = integerPower(args[0].Int64(), args[1].Int64())
		}
		if !easy {
			if err := e.step(2 * realSteps); err != nil {
				return Value{}, err
			}
		}
	}
	return two(power)(e, args)
}

// evalSqrt takes doubles by the processor, whose root is the nearest double everywhere.
func evalSqrt(e *evaluation, args []Value) (Value, error) {
	if args[0].IsNumber() && args[0].Kind() != KindDecimal {
		f := args[0].Float64()
		if f < 0 {
			return Value{}, errExpression
		}
		return doubleValue(math.Sqrt(f)), nil
	}
	return function(realSqrt, notNegative)(e, args)
}

// function makes an operator of a function of one number: a decimal's is a decimal, every other's a double.
func function(f func(realNumber) realNumber, domain func(realNumber) bool) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		n, null, err := numbersOf(args[:1])
		if err != nil || null {
			return valueNull, err
		}
		if err := e.step(realSteps); err != nil {
			return Value{}, err
		}
		x := realOfNumber(n[0])
		switch {
		case x.isNaN():
			return numberValue(x.as(n[0].kind)), nil
		case !domain(x):
			return Value{}, errExpression
		}
		return numberValue(f(x).as(n[0].kind)), nil
	}
}
