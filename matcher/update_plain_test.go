package matcher

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plainObject is an object of plain Go values that keeps the order of its fields.
type plainObject struct {
	names  []string
	values []any
}

func (o *plainObject) get(name string) (any, bool) {
	if i := slices.Index(o.names, name); i >= 0 {
		return o.values[i], true
	}
	return nil, false
}

func plainOf(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var read func() any
	read = func() any {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		switch token := token.(type) {
		case json.Delim:
			var list []any
			o := &plainObject{}
			for d.More() {
				if token == '{' {
					o.names = append(o.names, read().(string))
				}
				list = append(list, read())
			}
			if _, err := d.Token(); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if o.values = list; token == '{' {
				return o
			}
			return append([]any{}, list...)
		case json.Number:
			i, err := strconv.ParseInt(token.String(), 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			return i
		default:
			return token
		}
	}
	return read()
}

func plainText(v any) string {
	var b bytes.Buffer
	var write func(v any)
	write = func(v any) {
		switch v := v.(type) {
		case *plainObject:
			b.WriteByte('{')
			for i, name := range v.names {
				fmt.Fprintf(&b, "%s%q:", []string{"", ","}[min(i, 1)], name)
				write(v.values[i])
			}
			b.WriteByte('}')
		case []any:
			b.WriteByte('[')
			for i, element := range v {
				b.WriteString([]string{"", ","}[min(i, 1)])
				write(element)
			}
			b.WriteByte(']')
		case string:
			fmt.Fprintf(&b, "%q", v)
		case nil:
			b.WriteString("null")
		default:
			fmt.Fprint(&b, v)
		}
	}
	write(v)
	return b.String()
}

func plainRank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case int64:
		return 1
	case string:
		return 2
	case *plainObject:
		return 3
	}
	return 4
}

func comparePlain(a, b any) int {
	if c := cmp.Compare(plainRank(a), plainRank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case string:
		return strings.Compare(a, b.(string))
	case []any:
		return slices.CompareFunc(a, b.([]any), comparePlain)
	case *plainObject:
		b := b.(*plainObject)
		for i := range min(len(a.names), len(b.names)) {
			if c := cmp.Or(cmp.Compare(plainRank(a.values[i]), plainRank(b.values[i])), strings.Compare(a.names[i], b.names[i]),
				comparePlain(a.values[i], b.values[i])); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(a.names), len(b.names))
	}
	return 0
}

func containsPlain(list []any, v any) bool {
	return slices.ContainsFunc(list, func(o any) bool { return comparePlain(o, v) == 0 })
}
