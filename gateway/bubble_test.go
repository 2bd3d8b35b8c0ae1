package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/fanout"
)

// pipeListener is a listener whose connections are pipes in memory. In a bubble of synctest all that waits for one, or for
// a time, is seen to wait: the time goes on only then, so that a busy machine changes nothing.
type pipeListener struct {
	address net.TCPAddr
	dialled chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func newPipeListener(port int) *pipeListener {
	return &pipeListener{address: net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, dialled: make(chan net.Conn), closed: make(chan struct{})}
}

// pipeConn is one end of a pipe that says that it is on loopback.
type pipeConn struct {
	net.Conn
	address *net.TCPAddr
}

func (c pipeConn) RemoteAddr() net.Addr { return c.address }
func (c pipeConn) LocalAddr() net.Addr  { return c.address }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.dialled <- pipeConn{server, &l.address}:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.dialled:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &l.address }

// startInBubble starts a node that is called through pipes. It is for synctest.Test.
func startInBubble(t *testing.T, cfg Config, hubsConfig fanout.Config) *testServer {
	t.Helper()
	public := newPipeListener(4680)
	s := startServerOn(t, public, newPipeListener(4681), cfg, hubsConfig)
	transport := &http.Transport{DialContext: public.dial}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: transport}
	s.dialer.NetDialContext = public.dial
	return s
}

func TestSocketHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beat, patience = 25 * time.Second, 10 * time.Second
		s := startInBubble(t, Config{Dev: true, HeartbeatInterval: beat, WriteTimeout: patience}, fanout.Config{})
		start := time.Now()
		k := s.open()
		must(t, k.conn.SetReadDeadline(time.Time{}))
		var pings []time.Duration
		k.conn.SetPingHandler(func(string) error { // answers nothing: the server must give up
			pings = append(pings, time.Since(start))
			return nil
		})
		time.Sleep(beat/8 - 1) // so early that no deadline is moved for it
		k.send(`{"type":"pong"}`)
		silent := time.Now()
		var frames []time.Duration
		for {
			_, text, err := k.conn.ReadMessage()
			if err != nil {
				if !websocket.IsCloseError(err, closeSlow) {
					t.Fatalf("ended with %v", err)
				}
				break
			}
			if string(text) == `{"type":"ping"}` {
				frames = append(frames, time.Since(start))
			}
		}
		want := fmt.Sprint([]time.Duration{beat, 2 * beat})
		if fmt.Sprint(pings) != want || fmt.Sprint(frames) != want {
			t.Fatalf("pings at %v, ping frames at %v, want both at %s", pings, frames, want)
		}
		// Deadlines are moved when that matters, not on every frame: a client may have a little more time.
		if after, least := time.Since(silent), 2*beat+patience; after < least || after > least+beat/8 {
			t.Fatalf("a silent client was closed after %v, want %v to %v", after, least, least+beat/8)
		}
	})
}

// A client whose writes wait for the store is not read from meanwhile, and is not taken for a silent one.
func TestSocketWhoseWritesWaitStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beat = 25 * time.Second
		s := startInBubble(t, Config{Dev: true, HeartbeatInterval: beat}, fanout.Config{})
		s.do("PUT", "/v1/db/pages", "").want(201)
		k := s.open()
		must(t, k.conn.SetReadDeadline(time.Time{}))
		k.conn.SetPingHandler(func(string) error { return nil }) // nothing would be read of an answer
		release := make(chan struct{})
		held := s.hold(release)
		const writes = MaxSessionWrites + 10
		go func() {
			for i := range writes {
				k.send(`{"type":"write","id":"w%d","operation":"insert","collection":"pages","document":{}}`, i)
			}
		}()
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			for i := range writes {
				k.want("written", fmt.Sprint("w", i))
			}
		}()
		time.Sleep(10 * beat)
		close(release)
		must(t, <-held)
		<-answered
	})
}

func TestSocketThatOnlyAnswersPingsStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startInBubble(t, Config{Dev: true, HeartbeatInterval: 25 * time.Second}, fanout.Config{})
		k := s.open()
		must(t, k.conn.SetReadDeadline(time.Time{}))
		start := time.Now()
		for range 100 {
			if _, text, err := k.conn.ReadMessage(); err != nil || string(text) != `{"type":"ping"}` {
				t.Fatalf("%s, %v after %v", text, err, time.Since(start))
			}
		}
	})
}

// A client that does not read is cut off, and holds up neither the others nor the drain.
func TestSlowSocketIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 10 * time.Second
		s := startInBubble(t, Config{Dev: true, WriteTimeout: patience}, fanout.Config{MaxQueueBytes: 64 << 10})
		slow := s.open()
		slow.send(`{"type":"subscribe","id":"s1","collection":"pages"}`)
		slow.want("subscribed", "s1")
		quick := s.open()
		quick.send(`{"type":"subscribe","id":"s1","collection":"pages","fields":["n"]}`)
		quick.want("subscribed", "s1")
		quick.want("result", "s1")
		start := time.Now()
		var reading sync.WaitGroup
		reading.Go(func() {
			for n := 0; n < 80; {
				n += len(quick.want("change", "s1")["events"].([]any))
			}
		})
		text := strings.Repeat("x", 200<<10)
		for i := range 80 {
			s.do("PUT", fmt.Sprintf("/v1/db/pages/p%d", i), fmt.Sprintf(`{"n":%d,"text":%q}`, i, text)).want(201)
		}
		reading.Wait()
		if after := time.Since(start); after != 0 {
			t.Fatalf("the writes and the quick client waited %v for the slow one", after)
		}
		if n := s.gateway.sockets.count(); n != 2 {
			t.Fatalf("%d sockets are open, want 2", n)
		}
		time.Sleep(patience - 1)
		synctest.Wait()
		if n := s.gateway.sockets.count(); n != 2 {
			t.Fatalf("%d sockets are open before the write timeout, want 2", n)
		}
		time.Sleep(deadlineSlack + 1)
		synctest.Wait()
		if n := s.gateway.sockets.count(); n != 1 {
			t.Fatalf("%d sockets are open after the write timeout, want 1", n)
		}
	})
}
