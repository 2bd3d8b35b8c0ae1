package lines

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/freshetdb/freshet/matcher"
)

// BenchmarkScan is over 16 MB of lines of 400 bytes; one worker, so that the time is that of one core.
func BenchmarkScan(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var text bytes.Buffer
	for i := range 40_000 {
		fmt.Fprintf(&text, `{"_id":"r%09d","at":{"$date":"2026-03-%02dT12:00:00Z"},"user":"u%05d","status":%d,"ms":%.3f,"request":{"method":"GET",`+
			`"path":"/shop/item-%d","agent":"Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36","referrer":null},"place":{"city":"Kraków",`+
			`"at":[%.4f,%.4f]},"tags":["web","shop-%d"],"cached":%t}`+"\n", i, 1+random.IntN(31), random.IntN(5000), 200+random.IntN(300),
			random.ExpFloat64()*80, random.IntN(1e6), random.Float64()*360-180, random.Float64()*180-90, random.IntN(40), i%3 == 0)
	}
	for name, spec := range map[string]matcher.QuerySpec{
		"equality": {Filter: []byte(`{"user":"u01234"}`)},
		"range":    {Filter: []byte(`{"status":{"$gte":450},"request.method":"GET"}`)},
		"all":      {},
		"top=10":   {Sort: []byte(`{"ms":-1}`), Limit: 10},
		"project":  {Fields: []byte(`["user","request.path"]`)},
	} {
		q := compile(b, spec)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				s := Scan{Query: q, Output: io.Discard, Workers: 1, Encode: spec.Fields != nil,
					Sources: []Source{reading("text", bytes.NewReader(text.Bytes()))}, Report: func(p Problem) { b.Fatal(p) }}
				if _, err := s.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
