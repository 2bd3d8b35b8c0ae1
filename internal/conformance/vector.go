package conformance

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Variable names the folder with the vectors.
const Variable = "FRESHET_CONFORMANCE"

// MaxLineBytes bounds one vector.
const MaxLineBytes = 16 << 20

// Match says whether a query accepts a document.
type Match struct {
	ID         string
	Query, Doc json.RawMessage
	Match      bool
	Ops        []string // the operators of the query; those in parentheses are none
}

// Invalid is a query that must be refused, whatever the documents.
type Invalid struct {
	ID    string
	Query json.RawMessage
	Ops   []string
}

// Sort is the order of the documents that a query accepts.
type Sort struct {
	ID          string
	Docs        []json.RawMessage // in any order
	Sort        json.RawMessage   // pairs of field and direction
	Query       json.RawMessage   // nil: all documents
	Skip, Limit int               // limit 0: none
	ExpectKind  string            `json:"expect_kind"` // ids or docs
	Expect      []json.RawMessage
}

// Window is what a sorted and cut result becomes, write by write.
type Window struct {
	ID            string
	Query, Sort   json.RawMessage
	Skip, Limit   int // limit 0: none
	Initial       []json.RawMessage
	Steps         []Step
	ExpectInitial []any   `json:"expect_initial"`           // ids
	ExpectAfter   [][]any `json:"expect_result_after_each"` // ids
}

// Step is one write of a Window.
type Step struct {
	Op  string          // insert, update (the whole new document) or remove
	Doc json.RawMessage // of a remove, `_id` alone
}

// ReadMatch reads match.jsonl.
func ReadMatch(t testing.TB) []Match { t.Helper(); return read[Match](t, "match.jsonl") }

// ReadInvalid reads invalid.jsonl.
func ReadInvalid(t testing.TB) []Invalid { t.Helper(); return read[Invalid](t, "invalid.jsonl") }

// ReadSort reads sort.jsonl.
func ReadSort(t testing.TB) []Sort { t.Helper(); return read[Sort](t, "sort.jsonl") }

// ReadWindow reads window.jsonl.
func ReadWindow(t testing.TB) []Window { t.Helper(); return read[Window](t, "window.jsonl") }

// read reads a file of vectors. It skips the test where FRESHET_CONFORMANCE names no folder, and fails it where that cannot
// be read.
func read[T any](t testing.TB, name string) (all []T) {
	t.Helper()
	folder := os.Getenv(Variable)
	if folder == "" {
		t.Skipf("%s names no folder with conformance vectors", Variable)
	}
	file, err := os.Open(filepath.Join(folder, name))
	if err != nil {
		t.Fatalf("open the vectors that %s names: %v", Variable, err)
	}
	defer func() { _ = file.Close() }() // only read
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, MaxLineBytes)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s, vector %d: %v", name, len(all)+1, err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return all
}
