// Package logtest holds what every ingest.Log must do, as a test suite, and a log that does what a bad network makes
// of one.
//
// Invariants:
//
//  1. Run asks of a log nothing that the comments of ingest.Log do not promise, except what an Option adds.
//  2. An Unruly log's behaviour depends on its seed and the order of calls alone.
//
// It starts goroutines only within a test and waits for them there.
package logtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/freshetdb/freshet/ingest"
)

// waitLimit ends a test whose log never answers. No test waits for it where the log works.
const waitLimit = 60 * time.Second

// Option adds to what Run asks.
type Option func(*suite)

// AtomicGroups asks that the entries of one Append follow each other in the log, in their order.
func AtomicGroups() Option { return func(s *suite) { s.atomic = true } }

// Reopen asks that a log holds the same after it was closed and opened again, which the given function does.
func Reopen(reopen func(t *testing.T, log ingest.Log) ingest.Log) Option {
	return func(s *suite) { s.reopen = reopen }
}

type suite struct {
	open   func(t *testing.T) ingest.Log
	atomic bool
	reopen func(t *testing.T, log ingest.Log) ingest.Log
}

// Run runs the suite. open makes an empty log with at least one data partition; Run closes it.
func Run(t *testing.T, open func(t *testing.T) ingest.Log, options ...Option) {
	s := &suite{open: open}
	for _, option := range options {
		option(s)
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, *probe)
	}{
		{"Empty", s.testEmpty},
		{"OffsetsAndOrder", s.testOffsetsAndOrder},
		{"AppendIsDurableOnReturn", s.testAppendIsDurableOnReturn},
		{"ConcurrentAppends", s.testConcurrentAppends},
		{"TailFromAnyVector", s.testTailFromAnyVector},
		{"TailWakes", s.testTailWakes},
		{"TailsAreApart", s.testTailsAreApart},
		{"TailEnds", s.testTailEnds},
		{"TailOutsideTheLog", s.testTailOutsideTheLog},
		{"Trim", s.testTrim},
		{"BadArguments", s.testBadArguments},
		{"EndedContext", s.testEndedContext},
		{"PayloadsAreTheLogs", s.testPayloadsAreTheLogs},
		{"Close", s.testClose},
		{"Reopen", s.testReopen},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := s.open(t)
			p := &probe{t: t, Log: log, rng: rand.New(rand.NewPCG(7, 7))}
			defer func() { _ = p.Close() }() // twice, where a test closes it
			ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
			defer cancel()
			p.ctx = ctx
			c.test(t, p)
		})
	}
}

func (s *suite) testEmpty(t *testing.T, p *probe) {
	if p.Partitions() < 2 {
		t.Fatalf("%d log partitions; the suite needs the control partition and one more", p.Partitions())
	}
	first, next := p.bounds()
	for partition := range next {
		if first[partition] != 0 || next[partition] != 0 {
			t.Fatalf("an empty log has bounds %v to %v", first, next)
		}
	}
	if err := p.Append(p.ctx, nil); err != nil {
		t.Fatalf("append nothing: %v", err)
	}
}

func (s *suite) testOffsetsAndOrder(t *testing.T, p *probe) {
	due := p.start()
	for range 100 {
		before := len(p.entries)
		p.fill(1)
		for _, e := range p.entries[before:] {
			if e.Offset < due[e.Partition] {
				t.Fatalf("offset %d in log partition %d after %d", e.Offset, e.Partition, due[e.Partition])
			}
			if s.atomic && e.Offset != due[e.Partition] {
				t.Fatalf("offset %d in log partition %d, %d is due: the embedded log has no holes", e.Offset, e.Partition, due[e.Partition])
			}
			due[e.Partition] = e.Offset + 1
		}
	}
	got := p.read(p.start(), len(p.entries))
	p.expect(got, p.start())
	if s.atomic {
		same(t, got, p.entries) // one writer: the log's order is that of the appends
	}
}

func (s *suite) testAppendIsDurableOnReturn(t *testing.T, p *probe) {
	for range 30 {
		before := len(p.entries)
		p.fill(1)
		_, next := p.bounds()
		for _, e := range p.entries[before:] {
			if e.Offset >= next[e.Partition] {
				t.Fatalf("offset %d of log partition %d was appended, and the log ends at %d", e.Offset, e.Partition, next[e.Partition])
			}
		}
		last := p.entries[len(p.entries)-1]
		from := next
		from[last.Partition] = last.Offset
		same(t, p.read(from, 1), []ingest.Entry{last})
	}
}

func (s *suite) testConcurrentAppends(t *testing.T, p *probe) {
	const writers, each = 8, 40
	groups := make([][]ingest.Entry, writers*each)
	errs := make([]error, writers)
	var running sync.WaitGroup
	for w := range writers {
		rng := rand.New(rand.NewPCG(uint64(w), 3))
		running.Go(func() {
			for i := range each {
				group := make([]ingest.Entry, 1+rng.IntN(3))
				for k := range group {
					group[k] = ingest.Entry{Partition: rng.IntN(p.Partitions()), Payload: fmt.Appendf(nil, "%d %d %d", w, i, k)}
				}
				if err := p.Append(p.ctx, group); err != nil {
					errs[w] = err
					return
				}
				groups[w*each+i] = group
			}
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	place := map[[2]uint64]string{} // (log partition, offset): payload
	for _, group := range groups {
		for _, e := range group {
			at := [2]uint64{uint64(e.Partition), e.Offset}
			if other, taken := place[at]; taken {
				t.Fatalf("%q and %q have one place: %v", other, e.Payload, at)
			}
			place[at] = string(e.Payload)
		}
	}
	got := p.read(p.start(), len(place))
	index := map[string]int{} // payload: place in the log's order
	due := p.start()
	for i, e := range got {
		if place[[2]uint64{uint64(e.Partition), e.Offset}] != string(e.Payload) || e.Offset < due[e.Partition] {
			t.Fatalf("(%d, %d) holds %q", e.Partition, e.Offset, e.Payload)
		}
		due[e.Partition] = e.Offset + 1
		index[string(e.Payload)] = i
	}
	if len(index) != len(place) {
		t.Fatalf("%d entries were read, %d appended", len(index), len(place))
	}
	for i, group := range groups {
		for k := 1; s.atomic && k < len(group); k++ {
			if index[string(group[k].Payload)] != index[string(group[k-1].Payload)]+1 {
				t.Fatalf("group %q is not contiguous", group[0].Payload)
			}
		}
		if i%each > 0 && index[string(group[0].Payload)] < index[string(groups[i-1][0].Payload)] && s.atomic {
			t.Fatalf("%q came before the append that its writer had finished", group[0].Payload)
		}
	}
}

func (s *suite) testTailFromAnyVector(t *testing.T, p *probe) {
	p.fill(150)
	_, next := p.bounds()
	for range 60 {
		from := make([]uint64, len(next))
		due := 0
		for partition := range from {
			from[partition] = p.rng.Uint64N(next[partition] + 1)
		}
		for _, e := range p.entries {
			if e.Offset >= from[e.Partition] {
				due++
			}
		}
		p.expect(p.read(from, due), from)
	}
}

func (s *suite) testTailWakes(t *testing.T, p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	got, ended := p.tailing(ctx, p.start())
	for range 200 {
		p.append(p.rng.IntN(p.Partitions()))
		same(t, []ingest.Entry{p.receive(got, ended)}, p.entries[len(p.entries)-1:])
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("the tail ended with %v", err)
	}
}

// testTailsAreApart: a tail that stands still keeps neither writers nor other tails waiting.
func (s *suite) testTailsAreApart(t *testing.T, p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	slow, slowEnded := p.tailing(ctx, p.start())
	p.fill(100)
	p.expect(p.read(p.start(), len(p.entries)), p.start())
	var all []ingest.Entry
	for range p.entries {
		all = append(all, p.receive(slow, slowEnded))
	}
	p.expect(all, p.start())
	cancel()
	<-slowEnded
}

func (s *suite) testTailEnds(t *testing.T, p *probe) {
	p.fill(5)
	mine := errors.New("mine")
	calls := 0
	err := p.Tail(p.ctx, p.start(), func([]ingest.Entry) error { calls++; return mine })
	if !errors.Is(err, mine) || calls != 1 {
		t.Fatalf("deliver failed, and the tail ended with %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	if err := p.Tail(ctx, p.start(), func([]ingest.Entry) error { return mine }); !errors.Is(err, context.Canceled) {
		t.Fatalf("the context had ended, and the tail ended with %v", err)
	}
	ctx, cancel = context.WithCancel(p.ctx)
	defer cancel()
	got, ended := p.tailing(ctx, p.start())
	for range p.entries {
		p.receive(got, ended)
	}
	cancel() // it may be waiting by now, or not yet
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("the tail waited, and ended with %v", err)
	}
}

func (s *suite) testTailOutsideTheLog(t *testing.T, p *probe) {
	p.fill(20)
	_, next := p.bounds()
	next[1]++
	err := p.Tail(p.ctx, next, func([]ingest.Entry) error { return nil })
	if !errors.Is(err, ingest.ErrBeyondEnd) {
		t.Fatalf("tail from beyond the end: %v", err)
	}
}

func (s *suite) testTrim(t *testing.T, p *probe) {
	for range 20 {
		p.fill(40)
		_, next := p.bounds()
		below := make([]uint64, len(next))
		for partition := range below {
			below[partition] = p.rng.Uint64N(next[partition] + 1)
		}
		before, _ := p.bounds()
		if err := p.Trim(p.ctx, below); err != nil {
			t.Fatalf("trim: %v", err)
		}
		first, after := p.bounds()
		due := 0
		for partition := range first {
			if first[partition] > max(below[partition], before[partition]) {
				t.Fatalf("trimmed below %v, and the log begins at %v", below, first)
			}
			if first[partition] < before[partition] || after[partition] != next[partition] {
				t.Fatalf("bounds went from %v..%v to %v..%v", before, next, first, after)
			}
			due += len(of(p.entries, partition))
			for _, e := range of(p.entries, partition) {
				if e.Offset < first[partition] {
					due--
				}
			}
		}
		p.expect(p.read(first, due), first)
		for partition := range first {
			if first[partition] == 0 {
				continue
			}
			from := append([]uint64(nil), first...)
			from[partition]--
			if err := p.Tail(p.ctx, from, func([]ingest.Entry) error { return nil }); !errors.Is(err, ingest.ErrTrimmed) {
				t.Fatalf("tail from %v of a log that begins at %v: %v", from, first, err)
			}
		}
	}
}

func (s *suite) testBadArguments(t *testing.T, p *probe) {
	p.fill(3)
	_, before := p.bounds()
	nothing := func([]ingest.Entry) error { return nil }
	for name, err := range map[string]error{
		"log partition below 0":         p.Append(p.ctx, []ingest.Entry{{Partition: 1}, {Partition: -1}}),
		"log partition beyond the last": p.Append(p.ctx, []ingest.Entry{{Partition: 1}, {Partition: p.Partitions()}}),
		"tail from too short a vector":  p.Tail(p.ctx, make([]uint64, p.Partitions()-1), nothing),
		"tail from too long a vector":   p.Tail(p.ctx, make([]uint64, p.Partitions()+1), nothing),
		"trim below too short a vector": p.Trim(p.ctx, make([]uint64, p.Partitions()-1)),
	} {
		if !errors.Is(err, ingest.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"entry": p.Append(p.ctx, []ingest.Entry{{Partition: 1, Payload: make([]byte, ingest.MaxEntryBytes+1)}}),
		"group": p.Append(p.ctx, make([]ingest.Entry, ingest.MaxGroupEntries+1)),
	} {
		if !errors.Is(err, ingest.ErrTooLarge) {
			t.Errorf("too large an %s: %v", name, err)
		}
	}
	if _, after := p.bounds(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a refused append moved the end from %v to %v", before, after)
	}
}

func (s *suite) testEndedContext(t *testing.T, p *probe) {
	ctx, cancel := context.WithCancel(p.ctx)
	cancel()
	if err := p.Append(ctx, []ingest.Entry{{Partition: 1}}); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	if _, _, err := p.Bounds(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("bounds: %v", err)
	}
	if err := p.Trim(ctx, p.start()); !errors.Is(err, context.Canceled) {
		t.Errorf("trim: %v", err)
	}
	p.fill(2)
	p.expect(p.read(p.start(), len(p.entries)), p.start())
}

// testPayloadsAreTheLogs: a caller may use its payloads again once Append has returned. Empty ones are entries too.
func (s *suite) testPayloadsAreTheLogs(t *testing.T, p *probe) {
	payload := []byte("first")
	want := []ingest.Entry{}
	for _, text := range []string{"first", "again", ""} {
		payload = append(payload[:0], text...)
		group := []ingest.Entry{{Partition: 1, Payload: payload}}
		if err := p.Append(p.ctx, group); err != nil {
			t.Fatal(err)
		}
		want = append(want, ingest.Entry{Partition: 1, Offset: group[0].Offset, Payload: []byte(text)})
	}
	same(t, p.read(p.start(), len(want)), want)
}

func (s *suite) testClose(t *testing.T, p *probe) {
	p.fill(3)
	got, ended := p.tailing(p.ctx, p.start())
	for range p.entries {
		p.receive(got, ended)
	}
	if err := p.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := <-ended; !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("the tail ended with %v", err)
	}
	if err := p.Append(p.ctx, []ingest.Entry{{Partition: 1}}); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, _, err := p.Bounds(p.ctx); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("bounds: %v", err)
	}
	if err := p.Trim(p.ctx, p.start()); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("trim: %v", err)
	}
	if err := p.Tail(p.ctx, p.start(), func([]ingest.Entry) error { return nil }); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("tail: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func (s *suite) testReopen(t *testing.T, p *probe) {
	if s.reopen == nil {
		t.Skip("this log is not asked to survive Close")
	}
	for range 3 {
		p.fill(60)
		first, next := p.bounds()
		p.Log = s.reopen(t, p.Log)
		if firstAfter, nextAfter := p.bounds(); fmt.Sprint(first, next) != fmt.Sprint(firstAfter, nextAfter) {
			t.Fatalf("bounds went from %v..%v to %v..%v", first, next, firstAfter, nextAfter)
		}
		p.expect(p.read(p.start(), len(p.entries)), p.start())
	}
}
