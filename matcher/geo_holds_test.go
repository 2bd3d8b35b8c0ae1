package matcher

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/golang/geo/s2"
)

// sphereStar is a polygon around a point of the sphere, its corners on a grid so coarse that polygons share corners and
// edges; nil if they cross.
func sphereStar(random *rand.Rand, size float64, holes int) *polygon {
	grid := func(f float64) float64 { return math.Round(f*30) / 30 }
	ring := func(size float64) (points []s2.Point) {
		n := 3 + random.IntN(6)
		for i := range n {
			angle, away := 2*math.Pi*(float64(i)+random.Float64()*0.6)/float64(n), size*(0.5+random.Float64()/2)
			lng := 179.9 + grid(away*math.Cos(angle))
			if lng > 180 {
				lng -= 360
			}
			p, _ := spherePoint(lng, 60+grid(away*math.Sin(angle)))
			if len(points) == 0 || p != points[len(points)-1] {
				points = append(points, p)
			}
		}
		return points
	}
	rings := [][]s2.Point{ring(size)}
	for range holes {
		rings = append(rings, ring(size/4))
	}
	r, fault := newPolygon(rings, false)
	if fault != "" {
		return nil
	}
	return r
}

// holdsNaively is r.containsPolygon(o) with every edge looked at for itself.
func holdsNaively(r, o *polygon) bool {
	outside := func(of *polygon, e *arc, visit func(p s2.Point) bool) bool {
		return !e.pieces(e.cuts(of.arcs, nil), visit)
	}
	for i := range o.arcs.arcs {
		e := &o.arcs.arcs[i]
		if !r.contains(e.a) || !r.contains(e.b) || outside(r, e, r.contains) {
			return false
		}
	}
	for i := range r.arcs.arcs {
		if outside(o, &r.arcs.arcs[i], func(p s2.Point) bool { return !o.inside(p) || o.onEdge(p) }) {
			return false
		}
	}
	p, found := o.interior()
	return !found || r.contains(p)
}

// TestPolygonHoldsAgainstNaive holds the way that follows the rings against the one that looks at each edge.
func TestPolygonHoldsAgainstNaive(t *testing.T) {
	seen := map[bool]int{}
	for seed := range uint64(6000) {
		random := rand.New(rand.NewPCG(seed, 11))
		r, o := sphereStar(random, 1, random.IntN(2)), sphereStar(random, 0.2+random.Float64(), random.IntN(3)/2)
		if r == nil || o == nil {
			continue
		}
		want := holdsNaively(r, o)
		if got := r.containsPolygon(o); got != want {
			t.Fatalf("seed %d: holds is %t, want %t", seed, got, want)
		}
		seen[want]++
	}
	if seen[true] < 50 || seen[false] < 50 {
		t.Errorf("too few of one kind: %v", seen)
	}
}

// TestArcsBetween looks for arcs that are near another one and left out.
func TestArcsBetween(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 12))
		point := func(near s2.Point, size float64) s2.Point {
			return s2.PointFromCoords(near.X+size*random.NormFloat64(), near.Y+size*random.NormFloat64(), near.Z+size*random.NormFloat64())
		}
		centre := point(s2.Point{}, 1)
		var arcs []arc
		for range 40 {
			a := point(centre, 0.3)
			arcs = append(arcs, newArc(a, point(a, math.Pow(10, -3*random.Float64()))))
		}
		set := newArcSet(arcs)
		for i := range set.arcs {
			e := &set.arcs[i]
			between := map[arc]bool{}
			for _, f := range set.between(e.low, e.high) {
				between[f] = true
			}
			for j := range set.arcs {
				if f := set.arcs[j]; !between[f] && !e.apart(&f) {
					t.Fatalf("seed %d: an arc is left out that is not apart", seed)
				}
			}
		}
	}
}
