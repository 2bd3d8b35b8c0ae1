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
	UsesUnion = "union" // each branch of an $or is looked for in a way of its own
	UsesScan  = "scan"  // all of the collection's are read
)

// Way is one way to find the documents of a query.
type Way struct {
	Uses   string               `json:"uses"`             // UsesIDs, UsesIndex, UsesUnion or UsesScan
	Index  string               `json:"index,omitempty"`  // its name
	Bounds []matcher.IndexBound `json:"bounds,omitempty"` // the values that are looked for, key by key
	// Branches are the ways of a union, one for each branch of the $or in normal form. What several lead to is taken once.
	Branches []Way `json:"branches,omitempty"`
	// SortedBy are the fields of the sort, from the first on, that the way gives the order of: with a limit, reading
	// ends early.
	SortedBy []string `json:"sortedBy,omitempty"`
	// Covered says that a count by this way reads no documents, but for the index's overflow.
	Covered bool `json:"covered,omitempty"`
	// Cost is about how many documents are read, one that an entry leads to counted twice; 0 where there is no choice.
	Cost int `json:"cost,omitempty"`
}

// way is a Way with what is needed to go it.
type way struct {
	Way
	state *indexState        // of UsesIndex
	plan  *matcher.IndexPlan // of UsesIndex
	ids   []string           // of UsesIDs
	union *union             // of UsesUnion
	count int                // entries in the plan's ranges, or what else is looked at
	exact bool               // count was counted, not guessed
}

// union looks for each branch of an $or in a way of its own.
type union struct {
	matcher.Union
	choices [][]way // for each branch the ways to look for it; once they are weighed the first is taken
}

// ways lists the ways to find the query's documents, the cheapest first. Which one is taken does not change the answer.
func (n *Snapshot) ways(c matcher.CollectionID, q *matcher.Query, f Find) ([]way, error) {
	states, err := n.usable(c)
	if err != nil {
		return nil, err
	}
	scan := way{Way: Way{Uses: UsesScan, Covered: f.counting && q.MatchesAll()}}
	if q.ByID() && !f.counting {
		scan.SortedBy = []string{"_id"}
	}
	ids, pinned := n.byIDs(q)
	switch {
	case len(states) > 0:
	case pinned:
		return []way{ids}, nil
	default:
		return []way{scan}, nil
	}
	ways := byIndex(q, f, states)
	for _, u := range q.Unions() {
		if w, ok := n.byUnion(u, ways, f, states); ok {
			ways = append(ways, w)
		}
	}
	if ways = append(ways, scan); pinned {
		ways = append(ways, ids)
	}
	if len(ways) > 1 {
		if err := n.weigh(ways, documentsOf(states), f); err != nil {
			return nil, err
		}
	}
	return ways, nil
}

// byIDs is the way by the `_id`s that the filter names, if it names some.
func (n *Snapshot) byIDs(q *matcher.Query) (w way, pinned bool) {
	ids, pinned := q.IDs()
	return way{Way: Way{Uses: UsesIDs}, ids: ids, count: len(ids) * (n.store.log.Partitions() - 1), exact: true}, pinned
}

// byIndex are the ways by one index each.
func byIndex(q *matcher.Query, f Find, states []*indexState) (ways []way) {
	for _, s := range states {
		if plan, ok := s.compiled.Plan(q, s.multikey); ok && (plan.Finds() || f.counting) {
			ways = append(ways, newIndexWay(s, plan, f))
		}
	}
	return ways
}

func newIndexWay(s *indexState, plan *matcher.IndexPlan, f Find) way {
	w := way{Way: Way{Uses: UsesIndex, Index: s.name, Bounds: plan.Bounds, Covered: f.counting && plan.Exact}, state: s, plan: plan}
	if !f.counting {
		w.SortedBy = plan.SortedBy()
	}
	return w
}

// byUnion is the way by the branches of u, if each has one that looks at less than one for the whole query does.
func (n *Snapshot) byUnion(u matcher.Union, whole []way, f Find, states []*indexState) (w way, ok bool) {
	w = way{Way: Way{Uses: UsesUnion}, union: &union{Union: u}}
	for _, branch := range u.Branches {
		choices := slices.DeleteFunc(byIndex(branch, f, states), func(b way) bool {
			return b.plan.Narrowed == 0 && b.state.compiled.Partial() == "" || slices.ContainsFunc(whole, func(w way) bool {
				return w.state == b.state && w.plan.SameRanges(b.plan)
			})
		})
		if ids, pinned := n.byIDs(branch); pinned {
			choices = append(choices, ids)
		}
		if len(choices) == 0 {
			for _, inner := range branch.Unions() {
				if w, ok := n.byUnion(inner, whole, f, states); ok {
					choices = append(choices, w)
				}
			}
		}
		if len(choices) == 0 {
			return way{}, false
		}
		for i := range choices {
			choices[i].Covered = false // what several branches lead to counts once
		}
		w.union.choices = append(w.union.choices, choices)
	}
	return w, len(w.legs()) <= matcher.MaxUnionBranches
}

// leg is a way by an index, or by ids, that a way consists of.
type leg struct {
	*way
	of []branchOf // the branches that it is of, from the outer union to the inner one
}

// branchOf is one branch of a union.
type branchOf struct {
	union  *union
	branch int
}

// takes reports whether a document of the query, to which several legs may lead, is taken from this one.
func (l *leg) takes(d *matcher.Document) bool {
	return !slices.ContainsFunc(l.of, func(b branchOf) bool { return b.union.First(d) != b.branch })
}

// legs are the ways that the way consists of: itself, or of a union those of each branch.
func (w *way) legs() []leg { return w.appendLegs(nil, nil) }

func (w *way) appendLegs(legs []leg, of []branchOf) []leg {
	if w.union == nil {
		return append(legs, leg{w, of})
	}
	for i, choices := range w.union.choices {
		legs = choices[0].appendLegs(legs, append(slices.Clone(of), branchOf{w.union, i}))
	}
	return legs
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
			ready = append(ready, s.of(x))
		}
	}
	slices.SortFunc(ready, func(a, b *indexState) int { return cmp.Compare(a.name, b.name) })
	return ready, nil
}

// Explanation says how a query's documents are found.
type Explanation struct {
	Chosen   Way   `json:"chosen"`
	Rejected []Way `json:"rejected,omitempty"`
	// Examined is set if the query was executed: how many documents were read. So is Returned, how many were found, or of a
	// count Counted.
	Examined *int `json:"examined,omitempty"`
	Returned *int `json:"returned,omitempty"`
	Counted  *int `json:"counted,omitempty"`
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
	if f.counting {
		var count counter
		v, err := n.visit(ctx, c, q, f, &count)
		if err != nil {
			return x, err
		}
		x.Examined, x.Counted = &v.examined, (*int)(&count)
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

// ExplainCount says how Count would find what it counts, and with execute how it went.
func (n *Snapshot) ExplainCount(ctx context.Context, c matcher.CollectionID, q *matcher.Query, execute bool) (Explanation, error) {
	return n.Explain(ctx, c, q, Find{counting: true}, execute)
}
