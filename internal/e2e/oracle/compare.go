package oracle

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// typeOrder is MongoDB's order of types (manual page "BSON comparison order"). Equal numbers are one type bracket.
func typeOrder(v any) int {
	switch v.(type) {
	case nil, Missing:
		return 1
	case int64, float64:
		return 2
	case string, Collated:
		return 3
	case Object:
		return 4
	case []any:
		return 5
	case ObjectID:
		return 7
	case bool:
		return 8
	case Date:
		return 9
	case Regex:
		return 11
	}
	panic(fmt.Sprintf("no place in the order of types for %T", v))
}

// Compare orders two values as MongoDB does; a missing value is null.
func Compare(a, b any) int {
	if c := cmp.Compare(typeOrder(a), typeOrder(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case int64, float64:
		return compareNumbers(a, b)
	case string:
		return strings.Compare(a, b.(string))
	case Collated:
		return strings.Compare(a.key, b.(Collated).key)
	case Object:
		return compareObjects(a, b.(Object))
	case []any:
		return compareArrays(a, b.([]any))
	case ObjectID:
		return cmp.Compare(a, b.(ObjectID))
	case bool:
		return compareBools(a, b.(bool))
	case Date:
		return cmp.Compare(a, b.(Date))
	case Regex:
		return cmp.Or(strings.Compare(a.Pattern, b.(Regex).Pattern), strings.Compare(a.Options, b.(Regex).Options))
	}
	return 0 // null and missing
}

// Equal reports whether both are the same to a query: 5 equals 5.0.
func Equal(a, b any) bool { return Compare(a, b) == 0 }

// Identical reports whether both are the same to a reader: types of numbers and order of fields count.
func Identical(a, b any) bool {
	switch a := a.(type) {
	case Object:
		b, ok := b.(Object)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if a[i].Name != b[i].Name || !Identical(a[i].Value, b[i].Value) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Identical(a[i], b[i]) {
				return false
			}
		}
		return true
	case float64:
		b, ok := b.(float64)
		return ok && (a == b || math.IsNaN(a) && math.IsNaN(b))
	}
	switch b.(type) {
	case Object, []any:
		return false
	}
	return a == b
}

// SameFields is Identical with the order of top-level fields left out of account.
func SameFields(a, b Object) bool {
	if len(a) != len(b) {
		return false
	}
	for _, f := range a {
		v, ok := b.Get(f.Name)
		if !ok || !Identical(f.Value, v) {
			return false
		}
	}
	return true
}

func compareNumbers(a, b any) int {
	x, intA := a.(int64)
	y, intB := b.(int64)
	if intA && intB {
		return cmp.Compare(x, y)
	}
	// cmp.Compare puts NaN below all numbers and equal to itself, as MongoDB does.
	f, g := toFloat(a), toFloat(b)
	if !intA && !intB || math.IsNaN(f) || math.IsNaN(g) || math.IsInf(f, 0) || math.IsInf(g, 0) {
		return cmp.Compare(f, g)
	}
	return toRat(a).Cmp(toRat(b))
}

func toFloat(v any) float64 {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	return v.(float64)
}

func toRat(v any) *big.Rat {
	if i, ok := v.(int64); ok {
		return new(big.Rat).SetInt64(i)
	}
	return new(big.Rat).SetFloat64(v.(float64))
}

// compareObjects compares field by field: type, then name, then value; then the number of fields.
func compareObjects(a, b Object) int {
	for i := range min(len(a), len(b)) {
		c := cmp.Or(
			cmp.Compare(typeOrder(a[i].Value), typeOrder(b[i].Value)),
			strings.Compare(a[i].Name, b[i].Name),
			Compare(a[i].Value, b[i].Value),
		)
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareArrays(a, b []any) int {
	for i := range min(len(a), len(b)) {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
