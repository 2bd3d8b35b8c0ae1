package matcher

import (
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// MaxTextBytes bounds every text that is parsed, whatever Limits say: a tape holds offsets of 32 bits.
const MaxTextBytes = 1 << 30

// Document is a parsed JSON document: the text and a pointer-free tape of all its values with their final types.
//
// Where a name occurs twice in one object, the last one counts and stands in its own place: the earlier ones are
// not on the tape, so Field, Len, iteration, order and encoding all see one field.
type Document struct {
	text  []byte
	arena []byte // what the text does not hold as such: unescaped strings and names, decoded bytes, decimals
	tape  []tapeNode

	// What Compose wrote, once more; of a document that was parsed the revision is zero, and all of it is looked up.
	revision             Revision
	createdAt, updatedAt int64
	acl                  int32 // its node; 0: there is none
}

// tapeNode is one value. Values stand in the order of the text, each followed by all that is in it, so that a value
// and everything below it is one run of nodes.
type tapeNode struct {
	kind    Kind
	flags   uint8
	aux     uint8  // subtype of a binary; bytes of the options of a regex
	_       uint8  // keeps a node at 32 bytes
	span    uint32 // nodes of this value with everything in it; the next sibling stands that many nodes on
	name    uint32 // where the decoded name starts, in the text or in the arena
	nameLen uint32
	start   uint32 // the value's JSON text
	end     uint32
	number  uint64 // by kind: int64, bits of a double, count of children, or offset<<32 | length of bytes
}

const (
	flagLast        = 1 << iota // no sibling follows
	flagNameInArena             // name points into the arena
	flagInArena                 // the bytes of number lie in the arena
	flagRelaxed                 // the text is what AppendValue may write in the relaxed form: it can be copied
)

// Parse takes ownership of text. Only the root's shape is checked (an object) and the limits; metadata fields are not.
// Extended JSON wrappers become values of their type; a name that such a wrapper begins with may stand nowhere else.
func Parse(text []byte, limits Limits) (*Document, error) {
	d, err := ParseValue(text, limits)
	if err != nil {
		return nil, err
	}
	if kind := d.tape[0].kind; kind != KindObject {
		return nil, notAnObject(kind)
	}
	return d, nil
}

func notAnObject(kind Kind) error {
	return &Error{Code: CodeDocumentInvalid, Detail: fmt.Sprintf(
		"the text holds %s; a JSON object is needed, such as {\"title\":\"x\"}", describeKind(kind))}
}

var parsers = sync.Pool{New: func() any { return new(textParser) }}

// maxPooledNodes bounds what one large document leaves behind in the pool.
const maxPooledNodes = 1 << 14

// ParseValue is Parse for a text whose root may be any value: a sort, a projection, one value.
func ParseValue(text []byte, limits Limits) (d *Document, err error) {
	p := parsers.Get().(*textParser)
	if err = p.parse(text, limits.WithDefaults()); err == nil {
		d = &Document{text: text, tape: slices.Clone(p.tape)}
		if len(p.arena) > 0 {
			d.arena = append(d.arena, p.arena...)
		}
	}
	p.text, p.err = nil, nil
	if cap(p.tape) <= maxPooledNodes && cap(p.arena) <= maxPooledNodes*32 && cap(p.seen) <= maxPooledNodes*2 {
		parsers.Put(p)
	}
	return d, err
}

// Root is the value of the whole text.
func (d *Document) Root() Value { return Value{document: d} }

// Text is the JSON text that was parsed. It is not to be changed.
func (d *Document) Text() []byte { return d.text }

// Field is the root's field of that name; missing if there is none.
func (d *Document) Field(name string) Value { return d.Root().Field(name) }

// ID is "_id" if that is a string, else "". The string shares the document's memory: clone it to keep it for longer.
func (d *Document) ID() string {
	if v := d.Field(fieldID); v.Kind() == KindString {
		return sharedString(v.Bytes())
	}
	return ""
}

// Revision is the parsed "_rev"; zero if there is none.
func (d *Document) Revision() Revision {
	if d.revision.Generation != 0 {
		return d.revision
	}
	if v := d.Field(fieldRevision); v.Kind() == KindString {
		if r, ok := ParseRevision(sharedString(v.Bytes())); ok {
			return r
		}
	}
	return Revision{}
}

// MemoryBytes is what the document keeps alive, for caches.
func (d *Document) MemoryBytes() int {
	return int(unsafe.Sizeof(*d)) + cap(d.text) + cap(d.arena) + cap(d.tape)*int(unsafe.Sizeof(tapeNode{}))
}

// sharedBytes is s as bytes, without a copy. They must not be changed.
func sharedBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// sharedString is b as a string without a copy. It is sound because the bytes of a document never change.
func sharedString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// CheckID says whether id may be a document's `_id`: 1 to MaxIDBytes bytes of UTF-8, no control characters, and not
// "." or "..", which no URL path can carry.
func CheckID(id string, limits Limits) error {
	limits = limits.WithDefaults()
	bad := func(format string, args ...any) error {
		return &Error{Code: CodeIDInvalid, Path: "/_id", Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case id == "":
		return bad("_id is empty; leave it out to have one made, or give a text of 1 to %d bytes", limits.MaxIDBytes)
	case len(id) > limits.MaxIDBytes:
		return &Error{Code: CodeIDInvalid, Path: "/_id", Limit: int64(limits.MaxIDBytes), Detail: fmt.Sprintf(
			"_id has %d bytes, at most %d are allowed (MaxIDBytes); use a shorter one", len(id), limits.MaxIDBytes)}
	case id == "." || id == "..":
		return bad("_id is %q, which no URL can name; use another one", id)
	case !utf8.ValidString(id):
		return bad("_id %q is not valid UTF-8; encode it as UTF-8", id)
	}
	for _, r := range id {
		if r < 0x20 || r >= 0x7f && r <= 0x9f {
			return bad("_id %q holds the control character U+%04X; leave it out", id, r)
		}
	}
	return nil
}
