package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
)

// gate stops the log's syncs until they are let through, so that a test knows what the writer is at.
type gate struct {
	arrived chan struct{}
	open    chan error // what the sync returns
}

func newGate(d *disktest.Disk) *gate {
	g := &gate{arrived: make(chan struct{}), open: make(chan error)}
	d.SetFault(func(s disktest.Step) (int, error) {
		if s.Kind != disktest.StepSync {
			return 0, nil
		}
		g.arrived <- struct{}{}
		return 0, <-g.open
	})
	return g
}

// StartAppend does not wait, and says the same as Append in the end.
func TestStartAppend(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d, SegmentBytes: 1 << 20})
	g := newGate(d)
	entries := []ingest.Entry{entry(1, "a"), entry(1, "b")}
	first := log.StartAppend(entries)
	<-g.arrived
	second := []ingest.Entry{entry(1, "c")}
	done := log.StartAppend(second)
	select {
	case err := <-first:
		t.Fatalf("there before the sync: %v", err)
	default:
	}
	g.open <- nil
	<-g.arrived
	if err := <-first; err != nil || entries[1].Offset != 1 {
		t.Fatalf("%v, offset %d", err, entries[1].Offset)
	}
	g.open <- nil
	if err := <-done; err != nil || second[0].Offset != 2 {
		t.Fatalf("%v, offset %d", err, second[0].Offset)
	}
	d.SetFault(nil)
	if err := <-log.StartAppend(nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	if err := <-log.StartAppend([]ingest.Entry{entry(99, "a")}); !errors.Is(err, ingest.ErrInvalid) {
		t.Errorf("a partition that is none: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-log.StartAppend([]ingest.Entry{entry(1, "d")}); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Group commit: what waits while a write is synced goes into one write and one sync together.
func TestWaitingAppendsShareASync(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d, SegmentBytes: 1 << 20})
	g := newGate(d)
	const crowd = 20
	var running sync.WaitGroup
	start := func(n int) {
		for i := range n {
			running.Go(func() { mustAppend(t, log, entry(1, fmt.Sprint(i))) })
		}
	}
	start(1)
	<-g.arrived // the first append is being synced
	start(crowd)
	waitUntil(func() bool { return log.Metrics().Waiting.Load() == crowd })
	before := log.Metrics().Writes.Load()
	g.open <- nil
	<-g.arrived // the second sync: of all the others
	g.open <- nil
	running.Wait()
	if writes := log.Metrics().Writes.Load() - before; writes != 2 {
		t.Fatalf("%d writes; one for the first append and one for the %d others are due", writes, crowd)
	}
	d.SetFault(nil)
	mustClose(t, log)
}

// waitUntil polls a condition that another goroutine brings about without telling.
func waitUntil(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

// Invariant 2: before the sync has returned, nothing is acknowledged, read or counted.
func TestNothingBeforeTheSync(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d})
	mustAppend(t, log, entry(1, "durable"))
	g := newGate(d)
	appended := make(chan error, 1)
	go func() { appended <- log.Append(context.Background(), []ingest.Entry{entry(1, "not yet")}) }()
	<-g.arrived
	_, next, err := log.Bounds(t.Context())
	if err != nil || next[1] != 1 {
		t.Fatalf("the log ends at %v (%v) while its second entry is synced", next, err)
	}
	if got := texts(t, log); !slices.Equal(got, []string{"1/0 durable"}) {
		t.Fatalf("a tail reads %q", got)
	}
	select {
	case err := <-appended:
		t.Fatalf("acknowledged before the sync: %v", err)
	default:
	}
	g.open <- nil
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
	d.SetFault(nil)
	mustClose(t, log)
}

// An append whose context ends while it waits is not made; one that is being written is waited for.
func TestAppendWhoseContextEnds(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d})
	g := newGate(d)
	ctx, cancel := context.WithCancel(t.Context())
	taken, waiting := make(chan error, 1), make(chan error, 1)
	go func() { taken <- log.Append(ctx, []ingest.Entry{entry(1, "taken")}) }()
	<-g.arrived
	go func() { waiting <- log.Append(ctx, []ingest.Entry{entry(1, "withdrawn")}) }()
	waitUntil(func() bool { return log.Metrics().Waiting.Load() == 1 })
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Fatalf("the append that waited: %v", err)
	}
	select {
	case err := <-taken:
		t.Fatalf("the append that is being written has returned: %v", err)
	default:
	}
	g.open <- nil
	if err := <-taken; err != nil {
		t.Fatalf("the append that was written: %v", err)
	}
	d.SetFault(nil)
	if got := texts(t, log); !slices.Equal(got, []string{"1/0 taken"}) {
		t.Fatalf("%q", got)
	}
	mustClose(t, log)
}

// Invariant 6: a failed sync ends every append that waits and every tail, after what is durable.
func TestFailureEndsAll(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d})
	mustAppend(t, log, entry(1, "durable"))
	g := newGate(d)
	errs := make(chan error)
	var delivered []string
	go func() {
		errs <- log.Tail(context.Background(), []uint64{0, 0}, func(entries []ingest.Entry) error {
			for _, e := range entries {
				delivered = append(delivered, string(e.Payload))
			}
			return nil
		})
	}()
	go func() { errs <- log.Append(context.Background(), []ingest.Entry{entry(1, "lost")}) }()
	<-g.arrived
	for range 3 {
		go func() { errs <- log.Append(context.Background(), []ingest.Entry{entry(1, "never written")}) }()
	}
	waitUntil(func() bool { return log.Metrics().Waiting.Load() == 3 })
	broken := errors.New("input/output error")
	g.open <- broken
	for range 5 {
		if err := <-errs; !errors.Is(err, ingest.ErrFailed) || !errors.Is(err, broken) {
			t.Fatalf("after the failed sync: %v", err)
		}
	}
	if !slices.Equal(delivered, []string{"durable"}) {
		t.Fatalf("delivered %q", delivered)
	}
	if err := log.Append(t.Context(), []ingest.Entry{entry(1, "later")}); !errors.Is(err, ingest.ErrFailed) || !log.Metrics().Failed.Load() {
		t.Fatalf("append after the failure: %v", err)
	}
	d.SetFault(nil)
	if err := log.Close(); !errors.Is(err, ingest.ErrFailed) {
		t.Fatalf("close after the failure: %v", err)
	}
	log = mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d.Crash(rand.New(rand.NewPCG(1, 1)))})
	if got := texts(t, log); log.CleanStart() || len(got) == 0 || got[0] != "1/0 durable" {
		t.Fatalf("clean %v, %q", log.CleanStart(), got)
	}
	mustClose(t, log)
}

// Trim leaves what a running tail has not read, and takes it when the tail has gone on.
func TestTrimWaitsForTails(t *testing.T) {
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: disktest.New(), SegmentBytes: 1})
	for i := range 10 {
		mustAppend(t, log, entry(1, fmt.Sprint(i))) // a segment for each
	}
	at, goOn := make(chan uint64), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- log.Tail(ctx, []uint64{0, 3}, func(entries []ingest.Entry) error {
			at <- entries[0].Offset
			<-goOn
			return nil
		})
	}()
	for due := uint64(3); due < 10; due++ {
		if offset := <-at; offset != due {
			t.Fatalf("the tail is at %d, due is %d", offset, due)
		}
		if err := log.Trim(t.Context(), []uint64{0, 10}); err != nil {
			t.Fatal(err)
		}
		if first, _, err := log.Bounds(t.Context()); err != nil || first[1] != due {
			t.Fatalf("trimmed to %v (%v) while a tail reads %d", first, err, due)
		}
		goOn <- struct{}{}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := log.Metrics().Segments.Load(); n != 1 {
		t.Fatalf("%d segments are counted, 1 is left", n)
	}
	mustClose(t, log)
}

// Invariant 8: a trim that a crash interrupts leaves a log without a hole, from at or below the given vector on.
func TestCrashInTrim(t *testing.T) {
	seed := rand.Uint64()
	for step := 1; ; step++ {
		rng := rand.New(rand.NewPCG(seed, uint64(step)))
		d := disktest.New()
		log := mustOpen(t, crashConfig(d))
		var want []string
		for i := range 60 {
			text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 300+rng.IntN(600)))
			mustAppend(t, log, entry(1, text))
			want = append(want, fmt.Sprintf("1/%d %s", i, text))
		}
		d.CrashAt(d.Steps() + step)
		below := []uint64{0, 50, 0}
		err := log.Trim(t.Context(), below)
		finished := err == nil
		d = d.Crash(rng)
		_ = log.Close() // of a dead process
		log = mustOpen(t, crashConfig(d))
		first, next, err := log.Bounds(t.Context())
		if err != nil || first[1] > below[1] || next[1] != 60 {
			t.Fatalf("seed %d, step %d: trimmed below %v, crashed, holds %v to %v (%v)", seed, step, below, first, next, err)
		}
		if got := texts(t, log); !slices.Equal(got, want[first[1]:]) {
			t.Fatalf("seed %d, step %d: %d entries, %d are due", seed, step, len(got), len(want)-int(first[1]))
		}
		mustClose(t, log)
		if finished {
			if step < 4 {
				t.Fatalf("seed %d: the trim took %d steps; the test expects several segments", seed, step)
			}
			return
		}
	}
}

// Without syncs a crash of the process loses nothing, and a loss of power loses whole groups from the end only.
func TestCrashWithoutSync(t *testing.T) {
	seed := rand.Uint64()
	for round := range 200 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		d := disktest.New()
		cfg := crashConfig(d)
		cfg.NoSync = true
		log := mustOpen(t, cfg)
		var want []string
		groups := 1 + rng.IntN(40)
		for i := range groups {
			group := []ingest.Entry{entry(1, fmt.Sprintf("%d a %s", i, strings.Repeat("x", rng.IntN(600)))), entry(2, fmt.Sprint(i, " b"))}
			mustAppend(t, log, group...)
			for _, e := range group {
				want = append(want, fmt.Sprintf("%d/%d %s", e.Partition, e.Offset, e.Payload))
			}
		}
		powerFails := rng.IntN(2) == 0
		if powerFails {
			d = d.Crash(rng)
		} else {
			d = d.Restart()
		}
		_ = log.Close() // of a dead process
		cfg.FS = d
		log = mustOpen(t, cfg)
		got := texts(t, log)
		if log.CleanStart() || len(got)%2 != 0 || len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("seed %d, round %d: clean %v, %d entries of %d", seed, round, log.CleanStart(), len(got), len(want))
		}
		if !powerFails && len(got) != len(want) {
			t.Fatalf("seed %d, round %d: the process died, and %d of %d entries are left", seed, round, len(got), len(want))
		}
		mustClose(t, log)
	}
}

// Groups of the largest size, and of one entry of the largest size, pass; they get segments of their own.
func TestLargestGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a group of MaxGroupBytes")
	}
	log := mustOpen(t, ingest.SegmentConfig{Dir: t.TempDir(), SegmentBytes: 1 << 20, NoSync: true})
	large := make([]ingest.Entry, ingest.MaxGroupBytes/ingest.MaxEntryBytes)
	payload := make([]byte, ingest.MaxEntryBytes)
	for i := range large {
		large[i] = ingest.Entry{Partition: 1, Payload: payload}
	}
	mustAppend(t, log, entry(1, "before"))
	mustAppend(t, log, large...)
	many := make([]ingest.Entry, ingest.MaxGroupEntries)
	for i := range many {
		many[i] = ingest.Entry{Partition: i % 2}
	}
	mustAppend(t, log, many...)
	err := log.Append(t.Context(), append(large, entry(1, "x")))
	if !errors.Is(err, ingest.ErrTooLarge) || !strings.Contains(err.Error(), "67108865") {
		t.Fatalf("a group beyond the limit: %v", err)
	}
	n := 0
	_, next, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = log.Tail(t.Context(), make([]uint64, 2), func(entries []ingest.Entry) error {
		if n += len(entries); n == int(next[0]+next[1]) {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || n != 1+len(large)+len(many) {
		t.Fatalf("%d entries of %v: %v", n, next, err)
	}
	mustClose(t, log)
}

// Writers, tails and trims at once, on real files.
func TestManyAtOnce(t *testing.T) {
	log := mustOpen(t, ingest.SegmentConfig{Dir: t.TempDir(), LogPartitions: 2, SegmentBytes: 20_000, NoSync: true})
	const writers, each = 6, 150
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers, running sync.WaitGroup
	progress := make(chan uint64, 1)
	for i := range 3 {
		readers.Go(func() {
			next := make([]uint64, 3)
			total := 0
			err := log.Tail(ctx, next, func(entries []ingest.Entry) error {
				for _, e := range entries {
					if e.Offset != next[e.Partition] {
						return fmt.Errorf("offset %d where %d is due", e.Offset, next[e.Partition])
					}
					next[e.Partition]++
				}
				if total += len(entries); total == writers*each {
					return errEnough
				}
				if i == 0 {
					select {
					case progress <- next[1]:
					default:
					}
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Errorf("tail: %v", err)
			}
		})
	}
	trimmed := make(chan struct{})
	go func() {
		defer close(trimmed)
		for below := range progress {
			if err := log.Trim(ctx, []uint64{1 << 60, below, 1 << 60}); err != nil {
				t.Errorf("trim: %v", err)
			}
		}
	}()
	for w := range writers {
		running.Go(func() {
			for i := range each {
				mustAppend(t, log, entry(w%3, strings.Repeat("y", i)))
			}
		})
	}
	running.Wait()
	readers.Wait()
	close(progress)
	<-trimmed
	mustClose(t, log)
}
