package oracle

import (
	"errors"
	"testing"

	"github.com/freshetdb/freshet/internal/conformance"
)

// TestConformance holds the oracle itself to vectors taken from MongoDB's own tests. Vectors with operators or values
// that the oracle does not know are counted apart.
func TestConformance(t *testing.T) {
	checked, unknown := 0, 0
	for _, vector := range conformance.ReadMatch(t) {
		filter, err := DecodeObject(vector.Query)
		if err != nil {
			unknown++
			continue
		}
		doc, err := DecodeObject(vector.Doc)
		if err != nil {
			unknown++
			continue
		}
		match, err := Filter(filter)
		if errors.Is(err, ErrUnsupported) {
			unknown++
			continue
		}
		checked++
		if got := match(doc); got != vector.Match {
			t.Errorf("%s: %s on %s: %v, want %v", vector.ID, vector.Query, vector.Doc, got, vector.Match)
		}
	}
	t.Logf("%d vectors checked, %d with operators or values that the oracle does not know", checked, unknown)
	if checked < 5000 {
		t.Errorf("only %d vectors were checked", checked)
	}
}

// TestConformanceWindows runs the window vectors step by step through Run.
func TestConformanceWindows(t *testing.T) {
	checked, unknown := 0, 0
vectors:
	for _, v := range conformance.ReadWindow(t) {
		filter, err := DecodeObject(v.Query)
		if err != nil {
			unknown++
			continue
		}
		q := Query{Skip: v.Skip, Limit: v.Limit, Filter: filter}
		for _, part := range decoded(t, v.Sort).([]any) {
			p := part.([]any)
			q.Sort = append(q.Sort, SortField{p[0].(string), Equal(p[1], int64(-1))})
		}
		if _, err := Filter(q.Filter); err != nil || len(q.Sort) == 0 {
			unknown++
			continue
		}
		checked++
		state := map[string]Object{}
		for _, d := range v.Initial {
			put(state, decoded(t, d).(Object), false)
		}
		for i, step := range v.Steps {
			put(state, decoded(t, step.Doc).(Object), step.Op == "remove")
			var all []Object
			for _, d := range state {
				all = append(all, d)
			}
			result, err := q.Run(all)
			if err != nil {
				t.Fatal(err)
			}
			got := []any{}
			for _, d := range result {
				id, _ := d.Get("_id")
				got = append(got, id)
			}
			if !Equal(got, v.ExpectAfter[i]) {
				t.Errorf("%s step %d: %s, want %s", v.ID, i, Encode(got), Encode(v.ExpectAfter[i]))
				continue vectors
			}
		}
	}
	t.Logf("%d vectors checked, %d not known", checked, unknown)
	if checked < 100 {
		t.Errorf("only %d vectors were checked", checked)
	}
}

func decoded(t *testing.T, text []byte) any {
	t.Helper()
	v, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func put(state map[string]Object, doc Object, remove bool) {
	id, _ := doc.Get("_id")
	key := string(Encode(id))
	delete(state, key)
	if !remove {
		state[key] = doc
	}
}
