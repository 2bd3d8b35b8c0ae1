package storage

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/matcher"
)

var (
	ErrCollectionNotFound = errors.New("the collection does not exist")
	ErrCollectionChanged  = errors.New("the collection was dropped or truncated meanwhile")
	ErrTooManyCollections = errors.New("the app has too many collections")
	ErrOverloaded         = errors.New("too many writes are waiting")
	ErrContended          = errors.New("other writes to the document came first")
	ErrRequestReused      = errors.New("the request id was used for another request")
	ErrOutcomeUnknown     = errors.New("the outcome of the write is unknown")
	ErrStopped            = errors.New("the store has stopped")
	ErrResultTooLarge     = errors.New("the result has too many documents")
	ErrStateAhead         = errors.New("the state lies outside the log: the log lost records that were applied")
	ErrFormat             = errors.New("the data folder has another format")
)

// MaxCollections bounds the collections of one app. It is part of what decide reads, so it is a constant.
const MaxCollections = 10_000

// DefaultMaxRequestLag is for how many offsets request ids are remembered where a log does not say.
const DefaultMaxRequestLag = 1 << 20

// Bounds of one group and of what waits for one.
const (
	MaxGroupWrites   = 512
	MaxGroupBytes    = 8 << 20
	MaxWaitingWrites = 8192 // waiting and being applied; so also the bound of speculative heads
	MaxWaitingBytes  = 256 << 20
	MaxWaitingTasks  = 4096
)

// MaxFlushBytes bounds Config.FlushBytes: what is applied between two flushes must fit Pebble's table in memory with room
// to spare.
const (
	MaxFlushBytes    = 1 << 30
	maxMemTableBytes = 3 << 30
)

// Config configures a Store. The zero value of a field means its default.
type Config struct {
	Dir    string         // folder of the Pebble state
	FS     vfs.FS         // file system of the Pebble state; default the operating system's
	Limits matcher.Limits // bounds on documents and results

	// CacheBytes bounds the cache of parsed documents (default 256 MiB). It serves before-images and point reads; what
	// is not in it costs a Pebble read and a parse.
	CacheBytes int64
	// BlockCacheBytes is what Pebble's cache of blocks has at least (default 64 MiB), unless more than two memory tables
	// wait to be flushed, as while an index is built: each takes up to four times FlushBytes, and there are four at most.
	BlockCacheBytes int64
	// FlushBytes is how much is applied between two flushes of the state (default 32 MiB, at most MaxFlushBytes). A start replays at most
	// about twice as much of the log; smaller means shorter starts and more compaction work.
	FlushBytes int64
	// MaxWriteLag is how many offsets of its log partition a write may lie behind what its writer had read, and how
	// long tombstones live (default 2^20). It is written into a new log and taken from there ever after.
	MaxWriteLag uint64
	// MaxRequestLag is for how many offsets of its log partition an accepted write is remembered by its request id, with
	// the document that it stored (default DefaultMaxRequestLag). It is written into a new log and taken from there ever
	// after. Larger makes later retries safe, and keeps that many documents more on disk at most.
	MaxRequestLag uint64
	// MinFreeBytes is how much of the disk must be free for writes to be taken; below it they are refused with
	// ErrDiskFull until there is room again (0: they always are taken, and a disk that is full ends the store). Reads,
	// drops and truncates go on. It must leave room for the writes that wait, a flush and a compaction.
	MinFreeBytes int64
	// LogDir is the folder of the log, whose free space counts as that of Dir does; "" if it lies on the same disk.
	LogDir string
	// FreeBytes measures the free space under a folder (default: FS does).
	FreeBytes func(folder string) (int64, error)
	// SpaceChanged is told, beside the loop, when the disk gets below MinFreeBytes and when it has room again; nil: nobody.
	SpaceChanged func(Space)
	// Fatal is told why the process must end at once, and must not return: Pebble does not know whether it wrote to the file
	// that lists its files, or whether the file has its name, and could neither go on nor close. The log has everything. nil:
	// a panic.
	Fatal func(error)
	// Attempts says that the log holds attempts to be decided as they are read, instead of applied records.
	Attempts bool
	// NewIncarnation begins a new incarnation of the log after the replay: positions from before get a reset.
	NewIncarnation bool

	// Of tests.
	chunkDocuments    int                        // how many documents the builder of indexes reads at a time
	groupPayloadBytes int                        // where a group of records ends
	manifestBytes     int64                      // from which size on Pebble makes the file that lists its files anew; 0: its default
	recheck           func(it *item, found head) // what a steady write goes by, and what its key's state is; the zero head: it is gone
}

func (c Config) withDefaults() Config {
	c.Limits = c.Limits.WithDefaults()
	c.FlushBytes = min(c.FlushBytes, MaxFlushBytes)
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 256 << 20
	}
	if c.BlockCacheBytes == 0 {
		c.BlockCacheBytes = 64 << 20
	}
	if c.FlushBytes == 0 {
		c.FlushBytes = 32 << 20
	}
	if c.FreeBytes == nil {
		c.FreeBytes = freeBytes(c.FS)
	}
	if c.MaxWriteLag == 0 {
		c.MaxWriteLag = 1 << 20
	}
	if c.MaxRequestLag == 0 {
		c.MaxRequestLag = DefaultMaxRequestLag
	}
	if c.chunkDocuments == 0 {
		c.chunkDocuments = maxChunkDocuments
	}
	if c.groupPayloadBytes == 0 {
		c.groupPayloadBytes = maxGroupPayloadBytes
	}
	return c
}
