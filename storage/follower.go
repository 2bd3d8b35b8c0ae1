package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// follow is the loop over a log of attempts: it reads them in the log's order and decides each as it applies it.
func (s *Store) follow(ctx context.Context) error {
	defer s.waiters.abandon()
	if err := s.appendGenesis(ctx); err != nil {
		return fmt.Errorf("begin the log: %w", err)
	}
	_, end, err := s.log.Bounds(ctx)
	if err != nil {
		return err
	}
	tailCtx, stopTail := context.WithCancel(ctx)
	defer stopTail()
	batches := make(chan []ingest.Entry)
	applied := make(chan error)
	tailed := make(chan error, 1)
	go func() {
		tailed <- s.log.Tail(tailCtx, slices.Clone(s.loop.vector.Next), func(entries []ingest.Entry) error {
			select {
			case batches <- entries:
			case <-tailCtx.Done():
				return tailCtx.Err()
			}
			// The entries are valid during this call only, so it lasts until they are applied.
			return <-applied
		})
	}()
	ready := false
	for {
		if s.orphaned && ready {
			s.orphaned = false
			go s.completeFences(tailCtx)
		}
		if !ready && reached(s.loop.vector.Next, end) {
			ready = true
			close(s.ready)
			s.orphaned = true
			continue
		}
		select {
		case entries := <-batches:
			err := s.applyAttempts(entries)
			applied <- err
			if err != nil {
				<-tailed
				return err
			}
		case t := <-s.tasks:
			s.runTasks(t)
		case <-s.failure.failed:
			stopTail()
			close(applied)
			<-tailed
			return s.failure.err
		case err := <-tailed:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("follow the log: %w", err)
		}
	}
}

func reached(next, end []uint64) bool {
	for p := range end {
		if next[p] < end[p] {
			return false
		}
	}
	return true
}

// maxAppendTries bounds how often records that may stand in the log twice are appended anew because the outcome of the
// append is unknown.
const maxAppendTries = 10

// appendRepeatable appends entries of which only the first copy counts.
func (s *Store) appendRepeatable(ctx context.Context, entries []ingest.Entry) (err error) {
	for range maxAppendTries {
		if err = s.log.Append(ctx, entries); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// appendGenesis begins a log that has no record yet. Where several nodes do, the first one counts.
func (s *Store) appendGenesis(ctx context.Context) error {
	if s.loop.catalog.genesis != nil {
		return nil
	}
	_, next, err := s.log.Bounds(ctx)
	if err != nil || next[matcher.ControlPartition] > 0 {
		return err
	}
	r := controlRequest(controlBody{Genesis: s.newGenesis()}, s.NewWriteID())
	return s.appendRepeatable(ctx, []ingest.Entry{encodeItem(&r.items[0])})
}

// completeFences appends the fences that were ordered in the control partition and are missing in a data partition:
// whoever ordered them may have failed on the way. Any node may do so, as only the first copy counts.
func (s *Store) completeFences(ctx context.Context) {
	var missing []ingest.Entry
	err := s.Boundary(ctx, func(n *Snapshot) {
		_ = n.Close() // nothing is read from it
		for p, fences := range s.loop.missingFences() {
			for _, c := range fences {
				it := s.fenceItem(p, c.ID, c.Epoch, c.Fence)
				missing = append(missing, encodeItem(&it))
			}
		}
	})
	if err != nil || len(missing) == 0 {
		return // the store is stopping, or all is well
	}
	// A fence that fails here is appended at the next start, of this node or of another; until then writes to its log
	// partition are rejected, none is lost.
	_ = s.appendRepeatable(ctx, missing)
}

// missingFences lists, by data partition, the collections whose last fence it lacks.
func (a *applier) missingFences() map[int][]Collection {
	missing := map[int][]Collection{}
	for _, c := range a.catalog.byID.all() {
		for p := 1; p < len(a.vector.Next); p++ {
			if a.lacksFence(p, c) {
				missing[p] = append(missing[p], c)
			}
		}
	}
	return missing
}

func encodeItem(it *item) ingest.Entry {
	return ingest.Entry{Partition: it.partition, Payload: ingest.AppendRecord(nil, &it.record)}
}

// applyAttempts decides and applies what came out of the log. Rejected attempts take an offset, and no more.
func (s *Store) applyAttempts(entries []ingest.Entry) error {
	s.runTasks(nil)
	g := s.loop.begin()
	var decided []*waiting
	for _, e := range entries {
		if e.Offset < s.loop.vector.Next[e.Partition] {
			continue
		}
		w, err := s.stageAttempt(g, e)
		if err != nil {
			return fmt.Errorf("apply offset %d of log partition %d: %w", e.Offset, e.Partition, err)
		}
		if w != nil {
			decided = append(decided, w)
		}
	}
	batch, err := s.loop.batch(g)
	if err != nil {
		return err
	}
	if s.listener != nil {
		s.listener.Prepare(s.loop.finish(g))
	}
	if err := s.commit(g, batch); err != nil {
		return err
	}
	vector := s.published.Load().vector
	for _, w := range decided {
		w.done <- answer{vector: vector}
	}
	if s.listener != nil {
		s.listener.Release()
	}
	return s.flushIfDue()
}

// stageAttempt decides one attempt and returns who waits for it, if that is on this node.
func (s *Store) stageAttempt(g *group, e ingest.Entry) (*waiting, error) {
	if e.Offset != s.loop.vector.Next[e.Partition] {
		return nil, fmt.Errorf("the record before it is missing: %d was expected", s.loop.vector.Next[e.Partition])
	}
	r, err := ingest.DecodeRecord(slices.Clone(e.Payload))
	if err != nil {
		return nil, err
	}
	// A doubled append is decided again, and rejected; it finds nobody waiting.
	w := s.waiters.take(r.WriteID)
	it := &item{record: r, partition: e.Partition}
	if w != nil {
		it.after, it.hint = w.item.after, w.item.hint
	}
	if r.After != nil && it.after == nil {
		if it.after, err = matcher.Parse(r.After, storedLimits(s.config.Limits)); err != nil {
			return nil, err
		}
	}
	if err := s.loop.stage(g, it); err != nil {
		return nil, err
	}
	s.loop.advance(g, e.Partition, e.Offset)
	if w != nil {
		w.item.verdict, w.item.control, w.item.earlier = it.verdict, it.control, it.earlier
	} else if it.control.fenced && it.verdict == accepted {
		s.orphaned = true
	}
	return w, nil
}

// submitAttempts appends the request's records one after another, each once the one before was accepted, and waits
// until they come out of the log.
func (s *Store) submitAttempts(ctx context.Context, r *request) (vector matcher.Vector, err error) {
	if len(r.items) > 1 {
		defer func() {
			if err != nil { // the order may have gone through, with its waiter: then the loop takes the fences for seen to
				go s.completeFences(context.WithoutCancel(ctx))
			}
		}()
	}
	for i := range r.items {
		it := &r.items[i]
		w := &waiting{item: it, done: make(chan answer, 1)}
		id := it.record.WriteID
		if !s.waiters.add(id, w) {
			return vector, ErrStopped
		}
		appendOnce := s.log.Append
		if it.record.Kind == ingest.RecordFence {
			appendOnce = s.appendRepeatable
		}
		if err := appendOnce(ctx, []ingest.Entry{encodeItem(it)}); err != nil {
			s.waiters.take(id)
			return vector, errors.Join(ErrOutcomeUnknown, err)
		}
		select {
		case a := <-w.done:
			if a.err != nil {
				return vector, a.err
			}
			vector = a.vector
		case <-ctx.Done():
			s.waiters.take(id)
			return vector, errors.Join(ErrOutcomeUnknown, ctx.Err())
		}
		if it.verdict != accepted && it.record.Kind != ingest.RecordFence {
			return vector, nil
		}
		if i == 0 {
			r.orderFences()
		}
	}
	return vector, nil
}

// add registers who waits for an attempt; false once the loop has ended.
func (w *waiters) add(id matcher.WriteID, who *waiting) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.closed {
		return false
	}
	if w.waiting == nil {
		w.waiting = map[matcher.WriteID]*waiting{}
	}
	w.waiting[id] = who
	return true
}

func (w *waiters) take(id matcher.WriteID) *waiting {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	who := w.waiting[id]
	delete(w.waiting, id)
	return who
}

// abandon answers everybody who still waits when the loop ends.
func (w *waiters) abandon() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.closed = true
	for _, who := range w.waiting {
		who.done <- answer{err: errors.Join(ErrOutcomeUnknown, ErrStopped)}
	}
	w.waiting = nil
}
