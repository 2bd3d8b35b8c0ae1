package matcher

import "math"

// builder makes a document out of computed values. The document has no text, so Raw of its values is empty; start and end
// of its objects and arrays are places in the arena, which say how many bytes lie in them. All else works as for a parsed
// one.
//
// Values are appended in order. An object or array is opened, its children are appended, and it is closed. Whatever is
// made counts as steps of the evaluation; when those are used up, nothing more is appended and done fails.
type builder struct {
	e    *evaluation
	err  error
	d    *Document
	name []byte // of the field whose value comes next
	open []int  // nodes of the objects and arrays that are open
	last []int  // the last child of each, -1 if there is none yet
}

func newBuilder(e *evaluation) *builder { return &builder{e: e, d: &Document{}} }

// begun is a builder of one object or array.
func begun(e *evaluation, kind Kind) *builder {
	b := newBuilder(e)
	b.begin(kind)
	return b
}

// done is what was built: the root. What is still open is closed.
func (b *builder) done() (Value, error) {
	for len(b.open) > 0 {
		b.end()
	}
	if b.err != nil {
		return Value{}, b.err
	}
	b.d.tape[0].flags |= flagLast
	return b.d.Root(), nil
}

// push appends a node below what is open.
func (b *builder) push(n tapeNode) int {
	i := len(b.d.tape)
	if b.err == nil {
		b.err = b.e.step(1)
	}
	if len(b.name) > 0 {
		n.name, n.nameLen = uint32(len(b.d.arena)), uint32(len(b.name))
		n.flags |= flagNameInArena
		b.d.arena = append(b.d.arena, b.name...)
		b.name = nil
	}
	b.d.tape = append(b.d.tape, n)
	if top := len(b.open) - 1; top >= 0 {
		b.d.tape[b.open[top]].number++
		b.last[top] = i
	}
	return i
}

// field names the value that comes next.
func (b *builder) field(name []byte) { b.name = name }

func (b *builder) begin(kind Kind) {
	i := b.push(tapeNode{kind: kind, span: 1, start: uint32(len(b.d.arena))})
	b.open, b.last = append(b.open, i), append(b.last, -1)
}

func (b *builder) end() {
	top := len(b.open) - 1
	self, last := b.open[top], b.last[top]
	b.open, b.last = b.open[:top], b.last[:top]
	b.d.tape[self].span = uint32(len(b.d.tape) - self)
	b.d.tape[self].end = uint32(len(b.d.arena))
	if last >= 0 {
		b.d.tape[last].flags |= flagLast
	}
}

// scalar appends a value whose node is its number.
func (b *builder) scalar(kind Kind, number uint64) {
	b.push(tapeNode{kind: kind, span: 1, number: number})
}

func (b *builder) bytes(kind Kind, bytes []byte) {
	if b.err == nil {
		b.err = b.e.step(len(bytes) / stepBytes)
	}
	if b.err != nil {
		return
	}
	place := uint64(len(b.d.arena))<<32 | uint64(len(bytes))
	b.d.arena = append(b.d.arena, bytes...)
	b.push(tapeNode{kind: kind, span: 1, number: place, flags: flagInArena})
}

func (b *builder) number(n number) {
	switch n.kind {
	case KindDouble:
		b.scalar(KindDouble, math.Float64bits(n.double))
	case KindDecimal:
		var buffer [decimalBytes]byte
		b.bytes(KindDecimal, appendDecimal(buffer[:0], n.decimal))
	default:
		b.scalar(n.kind, uint64(n.integer))
	}
}

// copy appends v with all that is in it; null for a missing value.
func (b *builder) copy(v Value) {
	kind := v.Kind()
	switch kind {
	case KindMissing:
		b.scalar(KindNull, 0)
	case KindObject, KindArray:
		b.begin(kind)
		for c := v.First(); c.Exists() && b.err == nil; c = c.Next() {
			b.field(c.Name())
			b.copy(c)
		}
		b.end()
	case KindString, KindObjectID:
		b.bytes(kind, v.Bytes())
	case KindBinary:
		if b.bytes(kind, v.Bytes()); b.err == nil {
			b.d.tape[len(b.d.tape)-1].aux = v.Subtype()
		}
	case KindRegex:
		if b.bytes(kind, append(append([]byte{}, v.Bytes()...), v.Options()...)); b.err != nil {
			return
		}
		n := &b.d.tape[len(b.d.tape)-1]
		n.number -= uint64(len(v.Options()))
		n.aux = uint8(len(v.Options()))
	case KindDecimal:
		b.number(numberOf(v))
	default:
		b.scalar(kind, v.at().number)
	}
}

// Values of one node.

func scalarValue(kind Kind, number uint64) Value {
	return (&Document{tape: []tapeNode{{kind: kind, span: 1, flags: flagLast, number: number}}}).Root()
}

var (
	valueTrue  = scalarValue(KindBool, 1)
	valueFalse = scalarValue(KindBool, 0)
	valueNull  = scalarValue(KindNull, 0)
)

func boolValue(b bool) Value {
	if b {
		return valueTrue
	}
	return valueFalse
}

func dateValue(ms int64) Value                    { return scalarValue(KindDate, uint64(ms)) }
func doubleValue(f float64) Value                 { return scalarValue(KindDouble, math.Float64bits(f)) }
func int64Value(i int64) Value                    { return scalarValue(KindInt64, uint64(i)) }
func int32Value[I int | int32 | int64](i I) Value { return scalarValue(KindInt32, uint64(int64(i))) }

func bytesValue(kind Kind, bytes []byte) Value {
	d := &Document{arena: bytes, tape: []tapeNode{{kind: kind, span: 1, flags: flagLast | flagInArena, number: uint64(len(bytes))}}}
	return d.Root()
}

// textValue is a string. It keeps text, which must not change any more.
func textValue(text []byte) Value { return bytesValue(KindString, text) }

func numberValue(n number) Value {
	switch n.kind {
	case KindDouble:
		return doubleValue(n.double)
	case KindDecimal:
		return bytesValue(KindDecimal, appendDecimal(nil, n.decimal))
	}
	return scalarValue(n.kind, uint64(n.integer))
}
