package matcher

import "slices"

// Operators on sets (manual: "Set Expression Operators"): arrays without their order and repetitions. Their results are
// sorted, but $setDifference keeps the order of its first array.

func setOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$setUnion":        {min: 0, max: -1, eval: evalSetUnion},
		"$setIntersection": {min: 0, max: -1, eval: evalSetIntersection},
		"$setDifference":   {min: 2, max: 2, eval: evalSetDifference},
		"$setEquals": {min: 2, max: -1, eval: onSets(func(e *evaluation, sets [][]Value) bool {
			for _, set := range sets[1:] {
				if !slices.EqualFunc(sets[0], set, e.equal) {
					return false
				}
			}
			return true
		})},
		"$setIsSubset": {min: 2, max: 2, eval: onSets(func(e *evaluation, sets [][]Value) bool {
			for _, v := range sets[0] {
				if !e.inSet(sets[1], v) {
					return false
				}
			}
			return true
		})},
		"$anyElementTrue":  {min: 1, max: 1, eval: elementTrue(true)},
		"$allElementsTrue": {min: 1, max: 1, eval: elementTrue(false)},
	}
}

// setOf is an array's elements, sorted, each once.
func setOf(e *evaluation, array Value) ([]Value, error) {
	if array.Kind() != KindArray {
		return nil, errExpression
	}
	list, err := elementsOf(e, array)
	if err == nil {
		err = e.step(sortWeight(len(list), weight(array)))
	}
	if err != nil {
		return nil, err
	}
	return e.distinct(list), nil
}

// setsOf reads operands. null is true if one of them is null or missing.
func setsOf(e *evaluation, args []Value) (sets [][]Value, null bool, err error) {
	for _, v := range args {
		if nullish(v) {
			return nil, true, nil
		}
		set, err := setOf(e, v)
		if err != nil {
			return nil, false, err
		}
		sets = append(sets, set)
	}
	return sets, false, nil
}

// distinct sorts values; of those that are equal the first stays.
func (e *evaluation) distinct(list []Value) []Value {
	slices.SortStableFunc(list, e.order)
	return slices.CompactFunc(list, e.equal)
}

func (e *evaluation) equal(a, b Value) bool { return e.order(a, b) == 0 }

func (e *evaluation) inSet(set []Value, v Value) bool {
	_, found := slices.BinarySearchFunc(set, v, e.order)
	return found
}

// onSets is an operator that tells something about sets, which must not be null.
func onSets(tell func(e *evaluation, sets [][]Value) bool) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		sets, null, err := setsOf(e, args)
		if err != nil || null {
			return Value{}, errExpression
		}
		return boolValue(tell(e, sets)), nil
	}
}

func evalSetUnion(e *evaluation, args []Value) (Value, error) {
	sets, null, err := setsOf(e, args)
	if err != nil || null {
		return valueNull, err
	}
	all, heavy := slices.Concat(sets...), 0
	for _, v := range args {
		heavy += weight(v)
	}
	if err := e.step(sortWeight(len(all), heavy)); err != nil {
		return Value{}, err
	}
	return arrayOf(e, e.distinct(all))
}

func evalSetIntersection(e *evaluation, args []Value) (Value, error) {
	sets, null, err := setsOf(e, args)
	if err != nil || null {
		return valueNull, err
	}
	var common []Value
	if len(sets) > 0 {
		common = slices.DeleteFunc(sets[0], func(v Value) bool {
			return slices.ContainsFunc(sets[1:], func(set []Value) bool { return !e.inSet(set, v) })
		})
	}
	return arrayOf(e, common)
}

func evalSetDifference(e *evaluation, args []Value) (Value, error) {
	if nullish(args[0]) || nullish(args[1]) {
		return valueNull, nil
	}
	if args[0].Kind() != KindArray {
		return Value{}, errExpression
	}
	without, err := setOf(e, args[1])
	if err != nil {
		return Value{}, err
	}
	list, err := elementsOf(e, args[0])
	if err != nil {
		return Value{}, err
	}
	seen, err := setOf(e, args[0])
	taken := make([]bool, len(seen))
	list = slices.DeleteFunc(list, func(v Value) bool {
		i, _ := slices.BinarySearchFunc(seen, v, e.order)
		drop := taken[i] || e.inSet(without, v)
		taken[i] = true
		return drop
	})
	if err != nil {
		return Value{}, err
	}
	return arrayOf(e, list)
}

// elementTrue is $anyElementTrue, or with want false $allElementsTrue.
func elementTrue(want bool) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		if args[0].Kind() != KindArray {
			return Value{}, errExpression
		}
		if err := e.walked(args[0]); err != nil {
			return Value{}, err
		}
		for v := args[0].First(); v.Exists(); v = v.Next() {
			if truth(v) == want {
				return boolValue(want), nil
			}
		}
		return boolValue(!want), nil
	}
}
