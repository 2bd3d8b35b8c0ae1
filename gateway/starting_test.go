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

// While the log is replayed the node says that it runs and that it does not serve yet.
func TestStarting(t *testing.T) {
	dir := t.TempDir()
	log, err := ingest.OpenSegments(ingest.SegmentConfig{Dir: dir + "/log", NoSync: true})
	must(t, err)
	defer func() { must(t, log.Close()) }()
	store, err := storage.Open(storage.Config{Dir: dir + "/state"}, log) // and nobody runs it
	must(t, err)
	defer func() { must(t, store.Close()) }()
	g := New(Config{Dev: true}, store, fanout.New(fanout.Config{}, testBoundaries{store}))
	ask := func(h http.Handler, method, path string) reply {
		r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(`{"folder":"/nowhere"}`))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Content-Type", contentJSON)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return reply{t, method + " " + path, w.Code, w.Header(), w.Body.String()}
	}
	public, admin := http.HandlerFunc(g.servePublic), g.serveAdmin()
	for _, h := range []http.Handler{public, admin} {
		ask(h, "GET", "/healthz").want(200)
		ask(h, "GET", "/readyz").problem("starting")
	}
	ask(admin, "GET", "/metrics").want(200)
	ask(admin, "POST", backupPath).problem("starting")
	ask(public, "GET", "/v1/db").problem("starting")
	ask(public, "PUT", "/v1/db/pages/a").problem("starting")
	ask(public, "GET", "/v1/live").problem("starting")
}
