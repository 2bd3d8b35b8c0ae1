package matcher

import (
	"bytes"
	"encoding/binary"
)

// sortPartLength is the length of the first part of a sort key; ok is false for bytes that no sort key begins with.
func sortPartLength(key []byte, descending bool) (n int, ok bool) {
	r := partReader{rest: key}
	if descending {
		r.mask = 0xFF
	}
	r.value()
	return len(key) - len(r.rest), !r.bad
}

// partReader walks over what AppendSortValue wrote, inverted where mask is 0xFF.
type partReader struct {
	rest []byte
	mask byte
	bad  bool
}

func (r *partReader) take(n int) {
	if n > len(r.rest) {
		r.rest, r.bad = nil, true
		return
	}
	r.rest = r.rest[n:]
}

// byte is the next byte, 0 at the end.
func (r *partReader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0] ^ r.mask
	r.rest = r.rest[1:]
	return b
}

func (r *partReader) value() { r.valueOf(r.byte()) }

// valueOf walks over a value whose first byte, the place of its type, has been taken.
func (r *partReader) valueOf(place byte) {
	switch place {
	case emptyArrayKey, typeOrder[KindMinKey], typeOrder[KindNull], typeOrder[KindMaxKey]:
	case typeOrder[KindDouble]:
		r.number()
	case typeOrder[KindString]:
		r.bytes()
	case typeOrder[KindRegex]:
		r.bytes()
		r.bytes()
	case typeOrder[KindObject]:
		for place := r.byte(); place != 0 && !r.bad; place = r.byte() {
			r.bytes()
			r.value()
		}
	case typeOrder[KindArray]:
		for place := r.byte(); place != 0 && !r.bad; place = r.byte() {
			r.valueOf(place)
		}
	case typeOrder[KindBinary]:
		if len(r.rest) < 4 {
			r.bad = true
			return
		}
		length := binary.BigEndian.Uint32(r.rest)
		if r.mask != 0 {
			length = ^length
		}
		r.take(4 + 1)
		r.take(int(length))
	case typeOrder[KindObjectID]:
		r.take(12)
	case typeOrder[KindBool]:
		r.take(1)
	case typeOrder[KindDate], typeOrder[KindTimestamp]:
		r.take(8)
	default:
		r.bad = true
	}
}

// number walks over what AppendNumberKey wrote: the digits of a negative number are inverted once more.
func (r *partReader) number() {
	if len(r.rest) == 0 {
		r.bad = true
		return
	}
	negative := (r.rest[0]^r.mask)>>7 == 0
	if r.take(8); r.byte() == numberIsDouble {
		return
	}
	r.take(2)
	end := r.mask
	if negative {
		end = ^end
	}
	i := bytes.IndexByte(r.rest, end)
	if i < 0 {
		r.bad = true
		return
	}
	r.take(i + 1)
}

// bytes walks over what appendKeyBytes wrote.
func (r *partReader) bytes() {
	for !r.bad {
		i := bytes.IndexByte(r.rest, r.mask)
		if i < 0 || i+1 == len(r.rest) {
			r.rest, r.bad = nil, true
			return
		}
		end := r.rest[i+1]^r.mask == 0x01
		if r.take(i + 2); end {
			return
		}
	}
}
