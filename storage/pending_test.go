package storage

import (
	"errors"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// What waits for the loop is bounded in bytes too; one request alone is taken whatever its size.
func TestMaxWaitingBytes(t *testing.T) {
	var metrics Metrics
	p := newPending(&metrics)
	of := func(bytes int) *request {
		return &request{items: make([]item, 1), bytes: bytes, finish: func(answer) {}}
	}
	put := func(r *request, want error) {
		t.Helper()
		if _, err := p.put(r, nil); !errors.Is(err, want) {
			t.Errorf("%d bytes beside %d: %v, want %v", r.bytes, metrics.WaitingBytes.Load(), err, want)
		}
	}
	put(of(MaxWaitingBytes-10), nil)
	put(of(11), ErrOverloaded)
	put(of(10), nil)
	if n := metrics.WaitingBytes.Load(); n != MaxWaitingBytes {
		t.Errorf("%d bytes wait", n)
	}
	group := p.take(nil)
	put(of(1), ErrOverloaded) // taken, and not settled
	p.settle(group)
	p.settle(p.take(nil))
	if n := metrics.WaitingBytes.Load(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
	put(of(MaxWaitingBytes+1), nil)
}

// A write is steady, taken at its word, only where nothing can have happened to its key between the read and its turn.
func TestSteadyWrites(t *testing.T) {
	var metrics Metrics
	p := newPending(&metrics)
	write := func(id byte) *request {
		r := &request{items: make([]item, 1), finish: func(answer) {}}
		r.items[0].record = ingest.Record{Kind: ingest.RecordWrite, ID: "a", WriteID: matcher.WriteID{id}}
		return r
	}
	put := func(r *request, seen standing, want place, steady bool) {
		t.Helper()
		where, err := p.put(r, &seen)
		if err != nil || where != want || r.items[0].steady != steady {
			t.Fatalf("placed as %d, steady %v, %v; want %d, %v", where, r.items[0].steady, err, want, steady)
		}
	}
	settle := func(v verdict) {
		group := p.take(nil)
		for _, r := range group {
			r.items[0].verdict = v
		}
		p.settle(group)
	}
	look := func() standing { return p.look((&item{record: ingest.Record{ID: "a"}}).cacheKey(), requestKey{}) }

	early := look()
	put(write(1), look(), placed, true)
	put(write(2), early, superseded, false) // it read before the first write
	behind := look()
	put(write(2), behind, placed, false) // it stands only if the first one does
	settle(accepted)
	put(write(3), early, unsteady, false)
	early.unsteady = true
	put(write(3), early, placed, false) // the loop finds out
	settle(rejectedBase)
	put(write(4), look(), placed, true)
	again := look()
	settle(accepted)
	again.settled, again.unsteady = look().settled, true // read anew, once too often
	put(write(5), again, placed, true)
	settle(accepted)

	// What built on a rejected write is settled in a later group; the head that came between is not its.
	put(write(6), look(), placed, true)
	put(write(7), look(), placed, false)
	group := p.take(nil)
	for _, r := range group {
		r.items[0].verdict = rejectedLag
	}
	p.settle(group[:1])
	put(write(8), look(), placed, true) // a rejected write leaves no head
	p.settle(group[1:])
	put(write(9), look(), placed, false)
	settle(accepted)
	if s := look(); s.inFlight {
		t.Errorf("%v is still on its way", s.WriteID)
	}
}
