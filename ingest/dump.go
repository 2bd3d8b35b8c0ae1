package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/freshetdb/freshet/ingest/disk"
)

// DumpedEntry is one entry of the log and where it stands.
type DumpedEntry struct {
	Entry               // the payload is valid during the call only
	Segment      uint64 // number of the segment
	At           int64  // of its group, in bytes from the start of the segment's file
	Index        int    // in its group
	GroupEntries int    // of its group
}

// DumpSummary is what Dump found.
type DumpSummary struct {
	Segments, Groups, Entries int
	Bytes                     int64    // of the payloads
	First, Next               []uint64 // first and one after the last offset, per log partition
	End                       int64    // where the last group ends, in bytes from the start of the last segment's file
	TornBytes                 int64    // remains of groups behind it that were never finished
}

// Dump calls visit with every entry of the log in cfg.Dir, in order. It only reads, and needs no lock: of a log in use it
// shows what stood in the files as it came by, which need not be durable yet. A file that is damaged is a *CorruptError.
func Dump(ctx context.Context, cfg SegmentConfig, visit func(DumpedEntry) error) (sum DumpSummary, err error) {
	if cfg.FS == nil {
		cfg.FS = disk.OS{}
	}
	l := &SegmentLog{cfg: cfg, fs: cfg.FS}
	numbers, _, _, err := l.listFiles()
	if err != nil {
		return sum, err
	}
	if len(numbers) == 0 {
		return sum, fmt.Errorf("there is no log in %s: it holds no segment", cfg.Dir)
	}
	for i, number := range numbers {
		if err := l.dumpSegment(ctx, number, i == len(numbers)-1, &sum, visit); err != nil {
			return sum, err
		}
		if i == 0 {
			sum.First = slices.Clone(l.segments[0].first)
		}
	}
	sum.Next = l.next
	return sum, nil
}

// Exclude keeps everyone from opening the log in cfg.Dir until the closer is closed, for those who read it with Dump and
// want it to stand still. It fails with ErrLocked where the log is in use, and changes nothing: a log that has never been
// opened has no lock yet, and is not kept.
func Exclude(cfg SegmentConfig) (io.Closer, error) {
	if cfg.FS == nil {
		cfg.FS = disk.OS{}
	}
	files, err := cfg.FS.List(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the folder of the log: %w", err)
	}
	if !slices.Contains(files, lockName) {
		return io.NopCloser(nil), nil
	}
	return lockFolder(cfg)
}

func (l *SegmentLog) dumpSegment(ctx context.Context, number uint64, last bool, sum *DumpSummary, visit func(DumpedEntry) error) (err error) {
	name := l.path(segmentName(number))
	f, err := l.fs.Open(name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("size of segment: %w", err)
	}
	h, err := l.readHeader(f, name, number)
	if err != nil {
		return err
	}
	scan, err := scanSegment(f, name, &h, size, func(at int64, entries []Entry) error {
		sum.Groups++
		for i, e := range entries {
			sum.Entries++
			sum.Bytes += int64(len(e.Payload))
			if err := visit(DumpedEntry{Entry: e, Segment: number, At: at, Index: i, GroupEntries: len(entries)}); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	sum.Segments++
	l.segments = append(l.segments, segment{segmentHeader: h, end: scan.end})
	l.next = scan.next
	if last {
		sum.End, sum.TornBytes = scan.end, scan.used-scan.end
	}
	return nil
}
