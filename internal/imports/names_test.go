package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// namedFunction is a function as docs/ARCHITECTURE.md names it: matcher.Decide, storage.(*Store).commit, (*socket).beginWrite.
var namedFunction = regexp.MustCompile(`\b(?:(matcher|ingest|storage|fanout|gateway)\.(\w+)|(?:(matcher|ingest|storage|fanout|gateway)\.)?\(\*(\w+)\)\.(\w+))`)

// declared is every function, method and type of the tree: "Decide", "(*Store).commit", by their package's folder.
func declared(t *testing.T) map[string]map[string]bool {
	t.Helper()
	names := map[string]map[string]bool{}
	for _, f := range tree(t) {
		if f.isTest() {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", filepath.FromSlash(f.path)), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		folder := f.folder()
		if names[folder] == nil {
			names[folder] = map[string]bool{}
		}
		for _, declaration := range parsed.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				names[folder][functionName(d)] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if kind, ok := spec.(*ast.TypeSpec); ok {
						names[folder][kind.Name.Name] = true
					}
				}
			}
		}
	}
	return names
}

func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	receiver := d.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	if name, ok := receiver.(*ast.Ident); ok {
		return "(*" + name.Name + ")." + d.Name.Name
	}
	return d.Name.Name
}

// What ARCHITECTURE names is there, and by that name.
func TestNamesInArchitecture(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	names, found := declared(t), 0
	for _, match := range namedFunction.FindAllStringSubmatch(string(text), -1) {
		where, name := match[1], match[2]
		if name == "" {
			where, name = match[3], "(*"+match[4]+")."+match[5]
		}
		found++
		folders := []string{where}
		if where == "" {
			folders = slices.Sorted(maps.Keys(names))
		}
		if !slices.ContainsFunc(folders, func(folder string) bool { return names[folder][name] }) {
			t.Errorf("docs/ARCHITECTURE.md names %s, which is not in %v", name, folders)
		}
	}
	if found < 20 {
		t.Errorf("only %d names found: the test looks for the wrong form", found)
	}
}
