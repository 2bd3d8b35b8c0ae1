package differential

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/freshetdb/freshet/matcher"
)

// now is the clock of updates; no generated update shows it.
const now = 1_700_000_000_000

// answerOf is Freshet's answer to a query.
func answerOf(documents []object, q query) answer {
	spec := matcher.QuerySpec{Filter: text(q.filter), Skip: q.skip, Limit: q.limit, Values: matcher.ValuesCanonical}
	if q.sort != nil {
		spec.Sort = text(q.sort)
	}
	if q.projection != nil {
		spec.Fields = text(q.projection)
	}
	compiled, err := matcher.Compile(spec, matcher.Limits{})
	if err != nil {
		return answer{Error: err.Error()}
	}
	type found struct {
		key      []byte
		document *matcher.Document
	}
	var all []found
	for _, o := range documents {
		d, err := matcher.Parse(text(o), matcher.Limits{})
		if err != nil {
			return answer{Error: err.Error()}
		}
		if compiled.Match(d) {
			all = append(all, found{compiled.AppendSortKey(nil, d), d})
		}
	}
	if q.sort != nil {
		slices.SortFunc(all, func(a, b found) int { return bytes.Compare(a.key, b.key) })
	}
	all = all[min(q.skip, len(all)):]
	if q.limit > 0 {
		all = all[:min(q.limit, len(all))]
	}
	var a answer
	for _, f := range all {
		a.IDs = append(a.IDs, f.document.ID())
		if q.projection != nil {
			a.Documents = append(a.Documents, compiled.AppendDocument(nil, f.document))
		}
	}
	return a
}

// updated is Freshet's answer to an update.
func updated(u update) answer {
	operators := u.operators
	if u.arrayFilters != nil {
		operators = append(slices.Clone(operators), field{"arrayFilters", u.arrayFilters})
	}
	compiled, err := matcher.ParseUpdate(text(operators), nil, matcher.Limits{})
	if err != nil {
		return answer{Error: err.Error()}
	}
	before, err := matcher.Parse(text(u.document), matcher.Limits{})
	if err != nil {
		return answer{Error: err.Error()}
	}
	after, _, err := compiled.Apply(before, now, matcher.Limits{})
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Document: matcher.AppendValue(nil, after.Root(), matcher.ValuesCanonical)}
}

// same compares two documents: types of numbers and order of fields included, or neither (what JavaScript keeps).
func (c *comparison) same(a, b []byte) bool {
	if !c.exact {
		return bytes.Equal(plain(a), plain(b))
	}
	x, err := matcher.Parse(bytes.Clone(a), matcher.Limits{})
	if err != nil {
		return false
	}
	y, err := matcher.Parse(bytes.Clone(b), matcher.Limits{})
	return err == nil && matcher.SameContent(x, y)
}

// plain is a canonical text with one type of number and the fields of objects by name.
func plain(canonical []byte) []byte {
	var v any
	if err := json.Unmarshal(canonical, &v); err != nil {
		return nil
	}
	var plainValue func(v any) any
	plainValue = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = plainValue(v[i])
			}
		case map[string]any:
			for _, name := range []string{"$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"} {
				if number, ok := v[name].(string); ok {
					if f, err := strconv.ParseFloat(number, 64); err == nil {
						return f
					}
				}
			}
			for name := range v {
				v[name] = plainValue(v[name])
			}
		}
		return v
	}
	text, err := json.Marshal(plainValue(v)) // sorts the names
	if err != nil {
		return nil
	}
	return text
}
