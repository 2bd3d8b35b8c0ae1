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

// steps is a world whose hubs run, for tests that go step by step inside a synctest bubble.
type steps struct {
	*world
	ticks chan time.Time
	stop  context.CancelFunc
	ended chan error
}

func newSteps(t *testing.T, cfg Config) *steps {
	s := &steps{world: newWorld(t, 1), ticks: make(chan time.Time), ended: make(chan error, 1)}
	s.gated = false
	cfg.ProgressTicks = s.ticks
	s.listener = New(cfg, s.world)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.ended <- s.listener.Run(ctx) }()
	t.Cleanup(cancel)
	return s
}

// settle runs boundaries until nothing asks for one; reads that are gated stay where they are.
func (s *steps) settle() {
	synctest.Wait()
	for s.waitingTasks() > 0 {
		s.runBoundary()
		synctest.Wait()
	}
}

func (s *steps) put(c matcher.CollectionID, text string) {
	s.t.Helper()
	d, err := matcher.Parse([]byte(text), matcher.Limits{}.WithDefaults())
	if err != nil {
		s.t.Fatalf("parse %s: %v", text, err)
	}
	s.apply(s.stage(write{c, d.ID(), text}))
}

func (s *steps) truncate(c matcher.CollectionID, fence matcher.Fence) {
	g := &matcher.Group{Before: s.vector()}
	s.stageFence(g, c, fence)
	s.apply(g)
}

// frames takes what waits in a session, as the wire would show it.
func frames(t *testing.T, s *Session) []string {
	t.Helper()
	var out []string
	for {
		fs, err := s.Next(canceled, nil)
		if errors.Is(err, context.Canceled) {
			return out
		}
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		for _, f := range fs {
			switch {
			case f.Type == FrameControl:
				out = append(out, string(f.Body))
			case f.Type == FrameError:
				out = append(out, fmt.Sprintf("%s: %v", f.Subscription, f.Err))
			case f.Subscription == "":
				out = append(out, "{"+string(f.Body[1:]))
			default:
				out = append(out, `{"id":"`+f.Subscription+`"`+string(f.Body))
			}
		}
	}
}

func wantFrames(t *testing.T, s *Session, want ...string) {
	t.Helper()
	got := frames(t, s)
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("frame %d\n got %s\nwant %s", i, g, w)
		}
	}
}

func mustSubscribe(t *testing.T, s *Session, id string, q *testQuery) {
	t.Helper()
	if err := s.Subscribe(Subscribe{ID: id, Collection: q.collection, Query: q.query}); err != nil {
		t.Fatalf("subscribe %s: %v", id, err)
	}
}

// at is the wire position of the first data partition's offset n.
func (s *steps) wireAt(n uint64) string {
	return matcher.Vector{Incarnation: s.incarnation, Next: []uint64{0, n}}.String()
}

func TestUnorderedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		q := mustCompile(t, 1, `{"a":1}`, "", `["a"]`, 0, 0)
		key := q.query.Key(1)
		s.put(1, `{"_id":"p1","a":1,"b":1}`)
		session := s.listener.NewSession()
		err := session.Subscribe(Subscribe{ID: "s", Collection: 1, Query: q.query, Warnings: []byte(`[{"code":"type-never-seen","path":"a"}]`)})
		if err != nil {
			t.Fatal(err)
		}
		s.settle()
		s.put(1, `{"_id":"p2","a":1}`)
		s.put(1, `{"_id":"p3","a":2}`)             // does not match
		s.put(1, `{"_id":"p1","a":1,"b":2}`)       // the projected document is the same
		s.put(1, `{"_id":"p1","a":1.0,"b":2}`)     // looks different
		s.put(1, `{"_id":"p2","a":3}`)             // leaves
		s.apply(s.stage(write{1, "p1", ""}))       // deleted
		s.put(1, `{"_id":"quo\"te","a":1,"b":40}`) // escaped
		wantFrames(t, session,
			`{"id":"s","type":"subscribed","queryKey":"`+key+`","ordered":false,"position":"`+s.wireAt(1)+`","warnings":[{"code":"type-never-seen","path":"a"}]}`,
			`{"id":"s","type":"result","documents":[{"_id":"p1","a":1}],"reset":false,"reason":"","more":false,"position":"`+s.wireAt(1)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"add","operation":"insert","_id":"p2","document":{"_id":"p2","a":1}}],"position":"`+s.wireAt(2)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"change","operation":"update","_id":"p1","document":{"_id":"p1","a":1.0}}],"position":"`+s.wireAt(5)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"remove","operation":"update","_id":"p2"}],"position":"`+s.wireAt(6)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"remove","operation":"delete","_id":"p1"}],"position":"`+s.wireAt(7)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"add","operation":"insert","_id":"quo\"te","document":{"_id":"quo\"te","a":1}}],"position":"`+s.wireAt(8)+`"}`,
		)
		session.Unsubscribe("s")
		session.Unsubscribe("never")
		wantFrames(t, session, `{"id":"s","type":"unsubscribed"}`, `{"id":"never","type":"unsubscribed"}`)
		s.settle()
		if n := s.listener.Metrics().Hubs.Load(); n != 0 {
			t.Errorf("%d hubs after the last unsubscribe", n)
		}
		session.Close()
	})
}

func TestOrderedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		q := mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 2)
		s.put(1, `{"_id":"p1","a":10}`)
		s.put(1, `{"_id":"p2","a":20}`)
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "s", q)
		s.settle()
		frames(t, session)
		s.put(1, `{"_id":"p3","a":15}`) // pushes p2 out
		s.put(1, `{"_id":"p1","a":17}`) // moves behind p3
		s.put(1, `{"_id":"p1","a":18}`) // stays there
		s.apply(s.stage(write{1, "p3", ""}))
		wantFrames(t, session,
			`{"id":"s","type":"change","events":[{"match":"remove","operation":"none","_id":"p2","previousIndex":1},{"match":"add","operation":"insert","_id":"p3","index":1,"document":{"_id":"p3","a":15}}],"position":"`+s.wireAt(3)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"changeIndex","operation":"update","_id":"p1","index":1,"previousIndex":0,"document":{"_id":"p1","a":17}}],"position":"`+s.wireAt(4)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"change","operation":"update","_id":"p1","index":1,"document":{"_id":"p1","a":18}}],"position":"`+s.wireAt(5)+`"}`,
			`{"id":"s","type":"change","events":[{"match":"remove","operation":"delete","_id":"p3","previousIndex":0},{"match":"add","operation":"none","_id":"p2","index":1,"document":{"_id":"p2","a":20}}],"position":"`+s.wireAt(6)+`"}`,
		)
	})
}

// Invariant 1.
func TestNothingBeforeRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "f", mustCompile(t, 1, `{}`, "", "", 0, 0))
		mustSubscribe(t, session, "w", mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 3))
		s.settle()
		frames(t, session)
		s.listener.Prepare(s.stage(write{1, "p1", `{"_id":"p1"}`}))
		wantFrames(t, session)
		s.listener.Release()
		if got := frames(t, session); len(got) != 2 {
			t.Errorf("after Release: %d frames, want 2: %q", len(got), got)
		}
	})
}

// Invariant 4.
func TestBodiesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		q := mustCompile(t, 1, `{}`, "", "", 0, 0)
		var first []Frame
		var sessions []*Session
		for range 3 {
			session := s.listener.NewSession()
			defer session.Close()
			sessions = append(sessions, session)
			mustSubscribe(t, session, "s", q)
		}
		s.settle()
		if n := s.finds; n != 1 {
			t.Errorf("three equal subscriptions at one boundary took %d reads, want 1", n)
		}
		s.put(1, `{"_id":"p1"}`)
		for i, session := range sessions {
			fs, err := session.Next(canceled, nil)
			if err != nil || len(fs) != 3 {
				t.Fatalf("session %d: %d frames, %v", i, len(fs), err)
			}
			if i == 0 {
				first = fs
			}
			for j := 1; j < 3; j++ {
				if &fs[j].Body[0] != &first[j].Body[0] {
					t.Errorf("the %s of session %d has bytes of its own", fs[j].Type, i)
				}
			}
		}
		if n := s.listener.Metrics().Encoded.Load(); n != 1 {
			t.Errorf("encoded %d frames for one change of one query", n)
		}
	})
}

func TestResultParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxResultPartBytes: 60})
		for i := range 5 {
			s.put(1, fmt.Sprintf(`{"_id":"p%d","a":%d}`, i, i))
		}
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 0))
		s.settle()
		frames(t, session)
		mustSubscribe(t, session, "again", mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 0))
		s.settle()
		tail := `],"reset":false,"reason":"","more":`
		wantFrames(t, session,
			`{"id":"again","type":"subscribed","queryKey":"`+mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 0).query.Key(1)+`","ordered":true,"position":"`+s.wireAt(5)+`","warnings":[]}`,
			`{"id":"again","type":"result","documents":[{"_id":"p0","a":0},{"_id":"p1","a":1}`+tail+`true}`,
			`{"id":"again","type":"result","documents":[{"_id":"p2","a":2},{"_id":"p3","a":3}`+tail+`true}`,
			`{"id":"again","type":"result","documents":[{"_id":"p4","a":4}`+tail+`false,"position":"`+s.wireAt(5)+`"}`,
		)
		if s.finds != 1 {
			t.Errorf("%d reads; a window that stands needs none for its second subscription", s.finds)
		}
	})
}

func TestSinceIsAnsweredByReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		q := mustCompile(t, 1, `{}`, "", "", 0, 0)
		session := s.listener.NewSession()
		defer session.Close()
		past := s.vector().String()
		s.put(2, `{"_id":"p"}`)
		s.floor = s.sequence()
		for since, reason := range map[string]string{
			past: ReasonNoHistory,
			matcher.Vector{Incarnation: 99, Next: []uint64{0, 0}}.String(): ReasonOtherTimeline,
			"rubbish": ReasonOtherTimeline,
		} {
			if err := session.Subscribe(Subscribe{ID: "s", Collection: 1, Query: q.query, Since: since, NoInitial: true}); err != nil {
				t.Fatal(err)
			}
			s.settle()
			got := frames(t, session)
			if len(got) != 2 || !strings.Contains(got[1], `"documents":[],"reset":true,"reason":"`+reason+`"`) {
				t.Errorf("since %s: %q", since, got)
			}
			session.Unsubscribe("s")
			frames(t, session)
		}
	})
}

func TestSubscribeRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxSubscriptions: 2, Limits: matcher.Limits{MaxWindow: 5}})
		q := mustCompile(t, 1, `{}`, "", "", 0, 0)
		session := s.listener.NewSession()
		mustSubscribe(t, session, "a", q)
		if err := session.Subscribe(Subscribe{ID: "a", Collection: 1, Query: q.query}); !errors.Is(err, ErrIDInUse) {
			t.Errorf("an id that is still loading: %v", err)
		}
		mustSubscribe(t, session, "b", q)
		if err := session.Subscribe(Subscribe{ID: "c", Collection: 1, Query: q.query}); !errors.Is(err, ErrTooManySubscriptions) {
			t.Errorf("the third of two: %v", err)
		}
		// Subscribing and unsubscribing in turns does not pile up what the loop has not seen yet.
		refused := false
		for range 5 {
			session.Unsubscribe("b")
			err := session.Subscribe(Subscribe{ID: "b", Collection: 1, Query: q.query})
			refused = refused || errors.Is(err, ErrTooManySubscriptions)
		}
		if !refused {
			t.Error("subscribe and unsubscribe in turns were never refused")
		}
		s.settle()
		session.Unsubscribe("a")
		session.Unsubscribe("b")
		s.settle()
		frames(t, session)

		large := mustCompile(t, 1, `{}`, `{"a":1}`, "", 3, 3)
		mustSubscribe(t, session, "w", large)
		s.settle()
		got := frames(t, session)
		if len(got) != 1 || !strings.HasPrefix(got[0], "w: ") || !strings.Contains(got[0], "MaxWindow") {
			t.Errorf("a window larger than MaxWindow: %q", got)
		}
		session.Close()
		if err := session.Subscribe(Subscribe{ID: "x", Collection: 1, Query: q.query}); !errors.Is(err, ErrSessionClosed) {
			t.Errorf("subscribe after Close: %v", err)
		}
		s.settle()
		if n := s.listener.Metrics().Subscriptions.Load(); n != 0 {
			t.Errorf("%d subscriptions are left", n)
		}
	})
}

func TestReadErrorEndsSubscriptions(t *testing.T) {
	for _, sort := range []string{"", `{"a":1}`} {
		synctest.Test(t, func(t *testing.T) {
			s := newSteps(t, Config{})
			q := mustCompile(t, 1, `{}`, sort, "", 0, 0)
			s.findError = errors.New("too many documents")
			session := s.listener.NewSession()
			defer session.Close()
			mustSubscribe(t, session, "s", q)
			s.settle()
			got := frames(t, session)
			if len(got) != 2 || got[1] != "s: read the result: too many documents" {
				t.Fatalf("got %q", got)
			}
			s.findError = nil
			mustSubscribe(t, session, "s", q) // the id is free again, and the hub is not stuck
			s.settle()
			s.put(1, `{"_id":"p"}`)
			if got := frames(t, session); len(got) != 3 {
				t.Errorf("after the error: %q", got)
			}
		})
	}
}

func TestResultTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxResultBytes: 1000, MaxResultPartBytes: 100})
		for i := range 50 {
			s.put(1, fmt.Sprintf(`{"_id":"p%d","a":%d,"t":"some text"}`, i, i%2))
		}
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, "", "", 0, 0))
		s.settle()
		fs, err := session.Next(canceled, nil)
		if err != nil || len(fs) != 2 || !errors.Is(fs[1].Err, ErrResultTooLarge) || !strings.Contains(fs[1].Err.Error(), "maxResultBytes is 1000") {
			t.Errorf("got %v, %v", fs, err)
		}
	})
}

// A window without a limit that grows beyond MaxWindow ends, with an error and nothing after it.
func TestWindowErrorEndsHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{Limits: matcher.Limits{MaxWindow: 2}})
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "s", mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 0))
		s.settle()
		frames(t, session)
		s.apply(s.stage(inserts("p1", "p2", "p3", "p4")...))
		got := frames(t, session)
		if len(got) != 3 || !strings.HasPrefix(got[2], "s: ") {
			t.Fatalf("got %q", got)
		}
		s.settle()
		if n := s.listener.Metrics().Hubs.Load(); n != 0 {
			t.Errorf("%d hubs are left", n)
		}
	})
}

// A document that a filter has too much to do for ends its subscriptions, whether it is written or read, and no others.
func TestCostlyDocumentEndsHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		session := s.listener.NewSession()
		defer session.Close()
		costly := mustCompile(t, 1, `{"s":{"$regex":"(a|b){1,900}x"}}`, "", "", 0, 0)
		mustSubscribe(t, session, "costly", costly)
		mustSubscribe(t, session, "window", mustCompile(t, 1, `{"s":{"$regex":"(a|b){1,901}x"}}`, `{"a":1}`, "", 0, 3))
		mustSubscribe(t, session, "other", mustCompile(t, 1, `{"s":{"$exists":true}}`, "", "", 0, 0))
		s.settle()
		frames(t, session)
		s.put(1, `{"_id":"p1","s":"`+strings.Repeat("ab", 5_000)+`x"}`)
		s.settle()
		got := strings.Join(frames(t, session), "\n")
		for _, want := range []string{"costly: ", "window: ", `"other"`} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%q is not there once: %s", want, got)
			}
		}
		if strings.Count(got, "MaxRegexWork") != 2 {
			t.Errorf("the bound is not named: %s", got)
		}
		mustSubscribe(t, session, "again", costly)
		s.settle()
		if got := frames(t, session); len(got) != 2 || !strings.HasPrefix(got[1], "again: ") || !strings.Contains(got[1], "MaxRegexWork") {
			t.Errorf("subscribed again: %q", got)
		}
		if n := s.listener.Metrics().Hubs.Load(); n != 1 {
			t.Errorf("%d hubs are left", n)
		}
	})
}

// inserts makes documents whose `a` counts up.
func inserts(ids ...string) (ws []write) {
	for i, id := range ids {
		ws = append(ws, write{1, id, fmt.Sprintf(`{"_id":%q,"a":%d}`, id, i)})
	}
	return ws
}
