package fanout

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxQueueBytes: 2000})
		session := s.listener.NewSession()
		defer session.Close()
		q := mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 3)
		mustSubscribe(t, session, "s", q)
		s.settle()
		frames(t, session)
		for i := range 100 {
			s.put(1, fmt.Sprintf(`{"_id":"p%d","a":%d}`, i, -i))
		}
		m := s.listener.Metrics()
		if n := m.QueuedBytes.Load(); n == 0 || n > 2000 {
			t.Errorf("%d bytes are queued, the bound is 2000 (invariant 7)", n)
		}
		if m.Lagged.Load() != 1 || m.Dropped.Load() == 0 {
			t.Errorf("lagged %d times, %d frames dropped", m.Lagged.Load(), m.Dropped.Load())
		}
		kept := len(frames(t, session))
		if uint64(kept)+m.Dropped.Load() != 100 {
			t.Errorf("%d frames were kept and %d dropped, of 100", kept, m.Dropped.Load())
		}
		s.settle()
		want := `"documents":[{"_id":"p99","a":-99},{"_id":"p98","a":-98},{"_id":"p97","a":-97}],"reset":true,"reason":"slow-consumer","more":false,"position":"` + s.wireAt(100) + `"}`
		got := frames(t, session)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Fatalf("after it was drained: %q\nwant one result with %s", got, want)
		}
		s.put(1, `{"_id":"p100","a":-100}`)
		if got := frames(t, session); len(got) != 1 || !strings.Contains(got[0], `"change"`) {
			t.Errorf("it does not go on: %q", got)
		}
	})
}

// A result larger than the queue is delivered, and changes go on behind it: else a slow client would never get past it.
func TestLargeResultFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxQueueBytes: 1000, MaxResultPartBytes: 300})
		for i := range 50 {
			s.put(1, fmt.Sprintf(`{"_id":"p%d","a":%d}`, i, i%2))
		}
		c := newClient(t, s.world)
		defer c.session.Close()
		q0, q1 := mustCompile(t, 1, `{"a":0}`, "", "", 0, 0), mustCompile(t, 1, `{"a":1}`, "", "", 0, 0)
		c.subscribe("s0", q0, nil)
		c.subscribe("s1", q1, nil)
		s.settle()
		m := s.listener.Metrics()
		if m.Lagged.Load() != 1 {
			t.Errorf("of two results that are larger than the queue, %d had to wait", m.Lagged.Load())
		}
		s.put(1, `{"_id":"q0","a":0}`)
		for range 3 {
			c.drain()
			s.settle()
		}
		for id, v := range c.views {
			if !v.shows || v.reasons != nil {
				t.Errorf("%s: shows a view: %v, reasons %v; a first result that waited is no reset", id, v.shows, v.reasons)
			}
			c.unchanged(v, s.sequence())
		}
	})
}

func TestSlowSessionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		session := s.listener.NewSession()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, "", "", 0, 0))
		s.settle()
		if err := session.Control([]byte(`{"type":"hello"}`)); err != nil {
			t.Fatal(err)
		}
		var err error
		n := 0
		for ; err == nil && n < 2*MaxControlBytes/frameOverheadBytes; n++ {
			err = session.Control([]byte(`{"type":"error"}`))
		}
		if !errors.Is(err, ErrSlowSession) {
			t.Fatalf("after %d frames that nobody took: %v", n, err)
		}
		if _, err := session.Next(t.Context(), nil); !errors.Is(err, ErrSlowSession) {
			t.Errorf("next: %v", err)
		}
		s.settle()
		m := s.listener.Metrics()
		if m.SlowSessions.Load() != 1 || m.Sessions.Load() != 0 || m.Subscriptions.Load() != 0 || m.Hubs.Load() != 0 || m.QueuedBytes.Load() != 0 {
			t.Errorf("after it failed: %d slow, %d sessions, %d subscriptions, %d hubs, %d queued bytes", m.SlowSessions.Load(),
				m.Sessions.Load(), m.Subscriptions.Load(), m.Hubs.Load(), m.QueuedBytes.Load())
		}
		session.Unsubscribe("s") // ends nothing twice
		session.Close()
		s.settle()
	})
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		session := s.listener.NewSession()
		got := make(chan error, 1)
		next := func(ctx context.Context) {
			go func() {
				fs, err := session.Next(ctx, nil)
				if err == nil && (len(fs) != 1 || string(fs[0].Body) != "{}") {
					err = fmt.Errorf("frames %v", fs)
				}
				got <- err
			}()
			synctest.Wait()
		}
		next(t.Context())
		if err := session.Control([]byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Errorf("a frame came: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		next(ctx)
		if err := <-got; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ctx ended: %v", err)
		}
		next(t.Context())
		session.Close()
		if err := <-got; !errors.Is(err, ErrSessionClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// Invariant 6.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		session := s.listener.NewSession()
		defer session.Close()
		tick := func() {
			s.ticks <- time.Time{}
			s.settle()
		}
		progress := func() string { return `{"type":"progress","position":"` + s.vector().String() + `"}` }

		s.apply(s.moveControl())
		tick() // no subscription
		wantFrames(t, session)
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{"a":1}`, "", "", 0, 0))
		s.settle()
		frames(t, session)
		tick() // the result said it
		wantFrames(t, session)
		s.put(1, `{"_id":"p","a":2}`) // concerns nobody
		tick()
		wantFrames(t, session, progress())
		tick() // did not move
		wantFrames(t, session)
		s.apply(s.moveControl())
		tick()
		wantFrames(t, session, progress())

		s.gated = true
		mustSubscribe(t, session, "t", mustCompile(t, 1, `{"a":2}`, "", "", 0, 0))
		s.settle()
		s.put(1, `{"_id":"q","a":3}`)
		frames(t, session)
		tick() // t is still loading
		wantFrames(t, session)
		s.openGate(0)
		s.settle()
		frames(t, session)
		tick()
		wantFrames(t, session, progress())

		// t gets every write, and yet s must not stay behind for ever.
		s.put(1, `{"_id":"q","a":2}`)
		if got := frames(t, session); len(got) != 1 {
			t.Fatalf("got %q", got)
		}
		tick()
		wantFrames(t, session, progress())
		tick()
		wantFrames(t, session)
	})
}

func TestFences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		s.next = make([]uint64, 4) // three data partitions
		s.states, s.at = nil, make(map[string]uint64)
		s.remember()
		filter, window := mustCompile(t, 1, `{}`, "", "", 0, 0), mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 2)
		other := mustCompile(t, 2, `{}`, "", "", 0, 0)
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "f", filter)
		mustSubscribe(t, session, "w", window)
		mustSubscribe(t, session, "o", other)
		s.put(1, `{"_id":"p1","a":1}`)
		s.settle()
		frames(t, session)

		for range 2 { // each truncate is one reset result, at the position after the last of its fences
			s.truncate(1, matcher.FenceTruncate)
			tail := `"type":"result","documents":[],"reset":true,"reason":"truncated","more":false,"position":"` + s.vector().String() + `"}`
			wantFrames(t, session, `{"id":"f",`+tail, `{"id":"w",`+tail)
			s.put(1, `{"_id":"p1","a":1}`)
			if got := frames(t, session); len(got) != 2 {
				t.Fatalf("after the truncate: %q", got)
			}
		}
		s.truncate(1, matcher.FenceDrop)
		wantFrames(t, session, "f: the collection was dropped", "w: the collection was dropped")
		mustSubscribe(t, session, "f", filter) // was on its way meanwhile
		s.settle()
		wantFrames(t, session, "f: the collection was dropped")
		s.put(2, `{"_id":"p1","a":1}`)
		if got := frames(t, session); len(got) != 1 {
			t.Errorf("the other collection: %q", got)
		}
		if n := s.listener.Metrics().Hubs.Load(); n != 1 {
			t.Errorf("%d hubs, want the other collection's alone", n)
		}
	})
}

// A window that runs dry refills at exactly the vector at which it stands, while writes go on, and delays no other hub.
func TestDryWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		var all []write
		for i := range 200 {
			all = append(all, write{1, fmt.Sprintf("p%d", i), fmt.Sprintf(`{"_id":"p%d","a":%d}`, i, i)})
		}
		s.apply(s.stage(all...))
		c := newClient(t, s.world)
		defer c.session.Close()
		c.subscribe("w", mustCompile(t, 1, `{}`, `{"a":1}`, "", 1, 3), nil)
		c.subscribe("f", mustCompile(t, 1, `{}`, "", "", 0, 0), nil)
		s.settle()
		c.drain()
		s.gated = true
		for i := range 100 {
			s.apply(s.stage(write{1, fmt.Sprintf("p%d", i), ""}))
		}
		s.settle()
		c.drain()
		if at := c.views["f"].sequence; at != s.sequence() {
			t.Errorf("the other hub stands at %d of %d", at, s.sequence())
		}
		if at := c.views["w"].sequence; at == s.sequence() || s.listener.Metrics().Refills.Load() != 1 {
			t.Fatalf("the window did not run dry: it stands at %d of %d", at, s.sequence())
		}
		for s.waitingReads() > 0 {
			s.put(1, fmt.Sprintf(`{"_id":"n%d","a":%d}`, s.sequence(), s.sequence()))
			s.openGate(0)
			s.settle()
		}
		c.drain()
		v := c.views["w"]
		c.unchanged(v, s.sequence())
		if v.reasons != nil {
			t.Errorf("the window was reset: %v", v.reasons)
		}
		if n := s.listener.Metrics().Refills.Load(); n < 2 {
			t.Errorf("%d refills; the held deletes alone need more than one", n)
		}
	})
}

// The metrics tell how much of MaxReads is used, and what it keeps waiting.
func TestReadsThatRunAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxReads: 2})
		s.gated = true
		session := s.listener.NewSession()
		defer session.Close()
		want := func(running, waiting int64) {
			t.Helper()
			m := s.listener.Metrics()
			if m.ReadsRunning.Load() != running || m.ReadsWaiting.Load() != waiting {
				t.Errorf("%d reads run and %d queries wait, want %d and %d", m.ReadsRunning.Load(), m.ReadsWaiting.Load(), running, waiting)
			}
		}
		for i := range 5 {
			mustSubscribe(t, session, fmt.Sprint(i), mustCompile(t, 1, fmt.Sprintf(`{"a":%d}`, i), "", "", 0, 0))
			if s.settle(); i < 2 {
				want(int64(i)+1, 0)
			}
		}
		want(2, 3)
		s.openGate(0)
		s.settle()
		want(2, 0) // the three share the read that got free
		for s.waitingReads() > 0 {
			s.openGate(0)
			s.settle()
		}
		want(0, 0)
	})
}

func TestReadOverrunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxHeldBytes: 1})
		s.gated = true
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, "", "", 0, 0))
		for range MaxReadAttempts {
			s.settle()
			s.put(1, fmt.Sprintf(`{"_id":"p%d"}`, s.sequence()))
		}
		s.settle()
		fs, err := session.Next(canceled, nil)
		if err != nil || len(fs) != 2 || !errors.Is(fs[1].Err, ErrReadOverrun) {
			t.Errorf("got %v, %v", fs, err)
		}
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		s.gated = true
		session := s.listener.NewSession()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, "", "", 0, 0))
		s.settle()
		mustSubscribe(t, session, "t", mustCompile(t, 1, `{}`, "", "", 0, 0))
		synctest.Wait()
		s.stop() // while one read runs and a boundary is asked for
		if err := <-s.ended; err != nil {
			t.Errorf("run: %v", err)
		}
		if _, err := session.Next(t.Context(), nil); !errors.Is(err, ErrStopped) {
			t.Errorf("next: %v", err)
		}
		if n := s.openSnapshots(); n != 0 {
			t.Errorf("%d snapshots are open", n)
		}
		late := &worldSnapshot{w: s.world, vector: s.vector()}
		s.open++
		s.listener.atBoundary(canceled, late)
		if !late.closed {
			t.Error("a boundary that came too late kept its snapshot")
		}
		if err := s.listener.NewSession().Control(nil); !errors.Is(err, ErrStopped) {
			t.Errorf("a new session: %v", err)
		}
		session.Close()
	})
}

func TestStoreErrorEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		s.stopped = true
		session := s.listener.NewSession()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, "", "", 0, 0))
		if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "the world has ended") {
			t.Errorf("run: %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
	err := Config{MaxReads: -1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "MaxReads is -1") {
		t.Errorf("got %v", err)
	}
	if c := (Config{}).withDefaults(); c.MaxQueueBytes != 4<<20 || c.ProgressInterval != 10*time.Second || c.MaxReads < 4 {
		t.Errorf("defaults: %+v", c)
	}
}

// A subscription lags; then its window runs dry, and more changes come than may be held. It waits for the hub's fresh
// result already when its queue is drained, which asks for one as well.
func TestLaggingWhileHubStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxQueueBytes: 1500, MaxHeldBytes: 12_000})
		var all []write
		for i := range 150 {
			all = append(all, write{1, fmt.Sprintf("p%d", i), fmt.Sprintf(`{"_id":"p%d","a":%d}`, i, i)})
		}
		s.apply(s.stage(all...))
		c := newClient(t, s.world)
		defer c.session.Close()
		c.subscribe("w", mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 3), nil)
		s.settle()
		c.drain()
		m := s.listener.Metrics()
		for i := 0; m.Lagged.Load() == 0; i++ {
			s.put(1, fmt.Sprintf(`{"_id":"q%d","a":%d}`, i, -i))
		}
		s.gated = true
		for i := 0; m.Refills.Load() == 0; i++ {
			s.apply(s.stage(write{1, fmt.Sprintf("q%d", i), ""}, write{1, fmt.Sprintf("p%d", i), ""}))
		}
		s.settle()
		for i := 0; m.Restarts.Load() == 0; i++ {
			s.put(1, fmt.Sprintf(`{"_id":"r%d","a":%d}`, i%5, -i))
		}
		c.drain() // asks for a fresh result
		s.settle()
		for s.waitingReads() > 0 {
			s.openGate(0)
			s.settle()
		}
		c.drain()
		v := c.views["w"]
		c.unchanged(v, s.sequence())
		if len(v.reasons) != 1 || v.reasons[0] != ReasonTooManyChanges {
			t.Errorf("reset with the reasons %v, want one", v.reasons)
		}
		s.put(1, `{"_id":"last","a":-1000}`)
		c.drain()
		c.unchanged(v, s.sequence())
	})
}

// A session that is closed while a Subscribe is on its way may detach the subscription before it is registered.
func TestCloseOvertakesSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		q := mustCompile(t, 1, `{}`, "", "", 0, 0)
		session := s.listener.NewSession()
		sub := &subscription{request: Subscribe{ID: "s", Collection: 1, Query: q.query}, queryKey: q.query.Key(1), session: session}
		if err := session.admit(sub); err != nil {
			t.Fatal(err)
		}
		session.Close()
		s.settle()
		s.listener.post(func(b *boundary) { s.listener.register(sub, b) })
		s.settle()
		if m := s.listener.Metrics(); m.Hubs.Load() != 0 || m.Subscriptions.Load() != 0 {
			t.Errorf("%d hubs and %d subscriptions are left", m.Hubs.Load(), m.Subscriptions.Load())
		}
	})
}
