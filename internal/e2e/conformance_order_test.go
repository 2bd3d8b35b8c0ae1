package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/internal/conformance"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
)

// sortedID is an `_id` of a vector as a string that sorts alike: whole numbers from 0 on are padded.
func sortedID(original string) (string, bool) {
	if id, ok := textID(original); ok {
		return id, true
	}
	var n uint64
	if json.Unmarshal([]byte(original), &n) != nil || original == "null" {
		return "", false
	}
	return fmt.Sprintf("%012d", n), true
}

// sortedDocuments gives documents ids that are strings. Where they cannot keep their order, or the filter asks for
// them, the original ones get another name if the vector looks at `_id` at all.
func sortedDocuments(texts []json.RawMessage, filter, sort []byte) (docs []vectorDocument, rename bool, err error) {
	asks, onlyText := asksForID(filter)
	sorts := bytes.Contains(sort, []byte(`"_id`))
	kinds, seen := map[bool]bool{}, map[string]bool{} // whether strings and numbers occur
	for _, text := range texts {
		original := originalID(text)
		id, ok := sortedID(original)
		_, isText := textID(original)
		kinds[isText] = true
		rename = rename || (asks || sorts) && (!ok || seen[id] || asks && !isText)
		seen[id] = true
	}
	rename = rename || sorts && len(kinds) > 1 || asks && !onlyText
	taken := map[string]bool{}
	for i, text := range texts {
		id, ok := sortedID(originalID(text))
		if !ok || rename || taken[id] {
			id = fmt.Sprintf("document-%03d", i)
		}
		taken[id] = true
		if rename {
			text = renameID(text)
		}
		d, err := withID(text, id)
		if err != nil {
			return nil, false, err
		}
		docs = append(docs, d)
	}
	return docs, rename, nil
}

func renamedQuery(rename bool, filter, sort []byte, skip, limit int) vectorQuery {
	q := vectorQuery{filter: filter, sort: sort, skip: skip, limit: limit}
	if string(sort) == "[]" {
		q.sort, q.nearest = nil, true
	}
	if rename {
		q.filter, q.sort = renameID(q.filter), bytes.ReplaceAll(q.sort, []byte(`"_id`), []byte(`"key_`))
	}
	return q
}

// TestConformanceSortLive holds a server to the sort vectors: the order of a first result, and of the list that a
// client builds from the events of inserts in another order.
func TestConformanceSortLive(t *testing.T) {
	var passed, renamed atomic.Int64
	runVectors(t, conformance.ReadSort(t), func(s *vectorSession, v conformance.Sort) error {
		if conformance.Exceptions[v.ID] != "" {
			return nil
		}
		docs, rename, err := sortedDocuments(v.Docs, v.Query, v.Sort)
		if err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		if rename {
			renamed.Add(1)
		}
		want, err := expectedIDs(v, docs)
		if err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		for _, d := range docs {
			if err := s.insert(d.text); err != nil {
				return fmt.Errorf("%s: %w", v.ID, err)
			}
		}
		if err := s.subscribe("sorted", renamedQuery(rename, v.Query, v.Sort, v.Skip, v.Limit)); err != nil {
			return err
		}
		if err := s.awaitResults(); err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		for _, d := range docs {
			if err := s.delete(d.id); err != nil {
				return err
			}
		}
		for _, d := range slices.Backward(docs) {
			if err := s.insert(d.text); err != nil {
				return err
			}
		}
		if err := s.drop(); err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		got := s.subs["sorted"]
		live := idsOf(got.follower.View)
		switch {
		case got.code != "collection-dropped":
			t.Errorf("%s: %s by %s was refused with %s", v.ID, v.Query, v.Sort, got.code)
		case !slices.Equal(got.first, want):
			t.Errorf("%s: %s by %s: the first result is %q, want %q", v.ID, v.Query, v.Sort, got.first, want)
		case !slices.Equal(live, want):
			t.Errorf("%s: %s by %s: the live list is %q, want %q", v.ID, v.Query, v.Sort, live, want)
		case len(want) > 0 && !slices.ContainsFunc(got.views, func(ids []string) bool { return len(ids) == 0 }):
			t.Errorf("%s: the list never became empty", v.ID)
		default:
			passed.Add(1)
		}
		return nil
	})
	t.Logf("%d vectors passed, %d of all with _id under another name", passed.Load(), renamed.Load())
	if wanted := int64(250); !raceEnabled && passed.Load() < wanted {
		t.Errorf("only %d vectors passed, at least %d are expected", passed.Load(), wanted)
	}
}

// expectedIDs are the mapped ids of what a sort vector expects.
func expectedIDs(v conformance.Sort, docs []vectorDocument) ([]string, error) {
	ids := []string{}
	for _, text := range v.Expect {
		at := slices.IndexFunc(v.Docs, func(doc json.RawMessage) bool {
			if v.ExpectKind == "ids" {
				return originalID(doc) == string(text)
			}
			return string(doc) == string(text)
		})
		if at < 0 {
			return nil, fmt.Errorf("expected document %s is not among the documents", text)
		}
		ids = append(ids, docs[at].id)
	}
	return ids, nil
}

// TestConformanceWindowLive holds a server to the window vectors: the list after every write that moves something, and
// the documents at the end.
func TestConformanceWindowLive(t *testing.T) {
	var passed atomic.Int64
	runVectors(t, conformance.ReadWindow(t), func(s *vectorSession, v conformance.Window) error {
		if conformance.Exceptions[v.ID] != "" {
			return nil
		}
		ok, err := runWindow(t, s, v)
		if err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		if ok {
			passed.Add(1)
		}
		return nil
	})
	t.Logf("%d vectors passed", passed.Load())
	if wanted := int64(274); !raceEnabled && passed.Load() < wanted {
		t.Errorf("only %d vectors passed, at least %d are expected", passed.Load(), wanted)
	}
}

func runWindow(t *testing.T, s *vectorSession, v conformance.Window) (bool, error) {
	asks, onlyText := asksForID(v.Query)
	rename := asks && !onlyText
	stored := map[string][]byte{}
	put := func(text []byte) (vectorDocument, error) {
		id, ok := sortedID(originalID(text))
		if !ok {
			return vectorDocument{}, fmt.Errorf("no order of strings has the _id of %s", text)
		}
		if rename {
			text = renameID(text)
		}
		d, err := withID(text, id)
		stored[id] = d.text
		return d, err
	}
	for _, text := range v.Initial {
		d, err := put(text)
		if err != nil {
			return false, err
		}
		if err := s.insert(d.text); err != nil {
			return false, err
		}
	}
	q := renamedQuery(rename, v.Query, v.Sort, v.Skip, v.Limit)
	q.whole = true
	if err := s.subscribe("window", q); err != nil {
		return false, err
	}
	if err := s.awaitResults(); err != nil {
		return false, err
	}
	for _, step := range v.Steps {
		d, err := put(step.Doc)
		if err != nil {
			return false, err
		}
		switch step.Op {
		case "insert":
			err = s.insert(d.text)
		case "update":
			err = s.write("PUT", "/v1/db/"+s.collection+"/"+d.id, d.text)
		case "remove":
			delete(stored, d.id)
			err = s.delete(d.id)
		default:
			err = fmt.Errorf("step %q", step.Op)
		}
		if err != nil {
			return false, err
		}
	}
	if err := s.drop(); err != nil {
		return false, err
	}
	return sameWindow(t, v, s.subs["window"], stored), nil
}

// sameWindow compares the lists that a client showed with those of the vector. Steps that move nothing are in neither:
// a client gets no frame for them, or one that changes a document in its place.
func sameWindow(t *testing.T, v conformance.Window, got *vectorSub, stored map[string][]byte) bool {
	t.Helper()
	want := [][]string{windowIDs(v.ExpectInitial)}
	for _, ids := range v.ExpectAfter {
		want = append(want, windowIDs(ids))
	}
	shown := append([][]string{got.first}, got.views...)
	want, shown = slices.CompactFunc(want, slices.Equal), slices.CompactFunc(shown, slices.Equal)
	for i := range max(len(want), len(shown)) {
		if i >= len(want) || i >= len(shown) || !slices.Equal(want[i], shown[i]) {
			t.Errorf("%s: %s by %s, skip %d, limit %d, refused with %q: the lists differ from number %d on:\ngot  %q\nwant %q", v.ID, v.Query,
				v.Sort, v.Skip, v.Limit, got.code, i, shown[min(i, len(shown)):], want[min(i, len(want)):])
			return false
		}
	}
	for _, d := range got.follower.View {
		if shows := d.Without(metadata...); !oracle.Identical(shows, oracle.MustObject(string(stored[d.ID()])).Without(metadata...)) {
			t.Errorf("%s: the document %s is shown as %s", v.ID, stored[d.ID()], oracle.Encode(shows))
			return false
		}
	}
	return true
}

func windowIDs(ids []any) []string {
	out := []string{}
	for _, id := range ids {
		text, err := json.Marshal(id)
		if err != nil {
			panic(err) // it came from JSON
		}
		mapped, _ := sortedID(string(text))
		out = append(out, mapped)
	}
	return out
}

// refusalCodes are the codes with which a filter may be refused; json-invalid is that of an Extended JSON wrapper which
// holds no value of its type.
var refusalCodes = []string{"query-invalid", "operator-unknown", "json-invalid"}

// TestConformanceInvalidLive holds a server to the vectors of wrong queries: a subscription is refused with a stable
// code that comes with a place in the filter, a read likewise, and the session goes on.
func TestConformanceInvalidLive(t *testing.T) {
	var passed atomic.Int64
	runVectors(t, conformance.ReadInvalid(t), func(s *vectorSession, v conformance.Invalid) error {
		if conformance.Exceptions[v.ID] != "" {
			return nil
		}
		if err := s.subscribe("wrong", vectorQuery{filter: v.Query}); err != nil {
			return err
		}
		if err := s.awaitResults(); err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		read, err := s.client.Do("POST", "/v1/db/"+s.collection+":query", fmt.Appendf(nil, `{"filter":%s}`, v.Query))
		if err != nil {
			return err
		}
		if err := s.drop(); err != nil {
			return fmt.Errorf("%s: %w", v.ID, err)
		}
		code := s.subs["wrong"].code
		switch {
		case !slices.Contains(refusalCodes, code):
			t.Errorf("%s: the subscription to %s ended with %q", v.ID, v.Query, code)
		case read.Status != 400 || read.Code() != code:
			t.Errorf("%s: the read of %s was answered %v", v.ID, v.Query, read)
		case !strings.HasPrefix(read.Object().Text("path"), "/filter"):
			t.Errorf("%s: the refusal of %s names no place in the filter: %v", v.ID, v.Query, read)
		default:
			passed.Add(1)
		}
		return nil
	})
	t.Logf("%d vectors passed", passed.Load())
	if wanted := int64(715); !raceEnabled && passed.Load() < wanted {
		t.Errorf("only %d vectors passed, at least %d are expected", passed.Load(), wanted)
	}
}
