// Latency measures the time from a write to its event at a subscriber: an open loop of writes over HTTP at a fixed rate,
// live queries on WebSockets, once with --durability fsync and once with os. Next to it, in the same seconds, it measures
// a bare TCP round trip of the same sizes to another process, and a write with fdatasync of one document, so that the
// figures can be read on any machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

// Bounds of one run.
const (
	MaxDuration = 10 * time.Minute
	MaxRate     = 20_000
	MaxQueries  = 100_000
	MaxBytes    = 1 << 20
)

type config struct {
	binary      string
	folder      string
	duration    time.Duration
	warmUp      time.Duration
	rate        int
	queries     int
	sessions    int
	documents   int
	bytes       int
	connections int
}

func main() {
	var c config
	flag.StringVar(&c.binary, "freshet", "", "the server's binary; empty builds one")
	flag.StringVar(&c.folder, "folder", "", "where the data folder is made; empty: the system's folder for temporary files")
	flag.DurationVar(&c.duration, "duration", 20*time.Second, "how long each durability is measured")
	flag.DurationVar(&c.warmUp, "warm-up", 3*time.Second, "how long writes run before measuring begins")
	flag.IntVar(&c.rate, "rate", 200, "writes a second")
	flag.IntVar(&c.queries, "queries", 100, "live queries")
	flag.IntVar(&c.sessions, "sessions", 10, "WebSocket connections that hold them")
	flag.IntVar(&c.documents, "documents", 1000, "documents in the collection")
	flag.IntVar(&c.bytes, "bytes", 1000, "bytes of a document")
	flag.IntVar(&c.connections, "connections", 64, "HTTP connections at most")
	echo := flag.String("echo", "", "")
	flag.Parse()
	if *echo != "" { // the other end of the bare round trip
		exit(serveEcho(*echo))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, c)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "latency:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (c config) validate() error {
	if c.duration <= 0 || c.duration > MaxDuration || c.rate < 1 || c.rate > MaxRate || c.queries < 1 || c.queries > MaxQueries {
		return fmt.Errorf("-duration must be up to %v, -rate 1 to %d, -queries 1 to %d", MaxDuration, MaxRate, MaxQueries)
	}
	if c.sessions < 1 || c.sessions > c.queries || c.documents < 1 || c.connections < 1 || c.bytes < 1 || c.bytes > MaxBytes {
		return fmt.Errorf("-sessions must be 1 to -queries, -bytes 1 to %d, -documents and -connections at least 1", MaxBytes)
	}
	return nil
}

func run(ctx context.Context, c config) error {
	if err := c.validate(); err != nil {
		return err
	}
	fmt.Printf("%d writes/s of %d bytes, %d live queries on %d sockets, %v each\n", c.rate, c.bytes, c.queries, c.sessions, c.duration)
	rows := [][]string{{"durability", "", "count", "p50", "p90", "p99", "max"}}
	for _, durability := range []string{"fsync", "os"} {
		f, err := measure(ctx, c, durability)
		if err != nil {
			return fmt.Errorf("%s: %w", durability, err)
		}
		rows = append(rows, f.rows(durability)...)
	}
	return load.PrintTable(os.Stdout, rows)
}

// rows is a run as lines of the table.
func (f figures) rows(durability string) (rows [][]string) {
	row := func(name string, durations []time.Duration) load.Quantiles {
		q := load.Measure(durations)
		cells := []string{durability, name, fmt.Sprint(q.Count)}
		for _, d := range []time.Duration{q.P50, q.P90, q.P99, q.Max} {
			cells = append(cells, d.Round(time.Microsecond).String())
		}
		rows = append(rows, cells)
		return q
	}
	row("write to answer", f.answers)
	event := row("write to event", f.events)
	bare := row(fmt.Sprintf("bare TCP round trip, %d/%d bytes", f.requestBytes, f.replyBytes), f.bare)
	row("bare write + fdatasync, one document", f.disk)
	row("lateness of the generator", f.late)
	if bare.P50 > 0 {
		rows = append(rows, []string{durability, "write to event / bare TCP", "", ratio(event.P50, bare.P50), ratio(event.P90, bare.P90),
			ratio(event.P99, bare.P99), ""})
	}
	return rows
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.1fx", float64(a)/float64(b)) }
