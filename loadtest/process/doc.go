// Package process starts, watches and ends a Freshet server as a child process, for the programs that measure it and for
// the end-to-end tests. It knows the command line and the log line that says "serving", nothing of what is inside.
//
// Invariants:
//
//  1. A child is ended by its own process, never by name, and is waited for: none is left behind by Kill or Terminate.
//  2. Start returns only when the server says that it serves, or fails with what it wrote on standard error.
//
// Each Process has one goroutine that reads the child's standard error and then waits for the child; it ends with it.
package process
