package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
)

// errReplayed ends the tail of a replay that has come to the end of the log.
var errReplayed = errors.New("replayed")

// replay applies the records of the embedded log that the flushed state lacks. They were decided before they were
// appended; a replay decides nothing again.
func (s *Store) replay(ctx context.Context) error {
	_, end, err := s.log.Bounds(ctx)
	if err != nil {
		return err
	}
	if reached(s.loop.vector.Next, end) {
		return nil
	}
	err = s.log.Tail(ctx, slices.Clone(s.loop.vector.Next), func(entries []ingest.Entry) error {
		if err := s.replayEntries(entries); err != nil {
			return err
		}
		if reached(s.loop.vector.Next, end) {
			return errReplayed
		}
		return nil
	})
	if errors.Is(err, errReplayed) {
		return nil
	}
	return err
}

func (s *Store) replayEntries(entries []ingest.Entry) error {
	g := s.loop.begin()
	for _, e := range entries {
		if e.Offset < s.loop.vector.Next[e.Partition] {
			continue
		}
		if err := s.loop.replayEntry(g, e); err != nil {
			return fmt.Errorf("apply offset %d of log partition %d: %w", e.Offset, e.Partition, err)
		}
		s.metrics.Replayed.Add(1)
	}
	batch, err := s.loop.batch(g)
	if err != nil {
		return err
	}
	s.unflushed += int64(batch.Len())
	if err := errors.Join(batch.Commit(pebble.NoSync), batch.Close()); err != nil {
		return err
	}
	s.loop.seen.commit(g)
	s.publish()
	return s.flushIfDue()
}

func (a *applier) replayEntry(g *group, e ingest.Entry) error {
	if e.Offset != a.vector.Next[e.Partition] {
		return fmt.Errorf("the record before it is missing: %d was expected", a.vector.Next[e.Partition])
	}
	r, err := ingest.DecodeRecord(e.Payload)
	if err != nil {
		return err
	}
	switch r.Kind {
	case ingest.RecordWrite:
		before, after, err := a.indexes.images(&r, a.limits)
		if err != nil {
			return err
		}
		a.applyWrite(g, documentKey{r.Collection, e.Partition, r.ID}, &r, e.Offset, before, after)
		a.sequence++
		return a.seeText(g, epochKey{e.Partition, r.Collection}, r.After)
	case ingest.RecordFence:
		a.applyFence(g, epochKey{e.Partition, r.Collection}, &r, e.Offset)
		a.sequence++
	case ingest.RecordControl:
		body, err := readControl(r.Body)
		if err != nil {
			return err
		}
		next, result := a.catalog.apply(body)
		if result.err != nil {
			return fmt.Errorf("apply control record: %w", result.err)
		}
		a.applyCatalog(g, next, result.collection)
		a.advance(g, e.Partition, e.Offset)
	default:
		return fmt.Errorf("this program does not know records of kind %d", r.Kind)
	}
	return nil
}
