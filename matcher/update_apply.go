package matcher

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// updateWriter writes the document after an update. The first error stays.
type updateWriter struct {
	dst      []byte
	maxBytes int
	err      error
}

func (e *updateWriter) fail(n *updateNode, format string, args ...any) {
	if e.err == nil {
		e.err = updateError(n.at, format, args...)
	}
}

func (e *updateWriter) tooLarge(n *updateNode) {
	if e.err == nil {
		e.err = &Error{Code: CodeDocumentTooLarge, Path: n.at, Limit: int64(e.maxBytes), Detail: fmt.Sprintf(
			"the updated document has more than %d bytes (MaxDocumentBytes); split it, or raise the limit", e.maxBytes)}
	}
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

// dropsAtRoot reports whether a root's field is left out of what Apply returns: Compose writes it anew.
func dropsAtRoot(name []byte) bool {
	s := sharedString(name)
	return IsMetadataField(s) && s != fieldID && s != fieldACL
}

// editObject writes object v, which may be missing, as the edits in n make it.
func (e *updateWriter) editObject(v Value, n *updateNode, root bool) {
	separate := e.open('{')
	child, present := n.finder(), make(map[*updateNode]bool, len(n.children))
	for f := v.First(); f.Exists(); f = f.Next() {
		if root && dropsAtRoot(f.Name()) {
			continue
		}
		c := child(f.Name())
		if c != nil {
			present[c] = true
			if c.operator == updateUnset {
				continue
			}
		}
		separate()
		e.name(f.Name())
		if c == nil {
			e.keep(f)
		} else {
			e.edit(f, c)
		}
	}
	for _, c := range n.children {
		if c.creates && !present[c] {
			separate()
			e.name([]byte(c.name))
			e.edit(Value{}, c)
		}
	}
	e.dst = append(e.dst, '}')
}

// edit writes the value v, which may be missing, as n makes it. n does not remove it.
func (e *updateWriter) edit(v Value, n *updateNode) {
	switch n.operator {
	case updateSet:
		e.keep(n.operand)
	case updateInc:
		e.increment(v, n)
	default:
		switch k := v.Kind(); {
		case k == KindArray:
			e.editArray(v, n)
		case k == KindObject || k == KindMissing:
			e.editObject(v, n, false)
		case n.creates:
			e.fail(n, "the field %s has %s, which cannot hold other fields; set the whole field first", n.path, describeKind(k))
		default:
			e.keep(v) // there is nothing to remove
		}
	}
}

func (e *updateWriter) increment(v Value, n *updateNode) {
	if !v.Exists() {
		e.keep(n.operand)
		return
	}
	if !v.IsNumber() {
		e.fail(n, "the field %s has %s, which $inc cannot add to; $set a number first", n.path, describeKind(v.Kind()))
		return
	}
	sum, err := numberOf(v).add(numberOf(n.operand))
	if err != nil {
		e.fail(n, "$inc of %s by %s: %v; use a smaller step, or a double", n.path, shorten(n.operand.Raw()), err)
		return
	}
	e.dst = sum.append(e.dst, valuesStored)
}

// editArray writes array v as the edits in n make it: their names are indexes.
func (e *updateWriter) editArray(v Value, n *updateNode) {
	edits := make(map[int]*updateNode, len(n.children))
	length := v.Len()
	for _, c := range n.children {
		i, ok := elementIndex(c.name)
		switch {
		case ok && (i < length || c.creates):
			edits[i] = c
		case !ok && c.creates:
			e.fail(c, "the field %s is an array: %q names no element; use an index, or set the whole field", n.path, c.name)
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
		if len(e.dst) > e.maxBytes { // many padded arrays: stop before they take the memory
			e.tooLarge(n)
			return
		}
		separate()
		switch c := edits[i]; {
		case c != nil && c.operator == updateUnset:
			e.dst = append(e.dst, "null"...) // MongoDB: the other elements keep their places
		case c != nil:
			e.edit(element, c)
		default:
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

// mergeObject writes v merged with the object patch; v counts as empty if it is no object.
func (e *updateWriter) mergeObject(v, patch Value, root bool) {
	separate := e.open('{')
	field, patched := fieldFinder(v), fieldFinder(patch)
	for f := v.First(); v.Kind() == KindObject && f.Exists(); f = f.Next() {
		if root && dropsAtRoot(f.Name()) {
			continue
		}
		p := patched(f.Name())
		if p.IsNull() {
			continue
		}
		separate()
		e.name(f.Name())
		if p.Exists() {
			e.merge(f, p)
		} else {
			e.keep(f)
		}
	}
	for p := patch.First(); p.Exists(); p = p.Next() {
		if !p.IsNull() && !field(p.Name()).Exists() {
			separate()
			e.name(p.Name())
			e.merge(Value{}, p)
		}
	}
	e.dst = append(e.dst, '}')
}

func (e *updateWriter) merge(v, patch Value) {
	if patch.Kind() == KindObject {
		e.mergeObject(v, patch, false)
		return
	}
	e.keep(patch)
}
