package differential

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// javaServerProfile is what mongo-java-server can be asked. $slice over a document without the field ends its connection;
// $regex with $options is read by the driver's parser as a value, which the plain conditions on regular expressions are
// anyway.
var javaServerProfile = profile{types: true, except: []string{"bits", "$bit", "$expr", "$slice", "$options"}}

// javaServerDepartures are what mongo-java-server does otherwise than MongoDB.
var javaServerDepartures = []departure{
	{name: "an empty object equals a missing field", reason: "equality with an object asks for the same object",
		example: `{"filter":{"c.a":{}},"over":[{"_id":"d4"}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			o, ok := argument.(object)
			return d.isFilter("", "$eq", "$in", "$all", "$lte", "$gte") && d.theyMatch() && ok && len(o) == 0 && len(d.values()) == 0
		}},
	{name: "an empty array on a path", reason: "a path that leads into an empty array finds nothing",
		example: `{"filter":{"a.b.c":{"$lte":{"$numberInt":"2"},"$ne":[]}},"over":[{"_id":"d2","a":[]}]}`,
		applies: func(d disagreement) bool { return len(d.filter) == 1 && d.throughPath() && d.holds(isEmptyArray) }},
	{name: "ranges of arrays and objects", reason: "MongoDB orders arrays element by element and objects field by field",
		example: `{"filter":{"b":{"$gte":{"a":[]}}},"over":[{"_id":"d4","b":{"a":[]}}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter(rangeOperators...) && either(isArray, isObject)(argument)
		}},
	{name: "an empty array in an array", reason: "a condition on an array holds if it holds for an element, an array too",
		example: `{"filter":{"c":[]},"over":[{"_id":"d2","c":[[]]}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("", "$eq", "$in") && d.weMatch() && slices.ContainsFunc(d.values(), isNested) && within(argument, isArray)
		}},
	{name: "$all beside other conditions", reason: "all operators of a condition hold, and $all [] never does (manual page \"$all\")",
		example: `{"filter":{"b":{"$all":[[]],"$mod":[-3,2]}},"over":[{"_id":"d0","b":[{"$numberInt":"2"},[]]}]}`,
		applies: func(d disagreement) bool {
			if len(d.filter) != 1 || !isOperators(d.filter[0].value) {
				return false
			}
			operators := d.filter[0].value.(object)
			_, has := operators.get("$all")
			return has && len(operators) > 1
		}},
	{name: "$regex on what is no string", reason: "a regular expression matches strings (manual page \"$regex\"), not the text of an array or object",
		example: `{"filter":{"c":{"$regularExpression":{"pattern":"a","options":""}}},"over":[{"_id":"d4","c":{"$oid":"0123456789abcdef01234567"}}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			_, isRegex := argument.(regex)
			return (d.isFilter("$regex") || d.isFilter("", "$in") && isRegex) && d.theyMatch() && slices.ContainsFunc(d.values(), isNoString)
		}},
	{name: "$elemMatch of combined filters on a single value", reason: "conditions on fields ask for an element that is an object, and are false for another one",
		example: `{"filter":{"c":{"$elemMatch":{"$and":[{"b":1}]}}},"over":[{"_id":"d0","c":[1]}]}`,
		applies: func(d disagreement) bool {
			return strings.Contains(d.filter.String(), `"$elemMatch"`) && d.theyRefuse("cannot be cast")
		}},
	{name: "the start of an empty string with the option m", reason: "^ matches at the start of a string whatever the options; Java's does not where nothing follows",
		example: `{"filter":{"b":{"$regularExpression":{"pattern":"^$","options":"m"}}},"over":[{"_id":"d0","b":""}]}`,
		applies: func(d disagreement) bool {
			return len(d.filter) == 1 && d.weMatch() && d.holds(isEmptyString) && within(d.filter, func(v any) bool {
				r, ok := v.(regex)
				return ok && strings.Contains(r.options, "m")
			})
		}},
	{name: "conditions beside $regex", reason: "all operators of a condition hold",
		example: `{"filter":{"c":{"$type":["null"],"$regex":"^a"}},"over":[{"_id":"d2","c":"ab"}]}`,
		applies: func(d disagreement) bool {
			if len(d.filter) != 1 || !isOperators(d.filter[0].value) {
				return false
			}
			operators := d.filter[0].value.(object)
			_, has := operators.get("$regex")
			return has && len(operators) > 1 && d.theyMatch()
		}},
	{name: "two conditions that two elements meet", reason: "the operators of a condition may be met by different elements; $elemMatch asks for one",
		example: `{"filter":{"b.a":{"$gt":"","$lt":{"b":{}}}},"over":[{"_id":"d3","b":{"a":["Ab",{}]}}]}`,
		applies: func(d disagreement) bool {
			return len(d.filter) == 1 && isOperators(d.filter[0].value) && len(d.filter[0].value.(object)) > 1 && d.weMatch() &&
				slices.ContainsFunc(d.values(), isArray)
		}},
	{name: "null of a field of an element that has none", reason: "equality with null accepts an array of which an element that is an object lacks the field",
		example: `{"filter":{"a.b":null},"over":[{"_id":"d0","a":[{"$date":{"$numberLong":"0"}}]}]}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isFilter("", "$eq", "$in", "$gte", "$lte") && d.throughPath() && within(argument, isNull) && d.theyMatch() && d.holds(isArray)
		}},
	{name: "$exists of what some elements of an array have", reason: "$exists false is the negation of true, which holds if it holds for one element",
		example: `{"filter":{"b.a":{"$exists":false}},"over":[{"_id":"d6","b":[{"a":{}},{"$numberLong":"7"}]}]}`,
		applies: func(d disagreement) bool {
			if len(d.filter) != 1 || !isOperators(d.filter[0].value) {
				return false
			}
			there, has := d.filter[0].value.(object).get("$exists")
			return has && there == false && d.throughPath() && d.theyMatch() && d.holds(isArray)
		}},
	{name: "paths through arrays in arrays", reason: "a path leads into the elements of an array, not into those of an array in it",
		example: `{"filter":{"b.a":null},"over":[{"_id":"d1","b":[[{}]]}]}`,
		applies: func(d disagreement) bool {
			return len(d.filter) == 1 && d.throughPath() && d.theyMatch() && d.holds(isNested)
		}},

	{name: "sorts by empty arrays, arrays in arrays or objects, and indexes",
		reason:  "MongoDB sorts an array by its least or greatest element, an array in it as a whole; a path through an empty array finds null (manual page \"Sort Consistency\", \"Comparison/Sort Order\")",
		example: `{"filter":{},"sort":[["a.0.b",-1],["_id",1]],"limit":7,"over":[{"_id":"d5","a":[]},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			return d.sort != nil && d.projection == nil && slices.ContainsFunc(d.sort, func(part any) bool {
				path := part.(array)[0].(string)
				name, _, _ := strings.Cut(path, ".")
				return slices.ContainsFunc(d.documents, func(o object) bool {
					v, _ := o.get(name)
					return within(v, either(isEmptyArray, isNested, holdsArray)) || isArray(v) && strings.ContainsAny(path, "01")
				})
			})
		}},

	{name: "projections in arrays in arrays", reason: "a projection applies to the objects in an array, however deep",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b.a":1},"over":[{"_id":"d2","b":[[]]},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			return d.projection != nil && d.throughPath() && d.theirs.Error == "" && d.holds(isNested)
		}},
	{name: "$elemMatch on empty arrays and arrays in arrays, in a projection", reason: "as in a filter; the conditions of $elemMatch apply to an element that is an array, too",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"a":{"$elemMatch":{}}},"over":[{"_id":"d0","a":[[]]},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			_, op, _ := d.condition()
			return d.projection != nil && op == "$elemMatch" && d.theirs.Error == "" && d.holds(either(isNested, isEmptyArray))
		}},
	{name: "$elemMatch of values in a projection", reason: "$elemMatch takes operators on the element itself, in a projection too",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b":{"$elemMatch":{"$nin":[]}}},"over":[{"_id":"d4","b":[{}]},{"_id":"d7"}]}`,
		applies: func(d disagreement) bool {
			_, op, argument := d.condition()
			return d.projection != nil && op == "$elemMatch" && isOperators(argument) && d.ours.Error == ""
		}},

	{name: "fields in the order of the projection", reason: "a projection keeps the document's order",
		example: `{"filter":{},"sort":[["_id",1]],"projection":{"b":1,"_id":1},"over":[{"_id":"d6"},{"_id":"d7","b":"Ab"}]}`,
		applies: func(d disagreement) bool {
			return len(d.projection) > 1 && slices.EqualFunc(d.ours.Documents, d.theirs.Documents,
				func(a, b json.RawMessage) bool { return bytes.Equal(plain(a), plain(b)) })
		}},

	{name: "an empty object in $addToSet", reason: "an empty object is a value as others are",
		example: `{"document":{"_id":"d5"},"update":{"$addToSet":{"c":{}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$addToSet") && d.theyRefuse("Unknown error: null") && within(d.operators, isEmptyObject)
		}},
	{name: "new fields in the order of the operators", reason: "new fields come in the order of their names (manual page \"Update Operators\", since 5.0)",
		example: `{"document":{"_id":"d2"},"update":{"$mul":{"z":{"$numberLong":"2"}},"$addToSet":{"a.0":{"$each":[]}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdate() && d.ours.Error == "" && d.theirs.Error == "" && bytes.Equal(plain(d.ours.Document), plain(d.theirs.Document)) &&
				strings.Count(d.operators.String(), ":{") > 1
		}},
	{name: "an update of or below null", reason: "null holds no fields and is no array: MongoDB refuses it (PathNotViable, BadValue)",
		example: `{"document":{"_id":"d1","a":null},"update":{"$inc":{"a.0":{"$numberLong":"1"}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf() && d.ours.Error != "" && d.blocked() && within(d.document, isNull)
		}},
	{name: "$pull, $pullAll and $pop below a single value", reason: "a value that holds no fields cannot be passed: MongoDB refuses it (PathNotViable)",
		example: `{"document":{"_id":"d0","a":"b"},"update":{"$pull":{"a.b":{}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$pull", "$pullAll", "$pop") && d.ours.Error != "" && d.blocked() && d.throughPath() && d.leaves()
		}},
	{name: "an update of a field of an array", reason: "MongoDB refuses it (PathNotViable): a name is no index",
		example: `{"document":{"_id":"d5","b":[{"a":{"$numberDecimal":"1.5"}}]},"update":{"$max":{"b.a":[]}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf() && d.ours.Error != "" && d.blocked() && d.throughPath() && within(d.document, isArray) && d.leaves()
		}},
	{name: "$unset of a field of an array", reason: "a name is no index: there is nothing to remove",
		example: `{"document":{"_id":"d5","a":[{"b":{"$numberLong":"3"}}]},"update":{"$unset":{"a.b":""}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$unset") && d.ours.Error == "" && d.throughPath() && within(d.document, isArray)
		}},
	{name: "empty arrays and objects in $pullAll", reason: "an empty array, an empty object and any other value are not equal",
		example: `{"document":{"_id":"d3","b":[{}]},"update":{"$pullAll":{"b":[[]]}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			isEmpty := either(isEmptyArray, isEmptyObject)
			return d.isUpdateOf("$pullAll") && (within(argument, isEmpty) || slices.ContainsFunc(d.target(), isEmpty))
		}},
	{name: "$set of an equal number of another type", reason: "$set writes the value that it is given, its type too",
		example: `{"document":{"_id":"d0","a":{"$numberLong":"2"}},"update":{"$set":{"a":{"$numberDecimal":"2"}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$set") && d.leaves() && bytes.Equal(plain(d.ours.Document), plain(d.theirs.Document))
		}},
	{name: "an empty condition in $pull", reason: "conditions on fields ask for an element that is an object, also where there are none",
		example: `{"document":{"_id":"d0","a":["b"]},"update":{"$pull":{"a":{}}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isUpdateOf("$pull") && isEmptyObject(argument) && d.ours.Error == "" && slices.ContainsFunc(d.target(), func(v any) bool { return !isArray(v) && !isObject(v) })
		}},
	{name: "a regular expression in $pull", reason: "a regular expression matches strings, not the text of another value",
		example: `{"document":{"_id":"d3","a":[{"$oid":"0123456789abcdef01234567"}]},"update":{"$pull":{"a":{"$regularExpression":{"pattern":"[ab]{2}","options":""}}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$pull") && within(d.operators, func(v any) bool { _, ok := v.(regex); return ok || isOperators(v) && v.(object)[0].name == "$regex" }) &&
				slices.ContainsFunc(d.target(), isNoString)
		}},
	{name: "an array filter with null, $all, arrays, objects or a regular expression", reason: "as in a filter",
		example: `{"document":{"_id":"d0","b":[[]]},"update":{"$min":{"b":[]}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf() && within(d.arrayFilters, func(v any) bool {
				o, _ := v.(object)
				_, isRegex := v.(regex)
				return isRegex || v == nil || isEmptyObject(v) || within(d.document, isEmptyArray) || slices.ContainsFunc(o, func(f field) bool {
					return f.name == "$regex" || f.name == "$all" || slices.Contains(rangeOperators, f.name) && either(isArray, isObject, isNull)(f.value)
				})
			})
		}},
	{name: "$min and $max of arrays and objects", reason: "MongoDB orders arrays element by element and objects field by field",
		example: `{"document":{"_id":"d4","c":[[]]},"update":{"$min":{"c":[]}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			return d.isUpdateOf("$min", "$max") && d.ours.Error == "" && either(isArray, isObject)(argument)
		}},
	{name: "$sort of arrays and objects", reason: "elements are sorted in the order of all values",
		example: `{"document":{"_id":"d2"},"update":{"$push":{"b.a":{"$each":[{},[]],"$sort":{"a":1}}}}}`,
		applies: func(d disagreement) bool {
			_, _, argument := d.condition()
			o, _ := argument.(object)
			_, sorts := o.get("$sort")
			return d.isUpdateOf("$push") && sorts && d.ours.Error == "" && (within(d.document, either(isArray)) || within(o, isArray))
		}},
	{name: "$addToSet of equal numbers of two types", reason: "numbers are equal whatever their types",
		example: `{"document":{"_id":"d2","a":[{"$numberLong":"2"}]},"update":{"$addToSet":{"a":{"$each":[{"$numberInt":"2"}]}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$addToSet") && d.ours.Error == "" && d.theirs.Error == "" && within(d.operators, isNumber)
		}},
	{name: "$push at a position from the end", reason: "a position before the start is the start (manual page \"$position\")",
		example: `{"document":{"_id":"d1"},"update":{"$push":{"a.b.c":{"$each":[],"$position":-2}}}}`,
		applies: func(d disagreement) bool {
			return d.isUpdateOf("$push") && strings.Contains(d.operators.String(), `"$position":-`) && d.theyRefuse("Index: -")
		}},
}
