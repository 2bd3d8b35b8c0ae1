package matcher

import (
	"errors"
	"math/big"
)

// arithmeticEdit is $inc or $mul. The result has the wider kind of both numbers; a missing field counts as 0.
type arithmeticEdit struct {
	name    string
	operand Value
	combine func(a, b number) (number, error)
}

func parseArithmetic(combine func(a, b number) (number, error)) func(*updateParser, *updateNode, Value, *place) error {
	return func(p *updateParser, n *updateNode, argument Value, at *place) error {
		if !argument.IsNumber() {
			return at.invalid("%s of %s has %s; give a number", at.parent.name, n.path, describeKind(argument.Kind()))
		}
		return p.add(n, arithmeticEdit{at.parent.name, argument, combine})
	}
}

func (a arithmeticEdit) makes() bool { return true }

func (a arithmeticEdit) apply(e *updateWriter, v Value, n *updateNode) {
	old := number{kind: KindInt32}
	switch {
	case v.IsNumber():
		old = numberOf(v)
	case v.Exists():
		e.fail(n, "the field %s has %s, which %s cannot change; $set a number first", n.path, describeKind(v.Kind()), a.name)
		return
	case a.name == "$inc":
		e.keep(a.operand) // 0 + -0 would be 0
		return
	}
	result, err := a.combine(old, numberOf(a.operand))
	if err != nil {
		e.fail(n, "%s of %s by %s: %v; use a smaller number, or a double", a.name, n.path, shorten(a.operand.Raw()), err)
		return
	}
	e.dst = result.append(e.dst, valuesStored)
}

// extremeEdit is $min (sign -1) or $max (sign 1): the lesser or greater of both values in MongoDB's order of values. Of
// equal ones the field's stays.
type extremeEdit struct {
	sign    int
	operand Value
}

func parseExtreme(sign int) func(*updateParser, *updateNode, Value, *place) error {
	return func(p *updateParser, n *updateNode, argument Value, _ *place) error {
		return p.add(n, extremeEdit{sign, argument})
	}
}

func (x extremeEdit) makes() bool { return true }

func (x extremeEdit) apply(e *updateWriter, v Value, _ *updateNode) {
	if !v.Exists() || Compare(x.operand, v)*x.sign > 0 {
		v = x.operand
	}
	e.keep(v)
}

// bitEdit is $bit: and, or, xor on integers, one after the other; a missing field counts as 0.
type bitEdit struct {
	steps []bitStep
}

type bitStep struct {
	operand number
	combine func(a, b int64) int64
}

var bitOperators = []struct {
	name    string
	combine func(a, b int64) int64
}{
	{"and", func(a, b int64) int64 { return a & b }},
	{"or", func(a, b int64) int64 { return a | b }},
	{"xor", func(a, b int64) int64 { return a ^ b }},
}

func isInteger(v Value) bool { return v.Kind() == KindInt32 || v.Kind() == KindInt64 }

func parseBit(p *updateParser, n *updateNode, argument Value, at *place) error {
	if argument.Kind() != KindObject || argument.Len() == 0 {
		return at.invalid(`$bit of %s is %s; give an object of and, or, xor, such as {"or":5}`, n.path, shorten(argument.Raw()))
	}
	done := &bitEdit{}
	for v := argument.First(); v.Exists(); v = v.Next() {
		name := string(v.Name())
		at := at.field(name)
		var known []string
		var combine func(a, b int64) int64
		for _, row := range bitOperators {
			known = append(known, row.name)
			if row.name == name {
				combine = row.combine
			}
		}
		if combine == nil {
			return unknownName("operation of $bit", name, known, at)
		}
		if !isInteger(v) {
			return at.invalid("$bit of %s has %s; give an integer", n.path, describeKind(v.Kind()))
		}
		done.steps = append(done.steps, bitStep{numberOf(v), combine})
	}
	return p.add(n, done)
}

func (b *bitEdit) makes() bool { return true }

func (b *bitEdit) apply(e *updateWriter, v Value, n *updateNode) {
	result := number{kind: KindInt32}
	switch {
	case isInteger(v):
		result = numberOf(v)
	case v.Exists():
		e.fail(n, "the field %s has %s, but $bit needs an integer; $set one first", n.path, describeKind(v.Kind()))
		return
	}
	for _, step := range b.steps {
		result.integer = step.combine(result.integer, step.operand.integer)
		result.kind = max(result.kind, step.operand.kind)
	}
	e.dst = result.append(e.dst, valuesStored)
}

var (
	errProduct64      = errors.New("the product lies beyond 64 bits")
	errProductDecimal = errors.New("the product lies beyond the range of a decimal")
)

// times is n * o with the kind that MongoDB's $mul gives: the wider of both; an int32 that overflows becomes an int64,
// an int64 that overflows is an error.
func (n number) times(o number) (number, error) {
	switch {
	case n.kind == KindDecimal || o.kind == KindDecimal:
		d, err := multiplyDecimals(n.asDecimal(), o.asDecimal())
		return number{kind: KindDecimal, decimal: d}, err
	case n.kind == KindDouble || o.kind == KindDouble:
		return number{kind: KindDouble, double: n.asDouble() * o.asDouble()}, nil
	}
	product := new(big.Int).Mul(big.NewInt(n.integer), big.NewInt(o.integer))
	if !product.IsInt64() {
		return number{}, errProduct64
	}
	result := number{kind: KindInt64, integer: product.Int64()}
	if n.kind == KindInt32 && o.kind == KindInt32 && result.integer == int64(int32(result.integer)) {
		result.kind = KindInt32
	}
	return result, nil
}

// multiplyDecimals rounds a product of more than 34 digits, or of an exponent below the least, half to even.
func multiplyDecimals(a, b decimal) (decimal, error) {
	if a.class != decimalFinite || b.class != decimalFinite {
		return decimalOfFloat(a.asFactor() * b.asFactor()), nil
	}
	product := new(big.Int).Mul(a.scaled(a.exponent), b.scaled(b.exponent))
	product.Abs(product)
	places := int(a.exponent) + int(b.exponent)
	over := max(len(product.Text(10))-maxDecimalDigits, minDecimalExponent-places)
	if over > 0 && product.Sign() != 0 {
		product = roundHalfEven(product, over)
		places += over
	}
	d, ok := parseDecimal([]byte(product.Text(10)))
	if !ok {
		return decimal{}, errProductDecimal
	}
	places += int(d.exponent) // a carry may have made one digit more: a zero, which parsing moves
	d.exponent = 0
	if d, ok = d.fit(places); !ok {
		return decimal{}, errProductDecimal
	}
	d.negative = a.negative != b.negative
	return d, nil
}

// asFactor is d as a double that gives the right product with an infinity or NaN: of a finite number only the sign.
func (d decimal) asFactor() float64 {
	if d.class == decimalFinite {
		return float64(d.sign())
	}
	return d.float64Class()
}
