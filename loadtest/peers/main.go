// Peers does the same work over HTTP with Freshet, with PocketBase and with PostgreSQL behind a thin HTTP layer, in one run on
// one machine, every write durable when it is answered: single writes, batches, loads by id and finds by an indexed
// field. It reports operations a second, waits, and what the server's processes spend: processor time and bytes written.
package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

// Bounds of one run.
const (
	MaxDuration  = time.Minute
	MaxRounds    = 20
	MaxClients   = 1000
	MaxDocuments = 1_000_000
	MaxBytes     = 1 << 20
	MaxBatch     = 1000
)

const fillClients = 4

type config struct {
	freshet, pocketbase, layer string // binaries; empty: built
	folder                     string
	only                       string
	duration                   time.Duration
	rounds, clients            int
	documents, groups, bytes   int
	batch, batchClients        int
}

func main() {
	var c config
	flag.StringVar(&c.freshet, "freshet", "", "Freshet's binary; empty builds one")
	flag.StringVar(&c.pocketbase, "pocketbase", "", "binary of ./pocketbase; empty builds one, which takes some minutes the first time")
	flag.StringVar(&c.layer, "layer", "", "binary of ./postgres; empty builds one")
	flag.StringVar(&c.folder, "folder", "", "where the data folders are made; empty: the system's folder for temporary files")
	flag.StringVar(&c.only, "only", "", "names of the systems to run, with commas between; empty: all")
	flag.DurationVar(&c.duration, "duration", 3*time.Second, "how long each work is done in each round")
	flag.IntVar(&c.rounds, "rounds", 2, "rounds of all systems, one after another")
	flag.IntVar(&c.clients, "clients", 64, "connections of single operations")
	flag.IntVar(&c.documents, "documents", 10_000, "documents that are there, replaced and read at random")
	flag.IntVar(&c.groups, "groups", 1000, "values of the indexed field")
	flag.IntVar(&c.bytes, "bytes", 1000, "bytes of a document")
	flag.IntVar(&c.batch, "batch", 100, "documents of a batch")
	flag.IntVar(&c.batchClients, "batch-clients", 8, "connections that send batches")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func (c config) validate() error {
	within := func(n, limit int) bool { return n >= 1 && n <= limit }
	if c.duration <= 0 || c.duration > MaxDuration || !within(c.rounds, MaxRounds) || !within(c.clients, MaxClients) || !within(c.batchClients, MaxClients) {
		return fmt.Errorf("-duration must be up to %v, -rounds 1 to %d, -clients and -batch-clients 1 to %d", MaxDuration, MaxRounds, MaxClients)
	}
	if !within(c.documents, MaxDocuments) || !within(c.groups, c.documents) || !within(c.bytes, MaxBytes) || !within(c.batch, min(MaxBatch, c.documents)) {
		return fmt.Errorf("-documents must be 1 to %d, -groups no more, -bytes 1 to %d, -batch 1 to %d", MaxDocuments, MaxBytes, MaxBatch)
	}
	return nil
}

// work is one thing that is measured.
type work struct {
	name    string
	clients int
	each    int // operations of a request
	// make makes a request and says what its answer must hold, and at least how often.
	make func(s system, rng *rand.Rand) (r request, holds string, times int)
}

func (c config) works(pads []string) []work {
	put := func(s system, rng *rand.Rand) (request, string, int) {
		return s.put(c.id(rng.IntN(c.documents)), c.document(pads, rng)), "", 0
	}
	return []work{
		{"single durable write", c.clients, 1, put},
		{"single durable write", 1, 1, put},
		{"batch of durable writes", c.batchClients, c.batch, func(s system, rng *rand.Rand) (request, string, int) {
			ids, documents := make([]string, c.batch), make([]string, c.batch)
			first := rng.IntN(c.documents)
			for i := range ids {
				ids[i], documents[i] = c.id((first+i)%c.documents), c.document(pads, rng)
			}
			holds, times := s.wroteAll(c.batch)
			return s.bulk(ids, documents), holds, times
		}},
		{"load by id", c.clients, 1, func(s system, rng *rand.Rand) (request, string, int) {
			return s.get(c.id(rng.IntN(c.documents))), s.holds, 1
		}},
		{"find by an indexed field", c.clients, 1, func(s system, rng *rand.Rand) (request, string, int) {
			return s.find(rng.IntN(c.groups)), "", 0 // a group may be empty
		}},
	}
}

// id is 15 letters and digits, as PocketBase wants them.
func (c config) id(n int) string { return fmt.Sprintf("document%07d", n) }

// document is one that no other equals, of about c.bytes.
func (c config) document(pads []string, rng *rand.Rand) string {
	return fmt.Sprintf(`{"group":%d,"score":%d,"text":"%s"}`, rng.IntN(c.groups), rng.Uint64N(1<<40), pads[rng.IntN(len(pads))])
}

// pads are texts that do not compress well.
func (c config) pads() []string {
	rng := rand.New(rand.NewPCG(1, 2))
	list := make([]string, 64)
	for i := range list {
		raw := make([]byte, max(0, c.bytes-60)*3/4)
		for j := range raw {
			raw[j] = byte(rng.Uint32())
		}
		list[i] = base64.StdEncoding.EncodeToString(raw)
	}
	return list
}

// figures are what one work on one system came to, over all rounds.
type figures struct {
	operations int
	wall       time.Duration
	spent      usage
	waits      []time.Duration // of requests
}

func (f *figures) add(o figures) {
	f.operations += o.operations
	f.wall += o.wall
	f.spent = f.spent.plus(o.spent)
	f.waits = append(f.waits, o.waits...)
}

func (c config) run(ctx context.Context) (err error) {
	if err := c.validate(); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(c.folder, "freshet-peers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Chmod(folder, 0o755); err != nil { // PostgreSQL's user has to reach its own folder
		return err
	}
	systems, err := c.systems(ctx, folder)
	if err != nil {
		return err
	}
	works := c.works(c.pads())
	results := make([][]figures, len(systems))
	for round := range c.rounds {
		for i, s := range systems {
			if results[i] == nil {
				results[i] = make([]figures, len(works))
			}
			place := filepath.Join(folder, fmt.Sprintf("%d-%d", round, i))
			if err := c.round(ctx, s, place, works, results[i]); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d, %s\n", round+1, s.name)
		}
	}
	return c.print(systems, works, results)
}

// round starts a system, fills it, does all works and stops it.
func (c config) round(ctx context.Context, s system, folder string, works []work, results []figures) (err error) {
	started, err := s.start(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, started.stop(), os.RemoveAll(folder)) }()
	if err := c.fill(ctx, s, started); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	for i, w := range works {
		f, err := c.measure(ctx, s, started, w)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		results[i].add(f)
	}
	return nil
}

// fill writes all documents in batches, and has them indexed.
func (c config) fill(ctx context.Context, s system, started *running) error {
	pads := c.pads()
	return each(fillClients, func(n int) error {
		conn, err := dial(started.address)
		if err != nil {
			return err
		}
		defer func() { _ = conn.close() }()
		rng := rand.New(rand.NewPCG(uint64(n), 3))
		for first := n * c.batch; first < c.documents; first += fillClients * c.batch {
			var ids, documents []string
			for i := first; i < min(first+c.batch, c.documents); i++ {
				ids, documents = append(ids, c.id(i)), append(documents, c.document(pads, rng))
			}
			holds, times := s.wroteAll(len(ids))
			if err := conn.do(s.bulk(ids, documents), holds, times); err != nil || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
		}
		return nil
	}, started.filled)
}

// each runs f for each of n at once, then all of after.
func each(n int, f func(i int) error, after ...func() error) error {
	failures := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { failures[i] = f(i) })
	}
	group.Wait()
	err := errors.Join(failures...)
	for _, then := range after {
		if err == nil && then != nil {
			err = then()
		}
	}
	return err
}

// measure does one work in a closed loop of clients.
func (c config) measure(ctx context.Context, s system, started *running, w work) (f figures, err error) {
	before, err := started.usage()
	if err != nil {
		return f, err
	}
	begin := time.Now()
	parts := make([]figures, w.clients)
	err = each(w.clients, func(i int) error {
		conn, err := dial(started.address)
		if err != nil {
			return err
		}
		defer func() { _ = conn.close() }()
		rng := rand.New(rand.NewPCG(uint64(begin.UnixNano()), uint64(i)))
		for ctx.Err() == nil && time.Since(begin) < c.duration {
			r, holds, times := w.make(s, rng)
			from := time.Now()
			if err := conn.do(r, holds, times); err != nil {
				return err
			}
			parts[i].waits = append(parts[i].waits, time.Since(from))
			parts[i].operations += w.each
		}
		return ctx.Err()
	})
	f.wall = time.Since(begin)
	if err != nil {
		return f, err
	}
	after, err := started.usage()
	f.spent = after.minus(before)
	for _, p := range parts {
		f.operations += p.operations
		f.waits = append(f.waits, p.waits...)
	}
	return f, err
}

func (c config) print(systems []system, works []work, results [][]figures) error {
	fmt.Printf("%d documents of %d bytes, %d rounds of %v\n", c.documents, c.bytes, c.rounds, c.duration)
	for i, w := range works {
		plural := "s"
		if w.clients == 1 {
			plural = ""
		}
		title := fmt.Sprintf("%s, %d client%s", w.name, w.clients, plural)
		if w.each > 1 {
			title += fmt.Sprintf(", %d a request", w.each)
		}
		rows := [][]string{{title, "operations/s", "p50", "p99", "CPU s / 1,000", "KB to device / op", "KB written / op"}}
		for j, s := range systems {
			f := results[j][i]
			if f.operations == 0 {
				return fmt.Errorf("%s did nothing of %s", s.name, w.name)
			}
			q := load.Measure(f.waits)
			per := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1000/float64(f.operations)) }
			rows = append(rows, []string{s.name, fmt.Sprintf("%.0f", float64(f.operations)/f.wall.Seconds()),
				q.P50.Round(10 * time.Microsecond).String(), q.P99.Round(10 * time.Microsecond).String(),
				fmt.Sprintf("%.3f", f.spent.cpu.Seconds()*1000/float64(f.operations)), per(f.spent.device), per(f.spent.written)})
		}
		fmt.Println()
		if err := load.PrintTable(os.Stdout, rows); err != nil {
			return err
		}
	}
	var notes []string
	for _, s := range systems {
		notes = append(notes, s.name+": "+s.note)
	}
	_, err := fmt.Printf("\n%s\n", strings.Join(notes, "\n"))
	return err
}
