package storage

import "sync/atomic"

// Metrics counts what the store does. All fields may be read at any time.
type Metrics struct {
	Groups         atomic.Uint64 // groups applied
	WritesAccepted atomic.Uint64 // records applied that changed a document
	WritesRejected atomic.Uint64 // attempts whose key, epoch or lag had moved on
	WritesRepeated atomic.Uint64 // writes whose request id had been accepted before
	WritesJoined   atomic.Uint64 // writes that were computed from one still on its way
	WrittenBytes   atomic.Uint64 // payload bytes of applied records
	WaitingWrites  atomic.Int64  // writes that wait for the apply loop
	WaitingBytes   atomic.Int64  // what these hold in memory, about; at most MaxWaitingBytes
	Boundaries     atomic.Uint64 // tasks run between two groups
	Flushes        atomic.Uint64 // flushes of the state asked for
	Replayed       atomic.Uint64 // records replayed at the start
	CacheHits      atomic.Uint64 // documents found in the cache
	CacheMisses    atomic.Uint64 // documents read from Pebble
	FullSeenSets   atomic.Int64  // collections' log partitions with more paths than MaxSeenPaths
	WritesDiskFull atomic.Uint64 // writes refused because too little of the disk was free
	FreeBytes      atomic.Int64  // free on the disk with the least free space
	DiskLow        atomic.Int64  // 1 while writes are refused for it
	Snapshots      atomic.Int64  // snapshots open now

	IndexEntriesWritten   atomic.Uint64 // index entries set or deleted
	IndexDocumentsBuilt   atomic.Uint64 // documents read to build indexes
	IndexDocumentsFetched atomic.Uint64 // documents that searches fetched through an index
	DocumentsScanned      atomic.Uint64 // documents that searches read without one
	DocumentsExpired      atomic.Uint64 // documents deleted because their time had come
}
