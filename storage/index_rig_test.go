package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// set writes a document once against the head that it reads; with fields "" it deletes it.
func (r *rig) set(ctx context.Context, c Collection, id, fields string) error {
	head, err := r.store.Head(c, id)
	if err != nil {
		return err
	}
	a := Attempt{Collection: c, ID: id, Head: head, WriteID: r.store.NewWriteID()}
	if fields != "" {
		a.After = r.compose(id, head, a.WriteID, fields)
	}
	_, err = r.store.Write(ctx, a)
	return err
}

// writeIndexed has writers put and remove random documents at once, while the indexes change beside them.
func writeIndexed(r *rig, c Collection, seed uint64, writers, each int) {
	var group sync.WaitGroup
	group.Go(func() {
		w := world{rand.New(rand.NewPCG(seed, 99))}
		for range 4 {
			ctx, cancel := r.patience()
			var err error
			if w.IntN(3) == 0 {
				err = r.store.DropIndex(ctx, testApp, c.Name, w.index().Name)
			} else {
				_, _, err = r.store.PutIndex(ctx, testApp, c.Name, w.index())
			}
			cancel()
			if err != nil && !errors.Is(err, ErrIndexNotFound) && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, context.DeadlineExceeded) {
				r.t.Errorf("change the indexes: %v", err)
			}
		}
	})
	for n := range writers {
		group.Go(func() {
			w := world{rand.New(rand.NewPCG(seed, uint64(n)))}
			for range each {
				fields := w.document()
				if w.IntN(4) == 0 {
					fields = ""
				}
				ctx, cancel := r.patience()
				err := r.set(ctx, c, fmt.Sprintf("id%d", w.IntN(50)), fields)
				cancel()
				if err != nil && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrCollectionChanged) && !errors.Is(err, context.DeadlineExceeded) {
					r.t.Errorf("write: %v", err)
				}
			}
		})
	}
	group.Wait()
}

// steadyIndex makes an index that stays while others come and go.
func (r *rig) steadyIndex(c Collection) {
	r.t.Helper()
	d := IndexDefinition{Name: "steady", Keys: []byte(`"-rank"`)}
	for {
		ctx, cancel := r.patience()
		_, _, err := r.store.PutIndex(ctx, testApp, c.Name, d)
		cancel()
		r.settle()
		if now, ok := r.store.Collection(testApp, c.Name); ok && len(now.Indexes) == 1 {
			return
		}
		if err != nil && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, context.DeadlineExceeded) {
			r.t.Fatal(err)
		}
	}
}

// built waits until all indexes of the collection are ready.
func (r *rig) built(c Collection) {
	r.t.Helper()
	for {
		list, err := r.store.Indexes(testApp, c.Name)
		if err != nil {
			r.t.Fatal(err)
		}
		if !slices.ContainsFunc(list, func(s IndexStatus) bool { return !s.Ready }) {
			return
		}
		if err := r.store.Boundary(r.t.Context(), func(n *Snapshot) { n.Close() }); err != nil {
			r.t.Fatal(err)
		}
	}
}

// checkIndexes computes the entries of every index anew from the documents, as of one snapshot, and compares.
func (r *rig) checkIndexes(c Collection) (entries int) {
	r.t.Helper()
	n, err := r.store.Snapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	defer n.Close()
	states, err := n.shared.indexStates(c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	current, _ := r.store.Collection(testApp, c.Name)
	want := map[string]string{}
	for _, x := range current.Indexes {
		state := states[x.ID]
		if state == nil {
			r.t.Fatalf("index %q has no state", x.Name)
		}
		counts := make([]indexCount, r.log.Partitions())
		var multikey uint64
		for p := 1; p < r.log.Partitions(); p++ {
			err := n.visitCollection(r.t.Context(), p, c.ID, func(d *matcher.Document) error {
				k := documentKey{c.ID, p, d.ID()}
				if !state.covers(k) {
					return nil
				}
				var e matcher.IndexEntries
				x.compiled.Entries(&e, d)
				prefix := appendIndexKey(nil, indexKey{c.ID, x.ID}, p)
				if e.Overflow {
					counts[p].overflow++
					want[string(prefix)+"\x00"+k.id] = k.id
					return nil
				}
				multikey |= e.Multikey
				for i := range e.Len() {
					counts[p].entries++
					want[string(prefix)+"\x01"+string(e.At(i))+k.id] = k.id
				}
				return nil
			})
			if err != nil {
				r.t.Fatal(err)
			}
		}
		if !slices.Equal(counts, state.counts) || state.multikey&multikey != multikey {
			r.t.Fatalf("index %q counts %v, multikey %b; the documents say %v, %b", x.Name, state.counts, state.multikey, counts, multikey)
		}
	}
	got := map[string]string{}
	for p := 1; p < r.log.Partitions(); p++ {
		lower, upper := collectionSpan(prefixIndex, p, c.ID)
		iterator, err := n.shared.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			r.t.Fatal(err)
		}
		for ok := iterator.First(); ok; ok = iterator.Next() {
			id, err := entryID(iterator.Key(), iterator.Value())
			if err != nil {
				r.t.Fatal(err)
			}
			got[string(iterator.Key())] = string(id)
		}
		if err := iterator.Close(); err != nil {
			r.t.Fatal(err)
		}
	}
	if !maps.Equal(got, want) {
		r.t.Fatalf("the indexes of %q have other entries than its documents: %s", c.Name, diff(got, want))
	}
	return len(got)
}

// waysTaken counts what a test went through.
type waysTaken struct{ indexed, ordered, unions, nested, merged, covered int }

func (t *waysTaken) add(w way, f Find) {
	switch w.Uses {
	case UsesIndex:
		t.indexed++
	case UsesUnion:
		if t.unions++; len(w.legs()) > len(w.Branches) {
			t.nested++
		}
	default:
		return
	}
	if len(w.SortedBy) == 0 || f.Limit == 0 {
		return
	}
	if t.ordered++; w.union != nil {
		t.merged++
	}
}

// checkFinds reads and counts random queries in every way there is, from a snapshot with and without changes undone, and
// compares with a naive read.
func (r *rig) checkFinds(c Collection, w world, history []*matcher.Change, taken *waysTaken) {
	r.t.Helper()
	var snapshot *Snapshot
	var docs []*matcher.Document
	err := r.store.Boundary(r.t.Context(), func(n *Snapshot) { snapshot, docs = n, r.check.list(c.ID) })
	if err != nil {
		r.t.Fatal(err)
	}
	defer snapshot.Close()
	for range 40 {
		spec := matcher.QuerySpec{Filter: []byte(w.filter())}
		if sort := w.sort(); sort != "" {
			spec.Sort = []byte(sort)
		}
		if w.IntN(6) == 0 {
			spec.Collation = []byte(`{"locale":"en","strength":1}`)
		}
		q := query(r.t, spec)
		f := Find{Skip: w.IntN(4), Limit: w.IntN(9)}
		if w.IntN(2) == 0 && len(docs) > 0 {
			f.After = q.AppendSortKey(nil, docs[w.IntN(len(docs))])
		}
		model := docs
		if w.IntN(3) == 0 && len(history) > 0 {
			f.Undo = history[w.IntN(len(history)):]
			model = undo(docs, f.Undo)
		}
		want, wantComplete := naive(q, model, f)
		ways, err := snapshot.ways(c.ID, q, f)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, way := range ways {
			w.shuffle(&way)
			got, complete, err := snapshot.findBy(r.t.Context(), way, c.ID, q, f)
			if err != nil {
				r.t.Fatal(err)
			}
			if !slices.Equal(idsOf(got), want) || complete != wantComplete {
				r.t.Fatalf("%s, skip %d, limit %d, after %x, %d undone, by %+v: %v (complete %v), want %v (%v)",
					q.Normal(), f.Skip, f.Limit, f.After, len(f.Undo), way.Way, idsOf(got), complete, want, wantComplete)
			}
			taken.add(way, f)
		}
		r.checkCounts(snapshot, c, q, docs, taken)
	}
}

// checkCounts counts in every way there is. A covered one reads no documents but those that the index cannot hold.
func (r *rig) checkCounts(snapshot *Snapshot, c Collection, q *matcher.Query, docs []*matcher.Document, taken *waysTaken) {
	r.t.Helper()
	all, _ := naive(q, docs, Find{})
	count, err := snapshot.Count(r.t.Context(), c.ID, q)
	if err != nil || count != len(all) {
		r.t.Fatalf("%s: count %d, %v; want %d", q.Normal(), count, err, len(all))
	}
	f := Find{counting: true}
	ways, err := snapshot.ways(c.ID, q, f)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, way := range ways {
		var count counter
		v, err := snapshot.visitBy(r.t.Context(), way, c.ID, q, f, &count)
		if err != nil || int(count) != len(all) {
			r.t.Fatalf("%s by %+v: count %d, %v; want %d", q.Normal(), way.Way, count, err, len(all))
		}
		if !way.Covered {
			continue
		}
		overflow := 0
		if way.state != nil {
			taken.covered++
			_, beyond := way.state.total()
			overflow = int(beyond)
		}
		if v.examined != overflow {
			r.t.Fatalf("%s by %+v: %d documents were read, not the %d of the overflow", q.Normal(), way.Way, v.examined, overflow)
		}
	}
}

// Whatever is written, however the log and the process behave: the entries are those of the documents, and every way to
// find documents finds the same.
func TestIndexes(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		w := world{rng}
		r.config.chunkDocuments = 7
		r.end()
		r.start()
		c := r.collection("pages")
		r.steadyIndex(c)
		var history []*matcher.Change
		r.check.each = func(change *matcher.Change) { history = append(history, change) }
		entries := 0
		var taken waysTaken
		for round := range 8 {
			writeIndexed(r, c, rng.Uint64(), 4, 30)
			switch rng.IntN(4) {
			case 0:
				r.settle()
				r.checkIndexes(c) // perhaps in the middle of a build
				r.crash(rng)
				r.start()
			case 1:
				r.end()
				r.start()
			case 2:
				if round%3 == 1 {
					r.fence(c, r.store.TruncateCollection)
				}
			}
			r.settle()
			c, _ = r.store.Collection(testApp, "pages")
			r.checkIndexes(c)
			r.built(c)
			r.compare(c)
			entries += r.checkIndexes(c)
			var undoable []*matcher.Change
			err := r.store.Boundary(t.Context(), func(n *Snapshot) {
				undoable = sinceFence(history)
				n.Close()
			})
			if err != nil {
				t.Fatal(err)
			}
			r.checkFinds(c, w, undoable, &taken)
		}
		if entries < 100 || taken.indexed < 100 || taken.ordered < 10 || taken.unions < 10 || taken.covered < 10 {
			t.Errorf("%d entries; %+v: the test says little", entries, taken)
		}
	})
}

// sinceFence is the history that can be undone one change after another: the last changes that follow one another.
func sinceFence(history []*matcher.Change) []*matcher.Change {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Fence != matcher.FenceNone || i > 0 && history[i-1].Sequence+1 != history[i].Sequence {
			return slices.Clone(history[i+1:])
		}
	}
	return slices.Clone(history)
}

// A damaged state, or entry, is an error and not a panic.
func TestIndexStateRoundTrip(t *testing.T) {
	s := &indexState{
		key: indexKey{7, 9}, ready: true, cursor: documentKey{7, 2, "id"}, documents: 5, multikey: 6,
		counts: []indexCount{{}, {1, 2}, {3, 4}},
	}
	raw := s.append(nil)
	got, err := parseIndexState(s.key, raw)
	if err != nil || !bytes.Equal(got.append(nil), raw) {
		t.Fatalf("%+v, %v; want %+v", got, err, s)
	}
	for n := range len(raw) - len("id") {
		if _, err := parseIndexState(s.key, raw[:n]); err == nil {
			t.Errorf("%d bytes of a state were read", n)
		}
	}
}

// A fence, or the end of its index, makes the builder read its chunk again: what it read is not there any more.
func TestChunkIsSpoiled(t *testing.T) {
	definition := IndexDefinition{Name: "one", Keys: []byte(`"a"`)}
	c, err := Collection{ID: 3, Name: "pages"}.withIndexes([]IndexDefinition{definition})
	if err != nil {
		t.Fatal(err)
	}
	begin := func() (*indexer, *indexChunk) {
		x := newIndexer(3, new(Metrics))
		x.follow(c)
		return x, x.beginChunk()
	}
	x, chunk := begin()
	x.fence(epochKey{1, 4})
	if chunk == nil || chunk.spoiled {
		t.Fatalf("a fence of another collection spoils a chunk: %+v", chunk)
	}
	x.fence(epochKey{1, 3})
	if !chunk.spoiled {
		t.Error("a fence does not spoil the chunk")
	}
	x, chunk = begin()
	if dropped := x.follow(Collection{ID: c.ID}); !chunk.spoiled || len(dropped) != 1 {
		t.Errorf("the end of the index does not spoil the chunk, %v dropped", dropped)
	}
	x, chunk = begin()
	for i := range maxChunkTouched + 1 {
		x.change(documentKey{3, 1, fmt.Sprint(i)}, nil, nil)
	}
	if !chunk.spoiled {
		t.Error("too many changes do not spoil the chunk")
	}
}

// A check finds an entry that is missing, and one that nothing asks for.
func TestCheckFindsIndexDamage(t *testing.T) {
	data := t.TempDir()
	r := diskRig(t, data, 3)
	c := r.collection("pages")
	w := world{rand.New(rand.NewPCG(1, 1))}
	for i := range 50 {
		if err := r.set(t.Context(), c, fmt.Sprintf("id%d", i), w.document()); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range []string{`"rank"`, `"a,t"`, `"-status,a"`} {
		if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", IndexDefinition{Name: fmt.Sprintf("x%d", i), Keys: []byte(d)}); err != nil {
			t.Fatal(err)
		}
	}
	r.built(c)
	var first, extra []byte
	lower, upper := indexSpan(indexKey{c.ID, 1}, 1)
	iterator, err := r.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		t.Fatal(err)
	}
	if !iterator.First() {
		t.Fatal("no entry")
	}
	first = bytes.Clone(iterator.Key())
	value := bytes.Clone(iterator.Value())
	extra = append(bytes.Clone(first[:indexPrefixBytes]), 0x18)
	extra = append(extra, first[indexPrefixBytes+1:]...)
	extra[len(extra)-1]++
	if err := iterator.Close(); err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount > 0 || report.Indexes != 3 {
		t.Fatalf("%d indexes, %q", report.Indexes, report.Problems)
	}
	r = diskRig(t, data, 3)
	if err := r.store.db.Delete(first, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount != 1 || !strings.Contains(report.Problems[0], `"x0"`) {
		t.Errorf("a missing entry: %q", report.Problems)
	}
	r = diskRig(t, data, 3)
	if err := r.store.db.Set(extra, value, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount != 1 || !strings.Contains(report.Problems[0], `"x0"`) {
		t.Errorf("another entry in its place: %q", report.Problems)
	}
	r = diskRig(t, data, 3)
	states, err := readIndexStates(r.store.db, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	states[0].counts[1].entries++
	err = errors.Join(r.store.db.Delete(extra, pebble.NoSync), r.store.db.Set(first, value, pebble.NoSync),
		r.store.db.Set(appendIndexStateKey(nil, states[0].key), states[0].append(nil), pebble.NoSync))
	if err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount != 1 || !strings.Contains(report.Problems[0], `"x0"`) || !strings.Contains(report.Problems[0], "states") {
		t.Errorf("a wrong count: %q", report.Problems)
	}
}

// A build goes on after a restart where it was.
func TestBuildGoesOnAfterRestart(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	r.config.chunkDocuments = 1
	r.start()
	defer func() { r.end(); r.log.Close() }()
	c := r.collection("pages")
	const documents = 500
	for i := range documents {
		if _, _, err := r.put(t.Context(), c, fmt.Sprintf("id%d", i), i); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // a build that was too fast is begun anew
		if err := r.store.DropIndex(t.Context(), testApp, "pages", "n"); err != nil && !errors.Is(err, ErrIndexNotFound) {
			t.Fatal(err)
		}
		if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", IndexDefinition{Name: "n", Keys: []byte(`"n"`)}); err != nil {
			t.Fatal(err)
		}
		for r.index("pages").Documents < documents/10 && !r.index("pages").Ready {
		}
		r.end()
		r.start()
		r.built(c)
		rest := r.store.Metrics().IndexDocumentsBuilt.Load()
		if rest == 0 {
			continue
		}
		if n := r.checkIndexes(c); n != documents || rest > documents*9/10 {
			t.Errorf("%d entries; after the restart %d documents were read", n, rest)
		}
		return
	}
	t.Error("every build was over before it could be stopped")
}

// index is the only index of a collection.
func (r *rig) index(collection string) IndexStatus {
	r.t.Helper()
	list, err := r.store.Indexes(testApp, collection)
	if err != nil || len(list) != 1 {
		r.t.Fatalf("%d indexes, %v", len(list), err)
	}
	return list[0]
}

// An index whose entries were made by other rules is built anew, however often the process ends before that is done.
func TestStaleIndexIsBuiltAnew(t *testing.T) {
	data := t.TempDir()
	r := diskRig(t, data, 2)
	c := r.collection("pages")
	w := world{rand.New(rand.NewPCG(3, 1))}
	for i := range 60 {
		if err := r.set(t.Context(), c, fmt.Sprintf("id%d", i), w.document()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"rank", "a"} {
		if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", IndexDefinition{Name: name, Keys: []byte(`"` + name + `"`)}); err != nil {
			t.Fatal(err)
		}
	}
	r.built(c)
	spoil := func() {
		t.Helper()
		states, err := readIndexStates(r.store.db, c.ID)
		if err != nil || len(states) != 2 {
			t.Fatal(len(states), err)
		}
		raw := states[0].append(nil)
		raw[0] = matcher.IndexVersion - 1
		other := append(appendIndexKey(nil, states[0].key, 1), tagEntry, 'x', 'i', 'd', '1')
		err = errors.Join(r.store.db.Set(appendIndexStateKey(nil, states[0].key), raw, pebble.NoSync), r.store.db.Set(other, []byte{3}, pebble.NoSync))
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		spoil()
		r.end()
		r.start()
		if err := r.set(t.Context(), c, "id7", w.document()); err != nil {
			t.Fatal(err)
		}
		r.built(c)
		if all := r.store.Metrics().IndexDocumentsBuilt.Load(); all < 50 || all > 70 {
			t.Errorf("%d documents were read, not those of one index", all)
		}
		r.checkIndexes(c)
	}
	spoil()
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount > 0 || report.Indexes != 2 {
		t.Errorf("a check of an index by other rules: %d indexes, %q", report.Indexes, report.Problems)
	}
}
