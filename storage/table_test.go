package storage

import (
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// A table has what a map has that is changed in the same way, and each table that a change began from stays as it was.
func TestTable(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	type version struct {
		table table[matcher.CollectionID, int]
		want  map[matcher.CollectionID]int
	}
	for _, keys := range []matcher.CollectionID{3, 40, 5000} {
		now := version{want: map[matcher.CollectionID]int{}}
		var kept []version
		for n := range int(4 * keys) {
			key := matcher.CollectionID(rng.IntN(int(keys)))
			if rng.IntN(3) > 0 {
				now.table = now.table.with(key, n)
				now.want[key] = n
			} else {
				now.table = now.table.without(key)
				delete(now.want, key)
			}
			if rng.IntN(int(keys)) == 0 {
				kept = append(kept, version{now.table, maps.Clone(now.want)})
			}
		}
		for key := range keys { // down to nothing
			if key == keys/2 {
				kept = append(kept, version{now.table, maps.Clone(now.want)})
			}
			now.table = now.table.without(key)
			delete(now.want, key)
		}
		if n := now.table.len(); n != 0 {
			t.Errorf("seed %d: %d entries are left", seed, n)
		}
		for _, v := range append(kept, now) {
			if got := maps.Collect(v.table.all()); !maps.Equal(got, v.want) || v.table.len() != len(v.want) {
				t.Fatalf("seed %d: %d of %d entries, want %d", seed, len(got), v.table.len(), len(v.want))
			}
			for key := range keys {
				value, found := v.table.get(key)
				if want, wanted := v.want[key]; value != want || found != wanted {
					t.Fatalf("seed %d: key %d is %d (%v), want %d (%v)", seed, key, value, found, want, wanted)
				}
			}
		}
	}
}

// A look-up is on the way of every write.
func TestTableGetAllocatesNothing(t *testing.T) {
	var names table[string, int]
	for i, name := range []string{"pages", "people", "orders", "events", "a", "b", "c"} {
		names = names.with(name, i)
	}
	if n := testing.AllocsPerRun(100, func() { names.get("orders") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
