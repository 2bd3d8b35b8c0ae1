package matcher

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// collationField reads one field of a collation into what was asked for.
type collationField func(asked *askedCollation, v Value, at *place) error

// askedCollation is a collation as a query names it.
type askedCollation struct {
	collationOptions
	upper bool // capital letters first: the locale's default, until caseFirst says otherwise
}

// The fields of a collation are MongoDB's (manual: "Collation"). What the tables cannot do is refused, never ignored.
var collationFields = map[string]collationField{
	"locale":          nil, // read first
	"strength":        readStrength,
	"numericOrdering": readFlag(func(a *askedCollation, on bool) { a.numeric = on }),
	"backwards":       readFlag(func(a *askedCollation, on bool) { a.backwards = on }),
	"caseLevel":       refuseFlag("a level of case on its own is not supported; leave it out, or use strength 3, which tells case and accents apart"),
	"caseFirst":       readCaseFirst,
	"alternate":       readAlternate,
	"maxVariable":     readMaxVariable,
	// Strings are always compared as if in their normal form, which is what true asks for and what false assumes.
	"normalization": readFlag(func(*askedCollation, bool) {}),
	"version":       readVersion,
}

// parseCollation reads {"locale":"de","strength":2}. No text, null and the locale "simple" are nil: strings compare by
// their bytes.
func parseCollation(text []byte, limits Limits) (*collation, error) {
	if text == nil {
		return nil, nil
	}
	d, err := parseQueryText(text, limits)
	if err != nil {
		return nil, err
	}
	var at *place
	root := d.Root()
	if root.Kind() != KindObject {
		return nil, at.invalid(`the collation is %s; an object is needed, such as {"locale":"en","strength":2}`, describeKind(root.Kind()))
	}
	name := root.Field("locale")
	switch {
	case !name.Exists():
		return nil, at.invalid(`the collation has no locale; add one, such as {"locale":"en"}, or {"locale":"simple"} for the order of bytes`)
	case name.Kind() != KindString:
		return nil, at.field("locale").invalid(`the locale is %s; a string is needed, such as "en"`, describeKind(name.Kind()))
	case string(name.Bytes()) == "simple":
		if root.Len() != 1 {
			return nil, at.invalid(`the locale "simple" stands with other fields, but strings compare by their bytes under it; give it alone`)
		}
		return nil, nil
	}
	asked, err := defaultCollation(string(name.Bytes()), at.field("locale"))
	if err != nil {
		return nil, err
	}
	for f := root.First(); f.Exists(); f = f.Next() {
		field := string(f.Name())
		read, known := collationFields[field]
		switch {
		case !known:
			return nil, unknownCollationField(field, at.field(field))
		case read == nil:
			continue
		}
		if err := read(&asked, f, at.field(field)); err != nil {
			return nil, err
		}
	}
	return asked.collation(at)
}

// defaultCollation is what a locale alone asks for.
func defaultCollation(name string, at *place) (askedCollation, error) {
	rules, known := collationLocales[name]
	if !known {
		names := slices.Sorted(maps.Keys(collationLocales))
		hint := ""
		if near := Nearest(name, names); near != "" {
			hint = fmt.Sprintf(" (did you mean %s?)", near)
		}
		return askedCollation{}, at.invalid("the locale %q has no collation here%s; known ones are simple, %s", shorten([]byte(name)), hint, strings.Join(names, ", "))
	}
	return askedCollation{
		collationOptions: collationOptions{locale: name, strength: 3, shifted: rules.shifted, backwards: rules.backwards},
		upper:            rules.upper,
	}, nil
}

func unknownCollationField(name string, at *place) error {
	known := slices.Sorted(maps.Keys(collationFields))
	hint := ""
	if near := Nearest(name, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	return at.invalid("a collation has no field %q%s; known ones are %s", shorten([]byte(name)), hint, strings.Join(known, ", "))
}

// collation is what was asked for, without what makes no difference.
func (a *askedCollation) collation(at *place) (*collation, error) {
	if a.upper && a.strength >= 3 {
		return nil, at.field("caseFirst").invalid(
			`the locale %s puts capital letters first, which is not supported; add "caseFirst":"off" for small ones first, or "strength":2, where case does not count`, a.locale)
	}
	o := a.collationOptions
	if o.strength == 4 && !o.shifted {
		o.strength = 3 // nothing is left for the fourth level
	}
	if o.strength < 2 { // no accents
		o.backwards = collationLocales[o.locale].backwards
	}
	return newCollation(o), nil
}

// normal is the normal form, JSON. It has the locale, what differs from strength 3 and all flags off, and the tables.
func (o collationOptions) normal() string {
	text := AppendString([]byte(`{"locale":`), []byte(o.locale))
	if o.strength != 3 {
		text = strconv.AppendInt(append(text, `,"strength":`...), int64(o.strength), 10)
	}
	if o.numeric {
		text = append(text, `,"numericOrdering":true`...)
	}
	if o.shifted != collationLocales[o.locale].shifted {
		text = append(text, `,"alternate":`...)
		text = AppendString(text, []byte(alternates[o.shifted]))
	}
	if o.backwards != collationLocales[o.locale].backwards {
		text = strconv.AppendBool(append(text, `,"backwards":`...), o.backwards)
	}
	return string(append(append(text, `,"version":"`+collationTables...), `"}`...))
}

func readStrength(a *askedCollation, v Value, at *place) error {
	n, exact, ok := wholeNumber(v)
	if !ok || !exact || n < 1 || n > 5 {
		return at.invalid("strength is %s; it must be a whole number from 1 (letters alone) to 5 (everything)", describe(v))
	}
	a.strength = int(n)
	return nil
}

// readFlag reads true or false.
func readFlag(set func(a *askedCollation, on bool)) collationField {
	return func(a *askedCollation, v Value, at *place) error {
		if v.Kind() != KindBool {
			return at.invalid("%s is %s; it must be true or false", at.name, describe(v))
		}
		set(a, v.Bool())
		return nil
	}
}

// refuseFlag reads false, and says why it cannot be true.
func refuseFlag(why string) collationField {
	return func(a *askedCollation, v Value, at *place) error {
		if v.Kind() == KindBool && v.Bool() {
			return at.invalid("%s is true: %s", at.name, why)
		}
		return readFlag(func(*askedCollation, bool) {})(a, v, at)
	}
}

// oneOf reads one of a few words.
func oneOf(v Value, at *place, words ...string) (string, error) {
	word := string(v.Bytes())
	if v.Kind() == KindString && slices.Contains(words, word) {
		return word, nil
	}
	return "", at.invalid("%s is %s; it must be %s", at.name, describe(v), strings.Join(words, " or "))
}

func readCaseFirst(a *askedCollation, v Value, at *place) error {
	word, err := oneOf(v, at, "off", "lower", "upper")
	if err != nil {
		return err
	}
	if word != "off" {
		return at.invalid("caseFirst is %q, but the tables have one order of case, small letters first; leave it out or give \"off\"", word)
	}
	a.upper = false
	return nil
}

var alternates = map[bool]string{false: "non-ignorable", true: "shifted"}

func readAlternate(a *askedCollation, v Value, at *place) error {
	word, err := oneOf(v, at, alternates[false], alternates[true])
	a.shifted = word == alternates[true]
	return err
}

func readMaxVariable(_ *askedCollation, v Value, at *place) error {
	word, err := oneOf(v, at, "punct", "space")
	if err == nil && word == "space" {
		err = at.invalid(`maxVariable is "space", but the tables shift punctuation together with white space; leave it out or give "punct"`)
	}
	return err
}

// readVersion takes the version that the normal form has, so that it can be given back.
func readVersion(_ *askedCollation, v Value, at *place) error {
	if v.Kind() != KindString || string(v.Bytes()) != collationTables {
		return at.invalid("version is %s, but strings are ordered by %q here; leave it out", describe(v), collationTables)
	}
	return nil
}
