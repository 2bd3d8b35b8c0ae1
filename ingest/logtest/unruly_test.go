package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshetdb/freshet/ingest"
)

// contents returns all entries of a log.
func contents(t *testing.T, log ingest.Log) []ingest.Entry {
	t.Helper()
	_, next, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, offset := range next {
		n += int(offset)
	}
	p := &probe{t: t, Log: log, ctx: t.Context()}
	return p.read(make([]uint64, log.Partitions()), n)
}

type unrulyRun struct {
	log      *Unruly
	appended map[string]ingest.Entry // payload: as Append left it
	errs     map[string]error
}

func runUnruly(t *testing.T, seed uint64) unrulyRun {
	t.Helper()
	r := unrulyRun{NewUnruly(2, seed), map[string]ingest.Entry{}, map[string]error{}}
	for i := range 2000 {
		group := make([]ingest.Entry, 1+i%3)
		for k := range group {
			group[k] = ingest.Entry{Partition: (i + k) % 3, Payload: fmt.Appendf(nil, "%06d %d", i, k)}
		}
		err := r.log.Append(context.Background(), group)
		for _, e := range group {
			e.Payload = bytes.Clone(e.Payload)
			r.appended[string(e.Payload)], r.errs[string(e.Payload)] = e, err
		}
	}
	if err := r.log.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// Each kind of misbehaviour happens, and none that is not promised: what Append acknowledged is there, at its offset,
// and nothing is there that was not appended, in a log partition that is not its own.
func TestUnruly(t *testing.T) {
	seed := rand.Uint64()
	r := runUnruly(t, seed)
	count := map[string]int{}
	at := map[[2]uint64]string{}
	late, last := 0, make([]string, 3)
	for _, e := range contents(t, r.log) {
		payload := string(e.Payload)
		a, ok := r.appended[payload]
		if !ok || a.Partition != e.Partition {
			t.Fatalf("seed %d: %q is in log partition %d", seed, payload, e.Partition)
		}
		if count[payload]++; count[payload] == 1 && payload < last[e.Partition] {
			late++
		}
		last[e.Partition] = max(last[e.Partition], payload)
		at[[2]uint64{uint64(e.Partition), e.Offset}] = payload
	}
	var doubled, lost, unacknowledged, acknowledged int
	for payload, a := range r.appended {
		switch err := r.errs[payload]; {
		case err == nil:
			acknowledged++
			if at[[2]uint64{uint64(a.Partition), a.Offset}] != payload {
				t.Fatalf("seed %d: %q is not at offset %d", seed, payload, a.Offset)
			}
		case !errors.Is(err, ErrUnknown):
			t.Fatalf("seed %d: %v", seed, err)
		case count[payload] > 0:
			unacknowledged++
		default:
			lost++
		}
		if count[payload] > 1 {
			doubled++
		}
	}
	for name, n := range map[string]int{"doubled": doubled, "lost": lost, "unacknowledged": unacknowledged, "late": late, "acknowledged": acknowledged} {
		if n < 20 {
			t.Errorf("seed %d: only %d %s of %d", seed, n, name, len(r.appended))
		}
	}
}

// Invariant 2.
func TestUnrulyIsDeterministic(t *testing.T) {
	a, b, c := contents(t, runUnruly(t, 5).log), contents(t, runUnruly(t, 5).log), contents(t, runUnruly(t, 6).log)
	same(t, a, b)
	if slices.EqualFunc(a, c, func(x, y ingest.Entry) bool { return bytes.Equal(x.Payload, y.Payload) }) {
		t.Fatal("another seed made the same log")
	}
}

// Calm, it is a log like others.
func TestUnrulyCalm(t *testing.T) {
	Run(t, func(*testing.T) ingest.Log {
		u := NewUnruly(2, 1)
		u.SetCalm(true)
		return u
	}, AtomicGroups())
}
