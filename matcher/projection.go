package matcher

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Projection says which fields of a document a client sees (MongoDB manual: "Project Fields to Return"). It either
// names the fields that are shown, beside `_id`, or those that are left out. It is immutable. A nil *Projection shows
// everything.
type Projection struct {
	exclude bool
	root    *projectionNode
}

// projectionNode is one name of a dotted path. One without children is the end of a path: it is the whole field.
type projectionNode struct {
	name     string
	children []*projectionNode // sorted by name
}

// child is the child of that name, nil if there is none.
func (n *projectionNode) child(name []byte) *projectionNode {
	i, found := slices.BinarySearchFunc(n.children, name, func(c *projectionNode, name []byte) int {
		return strings.Compare(c.name, sharedString(name))
	})
	if !found {
		return nil
	}
	return n.children[i]
}

// projectionParser collects the paths of one projection.
type projectionParser struct {
	limits  Limits
	root    projectionNode
	paths   int
	include string // the first path that is shown, `_id` apart
	exclude string // the first path that is left out, `_id` apart
	id      int    // 1: `_id` is shown, -1: left out, 0: not named
}

// ParseProjection reads {"title":1,"author.name":1}, {"author":{"name":1}}, {"big":0} or ["title","author.name"].
// Showing and leaving out are not mixed, except for `_id`. A projection of no fields is nil: it shows everything.
func ParseProjection(text []byte, limits Limits) (*Projection, error) {
	limits = limits.WithDefaults()
	if len(text) > limits.MaxQueryBytes {
		return nil, &Error{Code: CodeQueryTooLarge, Limit: int64(limits.MaxQueryBytes), Detail: fmt.Sprintf(
			"fields has %d bytes, at most %d are allowed (MaxQueryBytes); name fewer fields", len(text), limits.MaxQueryBytes)}
	}
	d, err := ParseValue(text, limits)
	if err != nil {
		return nil, err
	}
	p := projectionParser{limits: limits}
	switch root := d.Root(); root.Kind() {
	case KindObject:
		err = p.object(root, nil, "")
	case KindArray:
		err = p.array(root)
	default:
		err = projectionError("", "fields is %s; use {\"title\":1} or [\"title\"]", describeKind(root.Kind()))
	}
	if err != nil {
		return nil, err
	}
	return p.finish(), nil
}

func projectionError(path, format string, args ...any) error {
	return &Error{Code: CodeQueryInvalid, Path: path, Detail: fmt.Sprintf(format, args...)}
}

func (p *projectionParser) array(root Value) error {
	i := 0
	for v := root.First(); v.Exists(); v = v.Next() {
		at := fmt.Sprintf("/%d", i)
		if v.Kind() != KindString {
			return projectionError(at, "fields holds %s; a list of fields holds their names, such as [\"title\"]", describeKind(v.Kind()))
		}
		if err := p.path(strings.Split(string(v.Bytes()), "."), true, at); err != nil {
			return err
		}
		i++
	}
	return nil
}

// object reads one level of the object form; prefix are the names above it.
func (p *projectionParser) object(o Value, prefix []string, at string) error {
	for v := o.First(); v.Exists(); v = v.Next() {
		name := string(v.Name())
		here := at + pointerStep(name)
		if strings.HasPrefix(name, "$") {
			return &Error{Code: CodeOperatorUnknown, Path: here, Detail: fmt.Sprintf(
				"%s is not known in fields; a field is shown by 1 or left out by 0", name)}
		}
		path := append(slices.Clone(prefix), strings.Split(name, ".")...)
		var err error
		switch {
		case v.Kind() == KindObject && v.Len() > 0:
			err = p.object(v, path, here)
		case v.Kind() == KindBool:
			err = p.path(path, v.Bool(), here)
		case v.IsNumber():
			err = p.path(path, v.Float64() != 0, here)
		default:
			err = projectionError(here, "the field %s has %s; give 1 to show it or 0 to leave it out", name, describeKind(v.Kind()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// path adds one path. at is its place in the text.
func (p *projectionParser) path(names []string, show bool, at string) error {
	dotted := strings.Join(names, ".")
	for _, name := range names {
		switch {
		case name == "":
			return projectionError(at, "the path %q has an empty name; write names apart by single dots", dotted)
		case name[0] == '$':
			return &Error{Code: CodeOperatorUnknown, Path: at, Detail: fmt.Sprintf(
				"%s in the path %s is not known in fields; name the field alone", name, dotted)}
		case strings.IndexByte(name, 0) >= 0:
			return projectionError(at, "the path %q holds the character U+0000, which no name has; leave it out", dotted)
		}
	}
	if len(names) > p.limits.MaxDocumentDepth {
		return &Error{Code: CodeQueryTooLarge, Path: at, Limit: int64(p.limits.MaxDocumentDepth), Detail: fmt.Sprintf(
			"a path has %d names, at most %d are allowed (MaxDocumentDepth); shorten it", len(names), p.limits.MaxDocumentDepth)}
	}
	if p.paths++; p.paths > p.limits.MaxQueryNodes {
		return &Error{Code: CodeQueryTooLarge, Path: at, Limit: int64(p.limits.MaxQueryNodes), Detail: fmt.Sprintf(
			"fields names more than %d paths (MaxQueryNodes); name fewer", p.limits.MaxQueryNodes)}
	}
	if dotted == fieldID {
		if p.id = -1; show {
			p.id = 1
		}
		return nil
	}
	if show && p.include == "" {
		p.include = dotted
	}
	if !show && p.exclude == "" {
		p.exclude = dotted
	}
	if p.include != "" && p.exclude != "" {
		return projectionError(at, "fields shows %s and leaves out %s; do one of both (only _id may differ)", p.include, p.exclude)
	}
	return p.add(names, dotted, at)
}

func (p *projectionParser) add(names []string, dotted, at string) error {
	node := &p.root
	for i, name := range names {
		k, found := slices.BinarySearchFunc(node.children, name, func(c *projectionNode, name string) int {
			return strings.Compare(c.name, name)
		})
		last := i == len(names)-1
		switch {
		case !found:
			node.children = slices.Insert(node.children, k, &projectionNode{name: name})
		case last && len(node.children[k].children) == 0:
			return nil // named twice
		case last, len(node.children[k].children) == 0:
			return projectionError(at, "the path %s and another one that begins or goes on with it exclude each other; name one of them", dotted)
		}
		node = node.children[k]
	}
	return nil
}

func (p *projectionParser) finish() *Projection {
	switch {
	case p.include != "":
		if p.id >= 0 && p.root.child([]byte(fieldID)) == nil {
			p.insertID()
		}
	case p.exclude != "":
		if p.id < 0 {
			p.insertID()
		}
	case p.id == 0:
		return nil
	default: // _id alone
		p.insertID()
		return &Projection{exclude: p.id < 0, root: &p.root}
	}
	return &Projection{exclude: p.exclude != "", root: &p.root}
}

func (p *projectionParser) insertID() {
	p.root.children = slices.DeleteFunc(p.root.children, func(c *projectionNode) bool { return c.name == fieldID })
	p.root.children = append(p.root.children, &projectionNode{name: fieldID})
	slices.SortFunc(p.root.children, func(a, b *projectionNode) int { return strings.Compare(a.name, b.name) })
}

// Normal is the normal form: two projections that show the same have the same one. That of everything is empty.
func (p *Projection) Normal() string {
	if p == nil {
		return ""
	}
	dst := []byte(`{"show":`)
	if p.exclude {
		dst = []byte(`{"hide":`)
	}
	return string(append(p.root.appendNormal(dst), '}'))
}

func (n *projectionNode) appendNormal(dst []byte) []byte {
	if len(n.children) == 0 {
		return append(dst, '1')
	}
	for i, c := range n.children {
		dst = append(dst, "{,"[min(i, 1)])
		dst = append(AppendString(dst, []byte(c.name)), ':')
		dst = c.appendNormal(dst)
	}
	return append(dst, '}')
}

// AppendDocument appends d as the projection shows it, with its values in the given form. Fields keep their order.
func (p *Projection) AppendDocument(dst []byte, d *Document, form Values) []byte {
	if p == nil {
		return AppendValue(dst, d.Root(), form)
	}
	return p.append(dst, d.Root(), p.root, form)
}

func (p *Projection) append(dst []byte, v Value, n *projectionNode, form Values) []byte {
	open, end := byte('{'), byte('}')
	if v.Kind() == KindArray {
		open, end = '[', ']'
	}
	dst = append(dst, open)
	first := true
	for c, inside := p.shown(v.First(), n, open == '['); c.Exists(); c, inside = p.shown(c.Next(), n, open == '[') {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if open == '{' {
			dst = append(AppendString(dst, c.Name()), ':')
		}
		if inside == nil {
			dst = AppendValue(dst, c, form)
		} else {
			dst = p.append(dst, c, inside, form)
		}
	}
	return append(dst, end)
}

// shown is v or the next sibling after it that is shown. inside is nil if it is shown whole, else what is shown of it:
// it is an object or an array then. n belongs to the object or array that holds v; the elements of an array are
// projected as the array's field is.
func (p *Projection) shown(v Value, n *projectionNode, element bool) (shown Value, inside *projectionNode) {
	for ; v.Exists(); v = v.Next() {
		of := n
		if !element {
			if of = n.child(v.Name()); of == nil {
				if p.exclude {
					return v, nil
				}
				continue
			}
			if len(of.children) == 0 {
				if !p.exclude {
					return v, nil
				}
				continue
			}
		}
		switch k := v.Kind(); {
		case k == KindObject || k == KindArray:
			return v, of
		case p.exclude:
			return v, nil
		}
	}
	return Value{}, nil
}

// Same reports whether a and b look the same through the projection: the same fields in the same order with the same
// values, 1 and 1.0 told apart.
func (p *Projection) Same(a, b *Document) bool {
	if p == nil {
		return identical(a.Root(), b.Root())
	}
	return p.same(a.Root(), b.Root(), p.root)
}

func (p *Projection) same(a, b Value, n *projectionNode) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	if bytes.Equal(a.Raw(), b.Raw()) {
		return true
	}
	element := a.Kind() == KindArray
	x, insideX := p.shown(a.First(), n, element)
	y, insideY := p.shown(b.First(), n, element)
	for x.Exists() && y.Exists() {
		if insideX != insideY || !bytes.Equal(x.Name(), y.Name()) {
			return false
		}
		if insideX == nil && !identical(x, y) || insideX != nil && !p.same(x, y, insideX) {
			return false
		}
		x, insideX = p.shown(x.Next(), n, element)
		y, insideY = p.shown(y.Next(), n, element)
	}
	return !x.Exists() && !y.Exists()
}
