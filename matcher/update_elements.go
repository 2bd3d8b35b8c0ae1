package matcher

// elementSet is some children of a node whose children are `$[]` and `$[x]`: bit i stands for child i.
type elementSet struct {
	of   *updateNode
	bits uint64 // MaxArrayFilters and `$[]` fit
}

// editElements writes array v, every element as those children of n make it that stand for it (MongoDB manual: "$[]",
// "$[<identifier>]"). Filters see the elements as they were.
func (e *updateWriter) editElements(v Value, n *updateNode) {
	name := n.children[0].name
	switch k := v.Kind(); {
	case k == KindMissing:
		e.fail(n, "the field %s is missing, but %s needs an array there; set it first", n.path, name)
		return
	case k != KindArray:
		e.fail(n, "the field %s has %s, but %s needs an array there; set it first", n.path, describeKind(k), name)
		return
	}
	separate := e.open('[')
	for element := v.First(); element.Exists(); element = element.Next() {
		if e.tooLarge(n) {
			return
		}
		separate()
		if c := e.editOf(element, n); c != nil {
			e.edit(element, c)
		} else {
			e.keep(element)
		}
	}
	e.dst = append(e.dst, ']')
}

// editOf is what n does to one element, nil if nothing.
func (e *updateWriter) editOf(element Value, n *updateNode) *updateNode {
	set, last, count := elementSet{of: n}, (*updateNode)(nil), 0
	for i, c := range n.children {
		if c.filter != nil {
			object, ok := e.wrap(n, c.filter.identifier, element)
			if !ok || !e.asks(n, &c.filter.accepts, element) {
				return nil
			}
			if !c.filter.accepts.match(object) {
				continue
			}
		}
		set.bits |= 1 << i
		last = c
		count++
	}
	if count <= 1 {
		return last
	}
	merged, known := e.merged[set]
	if !known {
		var all []*updateNode
		for i, c := range n.children {
			if set.bits>>i&1 != 0 {
				all = append(all, c)
			}
		}
		merged = e.join(all)
		if e.merged == nil {
			e.merged = make(map[elementSet]*updateNode)
		}
		e.merged[set] = merged
	}
	return merged
}

// join makes one node that does what all do; nil, with an error, where they exclude each other.
func (e *updateWriter) join(all []*updateNode) *updateNode {
	if len(all) == 1 {
		return all[0]
	}
	first := all[0]
	joined := &updateNode{name: first.name, path: first.path, at: first.at, elements: first.elements, filter: first.filter}
	var names []string
	byName := make(map[string][]*updateNode)
	for i, n := range all {
		if !e.spend(n, 1+len(n.children)) {
			return nil
		}
		if i > 0 && (n.edit != nil || first.edit != nil) || n.elements != first.elements {
			e.fail(n, "the paths %s and %s meet in one element, where they exclude each other; let their filters accept different elements",
				first.path, n.path)
			return nil
		}
		for _, c := range n.children {
			if byName[c.name] == nil {
				names = append(names, c.name)
			}
			byName[c.name] = append(byName[c.name], c)
		}
	}
	for _, name := range names {
		c := e.join(byName[name])
		if c == nil {
			return nil
		}
		joined.children = append(joined.children, c)
	}
	joined.settle()
	return joined
}
