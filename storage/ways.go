package storage

import (
	"cmp"
	"context"
	"slices"

	"github.com/freshetdb/freshet/matcher"
)

// How a search finds its documents.
const (
	UsesIDs   = "ids"   // the filter names them
	UsesIndex = "index" // the entries of an index lead to them
	UsesScan  = "scan"  // all of the collection's are read
)

// Way is one way to find the documents of a query.
type Way struct {
	Uses   string               `json:"uses"`             // UsesIDs, UsesIndex or UsesScan
	Index  string               `json:"index,omitempty"`  // its name
	Bounds []matcher.IndexBound `json:"bounds,omitempty"` // the values that are looked for, key by key
	// SortedBy are the fields of the sort, from the first on, that the way gives the order of: with a limit, reading
	// ends early.
	SortedBy []string `json:"sortedBy,omitempty"`
	// Cost is about how many documents are read, one that an entry leads to counted twice; 0 where there is no choice.
	Cost int `json:"cost,omitempty"`
}

// way is a Way with what is needed to go it.
type way struct {
	Way
	state *indexState
	plan  *matcher.IndexPlan
	count int  // entries in the plan's ranges
	exact bool // count was counted, not guessed
}

// ways lists the ways to find the query's documents, the cheapest first. Which one is taken does not change the answer.
func (n *Snapshot) ways(c matcher.CollectionID, q *matcher.Query, f Find) ([]way, error) {
	states, err := n.usable(c)
	if err != nil {
		return nil, err
	}
	scan := way{Way: Way{Uses: UsesScan}}
	if q.ByID() {
		scan.SortedBy = []string{"_id"}
	}
	ids, pinned := q.IDs()
	if len(states) == 0 || f.using == UsesScan {
		if pinned && f.using == "" {
			scan.Uses = UsesIDs
		}
		return []way{scan}, nil
	}
	var ways []way
	for _, s := range states {
		if f.using != "" && f.using != s.name {
			continue
		}
		if plan, ok := s.compiled.Plan(q, s.multikey); ok {
			ways = append(ways, way{
				Way:   Way{Uses: UsesIndex, Index: s.name, Bounds: plan.Bounds, SortedBy: plan.SortedBy()},
				state: s, plan: plan,
			})
		}
	}
	if f.using == "" || len(ways) == 0 {
		ways = append(ways, scan)
		if pinned {
			ways = append(ways, way{Way: Way{Uses: UsesIDs}, count: len(ids) * (n.store.log.Partitions() - 1), exact: true})
		}
	}
	if len(ways) > 1 {
		if err := n.weigh(ways, documentsOf(states), f); err != nil {
			return nil, err
		}
	}
	return ways, nil
}

// usable are the indexes that are ready as of the snapshot, by name.
func (n *Snapshot) usable(c matcher.CollectionID) (ready []*indexState, err error) {
	collection, _ := n.store.published.Load().catalog.byID.get(c)
	indexes := collection.Indexes
	if len(indexes) == 0 {
		return nil, nil
	}
	states, err := n.shared.indexStates(c)
	if err != nil {
		return nil, err
	}
	for _, x := range indexes {
		if s := states[x.ID]; s != nil && s.ready {
			named := *s
			named.name, named.compiled = x.Name, x.compiled
			ready = append(ready, &named)
		}
	}
	slices.SortFunc(ready, func(a, b *indexState) int { return cmp.Compare(a.name, b.name) })
	return ready, nil
}

// documentsOf guesses how many documents a collection has from what its indexes hold.
func documentsOf(states []*indexState) int {
	most := 0
	for _, s := range states {
		entries, overflow := s.total()
		documents := int(entries + overflow)
		if s.compiled.Partial() != "" {
			documents *= partialShare
		}
		most = max(most, documents)
	}
	return most
}

// What is guessed where counting would take too long: that a partial index holds a tenth of the documents, that keys
// with one value each leave a tenth of an index, and other bounds a third.
const (
	partialShare = 10
	pointShare   = 10
	rangeShare   = 3
)

// countSteps are how many steps are spent on counting entries, of all indexes alike, until one has no more.
var countSteps = []int{16, 128, 1024}

// weigh puts the ways in order: by cost, then by name.
func (n *Snapshot) weigh(ways []way, documents int, f Find) error {
	for i := range ways {
		w := &ways[i]
		switch {
		case w.Uses == UsesScan:
			w.count = documents
		case w.plan != nil && w.plan.Narrowed == 0:
			entries, _ := w.state.total()
			w.count, w.exact = int(entries), true
		}
	}
	found := false
	for i := 0; i < len(countSteps) && !found; i++ {
		for j := range ways {
			w := &ways[j]
			if w.plan == nil || w.plan.Narrowed == 0 {
				continue
			}
			var err error
			if w.count, w.exact, err = n.countEntries(w.state.key, w.plan.Ranges, countSteps[i]); err != nil {
				return err
			}
			if !w.exact {
				w.guess()
			}
			found = found || w.exact
		}
	}
	matching := documents
	for _, w := range ways {
		matching = min(matching, w.count)
	}
	for i := range ways {
		ways[i].weigh(matching, f, n.store.log.Partitions()-1)
	}
	slices.SortStableFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(a.Uses, b.Uses), cmp.Compare(a.Index, b.Index))
	})
	return nil
}

// guess sets how many entries there may be in the plan's ranges, at least those that were counted.
func (w *way) guess() {
	entries, _ := w.state.total()
	share := rangeShare
	if w.plan.Points == w.plan.Narrowed {
		share = pointShare
	}
	w.count = max(w.count, int(entries)/share)
}

// weigh sets the cost. matching is how many documents the query matches at the most.
func (w *way) weigh(matching int, f Find, partitions int) {
	read, spans := w.count, partitions
	if w.plan != nil {
		spans *= max(len(w.plan.Ranges), 1)
	}
	if f.Limit > 0 && len(w.SortedBy) > 0 {
		// In each span reading ends once it has as many documents as are wanted, of those that match.
		wanted := min((f.Skip+f.Limit+1)*spans, w.count)
		read = min(read, int(float64(wanted)*float64(w.count)/float64(max(matching, 1))))
	}
	switch w.Uses {
	case UsesIndex:
		_, overflow := w.state.total()
		w.Cost = 2*(read+int(overflow)) + spans
	case UsesIDs:
		w.Cost = 2 * read
	default:
		w.Cost = read
	}
}

// Explanation says how a query's documents are found.
type Explanation struct {
	Chosen   Way   `json:"chosen"`
	Rejected []Way `json:"rejected,omitempty"`
	// Examined and Returned are set if the query was executed: documents read, and found.
	Examined *int `json:"examined,omitempty"`
	Returned *int `json:"returned,omitempty"`
}

// Explain says how Find would find the documents, and with execute how it went.
func (n *Snapshot) Explain(ctx context.Context, c matcher.CollectionID, q *matcher.Query, f Find, execute bool) (Explanation, error) {
	ways, err := n.ways(c, q, f)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Chosen: ways[0].Way}
	for _, w := range ways[1:] {
		x.Rejected = append(x.Rejected, w.Way)
	}
	if !execute {
		return x, nil
	}
	r := newResult(n.store.config.Limits, q, f)
	v, err := n.visit(ctx, c, q, f, r)
	if err != nil {
		return x, err
	}
	docs, _, err := r.take()
	returned := len(docs)
	x.Examined, x.Returned = &v.examined, &returned
	return x, err
}
