package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
)

// busyFS is a file system on which something happens before, or amid, what a reader asks for.
type busyFS struct {
	disk.FS
	happen func()
	rng    *rand.Rand
}

// List may see a name that came or went meanwhile, or not; the newest one it sees.
func (b busyFS) List(directory string) ([]string, error) {
	before, err := b.FS.List(directory)
	if err != nil {
		return nil, err
	}
	b.happen()
	after, err := b.FS.List(directory)
	newest := ""
	for _, name := range after {
		if strings.HasSuffix(name, ".segment") {
			newest = max(newest, name)
		}
	}
	return slices.DeleteFunc(union(before, after), func(name string) bool {
		stayed := slices.Contains(before, name) && slices.Contains(after, name)
		return !stayed && name != newest && b.rng.IntN(2) == 0
	}), err
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func (b busyFS) Open(name string) (disk.File, error) {
	b.happen()
	f, err := b.FS.Open(name)
	return busyFile{f, b.happen}, err
}

type busyFile struct {
	disk.File
	happen func()
}

func (f busyFile) ReadAt(p []byte, at int64) (int, error) {
	f.happen()
	return f.File.ReadAt(p, at)
}

func (f busyFile) Size() (int64, error) {
	f.happen()
	return f.File.Size()
}

// A dump of a log that is written to and trimmed meanwhile, its files used again, shows what is there as it comes by, in
// order, and takes nothing for damage.
func TestDumpOfBusyLog(t *testing.T) {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 0))
	trimmed, recycled := 0, int64(0)
	for range 30 {
		d := disktest.New()
		log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d, SegmentBytes: 16 << 10, NoSync: rng.IntN(4) == 0})
		appended := 0
		payload := func(n int) string { return fmt.Sprintf("%d %s", n, strings.Repeat("x", n%977)) }
		grow := func(groups int) {
			for range groups {
				var group []ingest.Entry
				for range 1 + rng.IntN(5) {
					group = append(group, entry(1, payload(appended)))
					appended++
				}
				mustAppend(t, log, group...)
			}
		}
		grow(100)
		bounds := func() (first, next int) {
			f, n, err := log.Bounds(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return int(f[1]), int(n[1])
		}
		_, thereAtStart := bounds()
		busy := []int{2, 10, 40}[rng.IntN(3)]
		happens := 100 // times at most: the dump gets to the end of a log that rests
		happen := func() {
			if happens == 0 || rng.IntN(busy) > 0 {
				return
			}
			happens--
			grow(rng.IntN(60))
			if _, next := bounds(); rng.IntN(3) == 0 {
				below := next - rng.IntN(next/3)
				if err := log.Trim(t.Context(), []uint64{0, uint64(below)}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var seen []int
		cfg := ingest.SegmentConfig{Dir: "/log", FS: busyFS{d, happen, rng}}
		sum, err := ingest.Dump(context.Background(), cfg, func(e ingest.DumpedEntry) error {
			if want := payload(int(e.Offset)); string(e.Payload) != want {
				t.Fatalf("seed %d: offset %d holds %q, want %q", seed, e.Offset, e.Payload, want)
			}
			if n := len(seen); n > 0 && (int(e.Offset) <= seen[n-1] || int(e.Offset) > seen[n-1]+1 && e.Index != 0) {
				t.Fatalf("seed %d: offset %d after %d", seed, e.Offset, seen[n-1])
			}
			seen = append(seen, int(e.Offset))
			return nil
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		first, _ := bounds()
		for offset := first; offset < thereAtStart; offset++ {
			if _, found := slices.BinarySearch(seen, offset); !found {
				t.Fatalf("seed %d: offset %d is missing, which was there all the time", seed, offset)
			}
		}
		if whole := int(sum.Next[1]-sum.First[1]) == len(seen); sum.Entries != len(seen) || len(seen) > 0 && int(sum.First[1]) != seen[0] || !whole && sum.Trimmed == 0 {
			t.Fatalf("seed %d: %+v, and offsets from %d on, %d of them, were seen", seed, sum, seen[:min(1, len(seen))], len(seen))
		}
		trimmed += sum.Trimmed
		recycled += int64(log.Metrics().Recycled.Load())
		mustClose(t, log)
	}
	if trimmed == 0 || recycled == 0 {
		t.Errorf("%d segments trimmed while they were read, %d files used again: the test does not test", trimmed, recycled)
	}
}
