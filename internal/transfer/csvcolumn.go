package transfer

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/freshetdb/freshet/matcher"
)

// columnType is how a column's cells stand for values. Its cells are never empty.
type columnType struct {
	name string
	kind matcher.Kind // of the values that a column of this type holds, KindMissing for several
	// read gives the Extended JSON of a cell.
	read func(text, argument string) (string, error)
	// write gives the cell of a value; false: this type does not hold it.
	write func(v matcher.Value, argument string) (cell, bool)
}

var columnTypes = []columnType{
	{"auto", matcher.KindMissing, readAuto, writeAuto},
	{"string", matcher.KindString, readString, writeString},
	{"boolean", matcher.KindBool, readBoolean, writePlain(matcher.KindBool)},
	{"int32", matcher.KindInt32, readInteger("$numberInt", 32), writePlain(matcher.KindInt32)},
	{"int64", matcher.KindInt64, readInteger("$numberLong", 64), writeInt64},
	{"double", matcher.KindDouble, readNumber("$numberDouble"), writeDouble},
	{"decimal", matcher.KindDecimal, readNumber("$numberDecimal"), writeDecimal},
	{"date", matcher.KindDate, readDate, writeDate},
	{"oid", matcher.KindObjectID, readObjectID, writeObjectID},
	{"binary", matcher.KindBinary, readBinary, writeBinary},
	{"json", matcher.KindMissing, readJSON, writeJSON},
}

func typeNames() (names []string) {
	for _, t := range columnTypes {
		names = append(names, t.name+"()")
	}
	return names
}

func typeNamed(name string) *columnType {
	for i := range columnTypes {
		if columnTypes[i].name == name {
			return &columnTypes[i]
		}
	}
	return nil
}

// typeFor is the type for columns whose values are of one kind.
func typeFor(v matcher.Value) *columnType {
	for i := range columnTypes {
		if columnTypes[i].kind == v.Kind() && (v.Kind() != matcher.KindBinary || v.Subtype() == 0) {
			return &columnTypes[i]
		}
	}
	return typeNamed("json")
}

// Column is one column of a CSV file.
type Column struct {
	Path     string // dotted
	kind     *columnType
	argument string
}

var typedColumn = regexp.MustCompile(`^(.*?)\.([a-zA-Z0-9_]+)\((.*)\)$`)

// ParseColumn reads a column's heading: a dotted path and its type, such as author.born.date(2006-01-02). typed is false
// where the heading has none; then the type is auto.
func ParseColumn(heading string) (c Column, typed bool, err error) {
	c = Column{Path: heading, kind: typeNamed("auto")}
	if m := typedColumn.FindStringSubmatch(heading); m != nil {
		c.Path, c.kind, c.argument, typed = m[1], typeNamed(m[2]), m[3], true
		if c.kind == nil {
			return c, typed, fmt.Errorf("the column %s has the type %s(); known are %s", c.Path, m[2], strings.Join(typeNames(), ", "))
		}
		if c.argument != "" && c.kind.name != "date" {
			return c, typed, fmt.Errorf("the column %s has the type %s(%s); only date takes something in its brackets: how dates are written, as Go's time package has it", c.Path, m[2], m[3])
		}
	}
	if c.Path == "" || strings.HasPrefix(c.Path, ".") || strings.HasSuffix(c.Path, ".") || strings.Contains(c.Path, "..") {
		return c, typed, fmt.Errorf("the column %q has no name, or an empty one in its path", heading)
	}
	return c, typed, nil
}

func (c Column) String() string { return c.Path + "." + c.kind.name + "(" + c.argument + ")" }

// cellOf is the cell of a document.
func (c Column) cellOf(d *matcher.Document) (cell, error) {
	v := d.Root()
	for name := range strings.SplitSeq(c.Path, ".") {
		if v.Exists() && v.Kind() != matcher.KindObject {
			return cell{}, fmt.Errorf("the column %s goes through a value of the type %s; make that one a column of the type json()", c.Path, v.Kind())
		}
		v = v.Field(name)
	}
	if !v.Exists() {
		return cell{}, nil
	}
	text, ok := c.kind.write(v, c.argument)
	if !ok {
		return cell{}, fmt.Errorf("the column %s cannot hold %.80s (%s) exactly; give it the type json(), as in --fields '%s.json()'",
			c, v.Raw(), v.Kind(), c.Path)
	}
	return text, nil
}

func quotedJSON(text string) string { return string(matcher.AppendString(nil, []byte(text))) }

func wrapped(name, text string) string { return `{"` + name + `":` + quotedJSON(text) + `}` }

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func readAuto(text, _ string) (string, error) {
	if jsonNumber.MatchString(text) {
		return text, nil
	}
	return quotedJSON(text), nil
}

func writeAuto(v matcher.Value, argument string) (cell, bool) {
	switch v.Kind() {
	case matcher.KindString:
		text, _ := writeString(v, "")
		return text, !jsonNumber.MatchString(text.text)
	case matcher.KindInt64:
		return writeInt64(v, "")
	}
	return cell{}, false
}

func readString(text, _ string) (string, error) { return quotedJSON(text), nil }

func writeString(v matcher.Value, _ string) (cell, bool) {
	return cell{string(v.Bytes()), len(v.Bytes()) == 0}, v.Kind() == matcher.KindString
}

func readBoolean(text, _ string) (string, error) {
	switch strings.ToLower(text) {
	case "true", "1":
		return "true", nil
	case "false", "0":
		return "false", nil
	}
	return "", fmt.Errorf("%q is neither true nor false", text)
}

// writePlain is for kinds whose plain JSON is the cell.
func writePlain(kind matcher.Kind) func(matcher.Value, string) (cell, bool) {
	return func(v matcher.Value, _ string) (cell, bool) {
		if v.Kind() != kind {
			return cell{}, false
		}
		return cell{text: string(matcher.AppendValue(nil, v, matcher.ValuesPlain))}, true
	}
}

func readInteger(wrapper string, bits int) func(text, _ string) (string, error) {
	return func(text, _ string) (string, error) {
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return "", fmt.Errorf("%q is no integer of %d bits", text, bits)
		}
		return wrapped(wrapper, strconv.FormatInt(n, 10)), nil
	}
}

func writeInt64(v matcher.Value, _ string) (cell, bool) {
	return cell{text: strconv.FormatInt(v.Int64(), 10)}, v.Kind() == matcher.KindInt64
}

func readNumber(wrapper string) func(text, _ string) (string, error) {
	return func(text, _ string) (string, error) { return wrapped(wrapper, text), nil }
}

func writeDouble(v matcher.Value, _ string) (cell, bool) {
	if v.Kind() != matcher.KindDouble {
		return cell{}, false
	}
	switch f := v.Float64(); {
	case math.IsInf(f, 1):
		return cell{text: "Infinity"}, true
	case math.IsInf(f, -1):
		return cell{text: "-Infinity"}, true
	default:
		return cell{text: strconv.FormatFloat(f, 'g', -1, 64)}, true
	}
}

func writeDecimal(v matcher.Value, _ string) (cell, bool) {
	if v.Kind() != matcher.KindDecimal {
		return cell{}, false
	}
	text := string(matcher.AppendValue(nil, v, matcher.ValuesCanonical))
	text, _ = strings.CutPrefix(text, `{"$numberDecimal":"`)
	text, _ = strings.CutSuffix(text, `"}`)
	return cell{text: text}, true
}

const dateText = "2006-01-02T15:04:05.000Z"

func readDate(text, layout string) (string, error) {
	ms, ok := matcher.ParseDate([]byte(text))
	if layout != "" {
		t, err := time.Parse(layout, text)
		if ms, ok = t.UnixMilli(), err == nil; !ok {
			return "", fmt.Errorf("%q is no date of the form %s", text, layout)
		}
	}
	if !ok {
		return "", fmt.Errorf("%q is no ISO date, such as 2026-01-01T00:00:00Z", text)
	}
	return fmt.Sprintf(`{"$date":{"$numberLong":"%d"}}`, ms), nil
}

// writeDate refuses dates that its form does not hold to the millisecond.
func writeDate(v matcher.Value, layout string) (cell, bool) {
	if v.Kind() != matcher.KindDate {
		return cell{}, false
	}
	form := layout
	if form == "" {
		form = dateText
	}
	c := cell{text: time.UnixMilli(v.Int64()).UTC().Format(form)}
	back, err := readDate(c.text, layout)
	return c, err == nil && back == fmt.Sprintf(`{"$date":{"$numberLong":"%d"}}`, v.Int64())
}

func readObjectID(text, _ string) (string, error) { return wrapped("$oid", text), nil }

func writeObjectID(v matcher.Value, _ string) (cell, bool) {
	return cell{text: hex.EncodeToString(v.Bytes())}, v.Kind() == matcher.KindObjectID
}

func readBinary(text, _ string) (string, error) {
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return "", fmt.Errorf("%.60q is not base64", text)
	}
	return `{"$binary":{"base64":"` + text + `","subType":"00"}}`, nil
}

func writeBinary(v matcher.Value, _ string) (cell, bool) {
	return cell{text: base64.StdEncoding.EncodeToString(v.Bytes())}, v.Kind() == matcher.KindBinary && v.Subtype() == 0 && len(v.Bytes()) > 0
}

func readJSON(text, _ string) (string, error) {
	if !json.Valid([]byte(text)) {
		return "", fmt.Errorf("%.60q is not JSON", text)
	}
	return text, nil
}

// writeJSON writes the relaxed form where that keeps every type, else the canonical one.
func writeJSON(v matcher.Value, _ string) (cell, bool) {
	exact := matcher.AppendValue(nil, v, matcher.ValuesCanonical)
	relaxed := matcher.AppendValue(nil, v, matcher.ValuesRelaxed)
	if d, err := matcher.ParseValue(append([]byte(nil), relaxed...), recordLimits); err == nil &&
		string(matcher.AppendValue(nil, d.Root(), matcher.ValuesCanonical)) == string(exact) {
		return cell{text: string(relaxed)}, true
	}
	return cell{text: string(exact)}, true
}
