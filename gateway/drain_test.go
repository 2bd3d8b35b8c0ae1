package gateway

import (
	"net/http"
	"testing"
	"time"
)

// A request that takes longer than the drain is cut off, but the gateway returns only when it has ended: what it uses is
// closed then.
func TestRunWaitsForRequests(t *testing.T) {
	s := startServer(t, Config{Dev: true, DrainTimeout: time.Millisecond})
	entered, release := make(chan struct{}), make(chan struct{})
	go s.gateway.answered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	})).ServeHTTP(nil, nil)
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	select {
	case <-stopped:
		t.Fatal("it returned while a request was being answered")
	case <-time.After(50 * time.Millisecond): // much longer than the drain
	}
	close(release)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	called := false
	s.gateway.answered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })).ServeHTTP(nil, nil)
	if called {
		t.Error("a request was answered after the end")
	}
}

// The context of a request that is cut off ends, also while its handler reads nothing.
func TestCutOffEndsRequests(t *testing.T) {
	s := startServer(t, Config{Dev: true, DrainTimeout: time.Millisecond})
	ended := make(chan struct{})
	entered := make(chan struct{})
	s.gateway.routes["/db"]["POST"] = func(c *call) error {
		close(entered)
		<-c.r.Context().Done() // the body stays where it is
		close(ended)
		return c.r.Context().Err()
	}
	go func() {
		if response, err := http.Post(s.base+"/v1/db", "application/json", endless{}); err == nil {
			response.Body.Close()
		}
	}()
	<-entered
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	select {
	case <-ended:
	default:
		t.Error("the gateway returned before the handler")
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
