package matcher

import "strconv"

// modTest is $mod: the remainder of the value by a divisor.
type modTest struct{ divisor, remainder int64 }

// compileMod compiles $mod (manual: "$mod"): two numbers, divisor and remainder. Divisor, remainder and value are cut to
// whole numbers toward zero; a remainder has the sign of the value. NaN, the infinities and what lies beyond 64 bits match
// nothing, and are refused in the query.
func compileMod(_ *compiler, p path, _, v Value, at *place) (*node, error) {
	if v.Kind() != KindArray || v.Len() != 2 {
		return nil, at.invalid(`$mod is %s; an array of divisor and remainder is needed, such as {"$mod":[4,0]}`, v.Raw())
	}
	var numbers [2]int64
	for i, name := range []string{"divisor", "remainder"} {
		e := v.Index(i)
		if !e.IsNumber() {
			return nil, at.element(i).invalid("the %s of $mod is %s; a number is needed", name, describeKind(e.Kind()))
		}
		whole, _, ok := wholeNumber(e)
		if !ok {
			return nil, at.element(i).invalid("the %s of $mod is %s; a number within 64 bits is needed", name, e.Raw())
		}
		numbers[i] = whole
	}
	if numbers[0] == 0 {
		return nil, at.element(0).invalid("the divisor of $mod is %s, which is 0 as a whole number; give another one", v.Index(0).Raw())
	}
	return predicateLeaf(p, modTest{numbers[0], numbers[1]}), nil
}

func (m modTest) accepts(v Value) bool {
	whole, _, ok := wholeNumber(v)
	return ok && whole%m.divisor == m.remainder // by -1 the remainder is 0, even of the least number
}

func (m modTest) operator() string { return "$mod" }
func (m modTest) cost() int        { return 0 }

// appendNormal drops the sign of the divisor, which makes no difference.
func (m modTest) appendNormal(dst []byte) []byte {
	divisor := uint64(m.divisor)
	if m.divisor < 0 {
		divisor = -divisor
	}
	dst = strconv.AppendUint(append(dst, '['), divisor, 10)
	dst = strconv.AppendInt(append(dst, ','), m.remainder, 10)
	return append(dst, ']')
}
