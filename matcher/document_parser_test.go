package matcher

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// sameAsParse checks that the parser, whatever it parsed before, makes of a text what Parse makes of it.
func sameAsParse(t *testing.T, p *Parser, text []byte) {
	t.Helper()
	want, wantErr := Parse(bytes.Clone(text), Limits{})
	got, err := p.ParseTransient(text)
	if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("%q: %v, want %v", text, err, wantErr)
	}
	if err != nil {
		return
	}
	for _, form := range []Values{ValuesRelaxed, ValuesCanonical} {
		if a, b := AppendValue(nil, got.Root(), form), AppendValue(nil, want.Root(), form); !bytes.Equal(a, b) {
			t.Fatalf("%q is shown as %s, want %s", text, a, b)
		}
	}
	if Compare(got.Root(), want.Root()) != 0 || !bytes.Equal(AppendSortValue(nil, got.Root()), AppendSortValue(nil, want.Root())) {
		t.Fatalf("%q: not equal to what Parse makes of it", text)
	}
}

func hardTexts() []string {
	return []string{
		`{"a":1,"b":{"a":2,"\u0061":3},"a":4}`, `{"a":"\ud83d\ude00\n","b":"ä€😀"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\\n\xc3\"}", `{"a":"\ud800"}`,
		`{"a":9223372036854775807,"b":-9223372036854775808,"c":9223372036854775808,"d":-0,"e":-0.0,"f":1e308,"g":4.9e-324,"h":2e-400}`,
		`{"a":1e999}`, `{"a":123456789012345678901234567890123456789012345678901234567890}`, `{"a":0.1234567890123456789012345678901234567890e-5}`,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101),
		`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + "}", `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}",
		`{"d":{"$date":"2026-01-01T00:00:00Z"},"n":{"$numberDecimal":"1.50"},"b":{"$binary":{"base64":"AAEC","subType":"00"}}}`,
		`{"r":{"$regularExpression":{"pattern":"a\\/b","options":"xi"}}}`, `{"$oid":"0123456789abcdef01234567"}`, `[1]`, `"x"`, ``, ` `, `{`, `{}`, "{}\r",
		`{"` + strings.Repeat("long ", 40) + `":"` + strings.Repeat("text ä ", 400) + `"}`,
	}
}

func TestParserAgreesWithParse(t *testing.T) {
	p := NewParser(Limits{})
	for range 2 { // the second time over memory that is used up
		for _, text := range hardTexts() {
			sameAsParse(t, p, []byte(text))
		}
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	texts := hardTexts()
	for range 20_000 {
		text := []byte(texts[random.IntN(len(texts))])
		for range random.IntN(3) { // damaged in a few places
			if len(text) > 0 {
				const bytesOfJSON = "{}[]\",:\\ue1-.0 \xc3\xa4$"
				text[random.IntN(len(text))] = bytesOfJSON[random.IntN(len(bytesOfJSON))]
			}
		}
		sameAsParse(t, p, text)
	}
}

func FuzzParserAgreesWithParse(f *testing.F) {
	for _, text := range hardTexts() {
		f.Add([]byte(text), []byte(`{"a":[{"b":"\u00e4"}]}`))
	}
	p := NewParser(Limits{})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		sameAsParse(t, p, first)
		sameAsParse(t, p, second)
	})
}

func TestParserAllocatesNothing(t *testing.T) {
	p, text := NewParser(Limits{}), benchmarkDocument()
	q := compile(t, QuerySpec{Filter: []byte(`{"author.address.city":"London","tags":"go"}`), AnyDocument: true})
	if n := testing.AllocsPerRun(100, func() {
		d, err := p.ParseTransient(text)
		if err != nil || !q.Match(d) {
			t.Fatal("no match", err)
		}
	}); n > 0 {
		t.Errorf("a document takes %v allocations", n)
	}
}

func TestParserKeepsItsLimits(t *testing.T) {
	p := NewParser(Limits{MaxDocumentBytes: 10, MaxDocumentDepth: 2})
	for text, code := range map[string]string{`{"a":"123"}`: CodeDocumentTooLarge, `{"a":[[]]}`: CodeDocumentTooLarge, `{"a":[]}`: ""} {
		_, err := p.ParseTransient([]byte(text))
		var bad *Error
		if errors.As(err, &bad) != (code != "") || bad != nil && bad.Code != code {
			t.Errorf("%s: %v, want %q", text, err, code)
		}
	}
}

func BenchmarkParser(b *testing.B) {
	p, text := NewParser(Limits{}), benchmarkDocument()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.ParseTransient(text); err != nil {
			b.Fatal(err)
		}
	}
}
