package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// collationQuery is a window of names in German order, whatever their case, with its parts as they stand in a URL and in
// a body.
var collationQuery = []string{"filter", `{"name":{"$gte":"b"}}`, "sort", `{"name":1}`, "limit", "3", "collation", `{"locale":"de","strength":2,"numericOrdering":true}`}

const collationBody = `"filter":{"name":{"$gte":"b"}},"sort":{"name":1},"limit":3,"collation":{"locale":"de","strength":2,"numericOrdering":true}`

func startNames(t *testing.T) *testServer {
	s := startDev(t)
	for id, name := range map[string]string{"1": "Äpfel", "2": "bild 10", "3": "Bild 9", "4": "zoo", "5": "Öl", "6": "ofen"} {
		s.do("PUT", "/v1/db/names/"+id, `{"name":"`+name+`"}`).want(201)
	}
	return s
}

// A collation means the same in a URL, in a body and in every kind of read.
func TestCollationInReads(t *testing.T) {
	s := startNames(t)
	want := []string{"3", "2", "6"}
	for _, r := range []reply{
		s.do("GET", "/v1/db/names"+queryString(collationQuery...), ""),
		s.do("POST", "/v1/db/names:query", "{"+collationBody+"}"),
	} {
		if got := r.want(200).ids(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	count := queryString("filter", `{"name":"BILD 0010"}`, "collation", `{"locale":"de","strength":1,"numericOrdering":true}`)
	if got := s.do("GET", "/v1/db/names:count"+count, "").want(200).object(); got["count"] != 1.0 {
		t.Errorf("count: %v", got)
	}
	explained := s.do("GET", "/v1/db/names:explain"+queryString(collationQuery...), "").want(200).object()
	if got := fmt.Sprint(explained["collation"]); !strings.Contains(got, "locale:de numericOrdering:true strength:2 version:CLDR") {
		t.Errorf("explain: %v", got)
	}
	// An _id that collates alike is another document: the filter does not pin it.
	s.do("PUT", "/v1/db/names/AB", `{}`).want(201)
	s.do("PUT", "/v1/db/names/ab", `{}`).want(201)
	r := s.do("GET", "/v1/db/names"+queryString("filter", `{"_id":"aB"}`, "sort", `{"_id":-1}`, "collation", `{"locale":"en","strength":2}`), "")
	if got := r.want(200).ids(); !slices.Equal(got, []string{"ab", "AB"}) {
		t.Errorf("by _id: %v", got)
	}
}

// The pages of a collated order are that order, ties included.
func TestCollationInPages(t *testing.T) {
	s := startDev(t)
	var want []string
	for i := range 12 {
		id := fmt.Sprintf("d%02d", i)
		want = append(want, id)
		s.do("PUT", "/v1/db/pages/"+id, fmt.Sprintf(`{"name":"%s %d"}`, []string{"Größe", "GRÖSSE"}[i%2], i/4)).want(201)
	}
	for _, sort := range []string{`{"name":1}`, `{"_id":1}`} {
		pairs := []string{"sort", sort, "collation", `{"locale":"de","strength":1}`, "limit", "12"}
		var got []string
		for page := ""; ; {
			query := pairs
			if page != "" {
				query = append(slices.Clone(pairs), "page", page)
			}
			answer := s.do("GET", "/v1/db/pages"+queryString(query...), "").want(200)
			got = append(got, answer.ids()...)
			next, more := answer.object()["next"].(string)
			if !more {
				break
			}
			page = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("sort %s: %v", sort, got)
		}
	}
}

// A live window in a collated order follows its writes, over a WebSocket and over server-sent events.
func TestCollationLive(t *testing.T) {
	s := startNames(t)
	k := s.open()
	k.send(`{"type":"subscribe","id":"s1","collection":"names",%s}`, collationBody)
	stream := s.stream("/v1/db/names"+queryString(collationQuery...), "")
	k.want("subscribed", "s1")
	stream.want("subscribed")
	for _, result := range []map[string]any{k.want("result", "s1"), stream.want("result")} {
		if got := documentIDs(result); !slices.Equal(got, []string{"3", "2", "6"}) {
			t.Fatalf("result: %v", got)
		}
	}
	view := []string{"3", "2", "6"}
	for _, step := range []struct {
		method, id, name string
		events           int
		want             []string
	}{
		{"PUT", "7", "BILD 09", 2, []string{"3", "7", "2"}},           // equal to "Bild 9": the id decides
		{"PUT", "8", "ähre", 0, []string{"3", "7", "2"}},              // before b: it does not match
		{"PUT", "3", "bild 9", 1, []string{"3", "7", "2"}},            // the order is the same, the document is not
		{"PUT", "3", "ölig", 2, []string{"7", "2", "6"}},              // out of the window
		{"PUT", "2", "Bild 1", 1, []string{"2", "7", "6"}},            // up
		{"PUT", "6", "Oz", 2, []string{"2", "7", "5"}},                // ö is no letter of its own: Öl before Oz
		{"DELETE", "7", "", 2, []string{"2", "5", "3"}},               // ölig moves up
		{"PUT", "9", "b\u00ec\u0323ld 1", 2, []string{"2", "9", "5"}}, // accents come after the letters
	} {
		body := ""
		if step.method == "PUT" {
			body = `{"name":"` + step.name + `"}`
		}
		s.do(step.method, "/v1/db/names/"+step.id, body)
		if step.events > 0 {
			change := k.want("change", "s1")
			events := change["events"].([]any)
			if len(events) != step.events {
				t.Fatalf("%v: %d events, want %d: %v", step, len(events), step.events, change)
			}
			if other := stream.want("change"); fmt.Sprint(other["events"]) != fmt.Sprint(events) {
				t.Fatalf("%v: the stream has %v, the socket %v", step, other, change)
			}
			for _, e := range events {
				view = applyEvent(view, e.(map[string]any))
			}
		}
		if !slices.Equal(view, step.want) {
			t.Fatalf("%v: the view is %v", step, view)
		}
		if got := s.do("POST", "/v1/db/names:query", "{"+collationBody+"}").ids(); !slices.Equal(got, view) {
			t.Fatalf("%v: the view is %v, the query finds %v", step, view, got)
		}
	}
}

// applyEvent takes out at previousIndex and puts in at index.
func applyEvent(view []string, e map[string]any) []string {
	if i, out := e["previousIndex"].(float64); out {
		view = slices.Delete(slices.Clone(view), int(i), int(i)+1)
	}
	if i, in := e["index"].(float64); in && e["match"] != "change" {
		view = slices.Insert(slices.Clone(view), int(i), e["_id"].(string))
	}
	return view
}
