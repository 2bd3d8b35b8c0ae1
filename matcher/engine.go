package matcher

// Ordinal names a registered query within one Engine. Ordinals are reused.
type Ordinal uint32

// Hit says that a change concerns a registered query: it matched before, after, or both, or it takes more than a filter
// may (Query.Decide).
type Hit struct {
	Query         Ordinal
	Before, After bool
	Err           error // then nothing is known of the change
}

// Engine is the index of a node's registered queries. It has one owner: Install and Remove are called between groups,
// never beside Match.
//
// Queries with the same filter are one group, whose filter is evaluated once. Groups whose filter pins `_id`s are found
// by the change's id; all others of the collection are evaluated.
type Engine struct {
	slots       []slot    // by ordinal
	free        []Ordinal // slots without a query
	count       int
	collections map[CollectionID]*collectionIndex
}

// slot is one registered query.
type slot struct {
	group *filterGroup // nil: free
	place int          // in group.members
}

// collectionIndex holds the filter groups of one collection.
type collectionIndex struct {
	id     CollectionID
	groups map[string]*filterGroup // by the filter's key
	scan   []*filterGroup          // those that are evaluated for every change
	byID   map[string][]*filterGroup
}

// filterGroup is one filter and the registered queries that share it.
type filterGroup struct {
	collection *collectionIndex
	key        string   // of what decides
	query      *Query   // one with it
	ids        []string // where pinned
	pinned     bool
	place      int // in collection.scan, if not pinned
	members    []Ordinal
}

// NewEngine makes an engine without queries.
func NewEngine() *Engine { return &Engine{collections: make(map[CollectionID]*collectionIndex)} }

// Len is the number of installed queries.
func (e *Engine) Len() int { return e.count }

// Install adds a query of a collection. Its ordinal is valid until Remove.
func (e *Engine) Install(c CollectionID, q *Query) Ordinal {
	index := e.collections[c]
	if index == nil {
		index = &collectionIndex{id: c, groups: make(map[string]*filterGroup), byID: make(map[string][]*filterGroup)}
		e.collections[c] = index
	}
	key := q.decisionKey()
	group := index.groups[key]
	if group == nil {
		group = &filterGroup{collection: index, key: key, query: q, ids: q.ids, pinned: q.pinned}
		index.add(group)
	}
	o := e.ordinal()
	e.slots[o] = slot{group: group, place: len(group.members)}
	group.members = append(group.members, o)
	e.count++
	return o
}

func (e *Engine) ordinal() Ordinal {
	if n := len(e.free); n > 0 {
		o := e.free[n-1]
		e.free = e.free[:n-1]
		return o
	}
	e.slots = append(e.slots, slot{})
	return Ordinal(len(e.slots) - 1)
}

// Remove takes a query out. An ordinal that is not installed is left alone.
func (e *Engine) Remove(o Ordinal) {
	if int(o) >= len(e.slots) || e.slots[o].group == nil {
		return
	}
	group, place := e.slots[o].group, e.slots[o].place
	last := len(group.members) - 1
	moved := group.members[last]
	group.members[place] = moved
	e.slots[moved].place = place
	group.members = group.members[:last]
	e.slots[o] = slot{}
	e.free = append(e.free, o)
	e.count--
	if last == 0 {
		index := group.collection
		if index.remove(group); len(index.groups) == 0 {
			delete(e.collections, index.id)
		}
	}
}

func (x *collectionIndex) add(g *filterGroup) {
	x.groups[g.key] = g
	if !g.pinned {
		g.place = len(x.scan)
		x.scan = append(x.scan, g)
		return
	}
	for _, id := range g.ids {
		x.byID[id] = append(x.byID[id], g)
	}
}

func (x *collectionIndex) remove(g *filterGroup) {
	delete(x.groups, g.key)
	if !g.pinned {
		last := len(x.scan) - 1
		moved := x.scan[last]
		x.scan[g.place], moved.place = moved, g.place
		x.scan[last] = nil
		x.scan = x.scan[:last]
		return
	}
	for _, id := range g.ids {
		groups := x.byID[id]
		for i, other := range groups {
			if other == g {
				groups[i] = groups[len(groups)-1]
				groups[len(groups)-1] = nil
				groups = groups[:len(groups)-1]
				break
			}
		}
		if x.byID[id] = groups; len(groups) == 0 {
			delete(x.byID, id)
		}
	}
}

// Match appends a hit for every installed query of the change's collection whose filter accepts one of its images, or
// has too much to do for one. A fence has no images and so no hits. Match allocates nothing while hits has room.
func (e *Engine) Match(c *Change, hits []Hit) []Hit {
	index := e.collections[c.Collection]
	if index == nil {
		return hits
	}
	for _, g := range index.byID[c.ID] {
		hits = g.match(c, hits)
	}
	for _, g := range index.scan {
		hits = g.match(c, hits)
	}
	return hits
}

func (g *filterGroup) match(c *Change, hits []Hit) []Hit {
	before, after, err := g.query.DecideChange(c)
	if before || after || err != nil {
		for _, o := range g.members {
			hits = append(hits, Hit{Query: o, Before: before, After: after, Err: err})
		}
	}
	return hits
}
