package imports

import (
	"bufio"
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/freshetdb/freshet"

// maxFileLines bounds a file of Go that is no test: a longer one holds a second concept.
const maxFileLines = 600

// rooms is what each folder may import of ours, itself and what lies below it left out. The longest folder that fits
// a file counts; "." is the root folder alone.
var rooms = map[string][]string{
	"matcher":               {},
	"ingest":                {"matcher"},
	"storage":               {"matcher", "ingest"},
	"fanout":                {"matcher"},
	"cluster":               {"matcher", "fanout"},
	"gateway":               {"matcher", "ingest", "storage", "fanout", "cluster"},
	"loadtest":              {},
	"demo":                  {"internal/client", "internal/terminal"}, // wire only: the client and its table
	"internal/client":       {},
	"internal/terminal":     {},
	"internal/e2e":          {"loadtest"}, // wire only: it drives the program from outside
	"internal/imports":      {},
	"internal/conformance":  {},
	"internal/differential": {"matcher"},
	"internal/transfer":     {"matcher", "internal/client"}, // wire only, but for the values in files
	"internal/config":       {"matcher"},
	"internal/lines":        {"matcher"},
	"internal/cli":          {"matcher", "ingest", "storage", "internal/config", "internal/client", "internal/lines", "internal/terminal", "internal/transfer"}, // what works on files, and as a client
	"internal":              {"matcher", "ingest", "storage", "fanout", "cluster", "gateway", "internal"},
	".":                     {"internal"},
}

// testRooms is what the tests of a folder may import on top.
var testRooms = map[string][]string{
	"matcher":      {"internal/conformance"},
	"internal/e2e": {"internal/conformance"},
}

// modules is where each third-party module may be used, by tests too.
var modules = map[string][]string{
	"github.com/tidwall/gjson":                {"matcher"},
	"github.com/golang/geo":                   {"matcher"},
	"github.com/cockroachdb/pebble":           {"storage", "loadtest"},
	"github.com/anishathalye/porcupine":       {"storage"},
	"github.com/maypok86/otter":               {"storage"},
	"github.com/hashicorp/go-immutable-radix": {"storage"},
	"github.com/segmentio/kafka-go":           {"ingest"},
	"github.com/hashicorp/memberlist":         {"cluster"},
	"github.com/gorilla/websocket":            {"gateway", "loadtest", "internal/client", "internal/cli", "internal/e2e"},
	"github.com/prometheus/client_golang":     {"gateway"},
	"github.com/google/uuid":                  {"gateway"},
	"github.com/rs/zerolog":                   {".", "internal", "gateway"},
	"github.com/spf13/cobra":                  {"internal/cli"},
	"github.com/spf13/pflag":                  {"internal/cli"},
	"go.yaml.in/yaml":                         {"internal/config"},
	"golang.org/x/sys":                        {"ingest"},
	"golang.org/x/text":                       {"matcher", "internal/e2e", "internal/differential"},
	"golang.org/x/term":                       {"internal/cli", "demo"},
}

// goFile is one file of the tree.
type goFile struct {
	path    string // from the root, with slashes
	imports []string
	lines   int
}

func (f goFile) isTest() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f goFile) folder() string { return path.Dir(f.path) }

func tree(t *testing.T) (files []goFile) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != root {
				return filepath.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := read(name, filepath.ToSlash(relative))
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(files))
	}
	return files
}

func read(name, relative string) (goFile, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return goFile{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
	if err != nil {
		return goFile{}, fmt.Errorf("parse %s: %w", relative, err)
	}
	f := goFile{path: relative, lines: bytes.Count(text, []byte("\n"))}
	for _, i := range parsed.Imports {
		imported, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return goFile{}, err
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

// within reports whether folder is place or lies below it. "." is the root folder alone.
func within(folder, place string) bool {
	return folder == place || place != "." && strings.HasPrefix(folder, place+"/")
}

func anyWithin(folder string, places []string) bool {
	return slices.ContainsFunc(places, func(place string) bool { return within(folder, place) })
}

// room is the longest folder of the table that holds the file.
func room(folder string) (found string, ok bool) {
	for place := range rooms {
		if within(folder, place) && (!ok || len(place) > len(found)) {
			found, ok = place, true
		}
	}
	return found, ok
}

// violation says why a file may not import a package, "" if it may.
func violation(f goFile, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	ours, isOurs := strings.CutPrefix(imported, module+"/")
	switch {
	case isOurs:
		place, ok := room(f.folder())
		if !ok {
			return "its folder is not in the table of rooms"
		}
		allowed := append([]string{place}, rooms[place]...)
		if f.isTest() {
			allowed = append(allowed, testRooms[place]...)
		}
		if !anyWithin(ours, allowed) {
			return fmt.Sprintf("%s may import only %v of ours", place, rooms[place])
		}
	case strings.Contains(first, "."):
		for name, places := range modules {
			if imported == name || strings.HasPrefix(imported, name+"/") {
				if !anyWithin(f.folder(), places) {
					return fmt.Sprintf("%s belongs to %v", name, places)
				}
				return ""
			}
		}
		return "the module is not in the table of modules"
	}
	return ""
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, f := range tree(t) {
		for _, imported := range f.imports {
			if why := violation(f, imported); why != "" {
				t.Errorf("%s imports %s: %s", f.path, imported, why)
			}
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	t.Parallel()
	for _, f := range tree(t) {
		if !f.isTest() && f.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d: look for the second concept in it", f.path, f.lines, maxFileLines)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	documented, plain := map[string]bool{}, map[string]bool{}
	for _, f := range tree(t) {
		if f.isTest() {
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(f.path)))
		if err != nil {
			t.Fatal(err)
		}
		lines, previous := bufio.NewScanner(bytes.NewReader(text)), ""
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "package ") {
				break
			}
			previous = lines.Text()
		}
		plain[f.folder()] = true
		if strings.HasPrefix(previous, "//") || strings.HasSuffix(previous, "*/") {
			documented[f.folder()] = true
		}
	}
	for folder := range plain {
		if !documented[folder] {
			t.Errorf("%s: no file has a package comment", folder)
		}
	}
}

// The test itself: it must see what it is to refuse.
func TestViolationsAreSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file, imported string
		refused        bool
	}{
		{"matcher/query.go", module + "/ingest", true},
		{"matcher/sub/a.go", module + "/matcher", false},
		{"storage/find.go", module + "/matcher", false},
		{"storage/find_test.go", module + "/gateway", true},
		{"matcher/query.go", module + "/internal/conformance", true},
		{"matcher/query_test.go", module + "/internal/conformance", false},
		{"fanout/hub.go", module + "/storage", true},
		{"fanout/hub.go", "github.com/cockroachdb/pebble/v2", true},
		{"storage/find.go", "github.com/cockroachdb/pebble/v2/vfs", false},
		{"gateway/a.go", "github.com/rs/zerolog", false},
		{"fanout/a.go", "github.com/rs/zerolog", true},
		{"main.go", module + "/internal/node", false},
		{"main.go", module + "/storage", true},
		{"internal/node/node.go", module + "/storage", false},
		{"internal/client/view.go", module + "/matcher", true},
		{"demo/main.go", module + "/internal/client", false},
		{"demo/main.go", module + "/internal/node", true},
		{"elsewhere/a.go", module + "/matcher", true},
		{"matcher/a.go", "example.com/unknown", true},
		{"matcher/a.go", "encoding/json", false},
	} {
		if why := violation(goFile{path: test.file}, test.imported); (why != "") != test.refused {
			t.Errorf("%s imports %s: %q, refused must be %v", test.file, test.imported, why, test.refused)
		}
	}
}

// mapRow is a row of the map in CONTRIBUTING.md: its folders, and what they may import.
var mapRow = regexp.MustCompile("(?m)^\\| (`[^|]*`) \\| [^|]* \\| ([^|]*) \\|$")

var quoted = regexp.MustCompile("`([^`]+)`")

func unquote(cell string) (names []string) {
	for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
		names = append(names, strings.TrimSuffix(match[1], "/"))
	}
	return names
}

// The map of the house in CONTRIBUTING.md is the table of rooms.
func TestMapOfTheHouse(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]string{} // what each folder may import; nil where it is said in words
	for _, row := range mapRow.FindAllStringSubmatch(string(text), -1) {
		for _, folder := range unquote(row[1]) {
			shown[folder] = unquote(row[2])
		}
	}
	for folder := range shown {
		if _, err := os.Stat(filepath.Join(root, folder)); err != nil {
			t.Errorf("CONTRIBUTING.md shows %s: %v", folder, err)
		}
	}
	for _, f := range tree(t) {
		place, ok := room(f.folder())
		switch {
		case !ok || place == "." || place == "internal":
			place = f.folder() // main.go, and what only wires
		}
		if place == "." {
			place = f.path
		}
		imports, ok := shown[place]
		if !ok {
			t.Errorf("%s: CONTRIBUTING.md does not show %s", f.path, place)
			shown[place] = nil
			continue
		}
		if allowed, known := rooms[place]; known && imports != nil && !slices.Equal(slices.Sorted(slices.Values(imports)), slices.Sorted(slices.Values(allowed))) {
			t.Errorf("%s may import %v, CONTRIBUTING.md says %v", place, allowed, imports)
			shown[place] = nil
		}
	}
}
