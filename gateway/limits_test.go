package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// Every bound that hello names is the one that holds: one step beyond it is refused with the code that the table gives,
// and just below it nothing is.
func TestLimits(t *testing.T) {
	limits := matcher.Limits{
		MaxDocumentBytes: 4000, MaxDocumentDepth: 7, MaxDocumentFields: 50, MaxQueryBytes: 600, MaxQueryNodes: 40, MaxIDBytes: 20,
		MaxWindow: 10, MaxResultDocuments: 12,
	}.WithDefaults()
	s := startServerWith(t, Config{Dev: true, Limits: limits, MaxBodyBytes: 9000, MaxFrameBytes: 5000}, fanout.Config{MaxSubscriptions: 2, MaxResultBytes: 3000})
	told := s.gateway.limits()
	for name, want := range map[string]int64{
		"maxFrameBytes": 5000, "maxBodyBytes": 9000, "maxIdBytes": 20, "maxDocumentBytes": 4000, "maxDocumentDepth": 7,
		"maxDocumentFields": 50, "maxCollections": storage.MaxCollections, "maxQueryBytes": 600, "maxQueryNodes": 40, "maxWindow": 10,
		"maxIndexes": storage.MaxIndexes, "maxSessionWrites": MaxSessionWrites, "maxIdempotencyKeyBytes": MaxIdempotencyKeyBytes,
		"maxResultDocuments": 12, "maxPageDocuments": MaxPageDocuments, "maxResultBytes": 3000, "maxSubscriptions": 2, "maxSubscriptionIdBytes": MaxSubscriptionIDBytes,
	} {
		if told[name] != want {
			t.Errorf("hello tells %s = %d, want %d", name, told[name], want)
		}
	}
	if len(told) != 18 {
		t.Errorf("hello tells %d limits, this test knows 18", len(told))
	}
	put := func(id, body string) reply { return s.do("PUT", "/v1/db/pages/"+id, body) }
	fill := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	filter := func(text string) reply { return s.do("POST", "/v1/db/pages:query", `{"filter":`+text+`}`) }
	beyond := func(r reply, code string, limit int64) {
		t.Helper()
		if p := r.problem(code); p.Limit != limit {
			t.Errorf("%s: limit %d, want %d: %s", r.what, p.Limit, limit, p.Detail)
		}
	}

	put(strings.Repeat("i", 20), `{}`).want(201)
	beyond(put(strings.Repeat("i", 21), `{}`), "id-invalid", 20)
	put("bytes", `{"a":"`+strings.Repeat("x", 3500)+`"}`).want(201)
	beyond(put("bytes", `{"a":"`+strings.Repeat("x", 4000)+`"}`), "document-too-large", 4000)
	beyond(put("body", `{"a":"`+strings.Repeat("x", 9000)+`"}`), "body-too-large", 9000)
	put("depth", nested(6)).want(201)
	beyond(put("depth", nested(8)), "document-too-large", 7)
	put("fields", `{"a":[`+fill(40, "1")+`]}`).want(201)
	beyond(put("fields", `{"a":[`+fill(51, "1")+`]}`), "document-too-large", 50)

	s.do("PUT", "/v1/db/pages/key", `{}`, "Idempotency-Key: "+strings.Repeat("k", MaxIdempotencyKeyBytes)).want(201)
	beyond(s.do("PUT", "/v1/db/pages/key", `{}`, "Idempotency-Key: "+strings.Repeat("k", MaxIdempotencyKeyBytes+1)), "idempotency-key-invalid", MaxIdempotencyKeyBytes)

	filter(`{"a":{"$in":[` + fill(30, "1") + `]}}`).want(200)
	beyond(filter(`{"a":{"$in":[`+fill(41, "1")+`]}}`), "query-too-large", 40)
	beyond(filter(`{"a":"`+strings.Repeat("x", 600)+`"}`), "query-too-large", 600)
	beyond(filter(nested(9)), "query-too-large", 7)

	k := s.open()
	subscribe := func(id, more string) { k.send(`{"type":"subscribe","id":%q,"collection":"pages"%s}`, id, more) }
	limit := func(code string, id string, limit int) {
		t.Helper()
		if p := k.refused(id, code); p["limit"] != float64(limit) {
			t.Errorf("%s: %v, want the limit %d", code, p, limit)
		}
	}
	subscribe("w", `,"sort":{"a":1},"skip":5,"limit":6`)
	limit("window-too-large", "w", 10)
	subscribe(strings.Repeat("s", MaxSubscriptionIDBytes+1), "")
	limit("field-invalid", "", MaxSubscriptionIDBytes)
	for i := range 12 {
		put(fmt.Sprint("r", i), `{"r":1}`).want(201)
	}
	subscribe("r", `,"filter":{"r":1}`)
	k.want("subscribed", "r")
	if result := k.want("result", "r"); len(result["documents"].([]any)) != 12 {
		t.Errorf("%v", result)
	}
	subscribe("all", "")
	k.want("subscribed", "all")
	limit("result-too-large", "all", 12)
	put("big1", fmt.Sprintf(`{"r":4,"text":%q}`, strings.Repeat("x", 1500))).want(201)
	put("big2", fmt.Sprintf(`{"r":4,"text":%q}`, strings.Repeat("x", 1500))).want(201)
	subscribe("bytes", `,"filter":{"r":4}`)
	k.want("subscribed", "bytes")
	limit("result-too-large", "bytes", 3000)
	subscribe("two", `,"filter":{"r":2}`)
	k.want("subscribed", "two")
	k.want("result", "two")
	subscribe("three", `,"filter":{"r":3}`)
	limit("too-many-subscriptions", "three", 2)
	k.send(`{"type":"pong","x":"%s"}`, strings.Repeat("x", 5000))
	k.closed(closeLimit)
}

// A disk that is nearly full: writes get 507 and when to come again, everything else goes on, and writes too as soon as
// there is room.
func TestDiskFull(t *testing.T) {
	var free atomic.Int64
	free.Store(1000)
	low := make(chan bool, 10)
	s := startServerWith(t, Config{Dev: true}, fanout.Config{}, func(c *storage.Config) {
		c.MinFreeBytes, c.FreeBytes = 1000, func(string) (int64, error) { return free.Load(), nil }
		c.SpaceChanged = func(now storage.Space) { low <- now.Low }
	})
	s.do("PUT", "/v1/db/pages/a", `{"n":1}`).want(201)
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"pages"}`)
	k.want("subscribed", "s1")
	k.want("result", "s1")
	free.Store(999)
	if !<-low {
		t.Fatal("the disk is not low")
	}
	for _, r := range []reply{
		s.do("PUT", "/v1/db/pages/a", `{"n":2}`), s.do("POST", "/v1/db/pages", `{"n":2}`), s.do("DELETE", "/v1/db/pages/a", ""),
		s.do("PATCH", "/v1/db/pages/a", `{"$inc":{"n":1}}`), s.do("PUT", "/v1/db/others", ""),
	} {
		if p := r.want(http.StatusInsufficientStorage).problem("disk-full"); p.Limit != 1000 || !strings.Contains(p.Detail, "(disk.minFreeBytes is 1000)") {
			t.Errorf("%d, %s", p.Limit, p.Detail)
		}
		if seconds, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
		}
	}
	if got := s.do("GET", "/v1/db/pages/a", "").want(200).object(); got["n"] != 1.0 {
		t.Errorf("a refused write was made: %v", got)
	}
	if text := s.send(s.request("GET", s.admin+"/metrics", "")).body; !strings.Contains(text, "freshet_storage_disk_low 1") ||
		!strings.Contains(text, "freshet_storage_free_bytes 999") || !strings.Contains(text, "freshet_storage_writes_disk_full_total 5") {
		t.Error("the metrics do not show it")
	}
	s.do("POST", "/v1/db/pages:truncate", "").want(204)
	if frame := k.want("result", "s1"); frame["reset"] != true {
		t.Errorf("after the truncate: %v", frame)
	}
	free.Store(1000)
	if <-low {
		t.Fatal("the disk is still low")
	}
	s.do("PUT", "/v1/db/pages/b", `{"n":3}`).want(201)
	k.want("change", "s1")
}

// When as many writes wait as may, the next one is refused at once, with when to come again. Those that wait are made, all
// of them, once the loop goes on.
func TestOverload(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages", "").want(201)
	c, _ := s.store.Collection("default", "pages")
	done := make(chan error, storage.MaxWaitingWrites)
	must(t, s.store.Boundary(t.Context(), func(n *storage.Snapshot) { // the loop stands still
		must(t, n.Close())
		for i := range storage.MaxWaitingWrites {
			go func() { done <- insert(s.store, c, fmt.Sprint("w", i)) }()
		}
		for s.store.Metrics().WaitingWrites.Load() < storage.MaxWaitingWrites {
			select {
			case err := <-done:
				t.Fatalf("a write ended before the loop went on: %v", err)
			default:
			}
		}
		r := s.do("PUT", "/v1/db/pages/refused", `{}`).want(http.StatusServiceUnavailable)
		r.problem("overloaded")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}))
	for range storage.MaxWaitingWrites {
		must(t, <-done)
	}
	if got := s.do("GET", "/v1/db/pages:count", "").want(200).object(); got["count"] != float64(storage.MaxWaitingWrites) {
		t.Errorf("%v documents, %d writes were taken", got["count"], storage.MaxWaitingWrites)
	}
	s.do("PUT", "/v1/db/pages/refused", `{}`).want(201)
}

// insert makes a document as the gateway does.
func insert(store *storage.Store, c storage.Collection, id string) error {
	written, err := store.Update(context.Background(), storage.Update{
		Collection: c, ID: id,
		Compute: func(_ *matcher.Document, w matcher.WriteID) (storage.Image, error) {
			user, err := matcher.Parse([]byte(`{}`), store.Limits())
			if err != nil {
				return storage.Image{}, err
			}
			d, err := matcher.Compose(matcher.Metadata{ID: id, Revision: matcher.Revision{Generation: 1, WriteID: w}}, user.Root(), store.Limits())
			return storage.Image{After: d}, err
		},
	})
	if err == nil && written.Operation != matcher.OperationInsert {
		return errors.New("an insert made no document")
	}
	return err
}
