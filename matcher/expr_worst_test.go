package matcher

import (
	"fmt"
	"strings"
	"testing"
)

// worstDocument is as large as documents may be: many numbers, many objects, a long text.
func worstDocument(t testing.TB) *Document {
	t.Helper()
	list := func(n int, element string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
	}
	wide := make([]string, 1000)
	for i := range wide {
		wide[i] = fmt.Sprintf(`"field%04d":%d`, i, i)
	}
	text := `{"a":` + list(30_000, "1.5") + `,"o":` + list(4000, `{"b":1,"c":{"d":[1]}}`) + `,"w":{` + strings.Join(wide, ",") + `},"s":"` +
		strings.Repeat("aé", 150_000) + `","m":` + list(2000, `{"$numberDecimal":"1.1E-3000"}`) + `,"t":` + list(1000, `"`+strings.Repeat("a", 200)+`"`) + `}`
	return testDocument(t, text)
}

// worstExpressions are each the worst of its kind for worstDocument.
func worstExpressions() map[string]string {
	many := func(n int, x string) string { return strings.TrimSuffix(strings.Repeat(x+",", n), ",") }
	each := func(in string) string { return `{"$map":{"input":"$a","in":{"$map":{"input":"$a","in":` + in + `}}}}` }
	deep := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	return map[string]string{
		"nothing":       each("1"),
		"variable":      each(`"$$this"`),
		"or":            each(`{"$or":[` + many(1000, `"$nothing"`) + `]}`),
		"switch":        each(`{"$switch":{"branches":[` + many(900, `{"case":"$$this.x","then":1}`) + `],"default":1}}`),
		"cond":          each(deep(30, `{"$cond":["$nothing",1,`, `1`, `]}`)),
		"lets":          each(deep(20, `{"$let":{"vars":{"x":"$$this","y":1},"in":`, `"$$x"`, `}}`)),
		"last field":    each(`"$w.field0999"`),
		"first":         each(`{"$first":"$a"}`),
		"element":       each(`{"$arrayElemAt":["$a",-1]}`),
		"path in array": each(`"$o.c.d"`),
		"compare":       each(`{"$eq":["$o","$o"]}`),
		"in":            each(`{"$in":[7,"$a"]}`),
		"add":           each(`{"$add":["$$this",1,2,"$$this"]}`),
		"add decimals":  each(`{"$add":[{"$arrayElemAt":["$m",0]},{"$numberDecimal":"1E+6000"}]}`),
		"sum decimals":  each(`{"$sum":"$m"}`),
		"divide":        `{"$map":{"input":"$m","in":{"$map":{"input":"$m","in":{"$divide":["$$this",{"$numberDecimal":"7E+3"}]}}}}}`,
		"power":         each(`{"$pow":["$$this",1.5]}`),
		"power of ints": each(`{"$pow":[2,{"$size":[["$$this"]]}]}`),
		"large powers":  each(`{"$pow":[3,{"$add":[{"$size":[["$$this"]]},62]}]}`),
		"sine":          each(`{"$sin":1e308}`),
		"atan":          each(`{"$atan":{"$add":["$$this",{"$numberDecimal":"1"}]}}`),
		"acosh":         each(`{"$acosh":{"$add":["$$this",1]}}`),
		"range":         each(`{"$range":[0,30000]}`),
		"object":        each(`{"x":"$$this","y":["$$this"]}`),
		"concat arrays": `{"$reduce":{"input":"$a","initialValue":[],"in":{"$concatArrays":["$$value",["$$this"]]}}}`,
		"grow":          `{"$reduce":{"input":"$a","initialValue":[1],"in":["$$value","$$value"]}}`,
		"zip":           each(`{"$zip":{"inputs":["$a","$a"]}}`),
		"sort":          each(`{"$sortArray":{"input":"$o","sortBy":{"c.d":1}}}`),
		"sort texts":    each(`{"$sortArray":{"input":"$t","sortBy":-1}}`),
		"union":         each(`{"$setUnion":["$o","$t"]}`),
		"merge":         each(`{"$mergeObjects":["$w","$w"]}`),
		"set field":     each(`{"$setField":{"field":"x","input":"$w","value":1}}`),
		"as array":      each(`{"$objectToArray":"$w"}`),
		"concat":        each(`{"$concat":["$s","$s"]}`),
		"upper":         each(`{"$toUpper":"$s"}`),
		"length":        each(`{"$strLenCP":"$s"}`),
		"substring":     each(`{"$substrCP":["$s",150000,2]}`),
		"index":         each(`{"$indexOfCP":["$s","b"]}`),
		"replace":       each(`{"$replaceAll":{"input":"$s","find":"a","replacement":""}}`),
		"split":         each(`{"$split":["$s","a"]}`),
		"trim":          each(`{"$trim":{"input":"$s","chars":"` + strings.Repeat("x", 4000) + `aé"}}`),
		"case":          each(`{"$strcasecmp":["$s","$s"]}`),
		"match":         each(`{"$regexMatch":{"input":"$s","regex":"(a|é){1,900}x"}}`),
		"match simple":  each(`{"$regexMatch":{"input":"$s","regex":"x$"}}`),
		"find all":      each(`{"$regexFindAll":{"input":{"$arrayElemAt":["$t",0]},"regex":"(a)(a)?"}}`),
		"date text":     each(`{"$dateToString":{"date":{"$toDate":0},"format":"` + strings.Repeat("%Y%j%V", 300) + `"}}`),
		"date parse":    each(`{"$dateFromString":{"dateString":"2024-02-03","format":"%Y-%m-%d"}}`),
		"date parts":    each(`{"$dateToParts":{"date":{"$toDate":0}}}`),
		"trunc":         each(`{"$dateTrunc":{"date":{"$toDate":0},"unit":"month","binSize":7}}`),
		"convert":       each(`{"$toDecimal":{"$toString":"$$this"}}`),
		"round":         each(`{"$round":["$$this",3]}`),
		"size":          each(`{"$bsonSize":"$$ROOT"}`),
		"deviation":     each(`{"$stdDevPop":"$a"}`),
	}
}

// TestWorstExpressionsAreBounded: whatever an expression and a document are, the steps end it.
func TestWorstExpressionsAreBounded(t *testing.T) {
	d := worstDocument(t)
	for name, expr := range worstExpressions() {
		x := expressionOf(t, expr)
		if _, err := x.eval(d.Root()); err != errExpressionSteps {
			t.Errorf("%s: %.100s ends with %v", name, expr, err)
		}
	}
}

// BenchmarkWorstExpressions says how long one document can keep a node with one expression.
func BenchmarkWorstExpressions(b *testing.B) {
	d := worstDocument(b)
	for name, expr := range worstExpressions() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			x := expressionOf(b, expr)
			b.ReportAllocs()
			for b.Loop() {
				x.accepts(d.Root())
			}
		})
	}
}
