package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/freshetdb/freshet/matcher"
)

// Settings is what a collection declares.
type Settings struct {
	Comment string           `json:"comment,omitempty"` // free text, at most MaxCommentBytes
	Fields  map[string]Field `json:"fields,omitempty"`  // by dotted path, at most matcher.MaxDeclaredFields
}

// Field is what a collection declares of one field.
type Field struct {
	Type string `json:"type"` // one of FieldTypes
}

// FieldTypes are the types that a field can be declared to have.
var FieldTypes = []string{FieldDate}

// FieldDate is the type of a field that holds dates: see matcher.Dates.
const FieldDate = "date"

// MaxCommentBytes bounds a collection's comment.
const MaxCommentBytes = 1024

// Check says what is wrong with the settings. The path of a *matcher.Error is a JSON pointer into them.
func (s Settings) Check() error {
	_, err := s.dates()
	return err
}

// dates checks the settings and returns what they declare of dates.
func (s Settings) dates() (*matcher.Dates, error) {
	if len(s.Comment) > MaxCommentBytes {
		return nil, &matcher.Error{Code: matcher.CodeFieldInvalid, Path: "/comment", Limit: MaxCommentBytes,
			Detail: fmt.Sprintf("the comment has %d bytes; the limit is %d: shorten it", len(s.Comment), MaxCommentBytes)}
	}
	paths := slices.Sorted(maps.Keys(s.Fields))
	for _, path := range paths {
		if f := s.Fields[path]; f.Type != FieldDate {
			return nil, f.unknown(path)
		}
	}
	dates, err := matcher.DeclareDates(paths)
	if bad := (*matcher.Error)(nil); errors.As(err, &bad) {
		moved := *bad
		moved.Path = "/fields" + bad.Path
		return nil, &moved
	}
	return dates, err
}

func (f Field) unknown(path string) error {
	detail := fmt.Sprintf("the type %q is unknown; known is %s", f.Type, strings.Join(FieldTypes, ", "))
	if near := matcher.Nearest(f.Type, FieldTypes); near != "" {
		detail += fmt.Sprintf("; did you mean %s?", near)
	}
	return &matcher.Error{Code: matcher.CodeFieldInvalid, Path: "/fields" + matcher.PointerStep(path) + "/type", Detail: detail}
}

// Collection is a named set of documents as the control partition has it.
type Collection struct {
	ID       matcher.CollectionID `json:"id"`
	App      string               `json:"app"`
	Name     string               `json:"name"`
	Epoch    uint32               `json:"epoch"`
	Settings Settings             `json:"settings"`
	Indexes  []Index              `json:"indexes,omitempty"` // not to be changed
	// NextIndex is the ID that the index made last has.
	NextIndex uint32 `json:"nextIndex,omitempty"`
	// Fence is the last fence that the control partition ordered; FenceDrop: the collection is gone, and is kept only
	// until every data partition has its fence.
	Fence matcher.Fence `json:"fence,omitempty"`

	dates *matcher.Dates
}

// Dates is what the settings declare of dates; nil: nothing.
func (c Collection) Dates() *matcher.Dates { return c.dates }

// genesis is the first record of the control partition: what holds for the whole life of the log.
type genesis struct {
	Format      int    `json:"format"`
	Partitions  int    `json:"partitions"`
	MaxWriteLag uint64 `json:"maxWriteLag"`
	Incarnation uint64 `json:"incarnation,string"`
	// MaxRequestLag is missing in logs that began before there was one.
	MaxRequestLag uint64 `json:"maxRequestLag,omitempty"`
}

// constants are the same for every reader of the log.
func (g *genesis) constants() constants {
	k := constants{g.MaxWriteLag, g.MaxRequestLag}
	if k.maxRequestLag == 0 {
		k.maxRequestLag = DefaultMaxRequestLag
	}
	return k
}

// controlBody is the body of a control record. Exactly one field is set.
type controlBody struct {
	Genesis     *genesis       `json:"genesis,omitempty"`
	Incarnation *uint64        `json:"incarnation,omitempty,string"`
	Put         *putCollection `json:"put,omitempty"`
	Truncate    *fenceOrder    `json:"truncate,omitempty"`
	Drop        *fenceOrder    `json:"drop,omitempty"`
	PutIndex    *putIndex      `json:"putIndex,omitempty"`
	DropIndex   *dropIndex     `json:"dropIndex,omitempty"`
}

// check refuses a log that a newer program has begun.
func (g *genesis) check() error {
	return checkFormat("the log's first record", g.Format, FormatVersion)
}

// readControl reads the body of a control record. One that this program does not know whole is an error, never decided:
// all that read it must understand the same.
func readControl(text []byte) (body controlBody, err error) {
	if err := decodeStrict(text, &body); err != nil {
		return body, fmt.Errorf("read control record: %w", err)
	}
	if body.Genesis != nil {
		return body, body.Genesis.check()
	}
	return body, nil
}

// decodeStrict decodes JSON that this program, or an older one, has written.
func decodeStrict(text []byte, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return fmt.Errorf("%w: %w; if a newer version of the program wrote it, use that one", ErrFormat, err)
	}
	return nil
}

type putCollection struct {
	App      string   `json:"app"`
	Name     string   `json:"name"`
	Settings Settings `json:"settings"`
	Missing  bool     `json:"missing,omitempty"` // only if it does not exist
	// Indexes, if set, are all the indexes that the collection has from now on.
	Indexes *[]IndexDefinition `json:"indexes,omitempty"`
}

type fenceOrder struct {
	Collection matcher.CollectionID `json:"collection"`
}

// catalog is the state of the control partition. It is immutable; apply makes the next one, which shares with it all but
// what the record changes.
type catalog struct {
	genesis     *genesis
	incarnation uint64
	nextID      matcher.CollectionID
	names       table[string, table[string, matcher.CollectionID]] // by app and name; without dropped ones
	byID        table[matcher.CollectionID, Collection]            // dropped ones whose fences are not complete included
}

func emptyCatalog() *catalog { return &catalog{nextID: 1} }

// controlResult is the outcome of one control record. At most its collection has changed in the catalog.
type controlResult struct {
	collection Collection // of put, truncate, drop, and of the orders on its indexes
	created    bool
	fenced     bool  // it ordered fences in the data partitions
	err        error // why it was rejected; the catalog stays as it was
}

// apply decides and applies one control record. It reads nothing but the catalog (invariant 3).
func (c *catalog) apply(body controlBody) (*catalog, controlResult) {
	switch {
	case body.Genesis != nil:
		if c.genesis != nil {
			return c, controlResult{err: fmt.Errorf("the log has begun already")}
		}
		next := *c
		next.genesis, next.incarnation = body.Genesis, body.Genesis.Incarnation
		return &next, controlResult{}
	case body.Incarnation != nil:
		next := *c
		next.incarnation = *body.Incarnation
		return &next, controlResult{}
	case body.Put != nil:
		return c.put(*body.Put)
	case body.Truncate != nil:
		return c.fence(body.Truncate.Collection, matcher.FenceTruncate)
	case body.Drop != nil:
		return c.fence(body.Drop.Collection, matcher.FenceDrop)
	case body.PutIndex != nil:
		return c.putIndex(*body.PutIndex)
	case body.DropIndex != nil:
		return c.dropIndex(*body.DropIndex)
	}
	return c, controlResult{err: fmt.Errorf("the control record orders nothing")}
}

func (c *catalog) put(p putCollection) (*catalog, controlResult) {
	dates, err := p.Settings.dates()
	if err != nil {
		return c, controlResult{err: err}
	}
	collection, exists := c.collection(p.App, p.Name)
	switch {
	case exists && p.Missing:
		return c, controlResult{collection: collection}
	case !exists && c.count(p.App) >= MaxCollections:
		return c, controlResult{err: &matcher.BoundError{Err: ErrTooManyCollections, Name: "MaxCollections", Bound: MaxCollections}}
	case !exists:
		collection = Collection{ID: c.nextID, App: p.App, Name: p.Name}
	}
	collection.Settings, collection.dates = p.Settings, dates
	if p.Indexes != nil {
		if collection, err = collection.withIndexes(*p.Indexes); err != nil {
			return c, controlResult{err: err}
		}
	}
	next := c.with(collection)
	if !exists {
		next.nextID++
	}
	return next, controlResult{collection: collection, created: !exists}
}

func (c *catalog) fence(id matcher.CollectionID, fence matcher.Fence) (*catalog, controlResult) {
	collection, ok := c.living(id)
	if !ok {
		return c, controlResult{err: ErrCollectionNotFound}
	}
	collection.Epoch++
	collection.Fence = fence
	return c.with(collection), controlResult{collection: collection, fenced: true}
}

// living is a collection that has not been dropped.
func (c *catalog) living(id matcher.CollectionID) (Collection, bool) {
	collection, ok := c.byID.get(id)
	return collection, ok && collection.Fence != matcher.FenceDrop
}

// with is the catalog with a collection as it is now.
func (c *catalog) with(collection Collection) *catalog {
	next := *c
	next.byID = c.byID.with(collection.ID, collection)
	names, _ := c.names.get(collection.App)
	switch id, found := names.get(collection.Name); {
	case collection.Fence != matcher.FenceDrop:
		names = names.with(collection.Name, collection.ID)
	case found && id == collection.ID: // else another one has the name by now
		names = names.without(collection.Name)
	}
	next.names = c.names.with(collection.App, names)
	return &next
}

// forget drops a collection whose fences are complete.
func (c *catalog) forget(id matcher.CollectionID) *catalog {
	next := *c
	next.byID = c.byID.without(id)
	return &next
}

func (c *catalog) count(app string) int {
	names, _ := c.names.get(app)
	return names.len()
}

// list is in the order of the names.
func (c *catalog) list(app string) []Collection {
	names, _ := c.names.get(app)
	all := make([]Collection, 0, names.len())
	for _, id := range names.all() {
		collection, _ := c.byID.get(id)
		all = append(all, collection)
	}
	return all
}

func (c *catalog) collection(app, name string) (Collection, bool) {
	names, _ := c.names.get(app)
	id, ok := names.get(name)
	if !ok {
		return Collection{}, false
	}
	return c.byID.get(id)
}

func encodeBody(b controlBody) []byte {
	text, err := json.Marshal(b)
	if err != nil { // plain structs of numbers and strings
		panic(err)
	}
	return text
}
