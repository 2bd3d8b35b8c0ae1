package matcher

import (
	"math"
	"slices"
	"strconv"
)

// bitsTest is one of $bitsAllSet, $bitsAnySet, $bitsAllClear and $bitsAnyClear (manual: "Bitwise Query Operators").
//
// Bits are those of a number as an integer of 64 bits in two's complement, going on with its sign for ever, or those of
// a binary from its first byte's lowest bit on, going on with zeros. Numbers with a fraction or beyond 64 bits do not
// match, nor does any other type. Of a decimal the fraction is cut off, and NaN and the infinities count as 0: that is
// what the systems do that this follows.
type bitsTest struct {
	name      string
	set, all  bool
	mask      uint64 // the positions below 64
	high      bool   // a position from 64 on: of a number its sign decides
	positions []int  // all, in order
}

func compileBits(name string, set, all bool) fieldOperator {
	return func(_ *compiler, p path, _, v Value, at *place) (*node, error) {
		positions, err := bitPositions(v, at)
		if err != nil {
			return nil, err
		}
		slices.Sort(positions)
		b := &bitsTest{name: name, set: set, all: all, positions: slices.Compact(positions)}
		for _, position := range b.positions {
			if position < 64 {
				b.mask |= 1 << position
			} else {
				b.high = true
			}
		}
		return predicateLeaf(p, b), nil
	}
}

// bitPositions reads a mask: a number whose bits are meant, a binary likewise, or a list of positions.
func bitPositions(v Value, at *place) (positions []int, err error) {
	switch {
	case v.IsNumber():
		mask, exact, ok := wholeNumber(v)
		if !ok || !exact || mask < 0 {
			return nil, at.invalid("the mask of %s is %s; a whole number from 0 to %d is needed", at.name, v.Raw(), int64(math.MaxInt64))
		}
		for i := range 63 {
			if mask>>i&1 != 0 {
				positions = append(positions, i)
			}
		}
		return positions, nil
	case v.Kind() == KindBinary:
		for i := range len(v.Bytes()) * 8 {
			if binaryBit(v.Bytes(), i) {
				positions = append(positions, i)
			}
		}
		return positions, nil
	case v.Kind() != KindArray:
		return nil, at.invalid("the mask of %s is %s; a number, a list of bit positions or a binary is needed", at.name, describeKind(v.Kind()))
	}
	i := 0
	for e := v.First(); e.Exists(); e = e.Next() {
		position, exact, ok := wholeNumber(e)
		if !ok || !exact && e.Kind() == KindDouble || position < 0 || position > math.MaxInt32 {
			return nil, at.element(i).invalid("a bit position of %s is %s; a whole number from 0 to %d is needed", at.name, e.Raw(), math.MaxInt32)
		}
		positions = append(positions, int(position))
		i++
	}
	return positions, nil
}

func binaryBit(b []byte, i int) bool { return i>>3 < len(b) && b[i>>3]>>(i&7)&1 != 0 }

func (b *bitsTest) accepts(v Value) bool {
	switch v.Kind() {
	case KindBinary:
		return b.binary(v.Bytes())
	case KindInt32, KindInt64:
		return b.integer(v.Int64())
	case KindDouble:
		i, exact, ok := wholeNumber(v)
		return ok && exact && b.integer(i)
	case KindDecimal:
		i, _, ok := wholeNumber(v)
		return (ok || v.decimal().class != decimalFinite) && b.integer(i)
	}
	return false
}

// integer tests the bits of a number. A bit that is to be clear is one that is to be set in the complement.
func (b *bitsTest) integer(i int64) bool {
	if !b.set {
		i = ^i
	}
	found := uint64(i) & b.mask
	if b.all {
		return found == b.mask && (!b.high || i < 0)
	}
	return found != 0 || b.high && i < 0
}

func (b *bitsTest) binary(bytes []byte) bool {
	for _, position := range b.positions {
		if (binaryBit(bytes, position) == b.set) != b.all {
			return !b.all
		}
	}
	return b.all
}

func (b *bitsTest) operator() string { return b.name }
func (b *bitsTest) cost() int        { return 0 }

func (b *bitsTest) appendNormal(dst []byte) []byte {
	dst = append(dst, '[')
	for i, position := range b.positions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(position), 10)
	}
	return append(dst, ']')
}
