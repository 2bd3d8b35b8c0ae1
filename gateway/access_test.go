package gateway

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Invariant 4, with Dev: nothing that does not come from this machine is answered.
func TestDevAnswersThisMachineOnly(t *testing.T) {
	a := newAccess(Config{Dev: true, Origins: []string{"https://app.example.com/"}})
	cases := []struct {
		remote, host string
		header       string
		code         string // "" passes
	}{
		{"127.0.0.1:5", "localhost:4680", "", ""},
		{"127.0.0.1:5", "LOCALHOST", "", ""},
		{"127.0.0.1:5", "127.0.0.1:4680", "", ""},
		{"127.9.9.9:5", "app.localhost:4680", "", ""},
		{"[::1]:5", "[::1]:4680", "", ""},
		{"[::ffff:127.0.0.1]:5", "[::1]", "", ""},
		{"127.0.0.1:5", "example.com", "", "host-refused"},
		{"127.0.0.1:5", "localhost.example.com", "", "host-refused"},
		{"127.0.0.1:5", "127.0.0.1.example.com:80", "", "host-refused"},
		{"127.0.0.1:5", "10.0.0.1:4680", "", "host-refused"},
		{"127.0.0.1:5", "", "", "host-refused"},
		{"10.0.0.1:5", "localhost:4680", "", "host-refused"},
		{"127.0.0.1:5", "localhost:4680", "Forwarded: for=1.2.3.4", "forwarding-refused"},
		{"127.0.0.1:5", "localhost:4680", "X-Forwarded-For: 1.2.3.4", "forwarding-refused"},
		{"127.0.0.1:5", "localhost:4680", "X-Forwarded-Host: x", "forwarding-refused"},
		{"127.0.0.1:5", "localhost:4680", "X-Real-IP: 1.2.3.4", "forwarding-refused"},
		{"127.0.0.1:5", "localhost:4680", "Origin: http://localhost:3000", ""},
		{"127.0.0.1:5", "localhost:4680", "Origin: http://127.0.0.1", ""},
		{"127.0.0.1:5", "localhost:4680", "Origin: https://APP.example.com", ""},
		{"127.0.0.1:5", "localhost:4680", "Origin: https://evil.example.com", "origin-refused"},
		{"127.0.0.1:5", "localhost:4680", "Origin: https://localhost.evil.com", "origin-refused"},
		{"127.0.0.1:5", "localhost:4680", "Origin: null", "origin-refused"},
		{"127.0.0.1:5", "localhost:4680", "Origin: file://", "origin-refused"},
	}
	for _, c := range cases {
		r := httptest.NewRequest("GET", "/v1/db", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		if name, value, given := strings.Cut(c.header, ": "); given {
			r.Header.Set(name, value)
		}
		err := a.checkPlace(r)
		if err == nil {
			err = a.checkOrigin(r)
		}
		got := ""
		if err != nil {
			got = problemOf(err).Code
		}
		if got != c.code {
			t.Errorf("from %s, Host %q, %q: %q, want %q", c.remote, c.host, c.header, got, c.code)
		}
	}
}

func TestDevOverTheWire(t *testing.T) {
	s := startDev(t)
	s.do("GET", "/v1/db", "", "Host: example.com").problem("host-refused")
	s.do("GET", "/v1/db", "", "Origin: https://evil.example.com").problem("origin-refused")
	s.do("PUT", "/v1/db/pages", "", "X-Forwarded-For: 1.2.3.4").problem("forwarding-refused")
	s.do("GET", "/healthz", "", "Host: example.com").want(200)
	s.send(s.request("GET", s.admin+"/metrics", "", "Host: example.com")).problem("host-refused")
	if names := s.store.Collections(DefaultApp); len(names) != 0 {
		t.Fatalf("a refused request made %v", names)
	}
}

// Invariant 4, without Dev: nothing but the health paths is answered without the token.
func TestTokenIsNeeded(t *testing.T) {
	s := startServer(t, Config{})
	s.do("PUT", "/v1/db/pages", "").want(201)
	for pattern, methods := range routeTable() {
		path := "/v1" + strings.NewReplacer("{collection}", "pages", "{id}", "p").Replace(pattern)
		for method := range methods {
			if pattern == "/live" {
				continue // TestSocketNeedsToken
			}
			for header, code := range map[string]string{
				"Authorization: ": "token-missing", "Authorization: Bearer wrong": "token-invalid", "Authorization: Bearer ": "token-invalid",
				"Authorization: secret": "token-invalid", "Authorization: Basic secret": "token-invalid", "Authorization: Bearer secretx": "token-invalid",
			} {
				r := s.do(method, path, "", header)
				if r.problem(code); r.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s: no WWW-Authenticate", method, path)
				}
			}
		}
	}
	s.do("GET", "/v1/db", "", "Authorization: bearer secret").want(200)
	for _, base := range []string{s.base, s.admin} {
		for _, path := range []string{"/healthz", "/readyz"} {
			s.send(s.request("GET", base+path, "", "Authorization: ")).want(200)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		s.send(s.request("GET", s.admin+path, "", "Authorization: ")).problem("token-missing")
		s.send(s.request("GET", s.admin+path, "")).want(200)
		s.do("GET", path, "").problem("route-not-found")
	}
	// A server without a token lets nobody in, rather than everybody.
	if newAccess(Config{}).checkToken("") {
		t.Error("the empty token is right where none is configured")
	}
}

func TestCORS(t *testing.T) {
	s := startServer(t, Config{Origins: []string{"https://app.example.com"}})
	const app, other = "Origin: https://app.example.com", "Origin: https://other.example.com"
	r := s.do("OPTIONS", "/v1/db/pages", "", app, "Access-Control-Request-Method: PUT", "Authorization: ").want(204)
	if r.header.Get("Access-Control-Allow-Origin") != "https://app.example.com" || !strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "Idempotency-Key, If-Match") ||
		r.header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, POST, PUT" {
		t.Fatalf("preflight: %v", r.header)
	}
	s.do("OPTIONS", "/v1/db/pages", "", other, "Authorization: ").problem("origin-refused")
	r = s.do("PUT", "/v1/db/pages", "", app).want(201)
	if r.header.Get("Access-Control-Expose-Headers") != "ETag, Location, Retry-After, Freshet-Position" {
		t.Fatalf("exposed: %v", r.header)
	}
	if r := s.do("GET", "/v1/db", "", other).want(200); r.header.Get("Access-Control-Allow-Origin") != "" {
		t.Fatal("an origin that is not listed is allowed")
	}
	// Problems can be read by the page, too.
	if r := s.do("GET", "/v1/db/none", "", app); r.header.Get("Access-Control-Allow-Origin") == "" {
		t.Fatal("a problem without CORS headers")
	}
	same := "Origin: " + s.base
	if r := s.do("GET", "/v1/db", "", same).want(200); r.header.Get("Access-Control-Allow-Origin") != s.base {
		t.Fatal("the server's own origin is not allowed")
	}
}

func TestConfigValidate(t *testing.T) {
	for _, origin := range []string{"app.example.com", "https://app.example.com/path", "*", "https://"} {
		if (Config{Dev: true, Origins: []string{origin}}).Validate() == nil {
			t.Errorf("origin %q is valid", origin)
		}
	}
	if err := (Config{Dev: true, Origins: []string{"https://app.example.com", "http://10.0.0.1:3000"}}).Validate(); err != nil {
		t.Error(err)
	}
	if (Config{Dev: true, DrainTimeout: -1}).Validate() == nil {
		t.Error("a negative DrainTimeout is valid")
	}
}

var metricName = regexp.MustCompile(`\bfreshet_[a-z_]+[a-z]\b`)

func TestHealth(t *testing.T) {
	s := startDev(t)
	s.do("POST", "/healthz", "{}").problem("method-not-allowed")
	s.do(http.MethodHead, "/readyz", "").want(200)
	s.send(s.request("GET", s.admin+"/v1/db", "")).problem("route-not-found")
	s.do("GET", "/v1/db/pages?sorte=a", "").problem("parameter-unknown") // so that problems are counted
	text := s.send(s.request("GET", s.admin+"/metrics", "")).want(200).body
	for _, want := range []string{
		"freshet_gateway_connections ", "freshet_storage_writes_accepted_total 0", "freshet_fanout_subscriptions 0", "freshet_ingest_failed 0",
		"freshet_ingest_sync_seconds_total ", `freshet_gateway_limit{name="maxQueueBytes"} 4.194304e+06`, `freshet_gateway_build_info{version="dev"} 1`, "go_goroutines ",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no metric %s in %s", want, text)
		}
	}
	pages, err := filepath.Glob("../docs/*.md")
	must(t, err)
	for _, page := range pages {
		document, err := os.ReadFile(page)
		must(t, err)
		for _, name := range metricName.FindAllString(string(document), -1) {
			if !strings.Contains(text, "\n"+name+" ") && !strings.Contains(text, "\n"+name+"{") {
				t.Errorf("%s names a metric %s that is not there", page, name)
			}
		}
	}
	families, err := s.gateway.metrics.registry.Gather()
	must(t, err)
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "freshet_") && !strings.HasSuffix(family.GetHelp(), ".") {
			t.Errorf("%s: the help is %q; a field of Metrics has a tag `help` with a sentence", family.GetName(), family.GetHelp())
		}
	}
}
