package matcher

import (
	"math"
	"slices"
	"strings"
)

// TypeSet is a set of kinds: bit k stands for kind k. The missing value has none.
type TypeSet uint32

func typesOf(kinds ...Kind) (set TypeSet) {
	for _, k := range kinds {
		set |= 1 << k
	}
	return set
}

var numberTypes = typesOf(KindInt32, KindInt64, KindDouble, KindDecimal)

// has reports whether the set holds a kind. The missing value has no type.
func (s TypeSet) has(k Kind) bool { return k != KindMissing && s&(1<<k) != 0 }

// typeCode is one type of MongoDB's manual ("BSON Types"): its number and its name. Types that no document here can
// have (undefined, dbPointer, javascript, symbol) are known and match nothing.
type typeCode struct {
	code  int
	name  string
	types TypeSet
}

var typeCodes = []typeCode{
	{1, "double", typesOf(KindDouble)},
	{2, "string", typesOf(KindString)},
	{3, "object", typesOf(KindObject)},
	{4, "array", typesOf(KindArray)},
	{5, "binData", typesOf(KindBinary)},
	{6, "undefined", 0},
	{7, "objectId", typesOf(KindObjectID)},
	{8, "bool", typesOf(KindBool)},
	{9, "date", typesOf(KindDate)},
	{10, "null", typesOf(KindNull)},
	{11, "regex", typesOf(KindRegex)},
	{12, "dbPointer", 0},
	{13, "javascript", 0},
	{14, "symbol", 0},
	{15, "javascriptWithScope", 0},
	{16, "int", typesOf(KindInt32)},
	{17, "timestamp", typesOf(KindTimestamp)},
	{18, "long", typesOf(KindInt64)},
	{19, "decimal", typesOf(KindDecimal)},
	{-1, "minKey", typesOf(KindMinKey)},
	{127, "maxKey", typesOf(KindMaxKey)},
}

// typeNames are the names that $type and bsonType know, for messages.
func typeNames() []string {
	names := []string{"number"}
	for _, t := range typeCodes {
		names = append(names, t.name)
	}
	return names
}

// namedType is the set of a type's name; "number" is all four kinds of numbers.
func namedType(name string, at *place) (TypeSet, error) {
	if name == "number" {
		return numberTypes, nil
	}
	for _, t := range typeCodes {
		if t.name == name {
			return t.types, nil
		}
	}
	hint := ""
	if near := Nearest(name, typeNames()); near != "" {
		hint = " (did you mean " + near + "?)"
	}
	return 0, at.invalid("the type %q is unknown%s; known ones are %s", name, hint, strings.Join(typeNames(), ", "))
}

func numberedType(v Value, at *place) (TypeSet, error) {
	f := v.Float64()
	for _, t := range typeCodes {
		if float64(t.code) == f {
			return t.types, nil
		}
	}
	return 0, at.invalid("the type number %s is unknown; known ones are 1 to 19, -1 (minKey) and 127 (maxKey)", v.Raw())
}

// types reads one type, or a list of one type or more.
func types(v Value, at *place) (TypeSet, error) {
	one := func(v Value, at *place) (TypeSet, error) {
		switch {
		case v.IsNumber():
			return numberedType(v, at)
		case v.Kind() == KindString:
			return namedType(string(v.Bytes()), at)
		}
		return 0, at.invalid(`a type is %s; a name such as "string" or a number such as 2 is needed`, describeKind(v.Kind()))
	}
	if v.Kind() != KindArray {
		return one(v, at)
	}
	if v.Len() == 0 {
		return 0, at.invalid(`the list of types is empty; name one type at least, such as ["string"]`)
	}
	var set TypeSet
	i := 0
	for e := v.First(); e.Exists(); e = e.Next() {
		more, err := one(e, at.element(i))
		if err != nil {
			return 0, err
		}
		set |= more
		i++
	}
	return set, nil
}

// appendTypes writes the names of a set's types in order.
func (s TypeSet) appendTypes(dst []byte) []byte {
	var names []string
	for _, t := range typeCodes {
		if t.types&s != 0 {
			names = append(names, `"`+t.name+`"`)
		}
	}
	slices.Sort(names)
	return append(dst, "["+strings.Join(names, ",")+"]"...)
}

// compileType compiles $type (manual: "$type"): a type's name or number, or a list of them; any of them will do. As
// elsewhere, an array matches by its elements or as a whole, so that "array" means the field itself or an array in it.
// A missing field has no type, not even null. An integer that is written plainly is a long.
func compileType(_ *compiler, p path, _, v Value, at *place) (*node, error) {
	set, err := types(v, at)
	switch {
	case err != nil:
		return nil, err
	case set == 0:
		return &node{op: opFalse}, nil // types that no document has
	}
	return predicateLeaf(p, typeTest(set)), nil
}

type typeTest TypeSet

func (t typeTest) accepts(v Value) bool           { return TypeSet(t).has(v.Kind()) }
func (t typeTest) operator() string               { return "$type" }
func (t typeTest) cost() int                      { return 0 }
func (t typeTest) appendNormal(dst []byte) []byte { return TypeSet(t).appendTypes(dst) }

// wholeNumber is the integer that a number becomes when its fraction is cut off; ok is false for NaN, the infinities
// and what lies beyond 64 bits, exact tells that nothing was cut off.
func wholeNumber(v Value) (i int64, exact, ok bool) {
	switch v.Kind() {
	case KindInt32, KindInt64:
		return v.Int64(), true, true
	case KindDouble:
		f := v.Float64()
		if math.IsNaN(f) || f < -(1<<63) || f >= 1<<63 {
			return 0, false, false
		}
		return int64(f), f == math.Trunc(f), true
	case KindDecimal:
		return v.decimal().whole()
	}
	return 0, false, false
}

// whole is the decimal without its fraction, as wholeNumber says.
func (d decimal) whole() (i int64, exact, ok bool) {
	if d.class != decimalFinite {
		return 0, false, false
	}
	exact = true
	for ; d.exponent < 0 && !d.isZero(); d.exponent++ {
		exact = d.unshift() == 0 && exact
	}
	for ; d.exponent > 0 && !d.isZero() && d.hi == 0 && d.lo < 1<<63; d.exponent-- {
		d.shift(0)
	}
	switch {
	case d.isZero():
		return 0, exact, true
	case d.hi != 0 || d.lo > 1<<63 || d.lo == 1<<63 && !d.negative || d.exponent > 0:
		return 0, false, false
	case d.negative:
		return -int64(d.lo), exact, true
	}
	return int64(d.lo), exact, true
}
