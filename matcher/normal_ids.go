package matcher

import "slices"

// pinnedIDs finds the `_id`s that a filter in normal form pins: outside of them no document can match.
func pinnedIDs(n *node) (ids []string, pinned bool) {
	switch n.op {
	case opFalse:
		return nil, true
	case opEqual, opIn:
		return leafIDs(n)
	case opAnd:
		for _, child := range n.children {
			more, ok := pinnedIDs(child)
			switch {
			case !ok:
			case pinned:
				ids = slices.DeleteFunc(ids, func(id string) bool { return !slices.Contains(more, id) })
			default:
				ids, pinned = more, true
			}
		}
		return ids, pinned
	case opOr:
		for _, child := range n.children {
			more, ok := pinnedIDs(child)
			if !ok {
				return nil, false
			}
			ids = append(ids, more...)
		}
		slices.Sort(ids)
		return slices.Compact(ids), true
	}
	return nil, false
}

func leafIDs(n *node) (ids []string, pinned bool) {
	if n.path.text != "_id" || len(n.patterns) > 0 {
		return nil, false
	}
	if n.op == opEqual {
		return []string{string(n.value.Bytes())}, true
	}
	for _, v := range n.values {
		ids = append(ids, string(v.Bytes()))
	}
	return ids, true
}
