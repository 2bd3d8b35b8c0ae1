package transfer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// all reads a whole file.
func all(t testing.TB, f Format, text string) (records []Record, err error) {
	t.Helper()
	r, err := NewReader(f, strings.NewReader(text))
	for err == nil {
		var record Record
		if record, err = r.Next(); err == nil {
			records = append(records, record)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return records, err
}

func TestCSV(t *testing.T) {
	t.Parallel()
	header := "_id,name.string(),age.int64(),a.b.double(),a.c.boolean(),born.date(),day.date(2006-01-02),d.decimal(),i.int32(),x.json(),bin.binary(),o.oid()\r\n"
	rows := []struct{ row, want string }{ // want: a document, or part of an error
		{`1,Ada,36,1.5,true,1815-12-10T00:00:00Z,1815-12-10,1.10,7,"[1,{""a"":null}]",aGk=,5f5f5f5f5f5f5f5f5f5f5f5f`,
			`{"_id":"1","name":"Ada","age":36,"a":{"b":1.5,"c":true},"born":{"$date":{"$numberLong":"-4861728000000"}},"day":{"$date":{"$numberLong":"-4861728000000"}},` +
				`"d":{"$numberDecimal":"1.10"},"i":{"$numberInt":"7"},"x":[1,{"a":null}],"bin":{"$binary":{"base64":"aGk=","subType":"00"}},"o":{"$oid":"5f5f5f5f5f5f5f5f5f5f5f5f"}}`},
		{`p1,"",,,,,,,,,,`, `{"_id":"p1","name":""}`},
		{`p2,"two` + "\n" + `lines, ""q""","",,FALSE,,,,,,,`, `{"_id":"p2","name":"two\nlines, \"q\"","a":{"c":false}}`},
		{`007,,,,,,,,,null,,`, `{"_id":"007","x":null}`},
		{`p3,,9223372036854775808,,,,,,,,,`, "integer of 64 bits"},
		{`p3,,,,,,10.12.1815,,,,,`, "of the form 2006-01-02"},
		{`p3,,,,,10.12.1815,,,,,,`, "no ISO date"},
		{`p3,,,,yes,,,,,,,`, "neither true nor false"},
		{`p3,,,,,,,,,{,,`, "not JSON"},
		{`p3,,,,,,,,,,%,`, "not base64"},
		{`p3,,,x,,,,,,,,`, "$numberDouble"},
		{`p3,,,`, "4 fields, the header 12"},
		{`1.5,,,,,,,,,,,`, "of the type double"},
	}
	text := header
	for _, row := range rows {
		text += row.row + "\r\n\r\n"
	}
	records, err := all(t, CSV, "\xef\xbb\xbf"+text)
	must(t, err)
	if len(records) != len(rows) {
		t.Fatalf("%d records of %d", len(records), len(rows))
	}
	for i, row := range rows {
		r := records[i]
		if r.Err != nil {
			if strings.HasPrefix(row.want, "{") || !strings.Contains(r.Err.Error(), row.want) {
				t.Errorf("%s: %v", row.row, r.Err)
			}
			continue
		}
		want, err := matcher.Parse([]byte(row.want), matcher.Limits{})
		must(t, err)
		got, err := matcher.Parse(r.Text, matcher.Limits{})
		must(t, err)
		form := func(d *matcher.Document) string {
			return string(matcher.AppendValue(nil, d.Root(), matcher.ValuesCanonical))
		}
		if form(got) != form(want) {
			t.Errorf("%s:\n%s\nwant\n%s", row.row, form(got), form(want))
		}
	}
	if records[3].Line != 9 {
		t.Errorf("the fourth record is said to begin on line %d", records[3].Line)
	}
	for _, bad := range []struct{ text, want string }{
		{"", "it is empty"}, {"a.text()\n", "string()"}, {"a,a\n", "named twice"}, {"a,a.b\n", "named twice"}, {"a.b,a\n", "named twice"},
		{"a,,b\n", "no name"}, {"a\n\"b", "ends within a field"}, {"a\n\"b\"c\n", "line 2: after the closing quote"}, {"a\nb\"c\n", "line 2: a quote stands"},
		{"a.int64(5)\n", "only date takes"}, {"a..b\n", "empty one in its path"},
	} {
		if _, err := all(t, CSV, bad.text); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%q: %v, want %q", bad.text, err, bad.want)
		}
	}
}

// What the writer writes, the reader reads back to the same values; what a column cannot hold is refused.
func TestCSVColumns(t *testing.T) {
	t.Parallel()
	parse := func(text string) *matcher.Document {
		d, err := matcher.Parse([]byte(text), matcher.Limits{})
		must(t, err)
		return d
	}
	documents := []*matcher.Document{
		parse(`{"_id":"a","s":"","n":{"$numberLong":"9007199254740993"},"m":1,"i":{"$numberInt":"5"},"j":[{"$numberInt":"5"}],"u":{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}}`),
		parse(`{"_id":"b","s":"5","m":1.5,"f":{"$numberDouble":"-0.0"},"z":{"$date":"2026-01-01T00:00:00.001Z"}}`),
	}
	columns, err := Columns(nil, documents)
	must(t, err)
	var names []string
	for _, c := range columns {
		names = append(names, c.String())
	}
	if got := strings.Join(names, " "); got != "_id.string() s.string() n.int64() m.json() i.int32() j.json() u.json() f.double() z.date()" {
		t.Errorf("columns %s", got)
	}
	var out bytes.Buffer
	w, err := NewCSVWriter(&out, columns, true)
	must(t, err)
	for _, d := range documents {
		must(t, w.Write(d))
	}
	must(t, w.Close())
	records, err := all(t, CSV, out.String())
	must(t, err)
	for i, r := range records {
		must(t, r.Err)
		got := matcher.AppendValue(nil, parse(string(r.Text)).Root(), matcher.ValuesCanonical)
		if want := matcher.AppendValue(nil, documents[i].Root(), matcher.ValuesCanonical); !bytes.Equal(got, want) {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
	for _, bad := range []struct{ document, want string }{
		{`{"_id":"c","s":5}`, "cannot hold 5 (long) exactly"}, {`{"_id":"c","new":5}`, "its field new has no column"},
		{`{"_id":"c","z":{"$date":{"$numberLong":"999999999999999"}}}`, "cannot hold"},
	} {
		if err := w.Write(parse(bad.document)); err == nil || !strings.Contains(err.Error(), bad.want) || !strings.Contains(err.Error(), `"c"`) {
			t.Errorf("%s: %v, want %q", bad.document, err, bad.want)
		}
	}
	for _, row := range []struct{ heading, document string }{
		{"a.b.json()", `{"a":[{"b":1}]}`}, {"a.b", `{"a":null}`}, {"d.date(2006)", `{"d":{"$date":"2026-02-01T00:00:00Z"}}`},
		{"a.auto()", `{"a":"5"}`}, {"a.auto()", `{"a":true}`}, {"a.json()", `{"b":1}`},
	} {
		columns, err := Columns([]string{row.heading}, nil)
		must(t, err)
		w, err := NewCSVWriter(io.Discard, columns, false)
		must(t, err)
		if err := w.Write(parse(row.document)); err == nil {
			t.Errorf("%s holds %s", row.heading, row.document)
		}
	}
	if _, err := Columns(nil, []*matcher.Document{parse(`{"a.b":1}`)}); err == nil {
		t.Error("a name with a dot is a column")
	}
}

// The records are those of the standard library, but for what is told about quotes.
func FuzzCSVText(f *testing.F) {
	for _, text := range []string{"a,b\nc,\"d\"\"\n\"\r\n", "\"\"\n\n,,\r\n\"x\",", "a\rb\r\n", "\xef\xbb\xbfa", "a\"b", "\"a\"b", "\"a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ours, err := newCSVText(strings.NewReader(text))
		must(t, err)
		theirs := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\xef\xbb\xbf")))
		theirs.FieldsPerRecord = -1
		for {
			cells, _, err1 := ours.record(nil)
			record, err2 := theirs.Read()
			if (err1 == nil) != (err2 == nil) || errors.Is(err1, io.EOF) != errors.Is(err2, io.EOF) {
				t.Fatalf("%q: %v, the standard library %v", text, err1, err2)
			}
			if err1 != nil {
				return
			}
			got := make([]string, len(cells))
			for i, c := range cells {
				got[i] = strings.ReplaceAll(c.text, "\r\n", "\n") // theirs drops the \r within quotes
			}
			if !reflect.DeepEqual(got, record) {
				t.Fatalf("%q: %q, the standard library %q", text, got, record)
			}
			again, err := newCSVText(bytes.NewReader(appendCells(nil, cells)))
			must(t, err)
			if len(cells) == 1 && cells[0].missing() {
				continue // the writer has such a record refused
			}
			if back, _, err := again.record(nil); err != nil || !sameTexts(back, cells) {
				t.Fatalf("%v is written and read as %v, %v", cells, back, err)
			}
		}
	})
}

func sameTexts(a, b []cell) bool {
	for i := range a {
		if i >= len(b) || a[i].text != b[i].text || a[i].missing() != b[i].missing() {
			return false
		}
	}
	return len(a) == len(b)
}
