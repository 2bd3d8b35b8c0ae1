package matcher

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
)

// Operators on types (manual: "Type Expression Operators").

// conversion makes a value of one type of another; ok is false where that cannot be.
type conversion func(v Value) (made Value, ok bool)

var conversions = map[string]conversion{
	"string": toText, "bool": toBool, "int": toInt, "long": toLong, "double": toDouble, "decimal": toDecimal, "date": toDate, "objectId": toObjectID,
}

func typeOperators() map[string]*exprOperator {
	operators := map[string]*exprOperator{
		"$type": {min: 1, max: 1, eval: func(_ *evaluation, args []Value) (Value, error) {
			return textValue([]byte(args[0].Kind().String())), nil
		}},
		"$isNumber": {min: 1, max: 1, eval: func(_ *evaluation, args []Value) (Value, error) { return boolValue(args[0].IsNumber()), nil }},
		// $convert: {input, to, onError, onNull}; onNull also stands in for a missing input.
		"$convert": {names: []string{"input", "to", "onError", "onNull"}, required: 2, check: checkConvert, lazy: evalConvert},
	}
	for name, to := range map[string]string{"$toString": "string", "$toBool": "bool", "$toInt": "int", "$toLong": "long", "$toDouble": "double",
		"$toDecimal": "decimal", "$toDate": "date", "$toObjectId": "objectId"} {
		convert := conversions[to]
		operators[name] = &exprOperator{min: 1, max: 1, eval: func(_ *evaluation, args []Value) (Value, error) {
			if nullish(args[0]) {
				return valueNull, nil
			}
			if made, ok := convert(args[0]); ok {
				return made, nil
			}
			return Value{}, errExpression
		}}
	}
	return operators
}

// conversionTo finds a conversion by the name or number of its type.
func conversionTo(to Value) conversion {
	if to.Kind() == KindString {
		return conversions[string(to.Bytes())]
	}
	for _, t := range typeCodes {
		if to.IsNumber() && to.Float64() == float64(t.code) {
			return conversions[t.name]
		}
	}
	return nil
}

func checkConvert(_ *exprCompiler, args []expression, at *place) error {
	if to, ok := args[1].(constantExpression); ok && !nullish(to.value) && conversionTo(to.value) == nil {
		return at.field("to").invalid("$convert cannot make the type %s; it makes string, bool, int, long, double, decimal, date and objectId", constantText(to.value))
	}
	return nil
}

// constantText is a constant for a message.
func constantText(v Value) string { return shorten(AppendValue(nil, v, ValuesRelaxed)) }

func evalConvert(e *evaluation, args []expression) (Value, error) {
	input, err := args[0].eval(e)
	if err != nil {
		return Value{}, err
	}
	to, err := args[1].eval(e)
	if err != nil {
		return Value{}, err
	}
	instead := func(x expression, v Value, err error) (Value, error) {
		if x == nil {
			return v, err
		}
		return x.eval(e)
	}
	if nullish(input) {
		return instead(args[3], valueNull, nil)
	}
	if nullish(to) {
		return valueNull, nil
	}
	convert := conversionTo(to)
	if convert == nil {
		return Value{}, errExpression
	}
	if made, ok := convert(input); ok {
		return made, nil
	}
	return instead(args[2], Value{}, errExpression)
}

func toText(v Value) (Value, bool) {
	switch v.Kind() {
	case KindString:
		return v, true
	case KindBool:
		return textValue(strconv.AppendBool(nil, v.Bool())), true
	case KindObjectID:
		return textValue([]byte(hexText(v.Bytes()))), true
	case KindDate:
		text, err := dateText(v.Int64())
		return textValue(text), err == nil
	}
	if v.IsNumber() {
		return textValue(numberText(v)), true
	}
	return Value{}, false
}

// toBool knows all types but the least and the greatest key.
func toBool(v Value) (Value, bool) {
	kind := v.Kind()
	return boolValue(truth(v)), kind != KindMinKey && kind != KindMaxKey
}

func toInt(v Value) (Value, bool) {
	i, ok := toWhole(v)
	return int32Value(i), ok && i == int64(int32(i)) && v.Kind() != KindDate
}

func toLong(v Value) (Value, bool) {
	i, ok := toWhole(v)
	return int64Value(i), ok
}

// toWhole cuts fractions of numbers off; a text must be a whole number in decimal digits.
func toWhole(v Value) (int64, bool) {
	switch v.Kind() {
	case KindBool:
		return int64(v.at().number), true
	case KindDate:
		return v.Int64(), true
	case KindString:
		text := v.Bytes()
		if len(text) > 1 && text[0] == '+' && text[1] != '-' {
			text = text[1:]
		}
		return parseInteger(text)
	}
	i, _, ok := wholeNumber(v)
	return i, ok
}

func toDouble(v Value) (Value, bool) {
	switch v.Kind() {
	case KindBool:
		return doubleValue(float64(v.at().number)), true
	case KindDate:
		return doubleValue(float64(v.Int64())), true
	case KindString:
		f, ok := parseDouble(v.Bytes())
		return doubleValue(f), ok
	}
	f := v.Float64()
	if v.Kind() == KindDecimal && v.decimal().class == decimalFinite && !v.decimal().isZero() {
		const least = 0x1p-1022 // below it digits are lost
		if math.IsInf(f, 0) || math.Abs(f) < least {
			return Value{}, false
		}
	}
	return doubleValue(f), v.IsNumber()
}

func toDecimal(v Value) (Value, bool) {
	made := func(d decimal) Value { return numberValue(number{kind: KindDecimal, decimal: d}) }
	switch v.Kind() {
	case KindBool, KindDate:
		i, _ := toWhole(v)
		return made(decimalOf(i)), true
	case KindString:
		d, ok := parseDecimal(bytes.Clone(v.Bytes()))
		return made(d), ok
	}
	if !v.IsNumber() {
		return Value{}, false
	}
	return made(numberOf(v).asDecimal()), true
}

// toDate reads a long, double or decimal as milliseconds since 1970, a text as ISO 8601, and the seconds in an ObjectId
// or timestamp.
func toDate(v Value) (Value, bool) {
	switch v.Kind() {
	case KindInt64, KindDouble, KindDecimal:
		ms, _, ok := wholeNumber(v)
		return dateValue(ms), ok
	case KindString:
		ms, _, ok := readDate(v.Bytes(), Value{})
		return dateValue(ms), ok
	}
	ms, ok := dateOf(v)
	return dateValue(ms), ok
}

func toObjectID(v Value) (Value, bool) {
	if v.Kind() == KindObjectID {
		return v, true
	}
	id := make([]byte, 12)
	if len(v.Bytes()) != 24 || v.Kind() != KindString {
		return Value{}, false
	}
	_, err := hex.Decode(id, v.Bytes())
	return bytesValue(KindObjectID, id), err == nil
}
