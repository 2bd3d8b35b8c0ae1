// Package gateway is the door of a Freshet node: HTTP, WebSocket and server-sent events, the one table of errors, and
// who may pass. It turns requests into writes and reads of storage and into subscriptions of fanout, and speaks the
// wire contract of docs/protocol.md.
//
// Invariants (tests cite them by number):
//
//  1. Every answer that is not a success is a problem of the table in problem.go; no handler makes up a status. (What
//     is no HTTP at all is refused by net/http, before the gateway sees it.)
//  2. Nothing that a client sends is silently ignored: an unknown parameter, field, frame or option is refused, with
//     the nearest known name.
//  3. A write is computed from the head that it names, and its preconditions are checked against that same head; if
//     another write came first, all of it is done again.
//  4. Without Config.Dev nothing but the health paths is answered without the access token, once it is known: until Open
//     everybody is told that the server is starting. With it nothing is answered that does not come from this machine.
//  5. The document id is taken from the escaped path, so that every id that may be stored can be addressed.
//  6. One session's frames are written whole, in the order in which fanout queued them.
//  7. A server-sent event carries an id only if a client that has handled it may go on from that id.
//  8. Writes of one session or bulk request are made in the order in which they came; at most MaxSessionWrites, or
//     MaxBulkBatches batches of lines, are on their way, and beyond that nothing is read from the client. A session gets
//     the answer to a write before the changes that it causes.
//
// Goroutines: Run starts one per listener and ends them; each WebSocket has the reader (net/http's own goroutine) and
// one writer; each request is served on net/http's goroutine, and a bulk request is read by one more. All of them end with
// Run.
//
// Left out on purpose: users and permissions beyond the one access token, handlers.
package gateway
