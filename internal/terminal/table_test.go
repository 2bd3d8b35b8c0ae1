package terminal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func row(id, document string) Row { return Row{ID: id, Document: json.RawMessage(document)} }

func TestTableShowsTheFieldsOfTheDocuments(t *testing.T) {
	t.Parallel()
	rows := []Row{
		row("a", `{"_id":"a","_rev":"1-x","mag":4.7,"place":"Taiwan","time":{"$date":"2018-02-06T01:26:13.120Z"},"n":{"$numberLong":"9007199254740993"}}`),
		row("b", `{"_id":"b","mag":12,"where":{"deep":[1, 2]},"_updatedAt":{"$date":"2018-02-06T01:26:13Z"}}`),
	}
	rows[0].Last, rows[1].Last = Added, Changed
	got := strings.Join(Table{Title: "quakes", Status: "2 documents"}.Lines(rows, 100, 20), "\n")
	want := strings.Trim(`
quakes
2 documents
  _id  mag  place   time                                n  where
+ a    4.7  Taiwan  2018-02-06 01:26:13  9007199254740993
~ b     12                                                 {"deep":[1,2]}
`, "\n")
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i, line := range strings.Split(got, "\n") {
		if strings.TrimRight(line, " ") != strings.Split(want, "\n")[i] {
			t.Errorf("line %d: got %q, want %q", i, line, strings.Split(want, "\n")[i])
		}
	}
}

func TestNamedFieldsFollowDottedPaths(t *testing.T) {
	t.Parallel()
	lines := Table{Fields: []string{"where.deep", "a.b", "none"}}.Lines([]Row{row("x", `{"where":{"deep":"yes"},"a.b":true,"a":{"b":false}}`)}, 80, 20)
	if got := strings.Join(strings.Fields(lines[3]), " "); got != "yes true" {
		t.Errorf("row %q", got)
	}
}

// Invariants 1 and 2, for random documents and sizes.
func TestNoLineLeavesTheTerminal(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	letters := []rune("ab \x1b[31m\n\t\u009b日本é\u0301👍\u202e\u200b…")
	text := func(n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteRune(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	codes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for range 500 {
		var rows []Row
		for i := range random.IntN(12) {
			document := map[string]any{"_id": fmt.Sprint(i)}
			for range random.IntN(6) {
				document[text(8)] = text(60)
			}
			raw, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, Row{ID: fmt.Sprint(i), Document: raw, Last: Change(random.IntN(4)), Fresh: random.IntN(2) == 0})
		}
		width, height := 1+random.IntN(120), 1+random.IntN(15)
		color := random.IntN(2) == 0
		lines := Table{Title: text(50), Status: text(200), Color: color}.Lines(rows, width, height)
		if len(lines) >= max(height, 2) {
			t.Fatalf("seed %d: %d lines for %d rows", seed, len(lines), height)
		}
		for _, line := range lines {
			plain := line
			if color {
				plain = codes.ReplaceAllString(line, "")
			}
			if Width(plain) > width || plain != clean(plain) {
				t.Fatalf("seed %d: width %d: %q", seed, width, line)
			}
		}
	}
}

func TestWhatDoesNotFitIsCounted(t *testing.T) {
	t.Parallel()
	var rows []Row
	for i := range 20 {
		rows = append(rows, row(fmt.Sprint(i), fmt.Sprintf(`{"_id":"%d"}`, i)))
	}
	lines := Table{}.Lines(rows, 80, 10)
	shown := 0
	for _, line := range lines[3:] {
		if !strings.Contains(line, "more") {
			shown++
		}
	}
	if last := lines[len(lines)-1]; last != fmt.Sprintf("  … %d more", 20-shown) {
		t.Errorf("%d rows shown, last line %q", shown, last)
	}
}

func TestScreenRedrawsInPlace(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := Screen{W: &b}
	for _, lines := range [][]string{{"one", "two"}, {"three"}} {
		if err := s.Draw(lines); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[?25l\x1b[?7l\rone\x1b[K\ntwo\x1b[K\n\x1b[J\x1b[?7h" + "\x1b[?7l\x1b[A\x1b[A\rthree\x1b[K\n\x1b[J\x1b[?7h" + "\x1b[?25h"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
}

func FuzzCell(f *testing.F) {
	f.Add(`{"$date":"2018-02-06T01:26:13.120Z"}`)
	f.Add(`{"a":{"b":[1,2,{"c":null}]}}`)
	f.Add(`"\u001b[2J"`)
	f.Fuzz(func(t *testing.T, raw string) {
		if text, _ := cell(json.RawMessage(raw)); text != clean(text) {
			t.Errorf("%q is shown as %q", raw, text)
		}
	})
}
