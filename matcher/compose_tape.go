package matcher

// composer is Compose where the user's fields can be copied as they stand: their nodes are copied too, moved to their new
// places, and those of the metadata are made, instead of all being parsed again. Where a field needs more than a copy,
// or a limit is passed, it gives up: then Parse makes the document, or says which. The result is what Parse would make of
// the same text.
type composer struct {
	text []byte
	tape []tapeNode
	last int // the root's last field so far; 0: none
	max  Limits
}

// wrapperNodes are what the parser needs for a moment where a value is written as an object.
const wrapperNodes = 4

// stampNodes are the root and the fields that every stored document has.
const stampNodes = 1 + 4

func composeTape(m *Metadata, acl, user Value, limits Limits) *Document {
	nodes := stampNodes
	for _, v := range []Value{acl, user} {
		if !v.Exists() {
			continue
		}
		if len(v.document.arena) > 0 {
			return nil
		}
		nodes += int(v.at().span)
	}
	c := composer{text: make([]byte, 0, composedBytes(m, user)), tape: make([]tapeNode, 1, nodes), max: limits}
	c.tape[0] = tapeNode{kind: KindObject, flags: flagLast | flagRelaxed}
	if !c.stamps(m) || acl.Exists() && !c.copy([]byte(fieldACL), acl) {
		return nil
	}
	for v := user.First(); v.Exists(); v = v.Next() {
		if !IsMetadataField(sharedString(v.Name())) && !c.copy(v.Name(), v) {
			return nil
		}
	}
	c.text = append(c.text, '}')
	if len(c.text) > limits.MaxDocumentBytes || len(c.tape)+wrapperNodes > limits.MaxDocumentFields {
		return nil
	}
	c.tape[0].span, c.tape[0].end = uint32(len(c.tape)), uint32(len(c.text))
	return &Document{text: c.text, tape: c.tape}
}

// stamps appends the metadata but for `_acl`.
func (c *composer) stamps(m *Metadata) bool {
	if !isRelaxedDate(m.CreatedAt) || !isRelaxedDate(m.UpdatedAt) || c.max.MaxDocumentDepth < 2 {
		return false
	}
	c.name(fieldID)
	at := len(c.text)
	c.text = AppendString(c.text, sharedBytes(m.ID))
	if !c.plainString(at, m.ID) {
		return false
	}
	c.name(fieldRevision)
	at = len(c.text)
	c.text = append(m.Revision.AppendText(append(c.text, '"')), '"')
	c.node(KindString, at).number = uint64(at+1)<<32 | uint64(len(c.text)-at-2)
	c.date(fieldCreatedAt, m.CreatedAt)
	c.date(fieldUpdatedAt, m.UpdatedAt)
	return true
}

// name begins a field: its text up to the colon, and its node.
func (c *composer) name(name string) {
	separator := byte(',')
	if c.last == 0 {
		separator = '{'
	} else {
		c.tape[c.last].flags &^= flagLast
	}
	c.text = append(append(append(c.text, separator, '"'), name...), '"', ':')
	c.last = len(c.tape)
	c.tape = append(c.tape, tapeNode{
		span: 1, flags: flagLast | flagRelaxed, name: uint32(len(c.text) - len(name) - len(`":`)), nameLen: uint32(len(name)),
	})
	c.tape[0].number++
}

// node completes the field's node: its value is the text from at on.
func (c *composer) node(kind Kind, at int) *tapeNode {
	n := &c.tape[c.last]
	n.kind, n.start, n.end = kind, uint32(at), uint32(len(c.text))
	return n
}

// plainString completes the node of a string. It is false where the string is written in another way than it reads.
func (c *composer) plainString(at int, s string) bool {
	if string(c.text[at+1:len(c.text)-1]) != s {
		return false
	}
	c.node(KindString, at).number = uint64(at+1)<<32 | uint64(len(s))
	return true
}

func (c *composer) date(name string, ms int64) {
	c.name(name)
	at := len(c.text)
	c.text = appendDateValue(c.text, ms, valuesStored)
	c.node(KindDate, at).number = uint64(ms)
}

// copy appends a field with the value v. It is false where it cannot be copied.
func (c *composer) copy(name []byte, v Value) (ok bool) {
	from := v.at()
	if from.flags&flagRelaxed == 0 {
		return false
	}
	nameAt := len(c.text) + len(`,"`)
	c.text = AppendString(append(c.text, ','), name)
	if len(c.text) != nameAt+len(name)+1 {
		return false // the name is written in another way than it came
	}
	c.text = append(c.text, ':')
	c.tape[c.last].flags &^= flagLast
	c.last = len(c.tape)
	shift := uint32(len(c.text)) - from.start
	c.text = append(c.text, v.Raw()...)
	if c.tape, ok = appendShifted(c.tape, v, shift, c.max.MaxDocumentDepth); !ok {
		return false
	}
	n := &c.tape[c.last]
	n.name, n.nameLen = uint32(nameAt), uint32(len(name))
	n.flags |= flagLast
	c.tape[0].number++
	return true
}

// appendShifted appends the nodes of a field, whose texts lie shift bytes further on. It is false where a node holds more
// than places in the text, or lies too deep.
func appendShifted(tape []tapeNode, v Value, shift uint32, maxDepth int) ([]tapeNode, bool) {
	from := v.document.tape[v.node : v.node+int32(v.at().span)]
	var ends [16]int // of the objects and arrays around the node
	depth := 0
	for i := range from {
		n := from[i]
		for depth > 0 && i >= ends[depth-1] {
			depth--
		}
		switch n.kind {
		case KindObject, KindArray:
			if depth == len(ends) || depth+2 > maxDepth { // one for the root, one for itself
				return tape, false
			}
			ends[depth] = i + int(n.span)
			depth++
		case KindString:
			n.number += uint64(shift) << 32
		case KindDate:
			if depth+2 > maxDepth { // it is written as an object
				return tape, false
			}
		case KindNull, KindBool, KindInt32, KindInt64, KindDouble:
		default:
			return tape, false
		}
		n.start += shift
		n.end += shift
		if n.name > 0 { // 0: an element of an array
			n.name += shift
		}
		tape = append(tape, n)
	}
	return tape, true
}
