package matcher

import (
	"bytes"
	"encoding/binary"
	"math"
)

// AppendSortValue appends an encoding of any value whose bytes order as Compare orders values: bytes.Compare of two
// encodings is Compare of the values, equal values have equal bytes. No encoding is the beginning of another, so that
// encodings can follow one another in a key: the first that differs decides. A missing value is encoded as null.
func AppendSortValue(dst []byte, v Value) []byte { return (*collation)(nil).appendSortValue(dst, v) }

// appendSortValue is AppendSortValue for the order that compare has.
func (c *collation) appendSortValue(dst []byte, v Value) []byte {
	k := v.Kind()
	dst = append(dst, typeOrder[k])
	switch k {
	case KindInt32, KindInt64, KindDouble, KindDecimal:
		return AppendNumberKey(dst, v)
	case KindString:
		if c != nil {
			return c.appendKey(dst, v.Bytes())
		}
		return appendKeyBytes(dst, v.Bytes())
	case KindObject:
		for f := v.First(); f.Exists(); f = f.Next() {
			dst = append(dst, typeOrder[f.Kind()])
			dst = appendKeyBytes(dst, f.Name())
			dst = c.appendSortValue(dst, f)
		}
		return append(dst, 0) // below every type: the shorter object is the lesser one
	case KindArray:
		for e := v.First(); e.Exists(); e = e.Next() {
			dst = c.appendSortValue(dst, e)
		}
		return append(dst, 0)
	case KindBinary:
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v.Bytes())))
		dst = append(dst, v.Subtype())
		return append(dst, v.Bytes()...)
	case KindObjectID:
		return append(dst, v.Bytes()...)
	case KindBool:
		return append(dst, byte(v.at().number))
	case KindDate:
		return binary.BigEndian.AppendUint64(dst, v.at().number^(1<<63))
	case KindTimestamp:
		return binary.BigEndian.AppendUint64(dst, v.at().number)
	case KindRegex:
		return appendKeyBytes(appendKeyBytes(dst, v.Bytes()), v.Options())
	}
	return dst // null, the least and the greatest key have one value each
}

// appendKeyBytes appends bytes and their end. A zero byte is followed by 0xFF, the end is 0x00 0x01, so that the end
// lies below whatever may stand in its place.
func appendKeyBytes(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(append(dst, b...), 0x00, 0x01)
		}
		dst = append(append(dst, b[:i+1]...), 0xFF)
		b = b[i+1:]
	}
}

// The last byte of a number's key that begins with a double.
const (
	numberIsDouble   = 0 // the number is that double
	numberHasDecimal = 1 // it lies between that double and the next: its digits follow
)

// AppendNumberKey appends an encoding of a number whose bytes order as the exact values do, whatever their kinds: the
// greatest double that is not above the number, and where that is not the number itself, its decimal digits.
func AppendNumberKey(dst []byte, v Value) []byte {
	var floor float64
	var exact bool
	switch v.Kind() {
	case KindDouble:
		floor, exact = v.Float64(), true
	case KindDecimal:
		floor, exact = decimalFloor(v.decimal())
	default:
		floor, exact = integerFloor(v.Int64())
	}
	dst = binary.BigEndian.AppendUint64(dst, orderedBits(floor))
	if exact {
		return append(dst, numberIsDouble)
	}
	var buffer [maxDecimalDigits + 1]byte
	return appendDigitKey(append(dst, numberHasDecimal), v.asDecimal().digits(buffer[:0]))
}

// orderedBits are bits that order as doubles do: NaN first, -0 as 0.
func orderedBits(f float64) uint64 {
	if f != f {
		return 0
	}
	b := math.Float64bits(f + 0) // -0 + 0 is 0
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func integerFloor(i int64) (floor float64, exact bool) {
	floor = float64(i)
	return stepDown(floor, compareIntegerFloat(i, floor))
}

func decimalFloor(d decimal) (floor float64, exact bool) {
	floor = d.float64()
	return stepDown(floor, compareDecimalFloat(d, floor))
}

// stepDown makes a nearest double the greatest that is not above the number; c compares the number with it.
func stepDown(nearest float64, c int) (floor float64, exact bool) {
	if c < 0 {
		nearest = math.Nextafter(nearest, math.Inf(-1))
	}
	return nearest, c == 0
}

// appendDigitKey appends the digits of a number other than 0 in order. Numbers that stand behind one double have one
// sign, so the sign turns the bytes and need not be written.
func appendDigitKey(dst []byte, t digitText) []byte {
	from := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(t.point+1<<15))
	dst = append(dst, t.digits...)
	dst = append(dst, 0)
	if t.negative {
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}
