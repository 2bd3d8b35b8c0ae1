package cli

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// One line and an exit code, whatever is at the other end.
func TestHealthOfWhateverAnswers(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	starting := `{"type":"about:blank","title":"Starting","status":503,"code":"starting","detail":"The server is replaying its log."}`
	for path, answer := range map[string]struct {
		status int
		text   string
	}{
		"/ready/readyz": {200, `{"status":"ok"}`}, "/ready/healthz": {200, `{"status":"ok"}`},
		"/starting/readyz": {503, starting}, "/starting/healthz": {200, `{"status":"ok"}`},
		"/page/readyz": {200, "<html>hello"}, "/other/readyz": {200, `{"status":"UP"}`}, "/none/readyz": {404, `{"error":"nothing here"}`},
		"/lying/readyz": {503, `{"status":"ok"}`},
		"/long/readyz":  {200, strings.Repeat(" ", maxHealthBytes) + `{"status":"ok"}`},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer.status)
			_, _ = fmt.Fprint(w, answer.text) // a client that does not read it fails the test
		})
	}
	mux.Handle("/moved/readyz", http.RedirectHandler("/ready/readyz", http.StatusFound))
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"/ready", ExitOK, "ready\n", ""},
		{"/ready/", ExitOK, "ready\n", ""},
		{"/ready --alive", ExitOK, "alive\n", ""},
		{"/starting", ExitFailure, "", "freshet: not ready: The server is replaying its log. [starting]\n"},
		{"/starting --alive", ExitOK, "alive\n", ""},
		{"/page", ExitFailure, "", "/page/readyz answers 200 OK, and not as a Freshet server does"},
		{"/other", ExitFailure, "", "answers 200 OK, and not as"},
		{"/none", ExitFailure, "", "answers 404 Not Found, and not as"},
		{"/none --alive", ExitFailure, "", "freshet: not alive: "},
		{"/lying", ExitFailure, "", "answers 503 Service Unavailable, and not as"},
		{"/long", ExitFailure, "", "and not as"},
		{"/moved", ExitFailure, "", "answers 302 Found"},
		{"/ready --timeout 0", ExitUsage, "", "--timeout is 0s; give more than 0 and at most 10m0s"},
		{"/ready --timeout 11m", ExitUsage, "", "--timeout is 11m0s"},
		{"/ready extra", ExitUsage, "", `takes no argument "extra"`},
	} {
		r := invoke(t, nil, append([]string{"health", "--url"}, strings.Fields(server.URL+test.args)...)...)
		if r.code != test.code || r.stdout != test.stdout || !strings.Contains(r.stderr, test.stderr) || strings.Count(r.stdout+r.stderr, "\n") != 1 {
			t.Errorf("%s: exit %d, %q, %q; want %d, %q, %q", test.args, r.code, r.stdout, r.stderr, test.code, test.stdout, test.stderr)
		}
	}
	if r := invoke(t, []string{urlEnv + "=" + server.URL + "/ready"}, "health"); r.code != ExitOK {
		t.Errorf("%s is not taken: %q", urlEnv, r.stderr)
	}
	if r := invoke(t, nil, "health", "--url", "localhost:4680"); r.code != ExitUsage || !strings.Contains(r.stderr, "http://127.0.0.1:4680") {
		t.Errorf("an address that is no URL: exit %d, %q", r.code, r.stderr)
	}
}

// A server that takes the connection and says nothing is given up in time.
func TestHealthIsBounded(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begin := time.Now()
	r := invoke(t, nil, "health", "--timeout", "50ms", "--url", "http://"+silent.Addr().String())
	if r.code != ExitFailure || !strings.HasPrefix(r.stderr, "freshet: not ready: no answer from ") || !strings.Contains(r.stderr, "within 50ms") || time.Since(begin) > binaryTimeout {
		t.Errorf("exit %d after %v: %q", r.code, time.Since(begin), r.stderr)
	}
}

// The program on both sides, on both ports, with no token.
func TestHealthOfARealServer(t *testing.T) {
	t.Parallel()
	p, public, admin := serveBoth(t, filepath.Join(t.TempDir(), "data"))
	for _, url := range []string{public, admin} {
		for flag, want := range map[string]string{"--alive=false": "ready\n", "--alive": "alive\n"} {
			health := start(t, []string{"FRESHET_URL=" + url}, "health", flag)
			if got, err := health.stdout.ReadString('\n'); err != nil || got != want {
				t.Errorf("%s %s: %q, %v", url, flag, got, err)
			}
			if text, code := health.rest(t); code != ExitOK || text != "" {
				t.Errorf("%s %s: exit %d, %q", url, flag, code, text)
			}
		}
	}
	p.stopInOrder(t)
	health := start(t, nil, "health", "--url", public)
	if text, code := health.rest(t); code != ExitFailure || !strings.HasPrefix(text, "freshet: not ready: the server cannot be reached: ") || strings.Count(text, "\n") != 1 {
		t.Errorf("of a stopped server: exit %d, %q", code, text)
	}
}
