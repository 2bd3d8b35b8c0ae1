package matcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func declare(t testing.TB, paths ...string) *Dates {
	t.Helper()
	d, err := DeclareDates(paths)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeclareDates(t *testing.T) {
	many := make([]string, MaxDeclaredFields+1)
	for i := range many {
		many[i] = fmt.Sprintf("f%d", i)
	}
	for _, test := range []struct {
		paths        []string
		path, detail string
	}{
		{[]string{"a", "a.b"}, "/a.b", `through "a"`},
		{[]string{"a.b", "a"}, "/a.b", `through "a"`},
		{[]string{"a", "a"}, "/a", "declare one"},
		{[]string{"a.b.c", "a.b"}, "/a.b.c", `through "a.b"`},
		{[]string{""}, "/", "empty name"},
		{[]string{"a..b"}, "/a..b", "empty name"},
		{[]string{"a."}, "/a.", "empty name"},
		{[]string{"a.$b"}, "/a.$b", "begins with $"},
		{[]string{"a.0"}, "/a.0", "a number"},
		{[]string{"_createdAt"}, "/_createdAt", "kept by the server"},
		{[]string{"_acl.x"}, "/_acl.x", "kept by the server"},
		{[]string{strings.Repeat("x", MaxDeclaredPathBytes+1)}, "/" + strings.Repeat("x", MaxDeclaredPathBytes+1), "MaxDeclaredPathBytes"},
		{many, "", "MaxDeclaredFields"},
	} {
		_, err := DeclareDates(test.paths)
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != CodeFieldInvalid || bad.Path != test.path || !strings.Contains(bad.Detail, test.detail) {
			t.Errorf("%v: %v", test.paths, err)
		}
	}
	if d, err := DeclareDates(nil); d != nil || err != nil {
		t.Errorf("nothing declares %v, %v", d, err)
	}
	declare(t, many[:MaxDeclaredFields]...)
	declare(t, "a.b", "a.c", "ab", "x_.01")
}

func TestConvertDates(t *testing.T) {
	dates := declare(t, "at", "meta.seen", "a.b.c")
	for text, want := range map[string]string{
		`{"at":"2026-01-31"}`:                                              `{"at":{"$date":"2026-01-31T00:00:00Z"}}`,
		`{"at":"2026-01-31T08:30:00.5+01:00","b":1}`:                       `{"at":{"$date":"2026-01-31T07:30:00.500Z"},"b":1}`,
		`{"at":null}`:                                                      `{"at":null}`,
		`{"at":{"$date":{"$numberLong":"-1"}}}`:                            `{"at":{"$date":{"$numberLong":"-1"}}}`,
		`{"at":"1969-12-31T23:59:59.999Z"}`:                                `{"at":{"$date":{"$numberLong":"-1"}}}`,
		`{"at":[ "2026-01-31", null, ["2026-02-01"]]}`:                     `{"at":[{"$date":"2026-01-31T00:00:00Z"},null,[{"$date":"2026-02-01T00:00:00Z"}]]}`,
		`{"meta":{"seen":"2026-01-31","x":"2026-01-31"},"x":"2026-01-31"}`: `{"meta":{"seen":{"$date":"2026-01-31T00:00:00Z"},"x":"2026-01-31"},"x":"2026-01-31"}`,
		`{"meta":5,"a":{"b":"2026-01-31"}}`:                                `{"meta":5,"a":{"b":"2026-01-31"}}`,
		`{"a":[{"b":[[{"c":"2026-01-31"}],7]},{"c":"2026-01-31"}]}`:        `{"a":[{"b":[[{"c":{"$date":"2026-01-31T00:00:00Z"}}],7]},{"c":"2026-01-31"}]}`,
		`{"at":"no date","at":"2026-01-31"}`:                               `{"at":{"$date":"2026-01-31T00:00:00Z"}}`,
		`{"\u0061t":"2026\u002d01-31"}`:                                    `{"at":{"$date":"2026-01-31T00:00:00Z"}}`,
		`{"at":[]}`:                                                        `{"at":[]}`,
		`{}`:                                                               `{}`,
	} {
		d, err := dates.Convert(testDocument(t, text), Limits{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := AppendValue(nil, d.Root(), ValuesCanonical)
		if canonical := AppendValue(nil, testDocument(t, want).Root(), ValuesCanonical); string(got) != string(canonical) {
			t.Errorf("%s became %s, want %s", text, got, canonical)
		}
	}
	for text, path := range map[string]string{
		`{"at":"yesterday"}`:         "/at",
		`{"at":""}`:                  "/at",
		`{"at":"2026-02-30"}`:        "/at",
		`{"at":"2026-01-31T08:30"}`:  "/at",
		`{"at":1769817600000}`:       "/at",
		`{"at":true}`:                "/at",
		`{"at":{"year":2026}}`:       "/at",
		`{"at":["2026-01-31",5]}`:    "/at/1",
		`{"at":[["x"]]}`:             "/at/0/0",
		`{"meta":[{},{"seen":"x"}]}`: "/meta/1/seen",
		`{"a":{"b":{"c":{"$oid":"` + strings.Repeat("0", 24) + `"}}}}`: "/a/b/c",
	} {
		_, err := dates.Convert(testDocument(t, text), Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != CodeTypeMismatch || bad.Path != path || !strings.Contains(bad.Detail, "2026-01-31") {
			t.Errorf("%s: %v, want an error at %s with an example", text, err, path)
		}
	}
	plain := testDocument(t, `{"at":{"$date":"2026-01-31T00:00:00Z"},"meta":{"seen":null}}`)
	if got, err := dates.Convert(plain, Limits{}); got != plain || err != nil {
		t.Errorf("a document without texts to convert was copied")
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = dates.Convert(plain, Limits{}) }); n != 0 {
		t.Errorf("%v allocations for a document that stays as it is", n)
	}
	if got, err := (*Dates)(nil).Convert(plain, Limits{}); got != plain || err != nil {
		t.Errorf("no declaration changed a document")
	}
}

// dateTexts are texts for the tests below: dates in various forms, and what is none.
var dateTexts = []string{"2026-01-31", "2026-01-31T08:30:00Z", "2026-01-31 08:30:00.123+02:00", "1950-06-01", "soon", "2026-13-01"}

// naiveDates converts a decoded document path by path, each from the root: an oracle for Convert. ok is false where a
// value is refused.
func naiveDates(v any, names []string) (_ any, ok bool) {
	if list, array := v.([]any); array {
		converted := make([]any, len(list))
		for i := range list {
			if converted[i], ok = naiveDates(list[i], names); !ok {
				return nil, false
			}
		}
		return converted, true
	}
	object, isObject := v.(map[string]any)
	if len(names) > 0 {
		child, found := object[names[0]]
		if !found {
			return v, true
		}
		copied := map[string]any{}
		for name, value := range object {
			copied[name] = value
		}
		copied[names[0]], ok = naiveDates(child, names[1:])
		return copied, ok
	}
	switch v := v.(type) {
	case nil:
		return v, true
	case string:
		for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02 15:04:05.999Z07:00"} {
			if at, err := time.Parse(layout, v); err == nil {
				return map[string]any{"$date": map[string]any{"$numberLong": fmt.Sprint(at.UnixMilli())}}, true
			}
		}
	}
	return v, isObject && object["$date"] != nil
}

func randomDated(r *rand.Rand, depth int) any {
	names := []string{"a", "b", "c", "x~/"}
	switch n := r.IntN(9); {
	case n < 3 && depth > 0:
		object := map[string]any{}
		for range r.IntN(4) {
			object[names[r.IntN(len(names))]] = randomDated(r, depth-1)
		}
		return object
	case n < 5 && depth > 0:
		list := make([]any, r.IntN(3))
		for i := range list {
			list[i] = randomDated(r, depth-1)
		}
		return list
	case n < 7:
		return dateTexts[r.IntN(4)]
	case n == 7:
		return nil
	}
	return []any{dateTexts[r.IntN(len(dateTexts))], 5, map[string]any{"$date": "2026-01-01T00:00:00Z"}}[r.IntN(3)]
}

func TestConvertDatesAgainstOracle(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	paths := []string{"a", "b.a", "b.c", "c.x~/.b"}
	dates := declare(t, paths...)
	refused := 0
	for range 20_000 {
		object := map[string]any{"a": randomDated(r, 1), "b": randomDated(r, 3), "c": randomDated(r, 4)}
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		want, ok := any(object), true
		for _, path := range paths {
			if ok {
				want, ok = naiveDates(want, strings.Split(path, "."))
			}
		}
		got, err := dates.Convert(testDocument(t, string(text)), Limits{})
		if ok != (err == nil) {
			t.Fatalf("seed %d: %s: %v, want it taken: %v", seed, text, err, ok)
		}
		if !ok {
			refused++
			continue
		}
		wantText, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if wanted := testDocument(t, string(wantText)); !Equal(got.Root(), wanted.Root()) {
			t.Fatalf("seed %d: %s became %s, want %s", seed, text, got.Text(), wanted.Text())
		}
	}
	if refused == 0 || refused > 15_000 {
		t.Errorf("seed %d: %d documents were refused", seed, refused)
	}
}

// A filter with texts for declared dates is, in normal form and so by its key, the filter with the dates themselves.
func TestFilterDates(t *testing.T) {
	dates := declare(t, "at", "meta.seen", "a.b.c")
	const day = `{"$date":"2026-01-31T00:00:00Z"}`
	for _, filter := range []string{
		`{"at":D}`,
		`{"at":{"$eq":D}}`,
		`{"at":{"$ne":D}}`,
		`{"at":{"$gt":D,"$lte":{"$date":"2027-01-01T00:00:00Z"}}}`,
		`{"at":{"$gte":D,"$lt":D}}`,
		`{"at":{"$in":[D,null,5,"2026-02-01"]}}`,
		`{"at":{"$nin":[D]}}`,
		`{"at":{"$all":[D,[D]]}}`,
		`{"at":{"$not":{"$gt":D}}}`,
		`{"at":{"$elemMatch":{"$gt":D,"$lt":D}}}`,
		`{"at.0":D}`,
		`{"at":[D,"2026-02-01"]}`,
		`{"$and":[{"at":D},{"$or":[{"meta.seen":D},{"$nor":[{"a.0.b.c":{"$lt":D}}]}]}]}`,
		`{"meta":{"seen":D,"x":"2026-01-31"}}`,
		`{"meta":{"$elemMatch":{"seen":D,"x":"2026-01-31"}}}`,
		`{"a":{"$elemMatch":{"b":{"$elemMatch":{"c":{"$gt":D}}}}}}`,
		`{"a.b":{"$elemMatch":{"$or":[{"c":D},{"d":"2026-01-31"}]}}}`,
		`{"a":{"$all":[{"$elemMatch":{"b.c":D}}]}}`,
		`{"other":"2026-01-31","at2":"x","meta.seen.x":"x","seen":"x","_id":"2026-01-31"}`,
		`{"at":{"$regex":"^2026"},"meta.seen":{"$exists":true,"$type":"string"}}`,
		`{"$expr":{"$eq":["$at","2026-01-31"]}}`,
	} {
		texts := strings.ReplaceAll(filter, "D", `"2026-01-31"`)
		whole := strings.ReplaceAll(strings.ReplaceAll(filter, "D", day), `"2026-02-01"`, `{"$date":"2026-02-01T00:00:00Z"}`)
		q := compile(t, QuerySpec{Filter: []byte(texts), Dates: dates})
		if want := compileText(t, whole); q.Normal() != want.Normal() || q.Key(1) != want.Key(1) {
			t.Errorf("%s is %s, want %s", texts, q.Normal(), want.Normal())
		}
	}
	q := compile(t, QuerySpec{Fields: []byte(`{"a":{"$elemMatch":{"b.c":{"$gt":"2026-01-31"}}}}`), Dates: dates})
	if want := compile(t, QuerySpec{Fields: []byte(`{"a":{"$elemMatch":{"b.c":{"$gt":` + day + `}}}}`)}); q.Normal() != want.Normal() {
		t.Errorf("the projection is %s, want %s", q.Normal(), want.Normal())
	}
	for filter, path := range map[string]string{
		`{"at":"soon"}`: "/filter/at",
		`{"$or":[{"b":1},{"at":{"$in":[5,"x"]}}]}`: "/filter/$or/1/at/$in/1",
		`{"meta":{"seen":"x"}}`:                    "/filter/meta/seen",
		`{"a":{"$elemMatch":{"b.c":{"$gt":"x"}}}}`: "/filter/a/$elemMatch/b.c/$gt",
	} {
		_, err := Compile(QuerySpec{Filter: []byte(filter), Dates: dates}, Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != CodeQueryInvalid || bad.Path != path || !strings.Contains(bad.Detail, "declared as a date") {
			t.Errorf("%s: %v, want an error at %s", filter, err, path)
		}
	}
}

// Operands and conditions of an update on declared dates may be texts: they act as the dates would.
func TestUpdateDates(t *testing.T) {
	dates := declare(t, "at", "days", "visits.at", "stops.days")
	expand := func(text string, form string) string {
		for _, day := range []string{"10", "15", "20", "25"} {
			text = strings.ReplaceAll(text, "D"+day, fmt.Sprintf(form, day))
		}
		return text
	}
	const written, date = `"2026-01-%s"`, `{"$date":"2026-01-%sT00:00:00Z"}`
	document := testDocument(t, expand(`{"at":D15,"days":[D10,D20],"visits":[{"at":D10,"n":1},{"at":D20,"n":2}],"stops":[{"days":[D10]},{"days":[D20]}]}`, date))
	for _, update := range []string{
		`{"$set":{"at":D20,"visits.0.at":D25,"days.1":D15}}`,
		`{"$max":{"at":D20}}`,
		`{"$max":{"at":D10}}`,
		`{"$min":{"at":D20}}`,
		`{"$addToSet":{"days":D10}}`,
		`{"$addToSet":{"days":{"$each":[D10,D25]}}}`,
		`{"$push":{"days":{"$each":[D15],"$sort":-1,"$slice":2}}}`,
		`{"$push":{"visits":{"$each":[{"at":D15}],"$sort":{"at":1}}}}`,
		`{"$pull":{"days":D10}}`,
		`{"$pull":{"days":{"$gte":D15}}}`,
		`{"$pull":{"days":{"$in":[D20,D25]}}}`,
		`{"$pull":{"visits":{"at":{"$lt":D15}}}}`,
		`{"$pull":{"visits":{"at":D20}}}`,
		`{"$pullAll":{"days":[D10,D15]}}`,
		`{"$set":{"days.$[x]":D25},"arrayFilters":[{"x":{"$lt":D15}}]}`,
		`{"$set":{"visits.$[v].n":9},"arrayFilters":[{"v.at":D20}]}`,
		`{"$max":{"visits.$[].at":D15}}`,
		`{"$set":{"stops.$[].days.$[x]":D25},"arrayFilters":[{"$or":[{"x":D10},{"x":{"$gt":D25}}]}]}`,
	} {
		apply := func(text string, dates *Dates) string {
			u, err := ParseUpdate([]byte(text), dates, Limits{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			after, _, err := u.Apply(document, 0, Limits{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return string(after.Text())
		}
		if got, want := apply(expand(update, written), dates), apply(expand(update, date), nil); got != want {
			t.Errorf("%s made %s, want %s", expand(update, written), got, want)
		}
	}
	for update, path := range map[string]string{
		`{"$set":{"at":"x"}}`:                "/$set/at",
		`{"$push":{"days":{"$each":["x"]}}}`: "/$push/days/$each/0",
		`{"$set":{"visits":[{"at":"x"}]}}`:   "/$set/visits/0/at",
		`{"$set":{"visits.$[].at":"x"}}`:     "/$set/visits.$[].at",
	} {
		_, err := ParseUpdate([]byte(update), dates, Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != CodeTypeMismatch || bad.Path != path {
			t.Errorf("%s: %v, want an error at %s", update, err, path)
		}
	}
	// An identifier for elements of two kinds of arrays: its filter is taken as it is.
	u, err := ParseUpdate([]byte(`{"$set":{"days.$[x]":"2026-01-25","visits.$[x].n":9},"arrayFilters":[{"x":"2026-01-10"}]}`), dates, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if after, changed, err := u.Apply(document, 0, Limits{}); err != nil || changed {
		t.Errorf("a filter for two kinds of elements made %s, %v", after.Text(), err)
	}
}

func FuzzConvertDates(f *testing.F) {
	f.Add([]byte(`{"a":"2026-01-31","b":{"c":["2026-01-31",{"\u0063":"1969-01-01T00:00:00Z"}]}}`))
	f.Add([]byte(`{"a":"x","a":"2026-01-31"}`))
	dates := declare(f, "a", "b.c")
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(slices.Clone(text), Limits{})
		if err != nil {
			return
		}
		converted, err := dates.Convert(d, Limits{})
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Code == CodeJSONInvalid {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		if again, err := dates.Convert(converted, Limits{}); again != converted || err != nil {
			t.Fatalf("%s is converted twice: %s, %v", text, converted.Text(), err)
		}
	})
}
