package main

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programTimeout bounds everything that these tests wait for in another process.
const programTimeout = 90 * time.Second

func TestFileIsInOrderOfTime(t *testing.T) {
	t.Parallel()
	quakes, err := load()
	if err != nil {
		t.Fatal(err)
	}
	if len(quakes) < 1000 || len(earthquakes) > 500_000 {
		t.Errorf("%d quakes in %d bytes", len(quakes), len(earthquakes))
	}
	if !slices.IsSortedFunc(quakes, func(a, b quake) int { return a.Time.Date.Compare(b.Time.Date) }) {
		t.Error("not in order of time")
	}
	seen := map[string]bool{}
	for _, q := range quakes {
		if q.ID == "" || seen[q.ID] || q.Place == "" || q.Time.Date.IsZero() || q.Updated.Date.Before(q.Time.Date) {
			t.Errorf("quake %+v", q)
		}
		seen[q.ID] = true
	}
}

// The last write of each quake is the file's own state, and each reviewed one was automatic first.
func TestTimelineEndsAtTheFile(t *testing.T) {
	t.Parallel()
	quakes, err := load()
	if err != nil {
		t.Fatal(err)
	}
	writes := timeline(quakes)
	last := map[string]quake{}
	for i, w := range writes {
		if i > 0 && w.at.Before(writes[i-1].at) {
			t.Fatalf("write %d goes back in time", i)
		}
		if before, ok := last[w.quake.ID]; ok && (before.Status != "automatic" || w.quake.Status != "reviewed") {
			t.Errorf("%s goes from %s to %s", w.quake.ID, before.Status, w.quake.Status)
		} else if !ok && w.quake.Status != "automatic" {
			t.Errorf("%s begins as %s", w.quake.ID, w.quake.Status)
		}
		last[w.quake.ID] = w.quake
	}
	for _, q := range quakes {
		if last[q.ID] != q {
			t.Errorf("%s ends as %+v", q.ID, last[q.ID])
		}
	}
}

func TestServingAddress(t *testing.T) {
	t.Parallel()
	const line = `{"level":"info","listen":"127.0.0.1:7","message":"serving"}`
	for log, want := range map[string]string{
		"": "", "no json\n{\"message\":\"draining\",\"listen\":\"x\"}\n": "", "noise\n" + line + "\n": "127.0.0.1:7", line[:20]: "",
	} {
		if got := servingAddress([]byte(log)); got != want {
			t.Errorf("%q: %q", log, got)
		}
	}
}

var programs = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "freshet-demo-programs-")
	if err != nil {
		return "", err
	}
	for name, source := range map[string]string{"freshet": "..", "demo": "."} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(folder, name), source).CombinedOutput(); err != nil {
			return "", errors.New(string(out))
		}
	}
	return folder, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if folder, err := programs(); err == nil {
		if err := os.RemoveAll(folder); err != nil {
			code = 1
		}
	}
	os.Exit(code)
}

// demo prepares the real program, with a folder of its own for whatever it may leave behind.
func demo(t *testing.T, args ...string) (cmd *exec.Cmd, temporary string) {
	t.Helper()
	folder, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	temporary = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, filepath.Join(folder, "demo"), append([]string{"-freshet", filepath.Join(folder, "freshet")}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + temporary}
	cmd.Stderr = os.Stderr
	return cmd, temporary
}

func nothingIsLeft(t *testing.T, temporary string) {
	t.Helper()
	entries, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left behind", e.Name())
	}
}

// The whole demo, fast: it checks its own live result and leaves nothing behind.
func TestDemoEndsByItself(t *testing.T) {
	t.Parallel()
	cmd, temporary := demo(t, "-length", "1s")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, l := range lines[:len(lines)-1] {
		if match, _, _ := strings.Cut(l, " "); !slices.Contains([]string{"add", "change", "changeIndex", "remove"}, match) {
			t.Errorf("not an event: %q", l)
		}
	}
	summary := regexp.MustCompile(`^\d+ writes, \d+ events, (\d+) of them .* p50 \S+, p99 \S+\. The live result equals a sort of the file\.$`)
	found := summary.FindStringSubmatch(lines[len(lines)-1])
	if found == nil || found[1] != strconv.Itoa(len(lines)-1) {
		t.Errorf("%d lines of events, summary %q", len(lines)-1, lines[len(lines)-1])
	}
	nothingIsLeft(t, temporary)
}

func TestDemoStopsOnCtrlC(t *testing.T) {
	t.Parallel()
	cmd, temporary := demo(t, "-length", "10m")
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	if _, err := reader.ReadString('\n'); err != nil { // the first event: it is under way
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	last := ""
	for {
		l, err := reader.ReadString('\n')
		if err != nil {
			break
		}
		last = l
	}
	if err := cmd.Wait(); err != nil || !strings.HasPrefix(last, "stopped") {
		t.Errorf("%v, last line %q", err, last)
	}
	nothingIsLeft(t, temporary)
}

func TestDemoKeepsTheServerIfAsked(t *testing.T) {
	t.Parallel()
	cmd, temporary := demo(t, "-length", "1s", "-keep")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	found := regexp.MustCompile(`(?m)^  kill (\d+) && rm -r (\S+)$`).FindStringSubmatch(string(out))
	if found == nil || filepath.Dir(found[2]) != temporary {
		t.Fatalf("it does not say how to stop:\n%s", out)
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	address := regexp.MustCompile(`goes on at http://(\S+)\. Try`).FindStringSubmatch(string(out))
	if address == nil {
		t.Fatalf("it does not say where the server is:\n%s", out)
	}
	reachable := func() bool {
		conn, err := net.Dial("tcp", address[1])
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}
	if !reachable() {
		t.Error("the server is not there")
	}
	// Not in order, so that nothing is written once it cannot be reached: its folder goes with the test.
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("end the server: %v", err)
	}
	for deadline := time.Now().Add(programTimeout); reachable(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			t.Fatal("the server is still there")
		}
	}
}

func TestDemoSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), options{binary: filepath.Join(t.TempDir(), "none"), length: time.Second})
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}
