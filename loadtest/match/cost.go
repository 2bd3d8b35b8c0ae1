package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// cost is what one command took.
type cost struct {
	lines     int           // that it wrote
	cpu       time.Duration // user and system, of all its threads
	clock     time.Duration
	peakBytes int64
}

// measure runs a command to its end. Exit code 1 says that nothing was found, and is none that failed.
func measure(ctx context.Context, arguments []string, name string) (cost, error) {
	var out lineCounter
	var complaint bytes.Buffer
	command := exec.CommandContext(ctx, name, arguments...)
	command.Stdout, command.Stderr = &out, &complaint
	command.Env = append(command.Environ(), "LC_ALL=C") // grep by bytes, its fastest
	from := time.Now()
	err := command.Run()
	took := time.Since(from)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return cost{}, fmt.Errorf("run %s: %w: %s", name, err, complaint.Bytes())
	}
	state := command.ProcessState
	c := cost{lines: int(out), cpu: state.UserTime() + state.SystemTime(), clock: took}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		c.peakBytes = usage.Maxrss << 10 // Linux counts in KiB
	}
	return c, nil
}

// lineCounter counts the line ends that are written to it.
type lineCounter int

func (n *lineCounter) Write(b []byte) (int, error) {
	*n += lineCounter(bytes.Count(b, []byte{'\n'}))
	return len(b), nil
}
