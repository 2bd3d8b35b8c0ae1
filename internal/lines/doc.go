// Package lines runs a query over lines of JSON, one document a line: files of any length, or a stream that does not
// end. It is `freshet match`.
//
// Invariants (tests cite them by number):
//
//  1. The output is what a reader that parses, matches and sorts one line after the other would write: lines in the
//     order of the input, or sorted with ties in that order, whatever the number of workers.
//  2. A line is written byte for byte as it came, its line end included; only a last line without a line end gets one.
//  3. Without a sort memory does not depend on the length of the input: MaxChunks chunks of ChunkBytes, or of the longest
//     line. With a sort and a limit the skip + limit best documents are kept, else all that match; never more than
//     MaxMemoryBytes of them.
//  4. Every line that is neither blank nor a document is reported with its source and number, up to the line at which
//     the result is complete; of an Unchecked scan, every one that is read as JSON. Nothing is read beyond the chunks that are under way by then.
//  5. What a source offers is looked at once it holds a whole line: a slow stream is answered line by line.
//
// Run starts one goroutine that reads and one for each worker. It has ended them when it returns, but for a reader that
// is blocked in a source's Read when the result is complete: that one ends with its Read, and touches nothing but its
// own buffer and source.
//
// Left out on purpose: opening files and choosing exit codes (internal/cli), and what a query means (matcher).
package lines
