package matcher

// predicate is what an opPredicate node asks of one value: a leaf's test that needs no case of its own in node.visit.
// It is immutable, and accepts allocates nothing where the operator is meant for the hot path.
type predicate interface {
	// accepts reports whether the predicate holds for v: a value that the node's path leads to (for an array first its
	// elements, then the array), or where the node has no path the whole document or element.
	accepts(v Value) bool
	// operator is the name in the normal form, appendNormal writes the argument: alike only for predicates that accept
	// the same values.
	operator() string
	appendNormal(dst []byte) []byte
	// cost ranks what a test costs, as node.cost does.
	cost() int
}

// predicateLeaf is a node that shows p the values at a path.
func predicateLeaf(at path, p predicate) *node { return &node{op: opPredicate, path: at, test: p} }

// stepper is a predicate whose work for one document is bounded in steps.
type stepper interface {
	// mostSteps is the bound if it is the only one of its operator in the filter.
	mostSteps() int
	setSteps(steps int)
	// allowedSteps is the bound that is set. What passes it is false, so two of one text may differ by it.
	allowedSteps() int
}

// shareSteps divides the steps for a document among all predicates of one operator in a filter: a filter of many takes no
// longer than one of one.
func shareSteps(root *node) {
	found := map[string][]stepper{}
	visitNodes(root, func(n *node) {
		if s, ok := n.test.(stepper); ok {
			found[n.test.operator()] = append(found[n.test.operator()], s)
		}
	})
	for _, all := range found {
		for _, s := range all {
			s.setSteps(s.mostSteps() / len(all))
		}
	}
}

// stepsOf are the bounds of all steppers in a filter, in its order.
func stepsOf(root *node) (steps []int) {
	visitNodes(root, func(n *node) {
		if s, ok := n.test.(stepper); ok {
			steps = append(steps, s.allowedSteps())
		}
	})
	return steps
}
