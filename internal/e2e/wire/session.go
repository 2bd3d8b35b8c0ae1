package wire

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
)

const (
	// MaxQueuedFrames bounds the frames that were read and not yet taken; beyond it the session stops reading, as a
	// slow client would.
	MaxQueuedFrames = 1 << 16
	// MaxDialWait bounds the handshake.
	MaxDialWait = 20 * time.Second
)

// ErrTimeout says that no frame came in time.
var ErrTimeout = errors.New("no frame came in time")

// ErrForm says that a message breaks the protocol's form.
var ErrForm = errors.New("the message breaks the protocol's form")

// Frame is one frame of the server.
type Frame struct {
	ID      string // of a subscription or request, "" if the frame has none
	Type    string
	Object  oracle.Object // the whole frame
	EventID string        // SSE only: the id line
	Raw     string
}

// Session is a WebSocket connection.
type Session struct {
	connection *websocket.Conn
	frames     chan Frame
	err        error // why reading ended; read it after frames was closed

	mu sync.Mutex // of writes to connection
}

// Dial opens a session and takes its `hello` frame.
func Dial(address string) (*Session, Frame, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"freshet.v1"}, HandshakeTimeout: MaxDialWait}
	connection, response, err := dialer.Dial("ws://"+address+"/v1/live", nil)
	if err != nil {
		return nil, Frame{}, fmt.Errorf("open a session: %w", err)
	}
	if got := response.Header.Get("Sec-WebSocket-Protocol"); got != "freshet.v1" {
		return nil, Frame{}, errors.Join(fmt.Errorf("%w: subprotocol %q", ErrForm, got), connection.Close())
	}
	s := &Session{connection: connection, frames: make(chan Frame, MaxQueuedFrames)}
	go s.read()
	hello, err := s.Next(MaxDialWait)
	if err == nil && hello.Type != "hello" {
		err = fmt.Errorf("%w: the first frame is %s", ErrForm, hello.Raw)
	}
	if err != nil {
		return nil, Frame{}, errors.Join(err, s.Close())
	}
	return s, hello, nil
}

func (s *Session) read() {
	defer close(s.frames)
	for {
		_, text, err := s.connection.ReadMessage()
		if err != nil {
			s.err = err
			return
		}
		f, err := parseFrame(text)
		if err != nil {
			s.err = err
			return
		}
		if f.Type == "ping" {
			if err := s.Send(oracle.Object{{Name: "type", Value: "pong"}}); err != nil {
				s.err = err
				return
			}
			continue
		}
		s.frames <- f
	}
}

// parseFrame checks the form that all frames share.
func parseFrame(text []byte) (Frame, error) {
	o, err := oracle.DecodeObject(text)
	if err != nil {
		return Frame{}, fmt.Errorf("%w: %w: %.200q", ErrForm, err, text)
	}
	f := Frame{Type: o.Text("type"), Object: o, Raw: string(text)}
	if f.Type == "" {
		return Frame{}, fmt.Errorf("%w: no type in %.200q", ErrForm, text)
	}
	if _, ok := o.Get("id"); ok {
		if f.ID = o.Text("id"); f.ID == "" || !strings.HasPrefix(f.Raw, `{"id":`) {
			return Frame{}, fmt.Errorf("%w: the id is no text that stands first in %.200q", ErrForm, text)
		}
	}
	return f, nil
}

// Next takes the next frame. After the connection's end it returns the reason.
func (s *Session) Next(timeout time.Duration) (Frame, error) {
	return next(s.frames, timeout, &s.err)
}

func next(frames <-chan Frame, timeout time.Duration, reason *error) (Frame, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case f, ok := <-frames:
		if !ok {
			return Frame{}, *reason
		}
		return f, nil
	case <-timer.C:
		return Frame{}, fmt.Errorf("%w (%v)", ErrTimeout, timeout)
	}
}

// Send writes one frame.
func (s *Session) Send(frame oracle.Object) error { return s.SendText(oracle.Encode(frame)) }

// SendText writes one message as it stands, also one with values that the oracle does not know.
func (s *Session) SendText(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.connection.WriteMessage(websocket.TextMessage, text); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

// Subscribe asks for a live query. since is left out where it is "".
func (s *Session) Subscribe(id, collection string, q oracle.Query, since string) error {
	return s.Send(SubscribeFrame(id, collection, q, since))
}

// SubscribeFrame is the frame that Subscribe sends.
func SubscribeFrame(id, collection string, q oracle.Query, since string) oracle.Object {
	f := oracle.Object{{Name: "type", Value: "subscribe"}, {Name: "id", Value: id}, {Name: "collection", Value: collection}}
	add := func(name string, value any) { f = append(f, oracle.Field{Name: name, Value: value}) }
	if q.Filter != nil {
		add("filter", q.Filter)
	}
	if text := q.SortText(); text != "" {
		add("sort", oracle.MustObject(text))
	}
	if q.Skip > 0 {
		add("skip", q.Skip)
	}
	if q.Limit > 0 {
		add("limit", q.Limit)
	}
	if q.Fields != nil {
		add("fields", fieldList(q))
	}
	if q.Collation != nil {
		add("collation", oracle.MustObject(q.Collation.Text()))
	}
	if since != "" {
		add("since", since)
	}
	return f
}

// Unsubscribe asks for the subscription's end.
func (s *Session) Unsubscribe(id string) error {
	return s.Send(oracle.Object{{Name: "type", Value: "unsubscribe"}, {Name: "id", Value: id}})
}

// Close ends the connection and its reader.
func (s *Session) Close() error {
	err := s.connection.Close()
	for range s.frames { // the reader may be waiting for room
	}
	return err
}
