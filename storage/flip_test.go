package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// Whatever bit flips in whatever file of a stopped node's data folder: it is refused, at the start or at the first read of
// the place, or, in what the log keeps as history alone, told; or it stands where nothing counts. Nothing wrong is ever served; short of the log's last group, which counts
// as one that was being written where the log was not closed in order.
func TestFlippedBitsAnywhere(t *testing.T) {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	good := filepath.Join(t.TempDir(), "good")
	r := diskRig(t, good, 1)
	c := r.collection("pages")
	for i := range 200 {
		if _, _, err := r.put(t.Context(), c, fmt.Sprint("id", i%50), i); err != nil {
			t.Fatal(err)
		}
		if i%40 == 0 {
			if err := r.store.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := r.check.model(c.ID)
	r.shut()
	if err := WriteFormat(good); err != nil {
		t.Fatal(err)
	}
	var files []string
	if err := filepath.WalkDir(good, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if info, infoErr := e.Info(); infoErr == nil && info.Size() > 0 {
				files = append(files, name)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	refused, served := map[string]int{}, 0
	for n := range rounds(30) {
		data := filepath.Join(t.TempDir(), fmt.Sprint(n))
		if err := os.CopyFS(data, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(good, files[rng.IntN(len(files))])
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(data, name))
		if err != nil {
			t.Fatal(err)
		}
		at, bit := rng.IntN(len(content)), rng.IntN(8)
		if filepath.Ext(name) == ".segment" { // most of it are zeros that wait for groups
			at = rng.IntN(min(len(content), 64<<10))
		}
		content[at] ^= 1 << bit
		if err := os.Chmod(filepath.Join(data, name), 0o600); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(data, name), content)
		where := fmt.Sprintf("seed %d, round %d: bit %d of byte %d of %s", seed, n, bit, at, name)
		got, err := serveAll(t, data)
		switch {
		case err != nil:
			refused[filepath.Ext(name)]++
		case diff(got, want) != "":
			t.Fatalf("%s: served wrongly: %s", where, diff(got, want))
		case filepath.Ext(name) == ".segment":
			if report := mustCheck(t, data); report.ProblemCount > 0 {
				t.Fatalf("%s: nothing is told, and the check finds %q", where, report.Problems)
			}
			served++
		default:
			served++
		}
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("refused by extension: %v; served with nothing wrong: %d", refused, served)
	if *roundsFlag > 0 && (refused[".segment"] == 0 || refused[".sst"] == 0) {
		t.Errorf("the test flips the wrong bits: %v", refused)
	}
}

// serveAll starts a node and reads everything. An error is why it does not serve, or what the log tells of damage.
func serveAll(t *testing.T, data string) (all map[string]string, err error) {
	t.Helper()
	if err := CheckFormat(data); err != nil {
		return nil, err
	}
	damage := make(chan error, 100)
	log, err := ingest.OpenSegments(ingest.SegmentConfig{
		Dir: filepath.Join(data, LogFolder), NoSync: true, SegmentBytes: 64 << 10, Damaged: func(err error) { damage <- err },
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		<-log.Verified()
		if err = errors.Join(err, log.Close()); len(damage) > 0 {
			err = errors.Join(err, <-damage)
		}
	}()
	store, err := Open(Config{Dir: filepath.Join(data, StateFolder), FS: vfs.Default}, log)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	defer func() { stop(); err = errors.Join(err, <-done, store.Close()) }()
	select {
	case <-store.Ready():
		return readAll(ctx, store)
	case err := <-done:
		done <- err
		return nil, err
	}
}

func readAll(ctx context.Context, store *Store) (map[string]string, error) {
	c, ok := store.Collection(testApp, "pages")
	if !ok {
		return nil, ErrCollectionNotFound
	}
	n, err := store.Snapshot()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	err = n.visitCollection(ctx, 1, c.ID, func(d *matcher.Document) error {
		all[d.ID()] = string(d.Text())
		return nil
	})
	return all, errors.Join(err, n.Close())
}
