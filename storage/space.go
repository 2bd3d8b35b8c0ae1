package storage

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/matcher"
)

// ErrDiskFull says that a write was not taken because too little of the disk is free. It was not made.
var ErrDiskFull = errors.New("the disk is nearly full")

// Space is how much of the disk is free, as Config.SpaceChanged is told.
type Space struct {
	Folder    string // the one with the least free space
	FreeBytes int64
	Low       bool  // below Config.MinFreeBytes: no writes are taken
	Err       error // why the free space could not be measured; then Low is what it was
}

// Bounds of what passes between two looks at the free space.
const (
	spaceInterval   = time.Second
	spaceCheckBytes = 8 << 20 // written by the apply loop
)

// space watches the free space of the disks under a node. It looks beside the apply loop, for the system call may take
// its time; the loop tells it how much it writes, and asks only for the flag.
type space struct {
	config  Config
	metrics *Metrics
	folders []string
	low     atomic.Bool
	wake    chan struct{} // of capacity 1
	written int64         // of the apply loop alone: since it last woke the watch
	last    Space         // of the watch alone
}

func newSpace(cfg Config, metrics *Metrics) *space {
	w := &space{config: cfg, metrics: metrics, folders: []string{cfg.Dir}, wake: make(chan struct{}, 1)}
	if cfg.LogDir != "" {
		w.folders = append(w.folders, cfg.LogDir)
	}
	return w
}

// watch starts to look at the free space. stop ends that and waits for it.
func (w *space) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	return func() { cancel(); <-done }
}

// run looks whenever the loop has written enough, and now and then, until ctx ends: space comes back while nothing is
// written.
func (w *space) run(ctx context.Context) {
	if w.config.MinFreeBytes == 0 {
		return
	}
	ticker := time.NewTicker(spaceInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-w.wake:
		}
		w.look()
	}
}

// look measures the free space and notes what it means.
func (w *space) look() {
	if w.config.MinFreeBytes == 0 {
		return
	}
	now := w.measure()
	if errors.Is(now.Err, vfs.ErrUnsupported) {
		return // a file system in memory
	}
	if now.Err != nil {
		now.Low = w.last.Low
	} else {
		now.Low = now.FreeBytes < w.config.MinFreeBytes
		w.metrics.FreeBytes.Store(now.FreeBytes)
	}
	changed := now.Low != w.last.Low || (now.Err == nil) != (w.last.Err == nil)
	w.last = now
	w.low.Store(now.Low)
	w.metrics.DiskLow.Store(0)
	if now.Low {
		w.metrics.DiskLow.Store(1)
	}
	if changed && w.config.SpaceChanged != nil {
		w.config.SpaceChanged(now)
	}
}

// measure finds the folder with the least free space: the log may lie on a disk of its own.
func (w *space) measure() (least Space) {
	for i, folder := range w.folders {
		free, err := w.config.FreeBytes(folder)
		if err != nil {
			return Space{Folder: folder, Err: fmt.Errorf("measure the free space of %s: %w", folder, err)}
		}
		if i == 0 || free < least.FreeBytes {
			least = Space{Folder: folder, FreeBytes: free}
		}
	}
	return least
}

// wrote counts what the apply loop writes to the log and, later, to the state.
func (w *space) wrote(bytes int) {
	if w.written += int64(bytes); w.written < spaceCheckBytes {
		return
	}
	w.written = 0
	select {
	case w.wake <- struct{}{}:
	default: // it has been woken and did not look yet
	}
}

// refuse is why a write cannot be taken now; nil if it can.
func (w *space) refuse() error {
	if !w.low.Load() {
		return nil
	}
	w.metrics.WritesDiskFull.Add(1)
	return &matcher.BoundError{Err: ErrDiskFull, Name: "disk.minFreeBytes", Bound: w.config.MinFreeBytes}
}

// freeBytes is what the file system says is free for this process, in bytes.
func freeBytes(fs vfs.FS) func(folder string) (int64, error) {
	return func(folder string) (int64, error) {
		usage, err := fs.GetDiskUsage(folder)
		return int64(min(usage.AvailBytes, 1<<62)), err
	}
}
