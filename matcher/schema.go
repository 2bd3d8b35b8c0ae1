package matcher

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// MaxSchemaSteps bounds what all $jsonSchema of a filter may do for one document, each an equal share: schemas tried on
// values, names and elements looked at. One that would take more is false for the document.
const MaxSchemaSteps = 1_000_000

// schema is a compiled $jsonSchema (manual: "$jsonSchema"; JSON Schema draft 4 with MongoDB's bsonType). A keyword says
// something about values of its own type alone: {"minLength":3} accepts every number. It is immutable.
type schema struct {
	steps   int  // of the whole, for a document at most
	never   bool // "additionalProperties": false
	typed   bool
	types   TypeSet
	enum    []Value // sorted, nil for none
	objects []Value // those of enum that are objects or hold some: their fields may stand in any order
	pattern *pattern

	minimum, maximum                   Value
	exclusiveMinimum, exclusiveMaximum bool
	multipleOf                         Value

	length, items, properties schemaRange
	unique                    bool

	element     *schema // of every element
	elements    []*schema
	moreElement *schema // of the elements behind those

	required     []string // sorted
	fields       []namedSchema
	patterns     []patternSchema
	moreFields   *schema // of the fields that neither fields nor patterns name
	dependencies []schemaDependency

	allOf, anyOf, oneOf []*schema
	not                 *schema
}

// schemaRange bounds a count; max -1 is no bound.
type schemaRange struct{ min, max int64 }

func (r schemaRange) holds(n int) bool {
	return int64(n) >= r.min && (r.max < 0 || int64(n) <= r.max)
}

type namedSchema struct {
	name   string
	schema *schema
}

type patternSchema struct {
	pattern *pattern
	schema  *schema
}

// schemaDependency holds where the field is there: others must be, or the object must fit a schema.
type schemaDependency struct {
	name     string
	required []string
	schema   *schema
}

func (s *schema) operator() string { return "$jsonSchema" }
func (s *schema) cost() int        { return 4 }

func (s *schema) mostSteps() int     { return MaxSchemaSteps }
func (s *schema) setSteps(steps int) { s.steps = steps }
func (s *schema) allowedSteps() int  { return s.steps }

func (s *schema) accepts(v Value) bool {
	steps := s.steps
	return s.valid(v, &steps) && steps >= 0
}

// valid reports whether v fits. When the steps are used up the answer no longer matters.
func (s *schema) valid(v Value, steps *int) bool {
	if *steps--; s.never || *steps < 0 {
		return false
	}
	kind := v.Kind()
	if s.typed && !s.types.has(kind) {
		return false
	}
	if s.enum != nil {
		if *steps -= weight(v) * (1 + len(s.objects)); *steps < 0 || !s.enumerates(v) {
			return false
		}
	}
	switch {
	case v.IsNumber():
		if !s.number(v, steps) {
			return false
		}
	case kind == KindString:
		if !s.text(v.Bytes(), steps) {
			return false
		}
	case kind == KindArray:
		if !s.array(v, steps) {
			return false
		}
	case kind == KindObject:
		if !s.object(v, steps) {
			return false
		}
	}
	return s.combined(v, steps)
}

func (s *schema) enumerates(v Value) bool {
	if _, found := slices.BinarySearchFunc(s.enum, v, Compare); found {
		return true
	}
	return slices.ContainsFunc(s.objects, func(o Value) bool { return equalUnordered(o, v) })
}

// equalUnordered is Equal with the fields of objects in any order, as a schema has it.
func equalUnordered(a, b Value) bool {
	if a.Kind() != b.Kind() || a.Kind() != KindObject && a.Kind() != KindArray {
		return Equal(a, b)
	}
	if a.Len() != b.Len() {
		return false
	}
	x, y := a.First(), b.First()
	for ; x.Exists(); x = x.Next() {
		other := y
		if a.Kind() == KindObject {
			if other = b.Field(sharedString(x.Name())); !other.Exists() {
				return false
			}
		}
		if !equalUnordered(x, other) {
			return false
		}
		y = y.Next()
	}
	return true
}

// holdsObject reports whether v is an object with two fields or more, or has one in it.
func holdsObject(v Value) bool {
	if v.Kind() == KindObject && v.Len() > 1 {
		return true
	}
	for c := v.First(); c.Exists(); c = c.Next() {
		if holdsObject(c) {
			return true
		}
	}
	return false
}

func (s *schema) combined(v Value, steps *int) bool {
	for _, sub := range s.allOf {
		if !sub.valid(v, steps) {
			return false
		}
	}
	if s.anyOf != nil && !slices.ContainsFunc(s.anyOf, func(sub *schema) bool { return sub.valid(v, steps) }) {
		return false
	}
	if s.oneOf != nil {
		fits := 0
		for _, sub := range s.oneOf {
			if sub.valid(v, steps) {
				fits++
			}
		}
		if fits != 1 {
			return false
		}
	}
	return s.not == nil || !s.not.valid(v, steps)
}

func (s *schema) number(v Value, steps *int) bool {
	if s.minimum.Exists() {
		if c := Compare(v, s.minimum); c < 0 || c == 0 && s.exclusiveMinimum {
			return false
		}
	}
	if s.maximum.Exists() {
		if c := Compare(v, s.maximum); c > 0 || c == 0 && s.exclusiveMaximum || isNaN(v) {
			return false
		}
	}
	return !s.multipleOf.Exists() || isMultiple(numberOf(v), numberOf(s.multipleOf), steps)
}

// isMultiple reports whether n is a whole number of times m, which is above 0. Doubles are read as decimals of 15 digits, as
// MongoDB does: 0.3 is a multiple of 0.1.
func isMultiple(n, m number, steps *int) bool {
	if kind := wider(n, m); kind == KindInt32 || kind == KindInt64 {
		return n.integer%m.integer == 0
	}
	a, b := n.asDecimal(), m.asDecimal()
	if *steps -= decimalSteps(a, b); *steps < 0 {
		return false
	}
	rest, err := decimalRemainder(a, b)
	return err == nil && rest.isZero()
}

func (s *schema) text(text []byte, steps *int) bool {
	if s.length != anyCount {
		*steps -= len(text) / stepBytes
		if !s.length.holds(utf8.RuneCount(text)) {
			return false
		}
	}
	if s.pattern != nil {
		if *steps -= s.pattern.searchSteps(len(text)); *steps < 0 {
			return false
		}
		return s.pattern.program.Match(text)
	}
	return true
}

func (s *schema) array(v Value, steps *int) bool {
	if !s.items.holds(v.Len()) || s.unique && !unique(v, steps) {
		return false
	}
	if s.element == nil && s.elements == nil && s.moreElement == nil {
		return true
	}
	i := 0
	for e := v.First(); e.Exists(); e = e.Next() {
		sub := s.element
		if sub == nil {
			if sub = s.moreElement; i < len(s.elements) {
				sub = s.elements[i]
			}
		}
		if *steps--; *steps < 0 || sub != nil && !sub.valid(e, steps) {
			return false
		}
		i++
	}
	return true
}

// unique reports whether no two elements are equal. Those that hold objects, whose fields may stand in any order, are
// compared one with the other.
func unique(array Value, steps *int) bool {
	*steps -= sortWeight(array.Len(), weight(array))
	if *steps < 0 {
		return false
	}
	list := make([]Value, 0, array.Len())
	var objects []Value
	for e := array.First(); e.Exists(); e = e.Next() {
		if holdsObject(e) {
			objects = append(objects, e)
			continue
		}
		list = append(list, e)
	}
	slices.SortFunc(list, Compare)
	for i := 1; i < len(list); i++ {
		if Equal(list[i-1], list[i]) {
			return false
		}
	}
	for i, o := range objects {
		for _, other := range objects[:i] {
			if *steps -= 1 + min(weight(o), weight(other))/4; *steps < 0 || equalUnordered(o, other) {
				return false
			}
		}
	}
	return true
}

func (s *schema) object(v Value, steps *int) bool {
	*steps -= (len(s.required) + len(s.fields) + len(s.dependencies)) * (1 + v.Len()/fieldsPerStep)
	if *steps < 0 || !s.properties.holds(v.Len()) || !hasFields(v, s.required) {
		return false
	}
	for i := range s.fields {
		if f := v.Field(s.fields[i].name); f.Exists() && !s.fields[i].schema.valid(f, steps) {
			return false
		}
	}
	for i := range s.dependencies {
		d := &s.dependencies[i]
		if !v.Field(d.name).Exists() {
			continue
		}
		if !hasFields(v, d.required) || d.schema != nil && !d.schema.valid(v, steps) {
			return false
		}
		*steps -= len(d.required) * (1 + v.Len()/fieldsPerStep)
	}
	return s.otherFields(v, steps)
}

func hasFields(v Value, names []string) bool {
	for _, name := range names {
		if !v.Field(name).Exists() {
			return false
		}
	}
	return true
}

// otherFields checks patternProperties and additionalProperties.
func (s *schema) otherFields(v Value, steps *int) bool {
	if len(s.patterns) == 0 && s.moreFields == nil {
		return true
	}
	for f := v.First(); f.Exists(); f = f.Next() {
		named := false
		*steps--
		for _, p := range s.patterns {
			if *steps -= p.pattern.searchSteps(len(f.Name())); *steps < 0 {
				return false
			}
			if p.pattern.program.Match(f.Name()) {
				named = true
				if !p.schema.valid(f, steps) {
					return false
				}
			}
		}
		if !named && s.moreFields != nil && !s.names(f.Name()) && !s.moreFields.valid(f, steps) {
			return false
		}
	}
	return true
}

// names reports whether properties has the name.
func (s *schema) names(name []byte) bool {
	_, found := slices.BinarySearchFunc(s.fields, name, func(f namedSchema, name []byte) int { return cmp.Compare(f.name, sharedString(name)) })
	return found
}
