package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// fill puts documents of about 1 KB into a collection with the given indexes, and waits until they are ready.
func fill(b *testing.B, s *Store, documents int, indexes ...string) Collection {
	b.Helper()
	var definitions []IndexDefinition
	for i, keys := range indexes {
		definitions = append(definitions, IndexDefinition{Name: fmt.Sprintf("index%d", i), Keys: []byte(keys)})
	}
	c, _, err := s.ConfigureCollection(b.Context(), testApp, "pages", Settings{}, &definitions)
	if err != nil {
		b.Fatal(err)
	}
	var group sync.WaitGroup
	for w := range 64 {
		group.Go(func() {
			for n := w; n < documents; n += 64 {
				if err := replace(b.Context(), s, c, fmt.Sprintf("document%06d", n), n); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	for {
		list, err := s.Indexes(testApp, "pages")
		if err != nil {
			b.Fatal(err)
		}
		ready := true
		for _, x := range list {
			ready = ready && x.Ready
		}
		if ready {
			return c
		}
	}
}

// BenchmarkIndexedWrite updates 1 KB documents of a collection without an index, with one whose entry stays, and with
// one whose entry changes with each write.
func BenchmarkIndexedWrite(b *testing.B) {
	for _, shape := range []struct{ name, keys string }{{"none", ""}, {"unchanged", `"tags"`}, {"changed", `"n"`}} {
		b.Run("entries="+shape.name, func(b *testing.B) {
			s, stop := benchmarkStore(b)
			defer stop()
			var indexes []string
			if shape.keys != "" {
				indexes = []string{shape.keys}
			}
			c := fill(b, s, 10_000, indexes...)
			run(b, 128, func(n int) {
				if err := replace(b.Context(), s, c, fmt.Sprintf("document%06d", n%10_000), 10_000+n); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// findUsing is Find in the cheapest way of a kind; "" is the cheapest of all.
func findUsing(n *Snapshot, c Collection, q *matcher.Query, limit int, uses string) ([]*matcher.Document, error) {
	f := Find{Limit: limit}
	ways, err := n.ways(c.ID, q, f)
	if err != nil {
		return nil, err
	}
	for _, w := range ways {
		if uses == "" || w.Uses == uses {
			docs, _, err := n.findBy(context.Background(), w, c.ID, q, f)
			return docs, err
		}
	}
	return nil, fmt.Errorf("%s is no way to find %s", uses, q.Normal())
}

// BenchmarkIndexedFind reads from 100,000 documents by an index and, beside it, by a scan.
func BenchmarkIndexedFind(b *testing.B) {
	s, stop := benchmarkStore(b)
	defer stop()
	c := fill(b, s, 100_000, `"n"`, `"nested.x,-n"`)
	snapshot, err := s.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snapshot.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range []struct {
		name string
		spec func() matcher.QuerySpec
	}{
		{"equal", func() matcher.QuerySpec {
			return matcher.QuerySpec{Filter: fmt.Appendf(nil, `{"n":%d}`, rng.IntN(100_000))}
		}},
		{"sorted", func() matcher.QuerySpec {
			return matcher.QuerySpec{Filter: fmt.Appendf(nil, `{"n":{"$lt":%d}}`, 50_000+rng.IntN(50_000)), Sort: []byte(`"-n"`), Limit: 20}
		}},
		{"union", func() matcher.QuerySpec {
			return matcher.QuerySpec{Filter: fmt.Appendf(nil, `{"$or":[{"n":%d},{"nested.x":%d}]}`, rng.IntN(100_000), rng.IntN(100_000))}
		}},
	} {
		for _, using := range []string{"", UsesScan} {
			name := shape.name + "/by=index"
			if using != "" {
				name = shape.name + "/by=scan"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					spec := shape.spec()
					q, err := matcher.Compile(spec, matcher.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					docs, err := findUsing(snapshot, c, q, spec.Limit, using)
					if err != nil || len(docs) == 0 {
						b.Fatal(len(docs), err)
					}
				}
			})
		}
	}
}

// BenchmarkCount counts among 100,000 documents of 1 KB what an index covers: by its entries alone, by the documents that
// they lead to, and by a scan.
func BenchmarkCount(b *testing.B) {
	s, stop := benchmarkStore(b)
	defer stop()
	c := fill(b, s, 100_000, `"n"`)
	snapshot, err := s.Snapshot()
	if err != nil {
		b.Fatal(err)
	}
	defer snapshot.Close()
	for _, shape := range []struct {
		name, filter string
		want         int
	}{
		{"equal", `{"n":77}`, 1},
		{"range", `{"n":{"$gte":20000,"$lt":30000}}`, 10_000},
		{"all", `{}`, 100_000},
	} {
		q, err := matcher.Compile(matcher.QuerySpec{Filter: []byte(shape.filter)}, matcher.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		ways, err := snapshot.ways(c.ID, q, Find{counting: true})
		if err != nil {
			b.Fatal(err)
		}
		if !ways[0].Covered {
			b.Fatalf("%s: %+v", shape.filter, ways[0].Way)
		}
		for _, w := range ways {
			for _, covered := range []bool{true, false} {
				if covered && !w.Covered {
					continue
				}
				w.Covered = covered
				b.Run(fmt.Sprintf("%s/by=%s/covered=%v", shape.name, w.Uses, covered), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						var count counter
						if _, err := snapshot.visitBy(b.Context(), w, c.ID, q, Find{counting: true}, &count); err != nil || int(count) != shape.want {
							b.Fatal(int(count), err)
						}
					}
				})
			}
		}
	}
}
