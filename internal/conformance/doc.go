// Package conformance reads the conformance vectors, for the tests that hold the matcher, the end-to-end oracle and the
// live server to them: queries, documents and expected answers, one JSON object a line, taken from the public test
// suites of MongoDB and of systems compatible with it.
//
// The vectors are not part of the repository. FRESHET_CONFORMANCE names the folder with match.jsonl, invalid.jsonl,
// sort.jsonl and window.jsonl; without it the tests that ask for them are skipped.
//
// Invariants:
//
//  1. A vector is either held to or stands in Exceptions with the reason. Nothing is left out in silence.
//  2. The reader changes no text: queries and documents come as they are written.
package conformance
