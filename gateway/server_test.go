package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// testWait bounds every wait for the server in these tests.
const testWait = 20 * time.Second

// testServer is a whole node on loopback.
type testServer struct {
	t        testing.TB
	gateway  *Gateway
	store    *storage.Store
	base     string // http://host:port
	admin    string
	host     string
	token    string
	client   *http.Client
	dialer   websocket.Dialer
	stop     func() error // drains and returns what Run returned
	finished chan error
}

type testBoundaries struct{ store *storage.Store }

func (b testBoundaries) Boundary(ctx context.Context, f func(fanout.Snapshot)) error {
	return b.store.Boundary(ctx, func(s *storage.Snapshot) { f(testSnapshot{s}) })
}

type testSnapshot struct{ *storage.Snapshot }

func (s testSnapshot) Find(ctx context.Context, c matcher.CollectionID, q *matcher.Query, need int, undo []*matcher.Change) ([]*matcher.Document, bool, error) {
	return s.Snapshot.Find(ctx, c, q, storage.Find{Limit: need, Undo: undo})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func startServer(t testing.TB, cfg Config) *testServer {
	return startServerWith(t, cfg, fanout.Config{})
}

// startServerWith starts a node in a new folder. It is stopped in order when the test ends. configure may change how the
// store is configured.
func startServerWith(t testing.TB, cfg Config, hubsConfig fanout.Config, configure ...func(*storage.Config)) *testServer {
	t.Helper()
	public, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	admin, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return startServerOn(t, public, admin, cfg, hubsConfig, configure...)
}

func startServerOn(t testing.TB, public, admin net.Listener, cfg Config, hubsConfig fanout.Config, configure ...func(*storage.Config)) *testServer {
	t.Helper()
	dir := t.TempDir()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: dir + "/log", LogPartitions: 2, SegmentBytes: 4 << 20, NoSync: true})
	must(t, err)
	must(t, os.MkdirAll(dir+"/state", 0o700))
	cfg.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
	hubsConfig.Limits = cfg.Limits
	storeConfig := storage.Config{Dir: dir + "/state", Limits: cfg.Limits, CacheBytes: 8 << 20}
	for _, change := range configure {
		change(&storeConfig)
	}
	store, err := storage.Open(storeConfig, log)
	must(t, err)
	hubs := fanout.New(hubsConfig, testBoundaries{store})
	store.SetListener(hubs)

	storeCtx, stopStore := context.WithCancel(context.Background())
	storeDone := make(chan error, 1)
	go func() { storeDone <- store.Run(storeCtx) }()
	hubsCtx, stopHubs := context.WithCancel(context.Background())
	hubsDone := make(chan error, 1)
	go func() { hubsDone <- hubs.Run(hubsCtx) }()
	select {
	case <-store.Ready():
	case <-time.After(testWait):
		t.Fatal("the store was not ready in time")
	}

	token := "secret"
	if cfg.Dev {
		token = ""
	}
	gateway := New(cfg)
	gateway.Open(Rooms{Store: store, Hubs: hubs, RootToken: token, LogMetrics: log.Metrics()})
	s := &testServer{
		t: t, gateway: gateway, store: store, token: token, host: public.Addr().String(),
		base: "http://" + public.Addr().String(), admin: "http://" + admin.Addr().String(), finished: make(chan error, 1),
		client: http.DefaultClient, dialer: websocket.Dialer{HandshakeTimeout: testWait, Subprotocols: []string{subprotocol}},
	}
	ctx, drain := context.WithCancel(context.Background())
	go func() { s.finished <- s.gateway.Run(ctx, public, admin) }()
	stopped := false
	s.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		drain()
		select {
		case err := <-s.finished:
			return err
		case <-time.After(testWait):
			return fmt.Errorf("the gateway did not stop in time")
		}
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("gateway: %v", err)
		}
		stopHubs()
		if err := <-hubsDone; err != nil {
			t.Errorf("hubs: %v", err)
		}
		stopStore()
		if err := <-storeDone; err != nil {
			t.Errorf("store: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
		if err := log.Close(); err != nil {
			t.Errorf("close the log: %v", err)
		}
	})
	return s
}

func startDev(t testing.TB) *testServer {
	t.Helper()
	return startServer(t, Config{Dev: true})
}

// reply is an answer, read to its end.
type reply struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value". A body gets a JSON content type unless a header says otherwise.
func (s *testServer) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	return s.send(s.request(method, s.base+path, body, headers...))
}

func (s *testServer) request(method, url, body string, headers ...string) *http.Request {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	must(s.t, err)
	if body != "" {
		r.Header.Set("Content-Type", contentJSON)
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return r
}

func (s *testServer) send(r *http.Request) reply {
	s.t.Helper()
	answer, err := s.client.Do(r)
	must(s.t, err)
	text, err := io.ReadAll(answer.Body)
	must(s.t, err)
	must(s.t, answer.Body.Close())
	return reply{s.t, r.Method + " " + r.URL.String(), answer.StatusCode, answer.Header, string(text)}
}

// want checks the status.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s: status %d, want %d: %s", r.what, r.status, status, r.body)
	}
	return r
}

// problem checks that the answer is the problem with this code, whole.
func (r reply) problem(code string) problemBody {
	r.t.Helper()
	var p problemBody
	decoder := json.NewDecoder(bytes.NewReader([]byte(r.body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil || r.header.Get("Content-Type") != "application/problem+json" {
		r.t.Fatalf("%s: no problem (%v): %d %s", r.what, err, r.status, r.body)
	}
	if p.Code != code {
		r.t.Fatalf("%s: problem %s, want %s: %s", r.what, p.Code, code, p.Detail)
	}
	if kind := problemKindByCode[code]; kind.Status != r.status || p.Status != r.status || p.Retryable != (r.header.Get("Retry-After") != "") || p.Detail == "" {
		r.t.Fatalf("%s: the problem does not fit the table: %d %s", r.what, r.status, r.body)
	}
	return p
}

func (r reply) object() map[string]any {
	r.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		r.t.Fatalf("%s: %v in %s", r.what, err, r.body)
	}
	return m
}

// ids returns the `_id`s of an answer with documents.
func (r reply) ids() (ids []string) {
	r.t.Helper()
	return documentIDs(r.object())
}

func documentIDs(m map[string]any) (ids []string) {
	list, _ := m["documents"].([]any)
	for _, d := range list {
		ids = append(ids, d.(map[string]any)["_id"].(string))
	}
	return ids
}
