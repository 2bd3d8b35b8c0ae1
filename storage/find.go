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
}

// found is a matching document with its sort key.
type found struct {
	key      []byte
	document *matcher.Document
}

func compareFound(a, b found) int { return bytes.Compare(a.key, b.key) }

// Find returns the matching documents and whether there are no more behind them. The query's own skip and limit are
// not applied; those of f are. It keeps about twice Skip+Limit documents at a time.
func (n *Snapshot) Find(ctx context.Context, c matcher.CollectionID, q *matcher.Query, f Find) (docs []*matcher.Document, complete bool, err error) {
	r := newResult(n.store.config.Limits, q, f)
	if err := n.visit(ctx, c, q, f, r.offer); err != nil {
		return nil, false, err
	}
	return r.take()
}

// Count returns how many documents match.
func (n *Snapshot) Count(ctx context.Context, c matcher.CollectionID, q *matcher.Query) (int, error) {
	count := 0
	err := n.visit(ctx, c, q, Find{}, func(*matcher.Document) error { count++; return nil })
	return count, err
}

// result gathers the first documents of an order.
type result struct {
	query *matcher.Query
	find  Find
	want  int // how many to keep: one more than asked for, to know whether there are more
	bound int // MaxResultDocuments where no limit was given, else 0
	found []found
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
	r.found = append(r.found, found{key, d})
	if r.want == 0 {
		if len(r.found) > r.bound+r.find.Skip {
			return fmt.Errorf("%w: more than %d; narrow the filter or give a limit", ErrResultTooLarge, r.bound)
		}
		return nil
	}
	if len(r.found) >= 2*r.want+64 {
		r.cut()
	}
	return nil
}

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

// visit calls f with the matching documents as of the snapshot with find.Undo taken back. Where the order is that of
// the stored keys, it leaves out what cannot be in find's slice.
func (n *Snapshot) visit(ctx context.Context, c matcher.CollectionID, q *matcher.Query, find Find, f func(*matcher.Document) error) error {
	undone := make(map[string]*matcher.Document, len(find.Undo))
	for _, change := range find.Undo {
		if change.Collection != c || change.Fence != matcher.FenceNone {
			continue
		}
		if _, later := undone[change.ID]; !later {
			undone[change.ID] = change.Before
		}
	}
	for _, before := range undone {
		if before != nil && q.Match(before) {
			if err := f(before); err != nil {
				return err
			}
		}
	}
	matched := 0
	visit := func(d *matcher.Document) error {
		if len(undone) > 0 {
			if _, ok := undone[d.ID()]; ok {
				return nil
			}
		}
		if !q.Match(d) {
			return nil
		}
		matched++
		return f(d)
	}
	if ids, pinned := q.IDs(); pinned {
		return n.visitIDs(c, ids, visit)
	}
	after, seek := matcher.KeyID(find.After)
	for p := 1; p < n.store.log.Partitions(); p++ {
		lower, upper := collectionSpan(prefixDocument, p, c)
		if q.ByID() && seek {
			lower = append(append(lower, after...), 0) // the next id after it
		}
		matched = 0
		err := n.visitSpan(ctx, lower, upper, func(d *matcher.Document) error {
			if err := visit(d); err != nil {
				return err
			}
			if q.ByID() && find.Limit > 0 && matched > find.Skip+find.Limit {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	return nil
}

// errEnough ends a visit of one log partition: what follows in it lies behind what is asked for.
var errEnough = errors.New("enough")

// visitIDs reads the documents that a filter names. Which log partition an id lies in depends on the collection's
// name, which a snapshot need not know: it looks in each.
func (n *Snapshot) visitIDs(c matcher.CollectionID, ids []string, f func(*matcher.Document) error) error {
	for _, id := range ids {
		for p := 1; p < n.store.log.Partitions(); p++ {
			h, err := readHead(n.shared.pebble, documentKey{c, p, id}, nil, n.store.config.Limits)
			if err != nil {
				return err
			}
			if h.document == nil {
				continue
			}
			if err := f(h.document); err != nil {
				return err
			}
			break
		}
	}
	return nil
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
