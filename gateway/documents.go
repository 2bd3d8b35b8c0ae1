package gateway

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/freshetdb/freshet/matcher"
)

// readDocument reads the document in a request's body and checks its metadata fields. id is the URL's, "" if it has
// none.
func (c *call) readDocument(id string) (*matcher.Document, error) {
	text, _, err := c.body(contentJSON)
	if err != nil {
		return nil, err
	}
	document, err := matcher.Parse(text, c.cfg.Limits)
	if err != nil {
		return nil, err
	}
	bad := func(name, detail string) error {
		return &Problem{Code: "document-invalid", Path: pointer(name), Detail: detail}
	}
	if given := document.Field("_id"); given.Exists() {
		switch {
		case given.Kind() != matcher.KindString:
			return nil, &Problem{Code: "id-invalid", Path: "/_id", Detail: "An _id is a string; write it in quotes, or leave it out to have one made."}
		case id != "" && document.ID() != id:
			return nil, &Problem{Code: "id-mismatch", Path: "/_id", Detail: "The body's _id is not the URL's id; leave it out, or write to its own URL."}
		}
	}
	if revision := document.Field("_rev"); revision.Exists() && revision.Kind() != matcher.KindString {
		return nil, bad("_rev", "A _rev is a string; leave it out, or give the one that the document was loaded with.")
	}
	if err := checkACL(document); err != nil {
		return nil, err
	}
	if document.Field("_meta").Exists() {
		return nil, bad("_meta", "The field _meta is reserved; use another name.")
	}
	return document, nil
}

func checkACL(user *matcher.Document) error {
	if acl := user.Field("_acl"); acl.Exists() && !acl.IsNull() && acl.Kind() != matcher.KindObject {
		return &Problem{Code: "document-invalid", Path: "/_acl", Detail: "An _acl is an object, or null to clear it."}
	}
	return nil
}

// aclAfter is the `_acl` of a document that replaces before: an absent one keeps the stored one, null clears it.
func aclAfter(before, user *matcher.Document) []byte {
	if acl := user.Field("_acl"); acl.Exists() {
		return aclText(acl)
	}
	if before == nil {
		return nil
	}
	return aclText(before.Field("_acl"))
}

func aclText(acl matcher.Value) []byte {
	if !acl.Exists() || acl.IsNull() {
		return nil
	}
	return acl.Raw()
}

// insert answers POST /v1/db/{collection}.
func (c *call) insert() error {
	if c.wantsStream() {
		return problemf("route-not-found", "A POST to a collection inserts a document; for a live query use POST %s:query.", c.r.URL.EscapedPath())
	}
	if _, err := c.parameters(); err != nil {
		return err
	}
	pre, err := readPreconditions(c.r, true)
	if err != nil {
		return err
	}
	user, err := c.readDocument("")
	if err != nil {
		return err
	}
	id := user.ID()
	if !user.Field("_id").Exists() {
		made, err := uuid.NewV7()
		if err != nil {
			return err
		}
		id = made.String()
	}
	pre.mustNot = true
	result, err := c.write(c.r.Context(), writeRequest{
		app: c.route.app, collection: c.route.collection, id: id, preconditions: pre,
		after: func(*matcher.Document) (image, error) {
			return image{user: user, acl: aclAfter(nil, user)}, nil
		},
	})
	if err != nil {
		return err
	}
	return c.answerWrite(id, result)
}

// replace answers PUT /v1/db/{collection}/{id}.
func (c *call) replace() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	pre, err := readPreconditions(c.r, true)
	if err != nil {
		return err
	}
	user, err := c.readDocument(c.route.id)
	if err != nil {
		return err
	}
	if given := user.Field("_rev"); given.Exists() {
		pre.revision = string(given.Bytes())
		if pre.revision == "" {
			pre.revision = "(empty)" // no document has it
		}
	}
	result, err := c.write(c.r.Context(), writeRequest{
		app: c.route.app, collection: c.route.collection, id: c.route.id, preconditions: pre,
		after: func(before *matcher.Document) (image, error) {
			return image{user: user, acl: aclAfter(before, user)}, nil
		},
	})
	if err != nil {
		return err
	}
	return c.answerWrite(c.route.id, result)
}

// update answers PATCH /v1/db/{collection}/{id}.
func (c *call) update() error {
	in, err := c.parameters("upsert")
	if err != nil {
		return err
	}
	upsert := in.boolean("upsert", false)
	if in.err != nil {
		return in.err
	}
	pre, err := readPreconditions(c.r, upsert)
	if err != nil {
		return err
	}
	pre.mustExist = !upsert
	text, media, err := c.body(contentJSON, contentMerge)
	if err != nil {
		return err
	}
	update, err := c.parseUpdate(text, media)
	if err != nil {
		return err
	}
	result, err := c.write(c.r.Context(), writeRequest{
		app: c.route.app, collection: c.route.collection, id: c.route.id, preconditions: pre, update: true,
		after: func(before *matcher.Document) (image, error) {
			user, changed, err := update.Apply(before, c.now().UnixMilli(), c.cfg.Limits)
			if err != nil {
				return image{}, err
			}
			if err := checkACL(user); err != nil {
				return image{}, err
			}
			return image{user: user, acl: aclText(user.Field("_acl")), unchanged: before != nil && !changed}, nil
		},
	})
	if err != nil {
		return err
	}
	return c.answerWrite(c.route.id, result)
}

// parseUpdate reads an update. Operands for declared dates may be texts; what that makes of the document is looked at again
// as it is written, because the declaration can change until then.
func (c *call) parseUpdate(text []byte, media string) (*matcher.Update, error) {
	if media == contentMerge {
		return matcher.ParseMergePatch(text, c.cfg.Limits)
	}
	collection, _ := c.store.Collection(c.route.app, c.route.collection)
	return matcher.ParseUpdate(text, collection.Dates(), c.cfg.Limits)
}

// remove answers DELETE /v1/db/{collection}/{id}.
func (c *call) remove() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	pre, err := readPreconditions(c.r, false)
	if err != nil {
		return err
	}
	pre.mustExist = true
	result, err := c.write(c.r.Context(), writeRequest{
		app: c.route.app, collection: c.route.collection, id: c.route.id, preconditions: pre,
		after: func(*matcher.Document) (image, error) { return image{}, nil },
	})
	if err != nil {
		return err
	}
	c.setPosition(result.position)
	return c.empty(http.StatusNoContent)
}

// answerWrite answers with what was stored.
func (c *call) answerWrite(id string, result written) error {
	h, revision := c.w.Header(), result.document.Revision().String()
	h.Set("ETag", etag(revision))
	c.setPosition(result.position)
	status := http.StatusOK
	if result.created {
		status = http.StatusCreated
		h.Set("Location", c.path(c.route.collection, id))
	}
	if !prefersMinimal(c.r) {
		return c.json(status, matcher.AppendValue(nil, result.document.Root(), matcher.ValuesRelaxed))
	}
	h.Set("Preference-Applied", "return=minimal")
	body := matcher.AppendString([]byte(`{"_id":`), []byte(id))
	body = matcher.AppendString(append(body, `,"_rev":`...), []byte(revision))
	return c.json(status, append(body, '}'))
}

func prefersMinimal(r *http.Request) bool {
	for _, value := range r.Header.Values("Prefer") {
		for preference := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(preference), "return=minimal") {
				return true
			}
		}
	}
	return false
}

// load answers GET /v1/db/{collection}/{id}.
func (c *call) load() error {
	if c.wantsStream() {
		return c.streamDocument()
	}
	in, err := c.parameters(loadNames...)
	if err != nil {
		return err
	}
	request, err := readQuery(in)
	if err != nil {
		return err
	}
	if err := matcher.CheckID(c.route.id, c.cfg.Limits); err != nil {
		return err
	}
	snapshot, err := c.snapshotAt(c.r.Context(), request.minPosition)
	if err != nil {
		return err
	}
	defer c.closeSnapshot(snapshot)
	collection, found, err := c.collection(c.route.app, c.route.collection)
	if err != nil {
		return err
	}
	query, err := request.compile(collection, c.cfg.Limits)
	if err != nil {
		return err
	}
	var document *matcher.Document
	if found {
		if document, err = snapshot.Load(collection, c.route.id); err != nil {
			return err
		}
	}
	if document == nil {
		return &Problem{Code: "document-not-found", Detail: "There is no document with this id."}
	}
	revision := document.Revision().String()
	c.w.Header().Set("ETag", etag(revision))
	c.setPosition(snapshot.Vector())
	if given := c.r.Header.Values("If-None-Match"); len(given) > 0 && etagMatches(strings.Join(given, ","), revision, true) {
		return c.empty(http.StatusNotModified)
	}
	return c.json(http.StatusOK, query.AppendDocument(nil, document))
}
