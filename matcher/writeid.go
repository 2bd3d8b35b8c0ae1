package matcher

import (
	"encoding/base32"
	"strconv"
)

// WriteID names one attempt to write, uniquely. The zero WriteID means "no document".
type WriteID [12]byte

var writeIDText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// IsZero reports whether w names no write.
func (w WriteID) IsZero() bool { return w == WriteID{} }

func (w WriteID) String() string { return writeIDText.EncodeToString(w[:]) }

// Revision is what `_rev` holds: how many writes made the document, and the last one's write id.
type Revision struct {
	Generation uint64
	WriteID    WriteID
}

// String returns `<generation>-<write id>`.
func (r Revision) String() string {
	var room [42]byte // 20 digits at most, a hyphen, 20 characters
	return string(r.AppendText(room[:0]))
}

// AppendText appends what String returns to dst.
func (r Revision) AppendText(dst []byte) []byte {
	dst = append(strconv.AppendUint(dst, r.Generation, 10), '-')
	return writeIDText.AppendEncode(dst, r.WriteID[:])
}

const writeIDTextBytes = 20

// base32Digits is the value of each character of a write id, 0xff for all others.
var base32Digits = func() (digits [256]byte) {
	for i := range digits {
		digits[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdefghijklmnopqrstuv") {
		digits[c] = byte(i)
	}
	return digits
}()

// ParseRevision reads what Revision.String writes; ok is false for any other text. It lies on the path of every write.
func ParseRevision(text string) (r Revision, ok bool) {
	hyphen := len(text) - writeIDTextBytes - 1
	if hyphen < 1 || hyphen > 20 || text[hyphen] != '-' || text[0] == '0' || text[0] == '+' {
		return Revision{}, false
	}
	generation, err := strconv.ParseUint(text[:hyphen], 10, 64)
	if err != nil {
		return Revision{}, false
	}
	r.Generation = generation
	bits, held, out := uint(0), uint(0), 0
	for i := hyphen + 1; i < len(text); i++ {
		digit := base32Digits[text[i]]
		if digit == 0xff {
			return Revision{}, false
		}
		bits, held = bits<<5|uint(digit), held+5
		if held >= 8 {
			held -= 8
			if out == len(r.WriteID) {
				return Revision{}, false
			}
			r.WriteID[out] = byte(bits >> held)
			out++
		}
	}
	if bits&(1<<held-1) != 0 { // String leaves the last bits 0
		return Revision{}, false
	}
	return r, true
}
