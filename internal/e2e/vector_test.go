package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/internal/e2e/follow"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
)

// vectorSessions is how many sessions the conformance vectors are run over at once.
const vectorSessions = 4

// oneInWithRace is the share of the vectors that is run where the race detector slows everything down.
const oneInWithRace = 10

// runVectors runs every case over one of a few sessions of one server, a part of them under the race detector.
func runVectors[T any](t *testing.T, cases []T, run func(s *vectorSession, c T) error) {
	t.Helper()
	if raceEnabled {
		r := random(t)
		all := len(cases)
		cases = slices.DeleteFunc(slices.Clone(cases), func(T) bool { return r.IntN(oneInWithRace) != 0 })
		t.Logf("%d of %d cases are run under the race detector", len(cases), all)
	}
	p := start(t, t.TempDir(), "--durability", "os")
	work := make(chan T)
	var workers sync.WaitGroup
	var lost atomic.Bool // a session, and with it its place in the frames
	fail := func(err error) {
		t.Error(err)
		lost.Store(true)
	}
	for i := range vectorSessions {
		s := &vectorSession{session: dial(t, p), client: client(t, p, 1), name: fmt.Sprintf("v%d", i)}
		workers.Go(func() {
			defer func() {
				if err := s.session.Close(); err != nil {
					t.Error(err)
				}
			}()
			for c := range work {
				if err := s.begin(); err != nil {
					fail(err)
				} else if err := run(s, c); err != nil {
					fail(err)
				}
			}
		})
	}
	for _, c := range cases {
		if lost.Load() {
			break
		}
		work <- c
	}
	close(work)
	workers.Wait()
}

// vectorSession runs cases one after the other, each in a collection of its own. The drop of the collection is the last
// frame of every subscription, so whatever came before it is all that the writes caused.
type vectorSession struct {
	session    *wire.Session
	client     *wire.Client
	name       string
	count      int
	collection string
	subs       map[string]*vectorSub
}

// vectorSub is a subscription and what came for it.
type vectorSub struct {
	follower *follow.Follower
	code     string     // of the error that ended it
	first    []string   // ids of the first result
	events   []string   // match/operation/id
	views    [][]string // ids after each change
}

func (s *vectorSession) begin() error {
	s.count++
	s.collection, s.subs = fmt.Sprintf("%s-%d", s.name, s.count), map[string]*vectorSub{}
	return s.write("PUT", wire.Collection(s.collection), []byte(`{}`))
}

func (s *vectorSession) write(method, path string, body []byte) error {
	answer, err := s.client.Do(method, path, body)
	if err == nil && answer.Status >= 300 {
		err = fmt.Errorf("%s %s %.300s: %v", method, path, body, answer)
	}
	return err
}

func (s *vectorSession) insert(document []byte) error {
	return s.write("POST", wire.Collection(s.collection), document)
}

func (s *vectorSession) delete(id string) error {
	return s.write("DELETE", wire.Document(s.collection, id), nil)
}

// vectorQuery is a query whose parts are texts.
type vectorQuery struct {
	filter, sort []byte // nil: left out
	skip, limit  int
	nearest      bool // has a $near and so an order
	whole        bool // the documents come whole, else their ids alone
}

func (s *vectorSession) subscribe(id string, q vectorQuery) error {
	frame := fmt.Appendf(nil, `{"type":"subscribe","id":%q,"collection":%q`, id, s.collection)
	for _, part := range []struct {
		name string
		text []byte
	}{{"filter", q.filter}, {"sort", q.sort}} {
		if part.text != nil {
			frame = fmt.Appendf(frame, `,%q:%s`, part.name, part.text)
		}
	}
	followed := oracle.Query{Skip: q.skip, Limit: q.limit}
	if q.sort != nil || q.nearest {
		followed.Sort = []oracle.SortField{{Path: "the follower asks only whether there is an order"}}
	}
	if q.skip > 0 {
		frame = fmt.Appendf(frame, `,"skip":%d`, q.skip)
	}
	if q.limit > 0 {
		frame = fmt.Appendf(frame, `,"limit":%d`, q.limit)
	}
	if !q.whole {
		frame = append(frame, `,"fields":["_id"]`...)
	}
	s.subs[id] = &vectorSub{follower: follow.New(followed)}
	return s.session.SendText(append(frame, '}'))
}

// readUntil takes frames until all subscriptions have come so far.
func (s *vectorSession) readUntil(reached func(*vectorSub) bool) error {
	open := 0
	for _, sub := range s.subs {
		if !reached(sub) {
			open++
		}
	}
	for open > 0 {
		frame, err := s.session.Next(frameWait)
		if err != nil {
			return err
		}
		if frame.Type == "progress" {
			continue // says how far the session is, and nothing new of a subscription
		}
		sub := s.subs[frame.ID]
		if sub == nil {
			return fmt.Errorf("a frame of no subscription: %.300s", frame.Raw)
		}
		before := reached(sub)
		if err := sub.take(frame); err != nil {
			return err
		}
		if reached(sub) && !before {
			open--
		}
	}
	return nil
}

func (v *vectorSub) take(frame wire.Frame) error {
	step, err := v.follower.Apply(frame)
	if err != nil {
		return err
	}
	if step.Code != "" {
		v.code = step.Code
	}
	switch step.Type {
	case "result":
		if step.Reset {
			return fmt.Errorf("a reset: %s", step.Reason)
		}
		if !step.Partial {
			v.first = idsOf(v.follower.View)
		}
	case "change":
		for _, e := range step.Events {
			v.events = append(v.events, e.Match+"/"+e.Operation+"/"+e.ID)
		}
		v.views = append(v.views, idsOf(v.follower.View))
	}
	return nil
}

func idsOf(docs []oracle.Object) []string {
	ids := make([]string, 0, len(docs))
	for _, d := range docs {
		ids = append(ids, d.ID())
	}
	return ids
}

// awaitResults waits until every subscription has its first result or was refused.
func (s *vectorSession) awaitResults() error {
	return s.readUntil(func(v *vectorSub) bool { return v.follower.Live() || v.follower.Ended() })
}

// drop ends the case: when it returns, every subscription was told everything.
func (s *vectorSession) drop() error {
	if err := s.write("DELETE", wire.Collection(s.collection), nil); err != nil {
		return err
	}
	return s.readUntil(func(v *vectorSub) bool { return v.follower.Ended() })
}

// Documents and ids.

// vectorDocument is a document with an `_id` that the server takes.
type vectorDocument struct {
	id   string
	text []byte
}

type vectorField struct {
	name  string
	value json.RawMessage
}

// fieldsOf are the fields of an object in their order.
func fieldsOf(text []byte) ([]vectorField, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("%.100s is no object: %w", text, err)
	}
	var fields []vectorField
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		f := vectorField{name: name.(string)}
		if err := decoder.Decode(&f.value); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// withID gives a document another `_id`.
func withID(text []byte, id string) (vectorDocument, error) {
	fields, err := fieldsOf(text)
	if err != nil {
		return vectorDocument{}, err
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		return vectorDocument{}, err
	}
	out := append([]byte(`{"_id":`), quoted...)
	for _, f := range fields {
		if f.name == "_id" {
			continue
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return vectorDocument{}, err
		}
		out = append(append(append(append(out, ','), name...), ':'), f.value...)
	}
	return vectorDocument{id, append(out, '}')}, nil
}

// originalID is the text of a document's `_id`, "" if it has none.
func originalID(text []byte) string {
	fields, err := fieldsOf(text)
	if err != nil {
		return ""
	}
	for _, f := range fields {
		if f.name == "_id" {
			return string(f.value)
		}
	}
	return ""
}

// textID is an `_id` that is a string.
func textID(original string) (string, bool) {
	var id string
	err := json.Unmarshal([]byte(original), &id)
	return id, err == nil && id != "" && original != "null"
}

// renameID makes `_id` an ordinary field: for vectors that ask for an `_id` that is no string here.
func renameID(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(`"_id":`), []byte(`"key_":`))
	return bytes.ReplaceAll(text, []byte(`"_id.`), []byte(`"key_.`))
}

// asksForID says whether a filter looks at `_id`, and whether only at strings.
func asksForID(filter []byte) (asks, onlyText bool) {
	fields, err := fieldsOf(filter)
	if err != nil {
		return false, true
	}
	onlyText = true
	for _, f := range fields {
		switch {
		case f.name == "_id":
			asks, onlyText = true, onlyText && allText(f.value)
		case strings.HasPrefix(f.name, "_id."):
			asks, onlyText = true, false
		case f.name == "$and" || f.name == "$or" || f.name == "$nor":
			var list []json.RawMessage
			if json.Unmarshal(f.value, &list) != nil {
				continue
			}
			for _, part := range list {
				a, o := asksForID(part)
				asks, onlyText = asks || a, onlyText && o
			}
		}
	}
	return asks, onlyText
}

// allText says whether every leaf of a condition is a string.
func allText(condition []byte) bool {
	var v any
	if json.Unmarshal(condition, &v) != nil {
		return false
	}
	var all func(v any) bool
	all = func(v any) bool {
		switch v := v.(type) {
		case string:
			return true
		case []any:
			return !slices.ContainsFunc(v, func(e any) bool { return !all(e) })
		case map[string]any:
			for name, e := range v {
				if name == "$regularExpression" || name == "$oid" || !all(e) {
					return false
				}
			}
			return true
		}
		return false
	}
	return all(v)
}
