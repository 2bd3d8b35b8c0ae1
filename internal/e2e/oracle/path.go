package oracle

import "strconv"

// candidates returns the values that a predicate on a dotted path looks at: the predicate holds if it holds for one of
// them. Arrays on the way are gone through (their objects, and the element that a numeric step names). At the end of
// the path an array stands for its elements and for itself; with whole it stands for itself alone ($size, $elemMatch).
// Missing says that the path led nowhere; an array without objects on the way gives nothing at all.
func candidates(doc Object, path []string, whole bool) []any {
	w := walker{whole: whole}
	w.object(doc, path)
	return w.found
}

type walker struct {
	whole bool
	found []any
}

func (w *walker) object(o Object, path []string) {
	v, ok := o.Get(path[0])
	if !ok {
		w.found = append(w.found, Missing{})
		return
	}
	if len(path) == 1 {
		w.end(v)
		return
	}
	switch v := v.(type) {
	case Object:
		w.object(v, path[1:])
	case []any:
		w.array(v, path[1:])
	default:
		w.found = append(w.found, Missing{})
	}
}

func (w *walker) array(a []any, path []string) {
	for i, e := range a {
		if o, ok := e.(Object); ok {
			w.object(o, path)
		}
		if path[0] != strconv.Itoa(i) {
			continue
		}
		if len(path) == 1 {
			w.found = append(w.found, e) // named by its number, an array is not opened
			continue
		}
		switch e := e.(type) {
		case Object:
			w.object(e, path[1:])
		case []any:
			w.array(e, path[1:])
		}
	}
}

func (w *walker) end(v any) {
	if a, ok := v.([]any); ok && !w.whole {
		w.found = append(w.found, a...)
	}
	w.found = append(w.found, v)
}
