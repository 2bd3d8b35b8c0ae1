package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

func TestSettingsCheck(t *testing.T) {
	date := Field{Type: FieldDate}
	many := map[string]Field{}
	for i := range matcher.MaxDeclaredFields + 1 {
		many[fmt.Sprintf("f%d", i)] = date
	}
	for _, test := range []struct {
		settings     Settings
		path, detail string
	}{
		{Settings{Comment: strings.Repeat("x", MaxCommentBytes+1)}, "/comment", "shorten"},
		{Settings{Fields: map[string]Field{"a/b": {Type: "data"}}}, "/fields/a~1b/type", "did you mean date?"},
		{Settings{Fields: map[string]Field{"a": {}}}, "/fields/a/type", "known is date"},
		{Settings{Fields: map[string]Field{"a": date, "a.b": date}}, "/fields/a.b", `through "a"`},
		{Settings{Fields: many}, "/fields", "MaxDeclaredFields"},
	} {
		var bad *matcher.Error
		if err := test.settings.Check(); !errors.As(err, &bad) || bad.Code != matcher.CodeFieldInvalid || bad.Path != test.path || !strings.Contains(bad.Detail, test.detail) {
			t.Errorf("%v: %v", test.settings, err)
		}
	}
}

// What a collection declares goes through the log and outlasts a restart and a crash; a put replaces it, and making sure
// that the collection is there does not.
func TestDeclaredFields(t *testing.T) {
	eachKind(t, 0, func(t *testing.T, r *rig, rng *rand.Rand) {
		if r.unruly() {
			t.Skip("an answer may be lost")
		}
		put := func(settings Settings) Collection {
			t.Helper()
			c, _, err := r.store.PutCollection(t.Context(), testApp, "pages", settings)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		check := func(c Collection, want string) {
			t.Helper()
			d, err := matcher.Parse([]byte(`{"at":"2026-01-31","seen":"2026-01-31"}`), matcher.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if d, err = c.Dates().Convert(d, matcher.Limits{}); err != nil || string(d.Text()) != want {
				t.Errorf("a document became %v (%v), want %s", d, err, want)
			}
		}
		const at, seen = `{"at":{"$date":"2026-01-31T00:00:00Z"},"seen":"2026-01-31"}`, `{"at":"2026-01-31","seen":{"$date":"2026-01-31T00:00:00Z"}}`
		check(put(Settings{Fields: map[string]Field{"at": {FieldDate}}}), at)
		for _, stop := range []func(){r.end, func() { r.crash(rng) }} {
			stop()
			r.start()
			c, _ := r.store.Collection(testApp, "pages")
			check(c, at)
		}
		c, created, err := r.store.EnsureCollection(t.Context(), testApp, "pages")
		if err != nil || created {
			t.Errorf("a collection that is there was created: %v", err)
		}
		check(c, at)
		if _, _, err := r.store.PutCollection(t.Context(), testApp, "pages", Settings{Fields: map[string]Field{"$": {FieldDate}}}); err == nil {
			t.Error("a declaration that is none was taken")
		}
		c = put(Settings{Fields: map[string]Field{"seen": {FieldDate}}})
		check(c, seen)
		if other, created, err := r.store.EnsureCollection(t.Context(), testApp, "other"); err != nil || !created || other.Dates() != nil {
			t.Errorf("a missing collection became %+v (created: %v), %v", other, created, err)
		}
	})
}

// An app holds MaxCollections; another app has its own, and a dropped one makes room.
func TestMaxCollections(t *testing.T) {
	c := emptyCatalog()
	for i := range MaxCollections {
		id := matcher.CollectionID(i + 1)
		c = c.with(Collection{ID: id, App: testApp, Name: fmt.Sprint("c", i)})
	}
	c.nextID = MaxCollections + 1
	put := func(app, name string) error {
		next, result := c.apply(controlBody{Put: &putCollection{App: app, Name: name}})
		c = next
		return result.err
	}
	if err := put(testApp, "more"); !errors.Is(err, ErrTooManyCollections) {
		t.Errorf("collection %d: %v", MaxCollections+1, err)
	}
	for _, err := range []error{put(testApp, "c7"), put("other", "more")} {
		if err != nil {
			t.Errorf("one that exists, or of another app: %v", err)
		}
	}
	c, _ = c.apply(controlBody{Drop: &fenceOrder{Collection: 8}})
	if err := put(testApp, "more"); err != nil {
		t.Errorf("after a drop: %v", err)
	}
}
