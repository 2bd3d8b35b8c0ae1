// Package client is the command line's side of the wire: it keeps one live query going over a WebSocket and holds the
// view that the frames describe. It knows the wire contract only and nothing of the server's packages.
//
// Invariants:
//
//  1. A view changes by whole frames: a result in parts takes effect with its last part.
//  2. An event is applied at the index it names, and only if the document that it names is there; anything else is
//     ErrOutOfStep, never a guess.
//  3. After a lost connection the same query is asked for again from the last position, or, as the close code or the
//     server's refusal says, not at all.
//
// Run blocks until the subscription is over and leaves no goroutine behind. The package leaves out writing and more
// than one query on a connection.
package client
