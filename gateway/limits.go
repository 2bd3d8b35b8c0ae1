package gateway

import "github.com/freshetdb/freshet/storage"

// helloLimit is one row of the table of bounds that a client can hit: hello tells it their values.
type helloLimit struct {
	Name string
	Doc  string
	of   func(*Gateway) int64
}

// helloLimits is the table. docs/protocol.md is generated from it.
var helloLimits = []helloLimit{
	{"maxFrameBytes", "One WebSocket message of a client; a larger one closes the session (4502).", func(g *Gateway) int64 { return g.cfg.MaxFrameBytes }},
	{"maxBodyBytes", "The body of a request: `body-too-large`.", func(g *Gateway) int64 { return g.cfg.MaxBodyBytes }},
	{"maxIdBytes", "An `_id`: `id-invalid`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxIDBytes) }},
	{"maxDocumentBytes", "JSON text of a document: `document-too-large`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxDocumentBytes) }},
	{"maxDocumentDepth", "Levels of nesting in a document (`document-too-large`) or a query (`query-too-large`).", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxDocumentDepth) }},
	{"maxDocumentFields", "Values in a document, nested ones counted: `document-too-large`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxDocumentFields) }},
	{"maxCollections", "Collections of an app: `too-many-collections`.", func(*Gateway) int64 { return storage.MaxCollections }},
	{"maxIndexes", "Indexes of a collection: `too-many-indexes`.", func(*Gateway) int64 { return storage.MaxIndexes }},
	{"maxSessionWrites", "`write` frames of a session that are on their way; what comes beyond waits in the socket.", func(*Gateway) int64 { return MaxSessionWrites }},
	{"maxIdempotencyKeyBytes", "An idempotency key: `idempotency-key-invalid`.", func(*Gateway) int64 { return MaxIdempotencyKeyBytes }},
	{"maxQueryBytes", "Text of a filter: `query-too-large`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxQueryBytes) }},
	{"maxQueryNodes", "Operators and values in a filter: `query-too-large`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxQueryNodes) }},
	{"maxWindow", "skip + limit of a live query, or the documents of a live sort without a limit: `window-too-large`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxWindow) }},
	{"maxResultDocuments", "Documents of a live result: `result-too-large`.", func(g *Gateway) int64 { return int64(g.cfg.Limits.MaxResultDocuments) }},
	{"maxResultBytes", "JSON text of a live result: `result-too-large`.", func(g *Gateway) int64 { return int64(g.hubs.Config().MaxResultBytes) }},
	{"maxPageDocuments", "Documents of a page of a query's answer; more come by its `next`.", func(*Gateway) int64 { return MaxPageDocuments }},
	{"maxSubscriptions", "Subscriptions of a session: `too-many-subscriptions`.", func(g *Gateway) int64 { return int64(g.hubs.Config().MaxSubscriptions) }},
	{"maxSubscriptionIdBytes", "The id of a subscription: `field-invalid`.", func(*Gateway) int64 { return MaxSubscriptionIDBytes }},
}

// bounds are all bounds that the gateway knows, for the metrics page: beside those of hello, what fills up unseen by clients.
func (g *Gateway) bounds() map[string]int64 {
	bounds, hubs := g.limits(), g.hubs.Config()
	bounds["maxConnections"] = int64(g.cfg.MaxConnections)
	bounds["maxQueueBytes"] = int64(hubs.MaxQueueBytes)
	bounds["maxHeldBytes"] = int64(hubs.MaxHeldBytes)
	bounds["maxResumeBytes"] = int64(hubs.MaxResumeBytes)
	bounds["maxReads"] = int64(hubs.MaxReads)
	bounds["maxWaitingWrites"] = storage.MaxWaitingWrites
	bounds["maxWaitingBytes"] = storage.MaxWaitingBytes
	return bounds
}

// limits are the values of the table.
func (g *Gateway) limits() map[string]int64 {
	limits := make(map[string]int64, len(helloLimits))
	for _, l := range helloLimits {
		limits[l.Name] = l.of(g)
	}
	return limits
}
