package matcher

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Arithmetic of expressions (manual: "Arithmetic Expression Operators"). Numbers keep the widest kind of their operands;
// an int that overflows becomes a long, a long that overflows a double. Null or missing operands make null.

// numbersOf reads operands. null is true if one of them is null or missing.
func numbersOf(args []Value) (numbers [2]number, null bool, err error) {
	for i, v := range args {
		switch {
		case nullish(v):
			null = true
		case !v.IsNumber():
			return numbers, false, errExpression
		default:
			numbers[i] = numberOf(v)
		}
	}
	return numbers, null, nil
}

// wider is the kind of a result of both: 0 for integers.
func wider(a, b number) Kind {
	switch {
	case a.kind == KindDecimal || b.kind == KindDecimal:
		return KindDecimal
	case a.kind == KindDouble || b.kind == KindDouble:
		return KindDouble
	case a.kind == KindInt32 && b.kind == KindInt32:
		return KindInt32
	}
	return KindInt64
}

// integerNumber is an integer of the kind, or where it does not fit the next wider one.
func integerNumber(kind Kind, i *big.Int) number {
	switch {
	case !i.IsInt64():
		f, _ := new(big.Float).SetInt(i).Float64()
		return number{kind: KindDouble, double: f}
	case kind == KindInt32 && i.Int64() == int64(int32(i.Int64())):
		return number{kind: KindInt32, integer: i.Int64()}
	}
	return number{kind: KindInt64, integer: i.Int64()}
}

func double(f float64) number { return number{kind: KindDouble, double: f} }

// operate computes with integers, doubles or decimals, whichever hold both operands.
func operate(a, b number, integers func(x, y *big.Int) *big.Int, doubles func(x, y float64) float64,
	decimals func(x, y decimal) (decimal, error)) (number, error) {
	switch kind := wider(a, b); kind {
	case KindDecimal:
		d, err := decimals(a.asDecimal(), b.asDecimal())
		return number{kind: KindDecimal, decimal: d}, err
	case KindDouble:
		return double(doubles(a.asDouble(), b.asDouble())), nil
	default:
		return integerNumber(kind, integers(big.NewInt(a.integer), big.NewInt(b.integer))), nil
	}
}

func sum(a, b number) (number, error) {
	return operate(a, b, func(x, y *big.Int) *big.Int { return x.Add(x, y) },
		func(x, y float64) float64 { return x + y }, addDecimals)
}

func difference(a, b number) (number, error) {
	return operate(a, b, func(x, y *big.Int) *big.Int { return x.Sub(x, y) },
		func(x, y float64) float64 { return x - y },
		func(x, y decimal) (decimal, error) {
			y.negative = !y.negative
			return addDecimals(x, y)
		})
}

func product(a, b number) (number, error) {
	return operate(a, b, func(x, y *big.Int) *big.Int { return x.Mul(x, y) },
		func(x, y float64) float64 { return x * y }, decimalProduct)
}

func quotient(a, b number) (number, error) {
	if b.isZero() {
		return number{}, errExpression
	}
	if wider(a, b) == KindDecimal {
		d, err := decimalQuotient(a.asDecimal(), b.asDecimal())
		return number{kind: KindDecimal, decimal: d}, err
	}
	return double(a.asDouble() / b.asDouble()), nil
}

// remainder has the sign of the dividend.
func remainder(a, b number) (number, error) {
	if b.isZero() {
		return number{}, errExpression
	}
	return operate(a, b, func(x, y *big.Int) *big.Int { return x.Rem(x, y) }, math.Mod, decimalRemainder)
}

func (n number) isZero() bool {
	switch n.kind {
	case KindDecimal:
		return n.decimal.isZero()
	case KindDouble:
		return n.double == 0
	}
	return n.integer == 0
}

func (n number) isNaN() bool {
	return n.kind == KindDouble && math.IsNaN(n.double) || n.kind == KindDecimal && n.decimal.class == decimalNaN
}

// roundDecimal is the decimal nearest to sign * coefficient * 10^exponent: 34 digits, half to even.
func roundDecimal(coefficient *big.Int, exponent int, negative bool) (decimal, error) {
	coefficient = new(big.Int).Abs(coefficient)
	if over := len(coefficient.Text(10)) - maxDecimalDigits; over > 0 {
		coefficient = roundHalfEven(coefficient, over)
		exponent += over
	}
	if low := minDecimalExponent - exponent; low > 0 {
		coefficient = roundHalfEven(coefficient, min(low, maxDecimalDigits+2))
		exponent = minDecimalExponent
	}
	d, ok := parseDecimal([]byte(coefficient.Text(10)))
	if !ok {
		return decimal{}, errExpression
	}
	d.negative = negative
	exponent += int(d.exponent)
	d.exponent = 0
	if d, ok = d.fit(exponent); !ok {
		return decimal{class: decimalInfinite, negative: negative}, nil
	}
	return d, nil
}

func decimalProduct(a, b decimal) (decimal, error) {
	if a.class != decimalFinite || b.class != decimalFinite {
		return decimalOfFloat(a.signed() * b.signed()), nil
	}
	x, y := a.scaled(a.exponent), b.scaled(b.exponent)
	return roundDecimal(x.Mul(x, y), int(a.exponent)+int(b.exponent), a.negative != b.negative)
}

// decimalQuotient divides by a number other than 0.
func decimalQuotient(a, b decimal) (decimal, error) {
	if a.class != decimalFinite || b.class != decimalFinite {
		if b.class == decimalInfinite && a.class == decimalFinite {
			return decimal{negative: a.negative != b.negative}, nil
		}
		return decimalOfFloat(a.signed() / b.signed()), nil
	}
	const more = 2*maxDecimalDigits + 2 // digits enough for 34 and one that tells what was cut off
	x, y := a.scaled(a.exponent), b.scaled(b.exponent)
	exponent := int(a.exponent) - int(b.exponent)
	exact, rest := new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign() != 0 {
		exponent -= more
		exact.QuoRem(x.Mul(x, powerOfTen(more)), y, rest)
		for ; rest.Sign() == 0; exponent++ { // the quotient is exact: no zeros at its end
			shorter, digit := new(big.Int).QuoRem(exact, big.NewInt(10), new(big.Int))
			if digit.Sign() != 0 {
				break
			}
			exact = shorter
		}
		if rest.Sign() != 0 { // a sticky digit, so that no half is taken for exact
			exact.Abs(exact).Mul(exact, big.NewInt(10)).Add(exact, big.NewInt(1))
			exponent--
		}
	}
	return roundDecimal(exact, exponent, a.negative != b.negative)
}

func decimalRemainder(a, b decimal) (decimal, error) {
	switch {
	case a.class != decimalFinite || b.class == decimalNaN:
		return decimal{class: decimalNaN}, nil
	case b.class == decimalInfinite:
		return a, nil
	}
	exponent := min(a.exponent, b.exponent)
	x, y := a.scaled(exponent), b.scaled(exponent)
	return roundDecimal(x.Rem(x, y), int(exponent), a.negative)
}

// signed is d as a double where only its class and sign count: 1 for a finite number but 0.
func (d decimal) signed() float64 {
	if d.class == decimalFinite {
		return float64(d.sign())
	}
	return d.float64Class()
}

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

// roundNumber rounds to a place: digits after the point, or before it if negative. The kind stays.
func roundNumber(n number, place int, r rounding) (number, error) {
	switch n.kind {
	case KindDouble:
		if place == 0 || math.IsNaN(n.double) || math.IsInf(n.double, 0) {
			return double(r.double(n.double)), nil
		}
		d, err := roundTo(n.asDecimal(), place, r)
		return double(d.float64()), err
	case KindDecimal:
		if n.decimal.class != decimalFinite {
			return n, nil
		}
		d, err := roundTo(n.decimal, place, r)
		return number{kind: KindDecimal, decimal: d}, err
	}
	if place >= 0 {
		return n, nil
	}
	rounded := r.integer(big.NewInt(n.integer), -place)
	rounded.Mul(rounded, powerOfTen(-place))
	if !rounded.IsInt64() {
		return number{}, errExpression
	}
	return integerNumber(n.kind, rounded), nil
}

func roundTo(d decimal, place int, r rounding) (decimal, error) {
	digits := -place - int(d.exponent)
	if digits <= 0 {
		return d, nil
	}
	digits = min(digits, maxDecimalDigits+1) // further on, all digits are gone
	rounded := r.integer(d.scaled(d.exponent), digits)
	return roundDecimal(rounded, -place, d.negative)
}

// power is base^exponent of two numbers. Integers stay integers where the result is one of 64 bits.
func power(base, exponent number) (number, error) {
	if base.isZero() && !exponent.isNaN() && exponent.isNegative() {
		return number{}, errExpression
	}
	switch kind := wider(base, exponent); kind {
	case KindDecimal:
		return inexactDecimal(math.Pow(base.float64(), exponent.float64()))
	case KindDouble:
	default:
		one := base.integer == 1 || base.integer == -1
		if e := exponent.integer; e >= 0 && (e < 64 || one || base.integer == 0) || e < 0 && one {
			if e = max(e, -e); one || base.integer == 0 && e > 1 {
				e = 2 - e&1 // all even exponents are alike, and all odd ones
			}
			if exact := new(big.Int).Exp(big.NewInt(base.integer), big.NewInt(e), nil); exact.IsInt64() {
				return integerNumber(kind, exact), nil
			}
		}
	}
	return double(math.Pow(base.asDouble(), exponent.asDouble())), nil
}

func (n number) isNegative() bool {
	switch n.kind {
	case KindDecimal:
		return n.decimal.class != decimalNaN && n.decimal.negative && !n.decimal.isZero()
	case KindDouble:
		return n.double < 0
	}
	return n.integer < 0
}

func (n number) float64() float64 {
	if n.kind == KindDecimal {
		return n.decimal.float64()
	}
	return n.asDouble()
}

// inexactDecimal is a decimal with the precision of a double: what functions without an exact result give for decimals.
func inexactDecimal(f float64) (number, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return number{kind: KindDecimal, decimal: decimalOfFloat(f)}, nil
	}
	return number{kind: KindDecimal, decimal: double(f).asDecimal()}, nil
}

// function makes an operator of a function of doubles. domain says for which numbers it is defined; NaN always is.
func function(f func(float64) float64, domain func(float64) bool) func(*evaluation, []Value) (Value, error) {
	return func(_ *evaluation, args []Value) (Value, error) {
		n, null, err := numbersOf(args[:1])
		if err != nil || null {
			return valueNull, err
		}
		x := n[0].float64()
		if !math.IsNaN(x) && !domain(x) {
			return Value{}, errExpression
		}
		if n[0].kind == KindDecimal {
			made, err := inexactDecimal(f(x))
			return numberValue(made), err
		}
		return doubleValue(f(x)), nil
	}
}

// two makes an operator of a function of two numbers.
func two(f func(a, b number) (number, error)) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		n, null, err := numbersOf(args[:2])
		if err != nil || null {
			return valueNull, err
		}
		if err := e.arithmetic(n[0], n[1]); err != nil {
			return Value{}, err
		}
		made, err := f(n[0], n[1])
		if err != nil {
			return Value{}, err
		}
		return numberValue(made), nil
	}
}

func logarithm(a, base number) (number, error) {
	x, y := a.float64(), base.float64()
	if x <= 0 || y <= 0 || y == 1 {
		return number{}, errExpression
	}
	result := math.Log(x) / math.Log(y)
	if wider(a, base) == KindDecimal {
		return inexactDecimal(result)
	}
	return double(result), nil
}

func absolute(_ *evaluation, args []Value) (Value, error) {
	n, null, err := numbersOf(args)
	if err != nil || null {
		return valueNull, err
	}
	made := n[0]
	switch made.kind {
	case KindDouble:
		made.double = math.Abs(made.double)
	case KindDecimal:
		made.decimal.negative = false
	default:
		if made.integer == math.MinInt64 {
			return Value{}, errExpression
		}
		made = integerNumber(made.kind, big.NewInt(max(made.integer, -made.integer)))
	}
	return numberValue(made), nil
}

// places bounds the place of $round and $trunc.
const minPlace, maxPlace = -20, 100

func roundOperator(r rounding) func(*evaluation, []Value) (Value, error) {
	return func(_ *evaluation, args []Value) (Value, error) {
		n, null, err := numbersOf(args[:1])
		if err != nil || null {
			return valueNull, err
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

// numberText is the text that $toString and $concat's neighbours make of a number: 2.5, 1, 1e+21, NaN.
func numberText(v Value) []byte {
	switch v.Kind() {
	case KindDouble:
		return []byte(strings.TrimSuffix(string(appendDouble(nil, v.Float64())), ".0"))
	case KindDecimal:
		return v.decimal().appendText(nil)
	}
	return strconv.AppendInt(nil, v.Int64(), 10)
}

// arithmetic counts an operation on two numbers: one on decimals that lie far apart has many digits to handle.
func (e *evaluation) arithmetic(a, b number) error {
	if wider(a, b) != KindDecimal {
		return nil
	}
	apart := int(a.decimal.exponent) - int(b.decimal.exponent)
	return e.step(16 + max(apart, -apart)/8)
}
