package matcher

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naiveResult is all documents that a query finds, in its order, by a full run over the store: the oracle. skip and
// limit are applied by naiveVisible.
func naiveResult(q *Query, store map[string]*Document) []*Document {
	var docs []*Document
	for _, d := range store {
		if q.Match(d) {
			docs = append(docs, d)
		}
	}
	slices.SortFunc(docs, func(a, b *Document) int { return naiveOrder(q, a, b) })
	return docs
}

// naiveOrder compares values, not sort keys, wherever no array is on the way.
func naiveOrder(q *Query, a, b *Document) int {
	for _, k := range q.sort {
		if k.near != nil {
			x, _ := k.near.distance(a.Root())
			y, _ := k.near.distance(b.Root())
			if x != y {
				return cmp.Compare(x, y)
			}
			continue
		}
		x, plainX := plainValue(a.Root(), k.path.segments)
		y, plainY := plainValue(b.Root(), k.path.segments)
		if !plainX || !plainY {
			return bytes.Compare(q.AppendSortKey(nil, a), q.AppendSortKey(nil, b))
		}
		order := Compare(x, y)
		if k.descending {
			order = -order
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

func naiveVisible(q *Query, docs []*Document) []*Document {
	docs = docs[min(len(docs), q.Skip()):]
	if q.Limit() > 0 {
		docs = docs[:min(len(docs), q.Limit())]
	}
	return docs
}

// loadNaive loads a window from the store, as much as it needs.
func loadNaive(w *Window, q *Query, store map[string]*Document) error {
	docs := naiveResult(q, store)
	if need := w.Need(); need > 0 && len(docs) > need {
		return w.Load(docs[:need], false)
	}
	return w.Load(docs, true)
}

func clientOf(w *Window) []*Document { return slices.Clone(w.Visible()) }

// applyNaive applies a change to the store and the window, and its events to the client's list, loading the window again
// where it ran dry.
func applyNaive(w *Window, q *Query, store map[string]*Document, c *Change, client []*Document) ([]*Document, []Event, error) {
	before, after := c.Before != nil && q.Match(c.Before), c.After != nil && q.Match(c.After)
	events, err := w.Apply(c, before, after, nil)
	if errors.Is(err, ErrWindowDry) {
		if len(events) != 0 {
			return nil, nil, errors.New("a dry window made events")
		}
		if err := loadNaive(w, q, store); err != nil {
			return nil, nil, err
		}
		events, err = w.Apply(c, before, after, nil)
	}
	if err != nil {
		return nil, nil, err
	}
	if c.After == nil {
		delete(store, c.ID)
	} else {
		store[c.ID] = c.After
	}
	for _, e := range events {
		if client, err = applyEvent(q, c, e, client); err != nil {
			return nil, nil, fmt.Errorf("%+v: %w", e, err)
		}
	}
	return client, events, nil
}

// applyEvent does what a client does with an event, and checks all that the wire contract says about it.
func applyEvent(q *Query, c *Change, e Event, client []*Document) ([]*Document, error) {
	wanted := OperationNone
	if e.ID == c.ID {
		wanted = c.Operation
	}
	if e.Operation != wanted {
		return nil, fmt.Errorf("operation %v, want %v", e.Operation, wanted)
	}
	takes := e.Match == MatchRemove || e.Match == MatchChangeIndex
	puts := e.Match == MatchAdd || e.Match == MatchChangeIndex
	if takes != (e.PreviousIndex >= 0) || (puts || e.Match == MatchChange) != (e.Index >= 0) {
		return nil, errors.New("wrong indexes for its match")
	}
	if (e.Match == MatchRemove) != (e.Document == nil) {
		return nil, errors.New("a remove has no document, every other event has one")
	}
	if wanted == OperationNone && e.Match != MatchAdd && e.Match != MatchRemove {
		return nil, errors.New("operation none on an entry that stays")
	}
	client = slices.Clone(client)
	if takes {
		if e.PreviousIndex >= len(client) || client[e.PreviousIndex].ID() != e.ID {
			return nil, errors.New("another document stands at previousIndex")
		}
		client = slices.Delete(client, e.PreviousIndex, e.PreviousIndex+1)
	}
	if e.Match == MatchChange {
		if e.Index >= len(client) || client[e.Index].ID() != e.ID {
			return nil, errors.New("another document stands at index")
		}
		client[e.Index] = e.Document
	}
	if puts {
		if e.Index > len(client) || e.Document.ID() != e.ID {
			return nil, errors.New("it cannot be put in")
		}
		client = slices.Insert(client, e.Index, e.Document)
	}
	if q.Limit() > 0 && len(client) > q.Limit() {
		return nil, errors.New("the list grew beyond the limit")
	}
	return client, nil
}

// windowModel drives a window and the naive model with the same random changes.
type windowModel struct {
	random  *rand.Rand
	query   *Query
	window  *Window
	store   map[string]*Document
	client  []*Document
	visible []*Document    // as the naive model has it
	seen    map[string]int // how often each kind of event came
}

// randomDocument has few values, so that ties and equal images are common.
func (m *windowModel) randomDocument(id string) string {
	value := []string{`null`, `0`, `1`, `1.0`, `2`, `3`, `4`, `5`, `"a"`, `"b"`, `true`, `[]`, `[3,1]`, `{"$date":5}`}
	fields := fmt.Sprintf(`{"_id":%q,"keep":%t`, id, m.random.IntN(4) > 0)
	if m.random.IntN(8) > 0 {
		fields += `,"a":` + value[m.random.IntN(len(value))]
	}
	return fields + fmt.Sprintf(`,"b":%d,"noise":%d}`, m.random.IntN(3), m.random.IntN(2))
}

func (m *windowModel) randomChange(t *testing.T) *Change {
	id := fmt.Sprintf("d%02d", m.random.IntN(40))
	c := &Change{ID: id, Before: m.store[id]}
	switch {
	case c.Before == nil:
		c.Operation = OperationInsert
	case m.random.IntN(4) == 0:
		c.Operation = OperationDelete
		return c
	default:
		c.Operation = OperationUpdate
	}
	c.After = testDocument(t, m.randomDocument(id))
	return c
}

// step applies one random change and compares with the naive model.
func (m *windowModel) step(t *testing.T) error {
	c := m.randomChange(t)
	old := m.visible
	client, events, err := applyNaive(m.window, m.query, m.store, c, m.client)
	if err != nil {
		return err
	}
	m.client = client
	want := naiveVisible(m.query, naiveResult(m.query, m.store))
	m.visible = want
	if !slices.EqualFunc(client, want, func(a, b *Document) bool { return m.query.SameProjected(a, b) }) {
		return fmt.Errorf("after %v of %q the client has %s, want %s", c.Operation, c.ID, idsOf(client), idsOf(want))
	}
	if got := m.window.Visible(); !slices.Equal(got, want) {
		return fmt.Errorf("after %v of %q visible are %s, want %s", c.Operation, c.ID, idsOf(got), idsOf(want))
	}
	if need := m.window.Need(); need > 0 && len(m.window.entries) > need {
		return fmt.Errorf("%d entries are kept, at most %d are needed", len(m.window.entries), need)
	}
	got := make([]string, 0)
	for _, e := range events {
		got = append(got, fmt.Sprint(e.Match, e.Operation, e.ID))
		m.seen[fmt.Sprint(e.Match, " ", e.Operation)]++
	}
	if wanted := expectedEvents(m.query, c, old, want); !slices.Equal(got, wanted) {
		return fmt.Errorf("%v of %q made of %s %s by %q, want %q", c.Operation, c.ID, idsOf(old), idsOf(want), got, wanted)
	}
	return nil
}

// expectedEvents compares two lists: what must be said about a change, and nothing more.
func expectedEvents(q *Query, c *Change, old, want []*Document) []string {
	place := func(docs []*Document, id string) int {
		return slices.IndexFunc(docs, func(d *Document) bool { return d.ID() == id })
	}
	events := make([]string, 0)
	say := func(match Match, id string) {
		operation := OperationNone
		if id == c.ID {
			operation = c.Operation
		}
		events = append(events, fmt.Sprint(match, operation, id))
	}
	for _, d := range old {
		if place(want, d.ID()) < 0 {
			say(MatchRemove, d.ID())
		}
	}
	for _, d := range want {
		if place(old, d.ID()) < 0 {
			say(MatchAdd, d.ID())
		}
	}
	if from, to := place(old, c.ID), place(want, c.ID); from >= 0 && to >= 0 {
		switch {
		case from != to:
			say(MatchChangeIndex, c.ID)
		case !q.SameProjected(old[from], want[to]):
			say(MatchChange, c.ID)
		}
	}
	return events
}

func idsOf(docs []*Document) string {
	var ids []string
	for _, d := range docs {
		ids = append(ids, d.ID())
	}
	return "[" + strings.Join(ids, " ") + "]"
}

func TestWindowAgainstNaiveModel(t *testing.T) {
	sorts := []string{`{"a":1}`, `{"a":-1}`, `{"b":1}`, `{"b":-1,"a":1}`, `{"_id":-1}`, `{"a":1,"_id":-1}`, ``}
	seen := map[string]int{}
	for seed := range uint64(80) {
		random := rand.New(rand.NewPCG(seed, 1))
		spec := QuerySpec{Skip: random.IntN(6), Limit: random.IntN(7), Filter: []byte(`{"keep":true}`)}
		if sort := sorts[random.IntN(len(sorts))]; sort != "" {
			spec.Sort = []byte(sort)
		}
		if random.IntN(2) == 0 {
			spec.Fields = []byte(`["a","b"]`)
		}
		m := &windowModel{random: random, store: map[string]*Document{}, seen: seen}
		m.query = compile(t, spec)
		if !m.query.Ordered() {
			continue
		}
		m.window = NewWindow(m.query, Limits{})
		// Few spare entries, so that windows run dry.
		if m.query.Limit() > 0 {
			m.window.need = m.query.Skip() + m.query.Limit() + 1 + random.IntN(4)
		}
		if err := loadNaive(m.window, m.query, m.store); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i := range 150 {
			if err := m.step(t); err != nil {
				t.Fatalf("seed %d, step %d, %s: %v", seed, i, m.query.Normal(), err)
			}
		}
	}
	for _, kind := range []string{"add insert", "add update", "add none", "change update", "changeIndex update",
		"remove update", "remove delete", "remove none"} {
		if seen[kind] == 0 {
			t.Errorf("no event %q was ever made: %v", kind, seen)
		}
	}
}

// loaded makes a window over documents {"_id":"d<n>","n":<n>} for n from 0 on.
func loaded(t *testing.T, spec QuerySpec, limits Limits, count int) (*Window, *Query, map[string]*Document) {
	t.Helper()
	q := compile(t, spec)
	store := map[string]*Document{}
	for i := range count {
		d := testDocument(t, fmt.Sprintf(`{"_id":"d%03d","n":%d}`, i, i))
		store[d.ID()] = d
	}
	w := NewWindow(q, limits)
	if err := loadNaive(w, q, store); err != nil {
		t.Fatal(err)
	}
	return w, q, store
}

func TestWindowDryChangesNothing(t *testing.T) { // invariant 5
	w, q, store := loaded(t, QuerySpec{Sort: []byte(`{"n":1}`), Limit: 2}, Limits{}, 100)
	for i := range 32 {
		d := store[fmt.Sprintf("d%03d", i)]
		if _, err := w.Apply(&Change{ID: d.ID(), Before: d, Operation: OperationDelete}, true, false, nil); err != nil {
			t.Fatalf("removal %d of 32 spare ones: %v", i, err)
		}
		delete(store, d.ID())
	}
	before := w.Visible()
	d := store["d032"]
	c := &Change{ID: d.ID(), Before: d, Operation: OperationDelete}
	events, err := w.Apply(c, true, false, nil)
	if !errors.Is(err, ErrWindowDry) || len(events) != 0 {
		t.Fatalf("got %v, %v; want ErrWindowDry and no events", events, err)
	}
	if !slices.Equal(before, w.Visible()) {
		t.Fatal("the dry window changed")
	}
	if err := loadNaive(w, q, store); err != nil {
		t.Fatal(err)
	}
	if events, err = w.Apply(c, true, false, nil); err != nil || len(events) != 2 {
		t.Fatalf("after the refill: %v, %v", events, err)
	}
}

func TestWindowTooLarge(t *testing.T) {
	limits := Limits{MaxWindow: 10}
	code := func(err error) string {
		var bad *Error
		if !errors.As(err, &bad) {
			return fmt.Sprint(err)
		}
		if bad.Limit != 10 {
			t.Errorf("the error names the limit %d", bad.Limit)
		}
		return bad.Code
	}
	for _, spec := range []QuerySpec{{Skip: 8, Limit: 3}, {Skip: 11}, {Limit: 11}, {Skip: math.MaxInt, Limit: math.MaxInt}} {
		q := compile(t, spec)
		if got := code(q.LiveError(limits)); got != CodeWindowTooLarge {
			t.Errorf("LiveError of skip %d limit %d: %s", spec.Skip, spec.Limit, got)
		}
		if got := code(NewWindow(q, limits).Load(nil, true)); got != CodeWindowTooLarge {
			t.Errorf("Load of skip %d limit %d: %s", spec.Skip, spec.Limit, got)
		}
	}
	for _, spec := range []QuerySpec{{Skip: 7, Limit: 3}, {Skip: 10}, {}} {
		if err := compile(t, spec).LiveError(limits); err != nil {
			t.Error(err)
		}
	}
	w, _, _ := loaded(t, QuerySpec{Sort: []byte(`{"n":1}`)}, limits, 10)
	d := testDocument(t, `{"_id":"x","n":3}`)
	if _, err := w.Apply(&Change{ID: "x", After: d, Operation: OperationInsert}, false, true, nil); code(err) != CodeWindowTooLarge {
		t.Errorf("an insert beyond MaxWindow: %v", err)
	}
	if len(w.Visible()) != 10 {
		t.Error("the refused insert changed the window")
	}
}

func TestWindowInconsistent(t *testing.T) {
	w, _, store := loaded(t, QuerySpec{Sort: []byte(`{"n":1}`)}, Limits{}, 3)
	unknown := testDocument(t, `{"_id":"x","n":1}`)
	if _, err := w.Apply(&Change{ID: "x", Before: unknown}, true, false, nil); !errors.Is(err, ErrWindowInconsistent) {
		t.Errorf("a before-image that is not there: %v", err)
	}
	if _, err := w.Apply(&Change{ID: "d001", After: store["d001"]}, false, true, nil); !errors.Is(err, ErrWindowInconsistent) {
		t.Errorf("an insert of what is there: %v", err)
	}
	if err := w.Load([]*Document{store["d001"], store["d000"]}, true); err == nil {
		t.Error("documents out of order were loaded")
	}
}

func BenchmarkWindowMove(b *testing.B) {
	for _, limit := range []int{10, 1000} {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			q := compile(b, QuerySpec{Sort: []byte(`{"n":1}`), Limit: limit})
			docs := make([]*Document, limit)
			for i := range docs {
				docs[i] = testDocument(b, fmt.Sprintf(`{"_id":"d%06d","n":%d}`, i, i*2))
			}
			w := NewWindow(q, Limits{})
			if err := w.Load(docs, true); err != nil {
				b.Fatal(err)
			}
			there := &Change{ID: "d000000", Operation: OperationUpdate, Before: docs[0],
				After: testDocument(b, fmt.Sprintf(`{"_id":"d000000","n":%d}`, limit+1))}
			back := &Change{ID: "d000000", Operation: OperationUpdate, Before: there.After, After: there.Before}
			var events []Event
			for b.Loop() {
				for _, c := range []*Change{there, back} {
					var err error
					if events, err = w.Apply(c, true, true, events[:0]); err != nil || len(events) != 1 {
						b.Fatal(events, err)
					}
				}
			}
		})
	}
}
