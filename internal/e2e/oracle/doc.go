// Package oracle answers queries the naive way: it holds decoded documents, looks at every one of them, sorts, cuts and
// projects. The end-to-end tests hold the server to it. It shares no code with the matcher, so that a misreading of
// MongoDB's semantics has to be made twice to pass.
//
// Invariants (tests cite them by number):
//
//  1. Nothing is kept between two runs of a query: a result depends on the documents and the query alone.
//  2. What the oracle does not know it refuses (ErrUnsupported); it never answers by guess.
//  3. Order and equality are MongoDB's (manual page "BSON comparison order"), type brackets included.
//
// Left out on purpose: speed, bounds, and every operator that the generators of the end-to-end tests do not use.
package oracle
