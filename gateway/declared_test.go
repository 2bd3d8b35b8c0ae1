package gateway

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const testDay = `{"$date":"2026-01-31T00:00:00Z"}`

func TestDeclaredSettings(t *testing.T) {
	s := startDev(t)
	const fields = `{"fields":{"at":{"type":"date"},"meta.seen":{"type":"date"}}}`
	if got := s.do("PUT", "/v1/db/pages", fields).want(201).body; got != fields {
		t.Errorf("the settings are %s", got)
	}
	if got := s.do("GET", "/v1/db/pages:settings", "").want(200).body; got != fields {
		t.Errorf("the settings are %s", got)
	}
	if got := s.do("PUT", "/v1/db/pages", `{"comment":"x"}`).want(200).body; got != `{"comment":"x"}` {
		t.Errorf("replaced settings are %s", got)
	}
	for body, want := range map[string]string{
		`{"fields":5}`:                                    "field-invalid /fields",
		`{"fields":{"a":"date"}}`:                         "field-invalid /fields/a",
		`{"fields":{"a":null}}`:                           "field-invalid /fields/a",
		`{"fields":{"a":{"type":"Date"}}}`:                "field-invalid /fields/a/type",
		`{"fields":{"a":{"type":5}}}`:                     "field-invalid /fields/a/type",
		`{"fields":{"a":{}}}`:                             "field-invalid /fields/a/type",
		`{"fields":{"a/b":{"type":"date","max":5}}}`:      "field-unknown /fields/a~1b/max",
		`{"fields":{"a.0":{"type":"date"}}}`:              "field-invalid /fields/a.0",
		`{"fields":{"_rev":{"type":"date"}}}`:             "field-invalid /fields/_rev",
		`{"comment":"` + strings.Repeat("x", 2000) + `"}`: "field-invalid /comment",
	} {
		code, path, _ := strings.Cut(want, " ")
		if p := s.do("PUT", "/v1/db/pages", body).problem(code); p.Path != path {
			t.Errorf("%s: the problem is at %s, want %s", body, p.Path, path)
		}
	}
}

// A document with texts for declared dates is stored with the dates, whichever way it comes.
func TestDeclaredDocuments(t *testing.T) {
	s := startDev(t)
	s.do("POST", "/v1/db/pages", `{"_id":"old","at":"long ago","n":1}`).want(201)
	s.do("PUT", "/v1/db/pages", `{"fields":{"at":{"type":"date"},"visits.at":{"type":"date"}}}`).want(200)
	stored := func(r reply, status int, want string) {
		t.Helper()
		var at map[string]json.RawMessage
		if err := json.Unmarshal([]byte(r.want(status).body), &at); err != nil || string(at["at"]) != want {
			t.Errorf("%s: at is %s, want %s", r.what, at["at"], want)
		}
	}
	stored(s.do("POST", "/v1/db/pages", `{"_id":"p","at":"2026-01-31"}`), 201, testDay)
	stored(s.do("PUT", "/v1/db/pages/p", `{"at":"2026-01-31T01:00:00+01:00"}`), 200, testDay)
	stored(s.do("PUT", "/v1/db/pages/q", `{"at":["2026-01-31",null]}`), 201, "["+testDay+",null]")
	stored(s.do("PATCH", "/v1/db/pages/p", `{"$set":{"at":"2026-02-01"}}`), 200, `{"$date":"2026-02-01T00:00:00Z"}`)
	stored(s.do("PATCH", "/v1/db/pages/p", `{"$min":{"at":"2026-01-31"}}`), 200, testDay)
	stored(s.do("PATCH", "/v1/db/pages/p", `{"at":"2026-01-30"}`, "Content-Type: "+contentMerge), 200, `{"$date":"2026-01-30T00:00:00Z"}`)
	stored(s.do("PATCH", "/v1/db/pages/new?upsert=true", `{"$set":{"at":"2026-01-31"}}`), 201, testDay)

	// What comes to the same makes no version.
	tag := s.do("GET", "/v1/db/pages/p", "").want(200).header.Get("ETag")
	for _, update := range []reply{
		s.do("PATCH", "/v1/db/pages/p", `{"$set":{"at":"2026-01-30"}}`),
		s.do("PATCH", "/v1/db/pages/p", `{"at":"2026-01-30T00:00Z"}`, "Content-Type: "+contentMerge),
	} {
		if got := update.want(200).header.Get("ETag"); got != tag {
			t.Errorf("%s made version %s of %s", update.what, got, tag)
		}
	}

	for _, bad := range []struct{ method, path, body, media, at string }{
		{"POST", "/v1/db/pages", `{"at":"yesterday"}`, contentJSON, "/at"},
		{"PUT", "/v1/db/pages/p", `{"visits":[{},{"at":5}]}`, contentJSON, "/visits/1/at"},
		{"PATCH", "/v1/db/pages/p", `{"$set":{"at":"yesterday"}}`, contentJSON, "/$set/at"},
		{"PATCH", "/v1/db/pages/p", `{"$set":{"at":5}}`, contentJSON, "/at"},
		{"PATCH", "/v1/db/pages/p", `{"at":true}`, contentMerge, "/at"},
		{"PATCH", "/v1/db/pages/p", `{"$rename":{"_acl.x":"y"},"$set":{"visits":{"at":"x"}}}`, contentJSON, "/$set/visits/at"},
	} {
		p := s.do(bad.method, bad.path, bad.body, "Content-Type: "+bad.media).problem("type-mismatch")
		if p.Path != bad.at || !strings.Contains(p.Detail, "2026-01-31") {
			t.Errorf("%s %s: %s at %s, want it at %s", bad.method, bad.body, p.Detail, p.Path, bad.at)
		}
	}

	// What was stored before stays until it is written, and then must fit.
	stored(s.do("GET", "/v1/db/pages/old", ""), 200, `"long ago"`)
	stored(s.do("PATCH", "/v1/db/pages/old", `{"$set":{"n":1}}`), 200, `"long ago"`) // no change, no version
	s.do("PATCH", "/v1/db/pages/old", `{"$set":{"n":2}}`).problem("type-mismatch")
	stored(s.do("PATCH", "/v1/db/pages/old", `{"$set":{"n":2,"at":"2026-01-31"}}`), 200, testDay)
}

// A filter with texts for declared dates finds the dates, in every kind of read; live it is the same registered query as
// the one with dates, until it is made anew under another declaration.
func TestDeclaredFilters(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages", `{"fields":{"at":{"type":"date"}}}`).want(201)
	for day := 1; day <= 9; day++ {
		s.do("PUT", fmt.Sprintf("/v1/db/pages/p%d", day), fmt.Sprintf(`{"at":"2026-01-0%d","days":[{"n":%d}]}`, day, day)).want(201)
	}
	filter := url.QueryEscape(`{"at":{"$gte":"2026-01-04","$lt":"2026-01-06"}}`)
	if got := s.do("GET", "/v1/db/pages?filter="+filter, "").want(200).ids(); !slices.Equal(got, []string{"p4", "p5"}) {
		t.Errorf("found %v", got)
	}
	if got := s.do("GET", "/v1/db/pages:count?filter="+filter, "").want(200).object()["count"]; got != 2.0 {
		t.Errorf("counted %v", got)
	}
	for _, call := range []string{"", ":count", ":explain"} {
		p := s.do("GET", "/v1/db/pages"+call+"?filter="+url.QueryEscape(`{"at":{"$gt":"soon"}}`), "").problem("query-invalid")
		if p.Path != "/filter/at/$gt" {
			t.Errorf("%s: the problem is at %s", call, p.Path)
		}
	}

	k := s.open()
	k.send(`{"type":"subscribe","id":"a","collection":"pages","filter":{"at":"2026-01-04"}}`)
	key := k.want("subscribed", "a")["queryKey"]
	result := k.want("result", "a")
	if got := documentIDs(result); !slices.Equal(got, []string{"p4"}) {
		t.Errorf("the live result has %v", got)
	}
	k.send(`{"type":"subscribe","id":"b","collection":"pages","filter":{"at":{"$date":"2026-01-04T00:00:00Z"}}}`)
	if other := k.want("subscribed", "b")["queryKey"]; other != key {
		t.Errorf("a text and a date make two queries: %v and %v", key, other)
	}
	k.want("result", "b")

	// A subscription goes on as it was compiled; a new one goes by the new declaration.
	s.do("PUT", "/v1/db/pages", `{}`).want(200)
	k.send(`{"type":"subscribe","id":"c","collection":"pages","filter":{"at":"2026-01-04"}}`)
	subscribed := k.want("subscribed", "c")
	if subscribed["queryKey"] == key {
		t.Error("a text that is no date any more makes the same query")
	}
	if got := warningsOf(subscribed); !slices.Equal(got, []string{"type-never-seen at"}) {
		t.Errorf("warnings %v", got)
	}
	k.want("result", "c")
	k.send(`{"type":"subscribe","id":"d","collection":"pages","filter":{"at":"2026-01-04"},"since":%q,"queryKey":%q}`, result["position"], key)
	k.want("subscribed", "d")
	if r := k.want("result", "d"); r["reset"] != true || r["reason"] != "other-query" {
		t.Errorf("a client that goes on under another declaration got %v", r)
	}
	s.do("PUT", "/v1/db/pages/p10", `{"at":`+strings.ReplaceAll(testDay, "31", "04")+`}`).want(201)
	for _, id := range []string{"a", "b"} {
		k.want("change", id)
	}
}

func warningsOf(frame map[string]any) []string {
	var list []string
	warnings, _ := frame["warnings"].([]any)
	for _, w := range warnings {
		w := w.(map[string]any)
		list = append(list, strings.TrimSpace(fmt.Sprint(w["code"], " ", w["path"])))
	}
	return list
}

func TestUnseenWarnings(t *testing.T) {
	s := startDev(t)
	k := s.open()
	subscribe := func(filter string) []string {
		t.Helper()
		k.send(`{"type":"subscribe","id":"s","collection":"pages","filter":%s,"initial":false}`, filter)
		warnings := warningsOf(k.want("subscribed", "s"))
		k.send(`{"type":"unsubscribe","id":"s"}`)
		k.want("unsubscribed", "s")
		return warnings
	}
	explain := func(filter string) []string {
		t.Helper()
		return warningsOf(s.do("GET", "/v1/db/pages:explain?filter="+url.QueryEscape(filter), "").want(200).object())
	}
	want := func(filter string, want ...string) {
		t.Helper()
		if got := subscribe(filter); !slices.Equal(got, want) {
			t.Errorf("%s: subscribed with warnings %v, want %v", filter, got, want)
		}
		if got := explain(filter); !slices.Equal(got, want) {
			t.Errorf("%s: explained with warnings %v, want %v", filter, got, want)
		}
	}
	if got := subscribe(`{"at":"x"}`); !slices.Equal(got, []string{"collection-created <nil>"}) {
		t.Errorf("warnings of a new collection: %v", got)
	}
	want(`{"at":"x"}`) // nothing was written yet
	s.do("POST", "/v1/db/pages", `{"at":{"$date":"2026-01-31T00:00:00Z"},"tags":["a"],"n":1}`).want(201)
	want(`{"at":{"$gt":"2026-01-31"}}`, "type-never-seen at")
	want(`{"at":{"$gt":` + testDay + `},"tags":"b","n":{"$lt":1.5},"x":null}`)
	want(`{"$or":[{"n":"1"},{"titel":"x"}]}`, "type-never-seen n", "type-never-seen titel")
	s.do("POST", "/v1/db/pages", `{"n":"1","titel":"x"}`).want(201)
	want(`{"$or":[{"n":"1"},{"titel":"x"}]}`)
	s.do("PUT", "/v1/db/pages", `{"fields":{"at":{"type":"date"},"due":{"type":"date"}}}`).want(200)
	want(`{"at":{"$gt":"2026-01-31"}}`)
	want(`{"due":{"$gt":"2026-01-31"}}`, "type-never-seen due")
	s.do("POST", "/v1/db/pages:truncate", "").want(204)
	want(`{"n":true}`)

	explained := s.do("GET", "/v1/db/pages:explain?filter="+url.QueryEscape(`{"n":true}`), "").want(200)
	if strings.Contains(explained.body, "warnings") {
		t.Errorf("an explanation without warnings: %s", explained.body)
	}
}
