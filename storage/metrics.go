package storage

import "sync/atomic"

// Metrics counts what the store does. All fields may be read at any time. The tags are what the metrics page says.
type Metrics struct {
	Groups         atomic.Uint64 `help:"Groups applied."`
	WritesAccepted atomic.Uint64 `help:"Records applied that changed a document."`
	WritesRejected atomic.Uint64 `help:"Attempts whose key, epoch or lag had moved on."`
	WritesRepeated atomic.Uint64 `help:"Writes whose request id had been accepted before."`
	WritesJoined   atomic.Uint64 `help:"Writes that were computed from one still on its way."`
	WrittenBytes   atomic.Uint64 `help:"Payload bytes of applied records."`
	WaitingWrites  atomic.Int64  `help:"Writes that wait for the apply loop."`
	WaitingBytes   atomic.Int64  `help:"Memory of the writes that wait for the apply loop, about; at most MaxWaitingBytes."`
	Boundaries     atomic.Uint64 `help:"Tasks of live queries run between two groups."`
	Flushes        atomic.Uint64 `help:"Flushes of the documents that were asked for."`
	Replayed       atomic.Uint64 `help:"Records replayed at the start."`
	CacheHits      atomic.Uint64 `help:"Documents found in the cache."`
	CacheMisses    atomic.Uint64 `help:"Documents that were not in the cache."`
	FullSeenSets   atomic.Int64  `help:"Collections' log partitions with more paths than MaxSeenPaths: no warning type-never-seen there."`
	WritesDiskFull atomic.Uint64 `help:"Writes refused because too little of the disk was free."`
	FreeBytes      atomic.Int64  `help:"Bytes free on the disk with the least free space, as last measured."`
	DiskLow        atomic.Int64  `help:"1 while writes are refused because too little of the disk is free."`
	Snapshots      atomic.Int64  `help:"Snapshots open now."`

	IndexEntriesWritten   atomic.Uint64 `help:"Index entries set or deleted."`
	IndexDocumentsBuilt   atomic.Uint64 `help:"Documents read to build indexes."`
	IndexDocumentsFetched atomic.Uint64 `help:"Documents that searches fetched through an index."`
	DocumentsScanned      atomic.Uint64 `help:"Documents that searches read without an index."`
	DocumentsExpired      atomic.Uint64 `help:"Documents deleted because their time had come."`
}
