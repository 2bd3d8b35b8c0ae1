package gateway

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// connectionHeadroom is how many connections beyond the bound are let in to be told so; those beyond are closed.
const connectionHeadroom = 256

// countingListener counts open connections, those that were taken over by WebSockets included.
type countingListener struct {
	net.Listener
	open *atomic.Int64
	max  int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.max {
			return &countedConn{Conn: conn, open: l.open}, nil
		}
		l.open.Add(-1)
		_ = conn.Close() // it was never used
	}
}

type countedConn struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// socketSet is the open WebSockets, which http.Server does not know.
type socketSet struct {
	mu     sync.Mutex
	open   map[*socket]struct{}
	closed bool
	empty  chan struct{} // closed once closed and open is empty
}

// add is false once the server is stopping.
func (s *socketSet) add(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[*socket]struct{}{}
	}
	s.open[k] = struct{}{}
	return true
}

func (s *socketSet) remove(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.open, k); s.closed && len(s.open) == 0 {
		close(s.empty)
	}
}

// closeAll tells every client that the server is stopping.
func (s *socketSet) closeAll() {
	s.mu.Lock()
	s.closed, s.empty = true, make(chan struct{})
	list := make([]*socket, 0, len(s.open))
	for k := range s.open {
		list = append(list, k)
	}
	if len(list) == 0 {
		close(s.empty)
	}
	s.mu.Unlock()
	for _, k := range list {
		go k.close(closeDrain) // a client that does not read must not keep the others waiting
	}
}

// wait waits until all sockets are gone, and cuts off those that are not in time.
func (s *socketSet) wait(ctx context.Context) error {
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	list := make([]*socket, 0, len(s.open))
	for k := range s.open {
		list = append(list, k)
	}
	s.mu.Unlock()
	for _, k := range list {
		_ = k.conn.Close() // the reader and the writer end with it
	}
	<-s.empty
	return nil
}

// count is the number of open sockets.
func (s *socketSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
