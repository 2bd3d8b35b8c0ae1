package gateway

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/fanout"
)

// A write frame of each operation, with its answer before the change that it causes.
func TestSocketWrites(t *testing.T) {
	s := startDev(t)
	k := s.open()
	k.send(`{"type":"write","id":"w0","operation":"insert","collection":"pages","document":{"_id":"p0","n":0}}`)
	k.want("written", "w0") // under Dev it makes the collection
	k.send(`{"type":"subscribe","id":"s","collection":"pages"}`)
	k.want("subscribed", "s")
	k.want("result", "s")

	event := func(operation string) map[string]any {
		t.Helper()
		change := k.want("change", "s")
		e := change["events"].([]any)[0].(map[string]any)
		if e["operation"] != operation {
			t.Fatalf("change %v, want an %s", change, operation)
		}
		return e
	}
	k.send(`{"type":"write","id":"w1","operation":"insert","collection":"pages","document":{"n":1}}`)
	made := k.want("written", "w1")
	id, revision := made["_id"].(string), made["_rev"].(string)
	if e := event("insert"); e["_id"] != id || made["position"] == "" {
		t.Fatalf("written %v, changed %v", made, e)
	}
	k.send(`{"type":"write","id":"w2","operation":"replace","collection":"pages","_id":%q,"document":{"n":2},"ifMatch":%q}`, id, revision)
	replaced := k.want("written", "w2")
	event("update")
	k.send(`{"type":"write","id":"w2","operation":"replace","collection":"pages","_id":%q,"document":{"n":3},"ifMatch":%q}`, id, revision) // the id is free again
	k.refused("w2", "precondition-failed")
	k.send(`{"type":"write","id":"w3","operation":"update","collection":"pages","_id":%q,"update":{"$inc":{"n":1}},"idempotencyKey":"k"}`, id)
	updated := k.want("written", "w3")
	if e := event("update"); e["document"].(map[string]any)["n"] != 3.0 || updated["_rev"] == replaced["_rev"] {
		t.Fatalf("updated %v, changed %v", updated, e)
	}
	k.send(`{"type":"write","id":"w4","operation":"update","collection":"pages","_id":%q,"update":{"$inc":{"n":1}},"idempotencyKey":"k"}`, id)
	if again := k.want("written", "w4"); again["_rev"] != updated["_rev"] {
		t.Fatalf("written %v, and then %v", updated, again)
	}
	k.send(`{"type":"write","id":"w5","operation":"update","collection":"pages","_id":%q,"update":{"$inc":{"n":2}},"idempotencyKey":"k"}`, id)
	k.refused("w5", "idempotency-key-reused")
	k.send(`{"type":"write","id":"w6","operation":"replace","collection":"pages","document":{"_id":"p0"},"ifNoneMatch":"*"}`)
	k.refused("w6", "precondition-failed")
	k.send(`{"type":"write","id":"w7","operation":"delete","collection":"pages","_id":%q}`, id)
	if gone := k.want("written", "w7"); gone["_rev"] != nil || gone["_id"] != id {
		t.Fatalf("deleted: %v", gone)
	}
	event("delete")

	// The key counts for HTTP too.
	s.do("PATCH", "/v1/db/pages/"+id, `{"$inc":{"n":1}}`, "Idempotency-Key: k").want(200)
}

// Writes are made in the order of their frames, as many at once as may be, and all are answered; the last answer comes
// before the last change.
func TestSocketPipeline(t *testing.T) {
	s := startServerWith(t, Config{Dev: true}, fanout.Config{})
	k := s.open()
	k.send(`{"type":"write","id":"first","operation":"insert","collection":"pages","document":{"_id":"p","log":[]}}`)
	k.want("written", "first")
	k.send(`{"type":"subscribe","id":"s","collection":"pages","fields":["n"]}`)
	k.want("subscribed", "s")
	k.want("result", "s")
	const writes = 2*MaxSessionWrites + 100
	go func() {
		for i := range writes {
			k.send(`{"type":"write","id":"w%d","operation":"update","collection":"pages","_id":"p","update":{"$push":{"log":%d},"$set":{"n":%d}}}`, i, i, i)
		}
	}()
	answered, changed := 0, 0
	for answered < writes || changed < writes {
		switch frame := k.next(); frame["type"] {
		case "written":
			if frame["id"] != fmt.Sprint("w", answered) {
				t.Fatalf("answer %d is %v", answered, frame)
			}
			answered++
		case "change":
			n := frame["events"].([]any)[0].(map[string]any)["document"].(map[string]any)["n"].(float64)
			if changed = int(n) + 1; changed > answered {
				t.Fatalf("the change of write %d came before its answer", changed-1)
			}
		default:
			t.Fatalf("%v", frame)
		}
	}
	list := s.do("GET", "/v1/db/pages/p", "").want(200).object()["log"].([]any)
	for i, n := range list {
		if n != float64(i) {
			t.Fatalf("write %d was made in place %d", int(n.(float64)), i)
		}
	}
	if len(list) != writes {
		t.Fatalf("%d of %d writes were made", len(list), writes)
	}
}

// A client that does not take its answers is not read from, beyond the bound.
func TestSocketWritesAreBounded(t *testing.T) {
	s := startServerWith(t, Config{Dev: true}, fanout.Config{})
	s.do("PUT", "/v1/db/pages", "").want(201)
	k := s.open()
	release := make(chan struct{})
	held := s.hold(release)
	const writes = MaxSessionWrites + 50
	for i := range writes {
		k.send(`{"type":"write","id":"w%d","operation":"insert","collection":"pages","document":{}}`, i)
	}
	for s.store.Metrics().WaitingWrites.Load() < MaxSessionWrites {
		runtime.Gosched()
	}
	if waiting := s.store.Metrics().WaitingWrites.Load(); waiting != MaxSessionWrites {
		t.Errorf("%d writes of one session are on their way, want %d", waiting, MaxSessionWrites)
	}
	close(release)
	must(t, <-held)
	for i := range writes {
		k.want("written", fmt.Sprint("w", i))
	}
}

// The room of a message is lent: what writes hold while they wait, and what is stored, has nothing of it.
func TestSocketMessagesAreNotKept(t *testing.T) {
	s := startServerWith(t, Config{Dev: true}, fanout.Config{})
	s.do("PUT", "/v1/db/pages", "").want(201)
	s.do("PUT", "/v1/db/pages/updated", `{"acl":0}`).want(201)
	const sockets, writes = 3, 40
	text := func(k, w int) string {
		return strings.Repeat(string(rune('a'+(k*writes+w)%26)), 1+(k*977+w*131)%5000)
	}
	var open []*testSocket
	for k := range sockets {
		open = append(open, s.open())
		open[k].send(`{"type":"subscribe","id":"s","collection":"pages","filter":{"k":%d}}`, k)
		open[k].want("subscribed", "s")
		open[k].want("result", "s")
	}
	release := make(chan struct{})
	held := s.hold(release) // so that all writes wait
	for w := range writes {
		for k, socket := range open {
			id, body := fmt.Sprintf("%d-%d", k, w), text(k, w)
			if w%2 == 0 {
				socket.send(`{"type":"write","id":"w%d","operation":"insert","collection":"pages","document":{"_id":%q,"k":%d,"text":%q,"_acl":{"read":{%q:"allow"}}}}`, w, id, k, body, "u"+id)
			} else {
				socket.send(`{"type":"write","id":"w%d","operation":"update","collection":"pages","_id":"updated","update":{"$set":{%q:%q}},"idempotencyKey":%q}`, w, id, body, "key"+id)
			}
		}
	}
	for s.store.Metrics().WaitingWrites.Load() < sockets*writes {
		runtime.Gosched()
	}
	close(release)
	must(t, <-held)
	for k, socket := range open {
		for answered, changed := 0, 0; answered < writes || changed < writes/2; {
			switch frame := socket.next(); frame["type"] {
			case "written":
				answered++
			case "change":
				for _, e := range frame["events"].([]any) {
					document := e.(map[string]any)["document"].(map[string]any)
					var of, w int
					if _, err := fmt.Sscanf(document["_id"].(string), "%d-%d", &of, &w); err != nil || of != k || document["text"] != text(k, w) {
						t.Fatalf("session %d got %v", k, document)
					}
					changed++
				}
			default:
				t.Fatalf("%v", frame)
			}
		}
	}
	updated := s.do("GET", "/v1/db/pages/updated", "").want(200).object()
	for k := range sockets {
		for w := range writes {
			id := fmt.Sprintf("%d-%d", k, w)
			if w%2 == 1 {
				if updated[id] != text(k, w) {
					t.Fatalf("%s is %v", id, updated[id])
				}
				continue
			}
			document := s.do("GET", "/v1/db/pages/"+id, "").want(200).object()
			if document["text"] != text(k, w) || fmt.Sprint(document["_acl"]) != "map[read:map[u"+id+":allow]]" {
				t.Fatalf("%s is %v", id, document)
			}
		}
	}
}
