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

	using string // of tests: the way to take, "scan" or an index's name; "": the cheapest
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
	r := newResult(n.store.config.Limits, q, f)
	if _, err := n.visit(ctx, c, q, f, r); err != nil {
		return nil, false, err
	}
	return r.take()
}

// Count returns how many documents match.
func (n *Snapshot) Count(ctx context.Context, c matcher.CollectionID, q *matcher.Query) (int, error) {
	var count counter
	_, err := n.visit(ctx, c, q, Find{}, &count)
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

// visit gives take the documents that match as of the snapshot with find.Undo taken back. Where the order is that of
// the stored keys or of an index, it leaves out what cannot be in find's slice.
func (n *Snapshot) visit(ctx context.Context, c matcher.CollectionID, q *matcher.Query, find Find, take taker) (*visit, error) {
	v := &visit{snapshot: n, collection: c, query: q, find: find, take: take}
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
		if err := v.offer(before); err != nil {
			return nil, err
		}
	}
	ways, err := n.ways(c, q, find)
	if err != nil {
		return nil, err
	}
	v.way = ways[0]
	switch {
	case v.way.Index != "":
		return v, v.index(ctx)
	case v.way.Uses == UsesIDs:
		return v, v.ids()
	}
	return v, v.scan(ctx)
}

// visit is one search on its way.
type visit struct {
	snapshot   *Snapshot
	collection matcher.CollectionID
	query      *matcher.Query
	find       Find
	take       taker
	undone     map[string]*matcher.Document
	way        way

	examined int // documents that were read
}

// document looks at a stored document.
func (v *visit) document(d *matcher.Document) error {
	v.examined++
	if len(v.undone) > 0 {
		if _, ok := v.undone[d.ID()]; ok {
			return nil
		}
	}
	return v.offer(d)
}

// offer gives take a document that matches.
func (v *visit) offer(d *matcher.Document) error {
	switch matches, err := v.query.Decide(d); {
	case err != nil:
		return fmt.Errorf("match a document: %w", err)
	case !matches:
		return nil
	}
	return v.take.offer(d)
}

// scan reads the collection. In the order of `_id` each log partition is read until it can have no more.
func (v *visit) scan(ctx context.Context) error {
	after, seek := matcher.KeyID(v.find.After)
	for p := 1; p < v.snapshot.store.log.Partitions(); p++ {
		lower, upper := collectionSpan(prefixDocument, p, v.collection)
		if v.query.ByID() && seek {
			lower = append(append(lower, after...), 0) // the next id after it
		}
		err := v.snapshot.visitSpan(ctx, lower, upper, func(d *matcher.Document) error {
			if last := v.take.enough(); last != nil && v.query.ByID() && bytes.Compare(v.query.AppendSortKey(nil, d), last) > 0 {
				return errEnough
			}
			return v.document(d)
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	v.snapshot.store.metrics.DocumentsScanned.Add(uint64(v.examined))
	return nil
}

// errEnough ends the reading of one span: what follows in it lies behind what is asked for.
var errEnough = errors.New("enough")

// ids reads the documents that the filter names. Which log partition an id lies in depends on the collection's name,
// which a snapshot need not know: it looks in each.
func (v *visit) ids() error {
	ids, _ := v.query.IDs()
	for _, id := range ids {
		for p := 1; p < v.snapshot.store.log.Partitions(); p++ {
			d, err := v.snapshot.document(documentKey{v.collection, p, id})
			if err != nil {
				return err
			}
			if d == nil {
				continue
			}
			if err := v.document(d); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

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
