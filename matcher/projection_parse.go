package matcher

import (
	"slices"
	"strings"
)

// projectionParser collects the paths of one projection.
type projectionParser struct {
	limits   Limits
	dates    *Dates
	paths    []projectionPath
	nodes    int // paths, and operators and values of conditions
	compiler compiler

	anyDocument bool // as QuerySpec has it
}

// projectionPath is one path of a projection, with what becomes of its field.
type projectionPath struct {
	names  []string
	dotted string
	show   bool
	end    projectionNode // slice or first of an operator, else neither
	at     *place
}

// metadata reports whether the path leads to a metadata field.
func (p *projectionParser) metadata(path *projectionPath) bool {
	return isHidden(path.names[0], p.anyDocument)
}

// ParseProjection reads {"title":1,"author.name":1}, {"author":{"name":1}}, {"big":0} or ["title","author.name"].
// Showing and leaving out are not mixed, except for metadata fields: those are left out unless they are shown, and only
// `_id` need not be named. {"lines":{"$slice":5}} cuts an array, and goes with both; {"lines":{"$elemMatch":{"open":
// true}}} shows the first element that a condition accepts, and goes with showing. Alone, $slice leaves out nothing, and
// $elemMatch shows nothing else. A projection of no fields is nil: it shows everything. dates is what the collection
// declares of the fields that a condition compares.
func ParseProjection(text []byte, dates *Dates, limits Limits) (*Projection, error) {
	return parseProjection(text, dates, nil, limits, false)
}

// parseProjection is ParseProjection where $elemMatch compares under a collation, and perhaps any document goes.
func parseProjection(text []byte, dates *Dates, collation *collation, limits Limits, anyDocument bool) (*Projection, error) {
	limits = limits.WithDefaults()
	var at *place
	if len(text) > limits.MaxQueryBytes {
		return nil, at.tooLarge(limits.MaxQueryBytes,
			"fields has %d bytes, at most %d are allowed (MaxQueryBytes); name fewer fields", len(text), limits.MaxQueryBytes)
	}
	d, err := ParseValue(text, limits)
	if err != nil {
		return nil, err
	}
	p := projectionParser{limits: limits, dates: dates, anyDocument: anyDocument, compiler: compiler{collation: collation}}
	switch root := d.Root(); root.Kind() {
	case KindObject:
		err = p.object(root, nil, at)
	case KindArray:
		err = p.array(root, at)
	default:
		err = at.invalid("fields is %s; use {\"title\":1} or [\"title\"]", describeKind(root.Kind()))
	}
	if err != nil || len(p.paths) == 0 {
		return nil, err
	}
	return p.build()
}

func (p *projectionParser) array(root Value, at *place) error {
	i := 0
	for v := root.First(); v.Exists(); v = v.Next() {
		at := at.element(i)
		if v.Kind() != KindString {
			return at.invalid("fields holds %s; a list of fields holds their names, such as [\"title\"]", describeKind(v.Kind()))
		}
		if err := p.path(strings.Split(string(v.Bytes()), "."), true, projectionNode{}, at); err != nil {
			return err
		}
		i++
	}
	return nil
}

// object reads one level of the object form; prefix are the names above it.
func (p *projectionParser) object(o Value, prefix []string, at *place) error {
	for v := o.First(); v.Exists(); v = v.Next() {
		name := string(v.Name())
		at := at.field(name)
		names := append(slices.Clone(prefix), strings.Split(name, ".")...)
		var err error
		switch {
		case strings.HasPrefix(name, "$"):
			err = p.misplaced(name, len(prefix) > 0, at)
		case v.Kind() == KindObject && strings.HasPrefix(string(v.First().Name()), "$"):
			err = p.operator(v, names, at)
		case v.Kind() == KindObject && v.Len() > 0:
			err = p.object(v, names, at)
		case v.Kind() == KindBool:
			err = p.path(names, v.Bool(), projectionNode{}, at)
		case v.IsNumber():
			err = p.path(names, v.Float64() != 0, projectionNode{}, at)
		case v.Kind() == KindString || v.Kind() == KindArray:
			err = at.invalid("the field %s has %s, which would be an expression, but %s; give 1 to show the field or 0 to leave it out",
				name, describeKind(v.Kind()), computes)
		default:
			err = at.invalid("the field %s has %s; give 1 to show it or 0 to leave it out", name, describeKind(v.Kind()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// projectionOperators are the operators that cut an array.
var projectionOperators = []string{"$elemMatch", "$slice"}

// misplaced refuses an operator that stands beside names.
func (p *projectionParser) misplaced(name string, below bool, at *place) error {
	switch {
	case !slices.Contains(projectionOperators, name):
		return unknownProjection(name, at)
	case below:
		return at.invalid("%s stands beside other names; an operator stands alone below its field", name)
	}
	return at.invalid("%s stands at the top of fields; it belongs below a field, as in {\"field\":{%q:...}}", name, name)
}

// operator reads {"$slice":...} or {"$elemMatch":...} below a field.
func (p *projectionParser) operator(o Value, names []string, at *place) error {
	argument := o.First()
	name := string(argument.Name())
	below := at.field(name)
	if o.Len() > 1 {
		return p.misplaced(name, true, below)
	}
	var end projectionNode
	var err error
	switch name {
	case "$slice":
		end.slice, err = parseSlice(argument, below)
	case "$elemMatch":
		if len(names) > 1 {
			return below.invalid("$elemMatch stands below the path %s, but works on fields of the document alone; show the whole path, or use $slice",
				strings.Join(names, "."))
		}
		p.compiler.dates = p.dates.tree().followNames(names)
		end.first, err = p.elementMatch(argument, below)
	default:
		return unknownProjection(name, below)
	}
	if err != nil {
		return err
	}
	return p.path(names, true, end, at)
}

// computes is why the values of fields are no expressions, as they may be in MongoDB.
const computes = "fields shows what is stored and computes nothing; compute the value where the document is written, or at the client"

// unknownProjection refuses an operator with the reason, if there is one.
func unknownProjection(name string, at *place) error {
	if err := refused(name, at); err != nil {
		return err
	}
	_, operator := exprOperators[name]
	_, form := exprForms[name]
	if operator || form {
		return at.fail(CodeOperatorUnknown, 0, "%s is an expression, but %s", name, computes)
	}
	return unknownName("operator of fields", name, projectionOperators, at)
}

// path adds one path. at is its place in the text.
func (p *projectionParser) path(names []string, show bool, end projectionNode, at *place) error {
	dotted := strings.Join(names, ".")
	for _, name := range names {
		switch {
		case name == "":
			return at.invalid("the path %q has an empty name; write names apart by single dots", dotted)
		case name == "$":
			return at.fail(CodeOperatorUnknown, 0, "the path %s holds $, the element that the filter found, which a live result cannot follow; "+
				"use $elemMatch with the condition, as in {%q:{\"$elemMatch\":...}}", dotted, names[0])
		case name[0] == '$':
			return at.fail(CodeOperatorUnknown, 0, "%s in the path %s is not known in fields; name the field alone", name, dotted)
		case strings.IndexByte(name, 0) >= 0:
			return at.invalid("the path %q holds the character U+0000, which no name has; leave it out", dotted)
		}
	}
	if most := p.limits.MaxDocumentDepth; len(names) > most {
		return at.tooLarge(most, "a path has %d names, at most %d are allowed (MaxDocumentDepth); shorten it", len(names), most)
	}
	if err := p.count(1, at); err != nil {
		return err
	}
	p.paths = append(p.paths, projectionPath{names: names, dotted: dotted, show: show, end: end, at: at})
	return nil
}

func (p *projectionParser) count(nodes int, at *place) error {
	if p.nodes += nodes; p.nodes > p.limits.MaxQueryNodes {
		return at.tooLarge(p.limits.MaxQueryNodes,
			"fields has more than %d paths, operators and values (MaxQueryNodes); name fewer", p.limits.MaxQueryNodes)
	}
	return nil
}

// build decides whether fields are shown or left out, and makes the tree.
func (p *projectionParser) build() (*Projection, error) {
	exclude, err := p.excludes()
	if err != nil {
		return nil, err
	}
	root := &projectionNode{exclude: exclude, anyDocument: p.anyDocument}
	id := true
	for i := range p.paths {
		path := &p.paths[i]
		if path.dotted == fieldID {
			id = path.show
		}
		if p.metadata(path) && !path.show {
			continue // left out anyway
		}
		if err := root.insert(path, exclude && !p.metadata(path)); err != nil {
			return nil, err
		}
	}
	if id && root.child([]byte(fieldID)) == nil {
		root.add(&projectionNode{name: fieldID})
	}
	made := &Projection{root: root}
	for _, c := range root.children {
		if c.first != nil {
			made.matches = append(made.matches, c)
			made.work.add(c.first.accepts.node)
		}
	}
	return made, nil
}

// excludes decides by the first field of the user's that is shown or left out; $slice alone decides nothing.
func (p *projectionParser) excludes() (exclude bool, err error) {
	var shown, hidden *projectionPath
	metadata := false
	for i := range p.paths {
		path := &p.paths[i]
		switch {
		case p.metadata(path):
			metadata = metadata || path.show
		case path.end.slice != nil:
		case path.show && shown == nil:
			shown = path
		case !path.show && hidden == nil:
			hidden = path
		}
		if shown != nil && hidden != nil {
			return false, path.at.invalid("fields shows %s and leaves out %s; do one of both (only _id and other metadata may differ)",
				shown.dotted, hidden.dotted)
		}
	}
	if shown == nil && hidden == nil {
		return !metadata, nil
	}
	return hidden != nil, nil
}

// insert adds a path below the root n.
func (n *projectionNode) insert(path *projectionPath, exclude bool) error {
	collision := func() error {
		return path.at.invalid("the path %s and another one that begins or goes on with it exclude each other; name one of them", path.dotted)
	}
	for i, name := range path.names {
		last := i == len(path.names)-1
		c := n.child([]byte(name))
		switch {
		case c == nil:
			c = &projectionNode{name: name, exclude: exclude}
			if last {
				c.slice, c.first = path.end.slice, path.end.first
			}
			n.add(c)
		case last && len(c.children) == 0 && !c.selects() && !path.end.selects():
			return nil // named twice
		case last, len(c.children) == 0:
			return collision()
		}
		n = c
	}
	return nil
}
