package gateway

import (
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
	update              bool // where the document is like that already, no version is made
	// after computes the user's fields and `_acl` from the stored document (nil: there is none).
	after func(before *matcher.Document) (image, error)
}

// image is what a document shall hold, before it is stamped.
type image struct {
	user      *matcher.Document // nil: the document is to be deleted
	acl       []byte            // JSON of `_acl`, nil if none
	unchanged bool              // the document already is like that: no version is made
}

// written is how a write went.
type written struct {
	document *matcher.Document // as stored; nil after a delete
	created  bool
	position matcher.Vector // applied, durable and readable at least up to here
}

// write reads the head, checks the preconditions against it, computes the after-image and hands both to the store,
// which accepts the image only over that very head. Where another write came first, everything is done again
// (invariant 3): the preconditions, the image and its stamps.
func (g *Gateway) write(ctx context.Context, w writeRequest) (written, error) {
	if err := matcher.CheckID(w.id, g.cfg.Limits); err != nil {
		return written{}, err
	}
	for range MaxWriteTries {
		result, done, err := g.tryWrite(ctx, w)
		if errors.Is(err, storage.ErrCollectionChanged) || errors.Is(err, storage.ErrCollectionNotFound) {
			continue // the next try finds the collection as it is now
		}
		if done || err != nil {
			return result, err
		}
		g.metrics.writeRetries.Inc()
	}
	return written{}, problemf("write-contended", "Other writes to this document came first %d times; try again a little later.", MaxWriteTries)
}

// tryWrite is one attempt; done is false where another write came first.
func (g *Gateway) tryWrite(ctx context.Context, w writeRequest) (result written, done bool, err error) {
	collection, found, err := g.collection(w.app, w.collection)
	if err != nil {
		return result, true, err
	}
	var head storage.Head
	if found {
		if head, err = g.store.Head(collection, w.id); err != nil {
			return result, true, err
		}
	}
	if err := w.preconditions.check(head.Document); err != nil {
		return result, true, err
	}
	want, err := w.after(head.Document)
	if err != nil {
		return result, true, err
	}
	if err := g.declare(&want, collection, head.Document, w.update); err != nil {
		return result, true, err
	}
	if want.unchanged {
		result.document = head.Document
		result.position = g.store.Vector()
		return result, true, nil
	}
	attempt := storage.Attempt{Collection: collection, ID: w.id, Head: head, WriteID: g.store.NewWriteID()}
	if want.user != nil {
		attempt.After, err = matcher.Compose(g.stamp(w.id, head.Document, attempt.WriteID, want.acl), want.user, g.cfg.Limits)
		if err != nil {
			return result, true, err
		}
	}
	if !found { // under Dev: the first write that would succeed makes the collection, and then counts on its real head
		_, _, err = g.collectionForWrite(ctx, w.app, w.collection)
		return result, false, err
	}
	outcome, err := g.store.Write(ctx, attempt)
	if err != nil {
		return result, false, fmt.Errorf("write a document: %w", err)
	}
	return written{attempt.After, head.Document == nil, outcome.Position}, outcome.Accepted, nil
}

// declare gives the document the types that its collection declares.
func (g *Gateway) declare(want *image, c storage.Collection, before *matcher.Document, update bool) error {
	if want.user == nil || want.unchanged {
		return nil
	}
	user, err := c.Dates().Convert(want.user, g.cfg.Limits)
	if err != nil {
		return err
	}
	if user != want.user {
		want.user = user
		want.unchanged = update && before != nil && matcher.SameContent(before, user)
	}
	return nil
}

// stamp makes the metadata of the next state of a document. Generations grow by one and begin at 1; a time of update
// never goes back.
func (g *Gateway) stamp(id string, before *matcher.Document, write matcher.WriteID, acl []byte) matcher.Metadata {
	now := g.now().UnixMilli()
	m := matcher.Metadata{ID: id, Revision: matcher.Revision{Generation: 1, WriteID: write}, CreatedAt: now, UpdatedAt: now, ACL: acl}
	if before != nil {
		old := matcher.MetadataOf(before)
		m.Revision.Generation = old.Revision.Generation + 1
		m.CreatedAt, m.UpdatedAt = old.CreatedAt, max(now, old.UpdatedAt)
	}
	return m
}
