package matcher

const (
	groupsOnly  = "as an expression it is about a group of documents, and a query sees one at a time; for an array use $sortArray, $firstN, $maxN or $size"
	windowsOnly = "it is about the documents around one, and a query sees one at a time; compute the value when writing, and store it in the document"
)

// refusedExpressions are operators of MongoDB's expressions that are left out on purpose, beside refusedOperators.
var refusedExpressions = map[string]string{
	"$median":           "it is an estimate that MongoDB does not define exactly; use $sortArray and $arrayElemAt",
	"$percentile":       "it is an estimate that MongoDB does not define exactly; use $sortArray and $arrayElemAt",
	"$toHashedIndexKey": "there are no hashed indexes; compare the value itself",
	"$toUUID":           "it is of a later version of the language; compare with {\"$binary\":...} or {\"$uuid\":...}",
	"$serializeEJSON":   "it is of a later version of the language; compare the value itself",
	"$deserializeEJSON": "it is of a later version of the language; compare the value itself",
	"$similarity":       "there is no search by vectors; compute the value when writing, and store it in the document",
	"$top":              groupsOnly, "$topN": groupsOnly, "$bottom": groupsOnly, "$bottomN": groupsOnly, "$push": groupsOnly, "$addToSet": groupsOnly, "$count": groupsOnly,
	"$rank": windowsOnly, "$denseRank": windowsOnly, "$documentNumber": windowsOnly, "$shift": windowsOnly, "$derivative": windowsOnly, "$integral": windowsOnly,
	"$covariancePop": windowsOnly, "$covarianceSamp": windowsOnly, "$expMovingAvg": windowsOnly, "$linearFill": windowsOnly, "$locf": windowsOnly,
}

// refusedVariables are variables of MongoDB's expressions that are left out on purpose.
var refusedVariables = map[string]string{
	"NOW":          "it is the time when the query runs, and a live result cannot change with the clock alone; compare with a date, and ask again when it should move",
	"CLUSTER_TIME": "it is the time when the query runs, and a live result cannot change with the clock alone; compare with a date, and ask again when it should move",
	"USER_ROLES":   "what a caller may see is a matter of the collection's permissions; set those",
	"SEARCH_META":  "there is no text search; use $regexMatch",
	"DESCEND":      "it belongs to $redact, which is an aggregation stage; use fields to leave parts of documents out",
	"PRUNE":        "it belongs to $redact, which is an aggregation stage; use fields to leave parts of documents out",
	"KEEP":         "it belongs to $redact, which is an aggregation stage; use fields to leave parts of documents out",
}
