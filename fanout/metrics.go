package fanout

import "sync/atomic"

// Metrics counts what the hubs do. The tags are what the metrics page says.
type Metrics struct {
	Hubs          atomic.Int64 `help:"Registered queries."`
	Subscriptions atomic.Int64 `help:"Subscriptions of all sessions."`
	Sessions      atomic.Int64 `help:"Open sessions."`
	QueuedBytes   atomic.Int64 `help:"Bytes that wait in all sessions' queues, shared bodies counted for each."`
	ReadsRunning  atomic.Int64 `help:"Reads of results that run, each for one or more registered queries; at most maxReads."`
	ReadsWaiting  atomic.Int64 `help:"Registered queries that wait for a read of their result."`
	HeldBytes     atomic.Int64 `help:"Bytes of changes and frames held for queries that are being read."`

	Changes          atomic.Uint64 `help:"Changes that were matched."`
	Encoded          atomic.Uint64 `help:"Change frames that were encoded, once per change and registered query."`
	EncodedBytes     atomic.Uint64 `help:"Bytes of change frames that were encoded."`
	Frames           atomic.Uint64 `help:"Frames put into queues."`
	Dropped          atomic.Uint64 `help:"Frames that a lagging subscription did not get."`
	Lagged           atomic.Uint64 `help:"Times that a slow client's subscription was put off; it gets a fresh result."`
	Reads            atomic.Uint64 `help:"Initial results read, fresh results after a reset included."`
	Resumes          atomic.Uint64 `help:"Subscriptions that came back with a position and whose missed changes were looked for."`
	ResumesPostponed atomic.Uint64 `help:"Positions left to a later read, because those before them filled maxResumeBytes."`
	Refills          atomic.Uint64 `help:"Windows that ran dry and were read again."`
	Restarts         atomic.Uint64 `help:"Reads of results that started again because maxHeldBytes ran out."`
	SlowSessions     atomic.Uint64 `help:"Sessions closed because their client did not read (4002)."`
	Boundaries       atomic.Uint64 `help:"Boundaries between two groups that were used to register, join and release."`
}

// Metrics returns the counters, which go on changing.
func (h *Hubs) Metrics() *Metrics { return &h.metrics }
