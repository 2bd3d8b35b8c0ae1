package matcher

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// schemaKeyword compiles one keyword of a schema; all is the schema it stands in.
type schemaKeyword func(c *compiler, s *schema, all, v Value, at *place) error

var schemaKeywords map[string]schemaKeyword

func init() { // not initial values: keywords that nest refer to the table
	ignored := func(_ *compiler, _ *schema, _, v Value, at *place) error {
		if v.Kind() != KindString {
			return at.invalid("%s is %s; a text is needed", at.name, describeKind(v.Kind()))
		}
		return nil
	}
	schemaKeywords = map[string]schemaKeyword{
		"title": ignored, "description": ignored,
		"type":             schemaType,
		"bsonType":         schemaBSONType,
		"enum":             schemaEnum,
		"minimum":          schemaNumber(func(s *schema, v Value) { s.minimum = v }),
		"maximum":          schemaNumber(func(s *schema, v Value) { s.maximum = v }),
		"exclusiveMinimum": schemaExclusive("minimum", func(s *schema, b bool) { s.exclusiveMinimum = b }),
		"exclusiveMaximum": schemaExclusive("maximum", func(s *schema, b bool) { s.exclusiveMaximum = b }),
		"multipleOf":       schemaMultipleOf,
		"minLength":        schemaCount(func(s *schema, n int64) { s.length.min = n }),
		"maxLength":        schemaCount(func(s *schema, n int64) { s.length.max = n }),
		"minItems":         schemaCount(func(s *schema, n int64) { s.items.min = n }),
		"maxItems":         schemaCount(func(s *schema, n int64) { s.items.max = n }),
		"minProperties":    schemaCount(func(s *schema, n int64) { s.properties.min = n }),
		"maxProperties":    schemaCount(func(s *schema, n int64) { s.properties.max = n }),
		"pattern":          schemaPattern,
		"uniqueItems": func(_ *compiler, s *schema, _, v Value, at *place) (err error) {
			s.unique, err = schemaBool(v, at)
			return err
		},
		"items":                schemaItems,
		"additionalItems":      schemaMore(func(s *schema, more *schema) { s.moreElement = more }),
		"required":             schemaRequired,
		"properties":           schemaProperties,
		"patternProperties":    schemaPatternProperties,
		"additionalProperties": schemaMore(func(s *schema, more *schema) { s.moreFields = more }),
		"dependencies":         schemaDependencies,
		"allOf":                schemaList(func(s *schema, list []*schema) { s.allOf = list }),
		"anyOf":                schemaList(func(s *schema, list []*schema) { s.anyOf = list }),
		"oneOf":                schemaList(func(s *schema, list []*schema) { s.oneOf = list }),
		"not": func(c *compiler, s *schema, _, v Value, at *place) (err error) {
			s.not, err = c.schema(v, at)
			return err
		},
	}
}

// refusedKeywords are those of JSON Schema that MongoDB leaves out, and what to do instead.
var refusedKeywords = map[string]string{
	"$ref":        "write the schema out where it is needed",
	"$schema":     "draft 4 is the only one, leave it out",
	"default":     "a query changes nothing, leave it out",
	"definitions": "write the schemas out where they are needed",
	"format":      "use pattern, or bsonType for dates",
	"id":          "schemas cannot refer to one another, leave it out",
	"$id":         "schemas cannot refer to one another, leave it out",
	"const":       "it is of a later draft, use enum with one value",
	"contains":    "it is of a later draft, use $elemMatch beside $jsonSchema",
	"if":          "it is of a later draft, use anyOf",
	"encrypt":     "encrypted fields are not readable here, leave it out",

	"encryptMetadata": "encrypted fields are not readable here, leave it out",
}

var anyCount = schemaRange{max: -1}

// compileJSONSchema compiles $jsonSchema: documents match that fit the schema (JSON Schema draft 4 as MongoDB has it,
// manual: "$jsonSchema"). bsonType takes the names of $type; type those of JSON but "integer". title and description are
// read over.
func compileJSONSchema(c *compiler, v Value, at *place) (*node, error) {
	if c.update {
		return nil, refusedInUpdate("$jsonSchema", at)
	}
	s, err := c.schema(v, at)
	if err != nil {
		return nil, err
	}
	s.steps = MaxSchemaSteps
	return predicateLeaf(path{}, s), nil
}

func (c *compiler) schema(v Value, at *place) (*schema, error) {
	if v.Kind() != KindObject {
		return nil, at.invalid("a schema is %s; an object is needed, such as {\"required\":[\"name\"]}", describeKind(v.Kind()))
	}
	s := &schema{length: anyCount, items: anyCount, properties: anyCount}
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		at := at.field(name)
		keyword, known := schemaKeywords[name]
		if !known {
			return nil, unknownKeyword(name, at)
		}
		if err := keyword(c, s, v, f, at); err != nil {
			return nil, err
		}
	}
	if s.elements == nil {
		s.moreElement = nil // there are no others than those of items
	}
	return s, nil
}

func unknownKeyword(name string, at *place) error {
	if remedy, refused := refusedKeywords[name]; refused {
		return at.invalid("the schema keyword %q is not supported; %s", name, remedy)
	}
	hint := ""
	known := slices.Sorted(maps.Keys(schemaKeywords))
	if near := Nearest(name, known); near != "" {
		hint = " (did you mean " + near + "?)"
	}
	return at.invalid("the schema keyword %q is unknown%s; known ones are %s", name, hint, strings.Join(known, ", "))
}

var jsonTypes = map[string]TypeSet{"object": typesOf(KindObject), "array": typesOf(KindArray), "number": numberTypes,
	"boolean": typesOf(KindBool), "string": typesOf(KindString), "null": typesOf(KindNull)}

func schemaType(c *compiler, s *schema, all, v Value, at *place) error {
	return schemaTypes(s, all, v, at, func(name string, at *place) (TypeSet, error) {
		if set, known := jsonTypes[name]; known {
			return set, nil
		}
		if name == "integer" {
			return 0, at.invalid(`the type "integer" is not supported; use {"bsonType":["int","long"]}, or {"type":"number","multipleOf":1}`)
		}
		return 0, at.invalid("the type %q is unknown; known ones are object, array, number, boolean, string and null (bsonType has more)", name)
	})
}

func schemaBSONType(_ *compiler, s *schema, all, v Value, at *place) error {
	return schemaTypes(s, all, v, at, namedType)
}

func schemaTypes(s *schema, all, v Value, at *place, named func(string, *place) (TypeSet, error)) error {
	if all.Field("type").Exists() && all.Field("bsonType").Exists() {
		return at.invalid("type and bsonType stand in one schema; give one of them")
	}
	s.typed = true
	names := []string{string(v.Bytes())}
	if v.Kind() != KindString {
		var err error
		if names, err = schemaNames(v, at); err != nil {
			return err
		}
	}
	for _, name := range names {
		set, err := named(name, at)
		if err != nil {
			return err
		}
		s.types |= set
	}
	return nil
}

// schemaNames reads a list of one text or more, each once; it is sorted.
func schemaNames(v Value, at *place) (names []string, err error) {
	if v.Kind() != KindArray || v.Len() == 0 {
		return nil, at.invalid(`%s is %s; a list of one text or more is needed, such as ["name"]`, at.name, shorten(v.Raw()))
	}
	i := 0
	for e := v.First(); e.Exists(); e = e.Next() {
		name := string(e.Bytes())
		switch {
		case e.Kind() != KindString:
			return nil, at.element(i).invalid("a member of %s is %s; a text is needed", at.name, describeKind(e.Kind()))
		case slices.Contains(names, name):
			return nil, at.element(i).invalid("%q stands twice in %s; give it once", name, at.name)
		}
		names = append(names, name)
		i++
	}
	slices.Sort(names)
	return names, nil
}

func schemaRequired(_ *compiler, s *schema, _, v Value, at *place) (err error) {
	s.required, err = schemaNames(v, at)
	return err
}

func schemaEnum(_ *compiler, s *schema, _, v Value, at *place) error {
	if v.Kind() != KindArray || v.Len() == 0 {
		return at.invalid("enum is %s; a list of one value or more is needed", shorten(v.Raw()))
	}
	if v.Len() > MaxInValues {
		return at.tooLarge(MaxInValues, "enum has %d values, at most %d are allowed (MaxInValues); split the query", v.Len(), MaxInValues)
	}
	for e := v.First(); e.Exists(); e = e.Next() {
		s.enum = append(s.enum, e)
		if !holdsObject(e) {
			continue
		}
		if slices.ContainsFunc(s.objects, func(o Value) bool { return equalUnordered(o, e) }) {
			return at.invalid("%s stands twice in enum; give it once, the order of its fields says nothing", shorten(e.Raw()))
		}
		s.objects = append(s.objects, e)
	}
	slices.SortFunc(s.enum, Compare)
	for i := 1; i < len(s.enum); i++ {
		if Equal(s.enum[i-1], s.enum[i]) {
			return at.invalid("%s stands twice in enum; give it once", shorten(s.enum[i].Raw()))
		}
	}
	return nil
}

func schemaBool(v Value, at *place) (bool, error) {
	if v.Kind() != KindBool {
		return false, at.invalid("%s is %s; true or false is needed", at.name, describeKind(v.Kind()))
	}
	return v.Bool(), nil
}

func schemaNumber(set func(*schema, Value)) schemaKeyword {
	return func(_ *compiler, s *schema, _, v Value, at *place) error {
		if !v.IsNumber() || isNaN(v) {
			return at.invalid("%s is %s; a number is needed", at.name, shorten(v.Raw()))
		}
		set(s, v)
		return nil
	}
}

func schemaExclusive(bound string, set func(*schema, bool)) schemaKeyword {
	return func(_ *compiler, s *schema, all, v Value, at *place) error {
		exclusive, err := schemaBool(v, at)
		switch {
		case err != nil:
			return err
		case !all.Field(bound).Exists():
			return at.invalid("%s stands without %s; add it", at.name, bound)
		}
		set(s, exclusive)
		return nil
	}
}

func schemaMultipleOf(_ *compiler, s *schema, _, v Value, at *place) error {
	n := numberOf(v)
	if !v.IsNumber() || n.isNaN() || n.isZero() || n.isNegative() || math.IsInf(v.Float64(), 0) {
		return at.invalid("multipleOf is %s; a number above 0 is needed", shorten(v.Raw()))
	}
	s.multipleOf = v
	return nil
}

func schemaCount(set func(*schema, int64)) schemaKeyword {
	return func(_ *compiler, s *schema, _, v Value, at *place) error {
		n, exact, ok := wholeNumber(v)
		if !ok || !exact || n < 0 {
			return at.invalid("%s is %s; a whole number from 0 on is needed", at.name, shorten(v.Raw()))
		}
		set(s, n)
		return nil
	}
}

func schemaPattern(c *compiler, s *schema, _, v Value, at *place) (err error) {
	if v.Kind() != KindString {
		return at.invalid("pattern is %s; a regular expression as a text is needed", describeKind(v.Kind()))
	}
	s.pattern, err = c.pattern(string(v.Bytes()), "", at)
	return err
}

func schemaItems(c *compiler, s *schema, _, v Value, at *place) (err error) {
	if v.Kind() != KindArray {
		s.element, err = c.schema(v, at)
		return err
	}
	s.elements = []*schema{}
	i := 0
	for e := v.First(); e.Exists(); e = e.Next() {
		sub, err := c.schema(e, at.element(i))
		if err != nil {
			return err
		}
		s.elements = append(s.elements, sub)
		i++
	}
	return nil
}

// schemaMore compiles additionalItems and additionalProperties: a schema, or true or false.
func schemaMore(set func(s, more *schema)) schemaKeyword {
	return func(c *compiler, s *schema, _, v Value, at *place) error {
		if v.Kind() == KindBool {
			if !v.Bool() {
				set(s, &schema{never: true})
			}
			return nil
		}
		more, err := c.schema(v, at)
		set(s, more)
		return err
	}
}

// schemaEach calls compile for each field of an object.
func schemaEach(v Value, at *place, compile func(name string, v Value, at *place) error) error {
	if v.Kind() != KindObject {
		return at.invalid("%s is %s; an object is needed", at.name, describeKind(v.Kind()))
	}
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		if err := compile(name, f, at.field(name)); err != nil {
			return err
		}
	}
	return nil
}

func schemaProperties(c *compiler, s *schema, _, v Value, at *place) error {
	err := schemaEach(v, at, func(name string, v Value, at *place) error {
		sub, err := c.schema(v, at)
		s.fields = append(s.fields, namedSchema{name, sub})
		return err
	})
	slices.SortFunc(s.fields, func(a, b namedSchema) int { return cmp.Compare(a.name, b.name) })
	return err
}

func schemaPatternProperties(c *compiler, s *schema, _, v Value, at *place) error {
	err := schemaEach(v, at, func(name string, v Value, at *place) error {
		compiled, err := c.pattern(name, "", at)
		if err != nil {
			return err
		}
		sub, err := c.schema(v, at)
		s.patterns = append(s.patterns, patternSchema{compiled, sub})
		return err
	})
	slices.SortFunc(s.patterns, func(a, b patternSchema) int { return cmp.Compare(a.pattern.text, b.pattern.text) })
	return err
}

func schemaDependencies(c *compiler, s *schema, _, v Value, at *place) error {
	err := schemaEach(v, at, func(name string, v Value, at *place) (err error) {
		d := schemaDependency{name: name}
		if v.Kind() == KindArray {
			d.required, err = schemaNames(v, at)
		} else {
			d.schema, err = c.schema(v, at)
		}
		s.dependencies = append(s.dependencies, d)
		return err
	})
	slices.SortFunc(s.dependencies, func(a, b schemaDependency) int { return cmp.Compare(a.name, b.name) })
	return err
}

func schemaList(set func(*schema, []*schema)) schemaKeyword {
	return func(c *compiler, s *schema, _, v Value, at *place) error {
		if v.Kind() != KindArray || v.Len() == 0 {
			return at.invalid("%s is %s; a list of one schema or more is needed", at.name, shorten(v.Raw()))
		}
		var list []*schema
		i := 0
		for e := v.First(); e.Exists(); e = e.Next() {
			sub, err := c.schema(e, at.element(i))
			if err != nil {
				return err
			}
			list = append(list, sub)
			i++
		}
		set(s, list)
		return nil
	}
}
