//go:build unix

package matcher

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// worstFilter is a filter with the document that it takes longest for.
type worstFilter struct{ filter, collation, document string }

// worstFilters are each the worst of its kind, within the limits on filters and documents.
func worstFilters() map[string]worstFilter {
	many := func(n int, f string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(f, "#", fmt.Sprint(i+10_000))
		}
		return strings.Join(parts, ",")
	}
	or := func(n int, f string) string { return `{"$or":[` + many(n, f) + `]}` }
	numbers := `{"b":1,"a":[` + many(65_000, `#`) + `]}`
	objects := `{"a":[` + many(65_000, `{}`) + `]}`
	texts := `{"a":[` + many(50_000, `"ébène #"`) + `]}`
	decimals := `{"a":[` + many(35_000, `{"$numberDecimal":"#"}`) + `]}`
	points := `{"a":[` + many(16_000, `[1.25,1.5]`) + `]}`
	return map[string]worstFilter{
		"ranges":   {or(680, `{"a":{"$gt":9#},"b":{"$gt":#}}`), "", numbers},
		"exact":    {or(680, `{"a":{"$gt":9#},"b":{"$gt":#}}`), "", decimals},
		"rounded":  {or(680, `{"a":{"$gt":9#.25},"b":{"$gt":#}}`), "", decimals},
		"texts":    {or(800, `{"a":{"$lt":"e#"},"b":1}`), "", texts},
		"all":      {`{"a":{"$all":[` + many(2000, `#`) + `]}}`, "", numbers},
		"in":       {or(400, `{"a":{"$in":["x#","y#",{"$minKey":1}]},"b":1}`), "", numbers},
		"mod":      {or(810, `{"a":{"$mod":[#,-1]}}`), "", numbers},
		"bits":     {or(1360, `{"a":{"$bitsAllSet":1#}}`), "", numbers},
		"types":    {or(300, `{"a":{"$type":[9,10]},"b":#}`), "", numbers},
		"sizes":    {or(1000, `{"a.b":{"$size":#}}`), "", objects},
		"names":    {or(2040, `{"a.b#":1}`), "", objects},
		"wide":     {or(2040, `{"g#":1}`), "", `{` + many(65_000, `"f#":1`) + `}`},
		"elements": {`{"a":{"$elemMatch":` + or(2000, `{"b#":1}`) + `}}`, "", objects},
		"indexes": {or(1300, `{"0.0.0.0.0.0.0.0":{"$gt":#}}`), "",
			strings.Repeat(`{"0":[`, 6) + many(65_000, `1`) + strings.Repeat(`]}`, 6)},
		"collated":      {or(600, `{"a":{"$gt":"f#"}}`), `{"locale":"de"}`, texts},
		"collated list": {or(400, `{"a":{"$in":["f#","g#"]}}`), `{"locale":"de"}`, texts},
		"regexes":       {`{"a":{"$regex":"(a|é){1,900}x"}}`, "", texts},
		"regex of each": {`{"a":{"$elemMatch":{"$regex":"(a|é){1,900}x"}}}`, "", texts},
		"plane":         {or(220, `{"a":{"$geoWithin":{"$polygon":[[0,0],[9,0],[9,#],[8,8]]}}}`), "", points},
		"sphere":        {or(250, `{"a":{"$geoWithin":{"$centerSphere":[[9,9],0.#]}}}`), "", points},
	}
}

func (w worstFilter) compile(t testing.TB) (*Query, *Document) {
	t.Helper()
	spec := QuerySpec{Filter: []byte(w.filter)}
	if w.collation != "" {
		spec.Collation = []byte(w.collation)
	}
	q, err := Compile(spec, Limits{})
	if err != nil {
		t.Fatalf("%.80s: %v", w.filter, err)
	}
	d, err := Parse([]byte(w.document), Limits{})
	if err != nil {
		t.Fatalf("%.80s: %v", w.document, err)
	}
	return q, d
}

// TestWorstFiltersAreBounded: whatever a filter and a document are, the bounds end it, with an error that says so.
func TestWorstFiltersAreBounded(t *testing.T) {
	for name, w := range worstFilters() {
		q, d := w.compile(t)
		var bad *Error
		switch matches, err := q.Decide(d); {
		case !errors.As(err, &bad):
			t.Errorf("%s: the answer is %t, %v", name, matches, err)
		case bad.Code != CodeQueryTooCostly || bad.Path != "/filter" || !strings.Contains(bad.Detail, "Max"):
			t.Errorf("%s: %s at %q: %s", name, bad.Code, bad.Path, bad.Detail)
		}
	}
}

// TestMeterAgrees: under a meter that is not passed, a filter gives the answers that it gives without one.
func TestMeterAgrees(t *testing.T) {
	const seed = 11
	maker := filterMaker{rand.New(rand.NewPCG(seed, 5))}
	matched := 0
	for range 20_000 {
		filter, text := maker.filter(3), maker.document()
		q, d := compileText(t, filter), testDocument(t, text)
		m := newMeter(d)
		got := m.match(q.filter.node, d.Root())
		if err := m.err("filter"); err != nil || got != q.Match(d) {
			t.Fatalf("seed %d: %s accepts %s: %t, but under a meter %t, %v", seed, filter, text, q.Match(d), got, err)
		}
		if got {
			matched++
		}
	}
	if matched < 1000 {
		t.Errorf("only %d matched: the test says little", matched)
	}
}

// TestLargeDocumentsAreMatched: what is not worst of its kind has an answer, on documents of the largest size as well.
func TestLargeDocumentsAreMatched(t *testing.T) {
	large := worstFilters()["ranges"].document
	for filter, want := range map[string]bool{
		`{"a":74999}`: true, `{"a":75000}`: false, `{"b":1,"a":{"$gt":74998}}`: true, `{"a":{"$size":65000}}`: true,
		`{"a":{"$elemMatch":{"$gt":74998,"$lt":75000}}}`:                                                                 true,
		`{"$or":[{"a":-1},{"a":{"$gt":99999}},{"a":{"$lt":0}},{"a":"x"},{"c.a":{"$gt":1}}]}`:                             false,
		`{"a":{"$nin":[1,2,"x"]},"a.0":10000,"a.64999":74999}`:                                                           true,
		`{"a.0":10000,"a.1":10001,"a.2":10002,"a.3":10003,"a.4":10004,"a.5":10005,"a.6":{"$ne":1},"a.0.0.0.0.0.0":null}`: false,
		`{"$or":[{"a.0.0.0.0.0.0.1":1},{"a.0.0.0.0.0.0.2":1},{"a.0.0.0.0.0.0.3":1},{"a.64999":74999}]}`:                  true,
	} {
		if got, err := compileText(t, filter).Decide(testDocument(t, large)); err != nil || got != want {
			t.Errorf("%s: %t, %v", filter, got, err)
		}
	}
	escaped := testDocument(t, `{"s":"`+strings.Repeat(`\n`, 400_000)+`","n":1}`)
	if got, err := compileText(t, `{"s":{"$gt":"a"},"n":{"$in":[1,2]},"t":null,"u":{"$ne":"x"}}`).Decide(escaped); err != nil || got {
		t.Errorf("a long text with escapes: %t, %v", got, err)
	}
}

// TestPathWalksAreCounted: of paths with numeric names no less is counted than a walk shows, and no more than spread says.
func TestPathWalksAreCounted(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 1))
	maker := filterMaker{random}
	names := []string{"a", "b", "0", "1", "0", ""}
	several := 0
	for range 20_000 {
		text := "a"
		for range 1 + random.IntN(4) {
			text += "." + names[random.IntN(len(names)-1)]
		}
		p, err := parsePath(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		value := maker.value(4)
		if random.IntN(2) == 0 {
			value = fmt.Sprintf(`[{"0":[%s,%s],"b":%s},[%s,{"1":%s}]]`, value, value, value, value, value)
		}
		root := testDocument(t, `{"a":`+value+`}`).Root()
		for _, leaves := range []bool{true, false} {
			visits := &countingVisitor{}
			walk(visits, root, p.segments, leaves)
			c := walkCounter{most: MaxMatchSteps}
			if c.walk(root, p.segments); c.steps < visits.n {
				t.Fatalf("seed %d: %s of %s: %d steps, %d values are shown", seed, text, value, c.steps, visits.n)
			}
			if most := 4*len(p.segments) + 4*weight(root)*p.spread(); c.steps > most {
				t.Fatalf("seed %d: %s of %s: %d steps, more than %d", seed, text, value, c.steps, most)
			}
			if visits.n > 3 {
				several++
			}
			if short := (walkCounter{most: c.steps / 2}); c.steps > 3 {
				if short.walk(root, p.segments); short.steps <= short.most {
					t.Fatalf("seed %d: %s of %s: %d steps, but %d with a bound of %d", seed, text, value, c.steps, short.steps, short.most)
				}
			}
		}
	}
	if several < 1000 {
		t.Errorf("only %d paths lead to several values: the test says little", several)
	}
}

// TestWorstProjectionsAreBounded: the conditions of a projection have the bounds of a filter, for what the filter matches.
func TestWorstProjectionsAreBounded(t *testing.T) {
	many := func(n int, f string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(f, "#", fmt.Sprint(i+10_000))
		}
		return strings.Join(parts, ",")
	}
	numbers := `{"_id":"x","n":1,"a":[` + many(60_000, `#`) + `],"b":[` + many(4_000, `#`) + `]}`
	decimals := `{"_id":"x","n":1,"a":[` + many(30_000, `{"$numberDecimal":"#"}`) + `]}`
	texts := `{"_id":"x","n":1,"a":[` + many(40_000, `"ébène #"`) + `]}`
	objects := `{"_id":"x","n":1,"a":[` + many(60_000, `{}`) + `]}`
	for name, test := range map[string]struct {
		fields, document, bound string // "" is none
	}{
		"values":   {`{"a":{"$elemMatch":{"$in":[` + many(1900, `#.5`) + `]}}}`, decimals, "MaxMatchSteps"},
		"objects":  {`{"a":{"$elemMatch":{"$or":[` + many(1500, `{"b#":1}`) + `]}}}`, objects, "MaxMatchSteps"},
		"patterns": {`{"a":{"$elemMatch":{"$regex":"(a|é){1,900}x"}}}`, texts, "MaxRegexWork"},
		"few":      {`{"a":{"$elemMatch":{"$gt":1,"$lt":0}},"b":{"$elemMatch":{"$gt":13998}}}`, numbers, ""},
		"small":    {`{"b":{"$elemMatch":{"$gt":13998}}}`, numbers, ""},
		"other":    {`{"a":1,"b":{"$slice":5}}`, numbers, ""},
		"no array": {`{"n":{"$elemMatch":{"$or":[` + many(1500, `{"b#":1}`) + `]}}}`, numbers, ""},
	} {
		d := testDocument(t, test.document)
		compile := func(filter string) *Query {
			q, err := Compile(QuerySpec{Filter: []byte(filter), Fields: []byte(test.fields)}, Limits{})
			if err != nil {
				t.Fatal(name, err)
			}
			return q
		}
		q := compile(`{"n":1}`)
		matches, err := q.Decide(d)
		var bad *Error
		switch {
		case test.bound == "":
			if !matches || err != nil {
				t.Errorf("%s: %t, %v", name, matches, err)
			}
		case !errors.As(err, &bad) || matches:
			t.Errorf("%s: %t, %v", name, matches, err)
		case bad.Code != CodeQueryTooCostly || bad.Path != "/fields" || !strings.Contains(bad.Detail, test.bound):
			t.Errorf("%s: %s at %q: %s", name, bad.Code, bad.Path, bad.Detail)
		}
		if matches, err := compile(`{"n":2}`).Decide(d); matches || err != nil {
			t.Errorf("%s, of a document that does not match: %t, %v", name, matches, err)
		}
	}
}

// BenchmarkWorstFilters says how long one document can keep a node with one filter.
func BenchmarkWorstFilters(b *testing.B) {
	for name, w := range worstFilters() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			q, d := w.compile(b)
			began := cpuTime()
			defer func() { b.ReportMetric(float64((cpuTime()-began).Microseconds())/1000/float64(b.N), "cpu-ms/op") }()
			for b.Loop() {
				if _, err := q.Decide(d); err == nil {
					b.Fatal("there is no bound")
				}
			}
		})
	}
}

// cpuTime is what the process has used of its processors: on a busy machine the clock says little.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
