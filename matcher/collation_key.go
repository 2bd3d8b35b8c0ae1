package matcher

import (
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/collate"
	"golang.org/x/text/unicode/norm"
)

// A collation key has one part for each level that counts (UTS #10, "Form Sort Key"). Each part is a list of weights and
// its end, which lies below all weights, so that the shorter list is the lesser one. Weights and ends can be told from
// one another wherever they begin, so no key is the beginning of another.
//
//	letters    2 to 4 bytes, of which the first says how many; a number is the weight before that of the digits, 0xFF
//	           (which begins no weight), how many digits it has and the digits                end: two zeros
//	accents    1 byte, or 0xFF and 2 bytes                                                    end: a zero
//	case       1 byte                                                                         end: a zero
//	shifted    as letters, or 0xFF for what is not shifted                                    end: two zeros
//	identity   the string in NFD, as in a sort key without a collation
//
// Strings are weighed in NFD: those that differ only in how their characters are composed are equal, at the last level
// too.

// appendKey appends the collation key of s. It allocates nothing while dst has room.
func (c *collation) appendKey(dst, s []byte) []byte {
	if c.ascii != nil && isASCII(s) {
		return c.ascii.appendKey(dst, c, s)
	}
	w := c.weigher()
	if !c.memo.weigh(c, w, s) {
		w.weigh(c, s)
	}
	dst = w.appendTo(dst, c)
	if len(s) <= maxPooledBytes/weigherBytesPerByte {
		c.release(w)
	}
	return dst
}

// weigherBytesPerByte is about how much room a weigher takes for each byte of a string.
const weigherBytesPerByte = 16

// weigher finds the weights of a string, level by level. It serves one string at a time.
type weigher struct {
	collator *collate.Collator
	buffer   collate.Buffer

	letters []byte   // as in the key
	accents []uint16 // from the beginning of the string on
	cases   []byte
	shifted []byte // as in the key
	normal  []byte // the string in NFD, which is what the tables are about
	plain   []byte // normal as it is shown to the tables
}

func newWeigher(a *alphabet) *weigher { return &weigher{collator: collate.New(a.tables)} }

func (a *alphabet) weigher() *weigher { return a.weighers.Get().(*weigher) }

func (a *alphabet) release(w *weigher) { a.weighers.Put(w) }

// levels reports whether the level counts.
func (c *collation) levels(level int) bool { return c.strength >= level }

func (w *weigher) reset() {
	w.letters, w.accents, w.cases, w.shifted = w.letters[:0], w.accents[:0], w.cases[:0], w.shifted[:0]
	w.normal = w.normal[:0]
}

// weigh finds the weights of s.
func (w *weigher) weigh(c *collation, s []byte) {
	w.reset()
	w.normal = appendNormalForm(w.normal, s)
	s = w.respell(c.alphabet)
	for len(s) > 0 {
		n := len(s)
		if c.numeric {
			n = textBytes(s)
		}
		w.addText(c.alphabet, s[:n])
		if s = s[n:]; len(s) > 0 {
			s = s[w.number(c, s):]
		}
	}
}

// addText appends the weights of a text in NFD. Cyrillic letters and the marks on them that are no letter of the language
// together are weighed one after the other, since the tables take many more of them for letters than today's do.
func (w *weigher) addText(a *alphabet, s []byte) {
	for len(s) > 0 {
		n := a.cut(s)
		w.buffer.Reset()
		w.add(a, w.collator.Key(&w.buffer, s[:n]))
		s = s[n:]
	}
}

// cut is how many bytes of s stand before the first mark that is to be weighed apart from the letter before it.
func (a *alphabet) cut(s []byte) int {
	for i := 0; i < len(s); {
		r, size := decode(s[i:])
		i += size
		cyrillic := r >= firstCyrillic && r <= lastCyrillic
		if !cyrillic && a.apart == nil {
			continue
		}
		marks, joined, apart := i, false, cyrillic
		for i < len(s) {
			mark, size := decode(s[i:])
			if mark < firstMark || mark > lastMark {
				break
			}
			pair := [2]rune{r, mark}
			joined = joined || slices.Contains(a.joined, pair)
			apart = apart || slices.Contains(a.apart, pair)
			i += size
		}
		if i > marks && apart && !joined {
			return marks
		}
	}
	return len(s)
}

const (
	firstCyrillic, lastCyrillic = 0x400, 0x52F
	firstMark, lastMark         = 0x300, 0x36F
)

// respell is the normal form as it is shown to the tables. The decimal digits of all scripts are those of ASCII: they differ
// in nothing, which the tables do not know. Those that are another form of a digit of ASCII, such as a wide one, stay what
// they are.
func (w *weigher) respell(a *alphabet) []byte {
	if isASCII(w.normal) {
		return w.normal
	}
	w.plain = w.plain[:0]
	for i := 0; i < len(w.normal); {
		r, size := decode(w.normal[i:])
		if digit := digitOf(r); digit >= 0 && norm.NFKD.Properties(w.normal[i:]).Decomposition() == nil {
			w.plain = append(w.plain, '0'+byte(digit))
		} else if place := slices.IndexFunc(a.respell, func(of respelling) bool { return of.letter == r }); place >= 0 {
			w.plain = append(w.plain, a.respell[place].text...)
		} else {
			w.plain = append(w.plain, w.normal[i:i+size]...)
		}
		i += size
	}
	return w.plain
}

// add appends the weights of a key that the tables' package made: the letters, two zeros, two bytes for each accent, two
// zeros, one byte for each case, one zero, what is shifted (or 0xFF).
func (w *weigher) add(a *alphabet, key []byte) {
	i := 0
	for {
		weight, n := readLetter(key[i:])
		if n == 0 {
			break
		}
		w.letters = appendLetter(w.letters, a.move(weight))
		i += n
	}
	for i += 2; i+1 < len(key) && key[i]|key[i+1] != 0; i += 2 {
		w.accents = append(w.accents, binary.BigEndian.Uint16(key[i:]))
	}
	for i += 2; i < len(key) && key[i] != 0; i++ {
		w.cases = append(w.cases, key[i])
	}
	if i < len(key) { // only where something can be shifted
		w.shifted = append(w.shifted, key[i+1:]...)
	}
}

// appendTo appends the key of the string that was weighed.
func (w *weigher) appendTo(dst []byte, c *collation) []byte {
	dst = append(append(dst, w.letters...), 0, 0)
	if c.levels(2) {
		if c.backwards {
			slices.Reverse(w.accents)
		}
		for _, weight := range w.accents {
			dst = appendAccent(dst, weight)
		}
		dst = append(dst, 0)
	}
	if c.levels(3) {
		dst = append(append(dst, w.cases...), 0)
	}
	if c.levels(4) && c.shifted {
		dst = append(append(dst, w.shifted...), 0, 0)
	}
	if c.levels(5) {
		dst = appendKeyBytes(dst, w.normal)
	}
	return dst
}

func appendAccent(dst []byte, weight uint16) []byte {
	if weight < 0xFF {
		return append(dst, byte(weight))
	}
	return binary.BigEndian.AppendUint16(append(dst, 0xFF), weight)
}

// The weights of a number beside its letters': those of any plain letter.
const (
	plainAccent  = 0x20
	plainCase    = 0x02
	notShifted   = 0xFF
	numberMarker = 0xFF
)

// textBytes is how many bytes stand before the first digit.
func textBytes(s []byte) int {
	for i := 0; i < len(s); {
		r, size := decode(s[i:])
		if digitOf(r) >= 0 {
			return i
		}
		i += size
	}
	return len(s)
}

// digitOf is the value of a decimal digit of any script, -1 for another character. Unicode has the ten digits of a script
// side by side.
func digitOf(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r):
		return -1
	}
	for _, of := range unicode.Nd.R16 {
		if r <= rune(of.Hi) {
			return int(r-rune(of.Lo)) % 10
		}
	}
	for _, of := range unicode.Nd.R32 {
		if r <= rune(of.Hi) {
			return int(r-rune(of.Lo)) % 10
		}
	}
	return -1
}

// number appends the weights of the number that s begins with, and returns how many bytes that is.
func (w *weigher) number(c *collation, s []byte) int {
	var n int
	w.letters, n = appendNumberWeights(w.letters, c, s)
	w.accents = append(w.accents, plainAccent)
	w.cases = append(w.cases, plainCase)
	w.shifted = append(w.shifted, notShifted)
	return n
}

// appendNumberWeights appends the number that s begins with: it has the more digits the greater it is, zeros at its
// beginning left out.
func appendNumberWeights(dst []byte, c *collation, s []byte) (_ []byte, n int) {
	dst = append(binary.BigEndian.AppendUint16(dst, c.number), numberMarker)
	digits, significant := 0, 0
	for n < len(s) {
		r, size := utf8.DecodeRune(s[n:])
		digit := digitOf(r)
		if digit < 0 {
			break
		}
		if n += size; digit > 0 || significant > 0 {
			significant++
		}
		digits++
	}
	if significant < 0xFF {
		dst = append(dst, byte(significant))
	} else {
		dst = binary.BigEndian.AppendUint32(append(dst, 0xFF), uint32(significant))
	}
	for i, skip := 0, digits-significant; i < n; skip-- {
		r, size := utf8.DecodeRune(s[i:])
		if i += size; skip <= 0 {
			dst = append(dst, byte(digitOf(r)))
		}
	}
	return dst, n
}
