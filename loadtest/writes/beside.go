package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleReport is what the child that runs plain Pebble prints.
type pebbleReport struct {
	Writes int
	CPU    time.Duration
	Wall   time.Duration
	Bytes  int64
	P50    []time.Duration
}

// plainPebble has a child of this program set documents of the same sizes and keys, so that its processor time is its own.
func (m *measurement) plainPebble(ctx context.Context) (f figures, err error) {
	executable, err := os.Executable()
	if err != nil {
		return f, fmt.Errorf("find the own program: %w", err)
	}
	folder := filepath.Join(m.server.Folder(), "pebble")
	child := exec.CommandContext(ctx, executable, "-pebble", folder, "-duration", m.duration.String(),
		"-change", m.change, "-writers", fmt.Sprint(m.writers), "-documents", fmt.Sprint(m.documents), "-bytes", fmt.Sprint(m.bytes))
	child.Stderr = os.Stderr
	output, err := child.Output()
	if err != nil {
		return f, fmt.Errorf("run plain Pebble: %w", err)
	}
	var r pebbleReport
	if err := json.Unmarshal(output, &r); err != nil {
		return f, fmt.Errorf("read the report of plain Pebble: %w", err)
	}
	return figures{writes: r.Writes, cpu: r.CPU, wall: r.Wall, written: r.Bytes, waits: r.P50}, nil
}

// servePebble is that child. The folder is kept from round to round, as the server's is.
func (c config) servePebble(folder string) (err error) {
	db, err := pebble.Open(folder, &pebble.Options{Logger: silent{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	texts := pads(c.bytes)
	begin, cpu, bytes := time.Now(), ownCPU(), writtenBytes(os.Getpid())
	var group sync.WaitGroup
	var mu sync.Mutex
	var report pebbleReport
	var failed error
	for w := range c.writers {
		rng := rand.New(rand.NewPCG(uint64(begin.UnixNano()), uint64(w)))
		group.Go(func() {
			var document []byte
			var waits []time.Duration
			var err error
			for err == nil && time.Since(begin) < c.duration {
				number := rng.IntN(c.documents)
				document = c.appendDocument(document[:0], number, texts, rng)
				from := time.Now()
				err = db.Set([]byte(documentID(number)), document, pebble.Sync)
				waits = append(waits, time.Since(from))
			}
			mu.Lock()
			defer mu.Unlock()
			report.Writes += len(waits)
			report.P50 = append(report.P50, waits...)
			failed = errors.Join(failed, err)
		})
	}
	group.Wait()
	report.Wall, report.CPU, report.Bytes = time.Since(begin), ownCPU()-cpu, writtenBytes(os.Getpid())-bytes
	return errors.Join(failed, json.NewEncoder(os.Stdout).Encode(report))
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // it cannot fail for the own process
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type silent struct{}

func (silent) Infof(string, ...any)         {}
func (silent) Errorf(string, ...any)        {}
func (silent) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

// bareSync is one document after another written to a file that is there already, each made durable.
func (m *measurement) bareSync(ctx context.Context) (f figures, err error) {
	file, err := os.Create(filepath.Join(m.server.Folder(), "beside"))
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	const fileBytes = 16 << 20
	if _, err := file.Write(make([]byte, fileBytes)); err != nil {
		return f, err
	}
	if err := file.Sync(); err != nil {
		return f, err
	}
	record := make([]byte, m.bytes)
	begin := time.Now()
	for ctx.Err() == nil && time.Since(begin) < m.duration {
		from := time.Now()
		if _, err := file.WriteAt(record, int64(f.writes*m.bytes)%(fileBytes-int64(m.bytes))); err != nil {
			return f, err
		}
		if err := dataSync(file); err != nil {
			return f, err
		}
		f.writes++
		f.waits = append(f.waits, time.Since(from))
	}
	f.wall = time.Since(begin)
	return f, ctx.Err()
}
