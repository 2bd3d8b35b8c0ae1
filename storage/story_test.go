package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// story is what writers of all kinds were told. The whole log is held against it: what stands there must be what was
// answered, and nothing else.
type story struct {
	*rig
	lag, requestLag uint64
	steady          atomic.Int64 // writes that the loop took at their word

	mutex    sync.Mutex
	made     map[matcher.WriteID]told
	never    map[matcher.WriteID]string // computed, and not made: why
	repeated []told
}

// told is the outcome of one write.
type told struct {
	id, request string
	written     Written
}

const storyPages = "pages"

func newStory(r *rig, lag, requestLag uint64) *story {
	s := &story{rig: r, lag: lag, requestLag: requestLag, made: map[matcher.WriteID]told{}, never: map[matcher.WriteID]string{}}
	r.config.recheck = func(it *item, found head) {
		recheckSteady(it, found)
		s.steady.Add(1)
	}
	r.config.MaxWriteLag, r.config.MaxRequestLag = lag, requestLag
	r.config.FlushBytes = 64 << 20     // the log is never trimmed
	r.config.groupPayloadBytes = 3_000 // groups are split
	return s
}

// tell notes what a writer was told. tried are the write ids that it computed with, the last one last.
func (s *story) tell(u Update, tried []matcher.WriteID, w Written, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	why := fmt.Sprint(err)
	switch {
	case err == nil && w.Repeated:
		s.repeated = append(s.repeated, told{u.ID, u.RequestID, w})
		why = "an earlier request was made"
	case err == nil && w.Operation != matcher.OperationNone:
		last := len(tried) - 1
		s.made[tried[last]] = told{u.ID, u.RequestID, w}
		tried, why = tried[:last], "computed anew"
	case err == nil:
		why = "it changed nothing"
	case errors.Is(err, errExists), errors.Is(err, ErrContended), errors.Is(err, ErrCollectionChanged), errors.Is(err, ErrRequestReused),
		errors.Is(err, ErrCollectionNotFound):
	default:
		s.t.Errorf("write of %q: %v", u.ID, err)
	}
	for _, id := range tried {
		s.never[id] = why
	}
}

// any makes a random write of the collection as it is now, and returns how to note what came of it.
func (s *story) any(rng *rand.Rand, worker string, number int) (Update, func(Written, error)) {
	c, _ := s.store.Collection(testApp, storyPages)
	id := fmt.Sprint("cold", rng.IntN(30))
	if rng.IntN(2) == 0 {
		id = fmt.Sprint("hot", rng.IntN(3))
	}
	u := s.counting(c, id)
	switch rng.IntN(8) {
	case 0, 1:
		u = s.inserting(c, id, number)
	case 2, 3, 4:
		u = s.deleting(c, id)
	case 5:
		u.Compute = func(*matcher.Document, matcher.WriteID) (Image, error) { return Image{Unchanged: true}, nil }
	}
	if rng.IntN(3) == 0 { // a request of one document comes from two workers, some of the time as another one
		u.RequestID, u.RequestHash = fmt.Sprintf("%s-%s-%d", worker[:1], id, number/4), uint64(1+rng.IntN(8)/7)
	}
	var tried []matcher.WriteID
	compute := u.Compute
	u.Compute = func(current *matcher.Document, w matcher.WriteID) (Image, error) {
		tried = append(tried, w)
		return compute(current, w)
	}
	return u, func(w Written, err error) { s.tell(u, tried, w, err) }
}

// deleting is an update that deletes a document, if there is one.
func (r *rig) deleting(c Collection, id string) Update {
	return Update{Collection: c, ID: id, Compute: func(current *matcher.Document, _ matcher.WriteID) (Image, error) {
		return Image{Unchanged: current == nil}, nil
	}}
}

// work makes writes, one after the other or several at once.
func (s *story) work(rng *rand.Rand, worker string, writes int) {
	for number := 0; number < writes; {
		if rng.IntN(2) == 0 {
			u, tell := s.any(rng, worker, number)
			tell(s.store.Update(context.Background(), u))
			number++
			continue
		}
		var group sync.WaitGroup
		for range 1 + rng.IntN(6) {
			u, tell := s.any(rng, worker, number)
			group.Add(1)
			s.store.Begin(u, func(w Written, err error) { tell(w, err); group.Done() })
			number++
		}
		group.Wait()
	}
}

// fences truncates the collection now and then, until stop.
func (s *story) fences(rng *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		for range 20 + rng.IntN(80) {
			if err := s.store.Boundary(context.Background(), func(n *Snapshot) { n.Close() }); err != nil {
				s.t.Error(err)
				return
			}
		}
		if err := s.store.TruncateCollection(context.Background(), testApp, storyPages); err != nil {
			s.t.Error(err)
		}
	}
}

// storyKey is the state of a document as the log tells it.
type storyState struct {
	text    string // "": there is none
	writeID matcher.WriteID
	deleted uint64
}

// reading is the naive model: it reads the log from its first record and knows nothing of caches, heads and Pebble.
type reading struct {
	*story
	states   map[string]storyState
	epochs   map[int]uint32
	requests map[requestKey]remembered
	outcomes map[requestKey][]remembered
	seen     map[matcher.WriteID]bool
}

// audit reads the whole log and holds every record against the ones before it, against what was told, and against the
// documents that are there.
func (s *story) audit() {
	s.t.Helper()
	_, end, err := s.log.Bounds(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	r := &reading{story: s, states: map[string]storyState{}, epochs: map[int]uint32{}, requests: map[requestKey]remembered{},
		outcomes: map[requestKey][]remembered{}, seen: map[matcher.WriteID]bool{}}
	done := errors.New("done")
	at := make([]uint64, len(end))
	err = s.log.Tail(s.t.Context(), make([]uint64, len(end)), func(entries []ingest.Entry) error {
		for _, e := range entries {
			record, err := ingest.DecodeRecord(append([]byte(nil), e.Payload...))
			if err != nil {
				return err
			}
			at[e.Partition] = e.Offset + 1
			switch record.Kind {
			case ingest.RecordFence:
				r.epochs[e.Partition] = record.Epoch
				for id := range r.states {
					if PartitionOf(testApp, storyPages, id, len(end)-1) == e.Partition {
						delete(r.states, id)
					}
				}
			case ingest.RecordWrite:
				r.write(&record, e)
			}
		}
		if reached(at, end) {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		s.t.Fatal(err)
	}
	r.end()
}

// write holds one record against the ones before it.
func (r *reading) write(record *ingest.Record, e ingest.Entry) {
	bad := func(format string, args ...any) {
		r.t.Errorf("log partition %d, offset %d, %q: %s", e.Partition, e.Offset, record.ID, fmt.Sprintf(format, args...))
	}
	now := r.states[record.ID]
	expired := func(offset uint64) bool { return offset > now.deleted && offset-now.deleted > r.lag }
	switch zero := record.Base.IsZero(); {
	case record.Epoch != r.epochs[e.Partition]:
		bad("of epoch %d in epoch %d", record.Epoch, r.epochs[e.Partition])
	case record.ReadTo > e.Offset || e.Offset-record.ReadTo > r.lag:
		bad("had read up to %d", record.ReadTo)
	case string(record.Before) != now.text:
		bad("before-image %s, but the state was %s", record.Before, now.text)
	case now.text != "" && record.Base != now.writeID, !zero && record.Base != now.writeID:
		bad("base %v, but the state was %v", record.Base, now.writeID)
	case now.text == "" && !zero && expired(record.ReadTo):
		bad("base %v is a tombstone that counted no more as it was read", record.Base)
	case now.text == "" && zero && !now.writeID.IsZero() && !expired(e.Offset):
		bad("no base, but there was a tombstone")
	case record.After == nil && record.Before == nil:
		bad("a delete of nothing")
	case r.seen[record.WriteID]:
		bad("write id %v once more", record.WriteID)
	}
	r.seen[record.WriteID] = true
	next := storyState{string(record.After), record.WriteID, 0}
	if record.After == nil {
		next.deleted = e.Offset
	}
	r.states[record.ID] = next
	if record.RequestID != "" {
		key := requestKey{e.Partition, record.RequestID}
		if r.requests[key].counts(e.Offset, r.requestLag) {
			bad("request %q was made twice", record.RequestID)
		}
		m := remembered{found: true, hash: record.RequestHash, offset: e.Offset, operation: record.Operation, text: record.After}
		r.requests[key] = m
		r.outcomes[key] = append(r.outcomes[key], m)
	}
	told, ok := r.made[record.WriteID]
	switch {
	case !ok:
		bad("nobody was told that it was made: %s", r.never[record.WriteID])
	case told.id != record.ID || told.written.Operation != record.Operation || documentText(told.written.Document) != string(record.After):
		bad("it is %v %s, its writer was told %v %v", record.Operation, record.After, told.written.Operation, told.written.Document)
	case told.written.Position.Next[e.Partition] <= e.Offset:
		bad("its writer was told %v", told.written.Position)
	}
}

func documentText(d *matcher.Document) string {
	if d == nil {
		return ""
	}
	return string(d.Text())
}

// end looks at what the log lacks, at the answers to repeats, and at the documents.
func (r *reading) end() {
	for id, told := range r.made {
		if !r.seen[id] {
			r.t.Errorf("write %v of %q was made, and is not in the log", id, told.id)
		}
	}
	for _, told := range r.repeated {
		key := requestKey{PartitionOf(testApp, storyPages, told.id, r.log.Partitions()-1), requestIDOf(testApp, told.request)}
		found := false
		for _, m := range r.outcomes[key] {
			found = found || m.operation == told.written.Operation && string(m.text) == documentText(told.written.Document) && told.written.Position.Next[key.partition] > m.offset
		}
		if !found {
			r.t.Errorf("request %q of %q: no such outcome: %v %s", told.request, told.id, told.written.Operation, documentText(told.written.Document))
		}
	}
	want := map[string]string{}
	for id, s := range r.states {
		if s.text != "" {
			want[id] = s.text
		}
	}
	c, _ := r.store.Collection(testApp, storyPages)
	if d := diff(r.all(c), want); d != "" {
		r.t.Errorf("state and log disagree: %s", d)
	}
	r.compare(c)
	r.forgotten()
}

// Invariants 3, 4, 5, 10, 11: steady writes, hot keys, deletes whose tombstones hardly live, refusals, request ids, truncates,
// split groups and restarts at once; the log is read by a model that does one record after the other.
func TestWritesTellOneStory(t *testing.T) {
	for _, name := range []string{"embedded", "embedded in memory"} {
		for _, lag := range []uint64{2, 9, 60, 1 << 20} {
			t.Run(fmt.Sprintf("%s/%d", name, lag), func(t *testing.T) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				rng := rand.New(rand.NewPCG(seed, lag))
				r := kinds[name](t, seed)
				r.state = newState()
				s := newStory(r, lag, 50)
				r.start()
				defer func() { r.end(); r.log.Close() }()
				r.collection(storyPages)
				s.rounds(rng)
				if s.steady.Load() == 0 {
					t.Error("no write was steady")
				}
			})
		}
	}
}

// rounds has writers write, and ends the store between, in order or not.
func (s *story) rounds(rng *rand.Rand) {
	const rounds, workers, writes = 3, 6, 120
	for round := range rounds {
		stop := make(chan struct{})
		var fencing, working sync.WaitGroup
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		fencing.Go(func() { s.fences(own, stop) })
		for worker := range workers {
			own := rand.New(rand.NewPCG(rng.Uint64(), uint64(worker)))
			working.Go(func() { s.work(own, fmt.Sprintf("%d%d", worker/2, round), writes) })
		}
		working.Wait()
		close(stop)
		fencing.Wait()
		s.audit()
		switch {
		case s.t.Failed():
			return
		case round == 0:
			s.crash(rng)
			s.start()
		case round == 1:
			s.end()
			s.start()
		}
	}
	s.audit()
}

// A document that was deleted a moment ago is made again at once: its tombstone is the base, however early in the log.
func TestSteadyAfterDelete(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	s := newStory(r, 5, 50)
	r.start()
	defer func() { r.end(); r.log.Close() }()
	c := r.collection(storyPages)
	rejected := r.store.Metrics().WritesRejected.Load()
	for i := range 20 {
		if w, err := r.store.Update(t.Context(), r.inserting(c, "a", i)); err != nil || counted(w.Document) != i {
			t.Fatalf("insert %d: %v, %v", i, text(w.Document), err)
		}
		if w, err := r.store.Update(t.Context(), r.deleting(c, "a")); err != nil || w.Operation != matcher.OperationDelete {
			t.Fatalf("delete %d: %v, %v", i, w.Operation, err)
		}
	}
	if s.steady.Load() != 40 || r.store.Metrics().WritesRejected.Load() != rejected {
		t.Errorf("%d steady writes, %d rejected", s.steady.Load(), r.store.Metrics().WritesRejected.Load()-rejected)
	}
}

// Invariant 5: a start finds the tombstones that count, behind ones that count no more, flushed or replayed.
func TestTombstonesAfterRestart(t *testing.T) {
	for _, crash := range []bool{false, true} {
		r := &rig{t: t, log: ingest.NewMemoryLog(1), state: newState(), config: Config{MaxWriteLag: 5}}
		r.start()
		c := r.collection(storyPages)
		write := func(u Update) {
			t.Helper()
			if _, err := r.store.Update(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		write(r.counting(c, "a"))
		write(r.deleting(c, "a"))
		for range 10 {
			write(r.counting(c, "filler"))
		}
		write(r.counting(c, "b"))
		write(r.deleting(c, "b"))
		before, err := r.store.Head(c, "b")
		if err != nil || before.WriteID.IsZero() || before.Document != nil {
			t.Fatalf("%+v, %v", before, err)
		}
		if crash {
			r.crash(rand.New(rand.NewPCG(1, 2)))
		} else {
			r.end()
		}
		r.start()
		for id, want := range map[string]matcher.WriteID{"a": {}, "b": before.WriteID} {
			if head, err := r.store.Head(c, id); err != nil || head.WriteID != want || head.Document != nil {
				t.Errorf("crash %v: %q builds on %v, want %v, %v", crash, id, head.WriteID, want, err)
			}
		}
		r.end()
		if err := r.log.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A state that is read slowly may be another's before; no write that built on the former one gets in line.
func TestSteadyWhileStatesAreRead(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.config.CacheBytes, r.state = 1, newState()
	s := newStory(r, 1<<20, 50)
	r.start()
	defer func() { r.end(); r.log.Close() }()
	c := r.collection(storyPages)
	list := `"list":[` + strings.Repeat("[1.25e7],", 10_000) + `[1]]` // takes longer to parse than a group takes
	const writers, each = 3, 8
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				_, err := r.store.Update(t.Context(), Update{Collection: c, ID: "large", Compute: func(d *matcher.Document, w matcher.WriteID) (Image, error) {
					return Image{After: r.compose("large", Head{Document: d}, w, fmt.Sprintf(`{"n":%d,%s}`, counted(d)+1, list))}, nil
				}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if head, err := r.store.Head(c, "large"); err != nil || counted(head.Document) != writers*each || s.steady.Load() == 0 {
		t.Errorf("%d of %d writes are there, %d were steady, %v", counted(head.Document), writers*each, s.steady.Load(), err)
	}
	r.compare(c)
	r.forgotten()
}
