package e2e

import (
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one")
	roundsFlag = flag.Int("rounds", 0, "number of crashes in the crash test; 0 takes the default")
	binaryFlag = flag.String("freshet", "", "a built server to test; empty builds one")
)

// binary is the server under test.
var binary string

// frameWait bounds the wait for a frame that must come.
const frameWait = 20 * time.Second

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	binary = *binaryFlag
	if binary == "" {
		dir, err := os.MkdirTemp("", "freshet-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, "make a folder for the server:", err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }() // a temporary folder
		binary = filepath.Join(dir, "freshet")
		arguments := []string{"build", "-o", binary}
		if raceEnabled {
			arguments = append(arguments, "-race")
		}
		build := exec.Command("go", append(arguments, "../..")...)
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the server: %v\n%s", err, output)
			return 1
		}
	}
	return m.Run()
}

// TestSources looks at every source of the program, so that the go command knows that these tests depend on it, and does not
// take a result from before a change for one of after it: they import nothing of it.
func TestSources(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && (name == "node_modules" || name != ".." && strings.HasPrefix(name, ".")):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "go."):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// random is the source of one test; the seed is printed if the test fails.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with -seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

// start runs a server for the length of the test and demands that it says nothing of a data race.
func start(t *testing.T, data string, more ...string) *process.Process {
	t.Helper()
	p, err := process.Start(binary, process.Dev(data, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

func stop(t *testing.T, p *process.Process) {
	t.Helper()
	if err := p.Terminate(30 * time.Second); err != nil {
		t.Error(err)
	}
	if strings.Contains(p.Stderr(), "DATA RACE") {
		t.Error("the server has a data race")
	}
	if t.Failed() {
		t.Logf("the server wrote:\n%s", p.Stderr())
	}
}

func dial(t *testing.T, p *process.Process) *wire.Session {
	t.Helper()
	s, _, err := wire.Dial(p.Listen)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T, p *process.Process, connections int) *wire.Client {
	t.Helper()
	c := wire.NewClient(p.Listen, connections)
	t.Cleanup(c.Close)
	return c
}

// metric reads one number from the admin port's /metrics.
func metric(t *testing.T, p *process.Process, name string) float64 {
	t.Helper()
	admin := wire.NewClient(p.Admin, 1)
	defer admin.Close()
	answer, err := admin.Do("GET", "/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(answer.Body)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/metrics has no %s", name)
	return 0
}
