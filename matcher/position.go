package matcher

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// ControlPartition is the log partition that carries metadata: collections, settings, incarnations. Data partitions
// follow it, from 1 on.
const ControlPartition = 0

// MaxLogPartitions bounds the log partitions of one log, the control partition not counted.
const MaxLogPartitions = 4096

// Position names one applied record: a log partition, an offset in it, and the incarnation of the log.
type Position struct {
	Incarnation uint64
	Partition   int
	Offset      uint64
}

// Vector is a position vector: how far each log partition has been applied. Next[p] is the offset of the first record
// of log partition p that has not been applied; Next[ControlPartition] is the control partition's.
type Vector struct {
	Incarnation uint64
	Next        []uint64
}

// Clone returns a vector that shares nothing with v.
func (v Vector) Clone() Vector {
	v.Next = slices.Clone(v.Next)
	return v
}

// Equal reports whether both name the same point of the same time line.
func (v Vector) Equal(o Vector) bool {
	return v.Incarnation == o.Incarnation && slices.Equal(v.Next, o.Next)
}

// Covers reports whether everything applied at o is applied at v: v >= o in every component, on one time line.
func (v Vector) Covers(o Vector) bool {
	if v.Incarnation != o.Incarnation || len(v.Next) != len(o.Next) {
		return false
	}
	for i, n := range o.Next {
		if v.Next[i] < n {
			return false
		}
	}
	return true
}

// Advance moves v on past p. Applying a record at or before v leaves v as it is.
func (v *Vector) Advance(p Position) {
	if n := p.Offset + 1; v.Next[p.Partition] < n {
		v.Next[p.Partition] = n
	}
}

// The wire form of a vector: version, incarnation (8 bytes, big-endian), number of components and the components as
// uvarints, CRC-32C of all that; base64url without padding. Clients treat it as opaque.
const vectorVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// String returns the wire form of v.
func (v Vector) String() string { return string(v.AppendText(nil)) }

// AppendText appends the wire form of v to dst.
func (v Vector) AppendText(dst []byte) []byte {
	raw := make([]byte, 0, 16+len(v.Next)*4)
	raw = append(raw, vectorVersion)
	raw = binary.BigEndian.AppendUint64(raw, v.Incarnation)
	raw = binary.AppendUvarint(raw, uint64(len(v.Next)))
	for _, n := range v.Next {
		raw = binary.AppendUvarint(raw, n)
	}
	raw = binary.BigEndian.AppendUint32(raw, crc32.Checksum(raw, castagnoli))
	return base64.RawURLEncoding.AppendEncode(dst, raw)
}

// ParseVector reads the wire form. A text that String did not make is refused.
func ParseVector(text string) (Vector, error) {
	bad := &Error{Code: CodePositionInvalid, Detail: "this is not a position of this server; use one that it sent, whole"}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 1+8+1+4 || raw[0] != vectorVersion {
		return Vector{}, bad
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return Vector{}, bad
	}
	v := Vector{Incarnation: binary.BigEndian.Uint64(body[1:])}
	body = body[9:]
	count, n := binary.Uvarint(body)
	if n <= 0 || count == 0 || count > MaxLogPartitions+1 {
		return Vector{}, bad
	}
	body = body[n:]
	v.Next = make([]uint64, count)
	for i := range v.Next {
		if v.Next[i], n = binary.Uvarint(body); n <= 0 {
			return Vector{}, bad
		}
		body = body[n:]
	}
	if len(body) != 0 || v.String() != text { // one vector has one text: clients and caches compare texts
		return Vector{}, bad
	}
	return v, nil
}
