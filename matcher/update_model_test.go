package matcher

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The naive update works on plain Go values: nil, int64, string, []any and *plainObject. It finds out which places of
// the document each edit means, refuses places that exclude each other, and makes one edit after the other.

// plainCondition is a condition on an element: in the text % is the element's name and a dot, or nothing.
type plainCondition struct {
	value   string // of the element itself
	field   string // of a field of it
	accepts func(v any) bool
}

// orElement makes a test of an array true where it is for one of its elements.
func orElement(test func(any) bool) func(any) bool {
	return func(v any) bool {
		list, _ := v.([]any)
		return test(v) || slices.ContainsFunc(list, test)
	}
}

// ofField tests the field of an object, or of the objects in an array.
func ofField(name string, test func(v any) bool) func(any) bool {
	return func(v any) bool {
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		return slices.ContainsFunc(list, func(v any) bool {
			o, ok := v.(*plainObject)
			if !ok {
				return false
			}
			field, there := o.get(name)
			return there && test(field)
		})
	}
}

var plainConditions = []plainCondition{
	{value: `{"$gte":2}`, accepts: orElement(func(v any) bool { i, ok := v.(int64); return ok && i >= 2 })},
	{value: `{"$in":[1,"s"]}`, accepts: orElement(func(v any) bool { return v == int64(1) || v == "s" })},
	{value: `{"$ne":2}`, accepts: func(v any) bool { return !orElement(func(v any) bool { return v == int64(2) })(v) }},
	{field: `{"%a":1}`, accepts: ofField("a", orElement(func(v any) bool { return v == int64(1) }))},
	{field: `{"%b":{"$exists":true}}`, accepts: ofField("b", func(any) bool { return true })},
	{field: `{"$or":[{"%a":1},{"%b":{"$gt":1}}]}`, accepts: func(v any) bool {
		return ofField("a", orElement(func(v any) bool { return v == int64(1) }))(v) ||
			ofField("b", orElement(func(v any) bool { i, ok := v.(int64); return ok && i > 1 }))(v)
	}},
}

// naiveOperator makes a random argument and says what it does to a value. ok is false where it is refused, keep where
// the field goes.
type naiveOperator struct {
	name  string
	makes bool
	make  func(t testing.TB, r *rand.Rand) (argument string, apply func(v any, exists bool) (after any, ok bool))
}

func becomes(argument string, after any) (string, func(any, bool) (any, bool)) {
	return argument, func(any, bool) (any, bool) { return after, true }
}

func naiveArithmetic(combine func(a, b int64) int64) func(testing.TB, *rand.Rand) (string, func(any, bool) (any, bool)) {
	return func(_ testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		operand := int64(r.IntN(7) - 3)
		return strconv.FormatInt(operand, 10), func(v any, exists bool) (any, bool) {
			if !exists {
				v = int64(0)
			}
			i, ok := v.(int64)
			return combine(i, operand), ok
		}
	}
}

func naiveExtreme(sign int) func(testing.TB, *rand.Rand) (string, func(any, bool) (any, bool)) {
	return func(t testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		argument := randomJSON(r, 2)
		operand := plainOf(t, argument)
		return argument, func(v any, exists bool) (any, bool) {
			if !exists || comparePlain(operand, v)*sign > 0 {
				return operand, true
			}
			return v, true
		}
	}
}

// onList makes an apply of what is done to an array.
func onList(do func(list []any) []any) func(any, bool) (any, bool) {
	return func(v any, exists bool) (any, bool) {
		list, ok := v.([]any)
		return do(slices.Clone(list)), ok || !exists
	}
}

func naivePush(t testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
	each := "[" + strings.Join([]string{randomJSON(r, 1), randomJSON(r, 1), randomJSON(r, 1)}[:r.IntN(4)], ",") + "]"
	values := plainOf(t, each).([]any)
	argument := `{"$each":` + each
	position, slice, order, field := 99, 99, 0, ""
	if r.IntN(2) == 0 {
		position = r.IntN(9) - 4
		argument += fmt.Sprintf(`,"$position":%d`, position)
	}
	if r.IntN(2) == 0 {
		slice = r.IntN(9) - 4
		argument += fmt.Sprintf(`,"$slice":%d`, slice)
	}
	if r.IntN(2) == 0 {
		order = 1 - 2*r.IntN(2)
		if argument += fmt.Sprintf(`,"$sort":%d`, order); r.IntN(2) == 0 {
			field = "a"
			argument = strings.TrimSuffix(argument, fmt.Sprint(order)) + fmt.Sprintf(`{"a":%d}`, order)
		}
	}
	key := func(v any) any {
		if field == "" {
			return v
		}
		if o, ok := v.(*plainObject); ok {
			v, _ = o.get(field)
			return v
		}
		return nil
	}
	return argument + "}", onList(func(list []any) []any {
		at := min(position, len(list))
		if position < 0 {
			at = max(0, len(list)+position)
		}
		list = append(append(slices.Clone(list[:at]), values...), list[at:]...)
		if order != 0 {
			slices.SortStableFunc(list, func(a, b any) int { return order * comparePlain(key(a), key(b)) })
		}
		for len(list) > max(slice, -slice) {
			if slice >= 0 {
				list = list[:len(list)-1]
			} else {
				list = list[1:]
			}
		}
		return list
	})
}

var naiveOperators = []naiveOperator{
	{"$set", true, func(t testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		argument := randomJSON(r, 2)
		return becomes(argument, plainOf(t, argument))
	}},
	{"$setOnInsert", true, func(testing.TB, *rand.Rand) (string, func(any, bool) (any, bool)) { return becomes("7", int64(7)) }},
	{"$currentDate", true, func(testing.TB, *rand.Rand) (string, func(any, bool) (any, bool)) {
		return becomes("true", &plainObject{[]string{"$date"}, []any{"2026-01-02T03:04:05.678Z"}})
	}},
	{"$unset", false, func(testing.TB, *rand.Rand) (string, func(any, bool) (any, bool)) { return becomes(`""`, nil) }},
	{"$inc", true, naiveArithmetic(func(a, b int64) int64 { return a + b })},
	{"$mul", true, naiveArithmetic(func(a, b int64) int64 { return a * b })},
	{"$min", true, naiveExtreme(-1)},
	{"$max", true, naiveExtreme(1)},
	{"$bit", true, func(t testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		argument, apply := naiveArithmetic(func(a, b int64) int64 { return a ^ b })(t, r)
		return `{"xor":` + argument + `}`, apply
	}},
	{"$push", true, naivePush},
	{"$addToSet", true, func(t testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		each := "[" + randomJSON(r, 1) + "," + randomJSON(r, 1) + "]"
		return `{"$each":` + each + `}`, onList(func(list []any) []any {
			for _, v := range plainOf(t, each).([]any) {
				if !containsPlain(list, v) {
					list = append(list, v)
				}
			}
			return list
		})
	}},
	{"$pop", false, func(_ testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		last := r.IntN(2)
		return []string{"-1", "1"}[last], onList(func(list []any) []any {
			switch {
			case len(list) == 0:
				return list
			case last == 1:
				return list[:len(list)-1]
			}
			return list[1:]
		})
	}},
	{"$pull", false, func(_ testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		c := plainConditions[r.IntN(len(plainConditions))]
		return c.value + strings.ReplaceAll(c.field, "%", ""), onList(func(list []any) []any {
			return slices.DeleteFunc(list, func(v any) bool {
				_, isObject := v.(*plainObject)
				return (isObject || c.field == "") && c.accepts(v)
			})
		})
	}},
	{"$pullAll", false, func(t testing.TB, r *rand.Rand) (string, func(any, bool) (any, bool)) {
		argument := "[" + randomJSON(r, 1) + "," + randomJSON(r, 1) + "]"
		values := plainOf(t, argument).([]any)
		return argument, onList(func(list []any) []any {
			return slices.DeleteFunc(list, func(v any) bool { return containsPlain(values, v) })
		})
	}},
}

// naiveEdit is one edit of an update.
type naiveEdit struct {
	operator string
	makes    bool
	path     []string
	argument string
	apply    func(v any, exists bool) (any, bool)
	rename   []string // of $rename: the new path
}

// places are the paths without $[] that an edit means in doc; ok is false where an array is missing.
func (e naiveEdit) places(doc any, filters map[string]func(any) bool) (places [][]string, ok bool) {
	for i, name := range e.path {
		if !strings.HasPrefix(name, "$[") {
			continue
		}
		at, there := lookup(doc, e.path[:i])
		list, isList := at.([]any)
		if !there || !isList {
			return nil, false
		}
		for j, element := range list {
			if accepts := filters[strings.Trim(name, "$[]")]; accepts != nil && !accepts(element) {
				continue
			}
			one := e
			one.path = slices.Concat(e.path[:i], []string{strconv.Itoa(j)}, e.path[i+1:])
			more, ok := one.places(doc, filters)
			if !ok {
				return nil, false
			}
			places = append(places, more...)
		}
		return places, true
	}
	return [][]string{e.path}, true
}

func lookup(v any, path []string) (any, bool) {
	for _, name := range path {
		there := false
		switch parent := v.(type) {
		case *plainObject:
			v, there = parent.get(name)
		case []any:
			if i, err := strconv.Atoi(name); err == nil && i < len(parent) {
				v, there = parent[i], true
			}
		}
		if !there {
			return nil, false
		}
	}
	return v, true
}

// throughList reports whether an array lies on the way of a path.
func throughList(doc any, path []string) bool {
	for i := range path {
		at, _ := lookup(doc, path[:i])
		if _, isList := at.([]any); isList {
			return true
		}
	}
	return false
}

// lenient reports whether the edit passes over a path that leads nowhere: $unset, and $setOnInsert where nothing is
// inserted.
func (e naiveEdit) lenient() bool {
	return e.operator == "$unset" || e.operator == "$setOnInsert" && !e.makes
}

// edited is v after the edit at path. ok is false where it is refused.
func (e naiveEdit) edited(v any, exists bool, path []string) (after any, ok bool) {
	if len(path) == 0 {
		if !exists && !e.makes {
			return nil, true
		}
		return e.apply(v, exists)
	}
	name := path[0]
	switch parent := v.(type) {
	case *plainObject:
		old, there := parent.get(name)
		if !there && !e.makes {
			return v, true
		}
		if e.operator == "$unset" && len(path) == 1 {
			i := slices.Index(parent.names, name)
			return &plainObject{slices.Delete(slices.Clone(parent.names), i, i+1), slices.Delete(slices.Clone(parent.values), i, i+1)}, true
		}
		child, ok := e.edited(old, there, path[1:])
		made := &plainObject{slices.Clone(parent.names), slices.Clone(parent.values)}
		if !there {
			made.names, made.values = append(made.names, name), append(made.values, nil)
		}
		made.values[slices.Index(made.names, name)] = child
		return made, ok
	case []any:
		i, err := strconv.Atoi(name)
		if err != nil {
			return v, e.lenient()
		}
		if i >= len(parent) && !e.makes {
			return v, true
		}
		made := slices.Clone(parent)
		for i >= len(made) {
			made = append(made, nil)
		}
		made[i], ok = e.edited(made[i], i < len(parent), path[1:])
		return made, ok
	}
	if !exists && e.makes {
		return e.edited(&plainObject{}, true, path)
	}
	return v, !exists || e.lenient()
}

// viable says whether each part of a path asks an object for a field or an array for an element.
func viable(v any, path []string) bool {
	for i := range path {
		parent, there := lookup(v, path[:i])
		if _, isObject := parent.(*plainObject); !there || isObject {
			continue
		}
		if _, isList := parent.([]any); !isList {
			return false
		}
		if _, err := strconv.Atoi(path[i]); err != nil {
			return false
		}
	}
	return true
}

func comparePaths(a, b []string) int {
	return slices.CompareFunc(a, b, func(a, b string) int {
		i, notA := strconv.Atoi(a)
		j, notB := strconv.Atoi(b)
		if notA == nil && notB == nil {
			return i - j
		}
		return strings.Compare(a, b) // the paths here have no letter below a digit
	})
}

func beginsWith(path, start []string) bool {
	return len(path) >= len(start) && slices.Equal(path[:len(start)], start)
}

// naiveApply makes all edits. ok is false where the update is refused.
func naiveApply(doc any, insert bool, edits []naiveEdit, filters map[string]func(any) bool) (after any, ok bool) {
	type placed struct {
		naiveEdit
		place []string
	}
	var all []placed
	for _, e := range edits {
		switch {
		case e.operator == "$setOnInsert" && !insert:
			if !strings.Contains(strings.Join(e.path, "."), "$[") {
				continue
			}
			e.makes, e.apply = false, func(v any, _ bool) (any, bool) { return v, true }
		case e.rename != nil:
			if !viable(doc, e.path) {
				return nil, false
			}
			v, there := lookup(doc, e.path)
			if !there {
				continue
			}
			if throughList(doc, e.path) || throughList(doc, e.rename) {
				return nil, false
			}
			comes := naiveEdit{operator: "$set", makes: true, apply: func(any, bool) (any, bool) { return v, true }}
			all = append(all, placed{naiveEdit{operator: "$unset"}, e.path}, placed{comes, e.rename})
			continue
		}
		places, ok := e.places(doc, filters)
		if !ok {
			return nil, false
		}
		for _, place := range places {
			all = append(all, placed{e, place})
		}
	}
	slices.SortFunc(all, func(a, b placed) int { return comparePaths(a.place, b.place) })
	for i := range all {
		if i > 0 && beginsWith(all[i].place, all[i-1].place) {
			return nil, false
		}
		if all[i].operator == "$unset" {
			all[i].apply = func(any, bool) (any, bool) { return nil, true }
		}
		if doc, ok = all[i].edited(doc, true, all[i].place); !ok {
			return nil, false
		}
	}
	return doc, true
}

var (
	naivePaths = []string{"a", "b", "c", "a.a", "a.b", "a.0", "a.1", "b.0.a", "b.a.b", "c.3", "c.0.0", "a.c.b.a", "0", "1.a", "a.$[]", "a.$[x]", "b.$[]",
		"b.$[x].a", "b.$[y].a", "b.$[].b", "b.$[x].b.a", "c.$[x].$[y]", "c.$[].a", "c.$[x].a.$[]", "c.$[y].b", "a.a.$[x]", "10", "9", "a.10"}
)

// excludes reports whether two paths cannot stand in one update.
func excludes(a, b []string) bool {
	if beginsWith(a, b) || beginsWith(b, a) {
		return true
	}
	for i := range min(len(a), len(b)) { // $[] and names of one array, whichever elements they pass
		x, y := strings.HasPrefix(a[i], "$["), strings.HasPrefix(b[i], "$[")
		if x != y {
			return true
		}
		if !x && a[i] != b[i] {
			return false
		}
	}
	return false
}

// randomLists is a document in which the paths often find arrays.
func randomLists(r *rand.Rand) string {
	var parts []string
	for _, i := range r.Perm(3) {
		switch r.IntN(6) {
		case 0:
		case 1:
			parts = append(parts, fmt.Sprintf("%q:%s", "abc"[i:i+1], randomJSON(r, 3)))
		default:
			var elements []string
			for range r.IntN(4) {
				elements = append(elements, randomJSON(r, 2))
			}
			parts = append(parts, fmt.Sprintf("%q:[%s]", "abc"[i:i+1], strings.Join(elements, ",")))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// randomEdits makes edits that can stand in one update.
func randomEdits(t testing.TB, r *rand.Rand) (edits []naiveEdit) {
	var taken [][]string
	take := func() []string {
		path := strings.Split(naivePaths[r.IntN(len(naivePaths))], ".")
		if slices.ContainsFunc(taken, func(o []string) bool { return excludes(path, o) }) {
			return nil
		}
		taken = append(taken, path)
		return path
	}
	for range 1 + r.IntN(5) {
		path := take()
		if path == nil {
			continue
		}
		if r.IntN(10) == 0 && !strings.Contains(strings.Join(path, "."), "$[") {
			if to := take(); to != nil && !strings.Contains(strings.Join(to, "."), "$[") {
				edits = append(edits, naiveEdit{operator: "$rename", path: path, rename: to, argument: fmt.Sprintf("%q", strings.Join(to, "."))})
				continue
			}
		}
		o := naiveOperators[r.IntN(len(naiveOperators))]
		argument, apply := o.make(t, r)
		edits = append(edits, naiveEdit{operator: o.name, makes: o.makes, path: path, argument: argument, apply: apply})
	}
	return edits
}

// updateText writes edits, in their order within an operator, and the filters that their paths use.
func updateText(r *rand.Rand, edits []naiveEdit) (text string, filters map[string]func(any) bool) {
	byOperator := make(map[string][]string)
	filters = make(map[string]func(any) bool)
	var list []string
	for _, e := range edits {
		path := strings.Join(e.path, ".")
		byOperator[e.operator] = append(byOperator[e.operator], fmt.Sprintf("%q:%s", path, e.argument))
		for _, identifier := range []string{"x", "y"} {
			if !strings.Contains(path, "$["+identifier+"]") || filters[identifier] != nil {
				continue
			}
			c := plainConditions[r.IntN(len(plainConditions))]
			condition := strings.ReplaceAll(c.field, "%", identifier+".")
			if c.value != "" {
				condition = fmt.Sprintf("{%q:%s}", identifier, c.value)
			}
			list = append(list, condition)
			filters[identifier] = c.accepts
		}
	}
	var parts []string
	for operator, members := range byOperator { // in any order
		parts = append(parts, fmt.Sprintf("%q:{%s}", operator, strings.Join(members, ",")))
	}
	if list != nil {
		parts = append(parts, `"arrayFilters":[`+strings.Join(list, ",")+`]`)
	}
	return "{" + strings.Join(parts, ",") + "}", filters
}

// checkUpdate compares one random update with the naive one, and reports whether it was made.
func checkUpdate(t *testing.T, r *rand.Rand) (made bool) {
	t.Helper()
	edits := randomEdits(t, r)
	update, filters := updateText(r, edits)
	u, err := ParseUpdate([]byte(update), nil, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", update, err)
	}
	before, insert := randomLists(r), r.IntN(5) == 0
	var d *Document
	if insert {
		before = "{}"
	} else {
		d = mustParse(t, before)
	}
	want, ok := naiveApply(plainOf(t, before), insert, edits, filters)
	after, changed, err := u.Apply(d, updateNow, Limits{})
	if (err == nil) != ok {
		t.Fatalf("%s of %s: %v, want success: %v", update, before, err, ok)
	}
	if err != nil {
		return false
	}
	if got := string(after.Text()); got != plainText(want) {
		t.Fatalf("%s makes %s of %s, want %s", update, got, before, plainText(want))
	}
	if wantChanged := insert || before != plainText(want); changed != wantChanged {
		t.Fatalf("%s makes %s of %s: changed is %v", update, after.Text(), before, changed)
	}
	return true
}

func TestUpdateAgreesWithNaive(t *testing.T) {
	r := newSeed(t)
	made := 0
	for range 20_000 {
		if checkUpdate(t, r) {
			made++
		}
	}
	if made < 3000 {
		t.Errorf("only %d updates were made; the documents do not fit", made)
	}
	for range 1500 {
		checkMerge(t, r)
	}
}
