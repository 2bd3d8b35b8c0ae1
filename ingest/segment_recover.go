package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/freshetdb/freshet/ingest/disk"
)

// recover reads the folder and leaves the log ready to append. It changes nothing on the disk until it knows that
// the log is sound.
func (l *SegmentLog) recover() error {
	numbers, err := l.findSegments()
	if err != nil {
		return err
	}
	mark, err := l.readCleanMark()
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		return l.create(mark)
	}
	for _, number := range numbers[:len(numbers)-1] {
		if err := l.noteSegment(number); err != nil {
			return err
		}
	}
	if err := l.recoverLast(numbers[len(numbers)-1], mark); err != nil {
		return err
	}
	l.partitions = len(l.next)
	l.cleanStart = mark != nil
	l.metrics.OpenedClean.Store(l.cleanStart)
	l.metrics.Segments.Store(int64(len(l.segments)))
	return l.settleDirectory(mark != nil)
}

// create makes the first segment of a new log.
func (l *SegmentLog) create(mark []uint64) error {
	for _, next := range mark {
		if next > 0 {
			return &CorruptError{File: l.path(cleanName), Reason: "the log was closed with entries in it, and all its segments are gone"}
		}
	}
	l.partitions = max(l.cfg.LogPartitions, 1) + 1
	l.next = make([]uint64, l.partitions)
	l.cleanStart = true
	l.metrics.OpenedClean.Store(true)
	if err := l.nextSegment(1, l.next); err != nil {
		return err
	}
	return l.settleDirectory(mark != nil)
}

// findSegments returns the numbers of the segments in order, notes the spare files, and removes files that were never
// finished.
func (l *SegmentLog) findSegments() ([]uint64, error) {
	numbers, spares, unfinished, err := l.listFiles()
	if err != nil {
		return nil, err
	}
	if number, hole := firstHole(numbers); hole {
		return nil, l.missing(number)
	}
	l.spares = spares
	for _, name := range unfinished {
		if err := l.fs.Remove(l.path(name)); err != nil {
			return nil, fmt.Errorf("remove an unfinished file: %w", err)
		}
	}
	return numbers, nil
}

// numberOf reads the number in a file's name; ok is false for a name that is not one of the log's.
func numberOf(name, suffix string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil && fileName(number, suffix) == name
}

// listFiles lists the numbers of the segments, in order, the names of spare files, and those of files that are to be
// removed.
func (l *SegmentLog) listFiles() (numbers []uint64, spares, unfinished []string, err error) {
	names, err := l.fs.List(l.cfg.Dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("list segments: %w", err)
	}
	for _, name := range names {
		if number, ok := numberOf(name, segmentSuffix); ok {
			numbers = append(numbers, number)
		}
		_, spare := numberOf(name, spareSuffix)
		switch {
		case strings.HasSuffix(name, tmpSuffix) || spare && len(spares) >= MaxSpareSegments:
			unfinished = append(unfinished, name)
		case spare:
			spares = append(spares, name)
		}
	}
	slices.Sort(numbers)
	return numbers, spares, unfinished, nil
}

// firstHole finds the first number that is missing between others.
func firstHole(numbers []uint64) (missing uint64, found bool) {
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			return numbers[i-1] + 1, true
		}
	}
	return 0, false
}

func (l *SegmentLog) missing(number uint64) error {
	return &CorruptError{File: l.path(segmentName(number)), Reason: "this segment is missing"}
}

// noteSegment adds a segment that is not the last one to the log, by its header alone.
func (l *SegmentLog) noteSegment(number uint64) (err error) {
	f, h, size, err := l.openSegment(number)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	l.segments = append(l.segments, segment{segmentHeader: h, end: size, unread: true})
	l.next = h.first
	return nil
}

// recoverLast checks the last segment, adds it to the log and makes it the one that is written to.
func (l *SegmentLog) recoverLast(number uint64, mark []uint64) (err error) {
	f, h, size, err := l.openSegment(number)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	name := l.path(segmentName(number))
	scan, err := scanSegment(f, name, &h, size, nil)
	if err != nil {
		return err
	}
	l.segments = append(l.segments, segment{segmentHeader: h, end: scan.end, marks: scan.marks})
	l.next = scan.next
	for p, next := range mark {
		if len(mark) != len(l.next) || next > l.next[p] {
			return &CorruptError{File: name, Offset: scan.end, Reason: fmt.Sprintf(
				"the log was closed at %v and now ends at %v; if that is meant, remove %s", mark, l.next, l.path(cleanName))}
		}
	}
	return l.adoptSegment(f, &h, scan, size)
}

// openSegment opens the file of a segment, whose header fits the log so far.
func (l *SegmentLog) openSegment(number uint64) (f disk.File, h segmentHeader, size int64, err error) {
	name := l.path(segmentName(number))
	if f, err = l.fs.Open(name); err != nil {
		return nil, h, 0, fmt.Errorf("open segment: %w", err)
	}
	if size, err = f.Size(); err != nil {
		err = fmt.Errorf("size of segment: %w", err)
	} else if h, err = readNamedHeader(f, name); err == nil {
		err = l.checkHeader(name, number, &h)
	}
	if err != nil {
		return nil, h, 0, errors.Join(err, f.Close())
	}
	return f, h, size, nil
}

// readNamedHeader reads the header of a segment's file.
func readNamedHeader(f disk.File, name string) (h segmentHeader, err error) {
	h, err = readSegmentHeader(f)
	if errors.Is(err, errHeader) {
		return h, &CorruptError{File: name, Reason: err.Error()}
	}
	if err != nil {
		return h, fmt.Errorf("read the header of %s: %w", name, err)
	}
	return h, nil
}

// checkHeader compares a segment's header with its name, the configuration and the segment before it.
func (l *SegmentLog) checkHeader(name string, number uint64, h *segmentHeader) error {
	if h.number != number {
		return &CorruptError{File: name, Offset: 16, Reason: fmt.Sprintf("this is segment %d under the name of %d", h.number, number)}
	}
	if want := l.cfg.LogPartitions; want != 0 && want != len(h.first)-1 {
		return fmt.Errorf("%w: LogPartitions is %d, and this log was made with %d, which is fixed for its life; ask for %[3]d",
			ErrInvalid, want, len(h.first)-1)
	}
	if len(l.segments) > 0 && (len(l.next) != len(h.first) || !below(l.next, h.first)) {
		return &CorruptError{File: name, Offset: segmentFixedBytes, Reason: fmt.Sprintf(
			"this segment goes on from offsets %v, and the one before it began at %v", h.first, l.next)}
	}
	return nil
}

// segmentScan is what reading a whole segment found.
type segmentScan struct {
	next    []uint64 // one after the last entry
	end     int64    // of the last good group
	durable int64    // everything before it was synced by the process that wrote it
	used    int64    // where the last remains of a group end: beyond end, they are a torn tail
	marks   []segmentMark
}

// scanSegment reads all groups. A bad frame is where the segment ends if nothing proves that the frame was once good
// (invariant 5); a caller to whom the segment is not the last one compares next. visit, if there is one, gets each
// group and where it stands.
func scanSegment(f disk.File, name string, h *segmentHeader, size int64, visit func(at int64, entries []Entry) error) (segmentScan, error) {
	start := segmentHeaderBytes(len(h.first))
	scan := segmentScan{next: slices.Clone(h.first), end: start, durable: start}
	r := frameReader{file: f, seed: segmentSeed(h.number, h.salt), pos: start, end: size}
	var entries []Entry
	for {
		frame, body, err := r.next(true)
		if errors.Is(err, errEnd) || errors.Is(err, errFrame) {
			break
		}
		if err != nil {
			return scan, fmt.Errorf("%s: %w", name, err)
		}
		if entries, err = appendEntries(entries[:0], frame, body, scan.next); err != nil {
			return scan, &CorruptError{File: name, Offset: scan.end, Reason: err.Error()}
		}
		if visit != nil {
			if err := visit(scan.end, entries); err != nil {
				return scan, err
			}
		}
		scan.end = r.pos
		scan.marks = appendMark(scan.marks, start, scan.end, scan.next)
		scan.durable = max(start, int64(min(frame.durable, uint64(r.pos))))
	}
	at, used, found, err := findFrame(f, r.seed, scan.end, scan.end, size)
	if err != nil {
		return scan, fmt.Errorf("%s: %w", name, err)
	}
	if found {
		return scan, &CorruptError{File: name, Offset: scan.end, Reason: fmt.Sprintf(
			"a group fails its checksum, and the group at byte %d was written after this one was durable", at)}
	}
	scan.used = max(used, scan.end)
	return scan, nil
}

// adoptSegment makes the last segment the one that is written to: cuts off its torn tail, and makes durable what may
// only have been in memory when the process before ended.
func (l *SegmentLog) adoptSegment(f disk.File, h *segmentHeader, scan segmentScan, size int64) error {
	l.metrics.CutBytes.Store(scan.used - scan.end)
	if err := fill(f, scan.end, scan.used); err != nil {
		return err
	}
	// Written anew, not only synced: after a failed sync the kernel takes pages for clean that never reached the disk.
	buf := make([]byte, readChunkBytes)
	for pos := scan.durable; pos < scan.end; {
		n := min(int64(len(buf)), scan.end-pos, max(size-pos, 0))
		if n == 0 {
			break // only the padding of the last group lies beyond the file's end
		}
		if _, err := f.ReadAt(buf[:n], pos); err != nil {
			return fmt.Errorf("read segment: %w", err)
		}
		if _, err := f.WriteAt(buf[:n], pos); err != nil {
			return fmt.Errorf("write segment: %w", err)
		}
		pos += n
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync segment: %w", err)
	}
	l.writer = segmentWriter{
		file: f, start: segmentHeaderBytes(len(h.first)), pos: scan.end, synced: scan.end, filled: max(size, scan.used),
		seed: segmentSeed(h.number, h.salt), next: slices.Clone(l.next),
	}
	return nil
}
