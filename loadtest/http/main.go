// Http measures what a write over HTTP costs the server: its processor time a write (from /proc) under a closed loop of
// connections, writes a second, and, from a profile taken under the same load, which step takes it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

// Bounds of one run.
const (
	MaxDuration    = 10 * time.Minute
	MaxConnections = 4096
)

type config struct {
	binary, folder, durability string
	duration, warmUp           time.Duration
	connections, documents     int
	bytes, queries             int
	profile                    string
}

func main() {
	var c config
	flag.StringVar(&c.binary, "freshet", "", "the server's binary; empty builds one")
	flag.StringVar(&c.folder, "folder", "", "where the data folder is made; empty: the system's folder for temporary files")
	flag.StringVar(&c.durability, "durability", "fsync", "fsync or os")
	flag.DurationVar(&c.duration, "duration", 10*time.Second, "how long writes are counted, and how long the profile takes after that")
	flag.DurationVar(&c.warmUp, "warm-up", 3*time.Second, "how long writes run before that")
	flag.IntVar(&c.connections, "connections", 64, "HTTP connections, each with one write at a time")
	flag.IntVar(&c.documents, "documents", 2000, "documents in the collection")
	flag.IntVar(&c.bytes, "bytes", 1000, "bytes of a document")
	flag.IntVar(&c.queries, "queries", 500, "live queries with distinct filters, on one socket; each write matches one at most")
	flag.StringVar(&c.profile, "profile", "", "where the profile is kept; empty: nowhere")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "http:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) (err error) {
	if c.duration < time.Second || c.duration > MaxDuration || c.connections < 1 || c.connections > MaxConnections ||
		c.documents < c.connections || c.queries < 0 {
		return fmt.Errorf("-duration must be 1s to %v, -connections 1 to %d, -documents at least as many", MaxDuration, MaxConnections)
	}
	server, err := load.Start(c.binary, c.folder, "--durability", c.durability)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	writer := load.NewWriter(server.Listen, c.connections)
	defer writer.Close()
	groups := max(c.queries, 1)
	err = load.Fill(ctx, writer, c.documents, min(c.connections, 16), func(i int) (string, []byte) {
		return fmt.Sprintf("d%d", i), load.Document(i%groups, i, i, c.bytes)
	})
	if err != nil {
		return err
	}
	var events atomic.Int64
	if c.queries > 0 {
		queries := make([]load.Query, c.queries)
		for i := range queries {
			queries[i] = load.Query{Filter: map[string]int{"group": i}}
		}
		session, err := load.Subscribe(server.Listen, queries, func([]byte, time.Time) { events.Add(1) })
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, session.Close()) }()
	}
	w := closedLoop{writer: writer, c: c, groups: groups}
	return w.measure(ctx, server, &events)
}

// closedLoop keeps one write going on every connection.
type closedLoop struct {
	writer *load.Writer
	c      config
	groups int
	writes atomic.Int64
}

func (w *closedLoop) run(ctx context.Context) error {
	var writers sync.WaitGroup
	failed := make([]error, w.c.connections)
	for n := range w.c.connections {
		writers.Go(func() {
			for ctx.Err() == nil {
				i := rand.IntN(w.c.documents/w.c.connections)*w.c.connections + n // its own keys: no contention
				document := load.Document(i%w.groups, rand.IntN(1_000_000), i, w.c.bytes)
				if err := w.writer.Put(ctx, fmt.Sprintf("d%d", i), document); err != nil {
					if ctx.Err() == nil {
						failed[n] = err
					}
					return
				}
				w.writes.Add(1)
			}
		})
	}
	writers.Wait()
	return errors.Join(failed...)
}

func (w *closedLoop) measure(ctx context.Context, server *load.Server, events *atomic.Int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx) }()
	wait := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case err := <-ended:
			return errors.Join(errors.New("the writers ended too early"), err)
		}
	}
	if err := wait(w.c.warmUp); err != nil {
		return err
	}
	from, writes, delivered := time.Now(), w.writes.Load(), events.Load()
	cpu, err := server.CPU()
	if err != nil {
		return err
	}
	if err := wait(w.c.duration); err != nil {
		return err
	}
	after, err := server.CPU()
	if err != nil {
		return err
	}
	took := time.Since(from)
	writes, delivered = w.writes.Load()-writes, events.Load()-delivered
	if writes == 0 {
		return errors.New("no write was answered")
	}
	perWrite := (after - cpu) / time.Duration(writes)
	fmt.Printf("%d connections, documents of %d bytes, %d live queries, durability %s\n", w.c.connections, w.c.bytes, w.c.queries, w.c.durability)
	fmt.Printf("%.0f writes/s, %.0f events/s, %v of processor time a write (%.0f %% of one core)\n", float64(writes)/took.Seconds(),
		float64(delivered)/took.Seconds(), perWrite.Round(100*time.Nanosecond), 100*(after-cpu).Seconds()/took.Seconds())
	name := w.c.profile
	if name == "" {
		name = filepath.Join(server.Folder(), "cpu.pprof")
	}
	steps, err := profile(ctx, server.Admin, w.c.duration, name)
	if err != nil {
		return err
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	return print(steps, perWrite)
}

func print(steps []step, perWrite time.Duration) error {
	var sum time.Duration
	for _, s := range steps {
		sum += s.time
	}
	rows := [][]string{{"step", "share", "us/write"}}
	for _, s := range steps {
		share := s.time.Seconds() / sum.Seconds()
		rows = append(rows, []string{s.name, fmt.Sprintf("%.1f %%", 100*share),
			fmt.Sprintf("%.1f", share*float64(perWrite)/float64(time.Microsecond))})
	}
	return load.PrintTable(os.Stdout, rows)
}
