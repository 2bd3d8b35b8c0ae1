package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// seenModel keeps every after-image since each log partition's last fence: an oracle for what was seen.
type seenModel struct {
	mutex sync.Mutex
	docs  map[epochKey][]*matcher.Document
}

func watchSeen(c *checker) *seenModel {
	m := &seenModel{docs: map[epochKey][]*matcher.Document{}}
	c.each = func(change *matcher.Change) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		key := epochKey{change.Position.Partition, change.Collection}
		switch {
		case change.Fence != matcher.FenceNone:
			delete(m.docs, key)
		case change.After != nil:
			m.docs[key] = append(m.docs[key], change.After)
		}
	}
	return m
}

// types recomputes the types from all documents.
func (m *seenModel) types() map[epochKey]map[string]matcher.TypeSet {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	all := map[epochKey]map[string]matcher.TypeSet{}
	for key, docs := range m.docs {
		all[key] = map[string]matcher.TypeSet{}
		for _, d := range docs {
			naiveTypes(all[key], "", d.Root())
		}
	}
	return all
}

func naiveTypes(types map[string]matcher.TypeSet, path string, v matcher.Value) {
	if path != "" {
		types[path] |= 1 << v.Kind()
	}
	for child := v.First(); child.Exists(); child = child.Next() {
		if v.Kind() == matcher.KindArray {
			naiveTypes(types, path, child)
		} else {
			naiveTypes(types, strings.TrimPrefix(path+"."+string(child.Name()), "."), child)
		}
	}
}

// compareSeen holds what the store has seen against the model, each log partition by itself and all of them together.
func (r *rig) compareSeen(c Collection, m *seenModel) {
	r.t.Helper()
	want := m.types()
	all := map[string]matcher.TypeSet{}
	for p := 1; p < r.log.Partitions(); p++ {
		key := epochKey{p, c.ID}
		r.store.seen.mutex.RLock()
		set := r.store.seen.sets[key]
		r.store.seen.mutex.RUnlock()
		if set == nil {
			set = &seenSet{}
		}
		if set.full || !maps.Equal(set.paths, want[key]) {
			r.t.Fatalf("log partition %d has seen %v (full: %v), its documents show %v", p, set.paths, set.full, want[key])
		}
		for path, types := range want[key] {
			all[path] |= types
		}
	}
	seen := r.store.SeenTypes(c)
	for _, path := range seen.Paths() {
		if types, certain := seen.TypesAt(path); !certain || types != all[path] {
			r.t.Fatalf("the types at %s are %v (%v), want %v", path, types, certain, all[path])
		}
	}
	if n := len(seen.Paths()); n != len(all) {
		r.t.Fatalf("%d paths were seen, want %d", n, len(all))
	}
}

// putText writes a document of the given user's text once.
func (r *rig) putText(ctx context.Context, c Collection, id, text string) (Outcome, error) {
	head, err := r.store.Head(c, id)
	if err != nil {
		return Outcome{}, err
	}
	user, err := matcher.Parse([]byte(text), r.store.Limits())
	if err != nil {
		return Outcome{}, err
	}
	w := r.store.NewWriteID()
	m := matcher.Metadata{ID: id, Revision: matcher.Revision{Generation: 1, WriteID: w}}
	if head.Document != nil {
		m.Revision.Generation = head.Document.Revision().Generation + 1
	}
	after, err := matcher.Compose(m, user.Root(), r.store.Limits())
	if err != nil {
		return Outcome{}, err
	}
	return r.store.Write(ctx, Attempt{Collection: c, ID: id, Head: head, WriteID: w, After: after})
}

func randomText(rng *rand.Rand) string {
	value := func() string {
		return []string{"1", "1.5", `"x"`, "null", "true", `{"$date":"2026-01-01T00:00:00Z"}`, "[]", `[1,[{"y":2}]]`, `{"z":"q"}`}[rng.IntN(9)]
	}
	text := `{"always":1`
	for _, name := range []string{"a", "b", "c", "d"} {
		if rng.IntN(4) == 0 {
			text += fmt.Sprintf(`,%q:{"x":%s,"list":[%s,{"y":%s}]}`, name, value(), value(), value())
		}
	}
	return text + "}"
}

// showers writes documents of many shapes from several writers at once.
func showers(r *rig, c Collection, seed uint64, writers, each int) {
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for range each {
				ctx, cancel := r.patience()
				id, text := fmt.Sprintf("id%d", rng.IntN(20)), randomText(rng)
				var err error
				if rng.IntN(5) == 0 {
					_, _, err = r.remove(ctx, c, id)
				} else {
					_, err = r.putText(ctx, c, id, text)
				}
				cancel()
				if err != nil && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrCollectionChanged) && !errors.Is(err, context.DeadlineExceeded) {
					r.t.Errorf("write %q: %v", id, err)
				}
			}
		})
	}
	group.Wait()
}

// Whatever the log does, what was seen is what all documents since the last fence show: now, after a restart, after a
// crash, and after a truncate between writes.
func TestSeenTypes(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		m := watchSeen(r.check)
		c := r.collection("pages")
		if paths := r.store.SeenTypes(c).Paths(); len(paths) != 0 {
			t.Fatalf("an empty collection has seen %v", paths)
		}
		for round := range 6 {
			showers(r, c, rng.Uint64(), 4, 15)
			if round%3 == 1 {
				var group sync.WaitGroup
				group.Go(func() { showers(r, c, rng.Uint64(), 2, 10) })
				r.fence(c, r.store.TruncateCollection)
				group.Wait()
				truncated, ok := r.store.Collection(testApp, "pages")
				if !ok {
					t.Fatal("the truncated collection is gone")
				}
				c = truncated
				showers(r, c, rng.Uint64(), 2, 3)
			}
			r.settle()
			r.compareSeen(c, m)
			if round%2 == 0 {
				r.end()
			} else {
				r.crash(rng)
			}
			r.start()
			r.settle()
			r.compareSeen(c, m)
		}
		r.fence(c, r.store.DropCollection)
		r.settle()
		r.compareSeen(c, m)
	})
}

// A fence in the same group as writes before and behind it takes away the former alone.
func TestSeenTypesWithinGroup(t *testing.T) {
	a := &applier{epochs: map[epochKey]epoch{}, seen: newSeenTypes(&Metrics{}), catalog: emptyCatalog()}
	a.vector.Next = make([]uint64, 2)
	key := epochKey{1, 7}
	see := func(g *group, text string) {
		d, err := matcher.Parse([]byte(text), matcher.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		a.see(g, key, d)
	}
	g := a.begin()
	see(g, `{"first":1}`)
	a.seen.commit(g)
	g = a.begin()
	see(g, `{"second":1}`)
	see(g, `{"second":"x"}`)
	r := ingest.Record{Kind: ingest.RecordFence, Collection: key.collection, Epoch: 1, Fence: matcher.FenceTruncate}
	a.applyFence(g, key, &r, 1)
	see(g, `{"first":"x"}`)
	see(g, `{"first":"y"}`)
	see(g, `{"first":1}`)
	a.seen.commit(g)
	want := map[string]matcher.TypeSet{"first": 1<<matcher.KindString | 1<<matcher.KindInt64}
	if got := a.seen.sets[key].paths; !maps.Equal(got, want) {
		t.Errorf("after a fence %v was seen, want %v", got, want)
	}
}

// Beyond the bounds nothing is certain, and that outlasts a restart; a truncate begins anew.
func TestSeenTypesBounds(t *testing.T) {
	r := kinds["embedded"](t, 0)
	r.state = newState()
	r.start()
	t.Cleanup(func() {
		r.end()
		if err := r.log.Close(); err != nil {
			t.Error(err)
		}
	})
	c := r.collection("pages")
	put := func(id, text string) {
		t.Helper()
		if out, err := r.putText(t.Context(), c, id, text); err != nil || !out.Accepted {
			t.Fatalf("write: %+v, %v", out, err)
		}
	}
	check := func(path string, want matcher.TypeSet, sure bool) {
		t.Helper()
		if types, certain := r.store.SeenTypes(c).TypesAt(path); types != want || certain != sure {
			t.Errorf("at %.20s: %v (%v), want %v (%v)", path, types, certain, want, sure)
		}
	}
	partition := func(id string) int { return PartitionOf(testApp, "pages", id, r.log.Partitions()-1) }
	other := "other"
	for i := 0; partition(other) == partition("id"); i++ {
		other = fmt.Sprintf("other%d", i)
	}
	put(other, `{"n":1,"only":1}`)
	put("id", `{"n":"x"}`)
	check("n", 1<<matcher.KindString|1<<matcher.KindInt64, true)
	check("missing", 0, true)
	put("id", `{"`+strings.Repeat("p", MaxSeenPathBytes+1)+`":{"q":1}}`)
	check("missing", 0, false)
	check("n", 1<<matcher.KindString|1<<matcher.KindInt64, true)
	check("only", 1<<matcher.KindInt64, false) // unknown where the set is full
	for i := range MaxSeenPaths + 10 {
		put("id", fmt.Sprintf(`{"n":true,"f%d":1}`, i))
	}
	full := func() {
		t.Helper()
		if n := len(r.store.seen.sets[epochKey{partition("id"), c.ID}].paths); n != MaxSeenPaths {
			t.Errorf("%d paths are kept, want %d", n, MaxSeenPaths)
		}
		check("n", 1<<matcher.KindString|1<<matcher.KindInt64|1<<matcher.KindBool, true)
		check("f0", 1<<matcher.KindInt64, true)
		check(fmt.Sprintf("f%d", MaxSeenPaths+9), 0, false)
		if n := r.store.Metrics().FullSeenSets.Load(); n != 1 {
			t.Errorf("%d sets are said to be full", n)
		}
	}
	full()
	r.end()
	r.start()
	full()
	r.fence(c, r.store.TruncateCollection)
	c, _ = r.store.Collection(testApp, "pages")
	put("id", `{"n":1}`)
	check("n", 1<<matcher.KindInt64, true)
	check("missing", 0, true)
	if n := r.store.Metrics().FullSeenSets.Load(); n != 0 {
		t.Errorf("%d sets are full after a truncate", n)
	}
}

// A data folder that an older program wrote, which noted nothing, or in which a newer one has noted some of it since, is
// certain of nothing, however often it is opened; a new collection is, and an old one after a truncate.
func TestSeenTypesOfOldFolders(t *testing.T) {
	for _, since := range []bool{false, true} {
		r := kinds["embedded"](t, 0)
		r.state = newState()
		r.start()
		old := r.collection("old")
		put := func(c Collection, id, text string) {
			t.Helper()
			if out, err := r.putText(t.Context(), c, id, text); err != nil || !out.Accepted {
				t.Fatalf("write: %+v, %v", out, err)
			}
		}
		certain := func(c Collection, want bool) {
			t.Helper()
			for path, types := range map[string]matcher.TypeSet{"n": 1 << matcher.KindInt64, "missing": 0} {
				got, sure := r.store.SeenTypes(c).TypesAt(path)
				if sure != want || sure && got != types {
					t.Fatalf("noted since: %v: the types at %s of %s are %v (%v), want %v (%v)", since, path, c.Name, got, sure, types, want)
				}
			}
		}
		put(old, "gone", `{"n":"x"}`)
		if _, _, err := r.remove(t.Context(), old, "gone"); err != nil {
			t.Fatal(err)
		}
		r.end()
		r.forgetSeen(prefixSeen, prefixUnnoted)
		if since {
			r.start()
			put(old, "new", `{"n":1}`)
			r.end()
			r.forgetSeen(prefixUnnoted)
		}
		for range 2 {
			r.start()
			certain(old, false)
			put(old, "newer", `{"n":1}`)
			certain(old, false)
			r.crash(rand.New(rand.NewPCG(1, 1)))
		}
		r.start()
		young := r.collection("young")
		put(young, "id", `{"n":1}`)
		r.fence(old, r.store.TruncateCollection)
		old, _ = r.store.Collection(testApp, "old")
		put(old, "id", `{"n":1}`)
		for range 2 {
			certain(old, true)
			certain(young, true)
			r.end()
			r.start()
		}
		r.end()
		if err := r.log.Close(); err != nil {
			t.Error(err)
		}
	}
}

// forgetSeen takes all keys that begin so away from a stopped store's state.
func (r *rig) forgetSeen(prefixes ...byte) {
	r.t.Helper()
	db, err := pebble.Open("state", &pebble.Options{FS: r.state, FormatMajorVersion: stateFormat, Logger: quiet{}})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, prefix := range prefixes {
		err = errors.Join(err, db.DeleteRange([]byte{prefix}, []byte{prefix + 1}, pebble.Sync))
	}
	if err := errors.Join(err, db.Flush(), db.Close()); err != nil {
		r.t.Fatal(err)
	}
}

// A document that looks like one before costs a hash and no memory.
func TestSeenTypesAllocatesNothing(t *testing.T) {
	a := &applier{epochs: map[epochKey]epoch{}, seen: newSeenTypes(&Metrics{})}
	d, err := matcher.Parse(benchmarkText(1), matcher.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	g := a.begin()
	a.see(g, epochKey{1, 7}, d)
	if len(g.seen) != 1 {
		t.Fatal("the first document showed nothing")
	}
	if n := testing.AllocsPerRun(100, func() { a.see(g, epochKey{1, 7}, d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkSee is what the types of a document cost on the way of a write: one of a known shape, and one of a new shape
// whose paths are known.
func BenchmarkSee(b *testing.B) {
	a := &applier{epochs: map[epochKey]epoch{}, seen: newSeenTypes(&Metrics{})}
	d, err := matcher.Parse(benchmarkText(1), matcher.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	key := epochKey{1, 7}
	g := a.begin()
	a.see(g, key, d)
	a.seen.commit(g)
	b.Run("shape=known", func(b *testing.B) {
		b.ReportAllocs()
		g := a.begin()
		for b.Loop() {
			a.see(g, key, d)
		}
	})
	b.Run("shape=new", func(b *testing.B) {
		b.ReportAllocs()
		g := a.begin()
		for b.Loop() {
			clear(a.seen.known[:])
			a.see(g, key, d)
		}
	})
}
