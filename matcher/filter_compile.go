package matcher

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MaxInValues bounds the values of one $in, $nin or $all.
const MaxInValues = 2000

// place is where the compiler stands in the text of a query, for the JSON pointer of an error.
type place struct {
	parent *place
	name   string
}

func (at *place) field(name string) *place { return &place{parent: at, name: name} }
func (at *place) element(i int) *place     { return at.field(strconv.Itoa(i)) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (at *place) pointer() string {
	if at == nil {
		return ""
	}
	return at.parent.pointer() + "/" + pointerEscapes.Replace(at.name)
}

func (at *place) fail(code string, limit int, format string, args ...any) error {
	return &Error{Code: code, Path: at.pointer(), Limit: int64(limit), Detail: fmt.Sprintf(format, args...)}
}

func (at *place) invalid(format string, args ...any) error {
	return at.fail(CodeQueryInvalid, 0, format, args...)
}

func (at *place) tooLarge(limit int, format string, args ...any) error {
	return at.fail(CodeQueryTooLarge, limit, format, args...)
}

// logicalOperator compiles an operator that stands beside field names and takes whole filters. A nil node means that
// it says nothing (as $comment).
type logicalOperator func(c *compiler, argument Value, at *place) (*node, error)

// fieldOperator compiles an operator that stands below a field name. all is the object that it stands in.
type fieldOperator func(c *compiler, p path, all, argument Value, at *place) (*node, error)

// The operators of the language. A new one is a row here, its compile function, and where it needs a new kind of leaf
// an opcode with its cases in node.visit and normalize.
var (
	logicalOperators map[string]logicalOperator
	fieldOperators   map[string]fieldOperator
)

func init() { // not initial values: the operators that nest refer to the tables
	logicalOperators = map[string]logicalOperator{
		"$and":     compileAnd,
		"$or":      compileOr,
		"$nor":     compileNor,
		"$comment": func(*compiler, Value, *place) (*node, error) { return nil, nil },

		"$alwaysTrue":  compileAlways(opTrue),
		"$alwaysFalse": compileAlways(opFalse),
		"$expr":        compileExpr,
		"$jsonSchema":  compileJSONSchema,
	}
	fieldOperators = map[string]fieldOperator{
		"$eq":        compileEqual,
		"$ne":        compileNotEqual,
		"$gt":        compileRange(opGreater),
		"$gte":       compileRange(opGreaterOrEqual),
		"$lt":        compileRange(opLess),
		"$lte":       compileRange(opLessOrEqual),
		"$in":        compileIn,
		"$nin":       compileNotIn,
		"$not":       compileNot,
		"$exists":    compileExists,
		"$regex":     compileRegex,
		"$options":   compileOptions,
		"$all":       compileAll,
		"$size":      compileSize,
		"$elemMatch": compileElemMatch,

		"$geoWithin":     compileGeoWithin,
		"$within":        compileGeoWithin,
		"$geoIntersects": compileGeoIntersects,
		"$near":          compileNear,
		"$nearSphere":    compileNear,
		"$maxDistance":   compileNearOption,
		"$minDistance":   compileNearOption,
		"$uniqueDocs":    compileNearOption,

		"$type": compileType,
		"$mod":  compileMod,

		"$bitsAllSet":   compileBits("$bitsAllSet", true, true),
		"$bitsAnySet":   compileBits("$bitsAnySet", true, false),
		"$bitsAllClear": compileBits("$bitsAllClear", false, true),
		"$bitsAnyClear": compileBits("$bitsAnyClear", false, false),
	}
}

// compiler turns the text of one filter into nodes.
type compiler struct {
	collation   *collation
	elements    int       // how many $elemMatch the compiler is in: there, `_id` is not the document's
	regexSteps  int       // used up of MaxRegexSteps
	barred      string    // the operator that the compiler is in and $near may not be, "" if none
	near        bool      // a $near was seen
	anyID       bool      // `_id` may be of any type
	dates       *dateNode // what is declared of the object whose conditions are compiled; nil if nothing
	foldedSteps int       // used up of maxFoldedSteps
	update      bool      // the filter is a condition of an update
}

// compileFilter compiles a filter's text; nil is the empty filter.
func compileFilter(text []byte, limits Limits, c *compiler) (*node, error) {
	var at *place // the root
	if text == nil {
		return &node{op: opTrue}, nil
	}
	d, err := parseQueryText(text, limits)
	if err != nil {
		return nil, err
	}
	if d.Root().Kind() != KindObject {
		return nil, at.invalid("the filter is %s; an object is needed, such as {\"published\":true}",
			describeKind(d.Root().Kind()))
	}
	if n := countValues(d.Root()); n > limits.MaxQueryNodes {
		return nil, at.tooLarge(limits.MaxQueryNodes,
			"the filter has %d operators and values, at most %d are allowed (MaxQueryNodes); split the query", n, limits.MaxQueryNodes)
	}
	return c.filter(d.Root(), at)
}

// parseQueryText parses a part of a query. The text is copied, as documents own theirs.
func parseQueryText(text []byte, limits Limits) (*Document, error) {
	if len(text) > limits.MaxQueryBytes {
		return nil, (*place)(nil).tooLarge(limits.MaxQueryBytes,
			"the text has %d bytes, at most %d are allowed (MaxQueryBytes); split the query", len(text), limits.MaxQueryBytes)
	}
	d, err := ParseValue(slices.Clone(text), limits)
	var bad *Error
	if errors.As(err, &bad) {
		switch bad.Code {
		case CodeDocumentTooLarge:
			bad.Code = CodeQueryTooLarge
		case CodeDocumentInvalid:
			bad.Code = CodeQueryInvalid
		}
	}
	return d, err
}

func countValues(v Value) int {
	n := 1
	for child := v.First(); child.Exists(); child = child.Next() {
		n += countValues(child)
	}
	return n
}

// bar notes that the compiler is within an operator that $near may not stand in, until the returned function is called.
func (c *compiler) bar(operator string) (leave func()) {
	before := c.barred
	c.barred = operator
	return func() { c.barred = before }
}

// filter compiles an object of conditions: field names and logical operators.
func (c *compiler) filter(object Value, at *place) (*node, error) {
	all := &node{op: opAnd}
	for v := object.First(); v.Exists(); v = v.Next() {
		name := string(v.Name())
		n, err := c.condition(name, v, at.field(name))
		if err != nil {
			return nil, err
		}
		if n != nil {
			all.children = append(all.children, n)
		}
	}
	return all, nil
}

func (c *compiler) condition(name string, v Value, at *place) (*node, error) {
	if strings.HasPrefix(name, "$") && (c.elements == 0 || !slices.Contains(referenceNames, name)) {
		compile, known := logicalOperators[name]
		if !known {
			return nil, unknownOperator(name, at, logicalOperators, fieldOperators,
				`below a field name, as in {"field":{%q:...}}`)
		}
		return compile(c, v, at)
	}
	p, err := parsePath(name, at)
	if err != nil {
		return nil, err
	}
	switch {
	case v.Kind() == KindRegex:
		return c.regexLeaf(p, string(v.Bytes()), string(v.Options()), at)
	case isOperators(v, false):
		return c.operators(p, v, at)
	}
	return c.equal(p, v, at)
}

// operators compiles an object of operators that all apply to one path.
func (c *compiler) operators(p path, object Value, at *place) (*node, error) {
	all := &node{op: opAnd}
	for v := object.First(); v.Exists(); v = v.Next() {
		name := string(v.Name())
		at := at.field(name)
		compile, known := fieldOperators[name]
		switch {
		case known:
		case !strings.HasPrefix(name, "$"):
			return nil, at.invalid("the name %q stands among operators; give operators only, or $eq to compare with a whole object", name)
		default:
			return nil, unknownOperator(name, at, fieldOperators, logicalOperators,
				`beside field names, as in {%q:[{"field":...}]}`)
		}
		n, err := compile(c, p, object, v, at)
		if err != nil {
			return nil, err
		}
		if n != nil {
			all.children = append(all.children, n)
		}
	}
	return all, nil
}

// referenceNames are the fields of a database reference, the only names with a $ that a value may have. In a filter they
// can be named within $elemMatch.
var referenceNames = []string{"$ref", "$id", "$db"}

// isOperators reports whether v is an object of operators: its first name begins with $. Database references are
// values; partial says that a part of one is enough.
func isOperators(v Value, partial bool) bool {
	if v.Kind() != KindObject || !strings.HasPrefix(string(v.First().Name()), "$") {
		return false
	}
	ref, id, db := v.Field("$ref").Exists(), v.Field("$id").Exists(), v.Field("$db").Exists()
	if partial {
		return !ref && !id && !db
	}
	return !ref || !id
}

// unknownOperator says which operators there are. Where the name is one that belongs elsewhere, it says where.
func unknownOperator[A, B any](name string, at *place, here map[string]A, there map[string]B, where string) error {
	if err := refused(name, at); err != nil {
		return err
	}
	if _, known := there[name]; known {
		return at.fail(CodeOperatorUnknown, 0, "the operator %s stands in the wrong place; it belongs "+where, name, name)
	}
	known := slices.Sorted(maps.Keys(here))
	hint := ""
	if nearest := Nearest(name, slices.Concat(known, slices.Sorted(maps.Keys(there)))); nearest != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", nearest)
	}
	return at.fail(CodeOperatorUnknown, 0, "the operator %q is unknown here%s; known ones are %s",
		name, hint, strings.Join(known, ", "))
}
