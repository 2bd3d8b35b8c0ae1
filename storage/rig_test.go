package storage

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/logtest"
	"github.com/freshetdb/freshet/matcher"
)

const testApp = "default"

// rig is a store under test, with a listener that checks every group as it comes.
type rig struct {
	t      *testing.T
	config Config
	log    ingest.Log
	state  *vfs.MemFS

	store *Store
	check *checker
	stop  context.CancelFunc
	done  chan error
	ended bool // nothing runs: a start has failed, or none has followed the end
}

// kinds are the ways of a write that every test of the suite runs over (DESIGN: decided before or after the log).
var kinds = map[string]func(t *testing.T, seed uint64) *rig{
	"embedded": func(t *testing.T, _ uint64) *rig {
		log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: t.TempDir(), LogPartitions: 3, NoSync: true, SegmentBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return &rig{t: t, log: log}
	},
	"embedded in memory": func(t *testing.T, _ uint64) *rig {
		return &rig{t: t, log: ingest.NewMemoryLog(3)}
	},
	"attempts": func(t *testing.T, _ uint64) *rig {
		return &rig{t: t, log: ingest.NewMemoryLog(3), config: Config{Attempts: true}}
	},
	"unruly attempts": func(t *testing.T, seed uint64) *rig {
		return &rig{t: t, log: logtest.NewUnruly(3, seed), config: Config{Attempts: true}}
	},
}

// eachKind runs a test over every kind of log, with a seed that a failure prints.
func eachKind(t *testing.T, maxWriteLag uint64, test func(t *testing.T, r *rig, rng *rand.Rand)) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			})
			r := open(t, seed)
			r.config.MaxWriteLag = maxWriteLag
			r.state = vfs.NewCrashableMem()
			r.start()
			t.Cleanup(func() {
				r.end()
				if err := r.log.Close(); err != nil {
					t.Errorf("close the log: %v", err)
				}
			})
			test(t, r, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

// start opens the store over the rig's log and state, and waits until it serves.
func (r *rig) start() {
	r.t.Helper()
	cfg := r.config
	if cfg.Dir == "" {
		cfg.Dir = "state"
	}
	if cfg.FS == nil {
		cfg.FS = r.state
	}
	if cfg.FlushBytes == 0 {
		cfg.FlushBytes = 16 << 10 // flush often
	}
	if cfg.recheck == nil {
		cfg.recheck = recheckSteady
	}
	store, err := Open(cfg, r.log)
	if err != nil {
		r.t.Fatalf("open: %v", err)
	}
	r.store = store
	if r.check == nil {
		r.check = newChecker(r.t)
	}
	r.check.begin(r, store)
	store.SetListener(r.check)
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.done, r.ended = stop, make(chan error, 1), false
	go func() { r.done <- store.Run(ctx) }()
	r.flush() // lets a delayed genesis out
	select {
	case <-store.Ready():
	case err := <-r.done:
		r.done <- err
		r.t.Fatalf("run: %v", err)
	}
}

// recheckSteady is Config.recheck: a write that the loop takes at its word must say what the loop would have found.
func recheckSteady(it *item, found head) {
	same := found.document == nil && it.hint == nil ||
		found.document != nil && it.hint != nil && bytes.Equal(found.document.Text(), it.hint.Text())
	if found.writeID != it.record.Base || !same {
		panic(fmt.Sprintf("a steady write of %q builds on %v (%v), but the state of the key is %v (%v)",
			it.record.ID, it.record.Base, it.hint != nil, found.writeID, found.document != nil))
	}
}

// flush lets everything out of an unruly log.
func (r *rig) flush() {
	r.t.Helper()
	if f, ok := r.log.(interface{ Flush(context.Context) error }); ok {
		if err := f.Flush(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// end stops the store in order.
func (r *rig) end() {
	r.t.Helper()
	if r.ended {
		return
	}
	r.ended = true
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("run: %v", err)
	}
	if err := r.store.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

// crash stops the store and gives it back the state that a crash would have left, some unsynced data kept or not.
func (r *rig) crash(rng *rand.Rand) {
	r.t.Helper()
	r.ended = true
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("run: %v", err)
	}
	for r.store.flushing.Load() { // the log may yet be trimmed; it loses its power together with the state
		runtime.Gosched()
	}
	clone := crashClone(r.state, int(rng.Uint32N(2))*50, rng)
	if err := r.store.db.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
	r.state = clone
}

func (r *rig) collection(name string) Collection {
	r.t.Helper()
	c, _, err := r.store.PutCollection(r.t.Context(), testApp, name, Settings{})
	for err != nil { // an unruly log may lose the answer
		if ready, ok := r.store.Collection(testApp, name); ok {
			return ready
		}
		c, _, err = r.store.PutCollection(r.t.Context(), testApp, name, Settings{})
	}
	return c
}

// document composes a stored document as a gateway would.
func (r *rig) document(id string, base Head, w matcher.WriteID, field int) *matcher.Document {
	r.t.Helper()
	return r.compose(id, base, w, fmt.Sprintf(`{"n":%d,"pad":"%0128d"}`, field, field))
}

// compose makes a stored document of the user's fields.
func (r *rig) compose(id string, base Head, w matcher.WriteID, fields string) *matcher.Document {
	r.t.Helper()
	user, err := matcher.Parse([]byte(fields), r.store.Limits())
	if err != nil {
		r.t.Fatal(err)
	}
	generation := uint64(1)
	if base.Document != nil {
		generation = base.Document.Revision().Generation + 1
	}
	d, err := matcher.Compose(matcher.Metadata{ID: id, Revision: matcher.Revision{Generation: generation, WriteID: w}}, user.Root(), r.store.Limits())
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// put writes once against the head that it reads; remove deletes.
func (r *rig) put(ctx context.Context, c Collection, id string, field int) (Outcome, matcher.WriteID, error) {
	head, err := r.store.Head(c, id)
	if err != nil {
		return Outcome{}, matcher.WriteID{}, err
	}
	w := r.store.NewWriteID()
	out, err := r.store.Write(ctx, Attempt{Collection: c, ID: id, Head: head, WriteID: w, After: r.document(id, head, w, field)})
	return out, w, err
}

func (r *rig) remove(ctx context.Context, c Collection, id string) (Outcome, matcher.WriteID, error) {
	head, err := r.store.Head(c, id)
	if err != nil {
		return Outcome{}, matcher.WriteID{}, err
	}
	w := r.store.NewWriteID()
	out, err := r.store.Write(ctx, Attempt{Collection: c, ID: id, Head: head, WriteID: w})
	return out, w, err
}

// all reads a whole collection from a snapshot, by id.
func (r *rig) all(c Collection) map[string]string {
	r.t.Helper()
	n, err := r.store.Snapshot()
	if err != nil {
		r.t.Fatal(err)
	}
	defer n.Close()
	texts := map[string]string{}
	for p := 1; p < r.log.Partitions(); p++ {
		err := n.visitCollection(r.t.Context(), p, c.ID, func(d *matcher.Document) error {
			texts[d.ID()] = string(d.Text())
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return texts
}

func query(t *testing.T, spec matcher.QuerySpec) *matcher.Query {
	t.Helper()
	q, err := matcher.Compile(spec, matcher.Limits{}.WithDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func newState() *vfs.MemFS { return vfs.NewCrashableMem() }

// visitCollection reads a whole collection in one log partition, without a query.
func (n *Snapshot) visitCollection(ctx context.Context, p int, c matcher.CollectionID, f func(*matcher.Document) error) error {
	lower, upper := collectionSpan(prefixDocument, p, c)
	return n.visitSpan(ctx, lower, upper, f)
}

// runUntilReady runs a store until it serves, and stops it. It returns why it does not.
func runUntilReady(t *testing.T, s *Store) error {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
		stop()
	case err := <-done:
		return err
	}
	return <-done
}
