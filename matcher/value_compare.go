package matcher

import (
	"bytes"
	"cmp"
	"math"
)

// Compare orders two values as MongoDB does, a missing value as null: by type (TypeOrder), then numbers by their exact
// value across all four kinds with NaN below all others, strings by bytes, objects field by field (type, name, value)
// and then by length, arrays element by element, binaries by length, subtype and bytes.
func Compare(a, b Value) int { return (*collation)(nil).compare(a, b) }

// compare is Compare under the collation: strings compare by it, wherever in the values they stand.
func (c *collation) compare(a, b Value) int {
	ka, kb := a.Kind(), b.Kind()
	if order := cmp.Compare(typeOrder[ka], typeOrder[kb]); order != 0 {
		return order
	}
	switch ka {
	case KindString:
		if c != nil {
			return c.compareStrings(a.Bytes(), b.Bytes())
		}
		return bytes.Compare(a.Bytes(), b.Bytes())
	case KindObjectID:
		return bytes.Compare(a.Bytes(), b.Bytes())
	case KindInt32, KindInt64, KindDouble, KindDecimal:
		return compareNumbers(a, b)
	case KindBool, KindTimestamp:
		return cmp.Compare(a.at().number, b.at().number)
	case KindDate:
		return cmp.Compare(int64(a.at().number), int64(b.at().number))
	case KindObject, KindArray:
		return c.compareChildren(a, b, ka == KindObject)
	case KindBinary:
		return cmp.Or(cmp.Compare(len(a.Bytes()), len(b.Bytes())), cmp.Compare(a.Subtype(), b.Subtype()),
			bytes.Compare(a.Bytes(), b.Bytes()))
	case KindRegex:
		return cmp.Or(bytes.Compare(a.Bytes(), b.Bytes()), bytes.Compare(a.Options(), b.Options()))
	}
	return 0 // null and missing, the least and the greatest key: one value each
}

func (c *collation) compareChildren(a, b Value, named bool) int {
	x, y := a.First(), b.First()
	for x.Exists() && y.Exists() {
		if named {
			order := cmp.Compare(typeOrder[x.Kind()], typeOrder[y.Kind()])
			if order == 0 {
				order = bytes.Compare(x.Name(), y.Name())
			}
			if order != 0 {
				return order
			}
		}
		if order := c.compare(x, y); order != 0 {
			return order
		}
		x, y = x.Next(), y.Next()
	}
	switch {
	case y.Exists():
		return -1
	case x.Exists():
		return 1
	}
	return 0
}

// Equal reports Compare(a, b) == 0 and is faster.
func Equal(a, b Value) bool { return (*collation)(nil).equal(a, b) }

// equal reports whether compare is 0.
func (c *collation) equal(a, b Value) bool {
	ka := a.Kind()
	if ka != b.Kind() {
		return typeOrder[ka] == typeOrder[b.Kind()] && Compare(a, b) == 0 // no strings: they have one kind
	}
	switch ka {
	case KindInt32, KindInt64, KindBool, KindDate, KindTimestamp:
		return a.at().number == b.at().number
	case KindString:
		if c != nil {
			return c.compareStrings(a.Bytes(), b.Bytes()) == 0
		}
		return bytes.Equal(a.Bytes(), b.Bytes())
	case KindObjectID:
		return bytes.Equal(a.Bytes(), b.Bytes())
	case KindObject, KindArray:
		return a.Len() == b.Len() && c.compare(a, b) == 0
	}
	return Compare(a, b) == 0
}

func compareNumbers(a, b Value) int {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == KindDecimal || kb == KindDecimal:
		return compareDecimals(a, b)
	case ka == KindDouble && kb == KindDouble:
		return compareFloats(a.Float64(), b.Float64())
	case ka == KindDouble:
		return -compareIntegerFloat(b.Int64(), a.Float64())
	case kb == KindDouble:
		return compareIntegerFloat(a.Int64(), b.Float64())
	}
	return cmp.Compare(a.Int64(), b.Int64())
}

// compareFloats puts NaN below all numbers and equal to itself; -0 equals 0. That is what cmp.Compare does.
func compareFloats(a, b float64) int { return cmp.Compare(a, b) }

// compareIntegerFloat compares exactly, where a conversion of i would round beyond 2^53.
func compareIntegerFloat(i int64, f float64) int {
	switch {
	case math.IsNaN(f) || f < -(1<<63):
		return 1
	case f >= 1<<63:
		return -1
	}
	whole := math.Trunc(f)
	return cmp.Or(cmp.Compare(i, int64(whole)), cmp.Compare(whole, f))
}

// compareDecimals compares two numbers of which one is a decimal at least.
func compareDecimals(a, b Value) int {
	switch {
	case a.Kind() == KindDouble:
		return -compareDecimalFloat(b.decimal(), a.Float64())
	case b.Kind() == KindDouble:
		return compareDecimalFloat(a.decimal(), b.Float64())
	}
	return a.asDecimal().compare(b.asDecimal())
}

// asDecimal is a decimal or an integer as a decimal; both are exact.
func (v Value) asDecimal() decimal {
	if v.Kind() == KindDecimal {
		return v.decimal()
	}
	return decimalOf(v.Int64())
}

// compareDecimalFloat compares exactly. Rounding keeps the order, so only a decimal that rounds to f needs the digits.
func compareDecimalFloat(d decimal, f float64) int {
	if d.class != decimalFinite || math.IsNaN(f) || math.IsInf(f, 0) {
		return compareFloats(d.float64Class(), f)
	}
	if c := compareFloats(d.float64(), f); c != 0 {
		return c
	}
	var x, y [maxFloatDigits]byte
	return compareDigits(d.digits(x[:0]), floatDigits(y[:0], f))
}
