package matcher

// compileAlways compiles $alwaysTrue and $alwaysFalse, whose argument is the number 1.
func compileAlways(op opcode) logicalOperator {
	return func(_ *compiler, v Value, at *place) (*node, error) {
		if i, exact, ok := wholeNumber(v); !ok || !exact || i != 1 {
			return nil, at.invalid("the argument of %s is %s; it must be 1, as in {%q:1}", at.name, v.Raw(), at.name)
		}
		return &node{op: op}, nil
	}
}

// refusedOperators are operators of MongoDB that this language leaves out on purpose: why, and what to do.
var refusedOperators = map[string]string{
	"$where":          "it runs code; use $expr, which compares fields without code",
	"$function":       "it runs code; write the condition with the operators of $expr",
	"$accumulator":    "it runs code and belongs to groups, which a query does not have; compute the value when writing, and store it in the document",
	"$text":           "there is no text index; use $regex, or store the words of a text in an array and use $all",
	"$search":         "there is no text index; use $regex, or store the words of a text in an array and use $all",
	"$sampleRate":     "its answer differs each time it is asked, which a live result cannot follow; store a random number in each document and compare that",
	"$rand":           "its answer differs each time it is asked, which a live result cannot follow; store a random number in each document and compare that",
	"$geoNear":        "it is an aggregation stage; use $near or $nearSphere",
	"$query":          "it is the old form of a query with options; give the filter alone, and sort, skip and limit beside it",
	"$orderby":        "it is the old form of a sort; give sort beside the filter",
	"$lookup":         "a query sees one document at a time; store what it needs in the document",
	"$meta":           "there is no text search whose score it could be; sort by a field",
	"$encStrContains": "encrypted fields are not readable here; compare a plain field",

	"$encStrEndsWith":     "encrypted fields are not readable here; compare a plain field",
	"$encStrNormalizedEq": "encrypted fields are not readable here; compare a plain field",
	"$encStrStartsWith":   "encrypted fields are not readable here; compare a plain field",
}

// refusedInUpdate refuses an operator on whole documents within the condition of an update, as MongoDB does.
func refusedInUpdate(name string, at *place) error {
	return at.invalid("%s stands in a condition of an update, which is about elements; it is about whole documents: use operators on fields", name)
}

// refused says why an operator is left out on purpose; nil if it is not one of those.
func refused(name string, at *place) error {
	if reason, known := refusedOperators[name]; known {
		return at.fail(CodeOperatorUnknown, 0, "the operator %s is not supported: %s", name, reason)
	}
	return nil
}
