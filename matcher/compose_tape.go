package matcher

// composeTape is Compose where the user's fields can be copied as they stand: their nodes are copied too, moved to their
// new places, instead of being parsed again. head is the text of the metadata without its closing brace; it has room for
// the rest. ok is false where a field needs more than a copy, or a limit is passed: then Parse makes the document, or says
// which. The result is what Parse would make of the same text.
func composeTape(head []byte, user Value, limits Limits) (d *Document, ok bool) {
	limits = limits.WithDefaults()
	if user.document != nil && len(user.document.arena) > 0 {
		return nil, false
	}
	room := 0
	if user.document != nil {
		room = int(user.at().span)
	}
	d, err := parseWithRoom(append(head, '}'), limits, room)
	if err != nil {
		return nil, false
	}
	text, tape := head, d.tape
	last := 0 // the root's last field so far
	for i := 1; i < len(tape); i += int(tape[i].span) {
		last = i
	}
	for v := user.First(); v.Exists(); v = v.Next() {
		if IsMetadataField(sharedString(v.Name())) {
			continue
		}
		from := v.at()
		if from.flags&flagRelaxed == 0 {
			return nil, false
		}
		nameAt := len(text) + len(`,"`)
		text = AppendString(append(text, ','), v.Name())
		if len(text) != nameAt+int(from.nameLen)+1 {
			return nil, false // the name is written in another way than it came
		}
		text = append(text, ':')
		tape[last].flags &^= flagLast
		last = len(tape)
		shift := uint32(len(text)) - from.start
		text = append(text, v.Raw()...)
		if tape, ok = appendShifted(tape, v, shift, limits.MaxDocumentDepth); !ok {
			return nil, false
		}
		tape[last].name = uint32(nameAt)
		tape[last].flags |= flagLast
		tape[0].number++
	}
	text = append(text, '}')
	if len(text) > limits.MaxDocumentBytes || len(tape)-1 > limits.MaxDocumentFields {
		return nil, false
	}
	tape[0].span, tape[0].end = uint32(len(tape)), uint32(len(text))
	d.text, d.tape = text, tape
	return d, true
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
		case KindNull, KindBool, KindInt32, KindInt64, KindDouble, KindDate:
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
