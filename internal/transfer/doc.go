// Package transfer moves documents between files and a server: `freshet import` and `freshet export`. It knows the wire
// contract and the formats of files, nothing of the server's packages but how matcher reads and writes values.
//
// Invariants:
//
//  1. Memory is bounded whatever the size of a file or a collection: one record, MaxPendingWrites writes that wait for
//     their answers, one page of documents.
//  2. Every write of an import carries an idempotency key that follows from a seed, the collection, the mode and all
//     documents of the file up to this one. A repeat of a write, after a lost connection or in another run with the same
//     seed, is therefore no second write, and a document without an _id gets the same one.
//  3. Writes to one document are made in the order of the file: a second one waits for the answer to the first.
//  4. What a format cannot carry exactly is an error that says so, never another value.
//
// An import has two goroutines beside Run's own: one that sends and ends before Run returns, and one that reads records
// and ends with the read that it is in, for nothing can end a read of standard input. A Reader and a Writer have none.
package transfer
