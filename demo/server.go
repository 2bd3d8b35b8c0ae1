package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 15 * time.Second
	pollInterval = 20 * time.Millisecond
)

// server is a Freshet process of the demo's own, with a folder for all that it writes.
type server struct {
	url    string
	folder string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	err    error         // of the process, once done
}

// startServer starts the program on free ports and waits until it serves.
func startServer(ctx context.Context, binary string) (*server, error) {
	folder, err := os.MkdirTemp("", "freshet-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	s := &server{folder: folder, done: make(chan struct{})}
	// The log goes to a file, not a pipe, so that a server that is kept outlives this program.
	log, err := os.Create(s.logFile())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the log file: %w", err), os.RemoveAll(folder))
	}
	defer func() { _ = log.Close() }() // the child has its own descriptor
	s.cmd = exec.Command(binary, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", filepath.Join(folder, "data"), "--log-format", "json")
	s.cmd.Stderr = log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program, which then stops the server
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s (make build makes it): %w", binary, err), os.RemoveAll(folder))
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *server) logFile() string { return filepath.Join(s.folder, "server.log") }

// ready waits for the line that says where the server listens.
func (s *server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("the server did not begin to serve in time"))
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		text, err := os.ReadFile(s.logFile())
		if err != nil {
			return fmt.Errorf("read the server's log: %w", err)
		}
		if address := servingAddress(text); address != "" {
			s.url = "http://" + address
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("the server ended before it served (%v); its log:\n%s", s.err, text)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// servingAddress finds the public address in the server's log, "" if it is not there yet.
func servingAddress(log []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(log))
	for lines.Scan() {
		var line struct{ Message, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "serving" {
			return line.Listen
		}
	}
	return ""
}

// remove stops the process, by its id, and removes its folder.
func (s *server) remove() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	select {
	case <-s.done:
	case <-time.After(stopTimeout):
		err = errors.Join(err, fmt.Errorf("the server did not stop within %v and was killed", stopTimeout), s.cmd.Process.Kill())
		<-s.done
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// explain says what can be tried with the server, and how to be rid of it.
func (s *server) explain(w io.Writer) {
	_, _ = fmt.Fprintf(w, `
The server goes on at %[1]s. Try, in another terminal:

  curl '%[1]s/v1/db/quakes?sort=-mag&limit=3&fields=mag,place'
  curl -N -H 'Accept: text/event-stream' '%[1]s/v1/db/quakes?filter=%%7B"mag":%%7B"$gte":6%%7D%%7D'
  bin/freshet sub quakes --sort -mag --limit 10 --url %[1]s
  curl -X PUT %[1]s/v1/db/quakes/mine -H 'Content-Type: application/json' -d '{"mag":9,"place":"here"}'

Stop it and remove its data:

  kill %[2]d && rm -r %[3]s
`, s.url, s.cmd.Process.Pid, s.folder)
}
