package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/freshetdb/freshet/matcher"
)

// Bounds of a collection's indexes. They are part of what the control partition's records are decided by, so they are
// constants.
const (
	MaxIndexes            = 64        // of one collection
	MaxExpireAfterSeconds = 1<<31 - 1 // 68 years
)

var (
	ErrIndexNotFound  = errors.New("the index does not exist")
	ErrIndexDamaged   = errors.New("the index is damaged: drop it and create it again")
	ErrTooManyIndexes = errors.New("the collection has too many indexes")
)

// IndexDefinition is an index as a client defined it.
type IndexDefinition struct {
	Name    string          `json:"name"`
	Keys    json.RawMessage `json:"keys"`              // see matcher.IndexSpec; in the catalog in normal form
	Partial json.RawMessage `json:"partial,omitempty"` // a filter; only documents that it accepts are in the index
	// ExpireAfterSeconds, if set, has a document deleted that long after the date at the index's one key.
	ExpireAfterSeconds *int64 `json:"expireAfterSeconds,omitempty"`
}

// Index is an index of a collection as the control partition has it. Its ID is never used again.
type Index struct {
	ID uint32 `json:"id"`
	IndexDefinition
	compiled *matcher.Index
}

var indexName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// compile checks a definition. The bounds are constants, so that every node decides alike.
func (d IndexDefinition) compile() (*matcher.Index, error) {
	bad := func(path string, limit int64, format string, args ...any) error {
		return &matcher.Error{Code: matcher.CodeIndexInvalid, Path: path, Limit: limit, Detail: fmt.Sprintf(format, args...)}
	}
	if d.Name == "" {
		return nil, bad("/name", 0, "name is missing; give the index one, such as %q", "byDate")
	}
	if !indexName.MatchString(d.Name) {
		return nil, bad("/name", 0, "%q is no index's name; use a letter, then up to 63 of letters, digits, _, . and -", d.Name)
	}
	compiled, err := matcher.CompileIndex(matcher.IndexSpec{Keys: d.Keys, Partial: d.Partial}, matcher.Limits{})
	if err != nil || d.ExpireAfterSeconds == nil {
		return compiled, err
	}
	switch seconds := *d.ExpireAfterSeconds; {
	case seconds < 0 || seconds > MaxExpireAfterSeconds:
		return nil, bad("/expireAfterSeconds", MaxExpireAfterSeconds, "expireAfterSeconds is %d; it must be from 0 to %d (MaxExpireAfterSeconds)", seconds, MaxExpireAfterSeconds)
	case len(compiled.Paths()) != 1:
		return nil, bad("/expireAfterSeconds", 0, "expireAfterSeconds needs an index with one key, the field that holds the date; this one has %d", len(compiled.Paths()))
	}
	return compiled, nil
}

// Check says what is wrong with the definition, as a *matcher.Error whose Path is a JSON pointer into it.
func (d IndexDefinition) Check() error {
	_, err := d.compile()
	return err
}

// index makes an index of the definition, in the form in which the catalog keeps it.
func (d IndexDefinition) index() (Index, error) {
	compiled, err := d.compile()
	if err != nil {
		return Index{}, err
	}
	d.Keys = json.RawMessage(compiled.Keys())
	if compiled.Partial() == "" {
		d.Partial = nil
	}
	return Index{IndexDefinition: d, compiled: compiled}, nil
}

// same reports whether two indexes mean the same, whatever their texts.
func (x Index) same(y Index) bool {
	seconds := func(x Index) int64 {
		if x.ExpireAfterSeconds == nil {
			return -1
		}
		return *x.ExpireAfterSeconds
	}
	return x.Name == y.Name && x.compiled.Keys() == y.compiled.Keys() && x.compiled.Partial() == y.compiled.Partial() && seconds(x) == seconds(y)
}

// Index finds an index by name.
func (c Collection) Index(name string) (Index, bool) {
	i := slices.IndexFunc(c.Indexes, func(x Index) bool { return x.Name == name })
	if i < 0 {
		return Index{}, false
	}
	return c.Indexes[i], true
}

// withIndex puts an index into the collection. One of its name that means the same stays; another is replaced, and
// built anew.
func (c Collection) withIndex(x Index) (_ Collection, created bool, err error) {
	at := slices.IndexFunc(c.Indexes, func(y Index) bool { return x.Name == y.Name })
	switch {
	case at >= 0 && c.Indexes[at].same(x):
		return c, false, nil
	case at < 0 && len(c.Indexes) >= MaxIndexes:
		return c, false, &matcher.BoundError{Err: ErrTooManyIndexes, Name: "MaxIndexes", Bound: MaxIndexes}
	}
	c.NextIndex++
	x.ID = c.NextIndex
	c.Indexes = slices.Clone(c.Indexes)
	if at >= 0 {
		c.Indexes[at] = x
		return c, false, nil
	}
	c.Indexes = append(c.Indexes, x)
	return c, true, nil
}

// withIndexes gives the collection exactly these indexes. Those that mean the same as before stay.
func (c Collection) withIndexes(definitions []IndexDefinition) (Collection, error) {
	next := c
	next.Indexes = nil
	for i, d := range definitions {
		x, err := d.index()
		if err != nil {
			return c, err
		}
		if _, twice := next.Index(x.Name); twice {
			return c, &matcher.Error{Code: matcher.CodeIndexInvalid, Path: fmt.Sprintf("/indexes/%d/name", i), Detail: fmt.Sprintf("the name %q stands twice; names of indexes differ", x.Name)}
		}
		if before, found := c.Index(x.Name); found && before.same(x) {
			next.Indexes = append(slices.Clone(next.Indexes), before)
		} else if next, _, err = next.withIndex(x); err != nil {
			return c, err
		}
		if len(next.Indexes) > MaxIndexes {
			return c, &matcher.BoundError{Err: ErrTooManyIndexes, Name: "MaxIndexes", Bound: MaxIndexes}
		}
	}
	return next, nil
}

// compileIndexes completes a collection that was read back.
func (c Collection) compileIndexes() error {
	for i := range c.Indexes {
		compiled, err := c.Indexes[i].compile()
		if err != nil {
			return fmt.Errorf("read index %q of collection %q: %w", c.Indexes[i].Name, c.Name, err)
		}
		c.Indexes[i].compiled = compiled
	}
	return nil
}

type putIndex struct {
	Collection matcher.CollectionID `json:"collection"`
	Index      IndexDefinition      `json:"index"`
}

type dropIndex struct {
	Collection matcher.CollectionID `json:"collection"`
	Name       string               `json:"name"`
}

func (c *catalog) putIndex(p putIndex) (*catalog, controlResult) {
	collection, ok := c.living(p.Collection)
	if !ok {
		return c, controlResult{err: ErrCollectionNotFound}
	}
	x, err := p.Index.index()
	if err != nil {
		return c, controlResult{err: err}
	}
	collection, created, err := collection.withIndex(x)
	if err != nil {
		return c, controlResult{err: err}
	}
	return c.with(collection), controlResult{collection: collection, created: created}
}

func (c *catalog) dropIndex(p dropIndex) (*catalog, controlResult) {
	collection, ok := c.living(p.Collection)
	if !ok {
		return c, controlResult{err: ErrCollectionNotFound}
	}
	if _, found := collection.Index(p.Name); !found {
		return c, controlResult{err: ErrIndexNotFound}
	}
	collection.Indexes = slices.DeleteFunc(slices.Clone(collection.Indexes), func(x Index) bool { return x.Name == p.Name })
	return c.with(collection), controlResult{collection: collection}
}

// PutIndex creates an index, or replaces the one of its name by one that means something else. It is built beside the
// writes; until it is ready no query uses it.
func (s *Store) PutIndex(ctx context.Context, app, collection string, d IndexDefinition) (x Index, created bool, err error) {
	c, ok := s.Collection(app, collection)
	if !ok {
		return x, false, ErrCollectionNotFound
	}
	if err := d.Check(); err != nil {
		return x, false, err
	}
	result, err := s.control(ctx, controlBody{PutIndex: &putIndex{Collection: c.ID, Index: d}})
	if err != nil {
		return x, false, err
	}
	x, _ = result.collection.Index(d.Name)
	return x, result.created, nil
}

// DropIndex drops an index.
func (s *Store) DropIndex(ctx context.Context, app, collection, name string) error {
	c, ok := s.Collection(app, collection)
	if !ok {
		return ErrCollectionNotFound
	}
	_, err := s.control(ctx, controlBody{DropIndex: &dropIndex{Collection: c.ID, Name: name}})
	return err
}

// control has one control record decided.
func (s *Store) control(ctx context.Context, body controlBody) (controlResult, error) {
	r := controlRequest(body, s.NewWriteID())
	r.always = body.DropIndex != nil
	if _, err := s.submit(ctx, r); err != nil {
		return controlResult{}, err
	}
	return r.items[0].control, r.items[0].control.err
}

// IndexStatus is how far an index is on this node.
type IndexStatus struct {
	Index
	Ready     bool
	Documents uint64 // while it is being built: how many have been read
	Entries   uint64
	Overflow  uint64 // documents that every search has to look at: more or longer entries than an index takes
	Multikey  bool   // a document has, or had, an array at a key
	DiskBytes uint64 // an estimate, of files alone: entries that are not flushed yet are not in it
}

// Indexes lists the indexes of a collection with how far they are on this node.
func (s *Store) Indexes(app, collection string) (list []IndexStatus, err error) {
	c, ok := s.Collection(app, collection)
	if !ok {
		return nil, ErrCollectionNotFound
	}
	snapshot, err := s.Snapshot()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	states, err := snapshot.shared.indexStates(c.ID)
	if err != nil {
		return nil, err
	}
	list = make([]IndexStatus, 0, len(c.Indexes))
	for _, x := range c.Indexes {
		status := IndexStatus{Index: x}
		if state := states[x.ID]; state != nil {
			status.Ready, status.Documents, status.Multikey = state.ready, state.documents, state.multikey != 0
			status.Entries, status.Overflow = state.total()
		}
		for p := 1; p < s.log.Partitions(); p++ {
			lower, upper := indexSpan(indexKey{c.ID, x.ID}, p)
			bytes, err := s.db.EstimateDiskUsage(lower, upper)
			if err != nil {
				return nil, fmt.Errorf("estimate the size of index %q: %w", x.Name, err)
			}
			status.DiskBytes += bytes
		}
		list = append(list, status)
	}
	return list, nil
}
