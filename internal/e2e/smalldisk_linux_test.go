package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/follow"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

// smallDisk is a folder on a disk of 96 MiB, and the path of a file on it whose removal makes room.
func smallDisk(t *testing.T) (data, ballast string) {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("no disk of a size of its own can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", disk, err)
		}
	})
	ballast = filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 24<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(disk, "data"), ballast
}

var smallDiskArguments = []string{"--segment-bytes", "16MiB", "--history-bytes", "0", "--flush-bytes", "1MiB"}

// filler writes documents until the server refuses, or is gone.
type filler struct {
	t      *testing.T
	client *wire.Client
	pad    string
	next   int
	stored map[string]string // revisions that were acknowledged, by id
}

func newFiller(t *testing.T) *filler {
	g := generator{random(t)}
	pad := make([]byte, 60<<10) // not to be compressed away
	for i := range pad {
		pad[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[g.IntN(64)]
	}
	return &filler{t: t, pad: string(pad), stored: map[string]string{}}
}

func (f *filler) write() (wire.Answer, error) {
	id := fmt.Sprint("d", f.next)
	at := f.next * 997 % len(f.pad)
	body := fmt.Sprintf(`{"pad":"%s%s"}`, f.pad[at:], f.pad[:at])
	answer, err := f.client.Do("PUT", wire.Document(collection, id), []byte(body), "Prefer", "return=minimal")
	if err == nil && answer.Status == http.StatusCreated {
		f.stored[id] = answer.Object().Text("_rev")
		f.next++
	}
	return answer, err
}

// check reads everything that was acknowledged.
func (f *filler) check(p *process.Process) {
	f.t.Helper()
	c := client(f.t, p, 1)
	for id, rev := range f.stored {
		answer, err := c.Do("GET", wire.Document(collection, id), nil)
		if err != nil || answer.Status != 200 || answer.Object().Text("_rev") != rev {
			f.t.Fatalf("%s was acknowledged at %s: %v %.200s", id, rev, err, answer.Body)
		}
	}
}

// A disk fills up under a server that watches it: 507 before it is full; reads and live queries go on; with room again
// writes do too, by themselves; nothing acknowledged is lost, at the next start neither.
func TestSmallDisk(t *testing.T) {
	data, ballast := smallDisk(t)
	p := start(t, data, append(smallDiskArguments, "--disk-min-free-bytes", "20MiB")...)
	f := newFiller(t)
	f.client = client(t, p, 1)
	session := dial(t, p)
	live := follow.New(oracle.Query{Filter: oracle.Object{{Name: "n", Value: int64(1)}}})
	full := false
	for !full {
		answer, err := f.write()
		switch {
		case err != nil:
			t.Fatalf("after %d writes: %v; the server wrote %s", f.next, err, p.Stderr())
		case answer.Status == 507:
			full = true
			if answer.Code() != "disk-full" {
				t.Fatalf("%v", answer)
			}
		case answer.Status != 201:
			t.Fatalf("%v", answer)
		}
		if f.next == 1 && !live.Live() {
			subscribe(t, session, live, "")
			for !live.Live() {
				advance(t, session, live)
			}
		}
	}
	if metric(t, p, "freshet_storage_disk_low") != 1 || f.next < 50 {
		t.Errorf("refused after %d writes, with %v bytes free", f.next, metric(t, p, "freshet_storage_free_bytes"))
	}
	f.check(p)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(frameWait); ; {
		answer, err := f.client.Do("PUT", wire.Document(collection, "again"), []byte(`{"n":1}`))
		if err == nil && answer.Status == 201 {
			break
		}
		if err != nil || answer.Code() != "disk-full" || time.Now().After(deadline) {
			t.Fatalf("with room again: %v %v", answer, err)
		}
	}
	for len(live.View) < 1 {
		advance(t, session, live)
	}
	f.check(p)
	stop(t, p)
	f.check(start(t, data, append(smallDiskArguments, "--disk-min-free-bytes", "20MiB")...))
}

// A disk fills up under a server that does not watch it: the process says so and ends; with room again it starts, and
// everything acknowledged is there.
func TestFullDisk(t *testing.T) {
	data, ballast := smallDisk(t)
	arguments := append(smallDiskArguments, "--disk-min-free-bytes", "0")
	p := start(t, data, arguments...)
	f := newFiller(t)
	f.client = client(t, p, 1)
	for {
		answer, err := f.write()
		if err != nil || answer.Code() == "outcome-unknown" || answer.Code() == "draining" {
			break
		}
		if answer.Status != 201 {
			t.Fatalf("%v", answer)
		}
	}
	select {
	case <-p.Done():
	case <-time.After(frameWait):
		t.Fatalf("the server goes on: %s", p.Stderr())
	}
	if p.ExitCode() != 1 || !strings.Contains(p.Stderr(), "no space left on device") || strings.Contains(p.Stderr(), "goroutine ") {
		t.Errorf("exit code %d: %s", p.ExitCode(), p.Stderr())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	f.check(start(t, data, arguments...))
	if f.next < 50 {
		t.Errorf("only %d writes were made", f.next)
	}
}
