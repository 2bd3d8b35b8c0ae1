// Command demo replays a week of earthquakes as writes into a Freshet server and shows a live query over them: the ten
// strongest so far. It starts the server itself, ends by itself, and leaves nothing behind (unless told to with -keep).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "freshet", "bin/freshet", "the server's program")
	flag.DurationVar(&o.length, "length", 34*time.Second, "how long the week takes")
	flag.BoolVar(&o.keep, "keep", false, "leave the server running at the end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, o)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Println("stopped; the server and its data are gone")
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type options struct {
	binary string
	length time.Duration
	keep   bool
}

// run plays the demo. Whatever happens, the server ends and its folder is removed, unless all went well and it is to
// be kept.
func run(ctx context.Context, o options) (err error) {
	quakes, err := load()
	if err != nil {
		return err
	}
	s, err := startServer(ctx, o.binary)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			err = errors.Join(err, s.remove())
		}
	}()
	if err := play(ctx, s.url, quakes, o.length); err != nil {
		return err
	}
	if o.keep {
		kept = true
		s.explain(os.Stdout)
	}
	return nil
}
