package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/fanout"
)

// subprotocol is the one that the server speaks.
const subprotocol = "freshet.v1"

// closeWait is how long a client may take to answer a close message.
const closeWait = 2 * time.Second

// socket is one WebSocket: a session of fanout and the connection that it is written to.
type socket struct {
	g       *Gateway
	app     string
	conn    *websocket.Conn
	writer  frameWriter
	session *fanout.Session
	ctx     context.Context // ends with the socket

	batch         atomic.Bool
	authenticated bool      // of the reader alone
	heard         time.Time // of the reader alone: when the client was given time last

	writes  chan struct{} // holds a value for each write whose answer was not taken; its capacity is the bound
	written chan struct{} // closed once nothing more is written to the socket

	mu      sync.Mutex
	ids     map[string]idUse // of the subscriptions and writes whose last frame was not written yet
	closing bool
}

// idUse is what a client's id stands for.
type idUse uint8

const (
	useSubscription idUse = iota + 1
	useWrite
)

// socketBuffers are lent to connections while gorilla writes, which is in the handshake alone.
var socketBuffers sync.Pool

// live answers GET /v1/live: the WebSocket.
func (c *call) live() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	if !websocket.IsWebSocketUpgrade(c.r) {
		c.w.Header().Set("Upgrade", "websocket")
		return problemf("upgrade-required", "This path is a WebSocket; open it with ws:// or wss://.")
	}
	if err := c.access.checkOrigin(c.r); err != nil {
		return err
	}
	if offered := websocket.Subprotocols(c.r); len(offered) > 0 && !slices.Contains(offered, subprotocol) {
		return problemf("header-invalid", "The subprotocols offered are %s; this server speaks %s.", strings.Join(offered, ", "), subprotocol)
	}
	authenticated := c.cfg.Dev
	if _, given := bearer(c.r); given && !authenticated {
		if err := c.access.checkCaller(c.r); err != nil {
			return err
		}
		authenticated = true
	}
	var failed error
	upgrader := websocket.Upgrader{
		Subprotocols: []string{subprotocol}, WriteBufferSize: 1024, WriteBufferPool: &socketBuffers,
		CheckOrigin: func(*http.Request) bool { return true }, // checked above, by the same rule as CORS
		Error:       func(_ http.ResponseWriter, _ *http.Request, _ int, reason error) { failed = reason },
	}
	conn, err := upgrader.Upgrade(rawWriter(c.w), c.r, nil)
	if err != nil {
		if failed == nil {
			return http.ErrAbortHandler // the connection was taken over already
		}
		return &Problem{Code: "header-invalid", Detail: "The WebSocket handshake is not valid: " + failed.Error() + "."}
	}
	c.metrics.sockets.Inc()
	defer c.metrics.sockets.Dec()
	c.serveSocket(conn, c.route.app, authenticated)
	return nil
}

// serveSocket runs a socket until it ends: this goroutine reads, another writes.
func (g *Gateway) serveSocket(conn *websocket.Conn, app string, authenticated bool) {
	ctx, cancel := context.WithCancel(g.background)
	defer cancel()
	s := &socket{
		g: g, app: app, conn: conn, ctx: ctx, session: g.hubs.NewSession(), ids: map[string]idUse{}, authenticated: authenticated,
		writes: make(chan struct{}, MaxSessionWrites), written: make(chan struct{}),
		writer: &socketWriter{conn: conn.NetConn(), timeout: g.cfg.WriteTimeout, sent: g.metrics.sentFrames},
	}
	defer func() { _ = conn.Close() }() // a second close does nothing
	defer s.session.Close()
	if !g.sockets.add(s) {
		s.close(closeDrain)
		return
	}
	defer g.sockets.remove(s)

	conn.SetPingHandler(func(text string) error {
		s.extend()
		return s.writer.control(websocket.PongMessage, []byte(text))
	})
	conn.SetPongHandler(func(string) error { s.extend(); return nil })
	conn.SetCloseHandler(func(code int, _ string) error {
		return s.writer.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
	})
	if err := s.session.Control(g.hello()); err != nil {
		s.close(closeDrain)
		return
	}
	s.deadline(g.cfg.AuthTimeout)
	s.extend()
	var writing sync.WaitGroup
	writing.Go(s.write)
	heartbeat := s.beat()
	s.read()
	heartbeat.Stop()
	s.session.Close()
	_ = conn.Close() // ends a write that hangs; the close message was written or could not be
	writing.Wait()
}

// beat pings the client over and over, until the session is closed or the returned timer stopped.
func (s *socket) beat() *time.Timer {
	var timer *time.Timer
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(s.g.cfg.HeartbeatInterval, func() {
		if s.session.Control([]byte(`{"type":"ping"}`)) != nil || s.writer.control(websocket.PingMessage, nil) != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		timer.Reset(s.g.cfg.HeartbeatInterval)
	})
	return timer
}

// hello is the first frame of every session.
func (g *Gateway) hello() []byte {
	text, err := json.Marshal(struct {
		Type             string           `json:"type"`
		Session          string           `json:"session"`
		Version          string           `json:"version"`
		Features         []string         `json:"features"`
		HeartbeatSeconds float64          `json:"heartbeatSeconds"`
		Limits           map[string]int64 `json:"limits"`
	}{"hello", uuid.NewString(), g.cfg.Version, []string{"batch", "write", "resume"}, g.cfg.HeartbeatInterval.Seconds(), g.limits()})
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	return text
}

// write hands the session's frames to the socket until either ends (invariant 6).
func (s *socket) write() {
	defer close(s.written)
	var frames []fanout.Frame
	for {
		var err error
		frames, err = s.session.Next(s.ctx, frames[:0])
		switch {
		case errors.Is(err, fanout.ErrSlowSession):
			s.close(closeSlow)
			return
		case errors.Is(err, fanout.ErrStopped):
			s.close(closeDrain)
			return
		case err != nil:
			return
		}
		s.forgetEnded(frames)
		if err := s.writer.writeFrames(frames, s.batch.Load()); err != nil {
			_ = s.conn.Close() // the reader ends with it
			return
		}
		clear(frames)
	}
}

// read takes messages until the connection ends.
func (s *socket) read() {
	var limited io.LimitedReader // one byte more than may be: so a message that is too large is known
	for {
		kind, reader, err := s.conn.NextReader()
		if err != nil {
			s.ended(err)
			return
		}
		message := messages.Get().(*bytes.Buffer)
		limited = io.LimitedReader{R: reader, N: s.g.cfg.MaxFrameBytes + 1}
		if _, err := message.ReadFrom(&limited); err != nil {
			return
		}
		if !s.isClosing() { // else the client's close message is waited for
			s.take(kind, message.Bytes())
		}
		if message.Cap() <= messageKeepBytes {
			message.Reset()
			messages.Put(message)
		}
	}
}

// messages lends the room for a message while it is taken: nothing of it is kept. messageKeepBytes is how much may stay.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const messageKeepBytes = 64 << 10

// take takes one message. text is valid until it returns.
func (s *socket) take(kind int, text []byte) {
	switch {
	case int64(len(text)) > s.g.cfg.MaxFrameBytes:
		s.close(closeLimit)
	case kind != websocket.TextMessage:
		s.close(closeProtocol)
	default:
		s.extend()
		s.takeMessage(text)
	}
}

// ended looks at why reading ended: a client that said nothing for too long is told.
func (s *socket) ended(err error) {
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() || s.isClosing() {
		return
	}
	if s.authenticated {
		s.close(closeSlow)
	} else {
		s.close(closeNotAuthorised)
	}
}

// extend gives the client time until it must be heard of again. One that may not do anything yet gets no more time. Of what
// comes within a part of a heartbeat only the first counts, and the deadline is the later for it: each costs a timer.
func (s *socket) extend() {
	now, part := time.Now(), s.g.cfg.HeartbeatInterval/8
	if s.authenticated && now.Sub(s.heard) >= part {
		s.heard = now
		s.deadline(2*s.g.cfg.HeartbeatInterval + part + s.g.cfg.WriteTimeout)
	}
}

func (s *socket) deadline(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		_ = s.conn.SetReadDeadline(time.Now().Add(d)) // fails only on a connection that is closed
	}
}

func (s *socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// close ends the socket with a code of the table. The reader waits a little for the client's answer.
func (s *socket) close(code int) {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	s.mu.Unlock()
	if !first {
		return
	}
	s.session.Close()
	err := s.writer.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, closeReason(code)))
	if err != nil {
		_ = s.conn.Close()
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(closeWait)) // fails only on a connection that is closed
}
