package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
)

// answer is the ResponseWriter that handlers see: it remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(text []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(text)
}

// Unwrap gives http.ResponseController the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// rawWriter is the connection's own ResponseWriter, which can be taken over.
func rawWriter(w http.ResponseWriter) http.ResponseWriter {
	if a, ok := w.(*answer); ok {
		return a.ResponseWriter
	}
	return w
}

// servePublic answers one request of the public port.
func (g *Gateway) servePublic(w http.ResponseWriter, r *http.Request) {
	if g.health(w, r) {
		return
	}
	a := &answer{ResponseWriter: w}
	defer g.recovered(a, r)
	h := a.Header()
	h["Vary"], h["Cache-Control"] = headerVary, headerNoStore
	if err := g.serve(a, r); err != nil {
		if errors.Is(err, http.ErrAbortHandler) {
			return
		}
		p := problemOf(err)
		if r.Context().Err() == nil {
			g.note(p, r.Method+" "+r.URL.Path)
		}
		writeProblem(a, p)
	}
	status := a.status
	if status == 0 {
		status = http.StatusSwitchingProtocols
	}
	g.metrics.requests.WithLabelValues(methodLabel(r.Method), strconv.Itoa(status)).Inc()
}

// note counts a problem that a client gets, and logs it if it is a fault of the server.
func (g *Gateway) note(p *Problem, what string) {
	g.metrics.problems.WithLabelValues(p.kind().Code).Inc()
	if p.kind().Status == http.StatusInternalServerError {
		g.cfg.Log.Error().Err(p).Str("what", what).Msg("request failed")
	}
}

// methodLabel keeps made-up methods out of the metrics' labels.
func methodLabel(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	}
	return "other"
}

// recovered turns a panic into an answer, where there is none yet, and a line in the log.
func (g *Gateway) recovered(a *answer, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	g.cfg.Log.Error().Str("fault", fmt.Sprint(fault)).Bytes("stack", debug.Stack()).Str("path", r.URL.Path).Msg("request panicked")
	if a.status == 0 {
		writeProblem(a, problemf("internal", "The server failed to answer; its log says why."))
	}
}

// serve finds out whether a request may pass and what it asks for, and has it answered.
func (g *Gateway) serve(w http.ResponseWriter, r *http.Request) error {
	if err := g.access.checkPlace(r); err != nil {
		return err
	}
	if g.cfg.Dev {
		if err := g.access.checkOrigin(r); err != nil {
			return err
		}
	}
	g.access.allowOrigin(w, r)
	rt, err := parseRoute(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	methods := g.routes[rt.pattern]
	if r.Method == http.MethodOptions {
		if err := g.access.checkOrigin(r); err != nil {
			return err
		}
		g.access.preflight(w, allowed(methods))
		return nil
	}
	if err := g.open(); err != nil {
		return err
	}
	if rt.pattern != "/live" { // a WebSocket may bring its token in a frame
		if err := g.access.checkCaller(r); err != nil {
			return err
		}
	}
	handle, err := handlerOf(methods, r.Method)
	if err != nil {
		return err
	}
	if open := g.connections.Load(); open > int64(g.cfg.MaxConnections) {
		w.Header().Set("Connection", "close")
		return &Problem{Code: "too-many-connections", Limit: int64(g.cfg.MaxConnections),
			Detail: fmt.Sprintf("The server has %d open connections and takes %d; try again later, or raise maxConnections.", open, g.cfg.MaxConnections)}
	}
	if err := g.serving(); err != nil {
		return err
	}
	if rt.app != DefaultApp {
		return problemf("app-not-found", "There is no app %q; the first app is %s.", rt.app, DefaultApp)
	}
	return handle(&call{Gateway: g, w: w, r: r, route: rt})
}

func handlerOf(methods map[string]handler, method string) (handler, error) {
	name := method
	if name == http.MethodHead {
		name = http.MethodGet
	}
	if handle, ok := methods[name]; ok {
		return handle, nil
	}
	return nil, &Problem{Code: "method-not-allowed", Detail: fmt.Sprintf("%s is not allowed here; allowed are %s.", method, allowed(methods)), Allow: allowed(methods)}
}
