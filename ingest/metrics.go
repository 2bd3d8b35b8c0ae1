package ingest

import "sync/atomic"

// Metrics counts what the embedded log did since it was opened.
type Metrics struct {
	Groups      atomic.Int64 // freshet_ingest_appended_groups: groups made durable
	Entries     atomic.Int64 // freshet_ingest_appended_entries: entries made durable
	Bytes       atomic.Int64 // freshet_ingest_written_bytes: bytes written to segments, zeros ahead not counted
	Writes      atomic.Int64 // freshet_ingest_write_calls: writes, each of all groups that waited
	Syncs       atomic.Int64 // freshet_ingest_sync_calls: fdatasyncs of segments
	SyncNanos   atomic.Int64 // freshet_ingest_sync_nanoseconds: time spent in them
	Segments    atomic.Int64 // freshet_ingest_held_segments: segment files
	Recycled    atomic.Int64 // freshet_ingest_recycled_segments: segments that were made of a trimmed one's file
	Waiting     atomic.Int64 // freshet_ingest_waiting_groups: appends that no write has taken yet
	CutBytes    atomic.Int64 // freshet_ingest_cut_bytes: torn tail that was cut off on open
	Failed      atomic.Bool  // freshet_ingest_failed: the log accepts nothing more
	OpenedClean atomic.Bool  // freshet_ingest_opened_clean: the log had been closed in order
}
