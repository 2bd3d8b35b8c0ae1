package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/freshetdb/freshet/ingest"
)

// Invariant 13: any call on the disks of log or state fails, once or from then on: EIO, ENOSPC, a write that was done in
// part, a sync that lost what it was to keep. Whatever a writer was told an error of, the store says why and ends; the next
// start, of what the process or a loss of power left, has everything acknowledged and nothing refused.
func TestFaults(t *testing.T) {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	acknowledged, ended, refusedStarts, fatal := int64(0), 0, 0, 0
	hung := 0
rounds:
	for round := range rounds(15) {
		m, b := newMachine(rng), newBook()
		for range 3 {
			f := newFault(m, rng)
			where := fmt.Sprintf("seed %d, round %d: %v", seed, round, f)
			l, err := m.live(t, 0)
			if err == nil {
				b.settle(l, where)
				f.arm()
				acknowledged += b.write(l, rng.Uint64(), 40)
				if l.hung {
					hung++
					continue rounds
				}
				failed := b.inFlight()
				err = l.close()
				if failed && err == nil {
					t.Fatalf("%s: a write failed, and the store ended in order", where)
				}
				if err != nil {
					ended++
				}
				if len(l.dead) > 0 {
					fatal++
				}
			} else {
				refusedStarts++
			}
			if err != nil && !errors.Is(err, f.err) && !f.named(err) {
				t.Fatalf("%s: the store ended with %v", where, err)
			}
			if err != nil && f.hits.Load() == 0 {
				t.Fatalf("%s: nothing failed, and the store ended with %v", where, err)
			}
			if t.Failed() {
				t.Fatal(where)
			}
			m.set(nil, false)
			if rng.IntN(2) == 0 {
				m = m.killed()
			} else {
				m.crash()
				m = m.next
			}
		}
		endOfLives(t, m, b, 0, nil)
	}
	t.Logf("%d acknowledged writes; %d stores ended by a fault, %d of them at once, %d did not start; %d machines given up", acknowledged, ended, fatal, refusedStarts, hung)
	if ended == 0 || acknowledged == 0 || *roundsFlag > 0 && (refusedStarts == 0 || fatal == 0) {
		t.Error("the test does not test")
	}
}

// fault is what fails on a machine.
type fault struct {
	err   error
	from  int // step
	count int // of failing steps
	log   bool
	armed atomic.Bool // a state fails only once it is open: Pebble does not stop its goroutines where opening fails
	hits  atomic.Int64
	m     *machine
}

// arm lets the state fail from now on.
func (f *fault) arm() {
	if f.log || f.armed.Load() {
		return
	}
	f.m.mutex.Lock()
	f.from += f.m.steps
	f.m.mutex.Unlock()
	f.armed.Store(true)
}

func (f *fault) String() string {
	disk := map[bool]string{true: "log", false: "state"}[f.log]
	return fmt.Sprintf("%v on the disk of the %s, %d times from step %d on", f.err, disk, f.count, f.from)
}

// newFault lets the machine fail at some step of the life that begins.
func newFault(m *machine, rng *rand.Rand) *fault {
	f := &fault{
		m: m, err: []error{syscall.EIO, syscall.ENOSPC}[rng.IntN(2)], from: 1 + rng.IntN([...]int{30, 100, 400}[rng.IntN(3)]),
		count: []int{1, 1 << 30}[rng.IntN(2)], log: rng.IntN(3) == 0,
	}
	if f.log {
		f.from += m.steps
		f.armed.Store(true)
	}
	m.set(func(step int, log bool) error {
		if log != f.log || !f.armed.Load() || step < f.from || f.hits.Load() >= int64(f.count) {
			return nil
		}
		f.hits.Add(1)
		return f.err
	}, rng.IntN(3) == 0)
	return f
}

// named reports whether an error that lost its chain on its way through Pebble's messages still says what failed.
func (f *fault) named(err error) bool {
	return err != nil && strings.Contains(err.Error(), f.err.Error())
}

// inFlight reports whether the outcome of a write is unknown.
func (b *book) inFlight() bool {
	for _, e := range b.keys {
		if len(e.pending) > 0 {
			return true
		}
	}
	return false
}

// A store that finds records in its log that it has not decided stops, and its writers are not told that they wrote.
func TestAnotherProcessAppends(t *testing.T) {
	for _, name := range []string{"embedded", "embedded in memory"} {
		r := kinds[name](t, 1)
		r.state = newState()
		r.start()
		c := r.collection("pages")
		var foreign []ingest.Entry
		for p := range r.log.Partitions() {
			foreign = append(foreign, ingest.Entry{Partition: p, Payload: []byte("foreign")})
		}
		if err := r.log.Append(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Update(t.Context(), r.counting(c, "a")); !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-r.done; err == nil || !strings.Contains(err.Error(), "another process appends") {
			t.Errorf("%s: run: %v", name, err)
		}
		r.ended = true
		r.stop()
		if err := errors.Join(r.store.Close(), r.log.Close()); err != nil {
			t.Error(err)
		}
	}
}
