package matcher

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/golang/geo/r3"
	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

// arc is the shortest way between two points of the sphere, with a box in space around it.
type arc struct {
	a, b      s2.Point
	low, high [3]float64
}

// coordinates are those of a point in space.
func coordinates(p s2.Point) [3]float64 { return [3]float64{p.X, p.Y, p.Z} }

func newArc(a, b s2.Point) arc {
	// The way leaves the chord by no more than its height over the middle.
	half := a.Add(b.Vector).Norm() / 2
	margin := 1 - half + 2*touchRadians
	e := arc{a: a, b: b}
	from, to := coordinates(a), coordinates(b)
	for axis := range from {
		e.low[axis] = min(from[axis], to[axis]) - margin
		e.high[axis] = max(from[axis], to[axis]) + margin
	}
	return e
}

// chain makes the arcs between points that follow one another.
func chain(points []s2.Point) []arc {
	arcs := make([]arc, 0, len(points))
	for i := 1; i < len(points); i++ {
		arcs = append(arcs, newArc(points[i-1], points[i]))
	}
	return arcs
}

// arcSet holds arcs sorted by one of their coordinates, so that a scan for those near something can end early.
type arcSet struct {
	arcs    []arc
	axis    int       // the coordinate in which they lie furthest apart
	highest []float64 // up to where in it the arcs reach that begin no later than each
}

// newArcSet sorts arcs.
func newArcSet(arcs []arc) arcSet {
	s := arcSet{arcs: arcs}
	if len(arcs) == 0 {
		return s
	}
	var widest float64
	for axis := range arcs[0].low {
		least, most := arcs[0].low[axis], arcs[0].low[axis]
		for i := range arcs {
			least, most = min(least, arcs[i].low[axis]), max(most, arcs[i].low[axis])
		}
		if most-least > widest {
			widest, s.axis = most-least, axis
		}
	}
	slices.SortFunc(arcs, func(e, f arc) int { return cmp.Compare(e.low[s.axis], f.low[s.axis]) })
	s.highest = make([]float64, len(arcs))
	reach := math.Inf(-1)
	for i := range arcs {
		reach = max(reach, arcs[i].high[s.axis])
		s.highest[i] = reach
	}
	return s
}

// apart reports whether the boxes of two arcs have nothing in common.
func (e *arc) apart(f *arc) bool {
	return e.high[0] < f.low[0] || f.high[0] < e.low[0] || e.high[1] < f.low[1] || f.high[1] < e.low[1] ||
		e.high[2] < f.low[2] || f.high[2] < e.low[2]
}

// distance is the least angle between the arc and p.
func (e *arc) distance(p s2.Point) s1.Angle { return s2.DistanceFromSegment(p, e.a, e.b) }

// touches reports whether p lies on the arc.
func (e *arc) touches(p s2.Point) bool {
	if p.X < e.low[0] || p.X > e.high[0] || p.Y < e.low[1] || p.Y > e.high[1] || p.Z < e.low[2] || p.Z > e.high[2] {
		return false
	}
	return e.distance(p) <= touchRadians
}

// meets reports whether two arcs have a point in common.
func (e *arc) meets(f *arc) bool {
	return !e.apart(f) && (s2.CrossingSign(e.a, e.b, f.a, f.b) != s2.DoNotCross ||
		e.touches(f.a) || e.touches(f.b) || f.touches(e.a) || f.touches(e.b))
}

// between are the arcs that may lie between two coordinates: those that begin at or before the second one, without the
// first of them that all end before the other.
func (s arcSet) between(low, high [3]float64) []arc {
	least, most := low[s.axis], high[s.axis]
	to := sort.Search(len(s.arcs), func(i int) bool { return s.arcs[i].low[s.axis] > most })
	from := sort.SearchFloat64s(s.highest[:to], least)
	return s.arcs[from:to]
}

// touches reports whether p lies on one of the arcs.
func (s arcSet) touches(p s2.Point) bool {
	near := s.between(coordinates(p), coordinates(p))
	for i := range near {
		if near[i].touches(p) {
			return true
		}
	}
	return false
}

// meets reports whether e meets one of the arcs.
func (s arcSet) meets(e *arc) bool {
	near := s.between(e.low, e.high)
	for i := range near {
		if e.meets(&near[i]) {
			return true
		}
	}
	return false
}

// cuts appends where, in radians from e's beginning, the arcs of the set cross or touch e.
func (e *arc) cuts(set arcSet, places []float64) []float64 {
	add := func(p s2.Point) { places = append(places, e.a.Distance(p).Radians()) }
	near := set.between(e.low, e.high)
	for i := range near {
		f := &near[i]
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

// crossing says whether two of the arcs cross at inner points or are the same, or cannot be compared within
// MaxGeometrySteps; "" if neither.
func (s arcSet) crossing() (fault string) {
	steps := 0
	for i := range s.arcs {
		e := &s.arcs[i]
		for j := i + 1; j < len(s.arcs) && s.arcs[j].low[s.axis] <= e.high[s.axis]; j++ {
			f := &s.arcs[j]
			if steps++; steps > MaxGeometrySteps {
				return "too many edges lie side by side (MaxGeometrySteps)"
			}
			if e.apart(f) {
				continue
			}
			if s2.CrossingSign(e.a, e.b, f.a, f.b) == s2.Cross || e.a == f.a && e.b == f.b || e.a == f.b && e.b == f.a {
				return "edges cross or stand twice"
			}
		}
	}
	return ""
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
