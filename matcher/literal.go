package matcher

// Literal is text that the JSON of every document that matches holds, quotes included, unless that JSON has a backslash
// (a string may then be written with escapes): the longest string that the filter wants to be equal to something. It is
// nil where there is none. A reader of many lines can pass over those that have neither.
func (q *Query) Literal() []byte { return q.literal }

// literalOf finds the literal of a filter in normal form. Strings must be compared by their bytes.
func literalOf(n *node) (literal []byte) {
	switch n.op {
	case opEqual:
		if n.value.Kind() == KindString {
			literal = append(append([]byte{'"'}, n.value.Bytes()...), '"')
		}
	case opAnd:
		for _, child := range n.children {
			if of := literalOf(child); len(of) > len(literal) {
				literal = of
			}
		}
	case opElemMatchObject, opElemMatchValue:
		return literalOf(n.children[0])
	}
	return literal
}
