package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

// Documents go when their time has come, not before, through the ordinary way of a write.
func TestExpire(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, _ *rand.Rand) {
		if r.unruly() {
			t.Skip("an unruly log may hold a deletion back")
		}
		c := r.collection("pages")
		minute := int64(60)
		_, created, err := r.store.PutIndex(t.Context(), testApp, "pages", IndexDefinition{
			Name: "ttl", Keys: []byte(`"at"`), Partial: []byte(`{"keep":null}`), ExpireAfterSeconds: &minute,
		})
		if err != nil || !created {
			t.Fatalf("put the index: %v, %v", created, err)
		}
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		date := func(after time.Duration) string {
			return fmt.Sprintf(`{"$date":{"$numberLong":"%d"}}`, start.Add(after).UnixMilli())
		}
		for id, fields := range map[string]string{
			"first":  `{"at":` + date(0) + `}`,
			"second": `{"at":[` + date(time.Hour) + `,` + date(time.Second) + `]}`,
			"third":  `{"at":` + date(2*time.Second) + `}`,
			"later":  `{"at":` + date(time.Hour) + `}`,
			"kept":   `{"keep":true,"at":` + date(0) + `}`,
			"number": `{"at":1}`,
			"none":   `{}`,
		} {
			if err := r.set(t.Context(), c, id, fields); err != nil {
				t.Fatal(err)
			}
		}
		r.built(c)
		now := start.Add(time.Minute - time.Millisecond)
		x := NewExpirer(r.store, ExpirerConfig{Now: func() time.Time { return now }})
		expect := func(budget, deleted, left int) {
			t.Helper()
			n, err := x.expire(t.Context(), budget)
			if err != nil || n != deleted || len(r.all(c)) != left {
				t.Fatalf("%d deleted, %v, %d left; want %d and %d", n, err, len(r.all(c)), deleted, left)
			}
		}
		expect(10, 0, 7)
		now = start.Add(time.Minute)
		expect(10, 1, 6)
		now = start.Add(time.Minute + 2*time.Second)
		expect(1, 1, 5) // no more than the budget
		expect(10, 1, 4)
		expect(10, 0, 4)
		if n := r.store.Metrics().DocumentsExpired.Load(); n != 3 {
			t.Errorf("%d documents were counted, not 3", n)
		}
		r.compare(c)
		r.checkIndexes(c)
	})
}

// dueSession makes a document that an index with those keys, at, finds due at 1000.
func (r *rig) dueSession(keys string) (x *Expirer, rule expiry, found []*matcher.Document) {
	r.t.Helper()
	c := r.collection("pages")
	zero := int64(0)
	index, _, err := r.store.PutIndex(r.t.Context(), testApp, "pages", IndexDefinition{Name: "ttl", Keys: []byte(keys), ExpireAfterSeconds: &zero})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.set(r.t.Context(), c, "session", `{"at":{"$date":1000}}`); err != nil {
		r.t.Fatal(err)
	}
	r.built(c)
	x = NewExpirer(r.store, ExpirerConfig{})
	due, err := index.due(time.UnixMilli(1000))
	if err != nil {
		r.t.Fatal(err)
	}
	rule = expiry{c, index, due}
	found, err = x.find(r.t.Context(), rule, 10)
	if err != nil || len(found) != 1 {
		r.t.Fatalf("%d documents are due, %v", len(found), err)
	}
	return x, rule, found
}

// A document that was renewed after it was found stays: the deletion is of the state that was read.
func TestExpireSparesRenewed(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	r.start()
	defer func() { r.end(); r.log.Close() }()
	x, rule, found := r.dueSession(`"-at"`)
	c := rule.collection
	if err := r.set(t.Context(), c, "session", `{"at":{"$date":1001}}`); err != nil {
		t.Fatal(err)
	}
	if n, err := x.deleteAll(t.Context(), rule, found); n != 0 || err != nil || len(r.all(c)) != 1 {
		t.Errorf("%d deleted, %v; the document was renewed", n, err)
	}
	removed := make(chan string, 1)
	r.check.each = func(change *matcher.Change) {
		if change.Operation == matcher.OperationDelete {
			removed <- change.ID
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- NewExpirer(r.store, ExpirerConfig{Interval: time.Millisecond, Now: func() time.Time { return time.UnixMilli(1001) }}).Run(ctx)
	}()
	if id := <-removed; id != "session" {
		t.Errorf("%q was removed", id)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What an index found is not deleted any more once it was dropped or replaced.
func TestExpireEndsWithItsIndex(t *testing.T) {
	r := kinds["embedded in memory"](t, 1)
	r.state = newState()
	r.start()
	defer func() { r.end(); r.log.Close() }()
	x, rule, found := r.dueSession(`"at"`)
	c, year := rule.collection, int64(366*24*3600)
	gone := func(how string) {
		t.Helper()
		if n, err := x.deleteAll(t.Context(), rule, found); n != 0 || err != nil || len(r.all(c)) != 1 {
			t.Errorf("the index was %s: %d deleted, %v", how, n, err)
		}
		if again, err := x.find(t.Context(), rule, 10); err != nil || len(again) != 0 {
			t.Errorf("the index was %s: it finds %d, %v", how, len(again), err)
		}
	}
	if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", IndexDefinition{Name: "ttl", Keys: []byte(`"at"`), ExpireAfterSeconds: &year}); err != nil {
		t.Fatal(err)
	}
	gone("replaced")
	if err := r.store.DropIndex(t.Context(), testApp, "pages", "ttl"); err != nil {
		t.Fatal(err)
	}
	gone("dropped")
}

// A document that the index's filter has too much to do for is kept, is found by every search, and keeps nothing else from
// being deleted or written.
func TestExpireKeepsWhatIsTooCostly(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		if r.unruly() {
			t.Skip("an unruly log may lose a write")
		}
		c := r.collection("pages")
		zero := int64(0)
		var conditions, numbers []string
		for i := range 600 {
			conditions = append(conditions, fmt.Sprintf(`{"a":{"$gt":%d},"b":{"$gt":%d}}`, 100_000+i, i))
		}
		for i := range 30_000 {
			numbers = append(numbers, fmt.Sprint(i))
		}
		costly := `,"b":0,"a":[` + strings.Join(numbers, ",") + `]`
		ttl := IndexDefinition{
			Name: "ttl", Keys: []byte(`"at"`), Partial: []byte(`{"$nor":[` + strings.Join(conditions, ",") + `]}`), ExpireAfterSeconds: &zero,
		}
		set := func(id, fields string) {
			t.Helper()
			if err := r.set(t.Context(), c, id, fields); err != nil {
				t.Fatal(err)
			}
		}
		set("before", `{"at":{"$date":1000}`+costly+`}`) // the build comes to it
		set("small", `{"at":{"$date":1000},"b":0}`)
		if _, _, err := r.store.PutIndex(t.Context(), testApp, "pages", ttl); err != nil {
			t.Fatal(err)
		}
		r.built(c)
		set("after", `{"at":{"$date":1000}`+costly+`}`)
		set("became", `{"at":{"$date":1000},"b":0}`)
		set("became", `{"at":{"$date":1000}`+costly+`}`)
		set("was", `{"at":{"$date":1000}`+costly+`}`)
		set("was", `{"at":{"$date":2000},"b":0}`)
		r.settle()
		r.checkIndexes(c)
		if status := r.index("pages"); status.Overflow != 3 || status.Entries != 2 {
			t.Fatalf("%d of overflow, %d entries", status.Overflow, status.Entries)
		}
		if rng.IntN(2) == 0 {
			r.crash(rng)
		} else {
			r.end()
		}
		r.start()
		c, _ = r.store.Collection(testApp, "pages")
		r.checkIndexes(c)
		x := NewExpirer(r.store, ExpirerConfig{Now: func() time.Time { return time.UnixMilli(3000) }})
		if n, err := x.expire(t.Context(), 10); err != nil || n != 2 || len(r.all(c)) != 3 {
			t.Fatalf("%d deleted, %v, %d are left, not the costly ones", n, err, len(r.all(c)))
		}
		r.checkIndexes(c)
	})
}
