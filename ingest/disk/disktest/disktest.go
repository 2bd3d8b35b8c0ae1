// Package disktest is a file system in memory that keeps apart what a sync has made durable and what a loss of power
// may take, and that fails, tears and flips on demand.
//
// Invariants:
//
//  1. After Crash, everything that a sync covered is there; of every write since, each sector is there or not,
//     independently; of the names changed since the last sync of their directory, the first few are, in order.
//  2. A sync that failed leaves the unsynced writes readable and never makes them durable by a later sync: what Linux
//     does (see package disk).
//  3. Given the seed and the order of calls, a crash leaves always the same bytes.
//
// A Disk starts no goroutines and may be used from several.
package disktest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/freshetdb/freshet/ingest/disk"
)

// ErrDead is what every call returns after the crash that CrashAt set, and after Restart and Crash.
var ErrDead = errors.New("disktest: the process that used this disk is dead")

// SectorBytes is what a disk writes whole or not at all.
const SectorBytes = 512

// StepKind names the calls that change something.
type StepKind string

const (
	StepCreate        StepKind = "create"
	StepWrite         StepKind = "write"
	StepSync          StepKind = "sync" // File.Sync and File.SyncData
	StepRename        StepKind = "rename"
	StepRemove        StepKind = "remove"
	StepSyncDirectory StepKind = "sync directory"
)

// Step is one call that changes something.
type Step struct {
	Number int // counted from 1
	Kind   StepKind
	Name   string // path
	Offset int64  // of a write
	Bytes  int    // of a write
}

func (s Step) String() string {
	return fmt.Sprintf("step %d: %s %s at %d, %d bytes", s.Number, s.Kind, filepath.Base(s.Name), s.Offset, s.Bytes)
}

// Disk implements disk.FS.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode
	pending []nameChange    // since the last sync of their directories
	locked  map[string]bool // the files of locks, and whether one is held
	steps   int
	last    Step
	crashAt int
	dead    bool
	fault   func(Step) (written int, err error)
}

// inode is a file's content, whatever its name.
type inode struct {
	data    []byte
	durable []byte
	pending []pendingWrite
}

type pendingWrite struct {
	offset int64
	data   []byte
}

// nameChange makes name mean file; nil: nothing.
type nameChange struct {
	changes []nameTo // at once
}

type nameTo struct {
	name string
	file *inode
}

// New makes an empty disk.
func New() *Disk {
	return &Disk{names: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}}
}

// CrashAt lets the process die after the given step; 0: never.
func (d *Disk) CrashAt(step int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = step
}

// SetFault sets what is asked before each step. If it returns an error, the step fails with it; of a write, the first
// `written` bytes are written nevertheless. The disk can be used while it is asked.
func (d *Disk) SetFault(fault func(Step) (written int, err error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// Steps returns how many steps were taken.
func (d *Disk) Steps() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.steps
}

// Last returns the last step.
func (d *Disk) Last() Step {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// Restart returns the disk as the next process finds it if only the process died. The old one is dead.
func (d *Disk) Restart() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	return &Disk{names: d.names, durable: d.durable, pending: d.pending, locked: map[string]bool{}}
}

// Crash returns the disk as the next process finds it after a loss of power. The old one is dead.
func (d *Disk) Crash(rng *rand.Rand) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	return d.crashed(rng)
}

// CrashClone returns what Crash would, and the old one lives on. Meanwhile nothing changes here, and beside is called: it
// may take the same moment of another disk.
func (d *Disk) CrashClone(rng *rand.Rand, beside func()) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	beside()
	return d.crashed(rng)
}

// crashed makes a disk of what a loss of power leaves of this one. mu is held.
func (d *Disk) crashed(rng *rand.Rand) *Disk {
	next := New()
	names := map[string]*inode{}
	for name, file := range d.durable {
		names[name] = file
	}
	for _, change := range d.pending[:rng.IntN(len(d.pending)+1)] {
		for _, to := range change.changes {
			if names[to.name] = to.file; to.file == nil {
				delete(names, to.name)
			}
		}
	}
	ordered := make([]string, 0, len(names))
	for name := range names {
		ordered = append(ordered, name)
	}
	slices.Sort(ordered) // the random numbers must not depend on the order of a map
	for _, name := range ordered {
		data := names[name].crash(rng)
		next.names[name] = &inode{data: data, durable: slices.Clone(data)}
		next.durable[name] = next.names[name]
	}
	return next
}

// crash returns what is left of a file.
func (f *inode) crash(rng *rand.Rand) []byte {
	data := slices.Clone(f.durable)
	keep := [...]float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
	for _, w := range f.pending {
		for from := int64(0); from < int64(len(w.data)); {
			at := w.offset + from
			n := min(SectorBytes-at%SectorBytes, int64(len(w.data))-from)
			if rng.Float64() < keep {
				data = writeTo(data, w.data[from:from+n], at)
			}
			from += n
		}
	}
	return data
}

func writeTo(data, b []byte, at int64) []byte {
	if end := at + int64(len(b)); end > int64(len(data)) {
		data = append(data, make([]byte, end-int64(len(data)))...)
	}
	copy(data[at:], b)
	return data
}

// FlipBit changes one bit of a file, durably: what a bad disk does.
func (d *Disk) FlipBit(name string, at int64, bit uint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.names[name]
	f.data[at] ^= 1 << (bit % 8)
	if at < int64(len(f.durable)) {
		f.durable[at] = f.data[at]
	}
}

// Contents returns a copy of a file, nil if there is none.
func (d *Disk) Contents(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.names[name]; f != nil {
		return slices.Clone(f.data)
	}
	return nil
}

// Put makes a file of the given content, durably.
func (d *Disk) Put(name string, content []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = &inode{data: slices.Clone(content), durable: slices.Clone(content)}
	d.durable[name] = d.names[name]
}

// step counts a call and asks the fault. mu is held, except while the fault is asked.
func (d *Disk) step(kind StepKind, name string, offset int64, bytes int) (written int, err error) {
	if d.dead {
		return 0, ErrDead
	}
	d.steps++
	d.last = Step{Number: d.steps, Kind: kind, Name: name, Offset: offset, Bytes: bytes}
	if d.steps == d.crashAt {
		d.dead = true // the step itself is still taken
	}
	if fault := d.fault; fault != nil {
		step := d.last
		d.mu.Unlock() // a fault may take its time, and others read meanwhile
		written, err = fault(step)
		d.mu.Lock()
		if err != nil {
			return min(written, bytes), fmt.Errorf("disktest: %v: %w", step, err)
		}
	}
	return bytes, nil
}

// rename records changes of names that are durable with the next sync of the directory.
func (d *Disk) rename(changes ...nameTo) {
	for _, to := range changes {
		if d.names[to.name] = to.file; to.file == nil {
			delete(d.names, to.name)
		}
	}
	d.pending = append(d.pending, nameChange{changes})
}

// MakeDirectory implements disk.FS. Directories are implied.
func (d *Disk) MakeDirectory(string) error { return nil }

// List implements disk.FS.
func (d *Disk) List(directory string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, ErrDead
	}
	var names []string
	for name := range d.names {
		if filepath.Dir(name) == filepath.Clean(directory) {
			names = append(names, filepath.Base(name))
		}
	}
	for name := range d.locked {
		if filepath.Dir(name) == filepath.Clean(directory) {
			names = append(names, filepath.Base(name))
		}
	}
	return names, nil
}

// Create implements disk.FS.
func (d *Disk) Create(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.step(StepCreate, name, 0, 0); err != nil {
		return nil, err
	}
	f := &inode{}
	d.rename(nameTo{name, f})
	return &file{disk: d, name: name, inode: f}, nil
}

// Open implements disk.FS.
func (d *Disk) Open(name string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, ErrDead
	}
	f := d.names[name]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{disk: d, name: name, inode: f}, nil
}

// Rename implements disk.FS.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.step(StepRename, from, 0, 0); err != nil {
		return err
	}
	f := d.names[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	d.rename(nameTo{from, nil}, nameTo{to, f})
	return nil
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.step(StepRemove, name, 0, 0); err != nil {
		return err
	}
	if d.names[name] == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	d.rename(nameTo{name, nil})
	return nil
}

// SyncDirectory implements disk.FS. It syncs all directories.
func (d *Disk) SyncDirectory(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.step(StepSyncDirectory, name, 0, 0); err != nil {
		return err
	}
	clear(d.durable)
	for name, f := range d.names {
		d.durable[name] = f
	}
	d.pending = nil
	return nil
}

// Lock implements disk.FS.
func (d *Disk) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, ErrDead
	}
	if d.locked[name] {
		return nil, fmt.Errorf("lock %s: %w", name, disk.ErrLocked)
	}
	d.locked[name] = true
	return unlocker{d, name}, nil
}

type unlocker struct {
	disk *Disk
	name string
}

func (u unlocker) Close() error {
	u.disk.mu.Lock()
	defer u.disk.mu.Unlock()
	u.disk.locked[u.name] = false
	return nil
}

// file is an open file.
type file struct {
	disk  *Disk
	name  string
	inode *inode
}

func (f *file) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.dead {
		return 0, ErrDead
	}
	if at >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.inode.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	n, err := f.disk.step(StepWrite, f.name, at, len(b))
	if n > 0 {
		f.inode.data = writeTo(f.inode.data, b[:n], at)
		f.inode.pending = append(f.inode.pending, pendingWrite{at, slices.Clone(b[:n])})
	}
	return n, err
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	_, err := f.disk.step(StepSync, f.name, 0, 0)
	if errors.Is(err, ErrDead) {
		return err
	}
	if err == nil {
		for _, w := range f.inode.pending {
			f.inode.durable = writeTo(f.inode.durable, w.data, w.offset)
		}
	}
	f.inode.pending = nil // a failed sync forgets them: invariant 2
	return err
}

func (f *file) SyncData() error { return f.Sync() }

func (f *file) Size() (int64, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.dead {
		return 0, ErrDead
	}
	return int64(len(f.inode.data)), nil
}

func (f *file) Close() error { return nil }
