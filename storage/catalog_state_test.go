package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// collectionModel is what the orders so far leave of one collection: an oracle that knows nothing of catalogs.
type collectionModel struct {
	comment string
	epoch   uint32
	indexes []string
}

// order gives a random order and does it to the model.
func order(r *rig, rng *rand.Rand, model map[[2]string]*collectionModel) {
	r.t.Helper()
	key := [2]string{[]string{testApp, "other"}[rng.IntN(2)], fmt.Sprint("c", rng.IntN(12))}
	app, name := key[0], key[1]
	m, index := model[key], fmt.Sprint("x", rng.IntN(3))
	var err, want error
	switch choice := rng.IntN(6); {
	case choice < 2 || m == nil && choice == 2:
		comment := fmt.Sprint(rng.IntN(100))
		var created bool
		if _, created, err = r.store.PutCollection(r.t.Context(), app, name, Settings{Comment: comment}); created != (m == nil) {
			r.t.Fatalf("%v was created: %v", key, created)
		}
		if m == nil {
			m = &collectionModel{}
			model[key] = m
		}
		m.comment = comment
	case choice == 2:
		_, created, ensureErr := r.store.EnsureCollection(r.t.Context(), app, name)
		if err = ensureErr; created {
			r.t.Fatalf("%v was created again", key)
		}
	case m == nil:
		err, want = r.store.TruncateCollection(r.t.Context(), app, name), ErrCollectionNotFound
	case choice == 3:
		if rng.IntN(2) == 0 {
			err = r.store.TruncateCollection(r.t.Context(), app, name)
			m.epoch++
		} else {
			err = r.store.DropCollection(r.t.Context(), app, name)
			delete(model, key)
		}
	case choice == 4:
		if _, _, err = r.store.PutIndex(r.t.Context(), app, name, IndexDefinition{Name: index, Keys: []byte(`"a"`)}); !slices.Contains(m.indexes, index) {
			m.indexes = append(m.indexes, index)
		}
	default:
		if err = r.store.DropIndex(r.t.Context(), app, name, index); !slices.Contains(m.indexes, index) {
			want = ErrIndexNotFound
		}
		m.indexes = slices.DeleteFunc(slices.Clone(m.indexes), func(x string) bool { return x == index })
	}
	if !errors.Is(err, want) {
		r.t.Fatalf("%v: %v, want %v", key, err, want)
	}
}

// compareCatalog holds what the store says against the model.
func (r *rig) compareCatalog(model map[[2]string]*collectionModel) {
	r.t.Helper()
	count := 0
	for _, app := range []string{testApp, "other"} {
		last := ""
		for _, c := range r.store.Collections(app) {
			m := model[[2]string{app, c.Name}]
			if m == nil || c.App != app || c.Name <= last {
				r.t.Fatalf("%s has %+v after %q", app, c, last)
			}
			var indexes []string
			for _, x := range c.Indexes {
				indexes = append(indexes, x.Name)
			}
			if found, ok := r.store.Collection(app, c.Name); !ok || found.ID != c.ID ||
				c.Settings.Comment != m.comment || c.Epoch != m.epoch || !slices.Equal(indexes, m.indexes) {
				r.t.Fatalf("%s: %+v with the indexes %v (%v), want %+v", app, c, indexes, ok, *m)
			}
			last = c.Name
			count++
		}
	}
	if count != len(model) {
		r.t.Fatalf("%d collections, want %d", count, len(model))
	}
}

// wholeCatalog is what the state holds of a catalog, written whole: as it has been since the first folders, when every
// order wrote all of it.
func wholeCatalog(t *testing.T, c *catalog) map[string]string {
	t.Helper()
	whole := map[string]string{}
	put := func(key []byte, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		whole[string(key)] = string(text)
	}
	for id, collection := range c.byID.all() {
		put(appendControlKey(nil, id), collection)
	}
	put(keyGenesis, storedCatalog{c.genesis, c.nextID})
	return whole
}

func (r *rig) storedCatalog() map[string]string {
	r.t.Helper()
	stored := map[string]string{}
	for _, prefix := range []byte{prefixCollection, keyGenesis[0]} {
		err := r.store.loop.each([]byte{prefix}, func(key, value []byte) error {
			stored[string(key)] = string(bytes.Clone(value))
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return stored
}

// Each order writes what it changes, and the state holds the same as if every order had written everything; so a folder
// from before is read as it is. What the store says of its collections is what the orders leave, after a crash too.
func TestCatalogIsWrittenByParts(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		if r.unruly() {
			t.Skip("an answer may be lost")
		}
		model := map[[2]string]*collectionModel{}
		for round := range 6 {
			for range 30 {
				order(r, rng, model)
			}
			r.compareCatalog(model)
			if round%2 == 0 {
				r.end()
			} else {
				r.crash(rng)
			}
			r.start()
			r.compareCatalog(model)
			r.settle()
			got, want := r.storedCatalog(), wholeCatalog(t, r.store.loop.catalog)
			if !maps.Equal(got, want) {
				t.Fatalf("round %d: the state holds %v, want %v", round, got, want)
			}
		}
	})
}

// A fence takes away all that a collection has in its log partition, however much that is, and nothing else.
func TestFenceDeletes(t *testing.T) {
	for _, documents := range []int{0, 1, maxSingleDeletes, maxSingleDeletes + 1} {
		r := kinds["embedded in memory"](t, 0)
		r.state = newState()
		r.start()
		before, c, after := r.collection("before"), r.collection("pages"), r.collection("after")
		if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", IndexDefinition{Name: "x", Keys: []byte(`"n"`)}); err != nil {
			t.Fatal(err)
		}
		for _, other := range []Collection{before, after} {
			if _, _, err := r.put(t.Context(), other, "id", 1); err != nil {
				t.Fatal(err)
			}
		}
		perPartition := map[int]int{}
		for i := 0; perPartition[1] < documents || perPartition[2] < documents; i++ {
			id := fmt.Sprint("id", i)
			if p := PartitionOf(testApp, "pages", id, r.log.Partitions()-1); perPartition[p] < documents {
				perPartition[p]++
				if _, _, err := r.put(t.Context(), c, id, i); err != nil {
					t.Fatal(err)
				}
			}
		}
		if documents > 0 {
			if _, _, err := r.remove(t.Context(), c, "id0"); err != nil {
				t.Fatal(err)
			}
		}
		keys := func(c matcher.CollectionID) (n int) {
			for _, kind := range []byte{prefixDocument, prefixTombstone, prefixSeen, prefixIndex} {
				for p := 1; p < r.log.Partitions(); p++ {
					lower, _ := collectionSpan(kind, p, c)
					if err := r.store.loop.each(lower, func(_, _ []byte) error { n++; return nil }); err != nil {
						t.Fatal(err)
					}
				}
			}
			return n
		}
		others, had := keys(before.ID)+keys(after.ID), keys(c.ID)
		r.fence(c, r.store.TruncateCollection)
		if n := keys(c.ID); n != 0 || had < 2*documents {
			t.Errorf("%d documents, %d keys: %d are left after a truncate", documents, had, n)
		}
		if n := keys(before.ID) + keys(after.ID); n != others || n == 0 {
			t.Errorf("the others had %d keys, and have %d", others, n)
		}
		r.end()
	}
}
