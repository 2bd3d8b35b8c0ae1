package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
)

// The mark of a log that was closed in order: magic, version, number of log partitions, one after the last offset of
// each, CRC-32C of all that. docs/record-format.md has it byte by byte.
const (
	cleanMagic      = "FRSHTEND"
	cleanVersion    = 1
	cleanFixedBytes = 16
)

func (l *SegmentLog) writeCleanMark() (err error) {
	b := binary.LittleEndian.AppendUint32([]byte(cleanMagic), cleanVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(l.next)))
	for _, next := range l.next {
		b = binary.LittleEndian.AppendUint64(b, next)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	defer func() {
		if err != nil {
			err = fmt.Errorf("mark the log as closed: %w", err)
		}
	}()
	f, err := l.fs.Create(l.path(cleanName + tmpSuffix))
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := l.fs.Rename(l.path(cleanName+tmpSuffix), l.path(cleanName)); err != nil {
		return err
	}
	return l.fs.SyncDirectory(l.cfg.Dir)
}

// readCleanMark returns where the log was closed; nil if it was not, or if the mark cannot be read: then the start
// counts as one after a crash, which is always safe.
func (l *SegmentLog) readCleanMark() ([]uint64, error) {
	f, err := l.fs.Open(l.path(cleanName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the mark of a log closed in order: %w", err)
	}
	size, err := f.Size()
	b := make([]byte, min(max(size, 0), cleanFixedBytes+8*maxPartitions+4))
	if err == nil {
		_, err = f.ReadAt(b, 0)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the mark of a log closed in order: %w", err)
	}
	return parseCleanMark(b), nil
}

func parseCleanMark(b []byte) []uint64 {
	if len(b) < cleanFixedBytes+4 || string(b[:8]) != cleanMagic || binary.LittleEndian.Uint32(b[8:]) != cleanVersion {
		return nil
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	count := binary.LittleEndian.Uint32(b[12:])
	if crc32.Checksum(body, castagnoli) != sum || uint64(len(body)-cleanFixedBytes) != 8*uint64(count) {
		return nil
	}
	next := make([]uint64, count)
	for p := range next {
		next[p] = binary.LittleEndian.Uint64(body[cleanFixedBytes+8*p:])
	}
	return next
}

// settleDirectory comes before the first append. It removes the mark, so that a crash from now on leaves none, and
// makes the names of the segments durable: the process before may have ended between a rename and its sync.
func (l *SegmentLog) settleDirectory(marked bool) error {
	if marked {
		if err := l.fs.Remove(l.path(cleanName)); err != nil {
			return fmt.Errorf("remove the mark of a log closed in order: %w", err)
		}
	}
	if err := l.fs.SyncDirectory(l.cfg.Dir); err != nil {
		return fmt.Errorf("sync the folder of the log: %w", err)
	}
	return nil
}
