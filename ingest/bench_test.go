package ingest_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/ingest"
)

// BenchmarkAppend appends entries of 2 KB, one a group, from several writers. groups/sync tells how many shared one.
func BenchmarkAppend(b *testing.B) {
	for _, noSync := range []bool{false, true} {
		for _, writers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("sync=%v/writers=%d", !noSync, writers), func(b *testing.B) {
				benchmarkAppend(b, writers, noSync)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, writers int, noSync bool) {
	log := mustOpen(b, ingest.SegmentConfig{Dir: b.TempDir(), NoSync: noSync})
	payload := make([]byte, 2048)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			group := []ingest.Entry{{Partition: 1, Payload: payload}}
			for left.Add(-1) >= 0 {
				if err := log.Append(context.Background(), group); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.StopTimer()
	m := log.Metrics()
	b.ReportMetric(float64(m.Groups.Load())/float64(m.Writes.Load()), "groups/write")
	mustClose(b, log)
}

// BenchmarkTail reads entries of 2 KB from files that the operating system has in memory.
func BenchmarkTail(b *testing.B) {
	log := mustOpen(b, ingest.SegmentConfig{Dir: b.TempDir(), NoSync: true})
	const entries = 20_000
	group := make([]ingest.Entry, 100)
	for i := range group {
		group[i] = ingest.Entry{Partition: 1, Payload: make([]byte, 2048)}
	}
	for range entries / len(group) {
		mustAppend(b, log, group...)
	}
	b.SetBytes(entries * 2048)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := log.Tail(context.Background(), make([]uint64, 2), func(got []ingest.Entry) error {
			if n += len(got); n == entries {
				return errEnough
			}
			return nil
		})
		if err != errEnough {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	mustClose(b, log)
}
