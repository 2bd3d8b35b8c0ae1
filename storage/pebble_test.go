package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/freshetdb/freshet/ingest"
)

// Where Pebble cannot make the name of its file of files durable it panics, in a goroutine of its own: before that, the
// process ends with what failed.
func TestFatalBeforePanic(t *testing.T) {
	r := kinds["embedded in memory"](t, 0)
	var armed atomic.Bool
	r.state = newState()
	dead := make(chan error, 1)
	r.config.manifestBytes = 1
	r.config.FS = errorfs.Wrap(r.state, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind == errorfs.OpFileSync && within(functionMove) {
			return syscall.EIO
		}
		return nil
	}))
	r.config.Fatal = func(err error) {
		dead <- err
		select {} // its process has ended
	}
	r.start()
	c := r.collection("pages")
	armed.Store(true)
	writers := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // it may hang once the process has ended
		for i := 0; ; i++ {
			if _, _, err := r.put(ctx, c, fmt.Sprint("id", i), i); err != nil {
				writers <- err
				return
			}
		}
	}()
	select {
	case err := <-dead:
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "sync the folder state: ") {
			t.Errorf("the process ends with %v", err)
		}
	case err := <-writers:
		t.Fatalf("a write failed, and the process goes on: %v", err)
	case err := <-r.done:
		t.Fatalf("the store ended in order: %v", err)
	}
}

// Opening a state whose disk fails at any call is an error that says so, or does no harm: never the end of the process.
// Of Pebble's goroutines one at most is left, that of its compaction scheduler.
func TestFailingOpen(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	old := newState()
	if err := openAndClose(t, Config{FS: old}); err != nil {
		t.Fatal(err)
	}
	before := pebbleGoroutines()
	for name, base := range map[string]*vfs.MemFS{"new": newState(), "old": old} {
		failed, steps := 0, 0
		for fail := 1; fail == 1 || steps >= fail-1; fail++ {
			steps = 0
			var what errorfs.Op
			var counting atomic.Bool
			counting.Store(true)
			clone := base.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
			fs := errorfs.Wrap(clone, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == errorfs.OpFileClose || !within(functionOpen) || !counting.Load() {
					return nil
				}
				if steps++; steps != fail {
					return nil
				}
				what = op
				return syscall.EIO
			}))
			err := openAndClose(t, Config{FS: fs, Fatal: func(err error) {
				t.Errorf("%s, call %d (%d on %s): the process ends with %v", name, fail, what.Kind, what.Path, err)
			}})
			counting.Store(false)
			if err == nil {
				continue
			}
			failed++
			if !errors.Is(err, syscall.EIO) && !strings.Contains(err.Error(), syscall.EIO.Error()) {
				t.Errorf("%s, call %d (%d on %s): %v", name, fail, what.Kind, what.Path, err)
			}
		}
		if failed < 10 {
			t.Errorf("%s: of %d calls %d made opening fail", name, steps, failed)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		left := pebbleGoroutines() - before
		if left <= 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines of Pebble are left", left)
		}
	}
}

// openAndClose opens and closes a store without running it.
func openAndClose(t *testing.T, cfg Config) error {
	t.Helper()
	log := ingest.NewMemoryLog(2)
	defer log.Close()
	cfg.Dir = "state"
	s, err := Open(cfg, log)
	if err != nil {
		return err
	}
	return s.Close()
}

// pebbleGoroutines counts the goroutines that Pebble has started, but for those that nothing outside can end.
func pebbleGoroutines() (n int) {
	stacks := make([]byte, 16<<20)
	for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "created by github.com/cockroachdb/pebble/") && !strings.Contains(stack, "ConcurrencyLimitScheduler).Register") {
			n++
		}
	}
	return n
}
