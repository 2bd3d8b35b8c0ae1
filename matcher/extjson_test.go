package matcher

import "testing"

func TestMalformedWrappers(t *testing.T) {
	rows := []struct{ text, word string }{
		{`{"$oid":5}`, "24 hex digits"},
		{`{"$oid":"0123456789abcdef0123456"}`, "24 hex digits"},
		{`{"$oid":"0123456789abcdef0123456x"}`, "24 hex digits"},
		{`{"$oid":"0123456789abcdef01234567","x":1}`, "$oid may stand only"},
		{`{"x":1,"$oid":"0123456789abcdef01234567"}`, "$oid may stand only"},
		{`{"$oid":"0123456789abcdef01234567","$oid":"0123456789abcdef01234567"}`, "$oid may stand only"},
		{`{"\u0024oid":""}`, "$oid may stand only"},
		{`{"$date":"yesterday"}`, "$date"},
		{`{"$date":1.5}`, "$date"},
		{`{"$date":true}`, "$date"},
		{`{"$date":{"$oid":"0123456789abcdef01234567"}}`, "$date"},
		{`{"$numberInt":"2147483648"}`, "32 bits"},
		{`{"$numberInt":5}`, "32 bits"},
		{`{"$numberLong":"9223372036854775808"}`, "64 bits"},
		{`{"$numberLong":"-9223372036854775809"}`, "64 bits"},
		{`{"$numberLong":"18446744073709551619"}`, "64 bits"},
		{`{"$numberLong":""}`, "64 bits"},
		{`{"$numberLong":"+5"}`, "64 bits"},
		{`{"$numberLong":" 5"}`, "64 bits"},
		{`{"$numberDouble":"0x10"}`, "NaN"},
		{`{"$numberDouble":"inf"}`, "NaN"},
		{`{"$numberDouble":"1e999"}`, "NaN"},
		{`{"$numberDouble":""}`, "NaN"},
		{`{"$numberDecimal":"x"}`, "34 digits"},
		{`{"$numberDecimal":""}`, "34 digits"},
		{`{"$numberDecimal":"."}`, "34 digits"},
		{`{"$numberDecimal":"1E"}`, "34 digits"},
		{`{"$numberDecimal":"1E+-5"}`, "34 digits"},
		{`{"$numberDecimal":"12345678901234567890123456789012345"}`, "34 digits"},
		{`{"$numberDecimal":"1E+6145"}`, "34 digits"},
		{`{"$numberDecimal":"1E-6177"}`, "34 digits"},
		{`{"$binary":"AA=="}`, "$binary"},
		{`{"$binary":{"base64":"AA=="}}`, "$binary"},
		{`{"$binary":{"base64":"AA","subType":"00"}}`, "$binary"},
		{`{"$binary":{"base64":"A\nA==","subType":"00"}}`, "$binary"},
		{`{"$binary":{"base64":"AA==","subType":"100"}}`, "$binary"},
		{`{"$binary":{"base64":"AA==","subType":0}}`, "$binary"},
		{`{"$binary":{"base64":"AA==","subType":"00","x":1}}`, "$binary"},
		{`{"$regularExpression":{"pattern":"a"}}`, "$regularExpression"},
		{`{"$regularExpression":{"pattern":"a","options":"ii"}}`, "$regularExpression"},
		{`{"$regularExpression":{"pattern":"a","options":"I"}}`, "$regularExpression"},
		{`{"$regularExpression":"a"}`, "$regularExpression"},
		{`{"$timestamp":{"t":-1,"i":1}}`, "$timestamp"},
		{`{"$timestamp":{"t":4294967296,"i":1}}`, "$timestamp"},
		{`{"$timestamp":{"t":1,"t":1}}`, "$timestamp"},
		{`{"$minKey":2}`, "$minKey"},
		{`{"$maxKey":true}`, "$maxKey"},
		{`{"$uuid":"00112233445566778899aabbccddeeff"}`, "$uuid"},
		{`{"$uuid":"00112233-4455-6677-8899-aabbccddeefg"}`, "$uuid"},
		{`{"$uuid":"00112233-4455-6677-8899+aabbccddeeff"}`, "$uuid"},
	}
	for _, row := range rows {
		_, err := Parse([]byte(`{"a":[0,`+row.text+`]}`), Limits{})
		wantError(t, row.text, err, CodeJSONInvalid, "/a/1", row.word)
	}
}

func TestOperatorsStayObjects(t *testing.T) {
	for _, text := range []string{`{"$gt":5}`, `{"$regex":"a","$options":"i"}`, `{"$type":"string"}`, `{"$in":[{"$gt":1}]}`, `{"$":1}`,
		`{"$ref":"a","$id":"b"}`, `{"$dates":1}`} {
		if v := mustParseValue(t, text); v.Kind() != KindObject || v.Raw() == nil || string(v.Raw()) != text {
			t.Errorf("%s is %v", text, v.Kind())
		}
	}
}
