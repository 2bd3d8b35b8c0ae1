package matcher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return d
}

// wantError checks that err is an *Error with that code and path whose sentence holds all the words.
func wantError(t *testing.T, what string, err error, code, path string, words ...string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%s: error is %v, want one with the code %s", what, err, code)
		return
	}
	if e.Code != code || e.Path != path {
		t.Errorf("%s: code %q, path %q (%s), want %q, %q", what, e.Code, e.Path, e.Detail, code, path)
	}
	for _, word := range words {
		if !strings.Contains(e.Detail, word) {
			t.Errorf("%s: %q does not say %q", what, e.Detail, word)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	rows := []struct{ text, code, path, word string }{
		{``, CodeJSONInvalid, "", "ends at byte 0"},
		{`  `, CodeJSONInvalid, "", "ends at byte 2"},
		{`[]`, CodeDocumentInvalid, "", "an array"},
		{`{"$oid":"0123456789abcdef01234567"}`, CodeDocumentInvalid, "", "an ObjectId"},
		{`{`, CodeJSONInvalid, "", "name in double quotes"},
		{`{a:1}`, CodeJSONInvalid, "", "'a'"},
		{`{"a"}`, CodeJSONInvalid, "", "colon"},
		{`{"a":}`, CodeJSONInvalid, "/a", "a value"},
		{`{"a":1,}`, CodeJSONInvalid, "", "name in double quotes"},
		{`{"a":1 "b":2}`, CodeJSONInvalid, "", "a comma or }"},
		{`{"a":[1,]}`, CodeJSONInvalid, "/a/1", "a value"},
		{`{"a":[1 2]}`, CodeJSONInvalid, "/a", "a comma or ]"},
		{`{"a":[1,{"b/~c":tru}]}`, CodeJSONInvalid, "/a/1/b~1~0c", "true"},
		{`{} x`, CodeJSONInvalid, "", "end of the text"},
		{`{}{}`, CodeJSONInvalid, "", "end of the text"},
		{`{"a":01}`, CodeJSONInvalid, "/a", "superfluous 0"},
		{`{"a":-}`, CodeJSONInvalid, "/a", "a digit"},
		{`{"a":1.}`, CodeJSONInvalid, "/a", "a digit"},
		{`{"a":.5}`, CodeJSONInvalid, "/a", "a value"},
		{`{"a":1e}`, CodeJSONInvalid, "/a", "a digit"},
		{`{"a":+1}`, CodeJSONInvalid, "/a", "a value"},
		{`{"a":NaN}`, CodeJSONInvalid, "/a", "a value"},
		{`{"a":1e999}`, CodeJSONInvalid, "/a", "range of a double"},
		{`{"a":"x}`, CodeJSONInvalid, "/a", "closing quote"},
		{"{\"a\":\"\n\"}", CodeJSONInvalid, "/a", "U+000A"},
		{"{\"a\":\"\\t\n\"}", CodeJSONInvalid, "/a", "U+000A"},
		{"{\"a\":\"\xff\"}", CodeJSONInvalid, "/a", "UTF-8"},
		{"{\"a\":\"\\n\xff\"}", CodeJSONInvalid, "/a", "UTF-8"},
		{"{\"\xff\":1}", CodeJSONInvalid, "", "UTF-8"},
		{`{"a":"\ud800"}`, CodeJSONInvalid, "/a", "surrogate"},
		{`{"a":"\ud800\u0041"}`, CodeJSONInvalid, "/a", "surrogate"},
		{`{"a":"\udc00\ud800"}`, CodeJSONInvalid, "/a", "surrogate"},
		{`{"a":"\x"}`, CodeJSONInvalid, "/a", "escape"},
		{`{"a":"\u12g4"}`, CodeJSONInvalid, "/a", "escape"},
		{`{"a":"\`, CodeJSONInvalid, "/a", "escape"},
		{`{"a":{"b\u0000":1}}`, CodeJSONInvalid, "/a", "U+0000"},
		{"{\"a\u0000\":1}", CodeJSONInvalid, "", "U+0000"},
		{"\ufeff{}", CodeJSONInvalid, "", "byte 0"},
	}
	for _, row := range rows {
		_, err := Parse([]byte(row.text), Limits{})
		wantError(t, row.text, err, row.code, row.path, row.word)
	}
}

func TestParseLimits(t *testing.T) {
	limits := Limits{MaxDocumentBytes: 40, MaxDocumentDepth: 3, MaxDocumentFields: 4}
	rows := []struct {
		good, bad, name string
		limit           int64
	}{
		{`{"a":"` + strings.Repeat("x", 32) + `"}`, `{"a":"` + strings.Repeat("x", 33) + `"}`, "MaxDocumentBytes", 40},
		{`{"a":[[1]]}`, `{"a":[[{}]]}`, "MaxDocumentDepth", 3},
		{`{"a":[1,2,3]}`, `{"a":[1,2,3],"b":4}`, "MaxDocumentFields", 4},
	}
	for _, row := range rows {
		if _, err := Parse([]byte(row.good), limits); err != nil {
			t.Errorf("%s: %v", row.good, err)
		}
		_, err := Parse([]byte(row.bad), limits)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeDocumentTooLarge || e.Limit != row.limit || !strings.Contains(e.Detail, row.name) {
			t.Errorf("%s: %#v, want the limit %s of %d", row.bad, err, row.name, row.limit)
		}
	}
	if _, err := Parse([]byte(strings.Repeat(`{"a":`, 5000)+"1"+strings.Repeat("}", 5000)), Limits{MaxDocumentDepth: 5000}); err != nil {
		t.Errorf("a raised limit does not count: %v", err)
	}
}

func TestParseLastDuplicateWins(t *testing.T) {
	wide := &strings.Builder{}
	for i := range 200 {
		fmt.Fprintf(wide, `"f%d":%d,`, i, i)
	}
	rows := []struct{ text, want string }{
		{`{"a":1,"b":2,"a":3}`, `{"b":2,"a":3}`},
		{`{"a":{"x":1,"x":[1,2]},"a":[{"y":0,"\u0079":5},{"z":1}],"b":1}`, `{"a":[{"y":5},{"z":1}],"b":1}`},
		{`{"":1,"":2,"":3}`, `{"":3}`},
		{`{"a":[{"k":[1,2,3],"k":{"q":1,"q":2}}]}`, `{"a":[{"k":{"q":2}}]}`},
		{`{` + wide.String() + `"f7":"last"}`, `{` + strings.Replace(wide.String(), `"f7":7,`, "", 1) + `"f7":"last"}`},
	}
	for _, row := range rows {
		d := mustParse(t, row.text)
		for _, form := range []Values{ValuesRelaxed, valuesStored} {
			if got := string(AppendValue(nil, d.Root(), form)); got != row.want {
				t.Errorf("%s is shown as %s, want %s", row.text, got, row.want)
			}
		}
		if got, want := d.Root().Len(), mustParse(t, row.want).Root().Len(); got != want {
			t.Errorf("%s has %d fields, want %d", row.text, got, want)
		}
		if !Equal(d.Root(), mustParse(t, row.want).Root()) {
			t.Errorf("%s does not equal %s", row.text, row.want)
		}
	}
	if d := mustParse(t, `{"a":1,"b":2,"a":3}`); d.Field("a").Int64() != 3 {
		t.Error("the first duplicate wins")
	}
}

func TestDocumentMetadata(t *testing.T) {
	d := mustParse(t, `{"_id":"p1","_rev":"4-0123456789abcdefghig"}`)
	if d.ID() != "p1" || d.Revision().Generation != 4 || d.Revision().String() != "4-0123456789abcdefghig" {
		t.Errorf("id %q, revision %v", d.ID(), d.Revision())
	}
	d = mustParse(t, `{"_id":5,"_rev":"4-x"}`)
	if d.ID() != "" || d.Revision() != (Revision{}) {
		t.Errorf("id %q, revision %v", d.ID(), d.Revision())
	}
	if got := d.MemoryBytes(); got < len(d.Text())+3*32 || got > 1000 {
		t.Errorf("a small document takes %d bytes", got)
	}
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "...", "a/b", "ä", strings.Repeat("x", 512), " ", "%2F"} {
		if err := CheckID(id, Limits{}); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a\x00", "\x1f", "\x7f", "\u0085", "\xff", strings.Repeat("x", 513)} {
		wantError(t, id, CheckID(id, Limits{}), CodeIDInvalid, "/_id")
	}
}

// TestParseConcurrently: documents share nothing, though their parsers are reused (invariant 1).
func TestParseConcurrently(t *testing.T) {
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 300 {
				text := fmt.Sprintf(`{"w":%d,"s":"\u0041%d","list":[%s0]}`, worker, i, strings.Repeat("1,", i%50))
				d, err := Parse([]byte(text), Limits{})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := Parse([]byte(text[:len(text)-1]), Limits{}); err == nil {
					t.Error("a text without its end is accepted")
				}
				if d.Field("w").Int64() != int64(worker) || string(d.Field("s").Bytes()) != fmt.Sprintf("A%d", i) || d.Field("list").Len() != i%50+1 {
					t.Errorf("%s is parsed to %s", text, AppendValue(nil, d.Root(), ValuesCanonical))
				}
			}
		})
	}
	group.Wait()
}

func TestParseAllocates(t *testing.T) {
	text := benchmarkDocument()
	least := 100.0
	for range 50 { // the pool may be emptied at any time: the best run counts
		least = min(least, testing.AllocsPerRun(1, func() {
			if _, err := Parse(text, Limits{}); err != nil {
				t.Fatal(err)
			}
		}))
	}
	if least > 3 {
		t.Errorf("Parse allocates %v times, want 3 at most: document, tape, arena", least)
	}
}

// FuzzParse checks that no text makes Parse panic and that the tape agrees with encoding/json.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{}`, `{"a":[1,2.5,-3e4,"x\n\u00e4",null,true],"a":{"b":{}}}`, `{"a":{"$oid":"0123456789abcdef01234567"}}`,
		`{"d":{"$date":"2026-01-01T00:00:00Z"},"n":{"$numberDecimal":"1.50"}}`, `{"$binary":"AA==","$type":"00","$binary":""}`,
		` { "a" : [ ] , "b" : "\ud83d\ude00" } `, `{"a":1e999}`, `[{"$date":{"$numberLong":"5"}}]`, `{"":{"":{"":[]}}}`, "{\"a\":\"\xff\"}", `{"a":12345678901234567890}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseValue(bytes.Clone(text), Limits{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Detail == "" {
				t.Fatalf("%q: %#v is no error for a user", text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is accepted, but is no JSON", text)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("%q is accepted, but not by encoding/json: %v", text, err)
		}
		checkJSON(t, d.Root(), want)
		checkRoundTrip(t, d.Root())
	})
}

// checkJSON compares the structure with what encoding/json makes of the same text; wrappers are checked elsewhere.
func checkJSON(t *testing.T, v Value, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		if v.Kind() != KindObject {
			if v.Kind() < KindInt32 && v.Kind() != KindMinKey || v.Kind() == KindString || v.Kind() == KindArray || v.Kind() == KindBool {
				t.Fatalf("%s is %v", v.Raw(), v.Kind())
			}
			return
		}
		if v.Len() != len(want) {
			t.Fatalf("%s has %d fields, want %d", v.Raw(), v.Len(), len(want))
		}
		n := 0
		for c := v.First(); c.Exists(); c = c.Next() {
			child, ok := want[string(c.Name())]
			if !ok {
				t.Fatalf("%s has no field %q", v.Raw(), c.Name())
			}
			checkJSON(t, c, child)
			n++
		}
		if n != len(want) {
			t.Fatalf("%s: %d fields are seen, want %d", v.Raw(), n, len(want))
		}
	case []any:
		if v.Kind() != KindArray || v.Len() != len(want) {
			t.Fatalf("%s is %v of %d, want %d elements", v.Raw(), v.Kind(), v.Len(), len(want))
		}
		c := v.First()
		for _, child := range want {
			checkJSON(t, c, child)
			c = c.Next()
		}
	case string:
		if v.Kind() != KindString || string(v.Bytes()) != want {
			t.Fatalf("%s is %q, want %q", v.Raw(), v.Bytes(), want)
		}
	case json.Number:
		checkNumber(t, v, want)
	case bool:
		if v.Kind() != KindBool || v.Bool() != want {
			t.Fatalf("%s is %v", v.Raw(), v.Kind())
		}
	case nil:
		if !v.IsNull() {
			t.Fatalf("%s is %v", v.Raw(), v.Kind())
		}
	}
}

func checkNumber(t *testing.T, v Value, want json.Number) {
	t.Helper()
	if i, err := want.Int64(); err == nil {
		if v.Kind() != KindInt64 || v.Int64() != i {
			t.Fatalf("%s is %v %d", v.Raw(), v.Kind(), v.Int64())
		}
		return
	}
	if f, err := want.Float64(); err != nil || v.Kind() != KindDouble || v.Float64() != f {
		t.Fatalf("%s is %v %v, want %v", v.Raw(), v.Kind(), v.Float64(), f)
	}
}
