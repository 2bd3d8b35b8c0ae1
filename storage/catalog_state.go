package storage

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/freshetdb/freshet/matcher"
)

func (a *applier) stageControl(g *group, it *item, offset uint64) error {
	body, err := readControl(it.record.Body)
	if err != nil {
		return err
	}
	next, result := a.catalog.apply(body)
	it.control = result
	if result.err != nil {
		it.verdict = rejectedNothing
		return nil
	}
	a.applyCatalog(g, next, result.collection)
	a.advance(g, it.partition, offset)
	return nil
}

// applyCatalog takes the catalog after an accepted control record. If it has changed a collection, that is given.
func (a *applier) applyCatalog(g *group, next *catalog, changed Collection) {
	if next == a.catalog {
		return
	}
	a.catalog = next
	g.controls = true
	if changed.ID != 0 {
		g.change(changed.ID)
		g.dropped = append(g.dropped, a.indexes.follow(changed)...)
	}
	a.vector.Incarnation = next.incarnation
	if next.genesis != nil {
		a.constants = next.genesis.constants()
	}
}

// change notes that a collection of the catalog is another one, or gone.
func (g *group) change(id matcher.CollectionID) {
	if g.changed == nil {
		g.changed = map[matcher.CollectionID]struct{}{}
	}
	g.changed[id] = struct{}{}
	g.controls = true
}

// catalogToBatch writes what the group has changed in the catalog, whose collections have a key each: whatever else is in
// it costs nothing.
func (a *applier) catalogToBatch(b *pebble.Batch, g *group) error {
	for _, id := range slices.Sorted(maps.Keys(g.changed)) {
		c, found := a.catalog.byID.get(id)
		if !found {
			if err := b.Delete(appendControlKey(nil, id), nil); err != nil {
				return err
			}
			continue
		}
		text, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if err := b.Set(appendControlKey(nil, id), text, nil); err != nil {
			return err
		}
	}
	text, err := json.Marshal(storedCatalog{a.catalog.genesis, a.catalog.nextID})
	if err != nil {
		return err
	}
	return b.Set(keyGenesis, text, nil)
}

// storedCatalog is what keyGenesis holds: the catalog but for its collections.
type storedCatalog struct {
	Genesis *genesis             `json:"genesis"`
	NextID  matcher.CollectionID `json:"nextId"`
}

func (a *applier) loadCatalog() error {
	raw, closer, err := a.db.Get(keyGenesis)
	if err != nil {
		return fmt.Errorf("read the constants: %w", err)
	}
	var stored storedCatalog
	err = decodeStrict(raw, &stored)
	closer.Close()
	if err != nil {
		return fmt.Errorf("read the constants: %w", err)
	}
	if stored.Genesis == nil {
		return fmt.Errorf("read the constants: %w: they are missing", ErrStateDamaged)
	}
	if err := stored.Genesis.check(); err != nil {
		return err
	}
	a.catalog.genesis, a.catalog.nextID, a.catalog.incarnation = stored.Genesis, stored.NextID, a.vector.Incarnation
	a.constants = stored.Genesis.constants()
	return a.each([]byte{prefixCollection}, func(_, value []byte) error {
		var c Collection
		if err := decodeStrict(value, &c); err != nil {
			return fmt.Errorf("read a collection: %w", err)
		}
		if c.dates, err = c.Settings.dates(); err != nil {
			return fmt.Errorf("read the settings of collection %q: %w", c.Name, err)
		}
		if err := c.compileIndexes(); err != nil {
			return err
		}
		a.catalog = a.catalog.with(c)
		return nil
	})
}
