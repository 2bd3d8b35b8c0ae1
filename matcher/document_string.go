package matcher

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// textString is a decoded string: where it lies, in the text or in the arena.
type textString struct {
	offset, length uint32
	inArena        bool
}

func (s textString) place() uint64 { return uint64(s.offset)<<32 | uint64(s.length) }

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// str parses the string whose opening quote is here. Eight bytes at a time it looks for a quote, a backslash, a control
// character or a byte beyond ASCII. A byte of such a word may seem to be one of them, but only behind one that is.
func (p *textParser) str() (textString, bool) {
	t, i := p.text, p.at+1
	start := i
	for len(t)-i >= 8 {
		w := binary.LittleEndian.Uint64(t[i:])
		quote, slash := w^(everyByte*'"'), w^(everyByte*'\\')
		hit := ((quote - everyByte) | (slash - everyByte) | (w - everyByte*0x20) | w) & highBits
		if hit == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(hit) >> 3
		if t[i] != '"' {
			break
		}
		p.at = i + 1
		return textString{offset: uint32(start), length: uint32(i - start)}, true
	}
	return p.unusual(start, i)
}

// unusual parses the rest, from i on, of a string of which so much is plain ASCII.
func (p *textParser) unusual(start, i int) (textString, bool) {
	t, notASCII := p.text, false
	for {
		for notASCII && i+8 <= len(t) {
			w := binary.LittleEndian.Uint64(t[i:])
			quote, slash := w^(everyByte*'"'), w^(everyByte*'\\')
			hit := ((quote-everyByte)&^quote | (slash-everyByte)&^slash | (w-everyByte*0x20)&^w) & highBits
			if hit != 0 {
				i += bits.TrailingZeros64(hit) >> 3
				break
			}
			i += 8
		}
		if i >= len(t) {
			p.at = len(t)
			return textString{}, p.unexpected("the closing quote of a string")
		}
		switch c := t[i]; {
		case c == '"':
			if notASCII && !utf8.Valid(t[start:i]) {
				return textString{}, p.fail("the string at byte %d is not valid UTF-8; encode it as UTF-8", start-1)
			}
			p.at = i + 1
			return textString{offset: uint32(start), length: uint32(i - start)}, true
		case c == '\\':
			return p.escaped(start, i)
		case c < 0x20:
			p.at = i
			return textString{}, p.fail("a string holds the control character U+%04X at byte %d; write it as \\u%04x", c, i, c)
		case c >= 0x80:
			notASCII = true
		}
		i++
	}
}

// escaped decodes a string with escapes into the arena; the first backslash is at i.
func (p *textParser) escaped(start, i int) (textString, bool) {
	t, from := p.text, len(p.arena)
	p.arena = append(p.arena, t[start:i]...)
	for i < len(t) {
		switch c := t[i]; {
		case c == '"':
			if !utf8.Valid(p.arena[from:]) {
				return textString{}, p.fail("the string at byte %d is not valid UTF-8; encode it as UTF-8", start-1)
			}
			p.at = i + 1
			return textString{offset: uint32(from), length: uint32(len(p.arena) - from), inArena: true}, true
		case c == '\\':
			n, ok := p.escape(i)
			if !ok {
				return textString{}, false
			}
			i += n
		case c < 0x20:
			return textString{}, p.fail("a string holds the control character U+%04X at byte %d; write it as \\u%04x", c, i, c)
		default:
			p.arena = append(p.arena, c)
			i++
		}
	}
	p.at = len(t)
	return textString{}, p.unexpected("the closing quote of a string")
}

var escapeOf = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape decodes the escape at i and returns its length. Half of a surrogate pair is refused: no UTF-8 holds it.
func (p *textParser) escape(i int) (int, bool) {
	t := p.text
	if i+1 >= len(t) {
		p.at = len(t)
		return 0, p.unexpected("the rest of an escape")
	}
	if c := escapeOf[t[i+1]]; c != 0 {
		p.arena = append(p.arena, c)
		return 2, true
	}
	r, ok := hexRune(t, i)
	if !ok {
		return 0, p.fail("a string holds an unknown escape at byte %d; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hex digits", i)
	}
	if !utf16.IsSurrogate(r) {
		p.arena = utf8.AppendRune(p.arena, r)
		return 6, true
	}
	if low, ok := hexRune(t, i+6); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			p.arena = utf8.AppendRune(p.arena, pair)
			return 12, true
		}
	}
	return 0, p.fail("a string holds half of a surrogate pair at byte %d; write both halves, or none", i)
}

// hexRune reads \uXXXX at i.
func hexRune(t []byte, i int) (rune, bool) {
	if i+6 > len(t) || t[i] != '\\' || t[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range t[i+2 : i+6] {
		h, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(h)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
