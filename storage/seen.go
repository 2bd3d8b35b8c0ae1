package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// Bounds of what is kept of the types that a collection's documents have shown, in each log partition.
const (
	MaxSeenPaths     = 1000
	MaxSeenPathBytes = 512
)

// seenSet is which types the documents of one collection in one log partition have shown since its last fence, by path.
// It only grows: an update or a delete takes nothing back.
type seenSet struct {
	paths map[string]matcher.TypeSet
	full  bool // there were paths beyond the bounds

	// unnoted: documents were written before the program noted what they show, so that nothing is certain.
	unnoted bool
}

// seenTypes is the seenSets of a node as of its last committed group. The apply loop alone changes it, and so reads it
// without the mutex.
type seenTypes struct {
	metrics *Metrics
	known   [knownShapes]uint64 // of the apply loop alone: see knows

	mutex sync.RWMutex
	sets  map[epochKey]*seenSet
}

// knownShapes is how many shapes of documents the apply loop remembers.
const knownShapes = 4096

// keySeenFull is the path of the mark of a full set.
const keySeenFull = "\x00"

func newSeenTypes(metrics *Metrics) *seenTypes {
	return &seenTypes{metrics: metrics, sets: map[epochKey]*seenSet{}}
}

// knows reports whether a document of the same shape was seen under the same epoch not long ago, and remembers this one.
// Each shape has one place, from which the next one that falls there drives it.
func (s *seenTypes) knows(key epochKey, e epoch, d *matcher.Document) bool {
	const odd = 0x9e3779b97f4a7c15
	where := ((uint64(key.collection)*odd+uint64(key.partition))*odd + uint64(e.number)) * odd
	shape := d.Shape() ^ where
	slot := &s.known[shape%knownShapes]
	if *slot == shape {
		return true
	}
	*slot = shape
	return false
}

// see notes in the group what an accepted document shows for the first time. Most documents look like one before, and
// cost a hash.
func (a *applier) see(g *group, key epochKey, d *matcher.Document) {
	if d == nil || a.seen.knows(key, a.epochs[key], d) {
		return
	}
	before := a.seen.sets[key]
	if before == nil || slices.Contains(g.fences, key) {
		before = &seenSet{}
	}
	fresh := g.seen[key]
	if fresh == nil {
		fresh = &seenSet{paths: map[string]matcher.TypeSet{}}
	}
	added := 0 // paths in fresh that before lacks
	for path := range fresh.paths {
		if _, found := before.paths[path]; !found {
			added++
		}
	}
	d.VisitTypes(func(path []byte, types matcher.TypeSet) {
		old, known := before.paths[string(path)]
		more, noted := fresh.paths[string(path)]
		switch {
		case (old|more)&types == types:
			return
		case known || noted:
		case len(path) > MaxSeenPathBytes || len(before.paths)+added >= MaxSeenPaths:
			fresh.full = fresh.full || !before.full
			return
		default:
			added++
		}
		fresh.paths[string(path)] = old | more | types
	})
	if len(fresh.paths) == 0 && !fresh.full {
		return
	}
	if g.seen == nil {
		g.seen = map[epochKey]*seenSet{}
	}
	g.seen[key] = fresh
}

// seeText is see for a document of a replay, of which there is only the text.
func (a *applier) seeText(g *group, key epochKey, text []byte) error {
	if text == nil {
		return nil
	}
	d, err := matcher.Parse(text, storedLimits(a.limits))
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	a.see(g, key, d)
	return nil
}

// toBatch writes what is new in the group. It comes after the group's fences, which take away what was before them.
func (s *seenTypes) toBatch(b *pebble.Batch, g *group) error {
	var key []byte
	for k, fresh := range g.seen {
		prefix := appendCollectionPrefix(nil, prefixSeen, k.partition, k.collection)
		for _, path := range slices.Sorted(maps.Keys(fresh.paths)) {
			key = append(append(key[:0], prefix...), path...)
			if err := b.Set(key, binary.BigEndian.AppendUint32(nil, uint32(fresh.paths[path])), nil); err != nil {
				return err
			}
		}
		if fresh.full {
			if err := b.Set(append(prefix, keySeenFull...), nil, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit shows readers what the group, which is durable now, has changed.
func (s *seenTypes) commit(g *group) {
	if len(g.seen) == 0 && len(g.fences) == 0 {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, k := range g.fences {
		if set := s.sets[k]; set != nil && set.full {
			s.metrics.FullSeenSets.Add(-1)
		}
		delete(s.sets, k)
	}
	for k, fresh := range g.seen {
		set := s.set(k)
		maps.Copy(set.paths, fresh.paths)
		s.fill(set, fresh.full)
	}
}

func (s *seenTypes) fill(set *seenSet, full bool) {
	if full && !set.full {
		set.full = true
		s.metrics.FullSeenSets.Add(1)
	}
}

// set is the set of a collection in a log partition, made if it is missing. The mutex is held, or nobody reads yet.
func (s *seenTypes) set(k epochKey) *seenSet {
	set := s.sets[k]
	if set == nil {
		set = &seenSet{paths: map[string]matcher.TypeSet{}}
		s.sets[k] = set
	}
	return set
}

// loadSeen reads back what was noted. A state that an older program began, which noted nothing, has its collections marked
// once; a fence takes the mark away.
func (a *applier) loadSeen() error {
	if err := a.loadSeenPaths(); err != nil {
		return err
	}
	noted := false
	err := a.each([]byte{prefixUnnoted}, func(key, _ []byte) error {
		switch {
		case bytes.Equal(key, keyNoted):
			noted = true
		case len(key) != collectionPrefixBytes:
			return fmt.Errorf("read the marks of collections whose types were not noted: they are damaged")
		default:
			a.seen.set(epochKeyOf(key)).unnoted = true
		}
		return nil
	})
	if err != nil || noted {
		return err
	}
	b := a.db.NewBatch()
	for id := range a.catalog.byID.all() {
		for p := 1; p < len(a.vector.Next); p++ {
			a.seen.set(epochKey{p, id}).unnoted = true
			if err := b.Set(appendCollectionPrefix(nil, prefixUnnoted, p, id), nil, nil); err != nil {
				return err
			}
		}
	}
	if err := b.Set(keyNoted, nil, nil); err != nil {
		return err
	}
	return errors.Join(b.Commit(pebble.NoSync), b.Close())
}

func (a *applier) loadSeenPaths() error {
	return a.each([]byte{prefixSeen}, func(key, value []byte) error {
		if len(key) < collectionPrefixBytes {
			return fmt.Errorf("read the types of a collection: they are damaged")
		}
		set := a.seen.set(epochKeyOf(key))
		path := string(key[collectionPrefixBytes:])
		switch {
		case path == keySeenFull:
			a.seen.fill(set, true)
		case len(value) != 4:
			return fmt.Errorf("read the types at %q: they are damaged", path)
		default:
			set.paths[path] = matcher.TypeSet(binary.BigEndian.Uint32(value))
		}
		return nil
	})
}

// SeenTypes is what the documents of one collection have shown on this node. It may be asked from any goroutine, and
// answers as of now.
type SeenTypes struct {
	store      *Store
	collection matcher.CollectionID
}

var _ matcher.SeenTypes = SeenTypes{}

// SeenTypes tells which types of values the documents of a collection, gone ones included, have shown at which paths
// since the collection was made or truncated.
func (s *Store) SeenTypes(c Collection) SeenTypes { return SeenTypes{s, c.ID} }

// each calls f with the sets of the collection, one for each log partition in which something was written.
func (t SeenTypes) each(f func(*seenSet)) {
	seen := t.store.seen
	seen.mutex.RLock()
	defer seen.mutex.RUnlock()
	for p := 1; p < t.store.log.Partitions(); p++ {
		if set := seen.sets[epochKey{p, t.collection}]; set != nil {
			f(set)
		}
	}
}

// TypesAt is the types seen at a path. Beyond MaxSeenPaths and MaxSeenPathBytes, and where documents were not noted, it is
// not certain that there are no more.
func (t SeenTypes) TypesAt(path string) (types matcher.TypeSet, certain bool) {
	certain = true
	t.each(func(set *seenSet) {
		more, found := set.paths[path]
		types |= more
		certain = certain && (found || !set.full) && !set.unnoted
	})
	return types, certain
}

// Paths lists the paths at which something was seen, in order.
func (t SeenTypes) Paths() []string {
	all := map[string]struct{}{}
	t.each(func(set *seenSet) {
		for path := range set.paths {
			all[path] = struct{}{}
		}
	})
	return slices.Sorted(maps.Keys(all))
}
