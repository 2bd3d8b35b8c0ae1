package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
)

// model is what one collection must hold; every answer of the server to a write is compared with it. It has one owner.
type model struct {
	client     *wire.Client
	collection string
	docs       map[string]oracle.Object // as stored, metadata included
	exists     bool                     // the collection
	position   string                   // of the last write
}

// effect is what a write did.
type effect struct {
	what      string // for messages
	id        string
	operation string // insert, update, delete; "" if nothing changed
	fence     string // truncate, drop; "" if it was a write to a document
}

var metadata = []string{"_id", "_rev", "_createdAt", "_updatedAt", "_acl"}

func (m *model) all() []oracle.Object {
	out := make([]oracle.Object, 0, len(m.docs))
	for _, d := range m.docs {
		out = append(out, d)
	}
	return out
}

// someID is an id of the collection, or any id.
func (m *model) someID(g generator) string {
	if len(m.docs) == 0 || g.chance(10) {
		return g.id()
	}
	ids := make([]string, 0, len(m.docs))
	for id := range m.docs {
		ids = append(ids, id)
	}
	slices.Sort(ids) // the same choice for the same seed
	return pick(g, ids...)
}

// step makes one random write and checks the answer. deleting raises the share of deletes.
func (m *model) step(g generator, deleting bool) (effect, error) {
	n := g.IntN(100)
	if deleting && n < 60 {
		n = 99
	}
	switch {
	case n < 30:
		return m.insert(g)
	case n < 45:
		return m.put(g)
	case n < 80:
		return m.patch(g)
	default:
		return m.remove(m.someID(g), m.guard(g))
	}
}

// guard is a precondition for a write, mostly none.
func (m *model) guard(g generator) func(oracle.Object) (headers []string, holds bool) {
	n := g.IntN(100)
	return func(d oracle.Object) ([]string, bool) {
		switch {
		case n < 15:
			return []string{"If-Match", `"` + d.Text("_rev") + `"`}, d != nil
		case n < 20:
			return []string{"If-Match", `"1-00000000000000000000"`}, false
		}
		return nil, true
	}
}

func (m *model) insert(g generator) (effect, error) {
	id, fields := g.id(), g.fields()
	body := fields
	if g.chance(80) {
		body = append(oracle.Object{{Name: "_id", Value: id}}, fields...)
	} else {
		id = ""
	}
	answer, err := m.client.Do("POST", wire.Collection(m.collection), oracle.Encode(body))
	if err != nil {
		return effect{}, err
	}
	e := effect{what: "insert " + string(oracle.Encode(body)), id: id, operation: "insert"}
	if m.docs[id] != nil {
		return refused(e, answer, 409, "already-exists")
	}
	if id == "" {
		e.id = answer.Object().ID()
	}
	if want := wire.Document(m.collection, e.id); answer.Header.Get("Location") != want {
		return e, fmt.Errorf("%s: Location is %q, want %q", e.what, answer.Header.Get("Location"), want)
	}
	return m.stored(e, answer, 201, fields)
}

func (m *model) put(g generator) (effect, error) {
	id, fields := m.someID(g), g.fields()
	old := m.docs[id]
	headers, holds := m.guard(g)(old)
	if headers == nil && g.chance(10) {
		headers, holds = []string{"If-None-Match", "*"}, old == nil
	}
	answer, err := m.client.Do("PUT", wire.Document(m.collection, id), oracle.Encode(fields), headers...)
	if err != nil {
		return effect{}, err
	}
	e := effect{what: fmt.Sprintf("put %s %s %v", id, oracle.Encode(fields), headers), id: id, operation: "update"}
	status := 200
	if old == nil {
		e.operation, status = "insert", 201
	}
	if !holds {
		return refused(e, answer, 412, "precondition-failed")
	}
	return m.stored(e, answer, status, fields)
}

func (m *model) patch(g generator) (effect, error) {
	id := m.someID(g)
	old := m.docs[id]
	headers, holds := m.guard(g)(old)
	e := effect{id: id, operation: "update"}
	var body, want oracle.Object
	var fits error
	if g.chance(30) {
		body = g.merge()
		want, _ = oracle.Merge(old.Without(metadata...), body).(oracle.Object)
		headers = append(headers, "Content-Type", "application/merge-patch+json")
	} else {
		body = g.update()
		want, fits = oracle.Apply(old.Without(metadata...), body)
	}
	e.what = fmt.Sprintf("patch %s %s %v", id, oracle.Encode(body), headers)
	answer, err := m.client.Do("PATCH", wire.Document(m.collection, id), oracle.Encode(body), headers...)
	switch {
	case err != nil:
		return effect{}, err
	case !holds:
		return refused(e, answer, 412, "precondition-failed")
	case old == nil:
		return refused(e, answer, 404, "document-not-found")
	case fits != nil:
		return refused(e, answer, 400, "update-invalid")
	}
	return m.stored(e, answer, 200, want)
}

func (m *model) remove(id string, guard func(oracle.Object) ([]string, bool)) (effect, error) {
	old := m.docs[id]
	headers, holds := guard(old)
	e := effect{what: fmt.Sprintf("delete %s %v", id, headers), id: id, operation: "delete"}
	answer, err := m.client.Do("DELETE", wire.Document(m.collection, id), nil, headers...)
	switch {
	case err != nil:
		return effect{}, err
	case !holds:
		return refused(e, answer, 412, "precondition-failed")
	case old == nil:
		return refused(e, answer, 404, "document-not-found")
	case answer.Status != 204 || len(answer.Body) > 0 || answer.Header.Get("Freshet-Position") == "":
		return e, fmt.Errorf("%s: %v", e.what, answer)
	}
	delete(m.docs, id)
	m.position = answer.Header.Get("Freshet-Position")
	return e, nil
}

func refused(e effect, answer wire.Answer, status int, code string) (effect, error) {
	e.operation = ""
	if answer.Status != status || answer.Code() != code {
		return e, fmt.Errorf("%s: %v, want %d %s", e.what, answer, status, code)
	}
	return e, nil
}

// stored checks the document that an accepted write answered and keeps it. A write that changes nothing may leave the
// revision as it is; then it is no effect.
func (m *model) stored(e effect, answer wire.Answer, status int, want oracle.Object) (effect, error) {
	got, old := answer.Object(), m.docs[e.id]
	bad := func(why string) (effect, error) {
		return e, fmt.Errorf("%s: %s: %v (stored before: %s)", e.what, why, answer, oracle.Encode(old))
	}
	switch {
	case answer.Status != status:
		return bad(fmt.Sprintf("want %d", status))
	case got.ID() != e.id:
		return bad("another id")
	case !oracle.SameFields(got.Without(metadata...), want):
		return bad("want the fields " + string(oracle.Encode(want)))
	case answer.Header.Get("ETag") != `"`+got.Text("_rev")+`"`:
		return bad("the ETag is not the revision: " + answer.Header.Get("ETag"))
	case answer.Header.Get("Freshet-Position") == "":
		return bad("no Freshet-Position")
	}
	if old != nil && got.Text("_rev") == old.Text("_rev") {
		if !oracle.Identical(got, old) {
			return bad("the same revision for another document")
		}
		e.operation = ""
		return e, nil
	}
	if why := follows(old, got); why != "" {
		return bad(why)
	}
	m.docs[e.id] = got
	m.position = answer.Header.Get("Freshet-Position")
	return e, nil
}

// generation is the first part of a document's revision, 0 for no document.
func generation(d oracle.Object) int {
	text, _, _ := strings.Cut(d.Text("_rev"), "-")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// follows checks the metadata of a document against its state before.
func follows(old, got oracle.Object) string {
	created, _ := got.Get("_createdAt")
	updated, _ := got.Get("_updatedAt")
	if _, ok := created.(oracle.Date); !ok {
		return "_createdAt is no date"
	}
	if _, ok := updated.(oracle.Date); !ok {
		return "_updatedAt is no date"
	}
	if generation(got) != generation(old)+1 {
		return "the generation does not grow by one"
	}
	if old == nil {
		return ""
	}
	createdBefore, _ := old.Get("_createdAt")
	updatedBefore, _ := old.Get("_updatedAt")
	if created != createdBefore || oracle.Compare(updated, updatedBefore) < 0 {
		return "_createdAt changed, or _updatedAt went back"
	}
	return ""
}

// truncate removes all documents.
func (m *model) truncate() (effect, error) {
	answer, err := m.client.Do("POST", wire.Collection(m.collection)+":truncate", nil)
	if err != nil || answer.Status != 204 {
		return effect{}, fmt.Errorf("truncate: %v %w", answer, err)
	}
	m.docs = map[string]oracle.Object{}
	return effect{what: "truncate", fence: "truncate"}, nil
}

// drop removes the collection.
func (m *model) drop() (effect, error) {
	answer, err := m.client.Do("DELETE", wire.Collection(m.collection), nil)
	if err != nil || answer.Status != 204 {
		return effect{}, fmt.Errorf("drop: %v %w", answer, err)
	}
	m.docs, m.exists = map[string]oracle.Object{}, false
	return effect{what: "drop", fence: "drop"}, nil
}

// create makes the collection.
func (m *model) create() error {
	answer, err := m.client.Do("PUT", wire.Collection(m.collection), nil)
	if err != nil || answer.Status != 201 {
		return fmt.Errorf("create: %v %w", answer, err)
	}
	m.exists = true
	return nil
}

// compareQuery reads a query over HTTP, and its count, and compares both with the oracle.
func (m *model) compareQuery(q oracle.Query) error {
	want, err := q.Run(m.all())
	if err != nil {
		return err
	}
	got, pages, err := readPages(m.client, m.collection, q, "minPosition", m.position)
	if err != nil {
		return err
	}
	q.Sort = append(q.Sort, oracle.SortField{Path: "_id"}) // an answer is a list in any case
	if differ := sameList(got, want); differ != "" || pages != 1 {
		return fmt.Errorf("GET %s in %d pages: %s", wire.QueryPath(m.collection, q), pages, differ)
	}
	count := oracle.Query{Filter: q.Filter}
	answer, err := m.client.Do("GET", strings.Replace(wire.QueryPath(m.collection, count), "?", ":count?", 1), nil)
	if err != nil {
		return err
	}
	matching, err := count.Run(m.all())
	if n, _ := answer.Object().Get("count"); err != nil || n != int64(len(matching)) {
		return fmt.Errorf("count of %s: %v %w, want %d", oracle.Encode(q.Filter), answer, err, len(matching))
	}
	return nil
}

func sameList(got, want []oracle.Object) string {
	for i := range min(len(got), len(want)) {
		if !oracle.Identical(got[i], want[i]) {
			return fmt.Sprintf("entry %d is %s, want %s", i, oracle.Encode(got[i]), oracle.Encode(want[i]))
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d documents, want %d", len(got), len(want))
	}
	return ""
}

// MaxPages bounds the pages that one query is followed over.
const MaxPages = 100

// readPages reads a query to its end, page after page, with more parameters in pairs of name and value.
func readPages(c *wire.Client, collection string, q oracle.Query, more ...string) (docs []oracle.Object, pages int, err error) {
	path := wire.QueryPath(collection, q)
	for i := 0; i+1 < len(more); i += 2 {
		path += "&" + more[i] + "=" + url.QueryEscape(more[i+1])
	}
	next := ""
	for pages = 1; pages <= MaxPages; pages++ {
		answer, err := c.Do("GET", path+next, nil)
		if err != nil {
			return nil, pages, err
		}
		body := answer.Object()
		list, _ := body.Get("documents")
		page, ok := list.([]any)
		if answer.Status != 200 || !ok || len(page) > 1000 || body.Text("position") == "" {
			return nil, pages, fmt.Errorf("GET %s: %.300s", path+next, answer.String())
		}
		for _, e := range page {
			d, _ := e.(oracle.Object)
			docs = append(docs, d)
		}
		if body.Text("next") == "" {
			return docs, pages, nil
		}
		next = "&page=" + body.Text("next")
	}
	return nil, pages, fmt.Errorf("GET %s: more than %d pages", path, MaxPages)
}
