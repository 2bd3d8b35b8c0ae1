package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	TornBytes                 int64    // behind it, of groups that were never finished, or in a log in use are being written
	Trimmed                   int      // segments of a log in use that were trimmed before they were read whole
}

// Dump calls visit with every entry of the log in cfg.Dir, in order. It only reads, and needs no lock: of a log in use it
// shows what stood in the files as it came by, which need not be durable yet; what was trimmed before it came by is
// counted, and missing. A file that is damaged is a *CorruptError.
func Dump(ctx context.Context, cfg SegmentConfig, visit func(DumpedEntry) error) (sum DumpSummary, err error) {
	if cfg.FS == nil {
		cfg.FS = disk.OS{}
	}
	d := &dump{SegmentLog: SegmentLog{cfg: cfg, fs: cfg.FS}, ctx: ctx, visit: visit}
	for done := uint64(0); d.next == nil; { // again, if the last one of the list was trimmed before it came to it
		numbers, err := d.list()
		if err != nil {
			return d.sum, err
		}
		if len(numbers) == 0 {
			return d.sum, fmt.Errorf("there is no log in %s: it holds no segment", cfg.Dir)
		}
		for _, number := range numbers {
			if number <= done {
				continue
			}
			if missed := number - done - 1; done > 0 && missed > 0 {
				d.sum.Trimmed += int(missed)
				d.segments = nil
			}
			if err := d.segment(number, number == numbers[len(numbers)-1]); err != nil {
				return d.sum, err
			}
			done = number
		}
	}
	if d.sum.Next = d.next; d.sum.Groups == 0 {
		d.sum.First = slices.Clone(d.next)
	}
	return d.sum, nil
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

// dump reads a log whose owner may be writing to it and trimming it meanwhile. What looks like damage then may be none:
// a group that was not yet written when the reader came by, and the next one was; or the file of a segment that has been
// trimmed and has become another one. So damage is looked at twice, and counts only under a name that is still there:
// numbers do not come back.
type dump struct {
	SegmentLog
	ctx   context.Context
	visit func(DumpedEntry) error
	sum   DumpSummary
}

// list lists the segments. A folder that changes as it is listed may show one that has been trimmed, and not the next one:
// a hole is damage only if the one before it is still there after it was not.
func (d *dump) list() ([]uint64, error) {
	for {
		numbers, _, _, err := d.listFiles()
		if err != nil {
			return nil, err
		}
		missing, hole := firstHole(numbers)
		if !hole {
			return numbers, nil
		}
		if d.gone(missing) && !d.gone(missing-1) {
			return nil, d.missing(missing)
		}
	}
}

// segment visits the entries of one segment.
func (d *dump) segment(number uint64, last bool) error {
	r := &segmentDump{dump: d, number: number}
	for {
		before := r.visited
		scan, err := r.read()
		switch {
		case err == nil:
			d.sum.Segments++
			d.segments, d.next = append(d.segments[:0], segment{segmentHeader: r.header, end: scan.end}), scan.next
			if last {
				d.sum.End, d.sum.TornBytes = scan.end, scan.used-scan.end
			}
			return nil
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, fs.ErrNotExist):
			return err
		case d.gone(number):
			d.sum.Trimmed++
			d.segments, d.next = nil, nil // the next one follows nothing that was read
			return nil
		case len(d.segments) > 0 && d.gone(d.segments[0].number) && !slices.Equal(d.next, r.header.first):
			d.segments = nil // the one before was trimmed as its end was read
			d.sum.Trimmed++
		case r.again && r.visited == before:
			return err
		}
		r.again = true
	}
}

// gone reports whether a segment has been trimmed.
func (d *dump) gone(number uint64) bool {
	f, err := d.fs.Open(d.path(segmentName(number)))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	_ = f.Close() // nothing was read from it
	return false
}

// segmentDump is how far the dump of one segment is.
type segmentDump struct {
	*dump
	number  uint64
	header  segmentHeader
	visited int64 // where the last group that was visited begins
	again   bool  // it is being read anew
}

// read reads the segment from its start, and visits the groups that have not been visited.
func (r *segmentDump) read() (scan segmentScan, err error) {
	name := r.path(segmentName(r.number))
	f, err := r.fs.Open(name)
	if err != nil {
		return scan, fmt.Errorf("open segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return scan, fmt.Errorf("size of segment: %w", err)
	}
	if r.header, err = readNamedHeader(f, name); err != nil {
		return scan, err
	}
	if err := r.checkHeader(name, r.number, &r.header); err != nil {
		return scan, err
	}
	if len(r.segments) > 0 && !slices.Equal(r.next, r.header.first) {
		before := &r.segments[0]
		return scan, endsEarly(r.path(segmentName(before.number)), before.end, r.next, r.header.first)
	}
	return scanSegment(f, name, &r.header, size, func(at int64, entries []Entry) error {
		if at <= r.visited {
			return nil
		}
		r.visited = at
		if r.sum.Groups == 0 {
			r.sum.First = slices.Clone(r.header.first)
		}
		r.sum.Groups++
		for i, e := range entries {
			r.sum.Entries++
			r.sum.Bytes += int64(len(e.Payload))
			if err := r.visit(DumpedEntry{Entry: e, Segment: r.number, At: at, Index: i, GroupEntries: len(entries)}); err != nil {
				return err
			}
		}
		return r.ctx.Err()
	})
}
