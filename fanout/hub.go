package fanout

import (
	"bytes"
	"errors"

	"github.com/freshetdb/freshet/matcher"
)

// hub is the one place on a node where a registered query's result changes meet its subscriptions. It belongs to the
// apply loop.
type hub struct {
	key        string
	collection matcher.CollectionID
	query      *matcher.Query
	ordered    bool
	ordinal    matcher.Ordinal

	state  hubState
	window *matcher.Window // of an ordered hub that stands, nil otherwise

	subscriptions int             // attached ones, wherever they are
	live          []*subscription // order of no meaning
	waiting       []*subscription // may hold detached ones, as round.subscriptions may
	round         *round          // the one that runs, nil if none does
	ready         bool            // is in loopState.ready

	frames   held[Frame]      // made since the running round's snapshot, for its subscriptions
	changes  held[heldChange] // that hit an ordered hub that does not stand
	restarts int              // reads that overran MaxHeldBytes in a row

	err  error // it is about to end (between Prepare and Release)
	gone bool
}

// hubState says where the window of an ordered hub is. An unordered hub keeps no documents and always stands.
//
//	cold   -- first read, joined --------------------------> stands
//	stands -- ErrWindowDry at change c --------------------> dry     (at the vector before c; c and later hits are held)
//	dry    -- refill at that vector, held changes replayed -> stands
//	dry    -- more held than MaxHeldBytes ------------------> cold    (subscriptions get a reset result)
type hubState uint8

const (
	hubStands hubState = iota // at the vector of the last change
	hubCold                   // nowhere: no subscription has seen anything that must be continued
	hubDry                    // at the vector before the first held change
)

// held is what waits for a read, with its size.
type held[T any] struct {
	items []T
	bytes int
}

// heldChange is a change that concerns a hub, and the position on the wire that it leads to.
type heldChange struct {
	change        *matcher.Change
	before, after bool  // matches the filter
	err           error // the filter has too much to do for it
	position      string
}

func (c *heldChange) memoryBytes() int {
	n := 128 + len(c.change.ID)
	if c.change.Before != nil {
		n += c.change.Before.MemoryBytes()
	}
	if c.change.After != nil {
		n += c.change.After.MemoryBytes()
	}
	return n
}

func hold[T any](h *Hubs, l *held[T], item T, bytes int) {
	l.items = append(l.items, item)
	l.bytes += bytes
	h.metrics.HeldBytes.Add(int64(bytes))
}

// letGo empties l and returns what it held.
func letGo[T any](h *Hubs, l *held[T]) []T {
	items := l.items
	h.metrics.HeldBytes.Add(-int64(l.bytes))
	*l = held[T]{}
	return items
}

func (h *Hubs) addHub(sub *subscription) *hub {
	u := &hub{
		key: sub.queryKey, collection: sub.request.Collection, query: sub.request.Query,
		ordered: sub.request.Query.Ordered(),
	}
	if u.ordered {
		u.state = hubCold
	}
	l := &h.loop
	u.ordinal = l.engine.Install(u.collection, u.query)
	if n := int(u.ordinal) + 1; n > len(l.byOrdinal) {
		l.byOrdinal = append(l.byOrdinal, make([]*hub, n-len(l.byOrdinal))...)
	}
	l.byOrdinal[u.ordinal] = u
	l.byKey[u.key] = u
	l.byCollection[u.collection] = append(l.byCollection[u.collection], u)
	h.metrics.Hubs.Add(1)
	return u
}

func (h *Hubs) removeHub(u *hub) {
	if u.gone {
		return
	}
	u.gone = true
	h.dropHeld(u)
	l := &h.loop
	l.engine.Remove(u.ordinal)
	l.byOrdinal[u.ordinal] = nil
	delete(l.byKey, u.key)
	rest := l.byCollection[u.collection]
	for i, other := range rest {
		if other == u {
			rest[i] = rest[len(rest)-1]
			rest[len(rest)-1] = nil
			rest = rest[:len(rest)-1]
			break
		}
	}
	if l.byCollection[u.collection] = rest; len(rest) == 0 {
		delete(l.byCollection, u.collection)
	}
	u.window, u.waiting = nil, nil
	h.metrics.Hubs.Add(-1)
}

// endHub ends every subscription of a hub with an error, and the hub.
func (h *Hubs) endHub(u *hub, err error) {
	if u.gone {
		return
	}
	var all []*subscription
	all = append(append(all, u.live...), u.waiting...)
	if u.round != nil {
		all = append(all, u.round.subscriptions...)
	}
	for _, sub := range all {
		if !sub.detached {
			h.endSubscription(sub, err)
		}
	}
	h.removeHub(u)
}

// dropHeld forgets all that is held and makes the running round worthless: its subscriptions will want another one.
func (h *Hubs) dropHeld(u *hub) {
	letGo(h, &u.frames)
	letGo(h, &u.changes)
	if u.round != nil {
		u.round.stale = true
		u.round.cancel()
	}
}

// hit is one change that concerns a hub, as it is prepared.
func (h *Hubs) hit(u *hub, c heldChange) {
	switch {
	case u.err != nil:
		return // ends with this group
	case c.err != nil && (u.state != hubCold || u.round != nil):
		h.fail(u, c.err)
	case u.state == hubStands:
		h.step(u, c)
	case u.state == hubDry || u.round != nil && !u.round.stale:
		h.holdChange(u, c)
	}
	// A cold hub without a round has no snapshot yet that this change could come after.
}

func (h *Hubs) step(u *hub, c heldChange) {
	frame, some, err := h.events(u, c)
	switch {
	case errors.Is(err, matcher.ErrWindowDry):
		h.runDry(u)
		h.holdChange(u, c)
	case err != nil:
		h.fail(u, err)
	case some:
		h.emit(u, frame)
	}
}

// fail ends a hub with this group.
func (h *Hubs) fail(u *hub, err error) {
	u.err = err
	h.loop.pending = append(h.loop.pending, delivery{hub: u, err: err})
}

// events makes the frame of what a change does to a hub that stands, if it does something that shows.
func (h *Hubs) events(u *hub, c heldChange) (f Frame, some bool, err error) {
	l := &h.loop
	if l.events, err = u.eventsOf(u.window, c, l.events[:0]); err != nil || len(l.events) == 0 {
		return f, false, err
	}
	if len(u.live) > 0 || u.round != nil && len(u.round.subscriptions) > 0 {
		l.scratch = appendChange(l.scratch[:0], u.query, l.events, u.ordered, c.position)
		f = Frame{Type: FrameChange, Body: bytes.Clone(l.scratch), Position: c.position}
		some = true
		h.metrics.Encoded.Add(1)
		h.metrics.EncodedBytes.Add(uint64(len(f.Body)))
	}
	clear(l.events) // holds no document any longer
	return f, some, nil
}

// eventsOf appends what a change does to the hub's result, of which window is the state where it is ordered. It touches
// nothing else of the hub, so that a worker may go through changes of the past.
func (u *hub) eventsOf(window *matcher.Window, c heldChange, events []matcher.Event) ([]matcher.Event, error) {
	if u.ordered {
		return window.Apply(c.change, c.before, c.after, events)
	}
	e := matcher.Event{
		Match: matcher.Decide(c.before, c.after), Operation: c.change.Operation, ID: c.change.ID,
		Index: -1, PreviousIndex: -1, Document: c.change.After,
	}
	switch e.Match {
	case matcher.MatchNone:
		return events, nil
	case matcher.MatchRemove:
		e.Document = nil
	case matcher.MatchChange:
		if u.query.SameProjected(c.change.Before, c.change.After) {
			return events, nil
		}
	}
	return append(events, e), nil
}

// emit keeps a frame for Release, and for the subscriptions whose result is still being read. (A boundary, at which a
// round joins, never comes between Prepare and Release.)
func (h *Hubs) emit(u *hub, f Frame) {
	if len(u.live) > 0 {
		h.loop.pending = append(h.loop.pending, delivery{hub: u, frame: f})
	}
	if u.round == nil || u.round.stale || len(u.round.subscriptions) == 0 {
		return
	}
	hold(h, &u.frames, f, f.cost())
	if u.frames.bytes > h.cfg.MaxHeldBytes {
		letGo(h, &u.frames)
		h.restart(u)
	}
}

// send pushes a frame to every live subscription.
func (u *hub) send(f Frame) {
	for _, sub := range u.live {
		sub.session.push(sub, f)
	}
}

// runDry leaves the window, which stands before the change that it could not answer, to a refill.
func (h *Hubs) runDry(u *hub) {
	u.state, u.window = hubDry, nil
	h.metrics.Refills.Add(1)
	h.markReady(u)
}

// holdChange keeps a change until the window stands. Beyond MaxHeldBytes the hub starts anew from a later snapshot:
// subscriptions that have a view get a reset result then, the others just start later.
func (h *Hubs) holdChange(u *hub, c heldChange) {
	hold(h, &u.changes, c, c.memoryBytes())
	if u.changes.bytes <= h.cfg.MaxHeldBytes {
		return
	}
	h.restart(u)
	h.dropHeld(u)
	h.chill(u)
}

// chill makes an ordered hub cold: its live subscriptions wait for a fresh result.
func (h *Hubs) chill(u *hub) {
	u.state, u.window = hubCold, nil
	live := u.live
	u.live = nil
	for _, sub := range live {
		if sub.delivered {
			sub.silent = false
			sub.kind = resultKind{reset: true, reason: ReasonTooManyChanges}
		}
		u.wait(sub)
	}
	h.markReady(u)
}

// restart makes the running round worthless because more was held for it than MaxHeldBytes.
func (h *Hubs) restart(u *hub) {
	u.restarts++
	h.metrics.Restarts.Add(1)
	if u.round != nil {
		u.round.stale = true
		u.round.cancel()
	}
}

// follows says whether a change now becomes events at once, without a read in between.
func (u *hub) follows() bool { return u.state == hubStands }

func (u *hub) addLive(sub *subscription) {
	sub.place, sub.index = placeLive, len(u.live)
	u.live = append(u.live, sub)
}

func (u *hub) removeLive(sub *subscription) {
	last := len(u.live) - 1
	u.live[sub.index] = u.live[last]
	u.live[sub.index].index = sub.index
	u.live[last] = nil
	u.live = u.live[:last]
	sub.place = placeNone
}

func (u *hub) wait(sub *subscription) {
	sub.place = placeWaiting
	u.waiting = append(u.waiting, sub)
}

// markReady lets a hub have a round at the next boundary, if it wants one.
func (h *Hubs) markReady(u *hub) {
	if u.ready || !u.wantsRound() {
		return
	}
	u.ready = true
	h.loop.ready = append(h.loop.ready, u)
	h.metrics.ReadsWaiting.Store(int64(len(h.loop.ready)))
	h.want()
}

func (u *hub) wantsRound() bool {
	return !u.gone && u.round == nil && (u.state == hubDry || len(u.waiting) > 0)
}
