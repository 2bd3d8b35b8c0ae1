package storage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// indexedRig is a store over three log partitions with a collection of documents and indexes that are ready.
func indexedRig(t *testing.T, documents []string, indexes ...IndexDefinition) (*rig, Collection, *Snapshot) {
	t.Helper()
	r := diskRig(t, t.TempDir(), 3)
	c := r.collection("pages")
	for i, fields := range documents {
		if err := r.set(t.Context(), c, fmt.Sprintf("id%03d", i), fields); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range indexes {
		if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", d); err != nil {
			t.Fatal(err)
		}
	}
	r.built(c)
	snapshot, err := r.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := snapshot.Close(); err != nil {
			t.Error(err)
		}
		r.shut()
	})
	c, _ = r.store.Collection(testApp, "pages")
	return r, c, snapshot
}

// Random queries with $or, over indexes that serve their branches in order, with arrays, partial indexes, overflow and
// collations: every way finds what a naive read finds.
func TestUnionsFind(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	w := world{rand.New(rand.NewPCG(seed, 1))}
	for _, arrays := range []bool{false, true} {
		var documents []string
		for range 150 {
			a := w.pick(`1`, `2`, `"x"`, `"X"`, `null`)
			switch {
			case arrays && w.IntN(4) == 0:
				a = w.pick(`[1,2]`, `[2,"x"]`, `[]`, `[[1]]`)
			case w.IntN(40) == 0:
				a = w.long()
			}
			documents = append(documents, fmt.Sprintf(`{"status":%s,"a":%s,"b":{"c":%s},"rank":%d}`,
				w.pick(`"open"`, `"done"`, `"held"`), a, w.pick(`1`, `2`, `3`), w.IntN(12)))
		}
		_, c, snapshot := indexedRig(t, documents,
			IndexDefinition{Name: "status", Keys: []byte(`"status,-rank"`)},
			IndexDefinition{Name: "a", Keys: []byte(`"a,-rank"`)},
			IndexDefinition{Name: "c", Keys: []byte(`"b.c,-rank"`)},
			IndexDefinition{Name: "low", Keys: []byte(`"a,rank"`), Partial: []byte(`{"rank":{"$lt":6}}`)},
		)
		all, complete, err := snapshot.Find(t.Context(), c.ID, query(t, matcher.QuerySpec{}), Find{})
		if err != nil || len(all) != len(documents) || !complete {
			t.Fatalf("%d documents, %v", len(all), err)
		}
		branch := func() string {
			return w.pick(
				`{"status":"open"}`, `{"status":{"$in":["done","held"]}}`, `{"a":1}`, `{"a":"x"}`, `{"a":{"$in":[2,null]}}`, `{"b.c":3}`, `{"b.c":{"$gte":2}}`,
				fmt.Sprintf(`{"a":1,"rank":{"$lt":%d}}`, 3+w.IntN(5)), fmt.Sprintf(`{"_id":"id%03d"}`, w.IntN(160)),
				fmt.Sprintf(`{"status":"done","rank":%d}`, w.IntN(12)),
			)
		}
		var taken waysTaken
		for range 400 {
			filter := fmt.Sprintf(`{"$or":[%s,%s,%s]}`, branch(), branch(), branch())
			if w.IntN(2) == 0 {
				filter = fmt.Sprintf(`{"$or":[%s,%s],"$and":[%s]}`, branch(), branch(), w.pick(`{"rank":{"$gte":2}}`, `{"b.c":{"$ne":1}}`, branch()))
			}
			if w.IntN(4) == 0 {
				filter = fmt.Sprintf(`{"$or":[%s,{"rank":{"$lt":9},"$or":[%s,%s]}]}`, branch(), branch(), branch())
			}
			spec := matcher.QuerySpec{Filter: []byte(filter)}
			if sort := w.pick("", `"-rank"`, `"-rank"`, `"rank"`, `"-rank,-_id"`, `"a,-rank"`, `"-_id"`); sort != "" {
				spec.Sort = []byte(sort)
			}
			if w.IntN(6) == 0 {
				spec.Collation = []byte(`{"locale":"en","strength":2}`)
			}
			q := query(t, spec)
			f := Find{Skip: w.IntN(4), Limit: w.IntN(20)}
			if w.IntN(3) == 0 {
				f.After = q.AppendSortKey(nil, all[w.IntN(len(all))])
			}
			want, wantComplete := naive(q, all, f)
			ways, err := snapshot.ways(c.ID, q, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range ways {
				w.shuffle(&way)
				got, complete, err := snapshot.findBy(t.Context(), way, c.ID, q, f)
				if err != nil || !slices.Equal(idsOf(got), want) || complete != wantComplete {
					t.Fatalf("%s, skip %d, limit %d, after %x, by %+v: %v (complete %v), %v, want %v (%v)",
						q.Normal(), f.Skip, f.Limit, f.After, way.Way, idsOf(got), complete, err, want, wantComplete)
				}
				taken.add(way, f)
			}
		}
		if taken.unions < 50 || taken.merged < 20 || taken.nested < 10 {
			t.Errorf("arrays %v: %+v: the test says little", arrays, taken)
		}
	}
}

// What is chosen for a query with $or, and how much it reads.
func TestUnionsAreChosen(t *testing.T) {
	var documents []string
	for i := range 300 {
		documents = append(documents, fmt.Sprintf(`{"owner":"u%d","team":"t%d","kind":"k%d","at":%d,"tags":["x%d","y"]}`, i%60, i%50, i%3, i*7%300, i))
	}
	_, c, snapshot := indexedRig(t, documents,
		IndexDefinition{Name: "owner", Keys: []byte(`"owner,-at"`)},
		IndexDefinition{Name: "team", Keys: []byte(`"team,-at"`)},
		IndexDefinition{Name: "kind", Keys: []byte(`"kind,-at"`)},
		IndexDefinition{Name: "tags", Keys: []byte(`"tags"`)},
	)
	for _, test := range []struct {
		filter, sort string
		limit        int
		want         string // uses: branches; sorted by
		examined     int    // at most
	}{
		{`{"$or":[{"owner":"u1"},{"team":"t2"}]}`, ``, 0, `union: owner team; []`, 11},
		{`{"$or":[{"owner":"u1"},{"team":"t2"}]}`, `-at`, 0, `union: owner team; [at _id]`, 11},
		{`{"$or":[{"owner":"u1"},{"nothing":"t2"}]}`, ``, 0, `scan: ; [_id]`, 300},
		{`{"$or":[{"owner":"u1"},{"_id":{"$in":["id005","id007","none"]}}]}`, ``, 0, `union: owner ids; []`, 7},
		{`{"$or":[{"owner":"u1"},{"tags":"x5"}],"at":{"$gt":5}}`, ``, 0, `union: owner tags; []`, 6},
		// Three ranges in each of three log partitions: one document from each beyond those that are wanted.
		{`{"$or":[{"kind":"k0"},{"kind":"k1","at":{"$gte":0}},{"team":"t3"}]}`, `-at`, 10, `union: kind team kind; [at _id]`, 10 + 1 + 9},
		{`{"kind":{"$in":["k0","k1","k2"]}}`, `-at`, 10, `index: ; [at _id]`, 10 + 1 + 9},
		{`{"$or":[{"owner":"u1"},{"at":{"$lt":200},"$or":[{"team":"t2"},{"kind":"k1","at":7}]}]}`, ``, 0, `union: owner union; []`, 16},
		// The condition beside the $or narrows more than its branches do, or as much as they.
		{`{"owner":"u1","$or":[{"kind":"k0"},{"team":"t3"}]}`, ``, 0, `index: ; []`, 5},
	} {
		spec := matcher.QuerySpec{Filter: []byte(test.filter), Limit: test.limit}
		if test.sort != "" {
			spec.Sort = []byte(`"` + test.sort + `"`)
		}
		x, err := snapshot.Explain(t.Context(), c.ID, query(t, spec), Find{Limit: test.limit}, true)
		if err != nil {
			t.Fatal(err)
		}
		branches := ""
		for _, b := range x.Chosen.Branches {
			name := b.Index
			if name == "" {
				name = b.Uses
			}
			if branches != "" {
				branches += " "
			}
			branches += name
		}
		if got := fmt.Sprintf("%s: %s; %v", x.Chosen.Uses, branches, x.Chosen.SortedBy); got != test.want || *x.Examined > test.examined {
			t.Errorf("%s, sort %s, limit %d: %s, want %s; %d examined, want %d at most", test.filter, test.sort, test.limit, got, test.want, *x.Examined, test.examined)
		}
	}
}
