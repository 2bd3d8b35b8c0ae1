package matcher

import (
	"fmt"
	"strings"
	"testing"
)

// updateNow is the time of the updates in these tests: 2026-01-02T03:04:05.678Z.
const updateNow = 1767323045678

// checkUpdates applies updates and compares what becomes of the documents; "" is no document.
func checkUpdates(t *testing.T, rows []struct{ before, update, want string }) {
	t.Helper()
	for _, row := range rows {
		u, err := ParseUpdate([]byte(row.update), nil, Limits{})
		if err != nil {
			t.Errorf("%s: %v", row.update, err)
			continue
		}
		checkApply(t, u, row.before, row.update, row.want)
	}
}

// checkRefused parses and applies updates that are refused.
func checkRefused(t *testing.T, rows []struct{ before, update, code, path, word string }) {
	t.Helper()
	for _, row := range rows {
		u, err := ParseUpdate([]byte(row.update), nil, Limits{})
		if err == nil {
			_, _, err = u.Apply(mustParse(t, row.before), updateNow, Limits{})
		}
		wantError(t, shorten([]byte(row.update))+" of "+row.before, err, row.code, row.path, row.word)
	}
}

func TestUpdateNumbers(t *testing.T) {
	checkUpdates(t, []struct{ before, update, want string }{
		{`{"a":3}`, `{"$mul":{"a":4}}`, `{"a":12}`},
		{`{"a":3}`, `{"$mul":{"a":0.5}}`, `{"a":1.5}`},
		{`{}`, `{"$mul":{"a":4}}`, `{"a":0}`},
		{`{}`, `{"$mul":{"a":{"$numberInt":"4"}}}`, `{"a":{"$numberInt":"0"}}`},
		{`{}`, `{"$mul":{"a":4.5}}`, `{"a":0.0}`},
		{`{}`, `{"$mul":{"a":{"$numberDecimal":"4.5"}}}`, `{"a":{"$numberDecimal":"0.0"}}`},
		{`{"a":{"$numberDecimal":"10.99"}}`, `{"$mul":{"a":{"$numberDecimal":"1.25"}}}`, `{"a":{"$numberDecimal":"13.7375"}}`},
		{`{"a":{"$numberInt":"2147483647"}}`, `{"$mul":{"a":{"$numberInt":"2"}}}`, `{"a":4294967294}`},
		{`{"a":{"$numberInt":"2"}}`, `{"$mul":{"a":3}}`, `{"a":6}`},
		{`{"a":{"$numberInt":"2147483647"}}`, `{"$inc":{"a":{"$numberInt":"1"}}}`, `{"a":2147483648}`},
		{`{"a":{"$numberDecimal":"1.5"}}`, `{"$inc":{"a":1}}`, `{"a":{"$numberDecimal":"2.5"}}`},
		{`{"a":1}`, `{"$inc":{"a":{"$numberDouble":"Infinity"}}}`, `{"a":{"$numberDouble":"Infinity"}}`},
		{`{"a":5}`, `{"$min":{"a":3}}`, `{"a":3}`},
		{`{"a":5}`, `{"$min":{"a":7}}`, `{"a":5}`},
		{`{"a":5}`, `{"$max":{"a":7.5}}`, `{"a":7.5}`},
		{`{"a":5}`, `{"$max":{"a":5.0}}`, `{"a":5}`},
		{`{"a":5}`, `{"$max":{"a":"x"}}`, `{"a":"x"}`},
		{`{"a":5}`, `{"$min":{"a":null}}`, `{"a":null}`},
		{`{"a":null}`, `{"$min":{"a":5}}`, `{"a":null}`},
		{`{"a":{"$date":"2026-01-01T00:00:00Z"}}`, `{"$max":{"a":{"$date":"2026-01-02T00:00:00Z"}}}`, `{"a":{"$date":"2026-01-02T00:00:00Z"}}`},
		{`{}`, `{"$max":{"a.b":1},"$min":{"c":2}}`, `{"a":{"b":1},"c":2}`},
		{`{"a":13}`, `{"$bit":{"a":{"and":10}}}`, `{"a":8}`},
		{`{"a":3}`, `{"$bit":{"a":{"or":5}}}`, `{"a":7}`},
		{`{"a":1}`, `{"$bit":{"a":{"xor":5}}}`, `{"a":4}`},
		{`{"a":12}`, `{"$bit":{"a":{"and":8,"or":1}}}`, `{"a":9}`},
		{`{}`, `{"$bit":{"a":{"or":5}}}`, `{"a":5}`},
		{`{"a":{"$numberInt":"1"}}`, `{"$bit":{"a":{"or":{"$numberInt":"2"}}}}`, `{"a":{"$numberInt":"3"}}`},
		{`{"a":{"$numberInt":"-1"}}`, `{"$bit":{"a":{"and":{"$numberLong":"-1"}}}}`, `{"a":-1}`},
	})
	checkRefused(t, []struct{ before, update, code, path, word string }{
		{`{"a":9223372036854775807}`, `{"$mul":{"a":2}}`, CodeUpdateInvalid, "/$mul/a", "64 bits"},
		{`{"a":-9223372036854775808}`, `{"$mul":{"a":-1}}`, CodeUpdateInvalid, "/$mul/a", "64 bits"},
		{`{"a":{"$numberDecimal":"1E+6000"}}`, `{"$mul":{"a":{"$numberDecimal":"1E+6000"}}}`, CodeUpdateInvalid, "/$mul/a", "range of a decimal"},
		{`{"a":"x"}`, `{"$mul":{"a":2}}`, CodeUpdateInvalid, "/$mul/a", "a string, which $mul"},
		{`{}`, `{"$mul":{"a":"x"}}`, CodeUpdateInvalid, "/$mul/a", "give a number"},
		{`{"a":1.0}`, `{"$bit":{"a":{"or":1}}}`, CodeUpdateInvalid, "/$bit/a", "a double"},
		{`{}`, `{"$bit":{"a":{"or":1.0}}}`, CodeUpdateInvalid, "/$bit/a/or", "a double"},
		{`{}`, `{"$bit":{"a":{"nor":1}}}`, CodeOperatorUnknown, "/$bit/a/nor", "did you mean or"},
		{`{}`, `{"$bit":{"a":{}}}`, CodeUpdateInvalid, "/$bit/a", "and, or, xor"},
		{`{}`, `{"$bit":{"a":5}}`, CodeUpdateInvalid, "/$bit/a", "and, or, xor"},
	})
}

func TestUpdateFields(t *testing.T) {
	checkUpdates(t, []struct{ before, update, want string }{
		{`{"a":1,"b":2}`, `{"$rename":{"a":"c"}}`, `{"b":2,"c":1}`},
		{`{"a":1,"b":2}`, `{"$rename":{"a":"b"}}`, `{"b":1}`},
		{`{"a":{"x":1,"y":2}}`, `{"$rename":{"a.x":"a.z"}}`, `{"a":{"y":2,"z":1}}`},
		{`{"a":{"x":1}}`, `{"$rename":{"a.x":"b.c.d"}}`, `{"a":{},"b":{"c":{"d":1}}}`},
		{`{"a":1}`, `{"$rename":{"x":"a","y.z":"b.c"}}`, `{"a":1}`},
		{`{"a":{}}`, `{"$rename":{"a.x.y":"b"}}`, `{"a":{}}`},
		{`{"a":5,"l":[1]}`, `{"$unset":{"a.x":1,"l.x":1,"l.0.x":1}}`, `{"a":5,"l":[1]}`},
		{`{"a":null}`, `{"$rename":{"a":"b"}}`, `{"b":null}`},
		{`{"a":[1],"n":1}`, `{"$rename":{"a":"b","n":"m"},"$set":{"a2":1}}`, `{"a2":1,"b":[1],"m":1}`},
		{`{"a":[1]}`, `{"$rename":{"a.5":"b"}}`, `{"a":[1]}`},
		{`{"a":1}`, `{"$setOnInsert":{"a":2,"b.c":3}}`, `{"a":1}`},
		{`{"a":[1,{"b":2}]}`, `{"$setOnInsert":{"a.$[].b":3}}`, `{"a":[1,{"b":2}]}`},
		{`{}`, `{"$setOnInsert":{"a":2}}`, `{}`},
		{``, `{"$setOnInsert":{"b.c":3,"a":2},"$set":{"b.a":1}}`, `{"a":2,"b":{"a":1,"c":3}}`},
		{``, `{"$rename":{"a":"b"}}`, `{}`},
		{`{"a":1}`, `{"$currentDate":{"a":true,"b":{"$type":"date"}}}`, `{"a":{"$date":"2026-01-02T03:04:05.678Z"},"b":{"$date":"2026-01-02T03:04:05.678Z"}}`},
		{`{}`, `{"$currentDate":{"t":{"$type":"timestamp"}}}`, `{"t":{"$timestamp":{"t":1767323045,"i":679}}}`},
		{`{"z":1}`, `{"$set":{"-":1,"b":1,"10":1,"a":1,"9":1,"_c":1,"B":1,"1x":1,"01":1}}`,
			`{"z":1,"9":1,"10":1,"-":1,"01":1,"1x":1,"B":1,"_c":1,"a":1,"b":1}`},
	})
	checkRefused(t, []struct{ before, update, code, path, word string }{
		{`{}`, `{"$rename":{"a":5}}`, CodeUpdateInvalid, "/$rename/a", "new name"},
		{`{}`, `{"$rename":{"a":"a"}}`, CodeUpdateInvalid, "/$rename/a", "the same name"},
		{`{"a":5}`, `{"$rename":{"a.x":"b"}}`, CodeUpdateInvalid, "/$rename/a.x", "a has an integer"},
		{`{"a":null}`, `{"$rename":{"a.x.y":"b"}}`, CodeUpdateInvalid, "/$rename/a.x.y", "a has null"},
		{`{"a":[{"x":1}]}`, `{"$rename":{"a.x":"b"}}`, CodeUpdateInvalid, "/$rename/a.x", "names no element"},
		{`{}`, `{"$rename":{"a":"a.b"}}`, CodeUpdateInvalid, "/$rename/a", "lies in a"},
		{`{}`, `{"$rename":{"a.b":"a"}}`, CodeUpdateInvalid, "/$rename/a.b", "twice"},
		{`{}`, `{"$rename":{"a":"b"},"$set":{"b.c":1}}`, CodeUpdateInvalid, "/$set/b.c", "lies in b"},
		{`{}`, `{"$rename":{"a":"b"},"$set":{"a":1}}`, CodeUpdateInvalid, "/$set/a", "twice"},
		{`{}`, `{"$rename":{"a":"_id"}}`, CodeUpdateInvalid, "/$rename/a", "kept by the server"},
		{`{}`, `{"$rename":{"_rev":"a"}}`, CodeUpdateInvalid, "/$rename/_rev", "kept by the server"},
		{`{}`, `{"$rename":{"a.$[]":"b"}}`, CodeUpdateInvalid, "/$rename/a.$[]", "into arrays"},
		{`{}`, `{"$rename":{"a":"b.$[].c"}}`, CodeUpdateInvalid, "/$rename/a", "into arrays"},
		{`{}`, `{"$rename":{"a":""}}`, CodeUpdateInvalid, "/$rename/a", "empty name"},
		{`{"a":[{"x":1}]}`, `{"$rename":{"a.0.x":"b"}}`, CodeUpdateInvalid, "/$rename/a.0.x", "through an array"},
		{`{"a":[{"x":1}],"b":1}`, `{"$rename":{"b":"a.0.y"}}`, CodeUpdateInvalid, "/$rename/b", "through an array"},
		{`{"a":1,"b":5}`, `{"$rename":{"a":"b.c"}}`, CodeUpdateInvalid, "/$rename/a", "an integer"},
		{`{}`, `{"$setOnInsert":{"a.$[]":1}}`, CodeUpdateInvalid, "/$setOnInsert/a.$[]", "needs an array"},
		{`{"a":{"b":1}}`, `{"$setOnInsert":{"a.b.$[].c":1}}`, CodeUpdateInvalid, "/$setOnInsert/a.b.$[].c", "needs an array"},
		{`{}`, `{"$setOnInsert":{"a":1},"$set":{"a":1}}`, CodeUpdateInvalid, "/$set/a", "twice"},
		{`{}`, `{"$currentDate":{"a":"x"}}`, CodeUpdateInvalid, "/$currentDate/a", "timestamp"},
		{`{}`, `{"$currentDate":{"a":{"$type":"time"}}}`, CodeUpdateInvalid, "/$currentDate/a", "timestamp"},
	})
}

func TestUpdateArrays(t *testing.T) {
	checkUpdates(t, []struct{ before, update, want string }{
		{`{"a":[1]}`, `{"$push":{"a":2}}`, `{"a":[1,2]}`},
		{`{}`, `{"$push":{"a.b":2}}`, `{"a":{"b":[2]}}`},
		{`{"a":[]}`, `{"$push":{"a":[1,2]}}`, `{"a":[[1,2]]}`},
		{`{"a":[]}`, `{"$push":{"a":{"x":1}}}`, `{"a":[{"x":1}]}`},
		{`{"a":[1]}`, `{"$push":{"a":{"$each":[2,3]}}}`, `{"a":[1,2,3]}`},
		{`{}`, `{"$push":{"a":{"$each":[]}}}`, `{"a":[]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[8,9],"$position":0}}}`, `{"a":[8,9,1,2,3]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[8,9],"$position":7}}}`, `{"a":[1,2,3,8,9]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$position":-1,"$each":[8,9]}}}`, `{"a":[1,2,8,9,3]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[8,9],"$position":-7}}}`, `{"a":[8,9,1,2,3]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[4],"$slice":2}}}`, `{"a":[1,2]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[4],"$slice":-2}}}`, `{"a":[3,4]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[4],"$slice":0}}}`, `{"a":[]}`},
		{`{"a":[1,2,3]}`, `{"$push":{"a":{"$each":[],"$slice":-9.0}}}`, `{"a":[1,2,3]}`},
		{`{"a":[3,"x",1]}`, `{"$push":{"a":{"$each":[2,null],"$sort":1}}}`, `{"a":[null,1,2,3,"x"]}`},
		{`{"a":[3,"x",1]}`, `{"$push":{"a":{"$each":[2],"$sort":-1,"$slice":2}}}`, `{"a":["x",3]}`},
		{`{"a":[{"s":8,"n":1},{"s":5,"n":2}]}`, `{"$push":{"a":{"$each":[{"s":8,"n":3},{"n":4}],"$sort":{"s":-1,"n":1}}}}`,
			`{"a":[{"s":8,"n":1},{"s":8,"n":3},{"s":5,"n":2},{"n":4}]}`},
		{`{"a":[{"s":{"t":2}},7,{"s":{"t":1}}]}`, `{"$push":{"a":{"$each":[],"$sort":{"s.t":1}}}}`, `{"a":[7,{"s":{"t":1}},{"s":{"t":2}}]}`},
		{`{"a":[{"s":[5,1]},{"s":[2,9]}]}`, `{"$push":{"a":{"$each":[],"$sort":{"s.0":1}}}}`, `{"a":[{"s":[2,9]},{"s":[5,1]}]}`},
		{`{"a":[1,2]}`, `{"$addToSet":{"a":2.0}}`, `{"a":[1,2]}`},
		{`{"a":[1,2]}`, `{"$addToSet":{"a":3}}`, `{"a":[1,2,3]}`},
		{`{"a":[1,2]}`, `{"$addToSet":{"a":[3,4]}}`, `{"a":[1,2,[3,4]]}`},
		{`{"a":[1,1]}`, `{"$addToSet":{"a":{"$each":[1,3,3,4]}}}`, `{"a":[1,1,3,4]}`},
		{`{"a":[{"x":1,"y":2}]}`, `{"$addToSet":{"a":{"$each":[{"y":2,"x":1},{"x":1,"y":2}]}}}`, `{"a":[{"x":1,"y":2},{"y":2,"x":1}]}`},
		{`{}`, `{"$addToSet":{"a":{"$each":[1,1.0]}}}`, `{"a":[1]}`},
		{`{"a":[1,2,3]}`, `{"$pop":{"a":1}}`, `{"a":[1,2]}`},
		{`{"a":[1,2,3]}`, `{"$pop":{"a":-1.0}}`, `{"a":[2,3]}`},
		{`{"a":[]}`, `{"$pop":{"a":1,"b":1}}`, `{"a":[]}`},
		{`{"a":[1,2,1,1.0,"1"]}`, `{"$pull":{"a":1}}`, `{"a":[2,"1"]}`},
		{`{"a":[1,2,3,4,"x",null]}`, `{"$pull":{"a":{"$gte":3}}}`, `{"a":[1,2,"x",null]}`},
		{`{"a":[1,2,3]}`, `{"$pull":{"a":{"$in":[1,3,5]}}}`, `{"a":[2]}`},
		{`{"a":[1,null,3]}`, `{"$pull":{"a":null}}`, `{"a":[1,3]}`},
		{`{"a":["ab","b",1]}`, `{"$pull":{"a":{"$regularExpression":{"pattern":"^a","options":""}}}}`, `{"a":["b",1]}`},
		{`{"a":["ab","b",1]}`, `{"$pull":{"a":{"$not":{"$type":"string"}}}}`, `{"a":["ab","b"]}`},
		{`{"a":[[1,2],[2,1],[1,2,3],1]}`, `{"$pull":{"a":[1,2]}}`, `{"a":[[2,1],[1,2,3],1]}`},
		{`{"a":[[1,5],[2],7]}`, `{"$pull":{"a":{"$gt":4}}}`, `{"a":[[2]]}`},
		{`{"r":[{"i":"A","s":5},{"i":"B","s":8,"c":"x"},5]}`, `{"$pull":{"r":{"s":8,"i":"B"}}}`, `{"r":[{"i":"A","s":5},5]}`},
		{`{"r":[{"i":"A","s":5},{"s":9},[{"s":9}]]}`, `{"$pull":{"r":{"$or":[{"s":{"$gt":8}},{"i":"Z"}]}}}`, `{"r":[{"i":"A","s":5},[{"s":9}]]}`},
		{`{"r":[{"a":[{"q":1,"n":4},{"q":2,"n":6}]},{"a":[{"q":2,"n":3}]}]}`, `{"$pull":{"r":{"a":{"$elemMatch":{"q":2,"n":{"$gte":5}}}}}}`,
			`{"r":[{"a":[{"q":2,"n":3}]}]}`},
		{`{"r":[{"_id":5},{"_id":6}]}`, `{"$pull":{"r":{"_id":5}}}`, `{"r":[{"_id":6}]}`},
		{`{"r":[{},{"x":1}]}`, `{"$pull":{"r":{}}}`, `{"r":[]}`},
		{`{}`, `{"$pull":{"a":1,"b.c":{"$gt":1}},"$pullAll":{"d":[1]}}`, `{}`},
		{`{"a":[0,2,5,5,1,0]}`, `{"$pullAll":{"a":[0,5.0]}}`, `{"a":[2,1]}`},
		{`{"a":[{"x":1},{"x":1,"y":2},[1]]}`, `{"$pullAll":{"a":[{"x":1},1]}}`, `{"a":[{"x":1,"y":2},[1]]}`},
		{`{"a":[1]}`, `{"$pullAll":{"a":[]}}`, `{"a":[1]}`},
		{`{"a":[{"b":[1]},{"b":[2]}]}`, `{"$push":{"a.1.b":3},"$pop":{"a.0.b":1}}`, `{"a":[{"b":[]},{"b":[2,3]}]}`},
	})
	checkRefused(t, []struct{ before, update, code, path, word string }{
		{`{"a":1}`, `{"$push":{"a":1}}`, CodeUpdateInvalid, "/$push/a", "needs an array"},
		{`{"a":null}`, `{"$push":{"a":1}}`, CodeUpdateInvalid, "/$push/a", "null, but $push"},
		{`{"a":1}`, `{"$addToSet":{"a":1}}`, CodeUpdateInvalid, "/$addToSet/a", "needs an array"},
		{`{"a":1}`, `{"$pop":{"a":1}}`, CodeUpdateInvalid, "/$pop/a", "needs an array"},
		{`{"a":5}`, `{"$pull":{"a.b":1}}`, CodeUpdateInvalid, "/$pull/a.b", "a has an integer"},
		{`{"a":null}`, `{"$pop":{"a.b":1}}`, CodeUpdateInvalid, "/$pop/a.b", "a has null"},
		{`{"a":[{"b":[1]}]}`, `{"$pull":{"a.b":1}}`, CodeUpdateInvalid, "/$pull/a.b", "names no element"},
		{`{"a":[{"b":[1]},5]}`, `{"$pullAll":{"a.$[].b":[1]}}`, CodeUpdateInvalid, "/$pullAll/a.$[].b", "an integer"},
		{`{"a":1}`, `{"$pull":{"a":1}}`, CodeUpdateInvalid, "/$pull/a", "needs an array"},
		{`{"a":{}}`, `{"$pullAll":{"a":[1]}}`, CodeUpdateInvalid, "/$pullAll/a", "needs an array"},
		{`{}`, `{"$push":{"a":{"$slice":1}}}`, CodeUpdateInvalid, "/$push/a/$slice", "without $each"},
		{`{}`, `{"$push":{"a":{"$each":5}}}`, CodeUpdateInvalid, "/$push/a/$each", "an integer"},
		{`{}`, `{"$push":{"a":{"$each":[],"$slice":"x"}}}`, CodeUpdateInvalid, "/$push/a/$slice", "whole number"},
		{`{}`, `{"$push":{"a":{"$each":[],"$slice":1.5}}}`, CodeUpdateInvalid, "/$push/a/$slice", "whole number"},
		{`{}`, `{"$push":{"a":{"$each":[],"$position":null}}}`, CodeUpdateInvalid, "/$push/a/$position", "whole number"},
		{`{}`, `{"$push":{"a":{"$each":[],"$sort":2}}}`, CodeUpdateInvalid, "/$push/a/$sort", "1 or -1"},
		{`{}`, `{"$push":{"a":{"$each":[],"$sort":{}}}}`, CodeUpdateInvalid, "/$push/a/$sort", "empty"},
		{`{}`, `{"$push":{"a":{"$each":[],"$sort":{"b":2}}}}`, CodeUpdateInvalid, "/$push/a/$sort/b", "-1 (descending)"},
		{`{}`, `{"$push":{"a":{"$each":[],"$sorty":1}}}`, CodeOperatorUnknown, "/$push/a/$sorty", "did you mean $sort"},
		{`{}`, `{"$push":{"a":{"$each":[],"x":1}}}`, CodeOperatorUnknown, "/$push/a/x", "$position"},
		{`{}`, `{"$addToSet":{"a":{"$each":5}}}`, CodeUpdateInvalid, "/$addToSet/a/$each", "an integer"},
		{`{}`, `{"$addToSet":{"a":{"$each":[],"$slice":5}}}`, CodeOperatorUnknown, "/$addToSet/a/$slice", "$each"},
		{`{}`, `{"$pop":{"a":2}}`, CodeUpdateInvalid, "/$pop/a", "-1 for the first"},
		{`{}`, `{"$pop":{"a":"x"}}`, CodeUpdateInvalid, "/$pop/a", "-1 for the first"},
		{`{}`, `{"$pull":{"a":{"$gtx":1}}}`, CodeOperatorUnknown, "/$pull/a/$gtx", "did you mean $gt"},
		{`{}`, `{"$pull":{"a":{"b":{"$size":"x"}}}}`, CodeUpdateInvalid, "/$pull/a/b/$size", "whole number"},
		{`{}`, `{"$pull":{"a":{"$and":5}}}`, CodeUpdateInvalid, "/$pull/a/$and", "array"},
		{`{}`, `{"$pull":{"a":{"b":{"$near":[1,2]}}}}`, CodeUpdateInvalid, "/$pull/a/b/$near", "$near"},
		{`{}`, `{"$pullAll":{"a":1}}`, CodeUpdateInvalid, "/$pullAll/a", "an integer"},
		{`{}`, `[{"$set":{"a":1}}]`, CodeUpdateInvalid, "", "pipeline"},
		{`{}`, `{"$pull":{"a":{"$in":[` + strings.Repeat("1,", 1500) + `1]},"b":{"$in":[` + strings.Repeat("1,", 1500) + `1]},"c":{"$in":[` +
			strings.Repeat("1,", 1500) + `1]}}}`, CodeQueryTooLarge, "/$pull/c", "MaxQueryNodes"},
	})
}

func TestUpdateElements(t *testing.T) {
	checkUpdates(t, []struct{ before, update, want string }{
		{`{"a":[1,2]}`, `{"$inc":{"a.$[]":10}}`, `{"a":[11,12]}`},
		{`{"a":[]}`, `{"$inc":{"a.$[]":10}}`, `{"a":[]}`},
		{`{"a":[{"b":1},{}]}`, `{"$set":{"a.$[].b":5}}`, `{"a":[{"b":5},{"b":5}]}`},
		{`{"a":[[1,2],[3]]}`, `{"$mul":{"a.$[].$[]":2}}`, `{"a":[[2,4],[6]]}`},
		{`{"a":[[1,2],[3]]}`, `{"$unset":{"a.$[].0":1}}`, `{"a":[[null,2],[null]]}`},
		{`{"a":[1,2]}`, `{"$unset":{"a.$[]":1}}`, `{"a":[null,null]}`},
		{`{"a":[95,102,90]}`, `{"$set":{"a.$[e]":100},"arrayFilters":[{"e":{"$gte":100}}]}`, `{"a":[95,100,90]}`},
		{`{"a":[{"g":80,"m":75},{"g":90,"m":85}]}`, `{"arrayFilters":[{"e.g":{"$gte":85}}],"$set":{"a.$[e].m":0}}`, `{"a":[{"g":80,"m":75},{"g":90,"m":0}]}`},
		{`{"a":[{"g":80,"s":5},{"g":90,"s":9}]}`, `{"$inc":{"a.$[e].s":1},"arrayFilters":[{"e.g":{"$gte":80},"e.s":{"$gt":5}}]}`, `{"a":[{"g":80,"s":5},{"g":90,"s":10}]}`},
		{`{"a":[{"t":"q","l":[1,8]},{"t":"x","l":[9]}]}`, `{"$inc":{"a.$[q].l.$[b]":1},"arrayFilters":[{"b":{"$gte":8}},{"q.t":"q"}]}`, `{"a":[{"t":"q","l":[1,9]},{"t":"x","l":[9]}]}`},
		{`{"a":[1,2,3]}`, `{"$set":{"a.$[x]":0},"arrayFilters":[{"$or":[{"x":1},{"x":3}]}]}`, `{"a":[0,2,0]}`},
		{`{"a":[{"n":1},{"n":5}]}`, `{"$set":{"a.$[x].lo":1,"a.$[y].hi":1},"arrayFilters":[{"x.n":{"$lt":3}},{"y.n":{"$gt":0}}]}`, `{"a":[{"n":1,"hi":1,"lo":1},{"n":5,"hi":1}]}`},
		{`{"a":[{"n":1,"o":{"p":1}}]}`, `{"$set":{"a.$[x].o.q":1,"a.$[].o.r":1},"$unset":{"a.$[].o.p":1},"arrayFilters":[{"x.n":1}]}`, `{"a":[{"n":1,"o":{"q":1,"r":1}}]}`},
		{`{"a":[1,5]}`, `{"$set":{"a.$[x]":0},"$inc":{"a.$[y]":1},"arrayFilters":[{"x":{"$lt":3}},{"y":{"$gt":3}}]}`, `{"a":[0,6]}`},
		{`{"a":[[1,7],[2]]}`, `{"$set":{"a.$[x]":0},"arrayFilters":[{"x":7}]}`, `{"a":[0,[2]]}`},
		{`{"a":[{"t":[1]},{"t":[2]}]}`, `{"$push":{"a.$[x].t":9},"arrayFilters":[{"x.t":2}]}`, `{"a":[{"t":[1]},{"t":[2,9]}]}`},
		{`{"a":[{"n":1}]}`, `{"$set":{"a.$[x]":0},"arrayFilters":[{"x.m":{"$exists":false}}]}`, `{"a":[0]}`},
		{`{"a":[{}],"b":[{}]}`, `{"$set":{"a.$[].p":1,"a.$[x].q":2,"b.$[].r":3,"b.$[x].s":4},"arrayFilters":[{"x":{"$exists":true}}]}`,
			`{"a":[{"p":1,"q":2}],"b":[{"r":3,"s":4}]}`},
		{`{"a":[1,2],"b":1}`, `{"$set":{"a.$[x]":0,"b":2},"arrayFilters":[{"x":9}]}`, `{"a":[1,2],"b":2}`},
		{`{"arrayFilters":1}`, `{"$inc":{"arrayFilters":1}}`, `{"arrayFilters":2}`},
	})
	filters := func(n int) string {
		var set, list []string
		for i := range n {
			set = append(set, fmt.Sprintf(`"a.$[x%d]":1`, i))
			list = append(list, fmt.Sprintf(`{"x%d":%d}`, i, i))
		}
		return `{"$set":{` + strings.Join(set, ",") + `},"arrayFilters":[` + strings.Join(list, ",") + `]}`
	}
	checkRefused(t, []struct{ before, update, code, path, word string }{
		{`{}`, `{"$set":{"a.$[]":1}}`, CodeUpdateInvalid, "/$set/a.$[]", "a is missing"},
		{`{}`, `{"$unset":{"b.a.$[].c":1}}`, CodeUpdateInvalid, "/$unset/b.a.$[].c", "b.a is missing"},
		{`{"a":{}}`, `{"$set":{"a.$[]":1}}`, CodeUpdateInvalid, "/$set/a.$[]", "an object"},
		{`{"a":5}`, `{"$unset":{"a.b.$[]":1}}`, CodeUpdateInvalid, "/$unset/a.b.$[]", "an integer"},
		{`{"a":[5]}`, `{"$set":{"a.$[].b":1}}`, CodeUpdateInvalid, "/$set/a.$[].b", "a.$[] has an integer"},
		{`{}`, `{"$set":{"$[]":1}}`, CodeUpdateInvalid, "/$set/$[]", "name the array first"},
		{`{}`, `{"$set":{"a.$[x]":1}}`, CodeUpdateInvalid, "/$set/a.$[x]", "no array filter is for \"x\""},
		{`{}`, `{"$set":{"a.$[]":1,"a.0":1}}`, CodeUpdateInvalid, "/$set/a.0", "in one way"},
		{`{}`, `{"$set":{"a.b":1,"a.$[].c":1}}`, CodeUpdateInvalid, "/$set/a.$[].c", "in one way"},
		{`{}`, `{"$set":{"a.$[]":1,"a.$[].b":1}}`, CodeUpdateInvalid, "/$set/a.$[].b", "lies in a.$[]"},
		{`{}`, `{"$set":{"a":1,"a.$[]":1}}`, CodeUpdateInvalid, "/$set/a.$[]", "lies in a"},
		{`{"a":[1]}`, `{"$set":{"a.$[]":1},"$inc":{"a.$[x]":1},"arrayFilters":[{"x":1}]}`, CodeUpdateInvalid, "/$inc/a.$[x]", "a.$[] and a.$[x] meet"},
		{`{"a":[{"n":1}]}`, `{"$set":{"a.$[x].b":1,"a.$[y].b.c":1},"arrayFilters":[{"x.n":1},{"y.n":1}]}`, CodeUpdateInvalid, "/$set/a.$[y].b.c", "exclude each other"},
		{`{"a":[{"n":1,"b":[]}]}`, `{"$set":{"a.$[x].b.0":1,"a.$[y].b.$[]":1},"arrayFilters":[{"x.n":1},{"y.n":1}]}`, CodeUpdateInvalid, "/$set/a.$[y].b.$[]", "exclude each other"},
		{`{}`, `{"$set":{"a":1},"arrayFilters":5}`, CodeUpdateInvalid, "/arrayFilters", "an integer"},
		{`{}`, `{"$set":{"a":1},"arrayFilters":[5]}`, CodeUpdateInvalid, "/arrayFilters/0", "an integer"},
		{`{}`, `{"$set":{"a":1},"arrayFilters":[{}]}`, CodeUpdateInvalid, "/arrayFilters/0", "empty"},
		{`{}`, `{"$set":{"a":1},"arrayFilters":[{"x":1}]}`, CodeUpdateInvalid, "/arrayFilters", "used by no path"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"x":1},{"x":2}]}`, CodeUpdateInvalid, "/arrayFilters/1", "two array filters"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"x":1,"y":2}]}`, CodeUpdateInvalid, "/arrayFilters/0/y", "one filter for each"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"$and":[{"x":1},{"y.z":2}]}]}`, CodeUpdateInvalid, "/arrayFilters/0/$and/1/y.z", "one filter for each"},
		{`{}`, `{"$set":{"a.$[X]":1},"arrayFilters":[{"X":1}]}`, CodeUpdateInvalid, "/arrayFilters/0/X", "small letter"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"$expr":true}]}`, CodeUpdateInvalid, "/arrayFilters/0/$expr", "whole documents"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"$and":[{"x.b":1},{"$expr":true}]}]}`, CodeUpdateInvalid, "/arrayFilters/0/$and/1/$expr", "whole documents"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"$jsonSchema":{}}]}`, CodeUpdateInvalid, "/arrayFilters/0/$jsonSchema", "whole documents"},
		{`{}`, `{"$pull":{"a":{"b":1,"$expr":{"$gt":["$b",1]}}}}`, CodeUpdateInvalid, "/$pull/a/$expr", "whole documents"},
		{`{}`, `{"$pull":{"a":{"$or":[{"$expr":true}]}}}`, CodeUpdateInvalid, "/$pull/a/$or/0/$expr", "whole documents"},
		{`{}`, `{"$pull":{"a":{"$jsonSchema":{"required":["b"]}}}}`, CodeUpdateInvalid, "/$pull/a/$jsonSchema", "whole documents"},
		{`{}`, `{"$pull":{"a":{"$expr":true}}}`, CodeUpdateInvalid, "/$pull/a/$expr", "whole documents"},
		{`{}`, `{"$pull":{"a":{"$gt":1,"$expr":true}}}`, CodeOperatorUnknown, "/$pull/a/$expr", "beside field names"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"x":{"$gtx":1}}]}`, CodeOperatorUnknown, "/arrayFilters/0/x/$gtx", "$gtx"},
		{`{}`, `{"$set":{"a.$[x]":1},"arrayFilters":[{"x.l":{"$near":[1,2]}}]}`, CodeUpdateInvalid, "/arrayFilters/0/x.l/$near", "$near"},
		{`{}`, `{"arrayFilters":[{"x":1}]}`, CodeUpdateInvalid, "", "empty"},
		{`{}`, filters(MaxArrayFilters + 1), CodeUpdateInvalid, "/arrayFilters", "MaxArrayFilters"},
	})
	if _, err := ParseUpdate([]byte(filters(MaxArrayFilters)), nil, Limits{}); err != nil {
		t.Errorf("%d array filters: %v", MaxArrayFilters, err)
	}
}

// TestUpdateLongArrays: what works otherwise with many values, and a sort that keeps equal elements in their order.
func TestUpdateLongArrays(t *testing.T) {
	list := func(from, to, step int) string {
		var parts []string
		for i := from; i < to; i += step {
			parts = append(parts, fmt.Sprint(i))
		}
		return strings.Join(parts, ",")
	}
	var equal, sorted []string
	for i := range 200 {
		equal = append(equal, fmt.Sprintf(`{"k":%d,"i":%d}`, i%2, i))
	}
	for k := range 2 {
		for i := k; i < 200; i += 2 {
			sorted = append(sorted, equal[i])
		}
	}
	checkUpdates(t, []struct{ before, update, want string }{
		{`{"a":[` + list(0, 100, 1) + `]}`, `{"$pullAll":{"a":[` + list(1, 99, 2) + `,99.0]}}`, `{"a":[` + list(0, 100, 2) + `]}`},
		{`{"a":[` + list(0, 100, 1) + `]}`, `{"$addToSet":{"a":{"$each":[` + list(50, 150, 1) + `,` + list(0, 150, 1) + `]}}}`, `{"a":[` + list(0, 150, 1) + `]}`},
		{`{"a":[` + strings.Join(equal, ",") + `]}`, `{"$push":{"a":{"$each":[],"$sort":{"k":1}}}}`, `{"a":[` + strings.Join(sorted, ",") + `]}`},
	})
}

// moduli are conditions on one path that cannot be joined.
func moduli(path string, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{%q:{"$mod":[%d,-1]}}`, path, i+2)
	}
	return strings.Join(parts, ",")
}

// TestUpdateStepsAreBounded: many elements times large conditions or many paths stop at MaxUpdateSteps.
func TestUpdateStepsAreBounded(t *testing.T) {
	numbers := make([]string, 20_000)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	array := `{"a":[` + strings.Join(numbers, ",") + `],"o":[{}` + strings.Repeat(",{}", 20_000) + `]}`
	values := strings.Join(numbers[:1500], ",")
	var paths []string
	for i := range 2000 {
		paths = append(paths, fmt.Sprintf(`"o.$[x].f%d":1,"o.$[].g%d":1`, i, i))
	}
	long := `{"b":[` + strings.Join(numbers, ",") + `]}`
	large := `{"a":[` + long + "," + long + `]}`
	text := `{"a":["` + strings.Repeat("ab", 10_000) + `"]}`
	ranges := `{"$or":[` + moduli("b", 600) + `]}`
	const heavy = `{"$regex":"(a|b){1,900}x"}`
	checkRefused(t, []struct{ before, update, code, path, word string }{
		{large, `{"$pull":{"a":` + ranges + `}}`, CodeUpdateInvalid, "/$pull/a", "MaxUpdateSteps"},
		{large, `{"$set":{"a.$[x].c":1},"arrayFilters":[{"$or":[` + moduli("x.b", 600) + `]}]}`, CodeUpdateInvalid, "/$set/a.$[x].c", "MaxUpdateSteps"},
		{text, `{"$pull":{"a":` + heavy + `}}`, CodeUpdateInvalid, "/$pull/a", "MaxUpdateSteps"},
		{text, `{"$set":{"a.$[x]":1},"arrayFilters":[{"x":` + heavy + `}]}`, CodeUpdateInvalid, "/$set/a.$[x]", "MaxUpdateSteps"},
		{array, `{"$pull":{"a":{"$in":[` + values + `]}}}`, CodeUpdateInvalid, "/$pull/a", "MaxUpdateSteps"},
		{array, `{"$set":{"a.$[x]":1},"arrayFilters":[{"x":{"$in":[` + values + `]}}]}`, CodeUpdateInvalid, "/$set/a.$[x]", "MaxUpdateSteps"},
		{array, `{"$push":{"o.$[].l":{"$each":[` + values + `],"$slice":0}}}`, CodeUpdateInvalid, "/$push/o.$[].l", "MaxUpdateSteps"},
	})
	// One joined set of paths serves all elements.
	u, err := ParseUpdate([]byte(`{"$unset":{`+strings.Join(paths, ",")+`},"arrayFilters":[{"x":{"$exists":true}}]}`), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, changed, err := u.Apply(mustParse(t, array), updateNow, Limits{}); err != nil || changed {
		t.Errorf("changed %v, %v", changed, err)
	}
	// A large value that goes to every element stops at the document's bound.
	checkRefused(t, []struct{ before, update, code, path, word string }{
		{array, `{"$set":{"a.$[]":[` + values + `]}}`, CodeDocumentTooLarge, "/$set/a.$[]", "MaxDocumentBytes"},
	})
}

// TestUpdateIsShared: one Update serves many documents at a time; the race detector watches.
func TestUpdateIsShared(t *testing.T) {
	u, err := ParseUpdate([]byte(`{"$rename":{"z":"y"},"$setOnInsert":{"i":1},"$set":{"a.$[x].l":1,"a.$[].m":2},"arrayFilters":[{"x.n":{"$gt":1}}]}`), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	for range 4 {
		go func() {
			after, _, err := u.Apply(mustParse(t, `{"a":[{"n":1},{"n":2},{"n":3}],"z":1}`), updateNow, Limits{})
			if err != nil {
				done <- err.Error()
				return
			}
			done <- string(after.Text())
		}()
	}
	for range 4 {
		if got, want := <-done, `{"a":[{"n":1,"m":2},{"n":2,"l":1,"m":2},{"n":3,"l":1,"m":2}],"y":1}`; got != want {
			t.Errorf("made %s, want %s", got, want)
		}
	}
}
