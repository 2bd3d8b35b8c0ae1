package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

var testLimits = matcher.Limits{}.WithDefaults()

// testStream is a client of server-sent events.
type testStream struct {
	t      testing.TB
	answer *http.Response
	lines  *bufio.Scanner
	lastID string
}

func (s *testServer) stream(path, body string, headers ...string) *testStream {
	s.t.Helper()
	method := "GET"
	if body != "" {
		method = "POST"
	}
	r := s.request(method, s.base+path, body, append([]string{"Accept: text/event-stream"}, headers...)...)
	ctx, cancel := context.WithCancel(r.Context())
	answer, err := http.DefaultClient.Do(r.WithContext(ctx))
	must(s.t, err)
	s.t.Cleanup(func() {
		cancel()
		_ = answer.Body.Close()
	})
	if answer.StatusCode != 200 {
		text, _ := io.ReadAll(answer.Body)
		s.t.Fatalf("%s: %d %s", path, answer.StatusCode, text)
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"} {
		if got := answer.Header.Get(name); got != want {
			s.t.Fatalf("%s is %q", name, got)
		}
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	k := &testStream{t: s.t, answer: answer, lines: lines}
	if block := k.block(); len(block) != 1 || block[0] != "retry: 2000" {
		s.t.Fatalf("the stream begins with %q", block)
	}
	return k
}

// block reads up to an empty line; nil at the end.
func (k *testStream) block() (lines []string) {
	for k.lines.Scan() {
		if k.lines.Text() == "" {
			return lines
		}
		lines = append(lines, k.lines.Text())
	}
	return nil
}

// want returns the data of the next event, which must have this name.
func (k *testStream) want(name string) map[string]any {
	k.t.Helper()
	for {
		block := k.block()
		if block == nil {
			k.t.Fatalf("the stream ended, want %s (%v)", name, k.lines.Err())
		}
		event, data := "", ""
		for _, line := range block {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "event":
				event = value
			case "data":
				data = value
			case "id":
				k.lastID = value
			}
		}
		if event == "" {
			continue // a comment or progress
		}
		if event != name {
			k.t.Fatalf("event %s %s, want %s", event, data, name)
		}
		var frame map[string]any
		if err := json.Unmarshal([]byte(data), &frame); err != nil || frame["id"] != nil {
			k.t.Fatalf("data of %s: %v in %s", event, err, data)
		}
		return frame
	}
}

// ended reads to the end of the stream.
func (k *testStream) ended() {
	for k.lines.Scan() {
	}
}

// Invariant 7.
func TestStreamQuery(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages/a", `{"n":1}`).want(201)
	for _, open := range []func() *testStream{
		func() *testStream { return s.stream("/v1/db/pages"+queryString("filter", `{"n":1}`), "") },
		func() *testStream { return s.stream("/v1/db/pages:query", `{"filter":{"n":1}}`) },
	} {
		k := open()
		key := k.want("subscribed")["queryKey"].(string)
		if k.lastID != "" {
			t.Fatal("subscribed has an id although its result has not come")
		}
		result := k.want("result")
		if ids := documentIDs(result); len(ids) != 1 || k.lastID != key+"."+result["position"].(string) {
			t.Fatalf("result %v, id %s", result, k.lastID)
		}
		position := s.do("PUT", "/v1/db/pages/b", `{"n":1}`).want(201).header.Get("Freshet-Position")
		change := k.want("change")
		if e := change["events"].([]any)[0].(map[string]any); e["match"] != "add" || e["index"] != nil || k.lastID != key+"."+position {
			t.Fatalf("change %v, id %s", change, k.lastID)
		}
		// A client that comes back gets what it missed.
		s.do("PUT", "/v1/db/pages/c", `{"n":1}`).want(201)
		again := s.stream("/v1/db/pages"+queryString("filter", `{"n":1}`), "", "Last-Event-ID: "+k.lastID)
		if p := again.want("subscribed")["position"]; p != position {
			t.Fatalf("subscribed is at %v, not %s", p, position)
		}
		for _, match := range []string{"add", "remove"} {
			if e := again.want("change")["events"].([]any)[0].(map[string]any); e["match"] != match || e["_id"] != "c" {
				t.Fatalf("after a reconnect: %v, want %s", e, match)
			}
			s.do("DELETE", "/v1/db/pages/c", "")
		}
		// What belongs to another query is of no use.
		other := s.stream("/v1/db/pages"+queryString("filter", `{"n":{"$gte":1}}`), "", "Last-Event-ID: "+k.lastID)
		other.want("subscribed")
		if r := other.want("result"); r["reset"] != true || r["reason"] != "other-query" {
			t.Fatalf("with the id of another query: %v", r)
		}
		s.do("DELETE", "/v1/db/pages/b", "").want(204)
	}
	k := s.stream("/v1/db/pages?initial=false", "")
	k.want("subscribed")
	if k.lastID == "" {
		t.Fatal("no result follows, so subscribed must carry an id")
	}
	s.do("DELETE", "/v1/db/pages", "").want(204)
	if p := k.want("problem"); p["code"] != "collection-dropped" {
		t.Fatalf("problem %v", p)
	}
	k.ended()
}

func TestStreamDocument(t *testing.T) {
	s := startDev(t)
	k := s.stream("/v1/db/pages/a%2Fb?fields=n", "")
	if w := k.want("subscribed")["warnings"].([]any); len(w) != 1 {
		t.Fatalf("warnings %v", w)
	}
	if ids := documentIDs(k.want("result")); len(ids) != 0 {
		t.Fatalf("result %v", ids)
	}
	s.do("PUT", "/v1/db/pages/other", `{}`).want(201)
	s.do("PUT", "/v1/db/pages/a%2Fb", `{"n":1,"m":2}`).want(201)
	e := k.want("change")["events"].([]any)[0].(map[string]any)
	if document := e["document"].(map[string]any); e["_id"] != "a/b" || len(document) != 2 {
		t.Fatalf("event %v", e)
	}
}

func TestStreamRefusals(t *testing.T) {
	s := startServer(t, Config{})
	accept := "Accept: text/html, text/event-stream;q=0.9"
	s.do("GET", "/v1/db/pages", "", accept).problem("collection-not-found")
	s.do("PUT", "/v1/db/pages", "").want(201)
	s.do("GET", "/v1/db/pages?filter=x", "", accept).problem("json-invalid")
	s.do("GET", "/v1/db/pages?since=x", "", accept).problem("position-invalid")
	s.do("GET", "/v1/db/pages", "", accept, "Last-Event-ID: key.x").problem("position-invalid")
	s.do("GET", "/v1/db/pages/p?filter=x", "", accept).problem("parameter-unknown")
	s.do("POST", "/v1/db/pages", "{}", accept).problem("route-not-found")
	s.do("GET", "/v1/db/pages", "", accept, "Authorization: ").problem("token-missing")
	s.do("HEAD", "/v1/db/pages", "", accept).want(200) // answers, and does not stream
}

func TestStreamComments(t *testing.T) {
	s := startServer(t, Config{Dev: true, CommentInterval: 10 * time.Millisecond})
	k := s.stream("/v1/db/pages", "")
	k.want("subscribed")
	k.want("result")
	for range 3 {
		if block := k.block(); len(block) != 1 || block[0] != ":" {
			t.Fatalf("got %q, want a comment", block)
		}
	}
}
