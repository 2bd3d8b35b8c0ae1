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
}

func (p *pendingWrites) init() { p.room = sync.NewCond(&p.mu) }

// again has all of them sent again, on a new connection.
func (p *pendingWrites) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.closed = 0, false
}

// close wakes whoever waits for room.
func (p *pendingWrites) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.room.Broadcast()
}

// next is the next of them that was not sent on this connection. It counts as sent.
func (p *pendingWrites) next() (w write, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == len(p.writes) {
		return w, false
	}
	p.sent++
	return p.writes[p.sent-1], true
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
