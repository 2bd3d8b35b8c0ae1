package matcher

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// naiveSchema is what the draft says, over the values of encoding/json.
func naiveSchema(schema map[string]any, v any) bool {
	number, isNumber := v.(float64)
	array, isArray := v.([]any)
	object, isObject := v.(map[string]any)
	for keyword, argument := range schema {
		ok := true
		switch keyword {
		case "type":
			_, isText := v.(string)
			ok = map[string]bool{"number": isNumber, "string": isText, "array": isArray, "object": isObject, "null": v == nil}[argument.(string)]
		case "minimum":
			ok = !isNumber || number >= argument.(float64)
		case "maximum":
			ok = !isNumber || number <= argument.(float64)
		case "multipleOf":
			ok = !isNumber || int(number)%int(argument.(float64)) == 0
		case "minItems":
			ok = !isArray || float64(len(array)) >= argument.(float64)
		case "uniqueItems":
			for i := range array {
				for j := range i {
					ok = ok && (argument != true || !reflect.DeepEqual(array[i], array[j]))
				}
			}
		case "items":
			for _, e := range array {
				ok = ok && naiveSchema(argument.(map[string]any), e)
			}
		case "enum":
			ok = false
			for _, e := range argument.([]any) {
				ok = ok || reflect.DeepEqual(e, v)
			}
		case "required":
			for _, name := range argument.([]any) {
				_, has := object[name.(string)]
				ok = ok && (!isObject || has)
			}
		case "properties":
			for name, sub := range argument.(map[string]any) {
				if f, has := object[name]; has {
					ok = ok && naiveSchema(sub.(map[string]any), f)
				}
			}
		case "additionalProperties":
			properties, _ := schema["properties"].(map[string]any)
			for name := range object {
				_, named := properties[name]
				ok = ok && (named || argument == true)
			}
		case "allOf", "anyOf", "oneOf":
			ok = naiveCombined(keyword, argument.([]any), v)
		case "not":
			ok = !naiveSchema(argument.(map[string]any), v)
		}
		if !ok {
			return false
		}
	}
	return true
}

func naiveCombined(keyword string, list []any, v any) bool {
	fits := 0
	for _, sub := range list {
		if naiveSchema(sub.(map[string]any), v) {
			fits++
		}
	}
	return map[string]bool{"allOf": fits == len(list), "anyOf": fits > 0, "oneOf": fits == 1}[keyword]
}

// schemaMaker makes random schemas and values from a small world.
type schemaMaker struct{ *rand.Rand }

func (m schemaMaker) value(depth int) string {
	if depth > 0 && m.IntN(2) == 0 {
		var parts []string
		names := []string{"a", "b", "c"}
		m.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			if m.IntN(2) == 0 {
				parts = append(parts, fmt.Sprintf("%q:%s", name, m.value(depth-1)))
			}
		}
		if m.IntN(3) == 0 {
			return `[` + m.value(depth-1) + `,` + m.value(depth-1) + `]`
		}
		if m.IntN(4) == 0 {
			return []string{`{"b":2,"a":1}`, `{"a":{"b":[1],"a":1}}`, `[{"a":1,"b":2},{"b":2,"a":1}]`, `[[{"a":1,"c":2}],[{"c":2,"a":1}]]`}[m.IntN(4)]
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return []string{"0", "1", "2", "3", `"x"`, `"y"`, "null", "[]", "[1]"}[m.IntN(9)]
}

func (m schemaMaker) schema(depth int) string {
	keywords := map[string]string{}
	for range 1 + m.IntN(2) {
		sub := func() string { return m.schema(depth - 1) }
		name := []string{"type", "minimum", "maximum", "multipleOf", "minItems", "uniqueItems", "enum", "required", "additionalProperties",
			"items", "properties", "allOf", "anyOf", "oneOf", "not", "properties"}[m.IntN(9+7*min(depth, 1))]
		switch name {
		case "type":
			keywords[name] = []string{`"number"`, `"string"`, `"array"`, `"object"`, `"null"`}[m.IntN(5)]
		case "minimum", "maximum", "minItems":
			keywords[name] = fmt.Sprint(m.IntN(3))
		case "multipleOf":
			keywords[name] = fmt.Sprint(1 + m.IntN(3))
		case "uniqueItems", "additionalProperties":
			keywords[name] = fmt.Sprint(m.IntN(2) == 0)
		case "enum":
			keywords[name] = `[1,"x",null,[1],{"a":1,"b":2},{"a":{"a":1,"b":[1]}}]`
		case "required":
			keywords[name] = []string{`["a"]`, `["b"]`, `["a","c"]`}[m.IntN(3)]
		case "items", "not":
			keywords[name] = sub()
		case "properties":
			keywords[name] = `{"a":` + sub() + `,"b":` + sub() + `}`
		default:
			keywords[name] = `[` + sub() + `,` + sub() + `]`
		}
	}
	var parts []string
	for name, argument := range keywords {
		parts = append(parts, fmt.Sprintf("%q:%s", name, argument))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestSchemasAgainstNaive(t *testing.T) {
	const seed = 21
	m := schemaMaker{rand.New(rand.NewPCG(seed, 8))}
	var documents []*Document
	var values []any
	for range 60 {
		text := `{"a":` + m.value(2) + `,"b":` + m.value(2) + `}`
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		documents, values = append(documents, testDocument(t, text)), append(values, v)
	}
	fits, forms := 0, map[string][]bool{}
	for range 1500 {
		text := m.schema(3)
		var schema map[string]any
		if err := json.Unmarshal([]byte(text), &schema); err != nil {
			t.Fatal(err)
		}
		q := compileText(t, `{"$jsonSchema":`+text+`}`)
		var answers []bool
		for i, d := range documents {
			want := naiveSchema(schema, values[i])
			if q.Match(d) != want {
				t.Fatalf("seed %d: %s of %s: got %t", seed, text, d.Text(), !want)
			}
			if want {
				fits++
			}
			answers = append(answers, want)
		}
		if other, known := forms[q.Normal()]; known && !reflect.DeepEqual(other, answers) {
			t.Fatalf("seed %d: %s has the normal form %s of another schema with other answers", seed, text, q.Normal())
		}
		forms[q.Normal()] = answers
	}
	if fits < 5000 {
		t.Errorf("only %d documents fitted: the test says little", fits)
	}
}

func TestSchemaNormalForm(t *testing.T) {
	for _, same := range [][]string{
		{`{}`, `{"title":"x"}`, `{"additionalProperties":true}`, `{"minLength":0}`, `{"uniqueItems":false}`, `{"additionalItems":false}`},
		{`{"required":["a","b"],"minimum":1}`, `{"minimum":1.0,"required":["b","a"]}`},
		{`{"type":"boolean"}`, `{"bsonType":"bool"}`, `{"bsonType":["bool"]}`},
		{`{"type":"number"}`, `{"bsonType":["int","long","double","decimal"]}`},
		{`{"properties":{"a":{},"b":{"enum":[1,2]}}}`, `{"properties":{"b":{"enum":[2.0,1]},"a":{}}}`},
	} {
		want := compileText(t, `{"$jsonSchema":`+same[0]+`}`).Normal()
		for _, text := range same[1:] {
			if got := compileText(t, `{"$jsonSchema":`+text+`}`).Normal(); got != want {
				t.Errorf("%s is %s, but %s is %s", same[0], want, text, got)
			}
		}
	}
	seen := map[string]string{}
	for _, text := range []string{`{}`, `{"minimum":1}`, `{"maximum":1}`, `{"minimum":1,"exclusiveMinimum":true}`, `{"minLength":1}`, `{"maxLength":1}`, `{"minItems":1}`, `{"minProperties":1}`,
		`{"pattern":"x"}`, `{"uniqueItems":true}`, `{"items":{}}`, `{"items":[]}`, `{"items":[{}]}`, `{"items":[{}],"additionalItems":false}`, `{"required":["a"]}`, `{"properties":{"a":{}}}`, `{"patternProperties":{"a":{}}}`,
		`{"additionalProperties":false}`, `{"additionalProperties":{"type":"null"}}`, `{"dependencies":{"a":["b"]}}`, `{"dependencies":{"a":["c"]}}`, `{"allOf":[{}]}`, `{"anyOf":[{}]}`, `{"oneOf":[{}]}`, `{"not":{}}`, `{"enum":[1]}`, `{"enum":["1"]}`,
		`{"multipleOf":2}`, `{"type":"string"}`, `{"properties":{"a":{"properties":{"b":{}}}}}`, `{"properties":{"a":{},"b":{}}}`,
	} {
		form := compileText(t, `{"$jsonSchema":`+text+`}`).Normal()
		if other, taken := seen[form]; taken {
			t.Errorf("%s and %s are both %s", text, other, form)
		}
		seen[form] = text
		if !json.Valid([]byte(form)) {
			t.Errorf("%s: the normal form %s is no JSON", text, form)
		}
	}
}

// TestSchemaStepsAreBounded runs a schema whose work is the product of its size and the document's.
func TestSchemaStepsAreBounded(t *testing.T) {
	d := testDocument(t, `{"a":[`+strings.TrimSuffix(strings.Repeat(`{"b":1},`, 20000), ",")+`]}`)
	branch := `{"properties":{"a":{"items":{"properties":{"b":{"type":"string"}}}}}}`
	fit := `{"properties":{"a":{"items":{"properties":{"b":{"type":"number"}}}}}}`
	if q := compileText(t, `{"$jsonSchema":{"allOf":[`+fit+`,`+fit+`]}}`); !q.Match(d) {
		t.Error("a schema within the bound does not match")
	}
	many := strings.TrimSuffix(strings.Repeat(fit+",", 100), ",")
	for _, text := range []string{`{"allOf":[` + many + `]}`, `{"not":{"allOf":[` + many + `,` + branch + `]}}`} {
		if q := compileText(t, `{"$jsonSchema":`+text+`}`); q.Match(d) {
			t.Errorf("%.60s matches beyond MaxSchemaSteps", text)
		}
	}
}

// TestSchemaCountsDecimals: numbers that lie far apart take long to divide.
func TestSchemaCountsDecimals(t *testing.T) {
	q := compileText(t, `{"$jsonSchema":{"properties":{"a":{"items":{"multipleOf":{"$numberDecimal":"7E-6000"}}}}}}`)
	list := func(n int) *Document {
		return testDocument(t, `{"a":[`+strings.TrimSuffix(strings.Repeat(`{"$numberDecimal":"7E+6000"},`, n), ",")+`]}`)
	}
	if !q.Match(list(100)) || q.Match(list(2000)) {
		t.Error("100 numbers are to be within MaxSchemaSteps, 2,000 beyond")
	}
}

func FuzzSchema(f *testing.F) {
	for _, test := range operatorTests {
		if text, ok := strings.CutPrefix(test.filter, `{"$jsonSchema":`); ok {
			f.Add(strings.TrimSuffix(text, "}"))
		}
	}
	d, err := Parse([]byte(exprDocument), Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Compile(QuerySpec{Filter: []byte(`{"$jsonSchema":` + text + `}`)}, Limits{})
		if err != nil {
			return
		}
		not, err := Compile(QuerySpec{Filter: []byte(`{"$nor":[{"$jsonSchema":` + text + `}]}`)}, Limits{})
		if err != nil || q.Match(d) == not.Match(d) {
			t.Errorf("%s and its negation agree: %v", text, err)
		}
		if !json.Valid([]byte(q.Normal())) {
			t.Errorf("%s: the normal form %s is no JSON", text, q.Normal())
		}
	})
}
