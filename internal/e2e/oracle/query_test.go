package oracle

import (
	"errors"
	"strings"
	"testing"
)

func docs(texts ...string) []Object {
	var out []Object
	for _, text := range texts {
		out = append(out, MustObject(text))
	}
	return out
}

func ids(docs []Object) string {
	var out []string
	for _, d := range docs {
		out = append(out, d.ID())
	}
	return strings.Join(out, " ")
}

func TestRun(t *testing.T) {
	all := docs(`{"_id":"d","n":2}`, `{"_id":"a","n":1}`, `{"_id":"c","n":[5,0]}`, `{"_id":"b","n":1}`, `{"_id":"e"}`,
		`{"_id":"f","n":[]}`)
	for _, c := range []struct {
		query Query
		want  string
	}{
		{Query{}, "a b c d e f"},
		{Query{Sort: []SortField{{"n", false}}}, "f e c a b d"}, // [] before missing; an array by its least element
		{Query{Sort: []SortField{{"n", true}}}, "c d a b e f"},  // an array by its greatest element; ties by _id ascending
		{Query{Sort: []SortField{{"n", true}}, Skip: 1, Limit: 2}, "d a"},
		{Query{Sort: []SortField{{"_id", true}}, Limit: 2}, "f e"},
		{Query{Filter: MustObject(`{"n":1}`), Skip: 5}, ""},
		{Query{Filter: MustObject(`{"_id":{"$gt":"C"}}`), Sort: []SortField{{"_id", true}}, Collation: &Collation{"en", 2, false}}, "f e d"},
		{Query{Filter: MustObject(`{"_id":{"$in":["A","D"]}}`), Collation: &Collation{"en", 1, true}}, "a d"},
	} {
		got, err := c.query.Run(all)
		if err != nil || ids(got) != c.want {
			t.Errorf("%+v: %q %v, want %q", c.query, ids(got), err, c.want)
		}
	}
}

func TestProject(t *testing.T) {
	d := MustObject(`{"a":1,"_id":"x","b":{"c":1,"d":2},"e":[{"c":1,"d":2},5,[{"c":3}]],"_rev":"1-x"}`)
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{nil, string(Encode(d))},
		{[]string{"a"}, `{"_id":"x","a":1}`},
		{[]string{"b.c"}, `{"_id":"x","b":{"c":1}}`},
		{[]string{"a.z"}, `{"_id":"x"}`},
		{[]string{"e.c", "_rev"}, `{"_id":"x","e":[{"c":1},[{"c":3}]],"_rev":"1-x"}`},
	} {
		if got := string(Encode(Query{Fields: c.fields}.Project(d))); got != c.want {
			t.Errorf("%v: %s, want %s", c.fields, got, c.want)
		}
	}
}

func TestApply(t *testing.T) {
	for _, c := range []struct{ doc, update, want string }{
		{`{"a":1}`, `{"$set":{"b":2}}`, `{"a":1,"b":2}`},
		{`{"a":1,"b":1}`, `{"$set":{"a":2}}`, `{"a":2,"b":1}`},
		{`{}`, `{"$set":{"a.b":2}}`, `{"a":{"b":2}}`},
		{`{"a":1}`, `{"$unset":{"a":"","z.y":""}}`, `{}`},
		{`{"a":1}`, `{"$inc":{"a":2,"b":1}}`, `{"a":3,"b":1}`},
		{`{"a":1}`, `{"$inc":{"a":0.5}}`, `{"a":1.5}`},
		{`{"a":1}`, `{"$inc":{"a":0}}`, `{"a":1}`},
	} {
		got, err := Apply(MustObject(c.doc), MustObject(c.update))
		if err != nil || string(Encode(got)) != c.want {
			t.Errorf("%s on %s: %s %v, want %s", c.update, c.doc, Encode(got), err, c.want)
		}
	}
	for _, update := range []string{`{"$inc":{"a":1}}`, `{"$set":{"a.b":1}}`, `{"$inc":{"n":1}}`} {
		if _, err := Apply(MustObject(`{"a":"text","n":9223372036854775807}`), MustObject(update)); !errors.Is(err, ErrUpdate) {
			t.Errorf("%s: %v, want ErrUpdate", update, err)
		}
	}
}

// The examples of RFC 7396, appendix A, that concern objects.
func TestMerge(t *testing.T) {
	for _, c := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got := Merge(MustObject(c.target), MustObject(c.patch))
		if string(Encode(got)) != c.want {
			t.Errorf("%s on %s: %s, want %s", c.patch, c.target, Encode(got), c.want)
		}
	}
}

func TestDecodeEncode(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":1.0,"c":1e3}`:                                   `{"a":1,"b":1.0,"c":1000.0}`,
		`{"a":{"$numberLong":"5"}}`:                                 `{"a":5}`,
		`{"a":9007199254740992}`:                                    `{"a":{"$numberLong":"9007199254740992"}}`,
		`{"a":{"$date":"2026-01-01T01:00:00.120+01:00"}}`:           `{"a":{"$date":"2026-01-01T00:00:00.12Z"}}`,
		`{"a":{"$gt":1},"b":{"$date":1,"x":2}}`:                     `{"a":{"$gt":1},"b":{"$date":1,"x":2}}`,
		`[true,null,"\u0001é",{"$numberDouble":"-Infinity"},12e99]`: `[true,null,"\u0001é",{"$numberDouble":"-Infinity"},1.2e+100]`,
	} {
		v, err := Decode([]byte(text))
		if err != nil || string(Encode(v)) != want {
			t.Errorf("%s: %s %v, want %s", text, Encode(v), err, want)
		}
		again, err := Decode(Encode(v))
		if err != nil || !Identical(v, again) {
			t.Errorf("%s does not come back: %s %v", text, Encode(again), err)
		}
	}
	for _, text := range []string{``, `{`, `{} {}`, `{"a":{"$binary":"x"}}`} {
		if v, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, Encode(v))
		}
	}
}
