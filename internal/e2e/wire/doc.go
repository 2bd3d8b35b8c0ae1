// Package wire is a client of the native protocol for tests: it sends what it is told, also what is wrong, hands every
// frame on as it came, and refuses what breaks the protocol's form.
//
// Invariants:
//
//  1. Frames come out in the order in which the server sent them, none is joined, dropped or repaired.
//  2. A frame that is no JSON object, has no type, or whose id does not stand first is an error of the session.
//
// A Session and a Stream have one reading goroutine each, which ends with the connection; Close ends it.
package wire
