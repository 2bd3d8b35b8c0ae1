package matcher

import (
	"cmp"
	"math"
	"math/big"
)

// planePoint is a point of the plane.
type planePoint struct{ x, y float64 }

// planeDistance is the distance of two points in the plane. The products are rounded one by one, so that every machine
// computes the same.
func planeDistance(p, q planePoint) float64 {
	a, b := p.x-q.x, p.y-q.y
	switch { // no rounding where none is needed
	case a == 0:
		return math.Abs(b)
	case b == 0:
		return math.Abs(a)
	}
	return math.Sqrt(float64(a*a) + float64(b*b))
}

// planeShape is a part of the plane.
type planeShape interface {
	contains(p planePoint) bool
}

// box is a rectangle with its edges.
type box struct{ low, high planePoint }

func (b box) contains(p planePoint) bool {
	return p.x >= b.low.x && p.x <= b.high.x && p.y >= b.low.y && p.y <= b.high.y
}

// circle is a disk with its edge.
type circle struct {
	centre planePoint
	radius float64
}

func (c circle) contains(p planePoint) bool { return planeDistance(p, c.centre) <= c.radius }

// ring is a polygon of the plane with its edges, given by its corners. One that crosses itself holds the points that
// a ray leaves through an odd number of edges.
type ring []planePoint

func (r ring) contains(p planePoint) bool {
	inside := false
	a := r[len(r)-1]
	for _, b := range r {
		if p.y >= min(a.y, b.y) && p.y <= max(a.y, b.y) && p.x <= max(a.x, b.x) {
			side := planeSide(a, b, p)
			if side == 0 && p.x >= min(a.x, b.x) {
				return true // on the edge
			}
			// An edge has its lower end and not its upper one, so that a ray through a corner counts once.
			switch {
			case a.y <= p.y && b.y > p.y && side > 0, b.y <= p.y && a.y > p.y && side < 0:
				inside = !inside
			}
		}
		a = b
	}
	return inside
}

// planeSide says on which side of the line from a to b the point p lies: 1 left, -1 right, 0 on it. It is exact: where
// plain doubles cannot decide (Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric
// Predicates", 1997, bound A), products with their rounding errors do, or rationals.
func planeSide(a, b, p planePoint) int {
	bx, by, px, py := b.x-a.x, b.y-a.y, p.x-a.x, p.y-a.y
	left, right := float64(bx*py), float64(by*px)
	sum := math.Abs(left) + math.Abs(right)
	side := left - right
	switch tiny := sum < 1e-280 && (bx != 0 && py != 0 || by != 0 && px != 0); {
	case tiny || !isFinite(sum):
	case math.Abs(side) > sum*4e-16:
		return cmp.Compare(side, 0)
	case isDifference(b.x, a.x) && isDifference(b.y, a.y) && isDifference(p.x, a.x) && isDifference(p.y, a.y):
		if left != right {
			return cmp.Compare(left, right)
		}
		return cmp.Compare(math.FMA(bx, py, -left), math.FMA(by, px, -right))
	}
	return rationalPlaneSide(a, b, p)
}

// isDifference reports whether f-g is exact (Knuth's two-sum).
func isDifference(f, g float64) bool {
	difference := f - g
	lost := f - difference
	return f == difference+lost && lost == g
}

func rationalPlaneSide(a, b, p planePoint) int {
	difference := func(f, g float64) *big.Rat {
		return new(big.Rat).Sub(new(big.Rat).SetFloat64(f), new(big.Rat).SetFloat64(g))
	}
	left := new(big.Rat).Mul(difference(b.x, a.x), difference(p.y, a.y))
	right := new(big.Rat).Mul(difference(b.y, a.y), difference(p.x, a.x))
	return left.Cmp(right)
}
