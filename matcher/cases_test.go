package matcher

import (
	"errors"
	"strings"
	"testing"
)

func init() { filterTests = append(filterTests, operatorTests...) }

// operatorTests are rows of filterTests: $type, $mod, the bit operators, $alwaysTrue and $alwaysFalse, the range
// operators beside the least and the greatest key, and plain $expr and $jsonSchema, which must not allocate.
var operatorTests = []filterTest{
	{`{"a":{"$type":"string"}}`, []string{`{"a":"x"}`, `{"a":[1,"x"]}`}, []string{`{"a":1}`, `{}`, `{"a":[["x"]]}`, `{"a":null}`}},
	{`{"a":{"$type":2}}`, []string{`{"a":"x"}`}, []string{`{"a":1}`}},
	{`{"a":{"$type":2.0}}`, []string{`{"a":"x"}`}, []string{`{"a":1}`}},
	{`{"a":{"$type":"array"}}`, []string{`{"a":[]}`, `{"a":[1]}`, `{"a":[[]]}`}, []string{`{"a":1}`, `{}`}},
	{`{"a":{"$type":4}}`, []string{`{"a":[]}`}, []string{`{"a":{"b":[]}}`}},
	{`{"a":{"$type":"object"}}`, []string{`{"a":{}}`, `{"a":[{}]}`}, []string{`{"a":[]}`}},
	{`{"a":{"$type":"null"}}`, []string{`{"a":null}`, `{"a":[null]}`}, []string{`{}`, `{"a":[]}`}},
	{`{"a":{"$type":10}}`, []string{`{"a":null}`}, []string{`{}`}},
	{`{"a":{"$type":"number"}}`, []string{`{"a":1}`, `{"a":1.5}`, `{"a":{"$numberInt":"1"}}`, `{"a":{"$numberDecimal":"1"}}`, `{"a":["x",1]}`}, []string{`{"a":"1"}`, `{"a":{"$date":1}}`}},
	{`{"a":{"$type":"long"}}`, []string{`{"a":1}`, `{"a":{"$numberLong":"1"}}`}, []string{`{"a":1.0}`, `{"a":{"$numberInt":"1"}}`}},
	{`{"a":{"$type":"int"}}`, []string{`{"a":{"$numberInt":"1"}}`}, []string{`{"a":1}`, `{"a":1.0}`}},
	{`{"a":{"$type":1}}`, []string{`{"a":1.0}`, `{"a":{"$numberDouble":"NaN"}}`}, []string{`{"a":1}`, `{"a":{"$numberDecimal":"1.0"}}`}},
	{`{"a":{"$type":"decimal"}}`, []string{`{"a":{"$numberDecimal":"1"}}`}, []string{`{"a":1}`}},
	{`{"a":{"$type":["bool","date"]}}`, []string{`{"a":true}`, `{"a":{"$date":1}}`, `{"a":[0,false]}`}, []string{`{"a":1}`, `{"a":"true"}`}},
	{`{"a":{"$type":["objectId",5,"timestamp",11]}}`, []string{`{"a":{"$oid":"0123456789abcdef01234567"}}`, `{"a":{"$binary":{"base64":"","subType":"00"}}}`,
		`{"a":{"$timestamp":{"t":1,"i":1}}}`, `{"a":{"$regularExpression":{"pattern":"x","options":""}}}`}, []string{`{"a":"x"}`}},
	{`{"a":{"$type":-1}}`, []string{`{"a":{"$minKey":1}}`}, []string{`{"a":{"$maxKey":1}}`, `{}`}},
	{`{"a":{"$type":["maxKey"]}}`, []string{`{"a":{"$maxKey":1}}`}, []string{`{"a":{"$minKey":1}}`}},
	{`{"a":{"$type":"undefined"}}`, nil, []string{`{}`, `{"a":null}`}},
	{`{"a":{"$not":{"$type":"string"}}}`, []string{`{}`, `{"a":1}`}, []string{`{"a":["x"]}`}},
	{`{"a":{"$elemMatch":{"$type":"array"}}}`, []string{`{"a":[[1]]}`}, []string{`{"a":[1]}`, `{"a":[]}`}},

	{`{"a":{"$mod":[4,0]}}`, []string{`{"a":8}`, `{"a":0}`, `{"a":4.7}`, `{"a":-4}`, `{"a":{"$numberDecimal":"4.2"}}`, `{"a":[1,8]}`, `{"a":-0.5}`},
		[]string{`{"a":5}`, `{"a":"8"}`, `{}`, `{"a":{"$numberDouble":"NaN"}}`, `{"a":{"$numberDouble":"Infinity"}}`, `{"a":1e300}`, `{"a":{"$numberDecimal":"4E+40"}}`, `{"a":null}`}},
	{`{"a":{"$mod":[3,-2]}}`, []string{`{"a":-5}`, `{"a":-2.9}`}, []string{`{"a":5}`, `{"a":1}`, `{"a":-1}`}},
	{`{"a":{"$mod":[-3,2]}}`, []string{`{"a":5}`}, []string{`{"a":-5}`}},
	{`{"a":{"$mod":[-1,0]}}`, []string{`{"a":-9223372036854775808}`}, []string{`{"a":"x"}`}},
	{`{"a":{"$mod":[4.9,{"$numberDecimal":"1.9"}]}}`, []string{`{"a":5}`, `{"a":9.9}`}, []string{`{"a":4}`}},
	{`{"a":{"$mod":[4000000000,1]}}`, []string{`{"a":4000000001}`}, []string{`{"a":1.0e10}`}},

	{`{"a":{"$bitsAllSet":6}}`, []string{`{"a":6}`, `{"a":7.0}`, `{"a":-2}`, `{"a":{"$numberDecimal":"14"}}`, `{"a":[1,6]}`, `{"a":{"$binary":{"base64":"Bg==","subType":"00"}}}`},
		[]string{`{"a":2}`, `{"a":6.5}`, `{"a":"6"}`, `{}`, `{"a":1e20}`, `{"a":null}`, `{"a":{"$numberDouble":"NaN"}}`}},
	{`{"a":{"$bitsAllSet":[]}}`, []string{`{"a":0}`, `{"a":{"$binary":{"base64":"","subType":"00"}}}`}, []string{`{"a":"x"}`, `{"a":0.5}`}},
	{`{"a":{"$bitsAnySet":[]}}`, nil, []string{`{"a":-1}`, `{}`}},
	{`{"a":{"$bitsAllClear":0}}`, []string{`{"a":-1}`}, []string{`{}`}},
	{`{"a":{"$bitsAnyClear":0}}`, nil, []string{`{"a":0}`}},
	{`{"a":{"$bitsAllSet":[0,63,200]}}`, []string{`{"a":-1}`, `{"a":-3}`}, []string{`{"a":1}`, `{"a":-2}`, `{"a":{"$binary":{"base64":"/////////////////////w==","subType":"00"}}}`}},
	{`{"a":{"$bitsAnySet":[100]}}`, []string{`{"a":-5}`}, []string{`{"a":5}`, `{"a":{"$binary":{"base64":"/w==","subType":"00"}}}`}},
	{`{"a":{"$bitsAllClear":[1,100]}}`, []string{`{"a":5}`, `{"a":{"$binary":{"base64":"/Q==","subType":"00"}}}`}, []string{`{"a":-3}`, `{"a":2}`}},
	{`{"a":{"$bitsAnyClear":[1,100]}}`, []string{`{"a":-3}`, `{"a":2}`}, []string{`{"a":-1}`}},
	{`{"a":{"$bitsAnySet":{"$binary":{"base64":"AAE=","subType":"00"}}}}`, []string{`{"a":256}`, `{"a":{"$binary":{"base64":"AAM=","subType":"05"}}}`}, []string{`{"a":1}`, `{"a":{"$binary":{"base64":"/w==","subType":"00"}}}`}},

	{`{"$alwaysTrue":1}`, []string{`{}`}, nil},
	{`{"$alwaysFalse":1}`, nil, []string{`{}`, `{"a":1}`}},
	{`{"$or":[{"$alwaysFalse":1.0},{"a":1,"$comment":"in $or"}]}`, []string{`{"a":1}`}, []string{`{}`}},
	{`{"a":{"$elemMatch":{"b":1,"$comment":{"any":"value"}}}}`, []string{`{"a":[{"b":1}]}`}, []string{`{"a":[{}]}`}},

	{`{"a":{"$gte":{"$minKey":1}}}`, []string{`{}`, `{"a":1}`, `{"a":{"$minKey":1}}`, `{"a":{"$numberDouble":"NaN"}}`, `{"a":{"$maxKey":1}}`}, nil},
	{`{"a":{"$lt":{"$minKey":1}}}`, nil, []string{`{}`, `{"a":1}`, `{"a":{"$minKey":1}}`, `{"a":{"$numberDouble":"NaN"}}`}},
	{`{"a":{"$lte":{"$minKey":1}}}`, []string{`{"a":{"$minKey":1}}`}, []string{`{}`, `{"a":1}`}},
	{`{"a":{"$lt":{"$maxKey":1}}}`, []string{`{}`, `{"a":"x"}`, `{"a":{"$numberDouble":"NaN"}}`, `{"a":{"$minKey":1}}`}, []string{`{"a":{"$maxKey":1}}`}},
	{`{"a":{"$gt":{"$maxKey":1}}}`, nil, []string{`{}`, `{"a":1}`, `{"a":{"$maxKey":1}}`}},
	{`{"a":{"$minKey":1}}`, []string{`{"a":{"$minKey":1}}`}, []string{`{}`, `{"a":null}`}},

	{`{"$expr":{"$gt":["$a","$b"]}}`, []string{`{"a":2,"b":1}`, `{"a":"x","b":1}`, `{"a":null}`, `{"a":[1],"b":5}`}, []string{`{"a":1,"b":1}`, `{}`, `{"a":1,"b":"x"}`, `{"b":null}`}},
	{`{"$expr":{"$eq":["$o.b","$$ROOT.c"]}}`, []string{`{"o":{"b":1},"c":1.0}`, `{}`}, []string{`{"o":{"b":null}}`, `{"o":{"b":1},"c":2}`}},
	{`{"$expr":{"$and":[{"$gte":["$n",10]},{"$or":["$x",{"$not":["$y"]}]}]}}`, []string{`{"n":10,"x":1}`, `{"n":11,"y":0}`, `{"n":"10"}`}, []string{`{"n":9,"x":1}`, `{"n":10,"y":1}`, `{"x":1}`}},
	{`{"$expr":{"$ne":[{"$ifNull":["$a",{"$cond":["$b","$c",7]}]},7]}}`, []string{`{"a":1}`, `{"b":1,"c":2}`}, []string{`{}`, `{"a":7.0}`, `{"b":1,"c":7}`}},
	{`{"$expr":{"$in":["$a",[1,"x",null]]}}`, []string{`{"a":1}`, `{"a":"x"}`, `{"a":null}`}, []string{`{}`, `{"a":2}`}},
	{`{"$expr":"$a"}`, []string{`{"a":1}`, `{"a":""}`, `{"a":[]}`, `{"a":{"$numberDouble":"NaN"}}`}, []string{`{"a":0}`, `{"a":false}`, `{}`, `{"a":null}`, `{"a":-0.0}`, `{"a":{"$numberDecimal":"0.0"}}`}},

	{`{"$jsonSchema":{}}`, []string{`{}`, `{"a":1}`}, nil},
	{`{"$jsonSchema":{"required":["a","b"],"title":"t","description":"d"}}`, []string{`{"a":1,"b":null}`}, []string{`{"a":1}`, `{}`}},
	{`{"$jsonSchema":{"properties":{"a":{"bsonType":["long","string"]},"b":{"type":"number"}}}}`, []string{`{}`, `{"a":1,"b":1.5}`, `{"a":"x"}`}, []string{`{"a":1.5}`, `{"a":["x"]}`, `{"b":"1"}`}},
	{`{"$jsonSchema":{"properties":{"a":{"minimum":1,"exclusiveMinimum":true,"maximum":5}}}}`, []string{`{"a":2}`, `{"a":5.0}`, `{"a":"x"}`}, []string{`{"a":1}`, `{"a":5.1}`, `{"a":{"$numberDouble":"NaN"}}`}},
	{`{"$jsonSchema":{"properties":{"a":{"minLength":2,"maxLength":3,"pattern":"^x"}}}}`, []string{`{"a":"xé"}`, `{"a":"xyz"}`, `{"a":7}`}, []string{`{"a":"x"}`, `{"a":"xyzz"}`, `{"a":"ax"}`}},
	{`{"$jsonSchema":{"properties":{"a":{"items":{"type":"string"},"minItems":1,"maxItems":2}}}}`, []string{`{"a":["x"]}`, `{"a":"x"}`}, []string{`{"a":[]}`, `{"a":[1]}`, `{"a":["x","y","z"]}`}},
	{`{"$jsonSchema":{"properties":{"a":{"items":[{"type":"string"}],"additionalItems":false}}}}`, []string{`{"a":["x"]}`, `{"a":[]}`}, []string{`{"a":["x",1]}`, `{"a":[1]}`}},
	{`{"$jsonSchema":{"properties":{"a":{"items":[{}],"additionalItems":{"type":"null"}}}}}`, []string{`{"a":["x",null]}`}, []string{`{"a":["x",1]}`}},
	{`{"$jsonSchema":{"properties":{"a":{"additionalItems":false}}}}`, []string{`{"a":[1,2]}`}, nil},
	{`{"$jsonSchema":{"properties":{"a":{}},"patternProperties":{"^x":{"type":"number"}},"additionalProperties":false}}`, []string{`{"a":1,"x1":2}`}, []string{`{"b":1}`, `{"x":"y"}`}},
	{`{"$jsonSchema":{"additionalProperties":{"type":"string"},"minProperties":1,"maxProperties":2}}`, []string{`{"a":"x"}`}, []string{`{}`, `{"a":1}`, `{"a":"x","b":"y","c":"z"}`}},
	{`{"$jsonSchema":{"dependencies":{"a":["b"],"c":{"properties":{"d":{"type":"number"}},"required":["d"]}}}}`, []string{`{}`, `{"a":1,"b":1}`, `{"c":1,"d":2}`, `{"b":1}`}, []string{`{"a":1}`, `{"c":1}`, `{"c":1,"d":"x"}`}},
	{`{"$jsonSchema":{"properties":{"a":{"enum":[1,"x",[1,2],{"b":null}]}}}}`, []string{`{"a":1.0}`, `{"a":[1,2]}`, `{"a":{"b":null}}`, `{}`}, []string{`{"a":2}`, `{"a":[1]}`, `{"a":null}`}},
	{`{"$jsonSchema":{"properties":{"a":{"enum":[{"b":1,"c":[{"d":1,"e":2}]}]}}}}`, []string{`{"a":{"c":[{"e":2,"d":1}],"b":1.0}}`}, []string{`{"a":{"b":1}}`, `{"a":{"b":1,"c":[{"d":2,"e":1}]}}`}},
	{`{"$jsonSchema":{"allOf":[{"required":["a"]}],"anyOf":[{"required":["b"]},{"required":["c"]}],"not":{"required":["d"]}}}`, []string{`{"a":1,"b":1}`, `{"a":1,"c":1}`}, []string{`{"b":1}`, `{"a":1}`, `{"a":1,"b":1,"d":1}`}},
	{`{"$jsonSchema":{"oneOf":[{"required":["a"]},{"required":["b"]}]}}`, []string{`{"a":1}`, `{"b":1}`}, []string{`{}`, `{"a":1,"b":1}`}},
	{`{"$jsonSchema":{"properties":{"a":{"multipleOf":3}}}}`, []string{`{"a":9}`, `{"a":-3.0}`, `{"a":0}`, `{"a":"x"}`}, []string{`{"a":1}`, `{"a":4.5}`, `{"a":{"$numberDouble":"Infinity"}}`}},
	{`{"a":{"$elemMatch":{"$jsonSchema":{"required":["b"]}}}}`, []string{`{"a":[1,{"b":1}]}`}, []string{`{"a":[{}]}`, `{"a":{"b":1}}`}},
	{`{"$jsonSchema":{"type":"array"}}`, nil, []string{`{}`}},
}

// TestSchemasThatAllocate are rows that need memory: uniqueItems, decimals.
func TestSchemasThatAllocate(t *testing.T) {
	for _, test := range []filterTest{
		{`{"$jsonSchema":{"properties":{"a":{"uniqueItems":true}}}}`, []string{`{"a":[]}`, `{"a":[1,"1",[1]]}`, `{"a":1}`}, []string{`{"a":[1,2,1.0]}`, `{"a":[{"b":1},{"b":1}]}`, `{"a":[{"b":1,"c":2},3,{"c":2,"b":1}]}`}},
		{`{"$jsonSchema":{"properties":{"a":{"uniqueItems":false}}}}`, []string{`{"a":[1,1]}`}, nil},
		{`{"$jsonSchema":{"properties":{"a":{"multipleOf":0.1}}}}`, []string{`{"a":0.3}`, `{"a":{"$numberDecimal":"0.7"}}`, `{"a":2}`}, []string{`{"a":0.35}`, `{"a":{"$numberDouble":"NaN"}}`}},
		{`{"$jsonSchema":{"properties":{"a":{"multipleOf":{"$numberDecimal":"0.1"}}}}}`, []string{`{"a":{"$numberDecimal":"2.30"}}`, `{"a":3}`}, []string{`{"a":{"$numberDecimal":"0.25"}}`, `{"a":{"$numberDecimal":"NaN"}}`}},
	} {
		runFilterTest(t, test)
	}
}

func TestOperatorErrors(t *testing.T) {
	for _, test := range []struct{ filter, code, path, detail string }{
		{`{"a":{"$type":"strin"}}`, CodeQueryInvalid, "/a/$type", "did you mean string?"},
		{`{"a":{"$type":"missing"}}`, CodeQueryInvalid, "/a/$type", "known ones"},
		{`{"a":{"$type":0}}`, CodeQueryInvalid, "/a/$type", "1 to 19"},
		{`{"a":{"$type":20}}`, CodeQueryInvalid, "/a/$type", "1 to 19"},
		{`{"a":{"$type":1.5}}`, CodeQueryInvalid, "/a/$type", "1 to 19"},
		{`{"a":{"$type":[]}}`, CodeQueryInvalid, "/a/$type", "empty"},
		{`{"a":{"$type":["string",{}]}}`, CodeQueryInvalid, "/a/$type/1", "an object"},
		{`{"a":{"$type":null}}`, CodeQueryInvalid, "/a/$type", "null"},
		{`{"a":{"$mod":[0,1]}}`, CodeQueryInvalid, "/a/$mod/0", "divisor"},
		{`{"a":{"$mod":[0.9,1]}}`, CodeQueryInvalid, "/a/$mod/0", "0 as a whole number"},
		{`{"a":{"$mod":[4]}}`, CodeQueryInvalid, "/a/$mod", "divisor and remainder"},
		{`{"a":{"$mod":[4,0,0]}}`, CodeQueryInvalid, "/a/$mod", "divisor and remainder"},
		{`{"a":{"$mod":[4,"0"]}}`, CodeQueryInvalid, "/a/$mod/1", "remainder"},
		{`{"a":{"$mod":[{"$numberDouble":"NaN"},0]}}`, CodeQueryInvalid, "/a/$mod/0", "64 bits"},
		{`{"a":{"$mod":[4,1e300]}}`, CodeQueryInvalid, "/a/$mod/1", "64 bits"},
		{`{"a":{"$bitsAllSet":-1}}`, CodeQueryInvalid, "/a/$bitsAllSet", "-1"},
		{`{"a":{"$bitsAnySet":1.5}}`, CodeQueryInvalid, "/a/$bitsAnySet", "1.5"},
		{`{"a":{"$bitsAllClear":"x"}}`, CodeQueryInvalid, "/a/$bitsAllClear", "a string"},
		{`{"a":{"$bitsAnyClear":[1,-1]}}`, CodeQueryInvalid, "/a/$bitsAnyClear/1", "-1"},
		{`{"a":{"$bitsAllSet":[2147483648]}}`, CodeQueryInvalid, "/a/$bitsAllSet/0", "2147483647"},
		{`{"$alwaysTrue":0}`, CodeQueryInvalid, "/$alwaysTrue", "must be 1"},
		{`{"$alwaysFalse":true}`, CodeQueryInvalid, "/$alwaysFalse", "must be 1"},
		{`{"$where":"this.a"}`, CodeOperatorUnknown, "/$where", "use $expr"},
		{`{"$text":{"$search":"x"}}`, CodeOperatorUnknown, "/$text", "text index"},
		{`{"$sampleRate":0.5}`, CodeOperatorUnknown, "/$sampleRate", "random number"},
		{`{"$expr":{"$function":{}}}`, CodeOperatorUnknown, "/$expr/$function", "runs code"},
		{`{"$expr":{"$rand":{}}}`, CodeOperatorUnknown, "/$expr/$rand", "random number"},
		{`{"$expr":{"$lt":["$a","$$NOW"]}}`, CodeQueryInvalid, "/$expr/$lt/1", "clock"},
		{`{"$expr":{"$gtt":["$a",1]}}`, CodeOperatorUnknown, "/$expr/$gtt", "did you mean $gt?"},
		{`{"$expr":{"$elemMatch":{}}}`, CodeOperatorUnknown, "/$expr/$elemMatch", "beside $expr"},
		{`{"$expr":{"$gt":["$a"]}}`, CodeQueryInvalid, "/$expr/$gt", "it takes 2"},
		{`{"$expr":{"$round":[1,2,3]}}`, CodeQueryInvalid, "/$expr/$round", "1 to 2"},
		{`{"$expr":{"$gt":["$a",1],"$lt":["$a",2]}}`, CodeQueryInvalid, "/$expr/$gt", "alone"},
		{`{"$expr":{"a":1,"$gt":["$a",1]}}`, CodeQueryInvalid, "/$expr/$gt", "alone"},
		{`{"$expr":"$"}`, CodeQueryInvalid, "/$expr", "not empty"},
		{`{"$expr":"$a..b"}`, CodeQueryInvalid, "/$expr", "not empty"},
		{`{"$expr":"$a.$b"}`, CodeQueryInvalid, "/$expr", "begin with $"},
		{`{"$expr":"$$x"}`, CodeQueryInvalid, "/$expr", "not defined"},
		{`{"$expr":"$$"}`, CodeQueryInvalid, "/$expr", "names no variable"},
		{`{"$expr":{"a.b":1}}`, CodeQueryInvalid, "/$expr/a.b", "nest"},
		{`{"a":{"$expr":{"$gt":["$a",1]}}}`, CodeOperatorUnknown, "/a/$expr", "beside field names"},
		{`{"a":{"$elemMatch":{"$expr":{"$gt":["$a",1]}}}}`, CodeQueryInvalid, "/a/$elemMatch/$expr", "$elemMatch"},
		{`{"$expr":{"$cond":{"if":1,"then":2}}}`, CodeQueryInvalid, "/$expr/$cond", `no "else"`},
		{`{"$expr":{"$cond":{"if":1,"then":2,"otherwise":3}}}`, CodeQueryInvalid, "/$expr/$cond/otherwise", "if, then, else"},
		{`{"$expr":{"$switch":{"branches":[]}}}`, CodeQueryInvalid, "/$expr/$switch", "one branch"},
		{`{"$expr":{"$switch":{"branches":[{"case":1}]}}}`, CodeQueryInvalid, "/$expr/$switch/branches/0", `no "then"`},
		{`{"$expr":{"$map":{"input":"$a","as":"X","in":1}}}`, CodeQueryInvalid, "/$expr/$map/as", "small letter"},
		{`{"$expr":{"$filter":{"input":"$a"}}}`, CodeQueryInvalid, "/$expr/$filter", `"cond"`},
		{`{"$expr":{"$reduce":{"input":"$a","in":1}}}`, CodeQueryInvalid, "/$expr/$reduce", "initialValue"},
		{`{"$expr":{"$let":{"vars":{"x":1}}}}`, CodeQueryInvalid, "/$expr/$let", "vars"},
		{`{"$expr":{"$trim":"$a"}}`, CodeQueryInvalid, "/$expr/$trim", "input"},
		{`{"$expr":{"$regexMatch":{"input":"$a","regex":"$b"}}}`, CodeQueryInvalid, "/$expr/$regexMatch", "cost is known"},
		{`{"$expr":{"$regexMatch":{"input":"$a","regex":"(?=x)"}}}`, CodeQueryInvalid, "/$expr/$regexMatch/regex", "look-around"},
		{`{"$expr":{"$year":{"date":"$a","timezone":"Europe/Paris"}}}`, CodeQueryInvalid, "/$expr/$year", "offset"},
		{`{"$expr":{"$dateAdd":{"startDate":"$a","unit":"days","amount":1}}}`, CodeQueryInvalid, "/$expr/$dateAdd/unit", "known ones"},
		{`{"$expr":{"$dateToString":{"date":"$a","format":"%q"}}}`, CodeQueryInvalid, "/$expr/$dateToString/format", "%Y"},
		{`{"$expr":{"$dateFromString":{"dateString":"$a","format":"%U"}}}`, CodeQueryInvalid, "/$expr/$dateFromString/format", "%Y"},
		{`{"$expr":{"$convert":{"input":"$a","to":"array"}}}`, CodeQueryInvalid, "/$expr/$convert/to", "string, bool"},
		{`{"$jsonSchema":5}`, CodeQueryInvalid, "/$jsonSchema", "an object"},
		{`{"$jsonSchema":{"requird":["a"]}}`, CodeQueryInvalid, "/$jsonSchema/requird", "did you mean required?"},
		{`{"$jsonSchema":{"$ref":"#/a"}}`, CodeQueryInvalid, "/$jsonSchema/$ref", "write the schema out"},
		{`{"$jsonSchema":{"properties":{"a":{"default":1}}}}`, CodeQueryInvalid, "/$jsonSchema/properties/a/default", "not supported"},
		{`{"$jsonSchema":{"properties":{"a":{"format":"date"}}}}`, CodeQueryInvalid, "/$jsonSchema/properties/a/format", "bsonType"},
		{`{"$jsonSchema":{"id":"x"}}`, CodeQueryInvalid, "/$jsonSchema/id", "not supported"},
		{`{"$jsonSchema":{"definitions":{}}}`, CodeQueryInvalid, "/$jsonSchema/definitions", "not supported"},
		{`{"$jsonSchema":{"type":"integer"}}`, CodeQueryInvalid, "/$jsonSchema/type", "multipleOf"},
		{`{"$jsonSchema":{"type":"date"}}`, CodeQueryInvalid, "/$jsonSchema/type", "bsonType has more"},
		{`{"$jsonSchema":{"bsonType":"text"}}`, CodeQueryInvalid, "/$jsonSchema/bsonType", "unknown"},
		{`{"$jsonSchema":{"bsonType":2}}`, CodeQueryInvalid, "/$jsonSchema/bsonType", "list"},
		{`{"$jsonSchema":{"type":"object","bsonType":"object"}}`, CodeQueryInvalid, "", "one of them"},
		{`{"$jsonSchema":{"required":[]}}`, CodeQueryInvalid, "/$jsonSchema/required", "one text or more"},
		{`{"$jsonSchema":{"required":["a","a"]}}`, CodeQueryInvalid, "/$jsonSchema/required/1", "twice"},
		{`{"$jsonSchema":{"minimum":"1"}}`, CodeQueryInvalid, "/$jsonSchema/minimum", "number"},
		{`{"$jsonSchema":{"exclusiveMinimum":true}}`, CodeQueryInvalid, "/$jsonSchema/exclusiveMinimum", "without minimum"},
		{`{"$jsonSchema":{"minimum":1,"exclusiveMinimum":1}}`, CodeQueryInvalid, "/$jsonSchema/exclusiveMinimum", "true or false"},
		{`{"$jsonSchema":{"multipleOf":0}}`, CodeQueryInvalid, "/$jsonSchema/multipleOf", "above 0"},
		{`{"$jsonSchema":{"minLength":-1}}`, CodeQueryInvalid, "/$jsonSchema/minLength", "from 0 on"},
		{`{"$jsonSchema":{"maxItems":1.5}}`, CodeQueryInvalid, "/$jsonSchema/maxItems", "from 0 on"},
		{`{"$jsonSchema":{"pattern":"("}}`, CodeQueryInvalid, "/$jsonSchema/pattern", "regular expression"},
		{`{"$jsonSchema":{"enum":[]}}`, CodeQueryInvalid, "/$jsonSchema/enum", "one value"},
		{`{"$jsonSchema":{"enum":[1,1.0]}}`, CodeQueryInvalid, "/$jsonSchema/enum", "twice"},
		{`{"$jsonSchema":{"allOf":[]}}`, CodeQueryInvalid, "/$jsonSchema/allOf", "one schema"},
		{`{"$jsonSchema":{"not":[]}}`, CodeQueryInvalid, "/$jsonSchema/not", "an object"},
		{`{"$jsonSchema":{"items":5}}`, CodeQueryInvalid, "/$jsonSchema/items", "an object"},
		{`{"$jsonSchema":{"uniqueItems":1}}`, CodeQueryInvalid, "/$jsonSchema/uniqueItems", "true or false"},
		{`{"$jsonSchema":{"dependencies":{"a":[]}}}`, CodeQueryInvalid, "/$jsonSchema/dependencies/a", "one text"},
		{`{"$jsonSchema":{"properties":[]}}`, CodeQueryInvalid, "/$jsonSchema/properties", "an object"},
		{`{"$jsonSchema":{"additionalProperties":1}}`, CodeQueryInvalid, "/$jsonSchema/additionalProperties", "an object"},
		{`{"$jsonSchema":{"title":1}}`, CodeQueryInvalid, "/$jsonSchema/title", "text"},
	} {
		_, err := Compile(QuerySpec{Filter: []byte(test.filter)}, Limits{})
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%s: got %v", test.filter, err)
			continue
		}
		pathOK := bad.Path == "/filter"+test.path || test.path == ""
		if bad.Code != test.code || !pathOK || !strings.Contains(bad.Detail, test.detail) {
			t.Errorf("%s: got %s at %q: %s", test.filter, bad.Code, bad.Path, bad.Detail)
		}
	}
}
