package matcher

import (
	"math"

	"github.com/golang/geo/s1"
	"github.com/golang/geo/s2"
)

// sphereShape is what a stored geometry is held against on the sphere.
type sphereShape interface {
	// acceptsPoint and accepts report whether the shape contains a geometry, or meets it: as the operator asks.
	acceptsPoint(p s2.Point) bool
	accepts(g *geometry) bool
	// reach is a cap outside of which nothing is accepted.
	reach() s2.Cap
}

// disk is $centerSphere: what lies no further than radius, in radians, from its centre.
type disk struct {
	centre s2.Point
	radius float64
}

func (d disk) acceptsPoint(p s2.Point) bool {
	return d.centre.Distance(p).Radians() <= d.radius+touchRadians
}

func (d disk) accepts(g *geometry) bool {
	if d.radius >= math.Pi {
		return true
	}
	for _, p := range g.points {
		if !d.acceptsPoint(p) {
			return false
		}
	}
	for _, line := range g.lines {
		if !d.holdsChain(line) {
			return false
		}
	}
	opposite := s2.Point{Vector: d.centre.Mul(-1)}
	for _, r := range g.polygons {
		if r.inside(opposite) || !d.holdsChain(r.arcs.arcs) {
			return false
		}
	}
	return true
}

// holdsChain reports whether every point of the arcs lies in the disk: the furthest point of an arc is the one next to
// the opposite of the centre.
func (d disk) holdsChain(arcs []arc) bool {
	return math.Pi-chainDistance(arcs, s2.Point{Vector: d.centre.Mul(-1)}) <= d.radius+touchRadians
}

func (d disk) reach() s2.Cap {
	if d.radius >= 3 {
		return s2.FullCap()
	}
	return s2.CapFromCenterAngle(d.centre, s1.Angle(d.radius+4*touchRadians))
}

// within is $geoWithin with GeoJSON: each part of the stored geometry lies in one of the polygons.
type within struct{ *geometry }

func (w within) reach() s2.Cap { return w.bound }

func (w within) acceptsPoint(p s2.Point) bool {
	for _, r := range w.polygons {
		if r.contains(p) {
			return true
		}
	}
	return false
}

func (w within) accepts(g *geometry) bool {
	for _, p := range g.points {
		if !w.acceptsPoint(p) {
			return false
		}
	}
	for _, line := range g.lines {
		if !w.any(func(r *polygon) bool { return r.containsChain(line) }) {
			return false
		}
	}
	for _, o := range g.polygons {
		if !w.any(func(r *polygon) bool { return r.containsPolygon(o) }) {
			return false
		}
	}
	return true
}

func (w within) any(holds func(r *polygon) bool) bool {
	for _, r := range w.polygons {
		if holds(r) {
			return true
		}
	}
	return false
}

// intersects is $geoIntersects: the stored geometry and this one have a point in common.
type intersects struct{ *geometry }

func (x intersects) reach() s2.Cap { return x.bound }

func (x intersects) acceptsPoint(p s2.Point) bool {
	for _, q := range x.points {
		if p.Distance(q) <= touchRadians {
			return true
		}
	}
	for _, line := range x.lines {
		for i := range line {
			if line[i].touches(p) {
				return true
			}
		}
	}
	for _, r := range x.polygons {
		if r.contains(p) {
			return true
		}
	}
	return false
}

func (x intersects) accepts(g *geometry) bool {
	for _, p := range g.points {
		if x.acceptsPoint(p) {
			return true
		}
	}
	for _, q := range x.points {
		if (intersects{g}).acceptsPoint(q) {
			return true
		}
	}
	for _, line := range g.lines {
		if x.meetsChain(line) {
			return true
		}
	}
	for _, r := range g.polygons {
		for _, line := range x.lines {
			if r.meetsChain(line) {
				return true
			}
		}
		for _, o := range x.polygons {
			if o.meetsPolygon(r) {
				return true
			}
		}
	}
	return false
}

// meetsChain reports whether one of the lines or polygons meets a chain of arcs.
func (x intersects) meetsChain(arcs []arc) bool {
	for _, line := range x.lines {
		for i := range line {
			for j := range arcs {
				if line[i].meets(&arcs[j]) {
					return true
				}
			}
		}
	}
	for _, r := range x.polygons {
		if r.meetsChain(arcs) {
			return true
		}
	}
	return false
}

// distance is the least angle from p to the geometry, in radians.
func (g *geometry) distance(p s2.Point) float64 {
	least := math.Inf(1)
	for _, q := range g.points {
		least = min(least, p.Distance(q).Radians())
	}
	for _, line := range g.lines {
		least = min(least, chainDistance(line, p))
	}
	for _, r := range g.polygons {
		least = min(least, r.distance(p))
	}
	return least
}
