package matcher

import (
	"errors"
	"math"
	"math/big"
	"strconv"
)

// number is a number apart from any document, with its kind: an operand or a result of arithmetic.
type number struct {
	kind    Kind
	integer int64
	double  float64
	decimal decimal
}

func numberOf(v Value) number {
	n := number{kind: v.Kind()}
	switch n.kind {
	case KindDouble:
		n.double = v.Float64()
	case KindDecimal:
		n.decimal = v.decimal()
	default:
		n.integer = v.Int64()
	}
	return n
}

// append appends n as Extended JSON, of any form but the plain one.
func (n number) append(dst []byte, form Values) []byte {
	switch n.kind {
	case KindInt32:
		if form == ValuesRelaxed {
			return strconv.AppendInt(dst, n.integer, 10)
		}
		return wrapInteger(dst, "$numberInt", n.integer)
	case KindInt64:
		if form == ValuesCanonical || n.integer > maxPlainInteger || n.integer < -maxPlainInteger {
			return wrapInteger(dst, "$numberLong", n.integer)
		}
		return strconv.AppendInt(dst, n.integer, 10)
	case KindDouble:
		if form != ValuesCanonical && !math.IsNaN(n.double) && !math.IsInf(n.double, 0) {
			return appendDouble(dst, n.double)
		}
		dst = append(dst, `{"$numberDouble":"`...)
		return append(appendDouble(dst, n.double), `"}`...)
	default:
		dst = append(dst, `{"$numberDecimal":"`...)
		return append(n.decimal.appendText(dst), `"}`...)
	}
}

var (
	errInteger64 = errors.New("the sum lies beyond 64 bits")
	errDecimal   = errors.New("the sum lies beyond the range of a decimal")
)

// add is n + o with the kind that MongoDB's $inc gives: the wider of both; an int32 that overflows becomes an int64,
// an int64 that overflows is an error.
func (n number) add(o number) (number, error) {
	switch {
	case n.kind == KindDecimal || o.kind == KindDecimal:
		d, err := addDecimals(n.asDecimal(), o.asDecimal())
		return number{kind: KindDecimal, decimal: d}, err
	case n.kind == KindDouble || o.kind == KindDouble:
		return number{kind: KindDouble, double: n.asDouble() + o.asDouble()}, nil
	}
	sum := n.integer + o.integer
	if (sum > n.integer) != (o.integer > 0) && o.integer != 0 {
		return number{}, errInteger64
	}
	kind := KindInt64
	if n.kind == KindInt32 && o.kind == KindInt32 && sum == int64(int32(sum)) {
		kind = KindInt32
	}
	return number{kind: kind, integer: sum}, nil
}

func (n number) asDouble() float64 {
	if n.kind == KindDouble {
		return n.double
	}
	return float64(n.integer)
}

// asDecimal turns a double into a decimal of 15 digits, as MongoDB does: 0.1 is 0.100000000000000, and so is what a double
// only nearly is 0.1.
func (n number) asDecimal() decimal {
	switch n.kind {
	case KindDecimal:
		return n.decimal
	case KindDouble:
		return decimalOfDigits(n.double, 15)
	}
	return decimalOf(n.integer)
}

// decimalOfDouble is the double's exact value, of which 34 digits are kept.
func decimalOfDouble(f float64) decimal {
	d := decimalOfDigits(f, maxDecimalDigits)
	for d.class == decimalFinite && d.exponent < 0 && !d.isZero() {
		shorter := d
		if shorter.unshift() != 0 {
			break
		}
		shorter.exponent++
		d = shorter
	}
	return d
}

func decimalOfDigits(f float64, digits int) decimal {
	if f == 0 {
		return decimal{negative: math.Signbit(f)}
	}
	var buffer [48]byte
	d, _ := parseDecimal(strconv.AppendFloat(buffer[:0], f, 'e', digits-1, 64)) // 34 digits always fit
	return d
}

// addDecimals rounds a sum of more than 34 digits half to even.
func addDecimals(a, b decimal) (decimal, error) {
	if a.class != decimalFinite || b.class != decimalFinite {
		return decimalOfFloat(a.float64Class() + b.float64Class()), nil
	}
	exponent := min(a.exponent, b.exponent)
	sum := new(big.Int).Add(a.scaled(exponent), b.scaled(exponent))
	negative := sum.Sign() < 0 || sum.Sign() == 0 && a.negative && b.negative
	digits := sum.Abs(sum).Text(10)
	places := int(exponent)
	if over := len(digits) - maxDecimalDigits; over > 0 {
		sum = roundHalfEven(sum, over)
		places += over
		digits = sum.Text(10) // a carry may have made one digit more: a zero, which parsing moves
	}
	d, ok := parseDecimal([]byte(digits))
	if !ok {
		return decimal{}, errDecimal
	}
	d.negative = negative
	places += int(d.exponent)
	d.exponent = 0
	if d, ok = d.fit(places); !ok {
		return decimal{}, errDecimal
	}
	return d, nil
}

func decimalOfFloat(f float64) decimal {
	switch {
	case math.IsNaN(f):
		return decimal{class: decimalNaN}
	case math.IsInf(f, 0):
		return decimal{class: decimalInfinite, negative: f < 0}
	}
	return decimal{}
}

// scaled is the signed coefficient for a smaller exponent.
func (d decimal) scaled(exponent int16) *big.Int {
	i := new(big.Int).SetUint64(d.hi)
	i.Lsh(i, 64).Add(i, new(big.Int).SetUint64(d.lo))
	if d.negative {
		i.Neg(i)
	}
	return i.Mul(i, powerOfTen(int(d.exponent)-int(exponent)))
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// roundHalfEven takes the last digits off a number that is not negative.
func roundHalfEven(i *big.Int, digits int) *big.Int {
	divisor := powerOfTen(digits)
	quotient, rest := new(big.Int).QuoRem(i, divisor, new(big.Int))
	half := rest.Lsh(rest, 1).Cmp(divisor)
	if half > 0 || half == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}
