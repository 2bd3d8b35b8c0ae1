package gateway

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// indexNames are the fields of an index's definition.
var indexNames = []string{"name", "keys", "partial", "expireAfterSeconds"}

// foreignIndexNames are what MongoDB has in a definition and this server has not: what to do instead.
var foreignIndexNames = map[string]string{
	"unique": "Only _id is unique, because each write is decided from its own document's past alone. " +
		"Claim the value as the _id of a document of its own (insert it with If-None-Match: *) before you use it.",
	"sparse":                  `Use "partial" with the field, such as {"email":{"$exists":true}}.`,
	"partialFilterExpression": `It is called "partial" here.`,
	"background":              "Every index is built beside the writes; leave it out.",
	"collation":               "Entries compare strings by their bytes, and queries with a collation do without them; leave it out.",
}

// indexBody is an index as clients see it.
type indexBody struct {
	storage.IndexDefinition
	State     string `json:"state"`               // "ready" or "building"
	Documents uint64 `json:"documents,omitempty"` // while it is being built: how many have been read
	Entries   uint64 `json:"entries"`
	Overflow  uint64 `json:"overflow,omitempty"` // documents that every search looks at
	Multikey  bool   `json:"multikey,omitempty"`
	SizeBytes uint64 `json:"sizeBytes"` // an estimate, of what is flushed
}

func bodyOfIndex(s storage.IndexStatus) indexBody {
	b := indexBody{
		IndexDefinition: s.IndexDefinition, State: "ready",
		Entries: s.Entries, Overflow: s.Overflow, Multikey: s.Multikey, SizeBytes: s.DiskBytes,
	}
	if !s.Ready {
		b.State, b.Documents = "building", s.Documents
	}
	return b
}

func definitionsOf(c storage.Collection) (list []storage.IndexDefinition) {
	for _, x := range c.Indexes {
		list = append(list, x.IndexDefinition)
	}
	return list
}

// listIndexes answers GET /v1/db/{collection}:indexes.
func (c *call) listIndexes() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	list, err := c.indexes()
	if err != nil {
		return err
	}
	bodies := make([]indexBody, len(list))
	for i, s := range list {
		bodies[i] = bodyOfIndex(s)
	}
	return c.value(http.StatusOK, map[string]any{"indexes": bodies})
}

// indexes of the call's collection; none under Dev where it does not exist yet.
func (c *call) indexes() ([]storage.IndexStatus, error) {
	if _, found, err := c.collection(c.route.app, c.route.collection); err != nil || !found {
		return nil, err
	}
	return c.store.Indexes(c.route.app, c.route.collection)
}

// loadIndex answers GET /v1/db/{collection}:indexes/{name}.
func (c *call) loadIndex() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	return c.writeIndex(http.StatusOK)
}

func (c *call) writeIndex(status int) error {
	list, err := c.indexes()
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Name == c.route.id {
			return c.value(status, bodyOfIndex(s))
		}
	}
	return c.indexNotFound()
}

func (c *call) indexNotFound() error {
	var names []string
	if collection, found := c.store.Collection(c.route.app, c.route.collection); found {
		for _, x := range collection.Indexes {
			names = append(names, x.Name)
		}
	}
	detail := "The collection " + strconv.Quote(c.route.collection) + " has no index " + strconv.Quote(c.route.id)
	if nearest := matcher.Nearest(c.route.id, names); nearest != "" {
		return &Problem{Code: "index-not-found", Detail: detail + "; did you mean " + strconv.Quote(nearest) + "?"}
	}
	if len(names) > 0 {
		return &Problem{Code: "index-not-found", Detail: detail + "; its indexes are " + strings.Join(names, ", ") + "."}
	}
	return &Problem{Code: "index-not-found", Detail: detail + "."}
}

// putIndex answers PUT /v1/db/{collection}:indexes/{name}: it creates the index, or replaces it by one that means
// something else. The index is built beside the writes; the answer does not wait for that.
func (c *call) putIndex() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	text, _, err := c.body(contentJSON)
	if err != nil {
		return err
	}
	d, err := readIndex(text)
	if err != nil {
		return err
	}
	if d.Name != "" && d.Name != c.route.id {
		return &Problem{Code: "field-invalid", Path: "/name", Detail: "The name " + strconv.Quote(d.Name) + " is not the one in the URL; leave it out."}
	}
	d.Name = c.route.id
	if _, _, err := c.collectionForWrite(c.r.Context(), c.route.app, c.route.collection); err != nil {
		return err
	}
	_, created, err := c.store.PutIndex(c.r.Context(), c.route.app, c.route.collection, d)
	if err != nil {
		return err
	}
	if !created {
		return c.writeIndex(http.StatusOK)
	}
	c.w.Header().Set("Location", c.r.URL.EscapedPath())
	return c.writeIndex(http.StatusCreated)
}

// dropIndex answers DELETE /v1/db/{collection}:indexes/{name}.
func (c *call) dropIndex() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	_, found, err := c.collection(c.route.app, c.route.collection)
	if err != nil {
		return err
	}
	if found {
		err = c.store.DropIndex(c.r.Context(), c.route.app, c.route.collection, c.route.id)
	}
	switch {
	case !found || errors.Is(err, storage.ErrIndexNotFound):
		return c.indexNotFound()
	case err != nil:
		return err
	}
	return c.empty(http.StatusNoContent)
}

// readIndex reads a definition. What the keys and the filter mean is the store's to check.
func readIndex(text []byte) (d storage.IndexDefinition, err error) {
	in, err := jsonInput(text, indexNames, slices.Collect(maps.Keys(foreignIndexNames))...)
	if err != nil {
		return d, err
	}
	for _, name := range slices.Sorted(maps.Keys(foreignIndexNames)) {
		if value := in.json(name); value != nil && string(value) != "false" {
			return d, &Problem{Code: "option-unsupported", Path: pointer(name), Detail: foreignIndexNames[name]}
		}
	}
	d.Name = in.text("name")
	d.Keys, d.Partial = in.json("keys"), in.json("partial")
	if in.json("expireAfterSeconds") != nil {
		seconds := int64(in.integer("expireAfterSeconds", 0, 0))
		d.ExpireAfterSeconds = &seconds
	}
	return d, in.err
}

// readIndexes reads a list of definitions. The path of an error is the place in the settings.
func readIndexes(list []byte) (*[]storage.IndexDefinition, error) {
	var texts []json.RawMessage
	if err := json.Unmarshal(list, &texts); err != nil {
		return nil, &Problem{Code: "field-invalid", Path: "/indexes", Detail: `"indexes" must be a list of definitions, such as [{"name":"byDate","keys":[["date",-1]]}].`}
	}
	definitions := make([]storage.IndexDefinition, 0, len(texts))
	for i, text := range texts {
		d, err := readIndex(text)
		if err == nil {
			err = d.Check()
		}
		if err != nil {
			p := problemOf(err)
			p.Path = "/indexes/" + strconv.Itoa(i) + p.Path
			return nil, p
		}
		definitions = append(definitions, d)
	}
	return &definitions, nil
}
