package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// field is one member of a JSON object.
type field struct {
	name string
	raw  json.RawMessage
}

// fields are the members of an object in its order, nil if the text is none.
func fields(object json.RawMessage) (list []field) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return list
		}
		var raw json.RawMessage
		if decoder.Decode(&raw) != nil {
			return list
		}
		list = append(list, field{name, raw})
	}
	return list
}

// lookup follows a dotted path through objects. A name that holds dots itself is found whole.
func lookup(object json.RawMessage, path string) json.RawMessage {
	members := fields(object)
	for _, f := range members {
		if f.name == path {
			return f.raw
		}
	}
	for _, f := range members {
		if rest, ok := strings.CutPrefix(path, f.name+"."); ok {
			return lookup(f.raw, rest)
		}
	}
	return nil
}

// cell is a value as a person reads it, and whether it is a number.
func cell(raw json.RawMessage) (text string, number bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "", false
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return clean(s), false
		}
	case '{':
		if members := fields(raw); len(members) == 1 && strings.HasPrefix(members[0].name, "$") {
			return wrapped(members[0])
		}
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) == nil {
		raw = compact.Bytes()
	}
	return clean(string(raw)), raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
}

// wrapped is a value of Extended JSON without its wrapper.
func wrapped(f field) (string, bool) {
	inner, _ := cell(f.raw)
	switch f.name {
	case "$date":
		if t, err := time.Parse(time.RFC3339Nano, inner); err == nil {
			return t.UTC().Format("2006-01-02 15:04:05"), false
		}
	case "$numberLong", "$numberInt", "$numberDouble", "$numberDecimal":
		return inner, true
	}
	return inner, false
}

// clean replaces what would move the cursor or hide text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(s, "·"))
}

// wide are the blocks whose characters take two columns (Unicode Standard Annex 11, without the rarest).
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0xa4cf, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1f9ff, 1}, {0x20000, 0x3fffd, 1}},
}

func runeWidth(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Width is the number of columns that a text without control characters takes.
func Width(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// fit cuts or pads a text to exactly width columns.
func fit(s string, width int, right bool) string {
	if Width(s) > width {
		s = cut(s, width)
	}
	pad := strings.Repeat(" ", width-Width(s))
	if right {
		return pad + s
	}
	return s + pad
}

// cut shortens a text to at most width columns; an ellipsis shows that something is missing.
func cut(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}
