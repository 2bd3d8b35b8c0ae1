package storage

import (
	"fmt"
	"sync"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// checker is a listener that keeps a naive model of the documents and holds every group against it.
type checker struct {
	t     *testing.T
	store *Store

	mutex     sync.Mutex
	documents map[matcher.CollectionID]map[string]*matcher.Document
	accepted  map[matcher.WriteID]int // how often the write id was seen as an after-image or a delete
	prepared  *matcher.Group
	vector    matcher.Vector
	sequence  uint64
	groups    int
	each      func(*matcher.Change) // sees every change, if set
}

func newChecker(t *testing.T) *checker {
	return &checker{
		t: t, documents: map[matcher.CollectionID]map[string]*matcher.Document{}, accepted: map[matcher.WriteID]int{},
	}
}

// begin takes a store that has been opened, before it runs. A log of attempts is decided again from where the state
// stands, so the model begins anew there; a replay of applied records must bring the state to where the model is.
func (c *checker) begin(r *rig, s *Store) {
	c.store, c.vector, c.sequence, c.prepared = s, matcher.Vector{}, 0, nil
	if !r.config.Attempts {
		return
	}
	c.documents = map[matcher.CollectionID]map[string]*matcher.Document{}
	c.accepted = map[matcher.WriteID]int{}
	n, err := s.Snapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	defer n.Close()
	for id := range s.loop.catalog.byID.all() {
		docs := map[string]*matcher.Document{}
		c.documents[id] = docs
		for p := 1; p < r.log.Partitions(); p++ {
			err := n.visitCollection(r.t.Context(), p, id, func(d *matcher.Document) error {
				docs[d.ID()] = d
				return nil
			})
			if err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

func (c *checker) Prepare(g *matcher.Group) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.prepared != nil {
		c.t.Errorf("Prepare before the Release of the group before it")
	}
	c.prepared = g
	if c.vector.Next != nil && !c.vector.Equal(g.Before) {
		c.t.Errorf("a group begins at %v, the one before it ended at %v", g.Before, c.vector)
	}
	if !g.After.Covers(matcher.Vector{Incarnation: g.After.Incarnation, Next: g.Before.Next}) {
		c.t.Errorf("a group goes from %v back to %v", g.Before, g.After)
	}
	c.vector = g.After
	for _, change := range g.Changes {
		if c.sequence != 0 && change.Sequence != c.sequence+1 {
			c.t.Errorf("change %d follows %d", change.Sequence, c.sequence)
		}
		c.sequence = change.Sequence
		c.apply(change)
		if c.each != nil {
			c.each(change)
		}
	}
}

func (c *checker) apply(change *matcher.Change) {
	docs := c.documents[change.Collection]
	if docs == nil {
		docs = map[string]*matcher.Document{}
		c.documents[change.Collection] = docs
	}
	if change.Fence != matcher.FenceNone {
		for id := range docs {
			if p := PartitionOf(testApp, "pages", id, c.store.log.Partitions()-1); p == change.Position.Partition {
				delete(docs, id)
			}
		}
		return
	}
	before := docs[change.ID]
	if text(before) != text(change.Before) {
		c.t.Errorf("change %d of %q: before-image %s, but the last after-image was %s", change.Sequence, change.ID, text(change.Before), text(before))
	}
	if want := operationOf(before, change.After); change.Operation != want {
		c.t.Errorf("change %d of %q: operation %v, want %v", change.Sequence, change.ID, change.Operation, want)
	}
	if change.After == nil {
		delete(docs, change.ID)
		return
	}
	docs[change.ID] = change.After
	c.accepted[change.After.Revision().WriteID]++
	generation := uint64(1)
	if before != nil {
		generation = before.Revision().Generation + 1
	}
	if got := change.After.Revision().Generation; got != generation {
		c.t.Errorf("change %d of %q: generation %d, want %d", change.Sequence, change.ID, got, generation)
	}
}

// Release comes when the group is durable and readable: readers must see it (and, until now, must not have).
func (c *checker) Release() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.prepared == nil {
		c.t.Errorf("Release without Prepare")
		return
	}
	if got := c.store.Vector(); !got.Equal(c.prepared.After) {
		c.t.Errorf("released at %v, readable at %v", c.prepared.After, got)
	}
	c.prepared = nil
	c.groups++
}

// model returns what a collection must hold.
func (c *checker) model(id matcher.CollectionID) map[string]string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	texts := map[string]string{}
	for id, d := range c.documents[id] {
		texts[id] = text(d)
	}
	return texts
}

// list returns the documents of a collection. It is called on the apply loop, which is the only one to change them.
func (c *checker) list(id matcher.CollectionID) (docs []*matcher.Document) {
	for _, d := range c.documents[id] {
		docs = append(docs, d)
	}
	return docs
}

func (c *checker) times(w matcher.WriteID) int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.accepted[w]
}

func text(d *matcher.Document) string {
	if d == nil {
		return "nothing"
	}
	return string(d.Text())
}

func diff(got, want map[string]string) string {
	for id, w := range want {
		if got[id] != w {
			return fmt.Sprintf("%q is %q, want %q", id, got[id], w)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			return fmt.Sprintf("%q is there, and should not be", id)
		}
	}
	return ""
}

// count is how many groups were released.
func (c *checker) count() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.groups
}
