package fanout

import (
	"context"
	"fmt"
	"testing"
)

// benchWorld runs hubs over a world whose boundaries the benchmark runs itself.
func benchWorld(b *testing.B, cfg Config) *world {
	b.Helper()
	w := newWorld(nil, 1)
	w.gated = false
	w.listener = New(cfg, w)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.listener.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return w
}

// benchLive waits until all subscriptions have their result.
func benchLive(b *testing.B, w *world, sessions []*Session, frames int) {
	b.Helper()
	for _, s := range sessions {
		for n := 0; n < frames; {
			w.runBoundary()
			fs, err := s.Next(canceled, nil)
			if err != nil && err != context.Canceled {
				b.Fatal(err)
			}
			n += len(fs)
		}
	}
}

const benchDocument = `{"_id":"p%d","a":1,"title":"a document of the size that a live list shows","body":"%0200d","tags":["x","y"]}`

// BenchmarkPush is one hub with many sessions: what a change costs per subscription.
func BenchmarkPush(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			w := benchWorld(b, Config{})
			q := mustCompile(b, 1, `{"a":1}`, "", "", 0, 0)
			var sessions []*Session
			for range n {
				s := w.listener.NewSession()
				defer s.Close()
				sessions = append(sessions, s)
				if err := s.Subscribe(Subscribe{ID: "s", Collection: 1, Query: q.query}); err != nil {
					b.Fatal(err)
				}
			}
			benchLive(b, w, sessions, 2)
			g := w.stage(write{1, "p1", fmt.Sprintf(benchDocument, 1, 1)})
			var frames []Frame
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				w.apply(g)
				for _, s := range sessions {
					var err error
					if frames, err = s.Next(canceled, frames[:0]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/frame")
		})
	}
}

// BenchmarkPrepare is many hubs that one change hits: match and encode, without a push.
func BenchmarkPrepare(b *testing.B) {
	for _, kind := range []struct{ name, sort string }{{"filter", ""}, {"window", `{"title":1}`}} {
		b.Run(kind.name+"/hubs=1000", func(b *testing.B) {
			const n = 1000
			w := benchWorld(b, Config{MaxSubscriptions: n, MaxQueueBytes: 1})
			s := w.listener.NewSession()
			defer s.Close()
			for i := range n {
				limit := 0
				if kind.sort != "" {
					limit = 10
				}
				q := mustCompile(b, 1, fmt.Sprintf(`{"a":1,"body":{"$ne":"%d"}}`, i), kind.sort, "", 0, limit)
				if err := s.Subscribe(Subscribe{ID: fmt.Sprint(i), Collection: 1, Query: q.query}); err != nil {
					b.Fatal(err)
				}
			}
			benchLive(b, w, []*Session{s}, 2*n)
			add := w.stage(write{1, "p1", fmt.Sprintf(benchDocument, 1, 1)})
			remove := w.stage(write{1, "p1", ""})
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%2 == 0 {
					w.listener.Prepare(add)
				} else {
					w.listener.Prepare(remove)
				}
				clear(w.listener.loop.pending)
				w.listener.loop.pending = w.listener.loop.pending[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/hub")
		})
	}
}
