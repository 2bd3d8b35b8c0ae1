package differential

import (
	"bytes"
	"slices"
	"strings"
)

// mingoProfile is what mingo can be asked. It asks array filters of something else than the elements.
var mingoProfile = profile{except: []string{"$setOnInsert", "$[x]"}}

// mingoDepartures are what mingo does otherwise than MongoDB.
var mingoDepartures = []departure{
	{name: "bits of what is no number", reason: "MongoDB tests the bits of numbers and binary data alone; JavaScript's & takes anything for a number",
		example: `{"filter":{"v":{"$bitsAllClear":[]}},"over":[{"_id":"element"}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter(bitOperators...) && d.theyMatch() && !slices.ContainsFunc(d.values(), isNumber)
		}},
	{name: "bits of an array's elements", reason: "a condition on an array holds if it holds for an element",
		example: `{"filter":{"b":{"$bitsAnySet":2}},"over":[{"_id":"d7","b":[{"$numberLong":"6"},{}]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter(bitOperators...) && d.weMatch() && slices.ContainsFunc(d.values(), isArray)
		}},
	{name: "$mod of a fraction", reason: "both numbers are cut towards zero (manual page \"$mod\")",
		example: `{"filter":{"a":{"$mod":[4,1]}},"over":[{"_id":"d0","a":{"$numberDouble":"1.5"}}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$mod") && slices.ContainsFunc(d.values(), isFraction)
		}},
	{name: "null in $all", reason: "$all asks for each value as equality does, and null equals a missing field",
		example: `{"filter":{"b":{"$all":[null]}},"over":[{"_id":"d2"}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("$all") && d.weMatch() && slices.ContainsFunc(argument.(array), isNull)
		}},
	{name: "bits of a fraction", reason: "a number that is not whole has no bits (manual page \"$bitsAllSet\")",
		example: `{"filter":{"b.1":{"$bitsAnySet":4}},"over":[{"_id":"d1","b":["Ab",{"$numberDouble":"-2.5"}]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter(bitOperators...) && d.theyMatch() && slices.ContainsFunc(d.values(), isFraction)
		}},
	{name: "$mod of what is no number", reason: "MongoDB divides numbers alone; JavaScript's % takes anything for a number",
		example: `{"filter":{"b.a":{"$mod":[4,0]}},"over":[{"_id":"d5","b":{"a":{"$date":{"$numberLong":"0"}}}}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$mod") && d.theyMatch() && !slices.ContainsFunc(d.values(), isNumber)
		}},
	{name: "ranges of arrays and objects", reason: "MongoDB orders arrays element by element and objects field by field",
		example: `{"filter":{"a":{"$gte":{"b":"Ab"}}},"over":[{"_id":"d4","a":[{"a":{}}]}]}`,
		applies: func(d disagreement) bool {
			path, _, argument := d.condition()
			return d.isFilter(rangeOperators...) && path != "$expr" && either(isArray, isObject)(argument)
		}},
	{name: "ranges up to null of a missing field", reason: "$gte and $lte null are equality with null where there is no value",
		example: `{"filter":{"c":{"$gte":null}},"over":[{"_id":"d3"}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("$gte", "$lte") && argument == nil && d.weMatch() && !slices.ContainsFunc(d.values(), func(v any) bool { return v != nil })
		}},
	{name: "comparisons across types in $expr", reason: "an aggregation's comparison orders values of all types (BSON comparison order)",
		example: `{"filter":{"$expr":{"$gte":[{},"$b.a"]}},"over":[{"_id":"d0"}]}`,
		applies: func(d disagreement) bool {
			path, _, _ := d.condition()
			return path == "$expr" && within(d.filter, func(v any) bool {
				o, _ := v.(object)
				if len(o) != 1 || o[0].name != "$cmp" && !slices.Contains(rangeOperators, o[0].name) {
					return false
				}
				a, b := typeOfOperand(o[0].value.(array)[0], d.documents[0]), typeOfOperand(o[0].value.(array)[1], d.documents[0])
				return a != b || a == "array" || a == "object" || a == "unknown"
			})
		}},
	{name: "paths through arrays in arrays", reason: "a path leads into the elements of an array, not into those of an array in it",
		example: `{"filter":{"c.a":{"$gt":{"$numberLong":"1"}}},"over":[{"_id":"d4","c":[[{"$numberLong":"3"}]]}]}`,
		applies: func(d disagreement) bool {
			path, _, _ := d.condition()
			return len(d.filter) == 1 && strings.Contains(path, ".") && within(d.documents[0], isNested)
		}},
	{name: "$regex in an array in an array", reason: "a condition looks at the elements of an array, not at those of an array in it",
		example: `{"filter":{"a":{"$regex":"a"}},"over":[{"_id":"d5","a":[["b\na"]]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$regex", "") && d.theyMatch() && slices.ContainsFunc(d.values(), isNested)
		}},
	{name: "an empty array on a path", reason: "a path that leads into an empty array finds nothing, and not that array",
		example: `{"filter":{"a.b.0":{"$exists":true}},"over":[{"_id":"d1","a":[]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("", "$eq", "$exists", "$size", "$type") && d.throughPath() && d.holds(isEmptyArray)
		}},
	{name: "null behind an element that lacks the field", reason: "equality with null accepts an array of which an element lacks the rest of the path",
		example: `{"filter":{"a.b.0":null},"over":[{"_id":"d4","a":[{}]}]}`,
		applies: func(d disagreement) bool {
			path, _, argument := d.condition()
			return d.isFilter("", "$eq") && strings.Contains(path, ".") && argument == nil && d.weMatch() && within(d.documents[0], isArray)
		}},
	{name: "$elemMatch on an array in an array", reason: "the conditions of $elemMatch apply to an element that is an array, too",
		example: `{"filter":{"a":{"$elemMatch":{}}},"over":[{"_id":"d6","a":[[]]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$elemMatch") && d.weMatch() && slices.ContainsFunc(d.values(), isNested)
		}},

	{name: "$elemMatch and $size on what is collected on a path", reason: "each value at the end of a path is looked at alone: one that is no array has no elements",
		example: `{"filter":{"a.b.c":{"$elemMatch":{"b.1":{"$exists":true}}}},"over":[{"_id":"d0","a":[{"b":{"c":true}}]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$elemMatch", "$size") && d.throughPath() && d.theyMatch() && d.holds(isArray)
		}},
	{name: "types of what is in arrays", reason: "a condition on an array holds if it holds for an element",
		example: `{"filter":{"a":{"$type":3,"$regex":"A","$options":"i"}},"over":[{"_id":"d7","a":[{},"ab"]}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$type") && d.weMatch() && d.holds(isArray)
		}},
	{name: "$elemMatch of fields on an element that has none", reason: "conditions on fields ask for an element that is an object",
		example: `{"filter":{"a":{"$elemMatch":{"c.a":{"$eq":{"$numberDouble":"2.0"}}}}},"over":[{"_id":"d1","a":[{"$numberDouble":"2.0"}]}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("$elemMatch") && d.theyMatch() && !isOperators(argument) && !slices.ContainsFunc(d.values(), isObject)
		}},
	{name: "$all on a value that is no array", reason: "$all asks for each value as equality does (manual page \"$all\")",
		example: `{"filter":{"c":{"$all":["b\na"]}},"over":[{"_id":"d7","c":"b\na"}]}`,
		applies: func(d disagreement) bool {
			return d.isFilter("$all") && d.weMatch() && !slices.ContainsFunc(d.values(), isArray)
		}},
	{name: "an array in $all", reason: "$all asks for each value as equality does, for an array as a whole",
		example: `{"filter":{"a":{"$all":[[]]}},"over":[{"_id":"d0","a":[]}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("$all") && d.weMatch() && isNested(argument)
		}},
	{name: "arrays at the ends of a path through an array", reason: "each value at the end of a path is looked at alone, an array with its elements",
		example: `{"filter":{"b.a":{"$size":3}},"over":[{"_id":"d2","b":[{"a":[{"$numberLong":"-1"},{"$date":{"$numberLong":"0"}},false]},{"a":{"$numberLong":"3"}}]}]}`,
		applies: func(d disagreement) bool {
			return len(d.filter) == 1 && d.throughPath() && d.weMatch() && d.holds(func(v any) bool {
				list, _ := v.(array)
				return slices.ContainsFunc(list, func(e any) bool { return isObject(e) && within(e, isArray) })
			})
		}},
	{name: "a missing field beside null in $expr", reason: "an expression tells a missing field from null",
		example: `{"filter":{"$expr":{"$ne":["$a","$b.a"]}},"over":[{"_id":"d6","b":{"a":null}}]}`,
		applies: func(d disagreement) bool {
			path, op, argument := d.condition()
			if path != "$expr" || !d.isFilter("$eq", "$ne", "$in") || op == "" {
				return false
			}
			return slices.ContainsFunc(argument.(array), func(operand any) bool { return typeOfOperand(operand, d.documents[0]) == "missing" })
		}},
	{name: "an empty string as a truth value in $expr", reason: "false are false, null, 0 and what is missing, nothing else",
		example: `{"filter":{"$expr":{"$not":[{"$cond":[{"$isArray":["$a"]},"$a","$c"]}]}},"over":[{"_id":"d0","c":""}]}`,
		applies: func(d disagreement) bool {
			path, _, argument := d.condition()
			return path == "$expr" && (within(argument, isEmptyString) || d.holds(isEmptyString))
		}},
	{name: "an array in $in", reason: "an array equals an array in the list as a whole",
		example: `{"filter":{"b":{"$in":[[]]}},"over":[{"_id":"d0","b":[]}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("$in") && d.weMatch() && isArray(argument) && slices.ContainsFunc(argument.(array), isArray)
		}},
	{name: "equality with an array in $expr", reason: "an array equals an array alone; a path through an array is one, also of one value",
		example: `{"filter":{"$expr":{"$eq":[{"$literal":[null]},"$b"]}},"over":[{"_id":"d3","b":null}]}`,
		applies: func(d disagreement) bool {
			path, op, argument := d.condition()
			if path != "$expr" || !d.isFilter("$eq", "$ne", "$in") || op == "" {
				return false
			}
			return slices.ContainsFunc(argument.(array), func(operand any) bool {
				return slices.Contains([]string{"array", "unknown"}, typeOfOperand(operand, d.documents[0]))
			})
		}},

	{name: "sorts by arrays and objects", reason: "MongoDB sorts an array by its least or greatest element, objects field by field",
		example: `{"filter":{},"sort":[["c.a",1],["_id",1]],"limit":7,"over":[{"_id":"d5"},{"_id":"d6","c":[]}]}`,
		applies: func(d disagreement) bool {
			if d.sort == nil || d.projection != nil {
				return false
			}
			return slices.ContainsFunc(d.sort, func(part any) bool {
				name, _, _ := strings.Cut(part.(array)[0].(string), ".")
				return slices.ContainsFunc(d.documents, func(o object) bool { v, _ := o.get(name); return either(isArray, isObject)(v) })
			})
		}},

	{name: "exclusion in arrays in arrays", reason: "a projection applies to the objects in an array, however deep",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b.a":0},"over":[{"_id":"d4","b":[[{"a":{"$numberDouble":"1.5"}}]]},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			path, _, argument := d.condition()
			return d.projection != nil && argument == 0 && strings.Contains(path, ".") && d.holds(isNested)
		}},
	{name: "exclusion below null", reason: "a projection leaves what is no object as it is",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"a.b.c":0},"over":[{"_id":"d1","a":[null]},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.projection != nil && argument == 0 && d.theyRefuse("of null") && d.holds(isNull)
		}},
	{name: "$slice beside exclusion", reason: "$slice alone does not make a projection an inclusion (manual page \"$slice\")",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b":0,"a":{"$slice":1}},"over":[{"_id":"d6"},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			return len(d.projection) == 2 && d.theyRefuse("exclusion and inclusion") && strings.Contains(d.projection.String(), "$slice")
		}},
	{name: "$elemMatch of fields on what has none, in a projection", reason: "as in a filter",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b":{"$elemMatch":{"z":{"$type":["array"]}}}},"over":[{"_id":"d6"},{"_id":"d7","b":[[]]}]}`,
		applies: func(d disagreement) bool {
			_, op, argument := d.condition()
			return d.projection != nil && op == "$elemMatch" && d.theirs.Error == "" && !isOperators(argument)
		}},
	{name: "$elemMatch of values in a projection", reason: "$elemMatch takes operators on the element itself, in a projection too",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b":{"$elemMatch":{"$elemMatch":{}}}},"over":[{"_id":"d6"},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			_, op, argument := d.condition()
			return d.projection != nil && op == "$elemMatch" && isOperators(argument) && d.theyRefuse("unknown top level operator")
		}},

	{name: "an update that cannot be made", reason: "MongoDB refuses it (PathNotViable, TypeMismatch, BadValue); mingo leaves the document",
		example: `{"document":{"_id":"d0"},"update":{"$push":{"b.$[].a":{"$numberLong":"1"}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf() && d.ours.Error != "" && d.blocked() && d.leaves()
		}},
	{name: "$min and $max of two types, arrays or objects", reason: "they compare in the order of all values (manual page \"$max\")",
		example: `{"document":{"_id":"d2","a":{}},"update":{"$min":{"a":[]}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isUpdateOf("$min", "$max") && d.ours.Error == "" && (either(isArray, isObject)(argument) ||
				slices.ContainsFunc(d.target(), func(v any) bool { return typeName(v) != typeName(argument) }))
		}},
	{name: "an update below null", reason: "null holds no fields: MongoDB refuses it (PathNotViable), mingo makes an object",
		example: `{"document":{"_id":"d2","a":[null]},"update":{"$min":{"a.0.b":{"$numberDouble":"1.5"}}}}`,
		applies: func(d disagreement) bool {
			path, _, _ := d.condition()
			return d.isUpdateOf() && d.ours.Error != "" && d.blocked() && strings.Contains(path, ".") && within(d.document, isNull)
		}},
	{name: "$rename to where no field can be", reason: "MongoDB refuses it (PathNotViable); mingo loses the value",
		example: `{"document":{"_id":"d0","b":{},"c":null},"update":{"$rename":{"b":"c.b"}}}`,
		applies: func(d disagreement) bool { return d.isUpdateOf("$rename") && d.ours.Error != "" && d.blocked() }},
	{name: "$sort of arrays and objects in $push", reason: "elements are sorted in the order of all values",
		example: `{"document":{"_id":"d0"},"update":{"$push":{"a.0":{"$each":[{"$date":{"$numberLong":"0"}},[]],"$sort":1}}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			o, _ := argument.(object)
			_, sorts := o.get("$sort")
			each, _ := o.get("$each")
			return d.isUpdateOf("$push") && sorts && (slices.ContainsFunc(d.target(), either(isArray, isObject)) || within(each, isNested))
		}},
	{name: "$pull of objects on what is none", reason: "conditions on fields ask for an element that is an object",
		example: `{"document":{"_id":"d4","a":[[]]},"update":{"$pull":{"a":{}}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isUpdateOf("$pull") && isObject(argument) && !isOperators(argument) && len(d.target()) > 1 &&
				slices.ContainsFunc(d.target()[1:], func(v any) bool { return !isObject(v) })
		}},
	{name: "$pull by bits or a range of an array or object", reason: "as in a filter",
		example: `{"document":{"_id":"d0","a":[{"b":1}]},"update":{"$pull":{"a":{"$gt":{"a":[]}}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$pull") && within(d.operators, func(v any) bool {
				o, _ := v.(object)
				return slices.ContainsFunc(o, func(f field) bool {
					return slices.Contains(bitOperators, f.name) || slices.Contains(rangeOperators, f.name) && either(isArray, isObject)(f.value)
				})
			})
		}},
	{name: "$push with modifiers to what is missing", reason: "the modifiers apply to a new array, too; $slice 0 empties any (manual page \"$slice\")",
		example: `{"document":{"_id":"d4"},"update":{"$push":{"a.b":{"$each":[{"$numberLong":"3"},null],"$slice":-1}}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isUpdateOf("$push") && isOperators(argument) && (len(d.target()) == 0 || strings.Contains(argument.(object).String(), `"$slice":0`))
		}},
	{name: "arrays in $pullAll", reason: "$pullAll removes what is equal to a value of the list, an array as a whole",
		example: `{"document":{"_id":"d0","a":[[[]]]},"update":{"$pullAll":{"a.$[]":[[]]}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isUpdateOf("$pullAll") && (isNested(argument) || slices.ContainsFunc(d.target(), isNested))
		}},
	{name: "$addToSet to or of equal elements", reason: "$addToSet leaves the array's elements as they are and adds once what is not there",
		example: `{"document":{"_id":"d0"},"update":{"$addToSet":{"a.b":{"$each":[{"$numberLong":"2"},{"$numberDouble":"2.0"}]}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$addToSet") && (slices.ContainsFunc(d.target(), hasEqual) || within(d.operators, hasEqual))
		}},
	{name: "$bit of a double", reason: "$bit takes integers (manual page \"$bit\"); JavaScript has doubles alone",
		example: `{"document":{"_id":"d0","b":{"a":{"$numberDouble":"2.0"}}},"update":{"$bit":{"b.a":{"and":{"$numberLong":"0"}}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$bit") && d.ours.Error != "" && slices.ContainsFunc(d.target(), func(v any) bool { _, ok := v.(float64); return ok })
		}},
}

// typeOfOperand is the type of an operand of $expr, "unknown" where it takes an evaluation.
func typeOfOperand(operand any, document object) string {
	switch o := operand.(type) {
	case string:
		return typeOfField(strings.Split(strings.TrimPrefix(o, "$"), "."), document)
	case object:
		if len(o) == 0 {
			return "object"
		}
		switch o[0].name {
		case "$literal":
			return typeName(o[0].value)
		case "$cmp":
			return "number"
		case "$ifNull", "$cond":
			return "unknown"
		}
		return "bool"
	}
	return typeName(operand)
}

func typeOfField(path []string, v any) string {
	for _, name := range path {
		switch o := v.(type) {
		case object:
			inner, ok := o.get(name)
			if !ok {
				return "missing"
			}
			v = inner
		case array:
			return "array"
		default:
			return "missing"
		}
	}
	return typeName(v)
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case date:
		return "date"
	case array:
		return "array"
	case object:
		return "object"
	}
	if isNumber(v) {
		return "number"
	}
	return "other"
}

// hasEqual says whether an array holds a value twice.
func hasEqual(v any) bool {
	list, _ := v.(array)
	for i, e := range list {
		if slices.ContainsFunc(list[:i], func(f any) bool { return bytes.Equal(plain(text(e)), plain(text(f))) }) {
			return true
		}
	}
	return false
}
