package matcher

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"testing"
)

// parseRevisionSlowly is the definition: what String writes, and nothing else.
func parseRevisionSlowly(text string) (r Revision, ok bool) {
	generation, id, found := strings.Cut(text, "-")
	if !found || len(id) != writeIDTextBytes {
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

func FuzzParseRevision(f *testing.F) {
	for _, text := range []string{
		"1-00000000000000000000", "1-vvvvvvvvvvvvvvvvvvvg", "1-vvvvvvvvvvvvvvvvvvvv", "0-00000000000000000000",
		"01-00000000000000000000", "+1-00000000000000000000", "18446744073709551615-0123456789abcdefghig",
		"18446744073709551616-0123456789abcdefghig", "1-0123456789ABCDEFGHIG", "1_00000000000000000000", "-00000000000000000000",
		"", "1-", "1-0000000000000000000", "1-000000000000000000000", "1_1-00000000000000000000", "1-000000000000000000\n0",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := ParseRevision(text)
		want, wantOK := parseRevisionSlowly(text)
		if ok != wantOK || ok && r != want {
			t.Fatalf("%q: %v, %v, want %v, %v", text, r, ok, want, wantOK)
		}
	})
}

func TestRevisionText(t *testing.T) {
	for _, generation := range []uint64{1, 9, 10, math.MaxUint64} {
		for n := range uint64(1000) {
			var w WriteID
			binary.BigEndian.PutUint64(w[4:], n*0x9e3779b97f4a7c15)
			binary.BigEndian.PutUint32(w[:], uint32(n*0x85ebca6b))
			r := Revision{generation, w}
			if again, ok := ParseRevision(r.String()); !ok || again != r {
				t.Fatalf("%v was read as %v, %v", r, again, ok)
			}
		}
	}
	text := Revision{math.MaxUint64, WriteID{1, 2, 3}}.String()
	if n := testing.AllocsPerRun(100, func() { ParseRevision(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
