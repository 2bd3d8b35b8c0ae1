package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
)

// generator makes documents, queries and updates over domains so small that they meet all the time: ties in every sort,
// documents that cross in and out of filters, types that do not fit.
type generator struct{ *rand.Rand }

func pick[T any](g generator, choices ...T) T { return choices[g.IntN(len(choices))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g generator) small() int64 { return int64(g.IntN(4)) }

// loose is a value of no fixed type.
func (g generator) loose() any {
	switch g.IntN(10) {
	case 0:
		return nil
	case 1:
		return pick(g, "x", "xy", "")
	case 2:
		return float64(g.small()) + pick(g, 0, 0.5)
	case 3:
		return g.chance(50)
	case 4:
		list := []any{}
		for range g.IntN(3) {
			list = append(list, pick[any](g, g.small(), "x", nil))
		}
		return list
	case 5:
		return int64(1)<<53 + g.small()
	}
	return g.small()
}

func (g generator) date() oracle.Date { return oracle.Date(1_767_225_600_000 + 500*g.small()) }

func (g generator) tags() []any {
	list := []any{}
	for _, tag := range []string{"red", "green", "blue"} {
		if g.chance(40) {
			list = append(list, tag)
		}
	}
	return list
}

func (g generator) items() []any {
	list := []any{}
	for range g.IntN(3) {
		list = append(list, oracle.Object{{Name: "k", Value: g.small()}, {Name: "v", Value: g.small()}})
	}
	return list
}

func (g generator) word() string {
	return pick(g, "a", "ab", "abc", "b", "Ab", "é", "e", "z", "å", "a10", "A9", "ch")
}

// fields are a document's user fields; each may be missing. Only `a` and `t` may hold arrays, and of a sort at most one.
func (g generator) fields() oracle.Object {
	o := oracle.Object{}
	add := func(percent int, name string, value func() any) {
		if g.chance(percent) {
			o = append(o, oracle.Field{Name: name, Value: value()})
		}
	}
	add(90, "n", func() any { return g.small() })
	add(80, "a", g.loose)
	add(80, "s", func() any { return g.word() })
	add(70, "o", func() any {
		if g.chance(10) {
			return g.small()
		}
		return oracle.Object{{Name: "d", Value: g.small()}, {Name: "w", Value: g.word()}}
	})
	add(70, "t", func() any { return g.tags() })
	add(50, "items", func() any { return g.items() })
	add(50, "at", func() any { return g.date() })
	return o
}

// update is a PATCH body; it may not fit the document ($inc of a text, a path through a number).
func (g generator) update() oracle.Object {
	one := func(name string, value any) oracle.Object { return oracle.Object{{Name: name, Value: value}} }
	switch g.IntN(6) {
	case 0:
		return one("$inc", one(pick(g, "n", "n", "o.d", "a"), pick[any](g, int64(1), int64(-1), 0.5, int64(0))))
	case 1:
		return one("$unset", one(pick(g, "n", "a", "s", "o.w", "t", "none"), ""))
	case 2:
		return one("$set", one("o."+pick(g, "d", "w"), g.small()))
	case 3:
		return oracle.Object{
			{Name: "$set", Value: one("a", g.loose())},
			{Name: "$inc", Value: one("n", int64(1))},
		}
	}
	f := g.fields()
	if len(f) == 0 {
		return one("$set", one("n", g.small()))
	}
	return one("$set", f[:1])
}

// merge is a merge patch.
func (g generator) merge() oracle.Object {
	f := g.fields()
	if len(f) > 2 {
		f = f[:2]
	}
	for i := range f {
		if g.chance(25) {
			f[i].Value = nil
		}
	}
	return f
}

func (g generator) filter(depth int) oracle.Object {
	if depth > 0 && g.chance(30) {
		list := []any{g.filter(depth - 1), g.filter(depth - 1)}
		return oracle.Object{{Name: pick(g, "$and", "$or", "$nor"), Value: list}}
	}
	f := oracle.Object{}
	for range 1 + g.IntN(2) {
		c := g.clause()
		f = append(f.Without(c.Name), c)
	}
	return f
}

func (g generator) clause() oracle.Field {
	field := func(name string, value any) oracle.Field { return oracle.Field{Name: name, Value: value} }
	op := func(name string, value any) oracle.Object { return oracle.Object{{Name: name, Value: value}} }
	compare := func() string { return pick(g, "$gt", "$gte", "$lt", "$lte", "$eq", "$ne") }
	list := func(value func() any) []any { return []any{value(), value()} }
	switch g.IntN(20) {
	case 0:
		return field("a", g.loose())
	case 1:
		return field("a", op(compare(), g.loose()))
	case 2:
		return field("a", op(pick(g, "$in", "$nin"), list(g.loose)))
	case 3:
		return field("a", op("$exists", g.chance(50)))
	case 4:
		return field("s", op("$regex", pick(g, "^a", "b$", "A")))
	case 5:
		return field("s", oracle.Object{{Name: "$regex", Value: "^a"}, {Name: "$options", Value: "i"}})
	case 6:
		return field("t", op("$all", list(func() any { return pick[any](g, "red", "green", "blue") })))
	case 7:
		return field("t", op("$size", g.small()))
	case 8:
		return field("t", pick[any](g, "red", []any{"red", "blue"}, op("$ne", "green")))
	case 9:
		return field("items", op("$elemMatch", oracle.Object{{Name: "k", Value: g.small()}, {Name: "v", Value: op(compare(), g.small())}}))
	case 10:
		return field(pick(g, "items.k", "items.0.v"), op(compare(), g.small()))
	case 11:
		return field("o", pick[any](g, oracle.Object{{Name: "d", Value: g.small()}, {Name: "w", Value: g.word()}}, op("$exists", true)))
	case 12:
		return field("o.d", pick[any](g, nil, g.small(), op("$not", op("$gt", g.small()))))
	case 13:
		return field("at", op(compare(), g.date()))
	case 14:
		return field("_id", op("$in", []any{g.id(), g.id(), g.id(), g.id(), g.id(), g.id()}))
	case 15:
		return field("s", pick[any](g, g.word(), op(compare(), g.word()), op(pick(g, "$in", "$nin"), list(func() any { return g.word() }))))
	case 16:
		return field("a", op("$elemMatch", oracle.Object{{Name: "$gte", Value: int64(1)}, {Name: "$lt", Value: int64(3)}}))
	}
	return field("n", pick[any](g, g.small(), op(compare(), g.small()), oracle.Object{{Name: "$gte", Value: int64(1)}, {Name: "$lt", Value: int64(4)}}))
}

// MaxIDs bounds the ids that generators use, so that documents come back after they were deleted.
const MaxIDs = 160

func (g generator) id() string { return fmt.Sprintf("k%03d", g.IntN(MaxIDs)) }

func (g generator) query() oracle.Query {
	q := oracle.Query{}
	if g.chance(80) {
		q.Filter = g.filter(2)
	}
	if g.chance(60) {
		paths := []string{"n", "s", "o.d", "at", "_id", pick(g, "a", "t")}
		g.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		for _, p := range paths[:1+g.IntN(2)] {
			q.Sort = append(q.Sort, oracle.SortField{Path: p, Descending: g.chance(50)})
		}
	}
	if len(q.Sort) > 0 || g.chance(20) {
		if g.chance(70) {
			q.Limit = 1 + g.IntN(8)
			q.Filter = pick(g, q.Filter, nil) // windows that are full
		}
		if g.chance(40) {
			q.Skip = g.IntN(5)
		}
	}
	if g.chance(30) {
		q.Collation = &oracle.Collation{Locale: pick(g, "en", "de", "sv", "cs"), Strength: 1 + g.IntN(3), Numeric: g.chance(50)}
	}
	if g.chance(40) {
		q.Fields = [][]string{{"n"}, {"s", "o.w"}, {"a", "_rev"}, {"items.k", "t"}}[g.IntN(4)]
	}
	return q
}

// The generators make only what the oracle knows; otherwise the tests would compare with nothing.
func TestGeneratorsFitTheOracle(t *testing.T) {
	g := generator{random(t)}
	matched := 0
	for range 2000 {
		doc := g.fields().With("_id", g.id())
		q := g.query()
		found, err := q.Matching([]oracle.Object{doc})
		if err != nil {
			t.Fatalf("%s: %v", oracle.Encode(q.Filter), err)
		}
		matched += len(found)
		again, err := oracle.Decode(oracle.Encode(doc))
		if err != nil || !oracle.Identical(again, doc) {
			t.Fatalf("%s does not come back: %v", oracle.Encode(doc), err)
		}
	}
	if matched < 400 || matched > 1900 {
		t.Errorf("%d of 2000 filters match: the domains do not meet", matched)
	}
}
