package logtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/freshetdb/freshet/ingest"
)

// probe is a log under test with a naive memory of what was appended through it, by one goroutine at a time.
type probe struct {
	ingest.Log
	t   *testing.T
	ctx context.Context
	rng *rand.Rand

	entries []ingest.Entry // in the order of the appends
}

// append appends a group to the given log partitions and remembers it.
func (p *probe) append(partitions ...int) {
	p.t.Helper()
	group := make([]ingest.Entry, len(partitions))
	for i, partition := range partitions {
		payload := fmt.Appendf(nil, "%d:", len(p.entries)+i)
		payload = append(payload, make([]byte, p.rng.IntN(200))...)
		group[i] = ingest.Entry{Partition: partition, Offset: 1 << 60, Payload: payload}
	}
	if err := p.Append(p.ctx, group); err != nil {
		p.t.Fatalf("append: %v", err)
	}
	for _, e := range group {
		e.Payload = bytes.Clone(e.Payload)
		p.entries = append(p.entries, e)
	}
}

// fill appends n random groups.
func (p *probe) fill(n int) {
	p.t.Helper()
	for range n {
		partitions := make([]int, 1+p.rng.IntN(4))
		for i := range partitions {
			partitions[i] = p.rng.IntN(p.Partitions())
		}
		p.append(partitions...)
	}
}

func (p *probe) bounds() (first, next []uint64) {
	p.t.Helper()
	first, next, err := p.Bounds(p.ctx)
	if err != nil {
		p.t.Fatalf("bounds: %v", err)
	}
	if len(first) != p.Partitions() || len(next) != p.Partitions() {
		p.t.Fatalf("bounds %v to %v of a log with %d log partitions", first, next, p.Partitions())
	}
	return first, next
}

var errRead = errors.New("read what was due")

// read tails from a vector until n entries have come.
func (p *probe) read(from []uint64, n int) []ingest.Entry {
	p.t.Helper()
	var got []ingest.Entry
	if n == 0 {
		return nil
	}
	err := p.Tail(p.ctx, from, func(entries []ingest.Entry) error {
		if len(entries) == 0 {
			return errors.New("deliver was called with no entries")
		}
		for _, e := range entries {
			e.Payload = bytes.Clone(e.Payload)
			got = append(got, e)
		}
		if len(got) >= n {
			return errRead
		}
		return nil
	})
	if !errors.Is(err, errRead) {
		p.t.Fatalf("tail from %v ended after %d of %d entries: %v", from, len(got), n, err)
	}
	return got
}

// expect compares entries read from a vector with what was appended: all of it, once, in order in each log partition.
func (p *probe) expect(got []ingest.Entry, from []uint64) {
	p.t.Helper()
	var want []ingest.Entry
	for _, e := range p.entries {
		if e.Offset >= from[e.Partition] {
			want = append(want, e)
		}
	}
	if len(got) != len(want) {
		p.t.Fatalf("from %v: %d entries, %d are due", from, len(got), len(want))
	}
	for partition := range from {
		same(p.t, of(got, partition), of(want, partition))
	}
}

func of(entries []ingest.Entry, partition int) (out []ingest.Entry) {
	for _, e := range entries {
		if e.Partition == partition {
			out = append(out, e)
		}
	}
	return out
}

func same(t *testing.T, got, want []ingest.Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, %d are due", len(got), len(want))
	}
	for i := range got {
		if got[i].Partition != want[i].Partition || got[i].Offset != want[i].Offset || !bytes.Equal(got[i].Payload, want[i].Payload) {
			t.Fatalf("entry %d is (%d, %d, %.20q), due is (%d, %d, %.20q)", i, got[i].Partition, got[i].Offset, got[i].Payload,
				want[i].Partition, want[i].Offset, want[i].Payload)
		}
	}
}

// start is the vector of the log's first entries.
func (p *probe) start() []uint64 { return make([]uint64, p.Partitions()) }

// tailing starts a tail in a goroutine that sends copies of what it gets.
func (p *probe) tailing(ctx context.Context, from []uint64) (got <-chan ingest.Entry, ended <-chan error) {
	entries, end := make(chan ingest.Entry), make(chan error, 1)
	go func() {
		end <- p.Tail(ctx, from, func(batch []ingest.Entry) error {
			for _, e := range batch {
				e.Payload = bytes.Clone(e.Payload)
				select {
				case entries <- e:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	return entries, end
}

func (p *probe) receive(got <-chan ingest.Entry, ended <-chan error) ingest.Entry {
	p.t.Helper()
	select {
	case e := <-got:
		return e
	case err := <-ended:
		p.t.Fatalf("the tail ended: %v", err)
	case <-p.ctx.Done():
		p.t.Fatal("the tail does not wake")
	}
	return ingest.Entry{}
}
