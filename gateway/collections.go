package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// settingNames are the fields of a collection's settings.
var settingNames = []string{"comment"}

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
	if c.r.ContentLength != 0 {
		text, _, err := c.body(contentJSON)
		if err != nil {
			return err
		}
		if settings, err = readSettings(text); err != nil {
			return err
		}
	} else if exists {
		return c.writeSettings(http.StatusOK, settings)
	}
	collection, created, err := c.store.PutCollection(c.r.Context(), c.route.app, c.route.collection, settings)
	if err != nil {
		return err
	}
	if !created {
		return c.writeSettings(http.StatusOK, collection.Settings)
	}
	c.w.Header().Set("Location", c.r.URL.EscapedPath())
	return c.writeSettings(http.StatusCreated, collection.Settings)
}

func readSettings(text []byte) (s storage.Settings, err error) {
	in, err := jsonInput(text, settingNames)
	if err != nil {
		return s, err
	}
	s.Comment = in.text("comment")
	if len(s.Comment) > storage.MaxCommentBytes {
		return s, &Problem{Code: "field-invalid", Path: "/comment", Limit: storage.MaxCommentBytes,
			Detail: "The comment has " + strconv.Itoa(len(s.Comment)) + " bytes, more than the " + strconv.Itoa(storage.MaxCommentBytes) + " allowed; shorten it."}
	}
	return s, in.err
}

func (c *call) writeSettings(status int, s storage.Settings) error {
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return c.json(status, body)
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
	return c.writeSettings(http.StatusOK, collection.Settings)
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
