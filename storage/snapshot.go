package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// Snapshot is the documents at one position vector. It must be closed; until then Pebble keeps what it shows. Its
// methods may be called from several goroutines.
type Snapshot struct {
	store  *Store
	shared *sharedSnapshot
	closed atomic.Bool

	vector   matcher.Vector
	sequence uint64
}

// sharedSnapshot is one Pebble snapshot for all who asked for one at the same boundary.
type sharedSnapshot struct {
	pebble *pebble.Snapshot
	users  atomic.Int64

	mutex  sync.Mutex
	states map[matcher.CollectionID]map[uint32]*indexState // of the collections whose indexes were asked for
}

// Snapshot takes a snapshot of what is readable now.
func (s *Store) Snapshot() (*Snapshot, error) {
	select {
	case <-s.stopped:
		return nil, ErrStopped
	default:
	}
	shared := &sharedSnapshot{pebble: s.db.NewSnapshot()}
	// Taken beside the loop, so the vector is the one in it (invariant 2).
	raw, closer, err := shared.pebble.Get(keyVector)
	if errors.Is(err, pebble.ErrNotFound) {
		now := s.published.Load()
		return s.newSnapshot(shared, now.vector, now.sequence), nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the applied vector: %w", err), shared.pebble.Close())
	}
	vector, sequence, err := parseVector(raw)
	if err = errors.Join(err, closer.Close()); err != nil {
		return nil, errors.Join(err, shared.pebble.Close())
	}
	return s.newSnapshot(shared, vector, sequence), nil
}

func (s *Store) newSnapshot(shared *sharedSnapshot, vector matcher.Vector, sequence uint64) *Snapshot {
	shared.users.Add(1)
	s.metrics.Snapshots.Add(1)
	return &Snapshot{store: s, shared: shared, vector: vector, sequence: sequence}
}

// Vector is the position vector of the snapshot.
func (n *Snapshot) Vector() matcher.Vector { return n.vector }

// Sequence is the place of the last change in it in the node's local order.
func (n *Snapshot) Sequence() uint64 { return n.sequence }

// Close lets the snapshot go. A second call does nothing.
func (n *Snapshot) Close() error {
	if !n.closed.CompareAndSwap(false, true) {
		return nil
	}
	n.store.metrics.Snapshots.Add(-1)
	if n.shared.users.Add(-1) > 0 {
		return nil
	}
	return n.shared.pebble.Close()
}

// Load returns a document, nil if there is none.
func (n *Snapshot) Load(c Collection, id string) (*matcher.Document, error) {
	p := PartitionOf(c.App, c.Name, id, n.store.log.Partitions()-1)
	return n.document(documentKey{c.ID, p, id})
}

// task is what runs on the loop between two groups. Whoever sets claimed first, the loop or the caller who gives up,
// has it.
type task struct {
	claimed atomic.Bool
	run     func(*Snapshot)
	done    chan struct{}
}

// Boundary runs f on the apply loop between two groups, with a snapshot of exactly the groups before it. f must be
// short, must not call the store, and closes the snapshot or hands it on. If Boundary fails, f does not run.
func (s *Store) Boundary(ctx context.Context, f func(*Snapshot)) error {
	t := &task{run: f, done: make(chan struct{})}
	select {
	case s.tasks <- t:
	case <-s.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	var err error
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.stopped:
		err = ErrStopped
	}
	if t.claimed.CompareAndSwap(false, true) {
		return err
	}
	<-t.done // the loop has it
	return nil
}

// runTasks runs first, if it is given, and what else waits for a boundary. They share one snapshot.
func (s *Store) runTasks(first *task) {
	var shared *sharedSnapshot
	for t := first; ; t = nil {
		if t == nil {
			select {
			case t = <-s.tasks:
			default:
			}
		}
		if t == nil {
			break
		}
		if !t.claimed.CompareAndSwap(false, true) {
			continue
		}
		if shared == nil {
			shared = &sharedSnapshot{pebble: s.db.NewSnapshot()}
			shared.users.Add(1) // this function's own
		}
		t.run(s.newSnapshot(shared, s.loop.vector.Clone(), s.loop.sequence))
		close(t.done)
		s.metrics.Boundaries.Add(1)
	}
	if shared != nil && shared.users.Add(-1) == 0 {
		_ = shared.pebble.Close() // a snapshot's Close fails only if it was closed before
	}
}
