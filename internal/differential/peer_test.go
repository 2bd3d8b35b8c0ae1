package differential

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const (
	// MaxAnswerBytes bounds one line of a peer.
	MaxAnswerBytes = 64 << 20
	// MaxAnswerWait bounds the wait for one line, the start of the peer included.
	MaxAnswerWait = 2 * time.Minute
)

// peer is a child process that answers rounds. It ends when its standard input is closed.
type peer struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  strings.Builder
}

// query is a query of a round, over the round's documents.
type query struct {
	filter      object
	sort        array // pairs of path and direction; nil: no order
	skip, limit int
	projection  object // nil: ids only
}

// answer is what one side says to a query or an update: ids, documents in canonical Extended JSON, or an error.
type answer struct {
	IDs       []string
	Documents []json.RawMessage
	Document  json.RawMessage // of an update
	Error     string
}

// round is one line to a peer: documents, queries over them, and updates of documents of their own.
type round struct {
	documents []object
	queries   []query
	updates   []update
}

type answers struct{ Queries, Updates []answer }

func (q query) object() object {
	out := object{{"filter", q.filter}}
	if q.sort != nil {
		out = append(out, field{"sort", q.sort})
	}
	if q.skip > 0 {
		out = append(out, field{"skip", q.skip})
	}
	if q.limit > 0 {
		out = append(out, field{"limit", q.limit})
	}
	if q.projection != nil {
		out = append(out, field{"projection", q.projection})
	}
	return out
}

func (u update) object() object {
	out := object{{"document", u.document}, {"update", u.operators}}
	if u.arrayFilters != nil {
		out = append(out, field{"arrayFilters", u.arrayFilters})
	}
	return out
}

func (r round) line() []byte {
	var documents, queries, updates array
	for _, d := range r.documents {
		documents = append(documents, d)
	}
	for _, q := range r.queries {
		queries = append(queries, q.object())
	}
	for _, u := range r.updates {
		updates = append(updates, u.object())
	}
	return append(text(object{{"documents", documents}, {"queries", queries}, {"updates", updates}}), '\n')
}

// startPeer runs a peer for the length of the test.
func startPeer(t *testing.T, folder, name string, arguments ...string) *peer {
	t.Helper()
	p := &peer{command: exec.Command(name, arguments...)}
	p.command.Dir = folder
	p.command.Stderr = &p.stderr
	var err error
	if p.in, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReaderSize(out, 1<<20)
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// end closes the peer's standard input, and waits for it; one that does not end is killed.
func (p *peer) end() error {
	err := p.in.Close()
	watchdog := time.AfterFunc(MaxAnswerWait, func() { _ = p.command.Process.Kill() })
	defer watchdog.Stop()
	if failure := p.command.Wait(); failure != nil {
		err = errors.Join(err, fmt.Errorf("the peer did not end by itself: %w\n%s", failure, p.stderr.String()))
	}
	return err
}

// exchange sends a line, its end included, and reads the answer.
func (p *peer) exchange(question []byte) ([]byte, error) {
	watchdog := time.AfterFunc(MaxAnswerWait, func() { _ = p.command.Process.Kill() })
	defer watchdog.Stop()
	written := make(chan error, 1)
	go func() { // a peer that answers before it has read everything must not stop us
		_, err := p.in.Write(question)
		written <- err
	}()
	line, err := p.out.ReadBytes('\n')
	if err = errors.Join(err, <-written); err != nil {
		return nil, fmt.Errorf("ask the peer: %w\n%s", err, p.stderr.String())
	}
	if len(line) > MaxAnswerBytes {
		return nil, fmt.Errorf("the peer's answer has %d bytes, more than %d", len(line), MaxAnswerBytes)
	}
	return line, nil
}

// ask sends a round and reads the answer.
func (p *peer) ask(r round) (answers, error) {
	line, err := p.exchange(r.line())
	if err != nil {
		return answers{}, err
	}
	var a answers
	if err := json.Unmarshal(line, &a); err != nil {
		return answers{}, fmt.Errorf("read the peer's answer %.200q: %w", line, err)
	}
	if len(a.Queries) != len(r.queries) || len(a.Updates) != len(r.updates) {
		return answers{}, fmt.Errorf("%d and %d answers to %d queries and %d updates", len(a.Queries), len(a.Updates), len(r.queries), len(r.updates))
	}
	return a, nil
}

// installed skips the test where a file that `make differential-setup` makes, or a program, is missing.
func installed(t *testing.T, program, file string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: %v", program, err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Skipf("the peer is not installed, `make differential-setup` does it: %v", err)
	}
}
