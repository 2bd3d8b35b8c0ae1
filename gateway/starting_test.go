package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/storage"
)

// Until the store is there, and then while the log is replayed, the node says that it runs and that it does not serve yet. Before
// it knows the token it asks nobody for one.
func TestStarting(t *testing.T) {
	dir := t.TempDir()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: dir + "/log", NoSync: true})
	must(t, err)
	defer func() { must(t, log.Close()) }()
	store, err := storage.Open(storage.Config{Dir: dir + "/state"}, log) // and nobody runs it
	must(t, err)
	defer func() { must(t, store.Close()) }()
	rooms := Rooms{Store: store, Hubs: fanout.New(fanout.Config{}, testBoundaries{store}), RootToken: "secret"}
	ask := func(h http.Handler, method, path string) reply {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(`{"folder":"/nowhere"}`))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Content-Type", contentJSON)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return reply{t, method + " " + path, w.Code, w.Header(), w.Body.String()}
	}
	for _, dev := range []bool{true, false} {
		g := New(Config{Dev: dev})
		public, admin := http.HandlerFunc(g.servePublic), g.serveAdmin()
		starting := func() {
			t.Helper()
			for _, h := range []http.Handler{public, admin} {
				ask(h, "GET", "/healthz").want(200)
				ask(h, "HEAD", "/readyz").want(503)
				ask(h, "GET", "/readyz").problem("starting")
			}
			ask(public, "GET", "/v1/live").problem("starting")
		}
		starting()
		for _, path := range []string{"/metrics", "/debug/pprof/", "/elsewhere"} {
			ask(admin, "GET", path).problem("starting")
		}
		ask(admin, "POST", backupPath).problem("starting")
		for _, path := range []string{"/v1/db", "/v1/db/pages", "/v1/db/pages/a", "/v1/db/pages:explain", "/v1/db/pages:changes"} {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				if p := ask(public, method, path).object(); p["code"] != "starting" && p["code"] != "route-not-found" {
					t.Errorf("%s %s: %v", method, path, p)
				}
			}
		}
		g.Open(rooms)
		starting()
		if !dev {
			ask(public, "GET", "/v1/db").problem("token-missing")
			ask(admin, "GET", "/metrics").problem("token-missing")
			continue
		}
		ask(admin, "GET", "/metrics").want(200)
		ask(admin, "POST", backupPath).problem("starting")
		ask(public, "GET", "/v1/db").problem("starting")
		ask(public, "PUT", "/v1/db/pages/a").problem("starting")
	}
}
