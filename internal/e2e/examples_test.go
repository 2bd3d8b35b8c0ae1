package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/freshetdb/freshet/loadtest/process"
)

// exampleWait bounds the wait for a view that an example must come to, its pauses between two connections included.
const exampleWait = 60 * time.Second

// Statement 6: the clients of docs/examples do what docs/clients.md says: they show the result and each change of it, also through a
// server that is killed and comes again.
func TestExamples(t *testing.T) {
	window := []string{"../../docs/examples/live.py", "URL", "pages", "sort=-n", "limit=2", "fields=n"}
	all := []string{"../../docs/examples/live.py", "URL", "pages", "fields=n"}
	websocket := func(query string) []string {
		return []string{"--experimental-websocket", "../../docs/examples/live.mjs", "URL", query}
	}
	for _, example := range []struct {
		name, program string
		arguments     []string
		ordered       bool
	}{
		{"python window", "python3", window, true},
		{"python all", "python3", all, false},
		{"node window", "node", websocket(`{"collection":"pages","sort":"-n","limit":2,"fields":["n"]}`), true},
		{"node all", "node", websocket(`{"collection":"pages","fields":["n"]}`), false},
	} {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(example.program); err != nil {
				t.Skip(err)
			}
			if example.program == "node" && exec.Command("node", "--experimental-websocket", "-e", "WebSocket").Run() != nil {
				t.Skip("this version of Node.js has no WebSocket of its own")
			}
			runExample(t, example.program, example.arguments, example.ordered)
		})
	}
}

func runExample(t *testing.T, program string, arguments []string, ordered bool) {
	data, port := t.TempDir(), freePort(t)
	serve := []string{"serve", "--dev", "--listen", port, "--admin", "127.0.0.1:0", "--data", data}
	p, err := process.Start(binary, serve...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if p != nil {
			_ = p.Kill() // the server of now; ended already where the test failed
		}
	}()
	arguments = append([]string(nil), arguments...)
	for i, a := range arguments {
		arguments[i] = strings.Replace(a, "URL", "http://"+port, 1)
	}
	views := exampleViews(t, exec.Command(program, arguments...))
	put := func(id string, n int) {
		t.Helper()
		answer, err := client(t, p, 1).Do("PUT", "/v1/db/pages/"+id, fmt.Appendf(nil, `{"n":%d}`, n), "Content-Type: application/json")
		if err != nil || answer.Status >= 300 {
			t.Fatalf("%v, %d: %s", err, answer.Status, answer.Body)
		}
	}
	reach := func(windowed string, everything string) {
		t.Helper()
		want := everything
		if ordered {
			want = windowed
		}
		last, deadline := "nothing yet", time.NewTimer(exampleWait)
		defer deadline.Stop()
		for last != want {
			select {
			case view, ok := <-views:
				if last = view.text(ordered); !ok {
					t.Fatalf("the example ended before it showed %s", want)
				}
			case <-deadline.C:
				t.Fatalf("the example shows %s, want %s", last, want)
			}
		}
	}
	reach("", "")
	put("a", 1)
	put("b", 2)
	put("c", 3)
	reach("c3 b2", "a1 b2 c3")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(exampleWait); ; { // a connection of this machine may have the port for a moment
		if p, err = process.Start(binary, serve...); err == nil {
			break
		}
		if !strings.Contains(err.Error(), "address already in use") || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	put("a", 9) // leads to what the example missed, or to a change after it came back
	put("b", 8)
	reach("a9 b8", "a9 b8 c3")
	if answer, err := client(t, p, 1).Do("DELETE", "/v1/db/pages/a", nil); err != nil || answer.Status != 204 {
		t.Fatalf("%v, %d: %s", err, answer.Status, answer.Body)
	}
	reach("b8 c3", "b8 c3")
}

// exampleView is a line of an example's output.
type exampleView []struct {
	ID string `json:"_id"`
	N  int    `json:"n"`
}

// text is the documents in their order; where there is none, by their ids.
func (v exampleView) text(ordered bool) string {
	words := make([]string, len(v))
	for i, d := range v {
		words[i] = fmt.Sprintf("%s%d", d.ID, d.N)
	}
	if !ordered {
		slices.Sort(words)
	}
	return strings.Join(words, " ")
}

// exampleViews runs an example until the test ends, and sends the views that it prints.
func exampleViews(t *testing.T, command *exec.Cmd) <-chan exampleView {
	t.Helper()
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	views := make(chan exampleView, 1000) // more than a test makes
	read := make(chan error, 1)
	go func() {
		defer close(views)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var view exampleView
			if err := json.Unmarshal(lines.Bytes(), &view); err != nil {
				read <- fmt.Errorf("%s: %w", lines.Text(), err)
				return
			}
			views <- view
		}
		read <- lines.Err()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it does not end by itself
		if err := <-read; err != nil {
			t.Errorf("read the example's output: %v", err)
		}
		_ = command.Wait() // it was killed
		if t.Failed() {
			t.Logf("standard error: %s", errs.String())
		}
	})
	return views
}

// freePort is an address for a server that comes again at the same place. Nothing keeps others from taking it meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
