package fanout

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/freshetdb/freshet/matcher"
)

// boundary is one group boundary: the vector at which everything that happens in it stands.
type boundary struct {
	vector   matcher.Vector
	position string
}

// sharedSnapshot is a snapshot that several workers read; the last one closes it.
type sharedSnapshot struct {
	Snapshot
	users atomic.Int32
}

// release ends one use.
func (h *Hubs) release(s *sharedSnapshot) {
	if s.users.Add(-1) > 0 {
		return
	}
	if err := s.Close(); err != nil {
		select {
		case h.failures <- fmt.Errorf("close snapshot: %w", err):
		default: // one failure is enough to end Run
		}
	}
}

// atBoundary runs on the apply loop between two groups: it serves what was posted, then starts reads.
func (h *Hubs) atBoundary(ctx context.Context, s Snapshot) {
	snapshot := &sharedSnapshot{Snapshot: s}
	snapshot.users.Store(1)
	h.mu.Lock()
	if h.stopped || ctx.Err() != nil { // the store came to it too late
		h.mu.Unlock()
		h.release(snapshot)
		return
	}
	h.workers.Add(1) // stop waits for this as for a worker
	defer h.workers.Done()
	defer h.release(snapshot)
	requests := h.requests
	if len(requests) > MaxBoundaryRequests {
		requests, h.requests = requests[:MaxBoundaryRequests:MaxBoundaryRequests], requests[MaxBoundaryRequests:]
	} else {
		h.requests = nil
	}
	var sessions []*Session
	if len(h.progress) > 0 {
		sessions, h.progress = h.progress[0], h.progress[1:]
	}
	more := len(h.requests) > 0 || len(h.progress) > 0
	h.mu.Unlock()

	h.metrics.Boundaries.Add(1)
	v := s.Vector()
	b := &boundary{vector: v, position: v.String()}
	for _, f := range requests {
		f(b)
	}
	h.startRounds(ctx, snapshot, b)
	if len(sessions) > 0 {
		progress := Frame{Type: FrameProgress, Body: bodyProgress(b.position), Position: b.position}
		for _, session := range sessions {
			session.progress(progress)
		}
	}
	if more {
		h.want()
	}
}

// register attaches a new subscription to its hub and answers `subscribed`. From here on the hub follows every change.
func (h *Hubs) register(sub *subscription, b *boundary) {
	if sub.detached || sub.session.isEnded(sub) {
		return // its session let it go meanwhile; detach has come or comes
	}
	if h.loop.fences.dropped(sub.request.Collection) {
		h.endSubscription(sub, ErrCollectionDropped)
		return
	}
	if err := sub.request.Query.LiveError(h.cfg.Limits); err != nil {
		h.endSubscription(sub, err)
		return
	}
	u := h.loop.byKey[sub.queryKey]
	if u == nil {
		u = h.addHub(sub)
	}
	sub.hub = u
	u.subscriptions++
	h.metrics.Subscriptions.Add(1)
	if sub.request.NoInitial && sub.request.Since == "" {
		sub.silent = true
		if u.follows() {
			sub.pushSubscribed(b.position)
			u.addLive(sub)
			return
		}
		// Without a window there are no events: `subscribed` says where they begin, so it waits for the window.
	} else {
		if sub.request.Since != "" {
			sub.readSince(b)
		}
		from := b.position
		if sub.since != nil {
			from = sub.request.Since
		}
		sub.pushSubscribed(from)
	}
	u.wait(sub)
	h.markReady(u)
}

// refresh moves lagging subscriptions, whose queue has been drained, to where they get a fresh result.
func (h *Hubs) refresh(lagging []*subscription) {
	for _, sub := range lagging {
		if sub.detached || sub.place != placeLive || !sub.session.isMuted(sub) {
			continue // gone, or a result is on its way already
		}
		sub.hub.removeLive(sub)
		if sub.delivered {
			sub.silent = false
			sub.kind = resultKind{reset: true, reason: ReasonSlowConsumer}
		}
		sub.hub.wait(sub)
		h.markReady(sub.hub)
	}
}

// detach lets a subscription go that its session has ended.
func (h *Hubs) detach(sub *subscription) {
	if sub.detached {
		return
	}
	sub.detached = true
	sub.session.released()
	u := sub.hub
	if u == nil {
		return // never registered
	}
	if sub.place == placeLive {
		u.removeLive(sub)
	}
	sub.place = placeNone // waiting lists and rounds pass it over
	u.subscriptions--
	h.metrics.Subscriptions.Add(-1)
	if u.subscriptions == 0 {
		h.removeHub(u)
	}
}

// pushSubscribed answers `subscribed`, a subscription's first frame.
func (sub *subscription) pushSubscribed(position string) {
	sub.delivered = sub.silent
	body := bodySubscribed(sub.hub.key, sub.hub.ordered, position, sub.request.Warnings)
	sub.session.pushAnswer(sub, Frame{Type: FrameSubscribed, Body: body, Position: position})
}

// endSubscription ends a subscription with an error, its last frame.
func (h *Hubs) endSubscription(sub *subscription, err error) {
	if sub.session.end(sub, err) {
		h.detach(sub)
	}
}
