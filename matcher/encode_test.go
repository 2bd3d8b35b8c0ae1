package matcher

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"
	"time"
)

func TestAppendValueForms(t *testing.T) {
	rows := []struct{ text, relaxed, canonical, plain string }{
		{`5`, `5`, `{"$numberLong":"5"}`, `5`},
		{`-0`, `0`, `{"$numberLong":"0"}`, `0`},
		{`{"$numberLong":"5"}`, `5`, `{"$numberLong":"5"}`, `5`},
		{`{"$numberInt":"-5"}`, `-5`, `{"$numberInt":"-5"}`, `-5`},
		{`9007199254740991`, `9007199254740991`, `{"$numberLong":"9007199254740991"}`, `9007199254740991`},
		{`9007199254740992`, `{"$numberLong":"9007199254740992"}`, `{"$numberLong":"9007199254740992"}`, `9007199254740992`},
		{`-9223372036854775808`, `{"$numberLong":"-9223372036854775808"}`, `{"$numberLong":"-9223372036854775808"}`, `-9223372036854775808`},
		{`5.0`, `5.0`, `{"$numberDouble":"5.0"}`, `5`},
		{`{"$numberDouble":"5"}`, `5.0`, `{"$numberDouble":"5.0"}`, `5`},
		{`0.10`, `0.10`, `{"$numberDouble":"0.1"}`, `0.1`},
		{`{"$numberDouble":"-0"}`, `-0.0`, `{"$numberDouble":"-0.0"}`, `-0`},
		{`12345678901234567890`, `12345678901234567000.0`, `{"$numberDouble":"12345678901234567000.0"}`, `12345678901234567000`},
		{`{"$numberDouble":"1e300"}`, `1e+300`, `{"$numberDouble":"1e+300"}`, `1e+300`},
		{`{"$numberDouble":"NaN"}`, `{"$numberDouble":"NaN"}`, `{"$numberDouble":"NaN"}`, `"NaN"`},
		{`{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`, `"-Infinity"`},
		{`{"$numberDecimal":"1.50"}`, `{"$numberDecimal":"1.50"}`, `{"$numberDecimal":"1.50"}`, `1.50`},
		{`{"$date":"2026-01-01T00:00:00.120Z"}`, `{"$date":"2026-01-01T00:00:00.120Z"}`, `{"$date":{"$numberLong":"1767225600120"}}`, `"2026-01-01T00:00:00.120Z"`},
		{`{"$date":"2026-01-01T01:00:00+01:00"}`, `{"$date":"2026-01-01T00:00:00Z"}`, `{"$date":{"$numberLong":"1767225600000"}}`, `"2026-01-01T00:00:00Z"`},
		{`{"$date":"1969-12-31T23:59:59Z"}`, `{"$date":{"$numberLong":"-1000"}}`, `{"$date":{"$numberLong":"-1000"}}`, `"1969-12-31T23:59:59Z"`},
		{`{"$date":{"$numberLong":"253402300800000"}}`, `{"$date":{"$numberLong":"253402300800000"}}`, `{"$date":{"$numberLong":"253402300800000"}}`, `253402300800000`},
		{`{"$oid":"0123456789ABCDEF01234567"}`, `{"$oid":"0123456789abcdef01234567"}`, `{"$oid":"0123456789abcdef01234567"}`, `"0123456789abcdef01234567"`},
		{`{"$binary":{"subType":"5","base64":"AQI="}}`, `{"$binary":{"base64":"AQI=","subType":"05"}}`, `{"$binary":{"base64":"AQI=","subType":"05"}}`, `"AQI="`},
		{`{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}`, `{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}`,
			`{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}`, `"00112233-4455-6677-8899-aabbccddeeff"`},
		{`{"$regularExpression":{"pattern":"a/\"","options":"si"}}`, `{"$regularExpression":{"pattern":"a/\"","options":"is"}}`,
			`{"$regularExpression":{"pattern":"a/\"","options":"is"}}`, `"/a/\"/is"`},
		{`{"$timestamp":{"t":7,"i":1}}`, `{"$timestamp":{"t":7,"i":1}}`, `{"$timestamp":{"t":7,"i":1}}`, `{"t":7,"i":1}`},
		{`{"$minKey":1}`, `{"$minKey":1}`, `{"$minKey":1}`, `"minKey"`},
		{`{"$maxKey":1}`, `{"$maxKey":1}`, `{"$maxKey":1}`, `"maxKey"`},
		{` { "a" : [ true , null , "\u0041<&>\/" ] } `, `{"a":[true,null,"\u0041<&>\/"]}`, `{"a":[true,null,"A<&>/"]}`, `{"a":[true,null,"A<&>/"]}`},
		{`{"$regex":"a","$options":"i"}`, `{"$regex":"a","$options":"i"}`, `{"$regex":"a","$options":"i"}`, `{"$regex":"a","$options":"i"}`},
	}
	for _, row := range rows {
		v := mustParseValue(t, row.text)
		for form, want := range map[Values]string{ValuesRelaxed: row.relaxed, ValuesCanonical: row.canonical, ValuesPlain: row.plain} {
			got := string(AppendValue(nil, v, form))
			if got != want && !(form == ValuesRelaxed && got == row.text) {
				t.Errorf("%s as %v is %s, want %s", row.text, form, got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("%s as %v is no JSON: %s", row.text, form, got)
			}
		}
	}
	if got := string(AppendValue(nil, Value{}, ValuesRelaxed)); got != "null" {
		t.Errorf("a missing value is %s", got)
	}
}

// checkRoundTrip checks that Parse reads back what AppendValue writes.
func checkRoundTrip(t *testing.T, v Value) {
	t.Helper()
	limits := Limits{MaxDocumentBytes: 1 << 26}
	for _, form := range []Values{ValuesRelaxed, ValuesCanonical, valuesStored} {
		text := AppendValue(nil, v, form)
		d, err := ParseValue(text, limits)
		if err != nil {
			t.Fatalf("%s as %v is %s: %v", v.Raw(), form, text, err)
		}
		if !Equal(d.Root(), v) || form != ValuesRelaxed && !identical(d.Root(), v) {
			t.Fatalf("%s as %v is %s, which is another value", v.Raw(), form, text)
		}
		if again := AppendValue(nil, d.Root(), form); !bytes.Equal(again, text) {
			t.Fatalf("%s as %v is %s, then %s", v.Raw(), form, text, again)
		}
		if form == ValuesRelaxed && bytes.ContainsAny(text, "\r\n\t") {
			t.Fatalf("%s holds line breaks", text)
		}
	}
	if plain := AppendValue(nil, v, ValuesPlain); !json.Valid(plain) {
		t.Fatalf("%s is plain no JSON: %s", v.Raw(), plain)
	}
}

func TestAppendValueRoundTrip(t *testing.T) {
	r := newSeed(t)
	for range 1500 {
		text, _ := randomModel(r, 4)
		checkRoundTrip(t, mustParseValue(t, text))
	}
}

// TestRelaxedTextIsCopied makes sure that the fast path is taken where it may be, and only there.
func TestRelaxedTextIsCopied(t *testing.T) {
	rows := []struct {
		text string
		want bool
	}{
		{`{"a":[1,2.5,"x",null,true,{}]}`, true},
		{`{"a":{"$date":"2026-01-01T00:00:00Z"},"b":{"$numberLong":"9007199254740992"}}`, true},
		{`{"a":{"$date":"2026-01-01T00:00:00.000Z"}}`, false},
		{`{"a":{"$numberInt":"1"}}`, false},
		{`{"a":9007199254740992}`, false},
		{`{"a": 1}`, false},
		{`{"a":1 }`, false},
		{`[1,[ ]]`, false},
		{`{"a":1,"a":2}`, false},
		{`[{"$oid":"0123456789abcdef01234567"},[]]`, true},
	}
	for _, row := range rows {
		if got := mustParseValue(t, row.text).at().flags&flagRelaxed != 0; got != row.want {
			t.Errorf("%s: relaxed text is %v, want %v", row.text, got, row.want)
		}
	}
}

func TestAppendString(t *testing.T) {
	rows := []struct{ in, want string }{
		{"", `""`},
		{"plain text of some length", `"plain text of some length"`},
		{"a\"b\\c/d<e>&", `"a\"b\\c/d<e>&"`},
		{"\n\r\t\b\x00\x1f\x7f", "\"\\n\\r\\t\\u0008\\u0000\\u001f\x7f\""},
		{"ä\u2028\U0001F600", "\"ä\u2028\U0001F600\""},
		{"12345678\xff12345678", "\"12345678\ufffd12345678\""},
		{"\xe4\xb8", "\"\ufffd\ufffd\""},
		{"\ufffd", "\"\ufffd\""},
	}
	for _, row := range rows {
		if got := string(AppendString(nil, []byte(row.in))); got != row.want {
			t.Errorf("%q is written as %s, want %s", row.in, got, row.want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add([]byte("a\"\\\x00\xff\u2028 12345678901234567"))
	f.Fuzz(func(t *testing.T, s []byte) {
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := string(bytes.ToValidUTF8(s, nil)); string(bytes.ReplaceAll([]byte(got), []byte("\ufffd"), nil)) !=
			string(bytes.ReplaceAll([]byte(want), []byte("\ufffd"), nil)) {
			t.Fatalf("%q comes back as %q", s, got)
		}
	})
}

func TestAppendDouble(t *testing.T) {
	r := newSeed(t)
	for range 5000 {
		f := math.Float64frombits(r.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		text := string(appendDouble(nil, f))
		v := mustParseValue(t, text)
		if back, err := strconv.ParseFloat(text, 64); err != nil || back != f || v.Kind() != KindDouble || v.Float64() != f {
			t.Fatalf("%v is written as %s", f, text)
		}
	}
}

func TestParseValues(t *testing.T) {
	for text, want := range map[string]Values{"": ValuesRelaxed, "relaxed": ValuesRelaxed, "canonical": ValuesCanonical, "plain": ValuesPlain} {
		if got, err := ParseValues(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	_, err := ParseValues("relaxd")
	wantError(t, "relaxd", err, CodeQueryInvalid, "/values", "did you mean relaxed")
	_, err = ParseValues("stored")
	wantError(t, "stored", err, CodeQueryInvalid, "/values")
}

// TestDatesAgreeWithTime checks both directions against package time.
func TestDatesAgreeWithTime(t *testing.T) {
	r := newSeed(t)
	for i := range 5000 {
		ms := minISODate + r.Int64N(maxDate-minISODate+1)
		if i%2 == 0 {
			ms -= ms % 1000
		}
		want := time.UnixMilli(ms).UTC()
		text := string(appendDate(nil, ms))
		if got, err := time.Parse(time.RFC3339, text); err != nil || !got.Equal(want) {
			t.Fatalf("%d is written as %s (%v), want %v", ms, text, err, want)
		}
		zone := time.FixedZone("", (r.IntN(23*60*2)-23*60)*60)
		there := time.UnixMilli(ms).In(zone)
		if there.Year() < 0 || there.Year() > 9999 {
			continue
		}
		local := there.Format("2006-01-02T15:04:05.999999Z07:00")
		if got, ok := ParseDate([]byte(local)); !ok || got != ms {
			t.Fatalf("%s is read as %d, %v, want %d", local, got, ok, ms)
		}
	}
}

func TestParseDate(t *testing.T) {
	good := map[string]int64{
		"2026-01-01":                      1767225600000,
		"2026-01-01T00:00Z":               1767225600000,
		"2026-01-01 00:00:00.1Z":          1767225600100,
		"2026-01-01T00:00:00.123999Z":     1767225600123,
		"2026-01-01T05:30:00+0530":        1767225600000,
		"2025-12-31T22:00:00-02":          1767225600000,
		"2024-02-29T00:00:00Z":            1709164800000,
		"2000-02-29t00:00:00z":            951782400000,
		"0000-01-01T00:00:00Z":            minISODate,
		"9999-12-31T23:59:59.999Z":        maxDate,
		"1970-01-01T00:00:00.001+00:00":   1,
		"1969-12-31T23:59:59.999-00:00":   -1,
		"1970-01-01T00:00:00.0000000001Z": 0,
	}
	for text, want := range good {
		if got, ok := ParseDate([]byte(text)); !ok || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "2026", "2026-1-01", "2026-13-01", "2026-00-01", "2026-02-29", "1900-02-29", "2026-04-31", "2026-01-00",
		"2026-01-01T", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+1", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00Z ",
		"20260101", "2026-01-01x00:00:00Z", "2026-01-01T00:00:00+", "2026-01-01T00:00:00+01:", "2o26-01-01"} {
		if got, ok := ParseDate([]byte(text)); ok {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
