package differential

import (
	"slices"
	"strings"
)

// update is an update with its array filters.
type update struct {
	document     object
	operators    object
	arrayFilters array
}

func (g generator) update(document object) update {
	u := update{document: document}
	var taken []string
	usesFilter := false
	for len(u.operators) == 0 || g.chance(40) {
		op := pick(g, g.offered("$set", "$unset", "$inc", "$mul", "$min", "$max", "$rename", "$setOnInsert", "$push", "$addToSet", "$pop",
			"$pull", "$pullAll", "$bit")...)
		path := pick(g, "a", "b", "c", "a.b", "b.a", "a.0", "b.1", "a.0.b", "a.b.c", "z", "a.$[]", "a.$[x]", "b.$[].a", "b.$[x].a")
		if slices.Contains(g.except, "$[x]") {
			path = strings.Replace(path, "$[x]", "$[]", 1)
		}
		target := pick(g, "n", "n.m", "a", "c.b")
		if _, twice := u.operators.get(op); twice {
			continue
		}
		paths := []string{path}
		if op == "$rename" {
			if path = pick(g, "a", "b", "c", "a.b", "b.a", "z"); parallel(path, target) {
				continue
			}
			paths = []string{path, target}
		}
		if slices.ContainsFunc(taken, func(t string) bool {
			return slices.ContainsFunc(paths, func(p string) bool { return mayMeet(t, p) })
		}) {
			continue
		}
		taken = append(taken, paths...)
		usesFilter = usesFilter || path == "a.$[x]" || path == "b.$[x].a"
		argument := any(target)
		if op != "$rename" {
			argument = g.argument(op)
		}
		u.operators = append(u.operators, field{op, object{{path, argument}}})
	}
	if usesFilter {
		if u.arrayFilters = (array{object{{"x", g.operators(0, 1)}}}); g.chance(50) {
			u.arrayFilters = array{object{{"x.a", g.condition(0)}}}
		}
	}
	return u
}

// possible is mostly an update that can be made: of one that is refused there is little to compare.
func (g generator) possible(document object) update {
	u := g.update(document)
	for updated(u).Error != "" && g.chance(85) {
		u = g.update(document)
	}
	return u
}

// mayMeet says whether two paths may lead to the same place; positional ones are thought to lead everywhere.
func mayMeet(a, b string) bool { return a[0] == b[0] }

func (g generator) argument(op string) any {
	number := func() any { return pick[any](g, int64(1), int64(2), int64(-3), 1.5) }
	switch op {
	case "$unset":
		return ""
	case "$inc", "$mul":
		return number()
	case "$pop":
		return pick(g, 1, -1)
	case "$bit":
		return object{{pick(g, "and", "or", "xor"), int64(g.IntN(8))}}
	case "$pullAll":
		return g.array(1)
	case "$pull":
		return g.condition(0)
	case "$addToSet":
		if g.chance(50) {
			return object{{"$each", g.array(1)}}
		}
		return g.value(1)
	case "$push":
		if g.chance(40) {
			return g.value(1)
		}
		modifiers := object{{"$each", g.array(1)}}
		if g.chance(40) {
			modifiers = append(modifiers, field{"$position", g.IntN(6) - 2})
		}
		if g.chance(40) {
			modifiers = append(modifiers, field{"$slice", g.IntN(7) - 3})
		}
		if g.chance(40) {
			modifiers = append(modifiers, field{"$sort", pick[any](g, 1, -1, object{{"a", 1}}, object{{"a", -1}, {"b", 1}})})
		}
		return modifiers
	}
	return g.value(2)
}
