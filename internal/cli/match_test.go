package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inputs are files for `freshet match`, by their names.
var inputs = map[string]string{
	"plain":  "{\"_id\":1,\"n\":3,\"s\":\"a\"}\n{\"_id\":2,\"n\":1,\"s\":\"b\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n",
	"odd":    "  { \"n\" : 3.0 , \"s\":\"\\u0061\" }\t\r\n\n \t\r\n{\"n\":1e0,\"n\":3}\r\n{\"n\":3}",
	"more":   "{\"n\":3,\"from\":\"more\"}",
	"broken": "{\"n\":3}\n{\"n\":3\n[3]\n{\"n\":\"\xff\"}\n{\"n\":3,\"last\":true}\n",
	"empty":  "",
	"typed":  "{\"_id\":{\"$oid\":\"0123456789abcdef01234567\"},\"at\":{\"$date\":\"2026-01-02T03:04:05Z\"},\"_rev\":1}\n{\"_id\":5}\n{\"at\":null}\n",
	"places": "{\"p\":[3,0]}\n{\"p\":[1,0],\"x\":1}\n{\"p\":[0,1],\"x\":2}\n{\"p\":\"here\"}\n",
	"query":  "{\"n\":{\"$gte\":2}}\n",
}

func inputFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range inputs {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// match runs `freshet match` with the words of a command line, in which a word %x is the path of the file x.
func match(t *testing.T, folder, stdin, line string) invocation {
	t.Helper()
	args := []string{"match"}
	for word := range strings.FieldsSeq(line) {
		if at := strings.IndexByte(word, '%'); at >= 0 {
			word = word[:at] + filepath.Join(folder, word[at+1:])
		}
		args = append(args, word)
	}
	r := invokeOn(t, stdin, nil, args...)
	r.stderr = strings.ReplaceAll(r.stderr, folder+string(filepath.Separator), "")
	return r
}

func TestMatch(t *testing.T) {
	t.Parallel()
	folder := inputFolder(t)
	noDocument := "the line is no document: "
	for _, test := range []struct {
		line   string
		code   int
		stdout string
		stderr string // lines, without "freshet: "
	}{
		{`--filter {"s":"a"} %plain`, 0, "{\"_id\":1,\"n\":3,\"s\":\"a\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n", ""},
		{`%plain`, 0, inputs["plain"], ""},
		{`--filter {"n":9} %plain`, 1, "", ""},
		{`%empty`, 1, "", ""},
		{`--filter {"_id":{"$in":[2,3]}} %plain`, 0, "{\"_id\":2,\"n\":1,\"s\":\"b\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n", ""},
		{`--filter @%query %plain`, 0, "{\"_id\":1,\"n\":3,\"s\":\"a\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n", ""},

		// Byte for byte, whatever the white space; only a last line without an end gets one.
		{`--filter {"n":3} %odd`, 0, "  { \"n\" : 3.0 , \"s\":\"\\u0061\" }\t\r\n{\"n\":1e0,\"n\":3}\r\n{\"n\":3}\n", ""},
		{`--filter {"n":3} %odd %empty %more`, 0, "  { \"n\" : 3.0 , \"s\":\"\\u0061\" }\t\r\n{\"n\":1e0,\"n\":3}\r\n{\"n\":3}\n{\"n\":3,\"from\":\"more\"}\n", ""},

		// Skip and limit hold for all files together; a sort keeps equal ones in order.
		{`--skip 1 --limit 3 %plain %more`, 0, "{\"_id\":2,\"n\":1,\"s\":\"b\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n{\"n\":3,\"from\":\"more\"}\n", ""},
		{`--sort n %plain`, 0, "{\"_id\":2,\"n\":1,\"s\":\"b\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n{\"_id\":1,\"n\":3,\"s\":\"a\"}\n", ""},
		{`--sort s --limit 2 %plain`, 0, "{\"_id\":1,\"n\":3,\"s\":\"a\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n", ""},
		{`--sort {"n":-1} --fields from --limit 2 %plain %more`, 0, "{\"_id\":1}\n{\"from\":\"more\"}\n", ""},
		{`--filter {"p":{"$near":[0,0],"$maxDistance":2}} %places`, 0, "{\"p\":[1,0],\"x\":1}\n{\"p\":[0,1],\"x\":2}\n", ""},
		{`--filter {"p":{"$near":[0,0]}} --skip 2 %places`, 0, "{\"p\":[3,0]}\n", ""},

		// Documents written anew.
		{`--fields n --limit 1 %odd`, 0, "{\"n\":3.0}\n", ""},
		{`--values relaxed --limit 2 --skip 1 %odd`, 0, "{\"n\":3}\n{\"n\":3}\n", ""},
		{`--values canonical --limit 1 %odd`, 0, "{\"n\":{\"$numberDouble\":\"3.0\"},\"s\":\"a\"}\n", ""},
		{`--fields {"none":0} --values plain %typed`, 0, "{\"_id\":\"0123456789abcdef01234567\",\"at\":\"2026-01-02T03:04:05Z\",\"_rev\":1}\n{\"_id\":5}\n{\"at\":null}\n", ""},

		{`--count --filter {"n":3} %plain %odd %more`, 0, "5\n", ""},
		{`-c --filter {"n":9} %plain`, 1, "0\n", ""},
		{`-c --sort n --skip 1 --limit 9 %plain`, 0, "2\n", ""},

		// What is no document is named, and the rest is shown.
		{`%broken`, 2, "{\"n\":3}\n{\"n\":3,\"last\":true}\n", "broken:2: " + noDocument + "the JSON text ends at byte 6; expected a comma or }\n" +
			"broken:3: " + noDocument + "the text holds an array; a JSON object is needed, such as {\"title\":\"x\"}\n" +
			"broken:4: " + noDocument + "/n: the string at byte 5 is not valid UTF-8; encode it as UTF-8\n"},
		{`--filter {"n":9} %plain %broken`, 2, "", "broken:2: " + noDocument + "the JSON text ends at byte 6; expected a comma or }\n" +
			"broken:3: " + noDocument + "the text holds an array; a JSON object is needed, such as {\"title\":\"x\"}\n" +
			"broken:4: " + noDocument + "/n: the string at byte 5 is not valid UTF-8; encode it as UTF-8\n"},
		{`--limit 1 %broken`, 0, "{\"n\":3}\n", ""}, // the result is complete before the first of them
		{`--strict %broken %plain`, 2, "{\"n\":3}\n", "broken:2: " + noDocument + "the JSON text ends at byte 6; expected a comma or }\n"},
		{`--unchecked --filter {"from":"more"} %broken %more`, 0, "{\"n\":3,\"from\":\"more\"}\n", ""}, // the broken ones are passed over
		{`--unchecked --filter {"s":"a"} %odd %plain`, 0, "  { \"n\" : 3.0 , \"s\":\"\\u0061\" }\t\r\n{\"_id\":1,\"n\":3,\"s\":\"a\"}\n{\"_id\":3,\"n\":2,\"s\":\"a\"}\n", ""},
		{`%absent %more`, 2, "{\"n\":3,\"from\":\"more\"}\n", "absent: the input cannot be read: open absent: no such file or directory\n"},
	} {
		r := match(t, folder, "never read", test.line)
		stderr := strings.ReplaceAll(r.stderr, "freshet: ", "")
		if r.code != test.code || r.stdout != test.stdout || stderr != test.stderr {
			t.Errorf("match %s: exit %d, %q, %q\nwant %d, %q, %q", test.line, r.code, r.stdout, stderr, test.code, test.stdout, test.stderr)
		}
	}
}

func TestMatchReadsStandardInput(t *testing.T) {
	t.Parallel()
	folder := inputFolder(t)
	for _, test := range []struct{ line, stdin, stdout, stderr string }{
		{`--filter {"n":3}`, "{\"n\":3}\r\n{\"n\":4}", "{\"n\":3}\r\n", ""},
		{`--filter {"n":3} -`, "{\"n\":3}", "{\"n\":3}\n", ""},
		{`--filter {"n":3} %more - %odd --limit 2`, "{\"n\":3}", "{\"n\":3,\"from\":\"more\"}\n{\"n\":3}\n", ""},
		{``, "{}\nx", "{}\n", "freshet: standard input:2: the line is no document: unexpected 'x' at byte 0; expected a value\n"},
	} {
		r := match(t, folder, test.stdin, test.line)
		if r.stdout != test.stdout || r.stderr != test.stderr {
			t.Errorf("match %s: %q, %q, want %q, %q", test.line, r.stdout, r.stderr, test.stdout, test.stderr)
		}
	}
}

// A mistake is found before anything is read, and is one line with the place and the remedy.
func TestMatchRefuses(t *testing.T) {
	t.Parallel()
	folder := inputFolder(t)
	for _, test := range []struct{ line, want string }{
		{`--filter {"n":{"$gt_":5}}`, `/filter/n/$gt_: the operator "$gt_" is unknown here (did you mean $gt?)`},
		{`--filter {"n":`, "/filter/n: the JSON text ends"},
		{`--filter [1]`, "/filter: the filter is an array"},
		{`--filter @%absent`, "--filter cannot be read: open absent: no such file"},
		{`--sort n,,m`, "empty name"},
		{`--sort {"n":2}`, "/sort/n: the direction"},
		{`--fields {"a":1,"b":0}`, "/fields/b: fields shows a and leaves out b"},
		{`--collation {"locale":"xx-none"}`, "/collation"},
		{`--values fancy`, "known are relaxed, canonical and plain"},
		{`--limit 0`, "--limit is 0"},
		{`--skip -1`, "--skip is -1"},
		{`--strict --unchecked`, "exclude each other"},
		{`--max-memory 5`, "is not a size from 1MiB"},
		{`--max-document-bytes 9GiB`, "is not a size from 1KiB to 1GiB"},
		{`--filtre {}`, "--filtre is unknown; did you mean --filter?"},
		{`--explain --filter {"_id":5}`, "a server refuses this query: /filter/_id: _id is compared with an integer"},
	} {
		r := match(t, folder, "{}\n", test.line)
		if r.code != 2 || r.stdout != "" || !strings.HasPrefix(r.stderr, "freshet: ") || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, test.want) {
			t.Errorf("match %s: exit %d, %q, %q, want %q", test.line, r.code, r.stdout, r.stderr, test.want)
		}
	}
}

func TestMatchBounds(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if r := match(t, folder, "", "%"); r.code != 2 || !strings.Contains(r.stderr, "is a directory") {
		t.Errorf("a folder: exit %d, %q", r.code, r.stderr)
	}
	long := `{"text":"` + strings.Repeat("x", 2000) + `"}`
	if r := match(t, folder, "{\"n\":1}\n"+long+"\n{\"n\":2}\n", "--max-document-bytes 1KiB"); r.code != 2 || r.stdout != "{\"n\":1}\n{\"n\":2}\n" ||
		!strings.Contains(r.stderr, "standard input:2: the line is no document: it has more than 1024 bytes (MaxDocumentBytes)") {
		t.Errorf("a long line: exit %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	if r := match(t, folder, strings.Repeat(long+"\n", 1000), "--sort n --max-memory 1MiB"); r.code != 2 || r.stdout != "" ||
		strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "--max-memory") {
		t.Errorf("a large sort: exit %d, %q, %q", r.code, r.stdout, r.stderr)
	}
}

func TestMatchExplains(t *testing.T) {
	t.Parallel()
	r := match(t, "", "never read", `--explain --filter {"$and":[{"_id":"a"},{"n":{"$in":[5]}}]} --sort -n --limit 3`)
	var explained struct {
		Filter  json.RawMessage
		FoundBy string
		IDs     []string
		Window  struct{ Limit int }
	}
	if err := json.Unmarshal([]byte(r.stdout), &explained); err != nil || r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d, %v, %s%s", r.code, err, r.stdout, r.stderr)
	}
	if explained.FoundBy != "ids" || len(explained.IDs) != 1 || explained.Window.Limit != 3 || !strings.Contains(string(explained.Filter), "$eq") {
		t.Errorf("explained as %s", r.stdout)
	}
}

// The program itself: standard input and output, the exit code, and an interruption.
func TestMatchAsAProgram(t *testing.T) {
	t.Parallel()
	folder := inputFolder(t)
	found := start(t, nil, "match", "--filter", `{"n":1}`, filepath.Join(folder, "plain"))
	if got, err := found.stdout.ReadString('\n'); err != nil || got != "{\"_id\":2,\"n\":1,\"s\":\"b\"}\n" {
		t.Errorf("%q, %v", got, err)
	}
	if text, code := found.rest(t); code != 0 || text != "" {
		t.Errorf("exit %d, %q", code, text)
	}
	none := start(t, nil, "match", "--filter", `{"n":9}`, filepath.Join(folder, "plain"))
	if text, code := none.rest(t); code != 1 || text != "" {
		t.Errorf("exit %d, %q", code, text)
	}

	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Close() }()
	waiting := startFrom(t, in, nil, "match")
	if _, err := feed.WriteString("{\"n\":1}\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := waiting.stdout.ReadString('\n'); err != nil || got != "{\"n\":1}\n" {
		t.Errorf("%q, %v", got, err)
	}
	waiting.signal(t, syscall.SIGINT)
	if text, code := waiting.rest(t); code != 2 || text != "freshet: interrupted before the end of the input\n" {
		t.Errorf("Ctrl-C: exit %d, %q", code, text)
	}
}

// The examples of the documents give what they say they give.
func TestMatchExamplesOfTheDocuments(t *testing.T) {
	t.Parallel()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..")
	ran := 0
	for _, document := range []string{"README.md", "docs/query-language.md"} {
		text, err := os.ReadFile(filepath.Join(root, document))
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(text), "```\n") {
			line, want, _ := strings.Cut(block, "\n")
			if !strings.HasPrefix(line, "$ ") || !strings.Contains(line, "freshet match ") {
				continue
			}
			shell := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(strings.TrimPrefix(line, "$ "), "bin/freshet", "freshet", 1))
			shell.Dir = root
			shell.Env = []string{"PATH=" + filepath.Dir(name) + ":" + os.Getenv("PATH")}
			if got, err := shell.CombinedOutput(); err != nil || string(got) != want {
				t.Errorf("%s: %s\ngives %s%v\nwant %s", document, line, got, err, want)
			}
			ran++
		}
	}
	if ran < 3 {
		t.Errorf("only %d examples were found", ran)
	}
}
