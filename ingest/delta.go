package ingest

import (
	"encoding/binary"
	"math/bits"
)

// delta is a before-image as its difference to the after-image: literal bytes and runs of the after-image, in their
// order, so that what an update leaves alone is in the record once. Making it is bounded work, not the least difference:
// a few small changes anywhere (a revision, dates, numbers) and one large one are what updates are.
type delta struct {
	steps [maxDeltaSteps]deltaStep
	count int
	bytes int // of the encoded delta
}

// deltaStep is literal bytes of the before-image, then a run of the after-image behind some bytes that are skipped.
type deltaStep struct{ literal, skip, run uint32 }

const (
	maxDeltaSteps = 12
	minDeltaRun   = 8  // bytes: what a step costs
	maxDeltaLook  = 48 // how far behind a difference both images are compared again, place by place
	maxShiftLook  = 16 // and how far where the change has made one longer
	maxDeltaShift = 4  // by up to that much
)

// find makes d the difference and reports whether it is worth writing.
func (d *delta) find(before, after []byte) bool {
	d.count, d.bytes = 0, 0
	if len(before) < 4*minDeltaRun || len(after) < 4*minDeltaRun || len(before) > maxDeltaBytes {
		return false
	}
	prefix := commonPrefix(before, after)
	suffix := commonSuffix(before[prefix:], after[prefix:])
	endBefore, endAfter := len(before)-suffix, len(after)-suffix
	i, j := 0, 0          // in before, in after
	literal, from := 0, 0 // where the literal begins, and where the last run ended in after
	for run := prefix; ; run = commonPrefix(before[i:endBefore], after[j:endAfter]) {
		if run >= minDeltaRun && d.count < maxDeltaSteps-1 {
			d.add(i-literal, j-from, run)
			i, j = i+run, j+run
			literal, from = i, j
		}
		k, shift, found := resync(before[i:endBefore], after[j:endAfter])
		if !found || d.count == maxDeltaSteps-1 {
			break
		}
		i, j = i+k, j+k+shift
	}
	d.add(endBefore-literal, endAfter-from, suffix)
	return d.bytes+d.bytes/8 < len(before)
}

// maxDeltaBytes bounds the images that are compared.
const maxDeltaBytes = 16 << 20

func (d *delta) add(literal, skip, run int) {
	d.steps[d.count] = deltaStep{uint32(literal), uint32(skip), uint32(run)}
	d.count++
	d.bytes += literal + uvarintBytes(literal) + uvarintBytes(skip) + uvarintBytes(run)
}

func uvarintBytes(n int) int { return (bits.Len32(uint32(n)|1) + 6) / 7 }

// resync looks for the next place where both texts read alike again.
func resync(before, after []byte) (k, shift int, found bool) {
	word := func(text []byte, at int) uint64 { return binary.LittleEndian.Uint64(text[at:]) }
	for k := 1; k <= maxDeltaLook && k+minDeltaRun <= len(before) && k+minDeltaRun <= len(after); k++ {
		if word(before, k) == word(after, k) {
			return k, 0, true
		}
	}
	for k := 0; k <= maxShiftLook && k+minDeltaRun <= len(before); k++ {
		want := word(before, k)
		for shift := -min(k, maxDeltaShift); shift <= maxDeltaShift && k+shift+minDeltaRun <= len(after); shift++ {
			if word(after, k+shift) == want {
				return k, shift, true
			}
		}
	}
	return 0, 0, false
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[len(a)-i-8:]) ^ binary.LittleEndian.Uint64(b[len(b)-i-8:]); x != 0 {
			return i + bits.LeadingZeros64(x)/8
		}
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

// append appends the encoded difference.
func (d *delta) append(dst, before []byte) []byte {
	at := uint32(0)
	for _, s := range d.steps[:d.count] {
		dst = binary.AppendUvarint(dst, uint64(s.literal))
		dst = append(dst, before[at:at+s.literal]...)
		dst = binary.AppendUvarint(dst, uint64(s.skip))
		dst = binary.AppendUvarint(dst, uint64(s.run))
		at += s.literal + s.run
	}
	return dst
}

// applyDelta makes the before-image from its encoded difference to the after-image. ok is false where that is none. Runs
// never go back, so what it makes is bounded by what it reads.
func applyDelta(encoded, after []byte) (before []byte, ok bool) {
	size := 0
	if !eachPart(encoded, after, func(part []byte) { size += len(part) }) {
		return nil, false
	}
	before = make([]byte, 0, size)
	eachPart(encoded, after, func(part []byte) { before = append(before, part...) })
	return before, true
}

// eachPart calls f with the parts of the before-image, in order. It is false where the difference is none.
func eachPart(encoded, after []byte, f func(part []byte)) bool {
	take := func(from *[]byte) ([]byte, bool) {
		n, size := binary.Uvarint(encoded)
		if size <= 0 {
			return nil, false
		}
		encoded = encoded[size:]
		if n > uint64(len(*from)) {
			return nil, false
		}
		taken := (*from)[:n]
		*from = (*from)[n:]
		return taken, true
	}
	for len(encoded) > 0 {
		literal, ok := take(&encoded)
		if !ok {
			return false
		}
		f(literal)
		if _, ok = take(&after); !ok { // skipped
			return false
		}
		run, ok := take(&after)
		if !ok {
			return false
		}
		f(run)
	}
	return true
}
