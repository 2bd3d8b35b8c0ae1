package gateway

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// access decides who may pass.
type access struct {
	dev     bool
	origins map[string]bool

	// Set by setToken, before the first call of checkToken.
	tokenHash [sha256.Size]byte
	hasToken  bool
}

func newAccess(cfg Config) *access {
	a := &access{dev: cfg.Dev, origins: map[string]bool{}}
	for _, origin := range cfg.Origins {
		a.origins[strings.ToLower(strings.TrimRight(origin, "/"))] = true
	}
	return a
}

// setToken sets the one token that is right; "": none is.
func (a *access) setToken(token string) {
	a.tokenHash, a.hasToken = sha256.Sum256([]byte(token)), token != ""
}

// checkPlace applies the rules of Dev: only this machine, seen directly.
func (a *access) checkPlace(r *http.Request) error {
	if !a.dev {
		return nil
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || !loopbackHost(host) {
		return problemf("host-refused", "With --dev only connections from this machine are answered, not from %s; start the server without --dev to serve others.", r.RemoteAddr)
	}
	if !loopbackHost(hostOnly(r.Host)) {
		return problemf("host-refused", "With --dev the Host must be localhost or a loopback address, not %q; start the server without --dev to serve others.", r.Host)
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return problemf("forwarding-refused", "With --dev requests must not come through a proxy, and this one has the header %s; start the server without --dev behind a proxy.", name)
		}
	}
	return nil
}

// originAllowed says whether a page of this origin may call. A request without an Origin is not a page's.
func (a *access) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || a.origins[strings.ToLower(origin)] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if a.dev {
		return loopbackHost(u.Hostname())
	}
	return strings.EqualFold(u.Host, r.Host)
}

func (a *access) checkOrigin(r *http.Request) error {
	if a.originAllowed(r) {
		return nil
	}
	origin := r.Header.Get("Origin")
	if origin == "null" {
		return problemf("origin-refused", "A page that was opened from a file, or that is sandboxed, has no origin (it sends null); serve it over HTTP, for example from localhost.")
	}
	return problemf("origin-refused", "The origin %q is not allowed; list it in http.origins.", origin)
}

// checkToken compares in constant time. Without a configured token none is right.
func (a *access) checkToken(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return a.hasToken && subtle.ConstantTimeCompare(sum[:], a.tokenHash[:]) == 1
}

// bearer returns the token of the Authorization header; ok is false if there is no such header.
func bearer(r *http.Request) (token string, ok bool) {
	value := r.Header.Get("Authorization")
	if value == "" {
		return "", false
	}
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimSpace(token), true
}

// checkCaller lets a request pass that may do everything.
func (a *access) checkCaller(r *http.Request) error {
	if a.dev {
		return nil
	}
	token, given := bearer(r)
	switch {
	case !given:
		return problemf("token-missing", "This server answers only with an access token; send Authorization: Bearer <token>.")
	case !a.checkToken(token):
		return problemf("token-invalid", "The access token in the Authorization header is not valid here.")
	}
	return nil
}

// hostOnly cuts the port off a Host header's value.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

func loopbackHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	corsHeaders = "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer"
	corsExposed = "ETag, Location, Retry-After, Freshet-Position"
)

// allowOrigin adds the CORS headers for a page that may call.
func (a *access) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && a.originAllowed(r) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", corsExposed)
	}
}

// preflight answers the question of a browser whether a page may call.
func (a *access) preflight(w http.ResponseWriter, allow string) {
	h := w.Header()
	h.Set("Allow", allow)
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
