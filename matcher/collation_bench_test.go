package matcher

import "testing"

// BenchmarkCollation measures what a collation costs: the same filters and sort key without one, on text of ASCII, on
// text with other letters, and with numbers.
func BenchmarkCollation(b *testing.B) {
	documents := map[string]string{
		"ascii": `{"_id":"p1","title":"A title of some length","n":41}`,
		"latin": `{"_id":"p1","title":"Größe über alles im Süden","n":41}`,
		"han":   `{"_id":"p1","title":"北京市海淀区中关村","n":41}`,
		"marks": `{"_id":"p1","title":"Gro\u0308\u00dfe u\u0308ber alles im Su\u0308den","n":41}`,
	}
	filters := map[string]string{
		"equal": `{"title":"Another title of that"}`, "equalPrefix": `{"title":"a title of some lengtH"}`, "range": `{"title":{"$gte":"m","$lt":"z"}}`,
		"in": `{"title":{"$in":["Alpha","beta","Gamma","delta","Größe","x","北京"]}}`, "expr": `{"$expr":{"$lt":["$title","m"]}}`, "number": `{"n":{"$gt":50}}`,
	}
	for _, collation := range []string{"", `{"locale":"de"}`, `{"locale":"de","numericOrdering":true}`, `{"locale":"cs"}`} {
		for _, text := range []string{"ascii", "latin", "han", "marks"} {
			d := testDocument(b, documents[text])
			spec := QuerySpec{Sort: []byte(`{"title":1}`)}
			if collation != "" {
				spec.Collation = []byte(collation)
			}
			name := "collation=" + collation + "/text=" + text
			for _, filter := range []string{"equal", "equalPrefix", "range", "in", "expr", "number"} {
				if text != "ascii" && (filter == "equalPrefix" || filter == "number") {
					continue
				}
				spec := spec
				spec.Filter = []byte(filters[filter])
				q := compile(b, spec)
				b.Run(name+"/"+filter, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						q.Match(d)
					}
				})
			}
			q := compile(b, spec)
			b.Run(name+"/sortKey", func(b *testing.B) {
				var key []byte
				b.ReportAllocs()
				for b.Loop() {
					key = q.AppendSortKey(key[:0], d)
				}
				b.ReportMetric(float64(len(key)), "B/key")
			})
		}
	}
}
