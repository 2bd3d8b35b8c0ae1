package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// readChunkBytes is how much a reader takes from a file at once; a larger group is read whole.
const readChunkBytes = 256 << 10

var (
	errEnd   = errors.New("no frame here")              // zeros, or the end of what may be read
	errShort = errors.New("not wholly in the buffer")   // only if next was told not to read
	errFrame = errors.New("a frame fails its checksum") // or is no frame
)

// frameReader reads the frames of one segment in order, from pos up to end.
type frameReader struct {
	file io.ReaderAt
	seed uint32
	pos  int64 // of the next frame
	end  int64 // nothing is read at or beyond it
	buf  []byte
	from int // buf[from:] is the file from pos on
}

// next returns the next frame. Its body is valid until next reads again, which it does only if mayRead.
// It fails with errEnd, errShort, errFrame, or what reading failed with, and then stays where it is.
func (r *frameReader) next(mayRead bool) (h frameHeader, body []byte, err error) {
	head, err := r.peek(frameHeaderBytes, mayRead)
	if errors.Is(err, io.EOF) {
		return h, nil, errEnd
	}
	if err != nil {
		return h, nil, err
	}
	h, ok := parseFrameHeader(head, r.seed)
	if !ok {
		if allZero(head) {
			return h, nil, errEnd
		}
		return h, nil, errFrame
	}
	whole, err := r.peek(frameHeaderBytes+int(h.bodyBytes), mayRead)
	if errors.Is(err, io.EOF) {
		return h, nil, errFrame
	}
	if err != nil {
		return h, nil, err
	}
	body = whole[frameHeaderBytes:]
	if crc32.Update(r.seed, castagnoli, body) != h.bodyCRC {
		return h, nil, errFrame
	}
	size := frameBytes(int64(h.bodyBytes))
	r.pos += size
	r.from = min(r.from+int(size), len(r.buf)) // padding may lie beyond the buffer; it is skipped by position
	return h, body, nil
}

// peek returns the next n bytes: io.EOF if the readable part ends before, errShort if they would have to be read.
func (r *frameReader) peek(n int, mayRead bool) ([]byte, error) {
	if have := r.buf[r.from:]; len(have) >= n {
		return have[:n], nil
	}
	if r.end-r.pos < int64(n) {
		return nil, io.EOF
	}
	if !mayRead {
		return nil, errShort
	}
	size := int(min(max(int64(n), readChunkBytes), r.end-r.pos))
	if cap(r.buf) < size || (cap(r.buf) > 4*readChunkBytes && size == readChunkBytes) {
		r.buf = make([]byte, size) // the second condition drops the buffer of a rare large group
	}
	r.buf, r.from = r.buf[:size], 0
	got, err := r.file.ReadAt(r.buf, r.pos)
	r.buf = r.buf[:got]
	if got >= n {
		return r.buf[:n], nil
	}
	r.buf = r.buf[:0]
	if err == nil || errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	return nil, fmt.Errorf("read segment: %w", err)
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// findFrame looks for a whole good frame at or after from that says that everything before `beyond` was durable when
// it was written: proof that what lies there was once good. It also returns where the last thing ends that has the
// header of a frame of this segment: what lies behind it can be taken for no group, whatever it is (invariant 3).
func findFrame(file io.ReaderAt, seed uint32, from, beyond, end int64) (at, used int64, found bool, err error) {
	used = from
	buf := make([]byte, readChunkBytes)
	for pos := from; pos < end; {
		n, err := file.ReadAt(buf[:min(int64(len(buf)), end-pos)], pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, false, fmt.Errorf("read segment: %w", err)
		}
		if n == 0 {
			break
		}
		for i := 0; i+frameHeaderBytes <= n; i += frameAlignBytes {
			h, ok := parseFrameHeader(buf[i:i+frameHeaderBytes], seed)
			if !ok {
				continue
			}
			used = max(used, min(pos+int64(i)+frameBytes(int64(h.bodyBytes)), end))
			if h.durable <= uint64(beyond) {
				continue
			}
			candidate := frameReader{file: file, seed: seed, pos: pos + int64(i), end: end}
			if _, _, err := candidate.next(true); err == nil {
				return pos + int64(i), used, true, nil
			}
		}
		if pos += int64(n); n > 2*frameHeaderBytes && pos < end {
			pos -= frameHeaderBytes // a header may lie across two chunks
		}
	}
	return 0, used, false, nil
}
