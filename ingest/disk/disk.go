// Package disk is what the log asks of a file system, small enough that a test can stand in for it: package disktest
// fails, tears, flips and crashes where a real disk seldom does.
//
// Invariants:
//
//  1. What File.Sync or File.SyncData returned nil for survives a loss of power, under the name that it had when
//     SyncDirectory last returned nil for its directory. Nothing else need survive.
//  2. A call that failed may have happened in part. Nobody may rely on a file after a sync of it has failed: the
//     kernel forgets which pages it could not write (Rebello et al., "Can Applications Recover from fsync Failures?",
//     USENIX ATC 2020).
//
// It starts no goroutines.
package disk

import "io"

// FS is a file system. Names are paths as package path/filepath makes them.
type FS interface {
	// MakeDirectory makes the directory, and its parents, durably where they are missing.
	MakeDirectory(name string) error
	// List returns the names (not paths) of the files in the directory, in no particular order.
	List(directory string) ([]string, error)
	// Create makes a file for reading and writing, empty if it was there.
	Create(name string) (File, error)
	// Open opens a file for reading and writing. A missing one is fs.ErrNotExist.
	Open(name string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDirectory makes creations, renames and removals in the directory durable.
	SyncDirectory(name string) error
	// Lock takes the exclusive lock on a file, which is made if it is missing, for as long as the process lives or
	// until Close. It fails with ErrLocked at once if another holds it.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may be called from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error) // in bytes
	Sync() error          // makes content and metadata durable
	SyncData() error      // makes content durable, and the metadata that reading it needs (fdatasync)
}
