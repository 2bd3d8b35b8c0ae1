package matcher

import (
	"fmt"
	"slices"
	"strings"

	"github.com/golang/geo/s2"
)

// Names of coordinate reference systems that a "crs" may give, as in MongoDB: the first two are longitude and latitude
// in degrees, which is what holds without a crs. The third is for a polygon in a query only: its inside is to the left
// of its one ring, so that it may be larger than a hemisphere.
const (
	crsLonLat  = "urn:ogc:def:crs:OGC:1.3:CRS84"
	crsEPSG    = "EPSG:4326"
	crsWinding = "urn:x-mongodb:crs:strictwinding:EPSG:4326"
)

// crsName is the name in a crs: {"type":"name","properties":{"name":"..."}}.
func crsName(crs Value) string {
	if string(crs.Field("type").Bytes()) != "name" {
		return ""
	}
	return string(crs.Field("properties").Field("name").Bytes())
}

func plainCRS(crs Value) bool {
	name := crsName(crs)
	return name == crsLonLat || name == crsEPSG
}

// shapes are the points of a geometry as they were read, before anything is made of them.
type shapes struct {
	points   []s2.Point
	lines    [][]s2.Point
	polygons [][][]s2.Point // rings, closed
	winding  bool           // the one polygon has the crs of strict winding
}

// bounds are caps of which each holds a shape, all points being one.
func (s *shapes) bounds() []s2.Cap {
	if s.winding {
		return []s2.Cap{s2.FullCap()}
	}
	caps := make([]s2.Cap, 0, 1+len(s.lines)+len(s.polygons))
	if len(s.points) > 0 {
		caps = append(caps, boundOf(s.points))
	}
	for _, line := range s.lines {
		caps = append(caps, boundOf(line))
	}
	for _, rings := range s.polygons {
		caps = append(caps, boundOf(rings[0]))
	}
	return caps
}

// geometryReader reads GeoJSON (RFC 7946, section 3.1) and legacy points. Its methods return false for what is no
// geometry; where at is given, for a query, err then says why and where.
type geometryReader struct {
	shapes shapes
	count  int // points so far
	query  bool
	err    error
}

func (r *geometryReader) fail(at *place, format string, args ...any) bool {
	if r.query {
		r.err = at.invalid(format, args...)
	}
	return false
}

// step is the place of an element. Documents are read without places.
func (r *geometryReader) step(at *place, i int) *place {
	if !r.query {
		return nil
	}
	return at.element(i)
}

func (r *geometryReader) down(at *place, name string) *place {
	if !r.query {
		return nil
	}
	return at.field(name)
}

// geometryTypes are the types of GeoJSON, in the order of a message.
var geometryTypes = []string{"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"}

// object reads an object of GeoJSON.
func (r *geometryReader) object(v Value, at *place) bool {
	kind := string(v.Field("type").Bytes())
	if !slices.Contains(geometryTypes, kind) {
		return r.fail(at, "%s is no geometry; its type must be one of %s", shorten(v.Raw()), strings.Join(geometryTypes, ", "))
	}
	winding, ok := r.crs(v.Field("crs"), kind, r.down(at, "crs"))
	if !ok {
		return false
	}
	if kind == "GeometryCollection" {
		return r.collection(v, at)
	}
	at = r.down(at, "coordinates")
	coordinates := v.Field("coordinates")
	switch kind {
	case "Point":
		p, ok := r.point(coordinates, at)
		r.shapes.points = append(r.shapes.points, p)
		return ok
	case "MultiPoint":
		points, ok := r.line(coordinates, 1, at)
		r.shapes.points = append(r.shapes.points, points...)
		return ok
	case "LineString":
		return r.lineString(coordinates, at)
	case "MultiLineString":
		return r.each(coordinates, "lines", at, r.lineString)
	case "Polygon":
		r.shapes.winding = winding
		if winding && coordinates.Len() != 1 {
			return r.fail(at, "a polygon with the crs %s must have one ring", crsWinding)
		}
		return r.polygon(coordinates, at)
	}
	return r.each(coordinates, "polygons", at, r.polygon)
}

// crs reads a coordinate reference system; winding says that it is the one of strict winding.
func (r *geometryReader) crs(v Value, kind string, at *place) (winding, ok bool) {
	switch {
	case !v.Exists() || plainCRS(v):
		return false, true
	case crsName(v) != crsWinding:
		return false, r.fail(at, `the crs is %s; leave it out, or give {"type":"name","properties":{"name":%q}}`, shorten(v.Raw()), crsLonLat)
	case !r.query || kind != "Polygon":
		return false, r.fail(at, "the crs %s is for a Polygon only; leave it out", crsWinding)
	}
	return true, true
}

func (r *geometryReader) collection(v Value, at *place) bool {
	at = r.down(at, "geometries")
	return r.each(v.Field("geometries"), "geometries", at, func(member Value, at *place) bool {
		if kind := string(member.Field("type").Bytes()); kind == "GeometryCollection" {
			return r.fail(at, "a GeometryCollection stands in another one; put its geometries into the outer one")
		}
		if !r.object(member, at) {
			return false
		}
		if r.shapes.winding {
			return r.fail(at, "the crs %s cannot stand within a GeometryCollection; leave it out", crsWinding)
		}
		return true
	})
}

// each reads the elements of an array of one or more.
func (r *geometryReader) each(list Value, what string, at *place, read func(Value, *place) bool) bool {
	if list.Kind() != KindArray || list.Len() == 0 {
		return r.fail(at, "%s must be an array of one or more %s, but is %s", lastName(at), what, describe(list))
	}
	i := 0
	for v := list.First(); v.Exists(); v = v.Next() {
		if !read(v, r.step(at, i)) {
			return false
		}
		i++
	}
	return true
}

// point reads the coordinates of one point: [longitude, latitude], in the type Point an object of two numbers too. What
// follows them, such as a height, says nothing.
func (r *geometryReader) point(v Value, at *place) (s2.Point, bool) {
	if r.count++; r.query && r.count > MaxGeometryPoints {
		r.err = at.tooLarge(MaxGeometryPoints, "the geometry has more than %d points (MaxGeometryPoints); make it simpler", MaxGeometryPoints)
		return s2.Point{}, false
	}
	x, y, _, ok := pairNumbers(v)
	if !ok {
		return s2.Point{}, r.fail(at, "a point is %s; it must be two finite numbers, as in [13.4,52.5]", describe(v))
	}
	p, ok := spherePoint(x, y)
	if !ok {
		if r.query {
			r.err = outOfSphere(x, y, at)
		}
		return p, false
	}
	return p, true
}

// line reads an array of at least so many points. Points that repeat the one before are left out.
func (r *geometryReader) line(list Value, least int, at *place) ([]s2.Point, bool) {
	if list.Kind() != KindArray {
		return nil, r.fail(at, "%s must be an array of points, but is %s", lastName(at), describe(list))
	}
	points := make([]s2.Point, 0, list.Len())
	i := 0
	for v := list.First(); v.Exists(); v = v.Next() {
		at := r.step(at, i)
		i++
		if v.Kind() != KindArray {
			return nil, r.fail(at, "a point is %s; it must be an array of two numbers, as in [13.4,52.5]", describe(v))
		}
		p, ok := r.point(v, at)
		if !ok {
			return nil, false
		}
		if n := len(points); n == 0 || points[n-1] != p {
			points = append(points, p)
		}
	}
	if len(points) < least {
		return nil, r.fail(at, "there are %d different points, at least %d are needed", len(points), least)
	}
	return points, true
}

func (r *geometryReader) lineString(v Value, at *place) bool {
	points, ok := r.line(v, 2, at)
	for i := 1; i < len(points); i++ {
		if antipodal(points[i-1], points[i]) {
			return r.fail(at, "two points that follow one another lie on opposite sides of the sphere, and have no shortest way; put one between them")
		}
	}
	r.shapes.lines = append(r.shapes.lines, points)
	return ok
}

func (r *geometryReader) polygon(v Value, at *place) bool {
	var rings [][]s2.Point
	ok := r.each(v, "rings", at, func(v Value, at *place) bool {
		points, ok := r.line(v, 4, at)
		if ok && points[0] != points[len(points)-1] {
			return r.fail(at, "the ring is not closed; repeat its first point at its end")
		}
		rings = append(rings, points)
		return ok
	})
	r.shapes.polygons = append(r.shapes.polygons, rings)
	return ok
}

// build makes a geometry of what was read; nil where a polygon is none.
func (r *geometryReader) build(at *place) *geometry {
	g := &geometry{points: r.shapes.points, bound: s2.EmptyCap()}
	for _, bound := range r.shapes.bounds() {
		g.bound = g.bound.AddCap(bound)
	}
	for _, line := range r.shapes.lines {
		g.lines = append(g.lines, chain(line))
	}
	for _, rings := range r.shapes.polygons {
		for i, ring := range rings {
			rings[i] = ring[:len(ring)-1]
		}
		made, fault := newPolygon(rings, r.shapes.winding)
		if fault != "" {
			r.fail(at, "the polygon is not valid: %s", fault)
			return nil
		}
		g.polygons = append(g.polygons, made)
	}
	return g
}

// describe is a value for a sentence.
func describe(v Value) string {
	if !v.Exists() {
		return "missing"
	}
	return shorten(v.Raw())
}

func lastName(at *place) string {
	if at == nil {
		return "it"
	}
	return fmt.Sprintf("%q", at.name)
}
