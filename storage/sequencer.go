package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// Run replays the log, then applies writes until ctx ends; what was accepted by then is finished first. It returns an
// error where the store cannot go on, after which nothing may be trusted but a new start.
func (s *Store) Run(ctx context.Context) error {
	defer close(s.stopped)
	defer s.abandon()
	defer s.startBuilder(ctx)()
	defer s.space.watch(ctx)()
	if s.config.Attempts {
		return s.follow(ctx)
	}
	if err := s.replay(ctx); err != nil {
		return fmt.Errorf("replay the log: %w", err)
	}
	if err := s.beginLog(ctx); err != nil {
		return err
	}
	close(s.ready)
	for ctx.Err() == nil {
		if stepped, err := s.step(ctx); stepped || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		select {
		case <-s.pending.wake:
		case t := <-s.tasks:
			s.runTasks(t)
		case <-s.failure.failed:
			return s.failure.err
		case <-ctx.Done():
		}
	}
	return s.drain(ctx)
}

// drain applies the writes that were waiting when the stop came.
func (s *Store) drain(ctx context.Context) error {
	s.pending.close(ErrStopped)
	for {
		if stepped, err := s.step(ctx); !stepped || err != nil {
			return err
		}
	}
}

// beginLog writes the record with which a log, or a new incarnation of it, begins.
func (s *Store) beginLog(ctx context.Context) error {
	var body controlBody
	switch {
	case s.loop.catalog.genesis == nil:
		body.Genesis = s.newGenesis()
	case s.config.NewIncarnation:
		incarnation := newIncarnation()
		body.Incarnation = &incarnation
	default:
		return nil
	}
	r := controlRequest(body, s.NewWriteID())
	r.always = true
	if err := s.applyRequests(ctx, []*request{r}); err != nil {
		return fmt.Errorf("begin the log: %w", err)
	}
	return r.items[0].control.err
}

func (s *Store) newGenesis() *genesis {
	return &genesis{
		Format: FormatVersion, Partitions: s.log.Partitions(), Incarnation: newIncarnation(),
		MaxWriteLag: s.config.MaxWriteLag, MaxRequestLag: s.config.MaxRequestLag,
	}
}

// newIncarnation draws the name of a time line. It needs to differ, not to be secret.
func newIncarnation() uint64 { return rand.Uint64() | 1 }

// step takes what waits, runs the tasks of the boundary, and applies the group. It is false if nothing waited.
func (s *Store) step(ctx context.Context) (stepped bool, err error) {
	s.group = s.pending.take(s.group[:0])
	if len(s.group) == 0 {
		return false, nil
	}
	select {
	case <-s.failure.failed:
		return false, s.fail(s.group, s.failure.err)
	default:
	}
	s.runTasks(nil)
	err = s.applyRequests(ctx, s.group)
	clear(s.group)
	return true, err
}

// applyRequests is the way of a group of writes: decide, append, and, while that becomes durable, batch and prepare;
// then commit, answer, release.
func (s *Store) applyRequests(ctx context.Context, requests []*request) error {
	g := s.loop.begin()
	entries := s.entries[:0]
	s.payloads = s.payloads[:0] // the log has copied, or written, those of the group before
	all, rest := requests, []*request(nil)
	for i, r := range requests {
		if len(s.payloads) >= s.config.groupPayloadBytes {
			requests, rest = requests[:i], requests[i:]
			break
		}
		var err error
		if entries, err = s.stageRequest(g, r, entries); err != nil {
			return s.fail(all, err)
		}
	}
	if !g.dirty {
		s.answer(requests)
		return nil
	}
	s.entries = entries
	s.space.wrote(len(s.payloads))
	// The stop of the process must not tear a group that is on its way: the log finishes it.
	appended := s.startAppend(context.WithoutCancel(ctx), entries)
	batch, err := s.loop.batch(g)
	if err == nil && s.listener != nil {
		s.listener.Prepare(s.loop.finish(g))
	}
	appendErr := <-appended
	if appendErr == nil {
		appendErr = checkOffsets(entries, s.decided)
	}
	if appendErr != nil {
		err = errors.Join(err, fmt.Errorf("append to the log: %w", appendErr))
	}
	if err == nil {
		err = s.commit(g, batch)
	}
	if err != nil {
		return s.fail(all, err)
	}
	s.answer(requests)
	if s.listener != nil {
		s.listener.Release()
	}
	if err := s.flushIfDue(); err != nil || len(rest) == 0 {
		return err
	}
	return s.applyRequests(ctx, rest)
}

// maxGroupPayloadBytes is where a group of records ends, whatever waits: before-images can be much larger than the
// writes themselves. With one more record it is still well below what the log takes as one group.
const maxGroupPayloadBytes = 32 << 20

// stageRequest stages the request's records and appends their entries. A request whose first record is rejected has no
// effect; the fences behind an accepted control record cannot be.
func (s *Store) stageRequest(g *group, r *request, entries []ingest.Entry) ([]ingest.Entry, error) {
	if r.refused = s.refuse(r); r.refused != nil { // it was taken before the disk got full, and waited
		r.items[0].verdict = rejectedSpace
		return entries, nil
	}
	for i := range r.items {
		it := &r.items[i]
		offset := s.loop.vector.Next[it.partition]
		if err := s.loop.stage(g, it); err != nil {
			return nil, err
		}
		if it.verdict != accepted || it.observes {
			return entries, nil
		}
		if i == 0 {
			r.orderFences()
		}
		start := len(s.payloads)
		s.payloads = ingest.AppendRecord(s.payloads, &it.record)
		payload := s.payloads[start:len(s.payloads):len(s.payloads)]
		s.metrics.WrittenBytes.Add(uint64(len(payload)))
		entries = append(entries, ingest.Entry{Partition: it.partition, Offset: offset, Payload: payload})
	}
	return entries, nil
}

// startAppend hands the entries to the log. The offsets that they were decided for are kept in s.decided, for checkOffsets.
func (s *Store) startAppend(ctx context.Context, entries []ingest.Entry) <-chan error {
	s.decided = s.decided[:0]
	for i := range entries {
		s.decided = append(s.decided, entries[i].Offset)
	}
	if l, ok := s.log.(interface {
		StartAppend([]ingest.Entry) <-chan error
	}); ok {
		return l.StartAppend(entries)
	}
	done := make(chan error, 1)
	go func() { done <- s.log.Append(ctx, entries) }()
	return done
}

// checkOffsets checks that the log gave appended entries the offsets that they were decided for.
func checkOffsets(entries []ingest.Entry, decided []uint64) error {
	for i := range entries {
		if entries[i].Offset != decided[i] {
			return fmt.Errorf("log partition %d gave offset %d to a record that was decided for %d: another process appends to this log",
				entries[i].Partition, entries[i].Offset, decided[i])
		}
	}
	return nil
}

// finish describes the group to the listener.
func (a *applier) finish(g *group) *matcher.Group {
	return &matcher.Group{Before: g.before, After: a.vector.Clone(), Changes: g.changes}
}

// commit makes a durable group readable.
func (s *Store) commit(g *group, batch *pebble.Batch) error {
	s.unflushed += int64(batch.Len()) + int64(batch.Count())*memtableOverheadBytes
	if err := errors.Join(batch.Commit(pebble.NoSync), batch.Close()); err != nil {
		return fmt.Errorf("commit the state: %w", err)
	}
	s.loop.seen.commit(g)
	for key, e := range g.entries {
		cached := cacheKey{key.collection, s.loop.epochs[epochKey{key.partition, key.collection}].number, key.id}
		if e.head.document != nil {
			s.cache.set(cached, e.head.document)
		} else {
			s.cache.remove(cached)
		}
	}
	s.loop.end(g)
	s.publish()
	s.metrics.Groups.Add(1)
	return nil
}

// memtableOverheadBytes is about what Pebble's memtable needs for an entry beside key and value.
const memtableOverheadBytes = 64

// answer tells the writers of a group that is durable and readable, or had nothing to write.
func (s *Store) answer(requests []*request) {
	vector := s.published.Load().vector
	s.pending.settle(requests) // after it was published: who finds no head finds the applied state
	for _, r := range requests {
		r.finish(answer{vector: vector, err: r.refused})
	}
}

// fail answers a group that did not become durable for certain.
func (s *Store) fail(requests []*request, err error) error {
	s.pending.close(ErrStopped)
	s.pending.settle(requests)
	for _, r := range requests {
		r.finish(answer{err: errors.Join(ErrOutcomeUnknown, err)})
	}
	return err
}

// abandon answers what still waits when the loop has ended: it was not taken, so it is not made.
func (s *Store) abandon() {
	s.pending.close(ErrStopped)
	for {
		left := s.pending.take(nil)
		if len(left) == 0 {
			return
		}
		s.pending.settle(left)
		for _, r := range left {
			r.finish(answer{err: ErrStopped})
		}
	}
}

// flushIfDue asks Pebble for a flush once enough was applied, and lets go of the log below it when it is done.
func (s *Store) flushIfDue() error {
	if s.unflushed < s.config.FlushBytes || !s.flushing.CompareAndSwap(false, true) {
		return nil
	}
	s.unflushed = 0
	if err := s.syncLog(); err != nil { // invariant 6
		return err
	}
	flushed := s.published.Load().vector
	done, err := s.db.AsyncFlush()
	if err != nil {
		return fmt.Errorf("flush the state: %w", err)
	}
	s.metrics.Flushes.Add(1)
	go func() {
		defer s.flushing.Store(false)
		select {
		case <-done:
			if s.config.Attempts {
				return // a log of attempts is several nodes', and keeps what it keeps
			}
			// A log that cannot be trimmed now is trimmed after the next flush; it is only longer.
			_ = s.log.Trim(context.Background(), flushed.Next)
		case <-s.stopped:
		case <-s.failure.failed:
		}
	}()
	return nil
}

// syncLog makes what the log holds durable where Append alone does not.
func (s *Store) syncLog() error {
	if l, ok := s.log.(interface{ Sync() error }); ok {
		if err := l.Sync(); err != nil {
			return fmt.Errorf("sync the log: %w", err)
		}
	}
	return nil
}
