package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/storage"
)

// testSocket is a client of the WebSocket.
type testSocket struct {
	t       testing.TB
	conn    *websocket.Conn
	waiting []map[string]any
	batch   bool
}

func (s *testServer) dial(headers ...string) (*testSocket, *http.Response, error) {
	s.t.Helper()
	h := http.Header{}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		h.Set(name, value)
	}
	conn, answer, err := s.dialer.Dial("ws://"+s.host+"/v1/live", h)
	if err != nil {
		return nil, answer, err
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if conn.Subprotocol() != subprotocol {
		s.t.Fatalf("subprotocol %q", conn.Subprotocol())
	}
	must(s.t, conn.SetReadDeadline(time.Now().Add(testWait)))
	return &testSocket{t: s.t, conn: conn}, answer, nil
}

// open dials and takes the hello frame.
func (s *testServer) open(headers ...string) *testSocket {
	s.t.Helper()
	k, _, err := s.dial(headers...)
	must(s.t, err)
	hello := k.next()
	if hello["type"] != "hello" || hello["session"] == "" || hello["version"] == "" || hello["limits"] == nil || hello["heartbeatSeconds"] == nil {
		s.t.Fatalf("hello: %v", hello)
	}
	return k
}

func (k *testSocket) send(format string, args ...any) {
	k.t.Helper()
	must(k.t, k.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)))
}

// next returns the next frame that is no ping.
func (k *testSocket) next() map[string]any {
	k.t.Helper()
	for {
		if len(k.waiting) == 0 {
			_, text, err := k.conn.ReadMessage()
			must(k.t, err)
			if k.batch {
				must(k.t, json.Unmarshal(text, &k.waiting))
			} else {
				var frame map[string]any
				if err := json.Unmarshal(text, &frame); err != nil {
					k.t.Fatalf("%v in %s", err, text)
				}
				k.waiting = append(k.waiting, frame)
			}
		}
		frame := k.waiting[0]
		k.waiting = k.waiting[1:]
		checkServerFrame(k.t, frame)
		if frame["type"] != "ping" {
			return frame
		}
	}
}

// checkServerFrame holds a frame against the table.
func checkServerFrame(t testing.TB, frame map[string]any) {
	t.Helper()
	i := slices.IndexFunc(ServerFrames, func(f ServerFrame) bool { return f.Type == frame["type"] })
	if i < 0 {
		t.Fatalf("the table has no frame %v", frame)
	}
	for name := range frame {
		if name != "type" && !slices.Contains(ServerFrames[i].Fields, name) {
			t.Fatalf("the table does not give %s a field %s: %v", frame["type"], name, frame)
		}
	}
}

// want returns the next frame, which must be of this type and subscription.
func (k *testSocket) want(kind, id string) map[string]any {
	k.t.Helper()
	frame := k.next()
	got, _ := frame["id"].(string)
	if frame["type"] != kind || got != id {
		k.t.Fatalf("got %v, want %s of %q", frame, kind, id)
	}
	return frame
}

// refused returns the problem of the next frame, which must be an error.
func (k *testSocket) refused(id, code string) map[string]any {
	k.t.Helper()
	p := k.want("error", id)["problem"].(map[string]any)
	if p["code"] != code || p["detail"] == "" {
		k.t.Fatalf("problem %v, want %s", p, code)
	}
	return p
}

// closed reads on until the server has closed with this code.
func (k *testSocket) closed(code int) {
	k.t.Helper()
	for {
		_, _, err := k.conn.ReadMessage()
		if err == nil {
			continue
		}
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != code || closed.Text != closeReason(code) {
			k.t.Fatalf("ended with %v, want %d %s", err, code, closeReason(code))
		}
		return
	}
}

func TestSocketLiveQuery(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages/a", `{"n":1}`).want(201)
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"pages","filter":{"n":{"$gt":0}},"sort":{"n":1},"limit":2,"fields":["n"]}`)
	subscribed := k.want("subscribed", "s1")
	if subscribed["ordered"] != true || subscribed["queryKey"] == "" || len(subscribed["warnings"].([]any)) != 0 {
		t.Fatalf("subscribed: %v", subscribed)
	}
	result := k.want("result", "s1")
	if ids := documentIDs(result); len(ids) != 1 || ids[0] != "a" || result["more"] != false || result["position"] == "" {
		t.Fatalf("result: %v", result)
	}
	event := func() (map[string]any, map[string]any) {
		change := k.want("change", "s1")
		return change, change["events"].([]any)[0].(map[string]any)
	}
	position := s.do("PUT", "/v1/db/pages/b", `{"n":0.5}`).want(201).header.Get("Freshet-Position")
	change, e := event()
	if e["match"] != "add" || e["operation"] != "insert" || e["_id"] != "b" || e["index"] != 0.0 || change["position"] != position {
		t.Fatalf("change: %v, write at %s", change, position)
	}
	if document := e["document"].(map[string]any); len(document) != 2 || document["n"] != 0.5 {
		t.Fatalf("document: %v", document)
	}
	s.do("PUT", "/v1/db/pages/b", `{"n":9}`).want(200)
	if change, e = event(); e["match"] != "changeIndex" || e["index"] != 1.0 || e["previousIndex"] != 0.0 {
		t.Fatalf("change: %v", change)
	}
	s.do("DELETE", "/v1/db/pages/a", "").want(204)
	if change, e = event(); e["match"] != "remove" || e["previousIndex"] != 0.0 || e["document"] != nil {
		t.Fatalf("change: %v", change)
	}
	k.send(`{"type":"unsubscribe","id":"s1"}`)
	k.want("unsubscribed", "s1")
	k.send(`{"type":"unsubscribe","id":"never"}`)
	k.want("unsubscribed", "never")
	s.do("PUT", "/v1/db/pages/b", `{"n":10}`).want(200)
	k.send(`{"type":"subscribe","id":"s1","collection":"pages","initial":false}`) // the id is free again
	k.want("subscribed", "s1")
	s.do("DELETE", "/v1/db/pages", "").want(204)
	k.refused("s1", "collection-dropped")
}

func TestSocketDevCreatesWhatIsSubscribed(t *testing.T) {
	s := startDev(t)
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"pages"}`)
	warnings := k.want("subscribed", "s1")["warnings"].([]any)
	if len(warnings) != 1 || warnings[0].(map[string]any)["code"] != "collection-created" {
		t.Fatalf("warnings %v", warnings)
	}
	k.want("result", "s1")
	s.do("POST", "/v1/db/pages:truncate", "").want(204)
	if r := k.want("result", "s1"); r["reset"] != true || r["reason"] != "truncated" {
		t.Fatalf("after a truncate: %v", r)
	}
}

// Invariant 2, over the socket; what is refused ends nothing.
func TestSocketRefusals(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages", "").want(201)
	k := s.open()
	k.send(`{"type":"subscribe","id":"ok","collection":"pages"}`)
	k.want("subscribed", "ok")
	k.want("result", "ok")
	for _, c := range []struct{ frame, id, code, path, detail string }{
		{`{"type":"subscribe","id":"ok","collection":"pages"}`, "", "id-in-use", "/id", `"ok"`},
		{`{"type":"subscribe","id":"ok","collection":"pages","filter":{"$x":1}}`, "", "id-in-use", "/id", `"ok"`},
		{`{"type":"subscribe","id":"ok","colection":"pages"}`, "", "field-unknown", "/colection", `"collection"`},
		{`{"type":"subscribe","id":"x","collection":"pages","filter":{"$x":1}}`, "x", "operator-unknown", "/filter/$x", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","limit":0}`, "x", "field-invalid", "/limit", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","limit":20000}`, "x", "window-too-large", "/limit", "10000"},
		{`{"type":"subscribe","id":"x","collection":"pages","since":"abc"}`, "x", "position-invalid", "/since", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","minPosition":"abc"}`, "x", "position-invalid", "/minPosition", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","events":"all"}`, "x", "option-unsupported", "/events", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","maxRate":1}`, "x", "option-unsupported", "/maxRate", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","total":true}`, "x", "option-unsupported", "/total", ""},
		{`{"type":"subscribe","id":"x","collection":"pages","initial":"no"}`, "x", "field-invalid", "/initial", ""},
		{`{"type":"subscribe","id":"x","collection":"p q"}`, "x", "collection-name-invalid", "", ""},
		{`{"type":"subscribe","id":"x"}`, "x", "field-invalid", "/collection", ""},
		{`{"type":"subscribe","collection":"pages"}`, "", "field-invalid", "/id", ""},
		{`{"type":"subscribe","id":7,"collection":"pages"}`, "", "field-invalid", "/id", ""},
		{`{"type":"subscribe","id":"` + strings.Repeat("x", 129) + `","collection":"pages"}`, "", "field-invalid", "/id", "128"},
		{`{"type":"unsubscribe"}`, "", "field-invalid", "/id", ""},
		{`{"type":"write","id":"w"}`, "w", "field-invalid", "/operation", "insert"},
		{`{"type":"write","id":"w","operation":"inser"}`, "w", "field-invalid", "/operation", `"insert"`},
		{`{"type":"write","id":"w","operation":"insert"}`, "w", "field-invalid", "/collection", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"p q","document":{}}`, "w", "collection-name-invalid", "", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"pages"}`, "w", "field-invalid", "/document", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"pages","document":[]}`, "w", "field-invalid", "/document", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"pages","document":{"_id":"a"},"_id":"b"}`, "w", "id-mismatch", "/_id", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"pages","document":{"_id":7}}`, "w", "id-invalid", "/_id", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"pages","document":{},"update":{}}`, "w", "field-invalid", "/update", ""},
		{`{"type":"write","id":"w","operation":"update","collection":"pages","_id":"a"}`, "w", "field-invalid", "/update", ""},
		{`{"type":"write","id":"w","operation":"update","collection":"pages","_id":"a","update":{"a":1}}`, "w", "update-invalid", "/a", "$set"},
		{`{"type":"write","id":"w","operation":"update","collection":"pages","update":{"$set":{"a":1}}}`, "w", "field-invalid", "/_id", ""},
		{`{"type":"write","id":"w","operation":"update","collection":"pages","_id":"a","update":{"$set":{"a":1}}}`, "w", "document-not-found", "", ""},
		{`{"type":"write","id":"w","operation":"delete","collection":"pages","_id":"a","ifNoneMatch":"*"}`, "w", "field-invalid", "/ifNoneMatch", ""},
		{`{"type":"write","id":"w","operation":"replace","collection":"pages","_id":"a","document":{},"ifNoneMatch":"x"}`, "w", "field-invalid", "/ifNoneMatch", ""},
		{`{"type":"write","id":"w","operation":"replace","collection":"pages","_id":"a","document":{},"ifMatch":"*"}`, "w", "precondition-failed", "", ""},
		{`{"type":"write","id":"w","operation":"delete","collection":"pages","_id":"a","idempotencyKey":"é"}`, "w", "idempotency-key-invalid", "", "255"},
		{`{"type":"write","id":"w","operation":"delete","colection":"pages","_id":"a"}`, "w", "field-unknown", "/colection", `"collection"`},
		{`{"type":"write","id":"ok","operation":"delete","collection":"pages","_id":"a"}`, "", "id-in-use", "/id", `"ok"`},
		{`{"type":"write","operation":"delete","collection":"pages","_id":"a"}`, "", "field-invalid", "/id", ""},
		{`{"operation":"delete","collection":"a collection with a name that hides the type of the frame","id":"w","type":"write","_id":"a","x":1}`, "w", "field-unknown", "/x", ""},
		{`{"type":"write","id":"w","operation":"insert","collection":"pages","document":{"a":{"$date":"no"}}}`, "w", "json-invalid", "/document/a", ""},
		{`{"type":"subscrib","id":"w"}`, "", "frame-unknown", "/type", `"subscribe"`},
		{`{"type":7}`, "", "frame-unknown", "/type", ""},
		{`{"id":"w"}`, "", "frame-unknown", "/type", ""},
		{`{"type":"options","batch":"yes"}`, "", "field-invalid", "/batch", ""},
		{`{"type":"options","bach":true}`, "", "field-unknown", "/bach", `"batch"`},
	} {
		k.send("%s", c.frame)
		p := k.refused(c.id, c.code)
		path, _ := p["path"].(string)
		if path != c.path || !strings.Contains(p["detail"].(string), c.detail) {
			t.Errorf("%s: %v", c.frame, p)
		}
	}
	k.send(`{"type":"pong"}`)
	s.do("PUT", "/v1/db/pages/a", `{}`).want(201)
	k.want("change", "ok")
}

func TestSocketTooManySubscriptions(t *testing.T) {
	s := startServerWith(t, Config{Dev: true}, fanout.Config{MaxSubscriptions: 1})
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"pages"}`)
	k.want("subscribed", "s1")
	k.want("result", "s1")
	k.send(`{"type":"subscribe","id":"s2","collection":"pages"}`)
	k.refused("s2", "too-many-subscriptions")
	k.send(`{"type":"unsubscribe","id":"s1"}`)
	k.want("unsubscribed", "s1")
	k.send(`{"type":"subscribe","id":"s2","collection":"pages"}`)
	k.want("subscribed", "s2")
}

func TestSocketProtocolErrorsClose(t *testing.T) {
	s := startServer(t, Config{Dev: true, MaxFrameBytes: 1000})
	for _, c := range []struct {
		kind int
		text string
		code int
	}{
		{websocket.TextMessage, `{"type":`, closeProtocol},
		{websocket.TextMessage, ``, closeProtocol},
		{websocket.TextMessage, `7`, closeProtocol},
		{websocket.TextMessage, `null`, closeProtocol},
		{websocket.TextMessage, `[{"type":"pong"}]`, closeProtocol}, // an array without options.batch
		{websocket.BinaryMessage, `{"type":"pong"}`, closeProtocol},
		{websocket.TextMessage, `{"type":"` + strings.Repeat("x", 1000) + `"}`, closeLimit},
	} {
		k := s.open()
		must(t, k.conn.WriteMessage(c.kind, []byte(c.text)))
		k.closed(c.code)
	}
}

func TestSocketBatch(t *testing.T) {
	s := startDev(t)
	k := s.open()
	k.send(`{"type":"options","batch":true}`)
	k.batch = true
	k.send(`[{"type":"subscribe","id":"s1","collection":"pages"},{"type":"subscribe","id":"s2","collection":"pages"},{"type":"unsubscribe","id":"x"}]`)
	got := map[string]int{}
	for range 5 {
		f := k.next()
		got[fmt.Sprint(f["type"], f["id"])]++
	}
	for _, want := range []string{"subscribeds1", "subscribeds2", "results1", "results2", "unsubscribedx"} {
		if got[want] != 1 {
			t.Fatalf("frames %v", got)
		}
	}
	k.send(`[`)
	k.closed(closeProtocol)
}

// Invariant 4, over the socket.
func TestSocketNeedsToken(t *testing.T) {
	s := startServer(t, Config{Origins: []string{"https://app.example.com"}})
	s.do("PUT", "/v1/db/pages", "").want(201)
	subscribe := `{"type":"subscribe","id":"s1","collection":"pages"}`

	k := s.open("Authorization: Bearer secret")
	k.send("%s", subscribe)
	k.want("subscribed", "s1")

	k = s.open("Origin: https://app.example.com")
	k.send(`{"type":"auth","token":"secret"}`)
	if f := k.want("authenticated", ""); f["user"] != "root" {
		t.Fatalf("authenticated: %v", f)
	}
	k.send("%s", subscribe)
	k.want("subscribed", "s1")

	k = s.open()
	k.send("%s", subscribe)
	k.refused("", "token-missing")
	k.closed(closeNotAuthorised)

	k = s.open()
	k.send(`{"type":"auth","token":"wrong"}`)
	k.refused("", "token-invalid")
	k.closed(closeNotAuthorised)

	_, answer, err := s.dial("Authorization: Bearer wrong")
	if err == nil || answer.StatusCode != 401 {
		t.Fatalf("a wrong token was let in: %v", err)
	}
	_, answer, err = s.dial("Authorization: Bearer secret", "Origin: https://evil.example.com")
	if err == nil || answer.StatusCode != 403 {
		t.Fatalf("a foreign origin was let in: %v", err)
	}
}

func TestSocketAuthTimeout(t *testing.T) {
	s := startServer(t, Config{AuthTimeout: 50 * time.Millisecond})
	k := s.open()
	k.closed(closeNotAuthorised)
}

func TestSocketHandshake(t *testing.T) {
	s := startDev(t)
	if r := s.do("GET", "/v1/live", ""); r.problem("upgrade-required").Code == "" || r.header.Get("Upgrade") != "websocket" {
		t.Fatalf("headers %v", r.header)
	}
	s.do("GET", "/v1/live?x=1", "").problem("parameter-unknown")
	s.do("GET", "/v1/live", "", "Connection: Upgrade", "Upgrade: websocket").problem("header-invalid")
	s.do("GET", "/v1/live", "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Protocol: other").problem("header-invalid")
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+s.host+"/v1/live", nil) // no subprotocol
	must(t, err)
	must(t, conn.Close())
	_, answer, err := s.dial("Origin: https://evil.example.com")
	if err == nil || answer.StatusCode != 403 {
		t.Fatalf("a foreign origin was let in: %v", err)
	}
}

func TestDrainClosesSocketsAndStreams(t *testing.T) {
	s := startDev(t)
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"pages"}`)
	k.want("subscribed", "s1")
	stream := s.stream("/v1/db/pages", "")
	stream.want("subscribed")
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	k.closed(closeDrain)
	stream.ended()
	must(t, <-stopped)
	if s.gateway.serving() == nil || problemOf(s.gateway.serving()).Code != "draining" {
		t.Fatal("a stopped gateway is ready")
	}
	if n := s.gateway.connections.Load(); n != 0 {
		t.Fatalf("%d connections are left", n)
	}
}

func TestTooManyConnections(t *testing.T) {
	s := startServer(t, Config{Dev: true, MaxConnections: 1})
	k := s.open()
	r := s.do("GET", "/v1/db", "")
	if p := r.problem("too-many-connections"); p.Limit != 1 {
		t.Fatalf("limit %d", p.Limit)
	}
	s.do("GET", "/healthz", "").want(200)
	must(t, k.conn.Close())
	deadline := time.Now().Add(testWait)
	for s.do("GET", "/v1/db", "").status != 200 {
		if time.Now().After(deadline) {
			t.Fatal("a closed connection still counts")
		}
	}
}

func TestSocketProgress(t *testing.T) {
	ticks := make(chan time.Time)
	s := startServerWith(t, Config{Dev: true}, fanout.Config{ProgressTicks: ticks})
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"pages","filter":{"n":1}}`)
	k.want("subscribed", "s1")
	k.want("result", "s1")
	stream := s.stream("/v1/db/pages"+queryString("filter", `{"n":1}`), "")
	key := stream.want("subscribed")["queryKey"].(string)
	stream.want("result")
	position := s.do("PUT", "/v1/db/pages/other", `{"n":2}`).want(201).header.Get("Freshet-Position")
	ticks <- time.Time{}
	if f := k.want("progress", ""); f["position"] != position {
		t.Fatalf("progress %v, written at %s", f, position)
	}
	if block := stream.block(); len(block) != 1 || block[0] != "id: "+key+"."+position {
		t.Fatalf("progress as %q, want an id with %s", block, position)
	}
}

func FuzzSocketFrame(f *testing.F) {
	for _, text := range []string{`{"type":"subscribe","id":"s","collection":"c","filter":{"a":1}}`, `{"type":"options","batch":true}`, `[]`, `{"type":"auth","token":"x"}`, `{"id":"\u0000"}`} {
		f.Add([]byte(text))
	}
	table := clientFrameTable()
	f.Fuzz(func(t *testing.T, text []byte) {
		fields, err := decodeObject(text)
		if err != nil {
			return
		}
		in := &input{values: fields}
		frame, known := table[in.text("type")]
		if !known {
			return
		}
		for name := range fields {
			_ = unknownName("field-unknown", "field", name, frame.Fields).body()
		}
		if q, err := readQuery(in); err == nil {
			_, _ = q.compile(storage.Collection{}, testLimits)
		} else if problemOf(err).Code == "internal" {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
