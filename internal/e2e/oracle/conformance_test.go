package oracle

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestConformance holds the oracle itself to a folder of vectors taken from MongoDB's own tests, where there is one:
// FRESHET_CONFORMANCE names it. Vectors with operators or values that the oracle does not know are counted apart.
func TestConformance(t *testing.T) {
	dir := os.Getenv("FRESHET_CONFORMANCE")
	if dir == "" {
		t.Skip("FRESHET_CONFORMANCE names no folder with vectors")
	}
	checked, unknown := 0, 0
	lines(t, filepath.Join(dir, "match.jsonl"), func(line []byte) {
		var vector struct {
			ID         string
			Query, Doc json.RawMessage
			Match      bool
		}
		if err := json.Unmarshal(line, &vector); err != nil {
			t.Fatal(err)
		}
		filter, err := DecodeObject(vector.Query)
		if err != nil {
			unknown++
			return
		}
		doc, err := DecodeObject(vector.Doc)
		if err != nil {
			unknown++
			return
		}
		match, err := Filter(filter)
		if errors.Is(err, ErrUnsupported) {
			unknown++
			return
		}
		checked++
		if got := match(doc); got != vector.Match {
			t.Errorf("%s: %s on %s: %v, want %v", vector.ID, vector.Query, vector.Doc, got, vector.Match)
		}
	})
	t.Logf("%d vectors checked, %d with operators or values that the oracle does not know", checked, unknown)
	if checked < 5000 {
		t.Errorf("only %d vectors were checked", checked)
	}
}

func lines(t *testing.T, name string, f func([]byte)) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	s := bufio.NewScanner(file)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		f(s.Bytes())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestConformanceWindows runs the window vectors step by step through Run.
func TestConformanceWindows(t *testing.T) {
	dir := os.Getenv("FRESHET_CONFORMANCE")
	if dir == "" {
		t.Skip("FRESHET_CONFORMANCE names no folder with vectors")
	}
	checked, unknown := 0, 0
	lines(t, filepath.Join(dir, "window.jsonl"), func(line []byte) {
		v, err := DecodeObject(line)
		if err != nil {
			unknown++
			return
		}
		q := Query{Skip: int(get[int64](v, "skip")), Limit: int(get[int64](v, "limit")), Filter: get[Object](v, "query")}
		for _, part := range get[[]any](v, "sort") {
			p := part.([]any)
			q.Sort = append(q.Sort, SortField{p[0].(string), Equal(p[1], int64(-1))})
		}
		if _, err := Filter(q.Filter); err != nil || len(q.Sort) == 0 {
			unknown++
			return
		}
		checked++
		state := map[string]Object{}
		for _, d := range get[[]any](v, "initial") {
			put(state, d.(Object), false)
		}
		expected := get[[]any](v, "expect_result_after_each")
		for i, s := range get[[]any](v, "steps") {
			step := s.(Object)
			put(state, get[Object](step, "doc"), step.Text("op") == "remove")
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
			if !Equal(got, expected[i]) {
				t.Errorf("%s step %d: %s, want %s", v.Text("id"), i, Encode(got), Encode(expected[i]))
				return
			}
		}
	})
	t.Logf("%d vectors checked, %d not known", checked, unknown)
	if checked < 100 {
		t.Errorf("only %d vectors were checked", checked)
	}
}

func get[T any](o Object, name string) T {
	v, _ := o.Get(name)
	t, _ := v.(T)
	return t
}

func put(state map[string]Object, doc Object, remove bool) {
	id, _ := doc.Get("_id")
	key := string(Encode(id))
	delete(state, key)
	if !remove {
		state[key] = doc
	}
}
