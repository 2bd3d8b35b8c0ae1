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
	rows    atomic.Int64
}

// maxMemoRows bounds the characters whose pairs with others are remembered, of some 600 bytes each: more than a few
// languages have. Strings with pairs beyond it are weighed by the tables.
const maxMemoRows = 512

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

// letter is what the memo knows of the character r that stands behind the one at place previous (-1: behind none or a
// number); nil if its weights depend on more than itself. It finds out what is not known yet.
func (m *letterMemo) letter(c *collation, previous int, r rune) (weights *letterWeights, index int) {
	if index = memoIndex(r); index < 0 {
		return nil, index
	}
	if weights = m.letters[index].Load(); weights == nil {
		weights = m.learn(c.all, index)
	}
	if weights.alone || previous >= 0 && !m.independent(c.all, previous, index) {
		return nil, index
	}
	return weights, index
}

// weigh is w.weigh for a string without what depends on its surroundings; it reports whether s is one.
func (m *letterMemo) weigh(c *collation, w *weigher, s []byte) bool {
	w.reset()
	previous := -1
	for i := 0; i < len(s); {
		r, size := decode(s[i:])
		if c.numeric && digitOf(r) >= 0 {
			n := w.number(c, s[i:])
			w.normal = append(w.normal, s[i:i+n]...) // digits have no other form
			i, previous = i+n, -1
			continue
		}
		weights, index := m.letter(c, previous, r)
		if weights == nil {
			return false
		}
		w.addLetter(c, weights)
		i, previous = i+size, index
	}
	return true
}

// decode reads the first character of s.
func decode(s []byte) (r rune, size int) {
	if s[0] < utf8.RuneSelf {
		return rune(s[0]), 1
	}
	return utf8.DecodeRune(s)
}

// addLetter appends the weights of a character.
func (w *weigher) addLetter(c *collation, weights *letterWeights) {
	w.letters = append(w.letters, weights.letters...)
	if !c.levels(2) {
		return
	}
	w.accents = append(w.accents, weights.accents...)
	w.cases = append(w.cases, weights.cases...)
	if c.levels(4) {
		w.shifted = append(w.shifted, weights.shifted...)
		w.normal = append(w.normal, weights.normal...)
	}
}

// compareLetters compares s with the letters of a key as far as they are alike. decided is false where they are to the
// end, or where the memo cannot tell.
func (m *letterMemo) compareLetters(c *collation, s, key []byte) (order int, decided bool) {
	previous := -1
	for i := 0; i < len(s); {
		r, size := decode(s[i:])
		if c.numeric && digitOf(r) >= 0 {
			return order, order != 0
		}
		weights, index := m.letter(c, previous, r)
		if weights == nil {
			return 0, false
		}
		if order != 0 {
			return order, true // the letter behind the first difference is known not to change it
		}
		n := min(len(weights.letters), len(key))
		order = bytes.Compare(weights.letters, key[:n])
		i, previous, key = i+size, index, key[n:]
	}
	if order == 0 && len(key) >= 2 && key[0]|key[1] != 0 {
		return -1, true // the key has letters more
	}
	return order, order != 0
}

// memoRune is the character at a place.
func memoRune(index int) rune {
	if index < memoLow {
		return rune(index)
	}
	return rune(index - memoLow + memoHigh)
}

// learn asks for the weights of a character. c has all levels, as in independent.
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

// independent reports whether two characters in a row have the weights of the two.
func (m *letterMemo) independent(c *collation, a, b int) bool {
	row := m.pairs[a].Load()
	if row == nil {
		if m.rows.Add(1) > maxMemoRows {
			return false
		}
		m.pairs[a].CompareAndSwap(nil, new(memoRow))
		row = m.pairs[a].Load()
	}
	word, shift := &row[b/32], b%32*2
	state := word.Load() >> shift & 3
	if state == 0 {
		pair := utf8.AppendRune(utf8.AppendRune(nil, memoRune(a)), memoRune(b))
		w := c.weigher()
		w.weigh(c, pair)
		together := w.appendTo(nil, c)
		w.reset()
		w.addLetter(c, m.letters[a].Load())
		w.addLetter(c, m.letters[b].Load())
		state = pairJoined
		if bytes.Equal(w.appendTo(nil, c), together) {
			state = pairIndependent
		}
		c.release(w)
		word.Or(state << shift)
	}
	return state == pairIndependent
}
