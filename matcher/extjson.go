package matcher

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
)

// wrapper is one Extended JSON v2 type wrapper (specification: "MongoDB Extended JSON (v2)"): the shape that its
// message shows, and how the node of its one field becomes the value. ok is false for a malformed one.
type wrapper struct {
	name  string
	shape string
	make  func(p *textParser, child int) (made tapeNode, ok bool)
}

var wrappers = []wrapper{
	{"$oid", `{"$oid":"<24 hex digits>"}`, makeObjectID},
	{"$date", `{"$date":"2026-01-01T00:00:00Z"} or {"$date":{"$numberLong":"<ms since 1970>"}}`, makeDate},
	{"$numberInt", `{"$numberInt":"<integer of 32 bits>"}`, makeInt32},
	{"$numberLong", `{"$numberLong":"<integer of 64 bits>"}`, makeInt64},
	{"$numberDouble", `{"$numberDouble":"<number, NaN, Infinity or -Infinity>"}`, makeDouble},
	{"$numberDecimal", `{"$numberDecimal":"<number of at most 34 digits, exponents -6176 to 6111>"}`, makeDecimal},
	{"$binary", `{"$binary":{"base64":"...","subType":"<2 hex digits>"}}`, makeBinary},
	{"$regularExpression", `{"$regularExpression":{"pattern":"...","options":"<letters>"}}`, makeRegex},
	{"$timestamp", `{"$timestamp":{"t":<seconds>,"i":<increment>}}, both of 32 bits`, makeTimestamp},
	{"$minKey", `{"$minKey":1}`, makeMinKey},
	{"$maxKey", `{"$maxKey":1}`, makeMaxKey},
	{"$uuid", `{"$uuid":"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"}`, makeUUID},
}

func findWrapper(name []byte) *wrapper {
	for i := range wrappers {
		if wrappers[i].name == string(name) {
			return &wrappers[i]
		}
	}
	return nil
}

func isWrapperName(name []byte) bool { return findWrapper(name) != nil }

// unwrap replaces the object at self, one of whose names is a wrapper's, by the value it stands for. impure is the
// parser's count at the object's start.
func (p *textParser) unwrap(self, impure int) bool {
	made, ok := tapeNode{}, false
	w := findWrapper(p.nameOf(self + 1))
	count := p.tape[self].number
	switch {
	case count == 1:
		made, ok = w.make(p, self+1)
	case count == 2:
		w = findWrapper([]byte("$binary"))
		made, ok = p.makeLegacyBinary(self)
	}
	if !ok {
		return p.badWrapper(self, w)
	}
	made.span, made.start, made.end = 1, p.tape[self].start, p.tape[self].end
	p.tape = append(p.tape[:self], made)
	p.impure = impure
	if p.isRelaxedText(self) {
		p.tape[self].flags |= flagRelaxed
	} else {
		p.impure++
	}
	return true
}

// isRelaxedText reports whether the node's text is what AppendValue writes in the relaxed form.
func (p *textParser) isRelaxedText(self int) bool {
	n := &p.tape[self]
	d := Document{text: p.text, arena: p.arena, tape: p.tape}
	var buffer [96]byte
	return bytes.Equal(AppendValue(buffer[:0], Value{&d, int32(self)}, ValuesRelaxed), p.text[n.start:n.end])
}

// badWrapper says what is wrong with the wrapper at self. w is that of the first name, or nil.
func (p *textParser) badWrapper(self int, w *wrapper) bool {
	for i := self + 1; i < len(p.tape); i += int(p.tape[i].span) {
		if found := findWrapper(p.nameOf(i)); found != nil && (w == nil || p.tape[self].number > 1) {
			w = found
		}
	}
	n := &p.tape[self]
	return p.fail("%s is no Extended JSON value: the name %s may stand only in the form %s",
		shorten(p.text[n.start:n.end]), w.name, w.shape)
}

// textOf is the decoded string at i; ok is false if there is none.
func (p *textParser) textOf(i int) (text []byte, ok bool) {
	n := &p.tape[i]
	if n.kind != KindString {
		return nil, false
	}
	return p.bytesAt(n.number, n.flags&flagInArena != 0), true
}

// keep puts bytes into the arena and returns the node that has them.
func (p *textParser) keep(kind Kind, b []byte) tapeNode {
	place := uint64(len(p.arena))<<32 | uint64(len(b))
	p.arena = append(p.arena, b...)
	return tapeNode{kind: kind, number: place, flags: flagInArena}
}

// pair returns the children of the object at i if it has exactly these two names.
func (p *textParser) pair(i int, first, second string) (a, b int, ok bool) {
	if n := &p.tape[i]; n.kind != KindObject || n.number != 2 {
		return 0, 0, false
	}
	a = i + 1
	b = a + int(p.tape[a].span)
	if string(p.nameOf(a)) == second {
		a, b = b, a
	}
	return a, b, string(p.nameOf(a)) == first && string(p.nameOf(b)) == second
}

func makeObjectID(p *textParser, child int) (tapeNode, bool) {
	text, ok := p.textOf(child)
	var id [12]byte
	if !ok || len(text) != 24 {
		return tapeNode{}, false
	}
	if _, err := hex.Decode(id[:], text); err != nil {
		return tapeNode{}, false
	}
	return p.keep(KindObjectID, id[:]), true
}

func makeDate(p *textParser, child int) (tapeNode, bool) {
	n := p.tape[child]
	if n.kind == KindInt64 || n.kind == KindInt32 {
		return tapeNode{kind: KindDate, number: n.number}, true
	}
	text, ok := p.textOf(child)
	if !ok {
		return tapeNode{}, false
	}
	ms, ok := ParseDate(text)
	return tapeNode{kind: KindDate, number: uint64(ms)}, ok
}

func makeInt32(p *textParser, child int) (tapeNode, bool) {
	text, _ := p.textOf(child)
	v, ok := parseInteger(text)
	return tapeNode{kind: KindInt32, number: uint64(v)}, ok && int64(int32(v)) == v
}

func makeInt64(p *textParser, child int) (tapeNode, bool) {
	text, _ := p.textOf(child)
	v, ok := parseInteger(text)
	return tapeNode{kind: KindInt64, number: uint64(v)}, ok
}

func makeDouble(p *textParser, child int) (tapeNode, bool) {
	text, _ := p.textOf(child)
	f, ok := parseDouble(text)
	return tapeNode{kind: KindDouble, number: math.Float64bits(f)}, ok
}

func parseDouble(text []byte) (float64, bool) {
	switch string(text) {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	if len(text) == 0 || bytes.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) >= 0 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(text), 64)
	return f, err == nil
}

func makeDecimal(p *textParser, child int) (tapeNode, bool) {
	text, _ := p.textOf(child)
	d, ok := parseDecimal(text)
	if !ok {
		return tapeNode{}, false
	}
	var buffer [decimalBytes]byte
	return p.keep(KindDecimal, appendDecimal(buffer[:0], d)), true
}

func makeBinary(p *textParser, child int) (tapeNode, bool) {
	payload, subtype, ok := p.pair(child, "base64", "subType")
	if !ok {
		return tapeNode{}, false
	}
	return p.binary(payload, subtype)
}

// makeLegacyBinary reads the form of Extended JSON v1: {"$binary":"...","$type":"00"}.
func (p *textParser) makeLegacyBinary(self int) (tapeNode, bool) {
	payload, subtype, ok := p.pair(self, "$binary", "$type")
	if !ok {
		return tapeNode{}, false
	}
	return p.binary(payload, subtype)
}

func (p *textParser) binary(payload, subtype int) (tapeNode, bool) {
	text, ok := p.textOf(payload)
	digits, ok2 := p.textOf(subtype)
	if !ok || !ok2 || len(digits) == 0 || len(digits) > 2 {
		return tapeNode{}, false
	}
	kind, err := strconv.ParseUint(string(digits), 16, 8)
	if err != nil || bytes.ContainsAny(text, "\r\n") {
		return tapeNode{}, false
	}
	decoded, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return tapeNode{}, false
	}
	n := p.keep(KindBinary, decoded)
	n.aux = byte(kind)
	return n, true
}

// uuidSubtype is the subtype of a binary that holds a UUID.
const uuidSubtype = 4

func makeUUID(p *textParser, child int) (tapeNode, bool) {
	text, _ := p.textOf(child)
	if len(text) != 36 {
		return tapeNode{}, false
	}
	digits := make([]byte, 0, 32)
	for i, c := range text {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return tapeNode{}, false
			}
			continue
		}
		digits = append(digits, c)
	}
	var id [16]byte
	if _, err := hex.Decode(id[:], digits); err != nil {
		return tapeNode{}, false
	}
	n := p.keep(KindBinary, id[:])
	n.aux = uuidSubtype
	return n, true
}

func makeRegex(p *textParser, child int) (tapeNode, bool) {
	pattern, options, ok := p.pair(child, "pattern", "options")
	if !ok {
		return tapeNode{}, false
	}
	text, ok := p.textOf(pattern)
	letters, ok2 := p.textOf(options)
	if !ok || !ok2 {
		return tapeNode{}, false
	}
	sorted := slices.Sorted(slices.Values(letters))
	for i, c := range sorted {
		if c < 'a' || c > 'z' || i > 0 && c == sorted[i-1] {
			return tapeNode{}, false
		}
	}
	n := p.keep(KindRegex, text)
	p.arena = append(p.arena, sorted...)
	n.aux = byte(len(sorted))
	return n, true
}

func makeTimestamp(p *textParser, child int) (tapeNode, bool) {
	seconds, increment, ok := p.pair(child, "t", "i")
	if !ok {
		return tapeNode{}, false
	}
	t, i := p.tape[seconds], p.tape[increment]
	if t.kind != KindInt64 || i.kind != KindInt64 || t.number > math.MaxUint32 || i.number > math.MaxUint32 {
		return tapeNode{}, false
	}
	return tapeNode{kind: KindTimestamp, number: t.number<<32 | i.number}, true
}

func makeMinKey(p *textParser, child int) (tapeNode, bool) {
	n := p.tape[child]
	return tapeNode{kind: KindMinKey}, n.kind == KindInt64 && n.number == 1
}

func makeMaxKey(p *textParser, child int) (tapeNode, bool) {
	n := p.tape[child]
	return tapeNode{kind: KindMaxKey}, n.kind == KindInt64 && n.number == 1
}
