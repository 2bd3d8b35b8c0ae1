package differential

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
)

// departure is a known difference of a peer from MongoDB (invariant 2).
type departure struct {
	name    string
	reason  string // why MongoDB is on our side
	example string // a question on which the two sides disagree, as disagreement.question writes it
	applies func(d disagreement) bool
	count   int
}

// question is a query with the documents that it is over, or an update.
func (d disagreement) question() object {
	if d.isUpdate() {
		return d.update.object()
	}
	documents := array{}
	for _, o := range d.documents {
		documents = append(documents, o)
	}
	return append(d.query.object(), field{"over", documents})
}

// questionOf reads what question wrote.
func questionOf(text string) (d disagreement) {
	for _, f := range parse(text).(object) {
		switch f.name {
		case "filter":
			d.filter = f.value.(object)
		case "sort":
			d.sort = f.value.(array)
		case "skip":
			d.skip = f.value.(int)
		case "limit":
			d.limit = f.value.(int)
		case "projection":
			d.projection = f.value.(object)
		case "over":
			for _, o := range f.value.(array) {
				d.documents = append(d.documents, o.(object))
			}
		case "document":
			d.document = f.value.(object)
		case "update":
			d.operators = f.value.(object)
		case "arrayFilters":
			d.arrayFilters = f.value.(array)
		default:
			panic(f.name) // the example is part of the test
		}
	}
	return d
}

// examples checks that every departure still is one: the sides disagree on its example, and it says so.
func (c *comparison) examples() error {
	for _, departure := range c.departures {
		d, err := c.ask(questionOf(departure.example))
		if err != nil {
			return err
		}
		if !c.disagree(d) || !departure.applies(d) {
			c.t.Errorf("the departure %q explains its example no more: disagree %t\n  %s", departure.name, c.disagree(d), d)
		}
	}
	return nil
}

// The words of departures.

// throughPath says whether the path of a condition is dotted.
func (d disagreement) throughPath() bool {
	path, _, _ := d.condition()
	return strings.Contains(path, ".")
}

// holds says whether some value in the documents, at any depth, is so.
func (d disagreement) holds(is func(any) bool) bool {
	return slices.ContainsFunc(d.documents, func(o object) bool { return within(o, is) })
}

// leaves says that the peer left the document of an update as it was.
func (d disagreement) leaves() bool {
	return bytes.Equal(plain(d.theirs.Document), plain(text(d.document)))
}

// target are the values at the path of an update of one operator.
func (d disagreement) target() []any {
	path, _, _ := d.condition()
	return valuesAt(d.document, strings.Split(path, "."))
}

// isFilter says whether a reduced disagreement is about one condition of a filter with one of the operators, "" for a
// comparison with a value.
func (d disagreement) isFilter(operators ...string) bool {
	_, op, _ := d.condition()
	return !d.isUpdate() && d.sort == nil && len(d.filter) == 1 && slices.Contains(operators, op)
}

func (d disagreement) isUpdateOf(operators ...string) bool {
	return d.isUpdate() && len(d.operators) == 1 && (len(operators) == 0 || slices.Contains(operators, d.operators[0].name))
}

// theyRefuse says whether the peer alone refuses, with a message that holds a text.
func (d disagreement) theyRefuse(text string) bool {
	return d.ours.Error == "" && d.theirs.Error != "" && strings.Contains(d.theirs.Error, text)
}

// theyMatch says that the document is in the peer's result alone, weMatch that it is in ours alone.
func (d disagreement) theyMatch() bool {
	return d.theirs.Error == "" && len(d.ours.IDs) < len(d.theirs.IDs)
}
func (d disagreement) weMatch() bool {
	return d.theirs.Error == "" && len(d.ours.IDs) > len(d.theirs.IDs)
}

// values are all values that a condition's path may mean in the document.
func (d disagreement) values() []any {
	path, _, _ := d.condition()
	return valuesAt(d.documents[0], strings.Split(path, "."))
}

func valuesAt(v any, path []string) (out []any) {
	if len(path) == 0 {
		out = append(out, v)
		list, _ := v.(array)
		return append(out, list...)
	}
	switch v := v.(type) {
	case object:
		if inner, ok := v.get(path[0]); ok {
			out = valuesAt(inner, path[1:])
		}
	case array:
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(v) {
			out = valuesAt(v[i], path[1:])
		}
		if strings.HasPrefix(path[0], "$[") {
			for _, e := range v {
				out = append(out, valuesAt(e, path[1:])...)
			}
		}
		for _, e := range v {
			if o, ok := e.(object); ok {
				out = append(out, valuesAt(o, path)...)
			}
		}
	}
	return out
}

func isNumber(v any) bool {
	switch v.(type) {
	case int, int32, int64, float64, decimal:
		return true
	}
	return false
}

func isFraction(v any) bool {
	f, ok := v.(float64)
	return ok && f != math.Trunc(f)
}

func isEmptyArray(v any) bool {
	list, ok := v.(array)
	return ok && len(list) == 0
}

func isNoString(v any) bool { _, ok := v.(string); return !ok }

func isEmptyObject(v any) bool {
	o, ok := v.(object)
	return ok && len(o) == 0
}

func isEmptyString(v any) bool { return v == "" }

func isArray(v any) bool  { _, ok := v.(array); return ok }
func isObject(v any) bool { _, ok := v.(object); return ok }

// holdsArray is an object with an array in it.
func holdsArray(v any) bool { return isObject(v) && within(v, isArray) }

func isNull(v any) bool { return v == nil }

// isNested is an array that holds an array.
func isNested(v any) bool { list, ok := v.(array); return ok && slices.ContainsFunc(list, isArray) }

func either(tests ...func(any) bool) func(any) bool {
	return func(v any) bool { return slices.ContainsFunc(tests, func(test func(any) bool) bool { return test(v) }) }
}

// blocked says whether MongoDB refuses an update of one operator and path for the document's sake: the path leads
// through a value that holds no fields, `$[]` meets no array, or the target has a type that the operator cannot change.
func (d disagreement) blocked() bool {
	path, op, argument := d.condition()
	if op == "$rename" {
		target, _ := argument.(string)
		return renameBlocked(d.document, path) || renameBlocked(d.document, target)
	}
	return blockedAt(d.document, strings.Split(path, "."), func(v any) bool {
		switch op {
		case "$inc", "$mul":
			return !isNumber(v)
		case "$bit":
			return !isNumber(v) || isFraction(v)
		case "$push", "$addToSet", "$pull", "$pullAll", "$pop":
			return !isArray(v)
		}
		return false
	})
}

func blockedAt(v any, path []string, target func(any) bool) bool {
	if len(path) == 0 {
		return target(v)
	}
	positional := strings.HasPrefix(path[0], "$[")
	switch v := v.(type) {
	case object:
		inner, ok := v.get(path[0])
		if !ok {
			return positional || slices.ContainsFunc(path, func(name string) bool { return strings.HasPrefix(name, "$[") })
		}
		return blockedAt(inner, path[1:], target)
	case array:
		if positional {
			return slices.ContainsFunc(v, func(e any) bool { return blockedAt(e, path[1:], target) })
		}
		i, err := strconv.Atoi(path[0])
		return err != nil || i < len(v) && blockedAt(v[i], path[1:], target)
	}
	return true
}

// renameBlocked says whether a path of $rename leads through an array or a value that holds no fields.
func renameBlocked(v any, path string) bool {
	for _, name := range strings.Split(path, ".") {
		o, ok := v.(object)
		if !ok {
			return true
		}
		if v, ok = o.get(name); !ok {
			return false
		}
	}
	return false
}
