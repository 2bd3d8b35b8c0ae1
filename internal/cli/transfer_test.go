package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImportAndExportMessages(t *testing.T) {
	t.Parallel()
	file := writeFile(t, filepath.Join(t.TempDir(), "a.ndjson"), "{}\n")
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"import", ExitUsage, "takes the name of a collection and a file"},
		{"import a b c", ExitUsage, "takes the name of a collection and a file"},
		{"import 9a " + file, ExitUsage, "is not a collection's name"},
		{"import a " + file + " --mode upsrt", ExitUsage, "did you mean upsert?"},
		{"import a " + file + " --format jsn", ExitUsage, "ndjson, extjson, csv"},
		{"import a " + file + " --max-errors -1", ExitUsage, "--max-errors is -1"},
		{"import a " + file + " --url ftp://x", ExitUsage, "http://"},
		{"import a /nowhere/b", ExitFailure, "/nowhere/b"},
		{"import a " + file + " --url http://127.0.0.1:1", ExitFailure, "is it running at http://127.0.0.1:1?"},
		{"import a " + file + " --resume " + file, ExitFailure, "is no progress file"},
		{"export", ExitUsage, "needs the name of a collection"},
		{"export a --limit 0", ExitUsage, "--limit is 0"},
		{"export a --filter x", ExitUsage, "--filter is not JSON"},
		{"export a --values x", ExitUsage, "relaxed, canonical and plain"},
		{"export a --format csv --values plain", ExitUsage, "those of its columns"},
		{"export a --format csv --fields a.text()", ExitUsage, "known are auto(), string()"},
		{"export a --format csv --fields {}", ExitUsage, "with commas between"},
		{"export a --json-array", ExitUsage, "--format extjson"},
		{"export a --url http://127.0.0.1:1", ExitFailure, "is it running at http://127.0.0.1:1?"},
	} {
		r := invoke(t, nil, strings.Fields(test.args)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.want) || strings.Contains(r.stdout, "goroutine") {
			t.Errorf("%s: exit %d, %q; want %d, %q", test.args, r.code, r.stderr, test.code, test.want)
		}
	}
}

func TestImportModes(t *testing.T) {
	t.Parallel()
	_, url := serve(t, filepath.Join(t.TempDir(), "data"), "--dev")
	folder := t.TempDir()
	steps := []struct {
		args, text string
		code       int
		summary    string
		errors     string
	}{
		{"", "{\"_id\":\"a\",\"n\":1}\nno\n{\"_id\":\"b\",\"_meta\":1}\n{\"n\":2}\n", ExitFailure, "4 documents: 2 inserted, 0 replaced, 2 failed", "line 3: The field _meta"},
		{"", "{\"_id\":\"a\",\"n\":2}\n", ExitFailure, "1 document: 0 inserted, 0 replaced, 1 failed", "line 1: A document with this _id exists"},
		{"--mode upsert", "{\"_id\":\"a\",\"n\":3}\n{\"_id\":\"c\"}\n{\"n\":4}\n", ExitOK, "3 documents: 2 inserted, 1 replaced, 0 failed", ""},
		{"--mode replace", "{\"_id\":\"a\",\"n\":5}\n{\"_id\":\"z\"}\n{\"n\":4}\n", ExitFailure, "3 documents: 0 inserted, 1 replaced, 2 failed", "line 3: The field _id"},
		{"--max-errors 1", "x\nx\nx\nx\n", ExitFailure, "2 documents: 0 inserted, 0 replaced, 2 failed", "too many documents failed: more than 1"},
		{"--format extjson", `[{"_id":{"$numberInt":"5"}},{]`, ExitFailure, "1 document: 1 inserted, 0 replaced, 0 failed", "ends within a document"},
		{"", "", ExitOK, "0 documents: 0 inserted", ""},
	}
	for i, step := range steps {
		name := writeFile(t, filepath.Join(folder, fmt.Sprint(i)), step.text)
		r := invoke(t, []string{"FRESHET_URL=" + url}, append([]string{"import", "things", name}, strings.Fields(step.args)...)...)
		if r.code != step.code || !strings.HasPrefix(r.stdout, step.summary) || !strings.Contains(r.stderr, step.errors) {
			t.Errorf("step %d: exit %d, %s%s", i, r.code, r.stdout, r.stderr)
		}
	}
	r := invoke(t, []string{"FRESHET_URL=" + url}, "export", "things", "--filter", `{"_id":{"$in":["a","b","c","5"]}}`, "--sort", "-_id", "--fields", "n")
	if want := "{\"_id\":\"c\"}\n{\"_id\":\"a\",\"n\":5}\n{\"_id\":\"5\"}\n"; r.code != ExitOK || r.stdout != want || !strings.Contains(r.stderr, "3 documents, ") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

// randomValue is the canonical Extended JSON of a value; scalar ones are what a column of CSV has a type for.
func randomValue(rng *rand.Rand, depth int) string {
	quoted := func() string {
		letters := []rune("ab \"\\,\n\té€😀\u2028{}[]$.'")
		text := make([]rune, rng.IntN(6))
		for i := range text {
			text[i] = letters[rng.IntN(len(letters))]
		}
		return string(matcher.AppendString(nil, []byte(string(text))))
	}
	switch n := rng.IntN(18); n {
	case 0:
		return "null"
	case 1:
		return fmt.Sprint(rng.IntN(2) == 0)
	case 2:
		return fmt.Sprintf(`{"$numberInt":"%d"}`, int32(rng.Uint32()))
	case 3, 4:
		return fmt.Sprintf(`{"$numberLong":"%d"}`, int64(rng.Uint64())>>rng.IntN(64))
	case 5:
		return fmt.Sprintf(`{"$numberDouble":"%v"}`, rng.NormFloat64()*float64(rng.IntN(1000)))
	case 6:
		return `{"$numberDouble":"` + []string{"NaN", "Infinity", "-Infinity", "-0.0", "5.0"}[rng.IntN(5)] + `"}`
	case 7:
		return fmt.Sprintf(`{"$numberDecimal":"%d.%02d"}`, rng.IntN(1000), rng.IntN(100))
	case 8:
		return fmt.Sprintf(`{"$date":{"$numberLong":"%d"}}`, rng.Int64N(4e12)-2e12)
	case 9:
		return fmt.Sprintf(`{"$oid":"%024x"}`, rng.Uint64())
	case 10:
		return `{"$binary":{"base64":"aGVsbG8=","subType":"` + []string{"00", "04", "80"}[rng.IntN(3)] + `"}}`
	case 11:
		return `{"$regularExpression":{"pattern":"a.*","options":"i"}}`
	case 12:
		return `{"$timestamp":{"t":5,"i":7}}`
	case 13:
		return []string{`{"$minKey":1}`, `{"$maxKey":1}`}[rng.IntN(2)]
	case 14, 15:
		if depth == 0 {
			break
		}
		values := make([]string, rng.IntN(4))
		for i := range values {
			values[i] = randomValue(rng, depth-1)
			if n == 15 {
				values[i] = fmt.Sprintf(`"k%d":%s`, i, values[i])
			}
		}
		if n == 15 {
			return "{" + strings.Join(values, ",") + "}"
		}
		return "[" + strings.Join(values, ",") + "]"
	}
	return quoted()
}

// Documents of all types come back from every format as they went in.
func TestExportsImportToTheSame(t *testing.T) {
	t.Parallel()
	_, url := serve(t, filepath.Join(t.TempDir(), "data"), "--dev")
	environ := []string{"FRESHET_URL=" + url}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	var text strings.Builder
	const documents = 2500 // more than two pages
	for i := range documents {
		fmt.Fprintf(&text, `{"_id":"d%05d"`, i)
		for _, name := range []string{"a", "b", "c"} {
			if rng.IntN(4) > 0 {
				fmt.Fprintf(&text, `,"%s":%s`, name, randomValue(rng, 3))
			}
		}
		fmt.Fprintf(&text, `,"s":"s%d","n":{"$numberLong":"%d"},"t":{"$date":{"$numberLong":"%d"}}}`+"\n", i, rng.Int64(), rng.Int64N(4e12))
	}
	folder := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if r := invoke(t, environ, args...); r.code != ExitOK {
			t.Fatalf("%v: exit %d, %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	first, exact := filepath.Join(folder, "first.ndjson"), filepath.Join(folder, "exact.json")
	run("import", "first", writeFile(t, first, text.String()))
	run("export", "first", "--out", exact)
	if want := readFile(t, exact); strings.Count(want, "\n") != documents || !strings.HasPrefix(want, `{"_id":"d00000"`) {
		t.Fatalf("the export begins %.200s", want)
	}
	for i, args := range [][]string{
		{"--out", "again.json"},
		{"--out", "array.json", "--json-array"},
		{"--out", "canonical.ndjson", "--values", "canonical"},
		{"--out", "whole.ndjson", "--values", "canonical", "--metadata"},
		{"--out", "typed.csv", "--fields", "_id,a.json(),b.json(),c.json(),s,n.int64(),t"},
	} {
		file, collection := filepath.Join(folder, args[1]), fmt.Sprintf("copy%d", i)
		args[1] = file
		run(append([]string{"export", "first"}, args...)...)
		run("import", collection, file)
		again := filepath.Join(folder, collection+".json")
		run("export", collection, "--out", again)
		if readFile(t, again) != readFile(t, exact) {
			t.Errorf("%v: the copy differs", args)
		}
	}
	// A file that does not become whole does not appear.
	bad := filepath.Join(folder, "bad.csv")
	if r := invoke(t, environ, "export", "first", "--out", bad, "--fields", "_id,a.int64()"); r.code != ExitFailure || !strings.Contains(r.stderr, "exactly") {
		t.Errorf("exit %d, %s", r.code, r.stderr)
	}
	if left, err := filepath.Glob(bad + "*"); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// cutter passes connections on to a server and, after some bytes, calls trigger once.
type cutter struct {
	listener net.Listener
	target   atomic.Pointer[string]

	mu          sync.Mutex
	connections map[net.Conn]bool
	after       int // bytes until trigger; negative: never
	trigger     func()
}

func newCutter(t *testing.T) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, connections: map[net.Conn]bool{}, after: -1}
	t.Cleanup(func() { _ = listener.Close(); c.cut() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.pass(conn)
		}
	}()
	return c
}

func (c *cutter) pass(client net.Conn) {
	server, err := net.Dial("tcp", *c.target.Load())
	if err != nil {
		_ = client.Close()
		return
	}
	c.mu.Lock()
	c.connections[client], c.connections[server] = true, true
	c.mu.Unlock()
	go c.copy(server, client)
	c.copy(client, server)
}

func (c *cutter) copy(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		half := n > 0 && c.count(n) // the connection ends anywhere within what is sent
		if half {
			n /= 2
		}
		if _, err2 := to.Write(buffer[:n]); half || err != nil || err2 != nil {
			return
		}
	}
}

func (c *cutter) count(n int) (triggered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after < 0 {
		return false
	}
	if c.after -= n; c.after >= 0 {
		return false
	}
	go c.trigger()
	return true
}

func (c *cutter) set(after int, trigger func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after, c.trigger = after, trigger
}

// cut closes all connections.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.connections {
		_ = conn.Close()
	}
	clear(c.connections)
}

// Connections are cut, the server and the import are killed, anywhere; the import is repeated until it succeeds. Then
// every document is there once, and was written once.
func TestImportIsExactThroughCuts(t *testing.T) {
	t.Parallel()
	for _, resumed := range []bool{false, true} {
		t.Run(fmt.Sprintf("resume=%v", resumed), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			importThroughCuts(t, rand.New(rand.NewPCG(seed, 2)), resumed)
		})
	}
}

func importThroughCuts(t *testing.T, rng *rand.Rand, resumed bool) {
	const documents, size = 4000, 400
	folder := t.TempDir()
	data := filepath.Join(folder, "data")
	var text strings.Builder
	for i := range documents {
		id := fmt.Sprintf(`"_id":"d%d",`, i)
		if rng.IntN(2) == 0 {
			id = ""
		}
		fmt.Fprintf(&text, `{%s"n":%d,"text":"%s"}`+"\n", id, i, strings.Repeat("x", size))
	}
	file := writeFile(t, filepath.Join(folder, "things.ndjson"), text.String())
	proxy := newCutter(t)
	node, url := serve(t, data, "--dev")
	moved := func() {
		address := strings.TrimPrefix(url, "http://")
		proxy.target.Store(&address)
	}
	moved()
	args := []string{"import", "things", file, "--url", "http://" + proxy.listener.Addr().String()}
	if resumed {
		args = append(args, "--resume", filepath.Join(folder, "progress"))
	}
	cuts, runs := 9, 0
	for done := false; !done; runs++ {
		if runs > 40 {
			t.Fatal("the import does not come to an end")
		}
		im := start(t, nil, args...)
		ended := make(chan string, 1)
		go func() {
			var all strings.Builder
			_, err := io.Copy(&all, im.stderr)
			ended <- fmt.Sprint(all.String(), err)
		}()
		for over := false; !over; {
			triggered := make(chan struct{}, 1)
			if cuts > 0 {
				proxy.set(rng.IntN(documents*size/8), func() { triggered <- struct{}{} })
			}
			select {
			case told := <-ended:
				over = true
				proxy.set(-1, nil)
				_ = im.cmd.Wait()
				if done = im.cmd.ProcessState.ExitCode() == ExitOK; !done {
					t.Logf("run %d: %s", runs, told)
				}
			case <-triggered:
				cuts--
				switch how := rng.IntN(4); how {
				case 0:
					proxy.cut()
				case 1:
					_ = im.cmd.Process.Kill()
				default:
					end := map[int]os.Signal{2: os.Kill, 3: syscall.SIGTERM}
					node.signal(t, end[how])
					_, _ = io.Copy(io.Discard, node.stderr)
					_ = node.cmd.Wait()
					proxy.cut()
					node, url = serve(t, data, "--dev")
					moved()
				}
			}
		}
	}
	t.Logf("%d runs", runs)
	if cuts > 6 {
		t.Errorf("only %d cuts were made", 9-cuts)
	}
	r := invoke(t, nil, "export", "things", "--metadata", "--url", url)
	if r.code != ExitOK {
		t.Fatal(r.stderr)
	}
	seen := map[int]bool{}
	for line := range strings.Lines(r.stdout) {
		var d struct {
			N   int    `json:"n"`
			ID  string `json:"_id"`
			Rev string `json:"_rev"`
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		if seen[d.N] || !strings.HasPrefix(d.Rev, "1-") {
			t.Errorf("%s is there twice, or was written twice: %s", d.ID, d.Rev)
		}
		seen[d.N] = true
	}
	if len(seen) != documents {
		t.Errorf("%d documents of %d", len(seen), documents)
	}
}

// A progress file does not go with another file.
func TestResumeWantsTheSameFile(t *testing.T) {
	t.Parallel()
	_, url := serve(t, filepath.Join(t.TempDir(), "data"), "--dev")
	folder := t.TempDir()
	progress := filepath.Join(folder, "progress")
	name := filepath.Join(folder, "a.ndjson")
	run := func(want int, says, text string, more ...string) {
		t.Helper()
		writeFile(t, name, text)
		r := invoke(t, []string{"FRESHET_URL=" + url}, append([]string{"import", "things", name, "--resume", progress}, more...)...)
		if r.code != want || !strings.Contains(r.stdout+r.stderr, says) {
			t.Errorf("%q: exit %d, %s%s", text, r.code, r.stdout, r.stderr)
		}
	}
	run(ExitOK, "2 documents: 2 inserted", "{\"n\":1}\n{\"n\":2}\n")
	run(ExitOK, "2 documents: 2 inserted", "{\"n\":1}\n{\"n\":2}\n")
	run(ExitOK, "3 documents: 3 inserted", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n")
	run(ExitFailure, "not those that were imported", "{\"n\":1}\n{\"n\":7}\n{\"n\":3}\n")
	run(ExitFailure, "it has 1 documents, but 3", "{\"n\":1}\n")
	run(ExitFailure, "--mode insert", "{}", "--mode", "upsert")
	r := invoke(t, []string{"FRESHET_URL=" + url}, "export", "things", "--fields", "n", "--format", "csv")
	if strings.Count(r.stdout, "\n") != 4 {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
}

// Without --dev everything needs the token, and nothing makes a collection by the way: an import says so, and makes it where
// it is asked to.
func TestImportWithTheRootToken(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	_, url, admin := serveBoth(t, data)
	token, err := os.ReadFile(filepath.Join(data, "root.token"))
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, filepath.Join(t.TempDir(), "a.ndjson"), `{"_id":"a"}`+"\n")
	environ := []string{urlEnv + "=" + url}
	if r := invoke(t, environ, "import", "pages", file, "--create"); r.code != ExitFailure || !strings.Contains(r.stderr, tokenEnv) {
		t.Fatalf("without a token: exit %d, %q", r.code, r.stderr)
	}
	if r := invoke(t, nil, "backup", t.TempDir(), "--admin-url", admin); r.code != ExitFailure || !strings.Contains(r.stderr, tokenEnv) {
		t.Fatalf("a backup without a token: exit %d, %q", r.code, r.stderr)
	}
	environ = append(environ, tokenEnv+"="+strings.TrimSpace(string(token)))
	if r := invoke(t, environ, "import", "pages", file); r.code != ExitFailure || !strings.Contains(r.stderr, "--create") {
		t.Fatalf("a missing collection: exit %d, %q", r.code, r.stderr)
	}
	for range 2 { // made, and there already
		if r := invoke(t, environ, "import", "pages", file, "--create"); r.code != ExitOK || !strings.HasPrefix(r.stdout, "1 document: 1 inserted") {
			t.Fatalf("exit %d, %q, %q", r.code, r.stdout, r.stderr)
		}
	}
}
