package config

import (
	"time"

	"github.com/freshetdb/freshet/matcher"
)

// Setting is one row of the table.
type Setting struct {
	Key     string // in the YAML file; a dot is a level
	Flag    string // without dashes
	Env     string
	Group   string // heading in the documentation
	Holder  string // stands for the value in the help
	Meaning string // one sentence without its full stop
	Cost    string // what more or less of it costs; sentences
	List    bool   // may be given more than once
	value   func(*Config) value
}

// Default is the value that the setting has when it is not given.
func (s Setting) Default() string {
	c := Default()
	return s.value(&c).String()
}

// Value is the setting's value in c, as it could be given.
func (s Setting) Value(c Config) string { return s.value(&c).String() }

// Switch reports whether the flag needs no value.
func (s Setting) Switch() bool {
	_, ok := s.value(&Config{}).(boolValue)
	return ok
}

// Settings is the table, in the order of the documentation.
func Settings() []Setting { return settings }

const (
	groupNode   = "Addresses and data"
	groupLog    = "The change log and the document store"
	groupAccess = "Access"
	groupConn   = "Connections"
	groupQueue  = "Queues and live queries"
	groupBounds = "Bounds on what clients send"
	groupOutput = "Log output"
)

const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30

var settings = []Setting{
	{Group: groupNode, Key: "listen", Flag: "listen", Env: "FRESHET_LISTEN", Holder: "ADDRESS",
		Meaning: "address of the public port: HTTP, WebSocket and server-sent events",
		Cost:    "Port 0 takes a free port; the line `serving` in the log names it. An empty host listens on all interfaces.",
		value:   func(c *Config) value { return addressValue{&c.Listen} }},
	{Group: groupNode, Key: "admin", Flag: "admin", Env: "FRESHET_ADMIN", Holder: "ADDRESS",
		Meaning: "address of the admin port: health, metrics, profiles and backups",
		Cost:    "All of it but health needs the root token, as the public port does. With `dev` nothing does. Keep it off public networks.",
		value:   func(c *Config) value { return addressValue{&c.Admin} }},
	{Group: groupNode, Key: "data", Flag: "data", Env: "FRESHET_DATA", Holder: "FOLDER",
		Meaning: "the data folder: change log, documents and the root token",
		Cost:    "It belongs to one process at a time. The speed of its disk's fsync is the latency of a write.",
		value:   func(c *Config) value { return textValue{&c.Data, "give a folder, for example ./data"} }},

	{Group: groupLog, Key: "logPartitions", Flag: "log-partitions", Env: "FRESHET_LOG_PARTITIONS", Holder: "N",
		Meaning: "data partitions of a new log",
		Cost:    "Fixed for the life of a data folder. One machine gains nothing from more than 1; more only prepare data for a move to a cluster.",
		value:   func(c *Config) value { return countValue{&c.LogPartitions, 1, matcher.MaxLogPartitions} }},
	{Group: groupLog, Key: "durability", Flag: "durability", Env: "FRESHET_DURABILITY", Holder: "fsync|os",
		Meaning: "when a write counts as durable: on the disk (`fsync`), or handed to the operating system (`os`)",
		Cost:    "`os` is faster and survives a crash of the process, but not of the machine: then acknowledged writes may be gone, and after any unclean stop live queries begin anew.",
		value: func(c *Config) value {
			return choiceValue[Durability]{&c.Durability, []Durability{DurabilityFsync, DurabilityOS}}
		}},
	{Group: groupLog, Key: "segmentBytes", Flag: "segment-bytes", Env: "FRESHET_SEGMENT_BYTES", Holder: "SIZE",
		Meaning: "size of one file of the change log",
		Cost:    "The log is dropped by whole files: smaller ones free space sooner, larger ones are created less often.",
		value:   func(c *Config) value { return bytesValue[int64]{&c.SegmentBytes, 16 * mib, 4 * gib} }},
	{Group: groupLog, Key: "history.maxBytes", Flag: "history-bytes", Env: "FRESHET_HISTORY_MAX_BYTES", Holder: "SIZE",
		Meaning: "how much of the change log is kept for clients that come back and resume",
		Cost:    "Disk space, and reading it all on start. A client that was away for more changes than that gets its result anew. The log is dropped by whole files, so up to two of them more are on the disk, and two that wait to be used again.",
		value:   func(c *Config) value { return bytesValue[int64]{&c.HistoryBytes, 0, 1024 * gib} }},
	{Group: groupLog, Key: "history.maxAge", Flag: "history-age", Env: "FRESHET_HISTORY_MAX_AGE", Holder: "DURATION",
		Meaning: "how long a change is kept for clients that come back and resume",
		Cost:    "Looked at whenever the document store is flushed, so without writes nothing is dropped. Shorter frees space sooner.",
		value:   func(c *Config) value { return durationValue{&c.HistoryAge, time.Minute, 24 * 365 * time.Hour} }},
	{Group: groupLog, Key: "cacheBytes", Flag: "cache-bytes", Env: "FRESHET_CACHE_BYTES", Holder: "SIZE",
		Meaning: "memory for documents kept ready to be read",
		Cost:    "A write of a document that is not among them fetches its old state from the document store first.",
		value:   func(c *Config) value { return bytesValue[int64]{&c.CacheBytes, mib, 1024 * gib} }},
	{Group: groupLog, Key: "blockCacheBytes", Flag: "block-cache-bytes", Env: "FRESHET_BLOCK_CACHE_BYTES", Holder: "SIZE",
		Meaning: "memory for blocks of the document store's files",
		Cost:    "It speeds up queries that read many documents; what it does not hold is read from disk.",
		value:   func(c *Config) value { return bytesValue[int64]{&c.BlockCacheBytes, mib, 1024 * gib} }},
	{Group: groupLog, Key: "flushBytes", Flag: "flush-bytes", Env: "FRESHET_FLUSH_BYTES", Holder: "SIZE",
		Meaning: "how much applied state may wait in memory to be flushed",
		Cost:    "After a crash up to about twice as much of the log is replayed before the node serves: smaller starts faster and writes more to disk.",
		value:   func(c *Config) value { return bytesValue[int64]{&c.FlushBytes, mib, gib} }},
	{Group: groupLog, Key: "maxWriteLag", Flag: "max-write-lag", Env: "FRESHET_MAX_WRITE_LAG", Holder: "N",
		Meaning: "offsets that may pass between reading a document and applying a write that was computed from it, in a new log",
		Cost:    "Fixed for the life of a data folder. Traces of deleted documents are kept this long.",
		value:   func(c *Config) value { return countValue{&c.MaxWriteLag, 16_384, 1_000_000_000} }},
	{Group: groupLog, Key: "maxRequestLag", Flag: "max-request-lag", Env: "FRESHET_MAX_REQUEST_LAG", Holder: "N",
		Meaning: "offsets for which the outcome of a write with an idempotency key is remembered, in a new log",
		Cost:    "Fixed for the life of a data folder. Each such write keeps its document once more on disk for this long.",
		value:   func(c *Config) value { return countValue{&c.MaxRequestLag, 1000, 1_000_000_000} }},
	{Group: groupLog, Key: "disk.minFreeBytes", Flag: "disk-min-free-bytes", Env: "FRESHET_DISK_MIN_FREE_BYTES", Holder: "SIZE",
		Meaning: "free space of the data folder's disk below which writes are refused (507 `disk-full`) until there is room again; 0: never",
		Cost:    "What is left is for the work that goes on: flushing and compacting documents, dropping collections. A disk that is full to the last byte ends the process.",
		value:   func(c *Config) value { return bytesValue[int64]{&c.MinFreeBytes, 0, 1024 * gib} }},

	{Group: groupAccess, Key: "dev", Flag: "dev", Env: "FRESHET_DEV",
		Meaning: "development: no tokens, and the first write creates its collection",
		Cost:    "Only for loopback addresses: everyone on this machine may read and write everything. Refused where `listen` or `admin` can be reached from elsewhere.",
		value:   func(c *Config) value { return boolValue{&c.Dev} }},
	{Group: groupAccess, Key: "http.origins", Flag: "origin", Env: "FRESHET_HTTP_ORIGINS", Holder: "ORIGIN", List: true,
		Meaning: "browser origins whose pages may call this node, by HTTP and WebSocket",
		Cost:    "Give the flag once for each, the variable with commas, the file as a list. Programs outside browsers send no origin and are not concerned.",
		value:   func(c *Config) value { return originsValue{&c.Origins} }},

	{Group: groupConn, Key: "http.heartbeat", Flag: "heartbeat", Env: "FRESHET_HTTP_HEARTBEAT", Holder: "DURATION",
		Meaning: "time between pings on a WebSocket",
		Cost:    "Shorter finds dead connections sooner and costs a packet each; keep it below the idle timeout of any proxy between.",
		value:   func(c *Config) value { return durationValue{&c.Heartbeat, time.Second, 10 * time.Minute} }},
	{Group: groupConn, Key: "http.drainTimeout", Flag: "drain-timeout", Env: "FRESHET_HTTP_DRAIN_TIMEOUT", Holder: "DURATION",
		Meaning: "time for requests under way to finish when the node stops",
		Cost:    "Live connections are told at once to reconnect; only requests wait.",
		value:   func(c *Config) value { return durationValue{&c.DrainTimeout, 0, 10 * time.Minute} }},
	{Group: groupConn, Key: "http.maxConnections", Flag: "max-connections", Env: "FRESHET_HTTP_MAX_CONNECTIONS", Holder: "N",
		Meaning: "open connections of the public port",
		Cost:    "Each costs some 10 KiB and a file descriptor (`ulimit -n`).",
		value:   func(c *Config) value { return countValue{&c.MaxConnections, 1, 10_000_000} }},

	{Group: groupQueue, Key: "maxQueueBytes", Flag: "max-queue-bytes", Env: "FRESHET_MAX_QUEUE_BYTES", Holder: "SIZE",
		Meaning: "frames that may wait for one connection",
		Cost:    "A client that falls behind further gets a fresh result once it catches up. Each slow connection may cost this much memory.",
		value:   func(c *Config) value { return bytesValue[int]{&c.MaxQueueBytes, 64 * kib, gib} }},
	{Group: groupQueue, Key: "maxHeldBytes", Flag: "max-held-bytes", Env: "FRESHET_MAX_HELD_BYTES", Holder: "SIZE",
		Meaning: "changes held back for one query while its result is being read",
		Cost:    "Beyond it the result is read again, so a large result under heavy writing starts later.",
		value:   func(c *Config) value { return bytesValue[int]{&c.MaxHeldBytes, 64 * kib, gib} }},
	{Group: groupQueue, Key: "maxResumeBytes", Flag: "max-resume-bytes", Env: "FRESHET_MAX_RESUME_BYTES", Holder: "SIZE",
		Meaning: "changes that are read at once to go on from the position of a client that comes back, and what is sent of them",
		Cost:    "Memory while it is read. A client that missed more gets its result anew.",
		value:   func(c *Config) value { return bytesValue[int]{&c.MaxResumeBytes, 64 * kib, gib} }},
	{Group: groupQueue, Key: "maxSubscriptions", Flag: "max-subscriptions", Env: "FRESHET_MAX_SUBSCRIPTIONS", Holder: "N",
		Meaning: "live queries of one connection",
		value:   func(c *Config) value { return countValue{&c.MaxSubscriptions, 1, 1_000_000} }},
	{Group: groupQueue, Key: "maxReads", Flag: "max-reads", Env: "FRESHET_MAX_READS", Holder: "N",
		Meaning: "results that are read from the store at once for live queries; 0: twice the processors, at least 4",
		Cost:    "More start a crowd of subscribers sooner and take cores and disk from writes.",
		value:   func(c *Config) value { return countValue{&c.MaxReads, 0, 1024} }},
	{Group: groupQueue, Key: "maxResultPartBytes", Flag: "max-result-part-bytes", Env: "FRESHET_MAX_RESULT_PART_BYTES", Holder: "SIZE",
		Meaning: "size at which a result is split over several frames",
		value:   func(c *Config) value { return bytesValue[int]{&c.MaxResultPartBytes, 4 * kib, 64 * mib} }},
	{Group: groupQueue, Key: "maxResultBytes", Flag: "max-result-bytes", Env: "FRESHET_MAX_RESULT_BYTES", Holder: "SIZE",
		Meaning: "JSON text of the result of one live query",
		Cost:    "A larger result is an error, never a cut.",
		value:   func(c *Config) value { return bytesValue[int]{&c.MaxResultBytes, mib, 4 * gib} }},

	// The log's record of a write holds the document twice, before and after, and is bounded by ingest.MaxEntryBytes.
	{Group: groupBounds, Key: "maxDocumentBytes", Flag: "max-document-bytes", Env: "FRESHET_MAX_DOCUMENT_BYTES", Holder: "SIZE",
		Meaning: "JSON text of one document",
		Cost:    "Every subscriber of a document gets all of it with each change, unless it asks for some fields.",
		value:   func(c *Config) value { return bytesValue[int]{&c.Limits.MaxDocumentBytes, kib, 7 * mib} }},
	{Group: groupBounds, Key: "maxDocumentDepth", Flag: "max-document-depth", Env: "FRESHET_MAX_DOCUMENT_DEPTH", Holder: "N",
		Meaning: "levels of nesting in a document or query",
		value:   func(c *Config) value { return countValue{&c.Limits.MaxDocumentDepth, 1, 1000} }},
	{Group: groupBounds, Key: "maxDocumentFields", Flag: "max-document-fields", Env: "FRESHET_MAX_DOCUMENT_FIELDS", Holder: "N",
		Meaning: "values in one document, nested ones counted",
		value:   func(c *Config) value { return countValue{&c.Limits.MaxDocumentFields, 1, 1 << 20} }},
	{Group: groupBounds, Key: "maxQueryBytes", Flag: "max-query-bytes", Env: "FRESHET_MAX_QUERY_BYTES", Holder: "SIZE",
		Meaning: "text of one filter",
		value:   func(c *Config) value { return bytesValue[int]{&c.Limits.MaxQueryBytes, 256, 16 * mib} }},
	{Group: groupBounds, Key: "maxQueryNodes", Flag: "max-query-nodes", Env: "FRESHET_MAX_QUERY_NODES", Holder: "N",
		Meaning: "operators and values in one filter",
		Cost:    "A filter is evaluated for writes to its collection: its size is a cost of each of them.",
		value:   func(c *Config) value { return countValue{&c.Limits.MaxQueryNodes, 1, 1 << 20} }},
	{Group: groupBounds, Key: "maxWindow", Flag: "max-window", Env: "FRESHET_MAX_WINDOW", Holder: "N",
		Meaning: "skip + limit of a live query, and documents of a live sort without a limit",
		Cost:    "A sorted live query keeps this many documents in memory at most.",
		value:   func(c *Config) value { return countValue{&c.Limits.MaxWindow, 1, 1_000_000} }},
	{Group: groupBounds, Key: "maxResultDocuments", Flag: "max-result-documents", Env: "FRESHET_MAX_RESULT_DOCUMENTS", Holder: "N",
		Meaning: "documents in the result of one live query",
		Cost:    "A larger result is an error, never a cut.",
		value:   func(c *Config) value { return countValue{&c.Limits.MaxResultDocuments, 1, 10_000_000} }},

	{Group: groupOutput, Key: "logLevel", Flag: "log-level", Env: "FRESHET_LOG_LEVEL", Holder: "LEVEL",
		Meaning: "least severe log lines that are written: `debug`, `info`, `warn` or `error`",
		value: func(c *Config) value {
			return choiceValue[string]{&c.LogLevel, []string{"debug", "info", "warn", "error"}}
		}},
	{Group: groupOutput, Key: "logFormat", Flag: "log-format", Env: "FRESHET_LOG_FORMAT", Holder: "FORMAT",
		Meaning: "`json`, `console`, or `auto`: console on a terminal, else JSON",
		value: func(c *Config) value {
			return choiceValue[LogFormat]{&c.LogFormat, []LogFormat{LogAuto, LogJSON, LogConsole}}
		}},
}
