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
	p, err := ParseProjection([]byte(text), nil, Limits{})
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
		{`{"_id":0}`, `{"a":{"b":1,"c":{"d":2,"e":3}},"l":[{"b":1,"c":2},5,[{"b":3},6],{}],"s":"x","n":null}`},
		{`{"a":0,"l":false}`, `{"_id":"p","s":"x","n":null}`},
		{`{"a":0,"l":0,"_rev":1}`, `{"_id":"p","_rev":"1-x","s":"x","n":null}`},
		{`{"a":0,"l":0,"_rev":0,"_id":0}`, `{"s":"x","n":null}`},
		{`{"a":0,"l":0,"_id":1}`, `{"_id":"p","s":"x","n":null}`},
		{`{"_rev":1}`, `{"_id":"p","_rev":"1-x"}`},
		{`{"s":1,"_rev":0}`, `{"_id":"p","s":"x"}`},
		{`{"a.c.d":0,"l":0,"s.x":0}`, `{"_id":"p","a":{"b":1,"c":{"e":3}},"s":"x","n":null}`},
		{`{"l.b":0,"a":0,"s":0,"n":0}`, `{"_id":"p","l":[{"c":2},5,[{},6],{}]}`},
		{`["s","s"]`, `{"_id":"p","s":"x"}`},
	}
	for _, row := range rows {
		p := mustProject(t, row.fields)
		if got := string(p.AppendDocument(nil, mustParse(t, d), ValuesRelaxed)); got != row.want {
			t.Errorf("%s shows %s, want %s", row.fields, got, row.want)
		}
	}
}

// TestProjectionArrays: the cases of the manual's pages on $slice and $elemMatch.
func TestProjectionArrays(t *testing.T) {
	const d = `{"_id":"p","_rev":"1-x","n":1,"l":[5,1,7,2],"o":{"m":[1,2,3],"x":9},"s":[{"g":1,"k":[{"v":1},{"v":2}]},{"g":2,"k":[]},{"g":2,"z":0},4,[1,6]],"e":[]}`
	rows := []struct{ fields, want string }{
		{`{"l":{"$slice":2},"o":0,"s":0}`, `{"_id":"p","n":1,"l":[5,1],"e":[]}`},
		{`{"l":{"$slice":2}}`, `{"_id":"p","n":1,"l":[5,1],"o":{"m":[1,2,3],"x":9},"s":[{"g":1,"k":[{"v":1},{"v":2}]},{"g":2,"k":[]},{"g":2,"z":0},4,[1,6]],"e":[]}`},
		{`{"l":{"$slice":2},"n":1}`, `{"_id":"p","n":1,"l":[5,1]}`},
		{`{"l":{"$slice":2},"_id":1}`, `{"_id":"p","l":[5,1]}`},
		{`{"l":{"$slice":-1},"n":1,"_id":0}`, `{"n":1,"l":[2]}`},
		{`{"l":{"$slice":0},"n":1}`, `{"_id":"p","n":1,"l":[]}`},
		{`{"l":{"$slice":9},"n":1}`, `{"_id":"p","n":1,"l":[5,1,7,2]}`},
		{`{"l":{"$slice":-9},"n":1}`, `{"_id":"p","n":1,"l":[5,1,7,2]}`},
		{`{"l":{"$slice":[1,2]},"n":1}`, `{"_id":"p","n":1,"l":[1,7]}`},
		{`{"l":{"$slice":[-2,1]},"n":1}`, `{"_id":"p","n":1,"l":[7]}`},
		{`{"l":{"$slice":[-9,1]},"n":1}`, `{"_id":"p","n":1,"l":[5]}`},
		{`{"l":{"$slice":[9,1]},"n":1}`, `{"_id":"p","n":1,"l":[]}`},
		{`{"l":{"$slice":[1,9223372036854775807]},"n":1}`, `{"_id":"p","n":1,"l":[1,7,2]}`},
		{`{"l":{"$slice":[-9223372036854775808,1]},"n":1}`, `{"_id":"p","n":1,"l":[5]}`},
		{`{"l":{"$slice":-9223372036854775808},"n":1}`, `{"_id":"p","n":1,"l":[5,1,7,2]}`},
		{`{"n":{"$slice":1},"e":{"$slice":1},"missing":{"$slice":1},"_id":1}`, `{"_id":"p","n":1,"e":[]}`},
		{`{"o.m":{"$slice":1},"l":0,"s":0,"e":0}`, `{"_id":"p","n":1,"o":{"m":[1],"x":9}}`},
		{`{"o.m":{"$slice":1},"n":1}`, `{"_id":"p","n":1,"o":{"m":[1]}}`},
		{`{"o":{"m":{"$slice":-1},"x":1}}`, `{"_id":"p","o":{"m":[3],"x":9}}`},
		{`{"s.k":{"$slice":1},"n":0,"l":0,"o":0,"e":0}`, `{"_id":"p","s":[{"g":1,"k":[{"v":1}]},{"g":2,"k":[]},{"g":2,"z":0},4,[1,6]]}`},
		{`{"s.k":{"$slice":-1},"n":1}`, `{"_id":"p","n":1,"s":[{"k":[{"v":2}]},{"k":[]},{},[]]}`},
		{`{"s.k":{"$slice":-1},"n":0,"l":0,"o":0,"e":0}`, `{"_id":"p","s":[{"g":1,"k":[{"v":2}]},{"g":2,"k":[]},{"g":2,"z":0},4,[1,6]]}`},
		{`{"l":{"$elemMatch":{"$gt":5}}}`, `{"_id":"p","l":[7]}`},
		{`{"l":{"$elemMatch":{"$gt":50}},"n":1}`, `{"_id":"p","n":1}`},
		{`{"s":{"$elemMatch":{"g":2}},"_id":0}`, `{"s":[{"g":2,"k":[]}]}`},
		{`{"s":{"$elemMatch":{"g":2,"z":0}}}`, `{"_id":"p","s":[{"g":2,"z":0}]}`},
		{`{"s":{"$elemMatch":{"k.v":2}},"l":{"$slice":1}}`, `{"_id":"p","l":[5],"s":[{"g":1,"k":[{"v":1},{"v":2}]}]}`},
		{`{"s":{"$elemMatch":{"1":6}}}`, `{"_id":"p","s":[[1,6]]}`},
		{`{"n":{"$elemMatch":{"$gt":0}},"e":{"$elemMatch":{"$gt":0}},"o":{"$elemMatch":{"x":9}}}`, `{"_id":"p"}`},
		{`{"l":{"$elemMatch":{"z":null}}}`, `{"_id":"p"}`},
		{`{"l":{"$elemMatch":{"$not":{"$gt":1}}}}`, `{"_id":"p","l":[1]}`},
	}
	for _, row := range rows {
		p := mustProject(t, row.fields)
		if got := string(p.AppendDocument(nil, mustParse(t, d), ValuesRelaxed)); got != row.want {
			t.Errorf("%s shows %s, want %s", row.fields, got, row.want)
		}
	}
}

// TestProjectionSame: a change of what is not shown is none.
func TestProjectionSame(t *testing.T) {
	const d = `{"_id":"p","_rev":"1-x","_updatedAt":5,"a":1,"big":"x","l":[1,2,3],"s":[{"g":1,"n":0},{"g":1,"n":1}]}`
	rows := []struct {
		fields, from, to string
		want             bool
	}{
		{`{"big":0}`, `"big":"x"`, `"big":"y"`, true},
		{`{"big":0}`, `"1-x"`, `"2-y"`, true},
		{`{"big":0,"_rev":1}`, `"1-x"`, `"2-y"`, false},
		{`{"big":0}`, `"a":1`, `"a":2`, false},
		{`{"big":0}`, `"a":1`, `"a":1.0`, false},
		{`{"l":{"$slice":2}}`, `[1,2,3]`, `[1,2,4,5]`, true},
		{`{"l":{"$slice":2}}`, `[1,2,3]`, `[1,3,3]`, false},
		{`{"l":{"$slice":2}}`, `"a":1`, `"a":2`, false},
		{`{"l":{"$slice":-2}}`, `[1,2,3]`, `[0,0,2,3]`, true},
		{`{"l":{"$slice":-2}}`, `[1,2,3]`, `[1,2,3,4]`, false},
		{`{"l":{"$slice":[1,1]}}`, `[1,2,3]`, `[7,2]`, true},
		{`{"l":{"$slice":[1,1]}}`, `[1,2,3]`, `[1]`, false},
		{`{"l":{"$slice":1}}`, `[1,2,3]`, `1`, false},
		{`{"s":{"$elemMatch":{"g":1}}}`, `{"g":1,"n":1}`, `{"g":1,"n":7}`, true},
		{`{"s":{"$elemMatch":{"g":1}}}`, `{"g":1,"n":0}`, `{"g":1,"n":7}`, false},
		{`{"s":{"$elemMatch":{"g":1}}}`, `{"g":1,"n":0}`, `{"g":2,"n":0}`, false},
		{`{"s":{"$elemMatch":{"g":1}}}`, `[{"g":1,"n":0},`, `[7,{"g":2,"n":0},{"g":1,"n":0},`, true},
		{`{"s":{"$elemMatch":{"g":1}}}`, `"a":1`, `"a":2`, true},
	}
	for _, row := range rows {
		p, changed := mustProject(t, row.fields), strings.Replace(d, row.from, row.to, 1)
		if changed == d {
			t.Fatalf("%s is not in the document", row.from)
		}
		if got := p.Same(mustParse(t, d), mustParse(t, changed)); got != row.want {
			t.Errorf("%s: %s and %s look the same: %v, want %v", row.fields, d, changed, got, row.want)
		}
	}
}

func TestProjectionNormal(t *testing.T) {
	rows := [][]string{
		{`{}`, `[]`},
		{`{"a":1,"b":1}`, `["b","a"]`, `{"b":true,"a":2,"_id":1}`, `["a","_id","b","a"]`},
		{`{"a.b":1,"a.c":1}`, `{"a":{"c":1,"b":1}}`},
		{`{"a":1,"b":1,"_id":0}`},
		{`{"a":0}`, `{"a":false,"_id":true}`, `{"a":0,"_rev":0}`},
		{`{"a":0,"_rev":1}`},
		{`{"_rev":1}`, `["_id","_rev"]`},
		{`{"_rev":0}`, `{"_acl.r":0}`},
		{`{"a":{"$slice":2}}`, `{"a":{"$slice":[0,2]}}`, `{"a":{"$slice":2.0},"_rev":0}`},
		{`{"a":{"$slice":-2}}`, `{"a":{"$slice":[-2,2]}}`},
		{`{"a":{"$slice":-2},"b":1}`},
		{`{"a.b":{"$slice":-2}}`, `{"a":{"b":{"$slice":-2}}}`},
		{`{"a":{"$elemMatch":{"b":1,"c":2}}}`, `{"a":{"$elemMatch":{"c":2,"b":{"$eq":1.0}}},"_id":1}`},
		{`{"a":{"$elemMatch":{"$eq":1}}}`, `{"a":{"$elemMatch":{"$in":[1]}}}`},
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
		{`{"a":"$b"}`, CodeQueryInvalid, "/a", "computes nothing"},
		{`{"a":["$b"]}`, CodeQueryInvalid, "/a", "computes nothing"},
		{`{"a":{"$add":["$b",1]}}`, CodeOperatorUnknown, "/a/$add", "computes nothing"},
		{`{"a":{"$literal":1}}`, CodeOperatorUnknown, "/a/$literal", "computes nothing"},
		{`{"$add":[1,2]}`, CodeOperatorUnknown, "/$add", "computes nothing"},
		{`{"a":{"$slice":"x"}}`, CodeQueryInvalid, "/a/$slice", "[skip, limit]"},
		{`{"a":{"$slice":1.5}}`, CodeQueryInvalid, "/a/$slice", "whole number"},
		{`{"a":{"$slice":[1]}}`, CodeQueryInvalid, "/a/$slice", "[skip, limit]"},
		{`{"a":{"$slice":[1,0]}}`, CodeQueryInvalid, "/a/$slice/1", "positive"},
		{`{"a":{"$slice":[1,-1]}}`, CodeQueryInvalid, "/a/$slice/1", "positive"},
		{`{"a":{"$slice":["x",1]}}`, CodeQueryInvalid, "/a/$slice/0", "whole number"},
		{`{"a":{"$slice":1,"b":1}}`, CodeQueryInvalid, "/a/$slice", "alone"},
		{`{"a":{"b":1,"$slice":1}}`, CodeQueryInvalid, "/a/$slice", "alone"},
		{`{"$slice":1}`, CodeQueryInvalid, "/$slice", "below a field"},
		{`{"a":{"$slice":1},"a.b":1}`, CodeQueryInvalid, "/a.b", "exclude each other"},
		{`{"a.b":1,"a":{"b":{"$slice":1}}}`, CodeQueryInvalid, "/a/b", "exclude each other"},
		{`{"a":{"$elemMatch":5}}`, CodeQueryInvalid, "/a/$elemMatch", "an integer"},
		{`{"a":{"$elemMatch":{"b":{"$x":1}}}}`, CodeOperatorUnknown, "/a/$elemMatch/b/$x", "$x"},
		{`{"a.b":{"$elemMatch":{"b":1}}}`, CodeQueryInvalid, "/a.b/$elemMatch", "$slice"},
		{`{"a":{"$elemMatch":{"b":1}},"c":0}`, CodeQueryInvalid, "/c", "shows a and leaves out c"},
		{`{"a":{"$elemMatc":{"b":1}}}`, CodeOperatorUnknown, "/a/$elemMatc", "did you mean $elemMatch"},
		{`{"a":{"$meta":"textScore"}}`, CodeOperatorUnknown, "/a/$meta", "no text search"},
		{`{"a":{"$elemMatch":{"$and":[` + strings.Repeat(`{"b":1},`, 4100) + `{"b":1}]}}}`, CodeQueryTooLarge, "/a/$elemMatch", "MaxQueryNodes"},
		{`{"a.$":1}`, CodeOperatorUnknown, "/a.$", "$elemMatch"},
		{`["a.$"]`, CodeOperatorUnknown, "/0", "$elemMatch"},
		{`["a\u0000"]`, CodeQueryInvalid, "/0", "U+0000"},
		{`{"a":`, CodeJSONInvalid, "/a", "ends"},
		{`["` + strings.Repeat("a.", 100) + `a"]`, CodeQueryTooLarge, "/0", "MaxDocumentDepth"},
		{`["` + strings.Repeat("a", 65<<10) + `"]`, CodeQueryTooLarge, "", "MaxQueryBytes"},
		{`[` + strings.Repeat(`"a",`, 4096) + `"a"]`, CodeQueryTooLarge, "/4096", "MaxQueryNodes"},
	}
	for _, row := range rows {
		_, err := ParseProjection([]byte(row.text), nil, Limits{})
		wantError(t, shorten([]byte(row.text)), err, row.code, row.path, row.word)
	}
}

// modelPath is one path of a projection of the model.
type modelPath struct {
	path    string
	slice   func(list []*valueModel) []*valueModel // $slice, nil if it is not one
	accepts func(m *valueModel) bool               // $elemMatch, likewise
}

// end is what the path's end shows of m, nil if nothing.
func (p modelPath) end(m *valueModel, exclude bool) *valueModel {
	switch {
	case p.slice != nil && m.kind == KindArray:
		return &valueModel{kind: KindArray, children: p.slice(m.children)}
	case p.slice != nil:
		return m
	case p.accepts != nil:
		if i := slices.IndexFunc(m.children, p.accepts); i >= 0 && m.kind == KindArray {
			return &valueModel{kind: KindArray, children: m.children[i : i+1]}
		}
		return nil
	case exclude:
		return nil
	}
	return m
}

// projectModel is the projection written down naively. An element that is not shown is nil.
func projectModel(m *valueModel, paths []modelPath, exclude bool) *valueModel {
	switch m.kind {
	case KindObject:
		out := &valueModel{kind: KindObject}
		for i, name := range m.names {
			child, named := m.children[i], false
			var below []modelPath
			for _, p := range paths {
				first, rest, deeper := strings.Cut(p.path, ".")
				switch {
				case first != name:
				case deeper:
					named = true
					p.path = rest
					below = append(below, p)
				default:
					named = true
					child = p.end(child, exclude)
				}
			}
			if below != nil {
				child = projectModel(child, below, exclude)
			}
			if child != nil && (named || exclude) {
				out.names, out.children = append(out.names, name), append(out.children, child)
			}
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

// randomSlice makes the argument of a $slice.
func randomSlice(r *rand.Rand) (argument string, slice func(list []*valueModel) []*valueModel) {
	skip, limit := r.IntN(7)-3, 1+r.IntN(3)
	if r.IntN(2) == 0 {
		return fmt.Sprint(skip), func(list []*valueModel) []*valueModel {
			if skip < 0 {
				return list[max(len(list)+skip, 0):]
			}
			return list[:min(skip, len(list))]
		}
	}
	return fmt.Sprintf("[%d,%d]", skip, limit), func(list []*valueModel) (out []*valueModel) {
		for i, m := range list {
			from := skip
			if skip < 0 {
				from = max(len(list)+skip, 0)
			}
			if i >= from && i < from+limit {
				out = append(out, m)
			}
		}
		return out
	}
}

// modelMatches are arguments of $elemMatch.
var modelMatches = []struct {
	argument string
	accepts  func(m *valueModel) bool
}{
	{`{"$type":"number"}`, func(m *valueModel) bool { return m.kind >= KindInt32 && m.kind <= KindDecimal }},
	{`{"a":{"$exists":true}}`, func(m *valueModel) bool { return m.kind == KindObject && slices.Contains(m.names, "a") }},
	{`{"$not":{"$type":"number"}}`, func(m *valueModel) bool { return m.kind < KindInt32 || m.kind > KindDecimal }},
}

var projectionPaths = []string{"a", "a.a", "a.b", "a.ab.c", "b", "b.a", "c.0", "ab.a.a", "ä", "1", "longer name of a field"}

// randomProjection makes a projection and the paths that mean the same.
func randomProjection(t *testing.T, r *rand.Rand) (p *Projection, paths []modelPath, exclude bool) {
	t.Helper()
	exclude = r.IntN(2) == 0
	decided := false
	var parts []string
	for _, i := range r.Perm(len(projectionPaths))[:1+r.IntN(4)] {
		path := modelPath{path: projectionPaths[i]}
		if slices.ContainsFunc(paths, func(o modelPath) bool {
			return strings.HasPrefix(path.path, o.path+".") || strings.HasPrefix(o.path, path.path+".")
		}) {
			continue
		}
		argument := []string{"1", "0"}[map[bool]int{true: 1}[exclude]]
		switch pick := r.IntN(6); {
		case pick < 2:
			argument, path.slice = randomSlice(r)
			argument = `{"$slice":` + argument + `}`
		case pick == 2 && !exclude && !strings.Contains(path.path, "."):
			match := modelMatches[r.IntN(len(modelMatches))]
			argument, path.accepts = `{"$elemMatch":`+match.argument+`}`, match.accepts
			decided = true
		default:
			decided = true
		}
		paths = append(paths, path)
		parts = append(parts, fmt.Sprintf("%q:%s", path.path, argument))
	}
	exclude = exclude || !decided
	return mustProject(t, "{"+strings.Join(parts, ",")+"}"), append(paths, modelPath{path: "_id", slice: func(list []*valueModel) []*valueModel { return list }}), exclude
}

// checkProjection makes a projection and two documents of a seed and compares with the naive one.
func checkProjection(t *testing.T, r *rand.Rand) {
	t.Helper()
	p, paths, exclude := randomProjection(t, r)
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
	for range 5000 {
		checkProjection(t, r)
	}
}

func FuzzProjection(f *testing.F) {
	f.Add([]byte(`{"a.b":1,"_id":0}`), uint64(1))
	f.Add([]byte(`{"a":{"b":0}}`), uint64(2))
	f.Add([]byte(`["a","b.a"]`), uint64(3))
	f.Add([]byte(`{"_id":1}`), uint64(4))
	f.Add([]byte(`{"a":{"$slice":[-2,1]},"b.c":0}`), uint64(5))
	f.Add([]byte(`{"a":{"$elemMatch":{"b":{"$gt":1}}},"b":{"$slice":3}}`), uint64(6))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		checkProjection(t, r)
		p, err := ParseProjection(text, nil, Limits{})
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
		if strings.Contains(p.Normal(), "$slice") { // a slice of a slice may be another one
			return
		}
		if again := string(p.AppendDocument(nil, shown, ValuesCanonical)); again != string(shown.Text()) {
			t.Fatalf("%q shows %s, then %s", text, shown.Text(), again)
		}
		if !p.Same(d, shown) {
			t.Fatalf("%q: %s does not look like what is shown of it", text, document)
		}
	})
}
