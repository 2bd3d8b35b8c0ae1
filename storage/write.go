package storage

import (
	"context"
	"errors"
	"math"
	"sync"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// Head is the current state of a key as a writer reads it.
type Head struct {
	Document *matcher.Document // nil: there is none
	WriteID  matcher.WriteID   // of the document or of its tombstone; zero: none
	ReadTo   uint64            // offset of the key's log partition up to which this was read
}

// request is what a caller waits for: records that are appended together, or not at all.
type request struct {
	items   []item
	single  [1]item
	bytes   int
	counted bool         // in pending's bounds
	head    *speculation // that its write led to; nil if it is no such write
	finish  func(answer) // called once, on the apply loop: it does bounded work
	always  bool         // taken even where the disk is nearly full: it makes room, or nothing goes on without it
	refused error        // set by the sequencer where it takes the request, and nothing of it is made
}

// recordOverheadBytes is about what a request costs beside its document.
const recordOverheadBytes = 512

type answer struct {
	vector matcher.Vector
	err    error
}

// waitable makes a request one that wait waits for.
func (r *request) waitable() <-chan answer {
	done := make(chan answer, 1)
	r.finish = func(a answer) { done <- a }
	return done
}

// Head reads the current state of a key. It may be superseded as it is returned: a write that builds on it is decided
// against the state of then.
func (s *Store) Head(c Collection, id string) (Head, error) { return s.headOf(c, id, nil) }

// headOf is Head; hint saves a parse where it is what is stored.
func (s *Store) headOf(c Collection, id string, hint *matcher.Document) (Head, error) {
	select {
	case <-s.stopped:
		return Head{}, ErrStopped
	default:
	}
	p := PartitionOf(c.App, c.Name, id, s.log.Partitions()-1)
	now := s.published.Load()
	readTo := now.vector.Next[p]
	if current, ok := now.catalog.byID.get(c.ID); !ok || current.Epoch != c.Epoch {
		return Head{}, ErrCollectionChanged
	}
	if d, ok := s.cache.get(cacheKey{c.ID, c.Epoch, id}); ok {
		return Head{Document: d, WriteID: d.Revision().WriteID, ReadTo: readTo}, nil
	}
	tombstones, maxWriteLag := true, uint64(math.MaxUint64)
	if genesis := now.catalog.genesis; genesis != nil {
		maxWriteLag = genesis.MaxWriteLag
		tombstones = s.tombstones.count(p, readTo, maxWriteLag)
	}
	h, err := readHead(s.db, documentKey{c.ID, p, id}, hint, s.config.Limits, tombstones)
	if err != nil {
		return Head{}, err
	}
	if h.expired(readTo, maxWriteLag) {
		h = head{}
	}
	return Head{Document: h.document, WriteID: h.writeID, ReadTo: readTo}, nil
}

// newRequest makes a request of one write that is not computed yet.
func (s *Store) newRequest(c Collection, id string) *request {
	r := &request{bytes: recordOverheadBytes + len(id)}
	r.items = r.single[:]
	r.items[0] = item{
		partition: PartitionOf(c.App, c.Name, id, s.log.Partitions()-1),
		record: ingest.Record{
			Kind: ingest.RecordWrite, Collection: c.ID, Epoch: c.Epoch, ID: id,
			Control: s.published.Load().vector.Next[matcher.ControlPartition],
		},
	}
	return r
}

// build makes the item a write over head.
func (it *item) build(head Head, id matcher.WriteID, after *matcher.Document) {
	it.after, it.hint, it.steady = after, head.Document, false
	r := &it.record
	r.Operation = operationOf(head.Document, after)
	r.WriteID, r.Base, r.ReadTo = id, head.WriteID, head.ReadTo
	r.After, r.Generation = nil, 0
	if after != nil {
		r.After, r.Generation = after.Text(), after.Revision().Generation
	}
}

// submit hands a request to the loop, by way of the log or directly, and waits for its answer.
func (s *Store) submit(ctx context.Context, r *request) (matcher.Vector, error) {
	if err := s.refuse(r); err != nil {
		return matcher.Vector{}, err
	}
	if s.config.Attempts {
		return s.submitAttempts(ctx, r)
	}
	if err := ctx.Err(); err != nil {
		return matcher.Vector{}, err
	}
	done := r.waitable()
	if _, err := s.pending.put(r, nil); err != nil {
		return matcher.Vector{}, err
	}
	return s.wait(ctx, done)
}

// wait waits for the answer to a request that was put in line.
func (s *Store) wait(ctx context.Context, done <-chan answer) (matcher.Vector, error) {
	select {
	case a := <-done:
		return a.vector, a.err
	case <-ctx.Done():
		return matcher.Vector{}, errors.Join(ErrOutcomeUnknown, ctx.Err())
	}
}

// refuse is why a request cannot be taken now; nil if it can.
func (s *Store) refuse(r *request) error {
	if r.always || r.items[0].observes {
		return nil
	}
	return s.space.refuse()
}

// PutCollection creates a collection, or replaces its settings. They hold for what is read and written from then on: documents
// that are stored, and queries that are compiled, stay as they are.
func (s *Store) PutCollection(ctx context.Context, app, name string, settings Settings) (c Collection, created bool, err error) {
	return s.ConfigureCollection(ctx, app, name, settings, nil)
}

// ConfigureCollection is PutCollection with all the indexes that the collection is to have; nil leaves them as they are.
func (s *Store) ConfigureCollection(ctx context.Context, app, name string, settings Settings, indexes *[]IndexDefinition) (c Collection, created bool, err error) {
	if err := settings.Check(); err != nil {
		return c, false, err
	}
	return s.put(ctx, putCollection{App: app, Name: name, Settings: settings, Indexes: indexes})
}

// EnsureCollection creates a collection, without settings, if it does not exist.
func (s *Store) EnsureCollection(ctx context.Context, app, name string) (c Collection, created bool, err error) {
	return s.put(ctx, putCollection{App: app, Name: name, Missing: true})
}

func (s *Store) put(ctx context.Context, p putCollection) (c Collection, created bool, err error) {
	result, err := s.control(ctx, controlBody{Put: &p})
	return result.collection, result.created, err
}

// DropCollection ends a collection and everything in it.
func (s *Store) DropCollection(ctx context.Context, app, name string) error {
	return s.fenceCollection(ctx, app, name, matcher.FenceDrop)
}

// TruncateCollection removes all documents of a collection.
func (s *Store) TruncateCollection(ctx context.Context, app, name string) error {
	return s.fenceCollection(ctx, app, name, matcher.FenceTruncate)
}

// fenceCollection orders a fence in the control partition and puts it into every data partition.
func (s *Store) fenceCollection(ctx context.Context, app, name string, fence matcher.Fence) error {
	c, ok := s.Collection(app, name)
	if !ok {
		return ErrCollectionNotFound
	}
	order := &fenceOrder{Collection: c.ID}
	body := controlBody{Truncate: order}
	if fence == matcher.FenceDrop {
		body = controlBody{Drop: order}
	}
	r := controlRequest(body, s.NewWriteID())
	r.always = true
	for p := 1; p < s.log.Partitions(); p++ {
		r.items = append(r.items, s.fenceItem(p, c.ID, c.Epoch+1, fence))
	}
	if _, err := s.submit(ctx, r); err != nil {
		return err
	}
	return r.items[0].control.err
}

// orderFences gives the fences behind an accepted control record the epoch that it began.
func (r *request) orderFences() {
	for i := 1; i < len(r.items); i++ {
		r.items[i].record.Epoch = r.items[0].control.collection.Epoch
	}
}

func (s *Store) fenceItem(partition int, c matcher.CollectionID, epoch uint32, fence matcher.Fence) item {
	return item{partition: partition, record: ingest.Record{
		Kind: ingest.RecordFence, Collection: c, Epoch: epoch, Fence: fence, WriteID: s.NewWriteID(),
	}}
}

func controlRequest(body controlBody, id matcher.WriteID) *request {
	text := encodeBody(body)
	return &request{
		items:  []item{{partition: matcher.ControlPartition, record: ingest.Record{Kind: ingest.RecordControl, WriteID: id, Body: text}}},
		bytes:  len(text) + recordOverheadBytes,
		finish: func(answer) {},
	}
}

// waiters are the requests whose attempts are on their way through a log of attempts, by write id.
type waiters struct {
	mutex   sync.Mutex
	closed  bool
	waiting map[matcher.WriteID]*waiting
}

type waiting struct {
	item *item
	done chan answer
}
