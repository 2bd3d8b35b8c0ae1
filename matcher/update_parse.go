package matcher

import (
	"errors"
	"fmt"
	"strings"
)

// updateParser reads the operators of one update.
type updateParser struct {
	limits      Limits
	dates       *dateNode // what is declared of the document
	root        *updateNode
	index       map[string]*updateNode // by dotted path
	filters     map[string]*arrayFilter
	elements    map[string]*dateNode // what is declared of the elements that `$[x]` stands for
	compiler    compiler             // of the conditions in the update
	nodes       int                  // operators and values in them
	conditional bool
}

// updateOperator is one operator: parse reads its argument for the path of n, and adds n with its edit. With operand the
// argument is a value for the field, or holds such.
type updateOperator struct {
	name    string
	parse   func(p *updateParser, n *updateNode, argument Value, at *place) error
	operand bool
}

// The operators of updates (MongoDB manual: "Update Operators"). A new one is a row here and an edit.
var updateOperators []updateOperator

func init() { // not an initial value: the functions list the operators in their errors
	updateOperators = []updateOperator{
		{"$set", parseSet, true},
		{"$unset", parseUnset, false},
		{"$inc", parseArithmetic(number.add), false},
		{"$mul", parseArithmetic(number.times), false},
		{"$min", parseExtreme(-1), true},
		{"$max", parseExtreme(1), true},
		{"$bit", parseBit, false},
		{"$currentDate", parseCurrentDate, false},
		{"$rename", parseRename, false},
		{"$setOnInsert", parseSetOnInsert, true},
		{"$push", parsePush, true},
		{"$addToSet", parseAddToSet, true},
		{"$pop", parsePop, false},
		{"$pull", parsePull, true},
		{"$pullAll", parsePullAll, true},
	}
}

// fieldArrayFilters is the one name beside the operators.
const fieldArrayFilters = "arrayFilters"

// ParseUpdate reads an update of operators: {"$set":{"author.name":"x"},"$inc":{"views":1},"$unset":{"draft":""}}.
//
// Paths are dotted; a number in them is an index where the document has an array. `$[]` in a path is every element of
// an array, `$[x]` each that the array filter for x accepts; the filters stand beside the operators:
// {"$set":{"lines.$[x].open":false},"arrayFilters":[{"x.amount":0}]}. No path may begin with another one. All operators
// see the document as it was, and new fields come in the order of their names (compareFieldNames).
//
// dates is what the collection declares: operands and conditions for such fields may hold ISO texts. What else comes to
// stand there is for Dates.Convert to check.
func ParseUpdate(text []byte, dates *Dates, limits Limits) (*Update, error) {
	limits = limits.WithDefaults()
	d, err := ParseValue(text, limits)
	if err != nil {
		return nil, err
	}
	switch kind := d.Root().Kind(); kind {
	case KindObject:
	case KindArray:
		return nil, updateError("", "the update is an array; stages (a pipeline) are not supported, as the operators do without code: "+
			"give an object of them, such as {\"$set\":{\"title\":\"x\"}}")
	default:
		return nil, updateError("", "the update is %s; give an object of operators, such as {\"$set\":{\"title\":\"x\"}}", describeKind(kind))
	}
	p := &updateParser{limits: limits, dates: dates.tree(), root: &updateNode{}, compiler: compiler{elements: 1, update: true}}
	p.index = map[string]*updateNode{"": p.root}
	var at *place
	filters := d.Field(fieldArrayFilters)
	p.elementDates(d.Root(), filters)
	if err := p.arrayFilters(filters, at.field(fieldArrayFilters)); err != nil {
		return nil, asUpdateError(err)
	}
	for o := d.Root().First(); o.Exists(); o = o.Next() {
		if o == filters {
			continue
		}
		if err := p.operator(o, at.field(string(o.Name()))); err != nil {
			return nil, asUpdateError(err)
		}
	}
	if d.Root().Len() == 0 || d.Root().Len() == 1 && filters.Exists() {
		return nil, updateError("", "the update is empty; give operators, such as {\"$set\":{\"title\":\"x\"}}")
	}
	if err := p.unusedFilter(at.field(fieldArrayFilters)); err != nil {
		return nil, err
	}
	p.root.finish()
	return &Update{edits: p.root, conditional: p.conditional}, nil
}

// asUpdateError gives what the compiler of filters and sorts refuses the code of updates.
func asUpdateError(err error) error {
	var bad *Error
	if errors.As(err, &bad) && bad.Code == CodeQueryInvalid {
		bad.Code = CodeUpdateInvalid
	}
	return err
}

func (p *updateParser) operator(o Value, at *place) error {
	operator, err := findUpdateOperator(string(o.Name()), at)
	if err != nil {
		return err
	}
	if o.Kind() != KindObject {
		return at.invalid("%s has %s; it needs an object of paths, such as {%q:{\"title\":\"x\"}}",
			operator.name, describeKind(o.Kind()), operator.name)
	}
	for v := o.First(); v.Exists(); v = v.Next() {
		at := at.field(string(v.Name()))
		n := &updateNode{path: string(v.Name()), at: at.pointer()}
		argument := v
		if operator.operand {
			if argument, err = p.declared(n.path).operand(v, at); err != nil {
				return err
			}
		}
		if err := operator.parse(p, n, argument, at); err != nil {
			return err
		}
	}
	return nil
}

func findUpdateOperator(name string, at *place) (updateOperator, error) {
	if !strings.HasPrefix(name, "$") {
		return updateOperator{}, at.invalid("%s is no update operator; to set it, write {\"$set\":{%q:...}}", name, name)
	}
	known := make([]string, len(updateOperators))
	for i, row := range updateOperators {
		if row.name == name {
			return row, nil
		}
		known[i] = row.name
	}
	return updateOperator{}, unknownName("update operator", name, known, at)
}

func unknownName(what, name string, known []string, at *place) error {
	detail := fmt.Sprintf("the %s %s is not known; known are %s", what, name, strings.Join(known, ", "))
	if near := Nearest(name, known); near != "" {
		detail += fmt.Sprintf("; did you mean %s?", near)
	}
	return at.fail(CodeOperatorUnknown, 0, "%s", detail)
}

// add puts the end of a path with its edit into the tree.
func (p *updateParser) add(n *updateNode, done edit) error {
	names := strings.Split(n.path, ".")
	if err := p.checkPath(n, names); err != nil {
		return err
	}
	n.edit = done
	parent, end := p.root, -1
	for _, name := range names[:len(names)-1] {
		end += 1 + len(name)
		path := n.path[:end]
		next := p.index[path]
		switch {
		case next == nil:
			next = &updateNode{path: path, at: n.at}
			if err := p.attach(parent, next, name); err != nil {
				return err
			}
		case next.edit != nil:
			return updateConflict(n, next.path)
		}
		parent = next
	}
	if p.index[n.path] != nil {
		return updateConflict(n, n.path)
	}
	return p.attach(parent, n, names[len(names)-1])
}

// attach makes n the child of that name.
func (p *updateParser) attach(parent, n *updateNode, name string) error {
	identifier, element := elementIdentifier(name)
	if len(parent.children) > 0 && parent.elements != element {
		return updateError(n.at, "the path %s and another one name elements of %s, one by $[] and one by a plain name; name them in one way",
			n.path, parent.path)
	}
	n.name = name
	if parent.elements = element; identifier != "" {
		n.filter = p.filters[identifier]
	}
	p.index[n.path] = n
	parent.children = append(parent.children, n)
	return nil
}

func updateConflict(n *updateNode, other string) error {
	if other == n.path {
		return updateError(n.at, "the path %s is updated twice, or something in it is; update each place once", n.path)
	}
	return updateError(n.at, "the path %s lies in %s, which is updated as well; update one of them", n.path, other)
}

// elementIdentifier reads a name of a path that stands for elements of an array: `$[]` (the identifier is empty) or
// `$[x]`.
func elementIdentifier(name string) (identifier string, element bool) {
	if !strings.HasPrefix(name, "$[") || !strings.HasSuffix(name, "]") {
		return "", false
	}
	return name[2 : len(name)-1], true
}

func (p *updateParser) checkPath(n *updateNode, names []string) error {
	if IsMetadataField(names[0]) && names[0] != fieldACL {
		return updateError(n.at, "%s is kept by the server and cannot be updated; leave it out", names[0])
	}
	if most := p.limits.MaxDocumentDepth; len(names) > most {
		return &Error{Code: CodeDocumentTooLarge, Path: n.at, Limit: int64(most), Detail: fmt.Sprintf(
			"the path has %d names, at most %d are allowed (MaxDocumentDepth); shorten it", len(names), most)}
	}
	for i, name := range names {
		switch {
		case name == "":
			return updateError(n.at, "the path %q has an empty name; write names apart by single dots", n.path)
		case name == "$":
			return updateError(n.at, "the path %s holds $, the element that a query found, but an update by id has no query; "+
				"use $[] for all elements, or $[x] with arrayFilters", n.path)
		case name[0] == '$':
			if err := p.checkElement(n, name, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkElement checks a name that begins with $, the i-th of n's path.
func (p *updateParser) checkElement(n *updateNode, name string, i int) error {
	identifier, element := elementIdentifier(name)
	switch {
	case !element:
		return updateError(n.at, "the path %s holds %s; positions in arrays are numbers, $[] or $[x], and names in paths begin with no $", n.path, name)
	case i == 0:
		return updateError(n.at, "the path %s begins with %s; name the array first, as in \"a.%s\"", n.path, name, name)
	case identifier == "":
		return nil
	}
	filter := p.filters[identifier]
	if filter == nil {
		return updateError(n.at, "the path %s holds %s, but no array filter is for %q; add one, such as \"arrayFilters\":[{%q:{\"$gt\":5}}]",
			n.path, name, identifier, identifier)
	}
	filter.used = true
	return nil
}
