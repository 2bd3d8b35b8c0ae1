package matcher

// MaxRegexWork bounds what the regular expressions of one filter may do for one document: bytes of text that are searched,
// times the steps of all of them. That is some half a second on one core, and more than enough for 64 steps on the
// largest document. Where the texts that a condition would search are longer together, the condition is false.
const MaxRegexWork = 64 << 20

// searchBound is how many bytes of text a node may search with its patterns for one document; 0 is any number.
type searchBound struct {
	bytes   int
	element bool // the node is asked for each element of an array, so that the whole document counts
}

// boundSearches divides MaxRegexWork among the regular expressions of a filter.
func boundSearches(root *node) {
	steps := 0
	visitNodes(root, false, func(n *node, _ bool) {
		for _, p := range n.patterns {
			steps += p.steps
		}
	})
	visitNodes(root, false, func(n *node, element bool) {
		if len(n.patterns) > 0 {
			n.search = searchBound{bytes: max(1, MaxRegexWork/max(1, steps)), element: element}
		}
	})
}

// visitNodes shows a node and all below it; element says that a node is within $elemMatch.
func visitNodes(n *node, element bool, show func(n *node, element bool)) {
	show(n, element)
	element = element || n.op == opElemMatchObject || n.op == opElemMatchValue
	for _, child := range n.children {
		visitNodes(child, element, show)
	}
}

// searchable reports whether the texts at the node's path are short enough together. Most documents are as a whole.
func (n *node) searchable(v Value) bool {
	if v.document == nil || len(v.document.text) <= n.search.bytes {
		return true
	}
	if n.search.element {
		return false
	}
	count := &textCounter{}
	if len(n.path.segments) == 0 {
		count.visit(v)
	} else {
		walk(count, v, n.path.segments, true)
	}
	return count.bytes <= n.search.bytes
}

// textCounter counts the bytes of the texts that a path leads to.
type textCounter struct{ bytes int }

func (c *textCounter) visit(v Value) bool {
	if v.Kind() == KindString {
		c.bytes += len(v.Bytes())
	}
	return false
}
