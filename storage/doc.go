// Package storage applies the log in order to Pebble and answers reads from it.
//
// One goroutine, the apply loop (Store.Run), owns everything that changes: it takes a group of records, decides each
// against the state before it, makes them durable, commits one Pebble batch, answers the writers and releases the
// changes to the listener. Two ways lead into it, and both decide with the same function:
//
//   - embedded (sequencer.go): writes wait in line (pending.go), are decided first, and only accepted ones are appended to
//     the log; a replay decides nothing again;
//   - a log of attempts (follower.go): writes are appended first, and decided as they come out of the log.
//
// Invariants (tests cite them by number):
//
//  1. Nothing that is not durable in the log can be read, answered or delivered.
//  2. One group is one Pebble batch with the applied vector in it: a snapshot always knows its position vector.
//  3. decide reads nothing but its log partition's own prefix: no clock, no configuration, no other partition. The
//     control partition's records are decided in the same way, from the control partition alone.
//  4. A write is accepted only if the key's current write id, a tombstone's included, equals its base, its epoch is
//     the collection's in that log partition, and at most MaxWriteLag offsets passed since the writer read. So of a
//     delayed or doubled append at most one copy is accepted.
//  5. A tombstone counts for MaxWriteLag offsets, whether or not it has been deleted from Pebble yet.
//  6. The Pebble state is never ahead of the durable log: the log is synced before a flush is asked for.
//  7. A log segment is let go only below the flushed vector.
//  8. The loop does bounded work: groups are bounded in writes and bytes; long reads run beside it on snapshots.
//  9. The types that a collection has shown are those of all its documents since the fence, whatever became of them; where
//     an older program wrote some without noting their types, nothing is said to be certain.
//  10. A write is computed from the last state of its key that is on its way (its head), in the order in which writes get
//     in line; readers never see a head, and no writer is told anything of it before it is applied. What builds on a
//     rejected write is rejected with it. Over a log of attempts writes are computed from applied states alone.
//  11. A write that was accepted under a request id is made once for MaxRequestLag offsets: a repeat is answered with its
//     outcome, another request under the same id is refused. Both are decided from the log partition alone (3), so they
//     hold over attempts, nodes and restarts.
//  12. An index has exactly the entries of the documents in the same snapshot, up to the cursor of its build. Which way
//     a search takes changes nothing but its time: every document is matched.
//  13. After a crash at any moment, or a failure of any call on a disk, a new start has every acknowledged write, no refused
//     one, and of a write with a request id the first outcome; what a disk has changed is refused, never served.
//  14. While too little of the disk is free, nothing that takes space is accepted, and everything else goes on.
//
// The caller starts Run. What the store starts beside it is bounded and ends by itself: one append at a time, one wait
// for a Pebble flush, the builder of indexes, and over a log of attempts the tail of the log and the completion of
// fences. The caller runs an Expirer beside it. Left out on purpose: access rules, update operators, times (gateway),
// windows (matcher), frames (fanout).
package storage
