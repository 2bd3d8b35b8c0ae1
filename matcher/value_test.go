package matcher

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"testing"
)

// TestCompareOrder lists values in MongoDB's order, equal ones in one row (invariant 2).
func TestCompareOrder(t *testing.T) {
	rows := [][]string{
		{`{"$minKey":1}`},
		{`null`},
		{`{"$numberDouble":"NaN"}`, `{"$numberDecimal":"NaN"}`},
		{`{"$numberDouble":"-Infinity"}`, `{"$numberDecimal":"-Infinity"}`},
		{`{"$numberDecimal":"-1E+400"}`},
		{`-9223372036854775808`, `-9223372036854775808.0`},
		{`-1`, `-1.0`, `{"$numberInt":"-1"}`, `{"$numberDecimal":"-1.00"}`},
		{`{"$numberDecimal":"-1E-400"}`},
		{`0`, `-0.0`, `0.0`, `{"$numberDecimal":"-0"}`, `{"$numberDecimal":"0E+10"}`},
		{`{"$numberDecimal":"1E-400"}`},
		{`5e-324`},
		{`{"$numberDecimal":"1.1"}`, `{"$numberDecimal":"1.10"}`},
		{`1.1`}, // the double lies a little above
		{`9007199254740992`, `9007199254740992.0`},
		{`9007199254740993`, `{"$numberDecimal":"9007199254740993"}`},
		{`9007199254740994`, `9007199254740994.0`},
		{`9223372036854775807`},
		{`9223372036854775808`, `9223372036854775808.0`},
		{`1.7976931348623157e308`},
		{`{"$numberDecimal":"1E+400"}`},
		{`{"$numberDouble":"Infinity"}`, `{"$numberDecimal":"Infinity"}`},
		{`""`},
		{`"\u0000"`},
		{`"a"`, `"\u0061"`},
		{`"a\u0000"`},
		{`"b"`},
		{`{}`},
		{`{"b":1}`, `{"b":1.0}`},
		{`{"b":1,"a":0}`},
		{`{"a":""}`}, // the type counts before the name
		{`[]`},
		{`[1]`},
		{`[1,1]`},
		{`[2]`},
		{`{"$binary":{"base64":"","subType":"00"}}`},
		{`{"$binary":{"base64":"/w==","subType":"00"}}`, `{"$binary":"/w==","$type":"0"}`},
		{`{"$binary":{"base64":"AA==","subType":"05"}}`},
		{`{"$binary":{"base64":"AAA=","subType":"00"}}`},
		{`{"$uuid":"00000000-0000-0000-0000-00000000000a"}`, `{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAACg==","subType":"04"}}`},
		{`{"$oid":"000000000000000000000000"}`},
		{`{"$oid":"0000000000000000000000ff"}`, `{"$oid":"0000000000000000000000FF"}`},
		{`false`},
		{`true`},
		{`{"$date":{"$numberLong":"-1"}}`},
		{`{"$date":"1970-01-01T00:00:00Z"}`, `{"$date":0}`, `{"$date":"1970-01-01T01:00:00.000+01:00"}`},
		{`{"$timestamp":{"t":1,"i":2}}`, `{"$timestamp":{"i":2,"t":1}}`},
		{`{"$timestamp":{"t":4294967295,"i":0}}`},
		{`{"$regularExpression":{"pattern":"a","options":""}}`},
		{`{"$regularExpression":{"pattern":"a","options":"mi"}}`, `{"$regularExpression":{"pattern":"a","options":"im"}}`},
		{`{"$maxKey":1}`},
	}
	for i, row := range rows {
		for j, other := range rows {
			for _, x := range row {
				for _, y := range other {
					a, b := mustParseValue(t, x), mustParseValue(t, y)
					if got, want := Compare(a, b), cmp.Compare(i, j); got != want {
						t.Errorf("Compare(%s, %s) = %d, want %d", x, y, got, want)
					}
					if got := Equal(a, b); got != (i == j) {
						t.Errorf("Equal(%s, %s) = %v", x, y, got)
					}
					if got, want := bytes.Compare(AppendSortValue(nil, a), AppendSortValue(nil, b)), cmp.Compare(i, j); got != want {
						t.Errorf("sort values of %s and %s compare to %d, want %d", x, y, got, want)
					}
				}
			}
		}
	}
	if missing := (Value{}); Compare(missing, mustParseValue(t, "null")) != 0 || Equal(missing, mustParseValue(t, "0")) || !Equal(missing, missing) {
		t.Error("the missing value is not as null")
	}
}

// TestValuesAgreeWithModel checks tape, order, equality and sort values against the naive model (invariants 1, 2, 6).
func TestValuesAgreeWithModel(t *testing.T) {
	r := newSeed(t)
	for range 1500 {
		textA, a := randomModel(r, 3)
		textB, b := randomModel(r, 3)
		if r.IntN(4) == 0 {
			textA, a = randomNumberModel(r)
			textB, b = randomNumberModel(r)
		}
		v, w := mustParseValue(t, textA), mustParseValue(t, textB)
		checkModel(t, v, a)
		checkModel(t, w, b)
		checkOrder(t, v, w, compareModels(a, b))
		checkOrder(t, v, v, 0)
	}
}

func checkOrder(t *testing.T, v, w Value, want int) {
	t.Helper()
	if got := Compare(v, w); got != want {
		t.Fatalf("Compare(%s, %s) = %d, want %d", v.Raw(), w.Raw(), got, want)
	}
	if got := Compare(w, v); got != -want {
		t.Fatalf("Compare(%s, %s) = %d, want %d", w.Raw(), v.Raw(), got, -want)
	}
	if got := Equal(v, w); got != (want == 0) {
		t.Fatalf("Equal(%s, %s) = %v, want %v", v.Raw(), w.Raw(), got, want == 0)
	}
	// Whatever follows an encoding in a key must not matter unless the values are equal.
	a, b := append(AppendSortValue(nil, v), 0xff), append(AppendSortValue(nil, w), 0x00)
	if got := bytes.Compare(a, b); want != 0 && got != want || want == 0 && got != 1 {
		t.Fatalf("sort values of %s and %s compare to %d, want %d\n%x\n%x", v.Raw(), w.Raw(), got, want, a, b)
	}
}

func TestValueOutOfKind(t *testing.T) {
	for _, v := range []Value{{}, mustParseValue(t, "null"), mustParseValue(t, `"s"`)} {
		if v.Len() != 0 || v.Field("a").Exists() || v.Index(0).Exists() || v.First().Exists() || v.Next().Exists() ||
			v.Bool() || v.Int64() != 0 || v.Float64() != 0 || v.Subtype() != 0 || v.Options() != nil || v.IsNumber() {
			t.Errorf("%s answers for a kind that it is not", v.Raw())
		}
	}
	array := mustParseValue(t, `[1,[2,3],4]`)
	if got := array.Index(2).Int64(); got != 4 || array.Index(3).Exists() || array.Index(-1).Exists() {
		t.Errorf("the third element is %d", got)
	}
}

func TestCompareDoesNotAllocate(t *testing.T) {
	a := mustParseValue(t, `{"a":1,"b":["x",2.5,{"c":{"$date":"2026-01-01T00:00:00Z"}}],"d":{"$numberDecimal":"1.5"}}`)
	b := mustParseValue(t, `{"a":1.0,"b":["x",2.5,{"c":{"$date":"2026-01-01T00:00:00Z"}}],"d":{"$numberDecimal":"1.50"}}`)
	if got := testing.AllocsPerRun(100, func() {
		if Compare(a, b) != 0 {
			t.Fatal("not equal")
		}
	}); got != 0 {
		t.Errorf("Compare allocates %v times", got)
	}
}

// FuzzSortValue makes two values of each seed; their encodings must order as the naive model does (invariant 6).
func FuzzSortValue(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, seedA, seedB uint64) {
		textA, a := randomModel(rand.New(rand.NewPCG(seedA, 1)), 3)
		textB, b := randomModel(rand.New(rand.NewPCG(seedB, 2)), 3)
		checkOrder(t, mustParseValue(t, textA), mustParseValue(t, textB), compareModels(a, b))
	})
}
