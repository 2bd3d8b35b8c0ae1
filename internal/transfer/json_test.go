package transfer

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

func TestLines(t *testing.T) {
	t.Parallel()
	text := `{"_id":"a","_rev":"1-x","n":1,"_createdAt":{"$date":"2026-01-01T00:00:00Z"},"_acl":{"x":1},"_updatedAt":null}` + "\n\n" +
		`{"n":{"$numberInt":"2"}}` + "\r\n" + `  [] ` + "\n" + `{"a":` + "\n" + `{"_id":{"$oid":"5f5f5f5f5f5f5f5f5f5f5f5f"},"r":{"$oid":"5f5f5f5f5f5f5f5f5f5f5f5f"}}` + "\n" +
		`{"x":"` + strings.Repeat("x", MaxRecordBytes) + `"}` + "\n" + `{"_id":{"$numberLong":"-7"}}`
	want := []struct {
		line int
		text string
		id   bool
	}{
		{1, `{"_id":"a","n":1,"_acl":{"x":1}}`, true},
		{3, `{"n":{"$numberInt":"2"}}`, false},
		{4, "", false},
		{5, "", false},
		{6, `{"_id":"5f5f5f5f5f5f5f5f5f5f5f5f","r":{"$oid":"5f5f5f5f5f5f5f5f5f5f5f5f"}}`, true},
		{7, "", false},
		{8, `{"_id":"-7"}`, true},
	}
	records, err := all(t, NDJSON, text)
	must(t, err)
	if len(records) != len(want) {
		t.Fatalf("%d records of %d", len(records), len(want))
	}
	for i, w := range want {
		if r := records[i]; r.Line != w.line || string(r.Text) != w.text || (r.Err == nil) != (w.text != "") || (r.ID != "") != w.id && w.text != "" {
			t.Errorf("line %d %q %v, want line %d %q", r.Line, r.Text, r.Err, w.line, w.text)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"a":"}\"{\\"}{"b":[{},[1]]}`, "[ {\"a\":\n1}\n, {}]\n", "", "[]", " [\n] ", "{\n}\n{}",
	} {
		records, err := all(t, ExtJSON, text)
		must(t, err)
		for _, r := range records {
			must(t, r.Err)
			if strings.Contains(string(r.Text), "\n") {
				t.Errorf("%q has more than a line", r.Text)
			}
		}
	}
	for text, want := range map[string]string{
		"[{}": "ends within its array", "{": "ends within a document", "[{}{}]": "a comma or ]", "[{}]{}": "something after the array",
		"{},{}": "not with ','", "\n5": "line 2: a document begins with {", "[{},]": "not with ']'",
	} {
		if _, err := all(t, ExtJSON, text); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestJSONWriterWritesArrays(t *testing.T) {
	t.Parallel()
	for n, want := range []string{"[]\n", "[\n{\"n\":0}\n]\n", "[\n{\"n\":0},\n{\"n\":1}\n]\n"} {
		var out strings.Builder
		w := NewJSONWriter(&out, matcher.ValuesRelaxed, true)
		for i := range n {
			d, err := matcher.Parse([]byte(`{"n":`+string(rune('0'+i))+`}`), matcher.Limits{})
			must(t, err)
			must(t, w.Write(d))
		}
		if must(t, w.Close()); out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
}

// A stream of JSON objects is cut where the standard library's decoder cuts it.
func FuzzValues(f *testing.F) {
	for _, text := range []string{`{"a":1} {"b":"\"}"}`, `[{"a":1},{"b":[]}]`, "[]", "{\n\"a\":\n2}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		records, ours := all(t, ExtJSON, text)
		theirs := json.NewDecoder(strings.NewReader(text))
		var want []json.RawMessage
		if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[") {
			if theirs.Decode(&want) != nil {
				return // ours looks at documents one at a time
			}
			if _, err := theirs.Token(); !errors.Is(err, io.EOF) {
				return
			}
		} else {
			for {
				var value json.RawMessage
				err := theirs.Decode(&value)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return
				}
				want = append(want, value)
			}
		}
		for _, value := range want {
			if value[0] != '{' {
				if ours == nil {
					t.Fatalf("%q was read to its end", text)
				}
				return
			}
		}
		if ours != nil || len(records) != len(want) {
			t.Fatalf("%q: %d documents and %v, the standard library has %d", text, len(records), ours, len(want))
		}
		for i, r := range records {
			if w := document(0, append([]byte(nil), want[i]...)); string(w.Text) != string(r.Text) {
				t.Fatalf("%q: document %d is %q, not %q", text, i, r.Text, w.Text)
			}
		}
	})
}
