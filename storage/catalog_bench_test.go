package storage

import (
	"fmt"
	"sync"
	"testing"

	"github.com/freshetdb/freshet/ingest"
)

// BenchmarkControl is what one order on a collection costs while so many others are there: it must not grow with them.
func BenchmarkControl(b *testing.B) {
	for _, collections := range []int{1, 1000, 10_000} {
		s, stop := benchmarkStoreOver(b, ingest.NewMemoryLog(2)) // no disk: it would hide what is measured
		names := make(chan string)
		var makers sync.WaitGroup
		for range 64 {
			makers.Go(func() {
				for name := range names {
					if _, _, err := s.PutCollection(b.Context(), testApp, name, Settings{}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for i := range collections - 2 {
			names <- fmt.Sprintf("collection%05d", i)
		}
		close(names)
		makers.Wait()
		for _, order := range []struct {
			name string
			run  func(n int) error
		}{
			{"create+drop", func(n int) error {
				name := fmt.Sprintf("other%d", n)
				if _, _, err := s.PutCollection(b.Context(), testApp, name, Settings{}); err != nil {
					return err
				}
				return s.DropCollection(b.Context(), testApp, name)
			}},
			{"settings", func(n int) error {
				_, _, err := s.PutCollection(b.Context(), testApp, "other", Settings{Comment: fmt.Sprint(n)})
				return err
			}},
			{"truncate", func(n int) error { return s.TruncateCollection(b.Context(), testApp, "other") }},
			{"index+drop", func(n int) error {
				if _, _, err := s.PutIndex(b.Context(), testApp, "other", IndexDefinition{Name: "x", Keys: []byte(`"a"`)}); err != nil {
					return err
				}
				return s.DropIndex(b.Context(), testApp, "other", "x")
			}},
		} {
			if _, _, err := s.PutCollection(b.Context(), testApp, "other", Settings{}); err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%s/collections=%d", order.name, collections), func(b *testing.B) {
				for n := 0; b.Loop(); n++ {
					if err := order.run(n); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		stop()
	}
}
