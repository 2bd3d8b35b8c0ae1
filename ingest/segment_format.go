package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The layout of a segment file; docs/record-format.md has it byte by byte. All numbers but uvarints are little-endian.
//
//	header  magic, version, headerBytes, number, salt, partitions, time, first offset of each log partition, CRC; zeros
//	        up to headerBytes, where the first frame begins
//	frame   length, entries, durable, CRC of the body, CRC of this frame header; body; zeros up to a multiple of 8
//	body    per entry: uvarint log partition, uvarint offset, uvarint length, payload
//	rest    up to the end of the file: zeros, or what the file held before it became this segment
//
// Both CRCs of a frame start from the segment's number and salt (segmentSeed), so that what a recycled file held
// before, or a frame that a disk wrote to the wrong file, is no frame here (invariant 3).
const (
	segmentMagic      = "FRSHTLOG"
	segmentVersion    = 1
	segmentAlignBytes = 4096 // headers fill whole pages, so that no frame shares one with them
	segmentFixedBytes = 40   // of the header, before the first offsets
	frameHeaderBytes  = 24
	frameAlignBytes   = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segmentHeader is what the first pages of a segment say.
type segmentHeader struct {
	number uint64
	salt   uint64   // random, new whenever a file becomes a segment
	begun  uint32   // seconds since 1970; 0: not known
	first  []uint64 // offset of the first entry of each log partition at or after this segment
}

func segmentHeaderBytes(partitions int) int64 {
	n := int64(segmentFixedBytes + 8*partitions + 4)
	return (n + segmentAlignBytes - 1) / segmentAlignBytes * segmentAlignBytes
}

func (h *segmentHeader) append(dst []byte) []byte {
	start, size := len(dst), segmentHeaderBytes(len(h.first))
	dst = append(dst, segmentMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, segmentVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = binary.LittleEndian.AppendUint64(dst, h.number)
	dst = binary.LittleEndian.AppendUint64(dst, h.salt)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(h.first)))
	dst = binary.LittleEndian.AppendUint32(dst, h.begun)
	for _, offset := range h.first {
		dst = binary.LittleEndian.AppendUint64(dst, offset)
	}
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return append(dst, make([]byte, int(size)-(len(dst)-start))...)
}

var errHeader = errors.New("no segment header")

// readSegmentHeader fails with errHeader (wrapped, with the reason), ErrSegmentVersion, or what reading failed with.
func readSegmentHeader(r io.ReaderAt) (h segmentHeader, err error) {
	fixed := make([]byte, segmentFixedBytes)
	if err := readFull(r, fixed, 0); err != nil {
		return h, err
	}
	if string(fixed[:8]) != segmentMagic {
		return h, fmt.Errorf("%w: the magic bytes are missing", errHeader)
	}
	if version := binary.LittleEndian.Uint32(fixed[8:]); version != segmentVersion {
		if version > segmentVersion {
			return h, fmt.Errorf("%w: segment version %d, known up to %d", ErrSegmentVersion, version, segmentVersion)
		}
		return h, fmt.Errorf("%w: bad version", errHeader)
	}
	partitions := binary.LittleEndian.Uint32(fixed[32:])
	if partitions < 2 || partitions > maxPartitions ||
		int64(binary.LittleEndian.Uint32(fixed[12:])) != segmentHeaderBytes(int(partitions)) {
		return h, fmt.Errorf("%w: bad number of log partitions", errHeader)
	}
	whole := make([]byte, segmentFixedBytes+8*int(partitions)+4)
	if err := readFull(r, whole, 0); err != nil {
		return h, err
	}
	body, sum := whole[:len(whole)-4], binary.LittleEndian.Uint32(whole[len(whole)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return h, fmt.Errorf("%w: bad checksum", errHeader)
	}
	h.number = binary.LittleEndian.Uint64(fixed[16:])
	h.salt = binary.LittleEndian.Uint64(fixed[24:])
	h.begun = binary.LittleEndian.Uint32(fixed[36:])
	h.first = make([]uint64, partitions)
	for p := range h.first {
		h.first[p] = binary.LittleEndian.Uint64(whole[segmentFixedBytes+8*p:])
	}
	return h, nil
}

// readFull reads len(b) bytes; a file that is too short for that has no header.
func readFull(r io.ReaderAt, b []byte, at int64) error {
	n, err := r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the file is too short", errHeader)
	}
	return err
}

// segmentSeed is what the CRCs of a segment's frames start from.
func segmentSeed(number, salt uint64) uint32 {
	b := binary.LittleEndian.AppendUint64(nil, number)
	return crc32.Checksum(binary.LittleEndian.AppendUint64(b, salt), castagnoli)
}

// frameHeader precedes each group.
type frameHeader struct {
	bodyBytes uint32
	entries   uint32
	// durable is the offset in this file up to which everything had been synced when the frame was written. Frames of
	// one unsynced write say the same, at or before their own place. So a bad frame that lies before the durable of a
	// good one is damage, and one that does not is a write that was never finished (invariant 5).
	durable uint64
	bodyCRC uint32
}

// frameBytes is what a frame with a body of this size fills in the file.
func frameBytes(bodyBytes int64) int64 {
	return (frameHeaderBytes + bodyBytes + frameAlignBytes - 1) / frameAlignBytes * frameAlignBytes
}

// groupBytes is an upper bound of frameBytes for these entries, whatever offsets they get.
func groupBytes(entries []Entry) int64 {
	n := int64(0)
	for i := range entries {
		n += maxEntryOverheadBytes + int64(len(entries[i].Payload))
	}
	return frameBytes(n)
}

// appendFrame appends the frame of one group. Offsets of the entries are set.
func appendFrame(dst []byte, seed uint32, durable int64, entries []Entry) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, frameHeaderBytes)...)
	for i := range entries {
		e := &entries[i]
		dst = binary.AppendUvarint(dst, uint64(e.Partition))
		dst = binary.AppendUvarint(dst, e.Offset)
		dst = binary.AppendUvarint(dst, uint64(len(e.Payload)))
		dst = append(dst, e.Payload...)
	}
	header, body := dst[start:start+frameHeaderBytes], dst[start+frameHeaderBytes:]
	binary.LittleEndian.PutUint32(header[0:], uint32(len(body)))
	binary.LittleEndian.PutUint32(header[4:], uint32(len(entries)))
	binary.LittleEndian.PutUint64(header[8:], uint64(durable))
	binary.LittleEndian.PutUint32(header[16:], crc32.Update(seed, castagnoli, body))
	binary.LittleEndian.PutUint32(header[20:], crc32.Update(seed, castagnoli, header[:20]))
	padding := frameBytes(int64(len(body))) - frameHeaderBytes - int64(len(body))
	return append(dst, make([]byte, padding)...)
}

// parseFrameHeader reports whether b, of frameHeaderBytes, begins a frame of the segment with this seed.
func parseFrameHeader(b []byte, seed uint32) (h frameHeader, ok bool) {
	h.bodyBytes = binary.LittleEndian.Uint32(b[0:])
	if h.bodyBytes == 0 || int64(h.bodyBytes) > maxFrameBodyBytes {
		return h, false
	}
	h.entries = binary.LittleEndian.Uint32(b[4:])
	h.durable = binary.LittleEndian.Uint64(b[8:])
	h.bodyCRC = binary.LittleEndian.Uint32(b[16:])
	return h, h.entries > 0 && crc32.Update(seed, castagnoli, b[:20]) == binary.LittleEndian.Uint32(b[20:])
}

var (
	errBody   = errors.New("bad entry in a group with a good checksum")
	errOffset = errors.New("an offset does not follow the one before it")
)

// appendEntries appends the entries of a frame's body, whose payloads share body, and moves next on past them.
func appendEntries(dst []Entry, h frameHeader, body []byte, next []uint64) ([]Entry, error) {
	for range h.entries {
		partition, n := binary.Uvarint(body)
		if n <= 0 || partition >= uint64(len(next)) {
			return dst, errBody
		}
		body = body[n:]
		offset, n := binary.Uvarint(body)
		if n <= 0 {
			return dst, errBody
		}
		body = body[n:]
		size, n := binary.Uvarint(body)
		if n <= 0 || size > uint64(len(body)-n) {
			return dst, errBody
		}
		body = body[n:]
		if offset != next[partition] {
			return dst, fmt.Errorf("%w: log partition %d has %d where %d is due", errOffset, partition, offset, next[partition])
		}
		next[partition]++
		dst = append(dst, Entry{Partition: int(partition), Offset: offset, Payload: body[:size:size]})
		body = body[size:]
	}
	if len(body) != 0 {
		return dst, errBody
	}
	return dst, nil
}
