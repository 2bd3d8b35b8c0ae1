package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// problemKind is one row of the table of everything that can go wrong for a client. The code is stable: clients
// compare it, and it names the row in the docs.
type problemKind struct {
	Code       string
	Status     int
	Title      string
	RetryAfter time.Duration // 0: repeating the same request cannot help
	Doc        string        // one sentence for docs/protocol.md
}

// problemKinds is the table. docs/protocol.md is generated from it.
var problemKinds = []problemKind{
	{"json-invalid", 400, "The text is not valid JSON", 0, "The body, a parameter or a frame is not JSON, or holds JSON that no document can hold (such as invalid UTF-8)."},
	{"document-invalid", 400, "The document cannot be stored", 0, "The JSON is well-formed but is not a document: not an object, or a metadata field has a wrong form."},
	{"type-mismatch", 400, "The value has not the declared type", 0, "The collection declares the field, and the value is not of its type nor can be read as such; `path` points at the value in the document or update."},
	{"id-invalid", 400, "The document id is not allowed", 0, "An `_id` is a string of 1 to 512 bytes of UTF-8 without control characters, and neither `.` nor `..`."},
	{"id-mismatch", 400, "The document has another id than the URL", 0, "The `_id` in the body must equal the id in the URL, or be left out."},
	{"id-not-string", 400, "Ids are strings", 0, "A filter compares `_id` with something that is not a string."},
	{"update-invalid", 400, "The update cannot be applied", 0, "An update needs operators such as `$set`; this one has none, contradicts itself, or does not fit the document."},
	{"query-invalid", 400, "The query is not valid", 0, "The filter, sort or fields do not say what they mean; `path` points at the place."},
	{"operator-unknown", 400, "The operator is unknown", 0, "The detail names the operator and the nearest known one."},
	{"query-too-large", 400, "The query is too large", 0, "A bound on the size, depth or number of operators of a query was passed."},
	{"query-too-costly", 400, "The query is too costly for a document", 0, "The filter, or the `$elemMatch` of `fields`, has more to do for one of the collection's documents than it may (`MaxMatchSteps`, `MaxRegexWork`). A subscription ends with it when such a document is written."},
	{"window-too-large", 400, "The window is too large", 0, "skip + limit of a live query, or the documents of a live sort without a limit, passed the bound."},
	{"result-too-large", 400, "The result is too large", 0, "A live result has more documents, or more bytes, than one may hold; or a query skips more documents than that."},
	{"position-invalid", 400, "The position is not valid", 0, "A position must be one that this server sent, whole."},
	{"index-invalid", 400, "The index is not valid", 0, "The definition of an index does not say what it means, or passes a bound; `path` points at the place."},
	{"page-invalid", 400, "The page token is not valid", 0, "`page` must be the `next` of an answer to the very same query."},
	{"parameter-unknown", 400, "The parameter is unknown", 0, "The URL has a query parameter that this call does not know; the detail names the nearest one."},
	{"parameter-invalid", 400, "The parameter is not valid", 0, "A query parameter has a value that it cannot have, or occurs twice."},
	{"field-unknown", 400, "The field is unknown", 0, "The body or frame has a field that it does not know; the detail names the nearest one."},
	{"field-invalid", 400, "The field is not valid", 0, "A field of the body or frame is missing or has a value that it cannot have."},
	{"frame-unknown", 400, "The frame type is unknown", 0, "The `type` of a frame is none that this server takes; the detail names the nearest one."},
	{"header-invalid", 400, "The header is not valid", 0, "A request header has a value that it cannot have here."},
	{"idempotency-key-invalid", 400, "The idempotency key is not valid", 0, "An idempotency key is 1 to 255 printable ASCII characters, sent once."},
	{"option-unsupported", 400, "The option is not supported", 0, "The protocol knows the option or value but this server does not have it; leave it out."},
	{"collection-name-invalid", 400, "The collection name is not allowed", 0, "A collection name is `[A-Za-z][A-Za-z0-9_.-]{0,63}`."},
	{"token-missing", 401, "An access token is needed", 0, "Send `Authorization: Bearer <token>`, or an `auth` frame on a WebSocket."},
	{"token-invalid", 401, "The access token is not valid", 0, "The token is not one of this server."},
	{"host-refused", 403, "The Host is not this machine", 0, "With `--dev` only a loopback `Host` and loopback connections are answered."},
	{"forwarding-refused", 403, "The request was forwarded", 0, "With `--dev` a request that came through a proxy (`Forwarded`, `X-Forwarded-*`, `X-Real-IP`) is refused."},
	{"origin-refused", 403, "The Origin is not allowed", 0, "The page's origin is not listed in `http.origins` (with `--dev` loopback origins are allowed too)."},
	{"route-not-found", 404, "There is nothing at this path", 0, "The path is none of this protocol. A `/` within a document id is written `%2F`."},
	{"app-not-found", 404, "The app does not exist", 0, "The app in `/v1/apps/{app}` does not exist; the first app is `default`."},
	{"collection-not-found", 404, "The collection does not exist", 0, "The detail names the nearest collection. Create one with `PUT /v1/db/{collection}`."},
	{"index-not-found", 404, "The index does not exist", 0, "The detail names the nearest index. Create one with `PUT /v1/db/{collection}:indexes/{name}`."},
	{"document-not-found", 404, "The document does not exist", 0, "The collection has no document with this id."},
	{"backup-running", 409, "Another backup is running", 0, "One backup is taken at a time."},
	{"backup-failed", 500, "The backup failed", 0, "The detail says why; what an earlier backup left in the folder is whole."},
	{"method-not-allowed", 405, "The method is not allowed here", 0, "`Allow` lists the methods of this path."},
	{"already-exists", 409, "The document exists already", 0, "An insert found a document with its id."},
	{"id-in-use", 409, "The id is in use", 0, "A subscription of this session has the id; it goes on."},
	{"too-many-collections", 409, "The app has too many collections", 0, "Drop one that is not needed any more."},
	{"too-many-indexes", 409, "The collection has too many indexes", 0, "Drop one that is not needed any more."},
	{"collection-dropped", 410, "The collection was dropped", 0, "The subscription's collection was dropped while it ran."},
	{"position-gone", 410, "The position is of another time line", 0, "The log was begun anew since; read again without `minPosition`."},
	{"precondition-failed", 412, "The document is in another state", 0, "`If-Match`, `If-None-Match` or the `_rev` in the body does not fit the stored document. Load it, and try with its ETag."},
	{"body-too-large", 413, "The body is too large", 0, "The request body passed the server's bound."},
	{"document-too-large", 413, "The document is too large", 0, "A bound on the size, depth or number of values of a document was passed."},
	{"content-type-unsupported", 415, "The content type is not supported", 0, "JSON bodies need `Content-Type: application/json` (or `application/merge-patch+json` on PATCH)."},
	{"idempotency-key-reused", 422, "The idempotency key was used for another request", 0, "A write with this key was accepted, and it was another request. Use a new key for each request, and the same one only to repeat it unchanged."},
	{"upgrade-required", 426, "This path is a WebSocket", 0, "Open it as a WebSocket, with the subprotocol `freshet.v1` or none."},
	{"too-many-subscriptions", 429, "The session has too many subscriptions", time.Second, "Unsubscribe some first, or open another session."},
	{"internal", 500, "The server failed", 0, "A fault of the server; its log says more."},
	{"starting", 503, "The server is starting", time.Second, "The log is being opened or replayed."},
	{"draining", 503, "The server is stopping", time.Second, "Connect again; another node or the restarted one will answer."},
	{"overloaded", 503, "Too many writes are waiting", 500 * time.Millisecond, "The write was not made."},
	{"write-contended", 503, "Too many writes to one document", 200 * time.Millisecond, "Other writes to the document kept coming first; this one was not made."},
	{"result-unsteady", 503, "The result changes too fast", time.Second, "The result changed faster than it could be read; subscribe again, with a narrower filter if it keeps happening."},
	{"position-not-reached", 503, "The position was not reached in time", 500 * time.Millisecond, "The node has not yet applied `minPosition`."},
	{"too-many-connections", 503, "Too many connections", 2 * time.Second, "The server's bound on open connections is reached."},
	{"disk-full", 507, "The disk is nearly full", 5 * time.Second, "Too little of the server's disk is free (`disk.minFreeBytes`), and the write was not made. Reads, live queries, drops and truncates go on; writes do when there is room again."},
	{"outcome-unknown", 504, "It is unknown whether the write was made", 0, "Read the document before you repeat the write, or repeat it with `If-Match`."},
}

var problemKindByCode = func() map[string]*problemKind {
	m := make(map[string]*problemKind, len(problemKinds))
	for i := range problemKinds {
		m[problemKinds[i].Code] = &problemKinds[i]
	}
	return m
}()

// problemTypeBase begins the `type` of every problem; the code is the anchor of its row in the docs.
const problemTypeBase = "https://github.com/freshetdb/freshet/blob/main/docs/protocol.md#"

// Problem is an error as clients see it (RFC 9457). Code names a row of the table.
type Problem struct {
	Code       string
	Path       string // JSON pointer to the offending place, "" if there is none
	Detail     string // a sentence: the field, the value, the limit, and what to do
	Limit      int64  // the bound that was passed, 0 if none
	Allow      string // of method-not-allowed
	Underlying error  // for the log only
}

func (p *Problem) Error() string {
	if p.Underlying != nil {
		return fmt.Sprintf("%s: %s: %v", p.Code, p.Detail, p.Underlying)
	}
	return p.Code + ": " + p.Detail
}

func (p *Problem) Unwrap() error { return p.Underlying }

func (p *Problem) kind() *problemKind {
	if k, ok := problemKindByCode[p.Code]; ok {
		return k
	}
	return problemKindByCode["internal"]
}

func problemf(code, format string, args ...any) *Problem {
	return &Problem{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// sentinels maps the errors of storage and fanout to the table. The bound of a matcher.BoundError is added to the detail.
var sentinels = []struct {
	err    error
	code   string
	detail string
}{
	{storage.ErrCollectionNotFound, "collection-not-found", "The collection does not exist."},
	{storage.ErrContended, "write-contended", "Other writes to this document kept coming first; try again a little later."},
	{storage.ErrRequestReused, "idempotency-key-reused", "A write with this idempotency key was accepted, and it was another request; use a new key."},
	{storage.ErrCollectionChanged, "write-contended", "The collection was dropped or truncated while the write was being made."},
	{storage.ErrOverloaded, "overloaded", "Too many writes are waiting; try again a little later."},
	{storage.ErrDiskFull, "disk-full", "Too little of the server's disk is free, and the write was not made; make room, or lower the bound."},
	{storage.ErrOutcomeUnknown, "outcome-unknown", "The write may or may not have been made."},
	{storage.ErrStopped, "draining", "The server is stopping."},
	{storage.ErrTooManyCollections, "too-many-collections", "The app has as many collections as it may have; drop one first."},
	{storage.ErrIndexNotFound, "index-not-found", "The index does not exist."},
	{storage.ErrTooManyIndexes, "too-many-indexes", "The collection has as many indexes as it may have; drop one first."},
	{storage.ErrResultTooLarge, "result-too-large", "The result has too many documents; add a limit or a narrower filter."},
	{fanout.ErrResultTooLarge, "result-too-large", "The result has too many bytes; add a limit, a narrower filter, or fields."},
	{fanout.ErrReadOverrun, "result-unsteady", "The result changed faster than it could be read; subscribe again."},
	{fanout.ErrStopped, "draining", "The server is stopping."},
	{fanout.ErrIDInUse, "id-in-use", "A subscription of this session has this id."},
	{fanout.ErrTooManySubscriptions, "too-many-subscriptions", "This session has as many subscriptions as it may have; unsubscribe some, or open another session."},
	{fanout.ErrCollectionDropped, "collection-dropped", "The collection was dropped."},
	{context.Canceled, "draining", "The server is stopping."}, // or the client went away, and nobody reads it
}

// problemOf finds what a client is told about err. Errors that the table does not know are faults of the server.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var bad *matcher.Error
	if errors.As(err, &bad) {
		if _, known := problemKindByCode[bad.Code]; known {
			return &Problem{Code: bad.Code, Path: bad.Path, Detail: bad.Detail, Limit: bad.Limit}
		}
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			p := &Problem{Code: s.code, Detail: s.detail, Underlying: err}
			if passed := (*matcher.BoundError)(nil); errors.As(err, &passed) {
				p.Limit = passed.Bound
				p.Detail = fmt.Sprintf("%s (%s is %d).", strings.TrimSuffix(p.Detail, "."), passed.Name, passed.Bound)
			}
			return p
		}
	}
	return &Problem{Code: "internal", Detail: "The server failed to answer; its log says why.", Underlying: err}
}

// problemBody is the wire form.
type problemBody struct {
	Type         string `json:"type"`
	Title        string `json:"title"`
	Status       int    `json:"status"`
	Detail       string `json:"detail,omitempty"`
	Code         string `json:"code"`
	Path         string `json:"path,omitempty"`
	Limit        int64  `json:"limit,omitempty"`
	Retryable    bool   `json:"retryable"`
	RetryAfterMs int64  `json:"retryAfterMs,omitempty"`
}

// body returns the problem as JSON.
func (p *Problem) body() []byte {
	k := p.kind()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(problemBody{
		Type: problemTypeBase + k.Code, Title: k.Title, Status: k.Status, Detail: p.Detail, Code: k.Code,
		Path: p.Path, Limit: p.Limit, Retryable: k.RetryAfter > 0, RetryAfterMs: k.RetryAfter.Milliseconds(),
	})
	if err != nil { // strings and numbers always encode
		panic(err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte{'\n'})
}

// writeProblem answers a request with p.
func writeProblem(w http.ResponseWriter, p *Problem) {
	k, body, h := p.kind(), p.body(), w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	for _, name := range []string{"ETag", "Location", "Freshet-Position", "Preference-Applied"} {
		h.Del(name)
	}
	if k.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((k.RetryAfter+time.Second-1)/time.Second)))
	}
	if k.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="freshet"`)
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	w.WriteHeader(k.Status)
	_, _ = w.Write(body) // a client that went away is nobody's loss
}
