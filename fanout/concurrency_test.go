package fanout

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestConcurrentClients lets sessions subscribe, unsubscribe, read slowly and close from goroutines of their own while
// an apply loop writes without a pause. Each client then waits for a position behind the last write, and must hold the
// naive result of each of its queries. (TestSchedules checks every frame; this is for the race detector.)
func TestConcurrentClients(t *testing.T) {
	const seed, writes, clients = 11, 400, 6
	w := newWorld(t, 2)
	w.gated = false
	ticks := make(chan time.Time)
	w.listener = New(Config{ProgressTicks: ticks, MaxQueueBytes: 20_000, MaxHeldBytes: 20_000, MaxReads: 2}, w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hubsEnded := make(chan error, 1)
	go func() { hubsEnded <- w.listener.Run(ctx) }()

	queries := []*testQuery{
		mustCompile(t, 1, `{"a":1}`, "", "", 0, 0),
		mustCompile(t, 1, `{"b":{"$gt":2}}`, "", `["b"]`, 0, 0),
		mustCompile(t, 1, `{}`, `{"a":1,"b":1}`, "", 1, 3),
		mustCompile(t, 1, `{"a":{"$lt":3}}`, `{"b":-1}`, "", 0, 0),
	}
	written := make(chan struct{}) // closed after the last write
	var everyone sync.WaitGroup
	for i := range clients {
		everyone.Go(func() { concurrentClient(w, queries, rand.New(rand.NewPCG(seed, uint64(i))), written) })
	}

	// The apply loop: groups, and boundaries between them.
	r := rand.New(rand.NewPCG(seed, 99))
	for i := range writes {
		id := fmt.Sprintf("d%d", r.IntN(80))
		text := randomDocument(r, id)
		if r.IntN(3) == 0 {
			text = ""
		}
		w.mu.Lock()
		g := w.stage(write{1, id, text}, write{1, fmt.Sprintf("e%d", i%50), randomDocument(r, fmt.Sprintf("e%d", i%50))})
		w.mu.Unlock()
		w.apply(g)
		w.runBoundary()
	}
	close(written)
	done := make(chan struct{})
	go func() { everyone.Wait(); close(done) }()
	for idle := false; !idle; {
		select {
		case <-done:
			idle = true
		case ticks <- time.Time{}:
		default:
			w.runBoundary()
		}
	}
	cancel()
	if err := <-hubsEnded; err != nil {
		t.Errorf("run: %v", err)
	}
	m := w.listener.Metrics()
	if m.QueuedBytes.Load() != 0 || m.Sessions.Load() != 0 || w.openSnapshots() != 0 {
		t.Errorf("left over: %d queued bytes, %d sessions, %d snapshots", m.QueuedBytes.Load(), m.Sessions.Load(), w.openSnapshots())
	}
}

// concurrentClient comes and goes until everything is written, and then stays until it has seen it all.
func concurrentClient(w *world, queries []*testQuery, r *rand.Rand, written <-chan struct{}) {
	stays, leave := context.WithCancel(context.Background())
	defer leave()
	go func() { <-written; leave() }()
	for {
		session := w.listener.NewSession()
		for i, q := range queries {
			if err := session.Subscribe(Subscribe{ID: fmt.Sprint(i), Collection: 1, Query: q.query}); err != nil {
				w.t.Errorf("subscribe: %v", err)
			}
		}
		last := false
		select {
		case <-written:
			last = true
		default:
		}
		c := &client{t: w.t, w: w, session: session, views: make(map[string]*view), unknown: make(map[string]int)}
		if last {
			for i, q := range queries {
				c.views[fmt.Sprint(i)] = &view{query: q}
			}
		}
		ctx := stays
		if last {
			ctx = context.Background()
		}
		for range 5 + r.IntN(50) {
			frames, err := session.Next(ctx, nil)
			if ctx.Err() != nil {
				break
			}
			if err != nil {
				w.t.Errorf("next: %v", err)
				return
			}
			if !last && r.IntN(4) == 0 {
				id := fmt.Sprint(r.IntN(len(queries)))
				session.Unsubscribe(id)
				err := session.Subscribe(Subscribe{ID: id, Collection: 1, Query: queries[r.IntN(len(queries))].query})
				if err != nil && !errors.Is(err, ErrTooManySubscriptions) {
					w.t.Errorf("subscribe: %v", err)
				}
			}
			if last && concurrentView(c, frames) {
				session.Close()
				return
			}
		}
		session.Close()
	}
}

var naiveMu sync.Mutex // the naive results are cached

// concurrentView applies frames, and says whether every view is whole.
func concurrentView(c *client, frames []Frame) bool {
	naiveMu.Lock()
	defer naiveMu.Unlock()
	for i := range frames {
		c.apply(&frames[i])
	}
	for _, v := range c.views {
		if !v.shows || v.sequence != c.w.sequence() {
			return false
		}
	}
	return true
}
