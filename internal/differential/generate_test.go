package differential

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes documents, queries and updates of few names and few values, so that they meet.
type generator struct {
	*rand.Rand
	profile
}

var (
	bitOperators   = []string{"$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear"}
	rangeOperators = []string{"$gt", "$gte", "$lt", "$lte"}
)

// profile is what a peer can be asked.
type profile struct {
	types  bool     // int32, decimal, ObjectId and binary values, which JavaScript alone does not have
	except []string // operators that the peer does not have; "bits" is all four of them
}

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// offered are the operators of a list that the peer has.
func (g generator) offered(operators ...string) []string {
	return slices.DeleteFunc(operators, func(op string) bool { return slices.Contains(g.except, op) })
}

func (g generator) scalar() any {
	values := []any{nil, true, false, int64(-1), int64(0), int64(1), int64(2), int64(3), int64(6), 1.5, 2.0, -2.5,
		"", "a", "b", "ab", "Ab", "b\na", date(0), date(86_400_000)}
	if g.types {
		values = append(values, int32(1), int32(2), decimal("1.5"), decimal("2"), objectID("0123456789abcdef01234567"),
			binary("Aw=="), int64(1)<<53+1, float64(1<<53))
	}
	return pick(g, values...)
}

func (g generator) value(depth int) any {
	switch n := g.IntN(100); {
	case depth <= 0 || n < 50:
		return g.scalar()
	case n < 78:
		return g.array(depth - 1)
	}
	return g.object(depth - 1)
}

func (g generator) array(depth int) array {
	out := array{}
	for range g.IntN(4) {
		out = append(out, g.value(depth))
	}
	return out
}

func (g generator) object(depth int) object {
	out := object{}
	for _, name := range []string{"a", "b", "c"} {
		if g.chance(55) {
			out = append(out, field{name, g.value(depth)})
		}
	}
	if g.chance(30) {
		g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// document has arrays and objects down to some depth; at 0 it holds single values.
func (g generator) document(number, depth int) object {
	return append(object{{"_id", fmt.Sprintf("d%d", number)}}, g.object(depth)...)
}

func (g generator) path() string {
	return pick(g, "a", "b", "c", "a", "b", "c", "a.b", "b.a", "a.b.c", "c.a", "a.0", "b.1", "a.0.b", "a.b.0", "z", "a.z")
}

func (g generator) filter(depth int) object {
	out := object{}
	for range 1 + g.IntN(2) {
		if depth > 0 && g.chance(20) {
			op := pick(g, "$and", "$or", "$nor")
			if _, twice := out.get(op); twice {
				continue
			}
			parts := array{}
			for range 1 + g.IntN(2) {
				parts = append(parts, g.filter(depth-1))
			}
			out = append(out, field{op, parts})
			continue
		}
		path := g.path()
		if _, twice := out.get(path); !twice {
			out = append(out, field{path, g.condition(depth)})
		}
	}
	return out
}

// condition is a value, a regular expression or operators.
func (g generator) condition(depth int) any {
	switch n := g.IntN(100); {
	case n < 25:
		return g.value(1)
	case n < 30:
		return g.regex()
	}
	return g.operators(depth, 1+g.IntN(2))
}

func (g generator) regex() regex {
	return regex{pick(g, "^a", "b$", "a", "^b$", "A", "a.b", "^$", "[ab]{2}"), pick(g, "", "", "i", "m", "s", "im")}
}

func (g generator) operators(depth, count int) object {
	out := object{}
	for range count {
		op := pick(g, g.offered("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$type", "$all", "$elemMatch",
			"$size", "$mod", "$regex", "$not", "bits")...)
		if op == "bits" {
			op = pick(g, bitOperators...)
		}
		if _, twice := out.get(op); !twice {
			out = append(out, g.operator(op, depth)...)
		}
	}
	return out
}

// operator is one operator with its argument; of $regex it may be two.
func (g generator) operator(op string, depth int) object {
	switch op {
	case "$in", "$nin":
		list := array{}
		for range g.IntN(4) {
			list = append(list, g.value(1))
		}
		if g.chance(15) {
			list = append(list, g.regex())
		}
		return object{{op, list}}
	case "$exists":
		return object{{op, g.chance(60)}}
	case "$type":
		types := []any{"string", "object", "array", "bool", "date", "null", "number", 2, 3, 4, 8, 9, 10}
		if g.types {
			types = append(types, "int", "long", "double", "decimal", "objectId", "binData", 1, 16, 18)
		}
		if g.chance(25) {
			return object{{op, array{pick(g, types...), pick(g, types...)}}}
		}
		return object{{op, pick(g, types...)}}
	case "$all":
		return object{{op, g.all(depth)}}
	case "$elemMatch":
		return object{{op, g.elemMatch(depth - 1)}}
	case "$size":
		return object{{op, g.IntN(4)}}
	case "$mod":
		return object{{op, array{pick(g, 2, 3, 4, -3), pick(g, 0, 1, 2, -1)}}}
	case "$regex":
		r := g.regex()
		if r.options == "" || slices.Contains(g.except, "$options") {
			return object{{op, r.pattern}}
		}
		return object{{op, r.pattern}, {"$options", r.options}}
	case "$not":
		if g.chance(20) {
			return object{{op, g.regex()}}
		}
		return object{{op, g.operators(depth-1, 1)}}
	case "$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear":
		if g.chance(50) {
			return object{{op, g.IntN(8)}}
		}
		return object{{op, array{g.IntN(4), g.IntN(4)}}}
	}
	return object{{op, g.value(2)}}
}

func (g generator) all(depth int) array {
	list := array{}
	if depth > 0 && g.chance(25) && !slices.Contains(g.except, "$elemMatch") {
		for range 1 + g.IntN(2) {
			list = append(list, object{{"$elemMatch", g.elemMatch(depth - 1)}})
		}
		return list
	}
	for range g.IntN(3) {
		list = append(list, g.value(1))
	}
	return list
}

func (g generator) elemMatch(depth int) object {
	if g.chance(50) {
		return g.operators(depth, 1+g.IntN(2))
	}
	return g.filter(depth)
}

// expression is what $expr takes: only operators that never fail, whatever the types.
func (g generator) expression(depth int) any {
	operand := func() any {
		if depth > 0 && g.chance(30) {
			return g.expression(depth - 1)
		}
		if g.chance(65) {
			return "$" + pick(g, "a", "b", "c", "a.b", "b.a", "z")
		}
		return object{{"$literal", g.value(1)}}
	}
	switch op := pick(g, "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cmp", "$and", "$or", "$not", "$ifNull", "$cond", "$isArray", "$in"); op {
	case "$not", "$isArray":
		return object{{op, array{operand()}}}
	case "$cond":
		return object{{op, array{operand(), operand(), operand()}}}
	case "$in":
		return object{{op, array{operand(), object{{"$literal", g.array(1)}}}}}
	default:
		return object{{op, array{operand(), operand()}}}
	}
}

// order is a sort that makes the order total.
func (g generator) order() array {
	out := array{}
	for _, path := range []string{g.path(), g.path()}[:1+g.IntN(2)] {
		overlaps := slices.ContainsFunc(out, func(part any) bool { return parallel(part.(array)[0].(string), path) })
		if !overlaps {
			out = append(out, array{path, pick(g, 1, -1)})
		}
	}
	return append(out, array{"_id", 1})
}

// parallel says whether two paths may lead into the same value.
func parallel(a, b string) bool {
	return strings.HasPrefix(a+".", b+".") || strings.HasPrefix(b+".", a+".")
}

func (g generator) projection() object {
	out := object{}
	show := pick(g, 0, 1)
	var taken []string
	for range 1 + g.IntN(3) {
		path := pick(g, "a", "b", "c", "a.b", "b.a", "a.b.c", "c.a", "z")
		if slices.ContainsFunc(taken, func(t string) bool { return parallel(t, path) }) {
			continue
		}
		taken = append(taken, path)
		out = append(out, field{path, show})
	}
	if part := g.partOfArray(show); part != nil && g.chance(25) && len(taken) < 3 {
		for _, path := range []string{"a", "b", "c"} {
			if !slices.ContainsFunc(taken, func(t string) bool { return parallel(t, path) }) {
				return append(out, field{path, part})
			}
		}
	}
	if g.chance(20) {
		out = append(out, field{"_id", pick(g, 0, show)})
	}
	return out
}

// partOfArray is what a projection shows of an array, nil where the peer has none of that.
func (g generator) partOfArray(show int) object {
	if show == 1 && g.chance(50) {
		return object{{"$elemMatch", g.elemMatch(0)}}
	}
	switch {
	case slices.Contains(g.except, "$slice"):
		return nil
	case g.chance(50):
		return object{{"$slice", pick(g, 1, 2, -1, -2)}}
	}
	return object{{"$slice", array{pick(g, 0, 1, -1, -2), pick(g, 1, 2)}}}
}
