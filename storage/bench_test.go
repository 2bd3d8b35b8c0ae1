package storage

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// BenchmarkWrite updates 1 KB documents, durably, and reports CPU time of the whole process a write. Beside it, in the
// same run: plain Pebble with Sync, the same documents.
func BenchmarkWrite(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("store/writers=%d", writers), func(b *testing.B) {
			s, stop := benchmarkStore(b)
			defer stop()
			c, _, err := s.PutCollection(b.Context(), testApp, "pages", Settings{})
			if err != nil {
				b.Fatal(err)
			}
			run(b, writers, func(n int) {
				if err := replace(b.Context(), s, c, fmt.Sprintf("document%06d", n%10_000), n); err != nil {
					b.Error(err)
				}
			})
		})
		b.Run(fmt.Sprintf("pebble/writers=%d", writers), func(b *testing.B) {
			db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			run(b, writers, func(n int) {
				if err := db.Set(fmt.Appendf(nil, "document%06d", n%10_000), benchmarkText(n), pebble.Sync); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// replace replaces a document, whatever it holds.
func replace(ctx context.Context, s *Store, c Collection, id string, n int) error {
	user, err := matcher.Parse(benchmarkText(n), s.Limits())
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, Update{Collection: c, ID: id, Compute: func(current *matcher.Document, w matcher.WriteID) (Image, error) {
		revision := matcher.Revision{Generation: 1, WriteID: w}
		if current != nil {
			revision.Generation = current.Revision().Generation + 1
		}
		after, err := matcher.Compose(matcher.Metadata{ID: id, Revision: revision}, user.Root(), s.Limits())
		return Image{After: after}, err
	}})
	return err
}

func benchmarkText(n int) []byte {
	return fmt.Appendf(nil, `{"n":%d,"title":"document %d","tags":["a","b","c"],"nested":{"x":%d,"y":%d},"pad":"%s"}`,
		n, n, n, n, strings.Repeat("x", 900))
}

func benchmarkStore(b *testing.B) (*Store, func()) {
	b.Helper()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: b.TempDir(), LogPartitions: 1})
	if err != nil {
		b.Fatal(err)
	}
	return benchmarkStoreOver(b, log)
}

func benchmarkStoreOver(b *testing.B, log ingest.Log) (*Store, func()) {
	b.Helper()
	s, err := Open(Config{Dir: b.TempDir()}, log)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	}
}

// run spreads b.N calls over the writers and reports CPU time a call.
func run(b *testing.B, writers int, call func(n int)) {
	var next atomic.Int64
	done := make(chan struct{})
	before := cpu(b)
	b.ResetTimer()
	for range writers {
		go func() {
			defer func() { done <- struct{}{} }()
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				call(int(n))
			}
		}()
	}
	for range writers {
		<-done
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
