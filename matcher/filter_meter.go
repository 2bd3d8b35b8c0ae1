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
// conditions that each go through all of a document of the largest size. Whatever the document is, eight may. (A path with
// numeric names counts for several: see spread.)
const MaxMatchSteps = 1_000_000

// minConditionsOfAll is how many conditions may go through the whole of any document: of one that is larger than the default
// limits allow, or that holds many decimals.
const minConditionsOfAll = 8

// boundedFilter is a compiled filter with what its conditions and regular expressions cost together.
type boundedFilter struct {
	*node
	weight int // the sum of node.perValue over the conditions
	search int // steps of all regular expressions
}

func boundFilter(root *node) boundedFilter {
	f := boundedFilter{node: root}
	visitNodes(root, func(n *node) {
		f.weight += n.perValue() * n.path.spread()
		for _, p := range n.patterns {
			f.search += p.searchWork()
		}
	})
	return f
}

// decide is match within MaxMatchSteps and MaxRegexWork. Few documents are so large that anything has to be counted.
func (f *boundedFilter) decide(d *Document) (bool, error) {
	root := d.Root()
	if f.weight*weight(root)*maxArenaFactor <= MaxMatchSteps && f.search*len(d.text) <= MaxRegexWork {
		return f.match(root), nil
	}
	m := newMeter(d)
	matches := m.match(f.node, root)
	if err := m.err(); err != nil {
		return false, below("filter", err)
	}
	return matches, nil
}

// decideChange is decide for both images of a change; an absent one does not match.
func (f *boundedFilter) decideChange(c *Change) (before, after bool, err error) {
	if c.Before != nil {
		if before, err = f.decide(c.Before); err != nil {
			return false, false, err
		}
	}
	if c.After != nil {
		if after, err = f.decide(c.After); err != nil {
			return false, false, err
		}
	}
	return before, after, nil
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

// err says which bound was passed, if one was. The document is not named: whoever asks may not be allowed to know of it.
func (m *meter) err() error {
	bad := &Error{Code: CodeQueryTooCostly, Limit: int64(m.most)}
	switch {
	case m.steps < 0:
		bad.Detail = fmt.Sprintf("the filter takes more than %d steps on one of the documents (MaxMatchSteps); "+
			"ask fewer things of its large arrays and objects, or keep the documents smaller", m.most)
	case m.search < 0:
		bad.Limit = MaxRegexWork
		bad.Detail = fmt.Sprintf("the regular expressions of the filter have more than %d bytes times steps to search in one of the documents "+
			"(MaxRegexWork); make them simpler, or keep the documents smaller", MaxRegexWork)
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
	m.steps -= n.perValue() * n.path.reach(v) * m.factor
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
// is in the first array, or at the end.
func (p *path) reach(v Value) int {
	steps := 1
	for _, s := range p.segments {
		if v.Kind() != KindObject {
			break
		}
		steps += v.Len()
		v = v.Field(s.name)
	}
	return steps + weight(v)*p.spread()
}

// spread bounds how often a walk can come to one value: each numeric name may be a field's or an index.
func (p *path) spread() int { return min(1<<p.indexes, maxSpread) }

// maxSpread is more than any document can make of MaxPathIndexes numeric names (TestPathWalkIsBounded).
const maxSpread = 64
