package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

// TestOneWriter is statement 1: one writer, random writes in bursts, live queries that come and go on several sessions
// and streams; every frame is compared with the naive result after the one write that it stands for.
func TestOneWriter(t *testing.T) {
	for _, partitions := range []string{"1", "3"} {
		t.Run("log-partitions="+partitions, func(t *testing.T) {
			p := start(t, t.TempDir(), "--log-partitions", partitions, "--durability", "os")
			w := newOneWriter(t, p)
			bursts := 220
			if testing.Short() {
				bursts = 60
			}
			for range bursts {
				w.burst()
				w.live.settle()
				w.churn()
			}
			for _, c := range w.live.channels {
				for _, s := range c.subs {
					if c.session != nil {
						w.live.unsubscribe(c, s)
					}
				}
				c.close(t)
			}
			t.Logf("%d writes, %d frames", w.live.writes, w.live.frames)
			if w.live.frames < w.live.writes {
				t.Errorf("only %d frames: the queries do not meet the writes", w.live.frames)
			}
			if refills := metric(t, p, "freshet_fanout_refills_total"); refills == 0 {
				t.Error("no window ever ran dry")
			}
		})
	}
}

// oneWriter is the state of TestOneWriter.
type oneWriter struct {
	t       *testing.T
	g       generator
	live    *live
	models  []*model
	process *process.Process
}

func newOneWriter(t *testing.T, p *process.Process) *oneWriter {
	g := generator{random(t)}
	w := &oneWriter{t: t, g: g, live: newLive(t, g), process: p}
	c := client(t, p, 4)
	for _, name := range []string{"pages", "notes"} {
		m := &model{client: c, collection: name, docs: map[string]oracle.Object{}}
		if err := m.create(); err != nil {
			t.Fatal(err)
		}
		w.models = append(w.models, m)
		for range 100 { // documents from before all subscriptions
			if _, err := m.insert(g); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 3 {
		c := &channel{name: fmt.Sprintf("session %d", i), session: dial(t, p), subs: map[string]*subscription{}}
		w.live.channels = append(w.live.channels, c)
		for range 6 {
			w.live.subscribe(c, pick(g, w.models...), g.query())
		}
	}
	for range 3 {
		w.live.stream(p.Listen, pick(g, w.models...))
	}
	return w
}

func (w *oneWriter) do(m *model, e effect, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	if e.operation != "" || e.fence != "" {
		w.live.wrote(m, e)
	}
}

// burst makes some writes without waiting for their frames.
func (w *oneWriter) burst() {
	w.t.Helper()
	m := pick(w.g, w.models...)
	switch n := w.g.IntN(200); {
	case n == 0:
		e, err := m.truncate()
		w.do(m, e, err)
	case n == 1:
		e, err := m.drop()
		w.do(m, e, err)
		w.live.settle()
		if err := m.create(); err != nil {
			w.t.Fatal(err)
		}
	case n < 12:
		w.drain()
		return
	}
	deleting := len(m.docs) > 120
	for range 1 + w.g.IntN(6) {
		e, err := m.step(w.g, deleting)
		w.do(m, e, err)
	}
	for len(m.docs) < 60 {
		e, err := m.insert(w.g)
		w.do(m, e, err)
	}
}

// drain deletes from the head of one window more documents than it can have in spare.
func (w *oneWriter) drain() {
	w.t.Helper()
	var windows []*subscription
	for _, c := range w.live.channels {
		for _, s := range c.subs {
			if s.follower.Query.Limit > 0 {
				windows = append(windows, s)
			}
		}
	}
	if len(windows) == 0 {
		return
	}
	slices.SortFunc(windows, func(a, b *subscription) int { return oracle.Compare(a.id, b.id) })
	s := pick(w.g, windows...)
	docs, err := s.follower.Query.Matching(s.model.all())
	if err != nil {
		w.t.Fatal(err)
	}
	none := func(oracle.Object) ([]string, bool) { return nil, true }
	for i, d := range docs[:min(len(docs), 45)] {
		e, err := s.model.remove(d.ID(), none)
		w.do(s.model, e, err)
		if i%5 == 0 { // other writes in between, while a window may be reading again
			e, err := s.model.step(w.g, false)
			w.do(s.model, e, err)
		}
	}
}

// churn ends a subscription and opens another, and reads a query over HTTP; nothing is due meanwhile.
func (w *oneWriter) churn() {
	w.t.Helper()
	if w.g.chance(40) {
		if err := pick(w.g, w.models...).compareQuery(w.g.query()); err != nil {
			w.t.Fatal(err)
		}
	}
	if !w.g.chance(25) {
		return
	}
	c := w.live.channels[w.g.IntN(3)] // the sessions stand first
	ids := make([]string, 0, len(c.subs))
	for id := range c.subs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	if len(ids) > 5 {
		w.live.unsubscribe(c, c.subs[pick(w.g, ids...)])
	}
	w.live.subscribe(c, pick(w.g, w.models...), w.g.query())
	if w.g.chance(20) && len(w.live.channels) < 8 {
		w.live.stream(w.process.Listen, pick(w.g, w.models...))
	}
}

// TestPages reads results of several pages while nothing is written, against the oracle.
func TestPages(t *testing.T) {
	g := generator{random(t)}
	p := start(t, t.TempDir(), "--durability", "os")
	m := &model{client: client(t, p, 4), collection: "pages", docs: map[string]oracle.Object{}}
	for range 1400 {
		fields := g.fields()
		answer, err := m.client.Do("PUT", wire.Document(m.collection, fmt.Sprintf("p%04d", g.IntN(10_000))), oracle.Encode(fields))
		if err != nil || answer.Status/100 != 2 {
			t.Fatalf("%v %v", answer, err)
		}
		m.docs[answer.Object().ID()] = answer.Object()
	}
	many := 0
	for range 15 {
		q := g.query()
		q.Limit = pick(g, 0, 0, 1300, 1000, 7)
		q.Filter = pick(g, q.Filter, nil)
		got, pages, err := readPages(m.client, m.collection, q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := q.Run(m.all())
		if err != nil {
			t.Fatal(err)
		}
		if differ := sameList(got, want); differ != "" {
			t.Errorf("GET %s in %d pages: %s", wire.QueryPath(m.collection, q), pages, differ)
		}
		if pages > 1 {
			many++
		}
	}
	if many == 0 {
		t.Error("no result had a second page")
	}
}
