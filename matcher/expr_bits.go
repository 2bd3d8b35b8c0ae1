package matcher

// Operators on the bits of whole numbers (manual: "Bitwise Operators"): int and long alone. Null or missing makes null.

func bitwiseOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$bitAnd": {min: 0, max: -1, eval: bitwise(-1, func(a, b int64) int64 { return a & b })},
		"$bitOr":  {min: 0, max: -1, eval: bitwise(0, func(a, b int64) int64 { return a | b })},
		"$bitXor": {min: 0, max: -1, eval: bitwise(0, func(a, b int64) int64 { return a ^ b })},
		"$bitNot": {min: 1, max: 1, eval: func(e *evaluation, args []Value) (Value, error) {
			return bitwise(-1, func(a, b int64) int64 { return a ^ b })(e, args)
		}},
	}
}

// bitwise joins all operands, from one on that changes nothing. The result is an int if all operands are.
func bitwise(from int64, join func(a, b int64) int64) func(*evaluation, []Value) (Value, error) {
	return func(_ *evaluation, args []Value) (Value, error) {
		made := number{kind: KindInt32, integer: from}
		for _, v := range args {
			switch v.Kind() {
			case KindMissing, KindNull:
				return valueNull, nil
			case KindInt32, KindInt64:
				made = number{kind: wider(made, numberOf(v)), integer: join(made.integer, v.Int64())}
			default:
				return Value{}, errExpression
			}
		}
		return numberValue(made), nil
	}
}
