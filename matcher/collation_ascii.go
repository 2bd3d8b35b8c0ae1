package matcher

import (
	"bytes"
	"cmp"
	"encoding/binary"
)

// asciiWeights are the weights of the characters of ASCII, level by level; 0 is none. In most languages the weights of
// a string of ASCII are those of its characters, one after the other: it needs no look into the tables.
type asciiWeights [4][128]uint16

// The levels of asciiWeights.
const (
	asciiLetters = iota
	asciiAccents
	asciiCases
	asciiShifted
)

// asciiNotShifted stands in asciiShifted for what is not shifted: above all that is, as notShifted in a key.
const asciiNotShifted = 0xFFFF

// newASCIIWeights asks the tables for each character and each pair of them; it is nil if a pair is more than its
// characters.
func newASCIIWeights(w *weigher, c *collation) *asciiWeights {
	a := new(asciiWeights)
	for b := range byte(128) {
		if w.weigh(c, []byte{b}); len(w.letters) > 2 || len(w.accents) > 1 || len(w.cases) > 1 || len(w.shifted) > 2 {
			return nil
		}
		if len(w.letters) == 2 {
			a[asciiLetters][b] = binary.BigEndian.Uint16(w.letters)
		}
		for _, weight := range w.accents {
			if weight != plainAccent { // all alike, so that their direction makes no difference
				return nil
			}
			a[asciiAccents][b] = weight
		}
		for _, weight := range w.cases {
			a[asciiCases][b] = uint16(weight)
		}
		switch len(w.shifted) {
		case 1:
			a[asciiShifted][b] = asciiNotShifted
		case 2:
			a[asciiShifted][b] = binary.BigEndian.Uint16(w.shifted)
		}
	}
	var got, want []byte
	for x := range byte(128) {
		for y := range byte(128) {
			pair := []byte{x, y}
			w.weigh(c, pair)
			got, want = a.appendKey(got[:0], c, pair), w.appendTo(want[:0], c)
			if string(got) != string(want) {
				return nil
			}
		}
	}
	return a
}

// isASCII reports whether s is ASCII.
func isASCII(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s)&highBits != 0 {
			return false
		}
		s = s[8:]
	}
	for _, b := range s {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// appendKey is collation.appendKey for a string of ASCII.
func (a *asciiWeights) appendKey(dst []byte, c *collation, s []byte) []byte {
	dst = append(a.appendLetters(dst, c, s), 0, 0)
	if c.levels(2) {
		dst = append(a.appendPlain(dst, c, s, asciiAccents, plainAccent), 0)
	}
	if c.levels(3) {
		dst = append(a.appendPlain(dst, c, s, asciiCases, plainCase), 0)
	}
	if c.levels(4) && c.shifted {
		dst = append(a.appendShifted(dst, c, s), 0, 0)
	}
	if c.levels(5) {
		dst = appendKeyBytes(dst, s)
	}
	return dst
}

func isDigit(b byte) bool { return b-'0' < 10 }

func (a *asciiWeights) appendLetters(dst []byte, c *collation, s []byte) []byte {
	for i := 0; i < len(s); {
		b := s[i] & 0x7F
		if c.numeric && isDigit(b) {
			var n int
			dst, n = appendNumberWeights(dst, c, s[i:])
			i += n
			continue
		}
		if weight := a[asciiLetters][b]; weight != 0 {
			dst = append(dst, byte(weight>>8), byte(weight))
		}
		i++
	}
	return dst
}

// appendPlain appends a level with one byte for each weight.
func (a *asciiWeights) appendPlain(dst []byte, c *collation, s []byte, level int, number byte) []byte {
	weights := &a[level]
	for i := 0; i < len(s); i++ {
		b := s[i] & 0x7F
		weight := byte(weights[b])
		if c.numeric && isDigit(b) {
			weight = number
			for i+1 < len(s) && isDigit(s[i+1]) {
				i++
			}
		}
		if weight != 0 {
			dst = append(dst, weight)
		}
	}
	return dst
}

func (a *asciiWeights) appendShifted(dst []byte, c *collation, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		b := s[i] & 0x7F
		weight := a[asciiShifted][b]
		if c.numeric && isDigit(b) {
			weight = asciiNotShifted
			for i+1 < len(s) && isDigit(s[i+1]) {
				i++
			}
		}
		switch {
		case weight == asciiNotShifted:
			dst = append(dst, notShifted)
		case weight != 0:
			dst = append(dst, byte(weight>>8), byte(weight))
		}
	}
	return dst
}

// walks reports whether s can be compared weight by weight, without a key.
func (c *collation) walks(s []byte) bool { return c.ascii != nil && !c.numeric && isASCII(s) }

// compare is the order of two strings of ASCII; most are told apart by their first letters. Numbers are not known to it.
func (a *asciiWeights) compare(c *collation, x, y []byte) int {
	order := a.compareLevel(asciiLetters, x, y)
	if order == 0 && c.levels(2) {
		order = a.compareLevel(asciiAccents, x, y)
	}
	if order == 0 && c.levels(3) {
		order = a.compareLevel(asciiCases, x, y)
	}
	if order == 0 && c.levels(4) && c.shifted {
		order = a.compareLevel(asciiShifted, x, y)
	}
	if order == 0 && c.levels(5) {
		order = bytes.Compare(x, y)
	}
	return order
}

// compareLevel compares the weights of one level, the end of a string being below them.
func (a *asciiWeights) compareLevel(level int, x, y []byte) int {
	weights := &a[level]
	i, j := 0, 0
	for {
		var v, w uint16
		for ; v == 0 && i < len(x); i++ {
			v = weights[x[i]&0x7F]
		}
		for ; w == 0 && j < len(y); j++ {
			w = weights[y[j]&0x7F]
		}
		if v != w || v == 0 {
			return cmp.Compare(v, w)
		}
	}
}
