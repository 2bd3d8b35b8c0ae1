package storage

import (
	"context"
	"errors"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// Attempt is one conditional write that goes by no head of this store, as one of another node does: After (nil: delete)
// replaces exactly the state that Head names.
type Attempt struct {
	Collection Collection
	ID         string
	Head       Head
	WriteID    matcher.WriteID
	After      *matcher.Document
}

// Outcome of a decided attempt. Where it was not accepted (the key's state is another), the writer reads Head again.
type Outcome struct {
	Accepted bool
	Position matcher.Vector // applied, durable and readable at least up to here
}

// doubt has no write taken at its word from now on.
func (p *pending) doubt() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.doubted = true
}

// Write has an attempt decided. It returns once the outcome is durable and applied. ErrOutcomeUnknown: it may have
// been, or may yet be, accepted; every other error: it was not and will not be.
func (s *Store) Write(ctx context.Context, a Attempt) (Outcome, error) {
	r := s.newRequest(a.Collection, a.ID)
	it := &r.items[0]
	it.build(a.Head, a.WriteID, a.After)
	r.bytes += len(it.record.After)
	s.pending.doubt()
	vector, err := s.submit(ctx, r)
	if err != nil {
		return Outcome{}, err
	}
	if it.verdict == rejectedEpoch {
		return Outcome{}, ErrCollectionChanged
	}
	return Outcome{Accepted: it.verdict == accepted, Position: vector}, nil
}

// lateError is a log whose answer to a control record is lost once the record has been applied.
type lateError struct {
	ingest.Log
	applied func() bool // nil: all is well
}

func (l *lateError) Append(ctx context.Context, entries []ingest.Entry) error {
	err := l.Log.Append(ctx, entries)
	if l.applied != nil && entries[0].Partition == matcher.ControlPartition {
		until(l.applied)
		return errors.New("the answer is lost")
	}
	return err
}

// A truncate whose order went through gets its fences, though its writer was told that the outcome is unknown.
func TestFencesOfALostAnswer(t *testing.T) {
	log := &lateError{Log: ingest.NewMemoryLog(3)}
	r := &rig{t: t, log: log, state: newState(), config: Config{Attempts: true}}
	r.start()
	c := r.collection("pages")
	log.applied = func() bool {
		now, _ := r.store.Collection(testApp, "pages")
		return now.Epoch > c.Epoch
	}
	if err := r.store.TruncateCollection(t.Context(), testApp, "pages"); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("truncate: %v", err)
	}
	for missing := 1; missing > 0; {
		r.held(func() { missing = len(r.store.loop.missingFences()) })
	}
	r.end()
	if err := log.Close(); err != nil {
		t.Error(err)
	}
}
