// Package imports holds the test that keeps the map of the house true: which folder may import which, where each
// third-party module may be used, how long a file may grow, and that links in the documents lead somewhere. It has no
// code of its own.
package imports
