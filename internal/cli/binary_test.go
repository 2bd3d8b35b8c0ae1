package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binaryTimeout bounds everything that these tests wait for in another process.
const binaryTimeout = 60 * time.Second

var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "freshet-cli-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(folder, "freshet")
	if out, err := exec.Command("go", "build", "-o", name, "../..").CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return name, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if name, err := binary(); err == nil {
		if err := os.RemoveAll(filepath.Dir(name)); err != nil {
			code = 1
		}
	}
	os.Exit(code)
}

// process is the real program, run with no FRESHET_ variables but the given ones.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bufio.Reader
}

func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	return startFrom(t, nil, environ, args...)
}

// startFrom is start with a file as standard input.
func startFrom(t *testing.T, stdin *os.File, environ []string, args ...string) *process {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), binaryTimeout)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(environ, "PATH="+os.Getenv("PATH"))
	if stdin != nil {
		cmd.Stdin = stdin
	}
	out, err1 := cmd.StdoutPipe()
	errs, err2 := cmd.StderrPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel() // ends it, where the test has not
		_ = cmd.Wait()
	})
	return &process{cmd, bufio.NewReader(out), bufio.NewReader(errs)}
}

// line reads until a line that holds the text.
func line(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	var before strings.Builder
	for {
		l, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no line with %q: %v after\n%s", text, err, before.String())
		}
		if strings.Contains(l, text) {
			return l
		}
		before.WriteString(l)
	}
}

// rest reads standard error to its end and returns it with the exit code.
func (p *process) rest(t *testing.T) (string, int) {
	t.Helper()
	var text bytes.Buffer
	if _, err := text.ReadFrom(p.stderr); err != nil {
		t.Fatal(err)
	}
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return text.String(), p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// serve starts a node on free ports and returns its address.
func serve(t *testing.T, data string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, nil, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data}, args...)...)
	var serving struct{ Listen, Admin, Data, Level string }
	text := line(t, p.stderr, `"message":"serving"`)
	if err := json.Unmarshal([]byte(text), &serving); err != nil {
		t.Fatal(err)
	}
	if serving.Data != data || strings.HasSuffix(serving.Listen, ":0") || strings.HasSuffix(serving.Admin, ":0") || serving.Listen == serving.Admin {
		t.Errorf("the line serving is %s", text)
	}
	return p, "http://" + serving.Listen
}

func request(t *testing.T, method, url, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s, %v", method, url, response.Status, err)
	}
}

// A signal drains and exits 0; the data folder has one owner; the data survives.
func TestServeLifeCycle(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	first, url := serve(t, data, "--dev")
	request(t, http.MethodPut, url+"/v1/db/pages/a", `{"title":"one"}`)

	second := start(t, nil, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data)
	text, code := second.rest(t)
	if code != ExitFailure || !strings.HasPrefix(text, "freshet: ") || !strings.Contains(text, "process") || strings.Contains(text, "goroutine") {
		t.Errorf("a second process on the folder: exit %d, %q", code, text)
	}

	taken := strings.TrimPrefix(url, "http://")
	third := start(t, nil, "serve", "--dev", "--listen", taken, "--admin", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "other"))
	if text, code := third.rest(t); code != ExitFailure || !strings.Contains(text, taken) || !strings.Contains(text, "--listen") {
		t.Errorf("a second process on the port: exit %d, %q", code, text)
	}

	first.signal(t, syscall.SIGTERM)
	if text, code := first.rest(t); code != ExitOK || strings.Contains(text, "freshet: ") || !strings.Contains(text, `"message":"stopped"`) {
		t.Errorf("SIGTERM: exit %d, %q", code, text)
	}
	killed, url := serve(t, data, "--dev")
	request(t, http.MethodGet, url+"/v1/db/pages/a", "")
	request(t, http.MethodPut, url+"/v1/db/pages/b", `{"title":"two"}`)
	killed.signal(t, syscall.SIGKILL)
	if text, code := killed.rest(t); code == ExitOK || strings.Contains(text, "stopped") {
		t.Errorf("SIGKILL: exit %d, %q", code, text)
	}
	again := start(t, nil, "serve", "--dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data)
	line(t, again.stderr, `"records":1,`) // the write since the last stop
	line(t, again.stderr, `"message":"serving"`)
	again.signal(t, syscall.SIGINT)
	if text, code := again.rest(t); code != ExitOK {
		t.Errorf("SIGINT: exit %d, %q", code, text)
	}
}

// The program on both sides: what one process writes, `freshet sub` of another prints.
func TestSubFollowsARealServer(t *testing.T) {
	t.Parallel()
	node, url := serve(t, filepath.Join(t.TempDir(), "data"), "--dev")
	request(t, http.MethodPut, url+"/v1/db/pages/a", `{"n":1}`)
	sub := start(t, []string{"FRESHET_URL=" + url}, "sub", "pages", "--sort", "-n", "--limit", "2", "--fields", "n")
	if got := line(t, sub.stdout, "document"); got != "document 0 a {\"_id\":\"a\",\"n\":1}\n" {
		t.Errorf("result: %q", got)
	}
	request(t, http.MethodPut, url+"/v1/db/pages/b", `{"n":2}`)
	request(t, http.MethodPut, url+"/v1/db/pages/a", `{"n":3}`)
	request(t, http.MethodDelete, url+"/v1/db/pages/b", "")
	for _, want := range []string{"add 0 b {\"_id\":\"b\",\"n\":2}\n", "changeIndex 1>0 a {\"_id\":\"a\",\"n\":3}\n", "remove 1 b\n"} {
		if got, err := sub.stdout.ReadString('\n'); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}

	collated := start(t, []string{"FRESHET_URL=" + url}, "sub", "pages", "--filter", `{"_id":{"$in":["A"]}}`,
		"--collation", `{"locale":"en","strength":2}`, "--values", "canonical", "--fields", "n")
	if got := line(t, collated.stdout, "document"); got != "document 0 a {\"_id\":\"a\",\"n\":{\"$numberLong\":\"3\"}}\n" {
		t.Errorf("under a collation, canonical: %q", got)
	}
	collated.signal(t, syscall.SIGINT)
	if text, code := collated.rest(t); code != ExitOK {
		t.Errorf("Ctrl-C: exit %d, %q", code, text)
	}

	bad := start(t, []string{"FRESHET_URL=" + url}, "sub", "pages", "--filter", `{"n":{"$near_":1}}`)
	if text, code := bad.rest(t); code != ExitFailure || !strings.Contains(text, "$near_") || !strings.Contains(text, "[operator-unknown]") {
		t.Errorf("an unknown operator: exit %d, %q", code, text)
	}

	// A drained server is looked for again, until Ctrl-C.
	node.signal(t, syscall.SIGTERM)
	if text, code := node.rest(t); code != ExitOK {
		t.Errorf("drain: exit %d, %q", code, text)
	}
	line(t, sub.stderr, "freshet: the connection was lost (close code 4001")
	sub.signal(t, syscall.SIGINT)
	if text, code := sub.rest(t); code != ExitOK {
		t.Errorf("Ctrl-C: exit %d, %q", code, text)
	}
}

// Without --dev there is a token, and sub needs it.
func TestSubWithTheRootToken(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	_, url := serve(t, data)
	refused := start(t, []string{"FRESHET_URL=" + url}, "sub", "pages")
	if text, code := refused.rest(t); code != ExitFailure || !strings.Contains(text, tokenEnv) {
		t.Errorf("without a token: exit %d, %q", code, text)
	}
	token, err := os.ReadFile(filepath.Join(data, "root.token"))
	if err != nil {
		t.Fatal(err)
	}
	sub := start(t, []string{"FRESHET_URL=" + url, tokenEnv + "=" + strings.TrimSpace(string(token))}, "sub", "pages")
	if text, code := sub.rest(t); code != ExitFailure || !strings.Contains(text, "[collection-not-found]") {
		t.Errorf("with the token: exit %d, %q", code, text)
	}
}
