package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk/disktest"
)

// Trim keeps what is retained, by bytes and by age, whatever it is allowed to drop.
func TestRetention(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	cfg := ingest.SegmentConfig{
		Dir: "/log", FS: disktest.New(), SegmentBytes: 1, // a segment for each group
		RetainBytes: 5 * 4200, RetainAge: time.Hour, Now: func() time.Time { return now },
	}
	log := mustOpen(t, cfg)
	firstAfterTrim := func(below uint64) uint64 {
		t.Helper()
		if err := log.Trim(t.Context(), []uint64{0, below}); err != nil {
			t.Fatal(err)
		}
		first, _, err := log.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return first[1]
	}
	for i := range 10 {
		mustAppend(t, log, entry(1, fmt.Sprint(i)))
	}
	if first := firstAfterTrim(10); first != 5 {
		t.Fatalf("with room for 5 segments of 10, offset %d is the first", first)
	}
	if first := firstAfterTrim(10); first != 5 {
		t.Fatalf("a second trim moved on to %d", first)
	}
	now = now.Add(time.Hour)
	mustAppend(t, log, entry(1, "later")) // 6 segments again, of which 5 ended an hour ago
	if first := firstAfterTrim(11); first != 6 {
		t.Fatalf("at exactly RetainAge, offset %d is the first", first)
	}
	now = now.Add(2 * time.Second)
	if first := firstAfterTrim(8); first != 8 {
		t.Fatalf("what is needed is gone, or what is too old is kept: offset %d is the first", first)
	}
	if first := firstAfterTrim(11); first != 9 { // the segment of offset 9 ended when that of 10 began, 2 seconds ago
		t.Fatalf("beyond RetainAge, offset %d is the first", first)
	}
	mustClose(t, log)

	cfg.RetainBytes = 1
	log = mustOpen(t, cfg) // ages and sizes survive a restart
	if first := firstAfterTrim(11); first != 10 {
		t.Fatalf("without room, offset %d is the first", first)
	}
	mustClose(t, log)
}

// A trimmed segment's file becomes the next segment, at most MaxSpareSegments wait for that, across restarts too.
func TestRecycling(t *testing.T) {
	dir := t.TempDir()
	cfg := ingest.SegmentConfig{Dir: dir, SegmentBytes: 64 << 10}
	log := mustOpen(t, cfg)
	text := strings.Repeat("x", 20<<10)
	appendSome := func(n int) {
		for range n {
			mustAppend(t, log, entry(1, text))
		}
	}
	appendSome(20)
	_, next, err := log.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Trim(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	spares := func() int {
		found, err := filepath.Glob(filepath.Join(dir, "*.spare"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if n := spares(); n != ingest.MaxSpareSegments {
		t.Fatalf("%d spare files, %d are due", n, ingest.MaxSpareSegments)
	}
	mustClose(t, log)
	log = mustOpen(t, cfg)
	before := readAll(t, log, nil)
	appendSome(9)
	if n := log.Metrics().Recycled.Load(); n != ingest.MaxSpareSegments || spares() != 0 {
		t.Fatalf("%d segments recycled, %d files left, %d and none are due", n, spares(), ingest.MaxSpareSegments)
	}
	if n := len(readAll(t, log, nil)); n != len(before)+9 {
		t.Fatalf("%d entries, %d are due", n, len(before)+9)
	}
	mustClose(t, log)
	log = mustOpen(t, cfg)
	if n := len(readAll(t, log, nil)); n != len(before)+9 {
		t.Fatalf("after a restart %d entries, %d are due", n, len(before)+9)
	}
	mustClose(t, log)
}

// Invariant 6: a removal that may not be durable poisons the log. A later segment that is gone for good would leave a hole.
func TestTrimFailedSync(t *testing.T) {
	d := disktest.New()
	log := mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d, SegmentBytes: 1})
	for i := range 6 {
		mustAppend(t, log, entry(1, fmt.Sprint(i)))
	}
	failure := errors.New("the disk is gone")
	d.SetFault(func(s disktest.Step) (int, error) {
		if s.Kind == disktest.StepSyncDirectory {
			return 0, failure
		}
		return s.Bytes, nil
	})
	if err := log.Trim(t.Context(), []uint64{0, 3}); !errors.Is(err, failure) {
		t.Fatalf("trim with a failing disk: %v", err)
	}
	d.SetFault(nil)
	if err := log.Trim(t.Context(), []uint64{0, 3}); !errors.Is(err, failure) {
		t.Errorf("trim went on: %v", err)
	}
	if err := log.Append(t.Context(), []ingest.Entry{entry(1, "after")}); !errors.Is(err, ingest.ErrFailed) {
		t.Errorf("an append went on: %v", err)
	}
	if err := log.Close(); !errors.Is(err, failure) {
		t.Errorf("close: %v", err)
	}
	mustClose(t, mustOpen(t, ingest.SegmentConfig{Dir: "/log", FS: d}))
}

// A file of another's that ends like a spare one stays what it is, and more spare files than there should be are removed.
func TestForeignAndManySpares(t *testing.T) {
	dir := t.TempDir()
	files := []string{"photos.spare", "0000000000000001.spare", "0000000000000002.spare", "0000000000000003.spare"}
	for _, name := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := mustOpen(t, ingest.SegmentConfig{Dir: dir, SegmentBytes: 1})
	for i := range 6 {
		mustAppend(t, log, entry(1, fmt.Sprint(i)))
	}
	if n := log.Metrics().Recycled.Load(); n != ingest.MaxSpareSegments {
		t.Errorf("%d files were used again, not %d", n, ingest.MaxSpareSegments)
	}
	mustClose(t, log)
	left, err := filepath.Glob(filepath.Join(dir, "*.spare"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != files[0] {
		t.Errorf("%q are left, %v", left, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, files[0])); string(text) != files[0] {
		t.Errorf("a file that is not the log's holds %q, %v", text, err)
	}
}

// A tail that begins in the middle of a large segment gets what one from the start gets, without what lies below.
func TestTailFromTheMiddle(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	cfg := ingest.SegmentConfig{Dir: "/log", LogPartitions: 3, FS: disktest.New(), SegmentBytes: 8 << 20}
	log := mustOpen(t, cfg)
	for range 300 {
		entries := make([]ingest.Entry, 1+rng.IntN(3))
		for i := range entries {
			entries[i] = ingest.Entry{Partition: rng.IntN(4), Payload: bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(100_000))}
		}
		mustAppend(t, log, entries...)
	}
	for _, again := range []bool{false, true} {
		if again {
			mustClose(t, log)
			log = mustOpen(t, cfg)
		}
		all := readAll(t, log, nil)
		_, next, err := log.Bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			from := make([]uint64, len(next))
			for p := range from {
				from[p] = rng.Uint64N(next[p] + 1)
			}
			want := slices.DeleteFunc(slices.Clone(all), func(e ingest.Entry) bool { return e.Offset < from[e.Partition] })
			got := readAll(t, log, from)
			if !slices.EqualFunc(got, want, func(a, b ingest.Entry) bool {
				return a.Partition == b.Partition && a.Offset == b.Offset && bytes.Equal(a.Payload, b.Payload)
			}) {
				t.Fatalf("seed %d: from %v (restarted: %v): %d entries, %d are due", seed, from, again, len(got), len(want))
			}
		}
	}
	mustClose(t, log)
}

// Dump shows what the log holds while it is in use and after, says where a torn group begins, and names damage.
func TestDump(t *testing.T) {
	dir, segment, content, last := fileLog(t)
	dump := func() (lines []string, sum ingest.DumpSummary, err error) {
		sum, err = ingest.Dump(context.Background(), ingest.SegmentConfig{Dir: dir}, func(e ingest.DumpedEntry) error {
			lines = append(lines, fmt.Sprintf("%d@%d %d/%d %d/%d %s", e.Segment, e.At, e.Index, e.GroupEntries, e.Partition, e.Offset, e.Payload))
			return nil
		})
		return lines, sum, err
	}
	lines, sum, err := dump()
	if err != nil || len(lines) != 11 || sum.Groups != 5 || sum.Entries != 11 || sum.Segments != 1 || sum.TornBytes != 0 {
		t.Fatalf("%q, %+v, %v", lines, sum, err)
	}
	if want := fmt.Sprintf("1@%d 2/3 1/4 all or none of them", last); lines[10] != want || !strings.HasPrefix(lines[0], "1@4096 0/2 1/0 one 0") {
		t.Fatalf("first %q, last %q; %q is due", lines[0], lines[10], want)
	}
	log := mustOpen(t, ingest.SegmentConfig{Dir: dir})
	if lines, _, err := dump(); err != nil || len(lines) != 11 {
		t.Fatalf("while the log is open: %d lines, %v", len(lines), err)
	}
	mustClose(t, log)
	stop := errors.New("stop")
	if _, err := ingest.Dump(t.Context(), ingest.SegmentConfig{Dir: dir}, func(ingest.DumpedEntry) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("the visitor's error: %v", err)
	}

	if err := os.WriteFile(segment, content[:len(content)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	if lines, sum, err := dump(); err != nil || len(lines) != 8 || sum.TornBytes == 0 || sum.End != int64(last) {
		t.Fatalf("torn: %d lines, %+v, %v", len(lines), sum, err)
	}
	damaged := bytes.Clone(content)
	damaged[4100] ^= 1
	if err := os.WriteFile(segment, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	var corrupt *ingest.CorruptError
	if _, _, err := dump(); !errors.As(err, &corrupt) || corrupt.Offset != 4096 {
		t.Fatalf("damaged: %v", err)
	}
	if _, err := ingest.Dump(t.Context(), ingest.SegmentConfig{Dir: t.TempDir()}, nil); err == nil {
		t.Fatal("a folder without a log was dumped")
	}
}
