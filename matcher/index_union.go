package matcher

import "slices"

// MaxUnionBranches bounds the branches of an $or that one search looks for one by one. An $or with more is looked for by
// what stands beside it, or by a scan.
const MaxUnionBranches = 64

// maxUnionNodes bounds what planning a union goes through: the nodes of the filters of all its branches.
const maxUnionNodes = 8192

// Union is a query written as several narrower ones, its branches: each asks for one branch of an $or of the filter, and
// for what stands beside the $or. The query matches what one of them matches at least.
type Union struct {
	Branches []*Query // to be planned with Index.Plan or looked for by IDs, not to be matched
	choice   *node    // the $or
}

// Unions are the ways to write the query as a union: one for each $or at the top of the filter, or in its $and; of a branch
// those that are in the branch itself. There is none for an $or of too many branches.
func (q *Query) Unions() (unions []Union) {
	members := q.filter.node.conjuncts()
	for i, choice := range members {
		if i < q.beside || choice.op != opOr || len(choice.children) > MaxUnionBranches {
			continue
		}
		beside := slices.Delete(slices.Clone(members), i, i+1)
		size := 0
		for _, n := range beside {
			visitNodes(n, func(*node) { size += len(choice.children) })
		}
		if visitNodes(choice, func(*node) { size++ }); size > maxUnionNodes {
			continue
		}
		u := Union{choice: choice}
		for _, branch := range choice.children {
			u.Branches = append(u.Branches, q.narrowed(beside, branch))
		}
		unions = append(unions, u)
	}
	return unions
}

// narrowed is the query with another filter, of one branch and what stands beside it, to be planned.
func (q *Query) narrowed(beside []*node, branch *node) *Query {
	all := slices.Concat(beside, branch.conjuncts())
	narrow := *q
	narrow.beside = len(beside)
	narrow.filter = boundedFilter{node: all[0]}
	if len(all) > 1 {
		narrow.filter.node = &node{op: opAnd, children: all}
	}
	narrow.ids, narrow.pinned = pinnedIDs(narrow.filter.node)
	return &narrow
}

// First is the number of the first branch that accepts d, which the query matches. A search that looks for all branches
// takes d at this one, and so takes it once.
func (u *Union) First(d *Document) int {
	root := d.Root()
	return slices.IndexFunc(u.choice.children, func(branch *node) bool { return branch.match(root) })
}

// conjuncts are the nodes all of which n says: its children if it is an $and, none if it accepts everything.
func (n *node) conjuncts() []*node {
	switch n.op {
	case opAnd:
		return n.children
	case opTrue:
		return nil
	}
	return []*node{n}
}
