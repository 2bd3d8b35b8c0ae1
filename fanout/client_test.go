package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// client is the naive other end of a session: it applies frames as the wire contract says, and compares every view with
// the naive result at the frame's position, and at every sequence that the frame passed over.
type client struct {
	t       *testing.T
	w       *world
	session *Session
	views   map[string]*view
	left    map[*testQuery]*view // of subscriptions that ended, to be come back to
	resumed int                  // subscriptions that went on from where their view stood
	unknown map[string]int       // unsubscribes of ids that were not in use: frames to come
	context string
	frames  int
	over    error
}

type view struct {
	query      *testQuery
	silent     bool
	ending     bool // unsubscribe was called
	subscribed bool
	shows      bool // has a view
	sequence   uint64
	documents  []shown
	parts      []shown // of a result that is not whole yet
	inParts    bool
	reasons    []string
	position   string // on the wire, of the view
	since      string // where it came back from, "" if it did not or has been seen to go on
}

func newClient(t *testing.T, w *world) *client {
	return &client{t: t, w: w, session: w.listener.NewSession(), views: make(map[string]*view), unknown: make(map[string]int), left: make(map[*testQuery]*view)}
}

// comeBack subscribes to a query again from where a view of it ended, if there is one.
func (c *client) comeBack(id string, q *testQuery) {
	c.t.Helper()
	old := c.left[q]
	if old == nil || c.views[id] != nil {
		return
	}
	c.subscribe(id, q, func(r *Subscribe) { r.Since = old.position })
	v := c.views[id]
	v.since, v.position, v.sequence, v.documents, v.shows = old.position, old.position, old.sequence, slices.Clone(old.documents), true
}

func (c *client) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Fatalf("%s: %s", c.context, fmt.Sprintf(format, args...))
}

func (c *client) subscribe(id string, q *testQuery, change func(*Subscribe)) {
	c.t.Helper()
	r := Subscribe{ID: id, Collection: q.collection, Query: q.query}
	if change != nil {
		change(&r)
	}
	err := c.session.Subscribe(r)
	if c.views[id] != nil {
		if !errors.Is(err, ErrIDInUse) {
			c.fail("subscribe with an id in use: %v", err)
		}
		return
	}
	if err != nil {
		c.fail("subscribe: %v", err)
	}
	c.views[id] = &view{query: q, silent: r.NoInitial && r.Since == ""}
}

func (c *client) unsubscribe(id string) {
	c.session.Unsubscribe(id)
	if v := c.views[id]; v != nil && !v.ending {
		v.ending = true
		return
	}
	c.unknown[id]++
}

var canceled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// take applies the frames of one Next, and says whether there were any.
func (c *client) take() bool {
	c.t.Helper()
	frames, err := c.session.Next(canceled, nil)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			c.over = err
		}
		return false
	}
	for i := range frames {
		c.apply(&frames[i])
	}
	return true
}

func (c *client) drain() (some bool) {
	c.t.Helper()
	for c.take() {
		some = true
	}
	return some
}

// wire is a frame as a client decodes it.
type wire struct {
	Type      string            `json:"type"`
	QueryKey  string            `json:"queryKey"`
	Ordered   bool              `json:"ordered"`
	Warnings  []json.RawMessage `json:"warnings"`
	Documents []json.RawMessage `json:"documents"`
	Reset     bool              `json:"reset"`
	Reason    string            `json:"reason"`
	More      bool              `json:"more"`
	Events    []struct {
		Match         string          `json:"match"`
		Operation     string          `json:"operation"`
		ID            string          `json:"_id"`
		Index         *int            `json:"index"`
		PreviousIndex *int            `json:"previousIndex"`
		Document      json.RawMessage `json:"document"`
	} `json:"events"`
	Position string `json:"position"`
}

func (c *client) apply(f *Frame) {
	c.t.Helper()
	c.frames++
	if f.Type == FrameControl {
		return
	}
	var m wire
	if f.Type != FrameError {
		if len(f.Body) == 0 || f.Body[0] != ',' {
			c.fail("body %q does not begin with a comma", f.Body)
		}
		d := json.NewDecoder(strings.NewReader("{" + string(f.Body[1:])))
		d.DisallowUnknownFields()
		if err := d.Decode(&m); err != nil {
			c.fail("decode %s: %v", f.Body, err)
		}
		if m.Type != string(f.Type) || m.Position != f.Position {
			c.fail("frame of type %q at %q has the body %s", f.Type, f.Position, f.Body)
		}
	}
	if f.Type == FrameProgress {
		c.progress(f.Position)
		return
	}
	v := c.views[f.Subscription]
	if f.Type == FrameUnsubscribed && f.QueryKey == "" && c.unknown[f.Subscription] > 0 {
		c.unknown[f.Subscription]--
		return
	}
	if v == nil {
		c.fail("%s for %q, which is not subscribed: %s", f.Type, f.Subscription, f.Body)
	}
	if key := v.query.query.Key(v.query.collection); f.QueryKey != key {
		c.fail("%s has the query key %q, not %q", f.Type, f.QueryKey, key)
	}
	if v.inParts && f.Type == FrameChange {
		c.fail("a change between the parts of a result")
	}
	if f.Type != FrameError && f.Type != FrameUnsubscribed && v.subscribed == (f.Type == FrameSubscribed) {
		c.fail("%s for %s out of order (invariant 2)", f.Type, f.Subscription)
	}
	switch f.Type {
	case FrameSubscribed:
		v.subscribed = true
		if v.since != "" && m.Position != v.since {
			c.fail("subscribed says %s to a client that came back from %s", f.Body, v.since)
		}
		if m.Ordered != v.query.query.Ordered() || m.Warnings == nil {
			c.fail("subscribed says %s", f.Body)
		}
		if v.silent {
			v.shows, v.sequence, v.position = true, c.sequence(m.Position), m.Position
			v.documents = slices.Clone(c.w.result(v.query, v.sequence))
		}
	case FrameResult:
		c.result(v, &m)
	case FrameChange:
		c.change(v, &m, f)
	case FrameUnsubscribed:
		if !v.ending {
			c.fail("unsubscribed unasked")
		}
		c.leave(v)
		delete(c.views, f.Subscription)
	case FrameError:
		delete(c.views, f.Subscription)
		if v.ending {
			c.unknown[f.Subscription]++
		}
		if !errors.Is(f.Err, ErrCollectionDropped) && !errors.Is(f.Err, ErrReadOverrun) {
			c.fail("subscription %s ended: %v", f.Subscription, f.Err)
		}
	default:
		c.fail("frame of type %q", f.Type)
	}
}

// leave remembers a view for its client to come back to.
func (c *client) leave(v *view) {
	if v.shows && !v.inParts && v.position != "" {
		c.left[v.query] = v
	}
}

// wentOn notes that a view that came back was gone on with.
func (c *client) wentOn(v *view) {
	if v.since != "" {
		v.since = ""
		c.resumed++
	}
}

func (c *client) sequence(position string) uint64 {
	c.t.Helper()
	s, ok := c.w.at[position]
	if !ok {
		c.fail("position %q is none of the log's", position)
	}
	return s
}

func (c *client) result(v *view, m *wire) {
	c.t.Helper()
	if m.Documents == nil {
		c.fail("a result without documents")
	}
	for _, d := range m.Documents {
		var id struct {
			ID string `json:"_id"`
		}
		if err := json.Unmarshal(d, &id); err != nil {
			c.fail("decode %s: %v", d, err)
		}
		v.parts = append(v.parts, shown{id.ID, string(d)})
	}
	if v.inParts = m.More; m.More {
		if m.Position != "" {
			c.fail("a result's part that is not the last has a position")
		}
		return
	}
	if m.Reset != (m.Reason != "") || v.shows && !m.Reset {
		c.fail("result with reset %v, reason %q; had one: %v", m.Reset, m.Reason, v.shows)
	}
	sequence := c.sequence(m.Position)
	if v.shows && sequence < v.sequence {
		c.fail("a result at %d after %d", sequence, v.sequence)
	}
	v.documents, v.parts, v.shows, v.sequence = v.parts, nil, true, sequence
	v.since, v.position = "", m.Position
	if m.Reset {
		v.reasons = append(v.reasons, m.Reason)
	}
	c.compare(v, sequence, "result")
}

func (c *client) change(v *view, m *wire, f *Frame) {
	c.t.Helper()
	if !v.shows {
		c.fail("a change before the result")
	}
	sequence := c.sequence(m.Position)
	if sequence <= v.sequence {
		c.fail("a change at %d after %d (invariant 3): %s", sequence, v.sequence, f.Body)
	}
	c.wentOn(v)
	v.position = m.Position
	c.unchanged(v, sequence-1)
	for _, e := range m.Events {
		if e.Match == "remove" && e.Document != nil || e.Match != "remove" && e.Document == nil {
			c.fail("%s with the document %s", e.Match, e.Document)
		}
		by := c.w.changes[sequence]
		if (e.Operation == "none") == (e.ID == by.ID) || e.Operation != "none" && e.Operation != by.Operation.String() {
			c.fail("%s by the %s of %s", f.Body, by.Operation, by.ID)
		}
		after := shown{e.ID, string(e.Document)}
		place := slices.IndexFunc(v.documents, func(s shown) bool { return s.id == e.ID })
		if !v.query.query.Ordered() {
			if e.Index != nil || e.PreviousIndex != nil || e.Operation == "none" || e.Match == "changeIndex" {
				c.fail("an unordered result has the event %s", f.Body)
			}
			c.changeSet(v, e.Match, place, after)
			continue
		}
		wantIndex, wantPrevious := e.Match != "remove", e.Match == "remove" || e.Match == "changeIndex"
		if (e.Index != nil) != wantIndex || (e.PreviousIndex != nil) != wantPrevious {
			c.fail("indexes of %s", f.Body)
		}
		c.changeList(v, e.Match, place, e.Index, e.PreviousIndex, after)
	}
	v.sequence = sequence
	c.compare(v, sequence, string(f.Body))
}

func (c *client) changeSet(v *view, match string, place int, after shown) {
	c.t.Helper()
	switch {
	case match == "add" && place < 0:
		at, _ := slices.BinarySearchFunc(v.documents, after, func(a, b shown) int { return strings.Compare(a.id, b.id) })
		v.documents = slices.Insert(v.documents, at, after)
	case match == "change" && place >= 0:
		v.documents[place] = after
	case match == "remove" && place >= 0:
		v.documents = slices.Delete(v.documents, place, place+1)
	default:
		c.fail("%s of %s, which stands at %d", match, after.id, place)
	}
}

func (c *client) changeList(v *view, match string, place int, index, previous *int, after shown) {
	c.t.Helper()
	if previous == nil && match == "change" {
		previous = index
	}
	if previous != nil {
		if *previous != place {
			c.fail("%s says that %s stood at %d, it stood at %d", match, after.id, *previous, place)
		}
		v.documents = slices.Delete(v.documents, place, place+1)
	} else if place >= 0 {
		c.fail("%s of %s, which stands at %d already", match, after.id, place)
	}
	if match != "remove" {
		if *index < 0 || *index > len(v.documents) {
			c.fail("%s at %d of %d", match, *index, len(v.documents))
		}
		v.documents = slices.Insert(v.documents, *index, after)
	}
}

// compare checks invariant 3 at the position of a frame.
func (c *client) compare(v *view, sequence uint64, what string) {
	c.t.Helper()
	if !v.query.query.Ordered() {
		slices.SortFunc(v.documents, func(a, b shown) int { return strings.Compare(a.id, b.id) })
	}
	if want := c.w.result(v.query, sequence); !slices.Equal(v.documents, want) {
		c.fail("%s after %s at sequence %d\n got %v\nwant %v (invariant 3)", v.query.text, what, sequence, v.documents, want)
	}
}

// unchanged checks that nothing was missed between the last frame and a sequence.
func (c *client) unchanged(v *view, until uint64) {
	c.t.Helper()
	for s := v.sequence; s <= until; s++ {
		if want := c.w.result(v.query, s); !slices.Equal(v.documents, want) {
			c.fail("%s missed a frame at sequence %d\n has %v\nwant %v (invariant 3)", v.query.text, s, v.documents, want)
		}
	}
}

func (c *client) progress(position string) {
	c.t.Helper()
	sequence := c.sequence(position)
	for id, v := range c.views {
		if v.ending || !v.subscribed { // its last frame is on the way, or its first
			continue
		}
		if !v.shows || sequence < v.sequence {
			c.fail("progress to %d, but %s stands at %d and shows a view: %v (invariant 6)", sequence, id, v.sequence, v.shows)
		}
		c.wentOn(v)
		c.unchanged(v, sequence)
		v.sequence, v.position = sequence, position
	}
}
