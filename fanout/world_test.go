package fanout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// world is a store of a few documents whose every step the test decides: when a group is prepared and released, when a
// boundary comes, and when a read finishes. It remembers the documents at every sequence, for the naive results.
type world struct {
	t           *testing.T
	gated       bool // reads wait for openGate
	incarnation uint64
	next        []uint64 // current vector
	epochs      map[matcher.CollectionID]uint32
	documents   map[matcher.CollectionID]map[string]*matcher.Document
	listener    *Hubs

	mu        sync.Mutex
	tasks     []*worldTask
	gates     []chan struct{}
	open      int // snapshots
	finds     int
	findError error
	floor     uint64 // sequence back to which the history reaches
	stopped   bool

	states  []map[matcher.CollectionID]map[string]*matcher.Document // by sequence; 0 is the start
	changes map[uint64]*matcher.Change                              // by sequence
	at      map[string]uint64                                       // sequence of a position on the wire
	wire    []string                                                // position on the wire by sequence
	naive   map[naiveKey][]shown
}

type worldTask struct {
	f    func(Snapshot)
	done chan struct{}
	gone bool
}

func newWorld(t *testing.T, logPartitions int) *world {
	w := &world{
		t: t, incarnation: 7, next: make([]uint64, logPartitions+1), gated: true,
		epochs:    make(map[matcher.CollectionID]uint32),
		documents: make(map[matcher.CollectionID]map[string]*matcher.Document),
		at:        make(map[string]uint64),
		changes:   make(map[uint64]*matcher.Change),
		naive:     make(map[naiveKey][]shown),
	}
	w.remember()
	return w
}

func (w *world) vector() matcher.Vector {
	return matcher.Vector{Incarnation: w.incarnation, Next: slices.Clone(w.next)}
}

func (w *world) sequence() uint64 { return uint64(len(w.states) - 1) }

// remember notes the state after a change, or after something that moved the vector without one.
func (w *world) remember() {
	state := make(map[matcher.CollectionID]map[string]*matcher.Document)
	for c, docs := range w.documents {
		state[c] = maps.Clone(docs)
	}
	w.states = append(w.states, state)
	w.wire = append(w.wire, w.vector().String())
	w.at[w.wire[w.sequence()]] = w.sequence()
}

func (w *world) Boundary(ctx context.Context, f func(Snapshot)) error {
	task := &worldTask{f: f, done: make(chan struct{})}
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return errors.New("the world has ended")
	}
	w.tasks = append(w.tasks, task)
	w.mu.Unlock()
	select {
	case <-task.done:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		task.gone = true
		w.mu.Unlock()
		return ctx.Err()
	}
}

// runBoundary runs what waits for a group boundary.
func (w *world) runBoundary() {
	w.mu.Lock()
	tasks := w.tasks
	w.tasks = nil
	w.mu.Unlock()
	for _, task := range tasks {
		if !task.gone {
			w.mu.Lock()
			w.open++
			w.mu.Unlock()
			task.f(&worldSnapshot{w: w, vector: w.vector(), sequence: w.sequence()})
		}
		close(task.done)
	}
}

type worldSnapshot struct {
	w        *world
	vector   matcher.Vector
	sequence uint64
	closed   bool
}

func (s *worldSnapshot) Vector() matcher.Vector { return s.vector }
func (s *worldSnapshot) Sequence() uint64       { return s.sequence }

func (s *worldSnapshot) Close() error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if s.closed {
		return errors.New("the snapshot is closed already")
	}
	s.closed = true
	s.w.open--
	return nil
}

// await stands for the time that a read takes: until its gate is open.
func (s *worldSnapshot) await(ctx context.Context) error {
	s.w.mu.Lock()
	err := s.w.findError
	var gate chan struct{}
	if s.w.gated {
		gate = make(chan struct{})
		s.w.gates = append(s.w.gates, gate)
	}
	closed := s.closed
	s.w.mu.Unlock()
	if closed {
		return errors.New("the snapshot is closed")
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// History finds the changes by their offsets.
func (s *worldSnapshot) History(ctx context.Context, c matcher.CollectionID, since matcher.Vector, maxBytes int) ([]matcher.Past, error) {
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if !s.vector.Covers(since) {
		return nil, errors.New("the hubs ask for a history that ends before it begins")
	}
	var changes []matcher.Past
	for sequence := uint64(1); sequence <= s.sequence; sequence++ {
		change := s.w.changes[sequence]
		if change.Position.Offset < since.Next[change.Position.Partition] {
			continue
		}
		if sequence <= s.w.floor {
			return nil, ErrHistoryGone
		}
		if change.Collection == c {
			changes = append(changes, matcher.Past{Change: change, At: s.w.wire[sequence]})
		}
	}
	if len(changes)*1000 > maxBytes {
		return nil, ErrHistoryTooLarge
	}
	return changes, nil
}

// Find reads naively.
func (s *worldSnapshot) Find(ctx context.Context, c matcher.CollectionID, q *matcher.Query, need int, undo []*matcher.Change) ([]*matcher.Document, bool, error) {
	s.w.mu.Lock()
	state := s.w.states[s.sequence][c]
	s.w.finds++
	s.w.mu.Unlock()
	if err := s.await(ctx); err != nil {
		return nil, false, err
	}
	docs := maps.Clone(state)
	if docs == nil {
		docs = make(map[string]*matcher.Document)
	}
	for i := len(undo) - 1; i >= 0; i-- {
		u := undo[i]
		if u.Sequence > s.sequence {
			return nil, false, fmt.Errorf("change %d is undone in a snapshot of %d", u.Sequence, s.sequence)
		}
		if u.Before == nil {
			delete(docs, u.ID)
		} else {
			docs[u.ID] = u.Before
		}
	}
	for _, d := range docs {
		if _, err := q.Decide(d); err != nil {
			return nil, false, err
		}
	}
	sorted := matching(q, docs)
	if need > 0 && len(sorted) > need {
		return sorted[:need], false, nil
	}
	return sorted, true, nil
}

// openGate lets the i-th waiting read go on.
func (w *world) openGate(i int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.gates[i])
	w.gates = slices.Delete(w.gates, i, i+1)
}

func (w *world) waitingReads() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.gates)
}

// waitingTasks is how many boundaries were asked for.
func (w *world) waitingTasks() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.tasks)
}

func (w *world) openSnapshots() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

// matching is every document that matches, in the order of the query.
func matching(q *matcher.Query, docs map[string]*matcher.Document) []*matcher.Document {
	type keyed struct {
		key string
		doc *matcher.Document
	}
	var all []keyed
	for _, d := range docs {
		if q.Match(d) {
			all = append(all, keyed{string(q.AppendSortKey(nil, d)), d})
		}
	}
	slices.SortFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	out := make([]*matcher.Document, len(all))
	for i, k := range all {
		out[i] = k.doc
	}
	return out
}

// shown is a document as a client sees it.
type shown struct{ id, document string }

type naiveKey struct {
	query    *testQuery
	sequence uint64
}

// testQuery is a query with the collection that it reads.
type testQuery struct {
	collection matcher.CollectionID
	query      *matcher.Query
	text       string
}

// result runs the query naively over the documents at a sequence. Unordered results come sorted by id.
func (w *world) result(q *testQuery, sequence uint64) []shown {
	k := naiveKey{q, sequence}
	if r, ok := w.naive[k]; ok {
		return r
	}
	docs := matching(q.query, w.states[sequence][q.collection])
	if q.query.Ordered() {
		docs = docs[min(q.query.Skip(), len(docs)):]
		if limit := q.query.Limit(); limit > 0 {
			docs = docs[:min(limit, len(docs))]
		}
	}
	r := make([]shown, 0, len(docs))
	for _, d := range docs {
		r = append(r, shown{d.ID(), string(q.query.AppendDocument(nil, d))})
	}
	if !q.query.Ordered() {
		slices.SortFunc(r, func(a, b shown) int { return strings.Compare(a.id, b.id) })
	}
	w.naive[k] = r
	return r
}

// partitionOf keeps all writes of a document in one log partition.
func (w *world) partitionOf(id string) int {
	n := 0
	for _, b := range []byte(id) {
		n = n*31 + int(b)
	}
	return 1 + n%(len(w.next)-1)
}

// write is one document's next state; a nil text deletes.
type write struct {
	collection matcher.CollectionID
	id         string
	text       string // "" deletes
}

// stage makes the changes of a group without giving them to the hubs.
func (w *world) stage(writes ...write) *matcher.Group {
	g := &matcher.Group{Before: w.vector()}
	for _, wr := range writes {
		docs := w.documents[wr.collection]
		if docs == nil {
			docs = make(map[string]*matcher.Document)
			w.documents[wr.collection] = docs
		}
		c := &matcher.Change{Collection: wr.collection, ID: wr.id, Before: docs[wr.id], Epoch: w.epochs[wr.collection]}
		switch {
		case wr.text != "":
			d, err := matcher.Parse([]byte(wr.text), matcher.Limits{}.WithDefaults())
			if err != nil {
				w.t.Fatalf("parse %s: %v", wr.text, err)
			}
			c.After, c.Operation = d, matcher.OperationUpdate
			if c.Before == nil {
				c.Operation = matcher.OperationInsert
			}
			docs[wr.id] = d
		case c.Before == nil:
			continue
		default:
			c.Operation = matcher.OperationDelete
			delete(docs, wr.id)
		}
		w.stageChange(g, c, w.partitionOf(wr.id))
	}
	g.After = w.vector()
	return g
}

func (w *world) stageChange(g *matcher.Group, c *matcher.Change, partition int) {
	c.Position = matcher.Position{Incarnation: w.incarnation, Partition: partition, Offset: w.next[partition]}
	w.next[partition]++
	c.Sequence = w.sequence() + 1
	g.Changes = append(g.Changes, c)
	w.changes[c.Sequence] = c
	w.remember()
}

// stageFence adds the fences of a new epoch, one in every data partition.
func (w *world) stageFence(g *matcher.Group, collection matcher.CollectionID, fence matcher.Fence) {
	w.epochs[collection]++
	w.documents[collection] = nil
	for p := 1; p < len(w.next); p++ {
		w.stageChange(g, &matcher.Change{Collection: collection, Fence: fence, Epoch: w.epochs[collection]}, p)
	}
	g.After = w.vector()
}

// moveControl applies a record that makes no change.
func (w *world) moveControl() *matcher.Group {
	g := &matcher.Group{Before: w.vector()}
	w.next[matcher.ControlPartition]++
	w.at[w.vector().String()] = w.sequence()
	g.After = w.vector()
	return g
}

// apply gives a group to the hubs.
func (w *world) apply(g *matcher.Group) {
	w.listener.Prepare(g)
	w.listener.Release()
}

func mustCompile(t testing.TB, collection matcher.CollectionID, filter, sort, fields string, skip, limit int) *testQuery {
	t.Helper()
	spec := matcher.QuerySpec{Filter: []byte(filter), Skip: skip, Limit: limit}
	if sort != "" {
		spec.Sort = []byte(sort)
	}
	if fields != "" {
		spec.Fields = []byte(fields)
	}
	q, err := matcher.Compile(spec, matcher.Limits{}.WithDefaults())
	if err != nil {
		t.Fatalf("compile %s sort %s fields %s: %v", filter, sort, fields, err)
	}
	return &testQuery{collection, q, fmt.Sprintf("c%d %s sort=%s fields=%s skip=%d limit=%d", collection, filter, sort, fields, skip, limit)}
}

// randomDocument has values from small domains, so that queries and orders collide.
func randomDocument(r *rand.Rand, id string) string {
	return fmt.Sprintf(`{"_id":%q,"a":%d,"b":%d,"t":"%c"}`, id, r.IntN(4), r.IntN(6), 'x'+rune(r.IntN(3)))
}
