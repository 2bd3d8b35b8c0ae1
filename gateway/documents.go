package gateway

import (
	"net/http"
	"strings"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// readDocument reads the document in a request's body.
func (c *call) readDocument() (matcher.Value, error) {
	text, _, err := c.body(contentJSON)
	if err != nil {
		return matcher.Value{}, err
	}
	document, err := matcher.Parse(text, c.cfg.Limits)
	if err != nil {
		return matcher.Value{}, err
	}
	return document.Root(), nil
}

// writeInput begins what the request asks for, by its headers. create says that the call may create a document, so that
// If-None-Match has a meaning.
func (c *call) writeInput(operation string, create bool) (in writeInput, err error) {
	in = writeInput{operation: operation, collection: c.route.collection, id: c.route.id}
	h := c.r.Header
	in.ifMatch = strings.TrimSpace(strings.Join(h.Values("If-Match"), ","))
	switch given := strings.TrimSpace(h.Get("If-None-Match")); {
	case given == "":
	case given == "*" && create:
		in.ifNoneMatch = true
	default:
		return in, problemf("header-invalid", "If-None-Match is %q; a write takes only * and only where it can create a document.", given)
	}
	if keys := h.Values("Idempotency-Key"); len(keys) > 0 {
		if in.key = keys[0]; len(keys) > 1 || in.key == "" {
			return in, problemf("idempotency-key-invalid", "The Idempotency-Key is empty or occurs more than once; send it once, with 1 to %d printable ASCII characters.", MaxIdempotencyKeyBytes)
		}
	}
	return in, nil
}

// makeWrite has the write done and answers with its outcome.
func (c *call) makeWrite(in writeInput) error {
	request, err := c.readWrite(c.route.app, in)
	if err != nil {
		return err
	}
	result, err := c.write(c.r.Context(), request)
	if err != nil {
		return err
	}
	return c.answerWrite(request.id, result)
}

// insert answers POST /v1/db/{collection}.
func (c *call) insert() error {
	if c.wantsStream() {
		return problemf("route-not-found", "A POST to a collection inserts a document; for a live query use POST %s:query.", c.r.URL.EscapedPath())
	}
	return c.writeDocument(writeInsert)
}

// replace answers PUT /v1/db/{collection}/{id}.
func (c *call) replace() error { return c.writeDocument(writeReplace) }

func (c *call) writeDocument(operation string) error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	in, err := c.writeInput(operation, true)
	if err != nil {
		return err
	}
	if in.document, err = c.readDocument(); err != nil {
		return err
	}
	return c.makeWrite(in)
}

// update answers PATCH /v1/db/{collection}/{id}.
func (c *call) update() error {
	parameters, err := c.parameters("upsert")
	if err != nil {
		return err
	}
	upsert := parameters.boolean("upsert", false)
	if parameters.err != nil {
		return parameters.err
	}
	in, err := c.writeInput(writeUpdate, upsert)
	if err != nil {
		return err
	}
	in.upsert = upsert
	text, media, err := c.body(contentJSON, contentMerge)
	if err != nil {
		return err
	}
	in.update, in.merge = text, media == contentMerge
	return c.makeWrite(in)
}

// remove answers DELETE /v1/db/{collection}/{id}.
func (c *call) remove() error {
	if _, err := c.parameters(); err != nil {
		return err
	}
	in, err := c.writeInput(writeDelete, false)
	if err != nil {
		return err
	}
	return c.makeWrite(in)
}

// answerRoomBytes is what an answer has around the texts that it is made of.
const answerRoomBytes = 64

// answerWrite answers with what was stored.
func (c *call) answerWrite(id string, result storage.Written) error {
	c.setPosition(result.Position)
	if result.Document == nil {
		return c.empty(http.StatusNoContent)
	}
	h, revision := c.w.Header(), result.Document.Revision().String()
	setETag(h, revision)
	status := http.StatusOK
	if result.Operation == matcher.OperationInsert {
		status = http.StatusCreated
		h["Location"] = []string{c.path(c.route.collection, id)}
	}
	if !prefersMinimal(c.r) {
		text := make([]byte, 0, len(result.Document.Text())+answerRoomBytes)
		return c.json(status, matcher.AppendValue(text, result.Document.Root(), matcher.ValuesRelaxed))
	}
	h["Preference-Applied"] = headerMinimalGiven
	body := append(make([]byte, 0, len(id)+len(revision)+answerRoomBytes), `{"_id":`...)
	body = append(matcher.AppendString(body, []byte(id)), `,"_rev":"`...)
	return c.json(status, append(append(body, revision...), `"}`...))
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
	setETag(c.w.Header(), revision)
	c.setPosition(snapshot.Vector())
	if given := c.r.Header.Values("If-None-Match"); len(given) > 0 && etagMatches(strings.Join(given, ","), revision, true) {
		return c.empty(http.StatusNotModified)
	}
	if _, err := query.Decide(document); err != nil { // it may take too much to project
		return err
	}
	return c.json(http.StatusOK, query.AppendDocument(nil, document))
}
