package ingest

import (
	"errors"
	"fmt"
)

var (
	ErrRecordInvalid = errors.New("this is not a record")
	ErrRecordVersion = errors.New("the record was written by a newer version; update this node before it goes on")

	ErrClosed         = errors.New("the log is closed")
	ErrFailed         = errors.New("the log has failed and accepts nothing more; restart to recover what is durable")
	ErrLocked         = errors.New("the log is in use by another process")
	ErrCorrupt        = errors.New("the log is corrupt")
	ErrSegmentVersion = errors.New("the log was written by a newer version; open it with that version")
	ErrTrimmed        = errors.New("the log no longer holds these offsets")
	ErrBeyondEnd      = errors.New("the log does not reach these offsets")
	ErrInvalid        = errors.New("invalid argument") // bad configuration, entries or vectors; nothing was appended
	ErrTooLarge       = errors.New("too large")        // an entry or group beyond its bound; nothing was appended
)

// CorruptError says where a segment file is damaged. It matches ErrCorrupt.
type CorruptError struct {
	File   string // path of the file
	Offset int64  // in bytes from the file's start
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v: %s at byte %d: %s; restore the file from a backup", ErrCorrupt, e.File, e.Offset, e.Reason)
}

func (e *CorruptError) Unwrap() error { return ErrCorrupt }
