// Package ingest owns the change log: the one interface over it (Log), the embedded log of segment files (SegmentLog),
// a log in memory for tests and simulations (MemoryLog), and the format of records (AppendRecord, DecodeRecord).
//
// Invariants (tests cite them by number):
//
//  1. A record that was encoded is decoded to the same record, by this version and every later one; nothing else is
//     taken for a record.
//  2. Append returns nil only after its entries are durable, and no Tail, Bounds or acknowledgement shows an entry
//     before it is. Under NoSync, durable means handed to the operating system.
//  3. A group counts only if its checksum agrees, and the checksum starts from the segment's number and salt: what a
//     file held before it became this segment, or belongs to another one, is never taken for a group.
//  4. The entries of one Append are one group, whole or absent after any crash; they follow each other in the log, and
//     the offsets of a log partition have no holes.
//  5. Only the last write to the last segment may be torn, since the next one begins after its sync. It is cut off on
//     open. A bad frame where something durable was is damage, and left as it is: with file and place, an open refuses
//     the log if it stands in the last segment, Damaged is told if it stands in another one, and whoever reads there
//     gets no further.
//  6. A failed write or sync poisons the log: it accepts nothing more (ErrFailed), and a restart takes for durable only
//     what it has itself written and synced, since the kernel may have dropped what it failed to write.
//  7. CleanStart is true only if the log is new, or Close had made everything durable and nothing was opened since.
//     Fewer entries than Close counted are damage.
//  8. Trim drops whole segments, oldest first, each durably before the next; never one that a running Tail has still
//     to read, nor the one that is written to.
//
// Goroutines: OpenSegments starts the writer, and the verifier, which ends when it has read what was there; Close ends
// both. Append and Tail run in their callers'.
//
// The way of an append: Append queues the group and waits; the writer takes all that waits (take), gives offsets and
// encodes (segmentWriter.add), writes and syncs once (flush), shows it to the tails, and answers. There are no timers:
// while one write is synced, the next one gathers.
//
// The formats are in docs/record-format.md, byte by byte. Package disk is the file system underneath, disktest one
// that fails and crashes, logtest the suite that every Log passes and a log that misbehaves.
//
// Left out on purpose: what payloads mean and which attempts are accepted (storage decides), what may go (storage tells
// Trim; of that, the log keeps what SegmentConfig retains), compression.
package ingest
