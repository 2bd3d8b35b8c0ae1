package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// parse makes a user's document for the tests below.
func parse(t *testing.T, text string) *matcher.Document {
	t.Helper()
	d, err := matcher.Parse([]byte(text), testLimits)
	must(t, err)
	return d
}

// Invariant 3: where another write comes between, the image is computed anew, and the preconditions are checked anew.
func TestWriteIsComputedAnew(t *testing.T) {
	s := startDev(t)
	put := func(n int) reply {
		t.Helper()
		return s.do("PUT", "/v1/db/pages/p", fmt.Sprintf(`{"n":%d}`, n))
	}
	put(1).want(201)
	var seen []int64
	request := writeRequest{app: DefaultApp, collection: "pages", id: "p", after: func(before *matcher.Document) (image, error) {
		n := before.Field("n").Int64()
		if seen = append(seen, n); n < 3 {
			put(int(n) + 1).want(200) // another writer comes first, twice
		}
		return image{user: parse(t, fmt.Sprintf(`{"n":%d}`, n*100)).Root()}, nil
	}}
	result, err := s.gateway.write(t.Context(), request)
	must(t, err)
	if n := result.Document.Field("n").Int64(); n != 300 || fmt.Sprint(seen) != "[1 2 3]" || result.Document.Revision().Generation != 4 {
		t.Fatalf("stored n %d, generation %d, computed from %v", n, result.Document.Revision().Generation, seen)
	}

	tag := put(1).want(200).header.Get("ETag")
	request.preconditions.ifMatch = tag
	if _, err = s.gateway.write(t.Context(), request); err == nil || problemOf(err).Code != "precondition-failed" {
		t.Fatalf("If-Match was checked against another head than the write's: %v", err)
	}
	if got := s.do("GET", "/v1/db/pages/p", "").want(200).object()["n"]; got != 2.0 {
		t.Fatalf("stored %v, want what the other writer wrote", got)
	}
}

func TestWriteGivesUp(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages/p", `{"n":0}`).want(201)
	tries := 0
	_, err := s.gateway.write(t.Context(), writeRequest{app: DefaultApp, collection: "pages", id: "p", after: func(*matcher.Document) (image, error) {
		tries++
		s.do("PUT", "/v1/db/pages/p", fmt.Sprintf(`{"n":%d}`, tries)).want(200)
		return image{user: parse(t, `{"n":-1}`).Root()}, nil
	}})
	if err == nil || problemOf(err).Code != "write-contended" || tries != storage.MaxUpdateTries {
		t.Fatalf("after %d tries: %v", tries, err)
	}
}

// A collection that is dropped while a write to it is computed does not come back under Dev as the old one.
func TestWriteIntoDroppedCollection(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages/p", `{"n":1}`).want(201)
	dropped := false
	result, err := s.gateway.write(t.Context(), writeRequest{app: DefaultApp, collection: "pages", id: "p", after: func(before *matcher.Document) (image, error) {
		if !dropped {
			dropped = true
			s.do("DELETE", "/v1/db/pages", "").want(204)
		} else if before != nil {
			return image{}, errors.New("the dropped document is back")
		}
		return image{user: parse(t, `{"n":2}`).Root()}, nil
	}})
	must(t, err)
	if result.Operation != matcher.OperationInsert || result.Document.Revision().Generation != 1 {
		t.Fatalf("generation %d, created %v", result.Document.Revision().Generation, result.Operation)
	}
}

func TestNotReadyBeforeTheReplay(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/state", 0o700))
	log := ingest.NewMemoryLog(1)
	store, err := storage.Open(storage.Config{Dir: dir + "/state"}, log)
	must(t, err)
	defer func() { must(t, store.Close()) }()
	g := New(Config{Dev: true})
	g.Open(Rooms{Store: store, Hubs: fanout.New(fanout.Config{}, testBoundaries{store})}) // nobody runs the store
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/db": 503} {
		r := httptest.NewRequest("GET", "http://localhost"+path, nil)
		r.RemoteAddr = "127.0.0.1:5"
		w := httptest.NewRecorder()
		g.servePublic(w, r)
		if w.Code != status || (status == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

func TestPanicIsAnswered(t *testing.T) {
	s := startDev(t)
	s.gateway.routes["/db"]["GET"] = func(*call) error { panic("a fault") }
	s.do("GET", "/v1/db", "").problem("internal")
	s.gateway.routes["/db"]["GET"] = func(*call) error { return errors.New("a secret of the disk") }
	if p := s.do("GET", "/v1/db", "").problem("internal"); p.Detail != "The server failed to answer; its log says why." {
		t.Fatalf("detail %q", p.Detail)
	}
}

// A request that is being answered when the gateway is told to stop is answered.
func TestDrainFinishesRequests(t *testing.T) {
	s := startDev(t)
	body, writer := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), testWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "PUT", s.base+"/v1/db/pages/p", body)
	must(t, err)
	r.Header.Set("Content-Type", contentJSON)
	r.Header.Set("Expect", "100-continue") // the body is asked for only once the handler reads it
	client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: testWait}}
	status := make(chan int, 1)
	go func() {
		answer, err := client.Do(r)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		_ = answer.Body.Close()
		status <- answer.StatusCode
	}()
	_, err = writer.Write([]byte(`{"n":`))
	must(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	<-s.gateway.draining
	_, err = writer.Write([]byte(`1}`))
	must(t, err)
	must(t, writer.Close())
	if got := <-status; got != 201 {
		t.Fatalf("status %d", got)
	}
	must(t, <-stopped)
}
