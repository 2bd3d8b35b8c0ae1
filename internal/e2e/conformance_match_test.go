package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/internal/conformance"
)

// matchCase is a set of documents and the queries whose vectors are about exactly these documents.
type matchCase struct {
	docs    []vectorDocument
	queries []matchQuery
}

// matchQuery is a filter and what it must answer for each document of its case.
type matchQuery struct {
	query   vectorQuery
	vectors []conformance.Match // one for each document, in their order
}

// matchCases puts the vectors of one query together, and the queries that share their documents.
func matchCases(t *testing.T, vectors []conformance.Match) (cases []*matchCase, renamed int) {
	t.Helper()
	byQuery, order := map[string][]conformance.Match{}, []string{}
	for _, v := range vectors {
		if conformance.Exceptions[v.ID] != "" {
			continue
		}
		if byQuery[string(v.Query)] == nil {
			order = append(order, string(v.Query))
		}
		byQuery[string(v.Query)] = append(byQuery[string(v.Query)], v)
	}
	byDocs := map[string]*matchCase{}
	for _, text := range order {
		of := byQuery[text]
		slices.SortFunc(of, func(a, b conformance.Match) int { return strings.Compare(string(a.Doc), string(b.Doc)) })
		asks, rename := idsMatter(of)
		if rename {
			renamed += len(of)
		}
		key := fmt.Sprint(asks, rename)
		for _, v := range of {
			key += "\n" + string(v.Doc)
		}
		c := byDocs[key]
		if c == nil {
			c = &matchCase{}
			taken := map[string]bool{}
			for i, v := range of {
				d, err := storable(v.Doc, i, rename, taken)
				if err != nil {
					t.Fatalf("%s: %v", v.ID, err)
				}
				c.docs = append(c.docs, d)
			}
			byDocs[key] = c
			cases = append(cases, c)
		}
		q := matchQuery{vectors: of}
		q.query.filter = of[0].Query
		if rename {
			q.query.filter = renameID(of[0].Query)
		}
		q.query.nearest = slices.Contains(of[0].Ops, "$near") || slices.Contains(of[0].Ops, "$nearSphere")
		c.queries = append(c.queries, q)
	}
	return cases, renamed
}

// idsMatter says whether the query of some vectors asks for `_id`, and whether that must be renamed because an id is no
// string, or stands twice.
func idsMatter(vectors []conformance.Match) (asks, rename bool) {
	asks, onlyText := asksForID(vectors[0].Query)
	seen := map[string]bool{}
	for _, v := range vectors {
		id, ok := textID(originalID(v.Doc))
		onlyText = onlyText && ok && !seen[id]
		seen[id] = true
	}
	return asks, asks && !onlyText
}

// storable gives a document an `_id` that is a string: its own if it is one and not taken, else one for its number.
func storable(text []byte, number int, rename bool, taken map[string]bool) (vectorDocument, error) {
	id, ok := textID(originalID(text))
	if !ok || taken[id] || rename {
		id = fmt.Sprintf("document-%03d", number)
	}
	taken[id] = true
	if rename {
		text = renameID(text)
	}
	return withID(text, id)
}

// TestConformanceMatchLive is statement 5 for the match vectors: what a live query shows of documents that are there,
// and that it is told of every document that goes and comes, and of no other.
func TestConformanceMatchLive(t *testing.T) {
	cases, renamed := matchCases(t, conformance.ReadMatch(t))
	var passed atomic.Int64
	runVectors(t, cases, func(s *vectorSession, c *matchCase) error { return c.run(t, s, &passed) })
	t.Logf("%d vectors passed, %d of all with _id under another name", passed.Load(), renamed)
	if wanted := int64(15_166); !raceEnabled && passed.Load() < wanted {
		t.Errorf("only %d vectors passed, at least %d are expected", passed.Load(), wanted)
	}
}

func (c *matchCase) run(t *testing.T, s *vectorSession, passed *atomic.Int64) error {
	insertAll := func() error {
		for _, d := range c.docs {
			if err := s.insert(d.text); err != nil {
				return err
			}
		}
		return nil
	}
	if err := insertAll(); err != nil {
		return err
	}
	for i, q := range c.queries {
		if err := s.subscribe(fmt.Sprint(i), q.query); err != nil {
			return err
		}
	}
	if err := s.awaitResults(); err != nil {
		return err
	}
	for _, d := range c.docs {
		if err := s.delete(d.id); err != nil {
			return err
		}
	}
	if err := insertAll(); err != nil {
		return err
	}
	if err := s.drop(); err != nil {
		return err
	}
	for i, q := range c.queries {
		if q.holds(t, c.docs, s.subs[fmt.Sprint(i)]) {
			passed.Add(int64(len(q.vectors)))
		}
	}
	return nil
}

// holds compares what came for a query with its vectors.
func (q matchQuery) holds(t *testing.T, docs []vectorDocument, got *vectorSub) bool {
	t.Helper()
	if got.code != "collection-dropped" {
		t.Errorf("%s: %s was refused with %s", q.vectors[0].ID, q.query.filter, got.code)
		return false
	}
	right := true
	var first, events, added []string
	for i, v := range q.vectors {
		id := docs[i].id
		if v.Match {
			first = append(first, id)
			events = append(events, "remove/delete/"+id)
			added = append(added, "add/insert/"+id)
		}
		for what, shown := range map[string]bool{
			"the first result":        slices.Contains(got.first, id),
			"the event of the delete": slices.Contains(got.events, "remove/delete/"+id),
			"the event of the insert": slices.Contains(got.events, "add/insert/"+id),
		} {
			if shown != v.Match {
				t.Errorf("%s: %s on %s, want %t: %s differs", v.ID, q.query.filter, docs[i].text, v.Match, what)
				right = false
			}
		}
	}
	events = append(events, added...)
	if right && (len(got.first) != len(first) || !slices.Equal(got.events, events)) {
		t.Errorf("%s: %s: result %q, events %q; want %q, %q", q.vectors[0].ID, q.query.filter, got.first, got.events, first, events)
		right = false
	}
	return right
}
