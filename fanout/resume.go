package fanout

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/freshetdb/freshet/matcher"
)

// resume is a position that subscriptions of one hub want to go on from, and the frames that lead from there to the
// round's snapshot. A worker fills it in.
type resume struct {
	since  matcher.Vector
	frames []Frame
	bytes  int    // of the frames
	reason string // not empty: it cannot be; the subscriptions get a fresh result that says so

	postponed bool // to the next round, because those before it filled this one
}

// readSince decides at the boundary whether a position given by a client can be gone on from. What the history holds is
// only known to the worker that reads it.
func (sub *subscription) readSince(b *boundary) {
	r := &sub.request
	since, err := matcher.ParseVector(r.Since)
	switch {
	case r.SinceKey != "" && r.SinceKey != sub.queryKey:
		sub.kind = resultKind{reset: true, reason: ReasonOtherQuery}
	case err != nil || !b.vector.Covers(since):
		sub.kind = resultKind{reset: true, reason: ReasonOtherTimeline}
	default:
		sub.since = &since
	}
}

// addResume notes that sub goes on from its position in this round. Those of one position share the frames. It is false if
// the round has enough other positions.
func (r *round) addResume(sub *subscription) bool {
	for _, known := range r.resumes {
		if known.since.Equal(*sub.since) {
			sub.resume = known
			return true
		}
	}
	if len(r.resumes) >= MaxResumesPerRound {
		return false
	}
	sub.resume = &resume{since: *sub.since}
	r.resumes = append(r.resumes, sub.resume)
	return true
}

// resume goes on from the positions of the round, one at least, until their frames fill MaxResumeBytes.
func (r *round) resume(ctx context.Context, s Snapshot, cfg *Config) error {
	total := 0
	for i, m := range r.resumes {
		if m.postponed = i > 0 && total >= cfg.MaxResumeBytes; m.postponed {
			continue
		}
		if err := m.run(ctx, s, r.hub, cfg); err != nil {
			return err
		}
		total += m.bytes
	}
	return nil
}

// run reads the changes since the position and makes frames of what they do to the query's result.
func (m *resume) run(ctx context.Context, s Snapshot, u *hub, cfg *Config) error {
	past, err := s.History(ctx, u.collection, m.since, cfg.MaxResumeBytes)
	switch {
	case errors.Is(err, ErrHistoryGone):
		m.reason = ReasonNoHistory
		return nil
	case errors.Is(err, ErrHistoryTooLarge):
		m.reason = ReasonTooManyChanges
		return nil
	case err != nil:
		return fmt.Errorf("read the history: %w", err)
	}
	t := track{ctx: ctx, snapshot: s, hub: u, limits: cfg.Limits, changes: make([]*matcher.Change, len(past))}
	for i := range past {
		if t.changes[i] = past[i].Change; t.changes[i].Fence != matcher.FenceNone {
			m.reason = ReasonTruncated // a dropped collection ends its subscriptions before this
			return nil
		}
	}
	err = m.follow(&t, past, cfg.MaxResumeBytes)
	if _, ok := errors.AsType[*matcher.Error](err); ok { // the result was larger then than a window may be
		m.reason, err = ReasonNoHistory, nil
	}
	if m.reason != "" {
		m.frames, m.bytes = nil, 0
	}
	return err
}

// follow makes the frames of the changes. A small change can bring a large document into a window, so that they have a
// bound of their own.
func (m *resume) follow(t *track, past []matcher.Past, maxBytes int) error {
	if err := t.begin(); err != nil {
		return err
	}
	for i := range t.changes {
		if err := t.step(i); err != nil {
			return err
		}
		if len(t.events) == 0 {
			continue
		}
		t.scratch = appendChange(t.scratch[:0], t.hub.query, t.events, t.hub.ordered, past[i].At)
		f := Frame{Type: FrameChange, Body: bytes.Clone(t.scratch), Position: past[i].At}
		if m.bytes += f.cost(); m.bytes > maxBytes {
			m.reason = ReasonTooManyChanges
			return nil
		}
		m.frames = append(m.frames, f)
	}
	return nil
}

// track takes a query's result through changes of the past, from a position to the snapshot.
type track struct {
	ctx      context.Context
	snapshot Snapshot
	hub      *hub
	limits   matcher.Limits
	changes  []*matcher.Change
	window   *matcher.Window // of an ordered query
	events   []matcher.Event // of the last step
	scratch  []byte
}

// begin reads the window as it was before the first change.
func (t *track) begin() error {
	if !t.hub.ordered || len(t.changes) == 0 {
		return nil
	}
	return t.load(0)
}

// load reads the window as it was before changes[i].
func (t *track) load(i int) error {
	window := matcher.NewWindow(t.hub.query, t.limits)
	found, complete, err := t.snapshot.Find(t.ctx, t.hub.collection, t.hub.query, window.Need(), t.changes[i:])
	if err != nil {
		return fmt.Errorf("read the window of the past: %w", err)
	}
	if err := window.Load(found, complete); err != nil {
		return fmt.Errorf("load the window of the past: %w", err)
	}
	t.window = window
	return nil
}

// step applies changes[i].
func (t *track) step(i int) error {
	c := t.changes[i]
	u := t.hub
	h := heldChange{change: c}
	var err error
	if h.before, h.after, err = u.query.DecideChange(c); err != nil {
		return fmt.Errorf("match a change of the past: %w", err)
	}
	t.events, err = u.eventsOf(t.window, h, t.events[:0])
	if errors.Is(err, matcher.ErrWindowDry) {
		if err := t.load(i); err != nil {
			return err
		}
		t.events, err = u.eventsOf(t.window, h, t.events[:0])
	}
	if err != nil {
		return fmt.Errorf("apply a change of the past: %w", err)
	}
	return nil
}
