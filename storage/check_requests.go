package storage

import (
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// checkRequest holds a remembered request id against its outcome: the two are written and forgotten together.
func (c *check) checkRequest(key, value []byte) error {
	if len(key) < 3 || len(value) != 16 {
		return errors.New("a remembered request that cannot be read")
	}
	k := requestKey{int(key[1])<<8 | int(key[2]), string(key[3:])}
	m, err := readRemembered(c.db, k)
	if err == nil {
		err = readOutcome(c.db, k, &m)
	}
	if errors.Is(err, errRejected) {
		return errors.New("a remembered request without its outcome")
	}
	if err != nil {
		return err
	}
	c.report.Requests++
	if m.operation == matcher.OperationDelete {
		return nil
	}
	if _, err := matcher.Parse(m.text, storedLimits(c.cfg.Limits)); err != nil {
		return fmt.Errorf("the document in the outcome of a request: %w", err)
	}
	return nil
}

// lastRequest is what the log says of a request id.
type lastRequest struct {
	remembered
	outcome uint64 // hash of the document as it was stored then
}

func (c *check) lastRequest(r *ingest.Record, offset uint64) lastRequest {
	return lastRequest{remembered{found: true, hash: r.RequestHash, offset: offset, operation: r.Operation}, maphash.Bytes(c.seed, r.After)}
}

// compareRequests holds the remembered requests against the log's last write of each.
func (c *check) compareRequests(last map[requestKey]lastRequest) error {
	if len(last) == 0 {
		return nil
	}
	k, err := c.constants()
	if err != nil {
		return err
	}
	for key, want := range last {
		got, err := readRemembered(c.db, key)
		if err == nil && got.found {
			err = readOutcome(c.db, key, &got)
		}
		switch {
		case err != nil && !errors.Is(err, errRejected):
			return err
		case !got.found && !want.counts(c.report.Vector.Next[key.partition], k.maxRequestLag):
			// It is forgotten, and may be.
		case !got.found || err != nil:
			c.problem("request %q (log partition %d, offset %d): the log has it, the state does not remember it", key.id, key.partition, want.offset)
		case got.offset != want.offset || got.hash != want.hash || got.operation != want.operation || maphash.Bytes(c.seed, got.text) != want.outcome:
			c.problem("request %q (log partition %d, offset %d): the state remembers another outcome than the log", key.id, key.partition, want.offset)
		}
	}
	return nil
}

// constants reads those of the state's log.
func (c *check) constants() (k constants, err error) {
	raw, closer, err := c.db.Get(keyGenesis)
	if err != nil {
		return k, fmt.Errorf("read the constants: %w", err)
	}
	var stored storedCatalog
	err = errors.Join(decodeStrict(raw, &stored), closer.Close())
	if err != nil || stored.Genesis == nil {
		return k, fmt.Errorf("read the constants: %w", errors.Join(ErrStateDamaged, err))
	}
	return stored.Genesis.constants(), nil
}
