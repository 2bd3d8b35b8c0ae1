package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/freshetdb/freshet/matcher"
)

// Subscribe is a client's request.
type Subscribe struct {
	ID         string
	Collection matcher.CollectionID
	Query      *matcher.Query
	NoInitial  bool   // "initial": false
	Since      string // position to go on from, "" if none
	SinceKey   string // the query key that it came with; "": that of Query is taken
	Warnings   []byte // JSON array for `subscribed`, nil: []
}

// Session is one connection's side: a bounded queue of frames. Its methods may be called from any goroutine; Next
// from one at a time.
type Session struct {
	hubs  *Hubs
	ready chan struct{} // holds a value when the queue or err may have changed

	mu            sync.Mutex
	queue         frameQueue
	subscriptions map[string]*subscription
	unreleased    int             // subscriptions that the apply loop still knows, ended ones included
	lagging       []*subscription // get a fresh result once the queue is empty
	position      string          // of the last frame that had one
	progressed    string          // of the last progress frame
	err           error           // not nil: the session is over
}

// subscription is one client's interest in one registered query.
type subscription struct {
	request  Subscribe
	queryKey string
	session  *Session

	// Owned by the apply loop.
	hub       *hub
	place     place
	index     int  // in hub.live
	detached  bool // the loop is done with it
	kind      resultKind
	since     *matcher.Vector // goes on from here instead of getting a result; nil: does not
	resume    *resume         // of the round that it is in
	silent    bool            // asked for changes only, and so gets no first result
	delivered bool            // has a view: a result was queued, or `subscribed` to a silent one

	// Guarded by session.mu.
	ended bool // its last frame is queued
	muted bool // lagging: gets no change until a result has been queued
}

// place says in which list of its hub a subscription is.
type place uint8

const (
	placeNone    place = iota
	placeWaiting       // for a round to start
	placeRound         // in the round that runs
	placeLive          // gets every frame, unless muted
)

// NewSession makes a session. It must be closed.
func (h *Hubs) NewSession() *Session {
	s := &Session{hubs: h, ready: make(chan struct{}, 1), subscriptions: make(map[string]*subscription)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		s.err = ErrStopped
		return s
	}
	h.sessions[s] = struct{}{}
	h.metrics.Sessions.Add(1)
	return s
}

// Subscribe registers and returns at once; the answer comes as frames. It fails only with ErrIDInUse,
// ErrTooManySubscriptions, which end nothing, or the error of a session that is over.
func (s *Session) Subscribe(r Subscribe) error {
	sub := &subscription{request: r, queryKey: r.Query.Key(r.Collection), session: s}
	if err := s.admit(sub); err != nil {
		return err
	}
	s.hubs.post(func(b *boundary) { s.hubs.register(sub, b) })
	return nil
}

func (s *Session) admit(sub *subscription) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	id, limit := sub.request.ID, s.hubs.cfg.MaxSubscriptions
	if _, used := s.subscriptions[id]; used {
		return fmt.Errorf("subscribe %q: %w", id, ErrIDInUse)
	}
	// Ended subscriptions count until the loop let them go: else subscribe and unsubscribe in turns would pile up.
	if len(s.subscriptions) >= limit || s.unreleased >= 2*limit {
		return &matcher.BoundError{Err: ErrTooManySubscriptions, Name: "maxSubscriptions", Bound: int64(limit)}
	}
	s.subscriptions[id] = sub
	s.unreleased++
	return nil
}

// Unsubscribe ends a subscription, known or not; its last frame is `unsubscribed`.
func (s *Session) Unsubscribe(id string) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	sub, known := s.subscriptions[id]
	if known {
		sub.ended = true
		delete(s.subscriptions, id)
		s.lagging = without(s.lagging, sub)
	}
	f := Frame{Type: FrameUnsubscribed, Subscription: id, Body: bodyUnsubscribed}
	if known {
		f.QueryKey = sub.queryKey
	}
	over := s.answer(f)
	closed := s.err != nil
	s.mu.Unlock()
	if known {
		over = append(over, sub)
	}
	s.settle(over, closed)
}

// Control queues a whole frame of the gateway's. It fails with ErrSlowSession, which ends the session, or the error
// of a session that is over.
func (s *Session) Control(frame []byte) error {
	return s.Answer(Frame{Type: FrameControl, Body: frame})
}

// Answer queues a frame of the gateway's that is never dropped: what a client asked for beside subscriptions. It fails
// as Control does. It may be called on the apply loop.
func (s *Session) Answer(f Frame) error {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return s.err
	}
	over := s.answer(f)
	err := s.err
	s.mu.Unlock()
	s.settle(over, err != nil)
	return err
}

// Next waits for frames and appends them to dst, about MaxTakeBytes at most. It fails when the session was closed, when
// it is too slow, or when ctx ends.
func (s *Session) Next(ctx context.Context, dst []Frame) ([]Frame, error) {
	for {
		s.mu.Lock()
		if s.err != nil {
			defer s.mu.Unlock()
			return dst, s.err
		}
		if s.queue.len() > 0 {
			var lagging []*subscription
			before := s.queue.bytes()
			dst = s.queue.take(dst, MaxTakeBytes)
			s.hubs.metrics.QueuedBytes.Add(int64(s.queue.bytes() - before))
			if s.queue.len() == 0 {
				lagging, s.lagging = s.lagging, nil
			}
			s.mu.Unlock()
			if len(lagging) > 0 {
				s.hubs.post(func(*boundary) { s.hubs.refresh(lagging) })
			}
			return dst, nil
		}
		s.mu.Unlock()
		select {
		case <-s.ready:
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
}

// Close ends all subscriptions of the session, without frames. Next fails from now on.
func (s *Session) Close() { s.finish(ErrSessionClosed) }

func (s *Session) finish(err error) {
	s.mu.Lock()
	over := s.shut(err)
	s.mu.Unlock()
	s.settle(over, true)
}

// shut ends the session and returns the subscriptions that the caller lets go. s.mu is held.
func (s *Session) shut(err error) (over []*subscription) {
	if s.err != nil {
		return nil
	}
	s.err = err
	for _, sub := range s.subscriptions {
		sub.ended = true
		over = append(over, sub)
	}
	s.hubs.metrics.QueuedBytes.Add(-int64(s.queue.bytes()))
	s.subscriptions, s.queue, s.lagging = nil, frameQueue{}, nil
	return over
}

// wake tells Next that the queue or err may have changed.
func (s *Session) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// settle follows a step that may have ended subscriptions or the session: it wakes Next and hands the ended ones to the
// apply loop, which detaches them. Whoever removes a subscription from s.subscriptions sees to that, so it happens
// exactly once. s.mu is not held.
func (s *Session) settle(over []*subscription, closed bool) {
	s.wake()
	if len(over) > 0 {
		s.hubs.post(func(*boundary) {
			for _, sub := range over {
				s.hubs.detach(sub)
			}
		})
	}
	if closed {
		s.hubs.forget(s)
	}
}

// answer queues a frame that is never dropped. Beyond MaxControlBytes it ends the session instead and returns the
// subscriptions that the caller lets go. s.mu is held.
func (s *Session) answer(f Frame) (over []*subscription) {
	if s.queue.controlBytes+f.cost() > MaxControlBytes {
		s.hubs.metrics.SlowSessions.Add(1)
		return s.shut(ErrSlowSession)
	}
	s.enqueue(f)
	return nil
}

func (s *Session) enqueue(f Frame) {
	s.queue.put(f)
	s.hubs.metrics.Frames.Add(1)
	s.hubs.metrics.QueuedBytes.Add(int64(f.cost()))
	if f.Position != "" {
		s.position = f.Position
	}
}

// push queues a frame that the apply loop made for a subscription, or lets the subscription lag where it does not fit.
func (s *Session) push(sub *subscription, f Frame) {
	s.mu.Lock()
	if sub.ended {
		s.mu.Unlock()
		return
	}
	f.Subscription, f.QueryKey = sub.request.ID, sub.queryKey
	if sub.muted || !s.queue.fits(&f, s.hubs.cfg.MaxQueueBytes) {
		s.drop(sub, 1)
		s.mu.Unlock()
		return
	}
	s.enqueue(f)
	s.mu.Unlock()
	s.wake()
}

// drop notes that a subscription did not get n frames. s.mu is held.
func (s *Session) drop(sub *subscription, n int) {
	s.hubs.metrics.Dropped.Add(uint64(n))
	if !sub.muted {
		sub.muted = true
		s.lagging = append(s.lagging, sub)
		s.hubs.metrics.Lagged.Add(1)
	}
}

// pushAnswer queues `subscribed`.
func (s *Session) pushAnswer(sub *subscription, f Frame) {
	s.mu.Lock()
	if sub.ended {
		s.mu.Unlock()
		return
	}
	f.Subscription, f.QueryKey = sub.request.ID, sub.queryKey
	over := s.answer(f)
	closed := s.err != nil
	s.mu.Unlock()
	s.settle(over, closed)
}

// pushResult queues a whole result, after which the subscription gets changes again. It says whether it did: a result
// that does not fit comes later, when the queue has been drained.
func (s *Session) pushResult(sub *subscription, parts []Frame) bool {
	s.mu.Lock()
	if sub.ended {
		s.mu.Unlock()
		return false
	}
	if !s.queue.fitsResult(parts, s.hubs.cfg.MaxQueueBytes) {
		waits := sub.muted
		s.drop(sub, len(parts))
		if waits && !slices.Contains(s.lagging, sub) { // it was taken from the list before this result was read
			s.lagging = append(s.lagging, sub)
		}
		s.mu.Unlock()
		return false
	}
	if sub.muted {
		sub.muted = false
		s.lagging = without(s.lagging, sub)
	}
	for _, f := range parts {
		f.Subscription, f.QueryKey = sub.request.ID, sub.queryKey
		s.enqueue(f)
	}
	s.mu.Unlock()
	s.wake()
	return true
}

// end queues the error that ends a subscription. It says whether it did; the caller then detaches the subscription.
func (s *Session) end(sub *subscription, err error) bool {
	s.mu.Lock()
	if sub.ended {
		s.mu.Unlock()
		return false
	}
	sub.ended = true
	delete(s.subscriptions, sub.request.ID)
	s.lagging = without(s.lagging, sub)
	over := s.answer(Frame{Type: FrameError, Subscription: sub.request.ID, QueryKey: sub.queryKey, Err: err})
	closed := s.err != nil
	s.mu.Unlock()
	s.settle(over, closed)
	return true
}

// progress queues f, the position of a boundary, if every subscription of the session has been sent everything up to it.
// It runs on the apply loop, which owns the places of subscriptions. Invariant 6.
func (s *Session) progress(f Frame) {
	s.mu.Lock()
	// A frame of one subscription says nothing about another one, so only a lone subscription needs no progress after it.
	said := s.progressed == f.Position || len(s.subscriptions) == 1 && s.position == f.Position
	if s.err != nil || len(s.subscriptions) == 0 || said {
		s.mu.Unlock()
		return
	}
	for _, sub := range s.subscriptions {
		if sub.muted || sub.place != placeLive || sub.hub.state == hubDry {
			s.mu.Unlock()
			return
		}
	}
	if !s.queue.fits(&f, s.hubs.cfg.MaxQueueBytes) { // the next one says it as well
		s.mu.Unlock()
		return
	}
	s.progressed = f.Position
	s.enqueue(f)
	s.mu.Unlock()
	s.wake()
}

// released notes that the apply loop has let a subscription go.
func (s *Session) released() {
	s.mu.Lock()
	s.unreleased--
	s.mu.Unlock()
}

// isMuted says whether the subscription still waits for a fresh result.
func (s *Session) isMuted(sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sub.muted && !sub.ended
}

func (s *Session) isEnded(sub *subscription) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sub.ended
}

func (s *Session) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.subscriptions)
}
