package gateway

import (
	"context"

	"github.com/freshetdb/freshet/fanout"
)

// warningCreated tells a client under Dev that its subscription made the collection.
const warningCreated = `[{"code":"collection-created"}]`

// subscribe registers a live query for a session, whichever way the session is connected. What cannot be live is
// refused here; what goes wrong later comes as the subscription's last frame.
func (g *Gateway) subscribe(ctx context.Context, session *fanout.Session, id, app, collection string, q queryInput) error {
	query, err := q.compile(g.cfg.Limits)
	if err != nil {
		return err
	}
	if err := query.LiveError(g.cfg.Limits); err != nil {
		return err
	}
	if err := g.reachPosition(ctx, q.minPosition); err != nil {
		return err
	}
	c, created, err := g.collectionForWrite(ctx, app, collection)
	if err != nil {
		return err
	}
	request := fanout.Subscribe{ID: id, Collection: c.ID, Query: query, NoInitial: q.noInitial, Since: q.since, SinceKey: q.sinceKey}
	if created {
		request.Warnings = []byte(warningCreated)
	}
	return session.Subscribe(request)
}
