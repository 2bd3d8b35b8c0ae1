package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// server is a script of connections: each function plays the server's side of one, then the connection ends.
func server(t *testing.T, script ...func(*websocket.Conn) error) *httptest.Server {
	t.Helper()
	turns := make(chan func(*websocket.Conn) error, len(script))
	for _, s := range script {
		turns <- s
	}
	close(turns)
	upgrader := websocket.Upgrader{Subprotocols: []string{subprotocol}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		defer func() { _ = conn.Close() }()
		turn, ok := <-turns
		if !ok {
			t.Error("one connection too many")
			return
		}
		if err := turn(conn); err != nil {
			t.Errorf("server's side: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func send(conn *websocket.Conn, texts ...string) error {
	for _, text := range texts {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

func expect(conn *websocket.Conn, want string) error {
	_, got, err := conn.ReadMessage()
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	return nil
}

func closeWith(conn *websocket.Conn, code int, text string) error {
	return conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
}

const hello = `{"type":"hello","session":"x","version":"1","heartbeatSeconds":25}`

// Invariant 3: a close code below 4500 brings the query back from the last position, and one above does not.
func TestResumesFromTheLastPositionUntilToldToStop(t *testing.T) {
	t.Parallel()
	s := server(t, func(conn *websocket.Conn) error {
		return errors.Join(
			send(conn, hello),
			expect(conn, `{"type":"subscribe","id":"s1","collection":"c","filter":{"a":1},"limit":3}`),
			send(conn, `{"id":"s1","type":"subscribed","queryKey":"k","ordered":true,"position":"p0"}`,
				`[{"id":"s1","type":"result","documents":[{"_id":"a"}],"position":"p1"},{"type":"progress","position":"p2"}]`, `{"type":"ping"}`),
			expect(conn, `{"type":"pong"}`),
			closeWith(conn, 4001, "drain"))
	}, func(conn *websocket.Conn) error {
		return errors.Join(
			expect(conn, `{"type":"subscribe","id":"s1","collection":"c","filter":{"a":1},"limit":3,"since":"p2","queryKey":"k"}`),
			send(conn, `{"id":"s1","type":"subscribed","queryKey":"k","ordered":true,"position":"p2"}`,
				`{"id":"s1","type":"change","events":[{"match":"add","_id":"b","index":1,"document":{"_id":"b"}}],"position":"p3"}`),
			closeWith(conn, 4502, "limit"))
	})
	var view View
	var lost []string
	sub := Subscription{URL: s.URL, Query: Query{Collection: "c", Filter: []byte(`{"a":1}`), Limit: 3}, Handle: view.Apply,
		Lost: func(cause error, _ time.Duration) { lost = append(lost, cause.Error()) }}
	err := sub.Run(t.Context())
	if !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "4502") {
		t.Errorf("ended with %v", err)
	}
	if len(view.Documents) != 2 || view.Position != "p3" {
		t.Errorf("view %+v", view)
	}
	if len(lost) != 1 || !strings.Contains(lost[0], "4001") {
		t.Errorf("lost %q", lost)
	}
}

// A view that does not fit is read again from the start, without a position.
func TestStartsAnewWhenOutOfStep(t *testing.T) {
	t.Parallel()
	const first = `{"type":"subscribe","id":"s1","collection":"c"}`
	s := server(t, func(conn *websocket.Conn) error {
		return errors.Join(expect(conn, first),
			send(conn, `{"id":"s1","type":"subscribed","queryKey":"k","ordered":true,"position":"p0"}`,
				`{"id":"s1","type":"change","events":[{"match":"remove","_id":"b","previousIndex":4}],"position":"p1"}`))
	}, func(conn *websocket.Conn) error {
		return errors.Join(expect(conn, first), send(conn, `{"id":"s1","type":"unsubscribed"}`))
	})
	var view View
	sub := Subscription{URL: s.URL, Query: Query{Collection: "c"}, Handle: view.Apply}
	if err := sub.Run(t.Context()); !errors.Is(err, ErrEnded) {
		t.Errorf("ended with %v", err)
	}
}

func TestProblemEndsTheSubscription(t *testing.T) {
	t.Parallel()
	s := server(t, func(conn *websocket.Conn) error {
		return send(conn, hello, `{"id":"s1","type":"error","problem":{"title":"T","status":400,"detail":"no such operator $gg","code":"operator-unknown","path":"/a/$gg"}}`)
	})
	sub := Subscription{URL: s.URL, Query: Query{Collection: "c"}, Handle: func(Frame) error { return nil }}
	err := sub.Run(t.Context())
	var problem *Problem
	if !errors.Is(err, ErrEnded) || !errors.As(err, &problem) || problem.Error() != "no such operator $gg (at /a/$gg) [operator-unknown]" {
		t.Errorf("ended with %v", err)
	}
}

func TestRefusedHandshakeIsReadable(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("Authorization %q", got)
		}
		w.WriteHeader(http.StatusUnauthorized)
		if _, err := w.Write([]byte(`{"status":401,"code":"unauthorized","detail":"this access token is not valid"}`)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	sub := Subscription{URL: s.URL, Token: "secret", Handle: func(Frame) error { return nil }}
	if err := sub.Run(t.Context()); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "this access token is not valid [unauthorized]") {
		t.Errorf("ended with %v", err)
	}
	s2 := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s2.Close)
	sub = Subscription{URL: s2.URL, Handle: func(Frame) error { return nil }}
	if err := sub.Run(t.Context()); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("ended with %v", err)
	}
}

func TestUnreachableFailsAtOnce(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	sub := Subscription{URL: s.URL, Handle: func(Frame) error { return nil }}
	if err := sub.Run(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("ended with %v", err)
	}
}

func TestContextEndsQuietly(t *testing.T) {
	t.Parallel()
	closed := make(chan error, 1)
	s := server(t, func(conn *websocket.Conn) error {
		if err := send(conn, hello); err != nil {
			return err
		}
		for {
			if _, _, err := conn.ReadMessage(); err != nil {
				closed <- err
				return nil
			}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	sub := Subscription{URL: s.URL, Query: Query{Collection: "c"}, Handle: func(f Frame) error {
		cancel()
		return nil
	}}
	if err := sub.Run(ctx); err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := <-closed; !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the server saw %v", err)
	}
}

func TestHandlerErrorEnds(t *testing.T) {
	t.Parallel()
	s := server(t, func(conn *websocket.Conn) error { return send(conn, hello) })
	stop := errors.New("stop")
	sub := Subscription{URL: s.URL, Handle: func(Frame) error { return stop }}
	if err := sub.Run(t.Context()); !errors.Is(err, stop) {
		t.Errorf("ended with %v", err)
	}
}
