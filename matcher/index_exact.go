package matcher

import "slices"

// MatchesAll reports whether the filter accepts every document.
func (q *Query) MatchesAll() bool { return q.filter.op == opTrue }

// findExact finds whether the plan is Exact: each part of the filter is one that all documents of the index meet, or is
// about a narrowed key and all that its ranges say.
func (p *IndexPlan) findExact(q *Query, multikey uint64, implies *implication) {
	if p.widened || p.mayRepeat(multikey) {
		return
	}
	filter := q.filter.node
	p.Exact = filter.op == opFalse && p.Narrowed > 0
	if p.Exact || filter.op == opFalse {
		return
	}
	p.Exact = !slices.ContainsFunc(filter.conjuncts(), func(part *node) bool {
		return !p.saysAll(q, part, multikey) && (p.index.partial == nil || !implies.holds(p.index.partial.node, part))
	})
}

// mayRepeat reports whether one document may have two entries in the ranges. It has no two that are alike.
func (p *IndexPlan) mayRepeat(multikey uint64) bool {
	switch {
	case multikey == 0, len(p.Ranges) == 0:
		return false
	}
	return len(p.Ranges) > 1 || p.Points < len(p.index.keys)
}

// saysAll reports whether the ranges of a key hold just the values that a part of the filter accepts.
func (p *IndexPlan) saysAll(q *Query, part *node, multikey uint64) bool {
	k := slices.IndexFunc(p.index.keys[:p.Narrowed], func(key sortKey) bool { return part.saysExactly(key.path.text) })
	if k < 0 {
		return false
	}
	// Of several parts about a key with several values only one has narrowed it.
	return multikey>>k&1 == 0 || len(q.filter.bounds(p.index.keys[k].path, nil)) == 1
}

// saysExactly reports whether the node is about one path, and accepts a document exactly if it has one of the values there
// that bounds names.
func (n *node) saysExactly(path string) bool {
	if n.op == opOr {
		return !slices.ContainsFunc(n.children, func(branch *node) bool { return !branch.saysExactly(path) })
	}
	if n.path.text != path || len(n.path.segments) == 0 {
		return false
	}
	switch n.op {
	case opEqual, opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		return n.value.Kind() != KindArray // of which an entry holds only a part
	case opIn:
		return len(n.patterns) == 0 && !slices.ContainsFunc(n.values, func(v Value) bool { return v.Kind() == KindArray })
	}
	return false
}
