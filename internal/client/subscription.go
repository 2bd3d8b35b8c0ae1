package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// MaxFrameBytes bounds one message of the server; a larger one ends the connection.
	MaxFrameBytes = 64 << 20
	// MaxProblemBytes bounds what is read of an answer that refuses the connection.
	MaxProblemBytes = 64 << 10

	handshakeTimeout = 10 * time.Second
	firstBackoff     = 250 * time.Millisecond
	maxBackoff       = 10 * time.Second
	subprotocol      = "freshet.v1"
	subscriptionID   = "s1"
)

// ErrEnded means that the server ended the subscription and asking again would not help.
var ErrEnded = errors.New("the server ended the subscription")

// ErrUnreachable means that there was no connection, ever.
var ErrUnreachable = errors.New("the server cannot be reached")

// Query is what to subscribe to. The JSON texts are sent as they are; nil leaves one out.
type Query struct {
	Collection string          `json:"collection"`
	Filter     json.RawMessage `json:"filter,omitempty"`
	Sort       json.RawMessage `json:"sort,omitempty"`
	Skip       int             `json:"skip,omitempty"`
	Limit      int             `json:"limit,omitempty"`
	Fields     json.RawMessage `json:"fields,omitempty"`
	Collation  json.RawMessage `json:"collation,omitempty"`
	Values     string          `json:"values,omitempty"`
}

// Subscription keeps one live query going.
type Subscription struct {
	URL   string // of the server: http or https
	Token string // access token, "" for none
	Query Query
	// Handle is called with every frame, in order; its error ends Run, but for ErrOutOfStep, which starts anew.
	Handle func(Frame) error
	// Lost is called when a connection is over and another will be tried after the wait. May be nil.
	Lost func(cause error, wait time.Duration)

	position, queryKey string
	subscribed         bool // a connection once got as far as that
	failures           int  // connections in a row that did not
}

// LiveURL is the WebSocket address of a server's base URL.
func LiveURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("read the URL %q: %w", base, err)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	default:
		return "", fmt.Errorf("the URL %q does not begin with http:// or https://; give for example http://127.0.0.1:4680", base)
	}
	if u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("the URL %q is not the address of a server; give for example http://127.0.0.1:4680", base)
	}
	return u.JoinPath("v1", "live").String(), nil
}

// Run subscribes and hands on frames until ctx ends (nil), the server says that it is over, or Handle fails.
func (s *Subscription) Run(ctx context.Context) error {
	address, err := LiveURL(s.URL)
	if err != nil {
		return err
	}
	for {
		again, err := s.connect(ctx, address)
		if ctx.Err() != nil {
			return nil
		}
		if !again {
			return err
		}
		s.failures++
		wait := Backoff(s.failures, rand.Float64())
		if s.Lost != nil {
			s.Lost(err, wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Backoff is how long to wait after the n-th failure in a row (from 1): it doubles up to a bound, and random in [0,1)
// spreads it over the upper half, so that a crowd of clients does not come back at once.
func Backoff(n int, random float64) time.Duration {
	d := maxBackoff
	if n < 8 {
		d = min(maxBackoff, firstBackoff<<(n-1))
	}
	return d/2 + time.Duration(random*float64(d/2))
}

// connect runs one connection to its end and says whether another one is worth trying.
func (s *Subscription) connect(ctx context.Context, address string) (again bool, err error) {
	conn, again, err := s.dial(ctx, address)
	if err != nil {
		return again, err
	}
	stop := context.AfterFunc(ctx, func() {
		// A close that cannot be written is as good as one that was: the connection goes next.
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		_ = conn.Close()
	})
	defer stop()
	defer func() { _ = conn.Close() }() // everything that matters has been read
	if err := s.subscribe(conn); err != nil {
		return true, err
	}
	return s.read(conn)
}

func (s *Subscription) dial(ctx context.Context, address string) (*websocket.Conn, bool, error) {
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: handshakeTimeout, Subprotocols: []string{subprotocol}}
	header := http.Header{}
	if s.Token != "" {
		header.Set("Authorization", "Bearer "+s.Token)
	}
	conn, response, err := dialer.DialContext(ctx, address, header)
	switch {
	case err == nil:
		conn.SetReadLimit(MaxFrameBytes)
		return conn, true, nil
	case response == nil && s.subscribed:
		return nil, true, err
	case response == nil:
		return nil, false, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	problem := refusal(response)
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return nil, s.subscribed, problem
	}
	return nil, false, fmt.Errorf("%w: %w", ErrEnded, problem)
}

// refusal reads the problem of an answer that is not a WebSocket.
func refusal(response *http.Response) error {
	problem := &Problem{}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxProblemBytes))
	if err != nil || json.Unmarshal(body, problem) != nil || problem.Code == "" {
		problem = &Problem{Detail: "the server answered " + response.Status + " instead of opening a WebSocket", Status: response.StatusCode}
	}
	return problem
}

func (s *Subscription) subscribe(conn *websocket.Conn) error {
	frame := struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Query
		Since    string `json:"since,omitempty"`
		QueryKey string `json:"queryKey,omitempty"`
	}{"subscribe", subscriptionID, s.Query, s.position, s.queryKey}
	text, err := json.Marshal(frame)
	if err != nil {
		return fmt.Errorf("encode the subscription: %w", err)
	}
	return write(conn, text)
}

func write(conn *websocket.Conn, text []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	return conn.WriteMessage(websocket.TextMessage, text)
}

// read hands on frames until the connection is over, and says whether another one is worth trying.
func (s *Subscription) read(conn *websocket.Conn) (again bool, err error) {
	silence := 2 * handshakeTimeout // until hello says how often there is a sign of life
	for {
		if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return true, err
		}
		_, message, err := conn.ReadMessage()
		if err != nil {
			return closed(err)
		}
		frames, err := ParseFrames(message)
		if err != nil {
			return false, err
		}
		for _, f := range frames {
			if f.Type == "hello" && f.HeartbeatSeconds > 0 {
				silence = 2*time.Duration(f.HeartbeatSeconds)*time.Second + handshakeTimeout
			}
			if again, err := s.take(conn, f); err != nil {
				return again, err
			}
		}
	}
}

// take deals with one frame. An error ends the connection.
func (s *Subscription) take(conn *websocket.Conn, f Frame) (again bool, err error) {
	if err := s.Handle(f); errors.Is(err, ErrOutOfStep) {
		s.position, s.queryKey = "", ""
		return true, err
	} else if err != nil {
		return false, err
	}
	switch f.Type {
	case "ping":
		return true, write(conn, []byte(`{"type":"pong"}`))
	case "subscribed":
		s.subscribed, s.failures, s.queryKey = true, 0, f.QueryKey
	case "error":
		if f.Problem == nil {
			f.Problem = &Problem{Detail: "the server sent an error without a problem"}
		}
		return f.Problem.Retryable, fmt.Errorf("%w: %w", ErrEnded, f.Problem)
	case "unsubscribed":
		return false, ErrEnded
	}
	// The position of `subscribed` stands before a result that has not come; resuming there would show an empty view.
	if f.Position != "" && f.Type != "subscribed" {
		s.position = f.Position
	}
	return true, nil
}

// closed judges the end of a connection by its close code: 4500 to 4999 say do not come back.
func closed(err error) (again bool, _ error) {
	var closing *websocket.CloseError
	if errors.As(err, &closing) {
		reason := strings.TrimSpace(fmt.Sprintf("close code %d %s", closing.Code, closing.Text))
		if closing.Code >= 4500 && closing.Code <= 4999 {
			return false, fmt.Errorf("%w: %s", ErrEnded, reason)
		}
		return true, errors.New(reason)
	}
	return true, err
}
