package fanout

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

var (
	schedules    = flag.Int("schedules", 40, "random schedules that TestSchedules runs")
	scheduleSeed = flag.Uint64("schedule-seed", 0, "run TestSchedules with this seed alone")
)

// TestSchedules runs random schedules of writes, subscriptions, slow sessions, dry windows, truncates and drops with
// reads that take arbitrarily long, and compares every frame with naive results (invariants 1, 2, 3, 6).
func TestSchedules(t *testing.T) {
	var sum totals
	run := func(seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			s := newSchedule(t, seed)
			s.run()
			sum.add(s)
		})
		if t.Failed() {
			t.Fatalf("seed %d; repeat with -schedule-seed=%d", seed, seed)
		}
	}
	if *scheduleSeed != 0 {
		run(*scheduleSeed)
		return
	}
	n := *schedules
	if testing.Short() {
		n = min(n, 15)
	}
	for seed := uint64(1); seed <= uint64(n); seed++ {
		run(seed)
	}
	sum.check(t)
}

// totals shows that the schedules went everywhere.
type totals struct {
	frames, lagged, refills, restarts, reads, encoded uint64
	resumed                                           int
	reasons                                           map[string]int
}

func (s *totals) add(from *schedule) {
	m := from.w.listener.Metrics()
	s.frames += m.Frames.Load()
	s.lagged += m.Lagged.Load()
	s.refills += m.Refills.Load()
	s.restarts += m.Restarts.Load()
	s.reads += m.Reads.Load()
	s.encoded += m.Encoded.Load()
	s.resumed += from.resumed
	if s.reasons == nil {
		s.reasons = make(map[string]int)
	}
	for reason, n := range from.reasons {
		s.reasons[reason] += n
	}
}

func (s *totals) check(t *testing.T) {
	t.Logf("%+v", *s)
	if s.lagged == 0 || s.refills == 0 || s.restarts == 0 || s.reads == 0 || s.encoded == 0 || s.resumed < 10 {
		t.Error("the schedules did not reach everything that they are for")
	}
	for _, reason := range []string{ReasonNoHistory, ReasonOtherTimeline, ReasonOtherQuery, ReasonSlowConsumer, ReasonTruncated, ReasonTooManyChanges} {
		if s.reasons[reason] == 0 {
			t.Errorf("no result was reset with the reason %s", reason)
		}
	}
}

type schedule struct {
	t       *testing.T
	seed    uint64
	r       *rand.Rand
	w       *world
	queries []*testQuery
	clients []*client
	ticks   chan time.Time
	ids     int // documents
	live    matcher.CollectionID
	reasons map[string]int
	resumed int
	stop    context.CancelFunc
	ended   chan error
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	r := rand.New(rand.NewPCG(seed, 4))
	s := &schedule{
		t: t, seed: seed, r: r, w: newWorld(t, 1+r.IntN(3)), ids: 60 + r.IntN(100), live: 1,
		ticks: make(chan time.Time, 1), reasons: make(map[string]int), ended: make(chan error, 1),
	}
	cfg := Config{ProgressTicks: s.ticks, MaxReads: 1 + r.IntN(3), MaxResultPartBytes: 100 + r.IntN(2000)}
	if r.IntN(2) == 0 {
		cfg.MaxQueueBytes = 500 + r.IntN(5000)
	}
	if r.IntN(3) == 0 {
		cfg.MaxResumeBytes = 10_000 + r.IntN(50_000)
	}
	if r.IntN(2) == 0 {
		cfg.MaxHeldBytes = 10_000 + r.IntN(20_000)
	}
	s.w.listener = New(cfg, s.w)
	s.makeQueries()
	for range 1 + r.IntN(4) {
		s.newClient()
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.ended <- s.w.listener.Run(ctx) }()
	t.Cleanup(stop)
	return s
}

func (s *schedule) makeQueries() {
	s.queries = nil
	add := func(filter, sort, fields string, skip, limit int) {
		s.queries = append(s.queries, mustCompile(s.t, s.live, filter, sort, fields, skip, limit))
	}
	for range 2 {
		add(fmt.Sprintf(`{"a":%d}`, s.r.IntN(4)), "", "", 0, 0)
		add(fmt.Sprintf(`{"b":{"$gt":%d}}`, s.r.IntN(5)), "", `["a"]`, 0, 0)
		add(fmt.Sprintf(`{"a":{"$lt":%d}}`, 1+s.r.IntN(3)), `{"b":1}`, "", s.r.IntN(4), 1+s.r.IntN(5))
		add(`{}`, `{"a":-1,"b":1}`, `["a"]`, s.r.IntN(3), 1+s.r.IntN(9))
		add(fmt.Sprintf(`{"b":{"$ne":%d}}`, s.r.IntN(6)), `{"t":1}`, "", 0, 0)
	}
}

func (s *schedule) newClient() {
	c := newClient(s.t, s.w)
	c.context = fmt.Sprintf("seed %d, client %d", s.seed, len(s.clients))
	s.clients = append(s.clients, c)
}

func (s *schedule) run() {
	for range s.ids {
		s.w.apply(s.w.stage(s.randomWrite()))
	}
	for step := range 250 {
		for _, c := range s.clients {
			c.context = fmt.Sprintf("seed %d, step %d", s.seed, step)
		}
		s.step()
		synctest.Wait()
	}
	s.finish()
}

func (s *schedule) step() {
	c := s.clients[s.r.IntN(len(s.clients))]
	switch n := s.r.IntN(100); {
	case n < 30:
		s.writes(1 + s.r.IntN(6))
	case n < 34:
		s.burst()
	case n < 35:
		g := &matcher.Group{Before: s.w.vector()}
		s.w.stageFence(g, s.live, matcher.FenceTruncate)
		s.w.apply(g)
	case n < 36 && s.r.IntN(6) == 0:
		g := &matcher.Group{Before: s.w.vector()}
		s.w.stageFence(g, s.live, matcher.FenceDrop)
		s.w.apply(g)
		s.live++ // the collection that is created anew
		s.makeQueries()
	case n < 37:
		s.w.apply(s.w.moveControl())
	case n < 38:
		s.w.mu.Lock()
		s.w.floor = max(s.w.floor, s.w.sequence()-uint64(s.r.IntN(30)))
		s.w.mu.Unlock()
	case n < 55:
		s.w.runBoundary()
	case n < 65:
		if waiting := s.w.waitingReads(); waiting > 0 {
			s.w.openGate(s.r.IntN(waiting))
		}
	case n < 74:
		c.take()
	case n < 76:
		c.drain()
	case n < 83:
		s.subscribe(c)
	case n < 91:
		for _, q := range s.queries {
			if c.left[q] != nil && s.r.IntN(2) == 0 {
				c.comeBack(fmt.Sprintf("s%d", s.r.IntN(8)), q)
				delete(c.left, q)
			}
		}
	case n < 96:
		c.unsubscribe(fmt.Sprintf("s%d", s.r.IntN(8)))
	case n < 97 && s.r.IntN(3) == 0:
		c.session.Close()
		s.clients = slices.DeleteFunc(s.clients, func(o *client) bool { return o == c })
		s.resumed += c.resumed
		for _, v := range c.views {
			c.leave(v)
		}
		s.newClient()
		s.clients[len(s.clients)-1].left = c.left // it connects again
	default:
		select {
		case s.ticks <- time.Time{}:
		default:
		}
	}
}

func (s *schedule) subscribe(c *client) {
	id := fmt.Sprintf("s%d", s.r.IntN(8))
	if c.views[id] != nil {
		return
	}
	c.subscribe(id, s.queries[s.r.IntN(len(s.queries))], func(r *Subscribe) {
		switch s.r.IntN(8) {
		case 0:
			r.NoInitial = true
		case 1:
			if s.w.floor > 0 {
				r.Since = matcher.Vector{Incarnation: s.w.incarnation, Next: make([]uint64, len(s.w.next))}.String()
			}
		case 2:
			other := s.w.vector()
			other.Incarnation++
			r.Since = other.String()
		case 3:
			r.Since, r.SinceKey = s.w.vector().String(), "another"
		}
	})
}

func (s *schedule) randomWrite() write {
	id := fmt.Sprintf("d%d", s.r.IntN(s.ids))
	if s.r.IntN(5) == 0 {
		return write{s.live, id, ""}
	}
	return write{s.live, id, randomDocument(s.r, id)}
}

func (s *schedule) writes(n int) {
	var ws []write
	for range n {
		ws = append(ws, s.randomWrite())
	}
	g := s.w.stage(ws...)
	s.w.listener.Prepare(g)
	if s.r.IntN(4) == 0 { // nothing of the group may be seen before Release; clients check positions against the past
		c := s.clients[s.r.IntN(len(s.clients))]
		before := c.session.position
		c.take()
		if at, ok := s.w.at[before]; ok && at > s.w.sequence()-uint64(len(g.Changes)) && len(g.Changes) > 0 {
			c.fail("a frame at %d was queued before its group was released (invariant 1)", at)
		}
	}
	s.w.listener.Release()
}

// burst deletes many, so that windows run dry, or brings many.
func (s *schedule) burst() {
	var ws []write
	all := s.r.IntN(2) == 0
	for i := range s.ids {
		id := fmt.Sprintf("d%d", i)
		if all {
			ws = append(ws, write{s.live, id, randomDocument(s.r, id)})
		} else if s.r.IntN(3) > 0 {
			ws = append(ws, write{s.live, id, ""})
		}
	}
	s.w.apply(s.w.stage(ws...))
}

// finish lets everything come to rest, and checks that all views are those of the last write and nothing is left over.
func (s *schedule) finish() {
	h := s.w.listener
	for round := 0; ; round++ {
		if round > 1000 {
			s.t.Fatalf("seed %d: never comes to rest", s.seed)
		}
		for s.w.waitingReads() > 0 {
			s.w.openGate(0)
		}
		s.w.runBoundary()
		synctest.Wait()
		some := false
		for _, c := range s.clients {
			c.context = fmt.Sprintf("seed %d, at the end", s.seed)
			some = c.drain() || some
		}
		synctest.Wait()
		if !some && s.w.waitingTasks() == 0 && s.w.waitingReads() == 0 {
			break
		}
	}
	for _, c := range s.clients {
		if c.over != nil {
			s.t.Fatalf("seed %d: session: %v", s.seed, c.over)
		}
		for id, v := range c.views {
			if v.ending || !v.shows {
				s.t.Fatalf("seed %d: %s came to rest as %+v", s.seed, id, v)
			}
			c.unchanged(v, s.w.sequence())
			for _, reason := range v.reasons {
				s.reasons[reason]++
			}
		}
		s.resumed += c.resumed
		c.session.Close()
	}
	synctest.Wait()
	s.w.runBoundary()
	synctest.Wait()
	m := h.Metrics()
	for name, left := range map[string]int64{
		"hubs": m.Hubs.Load(), "subscriptions": m.Subscriptions.Load(), "sessions": m.Sessions.Load(), "queued bytes": m.QueuedBytes.Load(),
		"held bytes": m.HeldBytes.Load(), "running reads": m.ReadsRunning.Load(), "waiting reads": m.ReadsWaiting.Load(), "engine": int64(h.loop.engine.Len()), "snapshots": int64(s.w.openSnapshots()),
		"readers": int64(h.loop.readers), "ready": int64(len(h.loop.ready)), "collections": int64(len(h.loop.byCollection)),
	} {
		if left != 0 {
			s.t.Errorf("seed %d: %d %s are left over", s.seed, left, name)
		}
	}
	s.stop()
	if err := <-s.ended; err != nil {
		s.t.Errorf("seed %d: run: %v", s.seed, err)
	}
}
