package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/follow"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
)

// expectation is the one frame that one write must cause for one subscription.
type expectation struct {
	write   int // number of the write
	what    string
	events  []follow.Event
	result  []oracle.Object // the naive result after the write
	reset   bool            // a result that replaces the view
	dropped bool            // an error that ends the subscription
}

// subscription is a live query together with the frames that are still to come.
type subscription struct {
	id       string
	model    *model
	follower *follow.Follower
	result   []oracle.Object // the naive result after the last write
	expected []expectation
}

// channel is a WebSocket session with its subscriptions, or a stream with its one.
type channel struct {
	name    string
	session *wire.Session
	stream  *wire.Stream
	subs    map[string]*subscription
}

func (c *channel) next(timeout time.Duration) (wire.Frame, error) {
	if c.stream != nil {
		return c.stream.Next(timeout)
	}
	return c.session.Next(timeout)
}

func (c *channel) close(t *testing.T) {
	t.Helper()
	if c.stream != nil {
		c.stream.Close()
	} else if err := c.session.Close(); err != nil {
		t.Error(err)
	}
}

// live compares every frame with what the writes so far make due. One goroutine owns it; it is the only writer.
type live struct {
	t         *testing.T
	g         generator
	channels  []*channel
	writes    int
	ids       int
	positions map[int]string // of each write that some frame named
	writeAt   map[string]int
	frames    int
}

func newLive(t *testing.T, g generator) *live {
	return &live{t: t, g: g, positions: map[int]string{}, writeAt: map[string]int{}}
}

// wrote notes what a write did to a collection and computes which frames are due.
func (l *live) wrote(m *model, e effect) {
	l.t.Helper()
	l.writes++
	for _, c := range l.channels {
		for _, s := range c.subs {
			if s.model == m {
				l.due(s, e)
			}
		}
	}
}

func (l *live) due(s *subscription, e effect) {
	l.t.Helper()
	x := expectation{write: l.writes, what: e.what}
	var err error
	if x.result, err = s.follower.Query.Run(s.model.all()); err != nil {
		l.t.Fatal(err)
	}
	switch e.fence {
	case "truncate":
		x.reset = true
	case "drop":
		x.dropped = true
	default:
		x.events = follow.Transition(s.follower.Query, s.result, x.result, e.id, e.operation)
		if len(x.events) == 0 {
			if differ := follow.Same(s.follower.Query, s.result, x.result); differ != "" {
				l.t.Fatalf("the oracle contradicts itself: %s: %s", e.what, differ)
			}
			return
		}
	}
	s.result = x.result
	s.expected = append(s.expected, x)
}

// settle takes frames until none is due.
func (l *live) settle() {
	l.t.Helper()
	for _, c := range l.channels {
		for id, s := range c.subs {
			for len(s.expected) > 0 {
				l.take(c)
			}
			if s.follower.Ended() {
				delete(c.subs, id)
			}
		}
	}
	l.channels = slices.DeleteFunc(l.channels, func(c *channel) bool {
		over := c.stream != nil && len(c.subs) == 0
		if over {
			c.close(l.t)
		}
		return over
	})
}

// take takes the next frame of a channel and checks it.
func (l *live) take(c *channel) {
	l.t.Helper()
	frame, err := c.next(frameWait)
	if err != nil {
		l.t.Fatalf("%s: %v; still due: %s", c.name, err, c.open())
	}
	l.frames++
	if frame.Type == "progress" {
		l.progress(c, frame)
		return
	}
	s := c.subs[frame.ID]
	if s == nil {
		l.t.Fatalf("%s: a frame for no subscription: %s", c.name, frame.Raw)
	}
	fail := func(why string) {
		l.t.Helper()
		l.t.Fatalf("%s %s, query %s %s skip %d limit %d fields %v collation %v: %s\nframe %.3000s\nstill due: %s", c.name, s.id,
			oracle.Encode(s.follower.Query.Filter), s.follower.Query.SortText(), s.follower.Query.Skip, s.follower.Query.Limit,
			s.follower.Query.Fields, s.follower.Query.Collation, why, frame.Raw, c.open())
	}
	step, err := s.follower.Apply(frame)
	if err != nil {
		fail(err.Error())
	}
	switch {
	case step.Type == "subscribed" || step.Type == "unsubscribed" || step.Partial:
	case step.Type == "result" && !step.Reset:
		if differ := follow.Same(s.follower.Query, s.follower.View, s.result); differ != "" {
			fail("the first result: " + differ)
		}
	case len(s.expected) == 0:
		fail("no frame is due")
	default:
		x := s.expected[0]
		s.expected = s.expected[1:]
		if why := l.compare(s, step, x); why != "" {
			fail(fmt.Sprintf("write %d (%s): %s", x.write, x.what, why))
		}
	}
}

// compare holds a frame against the one that is due.
func (l *live) compare(s *subscription, step follow.Step, x expectation) string {
	if x.dropped {
		if step.Code != "collection-dropped" {
			return "want the error collection-dropped"
		}
		return ""
	}
	if want := map[bool]string{true: "result", false: "change"}[x.reset]; step.Type != want || step.Reset != x.reset {
		return "want a " + want
	}
	if !x.reset {
		if differ := follow.SameEvents(step.Events, x.events); differ != "" {
			return differ
		}
		if p, known := l.positions[x.write]; known && p != step.Position {
			return "another subscription named this write's position " + p
		}
		if w, known := l.writeAt[step.Position]; known && w != x.write {
			return fmt.Sprintf("this is the position of write %d", w)
		}
		l.positions[x.write], l.writeAt[step.Position] = step.Position, x.write
	}
	return follow.Same(s.follower.Query, s.follower.View, x.result)
}

// progress says that every subscription of the session was sent everything up to it.
func (l *live) progress(c *channel, frame wire.Frame) {
	l.t.Helper()
	write, known := l.writeAt[frame.Object.Text("position")]
	if c.stream != nil || !known {
		return
	}
	for _, s := range c.subs {
		if len(s.expected) > 0 && s.expected[0].write <= write {
			l.t.Fatalf("%s: progress past write %d, but %s lacks write %d (%s)", c.name, write, s.id, s.expected[0].write,
				s.expected[0].what)
		}
	}
}

// open lists what is due.
func (c *channel) open() string {
	text := ""
	for _, s := range c.subs {
		for _, x := range s.expected {
			text += fmt.Sprintf("\n  %s: write %d %s: %v", s.id, x.write, x.what, x.events)
		}
	}
	return text
}

// subscribe opens a live query on a session and takes its first result.
func (l *live) subscribe(c *channel, m *model, q oracle.Query) {
	l.t.Helper()
	l.ids++
	s := &subscription{id: fmt.Sprintf("s%d", l.ids), model: m, follower: follow.New(q)}
	if err := c.session.Subscribe(s.id, m.collection, q, ""); err != nil {
		l.t.Fatal(err)
	}
	l.begin(c, s)
}

// stream opens a live query as server-sent events: a random one, or that of one document at its own URL.
func (l *live) stream(address string, m *model) {
	l.t.Helper()
	q := l.g.query()
	path := wire.QueryPath(m.collection, q)
	if l.g.chance(25) {
		id := m.someID(l.g)
		q, path = oracle.Query{Filter: oracle.Object{{Name: "_id", Value: id}}}, wire.Document(m.collection, id)
	}
	stream, err := wire.OpenStream(address, path, "")
	if err != nil {
		l.t.Fatal(err)
	}
	l.ids++
	c := &channel{name: fmt.Sprintf("stream %d", l.ids), stream: stream, subs: map[string]*subscription{}}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform",
		"X-Accel-Buffering": "no"} {
		if got := stream.Header.Get(name); got != want {
			l.t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
		}
	}
	l.channels = append(l.channels, c)
	l.begin(c, &subscription{model: m, follower: follow.NewStream(q)})
}

func (l *live) begin(c *channel, s *subscription) {
	l.t.Helper()
	var err error
	if s.result, err = s.follower.Query.Run(s.model.all()); err != nil {
		l.t.Fatal(err)
	}
	c.subs[s.id] = s
	for !s.follower.Live() {
		if s.follower.Ended() {
			l.t.Fatalf("%s %s: the subscription of %s was refused", c.name, s.id, oracle.Encode(wire.SubscribeFrame(s.id,
				s.model.collection, s.follower.Query, "")))
		}
		l.take(c)
	}
}

// unsubscribe ends a subscription; no frame may come in between, as none is due.
func (l *live) unsubscribe(c *channel, s *subscription) {
	l.t.Helper()
	if err := c.session.Unsubscribe(s.id); err != nil {
		l.t.Fatal(err)
	}
	for !s.follower.Ended() {
		l.take(c)
	}
	delete(c.subs, s.id)
}
