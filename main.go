// Freshet is an open live-query system: a client registers a query once, gets its result, and then exactly the change
// that every write makes to it.
package main

import (
	"os"

	"github.com/freshetdb/freshet/internal/cli"
	"github.com/freshetdb/freshet/internal/node"
)

func main() {
	os.Exit(cli.Main(cli.Program{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdin:   os.Stdin,
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
		Version: node.Version,
		Serve:   node.Run,
	}))
}
