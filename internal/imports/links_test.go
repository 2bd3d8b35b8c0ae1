package imports

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	block   = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)">`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// page is a document of the tree: its links, and the names of its headings as links have them.
type page struct {
	links    []string
	headings map[string]bool // and other places with a name
}

// readPages reads the documents by their paths. What stands in fenced blocks is no link and no heading.
func readPages(t *testing.T) map[string]page {
	t.Helper()
	pages := map[string]page{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".md") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		pages[name] = parsePage(string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func parsePage(text string) page {
	p := page{headings: map[string]bool{}}
	text = block.ReplaceAllString(text, "")
	for _, found := range link.FindAllStringSubmatch(text, -1) {
		p.links = append(p.links, found[1])
	}
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		name := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(found[1])), "")
		p.headings[strings.ReplaceAll(name, " ", "-")] = true
	}
	for _, found := range anchor.FindAllStringSubmatch(text, -1) {
		p.headings[found[1]] = true
	}
	return p
}

// brokenLink says what is wrong with a link of a page, "" if nothing is.
func brokenLink(pages map[string]page, from, to string) string {
	target, place, _ := strings.Cut(to, "#")
	if strings.Contains(target, ":") {
		return "" // on the web
	}
	if target != "" {
		from = filepath.Join(filepath.Dir(from), filepath.FromSlash(target))
		if _, err := os.Stat(from); err != nil {
			return err.Error()
		}
	}
	if p, isPage := pages[from]; isPage && place != "" && !p.headings[place] {
		return "there is no such heading"
	}
	return ""
}

// A link in the documents to a file of the tree, or to a heading, leads to one that is there.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, seen, places := readPages(t), 0, 0
	for name, p := range pages {
		for _, to := range p.links {
			seen++
			if strings.Contains(to, "#") {
				places++
			}
			if why := brokenLink(pages, name, to); why != "" {
				t.Errorf("%s links to %s: %s", name, to, why)
			}
		}
	}
	if seen < 20 || places < 10 {
		t.Errorf("%d links seen, %d to headings: the test looks in the wrong place", seen, places)
	}
}

// The test itself: it must see what leads nowhere.
func TestBrokenLinksAreSeen(t *testing.T) {
	t.Parallel()
	pages := map[string]page{"links_test.go": parsePage("# One `$x` and_two (3)\n```\n# Four\n[a](b)\n```\n[c](#d)")}
	if p := pages["links_test.go"]; len(p.links) != 1 {
		t.Errorf("links are %q", p.links)
	}
	for to, broken := range map[string]bool{
		"#one-x-and_two-3": false, "#four": true, "#One": true, "doc.go": false, "doc.go#x": false, "none.md": true, "https://a/b#c": false,
		"links_test.go#four": true,
	} {
		if why := brokenLink(pages, "links_test.go", to); (why != "") != broken {
			t.Errorf("%s: %q, broken must be %v", to, why, broken)
		}
	}
}
