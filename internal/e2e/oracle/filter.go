package oracle

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Predicate says whether a document matches.
type Predicate func(doc Object) bool

// Filter reads a filter. It fails with ErrUnsupported where it meets what it does not know.
func Filter(filter Object) (Predicate, error) {
	var all []Predicate
	for _, f := range filter {
		p, err := clause(f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return and(all), nil
}

func clause(f Field) (Predicate, error) {
	switch f.Name {
	case "$and", "$or", "$nor":
		return logical(f)
	case "$comment":
		return func(Object) bool { return true }, nil
	}
	if strings.HasPrefix(f.Name, "$") {
		return nil, fmt.Errorf("%w: %s", ErrUnsupported, f.Name)
	}
	if slices.Contains(strings.Split(f.Name, "."), "") {
		return nil, fmt.Errorf("%w: the path %q", ErrUnsupported, f.Name)
	}
	if operators, ok := f.Value.(Object); ok && isOperators(operators) {
		return operatorsOn(f.Name, operators)
	}
	return fieldEquals(f.Name, f.Value)
}

func isOperators(o Object) bool { return len(o) > 0 && strings.HasPrefix(o[0].Name, "$") }

func logical(f Field) (Predicate, error) {
	list, ok := f.Value.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%w: %s without members", ErrUnsupported, f.Name)
	}
	var all []Predicate
	for _, e := range list {
		o, ok := e.(Object)
		if !ok {
			return nil, fmt.Errorf("%w: a member of %s that is no object", ErrUnsupported, f.Name)
		}
		p, err := Filter(o)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	switch f.Name {
	case "$and":
		return and(all), nil
	case "$or":
		return or(all), nil
	}
	return not(or(all)), nil
}

func and(all []Predicate) Predicate {
	return func(doc Object) bool {
		for _, p := range all {
			if !p(doc) {
				return false
			}
		}
		return true
	}
}

func or(all []Predicate) Predicate {
	return func(doc Object) bool {
		for _, p := range all {
			if p(doc) {
				return true
			}
		}
		return false
	}
}

func not(p Predicate) Predicate { return func(doc Object) bool { return !p(doc) } }

func operatorsOn(path string, operators Object) (Predicate, error) {
	var all []Predicate
	for _, f := range operators {
		p, err := operatorOn(path, f, operators)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return and(all), nil
}

// operatorOn reads one operator of {path: {operator: argument, ...}}; beside is that whole object, for $options.
func operatorOn(path string, f Field, beside Object) (Predicate, error) {
	switch f.Name {
	case "$not":
		return negatedOn(path, f.Value)
	case "$ne":
		p, err := fieldEquals(path, f.Value)
		return not(p), err
	case "$nin":
		p, err := operatorOn(path, Field{"$in", f.Value}, nil)
		return not(p), err
	case "$all":
		return allOn(path, f.Value)
	case "$exists":
		exists := anyCandidate(path, false, func(v any) bool { return v != Missing{} })
		if truthy(f.Value) {
			return exists, nil
		}
		return not(exists), nil
	case "$size", "$elemMatch":
		test, err := elementTest(f, beside)
		return anyCandidate(path, true, test), err
	}
	test, err := elementTest(f, beside)
	return anyCandidate(path, false, test), err
}

func anyCandidate(path string, whole bool, test func(any) bool) Predicate {
	steps := strings.Split(path, ".")
	return func(doc Object) bool {
		for _, v := range candidates(doc, steps, whole) {
			if test(v) {
				return true
			}
		}
		return false
	}
}

func fieldEquals(path string, value any) (Predicate, error) {
	test, err := equals(value)
	return anyCandidate(path, false, test), err
}

func equals(value any) (func(any) bool, error) {
	if r, ok := value.(Regex); ok {
		return matches(r)
	}
	return func(v any) bool { return Equal(v, value) }, nil
}

func negatedOn(path string, argument any) (Predicate, error) {
	switch argument := argument.(type) {
	case Regex:
		p, err := fieldEquals(path, argument)
		return not(p), err
	case Object:
		if isOperators(argument) {
			p, err := operatorsOn(path, argument)
			return not(p), err
		}
	}
	return nil, fmt.Errorf("%w: $not of that argument", ErrUnsupported)
}

func allOn(path string, argument any) (Predicate, error) {
	list, ok := argument.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: $all without an array", ErrUnsupported)
	}
	if len(list) == 0 {
		return func(Object) bool { return false }, nil
	}
	var all []Predicate
	for _, e := range list {
		p, err := fieldEquals(path, e)
		if o, ok := e.(Object); ok && isOperators(o) {
			p, err = operatorsOn(path, o) // $elemMatch
		}
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return and(all), nil
}

// elementTest reads an operator that looks at one value.
func elementTest(f Field, beside Object) (func(any) bool, error) {
	argument := f.Value
	switch f.Name {
	case "$eq": // a regular expression is a value here, not a pattern
		return func(v any) bool { return Equal(v, argument) }, nil
	case "$gt", "$gte", "$lt", "$lte":
		return ordered(f.Name, argument)
	case "$in":
		return among(argument)
	case "$exists":
		return func(v any) bool { return (v != Missing{}) == truthy(argument) }, nil
	case "$regex":
		pattern, ok := argument.(string)
		if r, isRegex := argument.(Regex); isRegex {
			return matches(Regex{r.Pattern, r.Options + beside.Text("$options")})
		}
		if !ok {
			return nil, fmt.Errorf("%w: $regex of that argument", ErrUnsupported)
		}
		return matches(Regex{pattern, beside.Text("$options")})
	case "$options":
		return func(any) bool { return true }, nil
	case "$size":
		return sized(argument)
	case "$elemMatch":
		return elementMatches(argument)
	}
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, f.Name)
}

func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	}
	return true
}

// ordered compares within the argument's type bracket only. Null is equal to null and missing, and neither less nor
// greater than anything.
func ordered(operator string, argument any) (func(any) bool, error) {
	if _, ok := argument.(Regex); ok {
		return nil, fmt.Errorf("%w: %s of a regular expression", ErrUnsupported, operator)
	}
	holds := map[string]func(int) bool{
		"$gt":  func(c int) bool { return c > 0 },
		"$gte": func(c int) bool { return c >= 0 },
		"$lt":  func(c int) bool { return c < 0 },
		"$lte": func(c int) bool { return c <= 0 },
	}[operator]
	return func(v any) bool {
		if typeOrder(v) != typeOrder(argument) {
			return false
		}
		if isNaN(v) || isNaN(argument) { // NaN is neither less nor greater than a number
			return isNaN(v) && isNaN(argument) && holds(0)
		}
		return holds(Compare(v, argument))
	}, nil
}

func isNaN(v any) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

func among(argument any) (func(any) bool, error) {
	list, ok := argument.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: $in without an array", ErrUnsupported)
	}
	var tests []func(any) bool
	for _, e := range list {
		test, err := equals(e)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(v any) bool {
		for _, test := range tests {
			if test(v) {
				return true
			}
		}
		return false
	}, nil
}

// matches looks for the pattern in a string; a stored regular expression matches its like.
func matches(r Regex) (func(any) bool, error) {
	pattern := r.Pattern
	if strings.Trim(r.Options, "ims") != "" {
		return nil, fmt.Errorf("%w: regular expression options %q", ErrUnsupported, r.Options)
	}
	if r.Options != "" {
		pattern = "(?" + r.Options + ")" + pattern
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return func(v any) bool {
		switch v := v.(type) {
		case string:
			return compiled.MatchString(v)
		case Collated:
			return compiled.MatchString(v.Text)
		case Regex:
			return v == r // the same one, stored
		}
		return false
	}, nil
}

func sized(argument any) (func(any) bool, error) {
	switch argument.(type) {
	case int64, float64:
	default:
		return nil, fmt.Errorf("%w: $size of that argument", ErrUnsupported)
	}
	return func(v any) bool {
		a, ok := v.([]any)
		return ok && Equal(int64(len(a)), argument)
	}, nil
}

// elementMatches is $elemMatch: one element alone must satisfy everything, either operators on the element (value form)
// or a filter on it (object form; an array is then an object with the fields "0", "1", ...).
func elementMatches(argument any) (func(any) bool, error) {
	o, ok := argument.(Object)
	if !ok {
		return nil, fmt.Errorf("%w: $elemMatch without an object", ErrUnsupported)
	}
	test, err := elementFilter(o)
	if err != nil {
		return nil, err
	}
	return func(v any) bool {
		a, ok := v.([]any)
		if !ok {
			return false
		}
		for _, e := range a {
			if test(e) {
				return true
			}
		}
		return false
	}, nil
}

func elementFilter(o Object) (func(any) bool, error) {
	first := ""
	if len(o) > 0 {
		first = o[0].Name
	}
	if strings.HasPrefix(first, "$") && first != "$and" && first != "$or" && first != "$nor" {
		return valueOperators(o)
	}
	p, err := Filter(o)
	return func(e any) bool {
		switch e := e.(type) {
		case Object:
			return p(e)
		case []any:
			return p(asObject(e))
		}
		return false
	}, err
}

func asObject(a []any) Object {
	o := Object{}
	for i, e := range a {
		o = append(o, Field{fmt.Sprint(i), e})
	}
	return o
}

// valueOperators is the conjunction of operators on one element, which is not expanded where it is an array.
func valueOperators(o Object) (func(any) bool, error) {
	var tests []func(any) bool
	for _, f := range o {
		test, err := valueOperator(f, o)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(e any) bool {
		for _, test := range tests {
			if !test(e) {
				return false
			}
		}
		return true
	}, nil
}

func valueOperator(f Field, beside Object) (func(any) bool, error) {
	negate := func(test func(any) bool, err error) (func(any) bool, error) {
		return func(v any) bool { return !test(v) }, err
	}
	switch f.Name {
	case "$ne":
		return negate(equals(f.Value))
	case "$nin":
		return negate(among(f.Value))
	case "$not":
		switch argument := f.Value.(type) {
		case Regex:
			return negate(matches(argument))
		case Object:
			return negate(valueOperators(argument))
		}
		return nil, fmt.Errorf("%w: $not of that argument", ErrUnsupported)
	case "$all":
		return nil, fmt.Errorf("%w: $all in $elemMatch", ErrUnsupported)
	}
	return elementTest(f, beside)
}
