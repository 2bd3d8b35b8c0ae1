package matcher

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// textParser makes the tape of one text in one pass. It is reused: ParseValue copies its tape
// and arena into the document, a Parser lends them.
type textParser struct {
	text      []byte
	at        int
	tape      []tapeNode
	arena     []byte
	depth     int
	maxDepth  int
	maxFields int
	impure    int // counts whatever keeps the text from being copied as relaxed output
	err       *Error
	seen      []int32 // hash table of names of a wide object; nodes by position, 0 is empty
}

// parse makes the tape of text. The limits must be complete.
func (p *textParser) parse(text []byte, limits Limits) error {
	if most := min(limits.MaxDocumentBytes, MaxTextBytes); len(text) > most {
		return &Error{Code: CodeDocumentTooLarge, Limit: int64(most), Detail: fmt.Sprintf(
			"the text has %d bytes, at most %d are allowed (MaxDocumentBytes); split it, or raise the limit", len(text), most)}
	}
	p.reset(text, limits)
	if !p.document() {
		return p.err
	}
	return nil
}

func (p *textParser) reset(text []byte, limits Limits) {
	p.text, p.at, p.depth, p.impure, p.err = text, 0, 0, 0, nil
	p.tape, p.arena = p.tape[:0], p.arena[:0]
	p.maxDepth, p.maxFields = limits.MaxDocumentDepth, limits.MaxDocumentFields
}

func (p *textParser) document() bool {
	p.space()
	if !p.value() {
		return false
	}
	p.tape[0].flags |= flagLast
	p.space()
	if p.at < len(p.text) {
		return p.unexpected("the end of the text; remove what follows the value")
	}
	return true
}

// fail notes the error at the value that is being parsed; the callers add their part of the path on the way up.
func (p *textParser) fail(format string, args ...any) bool {
	p.err = &Error{Code: CodeJSONInvalid, Detail: fmt.Sprintf(format, args...)}
	return false
}

func (p *textParser) unexpected(want string) bool {
	if p.at >= len(p.text) {
		return p.fail("the JSON text ends at byte %d; expected %s", p.at, want)
	}
	r, _ := utf8.DecodeRune(p.text[p.at:])
	return p.fail("unexpected %q at byte %d; expected %s", r, p.at, want)
}

// within puts a step of the path before that of the error. It returns false, for the caller to return.
func (p *textParser) within(step string) bool {
	p.err.Path = PointerStep(step) + p.err.Path
	return false
}

// PointerStep is one step of a JSON pointer (RFC 6901), its slash included.
func PointerStep(name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return "/" + name
}

func (p *textParser) space() {
	if p.at < len(p.text) && p.text[p.at] <= ' ' {
		p.skipSpace()
	}
}

func (p *textParser) skipSpace() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.impure++
			p.at++
		default:
			return
		}
	}
}

// push adds a node for the value that starts here; nil if there are too many. It stays where it is until the next push.
func (p *textParser) push(kind Kind) *tapeNode {
	i := len(p.tape)
	if i >= cap(p.tape) || i > p.maxFields {
		if !p.grow() {
			return nil
		}
	}
	p.tape = p.tape[:i+1]
	n := &p.tape[i]
	*n = tapeNode{kind: kind, span: 1, start: uint32(p.at)}
	return n
}

// grow makes room for another node, if there may be one.
func (p *textParser) grow() bool {
	if len(p.tape) > p.maxFields { // the root is not a field
		p.fail("the document has more than %d values, nested ones counted (MaxDocumentFields); split it, or raise the limit", p.maxFields)
		p.err.Code, p.err.Limit = CodeDocumentTooLarge, int64(p.maxFields)
		return false
	}
	p.tape = slices.Grow(p.tape, 64)
	return true
}

func (p *textParser) value() bool {
	if p.at >= len(p.text) {
		return p.unexpected("a value")
	}
	switch c := p.text[p.at]; c {
	case '{':
		return p.plainDate() || p.object()
	case '[':
		return p.array()
	case '"':
		n := p.push(KindString)
		if n == nil {
			return false
		}
		s, ok := p.str()
		if !ok {
			return false
		}
		n.number, n.end, n.flags = s.place(), uint32(p.at), flagRelaxed
		if s.inArena {
			n.flags |= flagInArena
		}
		return true
	case 't':
		return p.word("true", KindBool, 1)
	case 'f':
		return p.word("false", KindBool, 0)
	case 'n':
		return p.word("null", KindNull, 0)
	default:
		if c == '-' || c-'0' <= 9 {
			return p.number()
		}
		return p.unexpected("a value")
	}
}

func (p *textParser) word(word string, kind Kind, number uint64) bool {
	if len(p.text)-p.at < len(word) || string(p.text[p.at:p.at+len(word)]) != word {
		return p.unexpected("a value (true, false and null are written in full)")
	}
	n := p.push(kind)
	if n == nil {
		return false
	}
	p.at += len(word)
	n.number, n.flags, n.end = number, flagRelaxed, uint32(p.at)
	return true
}

func (p *textParser) enter() bool {
	p.at++
	p.depth++
	if p.depth <= p.maxDepth {
		p.space()
		return true
	}
	p.fail("the value is nested deeper than %d levels (MaxDocumentDepth); flatten it, or raise the limit", p.maxDepth)
	p.err.Code, p.err.Limit = CodeDocumentTooLarge, int64(p.maxDepth)
	return false
}

// leave closes the object or array at self. last is its last child, self if there is none.
func (p *textParser) leave(self, last, count, impure int) {
	p.depth--
	p.at++
	if last != self {
		p.tape[last].flags |= flagLast
	}
	n := &p.tape[self]
	n.span = uint32(len(p.tape) - self)
	n.number = uint64(count)
	n.end = uint32(p.at)
	if p.impure == impure {
		n.flags |= flagRelaxed
	}
}

func (p *textParser) array() bool {
	impure := p.impure
	self := len(p.tape)
	if p.push(KindArray) == nil || !p.enter() {
		return false
	}
	count, last := 0, self
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.leave(self, last, 0, impure)
		return true
	}
	for {
		last = len(p.tape)
		if !p.value() {
			return p.within(strconv.Itoa(count))
		}
		count++
		p.space()
		if p.at >= len(p.text) {
			return p.unexpected("a comma or ]")
		}
		switch p.text[p.at] {
		case ',':
			p.at++
			p.space()
		case ']':
			p.leave(self, last, count, impure)
			return true
		default:
			return p.unexpected("a comma or ]")
		}
	}
}

// narrowFields is up to how many fields an object's names are compared one by one.
const narrowFields = 32

func (p *textParser) object() bool {
	impure := p.impure
	self := len(p.tape)
	if p.push(KindObject) == nil || !p.enter() {
		return false
	}
	count, last := 0, self
	if p.at < len(p.text) && p.text[p.at] == '}' {
		p.leave(self, last, 0, impure)
		return true
	}
	var sketch uint64 // of the names so far: a clear bit proves that a name is new
	wrapper, twice := false, false
	for {
		name, ok := p.name()
		if !ok {
			return false
		}
		last = len(p.tape)
		if !p.value() {
			return p.within(string(p.bytesAt(name.place(), name.inArena)))
		}
		n := &p.tape[last]
		n.name, n.nameLen = name.offset, name.length
		if name.inArena {
			n.flags |= flagNameInArena
		}
		decoded := p.nameOf(last)
		if len(decoded) > 0 && decoded[0] == '$' && isWrapperName(decoded) {
			wrapper = true
		}
		if count < narrowFields {
			bit := nameBit(decoded)
			if sketch&bit != 0 && p.named(self, last, decoded) {
				twice = true
			}
			sketch |= bit
		}
		count++
		p.space()
		if p.at >= len(p.text) {
			return p.unexpected("a comma or }")
		}
		if p.text[p.at] == '}' {
			break
		}
		if p.text[p.at] != ',' {
			return p.unexpected("a comma or }")
		}
		p.at++
		p.space()
	}
	if wrapper {
		p.leave(self, last, count, impure)
		return p.unwrap(self, impure)
	}
	if count > narrowFields {
		twice = p.anyTwice(self, count)
	}
	if twice {
		count, last = p.dropEarlier(self, count)
		p.impure++
	}
	p.leave(self, last, count, impure)
	return true
}

// nameBit is one bit that depends on a name's length and ends.
func nameBit(name []byte) uint64 {
	if len(name) == 0 {
		return 1
	}
	h := uint(len(name))*13 + uint(name[0])*7 + uint(name[len(name)-1])*31 + uint(name[len(name)/2])*3
	return 1 << (h & 63)
}

func (p *textParser) name() (textString, bool) {
	if p.at >= len(p.text) || p.text[p.at] != '"' {
		return textString{}, p.unexpected("a field's name in double quotes")
	}
	s, ok := p.str()
	if !ok {
		return s, false
	}
	if s.inArena && bytes.IndexByte(p.bytesAt(s.place(), true), 0) >= 0 {
		return s, p.fail("a field's name holds the character U+0000 at byte %d; leave it out", p.at)
	}
	if t, i := p.text, p.at; i+1 < len(t) && t[i] == ':' && t[i+1] > ' ' {
		p.at = i + 1
		return s, true
	}
	p.space()
	if p.at >= len(p.text) || p.text[p.at] != ':' {
		return s, p.unexpected("a colon after the field's name")
	}
	p.at++
	p.space()
	return s, true
}

func (p *textParser) bytesAt(place uint64, inArena bool) []byte {
	offset, length := place>>32, place&math.MaxUint32
	if inArena {
		return p.arena[offset : offset+length]
	}
	return p.text[offset : offset+length]
}

func (p *textParser) nameOf(i int) []byte {
	n := &p.tape[i]
	if n.flags&flagNameInArena != 0 {
		return p.arena[n.name : n.name+n.nameLen]
	}
	return p.text[n.name : n.name+n.nameLen]
}

// named reports whether a child of self before the node at end has that name.
func (p *textParser) named(self, end int, name []byte) bool {
	for i := self + 1; i < end; i += int(p.tape[i].span) {
		if int(p.tape[i].nameLen) == len(name) && bytes.Equal(p.nameOf(i), name) {
			return true
		}
	}
	return false
}

var nameSeed = maphash.MakeSeed()

// anyTwice reports whether two of the count children of self, which is a wide object, have the same name. The hash is
// seeded so that no client can make names collide.
func (p *textParser) anyTwice(self, count int) bool {
	size := 1 << bits.Len(uint(count*2))
	p.seen = slices.Grow(p.seen[:0], size)[:size]
	clear(p.seen)
	for i := self + 1; i < len(p.tape); i += int(p.tape[i].span) {
		name := p.nameOf(i)
		slot := int(maphash.Bytes(nameSeed, name)) & (size - 1)
		for p.seen[slot] != 0 {
			if bytes.Equal(p.nameOf(int(p.seen[slot])), name) {
				return true
			}
			slot = (slot + 1) & (size - 1)
		}
		p.seen[slot] = int32(i)
	}
	return false
}

// dropEarlier takes the children of self that a later one of the same name replaces off the tape.
func (p *textParser) dropEarlier(self, count int) (kept, last int) {
	latest := make(map[string]int, count)
	for i := self + 1; i < len(p.tape); i += int(p.tape[i].span) {
		latest[string(p.nameOf(i))] = i
	}
	to := self + 1
	for i := self + 1; i < len(p.tape); {
		span := int(p.tape[i].span)
		if latest[string(p.nameOf(i))] == i {
			copy(p.tape[to:], p.tape[i:i+span])
			last = to
			to += span
			kept++
		}
		i += span
	}
	p.tape = p.tape[:to]
	return kept, last
}

// shorten makes any text fit into a message.
func shorten(b []byte) string {
	const most = 60
	if len(b) <= most {
		return string(b)
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return string(b[:cut]) + "..."
}
