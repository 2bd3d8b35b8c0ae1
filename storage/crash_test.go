package storage

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
	"github.com/freshetdb/freshet/matcher"
)

var roundsFlag = flag.Int("rounds", 0, "number of crashes, faults and flipped bits; 0 takes the default")

// rounds is how many crashes a test makes.
func rounds(usual int) int {
	switch {
	case *roundsFlag > 0:
		return *roundsFlag
	case testing.Short():
		return max(1, usual/5)
	}
	return usual
}

// machine is the disks of one node, and the moment at which it loses its power: the log's and the state's at once.
type machine struct {
	rng    *rand.Rand
	log    *disktest.Disk
	state  *vfs.MemFS
	noSync bool // --durability os

	mutex   sync.Mutex
	steps   int
	last    string                         // step
	crashAt int                            // 0: never
	fault   func(step int, log bool) error // asked before each step; nil: none
	reads   bool                           // reads of the state are steps too

	crashed atomic.Bool
	next    *machine // what the crash left
}

func newMachine(rng *rand.Rand) *machine {
	rng = rand.New(rand.NewPCG(rng.Uint64(), 1)) // its own: it is used in the goroutines of the disks
	return &machine{rng: rng, log: disktest.New(), state: newState()}
}

// set lets steps fail. The goroutines of a process that has ended may still ask.
func (m *machine) set(fault func(step int, log bool) error, reads bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.fault, m.reads = fault, reads
}

// step counts the steps of both disks, which are those that change something.
func (m *machine) step(what string, log bool) error {
	m.mutex.Lock()
	m.steps++
	m.last = fmt.Sprintf("step %d: %s", m.steps, what)
	crash := m.steps == m.crashAt
	fault, step := m.fault, m.steps
	m.mutex.Unlock()
	if crash {
		m.crash()
	}
	if fault != nil {
		return fault(step, log)
	}
	return nil
}

// crash takes what the next start finds. This life goes on beside it and may be ended in order: nothing that it does from
// now on counts.
func (m *machine) crash() {
	next := &machine{rng: m.rng, noSync: m.noSync}
	keep := [...]int{0, 0, 30, 70, 100}[m.rng.IntN(5)]
	next.log = m.log.CrashClone(m.rng, func() {
		next.state = crashClone(m.state, keep, m.rng)
		m.crashed.Store(true)
	})
	m.next = next
}

// crashClone is what a loss of power leaves of a state, with so many percent of what was not synced.
func crashClone(state *vfs.MemFS, percent int, rng *rand.Rand) *vfs.MemFS {
	for {
		if left := state.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}); inOrder(left) {
			return left
		}
	}
}

// inOrder is false of what no journaling file system leaves: the name of a file is there, and that of another, which was made
// and synced before it, is not. Pebble relies on that order for the file that lists its files and the marker of its name.
func inOrder(state *vfs.MemFS) bool {
	names, err := state.List("state")
	if err != nil {
		return true // there is no folder yet
	}
	current := "" // the marker with the highest number counts
	for _, name := range names {
		if strings.HasPrefix(name, "marker.manifest.") && name > current {
			current = name
		}
	}
	return current == "" || slices.Contains(names, current[strings.Index(current, "MANIFEST"):])
}

// killed takes what the next start finds if only the process dies.
func (m *machine) killed() *machine {
	return &machine{
		rng: m.rng, noSync: m.noSync, log: m.log.Restart(),
		state: m.state.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: m.rng}),
	}
}

// logFS and stateFS are the disks as a node uses them.
func (m *machine) logFS() *disktest.Disk {
	m.log.SetFault(func(s disktest.Step) (int, error) {
		if err := m.step(s.String(), true); err != nil {
			return m.partial(s.Bytes), err
		}
		return 0, nil
	})
	return m.log
}

// manifestBytes has Pebble make the file that lists its files anew with most flushes, or never.
func (m *machine) manifestBytes() int64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return []int64{0, 1}[m.rng.IntN(2)]
}

func (m *machine) partial(n int) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.rng.IntN(n + 1)
}

func (m *machine) stateFS() vfs.FS {
	return errorfs.Wrap(m.state, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileClose, errorfs.OpLock, errorfs.OpFilePreallocate, errorfs.OpFileFlush:
			return nil
		}
		m.mutex.Lock()
		reads := m.reads
		m.mutex.Unlock()
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead && !reads {
			return nil
		}
		return m.step(fmt.Sprintf("operation %d on %s of the state", op.Kind, op.Path), false)
	}))
}

// life is one run of a node on a machine.
type life struct {
	*rig
	m    *machine
	dead chan error // told what Config.Fatal was

	reads sync.WaitGroup // that may still run when their caller has given up
	hung  bool           // writers hang, and nothing that they know may be asked for
}

// died notes why the process has ended, unless that is known.
func (l *life) died(err error) {
	select {
	case l.dead <- err:
	default:
	}
}

// live starts a node. Where it cannot start, the error says why, and nothing of it is left.
func (m *machine) live(t *testing.T, retain int64) (*life, error) {
	t.Helper()
	l := &life{rig: &rig{t: t}, m: m, dead: make(chan error, 1)}
	log, err := ingest.OpenSegments(ingest.SegmentConfig{
		Dir: "/log", LogPartitions: 2, SegmentBytes: 4096 + 16<<10, RetainBytes: retain, NoSync: m.noSync, FS: m.logFS(),
	})
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	l.log, l.state = log, m.state
	cfg := Config{Dir: "state", FS: m.stateFS(), FlushBytes: 6 << 10, CacheBytes: 1 << 20, BlockCacheBytes: 1 << 20, manifestBytes: m.manifestBytes()}
	cfg.Fatal = func(err error) {
		l.died(err)
		select {} // its process has ended
	}
	if l.store, err = openOrDie(cfg, log, l.dead); err != nil {
		return nil, errors.Join(fmt.Errorf("open the state: %w", err), closeDead(log))
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop, l.done = stop, make(chan error, 1)
	go func() { l.done <- l.store.Run(ctx) }()
	select {
	case <-l.store.Ready():
		return l, nil
	case err = <-l.done:
	case err = <-l.dead:
		l.died(err)
	}
	l.done <- err
	return nil, errors.Join(err, l.close())
}

// openOrDie opens a store, or returns why the process would have ended meanwhile.
func openOrDie(cfg Config, log ingest.Log, dead chan error) (*Store, error) {
	type opened struct {
		store *Store
		err   error
	}
	done := make(chan opened, 1)
	go func() {
		cfg.recheck = recheckSteady
		s, err := Open(cfg, log)
		done <- opened{s, err}
	}()
	select {
	case o := <-done:
		return o.store, o.err
	case err := <-dead:
		return nil, err
	}
}

// closeDead closes a log whose machine may have failed.
func closeDead(log ingest.Log) error {
	_ = log.Close()
	return nil
}

// close ends a node whose machine may have failed: in order if it can. It returns what Run and Close said.
func (l *life) close() error {
	l.stop()
	defer func() { _ = l.log.Close() }() // of a machine that failed, or lost its power
	var err error
	select {
	case err = <-l.done:
	case err = <-l.dead:
		l.died(err)
		return err // Pebble hangs; the process would be gone
	}
	closed := make(chan error, 1)
	go func() {
		l.reads.Wait()
		closed <- l.store.Close()
	}()
	select {
	case closeErr := <-closed:
		return errors.Join(err, closeErr)
	case fatal := <-l.dead:
		l.died(fatal)
		return errors.Join(err, fatal)
	}
}

// book is what the writers know: the oracle, which knows nothing of files.
type book struct {
	keys map[bookKey]*bookEntry

	// osOnly: durable means handed to the operating system, so a loss of power may take what was acknowledged.
	osOnly bool

	mutex    sync.Mutex
	requests []bookRequest // of writes that were acknowledged or in flight
}

// bookRequest is a write with a request id.
type bookRequest struct {
	key          bookKey
	id           string
	after        string // what it left, or would have left
	acknowledged bool
}

type bookKey struct{ collection, id string }

// bookEntry is one key, of one writer. States are texts of whole documents, revision included; "": there is none.
type bookEntry struct {
	stored  string
	pending []string // states that writes in flight would have left
}

const (
	bookWriters = 4
	bookKeys    = 5
	crashPages  = "pages"  // its documents are put, changed and removed
	crashOthers = "others" // is truncated and dropped too
	refusedMark = "refused"
)

func newBook() *book {
	b := &book{keys: map[bookKey]*bookEntry{}}
	for w := range bookWriters {
		for k := range bookKeys {
			b.keys[bookKey{crashPages, fmt.Sprintf("w%d-%d", w, k)}] = &bookEntry{}
		}
	}
	for k := range bookKeys {
		b.keys[bookKey{crashOthers, fmt.Sprintf("o%d", k)}] = &bookEntry{}
	}
	return b
}

// settle takes the state of the keys as it is now, which must be one that the book allows.
func (b *book) settle(l *life, where string) {
	t := l.t
	t.Helper()
	for _, name := range []string{crashPages, crashOthers} {
		now := map[string]string{}
		if c, ok := l.store.Collection(testApp, name); ok {
			now = l.all(c)
		}
		for k, e := range b.keys {
			if k.collection != name {
				continue
			}
			got := now[k.id]
			delete(now, k.id)
			if !b.osOnly && got != e.stored && !slices.Contains(e.pending, got) {
				t.Fatalf("%s: %v is %q, acknowledged was %q, in flight %q", where, k, got, e.stored, e.pending)
			}
			if strings.Contains(got, refusedMark) {
				t.Fatalf("%s: a refused write was made: %q", where, got)
			}
			e.stored, e.pending = got, nil
		}
		if b.osOnly {
			b.requests = nil
		}
		if len(now) > 0 {
			t.Fatalf("%s: documents that nobody wrote: %v", where, now)
		}
	}
}

// write has all writers write until the machine has crashed or failed, or they have written enough.
func (b *book) write(l *life, seed uint64, each int) (acknowledged int64) {
	var writers sync.WaitGroup
	var count atomic.Int64
	for w := range bookWriters {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		writers.Go(func() {
			for i := 0; i < each && b.writeKey(l, rng, fmt.Sprintf("w%d-%d", w, rng.IntN(bookKeys)), i); i++ {
				count.Add(1)
			}
		})
	}
	rng := rand.New(rand.NewPCG(seed, bookWriters))
	writers.Go(func() {
		for i := 0; i < each && b.writeOthers(l, rng, i); i++ {
			count.Add(1)
		}
	})
	finished := make(chan struct{})
	go func() {
		writers.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return count.Load()
	case err := <-l.dead:
		l.died(err)
	}
	select {
	case <-finished:
	case <-time.After(maxHang):
		l.hung = true
	}
	return count.Load()
}

// maxHang bounds the wait for writers whose process has ended: some may hang in what Pebble had locked then, for ever.
const maxHang = 5 * time.Second

// ensure makes a collection, or finds it.
func (l *life) ensure(name string) (c Collection, ok bool) {
	ctx, cancel := l.withProcess()
	defer cancel()
	c, _, err := l.store.EnsureCollection(ctx, testApp, name)
	return c, err == nil
}

// withProcess is a context that ends with the process.
func (l *life) withProcess() (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(l.t.Context())
	go func() {
		select {
		case err := <-l.dead:
			l.died(err)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// head is Head of a store whose process may end meanwhile: Pebble's reads hang where Config.Fatal does not return.
func (l *life) head(c Collection, id string) (h Head, err error) {
	type answer struct {
		head Head
		err  error
	}
	done := make(chan answer, 1)
	l.reads.Go(func() {
		h, err := l.store.Head(c, id)
		done <- answer{h, err}
	})
	ctx, cancel := l.withProcess()
	defer cancel()
	select {
	case a := <-done:
		return a.head, a.err
	case <-ctx.Done():
		return h, ctx.Err()
	}
}

// writeKey makes one write to a key of the writer's own. It is false once the machine has crashed or failed.
func (b *book) writeKey(l *life, rng *rand.Rand, id string, n int) bool {
	c, ok := l.ensure(crashPages)
	if !ok {
		return false
	}
	e := b.keys[bookKey{crashPages, id}]
	head, err := l.head(c, id)
	if err != nil {
		return false
	}
	w := l.store.NewWriteID()
	if rng.IntN(6) == 0 {
		return b.writeRefused(l, c, id, head, w)
	}
	if rng.IntN(3) == 0 {
		return b.writeRequest(l, c, id, fmt.Sprintf("request-%d", rng.Uint64()), rng.IntN(1000))
	}
	a := Attempt{Collection: c, ID: id, Head: head, WriteID: w}
	after := ""
	if head.Document == nil || rng.IntN(4) > 0 {
		a.After = l.document(id, head, w, rng.IntN(1000)+1000*n)
		after = text(a.After)
	}
	return e.write(l, a, after)
}

// write makes one write and notes what is known of it.
func (e *bookEntry) write(l *life, a Attempt, after string) bool {
	if l.m.crashed.Load() {
		return false
	}
	before := e.pending
	e.pending = append(slices.Clip(before), after)
	ctx, cancel := l.withProcess()
	defer cancel()
	out, err := l.store.Write(ctx, a)
	if l.m.crashed.Load() || err != nil {
		if err != nil && !errors.Is(err, ErrOutcomeUnknown) {
			e.pending = before // it was not made, and will not be
		}
		return false
	}
	if !out.Accepted {
		l.t.Errorf("%q has one writer, and its write was rejected", a.ID)
		return false
	}
	e.stored, e.pending = after, nil
	return true
}

// writeRequest makes one write under a request id.
func (b *book) writeRequest(l *life, c Collection, id, request string, field int) bool {
	e := b.keys[bookKey{crashPages, id}]
	before, after := e.pending, ""
	u := l.request(c, id, request, field, func(text string) {
		after = text
		e.pending = append(slices.Clip(before), text)
	})
	ctx, cancel := l.withProcess()
	defer cancel()
	_, err := l.store.Update(ctx, u)
	if after == "" { // it was not computed
		return false
	}
	alive := err == nil && !l.m.crashed.Load()
	switch {
	case alive:
		e.stored, e.pending = after, nil
	case err != nil && !errors.Is(err, ErrOutcomeUnknown):
		e.pending = before
		return false
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.requests = append(b.requests, bookRequest{bookKey{crashPages, id}, request, after, alive})
	return alive
}

// request is a write of one field under a request id; computed is told what it would leave.
func (l *life) request(c Collection, id, request string, field int, computed func(text string)) Update {
	return Update{
		Collection: c, ID: id, RequestID: request, RequestHash: uint64(field),
		Compute: func(current *matcher.Document, w matcher.WriteID) (Image, error) {
			d := l.document(id, Head{Document: current}, w, field)
			computed(text(d))
			return Image{After: d}, nil
		},
	}
}

// repeat sends every request again: it gets its first outcome, whatever was written since, and is made once. One that was
// in flight may not have been made; then it is made now.
func (b *book) repeat(l *life, where string) {
	t := l.t
	t.Helper()
	c, ok := l.store.Collection(testApp, crashPages)
	if !ok && len(b.requests) > 0 {
		t.Fatalf("%s: the collection is gone", where)
	}
	for i := range b.requests {
		q := &b.requests[i]
		var field int
		if at := strings.Index(q.after, `"n":`); at >= 0 {
			fmt.Sscanf(q.after[at:], `"n":%d`, &field)
		}
		made := ""
		written, err := l.store.Update(t.Context(), l.request(c, q.key.id, q.id, field, func(text string) { made = text }))
		switch {
		case err != nil:
			t.Fatalf("%s: repeat %s: %v", where, q.id, err)
		case written.Repeated && text(written.Document) != q.after:
			t.Fatalf("%s: repeat %s of %v: %q, want %q", where, q.id, q.key, text(written.Document), q.after)
		case !written.Repeated && q.acknowledged:
			t.Fatalf("%s: request %s of %v was acknowledged, and made again", where, q.id, q.key)
		case !written.Repeated:
			q.after = made
			b.keys[q.key].stored = made
		}
		q.acknowledged = true
		if _, err := l.store.Update(t.Context(), l.request(c, q.key.id, q.id, field+1, func(string) {})); !errors.Is(err, ErrRequestReused) {
			t.Fatalf("%s: another request under %s: %v", where, q.id, err)
		}
	}
}

// writeRefused makes a write over a state that never was.
func (b *book) writeRefused(l *life, c Collection, id string, head Head, w matcher.WriteID) bool {
	d, err := matcher.Parse(fmt.Appendf(nil, `{"_id":%q,"_rev":%q,"v":%q}`, id, matcher.Revision{Generation: 1, WriteID: w}, refusedMark), l.store.Limits())
	if err != nil {
		l.t.Error(err)
		return false
	}
	ctx, cancel := l.withProcess()
	defer cancel()
	out, err := l.store.Write(ctx, Attempt{Collection: c, ID: id, Head: Head{WriteID: l.store.NewWriteID(), ReadTo: head.ReadTo}, WriteID: w, After: d})
	if err == nil && out.Accepted {
		l.t.Errorf("a write of %q over a state that never was has been accepted", id)
	}
	return err == nil && !l.m.crashed.Load()
}

// writeOthers puts, truncates or drops in the collection of one writer.
func (b *book) writeOthers(l *life, rng *rand.Rand, n int) bool {
	c, ok := l.ensure(crashOthers)
	if !ok || l.m.crashed.Load() {
		return false
	}
	if rng.IntN(8) > 0 {
		id := fmt.Sprintf("o%d", rng.IntN(bookKeys))
		head, err := l.head(c, id)
		if err != nil {
			return false
		}
		w := l.store.NewWriteID()
		after := l.document(id, head, w, n)
		return b.keys[bookKey{crashOthers, id}].write(l, Attempt{Collection: c, ID: id, Head: head, WriteID: w, After: after}, text(after))
	}
	for k, e := range b.keys {
		if k.collection == crashOthers {
			e.pending = append(e.pending, "")
		}
	}
	fence := l.store.TruncateCollection
	if rng.IntN(2) == 0 {
		fence = l.store.DropCollection
	}
	ctx, cancel := l.withProcess()
	defer cancel()
	if err := fence(ctx, testApp, crashOthers); err != nil || l.m.crashed.Load() {
		return false
	}
	for k, e := range b.keys {
		if k.collection == crashOthers {
			e.stored, e.pending = "", nil
		}
	}
	return true
}

// Invariants 6, 7 and 13: log and state lose their power at the same moment, at any step, in the recovery too. After each start nothing
// acknowledged is missing, nothing refused is there, and every document is at exactly its revision; the state is the one
// that a replay from any earlier flush, or from the log's beginning, makes. With --durability os acknowledged writes may be
// lost, but the state is never ahead of the log.
func TestCrash(t *testing.T) {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	const lives = 6 // on one machine
	acknowledged, replays, crashes := int64(0), 0, 0
	for crashes < rounds(18) {
		m, b := newMachine(rng), newBook()
		retain := []int64{0, 1 << 30}[rng.IntN(2)]
		m.noSync = rng.IntN(4) == 0
		b.osOnly = m.noSync
		var flushed []*vfs.MemFS
		for range lives {
			m.crashAt = 1 + rng.IntN([...]int{20, 120, 400, 1500}[rng.IntN(4)])
			l, err := m.live(t, retain)
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, m.last, err)
			}
			if !m.crashed.Load() {
				b.settle(l, fmt.Sprintf("seed %d, after crash %d", seed, crashes))
				if !m.crashed.Load() && rng.IntN(3) == 0 {
					l.index(crashPages, rng)
				}
				flushed = append(flushed, m.state.CrashClone(vfs.CrashCloneCfg{}))
				acknowledged += b.write(l, rng.Uint64(), 1000)
			}
			if err := l.close(); err != nil {
				t.Fatalf("seed %d, %s: an orderly end: %v", seed, m.last, err)
			}
			if t.Failed() {
				t.Fatalf("seed %d, %s", seed, m.last)
			}
			if !m.crashed.Load() {
				t.Fatalf("seed %d: %d steps, and no crash at step %d", seed, m.steps, m.crashAt)
			}
			crashes++
			m = m.next
		}
		replays += endOfLives(t, m, b, retain, flushed)
	}
	t.Logf("%d crashes, %d acknowledged writes, %d replays from earlier states", crashes, acknowledged, replays)
	if acknowledged == 0 || *roundsFlag > 0 && replays == 0 {
		t.Error("the test does not test")
	}
}

// endOfLives starts a machine once more, checks everything, and brings earlier states up to date with the same log.
func endOfLives(t *testing.T, m *machine, b *book, retain int64, flushed []*vfs.MemFS) (replays int) {
	t.Helper()
	l, err := m.live(t, retain)
	if err != nil {
		t.Fatal(err)
	}
	b.settle(l, "at the end")
	b.repeat(l, "at the end")
	b.settle(l, "after the repeats")
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	logConfig := ingest.SegmentConfig{Dir: "/log", FS: m.log}
	repeatedLife(t, m, b, retain)
	report, err := Check(t.Context(), Config{Dir: "state", FS: m.state}, logConfig)
	if err != nil || report.ProblemCount > 0 {
		t.Fatalf("check: %q, %v", report.Problems, err)
	}
	want := stateOf(t, m.state)
	log, err := ingest.OpenSegments(logConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	first, _, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range append(flushed, newState()) {
		store, err := Open(Config{Dir: "state", FS: state, FlushBytes: MaxFlushBytes}, log)
		if err != nil && slices.Max(first) > 0 {
			continue // the log was trimmed above it
		}
		if err != nil {
			t.Fatalf("open an earlier state: %v", err)
		}
		if err := errors.Join(runUntilReady(t, store), store.Close()); err != nil {
			t.Fatalf("replay: %v", err)
		}
		if d := diff(stateOf(t, state), want); d != "" {
			t.Fatalf("a replay makes another state: %s", d)
		}
		replays++
	}
	return replays
}

// repeatedLife starts once more: the repeats have changed nothing, and are repeats again.
func repeatedLife(t *testing.T, m *machine, b *book, retain int64) {
	t.Helper()
	l, err := m.live(t, retain)
	if err != nil {
		t.Fatal(err)
	}
	b.settle(l, "after a restart")
	b.repeat(l, "after a restart")
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

// index makes or drops an index while everything may crash.
func (l *life) index(collection string, rng *rand.Rand) {
	ctx, cancel := l.withProcess()
	defer cancel()
	name := fmt.Sprint("x", rng.IntN(3))
	if rng.IntN(3) == 0 {
		_ = l.store.DropIndex(ctx, testApp, collection, name) // it may be missing
		return
	}
	keys := []string{`"n"`, `"-pad,n"`, `"n,pad"`}[rng.IntN(3)]
	_, _, _ = l.store.PutIndex(ctx, testApp, collection, IndexDefinition{Name: name, Keys: []byte(keys)}) // it may be there with other keys
}

// stateOf is every key of a stopped store's state and its value, but for what depends on how the records were grouped: a
// tombstone under a document that was made after it, and the times of tombstones; and for indexes, which are built at their
// own pace (Check holds them against the documents).
func stateOf(t *testing.T, fs *vfs.MemFS) map[string]string {
	t.Helper()
	db, err := pebble.Open("state", &pebble.Options{FS: fs, ReadOnly: true, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	iterator, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer iterator.Close()
	all := map[string]string{}
	for ok := iterator.First(); ok; ok = iterator.Next() {
		all[string(iterator.Key())] = string(bytes.Clone(iterator.Value()))
	}
	for key := range all {
		_, buried := all[string(prefixDocument)+key[1:]]
		if key[0] == prefixExpiry || key[0] == prefixIndex || key[0] == prefixIndexState || key[0] == prefixTombstone && buried {
			delete(all, key)
		}
	}
	return all
}
