package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func document(id string, n int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"_id":%q,"n":%d}`, id, n))
}

func ids(v *View) (list []string) {
	for _, d := range v.Documents {
		list = append(list, d.ID)
	}
	return list
}

// Invariant 1 and 2: the view follows a naive list that is changed directly, for random histories.
func TestViewFollowsANaiveList(t *testing.T) {
	t.Parallel()
	for _, ordered := range []bool{true, false} {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		v := View{}
		apply := func(f Frame) {
			t.Helper()
			if err := v.Apply(f); err != nil {
				t.Fatalf("seed %d, ordered %v: %v", seed, ordered, err)
			}
		}
		apply(Frame{Type: "subscribed", Ordered: ordered})
		var naive []Document
		for step := range 3000 {
			e := Event{ID: fmt.Sprint(random.IntN(30)), Operation: "update", Document: document("", step)}
			at := slices.IndexFunc(naive, func(d Document) bool { return d.ID == e.ID })
			e.Document = document(e.ID, step)
			var index, previous int
			switch {
			case at < 0:
				e.Match, index = "add", random.IntN(len(naive)+1)
				if !ordered {
					index = len(naive)
				}
				naive = slices.Insert(naive, index, Document{e.ID, e.Document})
			case random.IntN(3) == 0:
				e.Match, previous, e.Document = "remove", at, nil
				naive = slices.Delete(naive, at, at+1)
			case random.IntN(2) == 0 || !ordered:
				e.Match, index = "change", at
				naive[at].JSON = e.Document
			default:
				e.Match, previous, index = "changeIndex", at, random.IntN(len(naive))
				naive = slices.Delete(naive, at, at+1)
				naive = slices.Insert(naive, index, Document{e.ID, e.Document})
			}
			if ordered {
				e.Index, e.PreviousIndex = &index, &previous
			}
			position := fmt.Sprint("p", step)
			apply(Frame{Type: "change", Events: []Event{e}, Position: position})
			if v.Position != position || !slices.EqualFunc(v.Documents, naive, func(a, b Document) bool { return a.ID == b.ID && string(a.JSON) == string(b.JSON) }) {
				t.Fatalf("seed %d, ordered %v, step %d, %s of %s: view %v", seed, ordered, step, e.Match, e.ID, ids(&v))
			}
		}
	}
}

func TestResultInPartsTakesEffectAtTheLast(t *testing.T) {
	t.Parallel()
	v := View{Documents: []Document{{ID: "old"}}}
	frames := []Frame{
		{Type: "subscribed", Ordered: true, Position: "p1"},
		{Type: "result", Documents: []json.RawMessage{document("a", 1), document("b", 1)}, More: true},
		{Type: "result", Documents: []json.RawMessage{document("c", 1)}, Position: "p2"},
	}
	for i, f := range frames {
		if i == 2 && !slices.Equal(ids(&v), []string{"old"}) {
			t.Errorf("before the last part: %v", ids(&v))
		}
		if err := v.Apply(f); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(ids(&v), []string{"a", "b", "c"}) || v.Position != "p2" {
		t.Errorf("after: %v at %s", ids(&v), v.Position)
	}
	if err := v.Apply(Frame{Type: "result", Position: "p3", Reset: true}); err != nil || len(v.Documents) != 0 {
		t.Errorf("an empty result leaves %v, %v", ids(&v), err)
	}
}

func TestPartsOfALostConnectionAreForgotten(t *testing.T) {
	t.Parallel()
	v := View{}
	for _, f := range []Frame{
		{Type: "result", Documents: []json.RawMessage{document("a", 1)}, More: true},
		{Type: "subscribed"},
		{Type: "result", Documents: []json.RawMessage{document("b", 1)}},
	} {
		if err := v.Apply(f); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(ids(&v), []string{"b"}) {
		t.Errorf("view %v", ids(&v))
	}
}

func TestEventsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	at := func(n int) *int { return &n }
	doc := document("a", 2)
	for name, test := range map[string]struct {
		unordered bool
		event     Event
	}{
		"add beyond the end":        {event: Event{Match: "add", ID: "c", Index: at(3), Document: doc}},
		"add without index":         {event: Event{Match: "add", ID: "c", Document: doc}},
		"add without document":      {event: Event{Match: "add", ID: "c", Index: at(0)}},
		"change at the wrong place": {event: Event{Match: "change", ID: "a", Index: at(1), Document: doc}},
		"change below":              {event: Event{Match: "change", ID: "a", Index: at(-1), Document: doc}},
		"move to the end plus one":  {event: Event{Match: "changeIndex", ID: "a", PreviousIndex: at(0), Index: at(2), Document: doc}},
		"move without target":       {event: Event{Match: "changeIndex", ID: "a", PreviousIndex: at(0), Document: doc}},
		"remove of another":         {event: Event{Match: "remove", ID: "b", PreviousIndex: at(0)}},
		"remove without index":      {event: Event{Match: "remove", ID: "a"}},
		"unknown match":             {event: Event{Match: "swap", ID: "a", Index: at(0), Document: doc}},
		"unordered add twice":       {unordered: true, event: Event{Match: "add", ID: "a", Document: doc}},
		"unordered remove of none":  {unordered: true, event: Event{Match: "remove", ID: "z"}},
	} {
		v := View{Ordered: !test.unordered, Documents: []Document{{ID: "a"}, {ID: "b"}}}
		if err := v.Apply(Frame{Type: "change", Events: []Event{test.event}}); !errors.Is(err, ErrOutOfStep) {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(ids(&v), []string{"a", "b"}) {
			t.Errorf("%s: the view became %v", name, ids(&v))
		}
	}
	v := View{}
	if err := v.Apply(Frame{Type: "result", Documents: []json.RawMessage{[]byte(`{"n":1}`)}}); !errors.Is(err, ErrOutOfStep) {
		t.Errorf("a document without _id: %v", err)
	}
}

func FuzzView(f *testing.F) {
	f.Add(`{"type":"change","events":[{"match":"add","_id":"a","index":0,"document":{"_id":"a"}}]}`, true)
	f.Add(`[{"type":"result","documents":[{"_id":"x"}]},{"type":"change","events":[{"match":"remove","_id":"x"}]}]`, false)
	f.Add(`{"type":"change","events":[{"match":"changeIndex","_id":"a","previousIndex":1,"index":-1,"document":{}}]}`, true)
	f.Fuzz(func(t *testing.T, message string, ordered bool) {
		frames, err := ParseFrames([]byte(message))
		if err != nil {
			return
		}
		v := View{Ordered: ordered, Documents: []Document{{ID: "a"}, {ID: "b"}}}
		for _, frame := range frames {
			before := len(v.Documents)
			if err := v.Apply(frame); err != nil && len(frame.Events) == 1 && len(v.Documents) != before {
				t.Errorf("a refused event changed the view: %v", err)
			}
		}
	})
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for n := 1; n < 100; n++ {
		low, high := Backoff(n, 0), Backoff(n, 1)
		if low < last/2 || high < low || high > maxBackoff || low < firstBackoff/2 {
			t.Errorf("failure %d: %v to %v", n, low, high)
		}
		last = high
	}
	if last != maxBackoff {
		t.Errorf("ends at %v", last)
	}
}

func TestLiveURL(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://127.0.0.1:4680":     "ws://127.0.0.1:4680/v1/live",
		"https://db.example/":       "wss://db.example/v1/live",
		"http://h:1/behind/a/proxy": "ws://h:1/behind/a/proxy/v1/live",
	} {
		if got, err := LiveURL(base); err != nil || got != want {
			t.Errorf("%s: %s, %v", base, got, err)
		}
	}
	for _, base := range []string{"", "localhost:4680", "ftp://h", "http://", "http://h?x=1", "http://h#f", "http://h:x"} {
		if got, err := LiveURL(base); err == nil {
			t.Errorf("%q is taken as %s", base, got)
		}
	}
}
