package matcher

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// exprDocument is what the rows of exprTests are about.
const exprDocument = `{"_id":"x","i":{"$numberInt":"7"},"l":9,"f":2.5,"m":{"$numberDecimal":"1.10"},"n":null,"s":"Héllo, World","t":true,"z":0,
"a":[3,1,2,1],"e":[],"x":[{"k":1,"v":"a"},{"k":2},5,{"k":[7]}],"o":{"p":1,"q":{"r":"deep"}},"d":{"$date":"2024-02-29T13:14:15.016Z"},
"d2":{"$date":"2025-01-01T00:00:00Z"},"id":{"$oid":"65e08f170000000000000000"},"nan":{"$numberDouble":"NaN"},"mixed":[null,"x",1,true,[1]]}`

// exprTests are expressions and what they are for exprDocument: the type, then the relaxed JSON; "error" where they
// cannot be applied.
var exprTests = []struct{ expr, want string }{
	// Paths, variables, literals.
	{`"$i"`, `int 7`}, {`"$o.q.r"`, `string "deep"`}, {`"$nothing"`, `missing null`}, {`"$o.p.q"`, `missing null`}, {`"$a.0"`, `array []`},
	{`"$x.k"`, `array [1,2,[7]]`}, {`"$x.v"`, `array ["a"]`}, {`"$x.k.z"`, `array [[]]`}, {`"$$ROOT.o.p"`, `long 1`}, {`"$$CURRENT.l"`, `long 9`}, {`"$$REMOVE"`, `missing null`},
	{`{"$literal":"$i"}`, `string "$i"`}, {`{"$literal":{"$gt":1}}`, `object {"$gt":1}`}, {`["$i","$nothing",{"b":"$l","c":"$nothing"}]`, `array [7,null,{"b":9}]`},
	{`{"b":{"c":"$s"}}`, `object {"b":{"c":"Héllo, World"}}`}, {`{}`, `object {}`}, {`[]`, `array []`}, {`5`, `long 5`}, {`null`, `null null`},
	{`{"$let":{"vars":{"b":"$i","c":2},"in":{"$add":["$$b","$$c"]}}}`, `long 9`},
	{`{"$let":{"vars":{"b":1},"in":{"$let":{"vars":{"b":2,"c":"$$b"},"in":["$$b","$$c"]}}}}`, `array [2,1]`},
	{`{"$let":{"vars":{"b":10,"c":{"$map":{"input":"$a","in":"$$this"}}},"in":["$$b","$$c"]}}`, `array [10,[3,1,2,1]]`},
	{`{"$let":{"vars":{"o":"$o"},"in":"$$o.q.r"}}`, `string "deep"`},

	// Comparison and logic.
	{`{"$eq":["$i",7]}`, `bool true`}, {`{"$eq":["$nothing",null]}`, `bool false`}, {`{"$lt":["$nothing",null]}`, `bool true`}, {`{"$eq":["$nothing","$$REMOVE"]}`, `bool true`},
	{`{"$ne":["$s","x"]}`, `bool true`}, {`{"$gt":["$s","$l"]}`, `bool true`}, {`{"$gte":["$m",1.1]}`, `bool false`}, {`{"$lte":["$a",[3,1,2,1]]}`, `bool true`}, {`{"$lt":["$nan",0]}`, `bool true`},
	{`{"$cmp":["$i","$l"]}`, `int -1`}, {`{"$cmp":[1,1.0]}`, `int 0`}, {`{"$cmp":["b","a"]}`, `int 1`},
	{`{"$and":[]}`, `bool true`}, {`{"$or":[]}`, `bool false`}, {`{"$and":["$t","$z"]}`, `bool false`}, {`{"$or":["$n","$s"]}`, `bool true`}, {`{"$not":["$z"]}`, `bool true`}, {`{"$not":"$e"}`, `bool false`},
	{`{"$and":["$z",{"$divide":[1,"$z"]}]}`, `bool false`}, {`{"$or":["$t",{"$divide":[1,"$z"]}]}`, `bool true`}, {`{"$and":["$t",{"$divide":[1,"$z"]}]}`, `error`},
	{`{"$cond":["$t","$i","$l"]}`, `int 7`}, {`{"$cond":{"if":"$z","then":1,"else":"$s"}}`, `string "Héllo, World"`}, {`{"$cond":["$t",1,{"$divide":[1,"$z"]}]}`, `long 1`},
	{`{"$ifNull":["$n","$nothing","$l"]}`, `long 9`}, {`{"$ifNull":["$n","$nothing"]}`, `missing null`},
	{`{"$switch":{"branches":[{"case":{"$gt":["$i",10]},"then":"big"},{"case":{"$gt":["$i",5]},"then":"mid"}],"default":"small"}}`, `string "mid"`},
	{`{"$switch":{"branches":[{"case":"$z","then":1}],"default":"$l"}}`, `long 9`}, {`{"$switch":{"branches":[{"case":"$z","then":1}]}}`, `error`},

	// Arithmetic.
	{`{"$add":["$i",{"$numberInt":"1"}]}`, `int 8`}, {`{"$add":["$i",1]}`, `long 8`}, {`{"$add":["$i","$f"]}`, `double 9.5`}, {`{"$add":["$m",1]}`, `decimal {"$numberDecimal":"2.10"}`}, {`{"$add":[]}`, `int 0`},
	{`{"$add":["$i","$n"]}`, `null null`}, {`{"$add":["$i","$s"]}`, `error`}, {`{"$add":[{"$numberInt":"2147483647"},"$i"]}`, `long 2147483654`}, {`{"$add":[9223372036854775807,"$i"]}`, `double 9223372036854776000.0`},
	{`{"$add":["$d",1000]}`, `date {"$date":"2024-02-29T13:14:16.016Z"}`}, {`{"$add":["$d","$d"]}`, `error`}, {`{"$add":[1.6,"$d"]}`, `date {"$date":"2024-02-29T13:14:15.018Z"}`},
	{`{"$subtract":["$l","$i"]}`, `long 2`}, {`{"$subtract":["$d2","$d"]}`, `long 26477144984`}, {`{"$subtract":["$d",16]}`, `date {"$date":"2024-02-29T13:14:15Z"}`}, {`{"$subtract":[1,"$d"]}`, `error`}, {`{"$subtract":["$nothing",1]}`, `null null`}, {`{"$subtract":[-9223372036854775808,"$i"]}`, `double -9223372036854776000.0`},
	{`{"$multiply":["$i","$i"]}`, `int 49`}, {`{"$multiply":["$f",2]}`, `double 5.0`}, {`{"$multiply":["$m","$m"]}`, `decimal {"$numberDecimal":"1.2100"}`}, {`{"$multiply":[4611686018427387904,"$i"]}`, `double 32281802128991715000.0`}, {`{"$multiply":["$n",1]}`, `null null`}, {`{"$multiply":["$s",1]}`, `error`},
	{`{"$divide":["$l",2]}`, `double 4.5`}, {`{"$divide":["$l","$z"]}`, `error`}, {`{"$divide":["$m",3]}`, `decimal {"$numberDecimal":"0.3666666666666666666666666666666667"}`}, {`{"$divide":["$m",2]}`, `decimal {"$numberDecimal":"0.55"}`}, {`{"$divide":["$n",0]}`, `null null`},
	{`{"$mod":["$l",4]}`, `long 1`}, {`{"$mod":[-9,4]}`, `long -1`}, {`{"$mod":["$f",2]}`, `double 0.5`}, {`{"$mod":["$m",{"$numberDecimal":"0.3"}]}`, `decimal {"$numberDecimal":"0.20"}`}, {`{"$mod":["$l",0]}`, `error`},
	{`{"$abs":-5}`, `long 5`}, {`{"$abs":-2.5}`, `double 2.5`}, {`{"$abs":{"$numberInt":"-2147483648"}}`, `long 2147483648`}, {`{"$abs":-9223372036854775808}`, `error`}, {`{"$abs":{"$numberDecimal":"-1.0"}}`, `decimal {"$numberDecimal":"1.0"}`}, {`{"$abs":"$n"}`, `null null`},
	{`{"$ceil":"$f"}`, `double 3.0`}, {`{"$floor":-2.5}`, `double -3.0`}, {`{"$ceil":"$i"}`, `int 7`}, {`{"$ceil":"$m"}`, `decimal {"$numberDecimal":"2"}`}, {`{"$floor":{"$numberDecimal":"-1.1"}}`, `decimal {"$numberDecimal":"-2"}`},
	{`{"$round":2.5}`, `double 2.0`}, {`{"$round":[3.14159,2]}`, `double 3.14`}, {`{"$round":[2.675,2]}`, `double 2.67`}, {`{"$round":[1250,-2]}`, `long 1200`}, {`{"$round":[1350,-2]}`, `long 1400`}, {`{"$round":["$m",1]}`, `decimal {"$numberDecimal":"1.1"}`}, {`{"$round":[1,200]}`, `error`}, {`{"$round":["$i","$n"]}`, `null null`}, {`{"$round":[{"$numberDecimal":"9.5"}]}`, `decimal {"$numberDecimal":"10"}`},
	{`{"$trunc":-2.7}`, `double -2.0`}, {`{"$trunc":[2.79,1]}`, `double 2.7`}, {`{"$trunc":[199,-2]}`, `long 100`},
	{`{"$sqrt":16}`, `double 4.0`}, {`{"$sqrt":-1}`, `error`}, {`{"$sqrt":"$nan"}`, `double {"$numberDouble":"NaN"}`}, {`{"$sqrt":{"$numberDecimal":"2.25"}}`, `decimal {"$numberDecimal":"1.5"}`},
	{`{"$pow":["$i",2]}`, `long 49`}, {`{"$pow":["$i",{"$numberInt":"2"}]}`, `int 49`}, {`{"$pow":[2,-1]}`, `double 0.5`}, {`{"$pow":[-1,9223372036854775807]}`, `long -1`}, {`{"$pow":[2,64]}`, `double 18446744073709552000.0`}, {`{"$pow":[0,-1]}`, `error`}, {`{"$pow":[0,0]}`, `long 1`}, {`{"$pow":[0,100]}`, `long 0`}, {`{"$pow":[4,0.5]}`, `double 2.0`},
	{`{"$exp":0}`, `double 1.0`}, {`{"$ln":1}`, `double 0.0`}, {`{"$ln":0}`, `error`}, {`{"$log10":1000}`, `double 3.0`}, {`{"$log":[8,2]}`, `double 3.0`}, {`{"$log":[8,1]}`, `error`}, {`{"$log":["$n",2]}`, `null null`}, {`{"$exp":"$s"}`, `error`},

	// Strings.
	{`{"$concat":["$s","!",{"$toLower":"AB"}]}`, `string "Héllo, World!ab"`}, {`{"$concat":["$s","$n"]}`, `null null`}, {`{"$concat":["$s","$i"]}`, `error`}, {`{"$concat":[]}`, `string ""`},
	{`{"$toLower":"$s"}`, `string "héllo, world"`}, {`{"$toUpper":"$s"}`, `string "HéLLO, WORLD"`}, {`{"$toUpper":"$n"}`, `string ""`}, {`{"$toLower":"$f"}`, `string "2.5"`}, {`{"$toLower":"$t"}`, `error`},
	{`{"$strLenBytes":"$s"}`, `int 13`}, {`{"$strLenCP":"$s"}`, `int 12`}, {`{"$strLenCP":"$n"}`, `error`},
	{`{"$substrBytes":["$s",0,1]}`, `string "H"`}, {`{"$substrBytes":["$s",0,2]}`, `error`}, {`{"$substrBytes":["$s",2,1]}`, `error`}, {`{"$substrBytes":["$s",8,-1]}`, `string "World"`}, {`{"$substrBytes":["$s",99,1]}`, `string ""`}, {`{"$substr":["$l",0,5]}`, `string "9"`}, {`{"$substrBytes":["$s",-1,1]}`, `error`},
	{`{"$substrCP":["$s",1,4]}`, `string "éllo"`}, {`{"$substrCP":["$s",50,4]}`, `string ""`}, {`{"$substrCP":["$n",0,1]}`, `string ""`}, {`{"$substrCP":["$s",0,-1]}`, `error`},
	{`{"$indexOfCP":["$s","o"]}`, `int 4`}, {`{"$indexOfCP":["$s","o",5]}`, `int 8`}, {`{"$indexOfCP":["$s","o",5,8]}`, `int -1`}, {`{"$indexOfCP":["$s","q"]}`, `int -1`}, {`{"$indexOfCP":["$n","q"]}`, `null null`}, {`{"$indexOfCP":["$s","$n"]}`, `error`}, {`{"$indexOfBytes":["$s","o"]}`, `int 5`}, {`{"$indexOfCP":["$s","o",99]}`, `int -1`}, {`{"$indexOfCP":["$s","",12]}`, `int 12`}, {`{"$indexOfCP":["$s","o",-1]}`, `error`},
	{`{"$split":["$s",", "]}`, `array ["Héllo","World"]`}, {`{"$split":["$s",""]}`, `error`}, {`{"$split":["$n",","]}`, `null null`}, {`{"$split":["a,,b",","]}`, `array ["a","","b"]`},
	{`{"$trim":{"input":" \t x  "}}`, `string "x"`}, {`{"$ltrim":{"input":"xxay","chars":"x"}}`, `string "ay"`}, {`{"$rtrim":{"input":"axéxé","chars":"éx"}}`, `string "a"`}, {`{"$trim":{"input":"$n"}}`, `null null`}, {`{"$trim":{"input":"$s","chars":"$n"}}`, `null null`}, {`{"$trim":{"input":"$i"}}`, `error`},
	{`{"$regexMatch":{"input":"$s","regex":"^h","options":"i"}}`, `bool true`}, {`{"$regexMatch":{"input":"$s","regex":{"$regularExpression":{"pattern":"d$","options":""}}}}`, `bool true`}, {`{"$regexMatch":{"input":"$s","regex":"x"}}`, `bool false`}, {`{"$regexMatch":{"input":"$n","regex":"x"}}`, `bool false`}, {`{"$regexMatch":{"input":"$i","regex":"x"}}`, `error`},
	{`{"$strcasecmp":["hELLO","Hello"]}`, `int 0`}, {`{"$strcasecmp":["a","$n"]}`, `int 1`}, {`{"$strcasecmp":["a","B"]}`, `int -1`},
	{`{"$replaceOne":{"input":"abab","find":"b","replacement":"x"}}`, `string "axab"`}, {`{"$replaceAll":{"input":"abab","find":"b","replacement":""}}`, `string "aa"`}, {`{"$replaceAll":{"input":"$n","find":"b","replacement":""}}`, `null null`},

	// Arrays.
	{`{"$size":"$a"}`, `int 4`}, {`{"$size":"$n"}`, `error`}, {`{"$isArray":"$a"}`, `bool true`}, {`{"$isArray":["$s"]}`, `bool false`},
	{`{"$arrayElemAt":["$a",0]}`, `long 3`}, {`{"$arrayElemAt":["$a",-1]}`, `long 1`}, {`{"$arrayElemAt":["$a",9]}`, `missing null`}, {`{"$arrayElemAt":["$n",0]}`, `null null`}, {`{"$arrayElemAt":["$s",0]}`, `error`}, {`{"$arrayElemAt":["$a",-9]}`, `missing null`}, {`{"$arrayElemAt":["$a",0.5]}`, `error`},
	{`{"$first":"$a"}`, `long 3`}, {`{"$last":"$a"}`, `long 1`}, {`{"$first":"$e"}`, `missing null`}, {`{"$last":"$n"}`, `null null`}, {`{"$first":"$s"}`, `error`},
	{`{"$in":[2,"$a"]}`, `bool true`}, {`{"$in":[5,"$a"]}`, `bool false`}, {`{"$in":[5,"$n"]}`, `error`},
	{`{"$concatArrays":["$a",["x"],"$e"]}`, `array [3,1,2,1,"x"]`}, {`{"$concatArrays":["$a","$n"]}`, `null null`}, {`{"$concatArrays":["$a","$s"]}`, `error`},
	{`{"$slice":["$a",2]}`, `array [3,1]`}, {`{"$slice":["$a",-1]}`, `array [1]`}, {`{"$slice":["$a",1,2]}`, `array [1,2]`}, {`{"$slice":["$a",-3,2]}`, `array [1,2]`}, {`{"$slice":["$a",-9,2]}`, `array [3,1]`}, {`{"$slice":["$a",9,2]}`, `array []`}, {`{"$slice":["$a",0,0]}`, `error`}, {`{"$slice":["$a",0]}`, `array []`}, {`{"$slice":["$n",1]}`, `null null`},
	{`{"$filter":{"input":"$a","cond":{"$gte":["$$this",2]}}}`, `array [3,2]`}, {`{"$filter":{"input":"$a","as":"y","cond":{"$eq":["$$y",1]},"limit":1}}`, `array [1]`}, {`{"$filter":{"input":"$n","cond":true}}`, `null null`}, {`{"$filter":{"input":"$s","cond":true}}`, `error`}, {`{"$filter":{"input":"$a","cond":true,"limit":0}}`, `error`},
	{`{"$map":{"input":"$a","as":"y","in":{"$multiply":["$$y","$l"]}}}`, `array [27,9,18,9]`}, {`{"$map":{"input":"$x","in":"$$this.k"}}`, `array [1,2,null,[7]]`}, {`{"$map":{"input":"$n","in":1}}`, `null null`},
	{`{"$map":{"input":[[1,2],[3]],"as":"y","in":{"$map":{"input":"$$y","as":"w","in":{"$add":["$$w",{"$size":"$$y"}]}}}}}`, `array [[3,4],[4]]`},
	{`{"$reduce":{"input":"$a","initialValue":0,"in":{"$add":["$$value","$$this"]}}}`, `long 7`}, {`{"$reduce":{"input":["a","b"],"initialValue":"","in":{"$concat":["$$this","$$value"]}}}`, `string "ba"`}, {`{"$reduce":{"input":"$e","initialValue":5,"in":1}}`, `long 5`}, {`{"$reduce":{"input":"$n","initialValue":5,"in":1}}`, `null null`},
	{`{"$reverseArray":"$a"}`, `array [1,2,1,3]`}, {`{"$reverseArray":"$n"}`, `null null`}, {`{"$reverseArray":"$s"}`, `error`},
	{`{"$indexOfArray":["$a",1]}`, `int 1`}, {`{"$indexOfArray":["$a",1,2]}`, `int 3`}, {`{"$indexOfArray":["$a",1,2,3]}`, `int -1`}, {`{"$indexOfArray":["$n",1]}`, `null null`}, {`{"$indexOfArray":["$s",1]}`, `error`},
	{`{"$range":[0,5,2]}`, `array [0,2,4]`}, {`{"$range":[3,0]}`, `array []`}, {`{"$range":[3,0,-1]}`, `array [3,2,1]`}, {`{"$range":[0,5,0]}`, `error`}, {`{"$range":[0,1e12]}`, `error`}, {`{"$range":[0,"$n"]}`, `error`},
	{`{"$min":"$a"}`, `long 1`}, {`{"$max":"$a"}`, `long 3`}, {`{"$max":["$i","$f","$n"]}`, `int 7`}, {`{"$min":"$e"}`, `null null`}, {`{"$min":["$a",5]}`, `long 5`}, {`{"$max":"$mixed"}`, `bool true`}, {`{"$max":"$nothing"}`, `null null`},
	{`{"$sum":"$a"}`, `long 7`}, {`{"$sum":["$i","$f","$s"]}`, `double 9.5`}, {`{"$sum":"$n"}`, `int 0`}, {`{"$sum":["$a",1]}`, `long 1`}, {`{"$sum":[0.1,0.2,-0.3]}`, `double 2.7755575615628914e-17`}, {`{"$sum":[1e100,1.0,-1e100]}`, `double 1.0`},
	{`{"$avg":"$a"}`, `double 1.75`}, {`{"$avg":"$e"}`, `null null`}, {`{"$avg":["$m","$m"]}`, `decimal {"$numberDecimal":"1.10"}`},
	{`{"$mergeObjects":["$o",{"p":2,"w":1},"$n"]}`, `object {"p":2,"q":{"r":"deep"},"w":1}`}, {`{"$mergeObjects":["$s"]}`, `error`}, {`{"$mergeObjects":[]}`, `object {}`},
	{`{"$objectToArray":"$o"}`, `array [{"k":"p","v":1},{"k":"q","v":{"r":"deep"}}]`}, {`{"$objectToArray":"$n"}`, `null null`}, {`{"$objectToArray":"$a"}`, `error`},

	// Sets.
	{`{"$setUnion":["$a",[2,"x"]]}`, `array [1,2,3,"x"]`}, {`{"$setUnion":["$a","$n"]}`, `null null`}, {`{"$setIntersection":["$a",[2,1,5]]}`, `array [1,2]`}, {`{"$setIntersection":[]}`, `array []`}, {`{"$setUnion":["$a","$s"]}`, `error`},
	{`{"$setDifference":["$a",[2]]}`, `array [3,1]`}, {`{"$setDifference":["$a","$n"]}`, `null null`}, {`{"$setDifference":["$s",[1]]}`, `error`},
	{`{"$setEquals":["$a",[1,2,3],[3,3,2,1.0]]}`, `bool true`}, {`{"$setEquals":["$a",[1,2]]}`, `bool false`}, {`{"$setEquals":["$a","$n"]}`, `error`},
	{`{"$setIsSubset":[[1,1],"$a"]}`, `bool true`}, {`{"$setIsSubset":["$a",[1]]}`, `bool false`}, {`{"$setIsSubset":["$n","$a"]}`, `error`},
	{`{"$anyElementTrue":["$a"]}`, `bool true`}, {`{"$anyElementTrue":[["$z","$n"]]}`, `bool false`}, {`{"$allElementsTrue":["$e"]}`, `bool true`}, {`{"$allElementsTrue":[[1,null]]}`, `bool false`}, {`{"$anyElementTrue":"$n"}`, `error`},

	// Types.
	{`{"$type":"$i"}`, `string "int"`}, {`{"$type":"$nothing"}`, `string "missing"`}, {`{"$type":"$d"}`, `string "date"`}, {`{"$type":["$a"]}`, `string "array"`}, {`{"$isNumber":"$m"}`, `bool true`}, {`{"$isNumber":"$s"}`, `bool false`},
	{`{"$toString":"$d"}`, `string "2024-02-29T13:14:15.016Z"`}, {`{"$toString":"$f"}`, `string "2.5"`}, {`{"$toString":3.0}`, `string "3"`}, {`{"$toString":"$m"}`, `string "1.10"`}, {`{"$toString":"$t"}`, `string "true"`}, {`{"$toString":"$id"}`, `string "65e08f170000000000000000"`}, {`{"$toString":"$a"}`, `error`}, {`{"$toString":"$n"}`, `null null`}, {`{"$toString":9223372036854775807}`, `string "9223372036854775807"`},
	{`{"$toInt":"42"}`, `int 42`}, {`{"$toInt":"4.2"}`, `error`}, {`{"$toInt":-2.9}`, `int -2`}, {`{"$toInt":1e12}`, `error`}, {`{"$toInt":"$d"}`, `error`}, {`{"$toInt":true}`, `int 1`}, {`{"$toInt":"+5"}`, `int 5`},
	{`{"$toLong":"$d"}`, `long 1709212455016`}, {`{"$toLong":{"$numberDecimal":"-7.9"}}`, `long -7`}, {`{"$toLong":"x"}`, `error`},
	{`{"$toDouble":"2.5e3"}`, `double 2500.0`}, {`{"$toDouble":"$t"}`, `double 1.0`}, {`{"$toDouble":"abc"}`, `error`}, {`{"$toDouble":{"$numberDecimal":"1E+400"}}`, `error`},
	{`{"$toDecimal":"1.50"}`, `decimal {"$numberDecimal":"1.50"}`}, {`{"$toDecimal":0.1}`, `decimal {"$numberDecimal":"0.100000000000000"}`}, {`{"$toBool":"$z"}`, `bool false`}, {`{"$toBool":"false"}`, `bool true`}, {`{"$toBool":"$a"}`, `bool true`},
	{`{"$toDate":"2024-02-29"}`, `date {"$date":"2024-02-29T00:00:00Z"}`}, {`{"$toDate":0}`, `date {"$date":"1970-01-01T00:00:00Z"}`}, {`{"$toDate":"$id"}`, `date {"$date":"2024-02-29T14:05:11Z"}`}, {`{"$toDate":"$i"}`, `error`}, {`{"$toDate":"soon"}`, `error`},
	{`{"$toObjectId":"65e08f170000000000000000"}`, `objectId {"$oid":"65e08f170000000000000000"}`}, {`{"$toObjectId":"x"}`, `error`},
	{`{"$convert":{"input":"$s","to":"int","onError":"bad"}}`, `string "bad"`}, {`{"$convert":{"input":"$n","to":"int","onNull":-1}}`, `long -1`}, {`{"$convert":{"input":"$nothing","to":"int"}}`, `null null`}, {`{"$convert":{"input":"7","to":16}}`, `int 7`}, {`{"$convert":{"input":"$s","to":"int"}}`, `error`}, {`{"$convert":{"input":1,"to":"$n"}}`, `null null`},

	// Dates.
	{`{"$year":"$d"}`, `int 2024`}, {`{"$month":"$d"}`, `int 2`}, {`{"$dayOfMonth":{"date":"$d"}}`, `int 29`}, {`{"$hour":{"date":"$d","timezone":"-05:30"}}`, `int 7`}, {`{"$minute":{"date":"$d","timezone":"+0530"}}`, `int 44`}, {`{"$second":"$d"}`, `int 15`}, {`{"$millisecond":"$d"}`, `int 16`},
	{`{"$dayOfWeek":"$d"}`, `int 5`}, {`{"$dayOfYear":"$d"}`, `int 60`}, {`{"$week":"$d"}`, `int 8`}, {`{"$isoWeek":"$d"}`, `int 9`}, {`{"$isoWeekYear":"$d2"}`, `int 2025`}, {`{"$isoDayOfWeek":"$d"}`, `int 4`}, {`{"$year":"$n"}`, `null null`}, {`{"$year":"$s"}`, `error`}, {`{"$year":"$id"}`, `int 2024`}, {`{"$hour":{"date":"$d","timezone":"$s"}}`, `error`},
	{`{"$dateAdd":{"startDate":"$d","unit":"year","amount":1}}`, `date {"$date":"2025-02-28T13:14:15.016Z"}`}, {`{"$dateAdd":{"startDate":"$d","unit":"month","amount":-2}}`, `date {"$date":"2023-12-29T13:14:15.016Z"}`}, {`{"$dateAdd":{"startDate":"$d","unit":"quarter","amount":1}}`, `date {"$date":"2024-05-29T13:14:15.016Z"}`}, {`{"$dateAdd":{"startDate":"$d","unit":"week","amount":1}}`, `date {"$date":"2024-03-07T13:14:15.016Z"}`},
	{`{"$dateSubtract":{"startDate":"$d","unit":"hour","amount":14}}`, `date {"$date":"2024-02-28T23:14:15.016Z"}`}, {`{"$dateSubtract":{"startDate":"$d","unit":"day","amount":"$n"}}`, `null null`}, {`{"$dateAdd":{"startDate":"$d","unit":"day","amount":0.5}}`, `error`}, {`{"$dateAdd":{"startDate":{"$date":"2024-01-31T00:00:00Z"},"unit":"month","amount":1}}`, `date {"$date":"2024-02-29T00:00:00Z"}`},
	{`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"year"}}`, `long 1`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"month"}}`, `long 11`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"quarter"}}`, `long 4`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"day"}}`, `long 307`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"week"}}`, `long 44`}, {`{"$dateDiff":{"startDate":"$d2","endDate":"$d","unit":"hour"}}`, `long -7355`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"week","startOfWeek":"wed"}}`, `long 44`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$n","unit":"week"}}`, `null null`},
	{`{"$dateToString":{"date":"$d"}}`, `string "2024-02-29T13:14:15.016Z"`}, {`{"$dateToString":{"date":"$d","timezone":"+02"}}`, `string "2024-02-29T15:14:15.016"`}, {`{"$dateToString":{"date":"$d","format":"%d.%m.%Y %H:%M:%S,%L %j %u %w %U %V %G %z %Z %b %%","timezone":"-01:30"}}`, `string "29.02.2024 11:44:15,016 060 4 5 08 09 2024 -0130 -90 Feb %"`}, {`{"$dateToString":{"date":"$n","onNull":"?"}}`, `string "?"`}, {`{"$dateToString":{"date":"$s"}}`, `error`},
	{`{"$dateFromString":{"dateString":"2024-02-29T10:00:00"}}`, `date {"$date":"2024-02-29T10:00:00Z"}`}, {`{"$dateFromString":{"dateString":"2024-02-29","timezone":"+02:00"}}`, `date {"$date":"2024-02-28T22:00:00Z"}`}, {`{"$dateFromString":{"dateString":"2024-02-29T10:00:00+01:00"}}`, `date {"$date":"2024-02-29T09:00:00Z"}`}, {`{"$dateFromString":{"dateString":"2024-02-29T10:00:00+01:00","timezone":"+01:00"}}`, `error`}, {`{"$dateFromString":{"dateString":"29/02/2024 10h","format":"%d/%m/%Y %Hh"}}`, `date {"$date":"2024-02-29T10:00:00Z"}`}, {`{"$dateFromString":{"dateString":"$n","onNull":0}}`, `long 0`}, {`{"$dateFromString":{"dateString":"no","onError":"$l"}}`, `long 9`}, {`{"$dateFromString":{"dateString":"30/02/2024","format":"%d/%m/%Y"}}`, `error`}, {`{"$dateFromString":{"dateString":"2024-02-29 +0100","format":"%Y-%m-%d %z"}}`, `date {"$date":"2024-02-28T23:00:00Z"}`},
}

// exprMoreTests are rows of the same kind: what a review of every operator against MongoDB's source and manual turned up,
// and the operators that came with it.
var exprMoreTests = []struct{ expr, want string }{
	// Null wins over operands of a wrong type; operands are all computed.
	{`{"$divide":["$n","$s"]}`, `null null`}, {`{"$mod":["$s",null]}`, `null null`}, {`{"$pow":["$nothing","$s"]}`, `null null`}, {`{"$log":["$s","$n"]}`, `null null`}, {`{"$subtract":["$n","$s"]}`, `null null`},
	{`{"$add":["$n","$s"]}`, `null null`}, {`{"$add":["$s","$n"]}`, `error`}, {`{"$add":["$n",{"$divide":[1,"$z"]}]}`, `error`},

	// Integers that overflow go on as doubles, each rounded by itself.
	{`{"$add":[9223372036854775807,1,-1]}`, `double 9223372036854776000.0`}, {`{"$sum":[9223372036854775807,1,-1]}`, `long {"$numberLong":"9223372036854775807"}`}, {`{"$sum":[9223372036854775807,1]}`, `double 9223372036854776000.0`},
	{`{"$multiply":[3037000500,3037000500]}`, `double 9223372037000250000.0`}, {`{"$multiply":[-4611686018427387904,2]}`, `long {"$numberLong":"-9223372036854775808"}`}, {`{"$multiply":[{"$numberInt":"65536"},{"$numberInt":"65536"}]}`, `long 4294967296`}, {`{"$multiply":[]}`, `int 1`},
	{`{"$multiply":[9007199254740993,9007199254740993]}`, `double 8.112963841460668e+31`}, {`{"$multiply":[0.1,3]}`, `double 0.30000000000000004`}, {`{"$multiply":[9223372036854775807,2,{"$numberDecimal":"0"}]}`, `decimal {"$numberDecimal":"0E+5"}`},
	{`{"$mod":[-9223372036854775808,-1]}`, `long 0`}, {`{"$mod":["$l",4.0]}`, `double 1.0`}, {`{"$mod":[{"$numberDecimal":"Infinity"},2]}`, `decimal {"$numberDecimal":"NaN"}`}, {`{"$subtract":[9223372036854775807,-1]}`, `double 9223372036854776000.0`},
	{`{"$add":[{"$numberDecimal":"9.999999999999999999999999999999999E+6144"},{"$numberDecimal":"1E+6144"}]}`, `decimal {"$numberDecimal":"Infinity"}`},

	// A double meets a decimal with 15 digits, in a sum with all.
	{`{"$add":[{"$numberDecimal":"1"},0.1]}`, `decimal {"$numberDecimal":"1.100000000000000"}`}, {`{"$eq":[{"$toDecimal":{"$add":[0.1,0.2]}},{"$numberDecimal":"0.3"}]}`, `bool true`}, {`{"$toDecimal":2.5}`, `decimal {"$numberDecimal":"2.50000000000000"}`},
	{`{"$toDecimal":1e20}`, `decimal {"$numberDecimal":"1.00000000000000E+20"}`}, {`{"$sum":[{"$numberDecimal":"1.1"},0.1]}`, `decimal {"$numberDecimal":"1.200000000000000005551115123125783"}`}, {`{"$sum":[{"$numberDecimal":"1.1"},0.5,2]}`, `decimal {"$numberDecimal":"3.6"}`},
	{`{"$avg":[1,2,{"$numberDecimal":"4"}]}`, `decimal {"$numberDecimal":"2.333333333333333333333333333333333"}`}, {`{"$avg":[9223372036854775807,9223372036854775807]}`, `double 9223372036854776000.0`},

	// Dates: a double moves one by halves away from zero, a decimal by halves to even.
	{`{"$add":["$d",0.5]}`, `date {"$date":"2024-02-29T13:14:15.017Z"}`}, {`{"$add":["$d",{"$numberDecimal":"0.5"}]}`, `date {"$date":"2024-02-29T13:14:15.016Z"}`}, {`{"$add":[0.4,0.4,"$d",0.4]}`, `date {"$date":"2024-02-29T13:14:15.017Z"}`}, {`{"$subtract":["$d",0.5]}`, `date {"$date":"2024-02-29T13:14:15.015Z"}`},
	{`{"$add":["$d",1e19]}`, `error`}, {`{"$add":["$d",9223372036854775807]}`, `error`}, {`{"$add":["$d","$nan"]}`, `error`}, {`{"$subtract":["$d",{"$numberLong":"-9223372036854775808"}]}`, `error`},

	// Rounding goes by the exact value of a double, and shows the place in a decimal.
	{`{"$trunc":[0.3,1]}`, `double 0.2`}, {`{"$round":["$m",3]}`, `decimal {"$numberDecimal":"1.100"}`}, {`{"$round":[{"$numberDecimal":"0"},2]}`, `decimal {"$numberDecimal":"0.00"}`}, {`{"$floor":{"$numberDecimal":"5E+1"}}`, `decimal {"$numberDecimal":"50"}`}, {`{"$round":[1.5,100]}`, `double 1.5`},
	{`{"$round":[{"$numberInt":"2147483647"},-1]}`, `long 2147483650`}, {`{"$round":[9223372036854775807,-1]}`, `error`}, {`{"$round":["$nan",2]}`, `double {"$numberDouble":"NaN"}`}, {`{"$ceil":{"$numberDecimal":"Infinity"}}`, `decimal {"$numberDecimal":"Infinity"}`}, {`{"$round":["$f",0.5]}`, `error`},

	// Functions: correctly rounded, of decimals to 34 digits.
	{`{"$sqrt":{"$numberDecimal":"2"}}`, `decimal {"$numberDecimal":"1.414213562373095048801688724209698"}`}, {`{"$exp":1}`, `double 2.718281828459045`}, {`{"$exp":{"$numberDecimal":"1"}}`, `decimal {"$numberDecimal":"2.718281828459045235360287471352662"}`}, {`{"$exp":1000}`, `double {"$numberDouble":"Infinity"}`}, {`{"$exp":-1000}`, `double 0.0`},
	{`{"$exp":{"$numberDouble":"-Infinity"}}`, `double 0.0`}, {`{"$ln":{"$numberDecimal":"2"}}`, `decimal {"$numberDecimal":"0.6931471805599453094172321214581766"}`}, {`{"$ln":{"$numberDouble":"Infinity"}}`, `double {"$numberDouble":"Infinity"}`}, {`{"$ln":-1}`, `error`}, {`{"$log":[1000,10]}`, `double 3.0`}, {`{"$log":["$nan",2]}`, `double {"$numberDouble":"NaN"}`}, {`{"$log":[8,-2]}`, `error`},
	{`{"$pow":[{"$numberDecimal":"1.1"},2]}`, `decimal {"$numberDecimal":"1.21"}`}, {`{"$pow":[2,{"$numberInt":"62"}]}`, `long {"$numberLong":"4611686018427387904"}`}, {`{"$pow":[-2,63]}`, `long {"$numberLong":"-9223372036854775808"}`}, {`{"$pow":[2,63]}`, `double 9223372036854776000.0`}, {`{"$pow":[-8,0.5]}`, `double {"$numberDouble":"NaN"}`}, {`{"$pow":[-2.0,3]}`, `double -8.0`},
	{`{"$pow":[{"$numberDouble":"-0.0"},3]}`, `double -0.0`}, {`{"$pow":[0.5,{"$numberDouble":"Infinity"}]}`, `double 0.0`}, {`{"$pow":["$nan",0]}`, `double 1.0`}, {`{"$pow":[{"$numberDouble":"-Infinity"},3]}`, `double {"$numberDouble":"-Infinity"}`}, {`{"$pow":[3,-1]}`, `double 0.3333333333333333`}, {`{"$pow":[1.0000001,1e9]}`, `double 2.6881038582144647e+43`},
	{`{"$sin":0}`, `double 0.0`}, {`{"$sin":1}`, `double 0.8414709848078965`}, {`{"$sin":1e300}`, `double -0.8178819121159085`}, {`{"$sin":{"$numberDouble":"Infinity"}}`, `error`}, {`{"$cos":0}`, `double 1.0`}, {`{"$cos":{"$numberDecimal":"1"}}`, `decimal {"$numberDecimal":"0.5403023058681397174009366074429766"}`}, {`{"$tan":1}`, `double 1.5574077246549023`}, {`{"$cos":3.141592653589793}`, `double -1.0`}, {`{"$sin":3.141592653589793}`, `double 1.2246467991473532e-16`},
	{`{"$asin":1}`, `double 1.5707963267948966`}, {`{"$asin":0.5}`, `double 0.5235987755982989`}, {`{"$asin":2}`, `error`}, {`{"$acos":-1}`, `double 3.141592653589793`}, {`{"$acos":1}`, `double 0.0`}, {`{"$atan":1}`, `double 0.7853981633974483`}, {`{"$atan":{"$numberDouble":"-Infinity"}}`, `double -1.5707963267948966`}, {`{"$atan":"$n"}`, `null null`},
	{`{"$atan2":[1,-1]}`, `double 2.356194490192345`}, {`{"$atan2":[-1,-1]}`, `double -2.356194490192345`}, {`{"$atan2":[0,-1]}`, `double 3.141592653589793`}, {`{"$atan2":[0,0]}`, `double 0.0`}, {`{"$atan2":["$nan",0]}`, `double {"$numberDouble":"NaN"}`}, {`{"$atan2":[{"$numberDouble":"Infinity"},{"$numberDouble":"-Infinity"}]}`, `double 2.356194490192345`}, {`{"$atan2":["$n","$s"]}`, `null null`},
	{`{"$sinh":1}`, `double 1.1752011936438014`}, {`{"$sinh":0.001}`, `double 0.001000000166666675`}, {`{"$cosh":1}`, `double 1.5430806348152437`}, {`{"$tanh":1}`, `double 0.7615941559557649`}, {`{"$tanh":{"$numberDouble":"-Infinity"}}`, `double -1.0`}, {`{"$tanh":1000000}`, `double 1.0`}, {`{"$asinh":1}`, `double 0.881373587019543`}, {`{"$asinh":1e10}`, `double 23.7189981105004`}, {`{"$asinh":-1e10}`, `double -23.7189981105004`}, {`{"$acosh":2}`, `double 1.3169578969248168`}, {`{"$acosh":0.5}`, `error`}, {`{"$atanh":0.5}`, `double 0.5493061443340549`}, {`{"$atanh":1}`, `double {"$numberDouble":"Infinity"}`}, {`{"$atanh":2}`, `error`},
	{`{"$degreesToRadians":180}`, `double 3.141592653589793`}, {`{"$radiansToDegrees":{"$numberDecimal":"1"}}`, `decimal {"$numberDecimal":"57.29577951308232087679815481410517"}`}, {`{"$degreesToRadians":"$s"}`, `error`},
	{`{"$stdDevPop":[1,3]}`, `double 1.0`}, {`{"$stdDevSamp":[1,3,"x"]}`, `double 1.4142135623730951`}, {`{"$stdDevSamp":[1]}`, `null null`}, {`{"$stdDevPop":"$a"}`, `double 0.82915619758885`}, {`{"$stdDevPop":"$n"}`, `null null`},

	// Bits.
	{`{"$bitAnd":["$i",3]}`, `long 3`}, {`{"$bitAnd":[]}`, `int -1`}, {`{"$bitOr":["$i",{"$numberInt":"8"}]}`, `int 15`}, {`{"$bitXor":[5,1]}`, `long 4`}, {`{"$bitNot":"$i"}`, `int -8`}, {`{"$bitNot":"$l"}`, `long -10`}, {`{"$bitOr":["$n",1]}`, `null null`}, {`{"$bitOr":["$f",1]}`, `error`}, {`{"$bitNot":"$nothing"}`, `null null`},

	// Conversions.
	{`{"$toString":1e16}`, `string "1e+16"`}, {`{"$toString":123456789012345.0}`, `string "123456789012345"`}, {`{"$toString":0.00001}`, `string "1e-05"`}, {`{"$toString":{"$numberDouble":"-0.0"}}`, `string "-0"`}, {`{"$toString":{"$numberDouble":"-Infinity"}}`, `string "-Infinity"`}, {`{"$toUpper":0.1}`, `string "0.1"`},
	{`{"$toBool":{"$timestamp":{"t":0,"i":0}}}`, `bool true`}, {`{"$toBool":{"$minKey":1}}`, `error`}, {`{"$toBool":"$o"}`, `bool true`}, {`{"$toBool":"$nan"}`, `bool true`}, {`{"$toDouble":{"$numberDecimal":"1E-400"}}`, `error`}, {`{"$toDate":"2024-02-29T10:00:00"}`, `date {"$date":"2024-02-29T10:00:00Z"}`}, {`{"$toDate":{"$timestamp":{"t":60,"i":3}}}`, `date {"$date":"1970-01-01T00:01:00Z"}`},
	{`{"$convert":{"input":"$s","to":"int","onError":"$$REMOVE"}}`, `missing null`},

	// An option that is given but has no value is null.
	{`{"$hour":{"date":"$d","timezone":"$nothing"}}`, `null null`}, {`{"$trim":{"input":"$s","chars":"$nothing"}}`, `null null`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"week","startOfWeek":"$n"}}`, `null null`}, {`{"$dateDiff":{"startDate":"$d","endDate":"$d2","unit":"day","startOfWeek":"$n"}}`, `long 307`}, {`{"$dateDiff":{"startDate":"$s","endDate":"$n","unit":"day"}}`, `null null`},
	{`{"$indexOfCP":["$s","o",0,"$nothing"]}`, `error`}, {`{"$indexOfArray":["$a",1,0,"$n"]}`, `error`},

	// Strings.
	{`{"$trim":{"input":"   x   ","chars":" "}}`, `string "x"`}, {`{"$trim":{"input":" x "}}`, `string "x"`}, {`{"$trim":{"input":"xyx","chars":"xy"}}`, `string ""`}, {`{"$strLenCP":"é😀"}`, `int 2`}, {`{"$substrCP":["é😀z",1,1]}`, `string "😀"`}, {`{"$indexOfCP":["é😀z","z"]}`, `int 2`}, {`{"$toLower":"ÉA"}`, `string "Éa"`}, {`{"$replaceAll":{"input":"ab","find":"","replacement":"-"}}`, `string "-a-b-"`},
	{`{"$regexFind":{"input":"$s","regex":"l+(o)?"}}`, `object {"match":"llo","idx":2,"captures":["o"]}`}, {`{"$regexFind":{"input":"$s","regex":"(x)|l"}}`, `object {"match":"l","idx":2,"captures":[null]}`}, {`{"$regexFind":{"input":"$s","regex":"q"}}`, `null null`}, {`{"$regexFind":{"input":"$n","regex":"q"}}`, `null null`}, {`{"$regexFind":{"input":"$i","regex":"q"}}`, `error`},
	{`{"$regexFindAll":{"input":"é1 é22","regex":"é(\\d+)"}}`, `array [{"match":"é1","idx":0,"captures":["1"]},{"match":"é22","idx":3,"captures":["22"]}]`}, {`{"$regexFindAll":{"input":"$nothing","regex":"q"}}`, `array []`}, {`{"$regexFindAll":{"input":"ab","regex":""}}`, `array [{"match":"","idx":0,"captures":[]},{"match":"","idx":1,"captures":[]}]`}, {`{"$regexFindAll":{"input":"","regex":"a*"}}`, `array [{"match":"","idx":0,"captures":[]}]`},
	{`{"$regexMatch":{"input":"AB","regex":"b","options":null}}`, `bool false`},

	// Arrays and objects.
	{`{"$zip":{"inputs":["$a",["x","y"]]}}`, `array [[3,"x"],[1,"y"]]`}, {`{"$zip":{"inputs":["$e","$a"]}}`, `array []`}, {`{"$zip":{"inputs":[[1],["x","y"]],"useLongestLength":true}}`, `array [[1,"x"],[null,"y"]]`}, {`{"$zip":{"inputs":[[1],["x","y"]],"useLongestLength":true,"defaults":["$l",0]}}`, `array [[1,"x"],[9,"y"]]`}, {`{"$zip":{"inputs":["$a","$n"]}}`, `null null`}, {`{"$zip":{"inputs":["$a","$s"]}}`, `error`},
	{`{"$sortArray":{"input":"$a","sortBy":1}}`, `array [1,1,2,3]`}, {`{"$sortArray":{"input":"$mixed","sortBy":-1}}`, `array [true,[1],"x",1,null]`}, {`{"$sortArray":{"input":[{"a":{"b":2},"c":1},{"a":{"b":1}},{"c":2},{"a":{"b":2},"c":0}],"sortBy":{"a.b":-1,"c":1}}}`, `array [{"a":{"b":2},"c":0},{"a":{"b":2},"c":1},{"a":{"b":1}},{"c":2}]`}, {`{"$sortArray":{"input":"$n","sortBy":1}}`, `null null`}, {`{"$sortArray":{"input":"$s","sortBy":1}}`, `error`}, {`{"$sortArray":{"input":[{"a":[5,1]},{"a":[4,9]}],"sortBy":{"a.0":1}}}`, `array [{"a":[4,9]},{"a":[5,1]}]`},
	{`{"$firstN":{"n":2,"input":"$a"}}`, `array [3,1]`}, {`{"$lastN":{"n":2,"input":"$a"}}`, `array [2,1]`}, {`{"$firstN":{"n":9,"input":"$e"}}`, `array []`}, {`{"$firstN":{"n":0,"input":"$a"}}`, `error`}, {`{"$firstN":{"n":1,"input":"$n"}}`, `error`}, {`{"$maxN":{"n":2,"input":"$mixed"}}`, `array [true,[1]]`}, {`{"$minN":{"n":3,"input":[null,5,"$nothing",2]}}`, `array [2,5]`}, {`{"$minN":{"n":1.5,"input":"$a"}}`, `error`}, {`{"$minN":{"n":1,"input":"$s"}}`, `error`},
	{`{"$arrayToObject":[[{"k":"a","v":1},{"k":"b.c","v":null},{"v":2,"k":"a"}]]}`, `object {"a":2,"b.c":null}`}, {`{"$arrayToObject":[[["a",1],["$s","$l"]]]}`, `object {"a":1,"Héllo, World":9}`}, {`{"$arrayToObject":{"$objectToArray":"$o"}}`, `object {"p":1,"q":{"r":"deep"}}`}, {`{"$arrayToObject":"$e"}`, `object {}`}, {`{"$arrayToObject":"$n"}`, `null null`}, {`{"$arrayToObject":"$a"}`, `error`}, {`{"$arrayToObject":[[["a",1],{"k":"b","v":1}]]}`, `error`}, {`{"$arrayToObject":[[{"k":1,"v":1}]]}`, `error`},
	{`{"$getField":"l"}`, `long 9`}, {`{"$getField":{"field":"p","input":"$o"}}`, `long 1`}, {`{"$getField":{"field":{"$literal":"$x"},"input":{"$setField":{"field":{"$literal":"$x"},"input":{},"value":7}}}}`, `long 7`}, {`{"$getField":{"field":"a.b","input":"$o"}}`, `missing null`}, {`{"$getField":{"field":"a","input":"$n"}}`, `null null`}, {`{"$getField":{"field":"a","input":"$s"}}`, `missing null`}, {`{"$getField":{"field":"a","input":"$nothing"}}`, `missing null`}, {`{"$getField":5}`, `error`},
	{`{"$setField":{"field":"p","input":"$o","value":"$i"}}`, `object {"p":7,"q":{"r":"deep"}}`}, {`{"$setField":{"field":"a.b","input":{},"value":1}}`, `object {"a.b":1}`}, {`{"$setField":{"field":"p","input":"$o","value":"$$REMOVE"}}`, `object {"q":{"r":"deep"}}`}, {`{"$setField":{"field":"p","input":"$n","value":1}}`, `null null`}, {`{"$setField":{"field":"p","input":"$s","value":1}}`, `error`}, {`{"$unsetField":{"field":"q","input":"$o"}}`, `object {"p":1}`},
	{`{"$mergeObjects":"$x"}`, `error`}, {`{"$mergeObjects":[[{"a":1},null,{"a":2,"b":3}]]}`, `object {"a":2,"b":3}`}, {`{"$bsonSize":{"a":{"$numberInt":"1"}}}`, `int 12`}, {`{"$bsonSize":{"a":"xy","b":[true,null]}}`, `int 30`}, {`{"$bsonSize":"$n"}`, `null null`}, {`{"$bsonSize":"$s"}`, `error`}, {`{"$binarySize":"$s"}`, `int 13`}, {`{"$binarySize":{"$binary":{"base64":"AAEC","subType":"00"}}}`, `int 3`}, {`{"$binarySize":"$i"}`, `error`}, {`{"$binarySize":"$nothing"}`, `null null`},
	{`{"$const":"$i"}`, `string "$i"`}, {`{"$let":{"vars":{"CURRENT":5},"in":"$$CURRENT"}}`, `refused`},

	// Dates.
	{`{"$dateFromParts":{"year":2024,"month":2,"day":30}}`, `date {"$date":"2024-03-01T00:00:00Z"}`}, {`{"$dateFromParts":{"year":2024,"month":14,"day":0,"hour":-1}}`, `date {"$date":"2025-01-30T23:00:00Z"}`}, {`{"$dateFromParts":{"year":2024,"month":0}}`, `date {"$date":"2023-12-01T00:00:00Z"}`}, {`{"$dateFromParts":{"year":2024,"millisecond":1,"second":61,"minute":1,"timezone":"+01:00"}}`, `date {"$date":"2023-12-31T23:02:01.001Z"}`},
	{`{"$dateFromParts":{"isoWeekYear":2020,"isoWeek":53,"isoDayOfWeek":7}}`, `date {"$date":"2021-01-03T00:00:00Z"}`}, {`{"$dateFromParts":{"isoWeekYear":2024}}`, `date {"$date":"2024-01-01T00:00:00Z"}`}, {`{"$dateFromParts":{"year":0}}`, `error`}, {`{"$dateFromParts":{"year":2024,"day":40000}}`, `error`}, {`{"$dateFromParts":{"year":2024,"day":"$n"}}`, `null null`}, {`{"$dateFromParts":{"year":2024,"day":"$nothing"}}`, `null null`}, {`{"$dateFromParts":{"year":"$s"}}`, `error`}, {`{"$dateFromParts":{"year":2024.5}}`, `error`},
	{`{"$dateToParts":{"date":"$d","timezone":"+11:00"}}`, `object {"year":2024,"month":3,"day":1,"hour":0,"minute":14,"second":15,"millisecond":16}`}, {`{"$dateToParts":{"date":"$d2","iso8601":true}}`, `object {"isoWeekYear":2025,"isoWeek":1,"isoDayOfWeek":3,"hour":0,"minute":0,"second":0,"millisecond":0}`}, {`{"$dateToParts":{"date":"$n"}}`, `null null`}, {`{"$dateToParts":{"date":"$d","iso8601":1}}`, `error`}, {`{"$dateToParts":{"date":"$s"}}`, `error`},
	{`{"$dateTrunc":{"date":"$d","unit":"month"}}`, `date {"$date":"2024-02-01T00:00:00Z"}`}, {`{"$dateTrunc":{"date":"$d","unit":"week"}}`, `date {"$date":"2024-02-25T00:00:00Z"}`}, {`{"$dateTrunc":{"date":"$d","unit":"week","startOfWeek":"Monday"}}`, `date {"$date":"2024-02-26T00:00:00Z"}`}, {`{"$dateTrunc":{"date":"$d","unit":"quarter","binSize":2}}`, `date {"$date":"2024-01-01T00:00:00Z"}`}, {`{"$dateTrunc":{"date":"$d","unit":"year","binSize":7}}`, `date {"$date":"2021-01-01T00:00:00Z"}`},
	{`{"$dateTrunc":{"date":"$d","unit":"hour","binSize":5,"timezone":"+02:00"}}`, `date {"$date":"2024-02-29T13:00:00Z"}`}, {`{"$dateTrunc":{"date":"$d","unit":"day","timezone":"-08:00"}}`, `date {"$date":"2024-02-29T08:00:00Z"}`}, {`{"$dateTrunc":{"date":{"$date":"1999-12-31T23:59:59Z"},"unit":"month","binSize":5}}`, `date {"$date":"1999-08-01T00:00:00Z"}`}, {`{"$dateTrunc":{"date":{"$date":"1999-12-31T23:59:59Z"},"unit":"week","binSize":2,"startOfWeek":"sat"}}`, `date {"$date":"1999-12-18T00:00:00Z"}`},
	{`{"$dateTrunc":{"date":"$d","unit":"day","binSize":0}}`, `error`}, {`{"$dateTrunc":{"date":"$n","unit":"day"}}`, `null null`}, {`{"$dateTrunc":{"date":"$d","unit":"day","binSize":"$n"}}`, `null null`}, {`{"$dateTrunc":{"date":"$s","unit":"day"}}`, `error`}, {`{"$dateTrunc":{"date":"$d","unit":"day","binSize":9223372036854775807}}`, `error`},
	{`{"$tsSecond":{"$timestamp":{"t":4294967295,"i":7}}}`, `long 4294967295`}, {`{"$tsIncrement":{"$timestamp":{"t":5,"i":7}}}`, `long 7`}, {`{"$tsSecond":"$d"}`, `error`}, {`{"$tsIncrement":"$n"}`, `null null`},
	{`{"$dateAdd":{"startDate":"$d","unit":"month","amount":9000000000}}`, `error`}, {`{"$dateAdd":{"startDate":"$d","unit":"day","amount":"$nothing"}}`, `null null`}, {`{"$dateAdd":{"startDate":{"$date":"2024-02-29T23:30:00Z"},"unit":"year","amount":1,"timezone":"+01:00"}}`, `date {"$date":"2025-02-28T23:30:00Z"}`},
	{`{"$dateDiff":{"startDate":{"$date":"2023-12-31T23:30:00Z"},"endDate":{"$date":"2024-01-01T00:30:00Z"},"unit":"year","timezone":"+01:00"}}`, `long 0`}, {`{"$isoWeek":{"$date":"2021-01-03T00:00:00Z"}}`, `int 53`}, {`{"$isoWeekYear":{"$date":"2021-01-03T00:00:00Z"}}`, `int 2020`}, {`{"$week":{"$date":"2021-01-03T00:00:00Z"}}`, `int 1`}, {`{"$week":{"$date":"2021-01-02T00:00:00Z"}}`, `int 0`},
	{`{"$dateFromString":{"dateString":"2024-02-29T10:00:00+01:00","timezone":"UTC"}}`, `date {"$date":"2024-02-29T09:00:00Z"}`}, {`{"$dateFromString":{"dateString":"1/3/2024 4:05","format":"%d/%m/%Y %H:%M"}}`, `date {"$date":"2024-03-01T04:05:00Z"}`}, {`{"$dateFromString":{"dateString":"15 Mar 2024","format":"%d %b %Y"}}`, `date {"$date":"2024-03-15T00:00:00Z"}`}, {`{"$dateFromString":{"dateString":"march 15, 2024","format":"%B %d, %Y"}}`, `date {"$date":"2024-03-15T00:00:00Z"}`}, {`{"$dateFromString":{"dateString":"2024 060","format":"%Y %j"}}`, `date {"$date":"2024-02-29T00:00:00Z"}`}, {`{"$dateFromString":{"dateString":"2020-53-7","format":"%G-%V-%u"}}`, `date {"$date":"2021-01-03T00:00:00Z"}`}, {`{"$dateFromString":{"dateString":"2024-02-29 +90","format":"%Y-%m-%d %Z"}}`, `date {"$date":"2024-02-28T22:30:00Z"}`}, {`{"$dateFromString":{"dateString":"2024-02","format":"%Y-%m"}}`, `error`}, {`{"$dateFromString":{"dateString":"2023 366","format":"%Y %j"}}`, `error`},
}

// expressionOf compiles an expression. wrap keeps constants from being computed at once.
func expressionOf(t testing.TB, text string) *exprTest {
	t.Helper()
	d, err := ParseValue([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c := &exprCompiler{compiler: &compiler{}}
	root, err := c.expression(d.Root(), nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &exprTest{root: root, slots: c.slots, steps: MaxExpressionSteps}
}

func evaluatedText(x *exprTest, d *Document) string {
	v, err := x.eval(d.Root())
	if err != nil {
		return "error"
	}
	return v.Kind().String() + " " + string(AppendValue(nil, v, ValuesRelaxed))
}

func TestExpressions(t *testing.T) {
	d := testDocument(t, exprDocument)
	for _, test := range slices.Concat(exprTests, exprMoreTests) {
		if test.want == "refused" {
			if _, err := Compile(QuerySpec{Filter: []byte(`{"$expr":` + test.expr + `}`)}, Limits{}); err == nil {
				t.Errorf("%s is not refused", test.expr)
			}
			continue
		}
		if got := evaluatedText(expressionOf(t, test.expr), d); got != test.want {
			t.Errorf("%s: got %s, want %s", test.expr, got, test.want)
		}
	}
}

func TestEveryExpressionOperatorIsTested(t *testing.T) {
	var all strings.Builder
	for _, test := range slices.Concat(exprTests, exprMoreTests) {
		all.WriteString(test.expr)
	}
	check := func(name string) {
		if !strings.Contains(all.String(), `"`+name+`":`) {
			t.Errorf("no row of exprTests holds %s", name)
		}
	}
	for name := range exprOperators {
		check(name)
	}
	for name := range exprForms {
		check(name)
	}
}

// TestExpressionErrorsDoNotMatch is the rule for a live query: a document that fails is one that does not match.
func TestExpressionErrorsDoNotMatch(t *testing.T) {
	q := compileText(t, `{"$expr":{"$gt":[{"$divide":["$a","$b"]},1]}}`)
	not := compileText(t, `{"$nor":[{"$expr":{"$gt":[{"$divide":["$a","$b"]},1]}}]}`)
	for text, want := range map[string]bool{`{"a":4,"b":2}`: true, `{"a":1,"b":2}`: false, `{"a":1,"b":0}`: false, `{"a":"x","b":1}`: false} {
		if d := testDocument(t, text); q.Match(d) != want || not.Match(d) == want {
			t.Errorf("%s: got %t, its negation %t", text, q.Match(d), not.Match(d))
		}
	}
}

// TestExpressionStepsAreBounded runs what would take for ever, or all memory.
func TestExpressionStepsAreBounded(t *testing.T) {
	d := testDocument(t, `{"a":[`+strings.TrimSuffix(strings.Repeat("1,", 3000), ",")+`],"s":"`+strings.Repeat("x", 1000)+`"}`)
	for _, expr := range []string{
		`{"$map":{"input":"$a","in":{"$map":{"input":"$a","in":{"$sum":"$a"}}}}}`,
		`{"$reduce":{"input":"$a","initialValue":"$s","in":{"$concat":["$$value","$$value"]}}}`,
		`{"$reduce":{"input":"$a","initialValue":"$a","in":{"$concatArrays":["$$value","$$value"]}}}`,
		`{"$reduce":{"input":"$a","initialValue":[],"in":["$$value","$$value"]}}`,
		`{"$reduce":{"input":"$a","initialValue":"$s","in":{"$replaceAll":{"input":"$$value","find":"","replacement":"$$value"}}}}`,
		`{"$range":[0,2000000000]}`,
		`{"$map":{"input":"$a","in":{"$eq":["$$ROOT","$$ROOT"]}}}`,
		`{"$reduce":{"input":"$a","initialValue":{"$numberDecimal":"1E-6000"},"in":{"$add":["$$value",{"$numberDecimal":"1E+6000"},{"$numberDecimal":"-1E+6000"},{"$numberDecimal":"1E-6000"}]}}}`,
	} {
		if _, err := expressionOf(t, expr).eval(d.Root()); err != errExpressionSteps {
			t.Errorf("%s: got %v", expr, err)
		}
	}
}

func TestExpressionNormalForm(t *testing.T) {
	for _, same := range [][]string{
		{`{"$eq":["$a",1]}`, `{"$eq":["$$ROOT.a",1]}`, `{"$eq":["$$CURRENT.a",{"$literal":1}]}`, `{"$eq":["$a",{"$subtract":[3,2]}]}`},
		{`{"$not":"$a"}`, `{"$not":["$a"]}`},
		{`{"$cond":{"if":"$a","then":1,"else":2}}`, `{"$cond":{"else":2,"if":"$a","then":1}}`},
		{`{"$dateDiff":{"startDate":"$a","endDate":"$b","unit":"day"}}`, `{"$dateDiff":{"unit":"day","startDate":"$a","endDate":"$b"}}`},
		{`{"$map":{"input":"$a","in":"$$this.b"}}`, `{"$map":{"in":"$$this.b","as":"this","input":"$a"}}`},
		{`{"$regexMatch":{"input":"$a","regex":"x","options":"i"}}`, `{"$regexMatch":{"input":"$a","regex":{"$regularExpression":{"pattern":"x","options":"i"}}}}`},
	} {
		want := compileText(t, `{"$expr":`+same[0]+`}`).Normal()
		for _, expr := range same[1:] {
			if got := compileText(t, `{"$expr":`+expr+`}`).Normal(); got != want {
				t.Errorf("%s is %s, but %s is %s", same[0], want, expr, got)
			}
		}
	}
	seen := map[string]string{}
	for _, expr := range []string{`"$a"`, `{"$literal":["$a"]}`, `["$a"]`, `{"$eq":["$a",1]}`, `{"$eq":["$a",1.0]}`, `{"$eq":["$a","1"]}`, `{"$eq":[1,"$a"]}`, `{"$eq":["$a","$$REMOVE"]}`, `{"$eq":["$a",null]}`,
		`{"$eq":["$a",{"$literal":"$b"}]}`, `{"$eq":["$a","$b"]}`, `{"$ne":["$a","$b"]}`, `{"$eq":["$a",{"$numberDecimal":"1.0"}]}`, `{"$eq":["$a",{"$numberDecimal":"1.00"}]}`, `{"$concat":["$a","$b"]}`, `{"$concat":[["$a"],"$b"]}`,
		`{"$map":{"input":"$a","in":"$$this"}}`, `{"$filter":{"input":"$a","cond":"$$this"}}`, `{"$filter":{"input":"$a","cond":"$$this","limit":1}}`, `{"$let":{"vars":{"x":"$a"},"in":"$$x"}}`, `{"$let":{"vars":{"x":"$a"},"in":"$x"}}`,
		`{"$regexMatch":{"input":"$a","regex":"x"}}`, `{"$regexMatch":{"input":"$a","regex":"x","options":"i"}}`, `{"a":"$b"}`, `{"$switch":{"branches":[{"case":"$a","then":1}]}}`, `{"$switch":{"branches":[{"case":"$a","then":1}],"default":"$b"}}`,
	} {
		text := compileText(t, `{"$expr":`+expr+`}`).Normal()
		if other, taken := seen[text]; taken {
			t.Errorf("%s and %s are both %s", expr, other, text)
		}
		seen[text] = expr
		if !json.Valid([]byte(text)) {
			t.Errorf("%s: the normal form %s is no JSON", expr, text)
		}
	}
}

// TestDecimalArithmetic compares with exact fractions.
func TestDecimalArithmetic(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 1))
	random := func() (decimal, *big.Rat) {
		text := fmt.Sprintf("%d%015dE%d", r.IntN(2000)-1000, r.Int64N(1e15), r.IntN(60)-40)
		d, ok := parseDecimal([]byte(text))
		if !ok {
			t.Fatalf("seed %d: %s", seed, text)
		}
		return d, rationalOf(text)
	}
	// near reports whether d is x but for what rounding to 34 digits may take.
	near := func(d decimal, x *big.Rat) bool {
		diff := new(big.Rat).Sub(rationalOf(string(d.appendText(nil))), x)
		bound := new(big.Rat).Mul(new(big.Rat).Abs(x), rationalOf("0.5E-33"))
		return diff.Abs(diff).Cmp(bound) <= 0
	}
	for range 3000 {
		a, x := random()
		b, y := random()
		if p, err := decimalProduct(a, b); err != nil || !near(p, new(big.Rat).Mul(x, y)) {
			t.Fatalf("seed %d: %s * %s is %s (%v)", seed, a.appendText(nil), b.appendText(nil), p.appendText(nil), err)
		}
		if y.Sign() == 0 {
			continue
		}
		q, err := decimalQuotient(a, b)
		if err != nil || !near(q, new(big.Rat).Quo(x, y)) {
			t.Fatalf("seed %d: %s / %s is %s (%v)", seed, a.appendText(nil), b.appendText(nil), q.appendText(nil), err)
		}
		exact := new(big.Rat).Quo(x, y)
		whole := new(big.Int).Quo(exact.Num(), exact.Denom())
		rest := new(big.Rat).Sub(x, new(big.Rat).Mul(y, new(big.Rat).SetInt(whole)))
		if m, err := decimalRemainder(a, b); err != nil || !near(m, rest) {
			t.Fatalf("seed %d: %s mod %s is %s (%v)", seed, a.appendText(nil), b.appendText(nil), m.appendText(nil), err)
		}
	}
}

// TestRounding compares with the definition: the nearest multiple of the place.
func TestRounding(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, 2))
	for range 3000 {
		i, place := r.Int64N(2_000_000)-1_000_000, -r.IntN(5)
		unit := int64(math.Pow10(-place))
		for mode := roundHalf; mode <= roundCeil; mode++ {
			made, err := roundNumber(number{kind: KindInt64, integer: i}, place, mode)
			if err != nil {
				t.Fatal(err)
			}
			low := floorDivide(i, unit) * unit
			want := map[rounding]int64{roundFloor: low, roundCeil: low, roundTrunc: i / unit * unit, roundHalf: low}[mode]
			if mode == roundCeil && low != i {
				want += unit
			}
			if over := 2 * (i - low); mode == roundHalf && (over > unit || over == unit && low/unit%2 != 0) {
				want += unit
			}
			if made.integer != want {
				t.Fatalf("seed %d: %d to %d in mode %d is %d, want %d", seed, i, place, mode, made.integer, want)
			}
		}
	}
}

// TestSetsAgainstNaive compares set operators with a search through lists.
func TestSetsAgainstNaive(t *testing.T) {
	const seed = 3
	r := rand.New(rand.NewPCG(seed, 4))
	list := func() (string, []int) {
		var texts []string
		var numbers []int
		for range r.IntN(6) {
			n := r.IntN(5)
			texts, numbers = append(texts, fmt.Sprint(n)), append(numbers, n)
		}
		return "[" + strings.Join(texts, ",") + "]", numbers
	}
	distinct := func(keep func(n int) bool) string {
		var texts []string
		for n := range 5 {
			if keep(n) {
				texts = append(texts, fmt.Sprint(n))
			}
		}
		return "array [" + strings.Join(texts, ",") + "]"
	}
	for range 500 {
		a, x := list()
		b, y := list()
		d := testDocument(t, `{"a":`+a+`,"b":`+b+`}`)
		inX, inY := func(n int) bool { return slices.Contains(x, n) }, func(n int) bool { return slices.Contains(y, n) }
		same, subset := true, true
		for n := range 5 {
			same = same && inX(n) == inY(n)
			subset = subset && (!inX(n) || inY(n))
		}
		for expr, want := range map[string]string{
			`{"$setUnion":["$a","$b"]}`:                      distinct(func(n int) bool { return inX(n) || inY(n) }),
			`{"$setIntersection":["$a","$b"]}`:               distinct(func(n int) bool { return inX(n) && inY(n) }),
			`{"$setUnion":[{"$setDifference":["$a","$b"]}]}`: distinct(func(n int) bool { return inX(n) && !inY(n) }),
			`{"$setEquals":["$a","$b"]}`:                     fmt.Sprint("bool ", same),
			`{"$setIsSubset":["$a","$b"]}`:                   fmt.Sprint("bool ", subset),
		} {
			if got := evaluatedText(expressionOf(t, expr), d); got != want {
				t.Fatalf("seed %d: %s of %s: got %s, want %s", seed, expr, d.Text(), got, want)
			}
		}
	}
}

// TestDatesAgainstCalendar counts units one by one.
func TestDatesAgainstCalendar(t *testing.T) {
	const seed = 9
	r := rand.New(rand.NewPCG(seed, 6))
	diff := expressionOf(t, `["$a",{"$dateDiff":{"startDate":"$a","endDate":"$b","unit":"month"}},{"$dateDiff":{"startDate":"$a","endDate":"$b","unit":"week"}},{"$dateDiff":{"startDate":"$a","endDate":"$b","unit":"day"}}]`)
	for range 200 {
		from := time.UnixMilli(r.Int64N(4e12) - 2e12).UTC()
		to := from.Add(time.Duration(r.IntN(1000)) * time.Hour)
		months, weeks, days := 0, 0, 0
		for day := from.Truncate(24*time.Hour).AddDate(0, 0, 1); !day.After(to); day = day.AddDate(0, 0, 1) {
			days++
			if day.Day() == 1 {
				months++
			}
			if day.Weekday() == time.Sunday {
				weeks++
			}
		}
		d := testDocument(t, fmt.Sprintf(`{"a":{"$date":{"$numberLong":"%d"}},"b":{"$date":{"$numberLong":"%d"}}}`, from.UnixMilli(), to.UnixMilli()))
		want := fmt.Sprintf(",%d,%d,%d]", months, weeks, days)
		if got := evaluatedText(diff, d); !strings.HasSuffix(got, want) {
			t.Fatalf("seed %d: from %v to %v: got %s, want %s", seed, from, to, got, want)
		}
	}
}

// TestExprAgainstFilter compares $expr with the filter's own operators on scalars of one type, where they must agree.
func TestExprAgainstFilter(t *testing.T) {
	values := []string{`1`, `1.0`, `2`, `-5`, `2.5`, `{"$numberDecimal":"2.5"}`, `9007199254740993`, `{"$numberInt":"2"}`}
	for _, op := range []string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte"} {
		for _, constant := range values {
			filter := compileText(t, fmt.Sprintf(`{"a":{%q:%s}}`, op, constant))
			expr := compileText(t, fmt.Sprintf(`{"$expr":{%q:["$a",%s]}}`, op, constant))
			for _, value := range values {
				d := testDocument(t, `{"a":`+value+`}`)
				if filter.Match(d) != expr.Match(d) {
					t.Errorf("%s %s of %s: filter %t", op, constant, value, filter.Match(d))
				}
			}
		}
	}
}

func FuzzExpression(f *testing.F) {
	for _, test := range slices.Concat(exprTests, exprMoreTests) {
		f.Add(test.expr)
	}
	d, err := Parse([]byte(exprDocument), Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Compile(QuerySpec{Filter: []byte(`{"$expr":` + text + `}`)}, Limits{})
		if err != nil {
			return
		}
		if first := q.Match(d); first != q.Match(d) {
			t.Errorf("%s answers twice otherwise", text)
		}
		again, err := Compile(QuerySpec{Filter: []byte(`{"$expr":` + text + `}`)}, Limits{})
		if err != nil || again.Normal() != q.Normal() {
			t.Errorf("%s: its normal form differs: %v", text, err)
		}
	})
}
