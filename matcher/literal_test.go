package matcher

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestLiteral(t *testing.T) {
	for filter, want := range map[string]string{
		`{}`:                                          ``,
		`{"a":"x"}`:                                   `"x"`,
		`{"a":{"$in":["x"]}}`:                         `"x"`,
		`{"a":{"$in":["x","y"]}}`:                     ``,
		`{"a":"x","b.c":"xyz","d":5}`:                 `"xyz"`,
		`{"$and":[{"a":"x"},{"b":1}]}`:                `"x"`,
		`{"$or":[{"a":"x"},{"b":"x"}]}`:               ``,
		`{"a":{"$ne":"x"}}`:                           ``,
		`{"a":{"$not":{"$eq":"x"}}}`:                  ``,
		`{"$nor":[{"a":"x"}]}`:                        ``,
		`{"a":{"$gte":"x"}}`:                          ``,
		`{"a":{"$all":["x","long"]}}`:                 `"long"`,
		`{"a":["x"]}`:                                 ``,
		`{"a":{"$elemMatch":{"b":"x"}}}`:              `"x"`,
		`{"a":{"$elemMatch":{"b":{"$ne":"x"}}}}`:      ``,
		`{"_id":{"$oid":"0123456789abcdef01234567"}}`: ``,
		`{"a":"\u00e4"}`:                              `"ä"`,
	} {
		q := compile(t, QuerySpec{Filter: []byte(filter), AnyDocument: true})
		if got := string(q.Literal()); got != want {
			t.Errorf("%s: %s, want %s", filter, got, want)
		}
	}
	q := compile(t, QuerySpec{Filter: []byte(`{"a":"x"}`), Collation: []byte(`{"locale":"en","strength":2}`)})
	if q.Literal() != nil {
		t.Error("a query with a collation has a literal, though it may be met by other bytes")
	}
}

// A document that matches holds the literal or a backslash.
func FuzzLiteral(f *testing.F) {
	f.Add([]byte(`{"s":["a","b"]}`), "b")
	f.Add([]byte(`{"s":"\u0062","s":{"a":"\""}}`), "b")
	f.Add([]byte(`{"s":{"a":"ä\"b"}}`), `ä"b`)
	f.Fuzz(func(t *testing.T, text []byte, s string) {
		if !utf8.ValidString(s) {
			return
		}
		constant, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(bytes.Clone(text), Limits{})
		if err != nil || bytes.IndexByte(text, '\\') >= 0 {
			return
		}
		for _, filter := range []string{`{"s":%}`, `{"s.a":%}`, `{"s":{"$elemMatch":{"a":%}}}`, `{"$and":[{"s":{"$in":[%]}},{"s":{"$ne":1}}]}`} {
			q := compile(t, QuerySpec{Filter: bytes.ReplaceAll([]byte(filter), []byte("%"), constant), AnyDocument: true})
			if q.Match(d) && !bytes.Contains(text, q.Literal()) {
				t.Fatalf("%s matches %s, in which %s is not", filter, text, q.Literal())
			}
		}
	})
}
