package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/freshetdb/freshet/matcher"
)

func TestDocumentLifeCycle(t *testing.T) {
	s := startDev(t)
	r := s.do("POST", "/v1/db/pages", `{"_id":"p1","title":"one","n":1}`).want(201)
	first := r.object()
	if r.header.Get("Location") != "/v1/db/pages/p1" || r.header.Get("ETag") != `"`+first["_rev"].(string)+`"` || r.header.Get("Freshet-Position") == "" {
		t.Fatalf("headers of an insert: %v", r.header)
	}
	if !strings.HasPrefix(first["_rev"].(string), "1-") || first["title"] != "one" {
		t.Fatalf("inserted %v", first)
	}
	s.do("POST", "/v1/db/pages", `{"_id":"p1"}`).problem("already-exists")

	r = s.do("GET", "/v1/db/pages/p1", "").want(200)
	if got := r.object(); got["_rev"] != first["_rev"] || got["n"] != 1.0 {
		t.Fatalf("loaded %v", got)
	}
	if r.header.Get("Vary") != "Accept, Authorization, Origin" || r.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("headers of a load: %v", r.header)
	}
	tag := r.header.Get("ETag")
	if r := s.do("GET", "/v1/db/pages/p1", "", "If-None-Match: "+tag).want(304); r.body != "" {
		t.Fatalf("304 with a body %q", r.body)
	}
	s.do("GET", "/v1/db/pages/p1", "", `If-None-Match: W/"x", W/`+tag).want(304)
	s.do("GET", "/v1/db/pages/p1", "", `If-None-Match: "other"`).want(200)
	if r := s.do("HEAD", "/v1/db/pages/p1", "").want(200); r.body != "" || r.header.Get("ETag") != tag {
		t.Fatalf("HEAD answered %q %v", r.body, r.header)
	}

	second := s.do("PUT", "/v1/db/pages/p1", `{"title":"two"}`).want(200).object()
	if !strings.HasPrefix(second["_rev"].(string), "2-") || second["n"] != nil || fmt.Sprint(second["_createdAt"]) != fmt.Sprint(first["_createdAt"]) {
		t.Fatalf("replaced: %v", second)
	}
	third := s.do("PATCH", "/v1/db/pages/p1", `{"$set":{"a.b":1},"$inc":{"n":2}}`).want(200).object()
	if !strings.HasPrefix(third["_rev"].(string), "3-") || third["n"] != 2.0 || third["title"] != "two" {
		t.Fatalf("updated: %v", third)
	}
	fourth := s.do("PATCH", "/v1/db/pages/p1", `{"title":null,"x":true}`, "Content-Type: application/merge-patch+json").want(200).object()
	if _, has := fourth["title"]; has || fourth["x"] != true {
		t.Fatalf("merged: %v", fourth)
	}
	r = s.do("PATCH", "/v1/db/pages/p1", `{"$set":{"x":true}}`).want(200)
	if got := r.object(); got["_rev"] != fourth["_rev"] || r.header.Get("Freshet-Position") == "" {
		t.Fatalf("an update that changes nothing made a version: %v", got)
	}
	r = s.do("PUT", "/v1/db/pages/p1", `{"y":1}`, "Prefer: return=minimal").want(200)
	if got := r.object(); len(got) != 2 || got["_id"] != "p1" || r.header.Get("Preference-Applied") != "return=minimal" {
		t.Fatalf("minimal answer: %v", got)
	}
	if r := s.do("DELETE", "/v1/db/pages/p1", "").want(204); r.body != "" || r.header.Get("Freshet-Position") == "" {
		t.Fatalf("delete answered %q", r.body)
	}
	s.do("DELETE", "/v1/db/pages/p1", "").problem("document-not-found")
	s.do("GET", "/v1/db/pages/p1", "").problem("document-not-found")
	again := s.do("PUT", "/v1/db/pages/p1", `{"title":"again"}`).want(201).object()
	if !strings.HasPrefix(again["_rev"].(string), "1-") || again["_rev"] == first["_rev"] {
		t.Fatalf("a re-created document has revision %v; the first had %v", again["_rev"], first["_rev"])
	}
}

func TestInsertMakesUUIDv7(t *testing.T) {
	s := startDev(t)
	r := s.do("POST", "/v1/db/pages", `{"title":"x"}`).want(201)
	id, err := uuid.Parse(r.object()["_id"].(string))
	if err != nil || id.Version() != 7 || r.header.Get("Location") != "/v1/db/pages/"+id.String() {
		t.Fatalf("made _id %v (%v), Location %s", id, err, r.header.Get("Location"))
	}
}

// Invariant 3.
func TestPreconditions(t *testing.T) {
	s := startDev(t)
	one := s.do("PUT", "/v1/db/pages/p", `{"n":1}`, "If-None-Match: *").want(201)
	s.do("PUT", "/v1/db/pages/p", `{"n":2}`, "If-None-Match: *").problem("precondition-failed")
	tag := one.header.Get("ETag")
	two := s.do("PUT", "/v1/db/pages/p", `{"n":2}`, "If-Match: "+tag).want(200)
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		body := `{"$set":{"n":3}}`
		if method == "PUT" {
			body = `{"n":3}`
		}
		for _, bad := range []string{tag, "garbage", `W/` + two.header.Get("ETag"), `"1-x"`} {
			s.do(method, "/v1/db/pages/p", body, "If-Match: "+bad).problem("precondition-failed")
		}
		s.do(method, "/v1/db/pages/missing", body, "If-Match: *").problem("precondition-failed")
		s.do(method, "/v1/db/pages/missing", body, "If-Match: "+tag).problem("precondition-failed")
	}
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"n":3}}`, `If-Match: "x", `+two.header.Get("ETag")).want(200)
	three := s.do("PUT", "/v1/db/pages/p", `{"n":4}`, "If-Match: *").want(200).object()
	s.do("PUT", "/v1/db/pages/p", fmt.Sprintf(`{"n":5,"_rev":%q}`, three["_rev"])).want(200)
	if p := s.do("PUT", "/v1/db/pages/p", fmt.Sprintf(`{"n":6,"_rev":%q}`, three["_rev"])).problem("precondition-failed"); p.Path != "/_rev" {
		t.Fatalf("path %q", p.Path)
	}
	s.do("PUT", "/v1/db/pages/p", `{"_rev":7}`).problem("document-invalid")
	s.do("PUT", "/v1/db/pages/p", `{"_rev":""}`).problem("precondition-failed")
	s.do("PUT", "/v1/db/pages/q", `{"_rev":"1-00000000000000000000"}`).problem("precondition-failed")
	s.do("DELETE", "/v1/db/pages/p", "", "If-None-Match: *").problem("header-invalid")
	s.do("PUT", "/v1/db/pages/p", `{}`, `If-None-Match: "x"`).problem("header-invalid")
}

func TestMetadataFieldsAreTheServers(t *testing.T) {
	s := startDev(t)
	got := s.do("PUT", "/v1/db/pages/p", `{"_id":"p","_createdAt":"never","_updatedAt":1,"_acl":{"read":{"u1":true}},"__v":3}`).want(201).object()
	if fmt.Sprint(got["_createdAt"]) == "never" || got["__v"] != 3.0 || got["_acl"] == nil {
		t.Fatalf("stored %v", got)
	}
	if got := s.do("PUT", "/v1/db/pages/p", `{"n":1}`).want(200).object(); got["_acl"] == nil {
		t.Fatalf("an absent _acl must keep the stored one: %v", got)
	}
	if got := s.do("PATCH", "/v1/db/pages/p", `{"$set":{"n":2}}`).want(200).object(); got["_acl"] == nil {
		t.Fatalf("an update must keep the _acl: %v", got)
	}
	if got := s.do("PUT", "/v1/db/pages/p", `{"_acl":null}`).want(200).object(); got["_acl"] != nil {
		t.Fatalf("null must clear the _acl: %v", got)
	}
	for body, code := range map[string]string{
		`{"_id":"other"}`: "id-mismatch", `{"_id":7}`: "id-invalid", `{"_acl":"all"}`: "document-invalid", `{"_meta":{}}`: "document-invalid",
		`[]`: "document-invalid", `{"a":`: "json-invalid", ``: "content-type-unsupported", `{"a":1}x`: "json-invalid",
	} {
		s.do("PUT", "/v1/db/pages/p", body).problem(code)
	}
	s.do("POST", "/v1/db/pages", `{"_id":""}`).problem("id-invalid")
	s.do("PATCH", "/v1/db/pages/p", `{"title":"x"}`).problem("update-invalid")
	s.do("PATCH", "/v1/db/pages/p", `{"$sett":{"title":"x"}}`).problem("operator-unknown")
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"_rev":"x"}}`).problem("update-invalid")
}

func TestUpsert(t *testing.T) {
	s := startDev(t)
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"n":1}}`).problem("document-not-found")
	if names := s.store.Collections(DefaultApp); len(names) != 0 {
		t.Fatalf("an update of nothing made %v", names)
	}
	r := s.do("PATCH", "/v1/db/pages/p?upsert=true", `{"$inc":{"n":1}}`).want(201)
	if r.object()["n"] != 1.0 || r.header.Get("Location") == "" {
		t.Fatalf("upsert: %v", r.object())
	}
	if got := s.do("PATCH", "/v1/db/pages/p?upsert=true", `{"$inc":{"n":1}}`).want(200).object(); got["n"] != 2.0 {
		t.Fatalf("upsert of an existing document: %v", got)
	}
	s.do("PATCH", "/v1/db/pages/q?upsert=maybe", `{"$inc":{"n":1}}`).problem("parameter-invalid")
	if p := s.do("PATCH", "/v1/db/pages/q?upsrt=true", `{"$inc":{"n":1}}`).problem("parameter-unknown"); !strings.Contains(p.Detail, `"upsert"`) {
		t.Fatalf("no nearest name in %q", p.Detail)
	}
}

// Invariant 5.
func TestEveryIDIsAddressable(t *testing.T) {
	s := startDev(t)
	for _, id := range []string{"a/b", "a:query", ":count", "ä ö", "%2F", "a+b", "?#&=", "..a", "…", `"quoted"`, strings.Repeat("x", 512)} {
		path := "/v1/db/pages/" + url.PathEscape(id)
		r := s.do("PUT", path, `{"n":1}`).want(201)
		if got := r.object()["_id"]; got != id {
			t.Fatalf("wrote %q, stored %q", id, got)
		}
		if got := s.do("GET", r.header.Get("Location"), "").want(200).object()["_id"]; got != id {
			t.Fatalf("Location %s of %q leads to %q", r.header.Get("Location"), id, got)
		}
		if got := s.do("GET", path+"?fields=n", "").want(200).object(); got["_id"] != id || got["_rev"] != nil {
			t.Fatalf("projected %v", got)
		}
	}
	for _, id := range []string{strings.Repeat("x", 513), "a\x01", ".", ".."} {
		s.do("PUT", "/v1/db/pages/"+strings.ReplaceAll(url.PathEscape(id), ".", "%2E"), `{}`).problem("id-invalid")
	}
	s.do("GET", "/v1/db/pages/a/b", "").problem("route-not-found")
}

// Every increment is made exactly once, however many writers meet at one document.
func TestContendedIncrements(t *testing.T) {
	s := startDev(t)
	const writers, each = 8, 25
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for range each {
				r := s.do("PATCH", "/v1/db/counters/c?upsert=true", `{"$inc":{"n":1}}`)
				if r.status != 200 && r.status != 201 {
					t.Errorf("status %d: %s", r.status, r.body)
				}
			}
		})
	}
	wait.Wait()
	got := s.do("GET", "/v1/db/counters/c", "").want(200).object()
	if got["n"] != float64(writers*each) || !strings.HasPrefix(got["_rev"].(string), fmt.Sprintf("%d-", writers*each)) {
		t.Fatalf("after %d increments: %v", writers*each, got)
	}
}

// Only one of many inserts of an id is made, and of many replacements of a revision.
func TestContendedPreconditions(t *testing.T) {
	s := startDev(t)
	count := func(status int, send func() reply) int {
		var wait sync.WaitGroup
		var mu sync.Mutex
		n := 0
		for range 16 {
			wait.Go(func() {
				r := send()
				mu.Lock()
				defer mu.Unlock()
				if r.status == status {
					n++
				} else if r.status != 409 && r.status != 412 {
					t.Errorf("status %d: %s", r.status, r.body)
				}
			})
		}
		wait.Wait()
		return n
	}
	if n := count(201, func() reply { return s.do("POST", "/v1/db/pages", `{"_id":"p"}`) }); n != 1 {
		t.Fatalf("%d inserts of one id were made", n)
	}
	tag := s.do("GET", "/v1/db/pages/p", "").header.Get("ETag")
	if n := count(200, func() reply { return s.do("PUT", "/v1/db/pages/p", `{"n":1}`, "If-Match: "+tag) }); n != 1 {
		t.Fatalf("%d replacements of one revision were made", n)
	}
}

func TestUpdatedAtNeverGoesBack(t *testing.T) {
	s := startDev(t)
	clock := time.UnixMilli(1_700_000_000_000)
	s.gateway.now = func() time.Time { return clock }
	before := s.do("PUT", "/v1/db/pages/p", `{"n":1}`).want(201).object()
	clock = clock.Add(-time.Hour)
	after := s.do("PUT", "/v1/db/pages/p", `{"n":2}`).want(200).object()
	if fmt.Sprint(after["_updatedAt"]) != fmt.Sprint(before["_updatedAt"]) {
		t.Fatalf("_updatedAt went from %v to %v", before["_updatedAt"], after["_updatedAt"])
	}
	clock = clock.Add(2 * time.Hour)
	later := s.do("PUT", "/v1/db/pages/p", `{"n":2}`).want(200).object()
	if fmt.Sprint(later["_updatedAt"]) == fmt.Sprint(after["_updatedAt"]) || fmt.Sprint(later["_createdAt"]) != fmt.Sprint(before["_createdAt"]) {
		t.Fatalf("stamps %v, first %v", later, before)
	}
}

func TestBodyBounds(t *testing.T) {
	s := startServer(t, Config{Dev: true, Limits: matcher.Limits{MaxDocumentBytes: 1000}, MaxBodyBytes: 2000})
	document := func(size int) string { return `{"s":"` + strings.Repeat("x", size) + `"}` }
	s.do("PUT", "/v1/db/pages/p", document(500)).want(201)
	if p := s.do("PUT", "/v1/db/pages/p", document(1500)).problem("document-too-large"); p.Limit != 1000 {
		t.Fatalf("limit %d", p.Limit)
	}
	if p := s.do("PUT", "/v1/db/pages/p", document(3000)).problem("body-too-large"); p.Limit != 2000 {
		t.Fatalf("limit %d", p.Limit)
	}
	r := s.request("PUT", s.base+"/v1/db/pages/p", "")
	r.Body, r.ContentLength = http.NoBody, 0
	s.send(r).problem("content-type-unsupported")
	s.do("PUT", "/v1/db/pages/p", document(1), "Content-Type: text/plain").problem("content-type-unsupported")
	s.do("PUT", "/v1/db/pages/p", document(1), "Content-Type: application/json; charset=latin1").problem("content-type-unsupported")
	s.do("PUT", "/v1/db/pages/p", document(1), "Content-Type: application/json; charset=UTF-8").want(200)
	s.do("PUT", "/v1/db/pages/p", document(1), "Content-Type: application/merge-patch+json").problem("content-type-unsupported")
}
