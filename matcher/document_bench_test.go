package matcher

import (
	"bytes"
	"fmt"
	"testing"
)

// benchmarkDocument is a document of about 1 KiB, such as a catalogue would hold.
func benchmarkDocument() []byte {
	b := []byte(`{"_id":"page-000017","_rev":"3-0123456789abcdefghij","_createdAt":{"$date":"2026-01-01T00:00:00Z"},` +
		`"_updatedAt":{"$date":"2026-02-03T04:05:06.789Z"},"title":"A page of the catalogue","published":true,"views":1234567,` +
		`"rating":4.75,"price":1999,"author":{"name":"Ada Lovelace","email":"ada@example.org","address":{"city":"London","zip":"SW1"}},` +
		`"tags":["go","database","live","query","stream"],"summary":"`)
	b = append(b, bytes.Repeat([]byte("some words of text "), 18)...)
	b = append(b, `","sizes":[`...)
	for i := range 10 {
		b = fmt.Appendf(b, `{"w":%d,"h":%d},`, i*10, i*20)
	}
	return append(b[:len(b)-1], `],"draft":null,"code":"X-17"}`...)
}

func BenchmarkParse(b *testing.B) {
	text := benchmarkDocument()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompose(b *testing.B) {
	user, err := Parse(benchmarkDocument(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	m := MetadataOf(user)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compose(m, user.Root(), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendValue(b *testing.B) {
	d, err := Parse(benchmarkDocument(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 8<<10)
	for _, form := range []Values{ValuesRelaxed, ValuesCanonical, ValuesPlain} {
		b.Run("form="+form.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendValue(dst[:0], d.Root(), form)
			}
		})
	}
}

func BenchmarkField(b *testing.B) {
	d, err := Parse(benchmarkDocument(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !d.Field("code").Exists() {
			b.Fatal("no such field")
		}
	}
}

func BenchmarkAppendSortValue(b *testing.B) {
	d, err := Parse([]byte(`{"a":["some text",17,2.5,{"$date":"2026-01-01T00:00:00Z"}]}`), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendSortValue(dst[:0], d.Field("a"))
	}
}

func BenchmarkUpdate(b *testing.B) {
	d, err := Parse(benchmarkDocument(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	u, err := ParseUpdate([]byte(`{"$inc":{"views":1},"$set":{"author.address.city":"Paris"}}`), nil, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := u.Apply(d, 0, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProjectionSame(b *testing.B) {
	d, err := Parse(benchmarkDocument(), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	other, err := Parse(bytes.Replace(benchmarkDocument(), []byte("X-17"), []byte("X-18"), 1), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := ParseProjection([]byte(`["title","author.name"]`), nil, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !p.Same(d, other) {
			b.Fatal("they look the same")
		}
	}
}
