package ingest_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
)

// gatedFS holds back who reads a file of the log beyond its header.
type gatedFS struct {
	disk.FS
	header int64
	open   chan struct{} // closed: all may read
	last   string        // a file whose readers go on
	read   *atomic.Int64 // files that somebody wants to read
}

func (g gatedFS) Open(name string) (disk.File, error) {
	f, err := g.FS.Open(name)
	return gatedFile{f, g, name}, err
}

type gatedFile struct {
	disk.File
	gatedFS
	name string
}

func (f gatedFile) ReadAt(p []byte, at int64) (int, error) {
	if at >= f.header && f.name != f.last {
		f.read.Add(1)
		<-f.open
	}
	return f.File.ReadAt(p, at)
}

// An open reads the last segment whole, and of the others the headers; where those end, whoever needs it still learns,
// from the verifier or by reading.
func TestOpenReadsTheLastSegment(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, crashConfig(d))
	for i := range 60 {
		mustAppend(t, log, entry(1+i%2, strings.Repeat("x", 900+i)))
	}
	want := texts(t, log)
	files := func(log *ingest.SegmentLog) []ingest.HeldFile {
		t.Helper()
		hold, err := log.Hold()
		if err != nil {
			t.Fatal(err)
		}
		defer hold.Release()
		held, _, err := hold.Files(make([]uint64, log.Partitions()))
		if err != nil {
			t.Fatal(err)
		}
		return held
	}
	ends := files(log)
	if len(ends) < 4 {
		t.Fatalf("%d segments", len(ends))
	}
	mustClose(t, log)
	for _, first := range []string{"verifier", "hold", "tail"} {
		d = d.Restart()
		cfg := crashConfig(d)
		gate := gatedFS{
			FS: d, header: 4096, open: make(chan struct{}), read: new(atomic.Int64),
			last: filepath.Join(cfg.Dir, ends[len(ends)-1].Name),
		}
		cfg.FS = gate
		cfg.Damaged = func(err error) { t.Error(err) }
		log := mustOpen(t, cfg) // it does not wait for the gate
		if n := gate.read.Load(); n > 1 {
			t.Errorf("%d files were read beside the last one", n) // the verifier's one
		}
		close(gate.open)
		switch first {
		case "verifier":
			<-log.Verified()
		case "tail":
			if got := texts(t, log); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		}
		if got := files(log); !slices.Equal(got, ends) {
			t.Errorf("%s first: the files end at %v, want %v", first, got, ends)
		}
		if got := texts(t, log); !slices.Equal(got, want) {
			t.Errorf("%s first: %q, want %q", first, got, want)
		}
		mustClose(t, log)
	}
}

// BenchmarkOpen is an open of a log of that many bytes, and reading all of it beside the open.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{64 << 20, 512 << 20} {
		cfg := ingest.SegmentConfig{Dir: b.TempDir(), NoSync: true, SegmentBytes: 16 << 20}
		log := mustOpen(b, cfg)
		group := make([]ingest.Entry, 64)
		for i := range group {
			group[i] = entry(1, strings.Repeat("x", 2<<10))
		}
		for written := 0; written < size; written += len(group) * 2 << 10 {
			mustAppend(b, log, group...)
		}
		mustClose(b, log)
		b.Run(fmt.Sprintf("bytes=%dMiB", size>>20), func(b *testing.B) {
			verified := time.Duration(0)
			for b.Loop() {
				log := mustOpen(b, cfg)
				b.StopTimer()
				begun := time.Now()
				<-log.Verified()
				verified += time.Since(begun)
				mustClose(b, log)
				b.StartTimer()
			}
			b.ReportMetric(float64(verified.Milliseconds())/float64(b.N), "verify-ms/op")
		})
	}
}
