package matcher

import "slices"

// implication finds whether one filter says no less than another.
type implication struct {
	collated bool             // the filters are a query's under a collation, or part of one
	known    map[*node]string // normal forms that were made before; not to be changed
	texts    map[*node]string // those that were made since
}

func (i *implication) text(n *node) string {
	if text, ok := i.known[n]; ok {
		return text
	}
	text, ok := i.texts[n]
	if !ok {
		if i.texts == nil {
			i.texts = map[*node]string{}
		}
		text = normalize(n).text
		i.texts[n] = text
	}
	return text
}

// partTexts are the normal forms of a filter and of what it says all of.
func partTexts(filter *node) map[*node]string {
	texts := map[*node]string{filter: normalize(filter).text}
	for _, part := range filter.conjuncts() {
		texts[part] = normalize(part).text
	}
	return texts
}

// holds reports whether every document that a filter accepts is accepted by another one, such as an index's partial filter;
// both are in normal form. It may say no where it cannot tell.
func (i *implication) holds(filter, partial *node) bool {
	if filter.op == opFalse {
		return true
	}
	if partial.op == opAnd {
		return !slices.ContainsFunc(partial.children, func(part *node) bool { return !i.holds(filter, part) })
	}
	if filter.op == opOr {
		return !slices.ContainsFunc(filter.children, func(branch *node) bool { return !i.holds(branch, partial) })
	}
	// Under a collation the same text may accept more, and with more steps as well.
	same := func(n *node) bool {
		return !i.collated && i.text(n) == i.text(partial) && slices.Equal(stepsOf(n), stepsOf(partial))
	}
	if same(filter) || filter.op == opAnd && slices.ContainsFunc(filter.children, same) {
		return true
	}
	if len(partial.path.segments) == 0 {
		return false
	}
	inner, ok := partial.acceptedSurely()
	if !ok {
		return false
	}
	return slices.ContainsFunc(filter.bounds(partial.path, nil), func(set intervals) bool { return set.within(inner) })
}
