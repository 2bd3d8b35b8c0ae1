package matcher

import (
	"encoding/base32"
	"strconv"
	"strings"
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
	return strconv.FormatUint(r.Generation, 10) + "-" + r.WriteID.String()
}

// ParseRevision reads what Revision.String writes; ok is false for any other text.
func ParseRevision(text string) (r Revision, ok bool) {
	generation, id, found := strings.Cut(text, "-")
	if !found || len(id) != 20 {
		return Revision{}, false
	}
	var err error
	if r.Generation, err = strconv.ParseUint(generation, 10, 64); err != nil || r.Generation == 0 {
		return Revision{}, false
	}
	if n, err := writeIDText.Decode(r.WriteID[:], []byte(id)); err != nil || n != len(r.WriteID) {
		return Revision{}, false
	}
	return r, r.String() == text
}
