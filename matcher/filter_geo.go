package matcher

import (
	"slices"
	"strings"

	"github.com/golang/geo/s2"
)

// geoTest is the predicate of $geoWithin and $geoIntersects: shape is what stored geometries are held against, plane or
// sphere one of them nil. In the plane only points have a place.
//
// A value that is no geometry does not match, and neither does one that is not valid: a point of the sphere out of
// range, a ring that crosses itself, a crs that is not longitude and latitude.
type geoTest struct {
	name   string
	plane  planeShape
	sphere sphereShape
	reach  s2.Cap
	normal []byte // the argument
}

func (t *geoTest) accepts(v Value) bool {
	if kind := v.Kind(); kind != KindArray && kind != KindObject {
		return false
	}
	x, y, isPoint := storedPoint(v)
	switch {
	case t.plane != nil:
		return isPoint && t.plane.contains(planePoint{x, y})
	case isPoint:
		p, ok := spherePoint(x, y)
		return ok && t.reach.ContainsPoint(p) && t.sphere.acceptsPoint(p)
	}
	g := storedGeometry(v, t.reach)
	return g != nil && t.sphere.accepts(g)
}

func (t *geoTest) operator() string               { return t.name }
func (t *geoTest) appendNormal(dst []byte) []byte { return append(dst, t.normal...) }
func (t *geoTest) cost() int                      { return 3 }
func (t *geoTest) perValue() int                  { return geoPerValue + len(t.normal)/stepBytes }

// geoPerValue is what it takes to place a point on the sphere, in comparisons (slowPredicate); each point of a shape adds
// to it.
const geoPerValue = 16

// compileGeoWithin compiles $geoWithin and its old name $within: the stored geometry lies wholly within a shape.
//
//	{"$geoWithin":{"$box":[[0,0],[10,5]]}}              plane: two opposite corners
//	{"$geoWithin":{"$polygon":[[0,0],[10,0],[5,5]]}}    plane: three or more corners
//	{"$geoWithin":{"$center":[[0,0],5]}}                plane: centre and radius
//	{"$geoWithin":{"$centerSphere":[[13.4,52.5],0.1]}}  sphere: centre and radius in radians
//	{"$geoWithin":{"$geometry":{"type":"Polygon",...}}} sphere: Polygon, MultiPolygon, a collection of them
//
// A GeometryCollection is taken for its polygons. $uniqueDocs says nothing. As in MongoDB, nothing else may be asked of
// the field in the same object.
func compileGeoWithin(_ *compiler, p path, all, v Value, at *place) (*node, error) {
	name, shape, at, err := geoShape(all, v, at, geoWithinShapes)
	if err != nil {
		return nil, err
	}
	t := &geoTest{name: "$geoWithin"}
	switch name {
	case "$box":
		t.plane, err = boxOf(shape, at)
	case "$polygon":
		t.plane, err = ringOf(shape, at)
	case "$center":
		t.plane, err = circleOf(shape, at)
	case "$centerSphere":
		t.sphere, err = diskOf(shape, at)
	default:
		t.sphere, err = withinOf(shape, at)
	}
	if err != nil {
		return nil, err
	}
	return t.leaf(p, name, shape), nil
}

// compileGeoIntersects compiles $geoIntersects: the stored geometry and a $geometry of any type of GeoJSON, or a legacy
// point, have a point in common.
func compileGeoIntersects(_ *compiler, p path, all, v Value, at *place) (*node, error) {
	name, shape, at, err := geoShape(all, v, at, geoIntersectsShapes)
	if err != nil {
		return nil, err
	}
	g, err := queryGeometry(shape, at)
	if err != nil {
		return nil, err
	}
	t := &geoTest{name: "$geoIntersects", sphere: intersects{g}}
	return t.leaf(p, name, shape), nil
}

// leaf completes the test: its normal form has the shape as it was given, numbers alike where they are equal.
func (t *geoTest) leaf(p path, name string, shape Value) *node {
	if t.sphere != nil {
		t.reach = t.sphere.reach()
	}
	t.normal = append(AppendString([]byte{'{'}, []byte(name)), ':')
	t.normal = append(appendNormalValue(t.normal, shape), '}')
	return predicateLeaf(p, t)
}

var (
	geoWithinShapes     = []string{"$geometry", "$box", "$polygon", "$center", "$centerSphere"}
	geoIntersectsShapes = []string{"$geometry"}
)

// geoShape is the one shape in v, the argument of a geo operator that must stand alone in all.
func geoShape(all, v Value, at *place, allowed []string) (name string, shape Value, _ *place, err error) {
	if all.Len() > 1 {
		return "", v, at, at.invalid("%s stands beside another operator of its field; put it into a member of its own of an $and", at.name)
	}
	if v.Kind() != KindObject {
		return "", v, at, at.invalid("%s is %s; an object with a shape is needed: one of %s", at.name, describe(v), strings.Join(allowed, ", "))
	}
	for f := v.First(); f.Exists(); f = f.Next() {
		switch field := string(f.Name()); {
		case field == "$uniqueDocs": // every document is found once anyway
		case !slices.Contains(allowed, field):
			return "", v, at, at.field(field).invalid("%s has no shape %q; it takes one of %s", at.name, field, strings.Join(allowed, ", "))
		case name != "":
			return "", v, at, at.field(field).invalid("%s has a second shape, %s after %s; give one", at.name, field, name)
		case f.Kind() != KindObject && f.Kind() != KindArray:
			return "", v, at, at.field(field).invalid("%s is %s; an array or an object is needed", field, describe(f))
		default:
			name, shape = field, f
		}
	}
	if name == "" {
		return "", v, at, at.invalid("%s has no shape; give one of %s", at.name, strings.Join(allowed, ", "))
	}
	return name, shape, at.field(name), nil
}

// queryGeometry reads a $geometry.
func queryGeometry(v Value, at *place) (*geometry, error) {
	r := &geometryReader{query: true}
	if isLegacyPoint(v) {
		p, ok := r.point(v, at)
		if !ok {
			return nil, r.err
		}
		r.shapes.points = append(r.shapes.points, p)
	} else if !r.object(v, at) {
		return nil, r.err
	}
	if g := r.build(at); g != nil {
		return g, nil
	}
	return nil, r.err
}
