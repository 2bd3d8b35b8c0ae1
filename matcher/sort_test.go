package matcher

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortForms(t *testing.T) {
	for text, want := range map[string]string{
		`{"date":-1,"title":1}`:            `[["date",-1],["title",1],["_id",1]]`,
		`{"title":1,"date":-1}`:            `[["title",1],["date",-1],["_id",1]]`,
		`[["date",-1],["title",1.0]]`:      `[["date",-1],["title",1],["_id",1]]`,
		`"-date,title"`:                    `[["date",-1],["title",1],["_id",1]]`,
		`{"a.b":{"$numberInt":"1"}}`:       `[["a.b",1],["_id",1]]`,
		`{"_id":-1}`:                       `[["_id",-1]]`,
		`{"a":1,"_id":-1,"never":1}`:       `[["a",1],["_id",-1]]`,
		`{}`:                               `[]`,
		`[]`:                               `[]`,
		`{"a":1,"b":{"$numberLong":"-1"}}`: `[["a",1],["b",-1],["_id",1]]`,
	} {
		keys, err := compileSort([]byte(text), Limits{}.WithDefaults(), nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if keys != nil {
			keys = withID(keys)
		}
		if got := string(appendNormalSort(nil, keys)); got != want {
			t.Errorf("%s is read as %s, want %s", text, got, want)
		}
	}
}

// TestSortOrder sorts documents that are given in the expected order.
func TestSortOrder(t *testing.T) {
	for _, test := range []struct {
		sort string
		docs []string
	}{
		{`{"a":1}`, []string{`{"a":{"$minKey":1}}`, `{"a":[]}`, `{}`, `{"a":{"$numberDouble":"NaN"}}`, `{"a":-1}`, `{"a":1.5}`, `{"a":2}`, `{"a":""}`,
			`{"a":"a"}`, `{"a":"a\u0000"}`, `{"a":"b"}`, `{"a":{}}`, `{"a":{"x":1}}`, `{"a":[[1]]}`, `{"a":{"$oid":"0123456789abcdef01234567"}}`,
			`{"a":false}`, `{"a":true}`, `{"a":{"$date":1}}`, `{"a":{"$maxKey":1}}`}},
		{`{"a":-1}`, []string{`{"a":true}`, `{"a":"b"}`, `{"a":"a\u0000"}`, `{"a":"a"}`, `{"a":""}`, `{"a":2}`, `{"a":1}`, `{"a":null}`, `{"a":[]}`}},
		{`{"a":1}`, []string{`{"a":[5,1]}`, `{"a":2}`, `{"a":[3,9]}`, `{"a":4}`}},
		{`{"a":-1}`, []string{`{"a":[3,9]}`, `{"a":[5,1]}`, `{"a":4}`, `{"a":2}`}},
		{`{"a.b":1}`, []string{`{"a":[]}`, `{"a":[{"b":5},{"b":1}]}`, `{"a":{"b":2}}`, `{"a":[{"b":[7,3]}]}`, `{"a":{"b":4}}`}},
		{`{"a.b":1,"_id":1}`, []string{`{"a":[{"b":5},{}]}`, `{"a":5}`, `{"a":[[{"b":5}]]}`, `{"a":{"b":0}}`}},
		{`{"a.1":1}`, []string{`{"a":[9]}`, `{"a":[9,1]}`, `{"a":{"1":2}}`, `{"a":[0,3]}`}},
		{`{"a.1":1}`, []string{`{"a":[9,[]]}`, `{"a":[0]}`, `{"a":[0,7]}`, `{"a":[0,[1,5]]}`, `{"a":[0,[2]]}`}},
		{`{"a.1.b":-1}`, []string{`{"a":[9,{"b":3}]}`, `{"a":[{"1":{"b":2}}]}`, `{"a":[{"b":9},{"b":1}]}`, `{"a":[]}`}},
		// Both fields from the same element: (1,9) and (2,1), not (1,1).
		{`{"a.x":1,"a.y":1}`, []string{`{"a":{"x":1,"y":8}}`, `{"a":[{"x":2,"y":1},{"x":1,"y":9}]}`, `{"a":{"x":1,"y":10}}`}},
		{`{"a.x":1,"a.y":-1}`, []string{`{"a":{"x":1,"y":10}}`, `{"a":[{"x":1,"y":1},{"x":1,"y":9}]}`, `{"a":{"x":1,"y":8}}`}},
		// Two arrays: each field takes its own.
		{`{"a":1,"b":-1}`, []string{`{"a":[3,1],"b":[4,6]}`, `{"a":1,"b":5}`, `{"a":[2],"b":[]}`}},
		{`{"a":1,"b":1}`, []string{`{"a":"x","b":9}`, `{"a":"x\u0000","b":1}`, `{"a":"xy","b":0}`}},
	} {
		q := compile(t, QuerySpec{Sort: []byte(test.sort)})
		var last []byte
		for i, text := range test.docs {
			separator := ","
			if text == `{}` {
				separator = ""
			}
			d := testDocument(t, fmt.Sprintf(`{"_id":"d%02d"%s%s`, i, separator, text[1:]))
			key := q.AppendSortKey(nil, d)
			if i > 0 && bytes.Compare(last, key) >= 0 {
				t.Errorf("%s: %s does not come behind %s", test.sort, text, test.docs[i-1])
			}
			last = key
		}
	}
}

// naiveSortValue is one value that a path sorts by; empty stands for an array without elements, which is below null.
type naiveSortValue struct {
	value Value
	empty bool
}

func (a naiveSortValue) compare(b naiveSortValue) int {
	switch {
	case a.empty && b.empty:
		return 0
	case a.empty:
		return -1
	case b.empty:
		return 1
	}
	return Compare(a.value, b.value)
}

// naiveSortValues are all values that a path sorts by, found without regard to speed or to other paths.
func naiveSortValues(v Value, segments []segment) []naiveSortValue {
	switch {
	case v.Kind() == KindArray && v.Len() == 0:
		return []naiveSortValue{{empty: len(segments) == 0}}
	case v.Kind() == KindArray:
		var all []naiveSortValue
		for e := v.First(); e.Exists(); e = e.Next() {
			switch {
			case len(segments) == 0:
				all = append(all, naiveSortValue{value: e})
			case e.Kind() == KindObject:
				all = append(all, naiveSortValues(e, segments)...)
			default:
				all = append(all, naiveSortValue{})
			}
		}
		return all
	case len(segments) == 0:
		return []naiveSortValue{{value: v}}
	}
	return naiveSortValues(v.Field(segments[0].name), segments[1:])
}

func TestSortKeysAgainstNaive(t *testing.T) { // invariant 6
	for seed := range uint64(20) {
		m := filterMaker{rand.New(rand.NewPCG(seed, 4))}
		field := m.pick("a", "b", "a.b", "a.a.b")
		q := compile(t, QuerySpec{Sort: fmt.Appendf(nil, `{%q:%s}`, field, m.pick("1", "-1"))})
		extreme := func(d *Document) naiveSortValue {
			values := naiveSortValues(d.Root(), q.sort[0].path.segments)
			if q.sort[0].descending {
				return slices.MaxFunc(values, naiveSortValue.compare)
			}
			return slices.MinFunc(values, naiveSortValue.compare)
		}
		for i := range 500 {
			a, b := testDocument(t, m.document()), testDocument(t, m.document())
			got := bytes.Compare(q.AppendSortKey(nil, a), q.AppendSortKey(nil, b))
			want := extreme(a).compare(extreme(b))
			if q.sort[0].descending {
				want = -want
			}
			if got != want {
				t.Fatalf("seed %d, pair %d, %s: %s to %s is %d, want %d", seed, i, q.Normal(), a.Text(), b.Text(), got, want)
			}
		}
	}
}

func TestSortKeysNeverEqual(t *testing.T) { // invariant 6
	for _, sort := range []string{`{"a":1}`, `{"a":-1}`, `{"a":1,"_id":-1}`, `{"_id":-1}`} {
		q := compile(t, QuerySpec{Sort: []byte(sort)})
		seen := map[string]string{}
		for _, id := range []string{"a", "aa", "b", "a\\u0001", "ä"} {
			for _, value := range []string{`1`, `1.0`, `"a"`, `"aa"`, `null`, `[]`, `["a"]`} {
				key := string(q.AppendSortKey(nil, testDocument(t, fmt.Sprintf(`{"_id":"%s","a":%s}`, id, value))))
				if other, taken := seen[key]; taken && other != id {
					t.Errorf("sort %s: %q and %q have the same key", sort, id, other)
				}
				seen[key] = id
			}
		}
	}
}

func BenchmarkSortKey(b *testing.B) {
	d := testDocument(b, `{"_id":"p1","date":{"$date":1700000000000},"title":"A title","tags":["x","a"]}`)
	for _, sort := range []string{`{"date":-1}`, `{"title":1,"date":-1}`, `{"tags":1}`} {
		b.Run(sort, func(b *testing.B) {
			q := compile(b, QuerySpec{Sort: []byte(sort)})
			var key []byte
			b.ReportAllocs()
			for b.Loop() {
				key = q.AppendSortKey(key[:0], d)
			}
		})
	}
}
