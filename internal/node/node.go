package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/gateway"
	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/ingest/disk"
	"github.com/freshetdb/freshet/internal/config"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// Version is what the server says it is. The build may set it.
var Version = "0.1.0"

// Run opens the data folder, serves until ctx ends, and stops in order. It returns nil after an orderly stop.
func Run(ctx context.Context, cfg config.Config) error {
	public, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", cfg.Listen, err)
	}
	defer public.Close()
	admin, err := net.Listen("tcp", cfg.Admin)
	if err != nil {
		return fmt.Errorf("listen on %s for administration: %w; choose another address with --admin", cfg.Admin, err)
	}
	defer admin.Close()
	return run(ctx, cfg, public, admin, open)
}

// run says on both ports that the node is starting while open reads the data folder, and then serves.
func run(ctx context.Context, cfg config.Config, public, admin net.Listener, open func(config.Config, *zerolog.Logger) (*node, error)) (err error) {
	logger := zerolog.Ctx(ctx)
	traffic := startTraffic(cfg, logger, public, admin)
	n, err := open(cfg, logger)
	if err != nil {
		return errors.Join(err, traffic.end())
	}
	defer func() {
		if err = errors.Join(err, n.close()); err == nil {
			logger.Info().Msg("stopped")
		}
	}()
	return n.serve(ctx, cfg, traffic)
}

// node is the parts that outlive a stop of the traffic.
type node struct {
	log   *ingest.SegmentLog
	store *storage.Store
	hubs  *fanout.Hubs
}

func open(cfg config.Config, logger *zerolog.Logger) (*node, error) {
	if err := (disk.OS{}).MakeDirectory(cfg.Data); err != nil { // durably: what is acknowledged stands in it
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	if restoring := storage.RestoringFolder(cfg.Data); exists(restoring) {
		return nil, fmt.Errorf("%s is there: a restore into the data folder was cut off or is running; repeat it, or remove that folder", restoring)
	}
	if err := storage.CheckFormat(cfg.Data); err != nil {
		return nil, err
	}
	osOnly := cfg.Durability == config.DurabilityOS
	log, err := ingest.OpenSegments(ingest.SegmentConfig{
		Dir:           filepath.Join(cfg.Data, storage.LogFolder),
		LogPartitions: cfg.LogPartitions,
		NoSync:        osOnly,
		SegmentBytes:  cfg.SegmentBytes,
		RetainBytes:   cfg.HistoryBytes,
		RetainAge:     cfg.HistoryAge,
		Damaged: func(err error) {
			logger.Error().Err(err).Msg("a part of the change history is damaged: live queries that come back from there begin anew")
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	if err := storage.WriteFormat(cfg.Data); err != nil { // the log's lock is held
		return nil, errors.Join(err, log.Close())
	}
	state := filepath.Join(cfg.Data, storage.StateFolder)
	if err := (disk.OS{}).MakeDirectory(state); err != nil { // for the owner alone, whoever made the data folder
		return nil, errors.Join(fmt.Errorf("make the folder of the state: %w", err), log.Close())
	}
	store, err := storage.Open(storage.Config{
		Dir:             state,
		Limits:          cfg.Limits,
		CacheBytes:      cfg.CacheBytes,
		BlockCacheBytes: cfg.BlockCacheBytes,
		FlushBytes:      cfg.FlushBytes,
		MaxWriteLag:     uint64(cfg.MaxWriteLag),
		MaxRequestLag:   uint64(cfg.MaxRequestLag),
		LogDir:          filepath.Join(cfg.Data, storage.LogFolder),
		MinFreeBytes:    cfg.MinFreeBytes,
		Fatal: func(err error) {
			logger.Error().Err(err).Msg("the state cannot be written: the process ends")
			os.Exit(1)
		},
		SpaceChanged:   func(now storage.Space) { logSpace(logger, cfg, now) },
		NewIncarnation: osOnly && !log.CleanStart() || exists(restoredFile(cfg)),
	}, log)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	hubs := fanout.New(fanout.Config{
		Limits:             cfg.Limits,
		MaxQueueBytes:      cfg.MaxQueueBytes,
		MaxHeldBytes:       cfg.MaxHeldBytes,
		MaxResumeBytes:     cfg.MaxResumeBytes,
		MaxSubscriptions:   cfg.MaxSubscriptions,
		MaxReads:           cfg.MaxReads,
		MaxResultPartBytes: cfg.MaxResultPartBytes,
		MaxResultBytes:     cfg.MaxResultBytes,
	}, boundaries{store})
	store.SetListener(hubs)
	return &node{log: log, store: store, hubs: hubs}, nil
}

// logSpace tells that the free space of the disk has passed the bound below which writes are refused.
func logSpace(logger *zerolog.Logger, cfg config.Config, now storage.Space) {
	event := func(e *zerolog.Event) *zerolog.Event {
		return e.Str("folder", now.Folder).Int64("freeBytes", now.FreeBytes).Int64("minFreeBytes", cfg.MinFreeBytes)
	}
	switch {
	case now.Err != nil:
		logger.Error().Err(now.Err).Bool("refusingWrites", now.Low).Msg("the free space of the disk is unknown")
	case now.Low:
		event(logger.Error()).Msg("the disk is nearly full: writes are refused")
	default:
		event(logger.Info()).Msg("the disk has room: writes are taken")
	}
}

func restoredFile(cfg config.Config) string { return filepath.Join(cfg.Data, storage.RestoredFile) }

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func (n *node) close() error { return errors.Join(n.store.Close(), n.log.Close()) }

// part is one long-running part and how to end it.
type part struct {
	name string
	stop context.CancelFunc
	done chan error
}

func start(name string, run func(context.Context) error) *part {
	ctx, stop := context.WithCancel(context.Background())
	p := &part{name: name, stop: stop, done: make(chan error, 1)}
	go func() {
		defer stop()
		p.done <- run(ctx)
	}()
	return p
}

// end stops the part and waits for it.
func (p *part) end() error {
	p.stop()
	if err := <-p.done; err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// traffic is the gateway on its two ports.
type traffic struct {
	*part
	gate          *gateway.Gateway
	public, admin net.Listener
}

// startTraffic starts a gateway that has nothing to serve yet, and says so.
func startTraffic(cfg config.Config, logger *zerolog.Logger, public, admin net.Listener) *traffic {
	gate := gateway.New(gateway.Config{
		Dev:               cfg.Dev,
		Origins:           cfg.Origins,
		Version:           Version,
		Limits:            cfg.Limits,
		Log:               *logger,
		HeartbeatInterval: cfg.Heartbeat,
		DrainTimeout:      cfg.DrainTimeout,
		MaxConnections:    cfg.MaxConnections,
	})
	run := start("gateway", func(ctx context.Context) error { return gate.Run(ctx, public, admin) })
	return &traffic{part: run, gate: gate, public: public, admin: admin}
}

// serve takes the traffic over: it ends it before what is behind it.
func (n *node) serve(ctx context.Context, cfg config.Config, traffic *traffic) (err error) {
	logger := zerolog.Ctx(ctx)
	store := start("storage", n.store.Run)
	defer func() { err = errors.Join(err, store.end()) }()
	hubs := start("fanout", n.hubs.Run)
	defer func() { err = errors.Join(err, hubs.end()) }()
	defer func() { err = errors.Join(err, traffic.end()) }()
	token := ""
	if !cfg.Dev {
		if token, err = rootToken(cfg.Data, logger); err != nil {
			return err
		}
	}
	traffic.gate.Open(gateway.Rooms{Store: n.store, Hubs: n.hubs, RootToken: token, LogMetrics: n.log.Metrics()}) // it says so while the log is replayed
	select {
	case <-n.store.Ready():
	case failure := <-store.done:
		store.done <- failure
		return nil // end reports it
	case failure := <-traffic.done:
		traffic.done <- failure
		return nil
	case <-ctx.Done():
		return nil
	}
	// The new time line has begun. Should the file outlive a crash, another one begins.
	if err := os.Remove(restoredFile(cfg)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish the restore: %w", err)
	}
	expirer := start("expirer", storage.NewExpirer(n.store, storage.ExpirerConfig{}).Run)
	defer func() { err = errors.Join(err, expirer.end()) }()
	n.logStart(logger)
	logger.Info().Str("version", Version).Str("listen", traffic.public.Addr().String()).Str("admin", traffic.admin.Addr().String()).Str("data", cfg.Data).
		Str("durability", string(cfg.Durability)).Bool("dev", cfg.Dev).Msg("serving")
	select {
	case <-ctx.Done():
		logger.Info().Msg("draining")
	case failure := <-store.done:
		store.done <- failure
	case failure := <-hubs.done:
		hubs.done <- failure
	case failure := <-expirer.done:
		expirer.done <- failure
	case failure := <-traffic.done:
		traffic.done <- failure
	}
	return nil
}

// logStart tells what the start had to put right.
func (n *node) logStart(logger *zerolog.Logger) {
	if cut := n.log.Metrics().CutBytes.Load(); cut > 0 {
		logger.Info().Int64("bytes", cut).Msg("a group that was never acknowledged was cut off the log")
	}
	if records := n.store.Metrics().Replayed.Load(); records > 0 {
		logger.Info().Uint64("records", records).Msg("log replayed")
	}
}

// boundaries adapts the store to what the hubs ask for: each room declares what it needs, in its own words.
type boundaries struct{ store *storage.Store }

func (b boundaries) Boundary(ctx context.Context, f func(fanout.Snapshot)) error {
	return b.store.Boundary(ctx, func(s *storage.Snapshot) { f(snapshot{s}) })
}

type snapshot struct{ *storage.Snapshot }

func (s snapshot) Find(ctx context.Context, c matcher.CollectionID, q *matcher.Query, need int, undo []*matcher.Change) ([]*matcher.Document, bool, error) {
	return s.Snapshot.Find(ctx, c, q, storage.Find{Limit: need, Undo: undo})
}

func (s snapshot) History(ctx context.Context, c matcher.CollectionID, since matcher.Vector, maxBytes int) ([]matcher.Past, error) {
	changes, err := s.Snapshot.History(ctx, c, since, maxBytes)
	switch {
	case errors.Is(err, storage.ErrHistoryGone):
		return nil, fanout.ErrHistoryGone
	case errors.Is(err, storage.ErrHistoryTooLarge):
		return nil, fanout.ErrHistoryTooLarge
	}
	return changes, err
}
