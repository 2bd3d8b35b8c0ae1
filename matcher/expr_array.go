package matcher

import "slices"

// Operators on arrays (manual: "Array Expression Operators").

func arrayOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$size":         {min: 1, max: 1, eval: evalSize},
		"$isArray":      {min: 1, max: 1, eval: func(_ *evaluation, args []Value) (Value, error) { return boolValue(args[0].Kind() == KindArray), nil }},
		"$arrayElemAt":  {min: 2, max: 2, eval: evalArrayElemAt},
		"$first":        {min: 1, max: 1, eval: endOfArray(0)},
		"$last":         {min: 1, max: 1, eval: endOfArray(-1)},
		"$in":           {min: 2, max: 2, eval: evalIn},
		"$concatArrays": {min: 0, max: -1, eval: evalConcatArrays},
		"$slice":        {min: 2, max: 3, eval: evalSlice},
		"$reverseArray": {min: 1, max: 1, eval: evalReverseArray},
		"$indexOfArray": {min: 2, max: 4, eval: evalIndexOfArray},
		"$range":        {min: 2, max: 3, eval: evalRange},
	}
}

// walked counts a walk over all of an array or object.
func (e *evaluation) walked(v Value) error { return e.step(weight(v)) }

func evalSize(_ *evaluation, args []Value) (Value, error) {
	if args[0].Kind() != KindArray {
		return Value{}, errExpression
	}
	return int32Value(args[0].Len()), nil
}

func evalArrayElemAt(e *evaluation, args []Value) (Value, error) {
	array := args[0]
	switch {
	case nullish(array) || nullish(args[1]):
		return valueNull, nil
	case array.Kind() != KindArray:
		return Value{}, errExpression
	}
	i, err := wholeArgument(args[1])
	if err != nil || i != int64(int32(i)) {
		return Value{}, errExpression
	}
	if i < 0 {
		i += int64(array.Len())
	}
	return array.Index(int(i)), e.step(lengthWeight(array))
}

// endOfArray is the first element, or with -1 the last; missing if there is none.
func endOfArray(i int) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		array := args[0]
		switch {
		case nullish(array):
			return valueNull, nil
		case array.Kind() != KindArray:
			return Value{}, errExpression
		case i == 0:
			return array.First(), nil
		}
		return array.Index(array.Len() - 1), e.step(lengthWeight(array))
	}
}

// evalIn is [value, array].
func evalIn(e *evaluation, args []Value) (Value, error) {
	if args[1].Kind() != KindArray {
		return Value{}, errExpression
	}
	if err := e.walked(args[1]); err != nil {
		return Value{}, err
	}
	for v := args[1].First(); v.Exists(); v = v.Next() {
		if e.order(v, args[0]) == 0 {
			return valueTrue, nil
		}
	}
	return valueFalse, nil
}

func evalConcatArrays(e *evaluation, args []Value) (Value, error) {
	for _, v := range args {
		switch {
		case nullish(v):
			return valueNull, nil
		case v.Kind() != KindArray:
			return Value{}, errExpression
		}
	}
	b := begun(e, KindArray)
	for _, array := range args {
		for v := array.First(); v.Exists() && b.err == nil; v = v.Next() {
			b.copy(v)
		}
	}
	return b.done()
}

// evalSlice is [array, n], the first n elements or the last -n, or [array, position, n].
func evalSlice(e *evaluation, args []Value) (Value, error) {
	array := args[0]
	for _, v := range args {
		if nullish(v) {
			return valueNull, nil
		}
	}
	n, err := wholeArgument(args[len(args)-1])
	if err != nil || array.Kind() != KindArray || n != int64(int32(n)) {
		return Value{}, errExpression
	}
	size := int64(array.Len())
	from := int64(0)
	switch {
	case len(args) == 3:
		if from, err = wholeArgument(args[1]); err != nil || from != int64(int32(from)) || n <= 0 {
			return Value{}, errExpression
		}
		if from < 0 {
			from = max(0, size+from)
		}
	case n < 0:
		from, n = max(0, size+n), -n
	}
	b := begun(e, KindArray)
	i := int64(0)
	for v := array.First(); v.Exists() && i < from+n && b.err == nil; v = v.Next() {
		if i >= from {
			b.copy(v)
		}
		i++
	}
	return b.done()
}

// elementsOf lists an array's elements.
func elementsOf(e *evaluation, array Value) ([]Value, error) {
	if err := e.walked(array); err != nil {
		return nil, err
	}
	list := make([]Value, 0, array.Len())
	for v := array.First(); v.Exists(); v = v.Next() {
		list = append(list, v)
	}
	return list, nil
}

// arrayOf makes an array of values.
func arrayOf(e *evaluation, list []Value) (Value, error) {
	b := begun(e, KindArray)
	for _, v := range list {
		if b.err != nil {
			break
		}
		b.copy(v)
	}
	return b.done()
}

func evalReverseArray(e *evaluation, args []Value) (Value, error) {
	switch {
	case nullish(args[0]):
		return valueNull, nil
	case args[0].Kind() != KindArray:
		return Value{}, errExpression
	}
	list, err := elementsOf(e, args[0])
	if err != nil {
		return Value{}, err
	}
	slices.Reverse(list)
	return arrayOf(e, list)
}

// evalIndexOfArray is [array, value, start, end]: where the value is first found in the range, -1 if it is not.
func evalIndexOfArray(e *evaluation, args []Value) (Value, error) {
	array := args[0]
	switch {
	case nullish(array):
		return valueNull, nil
	case array.Kind() != KindArray:
		return Value{}, errExpression
	}
	start, end, err := indexRange(args[2:], int64(array.Len()))
	if err == nil {
		err = e.walked(array)
	}
	i := int64(0)
	for v := array.First(); v.Exists() && i < end && err == nil; v = v.Next() {
		if i >= start && e.order(v, args[1]) == 0 {
			return int32Value(int(i)), nil
		}
		i++
	}
	return compared[0], err // -1
}

// evalRange is [start, end, step]: the numbers from start on, without end.
func evalRange(e *evaluation, args []Value) (Value, error) {
	numbers := [3]int64{2: 1}
	for i, v := range args {
		n, err := wholeArgument(v)
		if err != nil || n != int64(int32(n)) {
			return Value{}, errExpression
		}
		numbers[i] = n
	}
	from, to, step := numbers[0], numbers[1], numbers[2]
	if step == 0 {
		return Value{}, errExpression
	}
	b := begun(e, KindArray)
	for i := from; (step > 0 && i < to || step < 0 && i > to) && b.err == nil; i += step {
		b.scalar(KindInt32, uint64(i))
	}
	return b.done()
}
