package transfer

import "sync"

// pendingWrites are the writes that have no answer yet, oldest first.
type pendingWrites struct {
	mu     sync.Mutex
	room   *sync.Cond
	writes []write
	bytes  int
	sent   int // how many of them were sent on this connection
	closed bool
	// ids are those of the sent ones. A second write to a document waits for the answer to the first, so that they are made
	// in order even if the first has to be sent again.
	ids map[string]bool
}

func (p *pendingWrites) init() { p.room, p.ids = sync.NewCond(&p.mu), map[string]bool{} }

// again has all of them sent again, on a new connection.
func (p *pendingWrites) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.closed = 0, false
	clear(p.ids)
}

// close wakes whoever waits for room.
func (p *pendingWrites) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.room.Broadcast()
}

// next is the next of them that was not sent on this connection, if there is one. It counts as sent, unless an earlier
// write to its document has no answer (early).
func (p *pendingWrites) next() (w write, ok, early bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == len(p.writes) {
		return w, false, false
	}
	if w = p.writes[p.sent]; w.id != "" {
		if p.ids[w.id] {
			return w, true, true
		}
		p.ids[w.id] = true
	}
	p.sent++
	return w, true, false
}

// waitFor waits until no write to a document is without its answer, and reports whether that came about.
func (p *pendingWrites) waitFor(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ids[id] && !p.closed {
		p.room.Wait()
	}
	return !p.closed
}

// full reports whether nothing more may be added.
func (p *pendingWrites) full() bool {
	return len(p.writes) >= MaxPendingWrites || p.bytes >= MaxPendingBytes
}

// wait waits for room and reports whether there will be any.
func (p *pendingWrites) wait() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.full() && !p.closed {
		p.room.Wait()
	}
	return !p.closed
}

// hasRoom reports whether wait would not wait.
func (p *pendingWrites) hasRoom() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.full()
}

// add adds a write that has not been sent.
func (p *pendingWrites) add(w write) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, w)
	p.bytes += len(w.object)
}

// first is the oldest one, if it was sent on this connection.
func (p *pendingWrites) first() (w write, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == 0 {
		return w, false
	}
	return p.writes[0], true
}

// remove takes out the oldest one.
func (p *pendingWrites) remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes -= len(p.writes[0].object)
	delete(p.ids, p.writes[0].id)
	p.writes[0] = write{} // its memory is free
	p.writes = p.writes[1:]
	p.sent--
	p.room.Signal()
}

func (p *pendingWrites) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.writes) == 0
}
