package matcher

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// MaxArrayPadding bounds the nulls that one update puts into an array so that an index exists.
const MaxArrayPadding = 10_000

// MaxUpdateSteps bounds the work of one update on the elements of arrays: the edits and the parts of conditions that are
// looked at, for each element anew, times what an element consists of; and bytes of text times the steps of the regular
// expressions that may search them.
const MaxUpdateSteps = 20_000_000

// Why a path leads nowhere. As in MongoDB that is an error for all operators but $unset, be there something to do at the
// path's end or not: a wrong path is a mistake.
const (
	noFields  = "the field %s has %s, which cannot hold other fields; set the whole field first"
	noElement = "the field %s is an array: %q names no element; use an index, $[], $[x] with arrayFilters, or set the whole field"
)

// updateWriter writes the document after an update. The first error stays.
type updateWriter struct {
	dst      []byte
	maxBytes int
	now      int64 // ms since 1970
	merged   map[elementSet]*updateNode
	steps    int // of MaxUpdateSteps
	err      error
}

func (e *updateWriter) fail(n *updateNode, format string, args ...any) {
	if e.err == nil {
		e.err = updateError(n.at, format, args...)
	}
}

// tooLarge reports whether so much is written that the document can only be refused: many padded arrays, or a large
// value that goes to many elements, stop before they take the memory.
func (e *updateWriter) tooLarge(n *updateNode) bool {
	if len(e.dst) <= e.maxBytes {
		return false
	}
	if e.err == nil {
		e.err = &Error{Code: CodeDocumentTooLarge, Path: n.at, Limit: int64(e.maxBytes), Detail: fmt.Sprintf(
			"the updated document has more than %d bytes (MaxDocumentBytes); split it, or raise the limit", e.maxBytes)}
	}
	return true
}

// spend counts work, and reports whether it may be done.
func (e *updateWriter) spend(n *updateNode, steps int) bool {
	if e.steps += steps; e.steps > MaxUpdateSteps && e.err == nil {
		e.err = &Error{Code: CodeUpdateInvalid, Path: n.at, Limit: MaxUpdateSteps, Detail: fmt.Sprintf(
			"the update takes more than %d steps (MaxUpdateSteps); split it, or use simpler conditions", MaxUpdateSteps)}
	}
	return e.err == nil
}

// open begins an object or array and returns what separates its parts.
func (e *updateWriter) open(c byte) (separate func()) {
	e.dst = append(e.dst, c)
	first := true
	return func() {
		if !first {
			e.dst = append(e.dst, ',')
		}
		first = false
	}
}

func (e *updateWriter) name(name []byte) { e.dst = append(AppendString(e.dst, name), ':') }

func (e *updateWriter) keep(v Value) { e.dst = AppendValue(e.dst, v, valuesStored) }

func (e *updateWriter) array(elements []Value) {
	separate := e.open('[')
	for _, v := range elements {
		separate()
		e.keep(v)
	}
	e.dst = append(e.dst, ']')
}

// dropsAtRoot reports whether a root's field is left out of what Apply returns: Compose writes it anew.
func dropsAtRoot(name []byte) bool {
	s := sharedString(name)
	return IsMetadataField(s) && s != fieldID && s != fieldACL
}

// editObject writes object v, which may be missing, as the edits in n make it.
func (e *updateWriter) editObject(v Value, n *updateNode, root bool) {
	separate := e.open('{')
	var present map[*updateNode]bool
	for f := v.First(); f.Exists(); f = f.Next() {
		if root && dropsAtRoot(f.Name()) {
			continue
		}
		c := n.child(f.Name())
		switch {
		case c == nil:
		case c.edit == edit(unsetEdit{}):
			continue
		case c.makes:
			if present == nil {
				present = make(map[*updateNode]bool)
			}
			present[c] = true
		}
		separate()
		e.name(f.Name())
		if c == nil {
			e.keep(f)
		} else {
			e.edit(f, c)
		}
	}
	for _, c := range n.makers {
		if !present[c] {
			separate()
			e.name([]byte(c.name))
			e.edit(Value{}, c)
		}
	}
	e.dst = append(e.dst, '}')
}

// edit writes the value v, which may be missing, as n makes it.
func (e *updateWriter) edit(v Value, n *updateNode) {
	switch k := v.Kind(); {
	case n.edit != nil:
		n.edit.apply(e, v, n)
	case n.elements:
		e.editElements(v, n)
	case k == KindArray:
		e.editArray(v, n)
	case k == KindObject || k == KindMissing:
		e.editObject(v, n, false)
	case n.strict:
		e.fail(n, noFields, n.path, describeKind(k))
	default:
		e.keep(v) // there is nothing to remove
	}
}

// editArray writes array v as the edits in n make it: their names are indexes.
func (e *updateWriter) editArray(v Value, n *updateNode) {
	if !e.spend(n, len(n.children)) {
		return
	}
	edits := make(map[int]*updateNode)
	length := v.Len()
	for _, c := range n.children {
		i, ok := elementIndex(c.name)
		switch {
		case ok && (i < length || c.makes):
			edits[i] = c
		case !ok && c.strict:
			e.fail(c, noElement, n.path, c.name)
			return
		}
	}
	end := length
	for _, i := range slices.Sorted(maps.Keys(edits)) {
		if i-end > MaxArrayPadding {
			if e.err != nil {
				return
			}
			e.err = &Error{Code: CodeUpdateInvalid, Path: edits[i].at, Limit: MaxArrayPadding, Detail: fmt.Sprintf(
				"the index %d of %s lies more than %d beyond the array's end (MaxArrayPadding); append nearer to it", i, n.path, MaxArrayPadding)}
			return
		}
		end = max(end, i+1)
	}
	separate := e.open('[')
	element := v.First()
	for i := range end {
		if e.tooLarge(n) {
			return
		}
		separate()
		if c := edits[i]; c != nil {
			e.edit(element, c)
		} else {
			e.keep(element) // null beyond the end
		}
		element = element.Next()
	}
	e.dst = append(e.dst, ']')
}

// elementIndex reads an index as MongoDB's paths have it: decimal digits without superfluous zeros.
func elementIndex(name string) (i int, ok bool) {
	if name == "" || len(name) > 9 || len(name) > 1 && name[0] == '0' {
		return 0, false
	}
	u, err := strconv.ParseUint(name, 10, 32)
	return int(u), err == nil
}
