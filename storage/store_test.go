package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest/logtest"
	"github.com/freshetdb/freshet/matcher"
)

// unruly says that the log may hold an attempt back until later ones come.
func (r *rig) unruly() bool {
	_, yes := r.log.(*logtest.Unruly)
	return yes
}

// patience bounds how long a write is waited for that nothing may ever bring out; other writes are waited for.
func (r *rig) patience() (context.Context, context.CancelFunc) {
	if r.unruly() {
		return context.WithTimeout(r.t.Context(), 20*time.Millisecond)
	}
	return context.WithCancel(r.t.Context())
}

// storm has writers put and remove documents of few ids at once, and checks each outcome against the log's.
func storm(r *rig, c Collection, seed uint64, writers, each int) {
	var group sync.WaitGroup
	for w := range writers {
		group.Add(1)
		go func() {
			defer group.Done()
			rng := rand.New(rand.NewPCG(seed, uint64(w)))
			for i := range each {
				id := fmt.Sprintf("id%d", rng.IntN(9))
				ctx, cancel := r.patience()
				var out Outcome
				var written matcher.WriteID
				var err error
				removing := rng.IntN(4) == 0
				if removing {
					out, written, err = r.remove(ctx, c, id)
				} else {
					out, written, err = r.put(ctx, c, id, i)
				}
				cancel()
				switch {
				case errors.Is(err, ErrOutcomeUnknown), errors.Is(err, context.DeadlineExceeded) && r.unruly():
				case errors.Is(err, ErrCollectionChanged):
				case err != nil:
					r.t.Errorf("write %q: %v", id, err)
				case out.Accepted && !removing && r.check.times(written) != 1:
					r.t.Errorf("an accepted write was applied %d times", r.check.times(written))
				case !out.Accepted && r.check.times(written) != 0:
					r.t.Errorf("a rejected write was applied")
				}
			}
		}()
	}
	group.Wait()
}

// settle lets everything out of an unruly log and waits until it is applied.
func (r *rig) settle() {
	r.t.Helper()
	r.flush()
	_, next, err := r.log.Bounds(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for !reached(r.store.Vector().Next, next) {
		if err := r.store.Boundary(r.t.Context(), func(n *Snapshot) { n.Close() }); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) compare(c Collection) {
	r.t.Helper()
	if d := diff(r.all(c), r.check.model(c.ID)); d != "" {
		r.t.Fatalf("state and log disagree: %s", d)
	}
}

// Invariants 1, 2, 4: whatever the log does, state, changes and answers tell one story.
func TestConcurrentWrites(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		for range 3 {
			storm(r, c, rng.Uint64(), 8, 60)
			r.settle()
			r.compare(c)
		}
	})
}

// A crash rolls the state back to a flush; the log brings it to where it was.
func TestCrashReplays(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		for range 5 {
			storm(r, c, rng.Uint64(), 4, 40)
			r.settle()
			vector, model := r.store.Vector(), r.check.model(c.ID)
			r.crash(rng)
			r.start()
			r.settle()
			if now := r.store.Vector(); !now.Covers(vector) {
				t.Fatalf("after the crash the store stands at %v, before it at %v", now, vector)
			}
			r.compare(c)
			if d := diff(r.all(c), model); d != "" {
				t.Fatalf("after the crash: %s", d)
			}
		}
	})
}

func TestOrderlyRestart(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		storm(r, c, rng.Uint64(), 4, 20)
		r.settle()
		vector := r.store.Vector()
		r.end()
		r.start()
		if now := r.store.Vector(); !now.Equal(vector) {
			t.Fatalf("after the restart the store stands at %v, before it at %v", now, vector)
		}
		if replayed := r.store.Metrics().Replayed.Load(); replayed != 0 {
			t.Errorf("%d records were replayed after an orderly stop", replayed)
		}
		r.compare(c)
	})
}

// Two appliers of one log of attempts decide alike.
func TestRowsAgree(t *testing.T) {
	eachKind(t, 64, func(t *testing.T, r *rig, rng *rand.Rand) {
		if !r.config.Attempts {
			t.Skip("only a log of attempts has several appliers")
		}
		c := r.collection("pages")
		other := &rig{t: t, config: r.config, log: r.log, state: newState()}
		other.start()
		defer other.end()
		storm(r, c, rng.Uint64(), 6, 80)
		r.settle()
		other.settle()
		r.compare(c)
		if d := diff(other.all(c), r.all(c)); d != "" {
			t.Fatalf("two rows disagree: %s", d)
		}
	})
}

// A fence ends an epoch: what was written under it is gone, and what was computed under it is rejected.
func TestFences(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		c := r.collection("pages")
		storm(r, c, rng.Uint64(), 4, 20)
		r.settle()
		old, err := r.store.Head(c, "id1")
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Add(1)
		go func() {
			defer group.Done()
			storm(r, c, rng.Uint64(), 4, 40)
		}()
		r.fence(c, r.store.TruncateCollection)
		group.Wait()
		r.settle()
		truncated, ok := r.store.Collection(testApp, "pages")
		if !ok || truncated.ID != c.ID || truncated.Epoch <= c.Epoch {
			t.Fatalf("after a truncate the collection is %+v (%v), before it %+v", truncated, ok, c)
		}
		r.compare(truncated)
		if n := len(r.all(truncated)); n != 0 {
			t.Errorf("%d documents survived a truncate that nothing of the new epoch followed", n)
		}
		w := r.store.NewWriteID()
		attempt := Attempt{Collection: c, ID: "id1", Head: old, WriteID: w, After: r.document("id1", old, w, 1)}
		if _, err := r.patiently(attempt); !errors.Is(err, ErrCollectionChanged) && !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("a write of the old epoch: %v, want %v", err, ErrCollectionChanged)
		}
		storm(r, truncated, rng.Uint64(), 4, 20)
		r.settle()
		r.compare(truncated)
		r.fence(truncated, r.store.DropCollection)
		r.settle()
		if _, ok := r.store.Collection(testApp, "pages"); ok {
			t.Fatal("a dropped collection is there")
		}
		again := r.collection("pages")
		r.settle()
		if again.ID == c.ID {
			t.Errorf("a re-created collection has the dropped one's id")
		}
		if n := len(r.all(again)); n != 0 {
			t.Errorf("a re-created collection holds %d documents of the dropped one", n)
		}
		if got := r.check.times(w); got != 0 {
			t.Errorf("a write of an old epoch was applied")
		}
	})
}

// fence orders a fence, lets an unruly log take its time with it, and waits until every log partition has it. An order
// whose answer was lost is not given again if it went through: its fences come all the same.
func (r *rig) fence(c Collection, order func(ctx context.Context, app, name string) error) {
	r.t.Helper()
	done := make(chan error, 1)
	begin := func() { go func() { done <- order(r.t.Context(), c.App, c.Name) }() }
	begin()
	for ordered := false; !ordered; r.settle() {
		select {
		case err := <-done:
			now, ok := r.store.Collection(c.App, c.Name)
			ordered = !ok || now.Epoch > c.Epoch
			// The first of two orders may go through after the second one was given.
			if err != nil && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrCollectionNotFound) {
				r.t.Fatal(err)
			}
			if !ordered {
				begin()
			}
		default:
		}
	}
	for missing := 1; missing > 0; r.settle() {
		err := r.store.Boundary(r.t.Context(), func(n *Snapshot) {
			missing = len(r.store.loop.missingFences())
			n.Close()
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) patiently(a Attempt) (Outcome, error) {
	ctx, cancel := r.patience()
	defer cancel()
	return r.store.Write(ctx, a)
}

// Invariants 4, 5: a deleted and re-created document is another one, for as long as anything of the first may come.
func TestTombstones(t *testing.T) {
	for _, name := range []string{"embedded", "attempts"} {
		t.Run(name, func(t *testing.T) {
			r := kinds[name](t, 1)
			r.config.MaxWriteLag, r.state = 100, newState()
			r.start()
			defer func() { r.end(); r.log.Close() }()
			c := r.collection("pages")
			ctx := t.Context()
			none, err := r.store.Head(c, "a")
			if err != nil || none.Document != nil || !none.WriteID.IsZero() {
				t.Fatalf("head of nothing: %+v, %v", none, err)
			}
			must := func(out Outcome, _ matcher.WriteID, err error) {
				t.Helper()
				if err != nil || !out.Accepted {
					t.Fatalf("accepted %v, %v", out.Accepted, err)
				}
			}
			must(r.put(ctx, c, "a", 1))
			first, _ := r.store.Head(c, "a")
			must(r.remove(ctx, c, "a"))
			tomb, err := r.store.Head(c, "a")
			if err != nil || tomb.Document != nil || tomb.WriteID.IsZero() {
				t.Fatalf("head of a deleted document: %+v, %v", tomb, err)
			}
			rejected := func(what string, base Head) {
				t.Helper()
				w := r.store.NewWriteID()
				out, err := r.store.Write(ctx, Attempt{Collection: c, ID: "a", Head: base, WriteID: w, After: r.document("a", base, w, 9)})
				if err != nil || out.Accepted {
					t.Errorf("%s: accepted %v, %v", what, out.Accepted, err)
				}
			}
			rejected("an insert that did not see the delete", none)
			rejected("an update of the deleted document", first)
			must(r.put(ctx, c, "a", 2)) // on the tombstone
			rejected("an update of the document that was deleted and re-created", first)
			must(r.remove(ctx, c, "a"))
			for i := range 500 {
				for p := range 3 { // every log partition moves on
					must(r.put(ctx, c, fmt.Sprintf("other%d", p*7), i))
				}
			}
			gone, err := r.store.Head(c, "a")
			if err != nil || gone.Document != nil {
				t.Fatalf("%+v, %v", gone, err)
			}
			rejected("an insert that lags by more than MaxWriteLag", none)
			must(r.put(ctx, c, "a", 3))
		})
	}
}

// A write that waits while the store stops is told so, and nothing of it is applied.
func TestStop(t *testing.T) {
	r := kinds["embedded"](t, 1)
	r.state = newState()
	r.start()
	c := r.collection("pages")
	storm(r, c, 1, 4, 10)
	r.end()
	if _, _, err := r.put(t.Context(), c, "a", 1); err == nil {
		t.Errorf("a write after the stop was taken")
	}
	if err := r.store.Boundary(t.Context(), func(*Snapshot) { t.Error("ran") }); !errors.Is(err, ErrStopped) {
		t.Errorf("a boundary after the stop: %v", err)
	}
	if _, err := r.store.Snapshot(); !errors.Is(err, ErrStopped) {
		t.Errorf("a snapshot after the stop: %v", err)
	}
	r.log.Close()
}

// failingFS fails everything that creates or syncs a file, once it is told to.
type failingFS struct {
	vfs.FS
	failing atomic.Bool
}

var errDisk = errors.New("the disk fails")

func (f *failingFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if f.failing.Load() {
		return nil, errDisk
	}
	return f.FS.Create(name, c)
}

// A state that cannot be written ends the store with the reason, and does not keep it from closing. Nothing is lost:
// the log has it.
func TestFailingState(t *testing.T) {
	for _, name := range []string{"embedded in memory", "attempts"} {
		t.Run(name, func(t *testing.T) {
			r := kinds[name](t, 1)
			r.state = newState()
			fs := &failingFS{FS: r.state}
			r.config.FS = fs
			r.start()
			c := r.collection("pages")
			fs.failing.Store(true)
			for i := 0; ; i++ {
				if _, _, err := r.put(t.Context(), c, fmt.Sprint("id", i), i); err != nil {
					break
				}
			}
			if err := <-r.done; !errors.Is(err, errDisk) {
				t.Errorf("run: %v, want %v", err, errDisk)
			}
			if err := r.store.Close(); !errors.Is(err, errDisk) {
				t.Errorf("close: %v, want %v", err, errDisk)
			}
			model := r.check.model(c.ID)
			r.config.FS = nil
			r.start()
			r.settle()
			now := r.all(c) // and the last write, whose outcome was unknown, may be there
			for id, want := range model {
				if now[id] != want {
					t.Errorf("%q is %q, want %q", id, now[id], want)
				}
			}
			r.end()
			r.log.Close()
		})
	}
}

// Many small writes whose before-images are large do not make a group that the log refuses.
func TestLargeBeforeImages(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	r.start()
	defer func() { r.end(); r.log.Close() }()
	c := r.collection("pages")
	const documents, bytes = 100, 900 << 10 // more than one group of the log may hold
	pad := strings.Repeat("x", bytes)
	for i := range documents {
		w := r.store.NewWriteID()
		text := fmt.Sprintf(`{"_id":"id%d","_rev":%q,"pad":%q}`, i, matcher.Revision{Generation: 1, WriteID: w}, pad)
		d, err := matcher.Parse([]byte(text), r.store.Limits())
		if err != nil {
			t.Fatal(err)
		}
		if out, err := r.store.Write(t.Context(), Attempt{Collection: c, ID: d.ID(), WriteID: w, After: d}); err != nil || !out.Accepted {
			t.Fatalf("accepted %v, %v", out.Accepted, err)
		}
	}
	// All deletes wait together while a task holds the loop, and are taken as one group.
	done := make(chan error, documents)
	err := r.store.Boundary(t.Context(), func(n *Snapshot) {
		n.Close()
		for i := range documents {
			go func() {
				_, _, err := r.remove(context.Background(), c, fmt.Sprint("id", i))
				done <- err
			}()
		}
		for int(r.store.Metrics().WaitingWrites.Load()) < documents {
			runtime.Gosched()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range documents {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.all(c)); n != 0 {
		t.Errorf("%d documents are left", n)
	}
}
