package matcher

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Bounds of a declaration.
const (
	MaxDeclaredFields    = 100 // paths
	MaxDeclaredPathBytes = 256 // of one path
)

// Dates are the dotted paths at which a collection declares its documents to hold dates, so that an ISO 8601 text may
// stand for one. A path leads through objects, and through arrays, at its end too, to their elements, at any depth. A nil
// Dates declares nothing. It is immutable.
type Dates struct{ root *dateNode }

// dateNode is one name of a declared path. Either its value is a date, or fields of it may be.
type dateNode struct {
	date   bool
	fields map[string]*dateNode
}

// DeclareDates checks the paths and returns what they declare; nil if there are none. A path has names that are neither
// empty nor numbers and begin with no $, the first of them no metadata field; none leads through another one. The path of
// an error is the JSON pointer into an object that has the paths as names.
func DeclareDates(paths []string) (*Dates, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	if len(paths) > MaxDeclaredFields {
		return nil, &Error{Code: CodeFieldInvalid, Limit: MaxDeclaredFields, Detail: fmt.Sprintf(
			"%d fields are declared, at most %d may be (MaxDeclaredFields); leave some out", len(paths), MaxDeclaredFields)}
	}
	d := &Dates{root: &dateNode{}}
	for _, path := range slices.Sorted(slices.Values(paths)) { // in one order, for one error
		if err := d.declare(path); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Dates) declare(path string) error {
	bad := func(limit int, format string, args ...any) error {
		return &Error{Code: CodeFieldInvalid, Path: PointerStep(path), Limit: int64(limit), Detail: fmt.Sprintf(format, args...)}
	}
	names := strings.Split(path, ".")
	switch {
	case len(path) > MaxDeclaredPathBytes:
		return bad(MaxDeclaredPathBytes, "the path has %d bytes, at most %d are allowed (MaxDeclaredPathBytes); shorten it", len(path), MaxDeclaredPathBytes)
	case IsMetadataField(names[0]):
		return bad(0, "%s is kept by the server, which knows its type; leave it out", names[0])
	}
	n := d.root
	for i, name := range names {
		switch {
		case name == "":
			return bad(0, "the path %q has an empty name; write names apart by single dots, as in \"meta.seen\"", path)
		case name[0] == '$':
			return bad(0, "the name %q begins with $; declare fields of documents only", name)
		case pathIndex(name) >= 0:
			return bad(0, "the name %q is a number; a path leads to all elements of an array by the array's own name", name)
		}
		if n.date {
			return bad(0, "the path leads through %q, which is declared as well; declare one of them", strings.Join(names[:i], "."))
		}
		next := n.fields[name]
		if next == nil {
			if n.fields == nil {
				n.fields = map[string]*dateNode{}
			}
			next = &dateNode{}
			n.fields[name] = next
		}
		n = next
	}
	if n.date || n.fields != nil {
		return bad(0, "another declared path is %q or leads through it; declare one of them", path)
	}
	n.date = true
	return nil
}

// tree is where a path from the root begins; nil if nothing is declared.
func (d *Dates) tree() *dateNode {
	if d == nil {
		return nil
	}
	return d.root
}

// follow is where a query's path leads to from n, nil if nothing is declared there. A number in the path is the index of
// an element.
func (n *dateNode) follow(segments []segment) *dateNode {
	for _, s := range segments {
		if n != nil && s.index < 0 {
			n = n.fields[s.name]
		}
	}
	return n
}

// followNames is follow for a path that has been split.
func (n *dateNode) followNames(names []string) *dateNode {
	for _, name := range names {
		if n != nil && pathIndex(name) < 0 {
			n = n.fields[name]
		}
	}
	return n
}

// named is a tree with n alone in it, under a name.
func (n *dateNode) named(name string) *dateNode {
	if n == nil {
		return nil
	}
	return &dateNode{fields: map[string]*dateNode{name: n}}
}

// Convert returns document with a date for every text at a declared path; document itself if there is none. A value there
// that is neither a date, null, an ISO 8601 text (ParseDate) nor an array of these is refused: CodeTypeMismatch, with the
// path of the value in the document.
func (d *Dates) Convert(document *Document, limits Limits) (*Document, error) {
	if d == nil {
		return document, nil
	}
	w := dateWriter{text: document.text, strict: true}
	if bad := w.value(document.Root(), d.root); bad != nil {
		return nil, bad
	}
	if w.dst == nil {
		return document, nil
	}
	converted, err := Parse(w.finish(len(document.text)), limits)
	if err != nil {
		return nil, fmt.Errorf("parse the document with its dates: %w", err)
	}
	return converted, nil
}

// constant is v, which a query compares with what stands at n, with a date for every text at a declared place. Values of
// other types stay: they compare as they do.
func (n *dateNode) constant(v Value, at *place, code string) (Value, error) {
	return n.convert(v, at, code, v)
}

// operand is constant for the operand of an update operator, in which the values may stand below $each.
func (n *dateNode) operand(v Value, at *place) (Value, error) {
	values := v
	if each := v.Field("$each"); each.Exists() {
		values = each
		at = at.field("$each")
	}
	return n.convert(v, at, CodeTypeMismatch, values)
}

// convert is whole with the texts in part, which is whole or lies in it, converted.
func (n *dateNode) convert(whole Value, at *place, code string, part Value) (Value, error) {
	if n == nil {
		return whole, nil
	}
	begin, end := int(whole.at().start), int(whole.at().end)
	w := dateWriter{text: whole.document.text, from: begin}
	if bad := w.value(part, n); bad != nil {
		bad.Code, bad.Path = code, at.pointer()+bad.Path
		return Value{}, bad
	}
	if w.dst == nil {
		return whole, nil
	}
	d, err := ParseValue(w.finish(end), parsedBefore)
	if err != nil {
		return Value{}, fmt.Errorf("parse a value with its dates: %w", err)
	}
	return d.Root(), nil
}

// parsedBefore are the limits for a text that is made of one that was parsed: none that matter.
var parsedBefore = Limits{MaxDocumentBytes: MaxTextBytes, MaxDocumentDepth: math.MaxInt32, MaxDocumentFields: math.MaxInt32}

// dateWriter copies a text with dates in the place of strings. As long as it finds none it writes nothing.
type dateWriter struct {
	text   []byte
	from   int // what stands before is written
	dst    []byte
	strict bool // other types than declared are refused
}

// value converts what is declared in v. The path of an error begins at v.
func (w *dateWriter) value(v Value, n *dateNode) *Error {
	kind := v.Kind()
	switch {
	case kind == KindArray:
		i := 0
		for e := v.First(); e.Exists(); e = e.Next() {
			if bad := w.value(e, n); bad != nil {
				bad.Path = fmt.Sprintf("/%d%s", i, bad.Path)
				return bad
			}
			i++
		}
	case n.date:
		return w.date(v)
	case kind == KindObject:
		for f := v.First(); f.Exists(); f = f.Next() {
			if field := n.fields[sharedString(f.Name())]; field != nil {
				if bad := w.value(f, field); bad != nil {
					bad.Path = PointerStep(string(f.Name())) + bad.Path
					return bad
				}
			}
		}
	}
	return nil
}

func (w *dateWriter) date(v Value) *Error {
	const example = `an ISO 8601 text such as "2026-01-31" or "2026-01-31T08:30:00Z", or {"$date":"2026-01-31T08:30:00Z"}`
	switch kind := v.Kind(); {
	case kind == KindString:
		ms, ok := ParseDate(v.Bytes())
		if !ok {
			return &Error{Code: CodeTypeMismatch, Detail: fmt.Sprintf(
				"the field is declared as a date, and %s is none; give %s", shorten(v.Raw()), example)}
		}
		w.dst = append(w.dst, w.text[w.from:v.at().start]...)
		w.dst = appendDateValue(w.dst, ms, valuesStored)
		w.from = int(v.at().end)
	case w.strict && kind != KindDate && kind != KindNull:
		return &Error{Code: CodeTypeMismatch, Detail: fmt.Sprintf(
			"the field is declared as a date, and %s is %s; give %s, or null", shorten(v.Raw()), describeKind(kind), example)}
	}
	return nil
}

// finish is the text up to end.
func (w *dateWriter) finish(end int) []byte { return append(w.dst, w.text[w.from:end]...) }
