package matcher

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"testing"
)

func TestVectorText(t *testing.T) {
	for _, v := range []Vector{
		{Incarnation: 1, Next: []uint64{0, 0}},
		{Incarnation: math.MaxUint64, Next: []uint64{math.MaxUint64, 1, 300}},
		{Next: make([]uint64, MaxLogPartitions+1)},
	} {
		got, err := ParseVector(v.String())
		if err != nil || !got.Equal(v) {
			t.Errorf("%v comes back as %v, %v", v, got, err)
		}
	}
}

// Every single changed character of a position is noticed.
func TestVectorTextChecked(t *testing.T) {
	text := Vector{Incarnation: 42, Next: []uint64{3, 1000}}.String()
	for i := range text {
		for _, c := range []byte("AZaz09-_=") {
			if text[i] == c {
				continue
			}
			changed := []byte(text)
			changed[i] = c
			v, err := ParseVector(string(changed))
			var e *Error
			if !errors.As(err, &e) || e.Code != CodePositionInvalid {
				t.Errorf("%q with %q at %d: %v, %v", text, c, i, v, err)
			}
		}
	}
}

// One vector has one text.
func TestVectorTextIsUnique(t *testing.T) {
	raw := []byte{vectorVersion, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0x83, 0x00, 5} // 3 in two bytes
	raw = binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	text := Vector{Incarnation: 1, Next: []uint64{3, 5}}.String()
	for _, other := range []string{base64.RawURLEncoding.EncodeToString(raw), text + "\n", text[:4] + "\r\n" + text[4:], text + "="} {
		if v, err := ParseVector(other); err == nil {
			t.Errorf("%q is read as %v", other, v)
		}
	}
	if v, err := ParseVector(text); err != nil || v.String() != text {
		t.Errorf("%q is read as %v, %v", text, v, err)
	}
}

func TestVectorCovers(t *testing.T) {
	v := Vector{Incarnation: 1, Next: []uint64{2, 5}}
	for _, c := range []struct {
		other Vector
		want  bool
	}{
		{v, true},
		{Vector{Incarnation: 1, Next: []uint64{2, 4}}, true},
		{Vector{Incarnation: 1, Next: []uint64{3, 4}}, false},
		{Vector{Incarnation: 2, Next: []uint64{2, 4}}, false},
		{Vector{Incarnation: 1, Next: []uint64{2}}, false},
	} {
		if got := v.Covers(c.other); got != c.want {
			t.Errorf("%v covers %v: %v", v, c.other, got)
		}
	}
	w := v.Clone()
	w.Advance(Position{Partition: 1, Offset: 9})
	w.Advance(Position{Partition: 1, Offset: 3})
	if w.Next[1] != 10 || v.Next[1] != 5 {
		t.Errorf("advanced to %v, its origin to %v", w, v)
	}
}

func FuzzParseVector(f *testing.F) {
	f.Add(Vector{Incarnation: 1, Next: []uint64{1, 2}}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseVector(text)
		if err != nil {
			return
		}
		if again, err := ParseVector(v.String()); err != nil || !again.Equal(v) {
			t.Fatalf("%q is %v, which comes back as %v, %v", text, v, again, err)
		}
	})
}

func TestRevision(t *testing.T) {
	r := Revision{Generation: 12, WriteID: WriteID{1, 2, 3, 255}}
	if got, ok := ParseRevision(r.String()); !ok || got != r {
		t.Errorf("%v comes back as %v, %v", r, got, ok)
	}
	for _, text := range []string{"", "1", "1-", "0-" + r.WriteID.String(), "-1-" + r.WriteID.String(),
		"01-" + r.WriteID.String(), "1-" + r.WriteID.String() + "0", "1-ABCDEFGHIJKLMNOPQRST"} {
		if _, ok := ParseRevision(text); ok {
			t.Errorf("%q was read as a revision", text)
		}
	}
}
