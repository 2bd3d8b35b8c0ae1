package oracle

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUpdate says that the update cannot be made to this document.
var ErrUpdate = errors.New("the update does not fit the document")

// Apply makes the update operators $set, $unset and $inc on dotted paths through objects. A new field comes last.
func Apply(doc, update Object) (Object, error) {
	for _, operator := range update {
		fields, ok := operator.Value.(Object)
		if !ok {
			return nil, fmt.Errorf("%w: %s without an object", ErrUnsupported, operator.Name)
		}
		for _, f := range fields {
			var err error
			if doc, err = applyOne(doc, operator.Name, strings.Split(f.Name, "."), f.Value); err != nil {
				return nil, err
			}
		}
	}
	return doc, nil
}

func applyOne(o Object, operator string, path []string, argument any) (Object, error) {
	name := path[0]
	old, exists := o.Get(name)
	if len(path) > 1 {
		inner, ok := old.(Object)
		if exists && !ok {
			if operator == "$unset" {
				return o, nil
			}
			return nil, fmt.Errorf("%w: %s is no object", ErrUpdate, name)
		}
		if !exists && operator == "$unset" {
			return o, nil
		}
		changed, err := applyOne(inner, operator, path[1:], argument)
		if err != nil {
			return nil, err
		}
		return o.With(name, changed), nil
	}
	switch operator {
	case "$set":
		return o.With(name, argument), nil
	case "$unset":
		return o.Without(name), nil
	case "$inc":
		if !exists {
			return o.With(name, argument), nil
		}
		sum, err := add(old, argument)
		if err != nil {
			return nil, err
		}
		return o.With(name, sum), nil
	}
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, operator)
}

func add(a, b any) (any, error) {
	if typeOrder(a) != typeOrder(int64(0)) {
		return nil, fmt.Errorf("%w: $inc of %T", ErrUpdate, a)
	}
	x, intA := a.(int64)
	y, intB := b.(int64)
	if !intA || !intB {
		return toFloat(a) + toFloat(b), nil
	}
	sum := x + y
	if (sum > x) != (y > 0) && y != 0 {
		return nil, fmt.Errorf("%w: $inc passes 64 bits", ErrUpdate)
	}
	return sum, nil
}

// Merge makes a merge patch (RFC 7396): null removes, objects are merged, everything else replaces.
func Merge(target any, patch any) any {
	p, ok := patch.(Object)
	if !ok {
		return patch
	}
	out, ok := target.(Object)
	if !ok {
		out = Object{}
	}
	for _, f := range p {
		if f.Value == nil {
			out = out.Without(f.Name)
			continue
		}
		old, _ := out.Get(f.Name)
		out = out.With(f.Name, Merge(old, f.Value))
	}
	return out
}
