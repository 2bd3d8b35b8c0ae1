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
					docs, _, err := snapshot.Find(context.Background(), c.ID, q, Find{Limit: spec.Limit, using: using})
					if err != nil || len(docs) == 0 {
						b.Fatal(len(docs), err)
					}
				}
			})
		}
	}
}
