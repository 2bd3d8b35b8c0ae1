package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/freshetdb/freshet/matcher"
)

// MaxUpdateTries bounds how often one write is computed anew because the state that it was computed from was not the
// last one.
const MaxUpdateTries = 100

// Update is one write, computed from the state that it replaces.
type Update struct {
	Collection Collection
	ID         string
	// RequestID makes a repeat safe: once a write was accepted under it, every further one is answered with that outcome
	// for MaxRequestLag offsets of the log partition, or with ErrRequestReused if RequestHash is another. "": none.
	RequestID   string
	RequestHash uint64
	// Compute makes the after-image from the current document (nil: there is none). write is the write id to stamp it
	// with. It is called without locks, in the caller's goroutine, and again where the state turned out not to be the
	// last one; the state may be that of a write still on its way, so nothing of it may be shown: what Compute refuses is
	// refused, and what it leaves unchanged is answered, only once that state has been applied.
	Compute func(current *matcher.Document, write matcher.WriteID) (Image, error)
}

// Image is what a write shall leave.
type Image struct {
	After     *matcher.Document // nil: the document is to be deleted
	Unchanged bool              // nothing is to be written
}

// Written is the outcome of a write.
type Written struct {
	Document  *matcher.Document // as stored; nil after a delete
	Operation matcher.Operation // what the write did; none: it left everything as it was
	Repeated  bool              // an earlier write with this request id did it
	Position  matcher.Vector    // applied, durable and readable at least up to here
}

// errRejected is what becomes of a write that was decided over another state than the one it was computed from.
var errRejected = fmt.Errorf("%w: the state that it was computed from is gone", ErrContended)

// Update makes a write and returns its outcome once that is durable and applied. It fails with Compute's error; with
// ErrContended or ErrCollectionChanged where the state that the write was to build on is gone; with ErrOverloaded; with
// ErrRequestReused; with ErrStopped. Of all these nothing was made. With ErrOutcomeUnknown it may have been, or may yet be.
func (s *Store) Update(ctx context.Context, u Update) (Written, error) {
	for range MaxUpdateTries {
		if err := ctx.Err(); err != nil {
			return Written{}, err
		}
		written, err := s.updateOnce(ctx, &u)
		if !errors.Is(err, errRejected) {
			return written, err
		}
	}
	return Written{}, fmt.Errorf("%w %d times", ErrContended, MaxUpdateTries)
}

func (s *Store) updateOnce(ctx context.Context, u *Update) (Written, error) {
	if s.config.Attempts {
		return s.updateApplied(ctx, u)
	}
	r := s.newRequest(u.Collection, u.ID)
	done := r.waitable()
	o := observation{}
	written, queued, err := s.queue(u, r, &o)
	if !queued {
		return written, err
	}
	vector, err := s.wait(ctx, done)
	if err != nil {
		return Written{}, err
	}
	return s.outcome(&r.items[0], &o, vector)
}

// Begin makes a write without waiting. done is called exactly once with what Update would return, except that a write
// that builds on one that failed is not computed again, but fails with ErrContended. It is called either by Begin
// itself or on the apply loop, when the write is durable and readable and before anything of it is released to the
// listener; so it must do bounded work, and must not wait for the store. Writes that one goroutine begins are decided
// in that order. Over a log of attempts Begin waits for the outcome.
func (s *Store) Begin(u Update, done func(Written, error)) {
	if s.config.Attempts {
		done(s.Update(context.Background(), u))
		return
	}
	r := s.newRequest(u.Collection, u.ID)
	o := &observation{}
	r.finish = func(a answer) {
		if a.err != nil {
			done(Written{}, a.err)
			return
		}
		done(s.outcome(&r.items[0], o, a.vector))
	}
	if written, queued, err := s.queue(&u, r, o); !queued {
		done(written, err)
	}
}

// observation is what a write that is not to be made saw: it holds if the state that it saw does.
type observation struct {
	document *matcher.Document
	refusal  error
}

// queue computes a write and puts it in line; where it needs no place in line, it returns the outcome.
func (s *Store) queue(u *Update, r *request, o *observation) (written Written, queued bool, err error) {
	it := &r.items[0]
	if u.RequestID != "" {
		it.record.RequestID, it.record.RequestHash = requestIDOf(u.Collection.App, u.RequestID), u.RequestHash
	}
	size := r.bytes
	for range MaxUpdateTries {
		seen, err := s.standing(u, it, nil)
		if err != nil {
			return Written{}, false, err
		}
		id := s.NewWriteID()
		var image Image
		if seen.repeated { // decided once the first one is
			o.refusal = errRejected
		} else {
			image, o.refusal = u.Compute(seen.Document, id)
		}
		expect := &seen
		if o.refusal != nil || image.Unchanged {
			if !seen.inFlight && it.record.RequestID == "" {
				return Written{Document: seen.Document, Position: s.Vector()}, false, o.refusal
			}
			o.document = seen.Document
			it.observe(seen.Head)
			expect = nil
		} else {
			if err := s.refuse(r); err != nil {
				return Written{}, false, err
			}
			it.build(seen.Head, id, image.After)
		}
		r.bytes = size + len(it.record.After)
		where, err := s.pending.put(r, expect)
		for tries := 0; where == unsteady && err == nil; tries++ {
			where, err = s.putAgain(u, r, &seen, tries >= maxSteadyTries)
		}
		switch {
		case err != nil:
			return Written{}, false, err
		case where == placed:
			if seen.inFlight {
				s.metrics.WritesJoined.Add(1)
			}
			return Written{}, true, nil
		}
	}
	return Written{}, false, fmt.Errorf("%w %d times", ErrContended, MaxUpdateTries)
}

// maxSteadyTries is how often the state of a key is read anew because groups were applied while it was read. Groups may
// come faster than a large document can be read from Pebble; then the write gets in line as it is, and is rejected there if
// its state was superseded.
const maxSteadyTries = 4

// putAgain puts a request in line whose state may have been superseded, if it was not. anyway leaves it to the loop to
// find out what happened since the state was read.
func (s *Store) putAgain(u *Update, r *request, seen *standing, anyway bool) (place, error) {
	now, err := s.standing(u, &r.items[0], seen.Document)
	if err != nil || now.repeated || now.WriteID != seen.WriteID {
		return superseded, err
	}
	seen.settled, seen.unsteady = now.settled, anyway
	return s.pending.put(r, seen)
}

// standing reads what a write has to build on; hint is what it probably is, to save a parse.
func (s *Store) standing(u *Update, it *item, hint *matcher.Document) (standing, error) {
	seen := s.pending.look(it.cacheKey(), it.requestKey())
	if !seen.repeated {
		earlier, err := s.earlier(it)
		if err != nil {
			return seen, err
		}
		seen.repeated = earlier.found
	}
	if seen.inFlight {
		seen.ReadTo = s.published.Load().vector.Next[it.partition]
		return seen, nil
	}
	head, err := s.headOf(u.Collection, u.ID, hint)
	seen.Head = head
	return seen, err
}

// earlier is what is remembered of the item's request id, as of what is applied now.
func (s *Store) earlier(it *item) (remembered, error) {
	key := it.requestKey()
	now := s.published.Load()
	if key.id == "" || now.catalog.genesis == nil {
		return remembered{}, nil
	}
	m, err := readRemembered(s.db, key)
	if err != nil || !m.counts(now.vector.Next[key.partition], now.catalog.genesis.constants().maxRequestLag) {
		return remembered{}, err
	}
	return m, nil
}

// observe makes the item a question: does the state that head names still stand once everything before it is decided?
func (it *item) observe(head Head) {
	it.build(head, matcher.WriteID{}, nil)
	it.observes = true
}

// outcome is what became of a decided item.
func (s *Store) outcome(it *item, o *observation, vector matcher.Vector) (Written, error) {
	switch it.verdict {
	case accepted:
		if it.observes {
			return Written{Document: o.document, Position: vector}, o.refusal
		}
		return Written{Document: it.after, Operation: it.record.Operation, Position: vector}, nil
	case repeated:
		return s.repeat(it, vector)
	case rejectedReuse:
		return Written{}, ErrRequestReused
	case rejectedEpoch:
		return Written{}, ErrCollectionChanged
	}
	return Written{}, errRejected
}

// repeat is the first outcome of a request, once more.
func (s *Store) repeat(it *item, vector matcher.Vector) (w Written, err error) {
	w = Written{Operation: it.earlier.operation, Repeated: true, Position: vector}
	if it.earlier.text != nil {
		if w.Document, err = matcher.Parse(it.earlier.text, storedLimits(s.config.Limits)); err != nil {
			return Written{}, fmt.Errorf("read the outcome of a request: %w", err)
		}
	}
	return w, nil
}

// updateApplied makes a write over a log of attempts, from applied states alone: a copy of an attempt whose base had not
// been applied where it was computed could be accepted after a first copy was rejected.
func (s *Store) updateApplied(ctx context.Context, u *Update) (Written, error) {
	r := s.newRequest(u.Collection, u.ID)
	it := &r.items[0]
	it.record.RequestID, it.record.RequestHash = requestIDOf(u.Collection.App, u.RequestID), u.RequestHash
	if written, done, err := s.repeatApplied(it); done {
		return written, err
	}
	head, err := s.Head(u.Collection, u.ID)
	if err != nil {
		return Written{}, err
	}
	id := s.NewWriteID()
	image, err := u.Compute(head.Document, id)
	if err != nil || image.Unchanged {
		// What it refuses may be the work of an earlier request with the same id; then that one is remembered by now.
		if written, done, err := s.repeatApplied(it); done {
			return written, err
		}
		return Written{Document: head.Document, Position: s.Vector()}, err
	}
	it.build(head, id, image.After)
	vector, err := s.submit(ctx, r)
	if err != nil {
		return Written{}, err
	}
	return s.outcome(it, &observation{}, vector)
}

// repeatApplied answers a request that was accepted before.
func (s *Store) repeatApplied(it *item) (w Written, done bool, err error) {
	m, err := s.earlier(it)
	switch {
	case err != nil:
		return w, true, err
	case !m.found:
		return w, false, nil
	case m.hash != it.record.RequestHash:
		return w, true, ErrRequestReused
	}
	if err := readOutcome(s.db, it.requestKey(), &m); err != nil {
		return w, true, err
	}
	it.earlier = m
	w, err = s.repeat(it, s.Vector())
	return w, true, err
}
