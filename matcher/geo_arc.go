package matcher

import (
	"cmp"
	"math"
	"slices"

	"github.com/golang/geo/r3"
	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

// arc is the shortest way between two points of the sphere, with a box in space around it.
type arc struct {
	a, b      s2.Point
	low, high r3.Vector
}

func newArc(a, b s2.Point) arc {
	// The way leaves the chord by no more than its height over the middle.
	half := a.Add(b.Vector).Norm() / 2
	margin := 1 - half + 2*touchRadians
	return arc{a: a, b: b,
		low:  r3.Vector{X: min(a.X, b.X) - margin, Y: min(a.Y, b.Y) - margin, Z: min(a.Z, b.Z) - margin},
		high: r3.Vector{X: max(a.X, b.X) + margin, Y: max(a.Y, b.Y) + margin, Z: max(a.Z, b.Z) + margin},
	}
}

// chain makes the arcs between points that follow one another.
func chain(points []s2.Point) []arc {
	arcs := make([]arc, 0, len(points))
	for i := 1; i < len(points); i++ {
		arcs = append(arcs, newArc(points[i-1], points[i]))
	}
	return arcs
}

// sortArcs orders arcs so that a scan for those near something can end early.
func sortArcs(arcs []arc) {
	slices.SortFunc(arcs, func(e, f arc) int { return cmp.Compare(e.low.X, f.low.X) })
}

// apart reports whether the boxes of two arcs have nothing in common.
func (e *arc) apart(f *arc) bool {
	return e.high.X < f.low.X || f.high.X < e.low.X || e.high.Y < f.low.Y || f.high.Y < e.low.Y ||
		e.high.Z < f.low.Z || f.high.Z < e.low.Z
}

// distance is the least angle between the arc and p.
func (e *arc) distance(p s2.Point) s1.Angle { return s2.DistanceFromSegment(p, e.a, e.b) }

// touches reports whether p lies on the arc.
func (e *arc) touches(p s2.Point) bool {
	if p.X < e.low.X || p.X > e.high.X || p.Y < e.low.Y || p.Y > e.high.Y || p.Z < e.low.Z || p.Z > e.high.Z {
		return false
	}
	return e.distance(p) <= touchRadians
}

// meets reports whether two arcs have a point in common.
func (e *arc) meets(f *arc) bool {
	return !e.apart(f) && (s2.CrossingSign(e.a, e.b, f.a, f.b) != s2.DoNotCross ||
		e.touches(f.a) || e.touches(f.b) || f.touches(e.a) || f.touches(e.b))
}

// anyTouches reports whether p lies on one of the sorted arcs.
func anyTouches(sorted []arc, p s2.Point) bool {
	for i := range sorted {
		if sorted[i].low.X > p.X {
			return false
		}
		if sorted[i].touches(p) {
			return true
		}
	}
	return false
}

// anyMeets reports whether e meets one of the sorted arcs.
func anyMeets(sorted []arc, e *arc) bool {
	for i := range sorted {
		if sorted[i].low.X > e.high.X {
			return false
		}
		if e.meets(&sorted[i]) {
			return true
		}
	}
	return false
}

// cuts appends where, in radians from e's beginning, the sorted arcs cross or touch e.
func (e *arc) cuts(sorted []arc, places []float64) []float64 {
	add := func(p s2.Point) { places = append(places, e.a.Distance(p).Radians()) }
	for i := range sorted {
		f := &sorted[i]
		if f.low.X > e.high.X {
			break
		}
		if e.apart(f) {
			continue
		}
		if s2.CrossingSign(e.a, e.b, f.a, f.b) == s2.Cross {
			add(s2.Intersection(e.a, e.b, f.a, f.b))
		}
		for _, p := range [...]s2.Point{f.a, f.b} {
			if e.touches(p) {
				add(p)
			}
		}
		if f.touches(e.a) {
			add(e.a)
		}
		if f.touches(e.b) {
			add(e.b)
		}
	}
	return places
}

// pieces shows the middles of the pieces that the cuts make of e, until visit returns false. Pieces too short to leave
// what they touch are left out.
func (e *arc) pieces(cuts []float64, visit func(middle s2.Point) bool) bool {
	slices.Sort(cuts)
	length := e.a.Distance(e.b).Radians()
	from := 0.0
	for i := 0; i <= len(cuts); i++ {
		to := length
		if i < len(cuts) {
			to = math.Min(cuts[i], length)
		}
		if to-from > 2*touchRadians && !visit(s2.InterpolateAtDistance(s1.Angle((from+to)/2), e.a, e.b)) {
			return false
		}
		from = to
	}
	return true
}

// boundOf is a cap that holds the points and the shortest ways between them, or everything where they lie so far apart
// that no smaller one is sure to.
func boundOf(points []s2.Point) s2.Cap {
	if len(points) == 0 {
		return s2.EmptyCap()
	}
	var sum r3.Vector
	for _, p := range points {
		sum = sum.Add(p.Vector)
	}
	if sum.Norm() < 1e-3*float64(len(points)) {
		return s2.FullCap()
	}
	centre := s2.Point{Vector: sum.Normalize()}
	var most s1.Angle
	for _, p := range points {
		most = max(most, centre.Distance(p))
	}
	if most > 1.5 { // a cap below a hemisphere is convex
		return s2.FullCap()
	}
	return s2.CapFromCenterAngle(centre, most+4*touchRadians)
}
