package gateway

import (
	"maps"
	"net/http"
	"slices"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// settingNames are the fields of a collection's settings.
var settingNames = []string{"comment", "fields", "indexes"}

// listCollections answers GET /v1/db.
func (c *call) listCollections() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	body := []byte(`{"collections":[`)
	for i, collection := range c.store.Collections(c.route.app) {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"name":`...)
		body = append(matcher.AppendString(body, []byte(collection.Name)), '}')
	}
	return c.json(http.StatusOK, append(body, "]}"...))
}

// putCollection answers PUT /v1/db/{collection}: it creates the collection, or sets what the body names. Without a
// body an existing collection stays as it is.
func (c *call) putCollection() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	existing, exists := c.store.Collection(c.route.app, c.route.collection)
	settings := existing.Settings
	var indexes *[]storage.IndexDefinition
	if c.r.ContentLength != 0 {
		text, _, err := c.body(contentJSON)
		if err != nil {
			return err
		}
		if settings, indexes, err = readSettings(text); err != nil {
			return err
		}
	} else if exists {
		return c.writeSettings(http.StatusOK, existing)
	}
	collection, created, err := c.store.ConfigureCollection(c.r.Context(), c.route.app, c.route.collection, settings, indexes)
	if err != nil {
		return err
	}
	if !created {
		return c.writeSettings(http.StatusOK, collection)
	}
	c.w.Header().Set("Location", c.r.URL.EscapedPath())
	return c.writeSettings(http.StatusCreated, collection)
}

// readSettings reads what a collection is to be like; indexes are nil if the text does not name them.
func readSettings(text []byte) (s storage.Settings, indexes *[]storage.IndexDefinition, err error) {
	in, err := jsonInput(text, settingNames)
	if err != nil {
		return s, nil, err
	}
	if list := in.json("indexes"); list != nil {
		if indexes, err = readIndexes(list); err != nil {
			return s, nil, err
		}
	}
	s.Comment = in.text("comment")
	if in.err != nil {
		return s, nil, in.err
	}
	if s.Fields, err = readFields(in.json("fields")); err != nil {
		return s, nil, err
	}
	return s, indexes, s.Check()
}

// readFields reads what a collection declares of its fields: {"published":{"type":"date"}}; nil if that is nothing.
func readFields(text []byte) (map[string]storage.Field, error) {
	if text == nil {
		return nil, nil
	}
	bad := func(path, what string) error {
		return &Problem{Code: "field-invalid", Path: "/fields" + path, Detail: what + ` must be an object, such as {"type":"date"}.`}
	}
	declared, err := decodeObject(text)
	if err != nil {
		return nil, bad("", `Declared fields by their paths`)
	}
	fields := make(map[string]storage.Field, len(declared))
	for _, path := range slices.Sorted(maps.Keys(declared)) {
		at, value := pointer(path), declared[path]
		if value[0] != '{' {
			return nil, bad(at, "What is declared of a field")
		}
		in, err := jsonInput(value, []string{"type"})
		f := storage.Field{}
		if err == nil {
			f.Type = in.text("type")
			err = in.err
		}
		if err != nil {
			p := problemOf(err)
			p.Path = "/fields" + at + p.Path
			return nil, p
		}
		fields[path] = f
	}
	return fields, nil
}

func (c *call) writeSettings(status int, collection storage.Collection) error {
	return c.value(status, struct {
		storage.Settings
		Indexes []storage.IndexDefinition `json:"indexes,omitempty"`
	}{collection.Settings, definitionsOf(collection)})
}

// settings answers GET /v1/db/{collection}:settings.
func (c *call) settings() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	collection, found := c.store.Collection(c.route.app, c.route.collection)
	if !found {
		return c.collectionNotFound(c.route.app, c.route.collection)
	}
	return c.writeSettings(http.StatusOK, collection)
}

// dropCollection answers DELETE /v1/db/{collection}.
func (c *call) dropCollection() error {
	return c.fence(func() error {
		return c.store.DropCollection(c.r.Context(), c.route.app, c.route.collection)
	})
}

// truncate answers POST /v1/db/{collection}:truncate.
func (c *call) truncate() error {
	return c.fence(func() error {
		return c.store.TruncateCollection(c.r.Context(), c.route.app, c.route.collection)
	})
}

func (c *call) fence(act func() error) error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	if _, found := c.store.Collection(c.route.app, c.route.collection); !found {
		return c.collectionNotFound(c.route.app, c.route.collection)
	}
	if err := act(); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
