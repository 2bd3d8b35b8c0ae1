package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/freshetdb/freshet/matcher"
)

// The operations of a write. Over HTTP the method says which.
const (
	writeInsert  = "insert"
	writeReplace = "replace"
	writeUpdate  = "update"
	writeDelete  = "delete"
)

var writeOperations = []string{writeInsert, writeReplace, writeUpdate, writeDelete}

// MaxIdempotencyKeyBytes bounds an idempotency key: printable ASCII, at least one character.
const MaxIdempotencyKeyBytes = 255

// writeInput is a write as a client words it, whichever way it came.
type writeInput struct {
	operation   string
	collection  string
	id          string        // "": an insert's is in its document, or is to be made
	document    matcher.Value // of insert and replace
	update      []byte        // of update: operators, or a merge patch
	merge       bool          // update is a merge patch
	upsert      bool          // update makes a missing document
	ifMatch     string        // as in the header, "" if none
	ifNoneMatch bool          // "*"
	key         string        // idempotency key, "" if none
}

// read checks the input and says what is to be done to which document.
func (g *Gateway) readWrite(app string, in writeInput) (w writeRequest, err error) {
	w = writeRequest{app: app, collection: in.collection, id: in.id, preconditions: preconditions{ifMatch: in.ifMatch, ifNoneMatch: in.ifNoneMatch}}
	if in.key != "" {
		if err := checkIdempotencyKey(in.key); err != nil {
			return w, err
		}
		w.key, w.hash = in.key, in.hash(app)
	}
	switch in.operation {
	case writeInsert:
		err = w.readInsert(&in)
	case writeReplace:
		err = w.readReplace(&in)
	case writeUpdate:
		err = w.readUpdate(&in, g)
	case writeDelete:
		w.preconditions.mustExist = true
		w.after = func(*matcher.Document) (image, error) { return image{}, nil }
	}
	if err != nil {
		return w, err
	}
	return w, matcher.CheckID(w.id, g.cfg.Limits)
}

func (w *writeRequest) readInsert(in *writeInput) error {
	user := in.document
	if err := checkDocument(user, in.id); err != nil {
		return err
	}
	switch given := user.Field("_id"); {
	case given.Exists():
		w.id = string(given.Bytes())
	case w.id == "":
		made, err := in.madeID(w.app)
		if err != nil {
			return err
		}
		w.id = made.String()
	}
	w.preconditions.mustNot = true
	w.after = func(*matcher.Document) (image, error) {
		return image{user: user, acl: aclAfter(nil, user)}, nil
	}
	return nil
}

func (w *writeRequest) readReplace(in *writeInput) error {
	user := in.document
	if err := checkDocument(user, in.id); err != nil {
		return err
	}
	if given := user.Field("_rev"); given.Exists() {
		w.preconditions.revision = string(given.Bytes())
		if w.preconditions.revision == "" {
			w.preconditions.revision = "(empty)" // no document has it
		}
	}
	w.after = func(before *matcher.Document) (image, error) {
		return image{user: user, acl: aclAfter(before, user)}, nil
	}
	return nil
}

func (w *writeRequest) readUpdate(in *writeInput, g *Gateway) error {
	w.preconditions.mustExist = !in.upsert
	w.update = true
	update, err := g.parseUpdate(w.app, in)
	if err != nil {
		return err
	}
	w.after = func(before *matcher.Document) (image, error) {
		after, changed, err := update.Apply(before, g.now().UnixMilli(), g.cfg.Limits)
		if err != nil {
			return image{}, err
		}
		user := after.Root()
		if err := checkACL(user); err != nil {
			return image{}, err
		}
		return image{user: user, acl: aclText(user.Field("_acl")), unchanged: before != nil && !changed}, nil
	}
	return nil
}

// parseUpdate reads an update. Operands for declared dates may be texts; what that makes of the document is looked at again
// as it is written, because the declaration can change until then.
func (g *Gateway) parseUpdate(app string, in *writeInput) (*matcher.Update, error) {
	if in.merge {
		return matcher.ParseMergePatch(in.update, g.cfg.Limits)
	}
	collection, _ := g.store.Collection(app, in.collection)
	return matcher.ParseUpdate(in.update, collection.Dates(), g.cfg.Limits)
}

// checkDocument checks the metadata fields of a document that a client sends. id is the one that it is written under, ""
// if its own counts.
func checkDocument(user matcher.Value, id string) error {
	bad := func(name, detail string) error {
		return &Problem{Code: "document-invalid", Path: pointer(name), Detail: detail}
	}
	if given := user.Field("_id"); given.Exists() {
		switch {
		case given.Kind() != matcher.KindString:
			return &Problem{Code: "id-invalid", Path: "/_id", Detail: "An _id is a string; write it in quotes, or leave it out to have one made."}
		case id != "" && string(given.Bytes()) != id:
			return &Problem{Code: "id-mismatch", Path: "/_id", Detail: "The document's _id is not the id that it is written to; leave it out, or write to its own id."}
		}
	}
	if revision := user.Field("_rev"); revision.Exists() && revision.Kind() != matcher.KindString {
		return bad("_rev", "A _rev is a string; leave it out, or give the one that the document was loaded with.")
	}
	if err := checkACL(user); err != nil {
		return err
	}
	if user.Field("_meta").Exists() {
		return bad("_meta", "The field _meta is reserved; use another name.")
	}
	return nil
}

func checkACL(user matcher.Value) error {
	if acl := user.Field("_acl"); acl.Exists() && !acl.IsNull() && acl.Kind() != matcher.KindObject {
		return &Problem{Code: "document-invalid", Path: "/_acl", Detail: "An _acl is an object, or null to clear it."}
	}
	return nil
}

// aclAfter is the `_acl` of a document that replaces before: an absent one keeps the stored one, null clears it.
func aclAfter(before *matcher.Document, user matcher.Value) []byte {
	if acl := user.Field("_acl"); acl.Exists() {
		return aclText(acl)
	}
	if before == nil {
		return nil
	}
	return aclText(matcher.StoredACL(before))
}

func aclText(acl matcher.Value) []byte {
	if !acl.Exists() || acl.IsNull() {
		return nil
	}
	return acl.Raw()
}

func checkIdempotencyKey(key string) error {
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	if len(key) <= MaxIdempotencyKeyBytes && !strings.ContainsFunc(key, outside) {
		return nil
	}
	return &Problem{Code: "idempotency-key-invalid", Limit: MaxIdempotencyKeyBytes,
		Detail: fmt.Sprintf("The idempotency key has %d bytes or other characters than printable ASCII; use 1 to %d of these, such as a UUID.", len(key), MaxIdempotencyKeyBytes)}
}

// hash tells the requests under one idempotency key apart: 64 bits over everything that decides what the write does.
func (in *writeInput) hash(app string) uint64 {
	h := sha256.New()
	part := func(text []byte) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write(text)
	}
	for _, text := range []string{in.operation, app, in.collection, in.id, in.ifMatch, fmt.Sprint(in.ifNoneMatch, in.merge, in.upsert)} {
		part([]byte(text))
	}
	part(in.document.Raw())
	part(in.update)
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// madeID makes the _id of an insert that has none: by time, or from the idempotency key, so that a repeat means the same
// document.
func (in *writeInput) madeID(app string) (uuid.UUID, error) {
	if in.key == "" {
		return uuid.NewV7()
	}
	return uuid.NewHash(sha256.New(), uuid.Nil, []byte(app+"/"+in.collection+"/"+in.key), 8), nil
}
