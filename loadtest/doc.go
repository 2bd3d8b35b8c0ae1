// Package loadtest is the folder of programs that load a Freshet server and measure it. They know the wire contract and
// nothing of what is inside; each starts the server that it measures as a child process and ends it.
//
//   - latency: time from a write to its event at a subscriber, next to a bare TCP round trip in the same run.
//   - http: processor time of a write over HTTP, and which step of the server takes it.
//   - match: processor time of `freshet match` over a large file, next to jq and grep in the same run.
//   - k6: scripts for k6.
//
// README.md says how to run each.
package loadtest
