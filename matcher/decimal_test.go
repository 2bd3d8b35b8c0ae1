package matcher

import (
	"math/big"
	"strings"
	"testing"
)

func TestDecimalText(t *testing.T) {
	rows := []struct{ in, want string }{
		{"0", "0"}, {"-0", "-0"}, {"0.00", "0.00"}, {"0E+3", "0E+3"}, {"0E-7", "0E-7"}, {"1", "1"}, {"1.10", "1.10"}, {"-12.5", "-12.5"},
		{"0.001", "0.001"}, {"0.000001", "0.000001"}, {"0.0000001", "1E-7"}, {"1E3", "1E+3"}, {"1.5e3", "1.5E+3"}, {"123E-2", "1.23"},
		{"+5", "5"}, {".5", "0.5"}, {"5.", "5"}, {"0005", "5"}, {"nan", "NaN"}, {"-NaN", "NaN"}, {"-inf", "-Infinity"}, {"INFINITY", "Infinity"},
		{"1234567890123456789012345678901234", "1234567890123456789012345678901234"},
		{"12345678901234567890123456789012340", "1.234567890123456789012345678901234E+34"},
		{"10000000000000000000", "10000000000000000000"}, {"100000000000000000005", "100000000000000000005"},
		{"1E+6144", "1.000000000000000000000000000000000E+6144"}, {"10E-6177", "1E-6176"}, {"0E+9999", "0E+6111"}, {"0E-9999", "0E-6176"},
		{"9.999999999999999999999999999999999E+6144", "9.999999999999999999999999999999999E+6144"},
	}
	for _, row := range rows {
		d, ok := parseDecimal([]byte(row.in))
		if got := string(d.appendText(nil)); !ok || got != row.want {
			t.Errorf("%s is %s, %v, want %s", row.in, got, ok, row.want)
		}
		if back := readDecimal(appendDecimal(nil, d)); back != d {
			t.Errorf("%s comes back from an arena as %v, want %v", row.in, back, d)
		}
	}
}

func TestAddNumbers(t *testing.T) {
	rows := []struct{ a, b, want string }{
		{`{"$numberInt":"1"}`, `{"$numberInt":"2"}`, `{"$numberInt":"3"}`},
		{`{"$numberInt":"2147483647"}`, `{"$numberInt":"1"}`, `2147483648`},
		{`{"$numberInt":"1"}`, `2`, `3`},
		{`1`, `0.5`, `1.5`},
		{`1`, `-0.0`, `1.0`},
		{`9223372036854775807`, `-1`, `{"$numberLong":"9223372036854775806"}`},
		{`9223372036854775807`, `1`, ``},
		{`-9223372036854775808`, `-1`, ``},
		{`9223372036854775807`, `0`, `{"$numberLong":"9223372036854775807"}`},
		{`1`, `{"$numberDecimal":"0.10"}`, `{"$numberDecimal":"1.10"}`},
		{`0.1`, `{"$numberDecimal":"0.2"}`, `{"$numberDecimal":"0.300000000000000"}`},
		{`{"$numberDecimal":"-1"}`, `{"$numberDecimal":"1.0"}`, `{"$numberDecimal":"0.0"}`},
		{`{"$numberDecimal":"9999999999999999999999999999999999"}`, `1`, `{"$numberDecimal":"1.000000000000000000000000000000000E+34"}`},
		{`{"$numberDecimal":"1E+40"}`, `1`, `{"$numberDecimal":"1.000000000000000000000000000000000E+40"}`},
		{`{"$numberDecimal":"1E+6144"}`, `{"$numberDecimal":"1E-6176"}`, `{"$numberDecimal":"1.000000000000000000000000000000000E+6144"}`},
		{`{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}`, `{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}`, ``},
		{`{"$numberDecimal":"Infinity"}`, `{"$numberDecimal":"-Infinity"}`, `{"$numberDecimal":"NaN"}`},
		{`{"$numberDecimal":"Infinity"}`, `5`, `{"$numberDecimal":"Infinity"}`},
		{`{"$numberDouble":"-Infinity"}`, `{"$numberDecimal":"5"}`, `{"$numberDecimal":"-Infinity"}`},
	}
	for _, row := range rows {
		sum, err := numberOf(mustParseValue(t, row.a)).add(numberOf(mustParseValue(t, row.b)))
		if row.want == "" {
			if err == nil {
				t.Errorf("%s + %s is %s, want an error", row.a, row.b, sum.append(nil, valuesStored))
			}
			continue
		}
		if got := string(sum.append(nil, valuesStored)); err != nil || got != row.want {
			t.Errorf("%s + %s is %s, %v, want %s", row.a, row.b, got, err, row.want)
		}
	}
}

// TestAddDecimalsAgreesWithRationals: the sum is exact where 34 digits hold it, else within half a unit of the last.
func TestAddDecimalsAgreesWithRationals(t *testing.T) {
	r := newSeed(t)
	for range 2000 {
		x, y := randomDecimalText(r.IntN), randomDecimalText(r.IntN)
		a, ok1 := parseDecimal([]byte(x))
		b, ok2 := parseDecimal([]byte(y))
		if !ok1 || !ok2 {
			t.Fatalf("%s, %s: %v, %v", x, y, ok1, ok2)
		}
		sum, err := addDecimals(a, b)
		if err != nil {
			t.Fatalf("%s + %s: %v", x, y, err)
		}
		want := new(big.Rat).Add(rationalOf(x), rationalOf(y))
		distance := new(big.Rat).Sub(rationalOf(string(sum.appendText(nil))), want)
		unit := new(big.Rat).SetFrac(big.NewInt(1), powerOfTen(60))
		if sum.exponent > -60 {
			unit = new(big.Rat).SetFrac(powerOfTen(int(sum.exponent)+60), powerOfTen(60))
		}
		if distance.Abs(distance).Cmp(unit.Quo(unit, big.NewRat(2, 1))) > 0 {
			t.Fatalf("%s + %s is %s", x, y, sum.appendText(nil))
		}
		whole := new(big.Rat).Mul(want, new(big.Rat).SetInt(powerOfTen(60))).Num().String()
		if digits := strings.Trim(strings.TrimLeft(whole, "-"), "0"); len(digits) <= maxDecimalDigits && distance.Sign() != 0 {
			t.Fatalf("%s + %s is %s, which is not exact", x, y, sum.appendText(nil))
		}
	}
}

func randomDecimalText(intn func(int) int) string {
	b := &strings.Builder{}
	if intn(2) == 0 {
		b.WriteByte('-')
	}
	for range 1 + intn(34) {
		b.WriteByte(byte('0' + intn(10)))
	}
	b.WriteString("E")
	b.WriteString([]string{"-20", "-5", "-1", "0", "+1", "+7", "+20"}[intn(7)])
	return b.String()
}
