package matcher

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestQueryBoundsSayWhatToDo: what passes a bound is refused with the bound, its name, the place and a remedy; what lies
// just within it is not.
func TestQueryBoundsSayWhatToDo(t *testing.T) {
	limits := Limits{}.WithDefaults()
	many := func(n int, f string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(f, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, ",")
	}
	nested := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, test := range []struct {
		name  string
		limit int
		path  string
		text  func(n int) string // a filter, or with a sort field a sort, that holds n
	}{
		{"MaxQueryBytes", limits.MaxQueryBytes, "/filter", func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }},
		{"MaxQueryNodes", limits.MaxQueryNodes, "/filter", func(n int) string { return `{"a":{"$eq":[` + many(n-3, "#") + `]}}` }},
		{"MaxDocumentDepth", limits.MaxDocumentDepth, "/filter", func(n int) string { return nested(n-1, `{"a":`, `{"b":1}`, `}`) }},
		{"MaxDocumentDepth", limits.MaxDocumentDepth, "/filter", func(n int) string {
			return `{"$expr":` + nested(n-1, `[`, `"$a"`, `]`) + `}`
		}},
		{"MaxInValues", MaxInValues, "/filter/a/$in", func(n int) string { return `{"a":{"$in":[` + many(n, "#") + `]}}` }},
		{"MaxInValues", MaxInValues, "/filter/a/$nin", func(n int) string { return `{"a":{"$nin":[` + many(n, "#") + `]}}` }},
		{"MaxInValues", MaxInValues, "/filter/a/$all", func(n int) string { return `{"a":{"$all":[` + many(n, "#") + `]}}` }},
		{"MaxInValues", MaxInValues, "/filter/$jsonSchema/enum", func(n int) string { return `{"$jsonSchema":{"enum":[` + many(n, "#") + `]}}` }},
		{"MaxPathSegments", MaxPathSegments, "/filter/", func(n int) string { return `{"` + strings.TrimSuffix(strings.Repeat("a.", n), ".") + `":1}` }},
		{"MaxPathSegments", MaxPathSegments, "/filter/$expr", func(n int) string { return `{"$expr":"$` + strings.TrimSuffix(strings.Repeat("a.", n), ".") + `"}` }},
		{"MaxPathIndexes", MaxPathIndexes, "/filter/", func(n int) string { return `{"a` + strings.Repeat(".0", n) + `":1}` }},
		{"MaxRegexBytes", MaxRegexBytes, "/filter/a/$regex", func(n int) string { return `{"a":{"$regex":"` + strings.Repeat("x", n) + `"}}` }},
		{"MaxRegexBytes", MaxRegexBytes, "/filter/$expr/$regexFind/regex", func(n int) string {
			return `{"$expr":{"$regexFind":{"input":"$a","regex":"` + strings.Repeat("x", n) + `"}}}`
		}},
		{"MaxSortKeys", MaxSortKeys, "/sort", func(n int) string { return `{` + many(n, `"f#":1`) + `}` }},
		{"MaxSortKeys", MaxSortKeys, "/filter/$expr/$sortArray/sortBy", func(n int) string {
			return `{"$expr":{"$sortArray":{"input":"$a","sortBy":{` + many(n, `"f#":1`) + `}}}}`
		}},
		{"MaxGeometryPoints", MaxGeometryPoints, "/filter/a/$geoWithin/$polygon", func(n int) string {
			return `{"a":{"$geoWithin":{"$polygon":[` + many(n, `[#,0]`) + `]}}}`
		}},
	} {
		compile := func(n int) error {
			spec := QuerySpec{Filter: []byte(test.text(n))}
			if test.path == "/sort" {
				spec = QuerySpec{Sort: []byte(test.text(n))}
			}
			_, err := Compile(spec, Limits{})
			return err
		}
		if err := compile(test.limit); err != nil {
			t.Errorf("%s %s: %d is refused: %v", test.name, test.path, test.limit, err)
		}
		var bad *Error
		switch err := compile(test.limit + 1); {
		case !errors.As(err, &bad):
			t.Errorf("%s %s: %d is accepted", test.name, test.path, test.limit+1)
		case bad.Code != CodeQueryTooLarge || bad.Limit != int64(test.limit) || !strings.HasPrefix(bad.Path, test.path):
			t.Errorf("%s %s: the error is %s, limit %d, at %s", test.name, test.path, bad.Code, bad.Limit, bad.Path)
		case !strings.Contains(bad.Detail, "("+test.name+")") || !strings.Contains(bad.Detail, "; ") || !strings.Contains(bad.Detail, fmt.Sprint(test.limit)):
			t.Errorf("%s: %q names no bound or no remedy", test.name, bad.Detail)
		}
	}
}

// TestRegexWorkIsBounded: what would take long is an error and no answer; what is short is searched in a document of any
// size, as is a plain text.
func TestRegexWorkIsBounded(t *testing.T) {
	const heavy = `{"$regex":"(a|b){1,900}x"}` // 2,706 steps, so 3,100 bytes
	text := func(n int) string { return strings.Repeat("ab", n/2) + "x" }
	long, short, other := text(5_000), text(2_000), strings.Repeat("y", 500_000)
	for _, test := range []struct {
		filter, document string
		want             string
	}{
		{`{"s":` + heavy + `}`, `{"s":"` + short + `","o":"` + other + `"}`, "true"},
		{`{"s":` + heavy + `}`, `{"s":"` + long + `"}`, CodeQueryTooCostly},
		{`{"s":{"$not":` + heavy + `}}`, `{"s":"` + long + `"}`, CodeQueryTooCostly},
		{`{"s":` + heavy + `}`, `{"s":["` + short + `","` + short + `"]}`, CodeQueryTooCostly},
		{`{"s.t":` + heavy + `}`, `{"s":[{"t":"` + short + `"},{"t":5}]}`, "true"},
		{`{"s":{"$elemMatch":` + heavy + `}}`, `{"s":["` + short + `"],"o":"` + other + `"}`, "true"},
		{`{"s":{"$elemMatch":` + heavy + `}}`, `{"s":["y` + strings.ReplaceAll(short, "x", "y") + `","` + short + `"]}`, CodeQueryTooCostly},
		{`{"s":{"$in":[{"$regularExpression":{"pattern":"(a|b){1,900}x","options":""}}]}}`, `{"s":"` + long + `"}`, CodeQueryTooCostly},
		{`{"$or":[{"t":1},{"s":` + heavy + `}]}`, `{"s":"` + long + `","t":1}`, "true"},
		{`{"s":{"$regex":"x$"}}`, `{"s":"` + long + `"}`, "true"},
		{`{"s":{"$regex":"a plain text may be looked for in any document"}}`, `{"s":"` + other + `"}`, "false"},
	} {
		matches, err := compileText(t, test.filter).Decide(testDocument(t, test.document))
		got := fmt.Sprint(matches)
		var bad *Error
		if errors.As(err, &bad) {
			got = bad.Code
		}
		if got != test.want {
			t.Errorf("%s of %.20s... with %d bytes: got %s, %v", test.filter, test.document, len(test.document), got, err)
		}
	}
}
