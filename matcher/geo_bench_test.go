package matcher

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// coast is a polygon of so many points around [10,45], as a coast line might be: edges are short, and the ring bends in
// and out.
func coast(points int) string { return coastOf(points, 1) }

// coastOf is a coast that is so many times as large.
func coastOf(points int, times float64) string {
	var ring strings.Builder
	for i := range points {
		angle := 2 * math.Pi * float64(i) / float64(points)
		away := times * (4 + math.Sin(7*angle) + 0.3*math.Sin(101*angle) + 0.02*math.Sin(1009*angle))
		fmt.Fprintf(&ring, "[%.5f,%.5f],", 10+away*math.Cos(angle), 45+away*math.Sin(angle))
	}
	text := ring.String()
	return shape("Polygon", "[["+text+text[:strings.Index(text, "],")+1]+"]]")
}

// BenchmarkPolygonWithinPolygon is what a query of as many points as one may have costs for a stored polygon that lies in it.
func BenchmarkPolygonWithinPolygon(b *testing.B) {
	around := coastOf(MaxGeometryPoints-1, 2)
	for _, points := range []int{100, 1000, 10_000, 20_000} {
		q, d := compileText(b, inside(around)), testDocument(b, stored(coast(points)))
		b.Run(fmt.Sprintf("points=%d", points), func(b *testing.B) {
			for b.Loop() {
				if !q.Match(d) {
					b.Fatal("the answer is wrong")
				}
			}
		})
	}
}

// BenchmarkStoredGeometry is what one query costs for a document with a polygon of many points.
func BenchmarkStoredGeometry(b *testing.B) {
	for _, points := range []int{100, 1000, 10_000, 20_000} {
		d := testDocument(b, stored(coast(points)))
		for name, filter := range map[string]string{
			"intersects": meeting(`{"type":"Point","coordinates":[10,45]}`),
			"far":        meeting(`{"type":"Point","coordinates":[60,-45]}`),
			"within":     inside(shape("Polygon", `[[[0,30],[30,30],[30,60],[0,60],[0,30]]]`)),
		} {
			q := compileText(b, filter)
			b.Run(fmt.Sprintf("%s/points=%d", name, points), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if q.Match(d) != (name != "far") {
						b.Fatal("the answer is wrong")
					}
				}
			})
		}
	}
}
