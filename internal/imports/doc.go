// Package imports holds the test that keeps the map of the house true: which folder may import which, where each
// third-party module may be used, and how long a file may grow. It has no code of its own.
package imports
