package matcher

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A date in the usual form is what it is in any other form, and is written the same.
func TestPlainDateIsTheGeneralOne(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	texts := []string{"1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00Z", "2024-02-29T12:00:00Z",
		"2026-02-29T12:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.120Z",
		"2026-01-01t00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00z", "2026-01-01T00:00:00.1+01", "2026-01-01T00:00:00+0100", "2026-01-01T00:00+01:00Z"}
	for range 2000 {
		at := time.UnixMilli(random.Int64N(1<<48) - 1<<45).UTC()
		text := []byte(at.Format([]string{"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z"}[random.IntN(2)]))
		if random.IntN(3) == 0 {
			text[random.IntN(len(text))] = "0129-:.TZ+ x\"}"[random.IntN(14)]
		}
		texts = append(texts, string(text))
	}
	plain := 0
	for _, text := range texts {
		usual, err := Parse([]byte(`{"a":{"$date":"`+text+`"}}`), Limits{})
		general, err2 := Parse([]byte(`{"a":{ "$date":"`+text+`"}}`), Limits{})
		if (err == nil) != (err2 == nil) {
			t.Fatalf("seed %d: %s: %v, but with a space %v", seed, text, err, err2)
		}
		if err != nil {
			continue
		}
		plain++
		for _, form := range []Values{ValuesRelaxed, ValuesCanonical, ValuesPlain, valuesStored} {
			if got, want := AppendValue(nil, usual.Root(), form), AppendValue(nil, general.Root(), form); string(got) != string(want) {
				t.Fatalf("seed %d: %s is written %s, want %s", seed, text, got, want)
			}
		}
	}
	if plain < 500 {
		t.Errorf("only %d dates of %d were dates", plain, len(texts))
	}
}

// The usual form counts against the limits as the others do.
func TestPlainDateKeepsLimits(t *testing.T) {
	for _, limits := range []Limits{{MaxDocumentDepth: 1}, {MaxDocumentDepth: 2}, {MaxDocumentFields: 1}, {MaxDocumentFields: 2}, {MaxDocumentFields: 3}} {
		for _, text := range []string{`{"a":{"$date":"2026-01-01T00:00:00Z"}}`, `{"a":1,"b":{"$date":"2026-01-01T00:00:00Z"}}`} {
			_, err := Parse([]byte(text), limits)
			_, err2 := Parse([]byte(text[:len(text)-3]+`" }}`), limits)
			if (err == nil) != (err2 == nil) {
				t.Errorf("%s within %+v: %v, but with a space %v", text, limits, err, err2)
			}
		}
	}
}
