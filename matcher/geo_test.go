package matcher

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func init() { filterTests = append(filterTests, geoTests...) }

const (
	square   = `{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}`
	holed    = `{"type":"Polygon","coordinates":[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[4,6],[6,6],[6,4],[4,4]]]}`
	inHole   = `{"type":"Polygon","coordinates":[[[4.5,4.5],[5.5,4.5],[5.5,5.5],[4.5,5.5],[4.5,4.5]]]}`
	dateLine = `{"type":"Polygon","coordinates":[[[170,-10],[-170,-10],[-170,10],[170,10],[170,-10]]]}`
	polar    = `{"type":"Polygon","coordinates":[[[0,80],[120,80],[-120,80],[0,80]]]}`
)

func point(x, y float64) string {
	return fmt.Sprintf(`{"a":{"type":"Point","coordinates":[%v,%v]}}`, x, y)
}

func stored(geometry string) string { return `{"a":` + geometry + `}` }

func shape(kind, coordinates string) string {
	return `{"type":"` + kind + `","coordinates":` + coordinates + `}`
}

func inside(geometry string) string { return `{"a":{"$geoWithin":{"$geometry":` + geometry + `}}}` }
func meeting(geometry string) string {
	return `{"a":{"$geoIntersects":{"$geometry":` + geometry + `}}}`
}

// strict gives a polygon the crs in which its inside lies to its left.
func strict(polygon string) string {
	return strings.Replace(polygon, `{"type"`, `{"crs":{"type":"name","properties":{"name":"`+crsWinding+`"}},"type"`, 1)
}

var geoTests = []filterTest{
	// How points are stored: pairs, objects in the order of their text, what follows is left out, arrays of all that.
	{`{"a":{"$geoWithin":{"$box":[[0,0],[10,5]]}}}`,
		[]string{`{"a":[1,2]}`, `{"a":[1.5,{"$numberDecimal":"2"},"height"]}`, `{"a":{"x":1,"y":2}}`, `{"a":{"lng":1,"lat":2,"z":7}}`,
			`{"a":[[50,50],[1,2]]}`, `{"a":[{"x":1,"y":2}]}`, point(1, 2), `{"a":[` + shape("Point", "[90,90]") + `,[1,2]]}`,
			`{"a":[0,0]}`, `{"a":[10,5]}`, `{"a":[0,5]}`},
		[]string{`{}`, `{"a":1}`, `{"a":[1]}`, `{"a":["1","2"]}`, `{"a":[]}`, `{"a":{}}`, `{"a":null}`, `{"a":[[[1,2]]]}`, `{"a":[11,2]}`, `{"a":[1,5.0000001]}`,
			`{"a":[-0.1,1]}`, `{"a":{"y":1}}`, `{"a":[1,{"$numberDecimal":"NaN"}]}`, `{"a":{"x":"1","y":2}}`,
			stored(shape("LineString", "[[1,1],[2,2]]")), stored(shape("point", "[1,2]")), `{"a":{"type":"Point","coordinates":[1,2],"crs":{}}}`}},
	{`{"a":{"$geoWithin":{"$box":[[10,5],[0,0]]}}}`, []string{`{"a":[1,2]}`}, []string{`{"a":[1,6]}`}},
	{`{"a":{"$within":{"$box":{"low":{"x":0,"y":0},"high":[10,5]},"$uniqueDocs":true}}}`, []string{`{"a":[1,2]}`}, []string{`{"a":[1,6]}`}},
	{`{"a.b":{"$geoWithin":{"$box":[[0,0],[10,5]]}}}`, []string{`{"a":[{"b":[50,50]},{"b":[1,1]}]}`, `{"a":{"b":[1,1]}}`}, []string{`{"a":[1,1]}`, `{"a":[[{"b":[1,1]}]]}`}},
	{`{"a.0":{"$geoWithin":{"$box":[[0,0],[10,5]]}}}`, []string{`{"a":[[1,1],[50,50]]}`}, []string{`{"a":[[50,50],[1,1]]}`}},
	{`{"a":{"$not":{"$geoWithin":{"$box":[[0,0],[10,5]]}}}}`, []string{`{}`, `{"a":[11,1]}`}, []string{`{"a":[1,1]}`}},
	{`{"a":{"$elemMatch":{"$geoWithin":{"$box":[[0,0],[10,5]]}}}}`, []string{`{"a":[[1,1]]}`}, []string{`{"a":[1,1]}`}},

	// The plane goes on for ever; edges belong to the shape, exactly.
	{`{"a":{"$geoWithin":{"$center":[[1000,1000],5]}}}`, []string{`{"a":[1000,1000]}`, `{"a":[1003,1004]}`, `{"a":[995,1000]}`}, []string{`{"a":[1003,1004.0001]}`, point(10, 10)}},
	{`{"a":{"$geoWithin":{"$center":[{"x":1,"y":1},0]}}}`, []string{`{"a":[1,1]}`}, []string{`{"a":[1,1.0000000001]}`}},
	{`{"a":{"$geoWithin":{"$center":[[0,0],{"$numberDouble":"Infinity"}]}}}`, []string{`{"a":[1e200,1]}`}, []string{`{"a":5}`}},
	{`{"a":{"$geoWithin":{"$polygon":[[0,0],[4,0],[4,4],[2,2],[0,4]]}}}`,
		[]string{`{"a":[1,1]}`, `{"a":[2,2]}`, `{"a":[0,0]}`, `{"a":[4,4]}`, `{"a":[3,3]}`, `{"a":[0,4]}`, `{"a":[0,3]}`, `{"a":[2,0]}`, `{"a":[4,1]}`},
		[]string{`{"a":[2,3]}`, `{"a":[5,0]}`, `{"a":[-1,0]}`, `{"a":[-1,4]}`, `{"a":[2,2.0000000001]}`}},
	{`{"a":{"$geoWithin":{"$polygon":[[0,0],[4,4],[4,0],[0,4]]}}}`, []string{`{"a":[1,2]}`, `{"a":[2,2]}`, `{"a":[3,2]}`}, []string{`{"a":[2,1]}`, `{"a":[2,3]}`}},
	{`{"a":{"$geoWithin":{"$polygon":{"p":{"x":0,"y":0},"q":[4,0],"r":[0,4]}}}}`, []string{`{"a":[1,1]}`}, []string{`{"a":[3,3]}`}},
	{`{"a":{"$geoWithin":{"$polygon":[[0,60],[60,60],[60,0],[0,0]]}}}`, []string{`{"a":[30,59]}`}, []string{`{"a":[30,62]}`}},

	// The sphere: edges are great circles, the date line and the poles are places like any other.
	{inside(shape("Polygon", `[[[0,60],[60,60],[60,0],[0,0],[0,60]]]`)), []string{`{"a":[30,59]}`, `{"a":[30,63]}`}, []string{`{"a":[30,64]}`, `{"a":[300,30]}`}},
	{inside(square), []string{point(5, 5), `{"a":[0,0]}`, `{"a":[10,5]}`, `{"a":[0,5]}`, `{"a":[5,0]}`, `{"a":[[50,50],[5,5]]}`},
		[]string{point(5, -0.001), `{"a":[11,5]}`, `{"a":[365,5]}`, `{"a":[185,5]}`, `{}`}},
	{inside(shape("Polygon", `[[[0,0],[0,10],[10,10],[10,0],[0,0]]]`)), []string{point(5, 5)}, []string{point(50, 50)}},
	{inside(dateLine), []string{`{"a":[180,0]}`, `{"a":[-180,0]}`, `{"a":[175,5]}`, `{"a":[-175,5]}`}, []string{`{"a":[0,0]}`, `{"a":[160,0]}`}},
	{inside(polar), []string{`{"a":[50,89]}`, `{"a":[77,90]}`, `{"a":[60,86]}`}, []string{`{"a":[60,82]}`, `{"a":[0,79]}`}},
	{inside(holed), []string{point(5, 2), point(4, 5), stored(shape("LineString", `[[1,1],[9,1]]`))},
		[]string{point(5, 5), stored(inHole), stored(square), stored(shape("LineString", `[[1,5],[9,5]]`))}},
	{inside(square), []string{stored(square), stored(holed), stored(inHole), stored(shape("LineString", `[[1,1],[9,9]]`)), stored(shape("LineString", `[[0,0],[10,0]]`)),
		stored(shape("Polygon", `[[[0,0],[5,0],[5,5],[0,5],[0,0]]]`)), stored(shape("MultiPoint", `[[1,1],[2,2]]`)), stored(shape("MultiLineString", `[[[1,1],[2,2]],[[3,3],[4,4]]]`))},
		[]string{stored(dateLine), stored(shape("LineString", `[[1,1],[11,9]]`)), stored(shape("MultiPoint", `[[1,1],[20,2]]`)),
			stored(`{"type":"GeometryCollection","geometries":[` + inHole + `,` + dateLine + `]}`)}},
	{inside(`{"type":"GeometryCollection","geometries":[` + square + `,{"type":"Point","coordinates":[50,50]}]}`), []string{point(1, 1)}, []string{point(50, 50)}},
	{inside(shape("MultiPolygon", `[[[[0,0],[10,0],[10,10],[0,10],[0,0]]],[[[20,0],[30,0],[30,10],[20,10],[20,0]]]]`)),
		[]string{point(5, 5), point(25, 5), stored(shape("MultiPoint", `[[5,5],[25,5]]`))}, []string{point(15, 5), stored(shape("LineString", `[[5,5],[25,5]]`))}},
	// A notch: both ends of the line lie within, its middle does not.
	{inside(shape("Polygon", `[[[0,0],[10,0],[10,10],[5,2],[0,10],[0,0]]]`)), []string{stored(shape("LineString", `[[1,1],[9,1]]`))},
		[]string{stored(shape("LineString", `[[1,7],[9,7]]`)), stored(shape("LineString", `[[0,10],[10,10]]`))}},

	{`{"a":{"$geoWithin":{"$centerSphere":[[0,0],0.1745329251994]}}}`, []string{point(9.9, 0), `{"a":[0,-9.9]}`, stored(shape("LineString", `[[-9,0],[9,0]]`)), stored(inHole)},
		[]string{point(10.1, 0), `{"a":[200,0]}`, stored(shape("LineString", `[[-9,0],[11,0]]`)), stored(square)}},
	{`{"a":{"$geoWithin":{"$centerSphere":[[0,0],3]}}}`, []string{point(90, 45), stored(square)}, []string{point(180, 0), stored(dateLine),
		stored(shape("LineString", `[[179,1],[179,-1]]`))}},
	{`{"a":{"$geoWithin":{"$centerSphere":[[0,0],4]}}}`, []string{point(180, 0), stored(dateLine)}, []string{`{"a":5}`, `{"a":[200,0]}`}},

	{meeting(square), []string{point(5, 5), point(10, 10), `{"a":[0,5]}`, stored(square), stored(inHole), stored(shape("LineString", `[[-5,5],[15,5]]`)),
		stored(shape("LineString", `[[10,5],[15,5]]`)), stored(shape("Polygon", `[[[10,0],[20,0],[20,10],[10,10],[10,0]]]`)),
		stored(shape("Polygon", `[[[-50,-50],[50,-50],[50,50],[-50,50],[-50,-50]]]`)), stored(`{"type":"GeometryCollection","geometries":[` + dateLine + `,` + inHole + `]}`)},
		[]string{point(11, 5), stored(dateLine), stored(shape("LineString", `[[11,5],[15,5]]`)), `{"a":5}`}},
	{meeting(holed), []string{stored(shape("LineString", `[[5,5],[5,9]]`)), point(4, 5), stored(square)}, []string{point(5, 5), stored(inHole), stored(shape("LineString", `[[5,5],[5,5.5]]`))}},
	{meeting(shape("LineString", `[[-5,5],[15,5]]`)), []string{stored(square), stored(shape("LineString", `[[5,0],[5,10]]`)), stored(shape("LineString", `[[15,5],[20,5]]`)), `{"a":[15,5]}`,
		stored(shape("MultiPoint", `[[80,5],[-5,5]]`))}, []string{stored(shape("LineString", `[[5,0],[5,4]]`)), `{"a":[5,6]}`}},
	{meeting(shape("Point", `[5,5]`)), []string{stored(square), `{"a":[5,5]}`, point(5, 5)}, []string{stored(holed), `{"a":[5,5.00001]}`}},
	{meeting(`[5,5]`), []string{stored(square), `{"a":[5,5]}`}, []string{stored(holed)}},
	{meeting(shape("MultiPoint", `[[50,50],[5,5]]`)), []string{stored(square)}, []string{stored(holed)}},
	{meeting(shape("Point", `[44,90]`)), []string{`{"a":[-7,90]}`, stored(polar)}, []string{`{"a":[44,-90]}`}},
	{meeting(`{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[50,50]},{"type":"LineString","coordinates":[[5,-5],[5,5]]}]}`),
		[]string{stored(square), `{"a":[50,50]}`}, []string{`{"a":[51,50]}`}},

	// Strict winding: the inside lies to the left. Stored, such a polygon is none.
	{inside(strict(square)), []string{point(5, 5)}, []string{point(50, 50), stored(strict(inHole))}},
	{inside(strict(shape("Polygon", `[[[0,0],[0,10],[10,10],[10,0],[0,0]]]`))), []string{point(50, 50), point(-170, -80), point(10, 5), stored(dateLine),
		stored(shape("LineString", `[[20,20],[100,-50]]`))}, []string{point(5, 5), stored(inHole), stored(square), stored(shape("LineString", `[[-5,5],[15,5]]`))}},
	{meeting(strict(shape("Polygon", `[[[0,0],[0,10],[10,10],[10,0],[0,0]]]`))), []string{point(50, 50), stored(square), stored(dateLine)}, []string{point(5, 5), stored(inHole)}},

	// What is stored and not valid matches nothing.
	{meeting(strict(shape("Polygon", `[[[0.001,0.001],[0.001,0],[0,0],[0.001,0.001]]]`))), []string{point(50, 50)}, []string{
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10]]]`)),                                                                             // open
		stored(shape("Polygon", `[[[0,0],[10,10],[10,0],[0,10],[0,0]]]`)),                                                                       // crosses itself
		stored(shape("Polygon", `[[[0,0],[10,0],[0,0]]]`)),                                                                                      // no area
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[20,20],[21,20],[21,21],[20,20]]]`)),                                     // the hole lies outside
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[0,0],[10,0],[5,5],[0,0]]]`)),                                            // shares an edge
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[8,2],[8,8],[2,8],[2,2]],[[3,3],[4,3],[4,4],[3,4],[3,3]]]`)),       // hole in hole
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[3,3],[4,3],[4,4],[3,4],[3,3]],[[2,2],[8,2],[8,8],[2,8],[2,2]]]`)),       // hole around hole
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,4],[4,2],[7,2],[9,4],[7,7],[4,7],[2,4]],[[2,4],[7,2],[7,7],[2,4]]]`)), // of its corners
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[8,2],[8,8],[2,8],[2,2]],[[2,2],[8,2],[8,8],[2,8],[2,2]]]`)),       // twice
		stored(shape("LineString", `[[5,5]]`)), stored(shape("LineString", `[[5,5],[5,5]]`)), stored(shape("LineString", `[[0,0],[180,0]]`)),
		stored(shape("Point", `[181,0]`)), stored(shape("Point", `["1","2"]`)), stored(shape("Circle", `[1,2]`)), stored(`{"type":"Point"}`),
		stored(shape("MultiPoint", `[]`)), stored(shape("MultiPolygon", `[[]]`)), stored(`{"type":"GeometryCollection","geometries":[]}`),
		stored(`{"type":"GeometryCollection","geometries":[{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[50,50]}]}]}`),
		`{"a":{"type":"Point","coordinates":[50,50],"crs":{"type":"name","properties":{"name":"EPSG:3857"}}}}`}},
	{meeting(square), []string{`{"a":{"type":"Point","coordinates":[5,5],"crs":{"type":"name","properties":{"name":"EPSG:4326"}}}}`,
		stored(strings.Replace(square, `{"type"`, `{"crs":{"type":"name","properties":{"name":"`+crsLonLat+`"}},"type"`, 1)),
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[0,0],[4,2],[2,4],[0,0]]]`)),                                                                // a hole that touches the outer ring once
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[1,1],[3,1],[3,3],[1,3],[1,1]],[[5,5],[7,5],[7,7],[5,7],[5,5]]]`)),                          // two holes
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[1,1],[3,1],[3,3],[1,3],[1,1]],[[3,3],[5,2],[3,1],[4,2],[3,3]]]`)),                          // of which two corners meet
		stored(shape("Polygon", `[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[2,2],[8,2],[8,4],[5,4],[4,5],[5,6],[8,6],[8,8],[2,8],[2,2]],[[8,4],[4,5],[8,6],[8,4]]]`))}, // one in the other's bay
		nil},
}

// nearTests stand apart, as $near cannot stand in a $nor.
var nearTests = []filterTest{
	{`{"a":{"$near":[0,0]}}`, []string{`{"a":[1,1]}`, `{"a":{"x":500,"y":1}}`, point(1, 1), `{"a":[[1,1],5]}`}, []string{`{}`, `{"a":5}`, `{"a":[]}`, `{"a":["x",1]}`, stored(square)}},
	{`{"a":{"$near":[0,0],"$maxDistance":5}}`, []string{`{"a":[3,4]}`, `{"a":[[30,40],[0,1]]}`}, []string{`{"a":[3,4.001]}`}},
	{`{"a":{"$near":[0,0,5],"$uniqueDocs":true}}`, []string{`{"a":[3,4]}`}, []string{`{"a":[3,4.001]}`}},
	{`{"a":{"$near":{"x":0,"y":0},"$minDistance":5,"$maxDistance":10}}`, []string{`{"a":[3,4]}`, `{"a":[10,0]}`},
		[]string{`{"a":[3,3.999]}`, `{"a":[10.01,0]}`, `{"a":[[0,0],[7,0]]}`}}, // the nearest counts
	{`{"a":{"$nearSphere":[0,0],"$maxDistance":0.1745329251994}}`, []string{`{"a":[9.9,0]}`, point(0, -9.9), stored(square), stored(shape("LineString", `[[5,50],[5,-50]]`))},
		[]string{`{"a":[10.1,0]}`, `{"a":[200,0]}`, stored(dateLine)}},
	{`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[180,0]},"$minDistance":100000,"$maxDistance":120000}}}`,
		[]string{`{"a":[179,0]}`, `{"a":[-179,0]}`, `{"a":[180,1]}`}, []string{`{"a":[180,0]}`, `{"a":[178,0]}`, stored(dateLine)}},
	{`{"a":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[5,11]},"$maxDistance":120000}}}`, []string{stored(square), point(5, 10)}, []string{point(5, 9), stored(inHole)}},
	{`{"a":{"$near":{"type":"Point","coordinates":[5,5]},"$maxDistance":0}}`, []string{stored(square), `{"a":[5,5]}`}, []string{stored(holed)}},
	{`{"$and":[{"b":1},{"a":{"$near":[0,0]}}]}`, []string{`{"a":[1,1],"b":1}`}, []string{`{"a":[1,1]}`, `{"b":1}`}},
	{`{"a.b":{"$near":[0,0],"$maxDistance":2}}`, []string{`{"a":[{"b":[9,9]},{"b":[1,1]}]}`}, []string{`{"a":[1,1]}`}},
	{`{"a":{"$near":[0,0],"$maxDistance":{"$numberDouble":"Infinity"}}}`, []string{`{"a":[1,1]}`}, nil},
}

func TestNear(t *testing.T) {
	for _, test := range nearTests {
		q := compileText(t, test.filter)
		if !q.Ordered() {
			t.Errorf("%s gives no order", test.filter)
		}
		for i, text := range append(test.matches, test.not...) {
			if got := q.Match(testDocument(t, text)); got != (i < len(test.matches)) {
				t.Errorf("%s on %s: got %t", test.filter, text, got)
			}
		}
	}
}

func TestGeoErrors(t *testing.T) {
	ring := strings.Repeat("[1,2],", MaxGeometryPoints) + "[1,2]"
	within := func(shape string) string { return `{"a":{"$geoWithin":{` + shape + `}}}` }
	for _, test := range []struct{ filter, path, detail string }{
		{`{"a":{"$geoWithin":5}}`, "/a/$geoWithin", "an object with a shape is needed"},
		{`{"a":{"$geoWithin":{}}}`, "/a/$geoWithin", "give one of $geometry, $box"},
		{`{"a":{"$within":{"$circle":[]}}}`, "/a/$within/$circle", `no shape "$circle"`},
		{`{"a":{"$geoWithin":{"$box":[[0,0],[10,5]]},"$exists":true}}`, "/a/$geoWithin", "a member of its own"},
		{`{"a":{"$exists":true,"$geoIntersects":{"$geometry":[1,2]}}}`, "/a/$geoIntersects", "a member of its own"},
		{within(`"$box":[[0,0],[1,1]],"$center":[[0,0],1]`), "/a/$geoWithin/$center", "second shape"},
		{within(`"$box":5`), "/a/$geoWithin/$box", "an array or an object"},
		{within(`"$box":[[0,0]]`), "/a/$geoWithin/$box", "missing"},
		{within(`"$box":[[0,0],[1,1],[2,2]]`), "/a/$geoWithin/$box", "two opposite corners"},
		{within(`"$box":[[0,0],[1,"1"]]`), "/a/$geoWithin/$box", "two finite numbers"},
		{within(`"$center":[[0,0],-1]`), "/a/$geoWithin/$center", "from 0 on"},
		{within(`"$center":[[0,0],{"$numberDouble":"NaN"}]`), "/a/$geoWithin/$center", "from 0 on"},
		{within(`"$center":[[0,0],1,2]`), "/a/$geoWithin/$center", "a point and a radius"},
		{within(`"$centerSphere":[[0,91],1]`), "/a/$geoWithin/$centerSphere", "the longitude, from -180 to 180"},
		{within(`"$polygon":[[0,0],[1,1]]`), "/a/$geoWithin/$polygon", "at least 3"},
		{within(`"$geometry":{"type":"polygon"}`), "/a/$geoWithin/$geometry", "one of Point, LineString"},
		{within(`"$geometry":{"type":"Point","coordinates":[1,2]}`), "/a/$geoWithin/$geometry", "use $geoIntersects"},
		{within(`"$geometry":` + shape("Polygon", `[[[0,0],[1,1],[0,0]]]`)), "/a/$geoWithin/$geometry/coordinates/0", "at least 4"},
		{within(`"$geometry":` + shape("Polygon", `[[[0,0],[1,1],[2,0],[3,3]]]`)), "/a/$geoWithin/$geometry/coordinates/0", "not closed"},
		{within(`"$geometry":` + shape("Polygon", `[[[0,0],[4,4],[4,0],[0,4],[0,0]]]`)), "/a/$geoWithin/$geometry", "cross"},
		{within(`"$geometry":` + shape("Polygon", `[[[0,0],[4,"4"]]]`)), "/a/$geoWithin/$geometry/coordinates/0/1", "two finite numbers"},
		{within(`"$geometry":` + strict(shape("Polygon", `[[[0,0],[1,1],[2,0],[0,0]],[[0,0],[1,1],[2,0],[0,0]]]`))), "/a/$geoWithin/$geometry/coordinates", "one ring"},
		{meeting(`{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"x"}}}`), "/a/$geoIntersects/$geometry/crs", "leave it out"},
		{meeting(`{"type":"Point","coordinates":[1,2],"crs":{"type":"name","properties":{"name":"` + crsWinding + `"}}}`), "/a/$geoIntersects/$geometry/crs", "for a Polygon only"},
		{meeting(`{"type":"GeometryCollection","geometries":[` + strict(square) + `]}`), "/a/$geoIntersects/$geometry/geometries/0", "within a GeometryCollection"},
		{meeting(`{"type":"GeometryCollection","geometries":[]}`), "/a/$geoIntersects/$geometry/geometries", "one or more geometries"},
		{meeting(`[200,0]`), "/a/$geoIntersects/$geometry", "the longitude, from -180 to 180"},
		{meeting(`{"type":"LineString","coordinates":[[0,0],[180,0]]}`), "/a/$geoIntersects/$geometry/coordinates", "opposite sides"},
		{`{"a":{"$geoIntersects":{"$box":[[0,0],[1,1]]}}}`, "/a/$geoIntersects/$box", "one of $geometry"},
		{`{"a":{"$near":5}}`, "/a/$near", "a point is needed"},
		{`{"a":{"$near":[5]}}`, "/a/$near", "two finite numbers"},
		{`{"a":{"$near":[1,2,3,4]}}`, "/a/$near", "two finite numbers"},
		{`{"a":{"$near":[1,2,-3]}}`, "/a/$near", "two finite numbers"},
		{`{"a":{"$near":{"$geometry":[1,2]}}}`, "/a/$near/$geometry", "a Point of GeoJSON"},
		{`{"a":{"$near":{"$geometry":` + square + `}}}`, "/a/$near/$geometry", "a point is needed"},
		{`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[1,2]}},"$maxDistance":5}}`, "/a/$maxDistance", "put $maxDistance and $minDistance into it"},
		{`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[1,2]},"$gt":5}}}`, "/a/$near/$gt", "cannot stand here"},
		{`{"a":{"$near":[1,2],"$gt":5}}`, "/a/$gt", "another member of an $and"},
		{`{"a":{"$gt":5,"$near":[1,2]}}`, "/a/$near", "must come first"},
		{`{"a":{"$maxDistance":5,"$near":[1,2]}}`, "/a/$maxDistance", "put one of them before it"},
		{`{"a":{"$maxDistance":5}}`, "/a/$maxDistance", "without $near"},
		{`{"a":{"$near":[1,2],"$maxDistance":"5"}}`, "/a/$maxDistance", "from 0 on"},
		{`{"a":{"$near":[1,2],"$minDistance":-5}}`, "/a/$minDistance", "from 0 on"},
		{`{"a":{"$nearSphere":[30,91]}}`, "/a/$nearSphere", "the latitude, from -90 to 90"},
		{`{"a":{"$near":[1,2]},"b":{"$nearSphere":[1,2]}}`, "/b/$nearSphere", "only one"},
		{`{"$or":[{"a":{"$near":[1,2]}}]}`, "/$or/0/a/$near", "cannot stand within $or"},
		{`{"$nor":[{"$and":[{"a":{"$near":[1,2]}}]}]}`, "/$nor/0/$and/0/a/$near", "cannot stand within $nor"},
		{`{"a":{"$not":{"$near":[1,2]}}}`, "/a/$not/$near", "cannot stand within $not"},
		{`{"a":{"$elemMatch":{"b":{"$near":[1,2]}}}}`, "/a/$elemMatch/b/$near", "cannot stand within $elemMatch"},
		{`{"a":{"$elemMatch":{"$near":[1,2]}}}`, "/a/$elemMatch/$near", "cannot stand within $elemMatch"},
	} {
		_, err := Compile(QuerySpec{Filter: []byte(test.filter)}, Limits{})
		var bad *Error
		if !errors.As(err, &bad) {
			t.Errorf("%s: got %v", test.filter, err)
			continue
		}
		if bad.Code != CodeQueryInvalid || bad.Path != "/filter"+test.path || !strings.Contains(bad.Detail, test.detail) {
			t.Errorf("%s: got %s at %s: %s", test.filter, bad.Code, bad.Path, bad.Detail)
		}
	}
	for _, filter := range []string{within(`"$polygon":[` + ring + `]`), meeting(shape("MultiPoint", `[`+ring+`]`))} {
		_, err := Compile(QuerySpec{Filter: []byte(filter)}, Limits{})
		var bad *Error
		if !errors.As(err, &bad) || bad.Code != CodeQueryTooLarge || bad.Limit != MaxGeometryPoints || !strings.Contains(bad.Detail, "MaxGeometryPoints") {
			t.Errorf("%.60s...: got %v", filter, err)
		}
	}
}

func TestGeoNormalForm(t *testing.T) {
	for _, same := range [][]string{
		{`{"a":{"$geoWithin":{"$box":[[0,0],[1,1.5]]}}}`, `{"a":{"$within":{"$box":[[0.0,-0.0],[{"$numberInt":"1"},{"$numberDecimal":"1.50"}]],"$uniqueDocs":true}}}`},
		{meeting(square), strings.ReplaceAll(meeting(square), "10", "10.0")},
		{`{"a":{"$near":[1,2],"$maxDistance":5}}`, `{"a":{"$near":{"x":1,"y":2.0},"$maxDistance":5}}`, `{"a":{"$near":[1,2,5],"$minDistance":0}}`, `{"$and":[{"a":{"$near":[1,2,5]}}]}`},
		{`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[1,2]},"$maxDistance":5}}}`, `{"a":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[1,2,9]},"$maxDistance":5}}}`,
			`{"a":{"$nearSphere":{"type":"Point","coordinates":[1,2]},"$maxDistance":5}}`, `{"a":{"$near":{"$minDistance":0,"$maxDistance":5,"$geometry":{"coordinates":[1,2]}}}}`},
	} {
		want := compileText(t, same[0]).Normal()
		for _, filter := range same[1:] {
			if got := compileText(t, filter).Normal(); got != want {
				t.Errorf("%s is %s, but %s is %s", same[0], want, filter, got)
			}
		}
	}
	seen := map[string]string{}
	for _, filter := range []string{
		`{"a":{"$geoWithin":{"$box":[[0,0],[1,1]]}}}`, `{"b":{"$geoWithin":{"$box":[[0,0],[1,1]]}}}`, `{"a":{"$geoWithin":{"$box":[[0,0],[1,2]]}}}`,
		`{"a":{"$geoWithin":{"$center":[[0,0],1]}}}`, `{"a":{"$geoWithin":{"$centerSphere":[[0,0],1]}}}`, inside(square), meeting(square), meeting(strict(square)), meeting(holed),
		`{"a":{"$near":[1,2]}}`, `{"b":{"$near":[1,2]}}`, `{"a":{"$nearSphere":[1,2]}}`, `{"a":{"$near":[1,2,0]}}`, `{"a":{"$near":[1,2],"$minDistance":1}}`, `{"a":{"$near":[1,2,1]}}`,
		`{"a":{"$near":{"type":"Point","coordinates":[1,2]}}}`,
	} {
		text := compileText(t, filter).Normal()
		if other := seen[text]; other != "" {
			t.Errorf("%s and %s are both %s", filter, other, text)
		}
		seen[text] = filter
	}
}

// TestStoredGeometryOfManyPoints: a stored geometry is bounded by its document alone, except where checking it would not
// end in time.
func TestStoredGeometryOfManyPoints(t *testing.T) {
	d := testDocument(t, stored(coast(5_500)))
	for filter, want := range map[string]bool{
		meeting(shape("Point", `[10,45]`)): true,
		meeting(shape("Point", `[10,55]`)): false,
		inside(square):                     false,
		inside(shape("Polygon", `[[[0,30],[30,30],[30,60],[0,60],[0,30]]]`)):                             true,
		`{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[10,45]},"$maxDistance":0}}}`:          true,
		`{"a":{"$nearSphere":{"$geometry":{"type":"Point","coordinates":[10,60]},"$maxDistance":1000}}}`: false,
		`{"a":{"$geoWithin":{"$centerSphere":[[10,45],0.12]}}}`:                                          true,
		meeting(shape("LineString", `[[10,45],[11,45]]`)):                                                true,
		meeting(shape("LineString", `[[30,45],[31,45]]`)):                                                false,
		meeting(shape("MultiPoint", `[[50,50],[10,46]]`)):                                                true,
	} {
		if got := compileText(t, filter).Match(d); got != want {
			t.Errorf("%s on a polygon of many points: got %t", filter, got)
		}
	}
	var island strings.Builder // around the place where two coordinates of space hardly change
	for i := range 5_500 {
		angle := 2 * math.Pi * float64(i) / 5_500
		fmt.Fprintf(&island, "[%v,%v],", 3*math.Cos(angle), 3*math.Sin(angle))
	}
	if d = testDocument(t, stored(shape("Polygon", "[["+island.String()+"[3,0]]]"))); !compileText(t, meeting(square)).Match(d) {
		t.Error("an island at [0,0] does not match")
	}
	var comb strings.Builder // 7,000 teeth as long as the whole
	for i := range 7000 {
		fmt.Fprintf(&comb, "[%v,0],[%v,20],[%v,20],", float64(i)/1000, float64(i)/1000+0.0004, float64(i)/1000+0.0006)
	}
	d = testDocument(t, stored(shape("Polygon", "[["+comb.String()+"[7,-1],[0,-1],[0,0]]]")))
	if compileText(t, meeting(square)).Match(d) {
		t.Error("a polygon that takes more than MaxGeometrySteps to check matches")
	}
}

// TestRememberedGeometries matches more long geometries than are remembered, of one length and from several goroutines.
func TestRememberedGeometries(t *testing.T) {
	const kinds = 2*MaxRememberedGeometries + 1
	var documents [kinds]*Document
	var queries [kinds]*Query
	for i := range kinds {
		text := coast(600)
		if i%3 == 2 {
			text = shape("LineString", "["+strings.Repeat("[1,1],", 1000)+"[1,1]]")
		}
		text = strings.ReplaceAll(text, "[1", fmt.Sprintf("[%d", 1+i)) // moves them to the east
		documents[i] = testDocument(t, stored(text))
		queries[i] = compileText(t, meeting(shape("Point", fmt.Sprintf("[%d0,45]", 1+i))))
	}
	var want [kinds][kinds]bool
	matches := 0
	for i, q := range queries {
		for j, d := range documents {
			g := &geometryReader{}
			if g.object(d.Field("a"), nil) {
				if made := g.build(nil); made != nil {
					want[i][j] = q.filter.test.(*geoTest).sphere.accepts(made)
				}
			}
			if want[i][j] {
				matches++
			}
		}
	}
	if matches < 3 || matches > kinds*kinds/2 {
		t.Fatalf("%d of the documents match: the test says little", matches)
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 9))
			for range 100 {
				i, j := random.IntN(kinds), random.IntN(kinds)
				if queries[i].Match(documents[j]) != want[i][j] {
					t.Errorf("query %d on document %d: want %t", i, j, want[i][j])
				}
			}
		})
	}
	all.Wait()
}

// TestGeoReadsPointsWithoutAllocating covers what a write costs each geo query whose field holds a point.
func TestGeoReadsPointsWithoutAllocating(t *testing.T) {
	for _, text := range []string{`{"a":[5,5]}`, `{"a":{"x":5,"y":5}}`, point(5, 5), `{"a":[[50,50],[5,5]]}`, `{"a":[{"b":1},{"type":"text"}]}`} {
		d := testDocument(t, text)
		for _, filter := range []string{inside(square), meeting(holed), `{"a":{"$geoWithin":{"$box":[[0,0],[9,9]]}}}`, `{"a":{"$geoWithin":{"$polygon":[[0,0],[9,0],[9,9]]}}}`,
			`{"a":{"$geoWithin":{"$centerSphere":[[0,0],1]}}}`, `{"a":{"$near":[0,0]}}`, `{"a":{"$nearSphere":[0,0],"$maxDistance":1}}`} {
			q := compileText(t, filter)
			if n := testing.AllocsPerRun(100, func() { q.Match(d) }); n != 0 {
				t.Errorf("%s on %s allocates %v times", filter, text, n)
			}
		}
	}
}
