package matcher

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestUpdateApply(t *testing.T) {
	rows := []struct{ before, update, want string }{
		{`{"a":1}`, `{"$set":{"a":2}}`, `{"a":2}`},
		{`{"a":1,"b":2}`, `{"$set":{"c":[1],"a":{"x":1}}}`, `{"a":{"x":1},"b":2,"c":[1]}`},
		{`{"a":1}`, `{"$set":{"b.c.d":5,"b.e":6}}`, `{"a":1,"b":{"c":{"d":5},"e":6}}`},
		{`{"a":{"b":1}}`, `{"$set":{"a.c":2},"$unset":{"a.b":""},"$inc":{"a.n":3}}`, `{"a":{"c":2,"n":3}}`},
		{`{"a":[1,2,3]}`, `{"$set":{"a.1":"x"}}`, `{"a":[1,"x",3]}`},
		{`{"a":[1]}`, `{"$set":{"a.3":"x"}}`, `{"a":[1,null,null,"x"]}`},
		{`{"a":[{"b":1}]}`, `{"$inc":{"a.0.b":1,"a.1.b":5}}`, `{"a":[{"b":2},{"b":5}]}`},
		{`{"a":[1,2,3]}`, `{"$unset":{"a.1":1,"a.7":1,"a.x":1}}`, `{"a":[1,null,3]}`},
		{`{}`, `{"$set":{"a.0":"x"}}`, `{"a":{"0":"x"}}`},
		{`{"a":{"0":1}}`, `{"$set":{"a.0":"x"}}`, `{"a":{"0":"x"}}`},
		{`{"a":1}`, `{"$unset":{"b.c":1,"a.b":1,"x":1}}`, `{"a":1}`},
		{`{"a":1}`, `{"$unset":{"a":1}}`, `{}`},
		{`{"a":1}`, `{"$inc":{"a":1.5}}`, `{"a":2.5}`},
		{`{"a":{"$numberInt":"1"}}`, `{"$inc":{"a":{"$numberInt":"1"}}}`, `{"a":{"$numberInt":"2"}}`},
		{`{"a":9007199254740991}`, `{"$inc":{"a":1}}`, `{"a":{"$numberLong":"9007199254740992"}}`},
		{`{"a":1}`, `{"$set":{}}`, `{"a":1}`},
		{`{"_id":"p","_rev":"1-x","_createdAt":1,"_updatedAt":2,"_acl":{"r":1},"a":1}`, `{"$inc":{"a":1}}`, `{"_id":"p","_acl":{"r":1},"a":2}`},
		{`{"_id":"p"}`, `{"$set":{"_acl":{"r":1}}}`, `{"_id":"p","_acl":{"r":1}}`},
		{`{"_acl":{"r":{"u":1}}}`, `{"$set":{"_acl.r.v":1}}`, `{"_acl":{"r":{"u":1,"v":1}}}`},
		{`{"a":{"_id":1}}`, `{"$set":{"a._id":2}}`, `{"a":{"_id":2}}`},
		{`{"d":{"$date":{"$numberLong":"0"}},"a":1,"a":2}`, `{"$set":{"x":1}}`, `{"d":{"$date":"1970-01-01T00:00:00Z"},"a":2,"x":1}`},
		{``, `{"$set":{"a.b":1},"$inc":{"n":2},"$unset":{"z":1}}`, `{"a":{"b":1},"n":2}`},
	}
	for _, row := range rows {
		u, err := ParseUpdate([]byte(row.update), nil, Limits{})
		if err != nil {
			t.Errorf("%s: %v", row.update, err)
			continue
		}
		checkApply(t, u, row.before, row.update, row.want)
	}
}

func checkApply(t *testing.T, u *Update, before, update, want string) {
	t.Helper()
	var d *Document
	if before != "" {
		d = mustParse(t, before)
	}
	after, changed, err := u.Apply(d, updateNow, Limits{})
	if err != nil {
		t.Errorf("%s of %s: %v", update, before, err)
		return
	}
	if got := string(after.Text()); got != want {
		t.Errorf("%s makes %s of %s, want %s", update, got, before, want)
	}
	if wantChanged := d == nil || !SameContent(d, after); changed != wantChanged {
		t.Errorf("%s of %s: changed is %v", update, before, changed)
	}
}

func TestUpdateChanged(t *testing.T) {
	rows := []struct {
		before, update string
		want           bool
	}{
		{`{"a":1}`, `{"$set":{"a":1}}`, false},
		{`{"a":1}`, `{"$set":{"a":1.0}}`, true},
		{`{"a":1}`, `{"$inc":{"a":0}}`, false},
		{`{"a":1}`, `{"$unset":{"b":1}}`, false},
		{`{"a":1,"_updatedAt":{"$date":0}}`, `{"$set":{"a":1}}`, false},
		{`{"a":[1]}`, `{"$set":{"a.1":null}}`, true},
	}
	for _, row := range rows {
		u, err := ParseUpdate([]byte(row.update), nil, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, changed, err := u.Apply(mustParse(t, row.before), 0, Limits{}); err != nil || changed != row.want {
			t.Errorf("%s of %s: changed is %v, %v", row.update, row.before, changed, err)
		}
	}
}

func TestUpdateRefuses(t *testing.T) {
	rows := []struct{ before, text, code, path, word string }{
		{`{}`, `{}`, CodeUpdateInvalid, "", "$set"},
		{`{}`, `{"a":1}`, CodeUpdateInvalid, "/a", "$set"},
		{`{}`, `{"$set":{"a":1},"b":1}`, CodeUpdateInvalid, "/b", "$set"},
		{`{}`, `{"$sett":{"a":1}}`, CodeOperatorUnknown, "/$sett", "did you mean $set"},
		{`{}`, `{"$x":{"a":1}}`, CodeOperatorUnknown, "/$x", "$set, $unset, $inc"},
		{`{}`, `[{"$set":{"a":1}}]`, CodeUpdateInvalid, "", "an array"},
		{`{}`, `{"$set":5}`, CodeUpdateInvalid, "/$set", "an integer"},
		{`{}`, `{"$set":{"_id":"x"}}`, CodeUpdateInvalid, "/$set/_id", "kept by the server"},
		{`{}`, `{"$unset":{"_rev":1}}`, CodeUpdateInvalid, "/$unset/_rev", "kept by the server"},
		{`{}`, `{"$inc":{"_updatedAt.x":1}}`, CodeUpdateInvalid, "/$inc/_updatedAt.x", "kept by the server"},
		{`{}`, `{"$set":{"_meta":1}}`, CodeUpdateInvalid, "/$set/_meta", "kept by the server"},
		{`{}`, `{"$set":{"a":1,"a.b":2}}`, CodeUpdateInvalid, "/$set/a.b", "lies in a"},
		{`{}`, `{"$set":{"a.b":1},"$unset":{"a":2}}`, CodeUpdateInvalid, "/$unset/a", "twice"},
		{`{}`, `{"$set":{"a":1},"$inc":{"a":2}}`, CodeUpdateInvalid, "/$inc/a", "twice"},
		{`{}`, `{"$set":{"a..b":1}}`, CodeUpdateInvalid, "/$set/a..b", "empty name"},
		{`{}`, `{"$set":{"":1}}`, CodeUpdateInvalid, "/$set/", "empty name"},
		{`{}`, `{"$set":{"a.$":1}}`, CodeUpdateInvalid, "/$set/a.$", "no query; use $[]"},
		{`{}`, `{"$set":{"a.$x":1}}`, CodeUpdateInvalid, "/$set/a.$x", "no $"},
		{`{}`, `{"$inc":{"a":"x"}}`, CodeUpdateInvalid, "/$inc/a", "give a number"},
		{`{}`, `{"$inc":{"a":null}}`, CodeUpdateInvalid, "/$inc/a", "give a number"},
		{`{"a":"x"}`, `{"$inc":{"a":1}}`, CodeUpdateInvalid, "/$inc/a", "a string"},
		{`{"a":null}`, `{"$inc":{"a":1}}`, CodeUpdateInvalid, "/$inc/a", "null"},
		{`{"a":9223372036854775807}`, `{"$inc":{"a":1}}`, CodeUpdateInvalid, "/$inc/a", "64 bits"},
		{`{"a":5}`, `{"$set":{"a.b":1}}`, CodeUpdateInvalid, "/$set/a.b", "an integer"},
		{`{"a":null}`, `{"$set":{"a.b":1}}`, CodeUpdateInvalid, "/$set/a.b", "null"},
		{`{"a":[]}`, `{"$set":{"a.b":1}}`, CodeUpdateInvalid, "/$set/a.b", "is an array"},
		{`{"a":[]}`, `{"$set":{"a.01":1}}`, CodeUpdateInvalid, "/$set/a.01", "is an array"},
		{`{"a":[]}`, `{"$set":{"a.10001":1}}`, CodeUpdateInvalid, "/$set/a.10001", "MaxArrayPadding"},
		{`{}`, `{"$set":{"` + strings.Repeat("a.", 100) + `a":1}}`, CodeDocumentTooLarge, "/$set/" + strings.Repeat("a.", 100) + "a", "MaxDocumentDepth"},
	}
	for _, row := range rows {
		u, err := ParseUpdate([]byte(row.text), nil, Limits{})
		if err == nil {
			_, _, err = u.Apply(mustParse(t, row.before), 0, Limits{})
		}
		wantError(t, row.text+" of "+row.before, err, row.code, row.path, row.word)
	}
}

// TestUpdatePaddingIsBounded: many arrays that are padded a little each stop at the document's limit.
func TestUpdatePaddingIsBounded(t *testing.T) {
	document, update := &strings.Builder{}, &strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(document, ",[]")
		fmt.Fprintf(update, `,"a.%d.9999":1`, i)
	}
	u, err := ParseUpdate([]byte(`{"$set":{`+update.String()[1:]+`}}`), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d := mustParse(t, `{"a":[`+document.String()[1:]+`]}`)
	_, _, err = u.Apply(d, 0, Limits{MaxDocumentBytes: 200_000})
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeDocumentTooLarge || e.Limit != 200_000 {
		t.Errorf("error is %v, want the document's limit", err)
	}
}

func TestMergePatch(t *testing.T) {
	// The cases of RFC 7396, appendix A, whose target and patch are objects, and ours for types and metadata.
	rows := []struct{ before, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":{"$date":"2026-01-01T00:00:00Z"}}`, `{"a":{"$numberInt":"5"}}`, `{"a":{"$numberInt":"5"}}`},
		{`{"_id":"p","_rev":"1-x","_acl":{"r":1},"a":1}`, `{"_acl":null}`, `{"_id":"p","a":1}`},
		{``, `{"a":{"b":null,"c":1}}`, `{"a":{"c":1}}`},
	}
	for _, row := range rows {
		u, err := ParseMergePatch([]byte(row.patch), Limits{})
		if err != nil {
			t.Errorf("%s: %v", row.patch, err)
			continue
		}
		checkApply(t, u, row.before, row.patch, row.want)
	}
	_, err := ParseMergePatch([]byte(`[]`), Limits{})
	wantError(t, "[]", err, CodeUpdateInvalid, "", "an array")
	_, err = ParseMergePatch([]byte(`{"_rev":null}`), Limits{})
	wantError(t, "_rev", err, CodeUpdateInvalid, "/_rev", "kept by the server")
}

func naiveMerge(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for name, v := range p {
		if v == nil {
			delete(t, name)
		} else {
			t[name] = naiveMerge(t[name], v)
		}
	}
	return t
}

// randomJSON makes plain JSON: objects with few names, so that paths meet, arrays, small integers, strings.
func randomJSON(r *rand.Rand, depth int) string {
	pick := r.IntN(6)
	if depth <= 0 {
		pick = 2 + r.IntN(4)
	}
	switch pick {
	case 0:
		var parts []string
		for _, i := range r.Perm(5)[:r.IntN(4)] {
			parts = append(parts, fmt.Sprintf("%q:%s", []string{"a", "b", "c", "0", "1"}[i], randomJSON(r, depth-1)))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case 1:
		var parts []string
		for range r.IntN(3) {
			parts = append(parts, randomJSON(r, depth-1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case 2:
		return "null"
	case 3:
		return `"s"`
	}
	return strconv.Itoa(r.IntN(5))
}

func randomJSONObject(r *rand.Rand) string {
	for {
		if text := randomJSON(r, 3); text[0] == '{' {
			return text
		}
	}
}

func decodeJSON(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func checkMerge(t *testing.T, r *rand.Rand) {
	t.Helper()
	before, patch := randomJSONObject(r), randomJSONObject(r)
	u, err := ParseMergePatch([]byte(patch), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
	after, _, err := u.Apply(mustParse(t, before), 0, Limits{})
	if err != nil {
		t.Fatalf("%s of %s: %v", patch, before, err)
	}
	if want := naiveMerge(decodeJSON(t, []byte(before)), decodeJSON(t, []byte(patch))); !reflect.DeepEqual(decodeJSON(t, after.Text()), want) {
		t.Fatalf("%s makes %s of %s, want %v", patch, after.Text(), before, want)
	}
}

// TestUpdateWide takes the paths that look names up in a map.
func TestUpdateWide(t *testing.T) {
	document, update, want := &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
	for i := range 100 {
		fmt.Fprintf(document, `,"f%d":%d`, i, i)
		fmt.Fprintf(update, `,"f%d":%d`, i*2, i)
		if i%2 == 0 {
			fmt.Fprintf(want, `,"f%d":%d`, i, i/2)
		} else {
			fmt.Fprintf(want, `,"f%d":%d`, i, i)
		}
	}
	for i := 50; i < 100; i++ {
		fmt.Fprintf(want, `,"f%d":%d`, i*2, i)
	}
	before, patch, after := "{"+document.String()[1:]+"}", "{"+update.String()[1:]+"}", "{"+want.String()[1:]+"}"
	u, err := ParseUpdate([]byte(`{"$set":`+patch+`}`), nil, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	checkApply(t, u, before, patch, after)
	if u, err = ParseMergePatch([]byte(patch), Limits{}); err != nil {
		t.Fatal(err)
	}
	checkApply(t, u, before, patch, after)
}

func parsePlainUpdate(text []byte, limits Limits) (*Update, error) {
	return ParseUpdate(text, nil, limits)
}

func FuzzUpdate(f *testing.F) {
	f.Add([]byte(`{"$set":{"a.b":1},"$inc":{"c":2}}`), []byte(`{"a":{"x":1},"c":{"$numberDecimal":"1.5"}}`), uint64(1))
	f.Add([]byte(`{"a":{"b":null},"c":[1]}`), []byte(`{"a":{"b":1}}`), uint64(2))
	f.Add([]byte(`{"$unset":{"a.0":1}}`), []byte(`{"a":[1,2],"a":[3]}`), uint64(3))
	f.Add([]byte(`{"$push":{"a":{"$each":[1],"$sort":{"x":-1},"$slice":-2,"$position":0}},"$pull":{"b":{"$gt":1}}}`), []byte(`{"a":[{"x":1}],"b":[1,2]}`), uint64(4))
	f.Add([]byte(`{"$set":{"a.$[x].b":1,"a.$[].c":2},"arrayFilters":[{"x.n":{"$gt":1}}]}`), []byte(`{"a":[{"n":1},{"n":2}]}`), uint64(5))
	f.Add([]byte(`{"$rename":{"a":"b.c"},"$mul":{"n":{"$numberDecimal":"1E-6176"}},"$bit":{"m":{"and":6}},"$currentDate":{"t":{"$type":"timestamp"}}}`),
		[]byte(`{"a":1,"n":{"$numberDecimal":"1E+6000"},"m":5}`), uint64(6))
	f.Add([]byte(`{"$addToSet":{"a":{"$each":[1,[1]]}},"$pop":{"b":-1},"$pullAll":{"c":[1]},"$min":{"d":1},"$max":{"e":null},"$setOnInsert":{"f":1}}`),
		[]byte(`{"a":[1],"b":[1],"c":[1]}`), uint64(7))
	f.Fuzz(func(t *testing.T, update, document []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		checkUpdate(t, r)
		checkMerge(t, r)
		d, err := Parse(document, Limits{})
		if err != nil {
			return
		}
		for _, parse := range []func([]byte, Limits) (*Update, error){parsePlainUpdate, ParseMergePatch} {
			u, err := parse(slices.Clone(update), Limits{})
			if err != nil {
				continue
			}
			after, changed, err := u.Apply(d, updateNow, Limits{})
			if err != nil {
				var e *Error
				if !errors.As(err, &e) || e.Code == CodeJSONInvalid {
					t.Fatalf("%s of %s: %v", update, document, err)
				}
				continue
			}
			if changed == SameContent(d, after) {
				t.Fatalf("%s makes %s of %s: changed is %v", update, after.Text(), document, changed)
			}
		}
	})
}
