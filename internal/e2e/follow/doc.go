// Package follow is the strictest possible client of one live query: it applies frames to a view and refuses everything
// that the wire contract does not allow, and it knows which events one write must cause.
//
// Invariants (tests cite them by number):
//
//  1. `subscribed` comes first and once, then the result where one was asked for; nothing comes after the last frame.
//  2. Events apply in sequence: taken out at previousIndex (list before the event), put in at index (list after it).
//     An add of what is there, and a remove or change of what is not, is an error; so is a change that changes nothing.
//  3. A remove has no document; an unordered query has no index; `none` stands only on add and remove of an ordered one.
//  4. Every change has a position of its own.
//
// A Follower belongs to one goroutine. It does no I/O.
package follow
