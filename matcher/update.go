package matcher

import (
	"fmt"
	"strings"
)

// MaxArrayPadding bounds the nulls that one update puts into an array so that an index exists.
const MaxArrayPadding = 10_000

// updateOperator is what an update does at the end of a path.
type updateOperator uint8

const (
	updateNone updateOperator = iota // a path goes on here
	updateSet
	updateUnset
	updateInc
)

// updateOperators are the known operators: one row each.
var updateOperators = []struct {
	name     string
	operator updateOperator
}{
	{"$set", updateSet},
	{"$unset", updateUnset},
	{"$inc", updateInc},
}

// Update is a parsed PATCH: update operators or a merge patch (RFC 7396). It is immutable.
type Update struct {
	edits *updateNode // of update operators
	merge *Document   // of a merge patch
}

// updateNode is one name of a dotted path, with what is done at its end or below it.
type updateNode struct {
	name     string
	path     string // dotted, for messages
	at       string // place in the update's text
	operator updateOperator
	operand  Value
	children []*updateNode // in the order of the text: new fields are made in it
	creates  bool          // something in it makes a field that is missing
}

// manyNames is from how many names on a map finds them; up to that, looking at each is faster.
const manyNames = 16

// finder returns what finds n's child by name, so that many edits of a wide document stay linear.
func (n *updateNode) finder() func(name []byte) *updateNode {
	if len(n.children) > manyNames {
		byName := make(map[string]*updateNode, len(n.children))
		for _, c := range n.children {
			byName[c.name] = c
		}
		return func(name []byte) *updateNode { return byName[string(name)] }
	}
	return func(name []byte) *updateNode {
		for _, c := range n.children {
			if c.name == sharedString(name) {
				return c
			}
		}
		return nil
	}
}

// fieldFinder is Value.Field for many names of one object.
func fieldFinder(o Value) func(name []byte) Value {
	if o.Kind() != KindObject || o.Len() <= manyNames {
		return func(name []byte) Value { return o.Field(sharedString(name)) }
	}
	byName := make(map[string]Value, o.Len())
	for v := o.First(); v.Exists(); v = v.Next() {
		byName[sharedString(v.Name())] = v
	}
	return func(name []byte) Value { return byName[sharedString(name)] }
}

func updateError(at, format string, args ...any) error {
	return &Error{Code: CodeUpdateInvalid, Path: at, Detail: fmt.Sprintf(format, args...)}
}

// ParseUpdate reads an update of operators: {"$set":{"author.name":"x"},"$inc":{"views":1},"$unset":{"draft":""}}.
// Paths are dotted; a number in them is an index where the document has an array. No path may begin with another one.
func ParseUpdate(text []byte, limits Limits) (*Update, error) {
	limits = limits.WithDefaults()
	d, err := Parse(text, limits)
	if err != nil {
		return nil, err
	}
	u := &Update{edits: &updateNode{}}
	index := map[string]*updateNode{"": u.edits}
	for o := d.Root().First(); o.Exists(); o = o.Next() {
		operator, err := findUpdateOperator(o)
		if err != nil {
			return nil, err
		}
		at := pointerStep(string(o.Name()))
		if o.Kind() != KindObject {
			return nil, updateError(at, "%s has %s; it needs an object of paths, such as {%q:{\"title\":\"x\"}}",
				o.Name(), describeKind(o.Kind()), o.Name())
		}
		for v := o.First(); v.Exists(); v = v.Next() {
			n := &updateNode{operator: operator, operand: v, path: string(v.Name()), at: at + pointerStep(string(v.Name()))}
			if err := u.add(n, index, limits); err != nil {
				return nil, err
			}
		}
	}
	if d.Root().Len() == 0 {
		return nil, updateError("", "the update is empty; give operators, such as {\"$set\":{\"title\":\"x\"}}")
	}
	return u, nil
}

func findUpdateOperator(o Value) (updateOperator, error) {
	name := string(o.Name())
	at := pointerStep(name)
	if !strings.HasPrefix(name, "$") {
		return 0, updateError(at, "%s is no update operator; to set it, write {\"$set\":{%q:...}}", name, name)
	}
	known := make([]string, len(updateOperators))
	for i, row := range updateOperators {
		if row.name == name {
			return row.operator, nil
		}
		known[i] = row.name
	}
	detail := fmt.Sprintf("the update operator %s is not known; known are %s", name, strings.Join(known, ", "))
	if near := Nearest(name, known); near != "" {
		detail += fmt.Sprintf("; did you mean %s?", near)
	}
	return 0, &Error{Code: CodeOperatorUnknown, Path: at, Detail: detail}
}

// add puts the end of a path into the tree. index finds the nodes by their dotted paths.
func (u *Update) add(n *updateNode, index map[string]*updateNode, limits Limits) error {
	names := strings.Split(n.path, ".")
	if err := checkUpdatePath(n, names, limits); err != nil {
		return err
	}
	if n.operator == updateInc && !n.operand.IsNumber() {
		return updateError(n.at, "$inc of %s has %s; give a number", n.path, describeKind(n.operand.Kind()))
	}
	n.creates = n.operator != updateUnset
	n.name = names[len(names)-1]
	parent, end := u.edits, -1
	for _, name := range names[:len(names)-1] {
		parent.creates = parent.creates || n.creates
		end += 1 + len(name)
		path := n.path[:end]
		next := index[path]
		switch {
		case next == nil:
			next = &updateNode{name: name, path: path, at: n.at}
			index[path] = next
			parent.children = append(parent.children, next)
		case next.operator != updateNone:
			return updateConflict(n, next.path)
		}
		parent = next
	}
	parent.creates = parent.creates || n.creates
	if index[n.path] != nil {
		return updateConflict(n, n.path)
	}
	index[n.path] = n
	parent.children = append(parent.children, n)
	return nil
}

func updateConflict(n *updateNode, other string) error {
	if other == n.path {
		return updateError(n.at, "the path %s is updated twice, or something in it is; update each place once", n.path)
	}
	return updateError(n.at, "the path %s lies in %s, which is updated as well; update one of them", n.path, other)
}

func checkUpdatePath(n *updateNode, names []string, limits Limits) error {
	if IsMetadataField(names[0]) && names[0] != fieldACL {
		return updateError(n.at, "%s is kept by the server and cannot be updated; leave it out", names[0])
	}
	if len(names) > limits.MaxDocumentDepth {
		return &Error{Code: CodeDocumentTooLarge, Path: n.at, Limit: int64(limits.MaxDocumentDepth), Detail: fmt.Sprintf(
			"the path has %d names, at most %d are allowed (MaxDocumentDepth); shorten it", len(names), limits.MaxDocumentDepth)}
	}
	for _, name := range names {
		switch {
		case name == "":
			return updateError(n.at, "the path %q has an empty name; write names apart by single dots", n.path)
		case name[0] == '$':
			return updateError(n.at, "the path %s holds %s; positions in arrays are numbers, and names in paths begin with no $", n.path, name)
		}
	}
	return nil
}

// ParseMergePatch reads a merge patch (RFC 7396): objects are merged, null removes a field, all else replaces.
func ParseMergePatch(text []byte, limits Limits) (*Update, error) {
	d, err := ParseValue(text, limits)
	if err != nil {
		return nil, err
	}
	if d.Root().Kind() != KindObject {
		return nil, updateError("", "the merge patch is %s; give an object of the fields that change", describeKind(d.Root().Kind()))
	}
	for v := d.Root().First(); v.Exists(); v = v.Next() {
		if name := string(v.Name()); IsMetadataField(name) && name != fieldACL {
			return nil, updateError(pointerStep(name), "%s is kept by the server and cannot be updated; leave it out", name)
		}
	}
	return &Update{merge: d}, nil
}

var emptyDocument = &Document{text: []byte("{}"), tape: []tapeNode{{kind: KindObject, flags: flagLast | flagRelaxed, span: 1, end: 2}}}

// Apply returns the user's document after the update, `_id` and `_acl` included if there are any; before is nil on an
// upsert. changed is false where the result holds the same fields as before (SameContent). The result is not composed
// yet (see Compose).
func (u *Update) Apply(before *Document, limits Limits) (after *Document, changed bool, err error) {
	from := before
	if from == nil {
		from = emptyDocument
	}
	limits = limits.WithDefaults()
	e := updateWriter{dst: make([]byte, 0, len(from.text)+256), maxBytes: limits.MaxDocumentBytes}
	if u.merge != nil {
		e.mergeObject(from.Root(), u.merge.Root(), true)
	} else {
		e.editObject(from.Root(), u.edits, true)
	}
	if e.err != nil {
		return nil, false, e.err
	}
	if after, err = Parse(e.dst, limits); err != nil {
		return nil, false, fmt.Errorf("parse the updated document: %w", err)
	}
	return after, before == nil || !SameContent(before, after), nil
}
