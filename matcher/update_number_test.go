package matcher

import (
	"math/big"
	"testing"
)

// TestNumberTimes compares products with exact ones.
func TestNumberTimes(t *testing.T) {
	r := newSeed(t)
	for range 20_000 {
		x, a := randomNumberModel(r)
		y, b := randomNumberModel(r)
		m, n := numberOf(mustParseValue(t, x)), numberOf(mustParseValue(t, y))
		product, err := m.times(n)
		if a.rational == nil || b.rational == nil {
			if err != nil || specialOf(product.asFloat()) == 0 {
				t.Fatalf("%s * %s is %v, %v", x, y, product.asFloat(), err)
			}
			continue
		}
		exact := new(big.Rat).Mul(a.rational, b.rational)
		switch {
		case a.kind == KindDecimal || b.kind == KindDecimal:
			checkDecimalProduct(t, x+" * "+y, m.asDecimal(), n.asDecimal(), product, err)
		case a.kind == KindDouble || b.kind == KindDouble:
			f, _ := a.rational.Float64()
			g, _ := b.rational.Float64()
			if err != nil || product.kind != KindDouble || product.double != f*g {
				t.Fatalf("%s * %s is %v, %v", x, y, product, err)
			}
		case !exact.Num().IsInt64():
			if err == nil {
				t.Fatalf("%s * %s is %v, want an error", x, y, product)
			}
		default:
			want := number{kind: KindInt64, integer: exact.Num().Int64()}
			if a.kind == KindInt32 && b.kind == KindInt32 && want.integer == int64(int32(want.integer)) {
				want.kind = KindInt32
			}
			if err != nil || product != want {
				t.Fatalf("%s * %s is %v, %v, want %v", x, y, product, err, want)
			}
		}
	}
}

func (n number) asFloat() float64 {
	if n.kind == KindDecimal {
		return n.decimal.float64()
	}
	return n.asDouble()
}

func (d decimal) rational(t *testing.T) *big.Rat {
	t.Helper()
	return rationalOf(string(d.appendText(nil)))
}

// checkDecimalProduct: no decimal lies nearer to the exact product than half a unit of the result's last digit, and the
// result has as many digits as fit.
func checkDecimalProduct(t *testing.T, what string, a, b decimal, product number, err error) {
	t.Helper()
	exact := new(big.Rat).Mul(a.rational(t), b.rational(t))
	unit := func(exponent int) *big.Rat {
		if exponent < 0 {
			return new(big.Rat).SetFrac(big.NewInt(1), powerOfTen(-exponent))
		}
		return new(big.Rat).SetInt(powerOfTen(exponent))
	}
	if err != nil {
		most := new(big.Rat).Mul(unit(maxDecimalExponent), new(big.Rat).SetInt(powerOfTen(maxDecimalDigits)))
		if new(big.Rat).Abs(exact).Cmp(most.Sub(most, unit(maxDecimalExponent))) <= 0 {
			t.Fatalf("%s: %v, but it fits", what, err)
		}
		return
	}
	d := product.decimal
	if product.kind != KindDecimal || d.class != decimalFinite {
		t.Fatalf("%s is %v", what, product)
	}
	if exact.Sign() == 0 {
		if !d.isZero() {
			t.Fatalf("%s is %s", what, d.appendText(nil))
		}
		return
	}
	off := new(big.Rat).Sub(d.rational(t), exact)
	off.Abs(off).Mul(off, big.NewRat(2, 1))
	if off.Cmp(unit(int(d.exponent))) > 0 {
		t.Fatalf("%s is %s, which is off by %s", what, d.appendText(nil), off.FloatString(40))
	}
	if off.Sign() != 0 && d.countDigits() < maxDecimalDigits && d.exponent > minDecimalExponent {
		t.Fatalf("%s is %s: rounded, though more digits fit", what, d.appendText(nil))
	}
	if d.negative != (a.negative != b.negative) {
		t.Fatalf("%s is %s", what, d.appendText(nil))
	}
}

func TestMultiplyDecimals(t *testing.T) {
	rows := []struct{ a, b, want string }{
		{"1.20", "3", "3.60"},
		{"-0", "5", "-0"},
		{"1E-6000", "1E-176", "1E-6176"},
		{"1E-6000", "5E-177", "0E-6176"}, // half goes to even
		{"1E-6000", "6E-177", "1E-6176"},
		{"3E-6000", "5E-177", "2E-6176"},
		{"1E-6000", "1E-6000", "0E-6176"},
		{"1E+6000", "1E+144", "1.000000000000000000000000000000000E+6144"},
		{"9999999999999999999999999999999999", "9999999999999999999999999999999999", "9.999999999999999999999999999999998E+67"},
		{"9.999999999999999999999999999999999", "1.000000000000000000000000000000001", "10.00000000000000000000000000000001"},
		{"Infinity", "-2", "-Infinity"},
		{"Infinity", "0", "NaN"},
		{"NaN", "1", "NaN"},
	}
	for _, row := range rows {
		a, _ := parseDecimal([]byte(row.a))
		b, _ := parseDecimal([]byte(row.b))
		d, err := multiplyDecimals(a, b)
		if got := string(d.appendText(nil)); err != nil || got != row.want {
			t.Errorf("%s * %s is %s, %v, want %s", row.a, row.b, got, err, row.want)
		}
	}
}
