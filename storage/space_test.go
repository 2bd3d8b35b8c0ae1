package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The watch looks now and then, and once enough was written; it goes by the folder with the least free space, and tells
// each change once.
func TestSpaceWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state, log atomic.Int64
		var failing atomic.Bool
		state.Store(5000)
		log.Store(4000)
		var told []Space
		var metrics Metrics
		w := newSpace(Config{
			Dir: "state", LogDir: "log", MinFreeBytes: 1000,
			FreeBytes: func(folder string) (int64, error) {
				if failing.Load() {
					return 0, errDisk
				}
				return map[string]*atomic.Int64{"state": &state, "log": &log}[folder].Load(), nil
			},
			SpaceChanged: func(s Space) { told = append(told, s) },
		}, &metrics)
		w.look()
		if err := w.refuse(); err != nil || metrics.FreeBytes.Load() != 4000 || len(told) != 0 {
			t.Fatalf("with room: %v, %d bytes free, told %v", err, metrics.FreeBytes.Load(), told)
		}
		defer w.watch(t.Context())()
		after := func(d time.Duration, low bool, changes int) {
			t.Helper()
			time.Sleep(d) // of the bubble's clock
			synctest.Wait()
			if err := w.refuse(); errors.Is(err, ErrDiskFull) != low || metrics.DiskLow.Load() == 1 != low || len(told) != changes {
				t.Fatalf("refuses with %v, want %v; told %v", err, low, told)
			}
		}
		log.Store(999)
		after(spaceInterval, true, 1)
		if s := told[0]; s.Folder != "log" || s.FreeBytes != 999 || !s.Low || s.Err != nil {
			t.Errorf("told %+v", s)
		}
		after(10*spaceInterval, true, 1)
		failing.Store(true) // unknown: it stays as it was
		after(spaceInterval, true, 2)
		if !errors.Is(told[1].Err, errDisk) {
			t.Errorf("told %+v", told[1])
		}
		failing.Store(false)
		log.Store(1000)
		after(spaceInterval, false, 3)
		state.Store(10)
		w.wrote(spaceCheckBytes - 1)
		after(0, false, 3)
		w.wrote(1)
		after(0, true, 4) // at once
		if metrics.WritesDiskFull.Load() == 0 {
			t.Error("refused writes are not counted")
		}
	})
}

// A file system that cannot say what is free, and no bound, refuse nothing.
func TestSpaceUnknown(t *testing.T) {
	for name, cfg := range map[string]Config{
		"in memory": {MinFreeBytes: 1 << 40, FreeBytes: freeBytes(vfs.NewMem())},
		"no bound":  {FreeBytes: func(string) (int64, error) { return 0, nil }},
	} {
		w := newSpace(cfg, &Metrics{})
		w.look()
		if err := w.refuse(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if free, err := freeBytes(vfs.Default)(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

// Invariant 14: while the disk is nearly full, every write and every new collection is refused, those that wait already too, and
// nothing of them is made. Reads, truncates and drops go on, and with room again so do writes, by themselves.
func TestDiskNearlyFull(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, _ *rand.Rand) {
		if r.unruly() {
			t.Skip("the log plays no part in it")
		}
		r.end()
		var free atomic.Int64
		free.Store(1 << 20)
		r.config.MinFreeBytes = 1 << 20
		r.config.FreeBytes = func(string) (int64, error) { return free.Load(), nil }
		r.start()
		c, other := r.collection("pages"), r.collection("others")
		const documents = 5
		for i := range documents {
			if _, _, err := r.put(t.Context(), c, fmt.Sprint("id", i), i); err != nil {
				t.Fatal(err)
			}
		}
		refused := func(err error) {
			t.Helper()
			if !errors.Is(err, ErrDiskFull) {
				t.Errorf("got %v, want %v", err, ErrDiskFull)
			}
		}
		before := r.store.Vector()
		if r.config.Attempts {
			free.Store(1<<20 - 1)
			r.store.space.look()
		} else {
			r.waiting(c, documents, func() {
				free.Store(1<<20 - 1)
				r.store.space.look()
			}, refused)
		}
		_, _, err := r.put(t.Context(), c, "id1", 9)
		refused(err)
		_, _, err = r.remove(t.Context(), c, "id1")
		refused(err)
		_, _, err = r.store.PutCollection(t.Context(), testApp, "new", Settings{})
		refused(err)
		if now := r.store.Vector(); !now.Equal(before) {
			t.Errorf("refused writes moved the store from %v to %v", before, now)
		}
		if n := len(r.all(c)); n != documents {
			t.Errorf("%d documents, want %d", n, documents)
		}
		r.compare(c)
		if err := r.store.TruncateCollection(t.Context(), testApp, "pages"); err != nil {
			t.Errorf("truncate: %v", err)
		}
		if err := r.store.DropCollection(t.Context(), testApp, other.Name); err != nil {
			t.Errorf("drop: %v", err)
		}
		r.end() // a start without room serves, and refuses
		r.start()
		c, _ = r.store.Collection(testApp, "pages")
		_, _, err = r.put(t.Context(), c, "id1", 9)
		refused(err)
		free.Store(1 << 20)
		for { // until the watch has looked
			out, _, err := r.put(t.Context(), c, "id1", 9)
			if err == nil && out.Accepted {
				break
			}
			refused(err)
			if t.Context().Err() != nil || t.Failed() {
				t.Fatal("writes are not taken again")
			}
		}
		r.compare(c)
	})
}

// waiting has writes wait for the loop while meanwhile runs on it, and checks how each of them ends.
func (r *rig) waiting(c Collection, writes int, meanwhile func(), check func(error)) {
	r.t.Helper()
	done := make(chan error, writes)
	var began sync.WaitGroup
	err := r.store.Boundary(r.t.Context(), func(n *Snapshot) {
		n.Close()
		for i := range writes {
			began.Go(func() {
				head, err := r.store.Head(c, fmt.Sprint("id", i))
				if err != nil {
					done <- err
					return
				}
				w := r.store.NewWriteID()
				a := Attempt{Collection: c, ID: fmt.Sprint("id", i), Head: head, WriteID: w, After: r.document(fmt.Sprint("id", i), head, w, 7)}
				_, err = r.store.Write(context.Background(), a)
				done <- err
			})
		}
		for r.store.metrics.WaitingWrites.Load() < int64(writes) {
			runtime.Gosched()
		}
		meanwhile()
	})
	if err != nil {
		r.t.Fatal(err)
	}
	for range writes {
		check(<-done)
	}
}
