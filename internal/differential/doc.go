// Package differential holds the tests that compare Freshet's query language with other implementations of MongoDB's:
// mingo, which runs in Node.js, and mongo-java-server, which MongoDB's own driver asks. Random filters, sorts,
// projections and updates go to both sides; every answer is compared. The order of strings under collations is compared
// with ICU, of the version that MongoDB has. A peer runs as a child process that answers one line for each line that it
// gets; it ends when its standard input is closed.
//
// Invariants (tests cite them by number):
//
//  1. A disagreement is first reduced to the smallest part of the query, and one document, on which the two still
//     disagree. Only that can be explained by a known departure; all else fails the test.
//  2. A known departure is of the peer: MongoDB's documentation or server is on Freshet's side. It names the operator
//     and what must be true of argument, document and both answers, and has an example that is asked in every run: one
//     that explains nothing any more fails.
//  3. At most MaxExplained of the comparisons may be explained: the rest agree.
//  4. With ICU nothing is explained where strings are in the alphabet of their language; elsewhere little differs (MaxForeign).
//
// The peers are installed by `make differential-setup`. A test is skipped where its peer is not installed. -comparisons makes a run
// longer; the seed is a fixed one, so that a short run says the same each time, and -seed 0 takes a new one.
//
// Left out on purpose: what a peer does not have or cannot be asked (the profiles say what; geometry and
// $jsonSchema of both; collation of mingo and mongo-java-server), and wrong queries, which the conformance vectors hold.
package differential
