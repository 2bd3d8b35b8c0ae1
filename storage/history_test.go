package storage

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// The history since any position is exactly what the listener was told since, however often the store was restarted; what
// is no longer kept is said to be gone, never left out.
func TestHistory(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		const roomy = 1 << 30
		type step struct {
			vector matcher.Vector // after the change
			change *matcher.Change
		}
		var told []step    // guarded by the checker's mutex
		record := func() { // called once nothing is being written
			at := r.store.Vector()
			r.check.mutex.Lock()
			defer r.check.mutex.Unlock()
			told = append(told, step{vector: at})
			r.check.each = func(c *matcher.Change) {
				at = at.Clone()
				at.Advance(c.Position)
				told = append(told, step{at, c})
			}
		}
		c, other := r.collection("pages"), r.collection("others")
		record()
		history := func(c Collection, since matcher.Vector, maxBytes int) ([]matcher.Past, error) {
			t.Helper()
			n, err := r.store.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			return n.History(t.Context(), c.ID, since, maxBytes)
		}
		for round := range 3 {
			storm(r, c, rng.Uint64(), 4, 20)
			storm(r, other, rng.Uint64(), 2, 10)
			r.settle()
			if round > 0 {
				r.check.mutex.Lock()
				r.check.each = nil
				r.check.mutex.Unlock()
				r.crash(rng)
				r.start()
				r.settle()
				record()
			}
			r.check.mutex.Lock()
			path := told
			r.check.mutex.Unlock()
			now := r.store.Vector()
			if past, err := history(c, now, 0); err != nil || len(past) != 0 {
				t.Fatalf("since now: %d changes, %v", len(past), err)
			}
			for i := range path {
				since := path[i].vector
				past, err := history(c, since, roomy)
				if r.config.Attempts {
					if !now.Equal(since) && !errors.Is(err, ErrHistoryGone) {
						t.Fatalf("a log of attempts has the history %d, %v", len(past), err)
					}
					continue
				}
				first, _, boundsErr := r.log.Bounds(t.Context())
				if boundsErr != nil {
					t.Fatal(boundsErr)
				}
				if errors.Is(err, ErrHistoryGone) && !reached(since.Next, first) {
					continue
				}
				if err != nil {
					t.Fatalf("since %v: %v", since, err)
				}
				for _, s := range path[i+1:] {
					if s.change == nil || s.change.Collection != c.ID {
						continue
					}
					if len(past) == 0 {
						t.Fatalf("since %v: the change at %v is missing", since, s.vector)
					}
					got := past[0].Change
					if past[0].At != s.vector.String() || got.ID != s.change.ID || got.Operation != s.change.Operation ||
						got.Position != s.change.Position || text(got.Before) != text(s.change.Before) || text(got.After) != text(s.change.After) {
						t.Fatalf("since %v: %+v at %s, due is %+v at %v", since, got, past[0].At, s.change, s.vector)
					}
					past = past[1:]
				}
				if len(past) > 0 {
					t.Fatalf("since %v: %d changes too many, the first is %+v", since, len(past), past[0].Change)
				}
			}
		}
		r.check.mutex.Lock()
		first := told[0].vector
		r.check.mutex.Unlock()
		if !r.config.Attempts {
			since := r.store.Vector()
			if _, _, err := r.put(t.Context(), c, "large", 1); err != nil {
				t.Fatal(err)
			}
			if _, err := history(c, since, 100); !errors.Is(err, ErrHistoryTooLarge) {
				t.Errorf("too small a bound: %v", err)
			}
		}
		foreign := first.Clone()
		foreign.Incarnation++
		if _, err := history(c, foreign, roomy); !errors.Is(err, ErrHistoryGone) {
			t.Errorf("another incarnation: %v", err)
		}
		ahead := r.store.Vector().Clone()
		ahead.Next[1]++
		if _, err := history(c, ahead, roomy); !errors.Is(err, ErrHistoryGone) {
			t.Errorf("a position ahead of the snapshot: %v", err)
		}
		before := r.store.Vector()
		if err := r.store.TruncateCollection(t.Context(), testApp, "pages"); err != nil {
			if !r.unruly() {
				t.Fatal(err)
			}
			return
		}
		if r.config.Attempts {
			return
		}
		past, err := history(c, before, roomy)
		if err != nil || len(past) != 1 || past[0].Change.Fence != matcher.FenceTruncate {
			t.Fatalf("since before a truncate: %+v, %v", past, err)
		}
	})
}

// Below what the log keeps, the history is gone; from there on it is whole.
func TestHistoryFloor(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.config.FlushBytes = 64 << 20 // the log is trimmed by this test alone
	r.state = newState()
	r.start()
	defer r.end()
	c := r.collection("pages")
	var vectors []matcher.Vector
	for i := range 20 {
		vectors = append(vectors, r.store.Vector())
		if _, _, err := r.put(t.Context(), c, "a", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.store.flush(); err != nil {
		t.Fatal(err)
	}
	if err := r.log.Trim(t.Context(), vectors[10].Next); err != nil {
		t.Fatal(err)
	}
	n, err := r.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for i, since := range vectors {
		past, err := n.History(t.Context(), c.ID, since, 1<<30)
		switch {
		case i < 10 && !errors.Is(err, ErrHistoryGone):
			t.Errorf("below the floor: %d changes, %v", len(past), err)
		case i >= 10 && (err != nil || len(past) != 20-i):
			t.Errorf("from %d on: %d changes, %v", i, len(past), err)
		}
	}
}

// A damaged part of the history that the documents do not need is told, and the history is gone where it lies; documents
// and later changes are served.
func TestDamagedHistory(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	told := make(chan error, 1)
	open := func() *rig {
		log, err := ingest.OpenSegments(ingest.SegmentConfig{
			Dir: filepath.Join(data, LogFolder), NoSync: true, SegmentBytes: 64 << 10, RetainBytes: 1 << 30, Damaged: func(err error) { told <- err },
		})
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, log: log, config: Config{Dir: filepath.Join(data, StateFolder), FS: vfs.Default}}
		r.start()
		return r
	}
	r := open()
	c := r.collection("pages")
	early := r.store.Vector()
	for i := range 400 {
		if _, _, err := r.put(t.Context(), c, fmt.Sprint("id", i%7), i); err != nil {
			t.Fatal(err)
		}
	}
	late := r.store.Vector()
	want := r.all(c)
	r.shut()
	name := filepath.Join(data, LogFolder, "0000000000000001.segment")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, flipped(content, 20<<10))

	r = open()
	if err := <-told; !errors.Is(err, ingest.ErrCorrupt) || !strings.Contains(err.Error(), name) {
		t.Errorf("told is %v", err)
	}
	if got := r.all(c); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, _, err := r.put(t.Context(), c, "more", 1); err != nil {
		t.Fatal(err)
	}
	n, err := r.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if past, err := n.History(t.Context(), c.ID, early, 1<<30); !errors.Is(err, ErrHistoryGone) {
		t.Errorf("from before the damage: %d changes, %v", len(past), err)
	}
	if past, err := n.History(t.Context(), c.ID, late, 1<<30); err != nil || len(past) != 1 {
		t.Errorf("from behind the damage: %d changes, %v", len(past), err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount == 0 {
		t.Error("the check finds nothing")
	}
}
