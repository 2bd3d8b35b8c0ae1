package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/freshetdb/freshet/ingest/disk"
	"github.com/freshetdb/freshet/matcher"
)

// Bounds of the embedded log and of the log in memory.
const (
	MaxEntryBytes   = 16 << 20 // payload of one entry
	MaxGroupBytes   = 64 << 20 // payloads of one Append
	MaxGroupEntries = 1 << 16  // entries of one Append
	MaxSegmentBytes = 4 << 30  // SegmentConfig.SegmentBytes

	maxPartitions         = matcher.MaxLogPartitions + 1
	maxEntryOverheadBytes = 16 // three uvarints: log partition (2), offset (10), length (4)
	maxFrameBodyBytes     = MaxGroupBytes + MaxGroupEntries*maxEntryOverheadBytes
	maxWriteBytes         = 8 << 20 // groups that one write gathers, unless one alone is larger
	fillBytes             = 4 << 20 // zeros written ahead at once
)

// SegmentConfig configures the embedded log.
type SegmentConfig struct {
	Dir           string  // made if it is missing; must be set
	LogPartitions int     // data partitions of a new log, 1 if 0; an old one must agree, unless this is 0
	NoSync        bool    // --durability os: durable means handed to the operating system
	SegmentBytes  int64   // size of a segment file, 64 MiB if 0; a group that is larger gets a segment of its own
	FS            disk.FS // the operating system's if nil

	// What Trim keeps although it may go: the newest entries, as long as they all fill at most RetainBytes and were
	// appended within RetainAge (0: of any age). Whole segments are kept or dropped.
	RetainBytes int64
	RetainAge   time.Duration
	Now         func() time.Time // time.Now if nil

	// Damaged is told, once and in whatever goroutine, of a segment that is found to be damaged while the log is open: a
	// *CorruptError, or what reading it failed with. The log goes on; whoever reads the place is told too. nil: nobody.
	Damaged func(error)
}

const defaultSegmentBytes = 64 << 20

// Validate says what is wrong with the configuration.
func (c SegmentConfig) Validate() error {
	switch {
	case c.Dir == "":
		return fmt.Errorf("%w: Dir is empty; name the folder of the log", ErrInvalid)
	case c.LogPartitions < 0 || c.LogPartitions > matcher.MaxLogPartitions:
		return fmt.Errorf("%w: LogPartitions is %d, the limit is %d; ask for 1 to %[3]d", ErrInvalid, c.LogPartitions, matcher.MaxLogPartitions)
	case c.SegmentBytes < 0 || c.SegmentBytes > MaxSegmentBytes:
		return fmt.Errorf("%w: SegmentBytes is %d, the limit is %d; ask for less", ErrInvalid, c.SegmentBytes, int64(MaxSegmentBytes))
	case c.RetainBytes < 0 || c.RetainAge < 0:
		return fmt.Errorf("%w: RetainBytes is %d and RetainAge %v; neither can be below 0", ErrInvalid, c.RetainBytes, c.RetainAge)
	}
	return nil
}

// SegmentLog implements Log over segment files. OpenSegments starts its goroutines, the writer and the verifier; Close ends
// them.
type SegmentLog struct {
	cfg        SegmentConfig
	fs         disk.FS
	lock       io.Closer
	cleanStart bool
	partitions int
	metrics    Metrics
	trimming   sync.Mutex    // one Trim at a time; taken before mu
	wake       chan struct{} // of capacity 1: tells the writer that something waits or that it should stop
	done       chan struct{} // closed by the writer at its end
	verified   chan struct{} // closed by the verifier at its end
	stopVerify context.CancelFunc

	mu       sync.Mutex
	waiting  []*appendRequest
	closed   bool
	failed   error              // why the log accepts nothing more
	segments []segment          // oldest first; the last one is written to
	spares   []string           // names of files that were segments and can be again, at most MaxSpareSegments
	next     []uint64           // one after the last durable entry, per log partition
	changed  chan struct{}      // closed when one of the above changes and somebody waits for it; nil: nobody does
	tails    map[*tail]struct{} // the running ones

	writer segmentWriter // owned by the writer's goroutine
}

// segment is what the log knows of one segment file.
type segment struct {
	segmentHeader
	end   int64 // of its durable groups, in bytes from the file's start
	marks []segmentMark

	// unread: of what was there when the log was opened, only the header has been read. end is the file's, which may lie
	// beyond the groups', and there are no marks. tried: the verifier has had it.
	unread, tried bool

	damaged bool // that was told
}

// segmentMark is a place between two groups. Marks are about markBytes apart, so that a Tail finds its beginning
// without reading what comes before it.
type segmentMark struct {
	pos  int64
	next []uint64 // offsets of the first entry at or behind pos, per log partition
}

const markBytes = 1 << 20

// appendMark adds a mark at pos where the one before is far enough away.
func appendMark(marks []segmentMark, start, pos int64, next []uint64) []segmentMark {
	if len(marks) > 0 {
		start = marks[len(marks)-1].pos
	}
	if pos-start < markBytes {
		return marks
	}
	return append(marks, segmentMark{pos, slices.Clone(next)})
}

// lastMark is the last mark with nothing at or above from before it; the zero mark is the segment's start.
func (s *segment) lastMark(from []uint64) segmentMark {
	// Offsets only grow, so the marks that lie far enough back are the first ones.
	n := sort.Search(len(s.marks), func(i int) bool { return !below(s.marks[i].next, from) })
	if n == 0 {
		return segmentMark{}
	}
	return s.marks[n-1]
}

const (
	lockName      = "LOCK"
	cleanName     = "CLEAN"
	segmentSuffix = ".segment"
	spareSuffix   = ".spare" // of a file that was a segment and will be another one
	tmpSuffix     = ".tmp"   // of a file that is not whole yet; removed on open
)

func segmentName(number uint64) string { return fileName(number, segmentSuffix) }

func fileName(number uint64, suffix string) string { return fmt.Sprintf("%016x%s", number, suffix) }

func (l *SegmentLog) path(name string) string { return filepath.Join(l.cfg.Dir, name) }

// OpenSegments opens or creates the embedded log and recovers it: a torn last group is cut off, corruption before it
// is refused by name (ErrCorrupt, a *CorruptError). What the segments before the last one hold is checked later: by
// whoever reads it, and once by the verifier (SegmentConfig.Damaged). A folder in use is ErrLocked.
func OpenSegments(cfg SegmentConfig) (*SegmentLog, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = defaultSegmentBytes
	}
	if cfg.FS == nil {
		cfg.FS = disk.OS{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &SegmentLog{
		cfg:   cfg,
		fs:    cfg.FS,
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		tails: make(map[*tail]struct{}),

		verified: make(chan struct{}),
	}
	if err := l.fs.MakeDirectory(cfg.Dir); err != nil {
		return nil, fmt.Errorf("make the folder of the log: %w", err)
	}
	lock, err := lockFolder(cfg)
	if err != nil {
		return nil, err
	}
	l.lock = lock
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the log in %s: %w", cfg.Dir, err), l.writer.close(), lock.Close())
	}
	go l.runWriter()
	ctx, stop := context.WithCancel(context.Background())
	l.stopVerify = stop
	go l.runVerifier(ctx)
	return l, nil
}

// lockFolder takes the lock of the log's folder. cfg.FS must be set.
func lockFolder(cfg SegmentConfig) (io.Closer, error) {
	name := filepath.Join(cfg.Dir, lockName)
	lock, err := cfg.FS.Lock(name)
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("%w: %s is locked; stop that process or use another folder", ErrLocked, name)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the log: %w", err)
	}
	return lock, nil
}

// CleanStart reports whether the log was closed in order before it was opened (or is new).
func (l *SegmentLog) CleanStart() bool { return l.cleanStart }

// Metrics returns the log's counters.
func (l *SegmentLog) Metrics() *Metrics { return &l.metrics }

// Partitions is the number of log partitions, the control partition included.
func (l *SegmentLog) Partitions() int { return l.partitions }

// Bounds returns what the log holds, for each log partition.
func (l *SegmentLog) Bounds(ctx context.Context) (first, next []uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, ErrClosed
	}
	return slices.Clone(l.segments[0].first), slices.Clone(l.next), nil
}

// Trim drops the segments that hold nothing at or above below, that no running Tail has before it, and that are not
// retained (SegmentConfig). The segment that is written to stays.
func (l *SegmentLog) Trim(ctx context.Context, below []uint64) error {
	if err := checkVector("below", below, l.partitions); err != nil {
		return err
	}
	l.trimming.Lock()
	defer l.trimming.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		oldest, ok, err := l.dropOldest(below)
		if !ok || err != nil {
			return err
		}
		// One by one, each durably: after a crash the segments that remain follow each other without a hole.
		spare, err := l.dropFile(oldest.number)
		if err != nil {
			l.mu.Lock()
			l.segments = slices.Insert(l.segments, 0, oldest)
			l.mu.Unlock()
			return fmt.Errorf("remove segment: %w", err)
		}
		if err := l.fs.SyncDirectory(l.cfg.Dir); err != nil {
			// The file may come back after a crash: were a later one gone for good, the log would have a hole (invariant 6).
			err = fmt.Errorf("%w: remove segment: %w", ErrFailed, err)
			for _, r := range l.fail(err) {
				r.done <- err
			}
			l.poke()
			return err
		}
		if spare != "" {
			l.mu.Lock()
			l.spares = append(l.spares, spare)
			l.mu.Unlock()
		}
		l.metrics.Segments.Add(-1)
	}
}

// MaxSpareSegments bounds the files that wait to become segments again. Written anew, a file costs the file system no
// new blocks, and the log no zeros ahead of its writes.
const MaxSpareSegments = 2

// dropFile takes the file of a segment away: it becomes a spare one, whose name is returned, or is removed.
func (l *SegmentLog) dropFile(number uint64) (spare string, err error) {
	name := segmentName(number)
	spare = fileName(number, spareSuffix)
	l.mu.Lock()
	enough := len(l.spares) >= MaxSpareSegments
	l.mu.Unlock()
	if enough {
		return "", l.fs.Remove(l.path(name))
	}
	return spare, l.fs.Rename(l.path(name), l.path(spare))
}

// takeSpare takes the path of a spare file, if there is one.
func (l *SegmentLog) takeSpare() (path string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.spares)
	if n == 0 {
		return "", false
	}
	path, l.spares = l.path(l.spares[n-1]), l.spares[:n-1]
	return path, true
}

// dropOldest takes the oldest segment out of the list if nobody needs it.
func (l *SegmentLog) dropOldest(below []uint64) (oldest segment, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return oldest, false, err
	}
	if len(l.segments) < 2 {
		return oldest, false, nil
	}
	for p, first := range l.segments[1].first {
		if first > below[p] {
			return oldest, false, nil
		}
	}
	lowest := uint64(math.MaxUint64)
	for t := range l.tails {
		lowest = min(lowest, t.segment)
	}
	oldest = l.segments[0]
	if lowest <= oldest.number || l.retained() {
		return oldest, false, nil
	}
	l.segments = slices.Delete(l.segments, 0, 1)
	return oldest, true, nil
}

// retained reports whether the oldest segment of several is to be kept though nobody needs it. A segment that is still unread
// counts with all of its file. mu is held.
func (l *SegmentLog) retained() bool {
	total := int64(0)
	for i := range l.segments {
		total += l.segments[i].end
	}
	if total > l.cfg.RetainBytes {
		return false
	}
	ended := time.Unix(int64(l.segments[1].begun), 0) // the youngest entry of the oldest segment is not younger
	return l.cfg.RetainAge == 0 || l.cfg.Now().Sub(ended) <= l.cfg.RetainAge
}

// Close waits for the appends that have begun, marks the log as closed in order, and ends the tails with ErrClosed.
// After a failure of the log it leaves no mark and returns what failed.
func (l *SegmentLog) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.notify()
	l.mu.Unlock()
	l.poke()
	l.stopVerify()
	<-l.done
	<-l.verified
	if !first {
		return nil
	}
	l.trimming.Lock() // a Trim that runs touches files of the folder
	defer l.trimming.Unlock()
	err := l.failed // the writer has ended and no Trim runs: nobody changes it
	if err == nil {
		err = l.sealForClose()
	}
	return errors.Join(err, l.writer.close(), l.lock.Close())
}

// sealForClose syncs what NoSync left to the operating system, and marks the end.
func (l *SegmentLog) sealForClose() error {
	if err := l.writer.file.Sync(); err != nil {
		return fmt.Errorf("sync the last segment: %w", err)
	}
	return l.writeCleanMark()
}

// notify wakes whoever waits for a change. mu is held.
func (l *SegmentLog) notify() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// poke tells the writer to look.
func (l *SegmentLog) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func checkVector(name string, v []uint64, partitions int) error {
	if len(v) != partitions {
		return fmt.Errorf("%w: %s has %d offsets, the log has %d log partitions; give one for each", ErrInvalid, name, len(v), partitions)
	}
	return nil
}
