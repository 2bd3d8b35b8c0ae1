package storage

import (
	"fmt"
	"math"

	"github.com/maypok86/otter/v2"

	"github.com/freshetdb/freshet/matcher"
)

// documentCache is a byte-bounded cache of parsed documents. Only the apply loop writes it, and only with committed
// states, so a hit is always the current document; a collection's epoch in the key makes a fence forget the old ones.
type documentCache struct {
	documents *otter.Cache[cacheKey, *matcher.Document]
	metrics   *Metrics
}

type cacheKey struct {
	collection matcher.CollectionID
	epoch      uint32
	id         string
}

func newDocumentCache(maxBytes int64, metrics *Metrics) (*documentCache, error) {
	documents, err := otter.New(&otter.Options[cacheKey, *matcher.Document]{
		MaximumWeight: uint64(maxBytes),
		Executor:      func(upkeep func()) { upkeep() }, // the apply loop writes alone: a goroutine would wait for it, spinning
		Weigher: func(k cacheKey, d *matcher.Document) uint32 {
			return uint32(min(len(k.id)+d.MemoryBytes()+128, math.MaxUint32))
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make the document cache: %w", err)
	}
	return &documentCache{documents: documents, metrics: metrics}, nil
}

func (c *documentCache) get(k cacheKey) (*matcher.Document, bool) {
	d, ok := c.documents.GetIfPresent(k)
	if ok {
		c.metrics.CacheHits.Add(1)
	} else {
		c.metrics.CacheMisses.Add(1)
	}
	return d, ok
}

func (c *documentCache) set(k cacheKey, d *matcher.Document) { c.documents.Set(k, d) }

func (c *documentCache) remove(k cacheKey) { c.documents.Invalidate(k) }
