package config

import (
	"time"

	"github.com/freshetdb/freshet/matcher"
)

// Durability says when a write counts as durable.
type Durability string

const (
	DurabilityFsync Durability = "fsync" // the disk has it
	DurabilityOS    Durability = "os"    // the operating system has it; a power cut may lose it
)

// LogFormat says how log lines look.
type LogFormat string

const (
	LogAuto    LogFormat = "auto"    // console on a terminal, else JSON
	LogJSON    LogFormat = "json"    // one JSON object a line
	LogConsole LogFormat = "console" // for people
)

// Config is the effective settings of one node. Default fills it; a Config that Load returned is valid.
type Config struct {
	Listen string // address of the public port, host:port
	Admin  string // address of the admin port, host:port
	Data   string // the data folder

	LogPartitions   int // data partitions of a new log
	Durability      Durability
	SegmentBytes    int64 // one file of the log
	HistoryBytes    int64 // of the log, kept for subscriptions that resume
	HistoryAge      time.Duration
	CacheBytes      int64 // parsed documents
	BlockCacheBytes int64 // blocks of the document store
	FlushBytes      int64 // unflushed state, replayed after a crash
	MaxWriteLag     int   // offsets; of a new log
	MaxRequestLag   int   // offsets; of a new log
	MinFreeBytes    int64 // of the disk, below which no writes are taken; 0: no bound

	Dev     bool
	Origins []string // browser origins, "https://app.example"

	Heartbeat      time.Duration // between pings on a WebSocket
	DrainTimeout   time.Duration // for requests under way at shutdown
	MaxConnections int           // of the public port

	MaxQueueBytes      int // of one session
	MaxHeldBytes       int // of one query that is being read
	MaxResumeBytes     int // of one position that is gone on from
	MaxSubscriptions   int // of one session
	MaxReads           int // initial results and refills at once; 0: by the number of processors
	MaxResultPartBytes int // of one result frame
	MaxResultBytes     int // of one result

	Limits matcher.Limits // on what users send

	LogLevel  string
	LogFormat LogFormat
}

// Default returns the settings of a node that was told nothing.
func Default() Config {
	return Config{
		Listen:             "127.0.0.1:4680",
		Admin:              "127.0.0.1:4681",
		Data:               "./data",
		LogPartitions:      1,
		Durability:         DurabilityFsync,
		SegmentBytes:       64 << 20,
		HistoryBytes:       1 << 30,
		HistoryAge:         24 * time.Hour,
		CacheBytes:         256 << 20,
		BlockCacheBytes:    64 << 20,
		FlushBytes:         32 << 20,
		MaxWriteLag:        1 << 20,
		MaxRequestLag:      1 << 20,
		MinFreeBytes:       512 << 20,
		Heartbeat:          25 * time.Second,
		DrainTimeout:       10 * time.Second,
		MaxConnections:     20_000,
		MaxQueueBytes:      4 << 20,
		MaxHeldBytes:       4 << 20,
		MaxResumeBytes:     16 << 20,
		MaxSubscriptions:   1000,
		MaxResultPartBytes: 256 << 10,
		MaxResultBytes:     256 << 20,
		Limits:             matcher.Limits{}.WithDefaults(),
		LogLevel:           "info",
		LogFormat:          LogAuto,
	}
}
