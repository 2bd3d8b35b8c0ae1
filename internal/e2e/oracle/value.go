package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrUnsupported is returned for values and operators that the oracle does not know.
var ErrUnsupported = errors.New("the oracle does not know this")

// A value is one of: nil, bool, int64, float64, string, Date, ObjectID, Regex, Object, []any. Missing stands where a
// path leads to nothing.
type (
	// Field is one named value of an object.
	Field struct {
		Name  string
		Value any
	}
	// Object is a JSON object with the order of its fields.
	Object []Field
	// Date is milliseconds since 1970.
	Date int64
	// ObjectID is 24 hex digits in lower case.
	ObjectID string
	// Regex is a stored or queried regular expression.
	Regex struct{ Pattern, Options string }
	// Missing is what a path that leads nowhere gives.
	Missing struct{}
)

// Get returns the field's value.
func (o Object) Get(name string) (any, bool) {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].Name == name {
			return o[i].Value, true
		}
	}
	return Missing{}, false
}

// With returns a copy of o in which the field has the value; a new field comes last.
func (o Object) With(name string, value any) Object {
	out := append(Object(nil), o...)
	for i := range out {
		if out[i].Name == name {
			out[i].Value = value
			return out
		}
	}
	return append(out, Field{name, value})
}

// Without returns a copy of o that lacks the named fields.
func (o Object) Without(names ...string) Object {
	out := Object{}
fields:
	for _, f := range o {
		for _, name := range names {
			if f.Name == name {
				continue fields
			}
		}
		out = append(out, f)
	}
	return out
}

// ID returns `_id`, "" where it is no string.
func (o Object) ID() string { return o.Text("_id") }

// Text returns a string field, "" where it is none.
func (o Object) Text(name string) string {
	v, _ := o.Get(name)
	s, _ := v.(string)
	return s
}

// Decode reads one JSON text with Extended JSON wrappers. Order of fields is kept.
func Decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decode(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the JSON value")
	}
	return v, nil
}

// DecodeObject is Decode for a text that must hold an object.
func DecodeObject(text []byte) (Object, error) {
	v, err := Decode(text)
	if err != nil {
		return nil, err
	}
	o, ok := v.(Object)
	if !ok {
		return nil, fmt.Errorf("%.40q is no object", text)
	}
	return o, nil
}

// MustObject is DecodeObject for texts that are part of the program.
func MustObject(text string) Object {
	o, err := DecodeObject([]byte(text))
	if err != nil {
		panic(err)
	}
	return o
}

func decode(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		return number(string(token))
	case json.Delim:
		if token == '[' {
			return decodeArray(d)
		}
		return decodeObject(d)
	}
	return token, nil // nil, bool, string
}

func decodeArray(d *json.Decoder) (any, error) {
	out := []any{}
	for d.More() {
		v, err := decode(d)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, err := d.Token()
	return out, err
}

func decodeObject(d *json.Decoder) (any, error) {
	out := Object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decode(d)
		if err != nil {
			return nil, err
		}
		out = append(out, Field{name.(string), v})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	return unwrap(out)
}

// number reads a literal as the protocol does: an integer within 64 bits is one, all else is a double.
func number(text string) (any, error) {
	if !strings.ContainsAny(text, ".eE") {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
	}
	return strconv.ParseFloat(text, 64)
}

// unwrap turns an Extended JSON wrapper into its value; any other object stays.
func unwrap(o Object) (any, error) {
	if len(o) != 1 {
		return o, nil
	}
	v := o[0].Value
	switch o[0].Name {
	case "$numberInt", "$numberLong":
		if s, ok := v.(string); ok {
			return strconv.ParseInt(s, 10, 64)
		}
	case "$numberDouble":
		if s, ok := v.(string); ok {
			return strconv.ParseFloat(s, 64) // reads NaN, Infinity and -Infinity too
		}
	case "$oid":
		if s, ok := v.(string); ok && len(s) == 24 {
			return ObjectID(strings.ToLower(s)), nil
		}
	case "$date":
		switch v := v.(type) {
		case string:
			t, err := time.Parse(time.RFC3339Nano, v)
			return Date(t.UnixMilli()), err
		case int64:
			return Date(v), nil
		}
	case "$regularExpression":
		if r, ok := v.(Object); ok {
			return Regex{r.Text("pattern"), r.Text("options")}, nil
		}
	case "$binary", "$numberDecimal", "$timestamp", "$minKey", "$maxKey", "$uuid", "$undefined", "$code", "$symbol":
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, o[0].Name)
	}
	return o, nil
}

// Encode writes a value as relaxed Extended JSON.
func Encode(v any) []byte { return appendValue(nil, v) }

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		if v > 1<<53-1 || v < -(1<<53-1) {
			return fmt.Appendf(dst, `{"$numberLong":"%d"}`, v)
		}
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return appendDouble(dst, v)
	case string:
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // a string always has a JSON form
		}
		return append(dst, text...)
	case Date:
		return fmt.Appendf(dst, `{"$date":%q}`, time.UnixMilli(int64(v)).UTC().Format("2006-01-02T15:04:05.999Z07:00"))
	case ObjectID:
		return fmt.Appendf(dst, `{"$oid":%q}`, string(v))
	case Regex:
		return appendValue(dst, Object{{"$regularExpression", Object{{"pattern", v.Pattern}, {"options", v.Options}}}})
	case Object:
		dst = append(dst, '{')
		for i, f := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendValue(dst, f.Name), ':')
			dst = appendValue(dst, f.Value)
		}
		return append(dst, '}')
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, e)
		}
		return append(dst, ']')
	}
	panic(fmt.Sprintf("no JSON form for %T", v))
}

func appendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `{"$numberDouble":"NaN"}`...)
	case math.IsInf(v, 1):
		return append(dst, `{"$numberDouble":"Infinity"}`...)
	case math.IsInf(v, -1):
		return append(dst, `{"$numberDouble":"-Infinity"}`...)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, v, 'g', -1, 64)
	if !bytes.ContainsAny(dst[from:], ".e") {
		dst = append(dst, ".0"...) // stays a double for the reader
	}
	return dst
}
