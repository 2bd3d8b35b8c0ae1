package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

// measurement is one run against one server.
type measurement struct {
	config
	server *load.Server
	pads   []string
}

// way is one way in.
type way struct {
	name    string
	measure func(ctx context.Context) (figures, error)
}

// pads are texts that do not compress well, of about the size of a document.
func pads(size int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	list := make([]string, 64)
	for i := range list {
		raw := make([]byte, max(0, size-60)*3/4)
		for j := range raw {
			raw[j] = byte(rng.Uint32())
		}
		list[i] = base64.StdEncoding.EncodeToString(raw)
	}
	return list
}

// appendDocument appends the next state of a document: no earlier one equals it.
func (c config) appendDocument(dst []byte, number int, pads []string, rng *rand.Rand) []byte {
	group, pad := number%1000, number%len(pads)
	if c.change == "all" {
		group, pad = rng.IntN(1000), rng.IntN(len(pads))
	}
	dst = strconv.AppendInt(append(dst, `{"group":`...), int64(group), 10)
	dst = strconv.AppendUint(append(dst, `,"score":`...), rng.Uint64N(1<<40), 10)
	dst = append(append(dst, `,"text":"`...), pads[pad]...)
	return append(dst, `"}`...)
}

func documentID(number int) string { return fmt.Sprintf("document%06d", number) }

// client is one connection that makes writes one after another.
type client interface {
	// write makes n writes at once and waits for their answers.
	write(rng *rand.Rand, n int) error
	close() error
}

// bulkWay is the place of the bulk writes among the ways; plainPebble names what all are measured beside.
const (
	bulkWay     = 4
	plainPebble = "plain Pebble, Set with Sync"
)

func (m *measurement) ways() []way {
	closed := func(name string, clients, each int, open func() (client, error)) way {
		return way{name, func(ctx context.Context) (figures, error) { return m.load(ctx, name, clients, each, open) }}
	}
	http := func() (client, error) { return newHTTPClient(m) }
	socket := func() (client, error) { return newSocketClient(m) }
	bulk := func() (client, error) { return newBulkClient(m) }
	pipelined := max(1, m.writers/16)
	return []way{
		{plainPebble, m.plainPebble},
		closed("HTTP", m.writers, 1, http),
		closed("WebSocket, one write each", m.writers, 1, socket),
		closed(fmt.Sprintf("WebSocket, %d sockets", pipelined), pipelined, m.writers/pipelined, socket),
		closed("bulk, 2 requests", 2, 0, bulk),
		closed("one writer, HTTP", 1, 1, http),
		closed("one writer, WebSocket", 1, 1, socket),
		{"bare write + fdatasync", m.bareSync},
	}
}

// prepare fills the collection, and makes the index.
func (m *measurement) prepare(ctx context.Context) error {
	w := load.NewWriter(m.server.Listen, 32)
	defer w.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	err := load.Fill(ctx, w, m.documents, 32, func(i int) (string, []byte) {
		mu.Lock()
		defer mu.Unlock()
		return documentID(i), m.appendDocument(nil, i, m.pads, rng)
	})
	if err != nil || !m.indexed {
		return err
	}
	return load.MakeIndex(ctx, m.server.Listen, "score")
}

// load runs a closed loop of clients, each with a number of writes on its way, and counts what the server spends on it.
func (m *measurement) load(ctx context.Context, name string, clients, each int, open func() (client, error)) (f figures, err error) {
	all := make([]client, 0, clients)
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.close())
		}
	}()
	for range clients {
		c, err := open()
		if err != nil {
			return f, err
		}
		all = append(all, c)
	}
	profiled := m.startProfile(ctx, name)
	cpu, err := m.server.CPU()
	if err != nil {
		return f, err
	}
	written := writtenBytes(m.server.PID())
	begin := time.Now()
	var group sync.WaitGroup
	parts := make([]figures, clients)
	failures := make([]error, clients)
	for i, c := range all {
		rng := rand.New(rand.NewPCG(uint64(begin.UnixNano()), uint64(i)))
		group.Go(func() {
			n := each
			if n == 0 {
				n = 1000 // a bulk client has its own bound on what is on its way
			}
			for ctx.Err() == nil && time.Since(begin) < m.duration {
				from := time.Now()
				if failures[i] = c.write(rng, n); failures[i] != nil {
					return
				}
				parts[i].writes += n
				parts[i].waits = append(parts[i].waits, time.Since(from))
			}
		})
	}
	group.Wait()
	f.wall = time.Since(begin)
	after, err := m.server.CPU()
	f.cpu, f.written = after-cpu, writtenBytes(m.server.PID())-written
	for i := range parts {
		f.writes += parts[i].writes
		f.waits = append(f.waits, parts[i].waits...)
	}
	return f, errors.Join(errors.Join(failures...), err, <-profiled, ctx.Err())
}

// startProfile takes a CPU profile of the server while a way is measured, if one was asked for.
func (m *measurement) startProfile(ctx context.Context, name string) <-chan error {
	done := make(chan error, 1)
	if m.profile == "" {
		done <- nil
		return done
	}
	go func() {
		seconds := max(1, int(m.duration.Seconds()))
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", m.server.Admin, seconds), nil)
		if err != nil {
			done <- err
			return
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			done <- err
			return
		}
		text, err := io.ReadAll(response.Body)
		err = errors.Join(err, response.Body.Close())
		file := m.profile + strings.Map(func(r rune) rune {
			if r == ' ' || r == ',' {
				return '-'
			}
			return r
		}, name) + ".pprof"
		done <- errors.Join(err, os.WriteFile(file, text, 0o644))
	}()
	return done
}

// writtenBytes is what a process has written, files and answers together, 0 where the system does not say: proc_pid_io(5).
// (Its write_bytes counts whole folios of the page cache, many times what is written.)
func writtenBytes(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "wchar: "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64) // 0 says that it is not known
			return n
		}
	}
	return 0
}
