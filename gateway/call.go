package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// call is one request on its way through its handler.
type call struct {
	*Gateway
	w     http.ResponseWriter
	r     *http.Request
	route route
}

// parameters reads the URL's query.
func (c *call) parameters(known ...string) (*input, error) {
	if c.r.URL.RawQuery == "" {
		return &input{fromURL: true}, nil
	}
	return urlInput(c.r.URL.RawQuery, known)
}

// body reads the whole body, which must be of one of the given types.
func (c *call) body(types ...string) ([]byte, string, error) {
	media, err := checkContentType(c.r, types...)
	if err != nil {
		return nil, "", err
	}
	text, err := readBody(c.w, c.r, c.cfg.MaxBodyBytes)
	return text, media, err
}

// fields reads the names that a read takes: from the body of a POST, else from the URL.
func (c *call) fields(known []string) (*input, error) {
	if c.r.Method != http.MethodPost {
		return c.parameters(known...)
	}
	if _, err := c.parameters(); err != nil {
		return nil, err
	}
	text, _, err := c.body(contentJSON)
	if err != nil {
		return nil, err
	}
	return jsonInput(text, known)
}

// wantsStream says whether the client asked for server-sent events.
func (c *call) wantsStream() bool {
	if c.r.Method == http.MethodHead {
		return false
	}
	for _, accept := range c.r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), contentEvents) {
				return true
			}
		}
	}
	return false
}

// maxCountedBytes is the size of bodies whose Content-Length net/http finds out by itself, and cheaper.
const maxCountedBytes = 1024

// json answers with a JSON body.
func (c *call) json(status int, body []byte) error {
	h := c.w.Header()
	h["Content-Type"] = headerJSON
	if len(body) > maxCountedBytes {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // a client that went away is nobody's loss
	return nil
}

// value answers with the JSON of v, in which < and > stay what they are.
func (c *call) value(status int, v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	return c.json(status, bytes.TrimSuffix(text.Bytes(), []byte{'\n'}))
}

// empty answers without a body.
func (c *call) empty(status int) error {
	c.w.WriteHeader(status)
	return nil
}

func (c *call) setPosition(v matcher.Vector) {
	c.w.Header()["Freshet-Position"] = c.positions.of(v).header
}

// path is the URL path of a document of the call's app, escaped.
func (c *call) path(collection, id string) string {
	base := "/v1"
	if strings.HasPrefix(c.r.URL.EscapedPath(), "/v1/apps/") {
		base += "/apps/" + c.route.app
	}
	return base + "/db/" + collection + "/" + url.PathEscape(id)
}

// collection finds the call's collection; found is false only under Dev, where one that does not exist yet counts as
// empty.
func (g *Gateway) collection(app, name string) (c storage.Collection, found bool, err error) {
	if c, found = g.store.Collection(app, name); found || g.cfg.Dev {
		return c, found, nil
	}
	return c, false, g.collectionNotFound(app, name)
}

func (g *Gateway) collectionNotFound(app, name string) error {
	var names []string
	for _, c := range g.store.Collections(app) {
		names = append(names, c.Name)
	}
	detail := "There is no collection " + strconv.Quote(name)
	if nearest := matcher.Nearest(name, names); nearest != "" {
		detail += "; did you mean " + strconv.Quote(nearest) + "?"
	} else {
		detail += "; create it with PUT /v1/db/" + name + "."
	}
	return &Problem{Code: "collection-not-found", Detail: detail}
}

// collectionForWrite is collection, but under Dev it makes one that is missing. created says that it did.
func (g *Gateway) collectionForWrite(ctx context.Context, app, name string) (c storage.Collection, created bool, err error) {
	c, found, err := g.collection(app, name)
	if found || err != nil {
		return c, false, err
	}
	return g.store.EnsureCollection(ctx, app, name)
}

// positionPoll is how often a node that has not reached minPosition is looked at again.
const positionPoll = 5 * time.Millisecond

// snapshotAt takes a snapshot that holds everything up to min (zero: whatever there is), waiting for it if it must.
func (g *Gateway) snapshotAt(ctx context.Context, min matcher.Vector) (*storage.Snapshot, error) {
	deadline := time.Now().Add(g.cfg.PositionTimeout)
	for {
		snapshot, err := g.store.Snapshot()
		if err != nil {
			return nil, err
		}
		v := snapshot.Vector()
		if min.Next == nil || v.Covers(min) {
			return snapshot, nil
		}
		if err := snapshot.Close(); err != nil {
			return nil, err
		}
		if v.Incarnation != min.Incarnation || len(v.Next) != len(min.Next) {
			return nil, &Problem{Code: "position-gone", Path: "/minPosition", Detail: "This position is of another time line of the log; read without minPosition."}
		}
		if time.Now().After(deadline) {
			return nil, &Problem{Code: "position-not-reached", Path: "/minPosition", Detail: "The node has not applied this position within " + g.cfg.PositionTimeout.String() + "; try again."}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(positionPoll):
		}
	}
}

// reachPosition waits until the node has applied min.
func (g *Gateway) reachPosition(ctx context.Context, min matcher.Vector) error {
	if min.Next == nil {
		return nil
	}
	snapshot, err := g.snapshotAt(ctx, min)
	if err != nil {
		return err
	}
	return snapshot.Close()
}
