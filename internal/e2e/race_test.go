//go:build race

package e2e

// raceEnabled says that the tests run with the race detector; then the server is built with it too.
const raceEnabled = true
