package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/freshetdb/freshet/internal/config"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // the node closes it, too
	return l
}

func status(t *testing.T, l net.Listener, path string) int {
	t.Helper()
	response, err := http.Get("http://" + l.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode
}

// Both ports answer while the data folder is being opened, however long that takes.
func TestPortsAnswerWhileOpening(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	public, admin := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	goOn, opened, ended := make(chan struct{}), make(chan *node, 1), make(chan error, 1)
	go func() {
		ended <- run(ctx, cfg, public, admin, func(cfg config.Config, logger *zerolog.Logger) (*node, error) {
			<-goOn
			n, err := open(cfg, logger)
			opened <- n
			return n, err
		})
	}()
	for _, l := range []net.Listener{public, admin} {
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/db": 503, "/metrics": 503} {
			if l == public && path == "/metrics" {
				want = 404
			}
			if got := status(t, l, path); got != want {
				t.Errorf("%s: %d, want %d", path, got, want)
			}
		}
	}
	close(goOn)
	if n := <-opened; n != nil {
		<-n.store.Ready()
	}
	for _, l := range []net.Listener{public, admin} {
		for status(t, l, "/readyz") != 200 { // the ports close where it ends instead
		}
	}
	if got := status(t, public, "/v1/db"); got != 401 {
		t.Errorf("without a token: %d", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A data folder that cannot be opened ends the node with its error alone, and frees the ports.
func TestOpenFails(t *testing.T) {
	public, admin := listen(t), listen(t)
	cause := errors.New("the folder is damaged")
	err := run(t.Context(), config.Default(), public, admin, func(config.Config, *zerolog.Logger) (*node, error) { return nil, cause })
	if !errors.Is(err, cause) || err.Error() != cause.Error() {
		t.Errorf("got %v", err)
	}
	for _, l := range []net.Listener{public, admin} {
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Errorf("%s is still open", l.Addr())
			_ = c.Close()
		}
	}
}

// Nobody listens twice: the error says where and what to do, before the data folder is touched.
func TestPortIsTaken(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir() + "/data"
	cfg.Listen, cfg.Admin = "127.0.0.1:0", listen(t).Addr().String()
	err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), cfg.Admin) || !strings.Contains(err.Error(), "--admin") || exists(cfg.Data) {
		t.Errorf("got %v", err)
	}
}
