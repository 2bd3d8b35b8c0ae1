package matcher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The pages of the query language hold examples that this test runs. An example is a paragraph of a fenced block with
// the word "example" behind its fence. Each line begins with a word that says what the rest is, a text of JSON:
//
//	filter, sort, skip, limit, fields, collation    a part of the query
//	yes, no       a document that the filter matches, or does not
//	given         a document of the collection, or the one that is updated
//	gives         a document of the answer, in its order; a document after the update; an expression's value
//	update        operators of an update, or one of an upsert where no document is given
//	patch         a merge patch
//	expr          an expression that is evaluated on the document that is given; may stand many times
//	same, other   a filter with the normal form of this one, or with another one
//	normal        the filter's normal form
//	explain       fields of the explanation of the query
//	refused       the code of the error that the query, the update or the expression gets, and words of its sentence;
//	              another example may follow in the next line
//
// After the JSON, `# and so on` is a remark. `expr E gives V` may stand on one line, and many documents behind one yes or
// no.
type example struct {
	at    string // page and line, for messages
	lines []exampleLine
}

type exampleLine struct{ word, text string }

// referencePages are the pages whose examples are run.
func referencePages(t *testing.T) (pages []string) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join("..", "docs", "query-language", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	return append(pages, filepath.Join("..", "docs", "query-language.md"))
}

// examplesOf finds the examples of a page.
func examplesOf(page, text string) (found []example) {
	inside := false
	var current *example
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```example"
			current = nil
		case !inside:
		case strings.TrimSpace(line) == "":
			current = nil
		default:
			if current == nil {
				found = append(found, example{at: fmt.Sprintf("%s:%d", filepath.Base(page), i+1)})
				current = &found[len(found)-1]
			}
			word, rest, _ := strings.Cut(line, " ")
			current.lines = append(current.lines, exampleLine{word, strings.TrimSpace(rest)})
		}
	}
	return found
}

// splitValues splits the values of JSON that a line holds, and what follows them.
func splitValues(text string) (values []string, rest string, err error) {
	for {
		text = strings.TrimSpace(text)
		if text == "" || text[0] == '#' || strings.HasPrefix(text, "gives ") {
			return values, text, nil
		}
		d := json.NewDecoder(strings.NewReader(text))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, "", fmt.Errorf("%q is no JSON: %w", text, err)
		}
		values = append(values, string(value))
		text = text[d.InputOffset():]
	}
}

// exampleRun is what an example has said so far.
type exampleRun struct {
	spec    QuerySpec
	filter  string
	given   []*Document
	gives   []Value
	expr    string
	edit    string // the text of an update, as
	parse   func(text []byte, limits Limits) (*Update, error)
	answers int // checks made
}

// run checks an example.
func (x example) run() error {
	r := &exampleRun{}
	for _, line := range x.lines {
		if err := r.line(line); err != nil {
			return fmt.Errorf("%s: %s %s: %w", x.at, line.word, line.text, err)
		}
	}
	if err := r.finish(); err != nil {
		return fmt.Errorf("%s: %w", x.at, err)
	}
	if r.answers == 0 {
		return fmt.Errorf("%s: the example has no answer that could be wrong", x.at)
	}
	return nil
}

func (r *exampleRun) line(l exampleLine) error {
	if l.word == "refused" {
		r.answers++
		return r.refused(l.text)
	}
	values, rest, err := splitValues(l.text)
	if err != nil {
		return err
	}
	many := l.word == "yes" || l.word == "no" || l.word == "same" || l.word == "other"
	if len(values) == 0 || len(values) > 1 && !many {
		return fmt.Errorf("the line holds %d values", len(values))
	}
	for _, value := range values {
		if err := r.value(l.word, value); err != nil {
			return err
		}
	}
	if after, found := strings.CutPrefix(rest, "gives "); found {
		return r.line(exampleLine{"gives", after})
	}
	return nil
}

func (r *exampleRun) value(word, text string) error {
	switch word {
	case "filter":
		r.filter, r.spec.Filter = text, []byte(text)
	case "sort":
		r.spec.Sort = []byte(text)
	case "fields":
		r.spec.Fields = []byte(text)
	case "collation":
		r.spec.Collation = []byte(text)
	case "skip":
		return json.Unmarshal([]byte(text), &r.spec.Skip)
	case "limit":
		return json.Unmarshal([]byte(text), &r.spec.Limit)
	case "given":
		d, err := Parse([]byte(text), Limits{})
		r.given = append(r.given, d)
		return err
	case "update":
		r.edit = text
		r.parse = func(text []byte, limits Limits) (*Update, error) { return ParseUpdate(text, nil, limits) }
	case "patch":
		r.edit, r.parse = text, ParseMergePatch
	case "expr":
		r.expr = text
	case "gives":
		r.answers++
		d, err := ParseValue([]byte(text), Limits{})
		if err != nil || r.expr != "" {
			return errors.Join(err, r.evaluates(text))
		}
		r.gives = append(r.gives, d.Root())
	default:
		r.answers++
		return r.check(word, text)
	}
	return nil
}

func (r *exampleRun) check(word, text string) error {
	q, err := Compile(r.spec, Limits{})
	if err != nil {
		return err
	}
	switch word {
	case "yes", "no":
		d, err := Parse([]byte(text), Limits{})
		if err == nil && q.Match(d) != (word == "yes") {
			err = fmt.Errorf("the filter %s says otherwise", r.filter)
		}
		return err
	case "same", "other":
		spec := r.spec
		spec.Filter = []byte(text)
		o, err := Compile(spec, Limits{})
		if err == nil && (o.Normal() == q.Normal()) != (word == "same") {
			err = fmt.Errorf("the normal forms are %s and %s", q.Normal(), o.Normal())
		}
		return err
	case "normal":
		if got := q.Explain().Filter; string(got) != text {
			return fmt.Errorf("the normal form is %s", got)
		}
		return nil
	case "explain":
		return sameFields(q.Explain(), text)
	}
	return errors.New("the word is not known")
}

// sameFields checks that an explanation has the fields of a text.
func sameFields(x Explanation, text string) error {
	var want, got map[string]json.RawMessage
	all, err := json.Marshal(x)
	if err := errors.Join(err, json.Unmarshal(all, &got), json.Unmarshal([]byte(text), &want)); err != nil {
		return err
	}
	for name := range want {
		var compact bytes.Buffer
		if err := json.Compact(&compact, want[name]); err != nil {
			return err
		}
		if compact.String() != string(got[name]) {
			return fmt.Errorf("the explanation is %s", all)
		}
	}
	return nil
}

// refused checks that what the example has said so far is refused.
func (r *exampleRun) refused(text string) error {
	code, words, _ := strings.Cut(text, " ")
	words, _, _ = strings.Cut(words, "#")
	var err error
	switch {
	case r.edit != "":
		_, err = r.updated()
	case r.expr != "":
		_, err = Compile(QuerySpec{Filter: fmt.Appendf(nil, `{"$expr":%s}`, r.expr)}, Limits{})
	default:
		_, err = Compile(r.spec, Limits{})
	}
	*r = exampleRun{answers: r.answers}
	var bad *Error
	if !errors.As(err, &bad) || bad.Code != code || !strings.Contains(bad.Detail, strings.TrimSpace(words)) {
		return fmt.Errorf("the error is %v", err)
	}
	return nil
}

// evaluates checks that the expression has a value, types told apart. A missing value is written "missing".
func (r *exampleRun) evaluates(want string) error {
	d := emptyDocument
	if len(r.given) > 0 {
		d = r.given[len(r.given)-1]
	}
	for _, comparison := range []string{
		fmt.Sprintf(`{"$eq":[%s,{"$literal":%s}]}`, r.expr, want),
		fmt.Sprintf(`{"$eq":[{"$type":%s},{"$type":{"$literal":%s}}]}`, r.expr, want),
	} {
		if want == `"missing"` {
			comparison = fmt.Sprintf(`{"$eq":[{"$type":%s},"missing"]}`, r.expr)
		}
		q, err := Compile(QuerySpec{Filter: []byte(`{"$expr":` + comparison + `}`)}, Limits{})
		if err == nil && !q.Match(d) {
			err = fmt.Errorf("%s does not hold for %s", comparison, d.Text())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// updated is the document after the example's update.
func (r *exampleRun) updated() (*Document, error) {
	u, err := r.parse([]byte(r.edit), Limits{})
	if err != nil {
		return nil, err
	}
	var before *Document
	if len(r.given) > 0 {
		before = r.given[0]
	}
	after, _, err := u.Apply(before, updateNow, Limits{})
	return after, err
}

// finish checks what the example gives.
func (r *exampleRun) finish() error {
	if len(r.given) == 0 && len(r.gives) == 0 || r.expr != "" {
		return nil
	}
	var got []Value
	if r.edit != "" {
		after, err := r.updated()
		if err != nil {
			return err
		}
		got = []Value{after.Root()}
	} else {
		var err error
		if got, err = r.answer(); err != nil {
			return err
		}
	}
	if !slices.EqualFunc(got, r.gives, identical) {
		var text []string
		for _, v := range got {
			text = append(text, string(v.Raw()))
		}
		return fmt.Errorf("the answer is %s", strings.Join(text, " "))
	}
	return nil
}

// answer is the result of the example's query over the documents that are given.
func (r *exampleRun) answer() (answer []Value, err error) {
	q, err := Compile(r.spec, Limits{})
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(slices.Clone(r.given), func(d *Document) bool { return !q.Match(d) })
	slices.SortStableFunc(found, func(a, b *Document) int {
		return bytes.Compare(q.AppendSortKey(nil, a), q.AppendSortKey(nil, b))
	})
	found = found[min(len(found), q.Skip()):]
	if q.Limit() > 0 {
		found = found[:min(len(found), q.Limit())]
	}
	for _, d := range found {
		shown, err := ParseValue(q.AppendDocument(nil, d), Limits{})
		if err != nil {
			return nil, err
		}
		answer = append(answer, shown.Root())
	}
	return answer, nil
}

// operatorUses counts the examples that hold an operator, by the table that it stands in.
type operatorUses struct{ filters, fields, updates, expressions, keywords map[string]int }

// count walks the parts of an example. Only what is accepted counts.
func (u *operatorUses) count(t *testing.T, x example) {
	t.Helper()
	if slices.ContainsFunc(x.lines, func(l exampleLine) bool { return l.word == "refused" }) {
		return
	}
	for _, l := range x.lines {
		values, _, err := splitValues(l.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range values {
			switch v := mustParseValue(t, text); l.word {
			case "filter", "same":
				u.filter(v)
			case "fields":
				countNames(v, u.fields)
			case "update":
				countNames(v, u.updates)
			case "expr":
				countNames(v, u.expressions)
			}
		}
	}
}

// filter counts the operators of a filter, and those of expressions and the keywords of schemas in it.
func (u *operatorUses) filter(v Value) {
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		u.filters[name]++
		switch name {
		case "$expr":
			countNames(f, u.expressions)
		case "$jsonSchema":
			countNames(f, u.keywords)
		default:
			u.filter(f)
		}
	}
}

// countNames counts all names in v, those of a dotted path one by one.
func countNames(v Value, counts map[string]int) {
	for part := range strings.SplitSeq(string(v.Name()), ".") {
		counts[part]++
	}
	for child := v.First(); child.Exists(); child = child.Next() {
		countNames(child, counts)
	}
}

// TestReference runs the examples of the query language's pages, and checks that each operator has one.
func TestReference(t *testing.T) {
	uses := operatorUses{map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}}
	run := 0
	for _, page := range referencePages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range examplesOf(page, string(text)) {
			run++
			if err := x.run(); err != nil {
				t.Error(err)
				continue
			}
			uses.count(t, x)
		}
	}
	t.Logf("%d examples", run)
	check := func(what string, counts map[string]int, names ...string) {
		for _, name := range names {
			if counts[name] == 0 {
				t.Errorf("no page has an example of the %s %s", what, name)
			}
		}
	}
	check("operator", uses.filters, slices.Sorted(maps.Keys(logicalOperators))...)
	check("operator", uses.filters, slices.Sorted(maps.Keys(fieldOperators))...)
	check("shape", uses.filters, geoWithinShapes...)
	check("operator of expressions", uses.expressions, slices.Sorted(maps.Keys(exprOperators))...)
	check("operator of expressions", uses.expressions, slices.Sorted(maps.Keys(exprForms))...)
	check("keyword of schemas", uses.keywords, slices.Sorted(maps.Keys(schemaKeywords))...)
	check("operator of fields", uses.fields, projectionOperators...)
	for _, row := range updateOperators {
		check("operator of updates", uses.updates, row.name)
	}
	for _, row := range bitOperators {
		check("operation of $bit", uses.updates, row.name)
	}
	check("part of updates", uses.updates, append([]string{"$[]", fieldArrayFilters}, pushModifiers...)...)
}

// TestWrongExamplesFail holds the test of the pages itself: an answer that is wrong must be seen.
func TestWrongExamplesFail(t *testing.T) {
	for _, text := range []string{
		`filter {"a":1}`,
		"filter {\"a\":1}\nyes {\"a\":2}",
		"filter {\"a\":1}\nno {\"a\":2} {\"a\":1}",
		"filter {\"a\":1}\nno {\"a\":2} and",
		"filter {\"a\":1}\nperhaps {\"a\":2}",
		"filter {\"$a\":1}\nno {\"a\":2}",
		"filter {\"a\":1}\nrefused query-invalid",
		"filter {\"$a\":1}\nrefused query-invalid",
		"filter {\"$a\":1}\nrefused operator-unknown some other words",
		"filter {\"a\":1}\nsame {\"a\":2}",
		"filter {\"a\":1}\nother {\"a\":1.0}",
		"filter {\"a\":1}\nnormal {\"a\":1}",
		"filter {\"a\":1}\nexplain {\"foundBy\":\"ids\"}",
		"sort {\"a\":1}\ngiven {\"a\":2}\ngiven {\"a\":1}\ngives {\"a\":2}\ngives {\"a\":1}",
		"fields {\"a\":0}\ngiven {\"a\":2}\ngives {\"a\":2}",
		"given {\"a\":2}",
		"update {\"$inc\":{\"a\":1}}\ngiven {\"a\":2}\ngives {\"a\":3.0}",
		"update {\"$inc\":{\"a\":1}}\ngiven {\"a\":2}\nrefused update-invalid",
		"patch {\"a\":1}\ngiven {\"a\":2}\ngives {\"a\":3}",
		"given {\"a\":2}\nexpr {\"$add\":[\"$a\",1]} gives 4",
		"given {\"a\":2}\nexpr {\"$add\":[\"$a\",1]}\ngives 3.0",
		"expr \"$a\" gives null",
		"expr 5 gives \"missing\"",
		"expr {\"$add\":[]}\nrefused query-invalid",
	} {
		found := examplesOf("page.md", "```example\n"+text+"\n```\n")
		if len(found) != 1 {
			t.Fatalf("%q is %d examples", text, len(found))
		}
		if err := found[0].run(); err == nil {
			t.Errorf("%q is taken for true", text)
		}
	}
}
