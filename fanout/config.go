package fanout

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

var (
	ErrIDInUse              = errors.New("the id is in use in this session; choose another or unsubscribe it first")
	ErrTooManySubscriptions = errors.New("the session has too many subscriptions")
	ErrSessionClosed        = errors.New("the session was closed")
	ErrSlowSession          = errors.New("the client does not read what it asked for")
	ErrStopped              = errors.New("the hubs have stopped")
	ErrCollectionDropped    = errors.New("the collection was dropped")
	ErrResultTooLarge       = errors.New("the result has too many bytes")
	ErrReadOverrun          = errors.New("the result changes faster than it can be read")

	// What Snapshot.History fails with, beside errors of reading.
	ErrHistoryGone     = errors.New("the history does not reach back to this position")
	ErrHistoryTooLarge = errors.New("the history since this position is too large")
)

// Bounds that no configuration changes.
const (
	// MaxControlBytes bounds the answers that wait in one session's queue: hello, subscribed, unsubscribed, errors.
	// They are never dropped; beyond the bound the session fails with ErrSlowSession.
	MaxControlBytes = 1 << 20
	// MaxTakeBytes bounds what one Next hands over, one frame at least.
	MaxTakeBytes = 256 << 10
	// MaxReadAttempts bounds how often in a row a read starts again because MaxHeldBytes ran out.
	MaxReadAttempts = 16
	// MaxBoundaryRequests bounds the subscriptions that one group boundary registers, joins or ends.
	MaxBoundaryRequests = 1024
	// MaxResumesPerRound bounds the positions that one read of a query goes on from; further ones wait for the next.
	MaxResumesPerRound = 64
	// MaxRoundsPerRead bounds the queries that one worker reads from one snapshot.
	MaxRoundsPerRead = 64
	// MaxProgressSubscriptions bounds the subscriptions that one group boundary checks for progress.
	MaxProgressSubscriptions = 4096
	// MaxDroppedCollections bounds the dropped collections that are remembered, so that a subscription that was on
	// its way while its collection was dropped is told so.
	MaxDroppedCollections = 1024
)

// Reasons of a `result` with reset.
const (
	ReasonNoHistory      = "no-history"       // the position given lies further back than the history
	ReasonOtherTimeline  = "other-timeline"   // the position given belongs to another incarnation of the log
	ReasonOtherQuery     = "other-query"      // the position given is another query's, or the server now matches differently
	ReasonSlowConsumer   = "slow-consumer"    // frames did not fit the session's queue
	ReasonTruncated      = "truncated"        // all documents of the collection were removed
	ReasonTooManyChanges = "too-many-changes" // more changes came during a window's refill, or since the position given, than may be held
)

// Store is what the hubs need of storage; internal/node adapts storage.Store to it.
type Store interface {
	// Boundary runs f on the apply loop between two groups: after Release of the last one, before Prepare of the next.
	Boundary(ctx context.Context, f func(Snapshot)) error
}

// Snapshot is the documents as of a group boundary. Methods other than Vector and Sequence may take long.
type Snapshot interface {
	Vector() matcher.Vector
	Sequence() uint64 // of the last change in it
	// Find returns the first need documents (0: all) of q's order as if the changes of undo had not been applied, and
	// whether there are no more. Skip and limit of q are not applied.
	Find(ctx context.Context, c matcher.CollectionID, q *matcher.Query, need int, undo []*matcher.Change) (docs []*matcher.Document, complete bool, err error)
	// History returns the changes of a collection between a vector and the snapshot's, in local order, fences
	// included. It fails with ErrHistoryGone, or with ErrHistoryTooLarge where they would need more than maxBytes.
	History(ctx context.Context, c matcher.CollectionID, since matcher.Vector, maxBytes int) ([]matcher.Past, error)
	Close() error
}

// Config bounds the hubs. The zero value of a field means its default.
type Config struct {
	Limits matcher.Limits

	// MaxQueueBytes bounds the change frames, and apart from them the results, that wait for one session. Beyond it a
	// subscription is dropped to a later reset result. A frame or result always fits an empty queue. More rides out
	// longer stalls and costs memory per slow client. Default 4 MiB.
	MaxQueueBytes int
	// MaxHeldBytes bounds the changes held for one query that is being read; beyond it the read starts again from a
	// newer snapshot. Default 4 MiB.
	MaxHeldBytes int
	// MaxResumeBytes bounds the changes that are read to go on from a client's position, and apart from them the frames
	// made of them; beyond it the client gets a fresh result. Default 16 MiB.
	MaxResumeBytes int
	// MaxSubscriptions bounds the subscriptions of one session. Default 1,000.
	MaxSubscriptions int
	// MaxReads bounds the workers that read initial results and refills, and so the snapshots held. Default: twice
	// the processors, at least 4.
	MaxReads int
	// MaxResultPartBytes is about the size at which a result is split into frames. Default 256 KiB.
	MaxResultPartBytes int
	// MaxResultBytes bounds the JSON text of one result. Default 256 MiB.
	MaxResultBytes int

	// ProgressInterval is how often sessions are told how far they have come. Default 10 s.
	ProgressInterval time.Duration
	// ProgressTicks replaces the clock where it is not nil: a progress round at each value.
	ProgressTicks <-chan time.Time
}

// Validate names the first field that cannot be used.
func (c Config) Validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"MaxQueueBytes", c.MaxQueueBytes}, {"MaxHeldBytes", c.MaxHeldBytes}, {"MaxResumeBytes", c.MaxResumeBytes}, {"MaxSubscriptions", c.MaxSubscriptions},
		{"MaxReads", c.MaxReads}, {"MaxResultPartBytes", c.MaxResultPartBytes}, {"MaxResultBytes", c.MaxResultBytes},
		{"ProgressInterval", int(c.ProgressInterval)},
	} {
		if f.value < 0 {
			return fmt.Errorf("fanout: %s is %d; it must not be negative (0 takes the default)", f.name, f.value)
		}
	}
	return nil
}

// withDefaults returns c with every field that is not positive set to its default.
func (c Config) withDefaults() Config {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	c.Limits = c.Limits.WithDefaults()
	set(&c.MaxQueueBytes, 4<<20)
	set(&c.MaxHeldBytes, 4<<20)
	set(&c.MaxResumeBytes, 16<<20)
	set(&c.MaxSubscriptions, 1000)
	set(&c.MaxReads, max(4, 2*runtime.GOMAXPROCS(0)))
	set(&c.MaxResultPartBytes, 256<<10)
	set(&c.MaxResultBytes, 256<<20)
	if c.ProgressInterval <= 0 {
		c.ProgressInterval = 10 * time.Second
	}
	return c
}
