package matcher

import (
	"fmt"
	"math/bits"
)

// MaxMatchSteps bounds what one filter may do for one document where others wait for it: values that its conditions look
// at, fields and elements passed by on the way, and bytes of text (stepBytes are one). Where a filter has regular
// expressions, MaxRegexWork bounds those as well. A document that takes more is an error (Query.Decide), never an answer.
//
// It is some ten to twenty milliseconds on one core, and more than most filters can take of any document: it takes a dozen
// conditions that each go through all of a document of the largest size. Whatever the document is, eight may.
//
// What passes it: a query fails with CodeQueryTooCostly; a document is an overflow of an index whose partial filter it is
// (IndexEntries), so a change of what is counted here is one of IndexVersion.
const MaxMatchSteps = 1_000_000

// minConditionsOfAll is how many conditions may go through the whole of any document: of one that is larger than the default
// limits allow, or that holds many decimals.
const minConditionsOfAll = 8

// filterWork is what conditions and regular expressions cost together.
type filterWork struct {
	weight int // the sum of node.perValue over the conditions
	search int // steps of all regular expressions
}

func (w *filterWork) add(root *node) {
	visitNodes(root, func(n *node) {
		w.weight += n.perValue() * n.path.spread()
		for _, p := range n.patterns {
			w.search += p.searchWork()
		}
	})
}

// isCheapFor reports whether they cannot pass the bounds, whatever d holds.
func (w *filterWork) isCheapFor(d *Document) bool {
	return w.weight*weight(d.Root())*maxArenaFactor <= MaxMatchSteps && w.search*len(d.text) <= MaxRegexWork
}

// boundedFilter is a compiled filter with what it costs.
type boundedFilter struct {
	*node
	filterWork
}

func boundFilter(root *node) boundedFilter {
	f := boundedFilter{node: root}
	f.filterWork.add(root)
	return f
}

// decide is match within MaxMatchSteps and MaxRegexWork. Few documents are so large that anything has to be counted.
func (f *boundedFilter) decide(d *Document) (bool, error) {
	root := d.Root()
	if f.isCheapFor(d) {
		return f.match(root), nil
	}
	m := newMeter(d)
	matches := m.match(f.node, root)
	if err := m.err("filter"); err != nil {
		return false, err
	}
	return matches, nil
}

// meter matches as node.match does, and counts what it takes. Once it is over, its answers mean nothing.
type meter struct {
	most   int // MaxMatchSteps, or more for a document that is larger than the default limits allow
	steps  int // left of most
	search int // left of MaxRegexWork
	factor int // what a value of the document takes, in plain ones
}

// maxArenaFactor is what a decimal takes, in values that need nothing of the arena.
const maxArenaFactor = 10

func newMeter(d *Document) *meter {
	factor := 1 + min(2*len(d.arena)/(len(d.tape)*decimalBytes), 1)*(maxArenaFactor-1)
	most := max(MaxMatchSteps, minConditionsOfAll*weight(d.Root())*factor)
	return &meter{most: most, steps: most, search: MaxRegexWork, factor: factor}
}

func (m *meter) over() bool { return m.steps < 0 || m.search < 0 }

// err says which bound was passed by a part of a query (filter, fields), if one was. The document is not named: whoever
// asks may not be allowed to know of it.
func (m *meter) err(part string) error {
	what := map[string]string{"filter": "filter", "fields": "$elemMatch of the projection"}[part]
	bad := &Error{Code: CodeQueryTooCostly, Path: "/" + part, Limit: int64(m.most)}
	switch {
	case m.steps < 0:
		bad.Detail = fmt.Sprintf("the %s takes more than %d steps on one of the documents (MaxMatchSteps); "+
			"ask fewer things of its large arrays and objects, or keep the documents smaller", what, m.most)
	case m.search < 0:
		bad.Limit = MaxRegexWork
		bad.Detail = fmt.Sprintf("the regular expressions of the %s have more than %d bytes times steps to search in one of the documents "+
			"(MaxRegexWork); make them simpler, or keep the documents smaller", what, MaxRegexWork)
	default:
		return nil
	}
	return bad
}

func (m *meter) match(n *node, v Value) bool {
	m.steps--
	switch n.op {
	case opAnd, opOr:
		for _, child := range n.children {
			if m.over() || m.match(child, v) == (n.op == opOr) {
				return n.op == opOr
			}
		}
		return n.op == opAnd
	case opNot:
		return !m.match(n.children[0], v)
	}
	if each := n.perValue() * m.factor; each > 0 {
		m.steps -= each * n.path.reach(v, m.steps/each+1)
	}
	if m.steps >= 0 && len(n.patterns) > 0 {
		m.search -= n.searches(v)
	}
	switch {
	case m.over():
		return false
	case n.op != opElemMatchObject && n.op != opElemMatchValue:
		return n.match(v)
	case len(n.path.segments) == 0:
		return (&meteredElements{m, n}).visit(v)
	}
	return walk(&meteredElements{m, n}, v, n.path.segments, false)
}

// meteredElements is $elemMatch under a meter.
type meteredElements struct {
	*meter
	node *node
}

func (m *meteredElements) visit(v Value) bool {
	if v.Kind() != KindArray {
		return false
	}
	for e := v.First(); e.Exists() && !m.over(); e = e.Next() {
		if m.node.enters(e) && m.match(m.node.children[0], e) {
			return true
		}
	}
	return false
}

// slowPredicate is a predicate that takes longer than a comparison for each value.
type slowPredicate interface{ perValue() int }

// perValue is what it costs to ask the node about one value, in comparisons; 0 for what has no values of its own, or
// bounds its work itself.
func (n *node) perValue() int {
	switch n.op {
	case opAnd, opOr, opNot, opTrue, opFalse:
		return 0
	case opIn:
		return 1 + bits.Len(uint(len(n.values)))
	case opPredicate:
		switch test := n.test.(type) {
		case stepper:
			return 0
		case slowPredicate:
			return test.perValue()
		}
	}
	return 1
}

// reach bounds what a walk along the path from v goes through: the fields among which it looks for a name, and all that
// is in the first array, or at the end. With numeric names it is counted, as far as most: each may be a field's or an index,
// so a walk may come to a value several times, or not at all.
func (p *path) reach(v Value, most int) int {
	if p.indexes > 0 {
		c := walkCounter{most: most}
		c.walk(v, p.segments)
		return c.steps
	}
	steps := 1
	for _, s := range p.segments {
		if v.Kind() != KindObject {
			break
		}
		steps += v.Len()
		v = v.Field(s.name)
	}
	return steps + weight(v)
}

// walkCounter goes the way of walk, and counts what that goes through.
type walkCounter struct{ steps, most int }

func (c *walkCounter) walk(parent Value, segments []segment) {
	c.steps += 1 + parent.Len()
	v := member(parent, segments[0])
	for rest := segments[1:]; c.steps <= c.most; rest = rest[1:] {
		switch kind := v.Kind(); {
		case kind == KindArray:
			c.array(v, rest)
			return
		case len(rest) == 0 || kind != KindObject:
			c.steps += weight(v)
			return
		}
		c.steps += v.Len()
		v = v.Field(rest[0].name)
	}
}

func (c *walkCounter) array(array Value, rest []segment) {
	if len(rest) == 0 || len(rest) == 1 && rest[0].name == "" {
		c.steps += weight(array)
		return
	}
	i := 0
	for e := array.First(); e.Exists() && c.steps <= c.most; e = e.Next() {
		c.steps++
		if e.Kind() == KindObject {
			c.walk(e, rest)
		}
		if i == rest[0].index {
			c.element(e, rest[1:])
		}
		i++
	}
}

func (c *walkCounter) element(e Value, rest []segment) {
	switch kind := e.Kind(); {
	case len(rest) == 0:
		c.steps += weight(e)
	case kind == KindObject:
		c.walk(e, rest)
	case kind == KindArray:
		c.array(e, rest)
	}
}

// spread bounds how often a walk can come to one value: each numeric name may be a field's or an index.
func (p *path) spread() int { return min(1<<p.indexes, maxSpread) }

// maxSpread is more than any document can make of MaxPathIndexes numeric names (TestPathWalkIsBounded).
const maxSpread = 64
