package matcher

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// Arithmetic of expressions (manual: "Arithmetic Expression Operators"). Numbers keep the widest kind of their operands;
// an int that overflows becomes a long, a long that overflows a double. Null or missing operands make null.

// numbersOf reads operands. null is true if one of them is null or missing, whatever the others are.
func numbersOf(args []Value) (numbers [2]number, null bool, err error) {
	for _, v := range args {
		if nullish(v) {
			return numbers, true, nil
		}
	}
	for i, v := range args {
		if !v.IsNumber() {
			return numbers, false, errExpression
		}
		numbers[i] = numberOf(v)
	}
	return numbers, false, nil
}

// wider is the kind of a result of both.
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

// integerNumber is an integer of the kind, a long where it does not fit an int.
func integerNumber(kind Kind, i int64) number {
	if kind == KindInt32 && i == int64(int32(i)) {
		return number{kind: KindInt32, integer: i}
	}
	return number{kind: KindInt64, integer: i}
}

func double(f float64) number           { return number{kind: KindDouble, double: f} }
func decimalNumber(d decimal) number    { return number{kind: KindDecimal, decimal: d} }
func addOverflows(a, b, sum int64) bool { return (a < 0) == (b < 0) && (sum < 0) != (a < 0) }

func sum(a, b number) number {
	switch kind := wider(a, b); kind {
	case KindDecimal:
		return decimalNumber(sumDecimals(a.asDecimal(), b.asDecimal()))
	case KindDouble:
		return double(a.asDouble() + b.asDouble())
	default:
		if i := a.integer + b.integer; !addOverflows(a.integer, b.integer, i) {
			return integerNumber(kind, i)
		}
		return double(float64(a.integer) + float64(b.integer))
	}
}

func difference(a, b number) (number, error) {
	switch kind := wider(a, b); kind {
	case KindDecimal:
		d := b.asDecimal()
		d.negative = !d.negative
		return decimalNumber(sumDecimals(a.asDecimal(), d)), nil
	case KindDouble:
		return double(a.asDouble() - b.asDouble()), nil
	default:
		if i := a.integer - b.integer; (i < a.integer) == (b.integer > 0) {
			return integerNumber(kind, i), nil
		}
		return double(float64(a.integer) - float64(b.integer)), nil
	}
}

// sumDecimals is an infinity beyond the range.
func sumDecimals(a, b decimal) decimal {
	made, err := addDecimals(a, b)
	if err != nil { // both are finite, of one sign, and one at least is at the end of the range
		return decimal{class: decimalInfinite, negative: a.negative}
	}
	return made
}

// productState multiplies number by number: integers and doubles side by side, so that what overflows 64 bits goes on as
// the product of doubles.
type productState struct {
	kind    Kind
	integer int64
	double  float64
	decimal decimal
}

func (p *productState) times(n number) error {
	before := p.kind
	p.kind = wider(number{kind: p.kind}, n)
	if p.kind == KindDecimal {
		switch before {
		case KindDecimal:
		case KindDouble:
			p.decimal = double(p.double).asDecimal()
		default:
			p.decimal = decimalOf(p.integer)
		}
		var err error
		p.decimal, err = decimalProduct(p.decimal, n.asDecimal())
		return err
	}
	p.double *= n.asDouble()
	if p.kind == KindDouble {
		return nil
	}
	high, low := bits.Mul64(magnitude(p.integer), magnitude(n.integer))
	negative := (p.integer < 0) != (n.integer < 0)
	if high != 0 || low > math.MaxInt64 && !(negative && low == 1<<63) {
		p.kind = KindDouble
		return nil
	}
	p.integer *= n.integer
	return nil
}

func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

func (p *productState) result() number {
	switch p.kind {
	case KindDecimal:
		return decimalNumber(p.decimal)
	case KindDouble:
		return double(p.double)
	}
	return integerNumber(p.kind, p.integer)
}

func quotient(a, b number) (number, error) {
	if b.isZero() {
		return number{}, errExpression
	}
	if wider(a, b) == KindDecimal {
		d, err := decimalQuotient(a.asDecimal(), b.asDecimal())
		return decimalNumber(d), err
	}
	return double(a.asDouble() / b.asDouble()), nil
}

// remainder has the sign of the dividend.
func remainder(a, b number) (number, error) {
	if b.isZero() {
		return number{}, errExpression
	}
	switch kind := wider(a, b); kind {
	case KindDecimal:
		d, err := decimalRemainder(a.asDecimal(), b.asDecimal())
		return decimalNumber(d), err
	case KindDouble:
		return double(math.Mod(a.asDouble(), b.asDouble())), nil
	default:
		if b.integer == -1 { // the least long has no remainder that the processor knows
			return integerNumber(kind, 0), nil
		}
		return integerNumber(kind, a.integer%b.integer), nil
	}
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

// power is base^exponent of two numbers. Integers stay integers where the result is one of 64 bits.
func power(base, exponent number) (number, error) {
	if base.isZero() && !exponent.isNaN() && exponent.isNegative() {
		return number{}, errExpression
	}
	switch kind := wider(base, exponent); kind {
	case KindDecimal:
		return decimalNumber(realPower(realOfDecimal(base.asDecimal()), realOfDecimal(exponent.asDecimal())).decimal()), nil
	case KindDouble:
	default:
		if whole, ok := integerPower(base.integer, exponent.integer); ok {
			return integerNumber(kind, whole), nil
		}
	}
	return double(realPower(realOf(base.asDouble()), realOf(exponent.asDouble())).double()), nil
}

// integerPower is base^exponent if that is an integer of 64 bits.
func integerPower(base, exponent int64) (int64, bool) {
	switch {
	case base == 1 || base == -1 || base == 0 && exponent > 0:
		if exponent&1 == 0 {
			return base * base, true
		}
		return base, true
	case exponent < 0 || exponent > 63:
		return 0, false
	}
	p := productState{kind: KindInt64, integer: 1}
	for range exponent {
		if _ = p.times(number{kind: KindInt64, integer: base}); p.kind == KindDouble {
			return 0, false
		}
	}
	return p.integer, true
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
		made = integerNumber(made.kind, max(made.integer, -made.integer))
	}
	return numberValue(made), nil
}

// numberText is the text that $toString makes of a number: 2.5, 1, 1e+16, NaN.
func numberText(v Value) []byte {
	switch v.Kind() {
	case KindDouble:
		f := v.Float64()
		switch a := math.Abs(f); {
		case math.IsNaN(f) || math.IsInf(f, 0):
			return appendDouble(nil, f)
		case a != 0 && (a < 1e-4 || a >= 1e16):
			return strconv.AppendFloat(nil, f, 'e', -1, 64)
		}
		return strconv.AppendFloat(nil, f, 'f', -1, 64)
	case KindDecimal:
		return v.decimal().appendText(nil)
	}
	return strconv.AppendInt(nil, v.Int64(), 10)
}

// arithmetic counts an operation on two numbers.
func (e *evaluation) arithmetic(a, b number) error {
	if wider(a, b) != KindDecimal {
		return nil
	}
	return e.step(decimalSteps(a.decimal, b.decimal))
}

// decimalSteps is about what an operation on two decimals takes, in steps: if they lie far apart it has many digits to
// handle.
func decimalSteps(a, b decimal) int {
	apart := int(a.exponent) - int(b.exponent)
	return 16 + max(apart, -apart)/8
}
