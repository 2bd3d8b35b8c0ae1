package oracle

import (
	"errors"
	"testing"
)

// Behaviour that MongoDB's manual documents, one row each ("Query and Projection Operators", "Query an Array", "Query
// for Null or Missing Fields", "Comparison/Sort Order").
func TestFilter(t *testing.T) {
	for _, c := range []struct {
		filter, doc string
		want        bool
	}{
		{`{}`, `{}`, true},
		{`{"a":5}`, `{"a":5}`, true},
		{`{"a":5}`, `{"a":5.0}`, true},
		{`{"a":5}`, `{"a":"5"}`, false},
		{`{"a":9007199254740993}`, `{"a":9007199254740992.0}`, false},
		{`{"a":5,"b":6}`, `{"a":5,"b":7}`, false},
		{`{"a":5}`, `{"a":[4,5]}`, true},
		{`{"a":5}`, `{"a":[[5]]}`, false},
		{`{"a":[1,2]}`, `{"a":[1,2]}`, true},
		{`{"a":[1,2]}`, `{"a":[2,1]}`, false},
		{`{"a":[1,2]}`, `{"a":[0,[1,2]]}`, true},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"b":1,"c":2}}`, true},
		{`{"a":{"b":1,"c":2}}`, `{"a":{"c":2,"b":1}}`, false},
		{`{"a":{"b":1}}`, `{"a":{"b":1,"c":2}}`, false},
		{`{"a.b":1}`, `{"a":{"b":1,"c":2}}`, true},
		{`{"a.b":1}`, `{"a":[{"b":0},{"b":1}]}`, true},
		{`{"a.b":1}`, `{"a":[[{"b":1}]]}`, false},
		{`{"a.0.b":1}`, `{"a":[[{"b":1}]]}`, true},
		{`{"a.1":7}`, `{"a":[6,7]}`, true},
		{`{"a.1":6}`, `{"a":[6,7]}`, false},
		{`{"a.0":5}`, `{"a":[[5]]}`, false},
		{`{"a.0":[5]}`, `{"a":[[5]]}`, true},
		{`{"a.0":"x"}`, `{"a":{"0":"x"}}`, true},
		{`{"a":null}`, `{"a":null}`, true},
		{`{"a":null}`, `{}`, true},
		{`{"a":null}`, `{"a":0}`, false},
		{`{"a.b":null}`, `{"a":5}`, true},
		{`{"a.b":null}`, `{"a":[]}`, false},
		{`{"a.b":null}`, `{"a":[{}]}`, true},
		{`{"a.b":null}`, `{"a":[1,2]}`, false},
		{`{"a":{"$ne":5}}`, `{"a":[4,5]}`, false},
		{`{"a":{"$ne":5}}`, `{}`, true},
		{`{"a":{"$gt":4}}`, `{"a":5}`, true},
		{`{"a":{"$gt":4}}`, `{"a":"5"}`, false},
		{`{"a":{"$gt":9,"$lt":11}}`, `{"a":[8,12]}`, true},
		{`{"a":{"$gte":null}}`, `{}`, true},
		{`{"a":{"$gt":null}}`, `{}`, false},
		{`{"a":{"$lt":[2]}}`, `{"a":[1,5]}`, true},
		{`{"a":{"$lt":{"$date":"2026-01-02T00:00:00Z"}}}`, `{"a":{"$date":"2026-01-01T23:59:59.999Z"}}`, true},
		{`{"a":{"$in":[1,null]}}`, `{}`, true},
		{`{"a":{"$in":[]}}`, `{"a":1}`, false},
		{`{"a":{"$in":["x",{"$regularExpression":{"pattern":"^y","options":"i"}}]}}`, `{"a":"Yes"}`, true},
		{`{"a":{"$nin":[]}}`, `{}`, true},
		{`{"a":{"$nin":[1]}}`, `{"a":[1,2]}`, false},
		{`{"$and":[{"a":1},{"b":2}]}`, `{"a":1,"b":2}`, true},
		{`{"$or":[{"a":1},{"b":2}]}`, `{"b":2}`, true},
		{`{"$nor":[{"a":1},{"b":2}]}`, `{"b":2}`, false},
		{`{"$nor":[{"a":1}]}`, `{}`, true},
		{`{"a":{"$not":{"$gt":5}}}`, `{}`, true},
		{`{"a":{"$not":{"$gt":5}}}`, `{"a":[1,6]}`, false},
		{`{"a":{"$exists":true}}`, `{"a":null}`, true},
		{`{"a":{"$exists":true}}`, `{"a":[]}`, true},
		{`{"a":{"$exists":false}}`, `{}`, true},
		{`{"a.b":{"$exists":false}}`, `{"a":[{"b":1},{}]}`, false},
		{`{"a":{"$regex":"^ab"}}`, `{"a":["x","abc"]}`, true},
		{`{"a":{"$regex":"^AB","$options":"i"}}`, `{"a":"abc"}`, true},
		{`{"a":{"$regex":"1"}}`, `{"a":1}`, false},
		{`{"a":{"$all":[1,2]}}`, `{"a":[3,2,1]}`, true},
		{`{"a":{"$all":[1,2]}}`, `{"a":[1]}`, false},
		{`{"a":{"$all":[1]}}`, `{"a":1}`, true},
		{`{"a":{"$all":[]}}`, `{"a":[]}`, false},
		{`{"a":{"$all":[{"$elemMatch":{"b":1}},{"$elemMatch":{"b":2}}]}}`, `{"a":[{"b":1},{"b":2}]}`, true},
		{`{"a":{"$size":2}}`, `{"a":[1,[2,3]]}`, true},
		{`{"a":{"$size":2}}`, `{"a":[[2,3]]}`, false},
		{`{"a":{"$size":0}}`, `{}`, false},
		{`{"a":{"$elemMatch":{"$gt":9,"$lt":11}}}`, `{"a":[8,12]}`, false},
		{`{"a":{"$elemMatch":{"$gt":9,"$lt":11}}}`, `{"a":[8,10]}`, true},
		{`{"a":{"$elemMatch":{"b":1,"c":2}}}`, `{"a":[{"b":1,"c":1},{"b":2,"c":2}]}`, false},
		{`{"a":{"$elemMatch":{"b":1,"c":2}}}`, `{"a":[{"b":1,"c":2}]}`, true},
		{`{"a":{"$elemMatch":{"b":1}}}`, `{"a":{"b":1}}`, false},
		{`{"a":{"$elemMatch":{"$ne":1}}}`, `{"a":[1]}`, false},
	} {
		match, err := Filter(MustObject(c.filter))
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := match(MustObject(c.doc)); got != c.want {
			t.Errorf("%s on %s: %v, want %v", c.filter, c.doc, got, c.want)
		}
	}
}

// Invariant 2.
func TestFilterRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, filter := range []string{
		`{"$where":"1"}`, `{"a":{"$mod":[2,0]}}`, `{"a":{"$type":2}}`, `{"$or":[]}`, `{"a":{"$gt":1,"b":2}}`,
		`{"a":{"$in":5}}`, `{"a.":1}`, `{"a":{"$not":5}}`, `{"a":{"$regex":"a","$options":"x"}}`, `{"a":{"$elemMatch":{"$bad":1}}}`,
	} {
		if _, err := Filter(MustObject(filter)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", filter, err)
		}
	}
}

// Invariant 3: the manual's order of types, and within them.
func TestCompareOrder(t *testing.T) {
	ascending := MustObject(`{"values":[null,{"$numberDouble":"NaN"},{"$numberDouble":"-Infinity"},-1,0,0.5,9007199254740992.0,
		9007199254740993,{"$numberDouble":"Infinity"},"","A","a",{},{"a":1},{"b":1},{"a":1,"b":1},{"a":2},{"a":"x"},
		[],[1],[1,2],[2],{"$oid":"000000000000000000000001"},false,true,{"$date":0},{"$date":1}]}`)
	values := ascending[0].Value.([]any)
	// The order of objects goes by type, name and value of each field in turn, so {"a":1,"b":1} stands behind {"a":1}
	// and before {"a":2}, while {"b":1} stands behind both.
	values[14], values[15], values[16] = values[15], values[16], values[14]
	for i, a := range values {
		for j, b := range values {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := Compare(a, b); got != want {
				t.Errorf("Compare(%s, %s) = %d, want %d", Encode(a), Encode(b), got, want)
			}
		}
	}
}
