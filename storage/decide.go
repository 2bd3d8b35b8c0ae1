package storage

import (
	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// head is the current state of a key: its document, or its tombstone, or nothing.
type head struct {
	document *matcher.Document // nil: there is none
	writeID  matcher.WriteID   // of the document or of the tombstone; zero: nothing
	deleted  uint64            // offset of the tombstone, if it is one
}

// expired reports whether h is a tombstone that counts no more at the given offset (invariant 5).
func (h head) expired(offset, maxWriteLag uint64) bool {
	return h.document == nil && !h.writeID.IsZero() && offset > h.deleted && offset-h.deleted > maxWriteLag
}

// epoch is how far a collection's fences have come in one log partition.
type epoch struct {
	number uint32
	fence  matcher.Fence // the last one; FenceDrop: nothing is accepted any more
	offset uint64        // of the last fence
}

// expired reports whether e belongs to a collection that was dropped so long ago that whatever was written under it
// fails by its lag alone.
func (e epoch) expired(offset, maxWriteLag uint64) bool {
	return e.fence == matcher.FenceDrop && offset > e.offset && offset-e.offset > maxWriteLag
}

// constants are what the log's first record fixes for the whole life of the log.
type constants struct {
	maxWriteLag   uint64
	maxRequestLag uint64
}

// verdict is what decide says of an attempt.
type verdict uint8

const (
	accepted verdict = iota
	rejectedBase
	rejectedLag
	rejectedEpoch
	rejectedNothing // a delete of nothing
	rejectedReuse   // the request id names another request
	repeated        // the request was accepted before: its first outcome counts
	rejectedSpace   // by the sequencer, which asks this before it decides: the disk is nearly full
)

// decide says whether an attempt at the given offset of its log partition is accepted. It is the only arbiter, the
// same for a sequencer that is about to append and for an applier that reads a log of attempts (invariants 3, 4). An
// earlier request with the same id comes before everything else: its outcome stands, whatever happened since.
func decide(r *ingest.Record, offset uint64, current head, e epoch, earlier remembered, k constants) verdict {
	maxWriteLag := k.maxWriteLag
	if earlier.counts(offset, k.maxRequestLag) {
		if earlier.hash != r.RequestHash {
			return rejectedReuse
		}
		return repeated
	}
	if e.expired(offset, maxWriteLag) {
		e = epoch{}
	}
	if r.Kind == ingest.RecordFence {
		// A fence goes through once: a doubled or late one finds its epoch reached.
		if e.fence == matcher.FenceDrop || r.Epoch <= e.number {
			return rejectedEpoch
		}
		return accepted
	}
	switch {
	case e.fence == matcher.FenceDrop || r.Epoch != e.number:
		return rejectedEpoch
	case r.ReadTo > offset || offset-r.ReadTo > maxWriteLag:
		return rejectedLag
	}
	base := current.writeID
	if current.expired(offset, maxWriteLag) {
		base = matcher.WriteID{}
	}
	switch {
	case r.Base != base:
		return rejectedBase
	case r.After == nil && current.document == nil:
		return rejectedNothing
	}
	return accepted
}

// operationOf is what a write does, seen from the states that it joins.
func operationOf(before, after *matcher.Document) matcher.Operation {
	switch {
	case after == nil:
		return matcher.OperationDelete
	case before == nil:
		return matcher.OperationInsert
	}
	return matcher.OperationUpdate
}
