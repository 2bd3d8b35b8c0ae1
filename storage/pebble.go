package storage

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// How Pebble fails. What its background work fails with comes as an event, and ends the store in order. What it can
// neither undo nor leave as it is comes to its logger as fatal, and where it cannot make the name of a file durable it
// panics, in whatever goroutine; both end the process through Config.Fatal. While it is being opened they are errors of
// Open.
//
// Where opening fails late, one goroutine stays behind, that of Pebble's compaction scheduler: only closing the database
// ends it, and there is none. It looks every 100 ms whether something is to be compacted, so whoever fails to open a state
// ends the process, and does not try again.

// openPebble opens the state. failed is told why its background work cannot go on.
func openPebble(cfg Config, failed func(error)) (db *pebble.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%v", p)
			if cause, ok := p.(error); ok {
				err = cause
			}
		}
	}()
	memTableBytes := min(max(4*cfg.FlushBytes, 8<<20), maxMemTableBytes)
	options := &pebble.Options{
		FS: guardedFS{cfg.FS, cfg.Fatal},
		// Pebble takes the memory of its tables, the one that fills and the one that is flushed, out of its cache; a cache of
		// no more than that would hold no blocks while writes come.
		CacheSize: cfg.BlockCacheBytes + 2*memTableBytes,
		// The log is the write-ahead log; the state is rolled back to its last flush by a crash and replays from there.
		DisableWAL:                  true,
		MemTableSize:                uint64(memTableBytes),
		MemTableStopWritesThreshold: 4,
		MaxManifestFileSize:         cfg.manifestBytes,
		FormatMajorVersion:          stateFormat,
		Logger:                      quiet{cfg.Fatal},
		// Pebble would try again for ever. What it could not write is in the log; a new start has it.
		EventListener: &pebble.EventListener{
			BackgroundError: failed,
			DataCorruption:  func(i pebble.DataCorruptionInfo) { failed(stateDamage(i)) },
		},
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return pebble.Open(cfg.Dir, options)
}

// ErrStateDamaged says that a file of the state is not what was written.
var ErrStateDamaged = errors.New("the state is damaged")

func stateDamage(i pebble.DataCorruptionInfo) error {
	return fmt.Errorf("%w: %s: %w; restore it from a backup, or move the state away where the log still begins at 0", ErrStateDamaged, i.Path, i.Details)
}

// quiet keeps Pebble's own messages to itself: what goes wrong comes back as an error, except what cannot.
type quiet struct {
	fatal func(error)
}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (q quiet) Fatalf(format string, args ...any) {
	err := fmt.Errorf("keep the state: %s", fmt.Sprintf(format, args...))
	if q.fatal != nil && !within(functionOpen) {
		q.fatal(err)
	}
	panic(err)
}

// guardedFS is the file system under Pebble. It tells fatal of what Pebble would panic with.
type guardedFS struct {
	vfs.FS
	fatal func(error)
}

func (f guardedFS) Unwrap() vfs.FS { return f.FS }

func (f guardedFS) OpenDir(name string) (vfs.File, error) {
	d, err := f.FS.OpenDir(name)
	if err != nil || f.fatal == nil {
		return d, err
	}
	return guardedDirectory{d, name, f.fatal}, nil
}

type guardedDirectory struct {
	vfs.File
	name  string
	fatal func(error)
}

// Sync fails to the caller, unless that is one that panics.
func (d guardedDirectory) Sync() error {
	err := d.File.Sync()
	if err != nil && within(functionMove) && !within(functionOpen) {
		d.fatal(fmt.Errorf("keep the state: sync the folder %s: %w", d.name, err))
	}
	return err
}

// The functions of Pebble that the way to a failure is looked through for.
var (
	functionOpen = functionName(pebble.Open)
	functionMove = functionName((*atomicfs.Marker).Move) // panics where it cannot sync the folder
)

func functionName(function any) string {
	return runtime.FuncForPC(reflect.ValueOf(function).Pointer()).Name()
}

// within reports whether this goroutine is in the named function. It is for what happens once in the life of a process.
func within(function string) bool {
	var callers [256]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		if frame.Function == function {
			return true
		}
		if !more {
			return false
		}
	}
}
