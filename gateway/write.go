package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// writeRequest is what a client wants done to one document.
type writeRequest struct {
	app, collection, id string
	preconditions       preconditions
	update              bool   // where the document is like that already, no version is made
	key                 string // idempotency key, "" if none
	hash                uint64 // of the request under that key
	// after computes the user's fields and `_acl` from the stored document (nil: there is none).
	after func(before *matcher.Document) (image, error)
}

// image is what a document shall hold, before it is stamped.
type image struct {
	user      matcher.Value // missing: the document is to be deleted
	acl       []byte        // JSON of `_acl`, nil if none
	unchanged bool          // the document already is like that: no version is made
}

// write makes a write, waits until it is durable and can be read, and returns its outcome.
func (g *Gateway) write(ctx context.Context, w writeRequest) (storage.Written, error) {
	for range MaxCollectionTries {
		collection, err := g.collectionOf(ctx, &w)
		if err != nil {
			return storage.Written{}, err
		}
		result, err := g.store.Update(ctx, g.updateOf(collection, &w))
		if errors.Is(err, storage.ErrCollectionChanged) || errors.Is(err, storage.ErrCollectionNotFound) {
			g.metrics.writeRetries.Inc()
			continue // the next try finds the collection as it is now
		}
		if err != nil {
			return result, fmt.Errorf("write a document: %w", err)
		}
		return result, nil
	}
	return storage.Written{}, fmt.Errorf("write a document: %w %d times", storage.ErrCollectionChanged, MaxCollectionTries)
}

// updateOf is the write in the words of the store. The preconditions are checked against the very state that the image
// is computed from, and where another write came first all of it is done again (invariant 3).
func (g *Gateway) updateOf(collection storage.Collection, w *writeRequest) storage.Update {
	return storage.Update{
		Collection: collection, ID: w.id, RequestID: w.key, RequestHash: w.hash,
		Compute: func(current *matcher.Document, write matcher.WriteID) (storage.Image, error) {
			return g.compute(w, collection, current, write)
		},
	}
}

func (g *Gateway) compute(w *writeRequest, c storage.Collection, current *matcher.Document, write matcher.WriteID) (storage.Image, error) {
	if err := w.preconditions.check(current); err != nil {
		return storage.Image{}, err
	}
	want, err := w.after(current)
	if err == nil {
		err = g.declare(&want, c, current, w.update)
	}
	if err != nil || want.unchanged || !want.user.Exists() {
		return storage.Image{Unchanged: want.unchanged}, err
	}
	after, err := matcher.Compose(g.stamp(w.id, current, write, want.acl), want.user, g.cfg.Limits)
	return storage.Image{After: after}, err
}

// collectionOf finds the collection of a write. Under Dev the first write that would succeed makes it.
func (g *Gateway) collectionOf(ctx context.Context, w *writeRequest) (storage.Collection, error) {
	collection, found, err := g.collection(w.app, w.collection)
	if found {
		return collection, nil
	}
	if badName := checkCollectionName(w.collection); badName != nil || err != nil {
		return collection, cmp.Or(badName, err)
	}
	if _, err := g.compute(w, collection, nil, g.store.NewWriteID()); err != nil {
		return collection, err
	}
	collection, _, err = g.collectionForWrite(ctx, w.app, w.collection)
	return collection, err
}

// declare gives the document the types that its collection declares.
func (g *Gateway) declare(want *image, c storage.Collection, before *matcher.Document, update bool) error {
	dates := c.Dates()
	if dates == nil || !want.user.Exists() || want.unchanged {
		return nil
	}
	user, err := matcher.Parse(bytes.Clone(want.user.Raw()), g.cfg.Limits)
	if err != nil {
		return err
	}
	converted, err := dates.Convert(user, g.cfg.Limits)
	if err != nil {
		return err
	}
	if converted != user {
		want.user = converted.Root()
		want.unchanged = update && before != nil && matcher.SameContent(before, converted)
	}
	return nil
}

// stamp makes the metadata of the next state of a document. Generations grow by one and begin at 1; a time of update
// never goes back.
func (g *Gateway) stamp(id string, before *matcher.Document, write matcher.WriteID, acl []byte) matcher.Metadata {
	now := g.now().UnixMilli()
	m := matcher.Metadata{ID: id, Revision: matcher.Revision{Generation: 1, WriteID: write}, CreatedAt: now, UpdatedAt: now, ACL: acl}
	if before != nil {
		m.Revision.Generation = before.Revision().Generation + 1
		createdAt, updatedAt := matcher.StoredTimes(before)
		m.CreatedAt, m.UpdatedAt = createdAt, max(now, updatedAt)
	}
	return m
}
