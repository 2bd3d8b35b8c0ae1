package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/freshetdb/freshet/matcher"
)

// MaxPageDocuments bounds the documents of one page of a query's answer. It is part of the protocol.
const MaxPageDocuments = 1000

// MaxSubscriptionIDBytes bounds the id that a client gives a subscription.
const MaxSubscriptionIDBytes = 128

// MaxCollectionTries bounds how often one write is made anew because its collection was dropped or truncated meanwhile.
const MaxCollectionTries = 100

// Config configures a Gateway. The zero value of a field means its default.
type Config struct {
	// Dev opens everything to this machine, without a token, and creates collections as they are first written.
	Dev bool
	// Origins lists the origins (scheme://host[:port]) whose pages may call: it governs CORS and WebSocket alike.
	Origins []string
	// Version is what hello says the server is.
	Version string
	// Limits bound documents and queries. They must be the store's.
	Limits matcher.Limits
	// Log takes faults of the server. The zero value drops them.
	Log zerolog.Logger

	// HeartbeatInterval is how often an open WebSocket is pinged; one that is silent for more than twice as long is
	// closed (default 25 s). Shorter finds dead clients sooner and costs a frame per client each time.
	HeartbeatInterval time.Duration
	// CommentInterval is how often a stream of server-sent events gets a comment (default 15 s), so that proxies keep it.
	CommentInterval time.Duration
	// DrainTimeout bounds how long Run waits for requests that are being answered when it is told to stop (default 10 s).
	DrainTimeout time.Duration
	// WriteTimeout bounds one write to a client's socket (default 10 s); a client slower than that is closed.
	WriteTimeout time.Duration
	// AuthTimeout is how long a WebSocket that brought no token may take to send an auth frame (default 10 s).
	AuthTimeout time.Duration
	// PositionTimeout bounds how long minPosition is waited for (default 5 s).
	PositionTimeout time.Duration

	// MaxBodyBytes bounds a request's body (default Limits.MaxDocumentBytes + 64 KiB).
	MaxBodyBytes int64
	// MaxFrameBytes bounds one WebSocket message from a client (default 256 KiB).
	MaxFrameBytes int64
	// MaxHeaderBytes bounds a request's line and headers, so the length of a URL too (default 128 KiB).
	MaxHeaderBytes int
	// MaxConnections bounds the open connections of the public port (default 20,000). Each costs some 10 KiB and a
	// file descriptor.
	MaxConnections int
	// MaxPageBytes is the size at which a page of a query's answer ends before it has MaxPageDocuments (default 8 MiB).
	MaxPageBytes int
}

func (c Config) withDefaults() Config {
	c.Limits = c.Limits.WithDefaults()
	duration := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	duration(&c.HeartbeatInterval, 25*time.Second)
	duration(&c.CommentInterval, 15*time.Second)
	duration(&c.DrainTimeout, 10*time.Second)
	duration(&c.WriteTimeout, 10*time.Second)
	duration(&c.AuthTimeout, 10*time.Second)
	duration(&c.PositionTimeout, 5*time.Second)
	if c.MaxBodyBytes == 0 {
		c.MaxBodyBytes = int64(c.Limits.MaxDocumentBytes) + 64<<10
	}
	if c.MaxFrameBytes == 0 {
		c.MaxFrameBytes = 256 << 10
	}
	if c.MaxHeaderBytes == 0 {
		c.MaxHeaderBytes = 128 << 10
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 20_000
	}
	if c.MaxPageBytes == 0 {
		c.MaxPageBytes = 8 << 20
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	return c
}

// ErrConfig is what Validate's errors wrap.
var ErrConfig = errors.New("gateway configuration")

// Validate says what is wrong with c.
func (c Config) Validate() error {
	for _, origin := range c.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || strings.TrimRight(origin, "/") != u.Scheme+"://"+u.Host {
			return fmt.Errorf("%w: Origins: %q is no origin; write it as https://app.example.com", ErrConfig, origin)
		}
	}
	for name, d := range map[string]time.Duration{
		"HeartbeatInterval": c.HeartbeatInterval, "CommentInterval": c.CommentInterval, "DrainTimeout": c.DrainTimeout,
		"WriteTimeout": c.WriteTimeout, "AuthTimeout": c.AuthTimeout, "PositionTimeout": c.PositionTimeout,
	} {
		if d < 0 {
			return fmt.Errorf("%w: %s is %v; give a positive duration, or 0 for the default", ErrConfig, name, d)
		}
	}
	return nil
}
