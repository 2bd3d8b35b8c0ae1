package fanout

import (
	"fmt"
	"slices"

	"github.com/freshetdb/freshet/matcher"
)

// fences remembers which epochs of which collections were acted upon: an epoch's fence comes once in every data
// partition, and its first appearance counts.
type fences struct {
	acted    map[matcher.CollectionID]uint32 // last epoch acted upon, of collections that were truncated and not dropped
	gone     []matcher.CollectionID          // a ring of the last MaxDroppedCollections dropped ones
	goneNext int
}

func newFences() fences {
	return fences{acted: make(map[matcher.CollectionID]uint32)}
}

// first says whether c is the first fence of its epoch, and remembers it.
func (f *fences) first(c *matcher.Change) bool {
	if c.Epoch <= f.acted[c.Collection] || f.dropped(c.Collection) {
		return false
	}
	if c.Fence == matcher.FenceDrop {
		f.drop(c.Collection)
	} else {
		f.acted[c.Collection] = c.Epoch
	}
	return true
}

func (f *fences) drop(c matcher.CollectionID) {
	delete(f.acted, c)
	if len(f.gone) < MaxDroppedCollections {
		f.gone = append(f.gone, c)
		return
	}
	f.gone[f.goneNext] = c
	f.goneNext = (f.goneNext + 1) % MaxDroppedCollections
}

func (f *fences) dropped(c matcher.CollectionID) bool { return slices.Contains(f.gone, c) }

// fence ends or resets the subscriptions of a collection, as it is prepared. following is what comes after c in its
// group.
func (h *Hubs) fence(c *matcher.Change, following []*matcher.Change) {
	l := &h.loop
	if !l.fences.first(c) {
		return
	}
	position := ""
	for _, u := range l.byCollection[c.Collection] {
		if u.err != nil {
			continue
		}
		if c.Fence == matcher.FenceDrop {
			h.fail(u, ErrCollectionDropped)
			continue
		}
		if position == "" {
			position = l.afterFences(c, following)
		}
		h.truncate(u, position)
	}
}

// afterFences is the position after the last fence of c's epoch in the group: only there are all documents gone.
func (l *loopState) afterFences(c *matcher.Change, following []*matcher.Change) string {
	last := 0
	for i, f := range following {
		if f.Fence != matcher.FenceNone && f.Collection == c.Collection && f.Epoch == c.Epoch {
			last = i + 1
		}
	}
	v := l.vector.Clone()
	for _, f := range following[:last] {
		v.Advance(f.Position)
	}
	return v.String()
}

// truncate gives the subscriptions of a hub an empty result. What was to be continued is over: a window that ran dry
// needs no refill any longer, and a window that is being read would come back with documents that are gone.
func (h *Hubs) truncate(u *hub, position string) {
	if u.ordered {
		if u.state != hubStands {
			h.dropHeld(u)
		}
		u.state, u.window = hubStands, matcher.NewWindow(u.query, h.cfg.Limits)
		if err := u.window.Load(nil, true); err != nil {
			h.fail(u, fmt.Errorf("empty the window: %w", err))
			return
		}
	}
	h.emit(u, frameTruncated(position))
}
