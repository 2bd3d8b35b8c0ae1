package matcher

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/golang/geo/s2"
)

// haversine is the angle between two places in degrees, in radians: a formula apart from the one in use.
func haversine(lng1, lat1, lng2, lat2 float64) float64 {
	half := func(degrees float64) float64 { return math.Sin(degrees * math.Pi / 360) }
	cos := func(degrees float64) float64 { return math.Cos(degrees * math.Pi / 180) }
	h := half(lat2-lat1)*half(lat2-lat1) + cos(lat1)*cos(lat2)*half(lng2-lng1)*half(lng2-lng1)
	return 2 * math.Asin(math.Min(1, math.Sqrt(h)))
}

func TestSphereDistanceAgainstHaversine(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 3000 {
		lng, lat := random.Float64()*360-180, math.Asin(random.Float64()*2-1)*180/math.Pi
		away := math.Pow(10, -random.Float64()*8) * 90 // from a centimetre to a quarter of the way around
		lng2, lat2 := max(-180, min(180, lng+away*(random.Float64()*2-1))), max(-90, min(90, lat+away*(random.Float64()*2-1)))
		q := compileText(t, fmt.Sprintf(`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[%v,%v]}}}}`, lng, lat))
		got, found := nearOf(q.filter.node).distance(testDocument(t, point(lng2, lat2)).Root())
		want := haversine(lng, lat, lng2, lat2) * EarthRadiusMetres
		if !found || math.Abs(got-want) > 1e-8*want+1e-6 {
			t.Fatalf("pair %d: from [%v,%v] to [%v,%v] are %v m, want %v m", i, lng, lat, lng2, lat2, got, want)
		}
		for _, bound := range []struct {
			most  float64
			match bool
		}{{want*(1+1e-7) + 1e-5, true}, {want*(1-1e-7) - 1e-5, false}} {
			if bound.most < 0 {
				continue
			}
			text := fmt.Sprintf(`{"a":{"$nearSphere":[%v,%v],"$maxDistance":%v}}`, lng, lat, bound.most/EarthRadiusMetres)
			if compileText(t, text).Match(testDocument(t, fmt.Sprintf(`{"a":[%v,%v]}`, lng2, lat2))) != bound.match {
				t.Fatalf("pair %d: %s on [%v,%v]: want %t", i, text, lng2, lat2, bound.match)
			}
		}
	}
}

// TestPlaneShapesAgainstArithmetic uses small whole numbers, so that edges and corners are often met and all is exact.
func TestPlaneShapesAgainstArithmetic(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 2))
		whole := func() int { return random.IntN(9) }
		x1, y1, x2, y2, radius := whole(), whole(), whole(), whole(), whole()
		corners := make([][2]int, 3+random.IntN(5))
		for i := range corners {
			corners[i] = [2]int{whole(), whole()}
		}
		text := "["
		for _, c := range corners {
			text += fmt.Sprintf("[%d,%d],", c[0], c[1])
		}
		inBox := compileText(t, fmt.Sprintf(`{"a":{"$geoWithin":{"$box":[[%d,%d],[%d,%d]]}}}`, x1, y1, x2, y2))
		inCircle := compileText(t, fmt.Sprintf(`{"a":{"$geoWithin":{"$center":[[%d,%d],%d]}}}`, x1, y1, radius))
		near := compileText(t, fmt.Sprintf(`{"a":{"$near":[%d,%d],"$minDistance":%d,"$maxDistance":%d}}`, x1, y1, radius/2, radius))
		inRing := compileText(t, `{"a":{"$geoWithin":{"$polygon":`+text[:len(text)-1]+`]}}}`)
		for x := range 9 {
			for y := range 9 {
				d := testDocument(t, fmt.Sprintf(`{"a":[%d,%d]}`, x, y))
				square := (x-x1)*(x-x1) + (y-y1)*(y-y1)
				for _, test := range []struct {
					q    *Query
					want bool
				}{
					{inBox, x >= min(x1, x2) && x <= max(x1, x2) && y >= min(y1, y2) && y <= max(y1, y2)},
					{inCircle, square <= radius*radius},
					{near, square <= radius*radius && square >= (radius/2)*(radius/2)},
					{inRing, naiveRing(corners, x, y)},
				} {
					if test.q.Match(d) != test.want {
						t.Fatalf("seed %d: %s on [%d,%d]: want %t", seed, test.q.Normal(), x, y, test.want)
					}
				}
			}
		}
	}
}

// naiveRing looks for the point on every edge, and else counts the edges that a slanted ray meets, which passes through
// no point of whole numbers.
func naiveRing(corners [][2]int, x, y int) bool {
	count := 0
	for i, a := range corners {
		b := corners[(i+1)%len(corners)]
		side := (b[0]-a[0])*(y-a[1]) - (b[1]-a[1])*(x-a[0])
		if side == 0 && x >= min(a[0], b[0]) && x <= max(a[0], b[0]) && y >= min(a[1], b[1]) && y <= max(a[1], b[1]) {
			return true
		}
		// The ray goes to (x+1000, y+1): both ends of the edge lie on different sides of it, and x, y and the far end on
		// different sides of the edge.
		farX, farY := x+1000, y+1
		raySide := func(p [2]int) bool { return (farX-x)*(p[1]-y)-(farY-y)*(p[0]-x) > 0 }
		farSide := (b[0]-a[0])*(farY-a[1]) - (b[1]-a[1])*(farX-a[0])
		if raySide(a) != raySide(b) && (side > 0) != (farSide > 0) {
			count++
		}
	}
	return count%2 == 1
}

// TestPlaneSideIsExact compares with rationals, near the line most of all.
func TestPlaneSideIsExact(t *testing.T) {
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 3))
		number := func() float64 {
			f := random.Float64() * math.Pow(2, float64(random.IntN(8)))
			if random.IntN(50) == 0 {
				f *= math.Pow(10, float64(random.IntN(600)-300))
			}
			return f
		}
		a, b := planePoint{number(), number()}, planePoint{number(), number()}
		at := random.Float64()
		p := planePoint{a.x + at*(b.x-a.x), a.y + at*(b.y-a.y)}
		switch random.IntN(4) {
		case 0:
			p.y = math.Nextafter(p.y, math.Inf(1))
		case 1:
			p = planePoint{a.x + (b.x - a.x), a.y + (b.y - a.y)}
		case 2:
			a, b, p = planePoint{math.Round(a.x), math.Round(a.y)}, planePoint{math.Round(b.x), math.Round(b.y)}, planePoint{math.Round(p.x), math.Round(p.y)}
		}
		if got, want := planeSide(a, b, p), rationalPlaneSide(a, b, p); got != want {
			t.Fatalf("seed %d: the side of %v on %v %v is %d, want %d", seed, p, a, b, got, want)
		}
	}
}

// star is a random polygon around [x, y] in the gnomonic projection, as its corners there and its GeoJSON. Great circles
// are straight lines there, so that plane geometry answers what is asked of the sphere.
func star(random *rand.Rand, x, y, size float64) (ring, string) {
	var r ring
	text := "[["
	n := 3 + random.IntN(9)
	for i := range n {
		angle, away := (float64(i)+random.Float64()*0.8)*2*math.Pi/float64(n), size*(0.2+random.Float64())
		text += degrees(x+away*math.Cos(angle), y+away*math.Sin(angle), &r) + ","
	}
	var again ring
	return r, text + degrees(r[0].x, r[0].y, &again) + "]]"
}

// degrees writes a point of the projection in degrees, and adds what becomes of it to r.
func degrees(x, y float64, r *ring) string {
	ll := s2.LatLngFromPoint(s2.PointFromCoords(x, y, 1))
	*r = append(*r, planePoint{x, y})
	return fmt.Sprintf("[%v,%v]", ll.Lng.Degrees(), ll.Lat.Degrees())
}

// edges are the sides of a ring.
func (r ring) edges(visit func(a, b planePoint)) {
	a := r[len(r)-1]
	for _, b := range r {
		visit(a, b)
		a = b
	}
}

func crossInPlane(a, b, c, d planePoint) bool {
	return planeSide(a, b, c)*planeSide(a, b, d) < 0 && planeSide(c, d, a)*planeSide(c, d, b) < 0
}

func (r ring) crosses(c, d planePoint) (found bool) {
	r.edges(func(a, b planePoint) { found = found || crossInPlane(a, b, c, d) })
	return found
}

// TestPolygonsAgainstProjection compares points, lines and polygons on the sphere with the same ones in the plane. All
// are random, so that nothing touches: what only touches is in geoTests.
func TestPolygonsAgainstProjection(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 4))
		size := math.Pow(10, -random.Float64()*3)
		outer, outerText := star(random, 0.1, -0.2, size)
		within := compileText(t, inside(shape("Polygon", outerText)))
		meets := compileText(t, meeting(shape("Polygon", outerText)))
		check := func(what, geometry string, wantWithin, wantMeets bool) {
			t.Helper()
			d := testDocument(t, stored(geometry))
			if within.Match(d) != wantWithin || meets.Match(d) != wantMeets {
				t.Fatalf("seed %d: %s %s: want within %t, meets %t; the polygon is %s", seed, what, geometry, wantWithin, wantMeets, outerText)
			}
			seen[fmt.Sprintf("%s %t %t", what, wantWithin, wantMeets)]++
		}
		for range 20 {
			var p ring
			x, y := 0.1+size*(random.Float64()*3-1.5), -0.2+size*(random.Float64()*3-1.5)
			first := degrees(x, y, &p)
			in := outer.contains(p[0])
			check("point", shape("Point", first), in, in)
			second := degrees(x+size*(random.Float64()*2-1), y+size*(random.Float64()*2-1), &p)
			cross := outer.crosses(p[0], p[1])
			check("line", shape("LineString", "["+first+","+second+"]"), in && !cross, in || cross || outer.contains(p[1]))

			inner, innerText := star(random, x, y, size*random.Float64())
			crosses, innerIn, outerIn := false, outer.contains(inner[0]), inner.contains(outer[0])
			inner.edges(func(a, b planePoint) { crosses = crosses || outer.crosses(a, b) })
			check("polygon", shape("Polygon", innerText), innerIn && !crosses, crosses || innerIn || outerIn)
		}
	}
	for _, kind := range []string{"point true true", "point false false", "line true true", "line false true", "line false false",
		"polygon true true", "polygon false true", "polygon false false"} {
		if seen[kind] == 0 {
			t.Errorf("never seen: %s (%v)", kind, seen)
		}
	}
}

// crossesRing reports whether the sides of two rings cross.
func (r ring) crossesRing(o ring) (found bool) {
	r.edges(func(a, b planePoint) { found = found || o.crosses(a, b) })
	return found
}

// holedStar is a polygon of the projection with holes. It is valid if the holes lie in the shell and apart from each
// other.
type holedStar struct {
	shell ring
	holes []ring
	text  string
}

func newHoledStar(random *rand.Rand, size float64) holedStar {
	var h holedStar
	h.shell, h.text = star(random, 0.1, -0.2, size)
	var x, y float64
	for i := range 1 + random.IntN(3) {
		if i == 0 || random.IntN(3) > 0 { // else one more around the same place
			x, y = 0.1+size*(random.Float64()-0.5), -0.2+size*(random.Float64()-0.5)
		}
		hole, text := star(random, x, y, size*0.4*random.Float64())
		h.holes = append(h.holes, hole)
		h.text = h.text[:len(h.text)-1] + "," + text[1:]
	}
	return h
}

func (h holedStar) valid() bool {
	for i, hole := range h.holes {
		if hole.crossesRing(h.shell) || !h.shell.contains(hole[0]) {
			return false
		}
		for _, other := range h.holes[:i] {
			if hole.crossesRing(other) || hole.contains(other[0]) || other.contains(hole[0]) {
				return false
			}
		}
	}
	return true
}

func (h holedStar) contains(p planePoint) bool {
	return h.shell.contains(p) && !slices.ContainsFunc(h.holes, func(hole ring) bool { return hole.contains(p) })
}

func (h holedStar) crosses(a, b planePoint) bool {
	return h.shell.crosses(a, b) || slices.ContainsFunc(h.holes, func(hole ring) bool { return hole.crosses(a, b) })
}

func (h holedStar) crossesRing(r ring) bool {
	return h.shell.crossesRing(r) || slices.ContainsFunc(h.holes, func(hole ring) bool { return hole.crossesRing(r) })
}

// TestHolesAgainstProjection does the same for polygons with holes: which are valid, in a query and stored, and what
// lies in them and meets them.
func TestHolesAgainstProjection(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(250) {
		random := rand.New(rand.NewPCG(seed, 8))
		size := math.Pow(10, -random.Float64()*3)
		h := newHoledStar(random, size)
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s: %s", seed, h.text, fmt.Sprintf(format, args...))
		}
		_, err := Compile(QuerySpec{Filter: []byte(inside(shape("Polygon", h.text)))}, Limits{})
		seen[fmt.Sprintf("valid %t", h.valid())]++
		if (err == nil) != h.valid() {
			fail("valid is %t, but the error is %v", h.valid(), err)
		}
		polygon := testDocument(t, stored(shape("Polygon", h.text)))
		for range 5 {
			var p ring
			x, y := 0.1+size*(random.Float64()*2-1), -0.2+size*(random.Float64()*2-1)
			first := degrees(x, y, &p)
			in := h.contains(p[0])
			if got := compileText(t, meeting(shape("Point", first))).Match(polygon); got != (in && h.valid()) {
				fail("stored, it meets %s: %t", first, got)
			}
			if !h.valid() {
				continue
			}
			within, meets := compileText(t, inside(shape("Polygon", h.text))), compileText(t, meeting(shape("Polygon", h.text)))
			check := func(what, geometry string, wantWithin, wantMeets bool) {
				t.Helper()
				d := testDocument(t, stored(geometry))
				if within.Match(d) != wantWithin || meets.Match(d) != wantMeets {
					fail("%s %s: want within %t, meets %t", what, geometry, wantWithin, wantMeets)
				}
				if compileText(t, meeting(geometry)).Match(polygon) != wantMeets {
					fail("%s %s meets it stored: want %t", what, geometry, wantMeets)
				}
				seen[fmt.Sprintf("%s %t %t", what, wantWithin, wantMeets)]++
			}
			check("point", shape("Point", first), in, in)
			second := degrees(x+size*(random.Float64()*2-1), y+size*(random.Float64()*2-1), &p)
			cross := h.crosses(p[0], p[1])
			check("line", shape("LineString", "["+first+","+second+"]"), in && !cross, in || cross)

			inner, text := star(random, x, y, size*random.Float64())
			crosses := h.crossesRing(inner)
			around := slices.ContainsFunc(h.holes, func(hole ring) bool { return inner.contains(hole[0]) })
			innerIn := h.contains(inner[0])
			check("polygon", shape("Polygon", text), innerIn && !crosses && !around, crosses || innerIn || inner.contains(h.shell[0]) || around)
			// The holed polygon lies within the other one if its shell does.
			got := compileText(t, inside(shape("Polygon", text))).Match(polygon)
			if got != (!h.shell.crossesRing(inner) && inner.contains(h.shell[0])) {
				fail("it lies within %s: %t", text, got)
			}
		}
	}
	for _, kind := range []string{"valid true", "valid false", "point true true", "point false false", "line true true", "line false true", "line false false",
		"polygon true true", "polygon false true", "polygon false false"} {
		if seen[kind] < 5 {
			t.Errorf("seldom seen: %s (%v)", kind, seen)
		}
	}
}

// TestPolygonHoldsItsOwnPoints is about what only touches: a polygon's own corners, edges and itself.
func TestPolygonHoldsItsOwnPoints(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 5))
		r, text := star(random, random.Float64()-0.5, random.Float64()-0.5, math.Pow(10, -random.Float64()*4))
		within := compileText(t, inside(shape("Polygon", text)))
		meets := compileText(t, meeting(shape("Polygon", text)))
		check := func(what, geometry string) {
			t.Helper()
			if d := testDocument(t, stored(geometry)); !within.Match(d) || !meets.Match(d) {
				t.Fatalf("seed %d: %s does not hold its own %s %s", seed, text, what, geometry)
			}
		}
		check("self", shape("Polygon", text))
		check("edges", shape("LineString", text[1:len(text)-1]))
		r.edges(func(a, b planePoint) {
			var scratch ring
			check("corner", shape("Point", degrees(a.x, a.y, &scratch)))
			at := random.Float64()
			check("edge", shape("Point", degrees(a.x+at*(b.x-a.x), a.y+at*(b.y-a.y), &scratch)))
		})
	}
}

// TestDistanceAgainstSamples compares the distance from lines and polygons with that of many points of them.
func TestDistanceAgainstSamples(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 6))
		size := math.Pow(10, -random.Float64()*3)
		r, text := star(random, 0.2, 0.1, size)
		x, y := 0.2+size*(random.Float64()*6-3), 0.1+size*(random.Float64()*6-3)
		ll := s2.LatLngFromPoint(s2.PointFromCoords(x, y, 1))
		q := compileText(t, fmt.Sprintf(`{"a":{"$nearSphere":[%v,%v]}}`, ll.Lng.Degrees(), ll.Lat.Degrees()))
		least := math.Inf(1)
		r.edges(func(a, b planePoint) {
			for i := range 2001 {
				at := float64(i) / 2000
				sample := s2.LatLngFromPoint(s2.PointFromCoords(a.x+at*(b.x-a.x), a.y+at*(b.y-a.y), 1))
				least = math.Min(least, haversine(ll.Lng.Degrees(), ll.Lat.Degrees(), sample.Lng.Degrees(), sample.Lat.Degrees()))
			}
		})
		near := nearOf(q.filter.node)
		line, _ := near.distance(testDocument(t, stored(shape("LineString", text[1:len(text)-1]))).Root())
		if line > least+1e-12 || line < least-size*2e-3 {
			t.Fatalf("seed %d: the line is %v away, samples %v", seed, line, least)
		}
		want := line
		if r.contains(planePoint{x, y}) {
			want = 0
		}
		if polygon, _ := near.distance(testDocument(t, stored(shape("Polygon", text))).Root()); polygon != want {
			t.Fatalf("seed %d: the polygon is %v away, want %v", seed, polygon, want)
		}
	}
}

// nearModel is a live $near over documents whose places it knows.
type nearModel struct {
	random *rand.Rand
	query  *Query
	most   float64
	far    func(x, y int) float64 // of one place, another formula than the one in use where there is one
	store  map[string]*Document
	places map[string][][2]int // by `_id`; none: the document has no geometry
}

// change makes a random change. Places are few whole numbers, so that ties are common.
func (m *nearModel) change(t *testing.T) *Change {
	id := fmt.Sprintf("d%02d", m.random.IntN(30))
	c := &Change{ID: id, Before: m.store[id], Operation: OperationUpdate}
	if c.Before == nil {
		c.Operation = OperationInsert
	} else if m.random.IntN(4) == 0 {
		c.Operation = OperationDelete
		delete(m.places, id)
		return c
	}
	m.places[id] = nil
	text := fmt.Sprintf(`{"_id":%q,"n":%d,"a":[`, id, m.random.IntN(2))
	for i := range m.random.IntN(4) {
		if i > 0 {
			text += ","
		}
		x, y := m.random.IntN(7), m.random.IntN(7)
		m.places[id] = append(m.places[id], [2]int{x, y})
		text += []string{`[%d,%d]`, `{"x":%d,"y":%d}`, `{"type":"Point","coordinates":[%d,%d]}`}[m.random.IntN(3)]
		text = fmt.Sprintf(text, x, y)
	}
	c.After = testDocument(t, text+"]}")
	return c
}

// want is the result, found and sorted from the places alone.
func (m *nearModel) want() []string {
	distances := map[string]float64{}
	ids := make([]string, 0)
	for id, places := range m.places {
		least := math.Inf(1)
		for _, p := range places {
			least = math.Min(least, m.far(p[0], p[1]))
		}
		if distances[id] = least; len(places) > 0 && least <= m.most {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(distances[a], distances[b]), cmp.Compare(a, b))
	})
	ids = ids[min(len(ids), m.query.Skip()):]
	if m.query.Limit() > 0 {
		ids = ids[:min(len(ids), m.query.Limit())]
	}
	return ids
}

func TestNearWindowAgainstNaiveSort(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 7))
		x, y, most := random.IntN(7), random.IntN(7), float64(3+random.IntN(5))
		m := &nearModel{random: random, store: map[string]*Document{}, places: map[string][][2]int{}, most: most}
		filter := fmt.Sprintf(`{"a":{"$near":[%d,%d],"$maxDistance":%v}}`, x, y, most)
		m.far = func(px, py int) float64 { return math.Sqrt(float64((px-x)*(px-x) + (py-y)*(py-y))) }
		if random.IntN(2) == 0 { // the sphere: equal places give equal distances, others differ clearly or mirror each other
			most = math.Round(most)*111_000 + 500
			m.most = most
			filter = fmt.Sprintf(`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[%d,0]},"$maxDistance":%v}}}`, x, most)
			centre, _ := spherePoint(float64(x), 0)
			m.far = func(px, py int) float64 {
				p, _ := spherePoint(float64(px), float64(py))
				if want := haversine(float64(x), 0, float64(px), float64(py)); math.Abs(centre.Distance(p).Radians()-want) > 1e-9 {
					t.Fatalf("seed %d: the distance of [%d,%d] is not %v", seed, px, py, want)
				}
				return centre.Distance(p).Radians() * EarthRadiusMetres
			}
		}
		m.query = compile(t, QuerySpec{Filter: []byte(filter), Skip: random.IntN(4), Limit: random.IntN(7)})
		w := NewWindow(m.query, Limits{})
		if m.query.Limit() > 0 {
			w.need = m.query.Skip() + m.query.Limit() + 1 + random.IntN(3) // so few that windows run dry
		}
		if err := loadNaive(w, m.query, m.store); err != nil {
			t.Fatal(err)
		}
		var client []*Document
		for step := range 150 {
			var err error
			if client, _, err = applyNaive(w, m.query, m.store, m.change(t), client); err != nil {
				t.Fatalf("seed %d, step %d, %s: %v", seed, step, filter, err)
			}
			got := make([]string, 0)
			for _, d := range client {
				got = append(got, d.ID())
			}
			if want := m.want(); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d, %s: got %v, want %v", seed, step, m.query.Normal(), got, want)
			}
		}
	}
}

func TestNearWithSortIsOnlyAFilter(t *testing.T) {
	q := compile(t, QuerySpec{Filter: []byte(`{"a":{"$near":[0,0],"$maxDistance":5}}`), Sort: []byte(`{"n":1}`)})
	far, close := testDocument(t, `{"_id":"f","n":1,"a":[3,4]}`), testDocument(t, `{"_id":"c","n":2,"a":[0,0]}`)
	if string(q.AppendSortKey(nil, far)) > string(q.AppendSortKey(nil, close)) {
		t.Error("the sort does not decide")
	}
	byDistance := compileText(t, `{"a":{"$near":[0,0],"$maxDistance":5}}`)
	if string(byDistance.AppendSortKey(nil, far)) < string(byDistance.AppendSortKey(nil, close)) {
		t.Error("the distance does not decide")
	}
	if byDistance.ByID() || byDistance.Normal() == q.Normal() {
		t.Errorf("the order by distance is not told: %s", byDistance.Normal())
	}
}

// FuzzGeometry: no text panics; what lies within a geometry meets it; a distance is a number, and 0 for what is met.
func FuzzGeometry(f *testing.F) {
	seeds := []string{square, holed, dateLine, polar, strict(square), `[1,2]`, `{"x":1,"y":2}`, shape("MultiPoint", `[[1,2],[3,4]]`),
		shape("MultiLineString", `[[[1,2],[3,4]]]`), `{"type":"GeometryCollection","geometries":[` + square + `]}`, `[[1,1],[2,2]]`}
	for _, a := range seeds {
		for _, b := range seeds {
			f.Add([]byte(a), []byte(b))
		}
	}
	f.Fuzz(func(t *testing.T, query, document []byte) {
		limits := Limits{MaxDocumentBytes: 4096, MaxQueryBytes: 4096}
		d, err := Parse(slices.Concat([]byte(`{"_id":"a","a":`), document, []byte(`}`)), limits)
		if err != nil {
			return
		}
		ask := func(operator string) (*Query, bool) {
			q, err := Compile(QuerySpec{Filter: slices.Concat([]byte(`{"a":{"`+operator+`":`), query, []byte(`}}`))}, limits)
			var bad *Error
			if err != nil && (!errors.As(err, &bad) || bad.Path == "" || bad.Detail == "") {
				t.Fatalf("%s of %s: %v", operator, query, err)
			}
			return q, err == nil
		}
		for _, operator := range []string{"$near", "$nearSphere"} {
			if q, ok := ask(operator); ok {
				distance, found := nearOf(q.filter.node).distance(d.Root())
				if found && !(distance >= 0) {
					t.Fatalf("%s of %s: the distance of %s is %v", operator, query, document, distance)
				}
				q.AppendSortKey(nil, d)
			}
		}
		query = slices.Concat([]byte(`{"$geometry":`), query, []byte(`}`))
		within, ok := ask("$geoWithin")
		meets, ok2 := ask("$geoIntersects")
		if ok && ok2 && within.Match(d) && !meets.Match(d) {
			t.Fatalf("%s lies within %s but does not meet it", document, query)
		}
	})
}
