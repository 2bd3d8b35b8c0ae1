package matcher

import "math"

// Kind is the type of a value, in the terms of MongoDB. The numbers are ours, and stand in stored sets of types: a new kind
// comes at the end. TypeOrder gives MongoDB's order.
type Kind uint8

const (
	KindMissing Kind = iota // no value at all; the zero Value
	KindMinKey
	KindNull
	KindInt32 // {"$numberInt"} only
	KindInt64 // an integer literal within 64 bits, {"$numberLong"}
	KindDouble
	KindDecimal
	KindString
	KindObject
	KindArray
	KindBinary
	KindObjectID
	KindBool
	KindDate
	KindTimestamp
	KindRegex
	KindMaxKey
)

var kindNames = [...]string{"missing", "minKey", "null", "int", "long", "double", "decimal", "string", "object", "array",
	"binData", "objectId", "bool", "date", "timestamp", "regex", "maxKey"}

// String is the kind's name as MongoDB's $type knows it.
func (k Kind) String() string { return kindNames[k] }

// describeKind is the kind for a sentence, with its article.
func describeKind(k Kind) string {
	switch k {
	case KindMissing, KindMinKey, KindNull, KindMaxKey:
		return k.String()
	case KindInt32, KindInt64:
		return "an integer"
	case KindObject, KindArray:
		return "an " + k.String()
	case KindObjectID:
		return "an ObjectId"
	case KindBinary:
		return "a binary"
	}
	return "a " + k.String()
}

// typeOrder is MongoDB's order of types (manual: "Comparison/Sort Order"). The numbers begin the parts of sort keys:
// they lie above the bytes that end a list, and apart, so that a later type finds a place.
var typeOrder = [...]uint8{
	KindMinKey:    0x08,
	KindMissing:   0x10,
	KindNull:      0x10,
	KindInt32:     0x18,
	KindInt64:     0x18,
	KindDouble:    0x18,
	KindDecimal:   0x18,
	KindString:    0x20,
	KindObject:    0x28,
	KindArray:     0x30,
	KindBinary:    0x38,
	KindObjectID:  0x40,
	KindBool:      0x48,
	KindDate:      0x50,
	KindTimestamp: 0x58,
	KindRegex:     0x60,
	KindMaxKey:    0x68,
}

// TypeOrder is the place of a kind in MongoDB's order of types: kinds with the same place are one type bracket.
func TypeOrder(k Kind) int { return int(typeOrder[k]) }

// Value is a cursor on one value of a Document: small, copied freely, never allocating. The zero Value is missing.
type Value struct {
	document *Document
	node     int32
}

// at is the value's node. The value must exist.
func (v Value) at() *tapeNode { return &v.document.tape[v.node] }

// Kind is the value's type.
func (v Value) Kind() Kind {
	if v.document == nil {
		return KindMissing
	}
	return v.at().kind
}

// Exists is false for the missing value alone.
func (v Value) Exists() bool { return v.document != nil }

// IsNumber reports whether v is an int32, int64, double or decimal.
func (v Value) IsNumber() bool { k := v.Kind(); return k >= KindInt32 && k <= KindDecimal }

// IsNull reports whether v is null. The missing value is not.
func (v Value) IsNull() bool { return v.Kind() == KindNull }

// Len is the number of fields of an object or of elements of an array; else 0.
func (v Value) Len() int {
	if k := v.Kind(); k == KindObject || k == KindArray {
		return int(v.at().number)
	}
	return 0
}

// Field is an object's field of that name, missing if there is none; of a name that stands twice, the last.
func (v Value) Field(name string) Value {
	if v.Kind() != KindObject {
		return Value{}
	}
	tape := v.document.tape
	end := v.node + int32(tape[v.node].span)
	for i := v.node + 1; i < end; i += int32(tape[i].span) {
		if int(tape[i].nameLen) == len(name) && string(v.document.nameOf(&tape[i])) == name {
			return Value{v.document, i}
		}
	}
	return Value{}
}

// Index is an array's element i, missing if there is none. It walks: use First and Next to see all.
func (v Value) Index(i int) Value {
	if v.Kind() != KindArray || i < 0 || i >= v.Len() {
		return Value{}
	}
	tape, n := v.document.tape, v.node+1
	for ; i > 0; i-- {
		n += int32(tape[n].span)
	}
	return Value{v.document, n}
}

// First is the first field or element; missing if there is none.
func (v Value) First() Value {
	if v.Len() == 0 {
		return Value{}
	}
	return Value{v.document, v.node + 1}
}

// Next is the next field or element of the object or array that holds v; missing after the last.
func (v Value) Next() Value {
	if v.document == nil || v.at().flags&flagLast != 0 {
		return Value{}
	}
	return Value{v.document, v.node + int32(v.at().span)}
}

// Name is the decoded name of a field, empty for elements and roots. It is not to be changed.
func (v Value) Name() []byte {
	if v.document == nil {
		return nil
	}
	return v.document.nameOf(v.at())
}

func (d *Document) nameOf(n *tapeNode) []byte {
	if n.flags&flagNameInArena != 0 {
		return d.arena[n.name : n.name+n.nameLen]
	}
	return d.text[n.name : n.name+n.nameLen]
}

// Bool is the value of a bool; false for every other kind.
func (v Value) Bool() bool { return v.Kind() == KindBool && v.at().number != 0 }

// Int64 is the value of an int32 or int64, the milliseconds since 1970 of a date, the 64 bits of a timestamp; else 0.
func (v Value) Int64() int64 {
	switch v.Kind() {
	case KindInt32, KindInt64, KindDate, KindTimestamp:
		return int64(v.at().number)
	}
	return 0
}

// Float64 is the double nearest to any number; else 0.
func (v Value) Float64() float64 {
	switch v.Kind() {
	case KindInt32, KindInt64:
		return float64(int64(v.at().number))
	case KindDouble:
		return math.Float64frombits(v.at().number)
	case KindDecimal:
		return v.decimal().float64()
	}
	return 0
}

// Bytes is the decoded UTF-8 of a string, the payload of a binary, the 12 bytes of an ObjectId, the pattern of a
// regex; else nil. It is not to be changed.
func (v Value) Bytes() []byte {
	switch v.Kind() {
	case KindString, KindBinary, KindObjectID, KindRegex:
		n := v.at()
		offset, length := n.number>>32, n.number&math.MaxUint32
		if n.flags&flagInArena != 0 {
			return v.document.arena[offset : offset+length]
		}
		return v.document.text[offset : offset+length]
	}
	return nil
}

// Subtype is the subtype of a binary; else 0.
func (v Value) Subtype() byte {
	if v.Kind() == KindBinary {
		return v.at().aux
	}
	return 0
}

// Options are the options of a regex, sorted. They are not to be changed.
func (v Value) Options() []byte {
	if v.Kind() != KindRegex {
		return nil
	}
	n := v.at()
	end := n.number>>32 + n.number&math.MaxUint32 // they follow the pattern in the arena
	return v.document.arena[end : end+uint64(n.aux)]
}

// decimal is the value of a decimal.
func (v Value) decimal() decimal {
	return readDecimal(v.document.arena[v.at().number>>32:])
}

// Raw is the JSON text of the value as it came; names that stand twice are in it twice. A value that was computed has none.
func (v Value) Raw() []byte {
	if v.document == nil || len(v.document.text) == 0 {
		return nil
	}
	return v.document.text[v.at().start:v.at().end]
}
