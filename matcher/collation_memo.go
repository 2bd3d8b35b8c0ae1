package matcher

import (
	"bytes"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// letterMemo remembers the weights of characters of the common alphabets (Latin, Greek, Cyrillic, Hebrew), and of which two in a
// row the weights are not those of the two. A string without such a pair, and without combining marks, has the weights of
// its characters, one after the other. (The rules of a language for three letters and more all hold one for two of
// them: a test looks for others.) The tables need to be asked for a character or pair once, which costs time and memory.
//
// It only grows, up to the size of its arrays, and is safe for concurrent use: whoever misses an entry finds it out.
type letterMemo struct {
	letters [memoRunes]atomic.Pointer[letterWeights]
	pairs   [memoRunes]atomic.Pointer[memoRow] // by the first character
}

// A memo covers the characters below memoLow and those from memoHigh to memoEnd: more of Latin and Greek, and the
// punctuation of printed text.
const (
	memoLow   = 0x600
	memoHigh  = 0x1E00
	memoEnd   = 0x2100
	memoRunes = memoLow + memoEnd - memoHigh
)

// memoIndex is the place of a character in a memo, -1 if it has none.
func memoIndex(r rune) int {
	switch {
	case r < memoLow:
		return int(r)
	case r >= memoHigh && r < memoEnd:
		return int(r) - memoHigh + memoLow
	}
	return -1
}

// letterWeights are the weights of one character, as in a weigher.
type letterWeights struct {
	letters []byte
	accents []uint16
	cases   []byte
	shifted []byte
	normal  []byte
	alone   bool // weights depend on what stands around: marks and what else has no letter's weight of its own
}

// memoRow has two bits for each second character of a pair.
type memoRow [memoRunes / 32]atomic.Uint64

const (
	pairIndependent = 1
	pairJoined      = 2
)

// covers reports whether the weights of s are those of its characters. It finds out what is not known yet.
func (m *letterMemo) covers(c *collation, s []byte) bool {
	previous := -1
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(s[i:])
		}
		i += size
		if c.numeric && digitOf(r) >= 0 {
			previous = -1
			continue
		}
		index := memoIndex(r)
		if index < 0 {
			return false
		}
		weights := m.letters[index].Load()
		if weights == nil {
			weights = m.learn(c, index)
		}
		if weights.alone || previous >= 0 && !m.independent(c, previous, index) {
			return false
		}
		previous = index
	}
	return true
}

// memoRune is the character at a place.
func memoRune(index int) rune {
	if index < memoLow {
		return rune(index)
	}
	return rune(index - memoLow + memoHigh)
}

func (m *letterMemo) learn(c *collation, index int) *letterWeights {
	w := c.weigher()
	r := memoRune(index)
	w.weigh(c, utf8.AppendRune(nil, r))
	weights := &letterWeights{
		letters: bytes.Clone(w.letters), accents: append([]uint16(nil), w.accents...),
		cases: bytes.Clone(w.cases), shifted: bytes.Clone(w.shifted), normal: bytes.Clone(w.normal),
	}
	weights.alone = unicode.Is(unicode.M, r) ||
		len(weights.letters) == 0 && len(weights.accents)+len(weights.cases) > 0
	c.release(w)
	m.letters[index].Store(weights)
	return weights
}

func (m *letterMemo) independent(c *collation, a, b int) bool {
	row := m.pairs[a].Load()
	if row == nil {
		m.pairs[a].CompareAndSwap(nil, new(memoRow))
		row = m.pairs[a].Load()
	}
	word, shift := &row[b/32], b%32*2
	state := word.Load() >> shift & 3
	if state == 0 {
		pair := utf8.AppendRune(utf8.AppendRune(nil, memoRune(a)), memoRune(b))
		w := c.weigher()
		w.weigh(c, pair)
		state = pairJoined
		if bytes.Equal(w.appendTo(nil, c), m.appendKey(nil, c, pair)) {
			state = pairIndependent
		}
		c.release(w)
		word.Or(state << shift)
	}
	return state == pairIndependent
}

// appendKey is collation.appendKey for a string that the memo covers.
func (m *letterMemo) appendKey(dst []byte, c *collation, s []byte) []byte {
	w := c.weigher()
	w.reset()
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(s[i:])
		}
		if c.numeric && digitOf(r) >= 0 {
			n := w.number(c, s[i:])
			w.normal = append(w.normal, s[i:i+n]...) // digits have no other form
			i += n
			continue
		}
		i += size
		weights := m.letters[memoIndex(r)].Load()
		w.letters = append(w.letters, weights.letters...)
		w.accents = append(w.accents, weights.accents...)
		w.cases = append(w.cases, weights.cases...)
		w.shifted = append(w.shifted, weights.shifted...)
		w.normal = append(w.normal, weights.normal...)
	}
	dst = w.appendTo(dst, c)
	c.releaseAfter(w, s)
	return dst
}
