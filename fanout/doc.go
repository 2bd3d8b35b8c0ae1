// Package fanout is where a node's registered queries meet their subscriptions: hubs, sessions and bounded queues.
//
// The way of a write through this package: Hubs.Prepare (match, window, encode) -> Hubs.Release -> Session.push ->
// Session.Next. The way of a subscription: Session.Subscribe -> Hubs.register -> round.run -> Hubs.join -> live.
//
// Invariants (tests cite them by number):
//
//  1. Nothing reaches a session's queue before the group that it comes from is durable (Release).
//  2. For each subscription, `subscribed` comes first and `unsubscribed` or an error last, each once.
//  3. A frame at position V leaves the subscription's view equal to its query over the documents as of V; positions
//     never go back. No change is missed and none comes twice, however long a read or a refill takes.
//  4. One change is encoded at most once per registered query; its subscriptions share the bytes.
//  5. The apply loop waits for no socket, no worker and no read. What reads more than a window's own entries runs in
//     a worker, beside the loop, and joins at a group boundary.
//  6. `progress` claims a position only after every frame up to it was queued for every subscription of the session.
//  7. All that can pile up has a bound: queues (MaxQueueBytes, MaxControlBytes), changes held during a read
//     (MaxHeldBytes), results (MaxResultBytes), reads (MaxReads) and subscriptions (MaxSubscriptions).
//
// # Who owns what
//
// The hubs, their windows and the place of every subscription (loopState, hub, and the first half of subscription)
// belong to storage's apply loop: they are touched only in Prepare, Release and the function given to Store.Boundary,
// and so need no lock. A round belongs to its worker from its start until it is posted back. Session.mu guards the
// session's queue and what a session knows of its subscriptions; Hubs.mu guards what waits for a boundary, and the set
// of sessions. Each lock is the innermost one: no goroutine ever holds two, and none is held across a call out of the
// package or a channel operation that could block.
//
// Hubs.Run starts the workers and waits for them before it returns. A session has no goroutine of its own.
//
// # What happens to a slow client
//
// Frames of a change wait in the session's queue up to MaxQueueBytes. A subscription whose frame does not fit gets
// nothing more until Next has emptied the queue; then it gets a fresh `result` with `reset` and the reason
// slow-consumer (metric: Metrics.Lagged, Metrics.Dropped). A client that keeps asking and never reads fails with
// ErrSlowSession.
//
// # How a client goes on from a position
//
// A round reads the changes since then from the history, beside the loop, and takes the query's result through them, one
// by one: a window is first read as it was then (the snapshot with those changes taken back). Where the history does not
// reach back, or too much has changed, the client gets a fresh result with `reset` and the reason.
//
// Left out on purpose: hubs that linger after their last subscription; one scan of the history for many hubs; joining
// several changes into one frame.
package fanout
