package oracle

import (
	"slices"
	"strings"
)

// SortField is one part of a sort.
type SortField struct {
	Path       string
	Descending bool
}

// Query is a query as a client states it.
type Query struct {
	Filter Object
	Sort   []SortField
	Skip   int
	Limit  int      // 0: none
	Fields []string // inclusion, dotted paths allowed; nil: everything

	Collation *Collation // nil: strings compare by bytes
}

// Ordered reports whether the result is a list rather than a set.
func (q Query) Ordered() bool { return len(q.Sort) > 0 || q.Skip > 0 || q.Limit > 0 }

// SortText is the sort as JSON, "" where there is none.
func (q Query) SortText() string {
	if len(q.Sort) == 0 {
		return ""
	}
	o := Object{}
	for _, s := range q.Sort {
		direction := int64(1)
		if s.Descending {
			direction = -1
		}
		o = append(o, Field{s.Path, direction})
	}
	return string(Encode(o))
}

// Run returns the result over docs: matching, sorted (by the sort, then `_id`), cut, projected.
func (q Query) Run(docs []Object) ([]Object, error) {
	found, err := q.Matching(docs)
	if err != nil {
		return nil, err
	}
	found = found[min(q.Skip, len(found)):]
	if q.Limit > 0 {
		found = found[:min(q.Limit, len(found))]
	}
	for i, d := range found {
		found[i] = q.Project(d)
	}
	return found, nil
}

// Matching returns the matching documents, whole, in the query's order; skip and limit are not applied.
func (q Query) Matching(docs []Object) ([]Object, error) {
	matches, err := Filter(q.in(q.Filter))
	if err != nil {
		return nil, err
	}
	type entry struct {
		key []any
		doc Object
	}
	var found []entry
	for _, d := range docs {
		if compared := q.in(d); matches(compared) {
			found = append(found, entry{q.sortKey(compared), d})
		}
	}
	slices.SortFunc(found, func(a, b entry) int {
		for i, s := range q.Sort {
			c := compareSortValues(a.key[i], b.key[i])
			if s.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		x, _ := a.doc.Get("_id")
		y, _ := b.doc.Get("_id")
		return Compare(x, y)
	})
	out := make([]Object, 0, len(found))
	for _, e := range found {
		out = append(out, e.doc)
	}
	return out, nil
}

// emptyArray is what a sort sees in an empty array: it stands before null.
type emptyArray struct{}

func compareSortValues(a, b any) int {
	_, x := a.(emptyArray)
	_, y := b.(emptyArray)
	switch {
	case x && y:
		return 0
	case x:
		return -1
	case y:
		return 1
	}
	return Compare(a, b)
}

// sortKey takes, for each part, the least value that the path leads to, or the greatest where it is descending. Parts
// that go through the same array are taken apart from each other, so queries must not have two such parts.
func (q Query) sortKey(d Object) []any {
	var key []any
	for _, s := range q.Sort {
		values := sortValues(d, s.Path)
		if s.Descending {
			key = append(key, slices.MaxFunc(values, compareSortValues))
		} else {
			key = append(key, slices.MinFunc(values, compareSortValues))
		}
	}
	return key
}

func sortValues(d Object, path string) []any {
	var out []any
	for _, v := range candidates(d, strings.Split(path, "."), true) {
		a, ok := v.([]any)
		switch {
		case !ok:
			out = append(out, v)
		case len(a) == 0:
			out = append(out, emptyArray{})
		default:
			out = append(out, a...)
		}
	}
	if len(out) == 0 {
		return []any{Missing{}}
	}
	return out
}

// Project returns what a client of the query sees of a document.
func (q Query) Project(d Object) Object {
	if q.Fields == nil {
		return d
	}
	var paths [][]string
	for _, f := range q.Fields {
		paths = append(paths, strings.Split(f, "."))
	}
	out := include(d, paths)
	if id, ok := d.Get("_id"); ok {
		out = append(Object{{"_id", id}}, out.Without("_id")...)
	}
	return out
}

// include keeps the named paths, in the document's order. Arrays on the way keep their objects, each cut to the paths,
// and lose their other elements.
func include(o Object, paths [][]string) Object {
	out := Object{}
	for _, f := range o {
		var rest [][]string
		whole := false
		for _, p := range paths {
			if p[0] == f.Name {
				whole = whole || len(p) == 1
				rest = append(rest, p[1:])
			}
		}
		if whole {
			out = append(out, f)
		} else if len(rest) > 0 {
			if v, ok := includeIn(f.Value, rest); ok {
				out = append(out, Field{f.Name, v})
			}
		}
	}
	return out
}

func includeIn(v any, paths [][]string) (any, bool) {
	switch v := v.(type) {
	case Object:
		return include(v, paths), true
	case []any:
		out := []any{}
		for _, e := range v {
			if kept, ok := includeIn(e, paths); ok {
				out = append(out, kept)
			}
		}
		return out, true
	}
	return nil, false
}
