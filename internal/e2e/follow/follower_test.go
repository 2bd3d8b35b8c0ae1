package follow

import (
	"errors"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
)

func frame(text string) wire.Frame {
	o := oracle.MustObject(text)
	return wire.Frame{ID: o.Text("id"), Type: o.Text("type"), Object: o, Raw: text}
}

const (
	orderedStart = `{"id":"s","type":"subscribed","queryKey":"k","ordered":true,"position":"p0","warnings":[]}`
	setStart     = `{"id":"s","type":"subscribed","queryKey":"k","ordered":false,"position":"p0","warnings":[]}`
	result       = `{"id":"s","type":"result","documents":[{"_id":"a","n":1},{"_id":"b","n":2}],"reset":false,"reason":"","more":false,"position":"p0"}`
)

func change(position string, events ...string) string {
	return `{"id":"s","type":"change","events":[` + strings.Join(events, ",") + `],"position":"` + position + `"}`
}

func window() oracle.Query {
	return oracle.Query{Sort: []oracle.SortField{{Path: "n"}}, Limit: 3}
}

func TestFollowerFollows(t *testing.T) {
	f := New(window())
	for _, text := range []string{
		orderedStart, result,
		change("p1", `{"match":"add","operation":"insert","_id":"c","index":0,"document":{"_id":"c","n":0}}`),
		change("p2", `{"match":"changeIndex","operation":"update","_id":"c","previousIndex":0,"index":2,"document":{"_id":"c","n":9}}`),
		change("p3", `{"match":"change","operation":"update","_id":"b","index":1,"document":{"_id":"b","n":2,"x":1}}`),
		change("p4", `{"match":"remove","operation":"none","_id":"c","previousIndex":2}`,
			`{"match":"add","operation":"insert","_id":"d","index":0,"document":{"_id":"d","n":0}}`),
	} {
		if _, err := f.Apply(frame(text)); err != nil {
			t.Fatal(err)
		}
	}
	want := []oracle.Object{oracle.MustObject(`{"_id":"d","n":0}`), oracle.MustObject(`{"_id":"a","n":1}`),
		oracle.MustObject(`{"_id":"b","n":2,"x":1}`)}
	if differ := Same(f.Query, f.View, want); differ != "" {
		t.Error(differ)
	}
	if Same(f.Query, f.View, want[:2]) == "" || Same(f.Query, f.View, []oracle.Object{want[1], want[0], want[2]}) == "" {
		t.Error("a shorter and a reordered list were taken for the same")
	}
	if _, err := f.Apply(frame(`{"id":"s","type":"unsubscribed"}`)); err != nil || !f.Ended() {
		t.Errorf("ended %v, %v", f.Ended(), err)
	}
	if _, err := f.Apply(frame(change("p5", `{"match":"remove","operation":"delete","_id":"d","previousIndex":0}`))); err == nil {
		t.Error("a frame after the last one was taken")
	}
}

func TestFollowerTakesResultInParts(t *testing.T) {
	f := New(oracle.Query{})
	for _, text := range []string{setStart,
		`{"id":"s","type":"result","documents":[{"_id":"a"}],"reset":false,"reason":"","more":true}`} {
		if _, err := f.Apply(frame(text)); err != nil {
			t.Fatal(err)
		}
	}
	if f.Live() || len(f.View) != 0 {
		t.Error("the first part took effect")
	}
	if _, err := f.Apply(frame(`{"id":"s","type":"result","documents":[{"_id":"b"}],"position":"p"}`)); err != nil {
		t.Fatal(err)
	}
	if !f.Live() || len(f.View) != 2 {
		t.Errorf("the view is %v", f.View)
	}
}

// Every row breaks the contract once.
func TestFollowerRefuses(t *testing.T) {
	add := `{"match":"add","operation":"insert","_id":"c","index":0,"document":{"_id":"c"}}`
	for name, frames := range map[string][]string{
		"result first":               {result},
		"subscribed twice":           {orderedStart, orderedStart},
		"not ordered":                {setStart},
		"change before result":       {orderedStart, change("p1", add)},
		"second result":              {orderedStart, result, result},
		"reset without reason":       {orderedStart, strings.Replace(result, `"reset":false`, `"reset":true`, 1)},
		"no position":                {orderedStart, strings.Replace(result, `"position":"p0"`, `"position":""`, 1)},
		"document twice":             {orderedStart, strings.Replace(result, `"b"`, `"a"`, 1)},
		"unknown field":              {orderedStart, strings.Replace(result, `"more"`, `"mre"`, 1)},
		"no events":                  {orderedStart, result, change("p1")},
		"position stands":            {orderedStart, result, change("p0", add)},
		"add of what is there":       {orderedStart, result, change("p1", `{"match":"add","operation":"insert","_id":"a","index":0,"document":{"_id":"a"}}`)},
		"add behind the end":         {orderedStart, result, change("p1", `{"match":"add","operation":"insert","_id":"c","index":3,"document":{"_id":"c"}}`)},
		"add of another document":    {orderedStart, result, change("p1", `{"match":"add","operation":"insert","_id":"c","index":0,"document":{"_id":"d"}}`)},
		"add without index":          {orderedStart, result, change("p1", `{"match":"add","operation":"insert","_id":"c","document":{"_id":"c"}}`)},
		"add with previousIndex":     {orderedStart, result, change("p1", `{"match":"add","operation":"insert","_id":"c","index":0,"previousIndex":1,"document":{"_id":"c"}}`)},
		"add by delete":              {orderedStart, result, change("p1", `{"match":"add","operation":"delete","_id":"c","index":0,"document":{"_id":"c"}}`)},
		"remove with document":       {orderedStart, result, change("p1", `{"match":"remove","operation":"delete","_id":"a","previousIndex":0,"document":{"_id":"a"}}`)},
		"remove at a wrong place":    {orderedStart, result, change("p1", `{"match":"remove","operation":"delete","_id":"a","previousIndex":1}`)},
		"remove of what is not":      {orderedStart, result, change("p1", `{"match":"remove","operation":"delete","_id":"z","previousIndex":0}`)},
		"change of nothing":          {orderedStart, result, change("p1", `{"match":"change","operation":"update","_id":"a","index":0,"document":{"_id":"a","n":1}}`)},
		"change at a wrong place":    {orderedStart, result, change("p1", `{"match":"change","operation":"update","_id":"a","index":1,"document":{"_id":"a","n":3}}`)},
		"change by none":             {orderedStart, result, change("p1", `{"match":"change","operation":"none","_id":"a","index":0,"document":{"_id":"a","n":3}}`)},
		"changeIndex to where it is": {orderedStart, result, change("p1", `{"match":"changeIndex","operation":"update","_id":"a","index":0,"previousIndex":0,"document":{"_id":"a","n":3}}`)},
		"error without code":         {orderedStart, `{"id":"s","type":"error","problem":{"title":"t","detail":"d"}}`},
		"unknown type":               {orderedStart, `{"id":"s","type":"delta"}`},
	} {
		f := New(window())
		var err error
		for _, text := range frames {
			if err != nil {
				t.Errorf("%s: refused too early: %v", name, err)
			}
			_, err = f.Apply(frame(text))
		}
		if !errors.Is(err, ErrContract) {
			t.Errorf("%s: %v, want ErrContract", name, err)
		}
	}
}

func TestFollowerRefusesOfUnordered(t *testing.T) {
	for _, event := range []string{
		`{"match":"add","operation":"insert","_id":"c","index":0,"document":{"_id":"c"}}`,
		`{"match":"add","operation":"none","_id":"c","document":{"_id":"c"}}`,
		`{"match":"changeIndex","operation":"update","_id":"a","document":{"_id":"a"}}`,
		`{"match":"remove","operation":"delete","_id":"a","previousIndex":0}`,
	} {
		f := New(oracle.Query{})
		for _, text := range []string{setStart, result} {
			if _, err := f.Apply(frame(text)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Apply(frame(change("p1", event))); !errors.Is(err, ErrContract) {
			t.Errorf("%s: %v, want ErrContract", event, err)
		}
	}
}

func TestStreamChecksEventID(t *testing.T) {
	f := NewStream(oracle.Query{})
	start := frame(strings.Replace(setStart, `"id":"s",`, "", 1))
	start.EventID = "k.p1"
	if _, err := f.Apply(start); !errors.Is(err, ErrContract) {
		t.Errorf("got %v", err)
	}
	start.EventID = ""
	f = NewStream(oracle.Query{})
	if _, err := f.Apply(start); err != nil {
		t.Fatal(err)
	}
	first := frame(strings.Replace(result, `"id":"s",`, "", 1))
	if _, err := f.Apply(first); !errors.Is(err, ErrContract) {
		t.Errorf("a result without event id: %v", err)
	}
	f = NewStream(oracle.Query{})
	first.EventID = "k.p0"
	for _, frame := range []wire.Frame{start, first} {
		if _, err := f.Apply(frame); err != nil {
			t.Error(err)
		}
	}
}

func TestTransition(t *testing.T) {
	list := func(texts ...string) []oracle.Object {
		var out []oracle.Object
		for _, text := range texts {
			out = append(out, oracle.MustObject(text))
		}
		return out
	}
	a, b, c := `{"_id":"a","n":1}`, `{"_id":"b","n":2}`, `{"_id":"c","n":0}`
	for _, test := range []struct {
		name          string
		before, after []oracle.Object
		id, operation string
		want          []Event
	}{
		{"insert into a full window", list(a, b), list(c, a), "c", "insert", []Event{
			{"remove", "none", "b", -1, 1, nil}, {"add", "insert", "c", 0, -1, list(c)[0]}}},
		{"update that leaves", list(a, b), list(b, c), "a", "update", []Event{
			{"remove", "update", "a", -1, 0, nil}, {"add", "none", "c", 1, -1, list(c)[0]}}},
		{"move", list(a, b), list(b, a), "a", "update", []Event{{"changeIndex", "update", "a", 1, 0, list(a)[0]}}},
		{"nothing", list(a, b), list(a, b), "a", "update", nil},
		{"change", list(a, b), list(a, `{"_id":"b","n":3}`), "b", "update", []Event{
			{"change", "update", "b", 1, -1, list(`{"_id":"b","n":3}`)[0]}}},
	} {
		got := Transition(window(), test.before, test.after, test.id, test.operation)
		if differ := SameEvents(got, test.want); differ != "" {
			t.Errorf("%s:%s", test.name, differ)
		}
		if len(got) > 0 && SameEvents(got[1:], test.want) == "" {
			t.Errorf("%s: a missing event went unseen", test.name)
		}
	}
}
