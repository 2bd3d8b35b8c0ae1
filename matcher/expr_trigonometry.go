package matcher

import (
	"math"
	"math/big"
)

// Operators of trigonometry (manual: "Trigonometry Expression Operators"), in radians.

func trigonometryOperators() map[string]*exprOperator {
	of := func(f func(realNumber) realNumber, domain func(realNumber) bool) *exprOperator {
		return &exprOperator{min: 1, max: 1, eval: function(f, domain)}
	}
	return map[string]*exprOperator{
		"$sin":   of(realSin, notInfinite),
		"$cos":   of(realCos, notInfinite),
		"$tan":   of(realTan, notInfinite),
		"$asin":  of(realAsin, withinOne),
		"$acos":  of(realAcos, withinOne),
		"$atan":  of(realAtan, always),
		"$sinh":  of(realSinh, always),
		"$cosh":  of(realCosh, always),
		"$tanh":  of(realTanh, always),
		"$asinh": of(realAsinh, always),
		"$acosh": of(realAcosh, fromOne),
		"$atanh": of(realAtanh, withinOne),
		"$atan2": {min: 2, max: 2, eval: twoReals(func(y, x number) (number, error) {
			return realAtan2(realOfNumber(y), realOfNumber(x)).as(wider(y, x)), nil
		})},
		"$degreesToRadians": {min: 1, max: 1, eval: scaledBy(math.Pi/180, "0.01745329251994329576923690768488613")},
		"$radiansToDegrees": {min: 1, max: 1, eval: scaledBy(180/math.Pi, "57.29577951308232087679815481410517")},
	}
}

// scaledBy multiplies by a factor, which a decimal knows to more digits.
func scaledBy(factor float64, text string) func(*evaluation, []Value) (Value, error) {
	exact, ok := parseDecimal([]byte(text))
	if !ok {
		panic("matcher: the factor " + text + " is no decimal")
	}
	return func(_ *evaluation, args []Value) (Value, error) {
		n, null, err := numbersOf(args)
		if err != nil || null {
			return valueNull, err
		}
		if n[0].kind == KindDecimal {
			d, err := decimalProduct(n[0].decimal, exact)
			return numberValue(decimalNumber(d)), err
		}
		return doubleValue(n[0].asDouble() * factor), nil
	}
}

// quartersOf takes x apart into quarters of the circle and what is left, which lies between -pi/4 and pi/4.
func quartersOf(x *big.Float) (quarters int64, rest *big.Float) {
	wide := func() *big.Float { return new(big.Float).SetPrec(widePi().Prec()) }
	quarter := wide().SetMantExp(widePi(), -1)
	n := wide().Quo(wide().Set(x), quarter)
	n.Add(n, wide().SetFloat64(math.Copysign(0.5, float64(x.Sign()))))
	whole, _ := n.Int(nil)
	rest = newReal().Set(wide().Sub(wide().Set(x), wide().Mul(quarter, wide().SetInt(whole))))
	return int64(new(big.Int).And(whole, big.NewInt(3)).Uint64()), rest
}

// taylor is the sum of term, term*x^2/((from+1)(from+2))... with the sign of the square.
func taylor(term, square *big.Float, from int64) *big.Float {
	return series(term, func(n int64, term *big.Float) *big.Float {
		k := from + 2*n
		return over(times(term, square), realInt((k-1)*k))
	})
}

// sine is the sine of x plus a number of quarters.
func sine(x *big.Float, more int64) *big.Float {
	quarters, rest := quartersOf(x)
	square := negated(times(rest, rest))
	var made *big.Float
	if quarters += more; quarters&1 == 0 {
		made = taylor(rest, square, 1)
	} else {
		made = taylor(realInt(1), square, 0)
	}
	if quarters&2 != 0 {
		made.Neg(made)
	}
	return made
}

func realSin(x realNumber) realNumber {
	if x.isZero() {
		return x
	}
	return finite(sine(x.value, 0))
}

func realCos(x realNumber) realNumber { return finite(sine(x.value, 1)) }

func realTan(x realNumber) realNumber {
	if x.isZero() {
		return x
	}
	return finite(over(sine(x.value, 0), sine(x.value, 1)))
}

func atan(x *big.Float) *big.Float {
	one := realInt(1)
	switch {
	case x.Sign() == 0:
		return x
	case newReal().Abs(x).Cmp(one) > 0:
		quarter := half(realPi())
		if x.Sign() < 0 {
			quarter.Neg(quarter)
		}
		return minus(quarter, atan(over(one, x)))
	}
	const halvings = 3
	for range halvings {
		x = over(x, added(one, root(added(one, times(x, x)))))
	}
	return newReal().SetMantExp(powerSeries(x, -1), halvings)
}

func realAtan(x realNumber) realNumber {
	if x.value == nil {
		return finite(signed(half(realPi()), x.isNegative()))
	}
	return finite(atan(x.value))
}

func signed(x *big.Float, negative bool) *big.Float {
	if negative {
		return negated(x)
	}
	return x
}

// realAtan2 is the angle of the point (x, y), as the C library has it for infinities, zeros and NaN.
func realAtan2(y, x realNumber) realNumber {
	eighths := int64(-1) // of the circle, where that is all
	switch {
	case x.isNaN() || y.isNaN():
		return special(math.NaN())
	case x.isInfinite() && y.isInfinite():
		eighths = 1
	case y.isZero() || x.isInfinite():
		eighths = 0
	case x.isZero() || y.isInfinite():
		return finite(signed(half(realPi()), y.isNegative()))
	}
	var angle *big.Float
	if eighths < 0 {
		angle = atan(newReal().Abs(over(y.value, x.value)))
	} else {
		angle = times(realPi(), over(realInt(eighths), realInt(4)))
	}
	if x.isNegative() {
		angle = minus(realPi(), angle)
	}
	return finite(signed(angle, y.isNegative()))
}

func realAsin(x realNumber) realNumber {
	one := realInt(1)
	rest := root(times(minus(one, x.value), added(one, x.value)))
	if rest.Sign() == 0 {
		return finite(signed(half(realPi()), x.isNegative()))
	}
	return finite(atan(over(x.value, rest)))
}

func realAcos(x realNumber) realNumber {
	one := realInt(1)
	under := added(one, x.value)
	if under.Sign() == 0 {
		return finite(realPi())
	}
	return finite(newReal().SetMantExp(atan(root(over(minus(one, x.value), under))), 1))
}

// hyperbolic is (e^x + sign e^-x) / 2.
func hyperbolic(x realNumber, sign int64) realNumber {
	small := x.value != nil && x.exponent() <= 0 // |x| < 1, where the difference of both would lose digits
	switch {
	case sign < 0 && x.isZero():
		return x
	case small && sign < 0:
		return finite(taylor(x.value, times(x.value, x.value), 1))
	case x.value == nil && sign > 0:
		return special(math.Abs(x.special))
	case x.value == nil:
		return x
	}
	grows := realExp(finite(newReal().Abs(x.value)))
	if grows.value == nil {
		if x.isNegative() && sign < 0 {
			return special(math.Inf(-1))
		}
		return grows
	}
	made := half(added(grows.value, times(realInt(sign), over(realInt(1), grows.value))))
	return finite(signed(made, sign < 0 && x.isNegative()))
}

func realSinh(x realNumber) realNumber { return hyperbolic(x, -1) }
func realCosh(x realNumber) realNumber { return hyperbolic(x, 1) }

func realTanh(x realNumber) realNumber {
	s, c := realSinh(x), realCosh(x)
	if s.value == nil || c.value == nil {
		return finite(signed(realInt(1), x.isNegative()))
	}
	if x.isZero() {
		return x
	}
	return finite(over(s.value, c.value))
}

func atanh(x *big.Float) *big.Float {
	one := realInt(1)
	if x.Sign() == 0 || x.MantExp(nil) < -2 {
		return atanhSeries(x)
	}
	return half(realLog(finite(over(added(one, x), minus(one, x)))).value)
}

func realAtanh(x realNumber) realNumber {
	switch {
	case x.isZero():
		return x
	case newReal().Abs(x.value).Cmp(realInt(1)) == 0:
		return special(math.Inf(x.value.Sign()))
	}
	return finite(atanh(x.value))
}

func asinh(x *big.Float) *big.Float {
	if x.MantExp(nil) > 8 { // x / sqrt(1+x^2) would come too near to 1
		larger := newReal().Abs(x)
		return signed(realLog(finite(added(larger, root(added(realInt(1), times(x, x)))))).value, x.Sign() < 0)
	}
	return atanh(over(x, root(added(realInt(1), times(x, x)))))
}

func realAsinh(x realNumber) realNumber {
	if x.value == nil || x.isZero() {
		return x
	}
	return finite(asinh(x.value))
}

func realAcosh(x realNumber) realNumber {
	if x.value == nil {
		return x
	}
	below := half(minus(x.value, realInt(1)))
	if below.Sign() == 0 {
		return finite(newReal())
	}
	return finite(newReal().SetMantExp(asinh(root(below)), 1))
}
