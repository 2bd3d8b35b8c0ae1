package matcher

import (
	"math"
	"strings"
)

// This file holds the operators that write whole fields (MongoDB manual: "Field Update Operators").

// setEdit is $set: the field becomes a value, in its place if it is there.
type setEdit struct{ value Value }

func (s setEdit) makes() bool                                   { return true }
func (s setEdit) apply(e *updateWriter, _ Value, _ *updateNode) { e.keep(s.value) }

func parseSet(p *updateParser, n *updateNode, argument Value, _ *place) error {
	return p.add(n, setEdit{argument})
}

// unsetEdit is $unset: the field goes; an element of an array becomes null, so that the others keep their places.
type unsetEdit struct{}

func (unsetEdit) makes() bool { return false }
func (unsetEdit) apply(e *updateWriter, _ Value, _ *updateNode) {
	e.dst = append(e.dst, "null"...) // a field of an object does not come here: editObject leaves it out
}

func parseUnset(p *updateParser, n *updateNode, _ Value, _ *place) error {
	return p.add(n, unsetEdit{})
}

// unresolvedEdit is one that resolve replaces before an update is applied.
type unresolvedEdit struct{}

func (unresolvedEdit) makes() bool                                   { return false }
func (unresolvedEdit) apply(e *updateWriter, v Value, _ *updateNode) { e.keep(v) }

// insertEdit is $setOnInsert: $set where the update makes the document, else nothing.
type insertEdit struct {
	unresolvedEdit
	value Value
}

func parseSetOnInsert(p *updateParser, n *updateNode, argument Value, _ *place) error {
	p.conditional = true
	return p.add(n, insertEdit{value: argument})
}

// renameEdit is $rename. It stands at both paths: at the old one the field goes, at the new one, whose place it takes if
// that is there, it comes. Where the old one is missing nothing happens, but a path that cannot be gone is refused.
type renameEdit struct {
	unresolvedEdit
	from []string
	goes bool
}

func parseRename(p *updateParser, n *updateNode, argument Value, at *place) error {
	if argument.Kind() != KindString {
		return at.invalid("$rename of %s has %s; give the new name as a string", n.path, describeKind(argument.Kind()))
	}
	to := &updateNode{path: string(argument.Bytes()), at: n.at}
	if to.path == n.path {
		return at.invalid("$rename of %s gives the same name; give another one, or leave it out", n.path)
	}
	for _, path := range []string{n.path, to.path} {
		if strings.Contains(path, "$[") {
			return at.invalid("$rename has the path %s, but cannot reach into arrays; set the whole array", path)
		}
	}
	p.conditional = true
	from := strings.Split(n.path, ".")
	if err := p.add(n, renameEdit{from: from, goes: true}); err != nil {
		return err
	}
	return p.add(to, renameEdit{from: from})
}

// resolve makes of n, a node of the tree, what it is for the document root: edits that do nothing are gone. It returns
// nil where nothing is left.
func (e *updateWriter) resolve(n *updateNode, root Value, insert bool) *updateNode {
	resolved := &updateNode{name: n.name, path: n.path, at: n.at, edit: n.edit, elements: n.elements, filter: n.filter}
	switch edit := n.edit.(type) {
	case insertEdit:
		switch {
		case insert:
			resolved.edit = setEdit{edit.value}
		case strings.Contains(n.path, "$["):
			resolved.edit = unresolvedEdit{} // MongoDB wants the array even where nothing is set
		default:
			return nil
		}
	case renameEdit:
		v, inArray := e.follow(n, root, edit.from)
		if !v.Exists() {
			return nil
		}
		if !edit.goes {
			_, inArray = e.follow(n, root, strings.Split(n.path, "."))
		}
		if inArray {
			e.fail(n, "$rename has the path %s, which leads through an array; set the whole array", n.path)
		}
		resolved.edit = setEdit{v}
		if edit.goes {
			resolved.edit = unsetEdit{}
		}
	}
	for _, c := range n.children {
		if c = e.resolve(c, root, insert); c != nil {
			resolved.children = append(resolved.children, c)
		}
	}
	if resolved.edit == nil && len(resolved.children) == 0 && n.path != "" {
		return nil
	}
	resolved.settle()
	return resolved
}

// follow is the value at a path of plain names, and whether an array lies on the way. It fails where the path leads
// through a value that cannot hold what comes next.
func (e *updateWriter) follow(n *updateNode, v Value, names []string) (_ Value, inArray bool) {
	for i, name := range names {
		switch kind := v.Kind(); kind {
		case KindMissing:
			return v, inArray
		case KindObject:
			v = v.Field(name)
		case KindArray:
			inArray = true
			index, ok := elementIndex(name)
			if !ok {
				e.fail(n, noElement, strings.Join(names[:i], "."), name)
				return Value{}, inArray
			}
			v = v.Index(index)
		default:
			e.fail(n, noFields, strings.Join(names[:i], "."), describeKind(kind))
			return Value{}, inArray
		}
	}
	return v, inArray
}

// currentDateEdit is $currentDate: the time of the write, as a date or as a timestamp of its second, whose increment is
// the millisecond in that, counted from 1.
type currentDateEdit struct{ timestamp bool }

func (c currentDateEdit) makes() bool { return true }

func (c currentDateEdit) apply(e *updateWriter, _ Value, _ *updateNode) {
	if !c.timestamp {
		e.dst = appendDateValue(e.dst, e.now, valuesStored)
		return
	}
	seconds, rest := e.now/msPerSecond, e.now%msPerSecond
	e.dst = append(e.dst, `{"$timestamp":`...)
	e.dst = append(appendTimestamp(e.dst, uint64(min(max(seconds, 0), math.MaxUint32))<<32|uint64(max(rest, 0)+1)), '}')
}

func parseCurrentDate(p *updateParser, n *updateNode, argument Value, at *place) error {
	if argument.Kind() == KindBool {
		return p.add(n, currentDateEdit{})
	}
	if of := argument.Field("$type"); argument.Len() == 1 && of.Kind() == KindString {
		switch string(of.Bytes()) {
		case "date":
			return p.add(n, currentDateEdit{})
		case "timestamp":
			return p.add(n, currentDateEdit{timestamp: true})
		}
	}
	return at.invalid(`$currentDate of %s is %s; give true, {"$type":"date"} or {"$type":"timestamp"}`, n.path, shorten(argument.Raw()))
}
