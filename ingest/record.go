package ingest

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/freshetdb/freshet/matcher"
)

// RecordKind tells the records of the log apart.
type RecordKind uint8

const (
	RecordWrite   RecordKind = 1 // one document's after-image, or its absence
	RecordFence   RecordKind = 2 // in a data partition: a new epoch of a collection
	RecordControl RecordKind = 3 // in the control partition; Body says what, in JSON
)

var recordKindNames = [...]string{RecordWrite: "write", RecordFence: "fence", RecordControl: "control"}

// String is the kind's name.
func (k RecordKind) String() string { return recordKindNames[k] }

// Record is one attempt (what a log of attempts holds) or one applied record (what the segments hold). Before is in
// applied records only.
type Record struct {
	Kind       RecordKind
	Collection matcher.CollectionID
	Epoch      uint32

	// RecordWrite
	ID          string
	Operation   matcher.Operation
	Generation  uint64          // of the document that this write makes or deletes
	WriteID     matcher.WriteID // of this attempt
	Base        matcher.WriteID // of the state that it was computed from; zero: none
	ReadTo      uint64          // offset in this log partition up to which the writer had read
	Control     uint64          // control offset at which the writer was authorised
	RequestID   string          // "" if none
	RequestHash uint64
	After       []byte // JSON of the whole stored document; nil for a delete
	Before      []byte // the same before the write; nil for an insert, and in attempts

	// RecordFence
	Fence matcher.Fence

	// RecordControl
	Body []byte
}

// The formats that AppendRecord writes: the first byte of every record.
const (
	recordVersionPlain = 1 // no field behind fieldBody
	RecordVersion      = 2 // the newest one
)

// The fields of a record, in the order in which they follow the mask that says which of them are there. A field is
// left out where it is zero (a slice where it is nil; an empty one is there). docs/record-format.md has them byte by
// byte; neither order nor numbers ever change within one version.
const (
	fieldCollection  = 1 << iota // uvarint
	fieldEpoch                   // uvarint
	fieldID                      // uvarint length, bytes
	fieldOperation               // one byte
	fieldGeneration              // uvarint
	fieldWriteID                 // 12 bytes
	fieldBase                    // 12 bytes
	fieldReadTo                  // uvarint
	fieldControl                 // uvarint
	fieldRequestID               // uvarint length, bytes
	fieldRequestHash             // 8 bytes, little-endian
	fieldAfter                   // uvarint length, bytes
	fieldBefore                  // uvarint length, bytes
	fieldFence                   // one byte
	fieldBody                    // uvarint length, bytes
	fieldBeforeDelta             // uvarint length, bytes; stands for fieldBefore
	fieldsEnd
)

// fields returns the mask of what r holds.
func (r *Record) fields() uint64 {
	var mask uint64
	set := func(present bool, field uint64) {
		if present {
			mask |= field
		}
	}
	set(r.Collection != 0, fieldCollection)
	set(r.Epoch != 0, fieldEpoch)
	set(r.ID != "", fieldID)
	set(r.Operation != 0, fieldOperation)
	set(r.Generation != 0, fieldGeneration)
	set(!r.WriteID.IsZero(), fieldWriteID)
	set(!r.Base.IsZero(), fieldBase)
	set(r.ReadTo != 0, fieldReadTo)
	set(r.Control != 0, fieldControl)
	set(r.RequestID != "", fieldRequestID)
	set(r.RequestHash != 0, fieldRequestHash)
	set(r.After != nil, fieldAfter)
	set(r.Before != nil, fieldBefore)
	set(r.Fence != 0, fieldFence)
	set(r.Body != nil, fieldBody)
	return mask
}

// AppendRecord appends the encoded record to dst. DecodeRecord reads it.
func AppendRecord(dst []byte, r *Record) []byte {
	mask, version := r.fields(), byte(recordVersionPlain)
	var before delta
	if mask&fieldBefore != 0 && before.find(r.Before, r.After) {
		mask, version = mask&^fieldBefore|fieldBeforeDelta, RecordVersion
	}
	dst = append(dst, version, byte(r.Kind))
	dst = binary.AppendUvarint(dst, mask)
	number := func(field, value uint64) {
		if mask&field != 0 {
			dst = binary.AppendUvarint(dst, value)
		}
	}
	number(fieldCollection, uint64(r.Collection))
	number(fieldEpoch, uint64(r.Epoch))
	if mask&fieldID != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(r.ID)))
		dst = append(dst, r.ID...)
	}
	if mask&fieldOperation != 0 {
		dst = append(dst, byte(r.Operation))
	}
	number(fieldGeneration, r.Generation)
	if mask&fieldWriteID != 0 {
		dst = append(dst, r.WriteID[:]...)
	}
	if mask&fieldBase != 0 {
		dst = append(dst, r.Base[:]...)
	}
	number(fieldReadTo, r.ReadTo)
	number(fieldControl, r.Control)
	if mask&fieldRequestID != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(r.RequestID)))
		dst = append(dst, r.RequestID...)
	}
	if mask&fieldRequestHash != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, r.RequestHash)
	}
	text := func(field uint64, value []byte) {
		if mask&field != 0 {
			dst = binary.AppendUvarint(dst, uint64(len(value)))
			dst = append(dst, value...)
		}
	}
	text(fieldAfter, r.After)
	text(fieldBefore, r.Before)
	if mask&fieldFence != 0 {
		dst = append(dst, byte(r.Fence))
	}
	text(fieldBody, r.Body)
	if mask&fieldBeforeDelta != 0 {
		dst = binary.AppendUvarint(dst, uint64(before.bytes))
		dst = before.append(dst, r.Before)
	}
	return dst
}

// DecodeRecord reads what AppendRecord wrote; the byte slices of the record share payload, where they are in it whole. It fails with
// ErrRecordVersion for a version that it does not know (whoever applies records must stop there) and with
// ErrRecordInvalid for everything else that is no record. It checks the form alone; whether a write may be applied is
// the applier's to say.
func DecodeRecord(payload []byte) (Record, error) {
	d := recordDecoder{rest: payload}
	version := d.byte("version")
	if version > RecordVersion {
		return Record{}, fmt.Errorf("%w: version %d, known up to %d", ErrRecordVersion, version, RecordVersion)
	}
	if version < recordVersionPlain {
		d.fail("version")
	}
	r := Record{Kind: RecordKind(d.byte("kind"))}
	if r.Kind < RecordWrite || r.Kind > RecordControl {
		d.fail("kind")
	}
	d.mask = d.uvarint("fields", math.MaxUint64)
	// A record says the least version that can read it.
	if d.mask >= fieldsEnd || d.mask&fieldBeforeDelta != 0 != (version == RecordVersion) || d.mask&fieldBeforeDelta != 0 && d.mask&fieldBefore != 0 {
		d.fail("fields")
	}
	r.Collection = matcher.CollectionID(d.number(fieldCollection, "collection", math.MaxUint32))
	r.Epoch = uint32(d.number(fieldEpoch, "epoch", math.MaxUint32))
	r.ID = string(d.text(fieldID, "id"))
	r.Operation = matcher.Operation(d.enum(fieldOperation, "operation", byte(matcher.OperationDelete)))
	r.Generation = d.number(fieldGeneration, "generation", math.MaxUint64)
	copy(r.WriteID[:], d.fixed(fieldWriteID, "write id", len(r.WriteID)))
	copy(r.Base[:], d.fixed(fieldBase, "base", len(r.Base)))
	r.ReadTo = d.number(fieldReadTo, "read to", math.MaxUint64)
	r.Control = d.number(fieldControl, "control", math.MaxUint64)
	r.RequestID = string(d.text(fieldRequestID, "request id"))
	if hash := d.fixed(fieldRequestHash, "request hash", 8); hash != nil {
		r.RequestHash = binary.LittleEndian.Uint64(hash)
	}
	r.After = d.text(fieldAfter, "after-image")
	r.Before = d.text(fieldBefore, "before-image")
	r.Fence = matcher.Fence(d.enum(fieldFence, "fence", byte(matcher.FenceDrop)))
	r.Body = d.text(fieldBody, "body")
	if difference := d.text(fieldBeforeDelta, "before-image"); difference != nil {
		var ok bool
		if r.Before, ok = applyDelta(difference, r.After); !ok {
			d.fail("before-image")
		}
	}
	if len(d.rest) != 0 {
		d.fail("end")
	}
	if d.err != nil {
		return Record{}, d.err
	}
	return r, nil
}

// recordDecoder takes fields from the front of rest. After the first failure it yields zero values only.
type recordDecoder struct {
	rest []byte
	mask uint64
	err  error
}

func (d *recordDecoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: bad %s, %d bytes before its end", ErrRecordInvalid, what, len(d.rest))
	}
	d.rest, d.mask = nil, 0
}

func (d *recordDecoder) take(what string, n uint64) []byte {
	if uint64(len(d.rest)) < n {
		d.fail(what)
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *recordDecoder) byte(what string) byte {
	if b := d.take(what, 1); b != nil {
		return b[0]
	}
	return 0
}

func (d *recordDecoder) uvarint(what string, limit uint64) uint64 {
	value, n := binary.Uvarint(d.rest)
	if n <= 0 || value > limit {
		d.fail(what)
		return 0
	}
	d.rest = d.rest[n:]
	return value
}

func (d *recordDecoder) number(field uint64, what string, limit uint64) uint64 {
	if d.mask&field == 0 {
		return 0
	}
	return d.uvarint(what, limit)
}

func (d *recordDecoder) fixed(field uint64, what string, n int) []byte {
	if d.mask&field == 0 {
		return nil
	}
	return d.take(what, uint64(n))
}

func (d *recordDecoder) enum(field uint64, what string, last byte) byte {
	if d.mask&field == 0 {
		return 0
	}
	value := d.byte(what)
	if value > last {
		d.fail(what)
		return 0
	}
	return value
}

// text returns a length-prefixed field: nil where it is absent, not nil where it is there.
func (d *recordDecoder) text(field uint64, what string) []byte {
	if d.mask&field == 0 {
		return nil
	}
	return d.take(what, d.uvarint(what, uint64(len(d.rest))))
}
