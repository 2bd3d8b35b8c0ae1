package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestUpdateOperators: what of an update is not the matcher's alone: the time, the insert, the filters in the body.
func TestUpdateOperators(t *testing.T) {
	s := startDev(t)
	const body = `{"$setOnInsert":{"made":true},"$currentDate":{"at":true},"$push":{"tags":{"$each":["b","a"],"$sort":1}}}`
	first := s.do("PATCH", "/v1/db/pages/p?upsert=true", body).want(201).object()
	if first["made"] != true || fmt.Sprint(first["tags"]) != "[a b]" {
		t.Fatalf("made %v", first)
	}
	if at, _ := first["at"].(map[string]any); at["$date"] == nil || at["$date"] == "1970-01-01T00:00:00Z" {
		t.Fatalf("at is %v", first["at"])
	}
	s.do("PATCH", "/v1/db/pages/p", `{"$unset":{"made":""}}`).want(200)
	second := s.do("PATCH", "/v1/db/pages/p?upsert=true", body).want(200).object()
	if second["made"] != nil || fmt.Sprint(second["tags"]) != "[a a b b]" {
		t.Fatalf("an update is no insert: %v", second)
	}
	third := s.do("PATCH", "/v1/db/pages/p", `{"$set":{"tags.$[x]":"c"},"arrayFilters":[{"x":"a"}]}`).want(200)
	if got := third.object(); fmt.Sprint(got["tags"]) != "[c c b b]" {
		t.Fatalf("made %v", got)
	}
	s.do("PATCH", "/v1/db/pages/p", `{"$addToSet":{"tags2":{"$each":[]}}}`).want(200)
	tag := s.do("GET", "/v1/db/pages/p", "").want(200).header.Get("ETag")
	same := s.do("PATCH", "/v1/db/pages/p", `{"$pull":{"tags":"z"},"$rename":{"none":"some"},"$max":{"tags2":[]}}`).want(200)
	if same.header.Get("ETag") != tag {
		t.Fatal("an update that changes nothing made a version")
	}
	if p := s.do("PATCH", "/v1/db/pages/p", `{"$set":{"tags.$":1}}`).problem("update-invalid"); !strings.Contains(p.Detail, "$[]") || p.Path != "/$set/tags.$" {
		t.Fatalf("%s: %s", p.Path, p.Detail)
	}
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"_acl":"all"}}`).problem("document-invalid")
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"a":"x"},"$rename":{"tags":"_acl"}}`).problem("document-invalid")
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"_acl":{"read":{}}}}`).want(200)
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"_acl":null}}`).want(200)
}

// TestHiddenChanges: a change of what a projection leaves out is no event.
func TestHiddenChanges(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages/p", `{"n":1,"big":"x","l":[1,2,3],"s":[{"k":1,"v":1},{"k":1,"v":2}]}`).want(201)
	got := s.do("POST", "/v1/db/pages:query", `{"fields":{"big":0,"l":{"$slice":1}}}`).want(200).body
	if want := `{"_id":"p","n":1,"l":[1],"s":[{"k":1,"v":1},{"k":1,"v":2}]}`; !strings.Contains(string(got), want) {
		t.Fatalf("%s, want %s", got, want)
	}
	got = s.do("POST", "/v1/db/pages:query", `{"fields":{"s":{"$elemMatch":{"k":1}}}}`).want(200).body
	if want := `{"_id":"p","s":[{"k":1,"v":1}]}`; !strings.Contains(string(got), want) {
		t.Fatalf("%s, want %s", got, want)
	}
	k := s.open()
	for id, fields := range map[string]string{"a": `{"big":0,"l":{"$slice":1}}`, "b": `{"s":{"$elemMatch":{"k":1}}}`} {
		k.send(`{"type":"subscribe","id":%q,"collection":"pages","fields":%s}`, id, fields)
		k.want("subscribed", id)
		k.want("result", id)
	}
	for _, hidden := range []string{`{"$set":{"big":"y"}}`, `{"$push":{"l":9}}`, `{"$pop":{"l":1},"$set":{"big":"z"}}`} {
		s.do("PATCH", "/v1/db/pages/p", hidden).want(200)
	}
	s.do("PATCH", "/v1/db/pages/p", `{"$set":{"n":2}}`).want(200) // seen by a alone, and the first that is
	e := k.want("change", "a")["events"].([]any)
	if d := e[0].(map[string]any)["document"].(map[string]any); len(e) != 1 || d["n"] != 2.0 || d["big"] != nil || d["_rev"] != nil {
		t.Fatalf("events %v", e)
	}
	s.do("PATCH", "/v1/db/pages/p", `{"$pop":{"s":-1},"$set":{"n":3}}`).want(200) // seen by both
	seen := map[any]any{}
	for range 2 {
		frame := k.next()
		seen[frame["id"]] = frame["events"].([]any)[0].(map[string]any)["document"].(map[string]any)["s"]
	}
	if fmt.Sprint(seen["a"]) != "[map[k:1 v:2]]" || fmt.Sprint(seen["b"]) != fmt.Sprint(seen["a"]) {
		t.Fatalf("seen %v", seen)
	}
}
