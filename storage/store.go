package storage

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// Listener follows the groups on the apply loop: Prepare while a group becomes durable, Release once it is and its
// writers have been answered. Both do bounded work; neither may wait for the store.
type Listener interface {
	Prepare(g *matcher.Group)
	Release()
}

// Store is the documents of one node.
type Store struct {
	config   Config
	log      ingest.Log
	db       *pebble.DB
	cache    *documentCache
	listener Listener
	metrics  Metrics

	writeIDs writeIDs
	pending  *pending // of the embedded log
	tasks    chan *task
	waiters  waiters // of a log of attempts
	ready    chan struct{}
	stopped  chan struct{}

	// published is what readers see: the state as of the last committed group.
	published atomic.Pointer[published]

	space      *space
	failure    failure
	loop       *applier // of the apply loop alone
	seen       *seenTypes
	tombstones tombstones
	group      []*request     // of the apply loop alone: reused from group to group
	entries    []ingest.Entry // of the apply loop alone: reused from group to group
	payloads   []byte         // the same
	decided    []uint64       // the same
	unflushed  int64          // of the apply loop alone: bytes applied since the last flush
	flushing   atomic.Bool
	backingUp  atomic.Bool
	orphaned   bool // of the apply loop alone: fences were ordered by who may not see to them
}

// published is the committed state beside the documents.
type published struct {
	vector   matcher.Vector
	sequence uint64
	catalog  *catalog
}

// Open opens the Pebble state beside the log and checks that they belong together. Run must be called for it to serve.
func Open(cfg Config, log ingest.Log) (*Store, error) {
	cfg = cfg.withDefaults()
	s := &Store{
		failure: failure{failed: make(chan struct{})},
		config:  cfg,
		log:     log,
		tasks:   make(chan *task, MaxWaitingTasks),
		ready:   make(chan struct{}),
		stopped: make(chan struct{}),
	}
	s.pending = newPending(&s.metrics)
	s.space = newSpace(cfg, &s.metrics)
	if err := s.writeIDs.seed(); err != nil {
		return nil, err
	}
	var err error
	if s.cache, err = newDocumentCache(cfg.CacheBytes, &s.metrics); err != nil {
		return nil, err
	}
	if s.db, err = openPebble(cfg, s.failure.set); err != nil {
		return nil, fmt.Errorf("open the state in %s: %w", cfg.Dir, err)
	}
	if err := cfg.FS.RemoveAll(checkpointDir(cfg.Dir)); err != nil { // the state is locked, so no backup is running
		return nil, errors.Join(fmt.Errorf("remove the checkpoint of a backup that was cut off: %w", err), s.db.Close())
	}
	if s.loop, err = s.loadApplier(); err != nil {
		return nil, errors.Join(fmt.Errorf("read the state in %s: %w", cfg.Dir, err), s.db.Close())
	}
	s.seen, s.tombstones = s.loop.seen, s.loop.tombstones
	s.space.look()
	s.publish()
	return s, nil
}

// loadApplier reads the loop's state back and holds it against the log.
func (s *Store) loadApplier() (*applier, error) {
	a := &applier{
		db: s.db, cache: s.cache, limits: s.config.Limits, metrics: &s.metrics,
		catalog: emptyCatalog(), constants: constants{s.config.MaxWriteLag, s.config.MaxRequestLag},
		epochs: map[epochKey]epoch{}, pruned: make([]uint64, s.log.Partitions()), prunedRequests: make([]uint64, s.log.Partitions()),
		seen:       newSeenTypes(&s.metrics),
		indexes:    newIndexer(s.log.Partitions(), &s.metrics),
		tombstones: make(tombstones, s.log.Partitions()), recheck: s.config.recheck,
	}
	a.vector.Next = make([]uint64, s.log.Partitions())
	raw, closer, err := s.db.Get(keyVector)
	if errors.Is(err, pebble.ErrNotFound) {
		return a, errors.Join(a.loadSeen(), s.checkBounds(a.vector))
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	if a.vector, a.sequence, err = parseVector(raw); err != nil {
		return nil, err
	}
	if len(a.vector.Next) != s.log.Partitions() {
		return nil, fmt.Errorf("the state has %d log partitions, the log %d: they do not belong together",
			len(a.vector.Next)-1, s.log.Partitions()-1)
	}
	if err := a.loadCatalog(); err != nil {
		return nil, err
	}
	if err := a.loadEpochs(); err != nil {
		return nil, err
	}
	if err := a.loadSeen(); err != nil {
		return nil, err
	}
	if err := a.tombstones.load(s.db); err != nil {
		return nil, err
	}
	if err := a.indexes.load(s.db, a.catalog); err != nil {
		return nil, err
	}
	return a, s.checkBounds(a.vector)
}

// checkBounds refuses a state that the log cannot bring up to date.
func (s *Store) checkBounds(v matcher.Vector) error {
	first, next, err := s.log.Bounds(context.Background())
	if err != nil {
		return fmt.Errorf("read the bounds of the log: %w", err)
	}
	for p, applied := range v.Next {
		if applied > next[p] {
			return fmt.Errorf("%w: log partition %d ends at offset %d, the state has applied up to %d; "+
				"restore the log, or move the state away to have it built anew from a log that begins at 0",
				ErrStateAhead, p, next[p], applied)
		}
		if applied < first[p] {
			return fmt.Errorf("the state ends at offset %d of log partition %d, but the log begins at %d: "+
				"restore the state that belongs to this log", applied, p, first[p])
		}
	}
	return nil
}

func (a *applier) each(prefix []byte, f func(key, value []byte) error) (err error) {
	iterator, err := a.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if err := f(iterator.Key(), iterator.Value()); err != nil {
			return err
		}
	}
	return nil // Close has its error
}

// SetListener names who follows the groups. It must be called before Run.
func (s *Store) SetListener(l Listener) { s.listener = l }

// Ready is closed once the log has been replayed and writes are taken.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// Metrics of the store.
func (s *Store) Metrics() *Metrics { return &s.metrics }

// Limits under which the store takes documents.
func (s *Store) Limits() matcher.Limits { return s.config.Limits }

// Vector is what has been applied, durable and readable.
func (s *Store) Vector() matcher.Vector { return s.published.Load().vector }

// Collections lists an app's collections by name.
func (s *Store) Collections(app string) []Collection { return s.published.Load().catalog.list(app) }

// Collection finds a collection by name.
func (s *Store) Collection(app, name string) (Collection, bool) {
	return s.published.Load().catalog.collection(app, name)
}

// Close flushes the state, so that the next start replays little, and closes it. Run must have returned; the log is
// the caller's to close.
func (s *Store) Close() error {
	err := s.syncLog()
	if err == nil {
		err = s.flush()
	}
	return errors.Join(err, s.db.Close())
}

// flush flushes the state and waits for it, unless the state cannot be written.
func (s *Store) flush() error {
	done, err := s.db.AsyncFlush()
	if err != nil {
		return fmt.Errorf("flush the state: %w", err)
	}
	select {
	case <-done:
		return nil
	case <-s.failure.failed:
		return s.failure.err
	}
}

// failure is the first error of Pebble's background work: after it the process must not go on.
type failure struct {
	once   sync.Once
	failed chan struct{} // closed once err is set
	err    error
}

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = fmt.Errorf("keep the state: %w", err)
		close(f.failed)
	})
}

func (s *Store) publish() {
	s.published.Store(&published{vector: s.loop.vector.Clone(), sequence: s.loop.sequence, catalog: s.loop.catalog})
}

// writeIDs makes write ids: random bytes of this process, then a counter.
type writeIDs struct {
	process [6]byte
	counter atomic.Uint64
}

func (w *writeIDs) seed() error {
	if _, err := rand.Read(w.process[:]); err != nil {
		return fmt.Errorf("draw the random part of write ids: %w", err)
	}
	return nil
}

// NewWriteID makes a write id that no other attempt has.
func (s *Store) NewWriteID() matcher.WriteID {
	var id matcher.WriteID
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], s.writeIDs.counter.Add(1))
	copy(id[:], s.writeIDs.process[:])
	copy(id[6:], counter[2:])
	return id
}
