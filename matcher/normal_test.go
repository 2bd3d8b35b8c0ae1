package matcher

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestNormalSame(t *testing.T) {
	for _, same := range [][]string{
		{`{}`, `{"$and":[{}]}`, `{"$and":[{},{"$and":[{}]}]}`, `{"$comment":"x"}`, `{"a":{"$nin":[]}}`, `{"$or":[{},{"a":1}]}`},
		{`{"a":1}`, `{"a":1.0}`, `{"a":{"$numberLong":"1"}}`, `{"a":{"$numberDecimal":"1.0"}}`, `{"a":{"$eq":1}}`, `{"a":{"$in":[1,1.0]}}`,
			`{"a":{"$all":[1]}}`, `{"$or":[{"a":1}]}`, `{"$and":[{"a":1},{"a":1}]}`, `{"a":{"$not":{"$ne":1}}}`, `{"$nor":[{"a":{"$ne":1}}]}`},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, `{"$and":[{"b":2},{"a":1}]}`, `{"a":1,"$and":[{"$and":[{"b":2}]},{"a":1}]}`},
		{`{"a":{"$ne":1}}`, `{"a":{"$not":{"$eq":1}}}`, `{"a":{"$nin":[1]}}`, `{"$nor":[{"a":1}]}`},
		{`{"a":{"$in":[2,1,"x"]}}`, `{"a":{"$in":["x",1.0,2,2]}}`, `{"$or":[{"a":1},{"a":2},{"a":"x"}]}`,
			`{"$or":[{"a":{"$in":[2,1]}},{"$or":[{"a":"x"},{"a":2}]}]}`, `{"$or":[{"a":1},{"a":2},{"a":"x"},{"b":{"$in":[]}}]}`},
		{`{"a":{"$nin":[1,2]}}`, `{"$nor":[{"a":1},{"a":2}]}`, `{"$and":[{"a":{"$ne":2}},{"a":{"$not":{"$eq":1}}}]}`, `{"a":{"$ne":1,"$nin":[2]}}`,
			`{"a":{"$not":{"$in":[1,2]}}}`},
		{`{"$or":[{"a":null},{"a":{"$regularExpression":{"pattern":"x","options":"i"}}}]}`,
			`{"a":{"$in":[{"$regularExpression":{"pattern":"x","options":"i"}},null]}}`},
		{`{"a":{"$ne":1},"b":{"$ne":1}}`, `{"$nor":[{"a":1},{"b":1}]}`, `{"$nor":[{"$or":[{"b":1},{"a":1}]}]}`},
		{`{"$nor":[{"a":1,"b":1}]}`, `{"$or":[{"a":{"$ne":1}},{"b":{"$ne":1}}]}`},
		{`{"a":{"$not":{"$gt":1,"$lt":5}}}`, `{"$or":[{"a":{"$not":{"$gt":1}}},{"a":{"$not":{"$lt":5}}}]}`},
		{`{"a":{"$gt":1},"c":1,"$nor":[{"a":{"$gt":1}}]}`, `{"$alwaysFalse":1}`},
		{`{"$or":[{"a":{"$exists":true}},{"a":{"$exists":false}},{"b":1}]}`, `{}`},
		{`{"a":{"$elemMatch":{"$in":[1,2]}}}`, `{"a":{"$elemMatch":{"$not":{"$ne":1,"$nin":[2]}}}}`},
		{`{"a":{"$elemMatch":{"$or":[{"b":1},{"b":2}]}}}`, `{"a":{"$elemMatch":{"b":{"$in":[1,2]}}}}`},
		{`{"a":{"$in":[]}}`, `{"a":{"$all":[]}}`, `{"$nor":[{}]}`, `{"a":1,"b":{"$in":[]}}`, `{"a":{"$elemMatch":{"b":{"$in":[]}}}}`},
		{`{"a":{"$gt":1,"$lt":5}}`, `{"a":{"$lt":5,"$gt":1}}`, `{"$and":[{"a":{"$lt":5}},{"a":{"$gt":1}}]}`},
		{`{"$or":[{"a":1},{"b":1}]}`, `{"$or":[{"b":1},{"$or":[{"a":1},{"b":1.0}]}]}`},
		{`{"a":{"$exists":true}}`, `{"a":{"$exists":1}}`},
		{`{"a":{"$exists":false}}`, `{"a":{"$not":{"$exists":true}}}`},
		{`{"a":{"$all":[1,2]}}`, `{"a":{"$all":[2,1]}}`, `{"$and":[{"a":1},{"a":2}]}`},
		{`{"a":{"$regex":"x","$options":"mi"}}`, `{"a":{"$regularExpression":{"pattern":"x","options":"im"}}}`,
			`{"a":{"$in":[{"$regularExpression":{"pattern":"x","options":"im"}}]}}`},
		{`{"a":{"$elemMatch":{"b":1,"c":2}}}`, `{"a":{"$elemMatch":{"c":2,"b":1}}}`},
		{`{"a":{"$type":2}}`, `{"a":{"$type":"string"}}`, `{"a":{"$type":["string",2.0]}}`},
		{`{"a":{"$type":"number"}}`, `{"a":{"$type":["int","long","double",19]}}`},
		{`{"a":{"$mod":[4,1]}}`, `{"a":{"$mod":[-4.7,1.2]}}`},
		{`{"a":{"$bitsAllSet":6}}`, `{"a":{"$bitsAllSet":[2,1,1]}}`, `{"a":{"$bitsAllSet":{"$binary":{"base64":"Bg==","subType":"00"}}}}`},
		{`{"$alwaysTrue":1}`, `{}`, `{"$nor":[{"$alwaysFalse":1}]}`, `{"$expr":true}`},
		{`{"$alwaysFalse":1}`, `{"a":{"$in":[]}}`, `{"a":{"$type":"undefined"}}`, `{"$expr":{"$gt":[1,2]}}`},
		{`{"a":{"x":1,"y":[1,2.5]}}`, `{"a":{"x":1.0,"y":[1.0,{"$numberDecimal":"2.50"}]}}`},
		{`{"a":0}`, `{"a":-0.0}`},
		{`{"a":{"$numberDouble":"NaN"}}`, `{"a":{"$numberDecimal":"NaN"}}`},
		{`{"a":{"$numberDouble":"-Infinity"}}`, `{"a":{"$numberDecimal":"-Infinity"}}`},
		{`{"a":9007199254740993}`, `{"a":{"$numberDecimal":"9007199254740993"}}`},
		{`{"a":9007199254740992}`, `{"a":9007199254740992.0}`},
	} {
		want := compileText(t, same[0]).Normal()
		for _, filter := range same[1:] {
			if got := compileText(t, filter).Normal(); got != want {
				t.Errorf("%s is %s, but %s is %s", same[0], want, filter, got)
			}
		}
	}
}

func TestNormalDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, filter := range []string{
		`{}`, `{"a":1}`, `{"a":"1"}`, `{"b":1}`, `{"a":[1]}`, `{"a":{"$ne":1}}`, `{"a":null}`, `{"a":{"$exists":false}}`,
		`{"a":{"x":1,"y":2}}`, `{"a":{"y":2,"x":1}}`, `{"a":[1,2]}`, `{"a":[2,1]}`, `{"a":{"$gt":1,"$lt":5}}`,
		`{"a":{"$elemMatch":{"$gt":1,"$lt":5}}}`, `{"a":{"$elemMatch":{"":{"$gt":1},"b":{"$lt":5}}}}`, `{"a":{"$elemMatch":{}}}`,
		`{"a":{"$elemMatch":{"$nin":[]}}}`, `{"a":9007199254740992}`, `{"a":9007199254740993}`, `{"a":1.1}`, `{"a":{"$numberDecimal":"1.1"}}`,
		`{"a":{"$eq":{"$regularExpression":{"pattern":"x","options":""}}}}`, `{"a":{"$regex":"x"}}`, `{"a":{"$regex":"x","$options":"i"}}`,
		`{"a":{"$date":1}}`, `{"a":{"$not":{"$gt":1}}}`, `{"a":{"$lte":1}}`, `{"a.b":1}`, `{"a":{"b":1}}`, `{"a":{"$size":1}}`, `{"$or":[{"a":1},{"b":1}]}`,
		`{"a":1,"b":1}`, `{"$nor":[{"a":1},{"b":1}]}`, `{"$nor":[{"a":1,"b":1}]}`, `{"a":{"$in":[]}}`, `{"a":{"$in":[null,1]}}`,
		`{"a":{"$elemMatch":{"$size":1}}}`, `{"a":{"$elemMatch":{"b":1}}}`, `{"a":{"$elemMatch":{"b":1,"c":2}}}`,
		`{"a":{"$all":[{"$elemMatch":{"b":1}},{"$elemMatch":{"c":2}}]}}`,
	} {
		text := compileText(t, filter).Normal()
		if other, taken := seen[text]; taken {
			t.Errorf("%s and %s are both %s", filter, other, text)
		}
		seen[text] = filter
	}
}

// filterMaker makes random filters and documents from a small world, so that equal ones are common.
type filterMaker struct{ random *rand.Rand }

func (m filterMaker) pick(choices ...string) string { return choices[m.random.IntN(len(choices))] }

func (m filterMaker) value(depth int) string {
	if depth > 0 && m.random.IntN(4) == 0 {
		return m.pick(`[`+m.value(depth-1)+`]`, `[`+m.value(depth-1)+`,`+m.value(depth-1)+`]`, `[]`,
			`{"b":`+m.value(depth-1)+`}`, `{"a":`+m.value(depth-1)+`,"b":`+m.value(depth-1)+`}`, `{}`)
	}
	return m.pick(`null`, `1`, `1.0`, `2`, `{"$numberDecimal":"2.0"}`, `"x"`, `true`, `{"$numberDouble":"NaN"}`, `{"$numberInt":"1"}`)
}

func (m filterMaker) list(member func() string) string {
	members := make([]string, m.random.IntN(3))
	for i := range members {
		members[i] = member()
	}
	return "[" + strings.Join(members, ",") + "]"
}

func (m filterMaker) operators(depth int) string {
	value := func() string { return m.value(1) }
	switch m.random.IntN(11 + 2*min(depth, 1)) {
	case 0:
		return `{"$eq":` + value() + `}`
	case 1:
		return `{"$ne":` + value() + `}`
	case 2:
		return fmt.Sprintf(`{%q:%s}`, m.pick("$gt", "$gte", "$lt", "$lte"), value())
	case 3:
		return fmt.Sprintf(`{%q:%s}`, m.pick("$in", "$nin", "$all"), m.list(value))
	case 4:
		return `{"$exists":` + m.pick("true", "false") + `}`
	case 5:
		return fmt.Sprintf(`{"$gte":%s,"$lte":%s}`, value(), value())
	case 6:
		return `{"$size":` + m.pick("0", "1", "2") + `}`
	case 7:
		return `{"$regex":"^` + m.pick("x", "y") + `"}`
	case 8:
		return `{"$type":` + m.pick(`"number"`, `["null","string"]`, `"array"`, `"double"`, `"undefined"`) + `}`
	case 9:
		return `{"$mod":[` + m.pick("2", "-2", "1.5") + `,` + m.pick("0", "1") + `]}`
	case 10:
		return fmt.Sprintf(`{%q:%s}`, m.pick("$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"), m.pick("0", "1", "[1]", "[0,1]"))
	case 11:
		return `{"$not":` + m.operators(depth-1) + `}`
	}
	return `{"$elemMatch":` + m.pick(m.operators(depth-1), m.filter(depth-1)) + `}`
}

func (m filterMaker) filter(depth int) string {
	if depth > 0 && m.random.IntN(3) == 0 {
		members := []string{m.filter(depth - 1)}
		for range m.random.IntN(2) {
			members = append(members, m.filter(depth-1))
		}
		return fmt.Sprintf(`{%q:[%s]}`, m.pick("$and", "$or", "$nor"), strings.Join(members, ","))
	}
	path := m.pick("a", "a", "a.b", "a.0", "b")
	return fmt.Sprintf(`{%q:%s}`, path, m.pick(m.value(1), m.operators(depth), m.operators(depth)))
}

func (m filterMaker) document() string {
	fields := `{"_id":"x"`
	for _, name := range []string{"a", "b"} {
		if m.random.IntN(5) > 0 {
			fields += fmt.Sprintf(`,%q:%s`, name, m.value(3))
		}
	}
	return fields + "}"
}

// TestNormalFormsMeanTheSame compiles random filters without and with normal form: both must accept the same documents,
// and so must any two filters with the same normal form.
func TestNormalFormsMeanTheSame(t *testing.T) {
	const seed = 7
	m := filterMaker{rand.New(rand.NewPCG(seed, 3))}
	var documents []*Document
	for range 60 {
		documents = append(documents, testDocument(t, m.document()))
	}
	type answers [60]bool
	type known struct {
		filter  string
		answers answers
	}
	first := map[string]known{}
	shared, matched := 0, 0
	for range 6_000 {
		filter := m.filter(2)
		raw, err := compileFilter([]byte(filter), Limits{}.WithDefaults(), &compiler{})
		if err != nil {
			t.Fatalf("seed %d: %s: %v", seed, filter, err)
		}
		form := normalize(raw)
		var got answers
		for i, d := range documents {
			got[i] = raw.match(d.Root())
			if form.node.match(d.Root()) != got[i] {
				t.Fatalf("seed %d: %s accepts %s: %t, but its normal form %s differs", seed, filter, d.Text(), got[i], form.text)
			}
			if got[i] {
				matched++
			}
		}
		other, found := first[form.text]
		if !found {
			first[form.text] = known{filter, got}
			continue
		}
		if shared++; other.answers != got {
			t.Fatalf("seed %d: %s and %s have the normal form %s but differ", seed, other.filter, filter, form.text)
		}
	}
	if shared < 500 || matched < 1000 {
		t.Errorf("only %d filters shared a normal form, %d matches: the test says little", shared, matched)
	}
}
