package matcher

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/internal/conformance"
)

// missingOperator is an operator of a vector that the language does not have, "" if it has all. Database references
// ($ref, $id, $db) are values.
func missingOperator(ops []string) string {
	for _, op := range ops {
		if !strings.HasPrefix(op, "$") || slices.Contains([]string{"$ref", "$id", "$db"}, op) {
			continue
		}
		if logicalOperators[op] == nil && fieldOperators[op] == nil && !slices.Contains(geoWithinShapes, op) {
			return op
		}
	}
	return ""
}

// anyID makes `_id` an ordinary field: in the vectors it is often no string.
func anyID(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(`"_id":`), []byte(`"key_":`))
	return bytes.ReplaceAll(text, []byte(`"_id.`), []byte(`"key_.`))
}

type tally struct {
	passed, failed int
	skipped        map[string]int
}

func (c *tally) report(t *testing.T, wanted int) {
	t.Helper()
	t.Logf("%d passed, %d failed, skipped for want of an operator: %v", c.passed, c.failed, c.skipped)
	if c.passed < wanted {
		t.Errorf("only %d vectors passed, at least %d are expected", c.passed, wanted)
	}
}

func (c *tally) skip(op string) {
	if c.skipped == nil {
		c.skipped = make(map[string]int)
	}
	c.skipped[op]++
}

func TestConformanceMatch(t *testing.T) {
	var c tally
	for _, v := range conformance.ReadMatch(t) {
		if op := missingOperator(v.Ops); op != "" {
			c.skip(op)
			continue
		}
		if conformance.Exceptions[v.ID] != "" {
			continue
		}
		q, err := Compile(QuerySpec{Filter: anyID(v.Query)}, Limits{})
		if err != nil {
			c.failed++
			t.Errorf("%s: %s: %v", v.ID, v.Query, err)
			continue
		}
		d, err := Parse(anyID(v.Doc), Limits{})
		if err != nil {
			c.failed++
			t.Errorf("%s: document %s: %v", v.ID, v.Doc, err)
			continue
		}
		if q.Match(d) != v.Match {
			c.failed++
			t.Errorf("%s: %s on %s: got %t, normal form %s", v.ID, v.Query, v.Doc, !v.Match, q.Normal())
			continue
		}
		c.passed++
	}
	c.report(t, 10000)
}

func TestConformanceInvalid(t *testing.T) {
	var c tally
	for _, v := range conformance.ReadInvalid(t) {
		if conformance.Exceptions[v.ID] != "" {
			continue
		}
		// An operator that the language does not have makes a query invalid, too, but proves little.
		if q, err := Compile(QuerySpec{Filter: anyID(v.Query)}, Limits{}); err == nil {
			c.failed++
			t.Errorf("%s: %s is accepted as %s", v.ID, v.Query, q.Normal())
			continue
		}
		if op := missingOperator(v.Ops); op != "" {
			c.skip(op)
			continue
		}
		c.passed++
	}
	c.report(t, 149)
}

func TestConformanceSort(t *testing.T) {
	var c tally
	for _, v := range conformance.ReadSort(t) {
		if conformance.Exceptions[v.ID] != "" {
			continue
		}
		q, err := Compile(QuerySpec{Filter: anyID(v.Query), Sort: v.Sort, Skip: v.Skip, Limit: v.Limit}, Limits{})
		if err != nil {
			if bad, ok := err.(*Error); ok && bad.Code == CodeOperatorUnknown {
				c.skip(bad.Path[strings.LastIndexByte(bad.Path, '/')+1:])
				continue
			}
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		type keyed struct {
			key  []byte
			text json.RawMessage
		}
		var found []keyed
		for _, text := range v.Docs {
			if d := testDocument(t, string(anyID(text))); q.Match(d) {
				found = append(found, keyed{q.AppendSortKey(nil, testDocument(t, string(text))), text})
			}
		}
		slices.SortFunc(found, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
		found = found[min(len(found), v.Skip):]
		if v.Limit > 0 {
			found = found[:min(len(found), v.Limit)]
		}
		got := make([]string, 0)
		for _, k := range found {
			text := k.text
			if v.ExpectKind == "ids" {
				text = testDocument(t, string(k.text)).Field("_id").Raw()
			}
			got = append(got, string(text))
		}
		want := make([]string, 0)
		for _, text := range v.Expect {
			want = append(want, string(text))
		}
		if !slices.Equal(got, want) {
			c.failed++
			t.Errorf("%s: sort %s: got %s, want %s", v.ID, v.Sort, got, want)
			continue
		}
		c.passed++
	}
	c.report(t, 200)
}

func TestConformanceWindow(t *testing.T) {
	var c tally
	for _, vector := range conformance.ReadWindow(t) {
		v := windowVector(vector)
		if conformance.Exceptions[v.ID] != "" {
			continue
		}
		q, err := Compile(QuerySpec{Filter: anyID(v.Query), Sort: v.Sort, Skip: v.Skip, Limit: v.Limit}, Limits{})
		if err != nil {
			if bad, ok := err.(*Error); ok && bad.Code == CodeOperatorUnknown {
				c.skip(bad.Path[strings.LastIndexByte(bad.Path, '/')+1:])
				continue
			}
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		if err := v.run(q); err != nil {
			c.failed++
			t.Errorf("%s: %v", v.ID, err)
			continue
		}
		c.passed++
	}
	c.report(t, 250)
}

type windowVector conformance.Window

// windowID is an `_id` of a vector as a string that sorts alike.
func windowID(id any) string {
	if n, ok := id.(float64); ok {
		return fmt.Sprintf("%012d", int64(n))
	}
	return fmt.Sprint(id)
}

// document gives a vector's document a string `_id`, and its original one as key_.
func (v *windowVector) document(text json.RawMessage) (*Document, error) {
	var head struct {
		ID any `json:"_id"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	id := fmt.Appendf(nil, `{"_id":%q,`, windowID(head.ID))
	return Parse(append(id, anyID(text)[1:]...), Limits{})
}

// run applies the steps to a window and to what a client makes of its events.
func (v *windowVector) run(q *Query) error {
	store := map[string]*Document{}
	for _, text := range v.Initial {
		d, err := v.document(text)
		if err != nil {
			return err
		}
		store[d.ID()] = d
	}
	w := NewWindow(q, Limits{})
	if err := loadNaive(w, q, store); err != nil {
		return err
	}
	client := clientOf(w)
	if err := sameIDs(client, v.ExpectInitial); err != nil {
		return fmt.Errorf("initial: %w", err)
	}
	for i, step := range v.Steps {
		d, err := v.document(step.Doc)
		if err != nil {
			return err
		}
		change := &Change{ID: d.ID(), Before: store[d.ID()], After: d, Operation: OperationUpdate}
		switch {
		case step.Op == "remove":
			change.After, change.Operation = nil, OperationDelete
		case change.Before == nil:
			change.Operation = OperationInsert
		}
		if client, _, err = applyNaive(w, q, store, change, client); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if err := sameIDs(client, v.ExpectAfter[i]); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func sameIDs(got []*Document, want []any) error {
	ids := make([]string, 0)
	for _, d := range got {
		ids = append(ids, d.ID())
	}
	wanted := make([]string, 0)
	for _, id := range want {
		wanted = append(wanted, windowID(id))
	}
	if !slices.Equal(ids, wanted) {
		return fmt.Errorf("got %q, want %q", ids, wanted)
	}
	return nil
}
