// Writes measures what a durable write costs the server: processor time and bytes to the device, by each way in (HTTP,
// WebSocket, bulk), beside plain Pebble that sets the same documents with a sync, in the same run; and the time of one
// writer that waits for each answer, beside a bare write with fdatasync.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

// Bounds of one run.
const (
	MaxDuration = 10 * time.Minute
	MaxWriters  = 10_000
	MaxBytes    = 1 << 20
)

type config struct {
	binary    string
	folder    string
	duration  time.Duration
	rounds    int
	writers   int
	documents int
	bytes     int
	indexed   bool
	change    string
	only      string
	profile   string
}

func main() {
	var c config
	flag.StringVar(&c.binary, "freshet", "", "the server's binary; empty builds one")
	flag.StringVar(&c.folder, "folder", "", "where the data folders are made; empty: the system's folder for temporary files")
	flag.DurationVar(&c.duration, "duration", 4*time.Second, "how long each way is measured in each round")
	flag.IntVar(&c.rounds, "rounds", 3, "rounds of all ways, one after another")
	flag.IntVar(&c.writers, "writers", 128, "writes on their way at once")
	flag.IntVar(&c.documents, "documents", 10_000, "documents that are replaced, at random")
	flag.IntVar(&c.bytes, "bytes", 1000, "bytes of a document")
	flag.BoolVar(&c.indexed, "indexed", true, "make an index on a field that each write changes; plain Pebble has none")
	flag.StringVar(&c.change, "change", "all", "what a write changes of a document: all, or one, its indexed field, as updates do")
	flag.StringVar(&c.only, "only", "", "measure plain Pebble and the ways whose names contain this")
	flag.StringVar(&c.profile, "profile", "", "write a CPU profile of each way into files that begin with this")
	pebble := flag.String("pebble", "", "")
	flag.Parse()
	var err error
	if *pebble != "" { // the child that plain Pebble runs in
		err = c.servePebble(*pebble)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = c.run(ctx)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "writes:", err)
		os.Exit(1)
	}
}

func (c config) validate() error {
	if c.duration <= 0 || c.duration > MaxDuration || c.writers < 1 || c.writers > MaxWriters || c.bytes < 1 || c.bytes > MaxBytes {
		return fmt.Errorf("-duration must be up to %v, -writers 1 to %d, -bytes 1 to %d", MaxDuration, MaxWriters, MaxBytes)
	}
	if c.change != "all" && c.change != "one" {
		return fmt.Errorf("-change must be all or one")
	}
	if c.rounds < 1 || c.documents < 1 {
		return fmt.Errorf("-rounds and -documents must be at least 1")
	}
	return nil
}

// figures are what one way came to, over all rounds.
type figures struct {
	writes  int
	cpu     time.Duration
	wall    time.Duration
	written int64 // bytes
	waits   []time.Duration
}

func (f *figures) add(o figures) {
	f.writes += o.writes
	f.cpu += o.cpu
	f.wall += o.wall
	f.written += o.written
	f.waits = append(f.waits, o.waits...)
}

func (c config) run(ctx context.Context) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	// With this much history the log's files are used again within seconds, as they are on any server after a while.
	server, err := load.Start(c.binary, c.folder, "--history-bytes", "64MiB")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	m := &measurement{config: c, server: server, pads: pads(c.bytes)}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	ways := m.ways()
	if _, err := ways[bulkWay].measure(ctx); err != nil { // warms up
		return err
	}
	ways = slices.DeleteFunc(ways, func(w way) bool { return w.name != plainPebble && !strings.Contains(w.name, c.only) })
	results := make([]figures, len(ways))
	for round := range c.rounds {
		for i, w := range ways {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f, err := w.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			results[i].add(f)
			fmt.Fprintf(os.Stderr, "round %d, %s: %d writes\n", round+1, w.name, f.writes)
		}
	}
	return m.print(ways, results)
}

func (m *measurement) print(ways []way, results []figures) error {
	base := results[0]
	perSecond := func(f figures) float64 { return float64(f.writes) / f.cpu.Seconds() }
	rows := [][]string{{"way", "writes/s", "us CPU a write", "of plain Pebble", "bytes written a document byte", "p50", "p99"}}
	for i, w := range ways {
		f := results[i]
		q := load.Measure(f.waits)
		row := []string{w.name, fmt.Sprintf("%.0f", float64(f.writes)/f.wall.Seconds()), "", "", "", q.P50.Round(time.Microsecond).String(), q.P99.Round(time.Microsecond).String()}
		if f.cpu > 0 {
			row[2] = fmt.Sprintf("%.1f", float64(f.cpu.Microseconds())/float64(f.writes))
			row[3] = fmt.Sprintf("%.0f %%", 100*perSecond(f)/perSecond(base))
			row[4] = fmt.Sprintf("%.1f", float64(f.written)/float64(f.writes*m.bytes))
		}
		rows = append(rows, row)
	}
	index := "no index"
	if m.indexed {
		index = "one index entry changed by each write (but for plain Pebble, which has no index)"
	}
	fmt.Printf("%d writers, documents of %d bytes, %d of them; a write changes %s of its fields, %s\n", m.writers, m.bytes, m.documents, m.change, index)
	return load.PrintTable(os.Stdout, rows)
}
