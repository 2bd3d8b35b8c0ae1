package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopWait bounds how long a system may take to stop before it is killed.
const stopWait = 20 * time.Second

// child is a process that this program started.
type child struct {
	command *exec.Cmd
	ending  syscall.Signal // asks it to end
	done    chan struct{}

	mu   sync.Mutex // of told
	told bytes.Buffer
}

// maxToldBytes bounds what is kept of a child's standard error.
const maxToldBytes = 64 << 10

func (c *child) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told.Len() < maxToldBytes {
		c.told.Write(text)
	}
	return len(text), nil
}

func (c *child) start() error {
	c.command.Stderr, c.done = c, make(chan struct{})
	if err := c.command.Start(); err != nil {
		return err
	}
	go func() {
		_ = c.command.Wait() // whoever stops it, or fails to use it, says what was wrong
		close(c.done)
	}()
	return nil
}

func (c *child) stop() error {
	if err := c.command.Process.Signal(c.ending); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-time.After(stopWait):
		err := fmt.Errorf("process %d did not end within %v", c.command.Process.Pid, stopWait)
		return errors.Join(err, c.command.Process.Kill())
	}
}

// failed says why a child cannot be used.
func (c *child) failed(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("%s %s: %s", filepath.Base(c.command.Path), what, c.told.String())
}

// running is a system that runs.
type running struct {
	address string
	pids    []int
	filled  func() error // makes it ready once its documents are there; may be nil
	stops   []func() error
}

func (r *running) add(c *child) {
	r.pids, r.stops = append(r.pids, c.command.Process.Pid), append(r.stops, c.stop)
}

// stop ends everything, the last that was started first.
func (r *running) stop() (err error) {
	for i := len(r.stops) - 1; i >= 0; i-- {
		err = errors.Join(err, r.stops[i]())
	}
	return err
}

// reached waits until something listens at the address.
func (r *running) reached(ctx context.Context, c *child) error {
	for end := time.Now().Add(answerWait); time.Now().Before(end); {
		conn, err := dial(r.address)
		if err == nil {
			return conn.close()
		}
		select {
		case <-c.done:
			return c.failed("ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return c.failed("did not come to serve")
}

// usage is what processes have spent, their children's included.
type usage struct {
	cpu     time.Duration
	device  int64 // bytes that dirtied pages to be written to the device, in whole folios: write_bytes of proc_pid_io(5)
	written int64 // bytes given to write calls, answers to clients included: wchar
}

func (u usage) plus(o usage) usage {
	return usage{u.cpu + o.cpu, u.device + o.device, u.written + o.written}
}

func (u usage) minus(o usage) usage {
	return usage{u.cpu - o.cpu, u.device - o.device, u.written - o.written}
}

// usage reads what the system's processes and their descendants have spent. A child that ended counts with its parent.
func (r *running) usage() (u usage, err error) {
	parents, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return u, err
	}
	ours := map[int]bool{}
	for _, pid := range r.pids {
		ours[pid] = true
	}
	type process struct {
		parent int
		cpu    time.Duration
	}
	all := map[int]process{}
	for _, name := range parents {
		text, err := os.ReadFile(name)
		pid, err2 := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if err != nil || err2 != nil || len(fields) < 15 {
			continue // it ended meanwhile
		}
		number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n } // the system writes numbers
		ticks := number(11) + number(12) + number(13) + number(14)
		all[pid] = process{number(1), time.Duration(ticks) * (time.Second / 100)}
	}
	for pid := range all {
		for at := pid; at > 1; at = all[at].parent {
			if ours[at] {
				u = u.plus(usage{all[pid].cpu, ioOf(pid, "write_bytes"), ioOf(pid, "wchar")})
				break
			}
		}
	}
	if u.cpu == 0 {
		return u, errors.New("the processor time of the system cannot be read from /proc")
	}
	return u, nil
}

func ioOf(pid int, name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0 // it ended meanwhile, or belongs to another user
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64) // the system writes a number
			return n
		}
	}
	return 0
}
