package storage

import (
	"errors"
	"testing"
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
