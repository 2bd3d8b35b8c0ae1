package matcher

import (
	"math"
	"slices"
	"strings"
)

// MaxSortKeys bounds the fields of one sort.
const MaxSortKeys = 32

// sortKey is one field of a sort.
type sortKey struct {
	path       path
	descending bool
	collation  *collation // of the strings; nil where they compare by bytes
	near       *nearTest  // the distance is sorted by, and path says so: only where the filter gives the order
}

// compileSort reads a sort: {"date":-1,"title":1}, where the order of the text counts, [["date",-1],["title",1]], or
// the text "-date,title". It returns nil for no sort.
func compileSort(text []byte, limits Limits, collation *collation) ([]sortKey, error) {
	s := newSortCompiler(collation)
	return s.compile(text, limits)
}

func newSortCompiler(collation *collation) *sortCompiler {
	return &sortCompiler{collation: collation, code: CodeQueryInvalid, whole: "the sort", field: "the sort field"}
}

// compileKeys reads the keys of an index, which are written as a sort is.
func compileKeys(text []byte, limits Limits) ([]sortKey, error) {
	s := sortCompiler{code: CodeIndexInvalid, whole: "keys", field: "the key"}
	return s.compile(text, limits)
}

func (s *sortCompiler) compile(text []byte, limits Limits) ([]sortKey, error) {
	if text == nil {
		return nil, nil
	}
	d, err := parseQueryText(text, limits)
	if err != nil {
		return nil, err
	}
	var at *place
	switch root := d.Root(); root.Kind() {
	case KindObject:
		for v := root.First(); v.Exists() && err == nil; v = v.Next() {
			name := string(v.Name())
			err = s.key(name, v, at.field(name))
		}
	case KindArray:
		i := 0
		for v := root.First(); v.Exists() && err == nil; v = v.Next() {
			at := at.element(i)
			if i++; v.Kind() != KindArray || v.Len() != 2 || v.First().Kind() != KindString {
				return nil, s.invalid(at, `a member of %s is %s; a pair of field and direction is needed, such as ["date",-1]`, s.whole, shorten(v.Raw()))
			}
			err = s.key(string(v.Index(0).Bytes()), v.Index(1), at)
		}
	case KindString:
		for name := range strings.SplitSeq(string(root.Bytes()), ",") {
			field, descending := strings.CutPrefix(strings.TrimSpace(name), "-")
			if err = s.add(field, descending, at); err != nil {
				break
			}
		}
	default:
		return nil, s.invalid(at, `%s is %s; use {"date":-1,"title":1} or [["date",-1],["title",1]]`, s.whole, describeKind(root.Kind()))
	}
	if err != nil || len(s.keys) == 0 {
		return nil, err
	}
	return s.keys, nil
}

// withID ends keys with `_id` by bytes, which is appended where it is missing (under a collation even behind an `_id` that
// the sort names: two that collate alike are two still); what stands behind `_id` could never decide anything and is left
// out.
func withID(keys []sortKey) []sortKey {
	isID := func(k sortKey) bool { return k.path.text == "_id" }
	last := sortKey{path: path{text: "_id", segments: []segment{{name: "_id", index: -1}}}}
	if i := slices.IndexFunc(keys, isID); i >= 0 {
		keys = keys[:i+1]
		if keys[i].collation == nil {
			return keys
		}
		last.descending = keys[i].descending
	}
	return append(keys, last)
}

type sortCompiler struct {
	keys      []sortKey
	collation *collation

	code         string // of errors
	whole, field string // what they call the list and its members
}

func (s *sortCompiler) invalid(at *place, format string, args ...any) error {
	return at.fail(s.code, 0, format, args...)
}

func (s *sortCompiler) key(field string, direction Value, at *place) error {
	f := direction.Float64()
	if !direction.IsNumber() || math.Abs(f) != 1 {
		return s.invalid(at, "the direction of %s %q is %s; it must be 1 (ascending) or -1 (descending)", s.field, field, shorten(direction.Raw()))
	}
	return s.add(field, f < 0, at)
}

func (s *sortCompiler) add(field string, descending bool, at *place) error {
	switch {
	case len(s.keys) == MaxSortKeys:
		return at.tooLarge(MaxSortKeys, "%s has more than %d fields (MaxSortKeys); leave some out", s.whole, MaxSortKeys)
	case strings.HasPrefix(field, "$"):
		return s.invalid(at, "%s %q begins with $; give the name of a field", s.field, field)
	case slices.Contains(strings.Split(field, "."), ""):
		return s.invalid(at, "%s %q has an empty name in it; names stand between dots", s.field, field)
	case slices.ContainsFunc(s.keys, func(k sortKey) bool { return k.path.text == field }):
		return s.invalid(at, "%s %q stands twice; give it once", s.field, field)
	}
	p, err := parsePath(field, at)
	if err != nil {
		return err
	}
	s.keys = append(s.keys, sortKey{path: p, descending: descending, collation: s.collation})
	return nil
}

// appendNormal writes a sort as [["date",-1],["_id",1]].
func appendNormalSort(dst []byte, keys []sortKey) []byte {
	dst = append(dst, '[')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(append(dst, '['), []byte(k.path.text))
		if k.descending {
			dst = append(dst, ",-1]"...)
		} else {
			dst = append(dst, ",1]"...)
		}
	}
	return append(dst, ']')
}
