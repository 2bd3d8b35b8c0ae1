package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/freshetdb/freshet/matcher"
)

// round is one read for a hub, from one snapshot, in a worker. A hub has one round at a time.
type round struct {
	hub           *hub
	work          roundWork
	position      string          // of the snapshot, on the wire
	subscriptions []*subscription // get the result
	kinds         []resultKind    // that they need
	resumes       []*resume       // positions that some of them go on from
	undo          []*matcher.Change
	documents     []*matcher.Document // roundCopy: what the window showed

	cancel context.CancelFunc
	stale  bool // owned by the loop: whatever comes back is of no use

	// Set by the worker.
	window *matcher.Window
	parts  map[resultKind][]Frame
	err    error
}

type roundWork uint8

const (
	roundRead   roundWork = iota // an unordered query's result
	roundLoad                    // an ordered query's window, and its result
	roundRefill                  // an ordered query's window at the vector at which it ran dry; nobody gets a result
	roundCopy                    // nothing is read: the window that stands is the result, only encoded beside the loop
	roundPast                    // nothing but history: an unordered query to which clients come back
)

// startRounds gives the hubs that want one a round each, as far as there are workers. Those of one boundary share its
// snapshot. A hub that finds no worker stays ready: workers ask for a boundary when they are done.
func (h *Hubs) startRounds(ctx context.Context, snapshot *sharedSnapshot, b *boundary) {
	l := &h.loop
	for free := h.cfg.MaxReads - l.readers; free > 0 && len(l.ready) > 0; free-- {
		n := min(MaxRoundsPerRead, (len(l.ready)+free-1)/free)
		type job struct {
			ctx   context.Context
			round *round
		}
		var jobs []job
		for _, u := range l.ready[:n] {
			u.ready = false
			if r := h.newRound(u, b); r != nil {
				roundCtx, cancel := context.WithCancel(ctx)
				r.cancel = cancel
				u.round = r
				jobs = append(jobs, job{roundCtx, r})
			}
		}
		if l.ready = l.ready[n:]; len(l.ready) == 0 {
			l.ready = nil
		}
		if len(jobs) == 0 {
			free++ // nothing was taken
			continue
		}
		l.readers++
		h.metrics.ReadsRunning.Add(1)
		snapshot.users.Add(1)
		h.workers.Go(func() {
			for _, j := range jobs {
				j.round.err = j.round.run(j.ctx, snapshot, &h.cfg)
				j.round.cancel()
				h.post(func(*boundary) { h.join(j.round) })
			}
			h.release(snapshot)
			h.metrics.ReadsRunning.Add(-1)
			h.post(func(*boundary) { h.loop.readers-- })
		})
	}
	h.metrics.ReadsWaiting.Store(int64(len(l.ready)))
}

// newRound decides what a hub needs to read, or returns nil where it needs nothing any longer.
func (h *Hubs) newRound(u *hub, b *boundary) *round {
	if !u.wantsRound() {
		return nil
	}
	if u.state == hubDry && len(u.live) == 0 { // nobody's view has to be continued
		h.dropHeld(u)
		u.state = hubCold
	}
	r := &round{hub: u, position: b.position}
	if u.state == hubDry {
		// All hits since the vector at which the window stands are held, and the snapshot covers exactly those.
		r.work = roundRefill
		for i := range u.changes.items {
			r.undo = append(r.undo, u.changes.items[i].change)
		}
		return r
	}
	var later []*subscription
	for _, sub := range u.waiting {
		if sub.detached {
			continue
		}
		if sub.since != nil && !r.addResume(sub) {
			later = append(later, sub)
			continue
		}
		sub.place = placeRound
		r.subscriptions = append(r.subscriptions, sub)
		if sub.since != nil {
			continue
		}
		if !sub.isSilent() && !slices.Contains(r.kinds, sub.kind) {
			r.kinds = append(r.kinds, sub.kind)
		}
	}
	u.waiting = later
	switch {
	case len(r.subscriptions) == 0:
		return nil
	case !u.ordered && len(r.kinds) == 0:
		r.work = roundPast
	case !u.ordered:
		r.work = roundRead
	case u.state == hubCold:
		r.work = roundLoad
	default:
		r.work = roundCopy
		r.documents = u.window.Visible()
	}
	if r.work != roundCopy && r.work != roundPast {
		h.metrics.Reads.Add(1)
	}
	return r
}

// isSilent says whether the subscription is due no result.
func (sub *subscription) isSilent() bool { return sub.silent && !sub.delivered }

// run reads and encodes, in a worker.
func (r *round) run(ctx context.Context, s Snapshot, cfg *Config) error {
	if err := ctx.Err(); err != nil { // nobody wants it any longer
		return err
	}
	u := r.hub
	if err := r.resume(ctx, s, cfg); err != nil {
		return err
	}
	documents := r.documents
	if r.work != roundCopy && r.work != roundPast {
		need := 0
		if r.work != roundRead {
			r.window = matcher.NewWindow(u.query, cfg.Limits)
			need = r.window.Need()
		}
		found, complete, err := s.Find(ctx, u.collection, u.query, need, r.undo)
		if err != nil {
			return fmt.Errorf("read the result: %w", err)
		}
		documents = found
		if r.window != nil {
			if err := r.window.Load(found, complete); err != nil {
				return fmt.Errorf("load the window: %w", err)
			}
			documents = r.window.Visible()
		}
	}
	if len(r.kinds) == 0 {
		return nil
	}
	parts := encodeResult(u.query, documents, r.kinds, r.position, cfg.MaxResultPartBytes, cfg.MaxResultBytes)
	if parts == nil {
		return &matcher.BoundError{Err: ErrResultTooLarge, Name: "maxResultBytes", Bound: int64(cfg.MaxResultBytes)}
	}
	r.parts = parts
	return nil
}

// join takes a round back at a group boundary. Everything that was prepared has been released.
func (h *Hubs) join(r *round) {
	u := r.hub
	u.round = nil
	defer h.markReady(u)
	switch {
	case u.gone:
		return
	case r.stale:
		h.again(r)
		return
	case r.err != nil:
		letGo(h, &u.frames)
		for _, sub := range r.subscriptions {
			if !sub.detached {
				h.endSubscription(sub, r.err)
			}
		}
		if r.work == roundLoad || r.work == roundRefill { // elsewhere the others have a view, which stays exact
			h.endHub(u, r.err)
		}
		return
	}
	u.restarts = 0
	for _, m := range r.resumes {
		if m.postponed {
			h.metrics.ResumesPostponed.Add(1)
		} else {
			h.metrics.Resumes.Add(1)
		}
	}
	frames := letGo(h, &u.frames)
	for _, sub := range r.subscriptions {
		if !sub.detached {
			r.attach(sub, frames)
		}
	}
	if r.work == roundLoad || r.work == roundRefill {
		u.state, u.window = hubStands, r.window
		h.replay(u)
	}
}

// attach gives a subscription what the round read for it, then the frames that were made meanwhile, and makes it live.
func (r *round) attach(sub *subscription, frames []Frame) {
	u, m := r.hub, sub.resume
	sub.resume = nil
	if m != nil && m.postponed {
		u.wait(sub)
		return
	}
	sub.since = nil
	if m != nil {
		sub.delivered = true // the view that its client came back with
		if m.reason != "" {
			sub.kind = resultKind{reset: true, reason: m.reason}
			u.wait(sub)
			return
		}
	}
	u.addLive(sub)
	switch {
	case m != nil:
		for _, f := range m.frames {
			sub.session.push(sub, f)
		}
	case sub.isSilent():
		sub.pushSubscribed(r.position)
	case sub.session.pushResult(sub, r.parts[sub.kind]):
		sub.delivered = true
	}
	for _, f := range frames {
		sub.session.push(sub, f)
	}
}

// again lets the subscriptions of a stale round wait for another one.
func (h *Hubs) again(r *round) {
	u := r.hub
	var err error
	if u.restarts >= MaxReadAttempts {
		err = fmt.Errorf("%w: %d reads in a row had more than maxHeldBytes %d of changes come in meanwhile; narrow the filter or raise maxHeldBytes",
			ErrReadOverrun, u.restarts, h.cfg.MaxHeldBytes)
		u.restarts = 0
	}
	for _, sub := range r.subscriptions {
		switch {
		case sub.detached:
		case err != nil:
			h.endSubscription(sub, err)
		default:
			u.wait(sub)
		}
	}
}

// replay takes a window that has just been loaded through the changes held meanwhile.
func (h *Hubs) replay(u *hub) {
	changes := letGo(h, &u.changes)
	for i, c := range changes {
		frame, some, err := h.events(u, c)
		switch {
		case errors.Is(err, matcher.ErrWindowDry):
			h.runDry(u)
			for _, c := range changes[i:] { // fewer than before, so within MaxHeldBytes
				hold(h, &u.changes, c, c.memoryBytes())
			}
			return
		case err != nil:
			h.endHub(u, err)
			return
		case some:
			u.send(frame)
		}
	}
}
