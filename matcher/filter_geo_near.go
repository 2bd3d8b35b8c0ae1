package matcher

import (
	"encoding/binary"
	"math"
	"strconv"
	"sync"

	"github.com/golang/geo/s2"
)

// nearTest is $near or $nearSphere: documents with a geometry whose distance from a point lies between two bounds, in
// the order of that distance. The distance of a document is that of its nearest geometry.
//
// It is a leaf without a path of its own, as it has to see all geometries of a document before it can answer.
type nearTest struct {
	path   path
	plane  bool
	x, y   float64
	centre s2.Point // on the sphere
	unit   float64  // on the sphere: how many units of distance a radian has
	least  float64
	most   float64
}

func (t *nearTest) accepts(root Value) bool {
	distance, found := t.distance(root)
	return found && distance >= t.least && distance <= t.most
}

func (t *nearTest) operator() string { return "$near" }
func (t *nearTest) cost() int        { return 3 }
func (t *nearTest) perValue() int    { return geoPerValue }

func (t *nearTest) appendNormal(dst []byte) []byte {
	number := func(f float64) {
		dst = strconv.AppendFloat(append(dst, ','), f+0, 'g', -1, 64) // -0 is 0
	}
	dst = append(AppendString(append(dst, '['), []byte(t.path.text)), `,"`...)
	dst = append(append(dst, t.unitName()...), '"')
	number(t.x)
	number(t.y)
	number(t.least)
	if !math.IsInf(t.most, 1) {
		number(t.most)
	}
	return append(dst, ']')
}

// unitName is the unit of the distances.
func (t *nearTest) unitName() string {
	switch {
	case t.plane:
		return "plane"
	case t.unit == 1:
		return "radians"
	}
	return "metres"
}

// distanceVisitor finds the least distance of the geometries that a path leads to.
type distanceVisitor struct {
	test  *nearTest
	least float64
	found bool
}

var distanceVisitors = sync.Pool{New: func() any { return new(distanceVisitor) }}

func (d *distanceVisitor) visit(v Value) bool {
	if distance, ok := d.test.measure(v); ok && (!d.found || distance < d.least) {
		d.least, d.found = distance, true
	}
	return false
}

// distance is that of root's nearest geometry, in the test's unit; found is false if there is none.
func (t *nearTest) distance(root Value) (distance float64, found bool) {
	visitor := distanceVisitors.Get().(*distanceVisitor)
	*visitor = distanceVisitor{test: t}
	if len(t.path.segments) == 0 {
		visitor.visit(root)
	} else {
		walk(visitor, root, t.path.segments, true)
	}
	distance, found = visitor.least, visitor.found
	visitor.test = nil
	distanceVisitors.Put(visitor)
	return distance, found
}

// measure is the distance of one value. In the plane only points have one.
func (t *nearTest) measure(v Value) (distance float64, ok bool) {
	if kind := v.Kind(); kind != KindArray && kind != KindObject {
		return 0, false
	}
	x, y, isPoint := storedPoint(v)
	switch {
	case t.plane:
		return planeDistance(planePoint{x, y}, planePoint{t.x, t.y}), isPoint
	case isPoint:
		p, ok := spherePoint(x, y)
		return t.centre.Distance(p).Radians() * t.unit, ok
	}
	g := storedGeometry(v, s2.FullCap())
	if g == nil {
		return 0, false
	}
	return g.distance(t.centre) * t.unit, true
}

// appendSortKey appends the distance such that bytes order as distances do. A document without a geometry, which the
// filter does not accept, would come last.
func (t *nearTest) appendSortKey(dst []byte, root Value) []byte {
	distance, found := t.distance(root)
	if !found {
		distance = math.Inf(1)
	}
	return binary.BigEndian.AppendUint64(dst, orderedBits(distance))
}

// sortKeys is the order of a query without a sort: by distance.
func (t *nearTest) sortKeys() []sortKey {
	return []sortKey{{path: path{text: "$near"}, near: t}}
}

// nearOf finds the $near of a filter in normal form. The compiler sees to it that there is one at most, and that every
// document that matches fulfils it.
func nearOf(n *node) *nearTest {
	switch n.op {
	case opPredicate:
		t, _ := n.test.(*nearTest)
		return t
	case opAnd:
		for _, child := range n.children {
			if t := nearOf(child); t != nil {
				return t
			}
		}
	}
	return nil
}

// compileNear compiles $near and $nearSphere, which order the result by distance where the query has no sort:
//
//	{"$near":[3,4],"$maxDistance":5}                        plane, in its units; also {"$near":[3,4,5]}
//	{"$nearSphere":[13.4,52.5],"$maxDistance":0.001}        sphere, in radians
//	{"$near":{"$geometry":{"type":"Point",...},"$maxDistance":500}}  sphere, in metres; $nearSphere is the same
//	{"$near":{"type":"Point",...},"$maxDistance":500}       the same in short
//
// $minDistance goes with all of them. Nothing else may be asked of the field in the same object.
func compileNear(c *compiler, p path, all, v Value, at *place) (*node, error) {
	switch {
	case c.barred != "":
		return nil, at.invalid("%s cannot stand within %s, as it orders the whole result; put it beside that", at.name, c.barred)
	case c.near:
		return nil, at.invalid("%s is the second of its kind; a result has one order by distance, so only one $near or $nearSphere can stand in a filter", at.name)
	case string(all.First().Name()) != at.name:
		return nil, at.invalid("%s must come first among the operators of its field", at.name)
	}
	c.near = true
	t := &nearTest{path: p, plane: at.name == "$near", unit: 1, most: math.Inf(1)}
	var err error
	switch {
	case v.Kind() == KindObject && v.Field("$geometry").Exists():
		err = t.readNested(all, v, at)
	case v.Kind() == KindObject || v.Kind() == KindArray:
		err = t.readFlat(all, v, at)
	default:
		err = at.invalid("%s is %s; a point is needed, as in [13.4,52.5] or {\"$geometry\":{\"type\":\"Point\",\"coordinates\":[13.4,52.5]}}", at.name, describe(v))
	}
	if err != nil {
		return nil, err
	}
	return predicateLeaf(path{}, t), nil
}

// readNested reads {"$geometry":..., "$maxDistance":..., "$minDistance":...}.
func (t *nearTest) readNested(all, v Value, at *place) error {
	if all.Len() > 1 {
		other := string(all.First().Next().Name())
		return at.parent.field(other).invalid("%s stands beside %s with a $geometry; put $maxDistance and $minDistance into it, and leave out all else", other, at.name)
	}
	for f := v.First(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		if name == "$geometry" {
			continue
		}
		if err := t.option(name, f, at.field(name)); err != nil {
			return err
		}
	}
	geometry := v.Field("$geometry")
	at = at.field("$geometry")
	if isLegacyPoint(geometry) {
		return at.invalid("$geometry is %s; a Point of GeoJSON is needed, as in {\"type\":\"Point\",\"coordinates\":[13.4,52.5]}", describe(geometry))
	}
	return t.point(geometry, at)
}

// readFlat reads a point whose bounds stand beside it.
func (t *nearTest) readFlat(all, v Value, at *place) error {
	if !isLegacyPoint(v) {
		if err := t.point(v, at); err != nil {
			return err
		}
	} else if err := t.legacyPoint(v, at); err != nil {
		return err
	}
	for f := all.First().Next(); f.Exists(); f = f.Next() {
		name := string(f.Name())
		if err := t.option(name, f, at.parent.field(name)); err != nil {
			return err
		}
	}
	return nil
}

// legacyPoint reads two numbers; a third is the greatest distance.
func (t *nearTest) legacyPoint(v Value, at *place) error {
	x, y, more, ok := pairNumbers(v)
	if most := v.First().Next().Next(); ok && more {
		t.most, ok = lengthOf(most)
		ok = ok && v.Len() == 3
	}
	if !ok {
		return at.invalid("the point of %s is %s; it must be two finite numbers, which the greatest distance may follow, as in [3,4.5]", at.name, describe(v))
	}
	t.x, t.y = x, y
	if t.plane {
		return nil
	}
	if t.centre, ok = spherePoint(x, y); !ok {
		return outOfSphere(x, y, at)
	}
	return nil
}

// point reads a point of GeoJSON, whose type may be left out here, as in MongoDB. Distances from it are metres on the
// sphere.
func (t *nearTest) point(v Value, at *place) error {
	kind := v.Field("type")
	if v.Kind() != KindObject || kind.Exists() && string(kind.Bytes()) != "Point" || !v.Field("coordinates").Exists() {
		return at.invalid("%s is %s; a point is needed, as in {\"type\":\"Point\",\"coordinates\":[13.4,52.5]}", at.name, describe(v))
	}
	r := &geometryReader{query: true}
	if _, ok := r.crs(v.Field("crs"), "Point", at.field("crs")); !ok {
		return r.err
	}
	coordinates := v.Field("coordinates")
	centre, ok := r.point(coordinates, at.field("coordinates"))
	if !ok {
		return r.err
	}
	t.x, t.y, _, _ = pairNumbers(coordinates)
	t.plane, t.unit, t.centre = false, EarthRadiusMetres, centre
	return nil
}

// option reads a bound of the distance.
func (t *nearTest) option(name string, v Value, at *place) error {
	bound := &t.most
	switch name {
	case "$uniqueDocs": // every document is found once anyway
		return nil
	case "$minDistance":
		bound = &t.least
	case "$maxDistance":
	default:
		return at.invalid("%s cannot stand here; only $maxDistance and $minDistance go with $near and $nearSphere, so put it into another member of an $and", name)
	}
	length, ok := lengthOf(v)
	if !ok {
		return at.invalid("%s is %s; it must be a number from 0 on", name, describe(v))
	}
	*bound = length
	return nil
}

// compileNearOption leaves the work to the $near or $nearSphere that it must stand behind.
func compileNearOption(_ *compiler, _ path, all, _ Value, at *place) (*node, error) {
	if first := string(all.First().Name()); first != "$near" && first != "$nearSphere" {
		return nil, at.invalid("%s stands without $near or $nearSphere; put one of them before it", at.name)
	}
	return nil, nil
}
