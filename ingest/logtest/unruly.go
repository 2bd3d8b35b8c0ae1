package logtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/freshetdb/freshet/ingest"
)

// ErrUnknown is what an Unruly log says where the outcome of an append is unknown: the entries may be in the log, come
// later, or never come.
var ErrUnknown = errors.New("logtest: the outcome of the append is unknown")

// MaxHeldEntries bounds what an Unruly log holds back; beyond it, the entry held longest comes out.
const MaxHeldEntries = 256

// Unruly is a log of attempts in memory that does to them what networks, retries and several producers do. What it
// breaks of ingest.Log's promises is Append's alone: the entries of one Append are neither atomic nor in order, come
// late, twice, or never, and an error says nothing about which. What is in the log once stays as it is, for every
// tail, so whatever decides from the log alone decides the same each time.
//
// For each entry of an Append the seed chooses one fate:
//
//	appended       now (most of them)
//	doubled        now, and the same payload again at once or after later appends
//	delayed        after later appends; Append fails with ErrUnknown
//	unacknowledged now; Append fails with ErrUnknown
//	lost           never; Append fails with ErrUnknown
//
// The entries that come out with one Append are shuffled. Entry.Offset is right where Append returns nil: it is that
// of the first copy. Nothing waits for a clock: what is held comes out after a number of later appends, or on Flush.
type Unruly struct {
	*ingest.MemoryLog

	mu   sync.Mutex
	rng  *rand.Rand
	calm bool
	held []heldEntry
}

var _ ingest.Log = (*Unruly)(nil)

type heldEntry struct {
	entry   ingest.Entry
	appends int // until it comes out
}

// NewUnruly makes an empty one with the given number of data partitions, 1 if 0.
func NewUnruly(logPartitions int, seed uint64) *Unruly {
	return &Unruly{MemoryLog: ingest.NewMemoryLog(logPartitions), rng: rand.New(rand.NewPCG(seed, 0x6c6f67))}
}

// SetCalm switches the misbehaviour off and on: a test's first steps may need a log that works.
func (u *Unruly) SetCalm(calm bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calm = calm
}

// Append implements ingest.Log as far as the type's comment says.
func (u *Unruly) Append(ctx context.Context, entries []ingest.Entry) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calm {
		return u.MemoryLog.Append(ctx, entries)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var now []outgoing
	known := true
	for i := range entries {
		e := &entries[i]
		if e.Partition < 0 || e.Partition >= u.Partitions() || len(e.Payload) > ingest.MaxEntryBytes {
			return u.MemoryLog.Append(ctx, entries) // which says what is wrong with it
		}
		switch fate := u.rng.IntN(100); {
		case fate < 60:
			now = append(now, outgoing{e, e})
		case fate < 70:
			now = append(now, outgoing{e, e}, outgoing{e, e}) // the first to come out is reported
		case fate < 80:
			now = append(now, outgoing{e, e})
			u.hold(e)
		case fate < 88:
			u.hold(e)
			known = false
		case fate < 96:
			now = append(now, outgoing{entry: e})
			known = false
		default:
			known = false
		}
	}
	if err := u.release(ctx, now); err != nil {
		return err
	}
	if !known {
		return ErrUnknown
	}
	return nil
}

// outgoing is an entry that comes out now, and where its offset is reported.
type outgoing struct {
	entry  *ingest.Entry
	report *ingest.Entry // nil: nowhere
}

// hold keeps a copy back for a random number of appends. mu is held.
func (u *Unruly) hold(e *ingest.Entry) {
	copied := ingest.Entry{Partition: e.Partition, Payload: slices.Clone(e.Payload)}
	u.held = append(u.held, heldEntry{entry: copied, appends: 1 + u.rng.IntN(1<<u.rng.IntN(7))})
}

// release appends what comes out with this Append, shuffled, each entry by itself. mu is held.
func (u *Unruly) release(ctx context.Context, now []outgoing) error {
	u.rng.Shuffle(len(now), func(i, j int) { now[i], now[j] = now[j], now[i] })
	kept := u.held[:0:0]
	for i := range u.held {
		h := &u.held[i]
		if h.appends--; h.appends < 0 || len(u.held)-i > MaxHeldEntries {
			now = append(now, outgoing{entry: &h.entry}) // behind the entries of this Append, which is later than they
		} else {
			kept = append(kept, *h)
		}
	}
	u.held = kept
	reported := map[*ingest.Entry]bool{}
	for _, out := range now {
		one := []ingest.Entry{{Partition: out.entry.Partition, Payload: out.entry.Payload}}
		if err := u.MemoryLog.Append(ctx, one); err != nil {
			return err
		}
		if out.report == nil || reported[out.report] {
			continue
		}
		out.report.Offset = one[0].Offset
		reported[out.report] = true
	}
	return nil
}

// Flush lets everything come out that is held, in random order.
func (u *Unruly) Flush(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := make([]outgoing, len(u.held))
	for i := range u.held {
		now[i] = outgoing{entry: &u.held[i].entry}
	}
	held := u.held
	u.held = nil
	if err := u.release(ctx, now); err != nil {
		u.held = held
		return err
	}
	return nil
}
