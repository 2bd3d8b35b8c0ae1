package matcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func testDocument(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func compile(t testing.TB, spec QuerySpec) *Query {
	t.Helper()
	q, err := Compile(spec, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", spec.Filter, err)
	}
	return q
}

func compileText(t testing.TB, filter string) *Query {
	t.Helper()
	return compile(t, QuerySpec{Filter: []byte(filter)})
}

func TestCompileErrors(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	names := strings.Repeat("a.", 100) + "a"
	numbers := strings.Repeat("1,", MaxInValues) + "1"
	keys := ""
	for i := range MaxSortKeys + 1 {
		keys += fmt.Sprintf(`,"k%d":1`, i)
	}
	f := func(text string) QuerySpec { return QuerySpec{Filter: []byte(text)} }
	s := func(text string) QuerySpec { return QuerySpec{Sort: []byte(text)} }
	for _, test := range []struct {
		spec               QuerySpec
		code, path, detail string // part of the detail
	}{
		{f(`{"a":{"$gte2":1}}`), CodeOperatorUnknown, "/filter/a/$gte2", "$gte"},
		{f(`{"a":{"$where":"x"}}`), CodeOperatorUnknown, "/filter/a/$where", "it runs code; use $expr"},
		{f(`{"a":{"$zzzzzz":"x"}}`), CodeOperatorUnknown, "/filter/a/$zzzzzz", "known ones are $all, $bitsAllClear"},
		{f(`{"$ro":[]}`), CodeOperatorUnknown, "/filter/$ro", "did you mean $or?"},
		{f(`{"$gt":5}`), CodeOperatorUnknown, "/filter/$gt", "below a field name"},
		{f(`{"a":{"$or":[{"b":1}]}}`), CodeOperatorUnknown, "/filter/a/$or", "beside field names"},
		{f(`{"a/b~c":{"$x":1}}`), CodeOperatorUnknown, "/filter/a~1b~0c/$x", ""},
		{f(`{"$and":[{"a":1},{"b":{"$foo":1}}]}`), CodeOperatorUnknown, "/filter/$and/1/b/$foo", ""},
		{f(`{"a":{"$lt":2,"y":1}}`), CodeQueryInvalid, "/filter/a/y", "$eq"},
		{f(`{"_id":5}`), CodeIDNotString, "/filter/_id", "$oid"},
		{f(`{"_id":null}`), CodeIDNotString, "/filter/_id", "null"},
		{f(`{"_id":{"$in":["a",1]}}`), CodeIDNotString, "/filter/_id/$in/1", ""},
		{f(`{"_id":{"$ne":{"x":1}}}`), CodeIDNotString, "/filter/_id/$ne", ""},
		{f(`{"$nor":[{"_id":{"$not":{"$gt":1}}}]}`), CodeIDNotString, "/filter/$nor/0/_id/$not/$gt", ""},
		{f(`{"a":{"$in":[{"$gt":1}]}}`), CodeQueryInvalid, "/filter/a/$in/0", "$gt"},
		{f(`{"a":{"$in":5}}`), CodeQueryInvalid, "/filter/a/$in", "array"},
		{f(`{"a":{"$in":[` + numbers + `]}}`), CodeQueryTooLarge, "/filter/a/$in", "2001"},
		{f(`{"a":{"$regex":"a","$options":"q"}}`), CodeQueryInvalid, "/filter/a/$regex", "i, m, s and x"},
		{f(`{"a":{"$regex":"(?=a)"}}`), CodeQueryInvalid, "/filter/a/$regex", "look-around"},
		{f(`{"a":{"$options":"i"}}`), CodeQueryInvalid, "/filter/a/$options", "$regex"},
		{f(`{"a":{"$regex":"` + long[:5000] + `"}}`), CodeQueryTooLarge, "/filter/a/$regex", "4096"},
		{f(`{"a":{"$regex":"((a{100}){100}){100}"}}`), CodeQueryInvalid, "/filter/a/$regex", "repeat"},
		{f(`{"a":{"$regex":"(` + strings.Repeat("[ac]{9}", 10) + `){100}"}}`), CodeQueryTooLarge, "/filter/a/$regex", "10000"},
		{f(`{"$or":[` + strings.Repeat(`{"a":{"$regex":"a{900}"}},`, 12) + `{}]}`), CodeQueryTooLarge, "", "10000"},
		{f(`{"a":{"$size":-1}}`), CodeQueryInvalid, "/filter/a/$size", "-1"},
		{f(`{"a":{"$not":5}}`), CodeQueryInvalid, "/filter/a/$not", ""},
		{f(`{"a":{"$all":[1,{"$elemMatch":{"b":1}}]}}`), CodeQueryInvalid, "/filter/a/$all/1", "mixes"},
		{f(`{"$and":[]}`), CodeQueryInvalid, "/filter/$and", "one or more"},
		{f(`[1]`), CodeQueryInvalid, "/filter", "object"},
		{f(`{"a":`), CodeJSONInvalid, "/filter/a", ""},
		{f(`{"a":"` + long + `"}`), CodeQueryTooLarge, "/filter", "MaxQueryBytes"},
		{f(`{"a":[` + strings.Repeat("1,", 5000) + `1]}`), CodeQueryTooLarge, "/filter", "MaxQueryNodes"},
		{f(`{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`), CodeQueryTooLarge, "", "100"},
		{f(`{"` + names + `":1}`), CodeQueryTooLarge, "/filter/" + names, "101"},
		{f(`{"a.0.0.0.0.0.0.0.0.0":1}`), CodeQueryTooLarge, "/filter/a.0.0.0.0.0.0.0.0.0", "numeric"},
		{s(`{"a":2}`), CodeQueryInvalid, "/sort/a", "1 (ascending)"},
		{s(`{"a":"asc"}`), CodeQueryInvalid, "/sort/a", "1 (ascending)"},
		{s(`{"a":{"$meta":"textScore"}}`), CodeQueryInvalid, "/sort/a", "1 (ascending)"},
		{s(`[["a",1],["a",-1]]`), CodeQueryInvalid, "/sort/1", "twice"},
		{s(`["a"]`), CodeQueryInvalid, "/sort/0", "pair"},
		{s(`{"a..b":1}`), CodeQueryInvalid, "/sort/a..b", "empty name"},
		{s(`{"$a":1}`), CodeQueryInvalid, "/sort/$a", "$"},
		{s(`5`), CodeQueryInvalid, "/sort", ""},
		{s(`{` + keys[1:] + `}`), CodeQueryTooLarge, "/sort/k32", "32"},
		{QuerySpec{Skip: -1}, CodeQueryInvalid, "/skip", "-1"},
		{QuerySpec{Limit: -1}, CodeQueryInvalid, "/limit", "-1"},
		{QuerySpec{Collation: []byte(`{"locale":"tlh"}`)}, CodeQueryInvalid, "/collation/locale", "simple"},
		{QuerySpec{Fields: []byte(`5`)}, CodeQueryInvalid, "/fields", ""},
	} {
		_, err := Compile(test.spec, Limits{})
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%.60s %s: got %v", test.spec.Filter, test.spec.Sort, err)
			continue
		}
		pathOK := bad.Path == test.path || test.path == "" && bad.Path != ""
		if bad.Code != test.code || !pathOK || !strings.Contains(bad.Detail, test.detail) {
			t.Errorf("%.60s %s: got %s at %q: %s", test.spec.Filter, test.spec.Sort, bad.Code, bad.Path, bad.Detail)
		}
		if bad.Code == CodeQueryTooLarge && bad.Limit == 0 {
			t.Errorf("%.60s: the error does not carry the limit: %s", test.spec.Filter, bad.Detail)
		}
	}
}

func TestIDsMayBeObjectIDs(t *testing.T) {
	q := compileText(t, `{"_id":{"$oid":"0123456789abcdef01234567"}}`)
	if !q.Match(testDocument(t, `{"_id":"0123456789abcdef01234567"}`)) {
		t.Error("an ObjectId is not read as its hex digits")
	}
	q = compileText(t, `{"items":{"$elemMatch":{"_id":5}}}`)
	if !q.Match(testDocument(t, `{"_id":"a","items":[{"_id":5}]}`)) {
		t.Error("the _id of an element is any value")
	}
}

func TestIDs(t *testing.T) {
	for _, test := range []struct {
		filter string
		ids    []string
		pinned bool
	}{
		{`{}`, nil, false},
		{`{"_id":"a"}`, []string{"a"}, true},
		{`{"_id":"a","x":1}`, []string{"a"}, true},
		{`{"_id":{"$in":["c","a","c"]}}`, []string{"a", "c"}, true},
		{`{"_id":{"$in":[]}}`, nil, true},
		{`{"_id":{"$in":["a",{"$regularExpression":{"pattern":"x","options":""}}]}}`, nil, false},
		{`{"_id":{"$gt":"a"}}`, nil, false},
		{`{"_id":{"$ne":"a"}}`, nil, false},
		{`{"$or":[{"_id":"b"},{"_id":"a","x":1}]}`, []string{"a", "b"}, true},
		{`{"$or":[{"_id":"b"},{"x":1}]}`, nil, false},
		{`{"_id":{"$in":["a","b"]},"$or":[{"_id":"b"},{"_id":"c"}]}`, []string{"b"}, true},
		{`{"_id":"a","$nor":[{"_id":"b"}]}`, []string{"a"}, true},
		{`{"x":{"$elemMatch":{"_id":"a"}}}`, nil, false},
		{`{"_id.x":"a"}`, nil, false},
	} {
		ids, pinned := compileText(t, test.filter).IDs()
		if pinned != test.pinned || !slices.Equal(ids, test.ids) {
			t.Errorf("%s: got %q, %t", test.filter, ids, pinned)
		}
	}
}

func TestOrdered(t *testing.T) {
	if compile(t, QuerySpec{Sort: []byte(`{}`), Filter: []byte(`{"a":1}`)}).Ordered() {
		t.Error("an empty sort is no sort")
	}
	null := []byte(" null")
	if q := compile(t, QuerySpec{Filter: null, Sort: null, Fields: null, Collation: null}); q.Normal() != compile(t, QuerySpec{}).Normal() {
		t.Errorf("null is not the same as nothing: %s", q.Normal())
	}
	for _, spec := range []QuerySpec{{Sort: []byte(`{"a":1}`)}, {Skip: 1}, {Limit: 1}} {
		if !compile(t, spec).Ordered() {
			t.Errorf("%+v is not ordered", spec)
		}
	}
}

func TestKey(t *testing.T) {
	a := compile(t, QuerySpec{Filter: []byte(`{"a":1,"b":2}`), Sort: []byte(`{"x":1}`)})
	b := compile(t, QuerySpec{Filter: []byte(`{"b":2.0,"a":{"$eq":1}}`), Sort: []byte(`[["x",1],["_id",1],["z",1]]`)})
	if a.Key(1) != b.Key(1) {
		t.Errorf("%s and %s have different keys", a.Normal(), b.Normal())
	}
	if a.Key(1) == a.Key(2) {
		t.Error("two collections share a query key")
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(a.Key(1)) {
		t.Errorf("the key is %q", a.Key(1))
	}
	distinct := map[string]QuerySpec{}
	for _, spec := range []QuerySpec{
		{}, {Sort: []byte(`{"x":1}`)}, {Sort: []byte(`{"x":-1}`)}, {Sort: []byte(`{"x":1,"y":1}`)}, {Sort: []byte(`{"y":1,"x":1}`)},
		{Skip: 1}, {Limit: 1}, {Skip: 1, Limit: 1}, {Fields: []byte(`["a"]`)}, {Values: ValuesPlain}, {Filter: []byte(`{"a":1}`)},
	} {
		key := compile(t, spec).Key(1)
		if other, taken := distinct[key]; taken {
			t.Errorf("%+v and %+v have the same key", spec, other)
		}
		distinct[key] = spec
	}
}

func TestExplain(t *testing.T) {
	q := compile(t, QuerySpec{Filter: []byte(`{"b":{"$gt":5.0},"_id":"a"}`), Sort: []byte(`"-date"`), Skip: 2, Limit: 3,
		Fields: []byte(`["b"]`)})
	text, err := json.Marshal(q.Explain())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"filter":{"$and":[{"_id":{"$eq":"a"}},{"b":{"$gt":5}}]},"sort":[["date",-1],["_id",1]],` +
		`"window":{"skip":2,"limit":3,"need":37},"fields":{"show":{"_id":1,"b":1}},"foundBy":"ids","ids":["a"]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if text, err = json.Marshal(compile(t, QuerySpec{}).Explain()); err != nil || string(text) != `{"filter":{},"foundBy":"scan"}` {
		t.Errorf("got %s, %v", text, err)
	}
}

// FuzzQuery compiles any text as a filter and as a sort: it never panics, normal forms are JSON, and a filter that is
// compiled again from another spelling of its text has the same normal form, which answers as the filter itself does.
// Under a declaration it may be refused, and else says what its normal form says.
func FuzzQuery(f *testing.F) {
	for _, filter := range []string{
		`{}`, `{"a":1}`, `{"a.b.0":{"$gt":1,"$lt":5.5}}`, `{"$or":[{"a":1},{"b":{"$in":[1,"x",null]}}]}`,
		`{"a":{"$not":{"$regex":"^a","$options":"im"}}}`, `{"a":{"$elemMatch":{"b":1,"c":{"$size":2}}}}`,
		`{"a":{"$elemMatch":{"$gt":1}}}`, `{"a":{"$all":[1,[2]]}}`, `{"$nor":[{"a":{"$exists":false}}]}`,
		`{"_id":{"$oid":"0123456789abcdef01234567"}}`, `{"a":{"$numberDecimal":"1.10"}}`, `{"a":{"b":1,"$x":2}}`,
		`{"$nor":[{"a":1,"b":{"$ne":2}},{"$or":[{"a":null},{"a":{"$regex":"x"}}]}]}`, `{"a":{"$near":[1,2],"$maxDistance":5},"b":1}`,
		`{"a":{"$geoWithin":{"$box":[[0,0],[3,3]]}}}`,
	} {
		f.Add(filter, `{"a":-1,"b.c":1}`, `{"_id":"x","a":[{"b":[1,2]},5],"b":{"c":"d"}}`)
	}
	f.Add(`{"a":{"$gt":"2026-01-31"},"b":{"$elemMatch":{"c":"2026-01-31T08:30Z"}},"x":{"$in":["2026-01-31"]}}`, `a`, `{"a":{"$date":"2026-02-01"},"b":[{"c":1}]}`)
	dates := declare(f, "a", "b.c")
	f.Fuzz(func(t *testing.T, filter, sort, text string) {
		d, err := Parse([]byte(text), Limits{})
		if err != nil {
			d = nil
		}
		q, err := Compile(QuerySpec{Filter: []byte(filter), Sort: []byte(sort)}, Limits{})
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Detail == "" || bad.Code == "" {
				t.Fatalf("not a user's error: %v", err)
			}
			return
		}
		if !json.Valid([]byte(q.Normal())) {
			t.Fatalf("the normal form is no JSON: %s", q.Normal())
		}
		if d != nil && len(filter) > 0 {
			if raw, err := compileFilter([]byte(filter), Limits{}.WithDefaults(), &compiler{}); err == nil && raw.match(d.Root()) != q.Match(d) {
				t.Fatalf("%s matches %s, but in its normal form %s it does not, or the other way round", filter, text, q.Normal())
			}
		}
		if nearOf(q.filter.node) != nil { // there is one at most
			return
		}
		again := compile(t, QuerySpec{Filter: []byte(`{"$and":[` + filter + `,{"$nor":[{"$nor":[` + filter + `]}]}]}`), Sort: []byte(sort)})
		if again.Normal() != q.Normal() {
			t.Fatalf("%s and %s are the same", q.Normal(), again.Normal())
		}
		if d != nil {
			if q.Match(d) != again.Match(d) {
				t.Fatalf("%s matches %s depending on its spelling", filter, text)
			}
			if key := q.AppendSortKey(nil, d); len(key) == 0 {
				t.Fatal("an empty sort key")
			}
			q.UnseenTypes(seenOf(d))
		}
		dated, err := Compile(QuerySpec{Filter: []byte(filter), Dates: dates}, Limits{})
		if bad := (*Error)(nil); err != nil && (!errors.As(err, &bad) || !strings.Contains(bad.Detail, "declared as a date")) {
			t.Fatalf("refused under a declaration alone: %v", err)
		}
		if err == nil && d != nil && dated.filterText == q.filterText && dated.Match(d) != q.Match(d) {
			t.Fatalf("%s matches %s depending on the declaration", filter, text)
		}
	})
}
