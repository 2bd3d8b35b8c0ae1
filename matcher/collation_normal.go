package matcher

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// appendNormalForm appends s in NFD, as norm.NFD.Append does. It takes no room of its own, but where there are more than maxMarks
// marks in a row.
func appendNormalForm(dst, s []byte) []byte {
	length := len(dst)
	dst, ok := appendNFD(dst, s)
	if !ok {
		dst = norm.NFD.Append(dst[:length], s...)
	}
	return dst
}

// maxMarks bounds the marks on one letter that are put in order here. Beyond it an invisible letter is put between them
// (UAX #15, "Stream-Safe Text Format").
const maxMarks = 30

// appendNFD is appendNormalForm; it gives up, with false, on more than maxMarks marks in a row.
func appendNFD(dst, s []byte) (_ []byte, ok bool) {
	marks := 0 // how many end dst
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf {
			dst, s, marks = append(dst, s[0]), s[1:], 0
			continue
		}
		r, size := utf8.DecodeRune(s)
		decomposed := norm.NFD.Properties(s).Decomposition()
		switch {
		case r >= hangulFirst && r <= hangulLast:
			for _, letter := range hangulLetters(r) {
				if letter != hangulTail {
					dst = utf8.AppendRune(dst, letter)
				}
			}
			s, marks = s[size:], 0
			continue
		case decomposed == nil:
			decomposed = s[:size]
		}
		s = s[size:]
		for len(decomposed) > 0 {
			_, one := utf8.DecodeRune(decomposed)
			class := norm.NFD.Properties(decomposed).CCC()
			dst, decomposed = append(dst, decomposed[:one]...), decomposed[one:]
			if class == 0 {
				marks = 0
				continue
			}
			if marks++; marks > maxMarks {
				return dst, false
			}
			moveMark(dst, len(dst)-one, marks-1, class)
		}
	}
	return dst, true
}

// moveMark moves the last mark of text, at a place, before those of greater classes among the marks before it.
func moveMark(text []byte, at, marks int, class uint8) {
	to := at
	for range marks {
		_, size := utf8.DecodeLastRune(text[:to])
		if norm.NFD.Properties(text[to-size:]).CCC() <= class {
			break
		}
		to -= size
	}
	if to == at {
		return
	}
	var mark [utf8.UTFMax]byte
	n := copy(mark[:], text[at:])
	copy(text[to+n:], text[to:at])
	copy(text[to:], mark[:n])
}

// Syllables of Hangul are made of two or three letters.
const (
	hangulFirst, hangulLast     = 0xAC00, 0xD7A3
	hangulLead, hangulVowel     = 0x1100, 0x1161
	hangulTail                  = 0x11A7 // none; those from the next one on are
	hangulVowels, hangulEndings = 21, 28
)

// hangulLetters are those of a syllable; the last one may be hangulTail.
func hangulLetters(syllable rune) [3]rune {
	s := syllable - hangulFirst
	return [...]rune{hangulLead + s/(hangulVowels*hangulEndings), hangulVowel + s/hangulEndings%hangulVowels, hangulTail + s%hangulEndings}
}
