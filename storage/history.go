package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

var (
	// ErrHistoryGone says that changes since a position are no longer kept, are damaged, or never were of this time line.
	ErrHistoryGone = errors.New("the history does not reach back to this position")
	// ErrHistoryTooLarge says that the changes since a position do not fit the bound that the caller gave.
	ErrHistoryTooLarge = errors.New("the history since this position is too large")
)

// errPast ends a tail of the log that has come to the snapshot.
var errPast = errors.New("at the snapshot")

// History returns the changes of a collection between since and the snapshot's vector, in local order, fences included.
// What came before a fence is left out, for the fence took it away. It reads the log: one of attempts says nothing of
// what was accepted, so there the history is always gone (ErrHistoryGone), unless nothing happened since.
//
// maxBytes bounds the texts and tapes of the documents; beyond it the error is ErrHistoryTooLarge.
func (n *Snapshot) History(ctx context.Context, c matcher.CollectionID, since matcher.Vector, maxBytes int) ([]matcher.Past, error) {
	switch {
	case !n.vector.Covers(since):
		return nil, ErrHistoryGone
	case n.vector.Equal(since):
		return nil, nil
	case n.store.config.Attempts:
		return nil, ErrHistoryGone
	}
	h := history{snapshot: n, collection: c, at: since.Clone(), maxBytes: maxBytes}
	err := n.store.log.Tail(ctx, since.Next, h.add)
	switch {
	case errors.Is(err, errPast):
		return h.changes, nil
	case errors.Is(err, ingest.ErrTrimmed), errors.Is(err, ingest.ErrCorrupt): // of damage the log itself tells
		return nil, ErrHistoryGone
	case errors.Is(err, ErrHistoryTooLarge):
		return nil, err
	}
	return nil, fmt.Errorf("read the history: %w", err)
}

// history gathers the changes of one collection from the log.
type history struct {
	snapshot   *Snapshot
	collection matcher.CollectionID
	at         matcher.Vector // everything before it has been gathered
	changes    []matcher.Past
	bytes      int
	maxBytes   int
}

// add takes the next entries of the log. Their local order is the log's, so that the snapshot is a prefix of it.
func (h *history) add(entries []ingest.Entry) error {
	for _, e := range entries {
		if e.Offset >= h.snapshot.vector.Next[e.Partition] {
			return errPast
		}
		position := matcher.Position{Incarnation: h.at.Incarnation, Partition: e.Partition, Offset: e.Offset}
		h.at.Advance(position)
		if e.Partition == matcher.ControlPartition {
			continue
		}
		if err := h.record(e, position); err != nil {
			return fmt.Errorf("offset %d of log partition %d: %w", e.Offset, e.Partition, err)
		}
	}
	if h.at.Covers(h.snapshot.vector) {
		return errPast
	}
	return nil
}

func (h *history) record(e ingest.Entry, position matcher.Position) error {
	r, err := ingest.DecodeRecord(e.Payload)
	if err != nil {
		return err
	}
	if r.Collection != h.collection {
		return nil
	}
	c := &matcher.Change{
		Position: position, Collection: r.Collection, Operation: r.Operation, Fence: r.Fence, Epoch: r.Epoch, ID: r.ID,
	}
	past := matcher.Past{Change: c, At: h.at.String()}
	if r.Fence != matcher.FenceNone {
		clear(h.changes)
		h.changes, h.bytes = append(h.changes[:0], past), 0
		return nil
	}
	if c.Before, err = h.document(r.Before); err != nil {
		return err
	}
	if c.After, err = h.document(r.After); err != nil {
		return err
	}
	if h.bytes += historyOverheadBytes + len(past.At); h.bytes > h.maxBytes {
		return ErrHistoryTooLarge
	}
	h.changes = append(h.changes, past)
	return nil
}

// historyOverheadBytes is about what a change needs beside its documents.
const historyOverheadBytes = 192

// document parses an image. The log's buffer is its caller's, so the text is copied.
func (h *history) document(text []byte) (*matcher.Document, error) {
	if text == nil {
		return nil, nil
	}
	d, err := matcher.Parse(append([]byte(nil), text...), storedLimits(h.snapshot.store.config.Limits))
	if err != nil {
		return nil, err
	}
	h.bytes += d.MemoryBytes()
	return d, nil
}
