package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/freshetdb/freshet/storage"
)

// A repeat gets the first answer, whatever happened since; another request under the key is refused.
func TestIdempotencyKey(t *testing.T) {
	s := startDev(t)
	key := func(k string) string { return "Idempotency-Key: " + k }
	first := s.do("POST", "/v1/db/pages", `{"title":"one"}`, key("k1")).want(201)
	id := first.object()["_id"].(string)
	if made, err := uuid.Parse(id); err != nil || made.Version() != 8 {
		t.Fatalf("made _id %q", id)
	}
	s.do("PATCH", "/v1/db/pages/"+id, `{"$set":{"title":"two"}}`).want(200)
	again := s.do("POST", "/v1/db/pages", `{"title":"one"}`, key("k1")).want(201)
	if again.body != first.body || again.header.Get("ETag") != first.header.Get("ETag") || again.header.Get("Location") != first.header.Get("Location") {
		t.Fatalf("the first answer was %s, the second %s", first.body, again.body)
	}
	s.do("POST", "/v1/db/pages", `{"title":"other"}`, key("k1")).problem("idempotency-key-reused")
	s.do("DELETE", "/v1/db/pages/"+id, "", key("k1")).problem("idempotency-key-reused")

	inc := s.do("PATCH", "/v1/db/pages/"+id, `{"$inc":{"n":1}}`, key("k2")).want(200)
	for range 3 {
		if r := s.do("PATCH", "/v1/db/pages/"+id, `{"$inc":{"n":1}}`, key("k2")).want(200); r.body != inc.body {
			t.Fatalf("incremented to %s, and then to %s", inc.body, r.body)
		}
	}
	s.do("PATCH", "/v1/db/pages/"+id, `{"n":1}`, key("k2"), "Content-Type: application/merge-patch+json").problem("idempotency-key-reused")
	s.do("PATCH", "/v1/db/pages/"+id, `{"$inc":{"n":1}}`, key("k2"), "If-Match: *").problem("idempotency-key-reused")
	if r := s.do("PATCH", "/v1/db/pages/"+id, `{"$inc":{"n":1}}`, key("k2"), "Prefer: return=minimal").want(200); len(r.object()) != 2 {
		t.Fatalf("minimal answer: %s", r.body)
	}

	tag := s.do("GET", "/v1/db/pages/"+id, "").want(200).header.Get("ETag")
	put := s.do("PUT", "/v1/db/pages/"+id, `{"x":1}`, key("k3"), "If-Match: "+tag).want(200)
	if r := s.do("PUT", "/v1/db/pages/"+id, `{"x":1}`, key("k3"), "If-Match: "+tag).want(200); r.body != put.body { // the ETag is not the current one any more
		t.Fatalf("replaced by %s, and then by %s", put.body, r.body)
	}
	s.do("DELETE", "/v1/db/pages/"+id, "", key("k4")).want(204)
	if r := s.do("DELETE", "/v1/db/pages/"+id, "", key("k4")).want(204); r.header.Get("Freshet-Position") == "" {
		t.Fatal("a repeat has no position")
	}
	s.do("GET", "/v1/db/pages/"+id, "").problem("document-not-found")

	// Nothing is kept of what was refused.
	s.do("DELETE", "/v1/db/pages/p", "", key("k5")).problem("document-not-found")
	s.do("PUT", "/v1/db/pages/p", `{}`).want(201)
	s.do("DELETE", "/v1/db/pages/p", "", key("k5")).want(204)

	s.do("PUT", "/v1/db/pages/p", `{}`, key(strings.Repeat("k", 255))).want(201)
	for _, bad := range []string{strings.Repeat("k", 256), "kéy", "a\tb"} {
		s.do("PUT", "/v1/db/pages/p", `{}`, key(bad)).problem("idempotency-key-invalid")
	}
	twice := s.request("PUT", s.base+"/v1/db/pages/p", `{}`)
	twice.Header["Idempotency-Key"] = []string{"a", "b"}
	s.send(twice).problem("idempotency-key-invalid")
}

// A thousand clients count up one document at once: every request counts once, a repeated one too, and the log needs far
// fewer syncs than there are writes.
func TestHotDocument(t *testing.T) {
	s := startDev(t)
	const writers = 1000
	computed := make(chan struct{}, 20*writers)
	s.gateway.now = func() time.Time {
		select {
		case computed <- struct{}{}:
		default:
		}
		return time.Now()
	}
	s.do("PUT", "/v1/db/pages/hot", `{"n":0}`).want(201)
	for len(computed) > 0 {
		<-computed
	}
	increment := func(w int) {
		var keyed []string
		if w%2 == 0 {
			keyed = []string{fmt.Sprintf("Idempotency-Key: %d", w)}
		}
		r := s.do("PATCH", "/v1/db/pages/hot", `{"$inc":{"n":1}}`, keyed...)
		if r.status != 200 {
			t.Errorf("status %d: %s", r.status, r.body)
		} else if keyed != nil {
			if again := s.do("PATCH", "/v1/db/pages/hot", `{"$inc":{"n":1}}`, keyed...); again.body != r.body {
				t.Errorf("answered %s, and then %s", r.body, again.body)
			}
		}
	}
	before := s.store.Metrics().Groups.Load()
	var group sync.WaitGroup
	err := s.store.Boundary(t.Context(), func(n *storage.Snapshot) { // the apply loop stands still until all of them wait
		must(t, n.Close())
		for w := range writers {
			group.Go(func() { increment(w) })
		}
		for range 2 * writers { // each asks for the time twice: $currentDate and _updatedAt
			<-computed
		}
	})
	must(t, err)
	group.Wait()
	if n := s.do("GET", "/v1/db/pages/hot", "").want(200).object()["n"]; n != float64(writers) {
		t.Fatalf("counted to %v, want %d", n, writers)
	}
	if groups := s.store.Metrics().Groups.Load() - before; groups > writers/8 {
		t.Errorf("%d groups for %d writes", groups, writers)
	}
}
