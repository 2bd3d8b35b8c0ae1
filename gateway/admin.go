package gateway

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// health answers the health paths, which are on both ports and need no token. handled is false for other paths.
func (g *Gateway) health(w http.ResponseWriter, r *http.Request) (handled bool) {
	if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		writeProblem(w, &Problem{Code: "method-not-allowed", Detail: "Health is asked with GET.", Allow: "GET, HEAD"})
		return true
	}
	if r.URL.Path == "/readyz" {
		if err := g.serving(); err != nil {
			writeProblem(w, problemOf(err))
			return true
		}
	}
	w.Header().Set("Content-Type", contentJSON)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(`{"status":"ok"}`)) // a client that went away is nobody's loss
	return true
}

// serving says why the node does not take requests now.
func (g *Gateway) serving() error {
	select {
	case <-g.draining:
		return problemf("draining", "The server is stopping.")
	default:
	}
	if err := g.open(); err != nil {
		return err
	}
	select {
	case <-g.store.Ready():
		return nil
	default:
		return problemf("starting", "The server is replaying its log.")
	}
}

// open says that Open has not been called, if so. Before it there is no store, and no token is known.
func (g *Gateway) open() error {
	select {
	case <-g.opened:
		return nil
	default:
		return problemf("starting", "The server is opening its log.")
	}
}

// serveAdmin answers the admin port: metrics, profiles and backups, to those who may do everything.
func (g *Gateway) serveAdmin() http.Handler {
	exposed := promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{})
	profiles := http.NewServeMux()
	profiles.HandleFunc("/debug/pprof/", pprof.Index)
	profiles.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	profiles.HandleFunc("/debug/pprof/profile", pprof.Profile)
	profiles.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	profiles.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.health(w, r) {
			return
		}
		isOpen := func(*http.Request) error { return g.open() }
		for _, check := range []func(*http.Request) error{g.access.checkPlace, g.access.checkOrigin, isOpen, g.access.checkCaller} {
			if err := check(r); err != nil {
				writeProblem(w, problemOf(err))
				return
			}
		}
		switch {
		case r.URL.Path == backupPath:
			if err := g.serving(); err != nil {
				writeProblem(w, problemOf(err))
			} else if err := g.backup(w, r); err != nil {
				writeProblem(w, problemOf(err))
			}
		case r.URL.Path == "/metrics":
			exposed.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/debug/pprof/"):
			profiles.ServeHTTP(w, r)
		default:
			writeProblem(w, problemf("route-not-found", "The admin port has /healthz, /readyz, /metrics, /debug/pprof/ and "+backupPath+"."))
		}
	})
}
