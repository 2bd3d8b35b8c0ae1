package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

// Building an index: the builder, beside the apply loop, reads a chunk of documents from a snapshot, in the order of log
// partition and id, and gathers their entries. At a group boundary the loop writes them, together with how far the
// build has come. Documents up to there the loop keeps in step from then on; of those behind it, which the chunk may
// hold, it notes the ones that change meanwhile, and takes their entries from their last after-image instead.

// Bounds of one chunk: its documents, their bytes and entries, and what may change while it is read.
const (
	maxChunkDocuments    = 512
	maxChunkBytes        = 4 << 20
	maxChunkEntries      = 4096
	maxChunkTouched      = 4096
	maxChunkTouchedBytes = 32 << 20
)

// indexChunk is what the builder reads at a time. Its upper part belongs to the apply loop.
type indexChunk struct {
	state        *indexState
	touched      map[documentKey]*matcher.Document // changed since the snapshot, behind the cursor; nil: deleted
	touchedBytes int
	spoiled      bool // it must be read again

	from      documentKey
	documents []chunkDocument
	ops       indexOps
	end       documentKey // the cursor behind the chunk
	last      bool        // no document is left
}

// chunkDocument is one document of a chunk.
type chunkDocument struct {
	key      documentKey
	ops      int // where its entries end in the chunk's
	overflow bool
	multikey uint64
}

// touch notes a change of a document that is not in the index yet. A chunk of another index, or none, is not concerned.
func (c *indexChunk) touch(s *indexState, k documentKey, after *matcher.Document) {
	if c == nil || c.state != s || c.spoiled {
		return
	}
	if after != nil {
		c.touchedBytes += after.MemoryBytes()
	}
	c.touched[k] = after
	c.spoiled = len(c.touched) > maxChunkTouched || c.touchedBytes > maxChunkTouchedBytes
}

// startBuilder starts the builder. What it returns stops it and waits for it.
func (s *Store) startBuilder(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.buildIndexes(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// buildIndexes builds, one after another, the indexes that are not ready, until ctx ends.
func (s *Store) buildIndexes(ctx context.Context) {
	size := s.config.chunkDocuments
	for {
		more, spoiled, err := s.buildChunk(ctx, size)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrStopped):
			return
		case err != nil:
			s.failure.set(fmt.Errorf("build an index: %w", err))
			return
		case spoiled:
			size = max(size/2, 1) // fewer documents can change while fewer are read
			continue
		}
		size = s.config.chunkDocuments
		if more {
			continue
		}
		select {
		case <-s.loop.indexes.wake:
		case <-ctx.Done():
			return
		}
	}
}

// buildChunk does one chunk; more says that there was one.
func (s *Store) buildChunk(ctx context.Context, size int) (more, spoiled bool, err error) {
	var chunk *indexChunk
	var snapshot *Snapshot
	err = s.Boundary(ctx, func(n *Snapshot) {
		snapshot = n
		chunk = s.loop.indexes.beginChunk()
	})
	if err != nil {
		return false, false, err
	}
	if chunk != nil {
		err = chunk.read(ctx, snapshot, size)
	}
	if err = errors.Join(err, snapshot.Close()); err != nil || chunk == nil {
		return false, false, err
	}
	var joinErr error
	err = s.Boundary(ctx, func(n *Snapshot) {
		_ = n.Close() // nothing is read from it
		spoiled, joinErr = s.joinChunk(chunk)
	})
	return true, spoiled, errors.Join(err, joinErr)
}

// beginChunk chooses the next chunk, nil if all indexes are ready. From here on the loop notes changes.
func (x *indexer) beginChunk() *indexChunk {
	if x.chunk = nil; len(x.unready) > 0 {
		next := x.unready[0]
		x.chunk = &indexChunk{state: next, touched: map[documentKey]*matcher.Document{}, from: next.cursor}
	}
	return x.chunk
}

// read gathers the entries of the documents behind the cursor. It runs beside the loop: of the state it uses only what
// never changes.
func (c *indexChunk) read(ctx context.Context, n *Snapshot, size int) error {
	key, compiled := c.state.key, c.state.compiled
	p := max(c.from.partition, 1)
	lower, upper := collectionSpan(prefixDocument, p, key.collection)
	if p == c.from.partition && c.from.id != "" {
		lower = append(append(lower, c.from.id...), 0) // the next id after it
	}
	var entries matcher.IndexEntries
	readBytes := 0
	err := n.visitSpan(ctx, lower, upper, func(d *matcher.Document) error {
		if len(c.documents) >= size || readBytes >= maxChunkBytes || len(c.ops.list) >= maxChunkEntries {
			return errEnough
		}
		readBytes += len(d.Text())
		k := documentKey{key.collection, p, d.ID()}
		compiled.Entries(&entries, d)
		if entries.Overflow {
			c.ops.overflow(key, k, true)
		}
		for i := range entries.Len() {
			c.ops.entry(key, k, entries.At(i), true)
		}
		c.documents = append(c.documents, chunkDocument{k, len(c.ops.list), entries.Overflow, entries.Multikey})
		c.end = k
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return nil
	case err != nil:
		return err
	}
	c.end = documentKey{key.collection, p + 1, ""}
	c.last = p+1 == n.store.log.Partitions()
	return nil
}

// joinChunk writes a chunk at a group boundary, unless it must be read again.
func (s *Store) joinChunk(c *indexChunk) (spoiled bool, err error) {
	x := s.loop.indexes
	if x.chunk = nil; c.spoiled {
		return true, nil
	}
	state := c.state
	b := s.db.NewBatch()
	start := 0
	for _, d := range c.documents {
		ops := c.ops.list[start:d.ops]
		start = d.ops
		state.documents++
		if _, changed := c.touched[d.key]; changed {
			continue
		}
		count := &state.counts[d.key.partition]
		if d.overflow {
			count.overflow++
		} else {
			count.entries += uint64(len(ops))
			state.multikey |= d.multikey
		}
		for _, op := range ops {
			x.ops.list = append(x.ops.list, indexOp{op.start + len(x.ops.arena), op.end + len(x.ops.arena), op.id, true})
		}
	}
	x.ops.arena = append(x.ops.arena, c.ops.arena...)
	state.cursor, state.ready = c.end, c.last
	x.mark(state)
	if c.last {
		state.cursor = documentKey{}
		x.unready = slices.DeleteFunc(x.unready, func(s *indexState) bool { return s == state })
	}
	for k, after := range c.touched {
		if state.covers(k) {
			x.before.Reset()
			state.compiled.Entries(&x.after, after)
			x.diff(state, k)
		}
	}
	if err := x.toBatch(b); err != nil {
		return false, err
	}
	s.metrics.IndexDocumentsBuilt.Add(uint64(len(c.documents)))
	s.unflushed += int64(b.Len()) + int64(b.Count())*memtableOverheadBytes
	if err := errors.Join(b.Commit(pebble.NoSync), b.Close()); err != nil {
		return false, fmt.Errorf("commit a chunk of index %q: %w", state.name, err)
	}
	return false, s.flushIfDue()
}
