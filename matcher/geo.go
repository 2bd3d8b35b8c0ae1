package matcher

import (
	"math"
	"slices"

	"github.com/golang/geo/s2"
)

// Geometry, as MongoDB has it (manual: "Geospatial Queries"). Coordinates lie in one of two spaces:
//
//   - The plane: x and y are any finite numbers. $box, $center, $polygon and $near with a legacy point are asked there,
//     and only points have a place in it.
//   - The sphere: x is the longitude from -180 to 180, y the latitude from -90 to 90, in degrees. Lines are shortest
//     ways on the sphere. All else is asked there, of legacy points and of every type of GeoJSON.
//
// A geometry is the closed set of its points: what lies on an edge lies within, and shapes that touch intersect. On the
// sphere "on" means nearer than touchRadians, as coordinates in degrees can seldom name a point of an edge exactly; in
// the plane it is exact.

// EarthRadiusMetres is the radius of the sphere on which metres are measured: MongoDB's.
const EarthRadiusMetres = 6378100.0

// MaxGeometryPoints bounds the points of one geometry of a query.
const MaxGeometryPoints = 1000

// MaxGeometrySteps bounds the pairs of edges that are looked at to find out whether the edges of one polygon cross. A
// polygon that takes more is taken for one that is not valid. Edges that are short beside the whole take a few pairs each,
// so that no shape of the earth comes near: only edges that lie side by side by the thousand do.
const MaxGeometrySteps = 1_000_000

// touchRadians is how near two things on the sphere touch: about 6 mm on the earth, the size of the cells that MongoDB
// rounds points to when it compares them with shapes.
const touchRadians = 1e-9

// geometry is what a value of GeoJSON or a legacy point means on the sphere, its parts by kind.
type geometry struct {
	points   []s2.Point
	lines    [][]arc // each a chain
	polygons []*polygon
	bound    s2.Cap // holds every part
}

// pairNumbers are the two numbers that a point begins with: of an array, or of an object in the order of its text. more
// says that something follows them, such as a height.
func pairNumbers(v Value) (x, y float64, more, ok bool) {
	a := v.First()
	b := a.Next()
	if !a.IsNumber() || !b.IsNumber() {
		return 0, 0, false, false
	}
	x, y = a.Float64(), b.Float64()
	return x, y, v.Len() > 2, isFinite(x) && isFinite(y)
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// isLegacyPoint reports whether v is to be read as a legacy point, be it a good one or not: MongoDB takes every array,
// and every object that begins with a number.
func isLegacyPoint(v Value) bool {
	return v.Kind() == KindArray || v.Kind() == KindObject && v.First().IsNumber()
}

// spherePoint is the point at a longitude and latitude in degrees. All longitudes of a pole are one point, and so are
// both names of the date line.
func spherePoint(lng, lat float64) (p s2.Point, ok bool) {
	switch {
	case !(math.Abs(lng) <= 180 && math.Abs(lat) <= 90):
		return s2.Point{}, false
	case math.Abs(lat) == 90:
		p.Z = lat / 90
		return p, true
	case lng == -180:
		lng = 180
	}
	return s2.PointFromLatLng(s2.LatLngFromDegrees(lat, lng)), true
}

// storedPoint reads a value that is a point: its coordinates, whatever their range.
func storedPoint(v Value) (x, y float64, ok bool) {
	if isLegacyPoint(v) {
		x, y, _, ok = pairNumbers(v)
		return x, y, ok
	}
	if v.Kind() != KindObject || string(v.Field("type").Bytes()) != "Point" || v.Field("crs").Exists() && !plainCRS(v.Field("crs")) {
		return 0, 0, false
	}
	x, y, _, ok = pairNumbers(v.Field("coordinates"))
	return x, y, ok && math.Abs(x) <= 180 && math.Abs(y) <= 90
}

// storedGeometry reads a value of a document that is not a point. It is nil where the value is no geometry, or one that
// lies wholly outside of bound. It may have as many points as the document has room for.
func storedGeometry(v Value, bound s2.Cap) *geometry {
	if v.Kind() != KindObject || !slices.Contains(geometryTypes, sharedString(v.Field("type").Bytes())) {
		return nil // often seen, so nothing is spent on it
	}
	s := readStoredShapes(v)
	if s == nil || !s.near(bound) {
		return nil
	}
	return s.make()
}
