package storage

import (
	"cmp"
	"slices"
)

// documentsOf says how many documents a collection has, from what its indexes hold: as many as an index without arrays has
// entries, not more than any index of all documents has; of partial indexes alone it is guessed.
func documentsOf(states []*indexState) (documents int) {
	whole := false
	for _, s := range states {
		entries, overflow := s.total()
		held := int(entries + overflow)
		switch partial := s.compiled.Partial() != ""; {
		case partial && !whole:
			documents = max(documents, held*partialShare)
		case !partial && whole:
			documents = min(documents, held)
		case !partial:
			documents, whole = held, true
		}
	}
	return documents
}

// What is guessed where counting would take too long: that a partial index holds a tenth of the documents, that keys
// with one value each leave a tenth of an index, and other bounds a third.
const (
	partialShare = 10
	pointShare   = 10
	rangeShare   = 3
)

// countSteps are how many steps are spent on counting the entries of one way, of all ways alike, until one has no more.
var countSteps = []int{16, 128, 1024}

// weigh puts the ways in order: by cost, then by name.
func (n *Snapshot) weigh(ways []way, documents int, f Find) error {
	found := false
	for i := 0; i < len(countSteps) && !found; i++ {
		for j := range ways {
			if ways[j].Uses == UsesScan {
				ways[j].count = documents
				continue
			}
			if err := ways[j].measure(n, countSteps[i]); err != nil {
				return err
			}
			found = found || ways[j].exact && ways[j].narrows()
		}
	}
	matching := documents
	for _, w := range ways {
		matching = min(matching, w.count)
	}
	for i := range ways {
		ways[i].weigh(matching, f, n.store.log.Partitions()-1)
	}
	sortWays(ways)
	return nil
}

func sortWays(ways []way) {
	slices.SortStableFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(a.Uses, b.Uses), cmp.Compare(a.Index, b.Index))
	})
}

// narrows reports whether the way looks for some values only.
func (w *way) narrows() bool { return w.union != nil || w.plan != nil && w.plan.Narrowed > 0 }

// measure counts what the way looks at, in so many steps at most; what takes more is guessed.
func (w *way) measure(n *Snapshot, steps int) (err error) {
	switch {
	case w.union != nil:
		return w.union.measure(w, n, steps)
	case w.plan == nil || w.exact:
		return nil
	case w.plan.Narrowed == 0:
		entries, _ := w.state.total()
		w.count, w.exact = int(entries), true
		return nil
	}
	if w.count, w.exact, err = n.countEntries(w.state.key, w.plan.Ranges, steps); err == nil && !w.exact {
		w.guess()
	}
	return err
}

// measure shares the steps among the branches, and sums up those that look at least.
func (u *union) measure(w *way, n *Snapshot, steps int) error {
	w.count, w.exact = 0, true
	for _, choices := range u.choices {
		for i := range choices {
			if err := choices[i].measure(n, max(steps/len(u.choices), countSteps[0])); err != nil {
				return err
			}
		}
		least := slices.MinFunc(choices, func(a, b way) int { return cmp.Compare(a.count, b.count) })
		w.count, w.exact = w.count+least.count, w.exact && least.exact
	}
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
	if w.union != nil {
		w.union.weigh(f, partitions)
		w.describe()
	}
	counted, overflow, ranges, spans := 0, 0, 0, 0
	for _, leg := range w.legs() {
		counted += leg.count
		spans += partitions
		if leg.plan != nil {
			_, beyond := leg.state.total()
			overflow += int(beyond)
			ranges += len(leg.plan.Ranges)
			spans += (max(len(leg.plan.Ranges), 1) - 1) * partitions
		}
	}
	read := counted
	if f.Limit > 0 && len(w.SortedBy) > 0 {
		// Reading ends once there are as many documents as are wanted, of those that match: in each span, or in all
		// together if they are merged.
		wanted := f.Skip + f.Limit + 1
		if w.Uses == UsesScan || ranges*partitions > maxMergedRanges {
			wanted *= spans
		}
		wanted = min(wanted, counted)
		read = min(read, int(float64(wanted)*float64(counted)/float64(max(matching, 1)))+spans-1)
	}
	switch {
	case w.Uses == UsesScan:
		w.Cost = read
	case w.Uses == UsesIDs:
		w.Cost = 2 * read
	case w.Covered && w.plan.Narrowed == 0:
		w.Cost = 2*overflow + 1 // the entries are counted as they come and go
	case w.Covered:
		w.Cost = read + 2*overflow + spans
	default:
		w.Cost = 2*(read+overflow) + spans
	}
}

// weigh puts the choices of each branch in order.
func (u *union) weigh(f Find, partitions int) {
	for _, choices := range u.choices {
		matching := slices.MinFunc(choices, func(a, b way) int { return cmp.Compare(a.count, b.count) }).count
		for i := range choices {
			choices[i].weigh(matching, f, partitions)
		}
		sortWays(choices)
	}
}

// describe makes a union's Way of those of its legs. It is in the order that all that have one agree on.
func (w *way) describe() {
	w.Branches, w.SortedBy = nil, nil
	for _, choices := range w.union.choices {
		w.Branches = append(w.Branches, choices[0].Way)
	}
	sorted := false
	for _, leg := range w.legs() {
		if leg.plan == nil {
			continue // a few documents, which come first
		}
		if !sorted || len(leg.SortedBy) < len(w.SortedBy) {
			w.SortedBy, sorted = leg.SortedBy, true
		}
	}
}
