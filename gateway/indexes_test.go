package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// ready asks for an index until it has been built.
func (s *testServer) ready(path string) map[string]any {
	for {
		if index := s.do("GET", path, "").want(200).object(); index["state"] == "ready" {
			return index
		}
	}
}

func TestIndexes(t *testing.T) {
	s := startServer(t, Config{})
	s.do("GET", "/v1/db/pages:indexes", "").problem("collection-not-found")
	s.do("PUT", "/v1/db/pages:indexes/byDate", `{"keys":"date"}`).problem("collection-not-found")
	s.do("PUT", "/v1/db/pages", "").want(201)
	for i := range 50 {
		s.do("PUT", fmt.Sprintf("/v1/db/pages/p%02d", i), fmt.Sprintf(`{"n":%d,"tag":%q,"open":%v}`, i, []string{"red", "blue"}[i%2], i < 10)).want(201)
	}
	if got := s.do("GET", "/v1/db/pages:indexes", "").want(200).body; got != `{"indexes":[]}` {
		t.Fatalf("no indexes: %s", got)
	}
	if r := s.do("PUT", "/v1/db/pages:indexes/byTag", `{"keys":[["tag",1],["n",-1]]}`).want(201); r.header.Get("Location") != "/v1/db/pages:indexes/byTag" {
		t.Errorf("created: %v", r.header)
	}
	s.do("PUT", "/v1/db/pages:indexes/byTag", `{"name":"byTag","keys":{"tag":1,"n":-1}}`).want(200) // means the same
	s.do("PUT", "/v1/db/pages:indexes/open", `{"keys":"n","partial":{"open":true}}`).want(201)
	if got := s.ready("/v1/db/pages:indexes/byTag"); got["entries"] != 50.0 || fmt.Sprint(got["keys"]) != "[[tag 1] [n -1]]" {
		t.Errorf("byTag: %v", got)
	}
	if got := s.ready("/v1/db/pages:indexes/open"); got["entries"] != 10.0 || got["multikey"] != nil {
		t.Errorf("open: %v", got)
	}

	query := queryString("filter", `{"tag":"red"}`, "sort", "-n", "limit", "2")
	if got := s.do("GET", "/v1/db/pages"+query, "").want(200).ids(); !slices.Equal(got, []string{"p48", "p46"}) {
		t.Errorf("found %v", got)
	}
	explained := s.do("GET", "/v1/db/pages:explain"+query+"&execute=true", "").want(200).object()
	if explained["foundBy"] != "scan" { // by writes, which an index of documents does not lead to a query
		t.Errorf("explained as %v", explained)
	}
	plan := explained["plan"].(map[string]any)
	chosen := plan["chosen"].(map[string]any)
	if chosen["index"] != "byTag" || plan["examined"].(float64) > 6 || plan["returned"] != 2.0 || len(plan["rejected"].([]any)) != 1 {
		t.Errorf("plan: %v", plan)
	}
	if got := fmt.Sprint(chosen["bounds"], chosen["sortedBy"]); got != `[map[path:tag ranges:[= "red"]]] [n _id]` {
		t.Errorf("bounds: %v", got)
	}
	if plan := s.do("POST", "/v1/db/pages:explain", `{"filter":{"x":1}}`).want(200).object()["plan"].(map[string]any); plan["examined"] != nil || plan["chosen"].(map[string]any)["uses"] != "scan" {
		t.Errorf("plan of a scan: %v", plan)
	}

	plan = s.do("GET", "/v1/db/pages:explain"+queryString("filter", `{"$or":[{"tag":"red","n":{"$gt":90}},{"tag":"blue","n":7},{"_id":"p03"}]}`, "execute", "true"), "").want(200).object()["plan"].(map[string]any)
	chosen = plan["chosen"].(map[string]any)
	if branches := fmt.Sprint(chosen["branches"]); chosen["uses"] != "union" || plan["examined"].(float64) > 3 || plan["returned"] != 2.0 ||
		strings.Count(branches, "index:byTag") != 2 || strings.Count(branches, "uses:ids") != 1 {
		t.Errorf("plan of a union: %v", plan)
	}
	if got := s.do("GET", "/v1/db/pages:count"+queryString("filter", `{"tag":"red"}`), "").want(200).object(); got["count"] != 25.0 {
		t.Errorf("count: %v", got)
	}
	plan = s.do("GET", "/v1/db/pages:explain"+queryString("filter", `{"tag":"red"}`, "for", "count", "execute", "true"), "").want(200).object()["plan"].(map[string]any)
	if chosen := plan["chosen"].(map[string]any); chosen["covered"] != true || plan["examined"] != 0.0 || plan["counted"] != 25.0 || plan["returned"] != nil {
		t.Errorf("plan of a count: %v", plan)
	}
	plan = s.do("POST", "/v1/db/pages:explain", `{"filter":{"tag":"red","open":true},"for":"count","execute":true}`).want(200).object()["plan"].(map[string]any)
	if chosen := plan["chosen"].(map[string]any); chosen["covered"] != nil || plan["examined"] != 10.0 || plan["counted"] != 5.0 {
		t.Errorf("plan of a count that no index covers: %v", plan)
	}
	if p := s.do("POST", "/v1/db/pages:explain", `{"for":"count","sort":"n"}`).problem("field-invalid"); p.Path != "/sort" {
		t.Errorf("a count has no order: %+v", p)
	}
	if p := s.do("POST", "/v1/db/pages:explain", `{"for":"sum"}`).problem("field-invalid"); p.Path != "/for" {
		t.Errorf("no explanation of a sum: %+v", p)
	}

	if p := s.do("GET", "/v1/db/pages:indexes/byTags", "").problem("index-not-found"); !strings.Contains(p.Detail, `"byTag"`) {
		t.Errorf("the nearest index is not named: %s", p.Detail)
	}
	s.do("DELETE", "/v1/db/pages:indexes/byTag", "").want(204)
	s.do("DELETE", "/v1/db/pages:indexes/byTag", "").problem("index-not-found")
	if got := s.do("GET", "/v1/db/pages"+query, "").want(200).ids(); !slices.Equal(got, []string{"p48", "p46"}) {
		t.Errorf("found without the index %v", got)
	}
}

func TestIndexesInSettings(t *testing.T) {
	s := startServer(t, Config{})
	s.do("PUT", "/v1/db/pages", `{"indexes":[{"name":"a","keys":"a"},{"name":"b","keys":"-b","expireAfterSeconds":60}]}`).want(201)
	const want = `{"comment":"x","indexes":[{"name":"a","keys":[["a",1]]},{"name":"b","keys":[["b",-1]],"expireAfterSeconds":60}]}`
	if got := s.do("PUT", "/v1/db/pages", `{"comment":"x"}`).want(200).body; got != want {
		t.Errorf("without indexes they stay: %s", got)
	}
	if got := s.do("PUT", "/v1/db/pages", `{"indexes":[{"name":"a","keys":"a"}]}`).want(200).body; got != `{"indexes":[{"name":"a","keys":[["a",1]]}]}` {
		t.Errorf("with indexes these are all: %s", got)
	}
	if p := s.do("PUT", "/v1/db/pages", `{"indexes":[{"name":"a","keys":"a"},{"name":"c","keys":[]}]}`).problem("index-invalid"); p.Path != "/indexes/1/keys" {
		t.Errorf("%+v", p)
	}
	if p := s.do("PUT", "/v1/db/pages", `{"indexes":[{"name":"a","keys":"a"},{"name":"a","keys":"b"}]}`).problem("index-invalid"); p.Path != "/indexes/1/name" {
		t.Errorf("a name that stands twice: %+v", p)
	}
	if p := s.do("PUT", "/v1/db/pages", `{"indexes":[{"keys":"a"}]}`).problem("index-invalid"); p.Path != "/indexes/0/name" || !strings.Contains(p.Detail, "missing") {
		t.Errorf("no name: %+v", p)
	}
	s.do("PUT", "/v1/db/pages", `{"indexes":7}`).problem("field-invalid")
}

// Invariant 2: what an index cannot be is refused, with its place and what to do.
func TestIndexRefusals(t *testing.T) {
	s := startServer(t, Config{})
	s.do("PUT", "/v1/db/pages", "").want(201)
	for _, c := range []struct{ name, body, code, path, detail string }{
		{"x", `{}`, "index-invalid", "/keys", "missing"},
		{"x", `{"keys":"a,b,c,d,e,f,g,h,i"}`, "index-invalid", "/keys", "MaxIndexKeys"},
		{"x", `{"keys":"_id"}`, "index-invalid", "/keys", "leave it out"},
		{"x", `{"keys":{"a":"text"}}`, "index-invalid", "/keys/a", "direction"},
		{"x", `{"keys":"a","partial":{"a":{"$foo":1}}}`, "operator-unknown", "/partial/a/$foo", ""},
		{"x", `{"keys":"a,b","expireAfterSeconds":1}`, "index-invalid", "/expireAfterSeconds", "one key"},
		{"x", `{"keys":"a","expireAfterSeconds":-1}`, "field-invalid", "/expireAfterSeconds", ""},
		{"x", `{"keys":"a","unique":true}`, "option-unsupported", "/unique", "_id of a document of its own"},
		{"x", `{"keys":"a","sparse":true}`, "option-unsupported", "/sparse", "partial"},
		{"x", `{"keys":"a","partialFilterExpression":{"a":1}}`, "option-unsupported", "/partialFilterExpression", "partial"},
		{"x", `{"keys":"a","spars":true}`, "field-unknown", "/spars", "partial"},
		{"x", `{"keys":"a","name":"y"}`, "field-invalid", "/name", "URL"},
		{"9", `{"keys":"a"}`, "index-invalid", "/name", "letter"},
	} {
		p := s.do("PUT", "/v1/db/pages:indexes/"+c.name, c.body).problem(c.code)
		if p.Path != c.path || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s: %+v, want %s with %q", c.body, p, c.path, c.detail)
		}
	}
	for i := range 64 {
		s.do("PUT", fmt.Sprintf("/v1/db/pages:indexes/i%d", i), `{"keys":"a"}`).want(201)
	}
	if p := s.do("PUT", "/v1/db/pages:indexes/more", `{"keys":"a"}`).problem("too-many-indexes"); !strings.Contains(p.Detail, "64") {
		t.Errorf("%+v", p)
	}
}
