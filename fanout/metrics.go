package fanout

import "sync/atomic"

// Metrics counts what the hubs do. Gauges may go down, counters only grow. The names on the metrics page are
// freshet_fanout_<field in snake case>.
type Metrics struct {
	Hubs          atomic.Int64 // gauge: registered queries
	Subscriptions atomic.Int64 // gauge: subscriptions attached to a hub
	Sessions      atomic.Int64 // gauge: open sessions
	QueuedBytes   atomic.Int64 // gauge: bytes that wait in all sessions' queues, shared bodies counted for each
	HeldBytes     atomic.Int64 // gauge: bytes of changes and frames held for queries that are being read

	Changes          atomic.Uint64 // counter: changes that were matched
	Encoded          atomic.Uint64 // counter: change frames that were encoded, once per change and registered query
	EncodedBytes     atomic.Uint64 // counter: their bytes
	Frames           atomic.Uint64 // counter: frames put into queues
	Dropped          atomic.Uint64 // counter: frames that a lagging subscription did not get
	Lagged           atomic.Uint64 // counter: times that a subscription began to lag
	Reads            atomic.Uint64 // counter: initial results read, fresh results after a reset included
	Resumes          atomic.Uint64 // counter: positions that clients came back with and whose changes since were looked for
	ResumesPostponed atomic.Uint64 // counter: positions left to a later read, because those before them filled MaxResumeBytes
	Refills          atomic.Uint64 // counter: windows that ran dry and were read again
	Restarts         atomic.Uint64 // counter: reads that started again because MaxHeldBytes ran out
	SlowSessions     atomic.Uint64 // counter: sessions that failed with ErrSlowSession
	Boundaries       atomic.Uint64 // counter: group boundaries used
}

// Metrics returns the counters, which go on changing.
func (h *Hubs) Metrics() *Metrics { return &h.metrics }
