package storage

import (
	"sync"

	"github.com/freshetdb/freshet/matcher"
)

// pending is what the apply loop has not settled yet: the requests that wait for it, in the order in which it decides
// them, and for every key with a write on its way the state that the last one of these will leave, its *head*. A write
// that comes next builds on that, so that writes to one key do not wait for each other's sync.
//
// One mutex is above all of it: a write becomes the head of its key and the last in line in one step, so what builds on
// a head is always behind it. Nothing is called and nothing waits under it.
type pending struct {
	metrics *Metrics

	mutex    sync.Mutex
	closed   error      // why nothing more is taken
	waiting  []*request // not taken by the loop yet
	requests int        // waiting or taken, not settled
	bytes    int64      // of these
	idle     bool       // the loop waits for wake
	wake     chan struct{}
	heads    map[cacheKey]*speculation
	ids      map[requestKey]struct{} // request ids of the writes on their way
	settled  uint64                  // groups settled: while it stands, no applied state has changed
	doubted  bool                    // by tests: writes that became no head are on their way, so no write is steady
}

// speculation is the head of a key. Readers never see it.
type speculation struct {
	document *matcher.Document // nil: deleted
	writeID  matcher.WriteID
	writes   int // on their way
}

// standing is what a writer saw of a key: the state to build on, and what must still hold as it gets in line.
type standing struct {
	Head
	inFlight bool   // the state is not applied yet
	repeated bool   // a write with the same request id is on its way
	settled  uint64 // groups settled when it was read
	unsteady bool   // it need not be the last applied one: the loop finds out
}

func newPending(metrics *Metrics) *pending {
	return &pending{
		metrics: metrics,
		wake:    make(chan struct{}, 1), heads: map[cacheKey]*speculation{}, ids: map[requestKey]struct{}{},
	}
}

// look returns what is on its way for a key; where that is nothing, inFlight is false and the applied state counts.
func (p *pending) look(k cacheKey, id requestKey) (s standing) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	s.settled = p.settled
	if id.id != "" {
		_, s.repeated = p.ids[id]
	}
	if h, ok := p.heads[k]; ok {
		s.inFlight, s.Document, s.WriteID = true, h.document, h.writeID
	}
	return s
}

// place says how putting a request in line went.
type place uint8

const (
	placed     place = iota
	superseded       // another write of the key came first: compute anew
	unsteady         // writes were applied meanwhile: whether to this key, the applied state says
)

// put puts a request in line. One that makes a state must build on the head of its key, and becomes it.
func (p *pending) put(r *request, seen *standing) (place, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch {
	case p.closed != nil:
		return placed, p.closed
	case p.requests >= MaxWaitingWrites:
		return placed, &matcher.BoundError{Err: ErrOverloaded, Name: "MaxWaitingWrites", Bound: MaxWaitingWrites}
	case p.bytes+int64(r.bytes) > MaxWaitingBytes && p.requests > 0:
		return placed, &matcher.BoundError{Err: ErrOverloaded, Name: "MaxWaitingBytes", Bound: MaxWaitingBytes}
	}
	if seen != nil {
		if where := p.advance(r, seen); where != placed {
			return where, nil
		}
	}
	r.counted = true
	p.requests++
	p.metrics.WaitingWrites.Add(1)
	p.bytes += int64(r.bytes)
	p.metrics.WaitingBytes.Store(p.bytes)
	p.waiting = append(p.waiting, r)
	if p.idle {
		p.idle = false
		select {
		case p.wake <- struct{}{}:
		default: // the loop has been woken and did not look yet
		}
	}
	return placed, nil
}

// advance makes a write the head of its key. mutex is held.
func (p *pending) advance(r *request, seen *standing) place {
	it := &r.items[0]
	k, id := it.cacheKey(), it.requestKey()
	if id.id != "" {
		if _, twice := p.ids[id]; twice {
			return superseded
		}
	}
	h, ok := p.heads[k]
	switch {
	case ok && h.writeID != seen.WriteID:
		return superseded
	case !ok && p.settled != seen.settled && !seen.unsteady:
		return unsteady
	case !ok:
		h = &speculation{}
		p.heads[k] = h
		// No write to the key has been on its way since the state was read, and what comes now is behind this one. Fences go
		// by epochs.
		it.steady = p.settled == seen.settled && !p.doubted
	}
	h.document, h.writeID = it.after, it.record.WriteID
	h.writes++
	r.head = h
	if id.id != "" {
		p.ids[id] = struct{}{}
	}
	return placed
}

// take moves the requests of the next group to dst. If there are none, the next put wakes the loop.
func (p *pending) take(dst []*request) []*request {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	n, bytes := 0, 0
	for n < len(p.waiting) && n < MaxGroupWrites && bytes < MaxGroupBytes {
		bytes += p.waiting[n].bytes
		n++
	}
	dst = append(dst, p.waiting[:n]...)
	rest := copy(p.waiting, p.waiting[n:])
	clear(p.waiting[rest:])
	p.waiting = p.waiting[:rest]
	p.idle = n == 0
	return dst
}

// settle forgets requests that were decided and applied. A head that a rejected write led to is given up at once: what
// builds on it will be rejected too, and what comes next goes by the applied state.
func (p *pending) settle(requests []*request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.settled++
	for _, r := range requests {
		if r.counted {
			p.requests--
			p.metrics.WaitingWrites.Add(-1)
			p.bytes -= int64(r.bytes)
			p.metrics.WaitingBytes.Store(p.bytes)
		}
		if r.head == nil {
			continue
		}
		it := &r.items[0]
		if id := it.requestKey(); id.id != "" {
			delete(p.ids, id)
		}
		r.head.writes--
		if r.head.writes == 0 || it.verdict != accepted {
			if k := it.cacheKey(); p.heads[k] == r.head {
				delete(p.heads, k)
			}
		}
	}
}

// close refuses what comes from now on.
func (p *pending) close(reason error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.closed == nil {
		p.closed = reason
	}
}
