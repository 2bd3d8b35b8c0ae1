package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/follow"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

// TestManyWriters is statement 2: writers that contend for the same documents, subscriptions that begin and end in the
// middle of it. A subscription of everything, the witness, tells the order in which the server applied the writes; then
// each other subscription must have got, at each position, exactly the events that its query asks for.
func TestManyWriters(t *testing.T) {
	for _, partitions := range []string{"1", "3"} {
		t.Run("log-partitions="+partitions, func(t *testing.T) {
			g := generator{random(t)}
			p := start(t, t.TempDir(), "--log-partitions", partitions, "--durability", "os")
			m := &model{client: client(t, p, 8), collection: "pages", docs: map[string]oracle.Object{}}
			if err := m.create(); err != nil {
				t.Fatal(err)
			}
			for range 60 {
				if _, err := m.insert(g); err != nil {
					t.Fatal(err)
				}
			}
			c := manyWriters{t: t, process: p, client: m.client, perWriter: 250, written: make(chan struct{}),
				settled: make(chan struct{})}
			if testing.Short() {
				c.perWriter = 80
			}
			c.run(g)
		})
	}
}

type manyWriters struct {
	t         *testing.T
	process   *process.Process
	client    *wire.Client
	perWriter int
	written   chan struct{}   // closed when all writers are done
	settled   chan struct{}   // closed when the witness has seen all writes
	last      []oracle.Object // the documents then; read it after settled

	revisions sync.Map // accepted revisions
	deletes   atomic.Int64
}

// record is what one subscription got.
type record struct {
	query oracle.Query
	steps []recorded
	final bool // it was read to the end of all writes
}

type recorded struct {
	follow.Step
	view []oracle.Object
}

const (
	writerCount  = 4
	readerCount  = 3
	subsAtATime  = 4
	lastDocument = "last" // written when all writers are done; its arrival says that everything before it arrived
)

func (c *manyWriters) run(g generator) {
	t := c.t
	witness := &record{}
	witnessSession := dial(t, c.process)
	if err := witnessSession.Subscribe("witness", "pages", oracle.Query{}, ""); err != nil {
		t.Fatal(err)
	}
	begin := make(chan struct{})
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		c.report(c.follow(witnessSession, map[string]*record{"witness": witness}, begin, func() bool { return false }))
	})
	<-begin
	records := make([][]*record, readerCount)
	for i := range readerCount {
		g := generator{rand.New(rand.NewPCG(g.Uint64(), 2))}
		readers.Go(func() { records[i] = c.read(g) })
	}
	for range writerCount {
		g := generator{rand.New(rand.NewPCG(g.Uint64(), 3))}
		writers.Go(func() { c.report(c.write(g)) })
	}
	writers.Wait()
	answer, err := c.client.Do("PUT", wire.Document("pages", lastDocument), []byte(`{"n":1}`))
	if err != nil || answer.Status != 201 {
		t.Fatalf("%v %v", answer, err)
	}
	c.revisions.Store(answer.Object().Text("_rev"), true)
	close(c.written)
	readers.Wait()
	if err := witnessSession.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	c.check(witness, records)
}

func (c *manyWriters) report(err error) {
	if err != nil {
		c.t.Error(err)
	}
}

// write makes one writer's writes and keeps which of them were accepted.
func (c *manyWriters) write(g generator) error {
	for range c.perWriter {
		method, path, body := "PUT", wire.Document("pages", g.id()), oracle.Encode(g.fields())
		switch n := g.IntN(100); {
		case n < 20:
			method, path = "POST", wire.Collection("pages")
			body = oracle.Encode(g.fields().With("_id", g.id()))
		case n < 50:
			method, body = "PATCH", oracle.Encode(g.update())
		case n < 75:
			method, body = "DELETE", nil
		}
		answer, err := c.client.Do(method, path, body)
		if err != nil {
			return err
		}
		switch answer.Status {
		case 200, 201:
			c.revisions.Store(answer.Object().Text("_rev"), true)
		case 204:
			c.deletes.Add(1)
		case 400, 404, 409, 503:
			switch answer.Code() {
			case "update-invalid", "document-not-found", "already-exists", "write-contended", "overloaded":
				continue
			}
			fallthrough
		default:
			return fmt.Errorf("%s %s %s: %v", method, path, body, answer)
		}
	}
	return nil
}

// read opens subscriptions and ends them after some frames, until the writers are done; then it opens a last set.
func (c *manyWriters) read(g generator) (all []*record) {
	session, _, err := wire.Dial(c.process.Listen)
	if err != nil {
		c.report(err)
		return nil
	}
	defer func() { c.report(session.Close()) }()
	for n := 0; ; n++ {
		select {
		case <-c.written:
			return all
		default:
		}
		subs, budget := map[string]*record{}, 1+g.IntN(60) // frames of all of them
		for i := range subsAtATime {
			id := fmt.Sprintf("r%d-%d", n, i)
			r := &record{query: g.query()}
			subs[id] = r
			all = append(all, r)
			if err := session.Subscribe(id, "pages", r.query, ""); err != nil {
				c.report(err)
				return nil
			}
		}
		over := func() bool { budget--; return budget < 0 }
		if err := c.follow(session, subs, nil, over); err != nil {
			c.report(err)
			return nil
		}
	}
}

// MaxQuiet bounds the wait for what is still missing after the last write.
const MaxQuiet = 60 * time.Second

// follow takes the frames of some subscriptions of a session. over is asked after each frame whether the subscriptions
// shall end. When all writers are done, it ends the others once they show the naive result of the last state; begin is
// given for the witness alone, and closed when it has its first result.
func (c *manyWriters) follow(s *wire.Session, subs map[string]*record, begin chan struct{}, over func() bool) error {
	followers := map[string]*follow.Follower{}
	for id, r := range subs {
		followers[id] = follow.New(r.query)
	}
	ending := map[string]bool{}
	var deadline time.Time
	for len(followers) > 0 {
		frame, err := s.Next(20 * time.Millisecond)
		if errors.Is(err, wire.ErrTimeout) {
			select {
			case <-c.settled:
			default:
				continue
			}
			if deadline.IsZero() {
				deadline = time.Now().Add(MaxQuiet)
			}
			if err := c.finish(s, followers, subs, ending, time.Now().After(deadline)); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if frame.Type == "progress" {
			continue
		}
		f := followers[frame.ID]
		if f == nil {
			return fmt.Errorf("a frame for no subscription: %s", frame.Raw)
		}
		step, err := f.Apply(frame)
		if err != nil {
			return fmt.Errorf("%s %s: %w", frame.ID, oracle.Encode(wire.SubscribeFrame(frame.ID, "pages", f.Query, "")), err)
		}
		switch step.Type {
		case "error":
			return fmt.Errorf("the subscription ended: %s", frame.Raw)
		case "unsubscribed":
			delete(followers, frame.ID)
			continue
		case "result", "change":
			if step.Reset {
				return fmt.Errorf("an unasked reset: %s", step.Reason)
			}
			subs[frame.ID].steps = append(subs[frame.ID].steps, recorded{step, append([]oracle.Object(nil), f.View...)})
			if begin != nil && step.Type == "result" {
				close(begin)
			}
			if begin != nil && subs[frame.ID].has(lastDocument) {
				c.last = f.View
				close(c.settled)
			}
		}
		if over() {
			for id, f := range followers {
				if !ending[id] && f.Live() {
					ending[id] = true
					if err := s.Unsubscribe(id); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// finish ends the subscriptions that show the last state; expired says that all must by now.
func (c *manyWriters) finish(s *wire.Session, followers map[string]*follow.Follower, subs map[string]*record,
	ending map[string]bool, expired bool) error {
	for id, f := range followers {
		if ending[id] {
			continue
		}
		want, err := f.Query.Run(c.last)
		if err != nil {
			return err
		}
		differ := follow.Same(f.Query, f.View, want)
		if differ != "" && expired {
			return fmt.Errorf("%s does not come to the last state: %s", oracle.Encode(wire.SubscribeFrame(id, "pages", f.Query, "")), differ)
		}
		if differ == "" && f.Live() {
			ending[id], subs[id].final = true, true
			if err := s.Unsubscribe(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// has reports whether the last step shows the document.
func (r *record) has(id string) bool {
	if len(r.steps) == 0 {
		return false
	}
	for _, e := range r.steps[len(r.steps)-1].Events {
		if e.ID == id {
			return true
		}
	}
	return false
}

// check replays the witness's order and holds every record to it.
func (c *manyWriters) check(witness *record, records [][]*record) {
	t := c.t
	c.checkWitness(witness)
	states := map[string]int{}
	for i, s := range witness.steps {
		states[s.Position] = i
	}
	checked, frames := 0, 0
	for _, set := range records {
		for _, r := range set {
			if len(r.steps) == 0 {
				continue // ended before its result
			}
			checked++
			frames += len(r.steps)
			if why := r.check(witness, states); why != "" {
				t.Fatalf("query %s: %s", oracle.Encode(wire.SubscribeFrame("", "pages", r.query, "")), why)
			}
		}
	}
	t.Logf("%d writes, %d subscriptions, %d frames", len(witness.steps), checked, frames)
	if checked < 10 || frames < len(witness.steps)/4 {
		t.Error("the subscriptions do not meet the writes")
	}
}

// checkWitness: every accepted write appears exactly once, and nothing else.
func (c *manyWriters) checkWitness(witness *record) {
	removes := 0
	now := map[string]oracle.Object{}
	for _, d := range witness.steps[0].view {
		now[d.ID()] = d
	}
	for _, s := range witness.steps[1:] {
		if len(s.Events) != 1 {
			c.t.Fatalf("a frame of the witness joins %d writes", len(s.Events))
		}
		e := s.Events[0]
		if e.Match == "remove" {
			delete(now, e.ID)
			removes++
			continue
		}
		if why := follows(now[e.ID], e.Document); why != "" {
			c.t.Fatalf("%v after %s: %s", e, oracle.Encode(now[e.ID]), why)
		}
		now[e.ID] = e.Document
		if _, ok := c.revisions.LoadAndDelete(e.Document.Text("_rev")); !ok {
			c.t.Fatalf("a write that no writer was told of, or one that came twice: %v", e)
		}
	}
	if int64(removes) != c.deletes.Load() {
		c.t.Errorf("%d deletes appeared, %d were accepted", removes, c.deletes.Load())
	}
	first := map[string]bool{}
	for _, d := range witness.steps[0].view {
		first[d.Text("_rev")] = true
	}
	c.revisions.Range(func(revision, _ any) bool {
		if !first[revision.(string)] { // a PATCH that changed nothing answers an old revision
			c.t.Errorf("the accepted write %v never appeared", revision)
		}
		return true
	})
}

// check holds one record to the witness's states; "" means that every frame is right and none is missing.
func (r *record) check(witness *record, states map[string]int) string {
	at, known := states[r.steps[0].Position]
	if !known {
		return "the first result's position " + r.steps[0].Position + " is none that the witness saw"
	}
	result, err := r.query.Run(witness.steps[at].view)
	if err != nil {
		return err.Error()
	}
	if differ := follow.Same(r.query, r.steps[0].view, result); differ != "" {
		return fmt.Sprintf("the first result, at write %d: %s", at, differ)
	}
	left := r.steps[1:]
	for i := at + 1; i < len(witness.steps) && (r.final || len(left) > 0); i++ {
		w := witness.steps[i]
		after, err := r.query.Run(w.view)
		if err != nil {
			return err.Error()
		}
		due := follow.Transition(r.query, result, after, w.Events[0].ID, w.Events[0].Operation)
		result = after
		var got []follow.Event
		if len(left) > 0 && left[0].Position == w.Position {
			got = left[0].Events
			if differ := follow.Same(r.query, left[0].view, after); differ != "" {
				return fmt.Sprintf("after write %d (%v): %s", i, w.Events[0], differ)
			}
			left = left[1:]
		}
		if differ := follow.SameEvents(got, due); differ != "" {
			return fmt.Sprintf("write %d (%v): %s\n%s", i, w.Events[0], differ, pending(left))
		}
	}
	if len(left) > 0 {
		return "frames that belong to no write: " + pending(left)
	}
	return ""
}

func pending(left []recorded) string {
	var text []string
	for _, s := range left[:min(3, len(left))] {
		text = append(text, fmt.Sprintf("next frame at %s: %v", s.Position, s.Events))
	}
	return strings.Join(text, "\n")
}
