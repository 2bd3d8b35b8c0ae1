package ingest

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// randomRecord fills each field with probability one half, and slices with nil, empty and non-empty values.
func randomRecord(rng *rand.Rand) Record {
	text := func() []byte {
		switch rng.IntN(3) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		b := make([]byte, rng.IntN(300))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	number := func(limit uint64) uint64 {
		switch rng.IntN(3) {
		case 0:
			return 0
		case 1:
			return limit
		}
		return rng.Uint64() & limit
	}
	id := func() (w matcher.WriteID) {
		if rng.IntN(2) == 0 {
			w[rng.IntN(len(w))] = byte(rng.Uint32())
		}
		return w
	}
	after, before := text(), text()
	if rng.IntN(2) == 0 {
		before = edit(rng, after)
	}
	return Record{
		Kind:        RecordKind(1 + rng.IntN(3)),
		Collection:  matcher.CollectionID(number(math.MaxUint32)),
		Epoch:       uint32(number(math.MaxUint32)),
		ID:          string(text()),
		Operation:   matcher.Operation(rng.IntN(4)),
		Generation:  number(math.MaxUint64),
		WriteID:     id(),
		Base:        id(),
		ReadTo:      number(math.MaxUint64),
		Control:     number(math.MaxUint64),
		RequestID:   string(text()),
		RequestHash: number(math.MaxUint64),
		After:       after,
		Before:      before,
		Fence:       matcher.Fence(rng.IntN(3)),
		Body:        text(),
	}
}

// Invariant 1: what was encoded is decoded, nil and empty told apart.
func TestRecordRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 5000 {
		want := randomRecord(rng)
		payload := AppendRecord([]byte("kept"), &want)
		if !bytes.HasPrefix(payload, []byte("kept")) {
			t.Fatalf("seed %d: AppendRecord did not append", seed)
		}
		got, err := DecodeRecord(payload[4:])
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, want)
		}
		if !reflect.DeepEqual(got, want) { // DeepEqual tells nil from empty
			t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, want)
		}
	}
}

func TestRecordSharesPayload(t *testing.T) {
	payload := AppendRecord(nil, &Record{Kind: RecordWrite, ID: "a", After: []byte(`{"_id":"a"}`)})
	r, err := DecodeRecord(payload)
	if err != nil {
		t.Fatal(err)
	}
	payload[len(payload)-1] = '!'
	if r.After[len(r.After)-1] != '!' {
		t.Fatal("After is a copy; it must share the payload")
	}
	if cap(r.After) != len(r.After) {
		t.Fatal("appending to After would overwrite what follows it in the payload")
	}
}

// Every prefix of a record is refused, and so is a record with something behind it.
func TestRecordCutOrExtended(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	for range 200 {
		r := randomRecord(rng)
		payload := AppendRecord(nil, &r)
		for n := range payload {
			if _, err := DecodeRecord(payload[:n]); !errors.Is(err, ErrRecordInvalid) {
				t.Fatalf("seed %d: prefix of %d of %d bytes: %v", seed, n, len(payload), err)
			}
		}
		if _, err := DecodeRecord(append(payload, 0)); !errors.Is(err, ErrRecordInvalid) {
			t.Fatalf("seed %d: extended record: %v", seed, err)
		}
	}
}

// Every row is one byte away from a record, or nearly: what is refused is what its name says.
func TestRecordRefused(t *testing.T) {
	for _, payload := range [][]byte{
		{1, 1, 0}, {1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}, {1, 1, 4, 1, 'a'}, {1, 2, 0x80, 0x40, 2}, {2, 1, 0x80, 0x80, 0x02, 0},
		{2, 1, 0x80, 0x80, 0x02, 4, 1, 'a', 0, 0},
	} {
		if _, err := DecodeRecord(payload); err != nil {
			t.Errorf("%v: %v", payload, err)
		}
	}
	good := AppendRecord(nil, &Record{Kind: RecordWrite, Operation: matcher.OperationInsert})
	change := func(at int, value byte) []byte {
		b := bytes.Clone(good)
		b[at] = value
		return b
	}
	for _, c := range []struct {
		name    string
		payload []byte
		want    error
	}{
		{"newer version", change(0, RecordVersion+1), ErrRecordVersion},
		{"newer version, nothing else", []byte{255}, ErrRecordVersion},
		{"version 0", change(0, 0), ErrRecordInvalid},
		{"kind 0", change(1, 0), ErrRecordInvalid},
		{"unknown kind", change(1, 4), ErrRecordInvalid},
		{"unknown operation", change(len(good)-1, 4), ErrRecordInvalid},
		{"unknown field", []byte{1, 1, 0x80, 0x80, 0x04}, ErrRecordInvalid},
		{"unknown field beside a difference", []byte{2, 1, 0x80, 0x80, 0x06, 0}, ErrRecordInvalid},
		{"collection beyond 32 bits", []byte{1, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x10}, ErrRecordInvalid},
		{"length beyond the end", []byte{1, 1, 4, 0xff, 0xff, 0xff, 0xff, 0x0f}, ErrRecordInvalid},
		{"unknown fence", []byte{1, 2, 0x80, 0x40, 3}, ErrRecordInvalid},
		{"two before-images", []byte{2, 1, 0x80, 0xa0, 0x02, 0, 0}, ErrRecordInvalid},
		{"a difference of an older version", []byte{1, 1, 0x80, 0x80, 0x02, 0}, ErrRecordInvalid},
		{"a newer version without need", []byte{2, 1, 0}, ErrRecordInvalid},
		{"a difference that is none", []byte{2, 1, 0x80, 0x80, 0x02, 1, 5}, ErrRecordInvalid},
		{"empty", nil, ErrRecordInvalid},
	} {
		if r, err := DecodeRecord(c.payload); !errors.Is(err, c.want) || !reflect.DeepEqual(r, Record{}) {
			t.Errorf("%s: %+v, %v; want %v", c.name, r, err, c.want)
		}
	}
}

// The bytes of version 1 never change: logs written today are read for ever.
func TestRecordFormatIsFixed(t *testing.T) {
	r := Record{Kind: RecordWrite, Collection: 300, Epoch: 2, ID: "p1", Operation: matcher.OperationUpdate, Generation: 7,
		WriteID: matcher.WriteID{1, 2}, Base: matcher.WriteID{3}, ReadTo: 9, Control: 4, RequestID: "r", RequestHash: 0x0102,
		After: []byte("{}"), Before: []byte{}, Fence: matcher.FenceDrop, Body: []byte("b")}
	want := []byte{1, 1, 0xff, 0xff, 1, 0xac, 2, 2, 2, 'p', '1', 2, 7,
		1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		9, 4, 1, 'r', 2, 1, 0, 0, 0, 0, 0, 0, 2, '{', '}', 0, 2, 1, 'b'}
	if got := AppendRecord(nil, &r); !bytes.Equal(got, want) {
		t.Fatalf("\n got %v\nwant %v", got, want)
	}
}

// Nor do those of version 2.
func TestDeltaFormatIsFixed(t *testing.T) {
	r := Record{Kind: RecordWrite, After: []byte("The quick brown fox jumps over the lazy dogs."), Before: []byte("The quick black fox jumps over the lazy dog.")}
	want := append([]byte{2, 1, 0x80, 0x90, 2, 45}, r.After...)
	want = append(want, 13, 0, 0, 11, 4)
	want = append(want, "lack"...)
	want = append(want, 4, 28, 0, 1, 1)
	if got := AppendRecord(nil, &r); !bytes.Equal(got, want) {
		t.Fatalf("\n got %v\nwant %v", got, want)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		r := randomRecord(rng)
		f.Add(AppendRecord(nil, &r))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := DecodeRecord(payload)
		if err != nil {
			if !errors.Is(err, ErrRecordInvalid) && !errors.Is(err, ErrRecordVersion) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		again, err := DecodeRecord(AppendRecord(nil, &r))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v\n%+v\n%v", r, again, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := Record{Kind: RecordWrite, Collection: 3, Epoch: 1, ID: "p1234567", Operation: matcher.OperationUpdate,
		Generation: 7, WriteID: matcher.WriteID{1}, Base: matcher.WriteID{2}, ReadTo: 1 << 20,
		After: make([]byte, 1000), Before: make([]byte, 1000)}
	payload := AppendRecord(nil, &r)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			payload = AppendRecord(payload[:0], &r)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeRecord(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
