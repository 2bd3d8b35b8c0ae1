package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
)

var errEnough = errors.New("enough")

// readAll returns what the log holds from `from` (nil: the first offset) up to its end, payloads copied.
func readAll(t testing.TB, log ingest.Log, from []uint64) []ingest.Entry {
	t.Helper()
	first, next, err := log.Bounds(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if from == nil {
		from = first
	}
	due := 0
	for p := range next {
		due += int(next[p] - from[p])
	}
	if due == 0 {
		return nil
	}
	var all []ingest.Entry
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // entries that never come fail the test here
	defer cancel()
	err = log.Tail(ctx, from, func(entries []ingest.Entry) error {
		for _, e := range entries {
			e.Payload = bytes.Clone(e.Payload)
			all = append(all, e)
		}
		if len(all) >= due {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("read the log from %v to %v: %v", from, next, err)
	}
	return all
}

// crashWorkload appends groups whose payloads say which group and entry they are. Its oracle knows nothing of files.
type crashWorkload struct {
	rng          *rand.Rand
	groups       int            // appended so far, in order
	acknowledged map[int]bool   // groups whose Append returned nil
	sizes        map[int]int    // entries of each group
	seen         map[int]uint64 // groups that an earlier recovery found, and the first entry's offset: they stay
	untrimmed    bool           // a trim failed
}

func newCrashWorkload(rng *rand.Rand) *crashWorkload {
	return &crashWorkload{rng: rng, acknowledged: map[int]bool{}, sizes: map[int]int{}, seen: map[int]uint64{}}
}

func (w *crashWorkload) group(partitions int) (number int, entries []ingest.Entry) {
	number = w.groups
	w.groups++
	entries = make([]ingest.Entry, 1+w.rng.IntN(5))
	for i := range entries {
		payload := fmt.Appendf(nil, "%d %d|", number, i)
		for range w.rng.IntN(700) {
			payload = append(payload, byte(w.rng.Uint32()))
		}
		entries[i] = ingest.Entry{Partition: w.rng.IntN(partitions), Payload: payload}
	}
	w.sizes[number] = len(entries)
	return number, entries
}

// run appends until n groups are appended or the log fails. Some rounds append several groups at once, some trim, so
// that files of segments are used again.
func (w *crashWorkload) run(log ingest.Log, n int) {
	for range n {
		type result struct {
			number int
			err    error
		}
		crowd := 1
		if w.rng.IntN(3) == 0 {
			crowd = 2 + w.rng.IntN(3)
		}
		results := make([]result, crowd)
		var appends sync.WaitGroup
		for i := range results {
			number, entries := w.group(log.Partitions())
			appends.Go(func() {
				results[i] = result{number, log.Append(context.Background(), entries)}
			})
		}
		appends.Wait()
		failed := false
		for _, r := range results {
			if r.err == nil {
				w.acknowledged[r.number] = true
			}
			failed = failed || r.err != nil
		}
		if failed {
			return
		}
		if w.rng.IntN(5) == 0 && !w.trim(log) {
			return
		}
	}
}

// trim lets go of all that is appended: from now on, it may be there or not.
func (w *crashWorkload) trim(log ingest.Log) (ok bool) {
	_, next, err := log.Bounds(context.Background())
	if err != nil {
		return false
	}
	clear(w.acknowledged)
	clear(w.seen)
	w.untrimmed = log.Trim(context.Background(), next) != nil
	return !w.untrimmed
}

// check reads the whole log: everything acknowledged is there, once; groups are whole and contiguous; offsets have no
// holes; what a recovery found once stays found, at its place.
func (w *crashWorkload) check(t *testing.T, log ingest.Log) {
	t.Helper()
	found := map[int]uint64{}
	next, _, err := log.Bounds(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	group, due := -1, 0
	for _, e := range readAll(t, log, nil) {
		if e.Offset != next[e.Partition] {
			t.Fatalf("log partition %d: offset %d where %d is due", e.Partition, e.Offset, next[e.Partition])
		}
		next[e.Partition]++
		var number, index int
		if _, err := fmt.Sscanf(string(e.Payload[:bytes.IndexByte(e.Payload, '|')]), "%d %d", &number, &index); err != nil {
			t.Fatalf("payload %q: %v", e.Payload, err)
		}
		if index == 0 {
			if due != 0 {
				t.Fatalf("group %d lacks %d entries", group, due)
			}
			if _, twice := found[number]; twice {
				t.Fatalf("group %d is there twice", number)
			}
			group, due = number, w.sizes[number]
			found[number] = e.Offset
		}
		if number != group || index != w.sizes[number]-due {
			t.Fatalf("entry %d of group %d where entry %d of group %d is due", index, number, w.sizes[group]-due, group)
		}
		due--
	}
	if due != 0 {
		t.Fatalf("the last group, %d, lacks %d entries", group, due)
	}
	for number := range w.acknowledged {
		if _, ok := found[number]; !ok {
			t.Fatalf("group %d was acknowledged and is lost", number)
		}
	}
	for number, offset := range w.seen {
		if at, ok := found[number]; !ok || at != offset {
			t.Fatalf("group %d was read after a recovery and is lost or moved", number)
		}
	}
	w.seen = found
}

func crashConfig(d *disktest.Disk) ingest.SegmentConfig {
	return ingest.SegmentConfig{Dir: "/log", LogPartitions: 2, SegmentBytes: 4096 + 6000, FS: d}
}

// Invariants 2, 4 and 5: at whatever step the power fails, and fails again in the recovery, nothing acknowledged is
// lost and no group is torn.
func TestCrashAtEveryStep(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		for step := 1; ; step++ {
			rng := rand.New(rand.NewPCG(seed, uint64(round)<<32|uint64(step)))
			if finished := crashOnce(t, rng, step); finished {
				if step < 50 {
					t.Fatalf("seed %d: the workload took only %d steps", seed, step)
				}
				break
			}
			if t.Failed() {
				t.Fatalf("seed %d, round %d, step %d", seed, round, step)
			}
		}
	}
}

func crashOnce(t *testing.T, rng *rand.Rand, step int) (finished bool) {
	t.Helper()
	failed := true
	d := disktest.New()
	d.CrashAt(step)
	w := newCrashWorkload(rng)
	defer func() {
		if failed {
			t.Errorf("crash at %v failed", d.Last())
		}
	}()
	log, err := ingest.OpenSegments(crashConfig(d))
	if err == nil {
		w.run(log, 25)
		finished = d.Steps() < step
		_ = log.Close() // of a dead process
	} else if !errors.Is(err, disktest.ErrDead) {
		t.Fatal(err)
	}
	for again := rng.IntN(3); ; again-- { // the recovery crashes too, up to twice
		if rng.IntN(4) == 0 {
			d = d.Restart() // the process died and the power did not fail
		} else {
			d = d.Crash(rng)
		}
		if again > 0 {
			d.CrashAt(1 + rng.IntN(12))
		}
		log, err = ingest.OpenSegments(crashConfig(d))
		if errors.Is(err, disktest.ErrDead) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if again <= 0 {
			break
		}
		w.run(log, 3)
		_ = log.Close()
	}
	w.check(t, log)
	w.run(log, 8)
	w.check(t, log)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	log, err = ingest.OpenSegments(crashConfig(d.Crash(rng)))
	if err != nil {
		t.Fatal(err)
	}
	if !log.CleanStart() {
		t.Fatal("the log was closed in order")
	}
	w.check(t, log)
	failed = false
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return finished
}

// Invariant 6: whichever step fails, the log says so, accepts nothing more, and a restart recovers what it
// acknowledged. A failed sync has lost its pages: a recovery may not take them for durable because it can read them.
func TestFailAtEveryStep(t *testing.T) {
	seed := rand.Uint64()
	errDisk := errors.New("no space, or worse")
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for step := 1; ; step++ {
		rng := rand.New(rand.NewPCG(seed, uint64(step)))
		d := disktest.New()
		hit := false
		d.SetFault(func(s disktest.Step) (int, error) {
			if s.Number != step {
				return 0, nil
			}
			hit = true
			return rng.IntN(s.Bytes + 1), errDisk
		})
		w := newCrashWorkload(rand.New(rand.NewPCG(seed, uint64(step)+1<<32)))
		log, err := ingest.OpenSegments(crashConfig(d))
		if err == nil {
			w.run(log, 20)
			hit = hit && !w.untrimmed // a failed trim loses nothing: its caller is told, and the log goes on
			_, entries := w.group(log.Partitions())
			err = log.Append(context.Background(), entries)
			if hit && (!errors.Is(err, ingest.ErrFailed) || !errors.Is(err, errDisk)) {
				t.Fatalf("seed %d, %v: append after the failure: %v", seed, d.Last(), err)
			}
			if hit {
				if err := log.Append(context.Background(), entries); !errors.Is(err, ingest.ErrFailed) {
					t.Fatalf("seed %d, %v: second append after the failure: %v", seed, d.Last(), err)
				}
			}
			if err == nil {
				w.acknowledged[w.groups-1] = true
			}
			closed := log.Close()
			if hit && closed == nil {
				t.Fatalf("seed %d: the failure at step %d is not told by Close", seed, step)
			}
			if !hit && !w.untrimmed && closed == nil {
				return // the workload has fewer steps than this
			}
		} else if !errors.Is(err, errDisk) {
			t.Fatalf("seed %d, %v: %v", seed, d.Last(), err)
		}
		d = d.Restart()
		for range 3 { // recovered twice from what the page cache holds, then from what the disk holds
			log, err = ingest.OpenSegments(crashConfig(d))
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			w.check(t, log)
			w.run(log, 2)
			d = d.Crash(rng)
			_ = log.Close() // of a dead process
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
	}
}
