package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/internal/client"
)

const session = `{"type":"hello","session":"x","version":"1"}
{"id":"s1","type":"subscribed","queryKey":"k","ordered":true,"position":"p0","warnings":[{"code":"collection-created","detail":"made just now"}]}
{"id":"s1","type":"result","documents":[{"_id":"ci37","mag":4}],"position":"p1"}
{"id":"s1","type":"change","events":[{"match":"add","operation":"insert","_id":"a b","index":0,"document":{"_id":"a b","mag":5}}],"position":"p2"}
{"id":"s1","type":"change","events":[{"match":"changeIndex","operation":"update","_id":"ci37","previousIndex":1,"index":0,"document":{"_id":"ci37","mag":6}}],"position":"p3"}
{"id":"s1","type":"change","events":[{"match":"remove","operation":"delete","_id":"a b","previousIndex":1}],"position":"p4"}`

// playback is a server that sends the session's frames, then one more, and closes.
func playback(t *testing.T, last string) *httptest.Server {
	t.Helper()
	upgrader := websocket.Upgrader{Subprotocols: []string{"freshet.v1"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t1" {
			http.Error(w, `{"status":401,"code":"unauthorized","detail":"no access token"}`, http.StatusUnauthorized)
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		defer func() { _ = conn.Close() }()
		if _, _, err := conn.ReadMessage(); err != nil {
			t.Errorf("read the subscription: %v", err)
		}
		for frame := range strings.SplitSeq(session+"\n"+last, "\n") {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

const ended = `{"id":"s1","type":"error","problem":{"status":410,"detail":"the collection was dropped","code":"collection-dropped"}}`

func TestSubPrintsOneLineAnEvent(t *testing.T) {
	t.Parallel()
	s := playback(t, ended)
	r := invoke(t, []string{"FRESHET_URL=" + s.URL, "FRESHET_TOKEN=t1"}, "sub", "quakes", "--sort", "-mag")
	want := `result 1
document 0 ci37 {"_id":"ci37","mag":4}
add 0 "a b" {"_id":"a b","mag":5}
changeIndex 1>0 ci37 {"_id":"ci37","mag":6}
remove 1 "a b"
`
	if r.stdout != want {
		t.Errorf("got\n%s\nwant\n%s", r.stdout, want)
	}
	if r.code != ExitFailure || r.stderr != "freshet: warning: made just now [collection-created]\n"+
		"freshet: the server ended the subscription: the collection was dropped [collection-dropped]\n" {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

func TestSubPrintsFramesAsReceived(t *testing.T) {
	t.Parallel()
	s := playback(t, ended)
	r := invoke(t, nil, "sub", "quakes", "--json", "--url", s.URL, "--token", "t1")
	if want := session + "\n" + ended + "\n"; r.stdout != want {
		t.Errorf("got\n%s\nwant\n%s", r.stdout, want)
	}
}

func TestSubWithoutTokenIsToldHow(t *testing.T) {
	t.Parallel()
	s := playback(t, ended)
	r := invoke(t, nil, "sub", "quakes", "--url", s.URL)
	if r.code != ExitFailure || !strings.Contains(r.stderr, "no access token [unauthorized]; give an access token with --token") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

// The table shows the view after each frame, what changed last, and a lost connection.
func TestLiveTableShowsTheView(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := Program{Stdout: &out, Environ: []string{"NO_COLOR=1"}}
	l := newLiveTable(p, -1, subOptions{collection: "quakes", queryOptions: queryOptions{sort: "-mag", limit: 10}}, client.Query{})
	for line := range strings.SplitSeq(session, "\n") {
		frames, err := client.ParseFrames([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		out.Reset() // keep what the last frame drew
		l.mu.Unlock()
		if err := l.handle(frames[0]); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		text := out.String()
		l.mu.Unlock()
		if strings.Contains(line, `"a b","index":0`) {
			for _, want := range []string{"quakes  sort -mag  limit 10", "2 documents  |  add a b at 0 (insert)", "+ a b     5", "  ci37    4"} {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in %q", want, text)
				}
			}
		}
	}
	l.mu.Lock()
	out.Reset()
	l.mu.Unlock()
	l.lost(client.ErrUnreachable, time.Second)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.Contains(text, "connection lost") || !strings.Contains(text, "trying again in 1s") || !strings.HasSuffix(text, "\x1b[?25h") {
		t.Errorf("drew %q", text)
	}
}
