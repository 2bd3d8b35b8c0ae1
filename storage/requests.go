package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// requestKey names a client's request: request ids are remembered with the log partition in which the write was
// accepted.
type requestKey struct {
	partition int
	id        string // "": the write has none
}

// remembered is what is kept of an accepted write that had a request id, for maxRequestLag offsets.
type remembered struct {
	found  bool
	hash   uint64 // of the request
	offset uint64 // of the accepted record

	// The first outcome. Of an entry in Pebble it is read only where it is answered with.
	operation matcher.Operation
	text      []byte // of the document as it was stored then; nil: deleted
}

// counts reports whether the request is still remembered at an offset. It goes by the offsets alone, whether or not the
// entry has been deleted from Pebble yet.
func (r remembered) counts(offset, maxRequestLag uint64) bool {
	return r.found && (offset <= r.offset || offset-r.offset <= maxRequestLag)
}

// requestIDOf makes the request id of the log: keys of two apps are never the same.
func requestIDOf(app, key string) string {
	if key == "" {
		return ""
	}
	return app + "/" + key
}

func (it *item) requestKey() requestKey { return requestKey{it.partition, it.record.RequestID} }

// readRemembered looks a request up in Pebble, without its outcome.
func readRemembered(r pebble.Reader, key requestKey) (m remembered, err error) {
	raw, closer, err := r.Get(appendRequestKey(nil, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("read a request id: %w", err)
	}
	defer closer.Close()
	if len(raw) != 16 {
		return m, fmt.Errorf("read a request id: it has %d bytes, not 16", len(raw))
	}
	return remembered{found: true, offset: binary.BigEndian.Uint64(raw), hash: binary.BigEndian.Uint64(raw[8:])}, nil
}

// readOutcome adds the first outcome to what readRemembered found.
func readOutcome(r pebble.Reader, key requestKey, m *remembered) error {
	raw, closer, err := r.Get(appendOutcomeKey(nil, key.partition, m.offset, key.id))
	if errors.Is(err, pebble.ErrNotFound) {
		return errRejected // it was forgotten since it was looked up: beside the loop that can be
	}
	if err != nil {
		return fmt.Errorf("read the outcome of a request: %w", err)
	}
	defer closer.Close()
	if len(raw) < 2 || raw[0] != valueVersion {
		return fmt.Errorf("%w: the outcome of a request of an unknown version", ErrFormat)
	}
	m.operation = matcher.Operation(raw[1])
	if m.operation != matcher.OperationDelete {
		m.text = append(make([]byte, 0, len(raw)-2), raw[2:]...)
	}
	return nil
}

// request is what is remembered of a request id, in this group or in Pebble. Part of what decide reads (invariant 3).
func (a *applier) request(g *group, key requestKey) (remembered, error) {
	if key.id == "" {
		return remembered{}, nil
	}
	if m, ok := g.requests[key]; ok {
		return m, nil
	}
	return readRemembered(a.db, key)
}

// remember keeps an accepted write's outcome under its request id. A replay does it as well.
func (g *group) remember(key requestKey, r *ingest.Record, offset uint64) {
	if key.id == "" {
		return
	}
	if g.requests == nil {
		g.requests = map[requestKey]remembered{}
	}
	g.requests[key] = remembered{found: true, hash: r.RequestHash, offset: offset, operation: r.Operation, text: r.After}
}

func (a *applier) requestsToBatch(b *pebble.Batch, g *group) error {
	for key, m := range g.requests {
		value := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, m.offset), m.hash)
		if err := b.Set(appendRequestKey(nil, key), value, nil); err != nil {
			return err
		}
		outcome := append([]byte{valueVersion, byte(m.operation)}, m.text...)
		if err := b.Set(appendOutcomeKey(nil, key.partition, m.offset, key.id), outcome, nil); err != nil {
			return err
		}
	}
	return nil
}

// pruneRequests deletes a bounded number of request ids that count no more.
func (a *applier) pruneRequests(b *pebble.Batch, p int) (err error) {
	next := a.vector.Next[p]
	if next < a.maxRequestLag+1 || next-a.maxRequestLag-1 < a.prunedRequests[p]+pruneStep {
		return nil
	}
	below := next - a.maxRequestLag - 1
	iterator, err := a.db.NewIter(&pebble.IterOptions{
		LowerBound: appendOutcomeKey(nil, p, 0, ""),
		UpperBound: appendOutcomeKey(nil, p, below, ""),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }() // a read error, too
	taken := 0
	for ok := iterator.First(); ok; ok = iterator.Next() {
		offset := binary.BigEndian.Uint64(iterator.Key()[3:])
		if taken++; taken > pruneStep {
			a.prunedRequests[p] = offset
			return nil // Close has its error
		}
		key := requestKey{p, string(iterator.Key()[outcomePrefixBytes:])}
		m, err := readRemembered(a.db, key)
		if err != nil {
			return err
		}
		// A later request with the same id has an outcome of its own.
		if m.found && m.offset == offset {
			if err := b.Delete(appendRequestKey(nil, key), nil); err != nil {
				return err
			}
		}
		if err := b.Delete(iterator.Key(), nil); err != nil {
			return err
		}
	}
	a.prunedRequests[p] = below
	return nil // Close has its error
}
