package ingest

import "sync/atomic"

// Metrics counts what the embedded log does. All fields may be read at any time. The tags are what the metrics page says.
type Metrics struct {
	Groups       atomic.Uint64 `help:"Groups made durable."`
	Entries      atomic.Uint64 `help:"Entries made durable."`
	WrittenBytes atomic.Uint64 `help:"Bytes written to segments, zeros ahead not counted."`
	Writes       atomic.Uint64 `help:"Writes to segments, each of all groups that waited."`
	Syncs        atomic.Uint64 `help:"Syncs of segments (fdatasync)."`
	SyncNanos    atomic.Uint64 `help:"Time spent in syncs of segments."`
	Segments     atomic.Int64  `help:"Segment files now."`
	Recycled     atomic.Uint64 `help:"Segments that were made of a trimmed one's file."`
	Damaged      atomic.Uint64 `help:"Segments found to be damaged."`
	Waiting      atomic.Int64  `help:"Appends that no write has taken yet."`
	CutBytes     atomic.Int64  `help:"Bytes of a torn group that the start cut off."`
	Failed       atomic.Bool   `help:"1 if the log has failed and accepts nothing more."`
	OpenedClean  atomic.Bool   `help:"1 if the log had been closed in order before this start."`
}
