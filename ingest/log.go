package ingest

import "context"

// Entry is one payload in the log. The log does not look inside it.
type Entry struct {
	Partition int    // matcher.ControlPartition or a data partition, 1..LogPartitions
	Offset    uint64 // set by Append; counted from 0 in each log partition, without holes in the embedded log
	Payload   []byte
}

// Log is an ordered, partitioned, durable sequence of payloads. Append may be called from many goroutines.
type Log interface {
	// Partitions is the number of log partitions, the control partition included. It never changes.
	Partitions() int
	// Append adds the entries, in their order within each log partition, and returns once they are durable, with
	// each entry's Offset set. The embedded log appends them as one group: after a crash all are there or none.
	// The payloads may be reused once it returned. After an error the outcome is unknown, and the log accepts nothing more if its medium failed.
	Append(ctx context.Context, entries []Entry) error
	// Tail calls deliver with durable entries in the log's order, from the offset from[p] on in each log partition p,
	// and waits for more until ctx ends or deliver fails. The entries are valid during the call only.
	// It fails with ErrTrimmed if from lies below what the log still holds, with ErrBeyondEnd if it lies beyond its end.
	Tail(ctx context.Context, from []uint64, deliver func([]Entry) error) error
	// Bounds returns, for each log partition, the first offset that is held and the one after the last durable one.
	Bounds(ctx context.Context) (first, next []uint64, err error)
	// Trim allows the log to forget entries below the given offsets. It may keep more.
	Trim(ctx context.Context, below []uint64) error
	Close() error
}
