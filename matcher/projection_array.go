package matcher

import (
	"math"
	"strconv"
)

// arraySlice is $slice in a projection (MongoDB manual: "$slice (projection)"): limit elements from skip on, which
// counts from the end if it is negative.
type arraySlice struct{ skip, limit int }

// parseSlice reads n (the first n elements, or if negative the last) or [skip, limit]. A field that is no array is shown
// as it is.
func parseSlice(v Value, at *place) (*arraySlice, error) {
	if v.IsNumber() {
		n, err := wholeCount("$slice", v, at)
		if err != nil {
			return nil, err
		}
		if n < 0 {
			return &arraySlice{n, -max(n, -math.MaxInt)}, nil
		}
		return &arraySlice{0, n}, nil
	}
	if v.Kind() != KindArray || v.Len() != 2 {
		return nil, at.invalid(`$slice is %s; give a number of elements, or [skip, limit] such as [20,10]`, shorten(v.Raw()))
	}
	var numbers [2]int
	for i := range numbers {
		n, err := wholeCount([]string{"the skip of $slice", "the limit of $slice"}[i], v.Index(i), at.element(i))
		if err != nil {
			return nil, err
		}
		numbers[i] = n
	}
	if numbers[1] <= 0 {
		return nil, at.element(1).invalid("the limit of $slice is %d; give a positive number of elements", numbers[1])
	}
	return &arraySlice{numbers[0], numbers[1]}, nil
}

// bounds are the elements that are shown of an array: from on, before to.
func (s *arraySlice) bounds(length int) (from, to int) {
	if from = min(s.skip, length); from < 0 {
		from = max(length+from, 0)
	}
	return from, from + min(s.limit, length-from)
}

func (s *arraySlice) appendNormal(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"$slice":[`...), int64(s.skip), 10)
	dst = strconv.AppendInt(append(dst, ','), int64(s.limit), 10)
	return append(dst, "]}"...)
}

// elementMatch is $elemMatch in a projection (MongoDB manual: "$elemMatch (projection)"): an array with the first element
// that the condition accepts. The field is not shown where there is none, or where it is no array.
type elementMatch struct {
	objects bool // the condition is a filter of objects (and arrays, by index), else one of values
	accepts normal
}

func (p *projectionParser) elementMatch(v Value, at *place) (*elementMatch, error) {
	if err := p.count(countValues(v), at); err != nil {
		return nil, err
	}
	compiled, err := compileElemMatch(&p.compiler, path{}, Value{}, v, at)
	if err != nil {
		return nil, err
	}
	return &elementMatch{compiled.op == opElemMatchObject, normalize(compiled.children[0])}, nil
}

// check is an error where the conditions of $elemMatch take more for d than a filter may: MaxMatchSteps and MaxRegexWork, for
// all of them together. What shows d looks for its elements again, once or twice, so a query asks this of what it matches.
func (p *Projection) check(d *Document) error {
	if p == nil || len(p.matches) == 0 || p.work.isCheapFor(d) {
		return nil
	}
	m := newMeter(d)
	for _, n := range p.matches {
		m.first(n.first, d.Field(n.name))
	}
	return m.err("fields")
}

// first goes the way of find under the meter.
func (m *meter) first(of *elementMatch, array Value) {
	if array.Kind() != KindArray {
		return
	}
	m.steps -= array.Len()
	for e := array.First(); e.Exists() && !m.over(); e = e.Next() {
		if of.enters(e) && m.match(of.accepts.node, e) {
			return
		}
	}
}

func (m *elementMatch) enters(e Value) bool {
	kind := e.Kind()
	return !m.objects || kind == KindObject || kind == KindArray
}

// find is the first element that is shown, missing if there is none.
func (m *elementMatch) find(v Value) Value {
	if v.Kind() != KindArray {
		return Value{}
	}
	for e := v.First(); e.Exists(); e = e.Next() {
		if m.enters(e) && m.accepts.node.match(e) {
			return e
		}
	}
	return Value{}
}

func (m *elementMatch) appendNormal(dst []byte) []byte {
	form := `{"$elemMatch":{"value":`
	if m.objects {
		form = `{"$elemMatch":{"object":`
	}
	return append(append(append(dst, form...), m.accepts.text...), "}}"...)
}
