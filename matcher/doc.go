// Package matcher is the pure core of Freshet: documents and values, the query language, the index of registered
// queries, and sorted windows. It takes inputs and returns outputs; it performs no I/O, reads no clock and starts no
// goroutine.
//
// Invariants (tests cite them by number):
//
//  1. A Document is immutable. It is parsed once and handed by reference to everything that reads it.
//  2. Order and equality of values are MongoDB's; two values are equal exactly if Compare returns 0.
//  3. Match depends on the document and the query alone: the same inputs give the same answer on every node.
//  4. A query without a window needs no state per document: match(before) and match(after) decide (Decide).
//  5. A window that cannot answer exactly says so before it changes anything (Window.Apply returns ErrWindowDry).
//  6. bytes.Compare of two sort keys of one query is the order of their documents; no two documents have equal keys.
//
// Left out on purpose: reading documents, keeping subscriptions, encoding frames. Those are storage's, fanout's and
// gateway's.
package matcher
