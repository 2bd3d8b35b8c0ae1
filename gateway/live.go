package gateway

import (
	"context"
	"encoding/json"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// warning is something that a client may want to know about a query that is answered all the same.
type warning struct {
	Code   string `json:"code"`
	Path   string `json:"path,omitempty"`   // of the field, dotted
	Detail string `json:"detail,omitempty"` // a sentence
}

const (
	warningCreated = "collection-created" // under Dev: the subscription made the collection
	warningUnseen  = "type-never-seen"    // the filter asks for what no document has had
)

// warnings looks at what a query asks for that its collection has never had.
func (g *Gateway) warnings(q *matcher.Query, c storage.Collection) []warning {
	var list []warning
	for _, u := range q.UnseenTypes(g.store.SeenTypes(c)) {
		list = append(list, warning{warningUnseen, u.Path, u.Detail})
	}
	return list
}

// subscribe registers a live query for a session, whichever way the session is connected. What cannot be live is
// refused here; what goes wrong later comes as the subscription's last frame.
func (g *Gateway) subscribe(ctx context.Context, session *fanout.Session, id, app, collection string, q queryInput) error {
	if err := g.reachPosition(ctx, q.minPosition); err != nil {
		return err
	}
	c, found, err := g.collection(app, collection)
	if err != nil {
		return err
	}
	query, err := g.compileLive(q, c)
	if err != nil {
		return err
	}
	var warnings []warning
	if !found {
		created := false
		if c, created, err = g.collectionForWrite(ctx, app, collection); err != nil {
			return err
		}
		if created {
			warnings = append(warnings, warning{Code: warningCreated})
		}
		if query, err = g.compileLive(q, c); err != nil { // for what was created meanwhile
			return err
		}
	}
	request := fanout.Subscribe{ID: id, Collection: c.ID, Query: query, NoInitial: q.noInitial, Since: q.since, SinceKey: q.sinceKey}
	if warnings = append(warnings, g.warnings(query, c)...); warnings != nil {
		if request.Warnings, err = json.Marshal(warnings); err != nil {
			return err
		}
	}
	return session.Subscribe(request)
}

// compileLive makes a query that can be live. It goes by the declaration of now, and stays as it is when that changes.
func (g *Gateway) compileLive(q queryInput, c storage.Collection) (*matcher.Query, error) {
	query, err := q.compile(c, g.cfg.Limits)
	if err != nil {
		return nil, err
	}
	return query, query.LiveError(g.cfg.Limits)
}
