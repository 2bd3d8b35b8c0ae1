// Package load is what the measuring programs share: documents of a given size, connections that write them, sessions
// that hold live queries, and quantiles.
//
// Invariants:
//
//  1. Everything is bounded in time and number, and on loopback alone.
//  2. A time of arrival is taken before the message is looked at.
//
// A Session has one reading goroutine, which ends with its connection.
package load
