package matcher

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func mustProject(t testing.TB, text string) *Projection {
	t.Helper()
	p, err := ParseProjection([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestProjection(t *testing.T) {
	const d = `{"_id":"p","_rev":"1-x","a":{"b":1,"c":{"d":2,"e":3}},"l":[{"b":1,"c":2},5,[{"b":3},6],{}],"s":"x","n":null}`
	rows := []struct{ fields, want string }{
		{`{}`, d},
		{`[]`, d},
		{`{"s":1}`, `{"_id":"p","s":"x"}`},
		{`["s","_rev"]`, `{"_id":"p","_rev":"1-x","s":"x"}`},
		{`{"s":true,"_id":0}`, `{"s":"x"}`},
		{`{"_id":1}`, `{"_id":"p"}`},
		{`["_id"]`, `{"_id":"p"}`},
		{`{"n":1,"missing":1,"s.x":1}`, `{"_id":"p","n":null}`},
		{`{"a.c.d":1}`, `{"_id":"p","a":{"c":{"d":2}}}`},
		{`{"a":{"c":{"d":1}}}`, `{"_id":"p","a":{"c":{"d":2}}}`},
		{`{"a":{"c.d":1,"b":2.5}}`, `{"_id":"p","a":{"b":1,"c":{"d":2}}}`},
		{`{"a.x":1}`, `{"_id":"p","a":{}}`},
		{`{"l.b":1}`, `{"_id":"p","l":[{"b":1},[{"b":3}],{}]}`},
		{`{"l.0":1}`, `{"_id":"p","l":[{},[{}],{}]}`},
		{`{"_id":0}`, strings.Replace(d, `"_id":"p",`, ``, 1)},
		{`{"a":0,"l":false}`, `{"_id":"p","_rev":"1-x","s":"x","n":null}`},
		{`{"a":0,"l":0,"_rev":0,"_id":0}`, `{"s":"x","n":null}`},
		{`{"a":0,"l":0,"_id":1}`, `{"_id":"p","_rev":"1-x","s":"x","n":null}`},
		{`{"a.c.d":0,"l":0,"_rev":0,"s.x":0}`, `{"_id":"p","a":{"b":1,"c":{"e":3}},"s":"x","n":null}`},
		{`{"l.b":0,"a":0,"s":0,"n":0,"_rev":0}`, `{"_id":"p","l":[{"c":2},5,[{},6],{}]}`},
		{`["s","s"]`, `{"_id":"p","s":"x"}`},
	}
	for _, row := range rows {
		p := mustProject(t, row.fields)
		if got := string(p.AppendDocument(nil, mustParse(t, d), ValuesRelaxed)); got != row.want {
			t.Errorf("%s shows %s, want %s", row.fields, got, row.want)
		}
	}
}

func TestProjectionNormal(t *testing.T) {
	rows := [][]string{
		{`{}`, `[]`},
		{`{"a":1,"b":1}`, `["b","a"]`, `{"b":true,"a":2,"_id":1}`, `["a","_id","b","a"]`},
		{`{"a.b":1,"a.c":1}`, `{"a":{"c":1,"b":1}}`},
		{`{"a":1,"b":1,"_id":0}`},
		{`{"a":0}`, `{"a":false,"_id":true}`},
		{`{"_id":0}`},
		{`{"_id":1}`, `["_id"]`},
		{`{"a":0,"_id":0}`},
		{`{"a,b":1}`},
	}
	seen := map[string]int{}
	for i, row := range rows {
		for _, text := range row {
			normal := mustProject(t, text).Normal()
			if j, ok := seen[normal]; ok && j != i {
				t.Errorf("%s has the normal form %s of row %d", text, normal, j)
			}
			seen[normal] = i
		}
	}
	if len(seen) != len(rows) {
		t.Errorf("%d normal forms, want %d: %v", len(seen), len(rows), seen)
	}
}

func TestProjectionRefuses(t *testing.T) {
	rows := []struct{ text, code, path, word string }{
		{`5`, CodeQueryInvalid, "", "an integer"},
		{`{"a":1,"b":0}`, CodeQueryInvalid, "/b", "shows a and leaves out b"},
		{`{"a":1,"a.b":1}`, CodeQueryInvalid, "/a.b", "a.b"},
		{`{"a.b":0,"a":0}`, CodeQueryInvalid, "/a", "exclude each other"},
		{`["a",5]`, CodeQueryInvalid, "/1", "names"},
		{`["a..b"]`, CodeQueryInvalid, "/0", "empty name"},
		{`{"":1}`, CodeQueryInvalid, "/", "empty name"},
		{`{"a":"x"}`, CodeQueryInvalid, "/a", "a string"},
		{`{"a":{}}`, CodeQueryInvalid, "/a", "an object"},
		{`{"a":{"$slice":5}}`, CodeOperatorUnknown, "/a/$slice", "$slice"},
		{`{"a":{"$elemMatch":{"b":1}}}`, CodeOperatorUnknown, "/a/$elemMatch", "$elemMatch"},
		{`{"a.$":1}`, CodeOperatorUnknown, "/a.$", "$"},
		{`["a.$"]`, CodeOperatorUnknown, "/0", "$"},
		{`["a\u0000"]`, CodeQueryInvalid, "/0", "U+0000"},
		{`{"a":`, CodeJSONInvalid, "/a", "ends"},
		{`["` + strings.Repeat("a.", 100) + `a"]`, CodeQueryTooLarge, "/0", "MaxDocumentDepth"},
		{`["` + strings.Repeat("a", 65<<10) + `"]`, CodeQueryTooLarge, "", "MaxQueryBytes"},
		{`[` + strings.Repeat(`"a",`, 4096) + `"a"]`, CodeQueryTooLarge, "/4096", "MaxQueryNodes"},
	}
	for _, row := range rows {
		_, err := ParseProjection([]byte(row.text), Limits{})
		wantError(t, shorten([]byte(row.text)), err, row.code, row.path, row.word)
	}
}

// projectModel is the projection written down naively. An element that is not shown is nil.
func projectModel(m *valueModel, paths []string, exclude bool) *valueModel {
	switch m.kind {
	case KindObject:
		out := &valueModel{kind: KindObject}
		for i, name := range m.names {
			var below []string
			whole := false
			for _, path := range paths {
				first, rest, deeper := strings.Cut(path, ".")
				if first == name && deeper {
					below = append(below, rest)
				}
				whole = whole || first == name && !deeper
			}
			child := m.children[i]
			switch {
			case whole && exclude || !whole && below == nil && !exclude:
				continue
			case below != nil:
				if child = projectModel(child, below, exclude); child == nil {
					continue
				}
			}
			out.names, out.children = append(out.names, name), append(out.children, child)
		}
		return out
	case KindArray:
		out := &valueModel{kind: KindArray}
		for _, child := range m.children {
			if child = projectModel(child, paths, exclude); child != nil {
				out.children = append(out.children, child)
			}
		}
		return out
	}
	if exclude {
		return m
	}
	return nil
}

var projectionPaths = []string{"a", "a.a", "a.b", "a.ab.c", "b", "b.a", "c.0", "ab.a.a", "ä", "1", "longer name of a field"}

// checkProjection makes a projection and two documents of a seed and compares with the naive one.
func checkProjection(t *testing.T, r *rand.Rand) {
	t.Helper()
	exclude := r.IntN(2) == 0
	var paths, parts []string
	for _, i := range r.Perm(len(projectionPaths))[:1+r.IntN(4)] {
		path := projectionPaths[i]
		if slices.ContainsFunc(paths, func(o string) bool { return strings.HasPrefix(path, o+".") || strings.HasPrefix(o, path+".") }) {
			continue
		}
		paths = append(paths, path)
		parts = append(parts, fmt.Sprintf("%q:%d", path, map[bool]int{true: 0, false: 1}[exclude]))
	}
	p := mustProject(t, "{"+strings.Join(parts, ",")+"}")
	if !exclude {
		paths = append(paths, "_id")
	}
	textA, a := randomObjectModel(r, 4)
	textB, b := randomObjectModel(r, 4)
	if r.IntN(2) == 0 { // a document and one that has some fields more
		b = &valueModel{kind: KindObject, names: slices.Clone(a.names), children: slices.Clone(a.children)}
		textB = strings.TrimSuffix(textA, "}")
		for _, name := range []string{"new", "b"} {
			if !slices.Contains(b.names, name) && r.IntN(2) == 0 {
				b.names, b.children = append(b.names, name), append(b.children, &valueModel{kind: KindNull})
				if textB != "{" {
					textB += ","
				}
				textB += fmt.Sprintf("%q:null", name)
			}
		}
		textB += "}"
	}
	x, y := mustParse(t, textA), mustParse(t, textB)
	shownX, shownY := string(p.AppendDocument(nil, x, ValuesCanonical)), string(p.AppendDocument(nil, y, ValuesCanonical))
	checkModel(t, mustParseValue(t, shownX), projectModel(a, paths, exclude))
	checkModel(t, mustParseValue(t, shownY), projectModel(b, paths, exclude))
	if got, want := p.Same(x, y), shownX == shownY; got != want {
		t.Fatalf("%s: %s and %s look the same: %v, want %v", p.Normal(), textA, textB, got, want)
	}
}

func TestProjectionAgreesWithModel(t *testing.T) {
	r := newSeed(t)
	for range 1500 {
		checkProjection(t, r)
	}
}

func FuzzProjection(f *testing.F) {
	f.Add([]byte(`{"a.b":1,"_id":0}`), uint64(1))
	f.Add([]byte(`{"a":{"b":0}}`), uint64(2))
	f.Add([]byte(`["a","b.a"]`), uint64(3))
	f.Add([]byte(`{"_id":1}`), uint64(4))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		checkProjection(t, r)
		p, err := ParseProjection(text, Limits{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		document, _ := randomObjectModel(r, 3)
		d := mustParse(t, document)
		shown := mustParse(t, string(p.AppendDocument(nil, d, ValuesCanonical)))
		if again := string(p.AppendDocument(nil, shown, ValuesCanonical)); again != string(shown.Text()) {
			t.Fatalf("%q shows %s, then %s", text, shown.Text(), again)
		}
		if !p.Same(d, shown) {
			t.Fatalf("%q: %s does not look like what is shown of it", text, document)
		}
	})
}
