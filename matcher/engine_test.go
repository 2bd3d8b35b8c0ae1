package matcher

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naiveEngine evaluates every query by itself: the oracle.
type naiveEngine map[Ordinal]struct {
	collection CollectionID
	query      *Query
}

func (n naiveEngine) match(c *Change) []Hit {
	var hits []Hit
	for o, installed := range n {
		if installed.collection != c.Collection {
			continue
		}
		hit := Hit{Query: o, Before: c.Before != nil && installed.query.Match(c.Before), After: c.After != nil && installed.query.Match(c.After)}
		if hit.Before || hit.After {
			hits = append(hits, hit)
		}
	}
	sortHits(hits)
	return hits
}

func sortHits(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int { return cmp.Compare(a.Query, b.Query) })
}

func TestEngineAgainstNaive(t *testing.T) {
	filters := []string{`{}`, `{"a":1}`, `{"a":1.0}`, `{"a":{"$gt":2}}`, `{"b":{"$in":[1,2]}}`, `{"_id":"d3"}`, `{"_id":{"$in":["d1","d2","d3"]},"a":1}`,
		`{"$or":[{"_id":"d4"},{"_id":"d1"}]}`, `{"_id":{"$in":[]}}`, `{"_id":{"$ne":"d1"}}`, `{"a":{"$exists":false}}`, `{"_id":"d3","a":{"$gt":1}}`}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		engine, naive := NewEngine(), naiveEngine{}
		document := func(id string) *Document {
			if random.IntN(4) == 0 {
				return nil
			}
			return testDocument(t, fmt.Sprintf(`{"_id":%q,"a":%d,"b":%d}`, id, random.IntN(4), random.IntN(4)))
		}
		for step := range 300 {
			switch random.IntN(4) {
			case 0:
				q := compileText(t, filters[random.IntN(len(filters))])
				c := CollectionID(random.IntN(2))
				o := engine.Install(c, q)
				if _, taken := naive[o]; taken {
					t.Fatalf("seed %d: ordinal %d was given twice", seed, o)
				}
				naive[o] = struct {
					collection CollectionID
					query      *Query
				}{c, q}
			case 1:
				for o := range naive {
					engine.Remove(o)
					delete(naive, o)
					if random.IntN(3) > 0 {
						break
					}
				}
			}
			if engine.Len() != len(naive) {
				t.Fatalf("seed %d: Len is %d, %d are installed", seed, engine.Len(), len(naive))
			}
			id := fmt.Sprintf("d%d", random.IntN(6))
			c := &Change{Collection: CollectionID(random.IntN(2)), ID: id, Before: document(id), After: document(id)}
			got := engine.Match(c, nil)
			sortHits(got)
			if want := naive.match(c); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: got %v, want %v", seed, step, got, want)
			}
		}
		for o := range naive {
			engine.Remove(o)
			engine.Remove(o) // a second time does nothing
		}
		if engine.Len() != 0 || len(engine.collections) != 0 {
			t.Fatalf("seed %d: %d queries, %d collections are left", seed, engine.Len(), len(engine.collections))
		}
	}
}

func TestEngineSharesFilters(t *testing.T) {
	e := NewEngine()
	for i := range 10 {
		e.Install(1, compile(t, QuerySpec{Filter: []byte(`{"b":2,"a":{"$eq":1.0}}`), Limit: i}))
		e.Install(1, compile(t, QuerySpec{Filter: []byte(`{"a":1,"b":{"$in":[2]}}`), Skip: i}))
	}
	if n := len(e.collections[1].scan); n != 1 {
		t.Errorf("%d filters are evaluated, they are all the same", n)
	}
	hits := e.Match(&Change{Collection: 1, ID: "x", After: testDocument(t, `{"_id":"x","a":1,"b":2}`)}, nil)
	if len(hits) != 20 {
		t.Errorf("%d of 20 queries were hit", len(hits))
	}
}

func TestEngineFence(t *testing.T) {
	e := NewEngine()
	e.Install(1, compileText(t, `{}`))
	if hits := e.Match(&Change{Collection: 1, Operation: OperationDelete, Fence: FenceTruncate}, nil); len(hits) != 0 {
		t.Errorf("a fence hit %v", hits)
	}
}

func TestEngineMatchAllocatesNothing(t *testing.T) {
	e, c := benchEngine(t, 200)
	hits := make([]Hit, 0, 1000)
	if n := testing.AllocsPerRun(100, func() { hits = e.Match(c, hits[:0]) }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
	if len(hits) == 0 {
		t.Error("nothing was hit: the test says nothing")
	}
}

// benchEngine has n queries: nine of ten are equality and range, the rest pin an `_id`.
func benchEngine(t testing.TB, n int) (*Engine, *Change) {
	e := NewEngine()
	for i := range n {
		filter := fmt.Sprintf(`{"city":"c%d","likes":{"$gte":%d}}`, i%(n/10), i%7)
		if i%10 == 0 {
			filter = fmt.Sprintf(`{"_id":"d%d"}`, i)
		}
		e.Install(1, compileText(t, filter))
	}
	document := func(likes int) *Document {
		return testDocument(t, fmt.Sprintf(`{"_id":"d10","title":"A title","published":true,"city":"c3","likes":%d}`, likes))
	}
	return e, &Change{Collection: 1, ID: "d10", Before: document(3), After: document(4), Operation: OperationUpdate}
}

func BenchmarkEngineMatch(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("queries=%d", n), func(b *testing.B) {
			e, c := benchEngine(b, n)
			var hits []Hit
			b.ReportAllocs()
			for b.Loop() {
				hits = e.Match(c, hits[:0])
			}
		})
	}
}

// Queries of one filter are decided apart where the $elemMatch of a projection may take too much.
func TestEngineBoundsProjections(t *testing.T) {
	e := NewEngine()
	install := func(fields string) Ordinal {
		q, err := Compile(QuerySpec{Filter: []byte(`{"b":1}`), Fields: []byte(fields)}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return e.Install(1, q)
	}
	costly := worstFilters()["elements"]
	plain, cheap, dear := install(`{"b":1}`), install(`{"a":{"$elemMatch":{"b":2}}}`), install(`{"a":{"$elemMatch":`+strings.TrimSuffix(strings.TrimPrefix(costly.filter, `{"a":{"$elemMatch":`), `}}`)+`}}`)
	d := testDocument(t, `{"_id":"x","b":1,`+costly.document[1:])
	failed := map[Ordinal]bool{}
	for _, hit := range e.Match(&Change{Collection: 1, ID: "x", After: d}, nil) {
		if failed[hit.Query] = hit.Err != nil; !hit.After && hit.Err == nil {
			t.Errorf("%d is no match", hit.Query)
		}
	}
	if want := map[Ordinal]bool{plain: false, cheap: false, dear: true}; !maps.Equal(failed, want) {
		t.Errorf("failed %v, want %v", failed, want)
	}
}
