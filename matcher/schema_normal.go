package matcher

import "strconv"

// appendNormal writes the schema with its keywords in one order, names sorted and numbers alike if equal. What says
// nothing is left out.
func (s *schema) appendNormal(dst []byte) []byte {
	w := &schemaWriter{dst: append(dst, '{')}
	if s.never {
		w.key("never", "true")
	}
	if s.typed {
		w.key("types", string(s.types.appendTypes(nil)))
	}
	if s.enum != nil {
		w.list("enum", len(s.enum), func(i int) { w.dst = appendNormalValue(w.dst, s.enum[i]) })
	}
	w.value("minimum", s.minimum, s.exclusiveMinimum)
	w.value("maximum", s.maximum, s.exclusiveMaximum)
	w.value("multipleOf", s.multipleOf, false)
	w.count("Length", s.length)
	w.count("Items", s.items)
	w.count("Properties", s.properties)
	if s.pattern != nil {
		w.key("pattern", string(s.pattern.appendNormal(nil)))
	}
	if s.unique {
		w.key("uniqueItems", "true")
	}
	w.schema("items", s.element)
	if s.elements != nil {
		w.schemas("elements", s.elements)
	}
	w.schema("additionalItems", s.moreElement)
	w.names("required", s.required)
	if len(s.fields) > 0 {
		w.object("properties", len(s.fields), func(i int) (string, func()) {
			return s.fields[i].name, func() { w.dst = s.fields[i].schema.appendNormal(w.dst) }
		})
	}
	if len(s.patterns) > 0 {
		w.object("patternProperties", len(s.patterns), func(i int) (string, func()) {
			return s.patterns[i].pattern.text, func() { w.dst = s.patterns[i].schema.appendNormal(w.dst) }
		})
	}
	w.schema("additionalProperties", s.moreFields)
	if len(s.dependencies) > 0 {
		w.object("dependencies", len(s.dependencies), func(i int) (string, func()) {
			return s.dependencies[i].name, func() { w.dependency(s.dependencies[i]) }
		})
	}
	w.schemas("allOf", s.allOf)
	w.schemas("anyOf", s.anyOf)
	w.schemas("oneOf", s.oneOf)
	w.schema("not", s.not)
	return append(w.dst, '}')
}

type schemaWriter struct{ dst []byte }

func (w *schemaWriter) name(name string) {
	if w.dst[len(w.dst)-1] != '{' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(AppendString(w.dst, []byte(name)), ':')
}

func (w *schemaWriter) key(name, text string) {
	w.name(name)
	w.dst = append(w.dst, text...)
}

func (w *schemaWriter) value(name string, v Value, exclusive bool) {
	if !v.Exists() {
		return
	}
	w.name(name)
	w.dst = appendNormalValue(w.dst, v)
	if exclusive {
		w.key(name+"Exclusive", "true")
	}
}

func (w *schemaWriter) count(of string, r schemaRange) {
	if r.min > 0 {
		w.key("min"+of, strconv.FormatInt(r.min, 10))
	}
	if r.max >= 0 {
		w.key("max"+of, strconv.FormatInt(r.max, 10))
	}
}

func (w *schemaWriter) list(name string, n int, write func(i int)) {
	w.name(name)
	w.dst = append(w.dst, '[')
	for i := range n {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		write(i)
	}
	w.dst = append(w.dst, ']')
}

func (w *schemaWriter) names(name string, names []string) {
	if len(names) > 0 {
		w.list(name, len(names), func(i int) { w.dst = AppendString(w.dst, []byte(names[i])) })
	}
}

func (w *schemaWriter) schema(name string, s *schema) {
	if s != nil {
		w.name(name)
		w.dst = s.appendNormal(w.dst)
	}
}

func (w *schemaWriter) schemas(name string, list []*schema) {
	if list != nil {
		w.list(name, len(list), func(i int) { w.dst = list[i].appendNormal(w.dst) })
	}
}

func (w *schemaWriter) object(name string, n int, field func(i int) (string, func())) {
	w.name(name)
	w.dst = append(w.dst, '{')
	for i := range n {
		key, write := field(i)
		w.name(key)
		write()
	}
	w.dst = append(w.dst, '}')
}

func (w *schemaWriter) dependency(d schemaDependency) {
	if d.schema != nil {
		w.dst = d.schema.appendNormal(w.dst)
		return
	}
	w.dst = append(w.dst, '{')
	w.names("required", d.required)
	w.dst = append(w.dst, '}')
}
