package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

// ExpirerConfig configures an Expirer. The zero value of a field means its default.
type ExpirerConfig struct {
	// Now is the clock (default time.Now).
	Now func() time.Time
	// Interval is how often expired documents are looked for (default 1 s).
	Interval time.Duration
	// MaxPerSecond bounds the deletions (default 1,000), so that a crowd of expired documents leaves room for other
	// writes. What is due then waits.
	MaxPerSecond int
}

// Expirer deletes documents whose time has come, as the indexes with expireAfterSeconds say. It is a writer like any
// other: it deletes exactly the state that it read, and live queries see the removal.
type Expirer struct {
	store  *Store
	config ExpirerConfig
}

// NewExpirer makes an expirer. Its caller runs it once the store is ready, and stops it before the store.
func NewExpirer(store *Store, cfg ExpirerConfig) *Expirer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.MaxPerSecond == 0 {
		cfg.MaxPerSecond = 1000
	}
	return &Expirer{store, cfg}
}

// Run deletes what is due until ctx ends or the store stops.
func (x *Expirer) Run(ctx context.Context) error {
	ticks := time.NewTicker(x.config.Interval)
	defer ticks.Stop()
	budget := max(int(float64(x.config.MaxPerSecond)*x.config.Interval.Seconds()), 1)
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
		_, err := x.expire(ctx, budget)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrStopped):
			return nil
		case errors.Is(err, ErrOverloaded), errors.Is(err, ErrOutcomeUnknown), errors.Is(err, ErrContended): // the next tick looks again
		case err != nil:
			return fmt.Errorf("expire documents: %w", err)
		}
	}
}

// expire deletes at most budget documents that are due now.
func (x *Expirer) expire(ctx context.Context, budget int) (deleted int, err error) {
	for _, c := range x.store.published.Load().catalog.byID.all() {
		for _, index := range c.Indexes {
			if index.ExpireAfterSeconds == nil || c.Fence == matcher.FenceDrop || deleted >= budget {
				continue
			}
			n, err := x.expireIndex(ctx, c, index, budget-deleted)
			if deleted += n; err != nil {
				return deleted, err
			}
		}
	}
	return deleted, nil
}

func (x *Expirer) expireIndex(ctx context.Context, c Collection, index Index, budget int) (deleted int, err error) {
	due, err := index.due(x.config.Now().Add(-time.Duration(*index.ExpireAfterSeconds) * time.Second))
	if err != nil {
		return 0, err
	}
	rule := expiry{c, index, due}
	documents, err := x.find(ctx, rule, budget)
	if err != nil {
		return 0, err
	}
	for len(documents) > 0 {
		together := documents[:min(len(documents), maxExpiredTogether)]
		documents = documents[len(together):]
		n, err := x.deleteAll(ctx, rule, together)
		if deleted += n; err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// expiry is what one index has deleted.
type expiry struct {
	collection Collection
	index      Index
	due        *matcher.Query
}

// isDue reports whether a document's time has come. One that the index's filter has too much to do for stays: whether the
// filter accepts it is not known.
func (e expiry) isDue(d *matcher.Document) bool {
	due, err := e.due.Decide(d)
	return due && err == nil
}

// stands reports whether the index is still there: one that was dropped, or means something else now, deletes no more.
func (x *Expirer) stands(e expiry) bool {
	c, _ := x.store.published.Load().catalog.byID.get(e.collection.ID)
	now, _ := c.Index(e.index.Name)
	return now.ID == e.index.ID
}

// find reads documents that are due; none while the index is not ready, or is gone.
func (x *Expirer) find(ctx context.Context, e expiry, budget int) (documents []*matcher.Document, err error) {
	snapshot, err := x.store.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	states, err := snapshot.shared.indexStates(e.collection.ID)
	if err != nil {
		return nil, err
	}
	state := states[e.index.ID]
	if state == nil || !state.ready || !x.stands(e) {
		return nil, nil
	}
	plan, ok := e.index.compiled.Plan(e.due, state.multikey)
	if !ok {
		return nil, fmt.Errorf("index %q cannot find what is due by it", e.index.Name)
	}
	f := Find{Limit: budget, skipCostly: true}
	documents, _, err = snapshot.findBy(ctx, newIndexWay(state.of(e.index), plan, f), e.collection.ID, e.due, f)
	return documents, err
}

// due is the query for the documents of an index whose date is not after a moment, the oldest first.
func (x Index) due(moment time.Time) (*matcher.Query, error) {
	field := string(matcher.AppendString(nil, []byte(x.compiled.Paths()[0])))
	filter := fmt.Sprintf(`{%s:{"$lte":{"$date":{"$numberLong":"%d"}}}}`, field, moment.UnixMilli())
	if x.Partial != nil {
		filter = `{"$and":[` + filter + `,` + string(x.Partial) + `]}`
	}
	return matcher.Compile(matcher.QuerySpec{Filter: []byte(filter), Sort: []byte(`{` + field + `:1}`)},
		matcher.Limits{MaxQueryBytes: 1 << 20, MaxQueryNodes: 1 << 16}) // the definition's own bounds and a little
}

// maxExpiredTogether is how many deletions wait together, so that they share a group.
const maxExpiredTogether = 64

func (x *Expirer) deleteAll(ctx context.Context, e expiry, documents []*matcher.Document) (deleted int, err error) {
	var group sync.WaitGroup
	var mutex sync.Mutex // deleted and err
	for _, d := range documents {
		group.Go(func() {
			accepted, oneErr := x.delete(ctx, e, d.ID())
			mutex.Lock()
			defer mutex.Unlock()
			if accepted {
				deleted++
			}
			err = errors.Join(err, oneErr)
		})
	}
	group.Wait()
	x.store.metrics.DocumentsExpired.Add(uint64(deleted))
	return deleted, err
}

// delete deletes the document, unless it is no longer due.
func (x *Expirer) delete(ctx context.Context, e expiry, id string) (deleted bool, err error) {
	written, err := x.store.Update(ctx, Update{Collection: e.collection, ID: id,
		Compute: func(current *matcher.Document, _ matcher.WriteID) (Image, error) {
			return Image{Unchanged: current == nil || !e.isDue(current) || !x.stands(e)}, nil
		}})
	if errors.Is(err, ErrCollectionChanged) {
		return false, nil
	}
	return err == nil && written.Operation == matcher.OperationDelete, err
}
