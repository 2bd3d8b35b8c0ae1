package matcher

import (
	"fmt"
	"slices"
)

// MaxArrayFilters bounds the array filters of one update.
const MaxArrayFilters = 32

// arrayFilter says which elements `$[identifier]` in a path stands for.
type arrayFilter struct {
	identifier string
	accepts    updateCondition // of an object that holds the element under the identifier
	used       bool            // while parsing: a path names it
}

// arrayFilters reads [{"x.amount":{"$gt":5}},{"y":"red"}]: filters in which every path begins with one identifier.
func (p *updateParser) arrayFilters(list Value, at *place) error {
	if !list.Exists() {
		return nil
	}
	if list.Kind() != KindArray {
		return at.invalid(`arrayFilters is %s; give an array of filters, such as [{"x.amount":{"$gt":5}}]`, describeKind(list.Kind()))
	}
	if list.Len() > MaxArrayFilters {
		return at.fail(CodeUpdateInvalid, MaxArrayFilters,
			"there are %d array filters, at most %d are allowed (MaxArrayFilters); split the update", list.Len(), MaxArrayFilters)
	}
	p.filters = make(map[string]*arrayFilter, list.Len())
	i := 0
	for v := list.First(); v.Exists(); v = v.Next() {
		at := at.element(i)
		i++
		if v.Kind() != KindObject {
			return at.invalid("an array filter is %s; filters are objects", describeKind(v.Kind()))
		}
		f := &arrayFilter{}
		if err := f.identify(v, at); err != nil {
			return err
		}
		if f.identifier == "" {
			return at.invalid(`an array filter is empty; name the element and what it must be, such as {"x":{"$gt":5}}`)
		}
		if p.filters[f.identifier] != nil {
			return at.invalid("two array filters are for %q; join them in one", f.identifier)
		}
		compiled, err := p.condition(v, at, func() (*node, error) {
			p.compiler.dates = p.elements[f.identifier].named(f.identifier)
			return p.compiler.filter(v, at)
		})
		if err != nil {
			return err
		}
		f.accepts = compiled
		p.filters[f.identifier] = f
	}
	return nil
}

// identify finds the identifier that all paths of a filter begin with.
func (f *arrayFilter) identify(filter Value, at *place) error {
	for v := filter.First(); v.Exists(); v = v.Next() {
		name := string(v.Name())
		at := at.field(name)
		switch name {
		case "$comment":
			continue
		case "$expr", "$jsonSchema":
			return refusedInUpdate(name, at)
		case "$and", "$or", "$nor":
			i := 0
			for member := v.First(); member.Exists(); member = member.Next() {
				if err := f.identify(member, at.element(i)); err != nil {
					return err
				}
				i++
			}
			continue
		}
		identifier := firstName(name)
		switch {
		case !isIdentifier(identifier):
			return at.invalid("%q cannot name an element; an array filter's paths begin with a small letter, and letters and digits follow", identifier)
		case f.identifier == "":
			f.identifier = identifier
		case f.identifier != identifier:
			return at.invalid("the array filter is for %q and for %q; write one filter for each", f.identifier, identifier)
		}
	}
	return nil
}

func firstName(path string) string {
	for i := range len(path) {
		if path[i] == '.' {
			return path[:i]
		}
	}
	return path
}

func isIdentifier(name string) bool {
	for i, c := range []byte(name) {
		small, other := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !small && (i == 0 || !other) {
			return false
		}
	}
	return name != ""
}

func (p *updateParser) unusedFilter(at *place) error {
	var unused []string
	for identifier, f := range p.filters {
		if !f.used {
			unused = append(unused, identifier)
		}
	}
	if len(unused) == 0 {
		return nil
	}
	slices.Sort(unused)
	return at.fail(CodeUpdateInvalid, 0, "the array filter for %q is used by no path; leave it out, or use it as $[%s]", unused[0], unused[0])
}

// updateCondition is a filter that an update asks about elements.
type updateCondition struct {
	boundedFilter
	size int // operators and values in it
}

// condition compiles a filter that stands in an update, within the bound on the operators and values of all of them.
func (p *updateParser) condition(v Value, at *place, compile func() (*node, error)) (c updateCondition, err error) {
	c.size = countValues(v)
	if p.nodes += c.size; p.nodes > p.limits.MaxQueryNodes {
		return c, at.tooLarge(p.limits.MaxQueryNodes,
			"the conditions of the update have more than %d operators and values (MaxQueryNodes); split the update", p.limits.MaxQueryNodes)
	}
	defer p.compiler.bar("an update")()
	compiled, err := compile()
	if err != nil {
		return c, err
	}
	c.boundedFilter = boundFilter(normalize(compiled).node)
	return c, nil
}

// asks counts what it takes at most to ask a condition about an element: all of its conditions may go through all of
// the element, all of its regular expressions through all of the text.
func (e *updateWriter) asks(n *updateNode, c *updateCondition, element Value) bool {
	return e.spend(n, c.size+c.weight*weight(element)+c.search*len(element.Raw()))
}

// wrappedBytesPerStep is how much of an element is parsed anew for one of MaxUpdateSteps.
const wrappedBytesPerStep = 16

// wrap is {name: v}, v being an element of the array at n: a filter on it treats v as it treats a field. ok is false
// where that cannot be had; the update fails then.
func (e *updateWriter) wrap(n *updateNode, name string, v Value) (object Value, ok bool) {
	if !e.spend(n, 1+len(v.Raw())/wrappedBytesPerStep) {
		return Value{}, false
	}
	text := append(AppendString([]byte{'{'}, []byte(name)), ':')
	text = append(append(text, v.Raw()...), '}')
	d, err := Parse(text, parsedBefore)
	if err != nil {
		e.err = fmt.Errorf("parse an array's element: %w", err)
		return Value{}, false
	}
	return d.Root(), true
}
