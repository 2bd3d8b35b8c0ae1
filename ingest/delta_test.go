package ingest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// roundTrip makes the difference of two images and the before-image of it; worth says whether it was worth writing.
func roundTrip(t *testing.T, before, after []byte) (size int, worth bool) {
	t.Helper()
	var d delta
	if worth = d.find(before, after); d.count == 0 {
		return 0, false
	}
	encoded := d.append(nil, before)
	if len(encoded) != d.bytes {
		t.Fatalf("the difference of %q to %q has %d bytes, counted %d", before, after, len(encoded), d.bytes)
	}
	got, ok := applyDelta(encoded, after)
	if !ok || !bytes.Equal(got, before) {
		t.Fatalf("%q became %q (%v)\nbeside %q", before, got, ok, after)
	}
	if saved := len(before) - len(encoded); worth && saved*9 < len(before) {
		t.Fatalf("a difference of %d bytes is written for %d", len(encoded), len(before))
	}
	return len(encoded), worth
}

// edit changes a text as updates do, and in worse ways.
func edit(rng *rand.Rand, text []byte) []byte {
	out := bytes.Clone(text)
	for range rng.IntN(8) {
		at := rng.IntN(len(out) + 1)
		end := min(len(out), at+rng.IntN(1+rng.IntN(60)))
		more := make([]byte, rng.IntN(1+rng.IntN(60)))
		for i := range more {
			more[i] = byte('a' + rng.IntN(4))
		}
		out = append(out[:at:at], append(more, out[end:]...)...)
	}
	return out
}

func TestDelta(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 20_000 {
		text := make([]byte, rng.IntN(400))
		for i := range text {
			text[i] = byte('a' + rng.IntN(1+rng.IntN(5)))
		}
		roundTrip(t, text, edit(rng, text))
	}
}

// storedText is a document as Compose writes it.
func storedText(generation, second, score int, text string) []byte {
	return fmt.Appendf(nil, `{"_id":"document%06d","_rev":"%d-6ndcmv2msc%09dg","_createdAt":{"$date":"2026-11-25T16:28:00.123Z"},`+
		`"_updatedAt":{"$date":"2026-11-25T17:30:%02d.%03dZ"},"group":17,"score":%d,"text":%q,"tags":["a","b"]}`,
		42, generation, generation*7919, second, generation%1000, score, text)
}

// What an update leaves alone is in the record once.
func TestDeltaOfUpdates(t *testing.T) {
	long := strings.Repeat("Lorem ipsum dolor sit amet, consetetur. ", 25)
	for _, c := range []struct {
		name          string
		before, after []byte
		most          int
	}{
		{"a number", storedText(3, 10, 5, long), storedText(4, 12, 6, long), 60},
		{"a longer number", storedText(9, 10, 99, long), storedText(10, 59, 1_000_000, long), 70},
		{"a text", storedText(3, 10, 5, long+"x"), storedText(4, 12, 6, long+"yzzy"), 70},
		{"a hash", storedText(3, 10, 5, "ab4f1e09d3c2577e8a1b6c0d9e2f4a5b"+long+"x"), storedText(4, 12, 6, "0cd1734ae98b66f0412d5be7c3a9081f"+long+"yz"), 100},
		{"another text", storedText(3, 10, 5, strings.ToUpper(long)), storedText(4, 12, 5, long), len(long) + 80},
		{"nothing alike", []byte(strings.Repeat("x", 500)), []byte(strings.Repeat("y", 500)), 510},
	} {
		size, worth := roundTrip(t, c.before, c.after)
		if size > c.most || worth != (size < len(c.before)*8/9) {
			t.Errorf("%s: %d of %d bytes, at most %d expected; worth writing: %v", c.name, size, len(c.before), c.most, worth)
		}
	}
}

// Lengths of one byte and of several, on both sides of where they grow.
func TestDeltaLengths(t *testing.T) {
	sizes := []int{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<16 + 1, 1<<21 - 1, 1 << 21}
	fill := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	for _, literal := range sizes {
		for _, skip := range sizes {
			for _, run := range []int{100, 1 << 14, 1 << 21} {
				same := fill('=', run)
				before := slices.Concat([]byte("[begin]"), fill('b', literal), same)
				after := slices.Concat([]byte("[begin]"), fill('a', skip), same)
				if size, _ := roundTrip(t, before, after); size > literal+50 {
					t.Fatalf("%d bytes for a literal of %d", size, literal)
				}
			}
		}
	}
}

// Larger images than maxDeltaBytes are written whole.
func TestDeltaBound(t *testing.T) {
	for _, over := range []int{0, 1} {
		image := make([]byte, maxDeltaBytes+over)
		if payload := AppendRecord(nil, &Record{Kind: RecordWrite, Before: image, After: image}); payload[0] != byte(2-over) {
			t.Errorf("%d bytes: version %d", len(image), payload[0])
		}
	}
}

// What is no difference is refused: a log that says such a thing is damaged.
func TestDeltaRefused(t *testing.T) {
	after := []byte("0123456789")
	for encoded, want := range map[string]string{
		"":                             "",
		"\x00\x00\x0a":                 "0123456789",
		"\x01a\x02\x03":                "a234",
		"\x00\x02\x03\x02bc\x01\x04":   "234bc6789",
		"\x01a\x0a\x00":                "a",
		"\x80":                         "refused", // half a length
		"\x01a\x80":                    "refused",
		"\x01a\x00\x80":                "refused",
		strings.Repeat("\xff", 11):     "refused", // a length beyond 64 bits
		"\x02a":                        "refused", // a literal beyond the end
		"\x01a":                        "refused", // nothing behind it
		"\x01a\x02":                    "refused",
		"\x01a\x0b\x00":                "refused", // beyond the end of the after-image
		"\x01a\x00\x0b":                "refused",
		"\x00\x05\x05\x00\x00\x01":     "refused",
		"\x00\x05\x05\x00\x01\x00":     "refused",
		"\x00\x00\xff\xff\xff\xff\x0f": "refused",
		"\x00\x00\x0a\x00":             "refused",
	} {
		got, ok := applyDelta([]byte(encoded), after)
		if ok != (want != "refused") || ok && string(got) != want {
			t.Errorf("%q: %q, %v; want %q", encoded, got, ok, want)
		}
	}
}

// An applied record with such a before-image is one of version 2, all others are of version 1: an older program reads what
// it can.
func TestRecordVersions(t *testing.T) {
	r := Record{Kind: RecordWrite, Collection: 3, Epoch: 1, ID: "p", Operation: matcher.OperationUpdate,
		After: storedText(4, 12, 6, strings.Repeat("x", 900)), Before: storedText(3, 10, 5, strings.Repeat("x", 900))}
	payload := AppendRecord(nil, &r)
	if payload[0] != 2 || len(payload) > len(r.After)+100 {
		t.Errorf("version %d, %d bytes", payload[0], len(payload))
	}
	got, err := DecodeRecord(payload)
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v", got, err)
	}
	payload[0] = 1
	if _, err := DecodeRecord(payload); err == nil {
		t.Error("version 1 has a before-image as a difference")
	}
	r.Before = nil
	if payload = AppendRecord(nil, &r); payload[0] != 1 {
		t.Errorf("version %d without a difference", payload[0])
	}
}

// What applyDelta makes is never more than what it reads, whatever that is.
func FuzzDelta(f *testing.F) {
	f.Add([]byte("before, before, before, before"), []byte("before, after, before, before, before"))
	f.Add(storedText(3, 10, 5, "some text of some length, and more of it"), storedText(4, 12, 6, "some text of some length, or more of it"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		roundTrip(t, a, b)
		if got, ok := applyDelta(a, b); ok && len(got) > len(a)+len(b) {
			t.Fatalf("%d bytes of %d and %d", len(got), len(a), len(b))
		}
	})
}

func BenchmarkDelta(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() string {
		text := make([]byte, 850)
		for i := range text {
			text[i] = byte('a' + rng.IntN(26))
		}
		return string(text)
	}
	same := random()
	for _, c := range []struct {
		name          string
		before, after []byte
	}{
		{"one field", storedText(3, 10, 51234567, same), storedText(4, 12, 61234569, same)},
		{"all fields", storedText(3, 10, 51234567, random()), storedText(4, 12, 61234569, random())},
	} {
		r := Record{Kind: RecordWrite, Collection: 3, Epoch: 1, ID: "p", Operation: matcher.OperationUpdate, After: c.after, Before: c.before}
		payload := AppendRecord(nil, &r)
		b.Run(c.name+"/append", func(b *testing.B) {
			b.ReportAllocs()
			b.ReportMetric(float64(len(payload)), "bytes")
			for b.Loop() {
				payload = AppendRecord(payload[:0], &r)
			}
		})
		b.Run(c.name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeRecord(payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
