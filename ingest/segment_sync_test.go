package ingest

import (
	"errors"
	"testing"
)

// Under NoSync nothing is synced until Sync says so, and then once.
func TestSync(t *testing.T) {
	l, err := OpenSegments(SegmentConfig{Dir: t.TempDir(), LogPartitions: 1, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	before := l.Metrics().Syncs.Load()
	synced := func() int64 { return int64(l.Metrics().Syncs.Load() - before) }
	for i := range 3 {
		if err := l.Append(t.Context(), []Entry{{Partition: 1, Payload: []byte("x")}}); err != nil {
			t.Fatal(err)
		}
		if got := synced(); got != int64(i) {
			t.Errorf("%d syncs after append %d, want %d", got, i, i)
		}
		for range 2 {
			if err := l.Sync(); err != nil {
				t.Fatal(err)
			}
			if got := synced(); got != int64(i+1) {
				t.Errorf("%d syncs after sync %d", got, i+1)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("sync after close: %v", err)
	}
}
