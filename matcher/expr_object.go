package matcher

import (
	"bytes"
	"strconv"
)

// Operators on objects (manual: "Object Expression Operators"), and on sizes of data.

func objectOperators() map[string]*exprOperator {
	return map[string]*exprOperator{
		"$mergeObjects":  {min: 0, max: -1, eval: evalMergeObjects},
		"$objectToArray": {min: 1, max: 1, eval: evalObjectToArray},
		"$arrayToObject": {min: 1, max: 1, eval: evalArrayToObject},

		// $getField: the input is the whole document where only the name is given.
		"$getField":   {min: 1, max: 1, names: []string{"field", "input"}, required: 2, check: checkGetField, eval: evalGetField},
		"$setField":   {names: []string{"field", "input", "value"}, required: 3, check: checkSetField, eval: evalSetField},
		"$unsetField": {names: []string{"field", "input"}, required: 2, check: checkSetField, eval: evalUnsetField},

		"$bsonSize":   {min: 1, max: 1, eval: evalBSONSize},
		"$binarySize": {min: 1, max: 1, eval: evalBinarySize},
	}
}

// evalMergeObjects is all fields of all objects, the later ones' values in the earlier ones' places.
func evalMergeObjects(e *evaluation, args []Value) (Value, error) {
	if len(args) == 1 && args[0].Kind() == KindArray {
		var err error
		if args, err = elementsOf(e, args[0]); err != nil {
			return Value{}, err
		}
	}
	made := newFieldList()
	for _, object := range args {
		if nullish(object) {
			continue
		}
		if object.Kind() != KindObject {
			return Value{}, errExpression
		}
		if err := made.setAll(e, object); err != nil {
			return Value{}, err
		}
	}
	return made.object(e)
}

// evalObjectToArray is an array of {"k":name,"v":value}.
func evalObjectToArray(e *evaluation, args []Value) (Value, error) {
	switch {
	case nullish(args[0]):
		return valueNull, nil
	case args[0].Kind() != KindObject:
		return Value{}, errExpression
	}
	b := begun(e, KindArray)
	for f := args[0].First(); f.Exists() && b.err == nil; f = f.Next() {
		b.begin(KindObject)
		b.field([]byte("k"))
		b.bytes(KindString, f.Name())
		b.field([]byte("v"))
		b.copy(f)
		b.end()
	}
	return b.done()
}

// evalArrayToObject is the inverse: of elements {"k":name,"v":value} or [name, value], all of one form.
func evalArrayToObject(e *evaluation, args []Value) (Value, error) {
	array := args[0]
	switch {
	case nullish(array):
		return valueNull, nil
	case array.Kind() != KindArray:
		return Value{}, errExpression
	}
	form := array.First().Kind()
	made := newFieldList()
	for v := array.First(); v.Exists(); v = v.Next() {
		name, value := v.Field("k"), v.Field("v")
		if form == KindArray {
			name, value = v.Index(0), v.Index(1)
		}
		if v.Kind() != form || v.Len() != 2 || name.Kind() != KindString || !value.Exists() || bytes.IndexByte(name.Bytes(), 0) >= 0 {
			return Value{}, errExpression
		}
		if err := made.set(e, name.Bytes(), value); err != nil {
			return Value{}, err
		}
	}
	return made.object(e)
}

// fieldList is an object in the making: a name that is set again keeps its place.
type fieldList struct {
	names  [][]byte
	values []Value // a missing one is left out
	places map[string]int
}

func newFieldList() *fieldList { return &fieldList{places: map[string]int{}} }

func (l *fieldList) set(e *evaluation, name []byte, v Value) error {
	if i, taken := l.places[string(name)]; taken {
		l.values[i] = v
	} else {
		l.places[string(name)] = len(l.names)
		l.names, l.values = append(l.names, name), append(l.values, v)
	}
	const steps = 4 // a map takes its time
	return e.step(steps)
}

func (l *fieldList) setAll(e *evaluation, object Value) error {
	for f := object.First(); f.Exists(); f = f.Next() {
		if err := l.set(e, f.Name(), f); err != nil {
			return err
		}
	}
	return nil
}

func (l *fieldList) object(e *evaluation) (Value, error) {
	b := begun(e, KindObject)
	for i, name := range l.names {
		if b.err != nil {
			break
		}
		if l.values[i].Exists() {
			b.field(name)
			b.copy(l.values[i])
		}
	}
	return b.done()
}

// checkGetField names the whole document as the input where none is given.
func checkGetField(_ *exprCompiler, args []expression, _ *place) error {
	if args[1] == nil {
		args[1] = &fieldExpression{slot: rootSlot, text: "$$ROOT"}
	}
	return nil
}

// evalGetField is one field of an object by its name, dots and dollar signs in it meaning nothing. It is missing of what
// is no object.
func evalGetField(e *evaluation, args []Value) (Value, error) {
	name, input := args[0], args[1]
	switch {
	case name.Kind() != KindString:
		return Value{}, errExpression
	case input.IsNull():
		return valueNull, nil
	}
	return input.Field(string(name.Bytes())), e.step(input.Len() / fieldsPerStep)
}

// checkSetField demands that the name stands in the query, as in MongoDB.
func checkSetField(_ *exprCompiler, args []expression, at *place) error {
	if k, ok := args[0].(constantExpression); !ok || k.value.Kind() != KindString {
		return at.field("field").invalid(`the field of %s must be a text in the query; write {"$literal":"..."} if it begins with a dollar sign`, at.name)
	}
	return nil
}

// evalSetField is the input with a field set; the missing value takes it out.
func evalSetField(e *evaluation, args []Value) (Value, error) {
	input := args[1]
	switch {
	case nullish(input):
		return valueNull, nil
	case input.Kind() != KindObject:
		return Value{}, errExpression
	}
	made := newFieldList()
	if err := made.setAll(e, input); err != nil {
		return Value{}, err
	}
	if err := made.set(e, args[0].Bytes(), args[2]); err != nil {
		return Value{}, err
	}
	return made.object(e)
}

func evalUnsetField(e *evaluation, args []Value) (Value, error) {
	return evalSetField(e, []Value{args[0], args[1], {}})
}

// evalBSONSize is how many bytes an object takes in MongoDB's binary form.
func evalBSONSize(e *evaluation, args []Value) (Value, error) {
	switch {
	case nullish(args[0]):
		return valueNull, nil
	case args[0].Kind() != KindObject:
		return Value{}, errExpression
	}
	if err := e.walked(args[0]); err != nil {
		return Value{}, err
	}
	return int32Value(bsonSize(args[0])), nil
}

// bsonSize is the size of a value without its type and name (bsonspec.org).
func bsonSize(v Value) int {
	switch kind := v.Kind(); kind {
	case KindObject, KindArray:
		size, i := 4+1, 0
		for c := v.First(); c.Exists(); c = c.Next() {
			name := len(c.Name())
			if kind == KindArray {
				name = len(strconv.Itoa(i))
			}
			size += 1 + name + 1 + bsonSize(c)
			i++
		}
		return size
	case KindString:
		return 4 + len(v.Bytes()) + 1
	case KindBinary:
		const oldSubtype = 2 // holds its length twice
		if v.Subtype() == oldSubtype {
			return 4 + 1 + 4 + len(v.Bytes())
		}
		return 4 + 1 + len(v.Bytes())
	case KindRegex:
		return len(v.Bytes()) + 1 + len(v.Options()) + 1
	case KindObjectID:
		return 12
	case KindDecimal:
		return 16
	case KindInt64, KindDouble, KindDate, KindTimestamp:
		return 8
	case KindInt32:
		return 4
	case KindBool:
		return 1
	}
	return 0
}

func evalBinarySize(_ *evaluation, args []Value) (Value, error) {
	switch args[0].Kind() {
	case KindMissing, KindNull:
		return valueNull, nil
	case KindString, KindBinary:
		return int32Value(len(args[0].Bytes())), nil
	}
	return Value{}, errExpression
}
