package matcher

import (
	"slices"

	"github.com/golang/geo/s2"
)

// polygon is a polygon on the sphere: what lies inside of an odd number of its rings.
type polygon struct {
	rings  [][]s2.Point // the first point is not repeated; the first ring is the shell, all others are holes
	arcs   arcSet       // of all rings
	chains [][]arc      // of each ring, in its order
	origin bool         // whether s2.OriginPoint lies inside
}

// maxInteriorTries bounds the search for a point inside of a polygon.
const maxInteriorTries = 64

// inside reports whether p lies in the polygon, by the exact rules of s2: of two polygons that share an edge one has it.
// It counts the edges between p and a point of which that is known.
func (r *polygon) inside(p s2.Point) bool {
	inside, origin := r.origin, s2.OriginPoint()
	for _, ring := range r.rings {
		c := ring[len(ring)-1]
		side := s2.RobustSign(origin, p, c)
		for _, d := range ring {
			next := s2.RobustSign(origin, p, d)
			switch {
			case c == p || d == p || side == s2.Indeterminate || next == s2.Indeterminate:
				inside = inside != s2.EdgeOrVertexCrossing(origin, p, c, d)
			case side != next && s2.RobustSign(c, d, p) == side && s2.RobustSign(c, d, origin) == next:
				inside = !inside
			}
			c, side = d, next
		}
	}
	return inside
}

func (r *polygon) onEdge(p s2.Point) bool { return r.arcs.touches(p) }

// contains reports whether p lies in the polygon or on an edge.
func (r *polygon) contains(p s2.Point) bool { return r.inside(p) || r.onEdge(p) }

// containsChain reports whether the polygon holds every point of a chain of arcs.
func (r *polygon) containsChain(arcs []arc) bool {
	within := false // the end of the arc before lies within
	var cuts []float64
	for i := range arcs {
		e := &arcs[i]
		if cuts = e.cuts(r.arcs, cuts[:0]); len(cuts) == 0 { // all of it lies on one side
			if !within && !r.inside(e.a) {
				return false
			}
		} else if !r.contains(e.a) || !r.contains(e.b) || !e.pieces(cuts, r.contains) {
			return false
		}
		within = true
	}
	return true
}

// containsPolygon reports whether the polygon holds every point of another one. The edges of o must lie within, r's edges
// must not pass through the interior of o, and then one point of that interior decides for all.
func (r *polygon) containsPolygon(o *polygon) bool {
	for _, ring := range o.chains {
		if !r.containsChain(ring) {
			return false
		}
	}
	for _, ring := range r.chains {
		if o.passes(ring) {
			return false
		}
	}
	p, found := o.interior()
	return !found || r.contains(p)
}

// passes reports whether a chain of arcs passes through the interior of the polygon. Only an arc at the beginning or behind
// one that the polygon's edges cut is looked for: all others lie on the side of the one before.
func (r *polygon) passes(arcs []arc) bool {
	outside := false // the arc before lies outside, and no edge cuts it
	var cuts []float64
	for i := range arcs {
		e := &arcs[i]
		cuts = e.cuts(r.arcs, cuts[:0])
		if outside && len(cuts) == 0 {
			continue
		}
		if !e.pieces(cuts, func(p s2.Point) bool { return !r.inside(p) || r.onEdge(p) }) {
			return true
		}
		outside = len(cuts) == 0 && e.a.Distance(e.b).Radians() > 2*touchRadians // pieces has looked
	}
	return false
}

// interior finds a point inside that is on no edge; a polygon without an area has none.
func (r *polygon) interior() (s2.Point, bool) {
	tries := 0
	shell := closed(r.rings[0])
	for i := 1; i < len(shell); i++ {
		a, b := shell[i-1], shell[i]
		middle := s2.Interpolate(0.5, a, b)
		for away := a.Distance(b) / 2; away > 4*touchRadians; away /= 16 {
			if tries++; tries > maxInteriorTries {
				return s2.Point{}, false
			}
			if p := s2.PointToLeft(middle, b, away); r.inside(p) && !r.onEdge(p) {
				return p, true
			}
		}
	}
	return s2.Point{}, false
}

// meetsChain reports whether the polygon and a chain of arcs have a point in common.
func (r *polygon) meetsChain(arcs []arc) bool {
	if r.contains(arcs[0].a) {
		return true
	}
	for i := range arcs {
		if r.arcs.meets(&arcs[i]) {
			return true
		}
	}
	return false
}

// meetsPolygon reports whether two polygons have a point in common: edges that meet, or one holds the other.
func (r *polygon) meetsPolygon(o *polygon) bool {
	return r.contains(o.rings[0][0]) || o.contains(r.rings[0][0]) || r.meetsChain(o.arcs.arcs)
}

// distance is the least angle from p to the polygon, in radians.
func (r *polygon) distance(p s2.Point) float64 {
	if r.inside(p) {
		return 0
	}
	return chainDistance(r.arcs.arcs, p)
}

func chainDistance(arcs []arc, p s2.Point) float64 {
	least := arcs[0].distance(p)
	for i := range arcs[1:] {
		least = min(least, arcs[i+1].distance(p))
	}
	return least.Radians()
}

func closed(ring []s2.Point) []s2.Point {
	return append(slices.Clip(ring), ring[0])
}

// newPolygon makes a polygon of rings without their last points. winding takes a single ring as it turns: the inside lies
// to its left, however much that is; else the inside of a ring is the smaller part of the sphere. fault says what is
// wrong, "" if nothing is.
func newPolygon(rings [][]s2.Point, winding bool) (r *polygon, fault string) {
	r = &polygon{}
	var loops []checkedLoop
	var edges []arc
	for i, ring := range rings {
		if len(ring) < 3 {
			return nil, "a ring has less than 3 different points"
		}
		arcs := chain(closed(ring))
		for _, e := range arcs {
			if antipodal(e.a, e.b) {
				return nil, "an edge joins two points on opposite sides of the sphere, which have no shortest way"
			}
		}
		loop := newCheckedLoop(ring)
		if len(loop.corners) < len(ring) {
			return nil, "a ring passes twice through one point"
		}
		if !winding {
			loop.Normalize()
		}
		if i > 0 {
			if fault := loop.holeFault(loops); fault != "" {
				return nil, fault
			}
		}
		loops = append(loops, loop)
		r.rings = append(r.rings, loop.Vertices())
		r.origin = r.origin != loop.ContainsOrigin()
		r.chains = append(r.chains, arcs)
		edges = append(edges, arcs...)
	}
	r.arcs = newArcSet(edges)
	return r, r.arcs.crossing()
}

func antipodal(a, b s2.Point) bool { return a.Add(b.Vector).Norm2() < 1e-28 }

// checkedLoop is a ring while a polygon is being made.
type checkedLoop struct {
	*s2.Loop
	corners map[s2.Point]struct{}
}

func newCheckedLoop(ring []s2.Point) checkedLoop {
	l := checkedLoop{Loop: s2.LoopFromPoints(slices.Clone(ring)), corners: make(map[s2.Point]struct{}, len(ring))}
	for _, p := range ring {
		l.corners[p] = struct{}{}
	}
	return l
}

// holeFault says why a ring cannot be a hole beside those before it: it must lie within the first, the shell, may touch
// that in one point only, and no hole may lie within another one.
func (l checkedLoop) holeFault(before []checkedLoop) string {
	shell := before[0]
	if in, out, shared := l.sides(shell); out || !in && shared < len(l.corners) {
		return "a ring after the first lies outside of that; it must be a hole"
	} else if shared > 1 {
		return "a hole shares more than one point with the outer ring"
	}
	for _, other := range before[1:] {
		if !other.RectBound().Intersects(l.RectBound()) {
			continue
		}
		within, _, shared := l.sides(other)
		if shared == len(l.corners) { // its edges lie within, or it stands in a bay of the other one
			within = other.ContainsPoint(s2.Interpolate(0.5, l.Vertex(0), l.Vertex(1)))
		}
		if around, _, _ := other.sides(l); within || around {
			return "a hole lies within another one, or crosses it"
		}
	}
	return ""
}

// sides reports whether corners of l lie inside and outside of other, and how many it shares with it.
func (l checkedLoop) sides(other checkedLoop) (in, out bool, shared int) {
	for _, p := range l.Vertices() {
		if _, found := other.corners[p]; found {
			shared++
		} else if other.ContainsPoint(p) {
			in = true
		} else {
			out = true
		}
	}
	return in, out, shared
}
