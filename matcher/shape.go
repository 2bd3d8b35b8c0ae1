package matcher

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// shapeKeys make shapes of one process: no client can make two documents meet in one.
var shapeKeys = func() (k [4]uint64) {
	for i := range k {
		k[i] = maphash.Bytes(nameSeed, []byte{0, byte(i)}) // no name begins with that
	}
	return k
}()

// Shape is a hash of the names and types in the document, not of its values: documents of one shape show the same types
// at the same paths (VisitTypes), but for a chance of 2^-64. Other documents may have a shape of their own and show the
// same. It differs from process to process. It allocates nothing.
func (d *Document) Shape() uint64 { return d.shapeOf(0) }

// shapeOf is the shape of the value at a node. Of an array count the types of its plain elements, whatever their number,
// and the shapes of the others, of a run of equal ones the first.
func (d *Document) shapeOf(i int) uint64 {
	n := &d.tape[i]
	end := i + int(n.span)
	switch n.kind {
	case KindObject:
		h := shapeKeys[0]
		for c := i + 1; c < end; c += int(d.tape[c].span) {
			child := &d.tape[c]
			h = d.mixName(h, child)
			if child.span == 1 {
				h = mixShape(h, uint64(child.kind))
			} else {
				h = mixShape(h, d.shapeOf(c))
			}
		}
		return h
	case KindArray:
		h, last := shapeKeys[1], uint64(0)
		var plain TypeSet
		for c := i + 1; c < end; c += int(d.tape[c].span) {
			if kind := d.tape[c].kind; kind != KindObject && kind != KindArray {
				plain |= 1 << kind
			} else if s := d.shapeOf(c); s != last {
				h, last = mixShape(h, s), s
			}
		}
		return mixShape(h, uint64(plain))
	}
	return uint64(n.kind)
}

// mixName adds a field's name to a hash; one of up to eight bytes as a number.
func (d *Document) mixName(h uint64, n *tapeNode) uint64 {
	if n.nameLen > 8 {
		return h ^ maphash.Bytes(nameSeed, d.nameOf(n))
	}
	var word uint64
	if n.flags&flagNameInArena == 0 && int(n.name)+8 <= len(d.text) {
		word = binary.LittleEndian.Uint64(d.text[n.name:]) << (64 - 8*n.nameLen) // a shift by 64 leaves nothing
	} else {
		for _, c := range d.nameOf(n) {
			word = word>>8 | uint64(c)<<56
		}
	}
	return h ^ word ^ uint64(n.nameLen)*shapeKeys[1]
}

func mixShape(h, more uint64) uint64 {
	high, low := bits.Mul64(h^shapeKeys[2], more^shapeKeys[3])
	return high ^ low
}

// VisitTypes calls f with the types at each dotted path of the document, as a filter's path sees them: names lead through
// objects, and arrays are passed through at any depth, so that the types at an array's path are those of its elements and
// its own. A path may come more than once, each time with some of its types. Fields whose names hold a dot are left
// out, because no path leads to them. f must not keep the path.
func (d *Document) VisitTypes(f func(path []byte, types TypeSet)) {
	d.visitFields(d.Root(), make([]byte, 0, 128), f)
}

func (d *Document) visitFields(object Value, path []byte, f func(path []byte, types TypeSet)) {
	for v := object.First(); v.Exists(); v = v.Next() {
		name := v.Name()
		if bytes.IndexByte(name, '.') >= 0 {
			continue
		}
		at := path
		if object.node != 0 {
			at = append(at, '.')
		}
		at = append(at, name...)
		f(at, d.visitValue(v, at, f))
	}
}

// visitValue visits what is below v and returns the types of v itself.
func (d *Document) visitValue(v Value, path []byte, f func(path []byte, types TypeSet)) TypeSet {
	types := TypeSet(1) << v.Kind()
	switch v.Kind() {
	case KindObject:
		d.visitFields(v, path, f)
	case KindArray:
		for e := v.First(); e.Exists(); e = e.Next() {
			types |= d.visitValue(e, path, f)
		}
	}
	return types
}
