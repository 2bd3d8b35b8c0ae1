package matcher

import (
	"slices"
	"strings"
	"testing"
)

type filterTest = struct {
	filter  string
	matches []string
	not     []string
}

// filterTests hold what is most often got wrong about the filters of MongoDB (manual: "Query and Projection Operators"):
// documents that a filter matches, and documents that it does not.
var filterTests = []filterTest{
	// Types: elements are looked at too, but "array" means the array itself.
	{`{"a":{"$type":"string"}}`, []string{`{"a":"x"}`, `{"a":[1,"x"]}`}, []string{`{"a":1}`, `{}`, `{"a":[["x"]]}`, `{"a":null}`}},
	{`{"a":{"$type":"array"}}`, []string{`{"a":[]}`, `{"a":[1]}`}, []string{`{"a":1}`, `{}`}},
	{`{"a":{"$type":["null",1]}}`, []string{`{"a":null}`, `{"a":1.5}`}, []string{`{}`, `{"a":1}`}},
	{`{"a":{"$type":"number"}}`, []string{`{"a":1}`, `{"a":1.5}`, `{"a":{"$numberDecimal":"1"}}`, `{"a":{"$numberInt":"1"}}`}, []string{`{"a":"1"}`, `{"a":{"$date":1}}`}},
	{`{"a":{"$type":-1}}`, []string{`{"a":{"$minKey":1}}`}, []string{`{"a":1}`, `{}`}},
	// The remainder has the sign of the dividend; both are cut towards zero.
	{`{"a":{"$mod":[4,1]}}`, []string{`{"a":5}`, `{"a":5.9}`, `{"a":[2,9]}`, `{"a":{"$numberDecimal":"13.5"}}`}, []string{`{"a":4}`, `{"a":-5}`, `{"a":"5"}`, `{}`}},
	{`{"a":{"$mod":[-4.9,-1]}}`, []string{`{"a":-5}`, `{"a":-1}`}, []string{`{"a":5}`, `{"a":0}`}},
	// Bits: by mask, by positions, of binary; negative numbers extend their sign, fractions have no bits.
	{`{"a":{"$bitsAllSet":5}}`, []string{`{"a":5}`, `{"a":7}`, `{"a":7.0}`, `{"a":-1}`}, []string{`{"a":4}`, `{"a":5.5}`, `{"a":"5"}`, `{}`}},
	{`{"a":{"$bitsAllSet":[0,200]}}`, []string{`{"a":-1}`}, []string{`{"a":1}`}},
	{`{"a":{"$bitsAnySet":[1,2]}}`, []string{`{"a":2}`, `{"a":4}`, `{"a":{"$binary":{"base64":"Bg==","subType":"00"}}}`}, []string{`{"a":1}`, `{"a":8}`}},
	{`{"a":{"$bitsAllClear":6}}`, []string{`{"a":1}`, `{"a":8}`}, []string{`{"a":2}`, `{"a":-1}`, `{}`}},
	{`{"a":{"$bitsAnyClear":{"$binary":{"base64":"Aw==","subType":"00"}}}}`, []string{`{"a":1}`, `{"a":0}`}, []string{`{"a":3}`, `{"a":7}`}},
	{`{"$alwaysTrue":1}`, []string{`{}`, `{"a":1}`}, nil},
	{`{"$alwaysFalse":1}`, nil, []string{`{}`, `{"a":1}`}},
	{`{}`, []string{`{}`, `{"a":1}`}, nil},
	{`{"a":5}`, []string{`{"a":5}`, `{"a":5.0}`, `{"a":[1,5]}`, `{"a":{"$numberDecimal":"5"}}`}, []string{`{"a":[[5]]}`, `{"a":"5"}`, `{}`, `{"a":{"$date":5}}`}},
	{`{"a":[1,2]}`, []string{`{"a":[1,2]}`, `{"a":[3,[1,2]]}`}, []string{`{"a":[2,1]}`, `{"a":[1,2,3]}`, `{"a":1}`}},
	{`{"a":[]}`, []string{`{"a":[]}`, `{"a":[[]]}`}, []string{`{"a":null}`, `{}`}},
	{`{"a":null}`, []string{`{}`, `{"a":null}`, `{"a":[1,null]}`}, []string{`{"a":[]}`, `{"a":0}`, `{"a":false}`}},
	{`{"a.b":null}`, []string{`{}`, `{"a":5}`, `{"a":[{}]}`, `{"a":{}}`, `{"a":[1,{"c":1}]}`}, []string{`{"a":[]}`, `{"a":[1,2]}`, `{"a":[[1]]}`, `{"a":{"b":1}}`}},
	{`{"a":{"$ne":5}}`, []string{`{}`, `{"a":6}`, `{"a":[]}`}, []string{`{"a":5}`, `{"a":[5,6]}`}},
	{`{"a":{"$nin":[5,null]}}`, []string{`{"a":6}`, `{"a":[]}`}, []string{`{}`, `{"a":[1,5]}`, `{"a":null}`}},
	{`{"a":{"$nin":[]}}`, []string{`{}`, `{"a":1}`}, nil},
	{`{"a":{"$in":[]}}`, nil, []string{`{}`, `{"a":[]}`, `{"a":1}`}},
	{`{"a":{"$in":[1,{"$regularExpression":{"pattern":"^x","options":"i"}},[2]]}}`, []string{`{"a":1.0}`, `{"a":"Xy"}`, `{"a":["b","x"]}`, `{"a":[2]}`}, []string{`{"a":2}`, `{"a":"yx"}`, `{}`}},
	{`{"a":{"$gt":9,"$lt":11}}`, []string{`{"a":10}`, `{"a":[8,12]}`}, []string{`{"a":9}`, `{"a":[1,2]}`, `{"a":"10"}`}},
	{`{"a":{"$elemMatch":{"$gt":9,"$lt":11}}}`, []string{`{"a":[1,10]}`}, []string{`{"a":[8,12]}`, `{"a":10}`, `{"a":[[10]]}`}},
	{`{"a":{"$gte":null}}`, []string{`{}`, `{"a":null}`}, []string{`{"a":1}`}},
	{`{"a":{"$lte":"b"}}`, []string{`{"a":"b"}`, `{"a":["c","a"]}`}, []string{`{"a":"ba"}`, `{"a":1}`, `{}`}},
	{`{"a":{"$gt":null}}`, nil, []string{`{}`, `{"a":null}`, `{"a":1}`}},
	{`{"a":{"$lt":"b"}}`, []string{`{"a":"a"}`}, []string{`{"a":1}`, `{}`, `{"a":"b"}`}},
	{`{"a":{"$gte":{"$numberDouble":"NaN"}}}`, []string{`{"a":{"$numberDouble":"NaN"}}`}, []string{`{"a":1}`}},
	{`{"a":{"$lt":5}}`, []string{`{"a":4}`}, []string{`{"a":{"$numberDouble":"NaN"}}`}},
	{`{"a":{"$gt":{"$minKey":1}}}`, []string{`{"a":1}`, `{"a":"x"}`}, []string{`{"a":{"$minKey":1}}`}},
	{`{"a":{"$gt":9007199254740992}}`, []string{`{"a":9007199254740993}`}, []string{`{"a":9007199254740992.0}`}},
	{`{"a":{"$eq":1.1}}`, []string{`{"a":1.1}`}, []string{`{"a":{"$numberDecimal":"1.1"}}`}},
	{`{"a":{"$gt":[1,2]}}`, []string{`{"a":[1,3]}`, `{"a":[[2]]}`, `{"a":[1,2,0]}`}, []string{`{"a":3}`, `{"a":[1,2]}`, `{"a":[0,[1]]}`}},
	{`{"a":{"b":1,"c":2}}`, []string{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1.0,"c":2}}`, `{"a":[{"b":1,"c":2}]}`}, []string{`{"a":{"c":2,"b":1}}`, `{"a":{"b":1,"c":2,"d":3}}`}},
	{`{"a":{"y":1,"$lt":2}}`, []string{`{"a":{"y":1,"$lt":2}}`}, []string{`{"a":1}`}},
	{`{"a":{"$gt":{"b":1}}}`, []string{`{"a":{"b":2}}`, `{"a":{"c":1}}`, `{"a":{"a":"x"}}`}, []string{`{"a":{"b":1}}`, `{"a":{"a":5}}`}},
	{`{"a.0":1}`, []string{`{"a":[1,2]}`, `{"a":{"0":1}}`, `{"a":[{"0":1}]}`, `{"a":[[2],{"0":1}]}`}, []string{`{"a":[2,1]}`, `{"a":1}`, `{"a":[[1]]}`}},
	{`{"a.1.b":1}`, []string{`{"a":[0,{"b":1}]}`, `{"a":[{"1":{"b":1}}]}`, `{"a":[0,[{"b":1}]]}`}, []string{`{"a":[{"b":1},0]}`}},
	{`{"a.b":1}`, []string{`{"a":{"b":1}}`, `{"a":[{"b":1}]}`, `{"a":[{"b":[0,1]}]}`}, []string{`{"a":[[{"b":1}]]}`, `{"a.b":1}`}},
	{`{"a.00":1}`, []string{`{"a":{"00":1}}`}, []string{`{"a":[1]}`}},
	{`{"a":{"$exists":true}}`, []string{`{"a":null}`, `{"a":[]}`}, []string{`{}`}},
	{`{"a.b":{"$exists":false}}`, []string{`{}`, `{"a":[]}`, `{"a":[{}]}`}, []string{`{"a":[{},{"b":1}]}`}},
	{`{"a":{"$exists":0}}`, []string{`{}`}, []string{`{"a":1}`}},
	{`{"a":{"$not":{"$gt":5}}}`, []string{`{}`, `{"a":"x"}`, `{"a":5}`}, []string{`{"a":[1,6]}`}},
	{`{"a":{"$not":{"$regularExpression":{"pattern":"x","options":""}}}}`, []string{`{}`, `{"a":1}`}, []string{`{"a":"axb"}`}},
	{`{"$or":[{"a":1},{"b":{"$gt":2}}]}`, []string{`{"a":1}`, `{"b":3}`}, []string{`{}`, `{"b":2}`}},
	{`{"$nor":[{"a":1},{"b":2}]}`, []string{`{}`, `{"a":2}`}, []string{`{"b":2}`}},
	{`{"$and":[{"a":{"$gt":1}},{"a":{"$lt":1}}],"$comment":"why"}`, []string{`{"a":[0,2]}`}, []string{`{"a":1}`}},
	{`{"a":{"$all":[]}}`, nil, []string{`{}`, `{"a":[]}`}},
	{`{"a":{"$all":[1,2]}}`, []string{`{"a":[2,3,1]}`}, []string{`{"a":[1]}`, `{"a":1}`}},
	{`{"a":{"$all":[1]}}`, []string{`{"a":1}`, `{"a":[1]}`}, []string{`{"a":[[1]]}`}},
	{`{"a":{"$all":[[1,2]]}}`, []string{`{"a":[1,2]}`, `{"a":[[1,2]]}`}, []string{`{"a":[1]}`}},
	{`{"a":{"$all":[{"$elemMatch":{"b":1}},{"$elemMatch":{"b":2}}]}}`, []string{`{"a":[{"b":1},{"b":2}]}`}, []string{`{"a":[{"b":1}]}`}},
	{`{"a":{"$size":2.0}}`, []string{`{"a":[1,[2,3]]}`}, []string{`{"a":[[1,2]]}`, `{"a":{"x":1,"y":2}}`, `{"a":[]}`}},
	{`{"a.b":{"$size":1}}`, []string{`{"a":[{"b":[1]}]}`}, []string{`{"a":[{"b":1}]}`}},
	{`{"a":{"$elemMatch":{"b":1,"c":2}}}`, []string{`{"a":[{"b":1,"c":2}]}`}, []string{`{"a":[{"b":1},{"c":2}]}`, `{"a":{"b":1,"c":2}}`}},
	{`{"a":{"$elemMatch":{"0":1}}}`, []string{`{"a":[[1]]}`, `{"a":[{"0":1}]}`}, []string{`{"a":[1]}`}},
	{`{"a":{"$elemMatch":{"$or":[{"b":1},{"b":2}]}}}`, []string{`{"a":[{"b":2}]}`}, []string{`{"a":[2]}`}},
	{`{"a":{"$elemMatch":{"$nin":[1]}}}`, []string{`{"a":[1,2]}`}, []string{`{"a":[1]}`, `{"a":[]}`}},
	{`{"a":{"$elemMatch":{"$elemMatch":{"$gt":1}}}}`, []string{`{"a":[[2]]}`}, []string{`{"a":[2]}`}},
	{`{"a":{"$regex":"^B","$options":"im"}}`, []string{`{"a":"x\nb"}`, `{"a":["b"]}`}, []string{`{"a":"ab"}`, `{"a":5}`}},
	{`{"a":{"$regex":"a.b"}}`, []string{`{"a":"a-b"}`}, []string{`{"a":"a\nb"}`}},
	{`{"a":{"$regex":"a.b","$options":"s"}}`, []string{`{"a":"a\nb"}`}, []string{`{"a":"ab"}`}},
	{`{"a":{"$regex":"^a b # all\n[ #] c\\ d\\#$","$options":"x"}}`, []string{`{"a":"ab c d#"}`, `{"a":"ab#c d#"}`}, []string{`{"a":"a b c d#"}`}},
	{`{"a":{"$regularExpression":{"pattern":"x","options":"i"}}}`, []string{`{"a":"X"}`, `{"a":{"$regularExpression":{"pattern":"x","options":"i"}}}`}, []string{`{"a":{"$regularExpression":{"pattern":"x","options":""}}}`}},
	{`{"a":{"$ref":"c","$id":1}}`, []string{`{"a":{"$ref":"c","$id":1}}`}, []string{`{"a":{"$ref":"c","$id":2}}`}},
}

func TestFilters(t *testing.T) {
	for _, test := range filterTests {
		runFilterTest(t, test)
	}
}

func runFilterTest(t *testing.T, test filterTest) {
	t.Helper()
	q := compileText(t, test.filter)
	// $nor of a filter says the opposite of every document.
	opposite := compileText(t, `{"$nor":[`+test.filter+`]}`)
	check := func(text string, want bool) {
		d := testDocument(t, text)
		if q.Match(d) != want {
			t.Errorf("%s on %s: got %t", test.filter, text, !want)
		}
		if opposite.Match(d) == want {
			t.Errorf("$nor of %s on %s: got %t", test.filter, text, want)
		}
	}
	for _, text := range test.matches {
		check(text, true)
	}
	for _, text := range test.not {
		check(text, false)
	}
}

func TestEveryOperatorIsTested(t *testing.T) {
	var all strings.Builder
	for _, test := range slices.Concat(filterTests, nearTests) {
		all.WriteString(test.filter)
	}
	check := func(name string) {
		if !strings.Contains(all.String(), `"`+name+`":`) {
			t.Errorf("no row of filterTests holds %s", name)
		}
	}
	for name := range logicalOperators {
		check(name)
	}
	for name := range fieldOperators {
		check(name)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	d := testDocument(t, `{"_id":"a","a":[{"b":[1,2,{"c":"text"}]},5],"s":"some text","n":5.5,"o":{"x":{"y":[1,[2]]}}}`)
	for _, test := range filterTests {
		if raceEnabled && strings.Contains(test.filter, "$expr") {
			continue // the race detector empties pools at random
		}
		q := compileText(t, test.filter)
		if n := testing.AllocsPerRun(100, func() { q.Match(d) }); n != 0 {
			t.Errorf("%s allocates %v times", test.filter, n)
		}
	}
	q := compileText(t, `{"a.b.2.c":{"$regex":"^te"},"s":{"$in":["a","some text"]},"o.x.y":{"$elemMatch":{"$size":1}}}`)
	if n := testing.AllocsPerRun(100, func() {
		if !q.Match(d) {
			panic("no match: the test says little")
		}
	}); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

// TestPathWalkIsBounded runs the worst that a path can do: names that are read as index and as field at every level.
func TestPathWalkIsBounded(t *testing.T) {
	const levels = 45
	deep := strings.Repeat(`{"0":[`, levels) + strings.Repeat(`]}`, levels)
	d := testDocument(t, `{"a":[`+deep+`]}`)
	path := "a" + strings.Repeat(".0", MaxPathIndexes)
	q := compileText(t, `{"`+path+`":"nowhere"}`)
	visits := &countingVisitor{}
	walk(visits, d.Root(), q.filter.path.segments, true)
	if visits.n > 1<<(MaxPathIndexes+1) {
		t.Errorf("%d values were visited", visits.n)
	}
}

type countingVisitor struct{ n int }

func (c *countingVisitor) visit(Value) bool { c.n++; return false }

func BenchmarkMatch(b *testing.B) {
	d := testDocument(b, `{"_id":"p1","title":"A title of some length","published":true,"likes":41,"tags":["go","db","live"],`+
		`"author":{"name":"ada","city":"London"},"comments":[{"by":"x","stars":3},{"by":"y","stars":5}]}`)
	for _, filter := range []string{
		`{"published":true,"likes":{"$gte":40}}`, `{"author.city":"London"}`, `{"tags":"live"}`,
		`{"comments":{"$elemMatch":{"by":"y","stars":{"$gt":4}}}}`, `{"title":{"$regex":"^A t"}}`,
	} {
		b.Run(filter, func(b *testing.B) {
			q := compileText(b, filter)
			b.ReportAllocs()
			for b.Loop() {
				if !q.Match(d) {
					b.Fatal("no match")
				}
			}
		})
	}
}
