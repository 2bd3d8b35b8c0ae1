package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// Find bounds and shapes a read. Documents come in the query's order.
type Find struct {
	Skip  int
	Limit int               // 0: none, up to Limits.MaxResultDocuments, beyond which ErrResultTooLarge
	After []byte            // only documents whose sort key is greater
	Undo  []*matcher.Change // read as if these changes, all applied before the snapshot, had not been

	counting   bool // only their number is asked for, nothing else of Find
	skipCostly bool // documents that take more than a filter may do for one count as none that match
}

// found is a matching document with its sort key.
type found struct {
	key      []byte
	document *matcher.Document
}

func compareFound(a, b found) int { return bytes.Compare(a.key, b.key) }

// Find returns the matching documents and whether there are no more behind them. The query's own skip and limit are
// not applied; those of f are. It keeps about twice Skip+Limit documents at a time: its caller bounds both.
func (n *Snapshot) Find(ctx context.Context, c matcher.CollectionID, q *matcher.Query, f Find) (docs []*matcher.Document, complete bool, err error) {
	ways, err := n.ways(c, q, f)
	if err != nil {
		return nil, false, err
	}
	return n.findBy(ctx, ways[0], c, q, f)
}

// findBy is Find in one way.
func (n *Snapshot) findBy(ctx context.Context, w way, c matcher.CollectionID, q *matcher.Query, f Find) (docs []*matcher.Document, complete bool, err error) {
	r := newResult(n.store.config.Limits, q, f)
	if _, err := n.visitBy(ctx, w, c, q, f, r); err != nil {
		return nil, false, err
	}
	return r.take()
}

// Count returns how many documents match. Where an index, or the collection, has an entry for each of them, and only for
// those, it reads no documents.
func (n *Snapshot) Count(ctx context.Context, c matcher.CollectionID, q *matcher.Query) (int, error) {
	var count counter
	_, err := n.visit(ctx, c, q, Find{counting: true}, &count)
	return int(count), err
}

// taker is given the documents that match, each once.
type taker interface {
	offer(*matcher.Document) error
	// enough is the sort key behind which no document is needed any more, nil as long as every one may be.
	enough() []byte
}

type counter int

func (c *counter) offer(*matcher.Document) error { *c++; return nil }
func (c *counter) enough() []byte                { return nil }

// result gathers the first documents of an order.
type result struct {
	query *matcher.Query
	find  Find
	want  int // how many to keep: one more than asked for, to know whether there are more
	bound int // MaxResultDocuments where no limit was given, else 0
	found []found
	last  []byte // the sort key of the last one wanted, once there were as many
}

func newResult(limits matcher.Limits, q *matcher.Query, f Find) *result {
	r := &result{query: q, find: f, want: f.Skip + f.Limit + 1}
	if f.Limit == 0 {
		r.bound = limits.MaxResultDocuments
		r.want = 0
	}
	return r
}

func (r *result) offer(d *matcher.Document) error {
	key := r.query.AppendSortKey(nil, d)
	if r.find.After != nil && bytes.Compare(key, r.find.After) <= 0 {
		return nil
	}
	if r.last != nil && bytes.Compare(key, r.last) > 0 {
		return nil
	}
	r.found = append(r.found, found{key, d})
	if r.want == 0 {
		if len(r.found) > r.bound+r.find.Skip {
			return &matcher.BoundError{Err: ErrResultTooLarge, Name: "maxResultDocuments", Bound: int64(r.bound)}
		}
		return nil
	}
	if len(r.found) >= 2*r.want+64 || r.last == nil && len(r.found) == r.want {
		r.cut()
		r.last = r.found[r.want-1].key
	}
	return nil
}

func (r *result) enough() []byte { return r.last }

// cut keeps the first ones. Doing so at twice the size costs a constant number of comparisons a document, times log.
func (r *result) cut() {
	slices.SortFunc(r.found, compareFound)
	if r.want > 0 && len(r.found) > r.want {
		clear(r.found[r.want:])
		r.found = r.found[:r.want]
	}
}

func (r *result) take() (docs []*matcher.Document, complete bool, err error) {
	r.cut()
	complete = true
	if r.want > 0 && len(r.found) == r.want {
		complete = false
		r.found = r.found[:r.want-1]
	}
	rest := r.found[min(r.find.Skip, len(r.found)):]
	docs = make([]*matcher.Document, len(rest))
	for i, f := range rest {
		docs[i] = f.document
	}
	return docs, complete, nil
}

// visit gives take the documents that match as of the snapshot with find.Undo taken back, found in the cheapest way.
func (n *Snapshot) visit(ctx context.Context, c matcher.CollectionID, q *matcher.Query, find Find, take taker) (*visit, error) {
	ways, err := n.ways(c, q, find)
	if err != nil {
		return nil, err
	}
	return n.visitBy(ctx, ways[0], c, q, find, take)
}

// visitBy is visit in one way. Where the order is that of the stored keys or of an index, it leaves out what cannot be in
// find's slice.
func (n *Snapshot) visitBy(ctx context.Context, w way, c matcher.CollectionID, q *matcher.Query, find Find, take taker) (*visit, error) {
	v := &visit{snapshot: n, ctx: ctx, collection: c, query: q, find: find, take: take}
	if w.Covered {
		v.count, _ = take.(*counter)
	}
	v.undone = make(map[string]*matcher.Document, len(find.Undo))
	for _, change := range find.Undo {
		if change.Collection != c || change.Fence != matcher.FenceNone {
			continue
		}
		if _, later := v.undone[change.ID]; !later {
			v.undone[change.ID] = change.Before
		}
	}
	for _, before := range v.undone {
		if before == nil {
			continue
		}
		if matches, err := v.matches(before); err != nil {
			return nil, err
		} else if matches {
			if err := take.offer(before); err != nil {
				return nil, err
			}
		}
	}
	if w.Uses == UsesScan {
		return v, v.scan()
	}
	return v, v.readLegs(w.legs())
}

// visit is one search on its way.
type visit struct {
	snapshot   *Snapshot
	ctx        context.Context
	collection matcher.CollectionID
	query      *matcher.Query
	find       Find
	take       taker
	count      *counter // take, where the way is covered: what it leads to is counted unseen
	undone     map[string]*matcher.Document

	examined int // documents that were read
	steps    int // entries and keys that were looked at
}

// step counts what is looked at, and looks at the context now and then.
func (v *visit) step() error {
	if v.steps++; v.steps%visitStep == 0 {
		return v.ctx.Err()
	}
	return nil
}

// document looks at a stored document; from is the leg of the way that leads to it, nil of a scan.
func (v *visit) document(d *matcher.Document, from *leg) error {
	v.examined++
	if len(v.undone) > 0 {
		if _, ok := v.undone[d.ID()]; ok {
			return nil
		}
	}
	matches, err := v.matches(d)
	if err != nil || !matches || from != nil && !from.takes(d) {
		return err
	}
	return v.take.offer(d)
}

func (v *visit) matches(d *matcher.Document) (bool, error) {
	matches, err := v.query.Decide(d)
	if err == nil {
		return matches, nil
	}
	if bad, ok := errors.AsType[*matcher.Error](err); ok && v.find.skipCostly && bad.Code == matcher.CodeQueryTooCostly {
		return false, nil
	}
	return false, fmt.Errorf("match a document: %w", err)
}

// scan reads the collection. In the order of `_id` each log partition is read until it can have no more.
func (v *visit) scan() error {
	after, seek := matcher.KeyID(v.find.After)
	for p := 1; p < v.snapshot.store.log.Partitions(); p++ {
		lower, upper := collectionSpan(prefixDocument, p, v.collection)
		if v.query.ByID() && seek {
			lower = append(append(lower, after...), 0) // the next id after it
		}
		if v.count != nil {
			if err := v.countKeys(lower, upper); err != nil {
				return err
			}
			continue
		}
		err := v.snapshot.visitSpan(v.ctx, lower, upper, func(d *matcher.Document) error {
			if last := v.take.enough(); last != nil && v.query.ByID() && bytes.Compare(v.query.AppendSortKey(nil, d), last) > 0 {
				return errEnough
			}
			return v.document(d, nil)
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	v.snapshot.store.metrics.DocumentsScanned.Add(uint64(v.examined))
	return nil
}

// countKeys counts the documents between two keys without reading them.
func (v *visit) countKeys(lower, upper []byte) (err error) {
	iterator, err := v.snapshot.shared.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("count the collection: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if err := v.step(); err != nil {
			return err
		}
		*v.count++
	}
	return nil // Close has its error
}

// errEnough ends the reading of one span: what follows in it lies behind what is asked for.
var errEnough = errors.New("enough")

// document reads a document, nil if there is none.
func (n *Snapshot) document(k documentKey) (*matcher.Document, error) {
	return readDocument(n.shared.pebble, k, nil, n.store.config.Limits)
}

// visitStep is how many documents are read between two looks at the context.
const visitStep = 256

// visitSpan calls f with the documents between two keys, in their order.
func (n *Snapshot) visitSpan(ctx context.Context, lower, upper []byte, f func(*matcher.Document) error) (err error) {
	iterator, err := n.shared.pebble.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read the collection: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	count := 0
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if count++; count%visitStep == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		raw, err := iterator.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read the collection: %w", err)
		}
		d, err := parseStored(raw, nil, n.store.config.Limits)
		if err != nil {
			return fmt.Errorf("read document %q: %w", iterator.Key()[collectionPrefixBytes:], err)
		}
		if err := f(d); err != nil {
			return err
		}
	}
	return nil // Close has its error
}
