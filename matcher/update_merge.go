package matcher

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

// mergeObject writes v merged with the object patch; v counts as empty if it is no object.
func (e *updateWriter) mergeObject(v, patch Value, root bool) {
	separate := e.open('{')
	field, patched := fieldFinder(v), fieldFinder(patch)
	for f := v.First(); v.Kind() == KindObject && f.Exists(); f = f.Next() {
		if root && dropsAtRoot(f.Name()) {
			continue
		}
		p := patched(f.Name())
		if p.IsNull() {
			continue
		}
		separate()
		e.name(f.Name())
		if p.Exists() {
			e.merge(f, p)
		} else {
			e.keep(f)
		}
	}
	for p := patch.First(); p.Exists(); p = p.Next() {
		if !p.IsNull() && !field(p.Name()).Exists() {
			separate()
			e.name(p.Name())
			e.merge(Value{}, p)
		}
	}
	e.dst = append(e.dst, '}')
}

func (e *updateWriter) merge(v, patch Value) {
	if patch.Kind() == KindObject {
		e.mergeObject(v, patch, false)
		return
	}
	e.keep(patch)
}
