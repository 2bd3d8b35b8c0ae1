package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/matcher"
)

// MaxCheckProblems bounds the problems that one check lists; it counts the others.
const MaxCheckProblems = 100

// maxCheckKeys bounds the keys that a check keeps in memory. Where the log has more records, it is read several times.
const maxCheckKeys = 4 << 20

// CheckReport is what Check found.
type CheckReport struct {
	Documents, Tombstones, Collections int
	Requests                           int // that are remembered with their outcome
	Indexes                            int
	DocumentBytes                      int64
	Log                                ingest.DumpSummary
	Compared                           int            // keys whose last record in the log was held against the state
	Vector                             matcher.Vector // applied by the state; the log from there on is replayed at the next start
	Problems                           []string       // the first MaxCheckProblems
	ProblemCount                       int
}

// Check reads all that a stopped node keeps: every group of the log with its checksum, every block of the state with its
// own, every document; and holds the state against the log, key by key, and its vector against the log's bounds. What is
// wrong is in the report; the error is for what keeps the check from going on, such as a node that runs
// (ingest.ErrLocked). It changes nothing.
func Check(ctx context.Context, cfg Config, log ingest.SegmentConfig) (report *CheckReport, err error) {
	cfg = cfg.withDefaults()
	lock, err := ingest.Exclude(log)
	if err != nil {
		return &CheckReport{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := &check{ctx: ctx, cfg: cfg, log: log, report: &CheckReport{}, seed: maphash.MakeSeed()}
	c.indexes = &indexCheck{seed: c.seed, indexes: map[matcher.CollectionID][]*checkedIndex{}}
	if err := c.checkLog(); err != nil {
		return c.report, err
	}
	damage := &pebble.EventListener{DataCorruption: func(i pebble.DataCorruptionInfo) {
		c.problem("%v", stateDamage(i))
	}}
	db, err := pebble.Open(cfg.Dir, &pebble.Options{FS: cfg.FS, ReadOnly: true, Logger: quiet{}, EventListener: damage})
	if err != nil {
		c.problem("the state cannot be opened: %v", err)
		return c.report, nil
	}
	c.db = db
	return c.report, errors.Join(c.checkState(), db.Close())
}

type check struct {
	ctx    context.Context
	cfg    Config
	log    ingest.SegmentConfig
	db     *pebble.DB
	report *CheckReport
	seed   maphash.Seed
	mutex  sync.Mutex // guards the report's problems

	indexes *indexCheck
}

// problem notes what is wrong. Pebble tells of damage where it reads, in goroutines of its own too.
func (c *check) problem(format string, args ...any) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	r := c.report
	if r.ProblemCount++; len(r.Problems) < MaxCheckProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// checkLog reads the log once by itself.
func (c *check) checkLog() (err error) {
	c.report.Log, err = ingest.Dump(c.ctx, c.log, func(e ingest.DumpedEntry) error {
		r, err := ingest.DecodeRecord(e.Payload)
		if err != nil {
			c.problem("log partition %d, offset %d: %v", e.Partition, e.Offset, err)
			return nil
		}
		if r.Kind == ingest.RecordControl {
			if _, err := readControl(r.Body); err != nil {
				c.problem("log partition %d, offset %d: %v", e.Partition, e.Offset, err)
			}
		}
		for _, image := range [][]byte{r.Before, r.After} {
			if image == nil {
				continue
			}
			if _, err := matcher.Parse(bytes.Clone(image), storedLimits(c.cfg.Limits)); err != nil {
				c.problem("log partition %d, offset %d: an image of %q: %v", e.Partition, e.Offset, r.ID, err)
			}
		}
		return nil
	})
	var corrupt *ingest.CorruptError
	if errors.As(err, &corrupt) {
		c.problem("%v", err)
		return nil
	}
	return err
}

func (c *check) checkState() error {
	if err := c.db.CheckLevels(nil); err != nil {
		c.problem("the state's files do not fit together: %v", err)
		return nil
	}
	if err := c.indexes.begin(c); err != nil {
		c.problem("the indexes: %v", err)
	}
	if err := c.checkKeys(); err != nil {
		return err
	}
	c.indexes.end(c)
	if !c.checkVector() {
		return nil
	}
	passes := 1 + uint64(c.report.Log.Entries)/maxCheckKeys
	for pass := range passes {
		if err := c.compare(pass, passes); err != nil {
			return err
		}
	}
	return nil
}

// checkVector holds the state's vector against the log's bounds.
func (c *check) checkVector() (ok bool) {
	raw, closer, err := c.db.Get(keyVector)
	first, next := c.report.Log.First, c.report.Log.Next
	if errors.Is(err, pebble.ErrNotFound) {
		c.report.Vector.Next = make([]uint64, len(next))
		return next != nil
	}
	if err != nil {
		c.problem("the state's vector: %v", err)
		return false
	}
	v, _, err := parseVector(raw)
	if err = errors.Join(err, closer.Close()); err != nil {
		c.problem("the state's vector: %v", err)
		return false
	}
	c.report.Vector = v
	if next == nil {
		return false // the log's damage is reported already
	}
	if len(next) != len(v.Next) {
		c.problem("the state has %d log partitions, the log %d", len(v.Next), len(next))
		return false
	}
	ok = true
	for p, n := range v.Next {
		if n < first[p] || n > next[p] {
			c.problem("the state ends at offset %d of log partition %d, the log holds %d to %d", n, p, first[p], next[p])
			ok = false
		}
	}
	return ok
}

// checkKeys reads every key of the state.
func (c *check) checkKeys() (err error) {
	iterator, err := c.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	defer func() {
		if closeErr := iterator.Close(); closeErr != nil {
			c.problem("the state: %v", closeErr)
		}
	}()
	count := 0
	for ok := iterator.First(); ok; ok = iterator.Next() {
		if count++; count%visitStep == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		value, err := iterator.ValueAndErr()
		if err != nil {
			c.problem("the value of key %q: %v", iterator.Key(), err)
			continue
		}
		if err := c.checkKey(iterator.Key(), value); err != nil {
			c.problem("key %q: %v", iterator.Key(), err)
		}
	}
	return nil
}

func (c *check) checkKey(key, value []byte) error {
	switch key[0] {
	case prefixDocument:
		d, err := parseStored(value, nil, c.cfg.Limits)
		if err != nil {
			return err
		}
		if len(key) < collectionPrefixBytes || d.ID() != string(key[collectionPrefixBytes:]) {
			return fmt.Errorf("the document in it has the _id %q", d.ID())
		}
		if d.Revision().WriteID.IsZero() {
			return errors.New("the document in it has no revision")
		}
		c.report.Documents++
		c.report.DocumentBytes += int64(len(value))
		c.indexes.document(key, d)
	case prefixIndex:
		return c.indexes.entry(key, value)
	case prefixRequest:
		return c.checkRequest(key, value)
	case prefixTombstone:
		c.report.Tombstones++
		_, err := parseTombstone(value)
		return err
	case prefixCollection:
		var collection Collection
		c.report.Collections++
		return decodeStrict(value, &collection)
	case keyGenesis[0]:
		var stored storedCatalog
		if err := decodeStrict(value, &stored); err != nil {
			return err
		}
		if stored.Genesis == nil {
			return errors.New("the constants are missing")
		}
		return stored.Genesis.check()
	}
	return nil
}

// lastRecord is what the log says of a key.
type lastRecord struct {
	offset  uint64
	deleted bool
	text    uint64 // hash of the after-image
}

// compare holds the state against the last record of each key in the log, for the keys of one pass.
func (c *check) compare(pass, passes uint64) error {
	last := map[documentKey]lastRecord{}
	requests := map[requestKey]lastRequest{}
	fences := map[epochKey]uint64{}
	_, err := ingest.Dump(c.ctx, c.log, func(e ingest.DumpedEntry) error {
		if e.Partition == matcher.ControlPartition || e.Offset >= c.report.Vector.Next[e.Partition] {
			return nil
		}
		r, err := ingest.DecodeRecord(e.Payload)
		if err != nil {
			return nil // reported already
		}
		switch r.Kind {
		case ingest.RecordFence:
			fences[epochKey{e.Partition, r.Collection}] = e.Offset
		case ingest.RecordWrite:
			if passes > 1 && maphash.String(c.seed, r.ID)%passes != pass {
				return nil
			}
			if r.RequestID != "" {
				requests[requestKey{e.Partition, r.RequestID}] = c.lastRequest(&r, e.Offset)
			}
			last[documentKey{r.Collection, e.Partition, r.ID}] = lastRecord{e.Offset, r.After == nil, maphash.Bytes(c.seed, r.After)}
		}
		return nil
	})
	if err != nil {
		return nil // reported already
	}
	for key, record := range last {
		if fence, ok := fences[epochKey{key.partition, key.collection}]; ok && fence > record.offset {
			record.deleted = true
		}
		if err := c.compareKey(key, record); err != nil {
			c.problem("document %q of collection %d (log partition %d, offset %d): %v", key.id, key.collection, key.partition, record.offset, err)
		}
		c.report.Compared++
	}
	return c.compareRequests(requests)
}

func (c *check) compareKey(key documentKey, record lastRecord) error {
	raw, closer, err := c.db.Get(appendKey(nil, prefixDocument, key))
	if errors.Is(err, pebble.ErrNotFound) {
		if !record.deleted {
			return errors.New("the log has it, the state has not")
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	switch {
	case record.deleted:
		return errors.New("the log has it deleted, the state holds it")
	case maphash.Bytes(c.seed, raw[1:]) != record.text:
		return errors.New("the state holds another text than the log")
	}
	return nil
}
