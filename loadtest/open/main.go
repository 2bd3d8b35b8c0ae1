// Open measures a server that holds many documents: it fills one in bulk, stops it in order and by kill -9, and reports how
// long it takes to open again, the memory and disk that it uses, and how fast it then loads documents by id and finds them
// by an indexed field.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
	"github.com/freshetdb/freshet/loadtest/process"
)

// Bounds of one run.
const (
	MaxDocuments = 100_000_000
	MaxDuration  = time.Minute
	MaxClients   = 1000
	MaxBytes     = 64 << 10
)

const groupDocuments = 10 // of one value of the indexed field

type config struct {
	binary, folder    string
	documents, bytes  int
	streams, clients  int
	duration          time.Duration
	indexed, profiled bool
	more              []string // arguments of the server
}

func main() {
	var c config
	flag.StringVar(&c.binary, "freshet", "", "the server's binary; empty builds one")
	flag.StringVar(&c.folder, "folder", "", "where the data folder is made; empty: the system's folder for temporary files")
	flag.IntVar(&c.documents, "documents", 2_000_000, "documents to fill in")
	flag.IntVar(&c.bytes, "bytes", 200, "bytes of a document")
	flag.IntVar(&c.streams, "streams", 2, "bulk requests that fill at once")
	flag.IntVar(&c.clients, "clients", 32, "connections that read")
	flag.DurationVar(&c.duration, "duration", 5*time.Second, "how long each read is measured")
	flag.BoolVar(&c.indexed, "indexed", true, "make an index, and find by it")
	flag.BoolVar(&c.profiled, "profile", false, "keep a heap profile of each step in the current folder")
	flag.Parse()
	c.more = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	rows, err := c.run(ctx)
	stop()
	if err == nil { // nothing runs any more, whatever becomes of standard output
		fmt.Printf("%d documents of %d bytes\n", c.documents, c.bytes)
		err = load.PrintTable(os.Stdout, rows)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "open:", err)
		os.Exit(1)
	}
}

func (c config) validate() error {
	if c.documents < groupDocuments || c.documents > MaxDocuments || c.bytes < 1 || c.bytes > MaxBytes {
		return fmt.Errorf("-documents must be %d to %d, -bytes 1 to %d", groupDocuments, MaxDocuments, MaxBytes)
	}
	if c.streams < 1 || c.streams > MaxClients || c.clients < 1 || c.clients > MaxClients || c.duration <= 0 || c.duration > MaxDuration {
		return fmt.Errorf("-streams and -clients must be 1 to %d, -duration up to %v", MaxClients, MaxDuration)
	}
	return nil
}

func (c config) run(ctx context.Context) (rows [][]string, err error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(c.folder, "freshet-open-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if c.binary == "" {
		c.binary = filepath.Join(folder, "freshet")
		if err := load.Build(c.binary); err != nil {
			return nil, err
		}
	}
	m := &measurement{config: c, data: filepath.Join(folder, "data")}
	defer func() {
		if m.server != nil {
			err = errors.Join(err, m.server.Kill())
		}
	}()
	steps := []struct {
		name    string
		do      func(context.Context) (string, error)
		byIndex bool
	}{
		{"start, empty", m.start, false},
		{fmt.Sprintf("fill, %d requests", c.streams), m.fill, false},
		{"index", m.index, true},
		{"stop (SIGTERM)", m.stop, false},
		{"open", m.start, false},
		{fmt.Sprintf("loads by id, %d clients", c.clients), m.loads, false},
		{"finds by the index, 10 each", m.finds, true},
		{"stop (kill -9)", m.kill, false},
		{"open after kill -9", m.start, false},
	}
	rows = [][]string{{"step", "result", "CPU s", "RSS MB", "heap MB", "log MB", "state MB"}}
	for _, s := range steps {
		if s.byIndex && !c.indexed {
			continue
		}
		before := m.cpu()
		result, err := s.do(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		spent := m.cpu() - before
		fmt.Fprintf(os.Stderr, "%s: %s\n", s.name, result)
		row, err := m.row(s.name, result, spent)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// each runs f for each of n at once.
func each(n int, f func(i int) error) error {
	failures := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { failures[i] = f(i) })
	}
	group.Wait()
	return errors.Join(failures...)
}

func (m *measurement) start(context.Context) (string, error) {
	begin := time.Now()
	server, err := process.Start(m.binary, process.Dev(m.data, m.more...)...)
	if err != nil {
		return "", err
	}
	m.server = server
	return time.Since(begin).Round(time.Millisecond).String(), nil
}

func (m *measurement) stop(context.Context) (string, error) {
	begin := time.Now()
	err := m.server.Terminate(time.Minute)
	m.server = nil
	return time.Since(begin).Round(time.Millisecond).String(), err
}

func (m *measurement) kill(context.Context) (string, error) {
	err := m.server.Kill()
	m.server = nil
	return "", err
}
