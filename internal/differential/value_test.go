package differential

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A value is nil, bool, int (a plain literal in the text, for arguments such as a size), int32, int64, float64, string,
// date, decimal, objectID, binary, regex, array or object.
type (
	date     int64  // milliseconds since 1970
	decimal  string // as {"$numberDecimal"} holds it
	objectID string // 24 hex digits
	binary   string // base64 text
	regex    struct{ pattern, options string }
	array    []any
	object   []field
	field    struct {
		name  string
		value any
	}
)

// get is the value of a field.
func (o object) get(name string) (any, bool) {
	for _, f := range o {
		if f.name == name {
			return f.value, true
		}
	}
	return nil, false
}

func (o object) String() string { return string(text(o)) }

// text is the canonical Extended JSON of a value.
func text(v any) []byte { return appendText(nil, v) }

func appendText(dst []byte, v any) []byte {
	wrap := func(name, value string) []byte { return fmt.Appendf(dst, `{%q:%q}`, name, value) }
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int32:
		return wrap("$numberInt", strconv.Itoa(int(v)))
	case int64:
		return wrap("$numberLong", strconv.FormatInt(v, 10))
	case float64:
		number := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(number, ".e") {
			number += ".0"
		}
		return wrap("$numberDouble", number)
	case string:
		quoted, err := json.Marshal(v)
		if err != nil {
			panic(err) // a string always has a JSON form
		}
		return append(dst, quoted...)
	case date:
		return fmt.Appendf(dst, `{"$date":{"$numberLong":"%d"}}`, v)
	case decimal:
		return wrap("$numberDecimal", string(v))
	case objectID:
		return wrap("$oid", string(v))
	case binary:
		return fmt.Appendf(dst, `{"$binary":{"base64":%q,"subType":"00"}}`, string(v))
	case regex:
		return fmt.Appendf(dst, `{"$regularExpression":{"pattern":%q,"options":%q}}`, v.pattern, v.options)
	case array:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, e)
		}
		return append(dst, ']')
	case object:
		dst = append(dst, '{')
		for i, f := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, f.name), ':')
			dst = appendText(dst, f.value)
		}
		return append(dst, '}')
	}
	panic(fmt.Sprintf("no text for %T", v))
}

// isOperators says whether an object is a condition of operators: its first name begins with $ and combines no filters.
func isOperators(v any) bool {
	o, ok := v.(object)
	return ok && len(o) > 0 && strings.HasPrefix(o[0].name, "$") && !slices.Contains([]string{"$and", "$or", "$nor"}, o[0].name)
}

// within says whether some value in v, v included, is so.
func within(v any, is func(v any) bool) bool {
	if is(v) {
		return true
	}
	switch v := v.(type) {
	case array:
		for _, e := range v {
			if within(e, is) {
				return true
			}
		}
	case object:
		for _, f := range v {
			if within(f.value, is) {
				return true
			}
		}
	}
	return false
}

// parse reads what text writes.
func parse(canonical string) any {
	d := json.NewDecoder(strings.NewReader(canonical))
	d.UseNumber()
	v, err := parseNext(d)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", canonical, err)) // it is part of the test
	}
	return v
}

func parseNext(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		return strconv.Atoi(token.String())
	case json.Delim:
		list, names := array{}, []string{}
		for d.More() {
			if token == '{' {
				name, err := d.Token()
				if err != nil {
					return nil, err
				}
				names = append(names, name.(string))
			}
			v, err := parseNext(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if _, err := d.Token(); err != nil || token == '[' {
			return list, err
		}
		o := object{}
		for i, name := range names {
			o = append(o, field{name, list[i]})
		}
		return unwrap(o)
	}
	return token, nil
}

// unwrap turns a wrapper of Extended JSON into its value.
func unwrap(o object) (any, error) {
	if len(o) != 1 {
		return o, nil
	}
	s, _ := o[0].value.(string)
	switch o[0].name {
	case "$numberInt":
		i, err := strconv.ParseInt(s, 10, 32)
		return int32(i), err
	case "$numberLong":
		return strconv.ParseInt(s, 10, 64)
	case "$numberDouble":
		return strconv.ParseFloat(s, 64)
	case "$numberDecimal":
		return decimal(s), nil
	case "$oid":
		return objectID(s), nil
	case "$date":
		ms, _ := o[0].value.(int64)
		return date(ms), nil
	case "$binary":
		base64, _ := o[0].value.(object).get("base64")
		return binary(base64.(string)), nil
	case "$regularExpression":
		pattern, _ := o[0].value.(object).get("pattern")
		options, _ := o[0].value.(object).get("options")
		return regex{pattern.(string), options.(string)}, nil
	}
	return o, nil
}
