package ingest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
)

func mustOpen(t testing.TB, cfg ingest.SegmentConfig) *ingest.SegmentLog {
	t.Helper()
	log, err := ingest.OpenSegments(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func mustAppend(t testing.TB, log ingest.Log, entries ...ingest.Entry) {
	t.Helper()
	if err := log.Append(context.Background(), entries); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t testing.TB, log ingest.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func entry(partition int, text string) ingest.Entry {
	return ingest.Entry{Partition: partition, Payload: []byte(text)}
}

// texts is what a log holds, as "partition/offset payload".
func texts(t testing.TB, log ingest.Log) []string {
	t.Helper()
	var out []string
	for _, e := range readAll(t, log, nil) {
		out = append(out, fmt.Sprintf("%d/%d %s", e.Partition, e.Offset, e.Payload))
	}
	return out
}

// fileLog makes a log of five groups in real files and returns the path of its one segment, its content without the
// zeros behind it, and where the last group begins. The log is left as a process leaves it that was killed.
func fileLog(t *testing.T) (dir, segment string, content []byte, last int) {
	t.Helper()
	dir = t.TempDir()
	log := mustOpen(t, ingest.SegmentConfig{Dir: dir, LogPartitions: 2})
	segment = filepath.Join(dir, "0000000000000001.segment")
	for i := range 4 {
		mustAppend(t, log, entry(1, fmt.Sprintf("one %d", i)), entry(2, fmt.Sprintf("two %d", i)))
	}
	last = len(withoutZeros(t, segment))
	last = (last + 7) / 8 * 8
	mustAppend(t, log, entry(2, "the last group has"), entry(0, "three entries,"), entry(1, "all or none of them"))
	mustClose(t, log)
	if err := os.Remove(filepath.Join(dir, "CLEAN")); err != nil {
		t.Fatal(err)
	}
	return dir, segment, withoutZeros(t, segment), last
}

func withoutZeros(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimRight(b, "\x00")
}

// Invariant 4: killed while it wrote the last group, whatever part of it reached the file, the group is not there, and
// the log goes on from the group before.
func TestTornLastGroup(t *testing.T) {
	dir, segment, content, last := fileLog(t)
	damages := map[string]func(at int) []byte{
		"file ends":     func(at int) []byte { return content[:at] },
		"zeros from":    func(at int) []byte { return append(bytes.Clone(content[:at]), make([]byte, 5000)...) },
		"garbage from":  func(at int) []byte { return garbage(content, at, len(content)) },
		"one byte at":   func(at int) []byte { return garbage(content, at, at+1) },
		"zeros up to":   func(at int) []byte { return zeroed(content, last, at+1) },
		"garbage up to": func(at int) []byte { return garbage(content, last, at+1) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			for at := last; at < len(content); at++ {
				damaged := damage(at)
				if bytes.Equal(damaged, content) {
					continue
				}
				if err := os.WriteFile(segment, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				// NoSync: what is tested is what recovery reads and cuts, not that it syncs.
				log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: dir, LogPartitions: 2, NoSync: true})
				if err != nil {
					t.Fatalf("byte %d: %v", at, err)
				}
				if log.CleanStart() {
					t.Fatalf("byte %d: a clean start", at)
				}
				mustAppend(t, log, entry(1, "after"))
				got := texts(t, log)
				if len(got) != 9 || got[7] != "2/3 two 3" || got[8] != "1/4 after" {
					t.Fatalf("byte %d: %q", at, got)
				}
				mustClose(t, log)
				if err := os.Remove(filepath.Join(dir, "CLEAN")); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func garbage(content []byte, from, to int) []byte {
	b := bytes.Clone(content)
	for i := from; i < to; i++ {
		b[i] ^= byte(0x55 + i%7)
	}
	return b
}

func zeroed(content []byte, from, to int) []byte {
	b := bytes.Clone(content)
	clear(b[from:to])
	return b
}

// Invariant 5: damage before the last group is refused, with file and place; nothing is changed on the disk.
func TestDamageBeforeTheLastGroup(t *testing.T) {
	dir, segment, content, last := fileLog(t)
	for at := 0; at < last; at++ {
		if at >= 68 && at < 4096 {
			continue // nothing reads the padding of the header
		}
		damaged := garbage(content, at, at+1)
		if err := os.WriteFile(segment, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: dir})
		if err == nil {
			// The only bytes that no checksum covers are the zeros between two groups.
			got := texts(t, log)
			mustClose(t, log)
			_ = os.Remove(filepath.Join(dir, "CLEAN"))
			if content[at] != 0 || len(got) != 11 {
				t.Fatalf("byte %d: opened with %q", at, got)
			}
			continue
		}
		var corrupt *ingest.CorruptError
		if !errors.As(err, &corrupt) {
			if at >= 8 && at < 12 && errors.Is(err, ingest.ErrSegmentVersion) {
				continue // the version says that it is newer
			}
			t.Fatalf("byte %d: %v", at, err)
		}
		if corrupt.File != segment || corrupt.Offset > int64(at) || !strings.Contains(err.Error(), segment) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if left, err := os.ReadFile(segment); err != nil || !bytes.Equal(left, damaged) {
			t.Fatalf("byte %d: a refused log was changed (%v)", at, err)
		}
	}
}

// Invariants 3 to 5: whatever single bit flips anywhere in a log of several segments, the log is refused, or the damage is
// told and whoever reads the place gets no further, or what the log holds is what was written, short of the last write at
// most.
func TestFlippedBits(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean=%v", clean), func(t *testing.T) {
			seed := rand.Uint64()
			rng := rand.New(rand.NewPCG(seed, 9))
			d := disktest.New()
			log := mustOpen(t, crashConfig(d))
			w := newCrashWorkload(rng)
			for range 20 {
				_, entries := w.group(3)
				mustAppend(t, log, entries...)
			}
			want := texts(t, log)
			_, lastGroup := w.group(3)
			mustAppend(t, log, lastGroup...)
			all := texts(t, log)
			if clean {
				mustClose(t, log)
				d = d.Restart()
			} else {
				d = d.Restart()
				_ = log.Close() // of a dead process
			}
			names, err := d.List("/log")
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			for _, name := range names {
				files[name] = d.Contents("/log/" + name)
			}
			refused, opened, told := 0, 0, 0
			for range 1500 {
				damaged := disktest.New()
				for name, content := range files {
					damaged.Put("/log/"+name, content)
				}
				name := names[rng.IntN(len(names))]
				if len(files[name]) == 0 {
					continue
				}
				at, bit := rng.Int64N(int64(len(files[name]))), uint(rng.IntN(8))
				damaged.FlipBit("/log/"+name, at, bit)
				where := fmt.Sprintf("seed %d: bit %d of byte %d of %s", seed, bit, at, name)
				cfg := crashConfig(damaged)
				found := make(chan error, 1)
				cfg.Damaged = func(err error) { found <- err } // of the one segment
				log, err := ingest.OpenSegments(cfg)
				if err != nil {
					if !errors.Is(err, ingest.ErrCorrupt) && !errors.Is(err, ingest.ErrSegmentVersion) {
						t.Fatalf("%s: %v", where, err)
					}
					refused++
					continue
				}
				<-log.Verified()
				select {
				case err := <-found:
					told++
					checkDamage(t, log, err, "/log/"+name, at, all)
					mustClose(t, log)
					continue
				default:
				}
				opened++
				got := texts(t, log)
				if !slices.Equal(got, all) && (clean || !slices.Equal(got, want)) {
					t.Fatalf("%s: %d entries, %d were written", where, len(got), len(all))
				}
				mustClose(t, log)
			}
			if refused < 5 || opened < 10 || told < 100 {
				t.Fatalf("seed %d: %d refused, %d told later, %d opened: the test flips the wrong bits", seed, refused, told, opened)
			}
		})
	}
}

// checkDamage checks damage that was told: it names the place, and a reader gets what stands before it, and the same error.
func checkDamage(t *testing.T, log *ingest.SegmentLog, told error, file string, at int64, all []string) {
	t.Helper()
	var corrupt *ingest.CorruptError
	if !errors.As(told, &corrupt) || corrupt.File != file || corrupt.Offset > at {
		t.Fatalf("byte %d of %s: %v", at, file, told)
	}
	if log.Metrics().Damaged.Load() != 1 {
		t.Fatalf("%d segments are said to be damaged", log.Metrics().Damaged.Load())
	}
	read := 0
	err := log.Tail(t.Context(), make([]uint64, log.Partitions()), func(entries []ingest.Entry) error {
		for _, e := range entries {
			if got := fmt.Sprintf("%d/%d %s", e.Partition, e.Offset, e.Payload); read >= len(all) || got != all[read] {
				t.Fatalf("byte %d of %s: entry %d is %q", at, file, read, got)
			}
			read++
		}
		return nil
	})
	var met *ingest.CorruptError
	if !errors.As(err, &met) || met.File != file || met.Offset != corrupt.Offset {
		t.Fatalf("byte %d of %s: told was %v, and a reader gets %v", at, file, told, err)
	}
}

// A tail that meets damage in what was durable says so; it never skips it.
func TestTailMeetsDamage(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, crashConfig(d))
	for i := range 10 {
		mustAppend(t, log, entry(1, fmt.Sprint("payload ", i)))
	}
	d.FlipBit("/log/0000000000000001.segment", 4096+24+8+5*48, 3)
	delivered := 0
	err := log.Tail(t.Context(), make([]uint64, 3), func(entries []ingest.Entry) error { delivered += len(entries); return nil })
	var corrupt *ingest.CorruptError
	if !errors.As(err, &corrupt) || delivered != 6 {
		t.Fatalf("%d entries, then %v", delivered, err)
	}
	mustClose(t, log)
}

// Missing, foreign and renamed segments are refused.
func TestSegmentFilesOutOfPlace(t *testing.T) {
	build := func(t *testing.T) *disktest.Disk {
		d := disktest.New()
		log := mustOpen(t, crashConfig(d))
		for i := range 30 {
			mustAppend(t, log, entry(1+i%2, strings.Repeat("x", 900)))
		}
		mustClose(t, log)
		return d.Restart()
	}
	name := func(number int) string { return fmt.Sprintf("/log/%016x.segment", number) }
	for what, damage := range map[string]func(d *disktest.Disk){
		"one in the middle is gone": func(d *disktest.Disk) { _ = d.Remove(name(3)) },
		"the last is gone":          func(d *disktest.Disk) { _ = d.Remove(name(5)) },
		"two have changed places": func(d *disktest.Disk) {
			two, three := d.Contents(name(2)), d.Contents(name(3))
			d.Put(name(2), three)
			d.Put(name(3), two)
		},
		"one is another log's": func(d *disktest.Disk) { d.Put(name(3), build(t).Contents(name(4))) },
		"one is empty":         func(d *disktest.Disk) { d.Put(name(3), nil) },
		"all are gone": func(d *disktest.Disk) {
			for i := range 5 {
				_ = d.Remove(name(i + 1))
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := build(t)
			if len(d.Contents(name(5))) == 0 || len(d.Contents(name(6))) != 0 {
				t.Fatal("the test expects five segments")
			}
			damage(d)
			log, err := ingest.OpenSegments(crashConfig(d))
			if !errors.Is(err, ingest.ErrCorrupt) {
				t.Fatalf("%v, %v", log, err)
			}
		})
	}
}

// Invariant 3: groups that a recycled file held before are no groups of the segment that it has become, even where
// they would fit.
func TestRecycledFile(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, crashConfig(d))
	for range 6 {
		mustAppend(t, log, entry(1, "old"))
	}
	_ = log.Close()
	old := d.Contents("/log/0000000000000001.segment")

	d = disktest.New()
	log = mustOpen(t, crashConfig(d))
	for range 3 {
		mustAppend(t, log, entry(1, "new"))
	}
	mustClose(t, log)
	d = d.Restart()
	now := d.Contents("/log/0000000000000001.segment")
	frame := (24 + 3 + 3 + 7) / 8 * 8
	d.Put("/log/0000000000000001.segment", append(now[:4096+3*frame:4096+3*frame], old[4096+3*frame:]...))
	log = mustOpen(t, crashConfig(d))
	if got := texts(t, log); !slices.Equal(got, []string{"1/0 new", "1/1 new", "1/2 new"}) {
		t.Fatalf("%q", got)
	}
	mustClose(t, log)
}

// Whatever stands in the files, opening neither panics nor hangs, and what it opens can be written and read.
func FuzzOpenSegments(f *testing.F) {
	d := disktest.New()
	log := mustOpen(f, crashConfig(d))
	mustAppend(f, log, entry(1, "a"), entry(2, "b"))
	mustAppend(f, log, entry(0, "c"))
	mustClose(f, log)
	good, mark := d.Contents("/log/0000000000000001.segment"), d.Contents("/log/CLEAN")
	header := good[:4096]
	f.Add([]byte{}, good[4096:], []byte{})
	f.Add(header, good[4096:], mark)
	f.Add(header, good[4096:4096+40], mark)
	f.Add(header, bytes.Repeat(good[4096:4096+40], 3), []byte{})
	f.Add(good[:100], []byte{}, []byte{1})
	huge := bytes.Clone(good[4096:4200])
	binary.LittleEndian.PutUint32(huge, 1<<31)
	f.Add(header, huge, []byte{})
	f.Fuzz(func(t *testing.T, head, frames, mark []byte) {
		d := disktest.New()
		if len(head) == 0 {
			head = header // so that the fuzzer gets past the header's checksum
		}
		d.Put("/log/0000000000000001.segment", append(bytes.Clone(head), frames...))
		if len(mark) > 0 {
			d.Put("/log/CLEAN", mark)
		}
		cfg := crashConfig(d)
		cfg.LogPartitions = 0
		log, err := ingest.OpenSegments(cfg)
		if err != nil {
			if !errors.Is(err, ingest.ErrCorrupt) && !errors.Is(err, ingest.ErrSegmentVersion) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		before := len(readAll(t, log, nil))
		mustAppend(t, log, entry(1, "after"))
		if after := readAll(t, log, nil); len(after) != before+1 || string(after[before].Payload) != "after" {
			t.Fatalf("%d entries, then %d", before, len(after))
		}
		mustClose(t, log)
	})
}

// A second opening is told who is in the way, and a first one's end lets it in.
func TestLock(t *testing.T) {
	for name, fs := range map[string]disk.FS{"files": nil, "memory": disktest.New()} {
		t.Run(name, func(t *testing.T) {
			cfg := ingest.SegmentConfig{Dir: t.TempDir(), FS: fs}
			log := mustOpen(t, cfg)
			_, err := ingest.OpenSegments(cfg)
			if !errors.Is(err, ingest.ErrLocked) || !strings.Contains(err.Error(), filepath.Join(cfg.Dir, "LOCK")) {
				t.Fatalf("second opening: %v", err)
			}
			if _, err := ingest.Exclude(cfg); !errors.Is(err, ingest.ErrLocked) {
				t.Fatalf("excluded from a log in use: %v", err)
			}
			mustAppend(t, log, entry(1, "the first one goes on"))
			mustClose(t, log)
			log = mustOpen(t, cfg)
			mustClose(t, log)
			excluded, err := ingest.Exclude(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ingest.OpenSegments(cfg); !errors.Is(err, ingest.ErrLocked) {
				t.Fatalf("opened while it is to stand still: %v", err)
			}
			if err := excluded.Close(); err != nil {
				t.Fatal(err)
			}
			mustClose(t, mustOpen(t, cfg))
		})
	}
}

func TestLogPartitionsAreFixed(t *testing.T) {
	cfg := ingest.SegmentConfig{Dir: t.TempDir(), LogPartitions: 3}
	mustClose(t, mustOpen(t, cfg))
	cfg.LogPartitions = 5
	_, err := ingest.OpenSegments(cfg)
	if !errors.Is(err, ingest.ErrInvalid) || !strings.Contains(err.Error(), "LogPartitions is 5") || !strings.Contains(err.Error(), "made with 3") {
		t.Fatalf("5 instead of 3: %v", err)
	}
	cfg.LogPartitions = 0
	log := mustOpen(t, cfg)
	if log.Partitions() != 4 {
		t.Fatalf("%d log partitions, the control partition and 3 are due", log.Partitions())
	}
	mustClose(t, log)
}

// Invariant 7.
func TestCleanStart(t *testing.T) {
	for _, noSync := range []bool{false, true} {
		t.Run(fmt.Sprintf("noSync=%v", noSync), func(t *testing.T) {
			d := disktest.New()
			config := func() ingest.SegmentConfig {
				cfg := crashConfig(d)
				cfg.NoSync = noSync
				return cfg
			}
			log := mustOpen(t, config())
			if !log.CleanStart() {
				t.Fatal("a new log starts clean")
			}
			mustAppend(t, log, entry(1, "kept"))
			mustClose(t, log)
			rng := rand.New(rand.NewPCG(1, 1))
			d = d.Crash(rng) // after Close, nothing can be lost
			log = mustOpen(t, config())
			if got := texts(t, log); !log.CleanStart() || !slices.Equal(got, []string{"1/0 kept"}) {
				t.Fatalf("after Close: clean %v, %q", log.CleanStart(), got)
			}
			d = d.Crash(rng)
			_ = log.Close() // of a dead process
			log = mustOpen(t, config())
			if log.CleanStart() {
				t.Fatal("after a crash without an append, the start is not clean")
			}
			mustClose(t, log)
		})
	}
}

func TestSegmentConfigValidate(t *testing.T) {
	for name, cfg := range map[string]ingest.SegmentConfig{
		"no folder":                {},
		"too many log partitions":  {Dir: "x", LogPartitions: 4097},
		"negative log partitions":  {Dir: "x", LogPartitions: -1},
		"too large segments":       {Dir: "x", SegmentBytes: ingest.MaxSegmentBytes + 1},
		"segments below zero long": {Dir: "x", SegmentBytes: -1},
	} {
		if _, err := ingest.OpenSegments(cfg); !errors.Is(err, ingest.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
