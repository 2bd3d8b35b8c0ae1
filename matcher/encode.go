package matcher

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Values is how values are written for a client.
type Values uint8

const (
	ValuesRelaxed   Values = iota // relaxed Extended JSON v2; integers beyond 2^53-1 as {"$numberLong"}
	ValuesCanonical               // canonical Extended JSON v2: every type is kept
	ValuesPlain                   // plain JSON for reading; types are lost

	// valuesStored is how documents are kept: relaxed, but an int32 stays one.
	valuesStored
)

var valuesNames = []string{"relaxed", "canonical", "plain"}

// ParseValues reads relaxed, canonical or plain; "" is relaxed.
func ParseValues(text string) (Values, error) {
	if text == "" {
		return ValuesRelaxed, nil
	}
	for i, name := range valuesNames {
		if name == text {
			return Values(i), nil
		}
	}
	detail := fmt.Sprintf("values is %q; known are relaxed, canonical and plain", shorten([]byte(text)))
	if near := Nearest(text, valuesNames); near != "" {
		detail += fmt.Sprintf("; did you mean %s?", near)
	}
	return 0, &Error{Code: CodeQueryInvalid, Path: "/values", Detail: detail}
}

func (f Values) String() string {
	if f == valuesStored {
		return "stored"
	}
	return valuesNames[f]
}

// AppendValue appends v's JSON in the given form, without white space and with each name once; null for a missing
// value. Parse reads relaxed and canonical output back to an equal value, canonical output to the same types.
func AppendValue(dst []byte, v Value, form Values) []byte {
	if v.document == nil {
		return append(dst, "null"...)
	}
	n := v.at()
	if n.flags&flagRelaxed != 0 && (form == ValuesRelaxed || form == valuesStored) {
		return append(dst, v.document.text[n.start:n.end]...)
	}
	switch n.kind {
	case KindObject:
		dst = append(dst, '{')
		for i, c := 0, v.First(); c.Exists(); i, c = i+1, c.Next() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendString(dst, c.Name())
			dst = append(dst, ':')
			dst = AppendValue(dst, c, form)
		}
		return append(dst, '}')
	case KindArray:
		dst = append(dst, '[')
		for i, c := 0, v.First(); c.Exists(); i, c = i+1, c.Next() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, c, form)
		}
		return append(dst, ']')
	case KindNull:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, n.number != 0)
	case KindString:
		return AppendString(dst, v.Bytes())
	}
	if form == ValuesPlain {
		return appendPlain(dst, v)
	}
	return appendTyped(dst, v, form)
}

// appendTyped appends a value of a type that JSON lacks, or a number.
func appendTyped(dst []byte, v Value, form Values) []byte {
	switch v.Kind() {
	case KindInt32, KindInt64, KindDouble, KindDecimal:
		return numberOf(v).append(dst, form)
	case KindDate:
		return appendDateValue(dst, v.Int64(), form)
	case KindObjectID:
		dst = append(dst, `{"$oid":"`...)
		return append(hex.AppendEncode(dst, v.Bytes()), `"}`...)
	case KindBinary:
		dst = append(dst, `{"$binary":{"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
		dst = append(dst, `","subType":"`...)
		dst = hex.AppendEncode(dst, []byte{v.Subtype()})
		return append(dst, `"}}`...)
	case KindTimestamp:
		dst = append(dst, `{"$timestamp":`...)
		return append(appendTimestamp(dst, uint64(v.Int64())), '}')
	case KindRegex:
		dst = append(dst, `{"$regularExpression":{"pattern":`...)
		dst = AppendString(dst, v.Bytes())
		dst = append(dst, `,"options":`...)
		return append(AppendString(dst, v.Options()), `}}`...)
	case KindMinKey:
		return append(dst, `{"$minKey":1}`...)
	default:
		return append(dst, `{"$maxKey":1}`...)
	}
}

// appendDateValue appends a date as Extended JSON.
func appendDateValue(dst []byte, ms int64, form Values) []byte {
	if form == ValuesCanonical || !isRelaxedDate(ms) {
		dst = append(dst, `{"$date":`...)
		return append(wrapInteger(dst, "$numberLong", ms), '}')
	}
	dst = append(dst, `{"$date":"`...)
	return append(appendDate(dst, ms), `"}`...)
}

func wrapInteger(dst []byte, name string, i int64) []byte {
	dst = append(append(append(dst, `{"`...), name...), `":"`...)
	return append(strconv.AppendInt(dst, i, 10), `"}`...)
}

func appendTimestamp(dst []byte, t uint64) []byte {
	dst = strconv.AppendUint(append(dst, `{"t":`...), t>>32, 10)
	dst = strconv.AppendUint(append(dst, `,"i":`...), t&math.MaxUint32, 10)
	return append(dst, '}')
}

// appendDouble appends the shortest text that reads back as the same double and as no integer: 5.0, 1e+300, NaN.
func appendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[from:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendPlain appends what a reader expects to see of a value whose type JSON lacks, or of a number.
func appendPlain(dst []byte, v Value) []byte {
	quote := func(text []byte) []byte { return AppendString(dst, text) }
	var buffer [64]byte
	switch v.Kind() {
	case KindInt32, KindInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case KindDouble:
		f := v.Float64()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return quote(appendDouble(buffer[:0], f))
		}
		if f == math.Trunc(f) && math.Abs(f) < 1e21 {
			return strconv.AppendFloat(dst, f, 'f', -1, 64)
		}
		return appendDouble(dst, f)
	case KindDecimal:
		if d := v.decimal(); d.class == decimalFinite {
			return d.appendText(dst)
		}
		return quote(v.decimal().appendText(buffer[:0]))
	case KindDate:
		if ms := v.Int64(); ms >= minISODate && ms <= maxDate {
			return quote(appendDate(buffer[:0], ms))
		}
		return strconv.AppendInt(dst, v.Int64(), 10)
	case KindObjectID:
		return quote(hex.AppendEncode(buffer[:0], v.Bytes()))
	case KindBinary:
		if b := v.Bytes(); v.Subtype() == uuidSubtype && len(b) == 16 {
			return quote(fmt.Appendf(buffer[:0], "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
		}
		return quote(base64.StdEncoding.AppendEncode(buffer[:0], v.Bytes()))
	case KindTimestamp:
		return appendTimestamp(dst, uint64(v.Int64()))
	case KindRegex:
		return quote(fmt.Appendf(buffer[:0], "/%s/%s", v.Bytes(), v.Options()))
	default:
		return quote([]byte(v.Kind().String()))
	}
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
func AppendString(dst []byte, s []byte) []byte {
	dst = append(dst, '"')
	from, i := 0, 0
	for i < len(s) {
		i += plainPrefix(s[i:])
		if i >= len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// plainPrefix counts the bytes up to the first that is a quote, a backslash, a control character or beyond ASCII.
func plainPrefix(s []byte) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		quote, slash := w^(everyByte*'"'), w^(everyByte*'\\')
		hit := ((quote-everyByte)&^quote | (slash-everyByte)&^slash | (w-everyByte*0x20)&^w | w) & highBits
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return i
		}
	}
	return i
}
