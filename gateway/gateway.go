package gateway

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/storage"
)

// Rooms are what a Gateway serves from, and what is known only once they are open. Its caller runs and stops them: after the
// gateway.
type Rooms struct {
	Store *storage.Store
	Hubs  *fanout.Hubs
	// RootToken is the access token that may do everything. Without it and without Config.Dev nobody may do anything.
	RootToken string
	// LogMetrics are those of the change log, for the metrics page; nil: none.
	LogMetrics *ingest.Metrics
}

// Gateway answers clients.
type Gateway struct {
	cfg       Config
	access    *access
	metrics   *metrics
	routes    map[string]map[string]handler
	frames    map[string]clientFrame
	positions positions
	now       func() time.Time

	opened chan struct{} // closed by Open; what stands below is set before
	store  *storage.Store
	hubs   *fanout.Hubs

	frameNames  []string
	sockets     socketSet
	connections atomic.Int64 // open ones of the public port

	answering  sync.RWMutex  // read-locked by every request that is being answered; Run locks it for good in the end
	draining   chan struct{} // closed when Run begins to stop
	background context.Context
	cancel     context.CancelFunc // ends what outlives a request: streams and sockets
}

// New makes a gateway that says that the server is starting, until Open gives it what it serves from.
func New(cfg Config) *Gateway {
	g := &Gateway{
		cfg: cfg.withDefaults(), access: newAccess(cfg), routes: routeTable(),
		frames: clientFrameTable(), now: time.Now, opened: make(chan struct{}), draining: make(chan struct{}),
	}
	for _, f := range clientFrames() {
		g.frameNames = append(g.frameNames, f.Type)
	}
	g.metrics = newMetrics(&g.connections)
	g.metrics.build.WithLabelValues(g.cfg.Version).Set(1)
	g.background, g.cancel = context.WithCancel(context.Background())
	return g
}

// Open has the gateway serve from the rooms, once the store is ready. It may be called once, beside Run.
func (g *Gateway) Open(r Rooms) {
	g.store, g.hubs = r.Store, r.Hubs
	g.access.setToken(r.RootToken)
	g.metrics.registry.MustRegister(newStructCollector("storage", r.Store.Metrics()), newStructCollector("fanout", r.Hubs.Metrics()))
	if r.LogMetrics != nil {
		g.metrics.registry.MustRegister(newStructCollector("ingest", r.LogMetrics))
	}
	g.metrics.tellLimits(g.bounds())
	close(g.opened)
}

// Run serves the public and the admin port until ctx ends or a listener fails. Then it drains: /readyz answers 503,
// sockets are closed with 4001, streams end, and requests that are being answered get Config.DrainTimeout to finish; then
// their contexts and connections end. It closes both listeners, and returns once no request is being answered any more: the
// store may be closed. It may be called once.
func (g *Gateway) Run(ctx context.Context, public, admin net.Listener) error {
	errorLog := log.New(logWriter{g}, "", 0)
	requests, cutOff := context.WithCancel(context.Background())
	defer cutOff()
	base := func(net.Listener) context.Context { return requests }
	outer := &http.Server{
		Handler: g.answered(http.HandlerFunc(g.servePublic)), ErrorLog: errorLog, BaseContext: base,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: g.cfg.MaxHeaderBytes,
	}
	inner := &http.Server{Handler: g.answered(g.serveAdmin()), ErrorLog: errorLog, BaseContext: base, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 2)
	serve := func(name string, server *http.Server, listener net.Listener) {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve the %s port: %w", name, err)
			return
		}
		failed <- nil
	}
	go serve("public", outer, &countingListener{Listener: public, open: &g.connections, max: int64(g.cfg.MaxConnections) + connectionHeadroom})
	go serve("admin", inner, admin)

	var err error
	waiting := 2
	select {
	case <-ctx.Done():
	case err = <-failed:
		waiting--
	}
	close(g.draining)
	limit, stop := context.WithTimeout(context.Background(), g.cfg.DrainTimeout)
	defer stop()
	defer context.AfterFunc(limit, cutOff)()
	g.sockets.closeAll()
	g.cancel()
	err = errors.Join(err, g.shutdown(limit, "public", outer), g.sockets.wait(limit), g.shutdown(limit, "admin", inner))
	for ; waiting > 0; waiting-- {
		err = errors.Join(err, <-failed)
	}
	cutOff()
	g.answering.Lock() // net/http does not wait for the requests that it cut off
	return err
}

// answered has Run wait for a handler's requests, and takes none once it has.
func (g *Gateway) answered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.answering.TryRLock() {
			return // its connection is closed
		}
		defer g.answering.RUnlock()
		h.ServeHTTP(w, r)
	})
}

// shutdown waits for a server's requests, and cuts off what takes too long: that is no fault of the server.
func (g *Gateway) shutdown(ctx context.Context, name string, server *http.Server) error {
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		g.cfg.Log.Warn().Str("port", name).Dur("after", g.cfg.DrainTimeout).Msg("requests cut off")
		err = server.Close()
	}
	if err != nil {
		return fmt.Errorf("stop the %s port: %w", name, err)
	}
	return nil
}

// logWriter takes what net/http has to say about connections.
type logWriter struct{ g *Gateway }

func (l logWriter) Write(text []byte) (int, error) {
	l.g.cfg.Log.Debug().Str("detail", string(text)).Msg("http server")
	return len(text), nil
}
