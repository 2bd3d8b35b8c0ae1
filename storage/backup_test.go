package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// diskRig is a store in real files.
func diskRig(t *testing.T, data string, partitions int) *rig {
	t.Helper()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: filepath.Join(data, LogFolder), LogPartitions: partitions, NoSync: true, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	_, restored := os.Stat(filepath.Join(data, RestoredFile))
	r := &rig{t: t, log: log, config: Config{Dir: filepath.Join(data, StateFolder), LogDir: filepath.Join(data, LogFolder), FS: vfs.Default, NewIncarnation: restored == nil}}
	r.start()
	return r
}

func (r *rig) shut() {
	r.end()
	if err := r.log.Close(); err != nil {
		r.t.Error(err)
	}
}

func mustCheck(t *testing.T, data string) *CheckReport {
	t.Helper()
	report, err := Check(t.Context(), Config{Dir: filepath.Join(data, StateFolder)}, ingest.SegmentConfig{Dir: filepath.Join(data, LogFolder)})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A backup that is taken while writes go on restores to a state that lies between its begin and its end, checks clean, and
// goes on under a new time line; a second one into the same folder copies only what is new.
func TestBackupWhileWriting(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, partitions := range []int{1, 3} {
		t.Run(fmt.Sprintf("partitions=%d", partitions), func(t *testing.T) {
			base := t.TempDir()
			data, folder := filepath.Join(base, "data"), filepath.Join(base, "backups", "one")
			r := diskRig(t, data, partitions)
			c := r.collection("pages")
			storm(r, c, seed, 4, 100)
			before := r.check.model(c.ID)
			start := r.store.Vector()

			first, err := r.store.Backup(t.Context(), folder, time.Unix(1, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			if first.Position != start.String() {
				t.Errorf("nothing was written, and the backup ends at %s, not at %v", first.Position, start)
			}
			restoreAndCompare(t, folder, filepath.Join(base, "restored"), partitions, start, func(got map[string]string) string { return diff(got, before) })

			states := map[string]bool{} // whole states while the second backup runs, by their text
			var mutex sync.Mutex
			r.check.mutex.Lock()
			remember := func() {
				mutex.Lock()
				defer mutex.Unlock()
				states[fmt.Sprint(r.check.texts(c.ID))] = true
			}
			remember()
			r.check.each = func(*matcher.Change) { remember() }
			r.check.mutex.Unlock()
			writing := make(chan struct{})
			go func() {
				defer close(writing)
				storm(r, c, seed+1, 4, 150)
			}()
			last := int64(0)
			second, err := r.store.Backup(t.Context(), folder, time.Unix(2, 0), func(done, total int64) {
				if done < last || done > total {
					t.Errorf("progress went from %d to %d of %d", last, done, total)
				}
				last = done
			})
			<-writing
			if err != nil {
				t.Fatal(err)
			}
			if last != second.Bytes {
				t.Errorf("progress ended at %d of %d", last, second.Bytes)
			}
			restoreAndCompare(t, folder, filepath.Join(base, "restored again"), partitions, r.store.Vector(), func(got map[string]string) string {
				mutex.Lock()
				defer mutex.Unlock()
				if !states[fmt.Sprint(got)] {
					return "the state is none that there was while the backup ran"
				}
				return ""
			})

			third, err := r.store.Backup(t.Context(), folder, time.Unix(3, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			fourth, err := r.store.Backup(t.Context(), folder, time.Unix(4, 0), nil)
			if err != nil {
				t.Fatal(err)
			}
			settled := int64(0)
			for _, f := range third.Files {
				if filepath.Ext(f.Path) == ".sst" {
					settled += f.Bytes
				}
			}
			if settled == 0 || fourth.CopiedBytes > fourth.Bytes-settled {
				t.Errorf("nothing was written, and %d of %d bytes were copied again, %d of them settled", fourth.CopiedBytes, fourth.Bytes, settled)
			}
			r.shut()
			if report := mustCheck(t, data); report.ProblemCount > 0 || report.Documents == 0 || report.Compared == 0 {
				t.Errorf("the data folder: %+v", report)
			}
		})
	}
}

// texts is model without the lock.
func (c *checker) texts(id matcher.CollectionID) map[string]string {
	texts := map[string]string{}
	for id, d := range c.documents[id] {
		texts[id] = text(d)
	}
	return texts
}

func restoreAndCompare(t *testing.T, folder, data string, partitions int, of matcher.Vector, differs func(map[string]string) string) {
	t.Helper()
	if _, err := VerifyBackup(t.Context(), folder, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), folder, data, nil); err != nil {
		t.Fatal(err)
	}
	if report := mustCheck(t, data); report.ProblemCount > 0 {
		t.Fatalf("restored: %q", report.Problems)
	}
	if text, err := os.ReadFile(filepath.Join(data, FormatFile)); err != nil || CheckFormat(data) != nil {
		t.Fatalf("restored without its format: %q, %v", text, err)
	}
	r := diskRig(t, data, partitions)
	defer r.shut()
	c, ok := r.store.Collection(testApp, "pages")
	if !ok {
		t.Fatal("the collection is not there")
	}
	if d := differs(r.all(c)); d != "" {
		t.Fatalf("restored: %s", d)
	}
	if now := r.store.Vector(); now.Incarnation == of.Incarnation {
		t.Errorf("the time line of before goes on at %v", now)
	}
	n, err := r.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.History(t.Context(), c.ID, of, 1<<20); !errors.Is(err, ErrHistoryGone) {
		t.Errorf("a position from before: %v", err)
	}
}

// Whatever is wrong with a backup is found before anything is restored.
func TestDamagedBackups(t *testing.T) {
	base := t.TempDir()
	r := diskRig(t, filepath.Join(base, "data"), 1)
	c := r.collection("pages")
	storm(r, c, 1, 2, 50)
	folder := filepath.Join(base, "backup")
	b, err := r.store.Backup(t.Context(), folder, time.Unix(1, 0), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.shut()
	data := filepath.Join(base, "restored")
	refused := func(what string, want error) {
		t.Helper()
		if _, err := VerifyBackup(t.Context(), folder, nil); !errors.Is(err, want) {
			t.Errorf("%s: verified: %v", what, err)
		}
		if _, err := Restore(t.Context(), folder, data, nil); !errors.Is(err, want) {
			t.Errorf("%s: restored: %v", what, err)
		}
		for _, left := range []string{data, data + ".restoring"} {
			if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%s: %s is left: %v", what, left, err)
			}
		}
	}
	for _, f := range b.Files {
		name := filepath.Join(folder, filepath.FromSlash(f.Stored))
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{
			"a bit is flipped":   flipped(good, len(good)/2),
			"the end is missing": good[:max(0, len(good)-1)],
			"something is added": append(append([]byte(nil), good...), 1),
		} {
			if len(good) == 0 && what != "something is added" {
				continue
			}
			write(t, name, bad)
			refused(f.Path+": "+what, ErrBackupDamaged)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		refused(f.Path+" is missing", ErrBackupDamaged)
		write(t, name, good)
	}
	manifest := filepath.Join(folder, manifestName)
	good, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	write(t, manifest, good[:len(good)/2])
	refused("half a manifest", ErrBackupDamaged)
	write(t, manifest, []byte(strings.Replace(string(good), `"version": 1`, `"version": 2`, 1)))
	refused("a newer version", ErrFormat)
	write(t, manifest, []byte(strings.Replace(string(good), fmt.Sprintf(`"format": %d`, FolderFormat), fmt.Sprintf(`"format": %d`, FolderFormat+1), 1)))
	refused("of a newer data folder", ErrFormat)
	write(t, manifest, []byte(strings.Replace(string(good), `"path": "state/`, `"path": "../state/`, 1)))
	refused("a file outside", ErrBackupDamaged)
	write(t, manifest, good)

	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(data, "precious"), []byte("x"))
	if _, err := Restore(t.Context(), folder, data, nil); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder that is not empty: %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, "precious")); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := VerifyBackup(ctx, folder, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func flipped(b []byte, at int) []byte {
	b = append([]byte(nil), b...)
	if len(b) > 0 {
		b[at] ^= 4
	}
	return b
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A flipped bit anywhere in the files of a stopped node is found by the check, or stands where nothing counts.
func TestCheckFindsDamage(t *testing.T) {
	base := t.TempDir()
	data := filepath.Join(base, "data")
	r := diskRig(t, data, 1)
	c := r.collection("pages")
	storm(r, c, 1, 2, 60)
	if _, _, err := r.put(t.Context(), c, "kept", 1); err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount > 0 {
		t.Fatalf("%q", report.Problems)
	}
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	found, tried := 0, 0
	for _, pattern := range []string{"state/*.sst", "log/*.segment"} {
		names, err := filepath.Glob(filepath.Join(data, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, name := range names {
			good, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				tried++
				write(t, name, flipped(good, rng.IntN(len(good))))
				report, err := Check(t.Context(), Config{Dir: filepath.Join(data, StateFolder)}, ingest.SegmentConfig{Dir: filepath.Join(data, LogFolder)})
				if err != nil && !errors.Is(err, ingest.ErrSegmentVersion) { // a bit of the version
					t.Fatalf("seed %d: %v", seed, err)
				}
				if err != nil || report.ProblemCount > 0 || report.Log.TornBytes > 0 {
					found++
				}
			}
			write(t, name, good)
		}
	}
	if found < tried/4 { // a segment is mostly zeros that count for nothing
		t.Errorf("seed %d: only %d of %d flipped bits were found", seed, found, tried)
	}
	if report := mustCheck(t, data); report.ProblemCount > 0 {
		t.Fatalf("mended again: %q", report.Problems)
	}

	// State and log that do not belong together.
	r = diskRig(t, data, 1)
	if err := r.store.db.Delete(appendKey(nil, prefixDocument, documentKey{c.ID, 1, "kept"}), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	r.shut()
	if report := mustCheck(t, data); report.ProblemCount != 1 || !strings.Contains(report.Problems[0], "the state has not") {
		t.Errorf("a document that was lost: %q", report.Problems)
	}
}

// A backup removes nothing that no backup made, whatever folder it is given.
func TestBackupSparesOtherFiles(t *testing.T) {
	base := t.TempDir()
	folder := filepath.Join(base, "mine")
	r := diskRig(t, filepath.Join(base, "data"), 1)
	defer r.shut()
	other := filepath.Join(folder, filesFolder, "new-year.jpg")
	left := filepath.Join(folder, filesFolder, "123"+copyingSuffix)
	if err := os.MkdirAll(filepath.Join(folder, filesFolder, "album"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{other, left} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := r.set(t.Context(), r.collection("pages"), "a", `{}`); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Backup(t.Context(), folder, time.Unix(1, 0), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{other, filepath.Join(folder, filesFolder, "album")} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a backup left that was cut off is still there: %v", err)
	}
}

// A start removes the checkpoint of a backup that was cut off: its links keep files on the disk.
func TestOpenRemovesCheckpoint(t *testing.T) {
	data := t.TempDir()
	left := checkpointDir(filepath.Join(data, StateFolder))
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	r := diskRig(t, data, 1)
	defer r.shut()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestRestoreRefusesFile(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), t.TempDir(), data, nil); err == nil || !strings.Contains(err.Error(), "data folder") {
		t.Errorf("restored over a file: %v", err)
	}
}

// A state that was built anew from the log, in the same time line, has other files under the same names: a backup into the
// folder of an earlier one takes none of those for its own.
func TestBackupOfRebuiltState(t *testing.T) {
	folder := t.TempDir()
	backup := func(text string, modified int64) Backup {
		t.Helper()
		c := copier{ctx: t.Context(), folder: folder, backup: Backup{Version: BackupVersion, Incarnation: 7}}
		if err := c.readOld(); err != nil {
			t.Fatal(err)
		}
		c.add(source{path: StateFolder + "/000005.sst", bytes: int64(len(text)), settled: true, modified: modified,
			open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
		b, err := c.run()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := backup("one", 1)
	if again := backup("one", 1); again.CopiedBytes != 0 || again.Files[0] != first.Files[0] {
		t.Errorf("the same file was copied again: %+v", again)
	}
	if other := backup("two", 2); other.Files[0].SHA256 == first.Files[0].SHA256 {
		t.Errorf("another file of the same name and size was taken for the old one: %+v", other)
	}
	if _, err := VerifyBackup(t.Context(), folder, nil); err != nil {
		t.Error(err)
	}
}

// A backup into what it backs up is refused before anything is written there.
func TestBackupOutsideTheData(t *testing.T) {
	data := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(data, link); err != nil {
		t.Fatal(err)
	}
	r := diskRig(t, data, 1)
	defer r.shut()
	for _, folder := range []string{data, filepath.Join(data, StateFolder), filepath.Join(data, LogFolder, "a", "b"), link, filepath.Join(link, LogFolder)} {
		if _, err := r.store.Backup(t.Context(), folder, time.Unix(1, 0), nil); !errors.Is(err, ErrBackupFolder) || !strings.Contains(err.Error(), folder) {
			t.Errorf("%s: %v", folder, err)
		}
		for _, name := range []string{filesFolder, manifestName} {
			if _, err := os.Stat(filepath.Join(folder, name)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s has a %s: %v", folder, name, err)
			}
		}
	}
	if _, err := r.store.Backup(t.Context(), filepath.Join(t.TempDir(), "elsewhere"), time.Unix(1, 0), nil); err != nil {
		t.Error(err)
	}
}
