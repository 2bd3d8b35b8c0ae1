package matcher

// MaxRegexWork bounds what the regular expressions of one filter may do for one document: bytes of text that are searched,
// times the steps of the expression, of which a plain text has one. That is some sixty milliseconds on one core, and enough
// for 8 steps on the largest document or 500 on one of 16 KiB. Beyond it MaxMatchSteps says what happens.
const MaxRegexWork = 8 << 20

// searches is the work of the node's patterns on the texts that its path leads to from v.
func (n *node) searches(v Value) int {
	count := &textCounter{}
	if len(n.path.segments) == 0 {
		count.visit(v)
	} else {
		walk(count, v, n.path.segments, true)
	}
	steps := 0
	for _, p := range n.patterns {
		steps += p.searchWork()
	}
	return count.bytes * steps
}

// textCounter counts the bytes of the texts that a path leads to.
type textCounter struct{ bytes int }

func (c *textCounter) visit(v Value) bool {
	if v.Kind() == KindString {
		c.bytes += len(v.Bytes())
	}
	return false
}

// visitNodes shows a node and all below it.
func visitNodes(n *node, show func(n *node)) {
	show(n)
	for _, child := range n.children {
		visitNodes(child, show)
	}
}
