package matcher

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Update is a parsed PATCH: update operators or a merge patch (RFC 7396). It is immutable.
type Update struct {
	edits *updateNode // of update operators
	merge *Document   // of a merge patch
	// conditional says that what the edits are depends on the document: see resolve.
	conditional bool
}

// updateNode is one name of a dotted path, with what is done at its end or below it.
type updateNode struct {
	name     string
	path     string // dotted, for messages
	at       string // place in the update's text
	edit     edit   // nil where the path goes on
	children []*updateNode
	elements bool         // the children are `$[]` and `$[x]`: elements of an array
	filter   *arrayFilter // of a child `$[x]`

	// What settle finds.
	makes  bool                   // something in it makes a field that is missing, or fails for want of it
	strict bool                   // something in it fails where its path leads through what holds no fields: all but $unset
	makers []*updateNode          // the children of which that is true, in the order of their names
	byName map[string]*updateNode // of many children
}

// edit is what an operator does to the value at the end of a path. It is immutable.
type edit interface {
	// makes reports whether the edit makes a field that is missing. One that does not is never applied to it.
	makes() bool
	// apply writes what becomes of v, which may be missing.
	apply(e *updateWriter, v Value, n *updateNode)
}

// finish settles n and everything in it.
func (n *updateNode) finish() {
	for _, c := range n.children {
		c.finish()
	}
	n.settle()
}

// settle brings the children, which are settled, into the order in which new fields are made, and sets what follows
// from them.
func (n *updateNode) settle() {
	slices.SortFunc(n.children, func(a, b *updateNode) int { return compareFieldNames(a.name, b.name) })
	n.makes = n.elements || n.edit != nil && n.edit.makes()
	n.strict = n.elements || n.edit != nil && n.edit != edit(unsetEdit{}) && n.edit != edit(unresolvedEdit{})
	for _, c := range n.children {
		n.strict = n.strict || c.strict
		if c.makes {
			n.makes = true
			n.makers = append(n.makers, c)
		}
	}
	if len(n.children) > manyNames {
		n.byName = make(map[string]*updateNode, len(n.children))
		for _, c := range n.children {
			n.byName[c.name] = c
		}
	}
}

// compareFieldNames is the order in which an update makes new fields (MongoDB manual: "Update Operators Behavior"):
// numbers by their values, then all other names by their bytes.
func compareFieldNames(a, b string) int {
	i, first := elementIndex(a)
	j, second := elementIndex(b)
	switch {
	case first && second:
		return cmp.Compare(i, j)
	case first:
		return -1
	case second:
		return 1
	}
	return strings.Compare(a, b)
}

// manyNames is from how many names on a map finds them; up to that, looking at each is faster.
const manyNames = 16

// child is the child of that name, nil if there is none.
func (n *updateNode) child(name []byte) *updateNode {
	if n.byName != nil {
		return n.byName[string(name)]
	}
	for _, c := range n.children {
		if c.name == sharedString(name) {
			return c
		}
	}
	return nil
}

func updateError(at, format string, args ...any) error {
	return &Error{Code: CodeUpdateInvalid, Path: at, Detail: fmt.Sprintf(format, args...)}
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
			return nil, updateError(PointerStep(name), "%s is kept by the server and cannot be updated; leave it out", name)
		}
	}
	return &Update{merge: d}, nil
}

var emptyDocument = &Document{text: []byte("{}"), tape: []tapeNode{{kind: KindObject, flags: flagLast | flagRelaxed, span: 1, end: 2}}}

// Apply returns the user's document after the update, `_id` and `_acl` included if there are any; before is nil on an
// upsert, and $setOnInsert acts only then. now is the time in ms since 1970 that $currentDate writes. changed is false
// where the result holds the same fields as before (SameContent). The result is not composed yet (see Compose).
func (u *Update) Apply(before *Document, now int64, limits Limits) (after *Document, changed bool, err error) {
	from := before
	if from == nil {
		from = emptyDocument
	}
	limits = limits.WithDefaults()
	e := updateWriter{dst: make([]byte, 0, len(from.text)+256), maxBytes: limits.MaxDocumentBytes, now: now}
	if u.merge != nil {
		e.mergeObject(from.Root(), u.merge.Root(), true)
	} else {
		edits := u.edits
		if u.conditional {
			edits = e.resolve(edits, from.Root(), before == nil)
		}
		e.editObject(from.Root(), edits, true)
	}
	if e.err != nil {
		return nil, false, e.err
	}
	if after, err = Parse(e.dst, limits); err != nil {
		return nil, false, fmt.Errorf("parse the updated document: %w", err)
	}
	return after, before == nil || !SameContent(before, after), nil
}
