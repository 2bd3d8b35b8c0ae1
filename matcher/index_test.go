package matcher

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func compileIndex(t testing.TB, keys, partial string) *Index {
	t.Helper()
	spec := IndexSpec{Keys: []byte(keys)}
	if partial != "" {
		spec.Partial = []byte(partial)
	}
	x, err := CompileIndex(spec, Limits{})
	if err != nil {
		t.Fatalf("index %s, partial %q: %v", keys, partial, err)
	}
	return x
}

func compileQuery(t testing.TB, filter, sort string) *Query {
	t.Helper()
	spec := QuerySpec{Filter: []byte(filter)}
	if sort != "" {
		spec.Sort = []byte(sort)
	}
	q, err := Compile(spec, Limits{})
	if err != nil {
		t.Fatalf("filter %s, sort %s: %v", filter, sort, err)
	}
	return q
}

// indexed is one document in one index, its entries with the `_id` at their end.
type indexed struct {
	document *Document
	entries  [][]byte
	overflow bool
}

func indexAll(x *Index, documents []*Document) (all []indexed, multikey uint64) {
	var e IndexEntries
	for _, d := range documents {
		x.Entries(&e, d)
		in := indexed{document: d, overflow: e.Overflow}
		for i := range e.Len() {
			in.entries = append(in.entries, append(bytes.Clone(e.At(i)), d.ID()...))
		}
		if !e.Overflow {
			multikey |= e.Multikey
		}
		all = append(all, in)
	}
	return all, multikey
}

func (r IndexRange) holds(entry []byte) bool {
	return bytes.Compare(r.Low, entry) <= 0 && (r.High == nil || bytes.Compare(entry, r.High) < 0)
}

// rangeOf is the first range that holds one of the document's entries, and that entry.
func (p *IndexPlan) rangeOf(in indexed) (r int, entry []byte) {
	for i, r := range p.Ranges {
		for _, entry := range in.entries {
			if r.holds(entry) {
				return i, entry
			}
		}
	}
	return -1, nil
}

// checkIndexPlan holds a plan against every document: those that match are found, each range is in order, and if the plan
// is exact there are as many entries as documents.
func checkIndexPlan(t *testing.T, x *Index, q *Query, all []indexed, multikey uint64) (narrowed, ordered, exact bool) {
	t.Helper()
	p, ok := x.Plan(q, multikey)
	if !ok {
		return false, false, false
	}
	describe := func() string {
		return fmt.Sprintf("index %s partial %s, query %s: bounds %v, sorted by %v", x.Keys(), x.Partial(), q.Normal(), p.Bounds, p.SortedBy())
	}
	for i := range p.Ranges[min(1, len(p.Ranges)):] {
		if before, after := p.Ranges[i], p.Ranges[i+1]; before.High == nil || bytes.Compare(before.High, after.Low) > 0 {
			t.Fatalf("%s: ranges overlap: %x %x", describe(), before, after)
		}
	}
	type item struct{ entry, key []byte }
	ranges := make([][]item, len(p.Ranges))
	for _, in := range all {
		matches, found := q.Match(in.document), 0
		if matches && !in.overflow {
			if r, _ := p.rangeOf(in); r < 0 {
				t.Fatalf("%s: %s matches and is not found", describe(), in.document.Text())
			}
		}
		key := q.AppendSortKey(nil, in.document)
		for i, r := range p.Ranges {
			for _, entry := range in.entries {
				if r.holds(entry) {
					found++
					ranges[i] = append(ranges[i], item{entry, key})
				}
			}
		}
		if p.Exact && !in.overflow && (found > 1 || matches != (found == 1)) {
			t.Fatalf("%s, exact: %s matches %v and has %d entries", describe(), in.document.Text(), matches, found)
		}
	}
	if !p.Ordered() {
		return p.Narrowed > 0, false, p.Exact
	}
	length := func(key []byte) int {
		whole := 0
		for _, field := range p.ordering {
			n, ok := sortPartLength(key[whole:], field.descending)
			if !ok {
				t.Fatalf("%s: the sort key %x has no part at %d", describe(), key, whole)
			}
			whole += n
		}
		return whole
	}
	for i, items := range ranges {
		slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.entry, b.entry) })
		if p.Reverse {
			slices.Reverse(items)
		}
		for j, it := range items {
			if j > 0 {
				if before := items[j-1].key; bytes.Compare(before[:length(before)], it.key[:length(it.key)]) > 0 {
					t.Fatalf("%s: out of order: %x, %x", describe(), before, it.key)
				}
			}
			from, to := p.From(p.Ranges[i], it.key), p.To(p.Ranges[i], it.key)
			for _, other := range items {
				order := bytes.Compare(other.key, it.key)
				if order >= 0 && !from.holds(other.entry) || order <= 0 && !to.holds(other.entry) {
					t.Fatalf("%s: From or To of %x leaves out %x, order %d", describe(), it.key, other.key, order)
				}
			}
		}
	}
	return p.Narrowed > 0, true, p.Exact
}

// TestIndexPlansFindEverything plans random queries over random indexes of random documents, and looks for every
// document that matches in the ranges.
func TestIndexPlansFindEverything(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	m := filterMaker{random}
	path := func() string { return m.pick("a", "b", "a.b", "a.0", "c", "b.b", "a.a") }
	keys := func() string {
		var parts []string
		paths := slices.Compact(slices.Sorted(slices.Values([]string{path(), path(), path()})))
		for _, p := range paths[:min(len(paths), 1+random.IntN(2))] {
			parts = append(parts, fmt.Sprintf(`[%q,%s]`, p, m.pick("1", "-1")))
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return "[" + strings.Join(parts, ",") + "]"
	}
	narrowed, ordered, exact, unions := 0, 0, 0, 0
	for range 60 {
		scalars := random.IntN(2) == 0 // without arrays there are orders
		var documents []*Document
		for i := range 25 {
			value := func(depth int) string {
				switch {
				case random.IntN(3) == 0:
					text, model := randomModel(random, 2)
					if !scalars || !strings.Contains(text, "[") && model.kind != KindArray {
						return text
					}
				case scalars:
					return m.pick(m.value(0), `{"b":`+m.value(0)+`}`)
				}
				return m.pick(m.value(depth), m.value(0))
			}
			text := fmt.Sprintf(`{"_id":"x%d"`, i)
			for _, name := range []string{"a", "b", "c"} {
				if random.IntN(6) > 0 {
					text += fmt.Sprintf(`,%q:%s`, name, value(3))
				}
			}
			documents = append(documents, testDocument(t, text+"}"))
		}
		for range 6 {
			partial := ""
			if random.IntN(3) == 0 {
				partial = m.filter(1)
			}
			x := compileIndex(t, keys(), partial)
			all, multikey := indexAll(x, documents)
			for range 40 {
				filter := m.filter(1)
				switch random.IntN(4) {
				case 0:
					filter = fmt.Sprintf(`{"$and":[%s,%s,%s]}`, m.filter(1), m.filter(1), m.filter(0))
				case 1:
					text, _ := randomModel(random, 2)
					filter = fmt.Sprintf(`{%q:{%q:%s}}`, path(), m.pick("$eq", "$gt", "$gte", "$lt", "$lte"), text)
				case 2:
					if partial != "" {
						filter = fmt.Sprintf(`{"$and":[%s,%s]}`, partial, m.filter(1))
					}
				}
				if _, err := Compile(QuerySpec{Filter: []byte(filter)}, Limits{}); err != nil {
					continue // a random regular expression where none may stand
				}
				q := compileQuery(t, filter, m.pick("", keys(), x.Keys()))
				n, o, e := checkIndexPlan(t, x, q, all, multikey)
				if n {
					narrowed++
				}
				if o {
					ordered++
				}
				if n && e {
					exact++
				}
				unions += checkUnions(t, x, q, all, multikey)
			}
		}
	}
	if narrowed < 1000 || ordered < 200 || exact < 200 || unions < 200 {
		t.Errorf("%d plans narrowed, %d ordered, %d exact, %d unions: the test says little", narrowed, ordered, exact, unions)
	}
}

// checkUnions holds every union of a query against every document: it matches exactly if a branch does, First is the first
// that does, and the plan of each branch finds what the branch matches.
func checkUnions(t *testing.T, x *Index, q *Query, all []indexed, multikey uint64) (checked int) {
	t.Helper()
	for _, u := range q.Unions() {
		checked++
		for _, in := range all {
			first := slices.IndexFunc(u.Branches, func(branch *Query) bool { return branch.Match(in.document) })
			if q.Match(in.document) != (first >= 0) || first >= 0 && u.First(in.document) != first {
				t.Fatalf("query %s matches %s: %v; the first branch that does: %d, First: %d",
					q.Normal(), in.document.Text(), q.Match(in.document), first, u.First(in.document))
			}
		}
		for _, branch := range u.Branches {
			checkIndexPlan(t, x, branch, all, multikey)
		}
	}
	return checked
}

// Which queries are unions, and of how many branches.
func TestUnions(t *testing.T) {
	distinct := func(n int) string {
		var branches []string
		for i := range n {
			branches = append(branches, fmt.Sprintf(`{"a%d":1}`, i))
		}
		return strings.Join(branches, ",")
	}
	for filter, want := range map[string]string{
		`{}`:                        `[]`,
		`{"a":1}`:                   `[]`,
		`{"$or":[{"a":1},{"a":2}]}`: `[]`, // an $in
		`{"$or":[{"a":1},{"b":2}]}`: `[2]`,
		`{"c":3,"$or":[{"a":1},{"b":2},{"$or":[{"d":1},{"e":1}]}]}`:              `[4]`,
		`{"$and":[{"$or":[{"a":1},{"b":2}]},{"$or":[{"c":1},{"d":2},{"e":3}]}]}`: `[2 3]`,
		`{"$nor":[{"a":1,"b":2}]}`:                     `[2]`,
		`{"$or":[` + distinct(MaxUnionBranches) + `]}`: fmt.Sprintf("[%d]", MaxUnionBranches),
		`{"c":1,"$or":[` + strings.ReplaceAll(distinct(MaxUnionBranches), `:1}`, `:1,"b":{"$gt":1,"$lt":9}}`) + `]}`: fmt.Sprintf("[%d]", MaxUnionBranches),
		`{"$or":[` + distinct(MaxUnionBranches+1) + `]}`:                                                             `[]`,
		`{"$and":[{"$or":[` + distinct(MaxUnionBranches) + `]},` + distinct(maxUnionNodes/MaxUnionBranches) + `]}`:   `[]`, // too much to plan
	} {
		var got []int
		for _, u := range compileQuery(t, filter, "").Unions() {
			got = append(got, len(u.Branches))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%.100s: %v, want %s", filter, got, want)
		}
	}
}

// The plans that people count on.
func TestIndexPlans(t *testing.T) {
	const tags = 1 // key 0 has arrays
	for _, test := range []struct {
		keys, partial, filter, sort string
		multikey                    uint64
		want                        string // "" is no plan
	}{
		{`a`, ``, `{"a":5}`, ``, 0, `[{a [= 5]}] [_id] false`},
		{`a`, ``, `{"b":5}`, ``, 0, ``},
		{`a`, ``, `{}`, `a`, 0, `[] [a _id] false`},
		{`a`, ``, `{}`, `-a`, 0, `[] [a] true`},
		{`-a`, ``, `{}`, `-a`, 0, `[] [a _id] false`},
		{`a`, ``, `{}`, `a`, tags, ``},
		{`a,b`, ``, `{"a":"x"}`, `-b`, tags, `[{a [= "x"]}] [b] true`},
		{`a,-b`, ``, `{"a":"x"}`, `-b`, tags, `[{a [= "x"]}] [b _id] false`},
		{`a,-b`, ``, `{"a":{"$in":["x","y"]}}`, `-b`, 0, `[{a [= "x" = "y"]}] [b _id] false`},
		{`a,b`, ``, `{"a":{"$gt":1}}`, `b`, 0, `[{a [> 1]}] [] false`},
		{`a,b`, ``, `{"b":1}`, ``, 0, ``},
		{`a`, ``, `{"a":{"$gt":1,"$lt":9}}`, ``, 0, `[{a [> 1 and < 9]}] [] false`},
		{`a`, ``, `{"a":{"$elemMatch":{"$gt":1,"$lt":9}}}`, ``, tags, `[{a [> 1 and < 9]}] [] false`},
		{`a.b`, ``, `{"a":{"$elemMatch":{"b":3,"c":4}}}`, ``, tags, `[{a.b [= 3]}] [_id] false`},
		{`a.b`, ``, `{"a":{"$elemMatch":{"b":null}}}`, ``, tags, ``}, // holds for {"a":[[1]]}, which has no a.b
		{`a`, ``, `{"a":{"$regex":"^ab+"}}`, ``, 0, `[{a [begins with "a" = /^ab+/]}] [] false`},
		{`a`, ``, `{"$or":[{"a":1},{"a":3}]}`, ``, 0, `[{a [= 1 = 3]}] [_id] false`},
		{`a`, ``, `{"$or":[{"a":1},{"b":3}]}`, ``, 0, ``},
		{`a`, ``, `{"a":{"$ne":1}}`, ``, 0, ``},
		{`a`, ``, `{"a":null}`, ``, 0, `[{a [= null]}] [_id] false`},
		{`a`, ``, `{"a":{"$exists":false}}`, ``, 0, `[{a [nothing = null]}] [] false`},
		{`a`, `{"open":true}`, `{"a":5}`, ``, 0, ``},
		{`a`, `{"open":true}`, `{"a":5,"open":true}`, ``, 0, `[{a [= 5]}] [_id] false`},
		{`a`, `{"n":{"$gt":3}}`, `{"n":{"$gte":4}}`, ``, 0, `[] [] false`},
		{`a`, `{"n":{"$gt":3}}`, `{"n":{"$gte":3}}`, ``, 0, ``},
		{`a`, `{"n":{"$exists":true}}`, `{"n":"x","a":1}`, ``, 0, `[{a [= 1]}] [_id] false`},
		{`a`, `{"n":{"$exists":true}}`, `{"n":null,"a":1}`, ``, 0, ``},
	} {
		plan, ok := compileIndex(t, quoted(test.keys), test.partial).Plan(compileQuery(t, test.filter, quoted(test.sort)), test.multikey)
		got := ""
		if ok && plan.Finds() {
			got = fmt.Sprintf("%v %v %v", plan.Bounds, plan.SortedBy(), plan.Reverse)
		}
		if got != test.want {
			t.Errorf("index %s %s, filter %s, sort %s: %s, want %s", test.keys, test.partial, test.filter, test.sort, got, test.want)
		}
	}
}

// Under a collation strings narrow nothing, give no order, and say nothing of a partial filter.
func TestIndexPlansUnderCollation(t *testing.T) {
	for _, test := range []struct{ keys, partial, filter, sort, want string }{
		{`a`, ``, `{"a":"x"}`, ``, ``},
		{`a`, ``, `{"a":{"$in":["x",5]}}`, ``, ``},
		{`a`, ``, `{"a":{"$gte":"x"}}`, ``, ``},
		{`a`, ``, `{"a":5}`, ``, `[{a [= 5]}] [_id]`},
		{`a`, ``, `{"a":{"$gt":5}}`, `a`, `[{a [> 5]}] []`},
		{`a`, ``, `{}`, `a`, ``},
		{`a`, `{"status":"open"}`, `{"status":"open","a":5}`, ``, ``}, // holds for "OPEN" too
		{`a`, `{"n":{"$gt":3}}`, `{"n":4,"a":5}`, ``, `[{a [= 5]}] [_id]`},
	} {
		spec := QuerySpec{Filter: []byte(test.filter), Collation: []byte(`{"locale":"en","strength":2}`)}
		if test.sort != "" {
			spec.Sort = []byte(quoted(test.sort))
		}
		q, err := Compile(spec, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if plan, ok := compileIndex(t, quoted(test.keys), test.partial).Plan(q, 0); ok && plan.Finds() {
			got = fmt.Sprintf("%v %v", plan.Bounds, plan.SortedBy())
		}
		if got != test.want {
			t.Errorf("index %s %s, filter %s, sort %s: %s, want %s", test.keys, test.partial, test.filter, test.sort, got, test.want)
		}
	}
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return `"` + text + `"`
}

func TestIndexEntryBounds(t *testing.T) {
	var e IndexEntries
	entries := func(keys, document string) *IndexEntries {
		compileIndex(t, keys, "").Entries(&e, testDocument(t, document))
		return &e
	}
	if got := entries(`"a"`, `{"_id":"x","a":[1,2,2,"s"]}`); got.Len() != 4 || got.Multikey != 1 || got.Overflow {
		t.Errorf("an array has entries for its distinct elements and itself: %d, multikey %b", got.Len(), got.Multikey)
	}
	if got := entries(`"a,b"`, `{"_id":"x","a":[1,2],"b":[3,4]}`); got.Len() != 9 || got.Multikey != 3 {
		t.Errorf("two arrays have an entry for each pair: %d, multikey %b", got.Len(), got.Multikey)
	}
	if got := entries(`"a.b"`, `{"_id":"x","a":[1,2]}`); got.Len() != 1 {
		t.Errorf("a document without a value has an entry: %d", got.Len())
	}
	long := strings.Repeat("l", MaxIndexKeyBytes)
	var wide []string // few enough, and short enough, but too much in all
	for i := range MaxIndexBytesPerDocument/500 + 1 {
		wide = append(wide, fmt.Sprintf(`"%0500d"`, i))
	}
	many := strings.Repeat("1,", MaxIndexEntriesPerDocument)
	var distinct []string
	for i := range MaxIndexEntriesPerDocument {
		distinct = append(distinct, fmt.Sprint(i))
	}
	for document, overflow := range map[string]bool{
		`{"_id":"x","a":"` + long + `"}`:                                      true,
		`{"_id":"x","a":"` + long[:MaxIndexKeyBytes-10] + `"}`:                false,
		`{"_id":"x","a":["` + long + `"]}`:                                    true,
		`{"_id":"x","a":[` + strings.Join(distinct, ",") + `]}`:               true, // and the array itself
		`{"_id":"x","a":[` + strings.Join(distinct[1:], ",") + `]}`:           false,
		`{"_id":"x","a":[` + many + `1]}`:                                     false,
		`{"_id":"x","a":[` + strings.Join(wide, ",") + `]}`:                   true,
		`{"_id":"x","a":[` + many + many + many + many + many + `1],"b":[1]}`: true,
	} {
		if got := entries(`"a"`, document); got.Overflow != overflow || overflow != (got.Len() == 0) {
			t.Errorf("%.60s...: overflow %v with %d entries", document, got.Overflow, got.Len())
		}
	}
}

// A document that a partial filter has too much to do for is an overflow, however it came to be: what counts is its text.
func TestIndexPartialIsBounded(t *testing.T) {
	costly := worstFilters()["ranges"]
	x := compileIndex(t, `"b"`, costly.filter)
	var e IndexEntries
	composed := func(user string) *Document {
		d, err := Compose(Metadata{ID: "x", Revision: Revision{Generation: 1, WriteID: WriteID{1}}}, testDocument(t, user).Root(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		document string
		overflow bool
		entries  int
	}{
		{costly.document, true, 0},
		{strings.Replace(costly.document, `"a":`, `"c":`, 1), false, 0}, // large, but the filter has nothing to do
		{`{"a":999999,"b":20000}`, false, 1},
		{`{"a":[1,2,3],"b":20000}`, false, 0},
	} {
		d := composed(test.document)
		for _, d := range []*Document{d, testDocument(t, string(d.Text()))} {
			if x.Entries(&e, d); e.Overflow != test.overflow || e.Len() != test.entries {
				t.Errorf("%.60s...: overflow %v, %d entries", test.document, e.Overflow, e.Len())
			}
		}
	}
	if x.Entries(&e, nil); e.Overflow || e.Len() > 0 {
		t.Error("no document has entries")
	}
}

func TestIndexRefusals(t *testing.T) {
	nine := `"a,b,c,d,e,f,g,h,i"`
	for _, test := range []struct{ keys, partial, code, path string }{
		{``, ``, CodeIndexInvalid, "/keys"},
		{`{}`, ``, CodeIndexInvalid, "/keys"},
		{`"_id"`, ``, CodeIndexInvalid, "/keys"},
		{nine, ``, CodeIndexInvalid, "/keys"},
		{`{"a":2}`, ``, CodeIndexInvalid, "/keys/a"},
		{`{"a":"2dsphere"}`, ``, CodeIndexInvalid, "/keys/a"},
		{`["a","b"]`, ``, CodeIndexInvalid, "/keys/0"},
		{`"a,a"`, ``, CodeIndexInvalid, "/keys"},
		{`5`, ``, CodeIndexInvalid, "/keys"},
		{`"a..b"`, ``, CodeIndexInvalid, "/keys"},
		{`"a"`, `{"a":{"$gr":1}}`, CodeOperatorUnknown, "/partial/a/$gr"},
		{`"a"`, `{"at":{"$near":[1,2]}}`, CodeIndexInvalid, "/partial"},
	} {
		_, err := CompileIndex(IndexSpec{Keys: []byte(test.keys), Partial: []byte(test.partial)}, Limits{})
		if test.keys == "" {
			_, err = CompileIndex(IndexSpec{}, Limits{})
		} else if test.partial == "" {
			_, err = CompileIndex(IndexSpec{Keys: []byte(test.keys)}, Limits{})
		}
		bad, ok := err.(*Error)
		if !ok || bad.Code != test.code || bad.Path != test.path || strings.Contains(bad.Detail, "sort") {
			t.Errorf("keys %s, partial %s: %v, want %s at %s", test.keys, test.partial, err, test.code, test.path)
		}
	}
}

// FuzzSortPartLength reads the parts of sort keys back, and must survive bytes that are none.
func FuzzSortPartLength(f *testing.F) {
	for _, text := range []string{`1`, `-1.5`, `"a"`, `{"a":[1,{"b":null}]}`, `[[],{}]`, `{"$numberDecimal":"-0.1"}`, `{"$numberDecimal":"1e99"}`,
		`{"$binary":{"base64":"AAAA","subType":"00"}}`, `{"$oid":"0123456789abcdef01234567"}`, `{"$regularExpression":{"pattern":"a","options":"i"}}`} {
		f.Add([]byte(text), []byte{0x20, 'a'})
	}
	f.Fuzz(func(t *testing.T, text, garbage []byte) {
		if n, ok := sortPartLength(garbage, len(text)%2 == 0); ok && n > len(garbage) {
			t.Errorf("%x has a part of %d bytes", garbage, n)
		}
		d, err := ParseValue(text, Limits{})
		if err != nil {
			return
		}
		for _, descending := range []bool{false, true} {
			part := (&sortKey{descending: descending}).appendPart(nil, d.Root(), false)
			if n, ok := sortPartLength(append(bytes.Clone(part), garbage...), descending); !ok || n != len(part) {
				t.Errorf("%s, descending %v: %d, %v, want %d", text, descending, n, ok, len(part))
			}
		}
	})
}

// Which plans count by entries alone.
func TestIndexPlansCount(t *testing.T) {
	list := func(from, to int) string {
		var values []string
		for i := from; i < to; i++ {
			values = append(values, fmt.Sprint(i))
		}
		return `{"$in":[` + strings.Join(values, ",") + `]}`
	}
	for _, test := range []struct {
		keys, partial, filter string
		multikey              uint64
		want                  bool
	}{
		{`a`, ``, `{}`, 0, true},
		{`a`, ``, `{}`, 1, false},
		{`a`, ``, `{"a":5}`, 0, true},
		{`a`, ``, `{"a":null}`, 0, true},
		{`a`, ``, `{"a":{"$gt":1,"$lte":5}}`, 0, true},
		{`a`, ``, `{"$or":[{"a":1},{"a":{"$gt":7}}]}`, 0, true},
		{`a`, ``, `{"a":{"$in":[1,2,"x"]}}`, 0, true},
		{`a`, ``, `{"a":{"$in":[1,[2]]}}`, 0, false},
		{`a`, ``, `{"a":[1]}`, 0, false}, // an entry holds a part of an array
		{`a`, ``, `{"a":{"$exists":true}}`, 0, false},
		{`a`, ``, `{"a":{"$exists":false}}`, 0, false},
		{`a`, ``, `{"a":{"$regex":"^x"}}`, 0, false},
		{`a`, ``, `{"a":5,"b":1}`, 0, false},
		{`a`, ``, `{"a":5}`, 1, true}, // one value, which a document has once
		{`a`, ``, `{"a":{"$in":[5,6]}}`, 1, false},
		{`a`, ``, `{"a":{"$gt":5}}`, 1, false},
		{`a`, ``, `{"a":{"$all":[5,6]}}`, 1, false},
		{`a`, ``, `{"a":{"$elemMatch":{"$gt":5}}}`, 0, false},
		{`a,b`, ``, `{"a":5}`, 0, true},
		{`a,b`, ``, `{"a":5}`, 1, false},
		{`a,b`, ``, `{"a":5,"b":6}`, 3, true},
		{`a,b`, ``, `{"a":5,"b":{"$gt":6}}`, 0, true},
		{`a,b`, ``, `{"a":{"$gt":5},"b":6}`, 0, false}, // b narrows nothing behind a range
		{`-a,-b`, ``, `{"a":{"$in":[5,6]},"b":{"$lt":6}}`, 0, true},
		{`a`, `{"b":1}`, `{"a":5,"b":1}`, 0, true},
		{`a`, `{"b":1}`, `{"b":1}`, 0, true},
		{`a`, `{"b":{"$gt":3}}`, `{"a":5,"b":{"$gt":4}}`, 0, false},
		{`a`, `{"b":{"$gt":3},"c":1}`, `{"a":5,"b":{"$gt":3},"c":1}`, 0, true},
		{`a`, ``, `{"a":` + list(0, MaxInValues) + `}`, 0, true},
		{`a`, ``, `{"$or":[{"a":` + list(0, 1500) + `},{"a":` + list(2000, 3500) + `}]}`, 0, false}, // one range spans too many
		{`a,b`, ``, `{"a":` + list(0, 50) + `,"b":` + list(0, 50) + `}`, 0, false},                  // too many pairs
		{`a`, ``, `{"$alwaysFalse":1}`, 1, true},
	} {
		q := compileQuery(t, test.filter, "")
		plan, ok := compileIndex(t, quoted(test.keys), test.partial).Plan(q, test.multikey)
		if got := ok && plan.Exact; got != test.want {
			t.Errorf("index %s %s, multikey %b, filter %.80s: exact %v", test.keys, test.partial, test.multikey, test.filter, got)
		}
	}
}
