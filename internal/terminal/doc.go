// Package terminal draws documents as a table that is redrawn in place.
//
// Invariants:
//
//  1. No line is wider than the terminal, and there are no more lines than it has rows, so that a redraw lands exactly
//     on what it replaces.
//  2. Nothing from a document reaches the terminal as a control character.
//
// Table is pure: documents, width and height in, lines out. Screen writes lines. Neither starts a goroutine.
package terminal
