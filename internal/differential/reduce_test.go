package differential

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// disagreement is a question that the two sides answer differently: a filter over one document, a sort or a projection
// (then filter is empty), or an update (then query is the zero value).
type disagreement struct {
	query
	update
	documents    []object // of a query: one; of a sort: two
	ours, theirs answer
}

func (d disagreement) isUpdate() bool { return d.document != nil }

// round asks about this alone.
func (d disagreement) round() round {
	if d.isUpdate() {
		return round{updates: []update{d.update}}
	}
	return round{documents: d.documents, queries: []query{d.query}}
}

func (d disagreement) String() string {
	said := func(a answer) string {
		switch {
		case a.Error != "":
			return "error: " + a.Error
		case a.Document != nil:
			return string(a.Document)
		case a.Documents != nil:
			return fmt.Sprintf("%s", a.Documents)
		}
		return fmt.Sprint(a.IDs)
	}
	return fmt.Sprintf("asked  %s\n  ours   %s\n  theirs %.300s", d.question(), said(d.ours), said(d.theirs))
}

// The one field of a reduced filter, projection or update, and its operator: "" where a filter compares with a value
// or combines filters.
func (d disagreement) condition() (path, op string, argument any) {
	switch o := d.filter; {
	case d.isUpdate():
		op = d.operators[0].name
		fields := d.operators[0].value.(object)
		return fields[0].name, op, fields[0].value
	case d.projection != nil:
		o = d.projection
		fallthrough
	case len(o) == 1:
		path, argument = o[0].name, o[0].value
		if isOperators(argument) {
			op, argument = argument.(object)[0].name, argument.(object)[0].value
		}
	}
	return path, op, argument
}

// kind says what a disagreement is about, in a word or two.
func (d disagreement) kind() string {
	_, op, _ := d.condition()
	errs := ""
	if d.ours.Error != "" {
		errs = " ours refuses"
	}
	if d.theirs.Error != "" {
		errs = " theirs refuses"
	}
	switch {
	case d.isUpdate():
		return "update " + op + errs
	case d.projection != nil:
		return "projection " + op + errs
	case d.sort != nil:
		return "sort" + errs
	}
	return "filter " + op + errs
}

// smaller are the values that lack one field or element of v, at any depth, the largest cuts first.
func smaller(v any) (out []any) {
	var deeper []any
	switch v := v.(type) {
	case array:
		for i := range v {
			out = append(out, slices.Delete(slices.Clone(v), i, i+1))
			for _, e := range smaller(v[i]) {
				shrunk := slices.Clone(v)
				shrunk[i] = e
				deeper = append(deeper, shrunk)
			}
		}
	case object:
		for i := range v {
			if v[i].name == "_id" {
				continue
			}
			out = append(out, slices.Delete(slices.Clone(v), i, i+1))
			for _, e := range smaller(v[i].value) {
				shrunk := slices.Clone(v)
				shrunk[i].value = e
				deeper = append(deeper, shrunk)
			}
		}
	}
	return append(out, deeper...)
}

// smallerQuestions are questions of less that may still be disagreed on.
func (d disagreement) smallerQuestions() (out []disagreement) {
	if d.isUpdate() {
		return d.smallerUpdates()
	}
	with := func(q query, documents []object) { out = append(out, disagreement{query: q, documents: documents}) }
	for _, part := range filterParts(d.filter, d.documents[0]) {
		q := d.query
		q.filter = part.filter
		with(q, []object{part.document})
	}
	for _, filter := range smaller(d.filter) {
		q := d.query
		q.filter = filter.(object)
		with(q, d.documents)
	}
	if len(d.documents) > 2 {
		for i := range d.documents {
			with(d.query, slices.Delete(slices.Clone(d.documents), i, i+1))
		}
	}
	for i := range d.documents {
		for _, document := range smaller(d.documents[i]) {
			documents := slices.Clone(d.documents)
			documents[i] = document.(object)
			with(d.query, documents)
		}
	}
	for i := range len(d.sort) - 1 { // the last part makes the order total
		q := d.query
		q.sort = slices.Delete(slices.Clone(d.sort), i, i+1)
		with(q, d.documents)
	}
	for _, projection := range smaller(d.projection) {
		q := d.query
		q.projection = projection.(object)
		with(q, d.documents)
	}
	return out
}

func (d disagreement) smallerUpdates() (out []disagreement) {
	for _, document := range smaller(d.document) {
		u := d.update
		u.document = document.(object)
		out = append(out, disagreement{update: u})
	}
	for _, operators := range smaller(d.operators) {
		u := d.update
		if u.operators = operators.(object); len(u.operators) == 0 || within(u.operators, isEmptyOperator) {
			continue
		}
		if !strings.Contains(u.operators.String(), "$[x]") {
			u.arrayFilters = nil
		}
		out = append(out, disagreement{update: u})
	}
	return out
}

// isEmptyOperator is an operator without a field, or the modifiers of $push without their values.
func isEmptyOperator(v any) bool {
	o, ok := v.(object)
	for _, modifier := range []string{"$position", "$slice", "$sort"} {
		_, modifies := o.get(modifier)
		if _, each := o.get("$each"); modifies && !each {
			return true
		}
	}
	return ok && len(o) > 0 && strings.HasPrefix(o[0].name, "$") && slices.ContainsFunc(o, func(f field) bool {
		inner, ok := f.value.(object)
		return ok && len(inner) == 0
	})
}

// filterPart is a part of a filter, over the part of a document that it looks at.
type filterPart struct {
	filter, document object
}

// filterParts takes a filter apart: conditions alone, without their negation, and those of $elemMatch over the elements.
func filterParts(filter, document object) (out []filterPart) {
	add := func(f object) { out = append(out, filterPart{f, document}) }
	if len(filter) != 1 {
		return nil // smaller takes fields out
	}
	path, condition := filter[0].name, filter[0].value
	if parts, ok := condition.(array); ok && strings.HasPrefix(path, "$") {
		for _, part := range parts {
			add(part.(object))
		}
		return out
	}
	if path == "$expr" {
		if o, ok := condition.(object); ok && len(o) == 1 {
			operands, _ := o[0].value.(array)
			for _, operand := range operands {
				add(object{{"$expr", operand}})
			}
		}
		return out
	}
	if !isOperators(condition) {
		return nil
	}
	if operators := condition.(object); len(operators) > 1 {
		for i, f := range operators {
			switch options, has := operators.get("$options"); {
			case f.name == "$options":
			case f.name == "$regex" && has && len(operators) > 2:
				add(object{{path, object{f, {"$options", options}}}})
			case f.name != "$regex" || !has:
				add(object{{path, operators[i : i+1]}})
			}
		}
		return out
	}
	argument := condition.(object)[0].value
	list, _ := argument.(array)
	switch condition.(object)[0].name {
	case "$not":
		add(object{{path, argument}})
	case "$ne":
		add(object{{path, object{{"$eq", argument}}}})
	case "$nin":
		add(object{{path, object{{"$in", argument}}}})
	case "$all":
		if len(list) == 1 {
			if !isOperators(list[0]) {
				add(object{{path, object{{"$eq", list[0]}}}})
			} else {
				add(object{{path, list[0]}})
			}
		}
	case "$in":
		if _, isRegex := argument.(regex); len(list) == 1 && !isRegex {
			add(object{{path, object{{"$eq", list[0]}}}})
		}
	case "$elemMatch":
		out = append(out, elementParts(argument.(object), document)...)
	}
	return out
}

func elementParts(condition, document object) (out []filterPart) {
	within(document, func(v any) bool {
		elements, _ := v.(array)
		for _, e := range elements {
			if o, ok := e.(object); ok && !isOperators(condition) {
				out = append(out, filterPart{condition, append(object{{"_id", "element"}}, o...)})
			} else if isOperators(condition) {
				out = append(out, filterPart{object{{"v", condition}}, object{{"_id", "element"}, {"v", e}}})
			}
		}
		return false
	})
	return out
}

// reduce looks for a smaller disagreement until there is none. The sides that answer with an error stay the same.
func (c *comparison) reduce(d disagreement) (disagreement, error) {
	for {
		found := false
		for _, smaller := range d.smallerQuestions() {
			s, err := c.ask(smaller)
			if err != nil {
				return d, err
			}
			if c.disagree(s) && (s.ours.Error == "") == (d.ours.Error == "") && (s.theirs.Error == "") == (d.theirs.Error == "") {
				d, found = s, true
				break
			}
		}
		if !found {
			return d, nil
		}
	}
}

// ask puts one question to both sides.
func (c *comparison) ask(d disagreement) (disagreement, error) {
	theirs, err := c.peer.ask(d.round())
	if err != nil {
		return d, err
	}
	if d.isUpdate() {
		d.ours, d.theirs = updated(d.update), theirs.Updates[0]
	} else {
		d.ours, d.theirs = answerOf(d.documents, d.query), theirs.Queries[0]
	}
	return d, nil
}

// disagree says whether the answers differ. Two errors agree, whatever they say.
func (c *comparison) disagree(d disagreement) bool {
	ours, theirs := d.ours, d.theirs
	switch {
	case ours.Error != "" || theirs.Error != "":
		return (ours.Error == "") != (theirs.Error == "")
	case d.isUpdate():
		return !c.same(ours.Document, theirs.Document)
	case d.projection != nil:
		return !slices.EqualFunc(ours.Documents, theirs.Documents, func(a, b json.RawMessage) bool { return c.same(a, b) })
	case d.sort != nil:
		return !slices.Equal(ours.IDs, theirs.IDs)
	}
	return !slices.Equal(slices.Sorted(slices.Values(ours.IDs)), slices.Sorted(slices.Values(theirs.IDs)))
}
