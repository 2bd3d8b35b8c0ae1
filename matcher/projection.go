package matcher

import (
	"bytes"
	"slices"
	"strings"
)

// Projection says which fields of a document a client sees (MongoDB manual: "Project Fields to Return"). It either
// names the fields that are shown or those that are left out. Of the metadata fields only `_id` is shown unless others
// are named. Arrays can be cut to a slice, or to the first element that a condition accepts. It is immutable. A nil
// *Projection shows everything.
type Projection struct {
	root    *projectionNode
	matches []*projectionNode // fields of the root with $elemMatch
	work    filterWork        // of all of those
}

// projectionNode is one name of a dotted path. One without children is the end of a path: it is the whole field, or
// what slice or first leave of it.
type projectionNode struct {
	name     string
	exclude  bool              // fields that are not named are shown; at the end of a path: the field is left out
	children []*projectionNode // sorted by name
	slice    *arraySlice       // $slice
	first    *elementMatch     // $elemMatch

	anyDocument bool // a root's: as QuerySpec has it
}

// isHidden reports whether a field of that name, at the root, is shown only if it is named.
func isHidden(name string, anyDocument bool) bool {
	return name == fieldID || !anyDocument && IsMetadataField(name)
}

// child is the child of that name, nil if there is none.
func (n *projectionNode) child(name []byte) *projectionNode {
	i, found := slices.BinarySearchFunc(n.children, name, func(c *projectionNode, name []byte) int {
		return strings.Compare(c.name, sharedString(name))
	})
	if !found {
		return nil
	}
	return n.children[i]
}

// add puts child c in its place. There is none of its name.
func (n *projectionNode) add(c *projectionNode) {
	i, _ := slices.BinarySearchFunc(n.children, c.name, func(c *projectionNode, name string) int {
		return strings.Compare(c.name, name)
	})
	n.children = slices.Insert(n.children, i, c)
}

// selects reports whether n is the end of a path that shows some elements of an array.
func (n *projectionNode) selects() bool { return n.slice != nil || n.first != nil }

// Normal is the normal form: two projections that show the same have the same one. That of everything is empty.
func (p *Projection) Normal() string {
	if p == nil {
		return ""
	}
	if !p.root.exclude {
		return string(append(p.root.appendNormal([]byte(`{"show":`), false), '}'))
	}
	dst := append(p.root.appendNormal([]byte(`{"hide":`), false), `,"show":`...)
	return string(append(p.root.appendNormal(dst, true), '}'))
}

// appendNormal writes the children of n: metadata fields alone, or in a root that leaves out the others alone.
func (n *projectionNode) appendNormal(dst []byte, metadata bool) []byte {
	dst = append(dst, '{')
	for _, c := range n.children {
		if n.exclude && c.exclude == metadata {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, []byte(c.name)), ':')
		switch {
		case c.slice != nil:
			dst = c.slice.appendNormal(dst)
		case c.first != nil:
			dst = c.first.appendNormal(dst)
		case len(c.children) == 0:
			dst = append(dst, '1')
		default:
			dst = c.appendNormal(dst, false)
		}
	}
	return append(dst, '}')
}

// AppendDocument appends d as the projection shows it, with its values in the given form. Fields keep their order.
func (p *Projection) AppendDocument(dst []byte, d *Document, form Values) []byte {
	if p == nil {
		return AppendValue(dst, d.Root(), form)
	}
	return p.root.append(dst, d.Root(), form)
}

// append appends what n shows of v, an object or an array.
func (n *projectionNode) append(dst []byte, v Value, form Values) []byte {
	open, end := byte('{'), byte('}')
	if v.Kind() == KindArray {
		open, end = '[', ']'
	}
	dst = append(dst, open)
	for c := n.cursor(v); c.value.Exists(); c.next() {
		if dst[len(dst)-1] != open {
			dst = append(dst, ',')
		}
		if open == '{' {
			dst = append(AppendString(dst, c.value.Name()), ':')
		}
		if c.inside == nil {
			dst = AppendValue(dst, c.value, form)
		} else {
			dst = c.inside.append(dst, c.value, form)
		}
	}
	return append(dst, end)
}

// Same reports whether a and b look the same through the projection: the same fields in the same order with the same
// values, 1 and 1.0 told apart.
func (p *Projection) Same(a, b *Document) bool {
	if p == nil {
		return identical(a.Root(), b.Root())
	}
	return p.root.same(a.Root(), b.Root())
}

func (n *projectionNode) same(a, b Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	if bytes.Equal(a.Raw(), b.Raw()) {
		return true
	}
	x, y := n.cursor(a), n.cursor(b)
	for x.value.Exists() && y.value.Exists() {
		if !bytes.Equal(x.value.Name(), y.value.Name()) { // of one name, inside differs only where the kinds do
			return false
		}
		if x.inside == nil && !identical(x.value, y.value) || x.inside != nil && !x.inside.same(x.value, y.value) {
			return false
		}
		x.next()
		y.next()
	}
	return !x.value.Exists() && !y.value.Exists()
}

// projectionCursor goes through what a node shows of an object or array.
type projectionCursor struct {
	of     *projectionNode // of the object or array
	root   bool            // it is the document
	array  bool
	left   int             // of a selection: elements still to come
	value  Value           // what is shown; missing at the end
	inside *projectionNode // nil if value is shown whole, else what is shown of it: it is an object or an array
}

// cursor stands at the first value that n shows of v.
func (n *projectionNode) cursor(v Value) projectionCursor {
	c := projectionCursor{of: n, root: v.node == 0, array: v.Kind() == KindArray}
	if n.selects() {
		c.value, c.left = n.selected(v)
		return c
	}
	c.value = v.First()
	c.find()
	return c
}

// selected is the first element that is shown of an array, and how many are.
func (n *projectionNode) selected(v Value) (first Value, count int) {
	if n.first != nil {
		if first = n.first.find(v); first.Exists() {
			count = 1
		}
		return first, count
	}
	from, to := n.slice.bounds(v.Len())
	if from == to {
		return Value{}, 0
	}
	return v.Index(from), to - from
}

func (c *projectionCursor) next() {
	c.value = c.value.Next()
	if c.of.selects() {
		if c.left--; c.left == 0 {
			c.value = Value{}
		}
		return
	}
	c.find()
}

// find goes on to the next value that is shown, the one where it stands included. The elements of an array are projected
// as the array's field is.
func (c *projectionCursor) find() {
	for ; c.value.Exists(); c.value = c.value.Next() {
		of := c.of
		if !c.array {
			if of = of.child(c.value.Name()); of == nil {
				if c.inside = nil; c.of.exclude && !(c.root && isHidden(sharedString(c.value.Name()), c.of.anyDocument)) {
					return
				}
				continue
			}
		}
		if shown, inside := of.shows(c.value); shown {
			c.inside = inside
			return
		}
	}
}

// shows reports whether the value at n's place is shown; inside as in projectionCursor.
func (n *projectionNode) shows(v Value) (shown bool, inside *projectionNode) {
	k := v.Kind()
	switch {
	case n.slice != nil && k != KindArray:
		return true, nil
	case n.slice != nil:
		return true, n
	case n.first != nil:
		return n.first.find(v).Exists(), n
	case len(n.children) == 0:
		return !n.exclude, nil
	case k == KindObject || k == KindArray:
		return true, n
	}
	return n.exclude, nil
}
