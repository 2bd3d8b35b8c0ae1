package gateway

import (
	"slices"
	"strings"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// writeNames are the fields of a write object: a line of a bulk write, or a write frame beside its type and id.
var writeNames = []string{"operation", "collection", "_id", "document", "update", "ifMatch", "ifNoneMatch", "idempotencyKey"}

// maxWriteObjectNodes is how many values a write object has beside those of its document.
const maxWriteObjectNodes = 16

// parseWriteObject parses the text of a write object whole, once: its document is taken from it as it stands. Its size
// is bounded by whoever read it.
func (g *Gateway) parseWriteObject(text []byte) (matcher.Value, error) {
	limits := g.cfg.Limits
	limits.MaxDocumentBytes = len(text)
	limits.MaxDocumentDepth++
	limits.MaxDocumentFields += maxWriteObjectNodes
	d, err := matcher.Parse(text, limits)
	if err != nil {
		return matcher.Value{}, err
	}
	return d.Root(), nil
}

// readWriteObject reads the fields of a write object. ignored names fields that are not the write's.
func readWriteObject(object matcher.Value, ignored ...string) (in writeInput, err error) {
	var update matcher.Value
	for v := object.First(); v.Exists(); v = v.Next() {
		switch string(v.Name()) {
		case "operation":
			in.operation, err = operationField(v)
		case "collection":
			in.collection, err = stringField(v)
		case "_id":
			in.id, err = stringField(v)
		case "document":
			in.document = v
		case "update":
			update = v
		case "ifMatch":
			in.ifMatch, err = stringField(v)
			in.ifMatch = revisionTag(in.ifMatch)
		case "ifNoneMatch":
			in.ifNoneMatch = string(v.Raw()) == `"*"`
			if !in.ifNoneMatch {
				err = fieldError("ifNoneMatch", "only \"*\" is taken: the write creates, or is not made.")
			}
		case "idempotencyKey":
			if in.key, err = stringField(v); err == nil && in.key == "" {
				err = checkIdempotencyKey(in.key)
			}
		default:
			if name := string(v.Name()); !slices.Contains(ignored, name) {
				err = unknownName("field-unknown", "field", name, writeNames)
			}
		}
		if err != nil {
			return in, err
		}
	}
	return in, in.checkObject(update)
}

// checkObject checks that the fields fit the operation, and finds the id where the document alone has it.
func (in *writeInput) checkObject(update matcher.Value) error {
	if !slices.Contains(writeOperations, in.operation) {
		return fieldError("operation", "it must be one of "+strings.Join(writeOperations, ", ")+didYouMean(in.operation, writeOperations))
	}
	if in.collection == "" {
		return fieldError("collection", "a write needs the name of its collection.")
	}
	writesDocument := in.operation == writeInsert || in.operation == writeReplace
	switch {
	case writesDocument && in.document.Kind() != matcher.KindObject:
		return fieldError("document", "this operation needs a JSON object.")
	case !writesDocument && in.document.Exists():
		return fieldError("document", "this operation takes none; leave it out.")
	case in.operation == writeUpdate && update.Kind() != matcher.KindObject:
		return fieldError("update", "an update needs a JSON object of operators, such as {\"$set\":{\"title\":\"x\"}}.")
	case in.operation != writeUpdate && update.Exists():
		return fieldError("update", "only the operation update takes it; leave it out.")
	case in.ifNoneMatch && !writesDocument:
		return fieldError("ifNoneMatch", "this operation creates nothing; leave it out.")
	}
	in.update = update.Raw()
	if in.id == "" && in.operation == writeReplace {
		in.id = string(in.document.Field("_id").Bytes())
	}
	if in.id == "" && in.operation != writeInsert {
		return fieldError("_id", "this operation needs the id of its document.")
	}
	return nil
}

// operationField reads an operation: a known one is not copied.
func operationField(v matcher.Value) (string, error) {
	if v.Kind() == matcher.KindString {
		for _, known := range writeOperations {
			if string(v.Bytes()) == known {
				return known, nil
			}
		}
	}
	return stringField(v)
}

func stringField(v matcher.Value) (string, error) {
	if v.Kind() == matcher.KindString {
		return string(v.Bytes()), nil
	}
	return "", fieldError(string(v.Name()), "it must be a string.")
}

func fieldError(name, detail string) error {
	return &Problem{Code: "field-invalid", Path: pointer(name), Detail: "The field " + name + ": " + detail}
}

// revisionTag is the entity tag of a revision that a client names; * is any. What no revision can be matches none.
func revisionTag(revision string) string {
	if revision == "*" {
		return revision
	}
	if strings.ContainsAny(revision, `",`) {
		revision = "(unreadable)"
	}
	return etag(revision)
}

// beginWrite begins the write that a write object asks for; done is called once, as storage.Store.Begin says, also where
// the write is refused.
func (g *Gateway) beginWrite(app string, in writeInput, done func(id string, w storage.Written, err error)) {
	request, err := g.readWrite(app, in)
	if err == nil {
		var collection storage.Collection
		if collection, err = g.collectionOf(g.background, &request); err == nil {
			g.store.Begin(g.updateOf(collection, &request), func(w storage.Written, err error) { done(request.id, w, err) })
			return
		}
	}
	done(in.id, storage.Written{}, err)
}

// appendWritten appends what a write object is answered with, but for the braces around it.
func (g *Gateway) appendWritten(dst []byte, id string, w storage.Written) []byte {
	dst = matcher.AppendString(append(dst, `"_id":`...), []byte(id))
	if w.Document != nil {
		dst = append(w.Document.Revision().AppendText(append(dst, `,"_rev":"`...)), '"')
	}
	dst = append(append(dst, `,"position":"`...), g.positions.of(w.Position).text...)
	return append(dst, '"')
}
