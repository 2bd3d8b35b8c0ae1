package fanout

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

// Hubs is the set of a node's hubs. It implements storage.Listener. Run blocks until ctx ends.
type Hubs struct {
	cfg      Config
	store    Store
	metrics  Metrics
	wanted   chan struct{} // holds a value when something waits for a boundary
	failures chan error    // of workers; the first one ends Run
	workers  sync.WaitGroup

	mu       sync.Mutex
	requests []func(*boundary) // in order of arrival
	progress [][]*Session      // one slice a boundary
	sessions map[*Session]struct{}
	stopped  bool

	loop loopState
}

// loopState belongs to the apply loop.
type loopState struct {
	engine       *matcher.Engine
	byKey        map[string]*hub
	byOrdinal    []*hub
	byCollection map[matcher.CollectionID][]*hub
	ready        []*hub // want a round
	readers      int    // workers that run
	fences       fences

	// Between Prepare and Release.
	pending []delivery

	// Kept for their room.
	vector  matcher.Vector
	hits    []matcher.Hit
	events  []matcher.Event
	scratch []byte
}

// delivery is what Release does for one hub: a frame for its live subscriptions, or their end.
type delivery struct {
	hub   *hub
	frame Frame
	err   error
}

// New makes the hubs over a store. cfg should have passed Validate.
func New(cfg Config, store Store) *Hubs {
	return &Hubs{
		cfg: cfg.withDefaults(), store: store,
		wanted: make(chan struct{}, 1), failures: make(chan error, 1),
		sessions: make(map[*Session]struct{}),
		loop: loopState{
			engine:       matcher.NewEngine(),
			byKey:        make(map[string]*hub),
			byCollection: make(map[matcher.CollectionID][]*hub),
			fences:       newFences(),
		},
	}
}

// Config is the configuration with its defaults.
func (h *Hubs) Config() Config { return h.cfg }

// Run serves subscriptions until ctx ends, and then ends all sessions with ErrStopped. It fails where the store does.
func (h *Hubs) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer h.stop()
	defer cancel()
	ticks := h.cfg.ProgressTicks
	if ticks == nil {
		ticker := time.NewTicker(h.cfg.ProgressInterval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-h.failures:
			return err
		case <-ticks:
			h.askProgress()
		case <-h.wanted:
			err := h.store.Boundary(ctx, func(s Snapshot) { h.atBoundary(ctx, s) })
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("wait for a group boundary: %w", err)
			}
		}
	}
}

// stop waits for the workers and ends the sessions.
func (h *Hubs) stop() {
	h.mu.Lock()
	h.stopped = true
	h.requests, h.progress = nil, nil
	sessions := h.sessions
	h.sessions = nil
	h.mu.Unlock()
	h.workers.Wait()
	for s := range sessions {
		h.metrics.Sessions.Add(-1)
		s.finish(ErrStopped)
	}
}

// Prepare matches the changes of a group and encodes what they do, on the apply loop. Nothing is sent yet.
func (h *Hubs) Prepare(g *matcher.Group) {
	l := &h.loop
	l.vector.Incarnation = g.Before.Incarnation
	l.vector.Next = append(l.vector.Next[:0], g.Before.Next...)
	for i, c := range g.Changes {
		l.vector.Advance(c.Position)
		if c.Fence != matcher.FenceNone {
			h.fence(c, g.Changes[i+1:])
			continue
		}
		l.hits = l.engine.Match(c, l.hits[:0])
		if len(l.hits) == 0 {
			continue
		}
		position := l.vector.String()
		for _, hit := range l.hits {
			h.hit(l.byOrdinal[hit.Query], heldChange{change: c, before: hit.Before, after: hit.After, err: hit.Err, position: position})
		}
	}
	h.metrics.Changes.Add(uint64(len(g.Changes)))
}

// Release sends what Prepare made, once the group is durable. Invariant 1.
func (h *Hubs) Release() {
	for i := range h.loop.pending {
		d := &h.loop.pending[i]
		if d.err != nil {
			h.endHub(d.hub, d.err)
			continue
		}
		d.hub.send(d.frame)
	}
	clear(h.loop.pending)
	h.loop.pending = h.loop.pending[:0]
}

// post hands f to the apply loop; it runs at a group boundary.
func (h *Hubs) post(f func(*boundary)) {
	h.mu.Lock()
	if !h.stopped {
		h.requests = append(h.requests, f)
	}
	h.mu.Unlock()
	h.want()
}

// want asks for a group boundary.
func (h *Hubs) want() {
	select {
	case h.wanted <- struct{}{}:
	default:
	}
}

// forget drops a session that is over.
func (h *Hubs) forget(s *Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.sessions[s]; known {
		delete(h.sessions, s)
		h.metrics.Sessions.Add(-1)
	}
}

// askProgress cuts the sessions into slices of about MaxProgressSubscriptions; each boundary serves one.
func (h *Hubs) askProgress() {
	h.mu.Lock()
	busy := h.stopped || len(h.progress) > 0 // the last round is still under way
	var all []*Session
	if !busy {
		all = make([]*Session, 0, len(h.sessions))
		for s := range h.sessions {
			all = append(all, s)
		}
	}
	h.mu.Unlock()

	var slices [][]*Session
	first, n := 0, 0
	for i, s := range all {
		if n += 1 + s.count(); n >= MaxProgressSubscriptions || i == len(all)-1 {
			slices = append(slices, all[first:i+1])
			first, n = i+1, 0
		}
	}
	if len(slices) == 0 {
		return
	}
	h.mu.Lock()
	if !h.stopped {
		h.progress = slices
	}
	h.mu.Unlock()
	h.want()
}
