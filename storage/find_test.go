package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// naive is what Find must return: every document of the model, matched, sorted by its sort key, cut.
func naive(q *matcher.Query, docs []*matcher.Document, f Find) (ids []string, complete bool) {
	var all []found
	for _, d := range docs {
		key := q.AppendSortKey(nil, d)
		if q.Match(d) && (f.After == nil || bytes.Compare(key, f.After) > 0) {
			all = append(all, found{key, d})
		}
	}
	slices.SortFunc(all, compareFound)
	all = all[min(f.Skip, len(all)):]
	complete = f.Limit == 0 || len(all) <= f.Limit
	if !complete {
		all = all[:f.Limit]
	}
	for _, e := range all {
		ids = append(ids, e.document.ID())
	}
	return ids, complete
}

func idsOf(docs []*matcher.Document) (ids []string) {
	for _, d := range docs {
		ids = append(ids, d.ID())
	}
	return ids
}

var findSpecs = []matcher.QuerySpec{
	{},
	{Filter: []byte(`{"n":{"$gt":10}}`)},
	{Filter: []byte(`{"n":{"$lt":30}}`), Sort: []byte(`{"n":-1}`)},
	{Sort: []byte(`{"n":1,"_id":-1}`)},
	{Sort: []byte(`{"_id":1}`)},
	{Sort: []byte(`{"_id":-1}`)},
	{Filter: []byte(`{"_id":"id3"}`)},
	{Filter: []byte(`{"_id":{"$in":["id7","id3","nothing","id1"]},"n":{"$gte":5}}`), Sort: []byte(`{"n":1}`)},
}

// Find over a snapshot equals a naive read of the model, whatever was written since, with and without changes undone.
func TestFind(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		var history []*matcher.Change
		r.check.each = func(change *matcher.Change) { history = append(history, change) }
		storm(r, c, rng.Uint64(), 4, 60)
		r.settle()
		var snapshot *Snapshot
		var docs []*matcher.Document
		var past []*matcher.Change
		err := r.store.Boundary(t.Context(), func(n *Snapshot) {
			snapshot = n
			docs = r.check.list(c.ID)
			past = slices.Clone(history)
		})
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Close()
		storm(r, c, rng.Uint64(), 4, 60) // the snapshot must not see any of it
		for i, spec := range findSpecs {
			q := query(t, spec)
			for range 20 {
				f := Find{Skip: rng.IntN(4), Limit: rng.IntN(8)}
				if rng.IntN(2) == 0 && len(docs) > 0 {
					f.After = q.AppendSortKey(nil, docs[rng.IntN(len(docs))])
				}
				model := docs
				if rng.IntN(2) == 0 {
					f.Undo = past[rng.IntN(len(past)):]
					model = undo(docs, f.Undo)
				}
				got, complete, err := snapshot.Find(t.Context(), c.ID, q, f)
				if err != nil {
					t.Fatal(err)
				}
				want, wantComplete := naive(q, model, f)
				if !slices.Equal(idsOf(got), want) || complete != wantComplete {
					t.Fatalf("query %d, %+v: %v (complete %v), want %v (%v)", i, f, idsOf(got), complete, want, wantComplete)
				}
			}
			count, err := snapshot.Count(t.Context(), c.ID, q)
			if want, _ := naive(q, docs, Find{}); err != nil || count != len(want) {
				t.Errorf("query %d: count %d, %v; want %d", i, count, err, len(want))
			}
		}
	})
}

// undo takes changes back, the last one first.
func undo(docs []*matcher.Document, changes []*matcher.Change) []*matcher.Document {
	byID := map[string]*matcher.Document{}
	for _, d := range docs {
		byID[d.ID()] = d
	}
	for _, change := range slices.Backward(changes) {
		byID[change.ID] = change.Before
	}
	var past []*matcher.Document
	for _, d := range byID {
		if d != nil {
			past = append(past, d)
		}
	}
	return past
}

func TestFindBounds(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	r.config.Limits.MaxResultDocuments = 50
	r.start()
	defer func() { r.end(); r.log.Close() }()
	c := r.collection("pages")
	for i := range 51 {
		if _, _, err := r.put(t.Context(), c, fmt.Sprintf("id%02d", i), i); err != nil {
			t.Fatal(err)
		}
	}
	n, err := r.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	q := query(t, matcher.QuerySpec{})
	if _, _, err := n.Find(t.Context(), c.ID, q, Find{}); !errors.Is(err, ErrResultTooLarge) {
		t.Errorf("51 documents where 50 are allowed: %v", err)
	}
	if docs, complete, err := n.Find(t.Context(), c.ID, q, Find{Limit: 51}); err != nil || len(docs) != 51 || !complete {
		t.Errorf("a limit of 51: %d documents, complete %v, %v", len(docs), complete, err)
	}
}
