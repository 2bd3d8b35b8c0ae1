package matcher

// The shapes of $geoWithin. Where an array is written, an object is good, too: MongoDB reads the values in the order
// of the text, whatever the names.

// cornerOf is a point of a plane shape: exactly two finite numbers.
func cornerOf(v Value, at *place) (planePoint, error) {
	x, y, more, ok := pairNumbers(v)
	if !ok || more {
		return planePoint{}, at.invalid("a point of %s is %s; it must be two finite numbers, as in [3,4.5]", at.name, describe(v))
	}
	return planePoint{x, y}, nil
}

// boxOf reads two opposite corners.
func boxOf(v Value, at *place) (planeShape, error) {
	a, err := cornerOf(v.First(), at)
	if err != nil {
		return nil, err
	}
	b, err := cornerOf(v.First().Next(), at)
	if err != nil {
		return nil, err
	}
	if v.Len() != 2 {
		return nil, at.invalid("$box has %d points; give two opposite corners", v.Len())
	}
	return box{planePoint{min(a.x, b.x), min(a.y, b.y)}, planePoint{max(a.x, b.x), max(a.y, b.y)}}, nil
}

// ringOf reads three or more corners; the last one need not repeat the first.
func ringOf(v Value, at *place) (planeShape, error) {
	if v.Len() > MaxGeometryPoints {
		return nil, at.tooLarge(MaxGeometryPoints, "$polygon has %d points, at most %d are allowed (MaxGeometryPoints); make it simpler", v.Len(), MaxGeometryPoints)
	}
	var r ring
	for f := v.First(); f.Exists(); f = f.Next() {
		p, err := cornerOf(f, at)
		if err != nil {
			return nil, err
		}
		r = append(r, p)
	}
	if len(r) < 3 {
		return nil, at.invalid("$polygon has %d points; at least 3 are needed", len(r))
	}
	return r, nil
}

// circleOf reads a centre and a radius.
func circleOf(v Value, at *place) (planeShape, error) {
	centre, radius, err := roundOf(v, at)
	if err != nil {
		return nil, err
	}
	return circle{centre, radius}, nil
}

// diskOf reads a centre on the sphere and a radius in radians.
func diskOf(v Value, at *place) (sphereShape, error) {
	centre, radius, err := roundOf(v, at)
	if err != nil {
		return nil, err
	}
	p, ok := spherePoint(centre.x, centre.y)
	if !ok {
		return nil, outOfSphere(centre.x, centre.y, at)
	}
	return disk{p, radius}, nil
}

func roundOf(v Value, at *place) (centre planePoint, radius float64, err error) {
	if v.Len() != 2 {
		return centre, 0, at.invalid("%s has %d values; give a point and a radius, as in [[3,4.5],2]", at.name, v.Len())
	}
	if centre, err = cornerOf(v.First(), at); err != nil {
		return centre, 0, err
	}
	radius, ok := lengthOf(v.First().Next())
	if !ok {
		return centre, 0, at.invalid("the radius of %s is %s; it must be a number from 0 on", at.name, describe(v.First().Next()))
	}
	return centre, radius, nil
}

// lengthOf is a number from 0 on, infinity included.
func lengthOf(v Value) (length float64, ok bool) {
	length = v.Float64()
	return length, v.IsNumber() && length >= 0
}

// withinOf reads a $geometry that other geometries can lie within.
func withinOf(v Value, at *place) (sphereShape, error) {
	g, err := queryGeometry(v, at)
	if err != nil {
		return nil, err
	}
	if len(g.polygons) == 0 {
		return nil, at.invalid("$geoWithin has %s, which nothing lies within; give a Polygon or a MultiPolygon, or use $geoIntersects", describe(v))
	}
	return within{g}, nil
}

func outOfSphere(x, y float64, at *place) error {
	return at.invalid("the point [%v,%v] lies outside of the sphere; the longitude, from -180 to 180, comes first, then the latitude, from -90 to 90", x, y)
}
