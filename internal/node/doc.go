// Package node is the one place that wires the rooms of Freshet together and starts and stops them.
//
// Start: the gateway first, which answers that it is starting until the store has replayed the log; then log, store, hubs.
// Stop, in the direction of the data: the gateway drains, the hubs end, the store finishes what it took and flushes, the
// log closes last. A part that fails stops the others in the same order.
package node
