package matcher

import (
	"math"
	"strconv"
)

// maxPlainInteger is the largest integer that every JavaScript client reads exactly.
const maxPlainInteger = 1<<53 - 1

// maxFastDigits is how many digits always fit into 64 bits.
const maxFastDigits = 18

// powersOfTen are those that a double holds exactly, up to the digits that a fast number can have.
var powersOfTen = [maxFastDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// number parses a number: an integer within 64 bits is an int64, all else a double.
func (p *textParser) number() bool {
	t, i := p.text, p.at
	negative := t[i] == '-'
	if negative {
		i++
	}
	digits, u := i, uint64(0)
	for i < len(t) && t[i]-'0' <= 9 {
		u = u*10 + uint64(t[i]-'0')
		i++
	}
	switch {
	case i == digits:
		p.at = i
		return p.unexpected("a digit")
	case t[digits] == '0' && i > digits+1:
		return p.fail("a number begins with a superfluous 0 at byte %d; leave it out", digits)
	case i < len(t) && (t[i] == '.' || t[i]|0x20 == 'e'):
		return p.double(digits, i, u)
	case i-digits > maxFastDigits:
		return p.longInteger(i)
	}
	v := int64(u)
	if negative {
		v = -v
	}
	return p.integer(i, v, negative)
}

// integer adds the integer whose literal ends at end.
func (p *textParser) integer(end int, v int64, negative bool) bool {
	n := p.push(KindInt64)
	if n == nil {
		return false
	}
	n.number, n.end = uint64(v), uint32(end)
	p.at = end
	if v >= -maxPlainInteger && v <= maxPlainInteger && (v != 0 || !negative) {
		n.flags = flagRelaxed
	} else {
		p.impure++
	}
	return true
}

// longInteger adds the integer of many digits that ends at end. Beyond 64 bits it is a double.
func (p *textParser) longInteger(end int) bool {
	literal := p.text[p.at:end]
	if v, ok := parseInteger(literal); ok {
		return p.integer(end, v, literal[0] == '-')
	}
	p.impure++ // written with a fraction, so that it stays a double
	return p.parsedDouble(end, 0)
}

// double adds the number whose integer part u, of the digits from that index on, ends at i with a point or an e.
func (p *textParser) double(digits, i int, u uint64) bool {
	t, point := p.text, i
	if t[i] == '.' {
		for i++; i < len(t) && t[i]-'0' <= 9; i++ {
			u = u*10 + uint64(t[i]-'0')
		}
		places := i - point - 1
		plain := i >= len(t) || t[i]|0x20 != 'e'
		if plain && places > 0 && i-digits <= maxFastDigits && u < 1<<53 {
			// Both are doubles, so that their quotient is the double nearest to the number.
			f := float64(u) / powersOfTen[places]
			if t[p.at] == '-' {
				f = -f
			}
			return p.addDouble(i, f, flagRelaxed)
		}
	}
	end := p.fraction(point)
	return end >= 0 && p.parsedDouble(end, flagRelaxed)
}

// parsedDouble adds the double nearest to the literal that ends at end.
func (p *textParser) parsedDouble(end int, flags uint8) bool {
	literal := p.text[p.at:end]
	f, err := strconv.ParseFloat(string(literal), 64)
	if err != nil {
		return p.fail("the number %s lies beyond the range of a double; use {\"$numberDecimal\":\"...\"}, or a string", shorten(literal))
	}
	return p.addDouble(end, f, flags)
}

func (p *textParser) addDouble(end int, f float64, flags uint8) bool {
	n := p.push(KindDouble)
	if n == nil {
		return false
	}
	n.number, n.end, n.flags = math.Float64bits(f), uint32(end), flags
	p.at = end
	return true
}

// fraction scans what may follow the integer part of a number; -1 if it is malformed.
func (p *textParser) fraction(i int) int {
	t := p.text
	run := func() bool {
		from := i
		for i < len(t) && t[i]-'0' <= 9 {
			i++
		}
		if i == from {
			p.at = i
			p.unexpected("a digit")
		}
		return i > from
	}
	if t[i] == '.' {
		i++
		if !run() {
			return -1
		}
	}
	if i < len(t) && t[i]|0x20 == 'e' {
		i++
		if i < len(t) && (t[i] == '+' || t[i] == '-') {
			i++
		}
		if !run() {
			return -1
		}
	}
	return i
}

// parseInteger reads an optional minus and decimal digits; ok is false for anything else and beyond 64 bits.
func parseInteger(b []byte) (v int64, ok bool) {
	digits := b
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 40 {
		return 0, false
	}
	var u uint64
	for _, c := range digits {
		c -= '0'
		if c > 9 || u > (1<<63)/10 {
			return 0, false
		}
		u = u*10 + uint64(c)
		if u > 1<<63 {
			return 0, false
		}
	}
	switch negative := len(digits) != len(b); {
	case negative:
		return -int64(u), true
	case u == 1<<63:
		return 0, false
	}
	return int64(u), true
}
