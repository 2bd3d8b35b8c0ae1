package matcher

import (
	"math"
	"strconv"
)

// maxPlainInteger is the largest integer that every JavaScript client reads exactly.
const maxPlainInteger = 1<<53 - 1

// number parses a number: an integer within 64 bits is an int64, all else a double.
func (p *textParser) number() bool {
	t, i := p.text, p.at
	if t[i] == '-' {
		i++
	}
	digits := i
	for i < len(t) && t[i]-'0' <= 9 {
		i++
	}
	switch {
	case i == digits:
		p.at = i
		return p.unexpected("a digit")
	case t[digits] == '0' && i > digits+1:
		return p.fail("a number begins with a superfluous 0 at byte %d; leave it out", digits)
	}
	integer := true
	if i < len(t) && (t[i] == '.' || t[i]|0x20 == 'e') {
		integer = false
		if i = p.fraction(i); i < 0 {
			return false
		}
	}
	self := p.push(KindDouble)
	if self < 0 {
		return false
	}
	n := &p.tape[self]
	literal := t[p.at:i]
	p.at = i
	n.end = uint32(i)
	if integer {
		if v, ok := parseInteger(literal); ok {
			n.kind, n.number = KindInt64, uint64(v)
			if v >= -maxPlainInteger && v <= maxPlainInteger && (v != 0 || len(literal) == 1) {
				n.flags |= flagRelaxed
			} else {
				p.impure++
			}
			return true
		}
	}
	f, err := strconv.ParseFloat(string(literal), 64)
	if err != nil {
		return p.fail("the number %s lies beyond the range of a double; use {\"$numberDecimal\":\"...\"}, or a string", shorten(literal))
	}
	n.number = math.Float64bits(f)
	if integer {
		p.impure++ // written with a fraction, so that it stays a double
	} else {
		n.flags |= flagRelaxed
	}
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
