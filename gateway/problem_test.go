package gateway

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

var update = flag.Bool("update", false, "rewrite the generated sections of docs/protocol.md")

// TestProtocolDocs keeps the tables in docs/protocol.md those of the source.
func TestProtocolDocs(t *testing.T) {
	const file = "../docs/protocol.md"
	raw, err := os.ReadFile(file)
	must(t, err)
	text := string(raw)
	for name, table := range map[string]string{
		"problems": problemTable(), "client-frames": clientFrameDocs(), "server-frames": serverFrameDocs(), "close-codes": closeCodeDocs(),
		"limits": limitDocs(),
	} {
		begin, end := "<!-- "+name+":begin -->\n", "<!-- "+name+":end -->"
		head, rest, ok := strings.Cut(text, begin)
		_, tail, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no section %s", file, name)
		}
		text = head + begin + table + end + tail
	}
	if text == string(raw) {
		return
	}
	if !*update {
		t.Fatalf("%s differs from the tables in the source; run: go test ./gateway -run TestProtocolDocs -update", file)
	}
	must(t, os.WriteFile(file, []byte(text), 0o644))
}

func problemTable() string {
	b := &strings.Builder{}
	b.WriteString("| status | code | title | |\n| --- | --- | --- | --- |\n")
	for _, k := range problemKinds {
		retry := ""
		if k.RetryAfter > 0 {
			retry = " Retryable."
		}
		fmt.Fprintf(b, "| %d | <a id=%q></a>`%s` | %s | %s%s |\n", k.Status, k.Code, k.Code, k.Title, k.Doc, retry)
	}
	return b.String()
}

func limitDocs() string {
	b := &strings.Builder{}
	b.WriteString("| name | |\n| --- | --- |\n")
	for _, l := range helloLimits {
		fmt.Fprintf(b, "| `%s` | %s |\n", l.Name, l.Doc)
	}
	return b.String()
}

func names(list []string) string {
	quoted := make([]string, len(list))
	for i, name := range list {
		quoted[i] = "`" + name + "`"
	}
	return strings.Join(quoted, ", ")
}

func clientFrameDocs() string {
	b := &strings.Builder{}
	b.WriteString("| type | fields | |\n| --- | --- | --- |\n")
	for _, f := range clientFrames() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Type, names(f.Fields), f.Doc)
	}
	return b.String()
}

func serverFrameDocs() string {
	b := &strings.Builder{}
	b.WriteString("| type | fields | |\n| --- | --- | --- |\n")
	for _, f := range ServerFrames {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Type, names(f.Fields), f.Doc)
	}
	return b.String()
}

func closeCodeDocs() string {
	b := &strings.Builder{}
	b.WriteString("| code | reason | connect again | |\n| --- | --- | --- | --- |\n")
	for _, c := range closeCodes {
		again := "yes"
		if c.Code >= 4500 {
			again = "no"
		}
		fmt.Fprintf(b, "| %d | %s | %s | %s |\n", c.Code, c.Reason, again, c.Doc)
	}
	return b.String()
}

// Invariant 1: every code that the source can send stands in the table, and the table has no code that nobody sends.
func TestProblemCodesAreThoseOfTheTable(t *testing.T) {
	used := map[string]bool{}
	collect := func(pattern, file string) {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
	}
	sources, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		collect(`(?:Code: |problemf\(|unknownName\(|code :?= )"([a-z-]+)"`, file)
		collect(`\{(?:storage|fanout|context)\.\w+, "([a-z-]+)"`, file)
	}
	collect(`Code\w+ *= *"([a-z-]+)"`, "../matcher/errors.go")
	for code := range used {
		if problemKindByCode[code] == nil {
			t.Errorf("code %q is used and not in the table", code)
		}
	}
	for _, k := range problemKinds {
		if !used[k.Code] {
			t.Errorf("code %q is in the table and nobody uses it", k.Code)
		}
	}
}

func TestProblemTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range problemKinds {
		if seen[k.Code] {
			t.Errorf("%s stands twice in the table", k.Code)
		}
		seen[k.Code] = true
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(k.Code) || k.Title == "" || !strings.HasSuffix(k.Doc, ".") || strings.Contains(k.Doc, "|") {
			t.Errorf("%+v is not well-formed", k)
		}
		if retryable := k.Status == 503 || k.Status == 507 || k.Status == 429; retryable != (k.RetryAfter > 0) {
			t.Errorf("%s: status %d, retry after %v", k.Code, k.Status, k.RetryAfter)
		}
	}
	codes := []int{}
	for _, c := range closeCodes {
		codes = append(codes, c.Code)
		if c.Reason == "" || len(c.Reason) > 123 || c.Code < 4000 || c.Code > 4999 {
			t.Errorf("close code %+v", c)
		}
	}
	if !slices.IsSorted(codes) {
		t.Errorf("close codes %v are not in order", codes)
	}
}

func TestProblemOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
	}{
		{fmt.Errorf("write: %w", storage.ErrOverloaded), "overloaded"},
		{errors.Join(storage.ErrOutcomeUnknown, errors.New("x")), "outcome-unknown"},
		{fmt.Errorf("subscribe: %w", fanout.ErrTooManySubscriptions), "too-many-subscriptions"},
		{fmt.Errorf("parse: %w", &matcher.Error{Code: matcher.CodeDocumentTooLarge, Detail: "d", Limit: 5}), "document-too-large"},
		{&matcher.Error{Code: "never-heard-of"}, "internal"},
		{errors.New("disk on fire"), "internal"},
		{fmt.Errorf("wrapped: %w", problemf("draining", "d")), "draining"},
	} {
		p := problemOf(c.err)
		if p.Code != c.code {
			t.Errorf("%v: %s, want %s", c.err, p.Code, c.code)
		}
		w := httptest.NewRecorder()
		writeProblem(w, p)
		var body problemBody
		must(t, json.Unmarshal(w.Body.Bytes(), &body))
		if w.Code != problemKindByCode[c.code].Status || body.Code != c.code || body.Type != problemTypeBase+c.code {
			t.Errorf("%v: written as %d %s", c.err, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "disk on fire") {
			t.Error("a fault of the server is told to the client")
		}
	}
}
