package matcher

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// The bounds of a decimal128 (IEEE 754-2008).
const (
	maxDecimalDigits   = 34
	maxDecimalExponent = 6111
	minDecimalExponent = -6176
)

const (
	decimalFinite uint8 = iota
	decimalInfinite
	decimalNaN
)

// decimal is a decimal128: coefficient (hi, lo) * 10^exponent. Its digits are kept as they were written: 1.10 is not
// the same text as 1.1, though they are equal.
type decimal struct {
	hi, lo   uint64
	exponent int16
	class    uint8
	negative bool
}

// decimalBytes is what a decimal takes in an arena.
const decimalBytes = 19

func appendDecimal(dst []byte, d decimal) []byte {
	dst = binary.BigEndian.AppendUint64(dst, d.hi)
	dst = binary.BigEndian.AppendUint64(dst, d.lo)
	dst = binary.BigEndian.AppendUint16(dst, uint16(d.exponent))
	flags := d.class << 1
	if d.negative {
		flags |= 1
	}
	return append(dst, flags)
}

func readDecimal(b []byte) decimal {
	_ = b[decimalBytes-1]
	return decimal{hi: binary.BigEndian.Uint64(b), lo: binary.BigEndian.Uint64(b[8:]),
		exponent: int16(binary.BigEndian.Uint16(b[16:])), class: b[18] >> 1, negative: b[18]&1 != 0}
}

func decimalOf(i int64) decimal {
	if i < 0 {
		return decimal{lo: -uint64(i), negative: true}
	}
	return decimal{lo: uint64(i)}
}

func (d decimal) isZero() bool { return d.class == decimalFinite && d.hi|d.lo == 0 }

// parseDecimal reads a decimal's text. ok is false for a text that is none and for one that a decimal128 cannot hold
// exactly: more than 34 digits, or an exponent out of range.
func parseDecimal(text []byte) (d decimal, ok bool) {
	b := text
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		d.negative = b[0] == '-'
		b = b[1:]
	}
	switch {
	case bytes.EqualFold(b, []byte("nan")):
		return decimal{class: decimalNaN}, true
	case bytes.EqualFold(b, []byte("infinity")), bytes.EqualFold(b, []byte("inf")):
		d.class = decimalInfinite
		return d, true
	}
	exponent, digits, point, zeros := 0, 0, false, 0
	i, any := 0, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c -= '0'; c > 9 {
			break
		}
		any = true
		if point {
			exponent--
		}
		switch {
		case digits == 0 && c == 0: // a leading zero counts only by its place
		case digits < maxDecimalDigits:
			d.shift(c)
			digits++
		case c != 0:
			return d, false
		default:
			zeros++
		}
	}
	exponent += zeros
	if i < len(b) && b[i]|0x20 == 'e' {
		e, valid := parseInteger(bytes.TrimPrefix(b[i+1:], []byte("+")))
		if !valid || bytes.HasPrefix(b[i+1:], []byte("+-")) || e > 1<<20 || e < -1<<20 {
			return d, false
		}
		exponent += int(e)
		i = len(b)
	}
	if !any || i != len(b) {
		return d, false
	}
	return d.fit(exponent)
}

// shift appends a digit to the coefficient.
func (d *decimal) shift(digit byte) {
	over, low := bits.Mul64(d.lo, 10)
	var carry uint64
	d.lo, carry = bits.Add64(low, uint64(digit), 0)
	d.hi = d.hi*10 + over + carry
}

// unshift takes the last digit off the coefficient.
func (d *decimal) unshift() (digit uint64) {
	hi := d.hi / 10
	d.lo, digit = bits.Div64(d.hi%10, d.lo, 10)
	d.hi = hi
	return digit
}

// fit sets the exponent, moving zeros between coefficient and exponent where only that keeps it within bounds.
func (d decimal) fit(exponent int) (decimal, bool) {
	if d.hi|d.lo == 0 {
		d.exponent = int16(min(max(exponent, minDecimalExponent), maxDecimalExponent))
		return d, true
	}
	digits := d.countDigits()
	for ; exponent > maxDecimalExponent && digits < maxDecimalDigits; exponent-- {
		d.shift(0)
		digits++
	}
	for exponent < minDecimalExponent {
		if d.unshift() != 0 {
			return d, false
		}
		exponent++
	}
	d.exponent = int16(exponent)
	return d, exponent <= maxDecimalExponent
}

// appendCoefficient appends the digits of the coefficient, "0" if it is zero.
func (d decimal) appendCoefficient(dst []byte) []byte {
	const chunk = 1e19 // a coefficient below 10^34 gives a quotient below 2^64
	high, low := bits.Div64(d.hi, d.lo, chunk)
	if high == 0 {
		return strconv.AppendUint(dst, low, 10)
	}
	dst = strconv.AppendUint(dst, high, 10)
	from := len(dst)
	dst = strconv.AppendUint(dst, low, 10)
	for missing := 19 - (len(dst) - from); missing > 0; missing-- {
		dst = slices.Insert(dst, from, '0')
	}
	return dst
}

func (d decimal) countDigits() int {
	var buffer [maxDecimalDigits + 1]byte
	return len(d.appendCoefficient(buffer[:0]))
}

// appendText appends the decimal's text as decimal128's conversion to a string has it (General Decimal Arithmetic,
// "to-scientific-string"), so that 1.10 and 1E+3 come back as they were.
func (d decimal) appendText(dst []byte) []byte {
	if d.class == decimalNaN {
		return append(dst, "NaN"...)
	}
	if d.negative {
		dst = append(dst, '-')
	}
	if d.class == decimalInfinite {
		return append(dst, "Infinity"...)
	}
	from := len(dst)
	dst = d.appendCoefficient(dst)
	digits := len(dst) - from
	exponent := int(d.exponent)
	adjusted := exponent + digits - 1
	switch {
	case exponent == 0:
		return dst
	case exponent < 0 && adjusted >= 0:
		return slices.Insert(dst, from+digits+exponent, '.')
	case exponent < 0 && adjusted >= -6:
		return slices.Insert(dst, from, []byte("0.000000")[:2-adjusted-1]...)
	}
	if digits > 1 {
		dst = slices.Insert(dst, from+1, '.')
	}
	dst = append(dst, 'E')
	if adjusted >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(adjusted), 10)
}

// float64Class is d as a double where d is no finite number; of a finite one only the sign counts.
func (d decimal) float64Class() float64 {
	switch {
	case d.class == decimalNaN:
		return math.NaN()
	case d.class == decimalInfinite && d.negative:
		return math.Inf(-1)
	case d.class == decimalInfinite:
		return math.Inf(1)
	}
	return 0
}

// float64 is the nearest double, an infinity beyond the range.
func (d decimal) float64() float64 {
	if d.class != decimalFinite {
		return d.float64Class()
	}
	var buffer [64]byte
	f, _ := strconv.ParseFloat(string(d.appendText(buffer[:0])), 64) // an error is a range error: f is infinite
	return f
}

// compare orders two decimals by value, NaN lowest. -0 equals 0.
func (d decimal) compare(o decimal) int {
	if d.class != decimalFinite || o.class != decimalFinite {
		return compareFloats(d.float64Class(), o.float64Class())
	}
	switch sd, so := d.sign(), o.sign(); {
	case sd != so:
		return cmp.Compare(sd, so)
	case sd == 0:
		return 0
	case sd < 0:
		d, o = o, d
	}
	if d.exponent == o.exponent {
		return cmp.Or(cmp.Compare(d.hi, o.hi), cmp.Compare(d.lo, o.lo))
	}
	nd, no := d.countDigits(), o.countDigits()
	if c := cmp.Compare(nd+int(d.exponent), no+int(o.exponent)); c != 0 {
		return c
	}
	for ; nd < no; nd++ {
		d.shift(0)
	}
	for ; no < nd; no++ {
		o.shift(0)
	}
	return cmp.Or(cmp.Compare(d.hi, o.hi), cmp.Compare(d.lo, o.lo))
}

func (d decimal) sign() int {
	switch {
	case d.isZero():
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// digitText is the exact value of a finite number other than 0: 0.<digits> * 10^point, no zero at either end. Zero
// has no digits.
type digitText struct {
	digits   []byte
	point    int
	negative bool
}

func (t digitText) trim() digitText {
	for len(t.digits) > 0 && t.digits[0] == '0' {
		t.digits, t.point = t.digits[1:], t.point-1
	}
	t.digits = bytes.TrimRight(t.digits, "0")
	return t
}

func (d decimal) digits(buffer []byte) digitText {
	digits := d.appendCoefficient(buffer)
	return digitText{digits, len(digits) + int(d.exponent), d.negative}.trim()
}

// maxFloatDigits is enough for the exact decimal text of every double: 767 digits, sign, point and exponent.
const maxFloatDigits = 800

func floatDigits(buffer []byte, f float64) digitText {
	text := strconv.AppendFloat(buffer, math.Abs(f), 'e', 770, 64)
	e := bytes.LastIndexByte(text, 'e')
	point, _ := parseInteger(bytes.TrimPrefix(text[e+1:], []byte("+")))
	text[1] = text[0] // d.ddd: drop the point
	return digitText{text[1:e], int(point) + 1, math.Signbit(f)}.trim()
}

func compareDigits(a, b digitText) int {
	switch {
	case len(a.digits) == 0 && len(b.digits) == 0:
		return 0
	case len(a.digits) == 0:
		return -signOf(b.negative)
	case len(b.digits) == 0 || a.negative != b.negative:
		return signOf(a.negative)
	}
	return signOf(a.negative) * cmp.Or(cmp.Compare(a.point, b.point), bytes.Compare(a.digits, b.digits))
}

func signOf(negative bool) int {
	if negative {
		return -1
	}
	return 1
}
