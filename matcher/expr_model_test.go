package matcher

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// modelExpression is a random expression: its text, and what it means by the manual, written without the package's code.
// Values are nil (null), modelMissing, bool, int32, int64, float64, string and []any; ok is false where an operator cannot
// be applied.
type modelExpression struct {
	text string
	eval func(env modelEnv) (v any, ok bool)
}

type modelMissing struct{}

type modelEnv struct {
	document  map[string]any
	this, acc any
}

func nothing(v any) bool { _, missing := v.(modelMissing); return v == nil || missing }

// modelCompare is the order of types and values.
func modelCompare(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case modelMissing:
			return 0
		case nil:
			return 1
		case int32, int64, float64:
			return 2
		case string:
			return 3
		case []any:
			return 4
		}
		return 5
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra - rb
	}
	switch x := a.(type) {
	case string:
		return strings.Compare(x, b.(string))
	case bool:
		return map[bool]int{true: 1}[x] - map[bool]int{true: 1}[b.(bool)]
	case []any:
		y := b.([]any)
		for i := range min(len(x), len(y)) {
			if c := modelCompare(x[i], y[i]); c != 0 {
				return c
			}
		}
		return len(x) - len(y)
	case modelMissing, nil:
		return 0
	}
	isNaN := func(v any) bool { f, _ := v.(float64); return math.IsNaN(f) }
	if isNaN(a) || isNaN(b) { // below all other numbers
		return map[bool]int{false: 1}[isNaN(a)] - map[bool]int{false: 1}[isNaN(b)]
	}
	return modelFloat(a).Cmp(modelFloat(b))
}

func modelFloat(v any) *big.Float {
	f := new(big.Float).SetPrec(200)
	switch x := v.(type) {
	case int32:
		return f.SetInt64(int64(x))
	case int64:
		return f.SetInt64(x)
	}
	return f.SetFloat64(v.(float64))
}

func modelTruth(v any) bool {
	return !nothing(v) && v != false && v != int32(0) && v != int64(0) && v != float64(0)
}

// modelNumber is an integer as exact digits, and whether v is a number and which kind.
func modelNumber(v any) (i *big.Int, f float64, kind int) {
	switch x := v.(type) {
	case int32:
		return big.NewInt(int64(x)), float64(x), 1
	case int64:
		return big.NewInt(x), float64(x), 2
	case float64:
		return nil, x, 3
	}
	return nil, 0, 0
}

// modelArithmetic applies an operation to two operands as the manual says.
func modelArithmetic(a, b any, integers func(x, y *big.Int) *big.Int, floats func(x, y float64) float64) (any, bool) {
	if nothing(a) || nothing(b) {
		return nil, true
	}
	x, f, ka := modelNumber(a)
	y, g, kb := modelNumber(b)
	switch {
	case ka == 0 || kb == 0:
		return nil, false
	case ka == 3 || kb == 3:
		return floats(f, g), true
	}
	made := integers(x, y)
	switch {
	case !made.IsInt64():
		return floats(f, g), true
	case max(ka, kb) == 1 && made.Int64() == int64(int32(made.Int64())):
		return int32(made.Int64()), true
	}
	return made.Int64(), true
}

type modelMaker struct{ *rand.Rand }

func (m modelMaker) one(list ...string) string { return list[m.IntN(len(list))] }

// leaf is a constant, a field or a variable. scope says how many variables there are: $$this, and $$value.
func (m modelMaker) leaf(scope int) modelExpression {
	constant := func(text string, v any) modelExpression {
		return modelExpression{text, func(modelEnv) (any, bool) { return v, true }}
	}
	switch m.IntN(9 + scope) {
	case 0:
		n := m.Int64N(7) - 2
		return constant(fmt.Sprint(n), n)
	case 1:
		n := []int64{math.MaxInt64, math.MinInt64, 1 << 53, 3037000500}[m.IntN(4)]
		return constant(fmt.Sprint(n), n)
	case 2:
		f := []float64{0.5, -1.5, 2, 1e300, 0.1}[m.IntN(5)]
		return constant(fmt.Sprintf("%e", f), f)
	case 3:
		return m.fixed()
	case 4:
		n := []int32{1, -3, math.MaxInt32, math.MinInt32}[m.IntN(4)]
		return constant(fmt.Sprintf(`{"$numberInt":"%d"}`, n), n)
	case 9:
		return modelExpression{`"$$this"`, func(env modelEnv) (any, bool) { return env.this, true }}
	case 10:
		return modelExpression{`"$$value"`, func(env modelEnv) (any, bool) { return env.acc, true }}
	}
	name := m.one("a", "b", "c", "d")
	return modelExpression{`"$` + name + `"`, func(env modelEnv) (any, bool) {
		if v, there := env.document[name]; there {
			return v, true
		}
		return modelMissing{}, true
	}}
}

// fixed is a constant that is no number.
func (m modelMaker) fixed() modelExpression {
	text, v := "null", any(nil)
	switch m.IntN(5) {
	case 0:
		text, v = `"x"`, "x"
	case 1:
		text, v = "true", true
	case 2:
		text, v = "[]", []any{}
	case 3:
		text, v = "[1,[2]]", []any{int64(1), []any{int64(2)}}
	}
	return modelExpression{text, func(modelEnv) (any, bool) { return v, true }}
}

// operands makes n expressions, and a function that evaluates them all.
func (m modelMaker) operands(n, depth int, scope int) (string, func(modelEnv) ([]any, bool)) {
	list, texts := make([]modelExpression, n), make([]string, n)
	for i := range list {
		list[i] = m.expression(depth-1, scope)
		texts[i] = list[i].text
	}
	return "[" + strings.Join(texts, ",") + "]", func(env modelEnv) ([]any, bool) {
		values := make([]any, n)
		for i, x := range list {
			v, ok := x.eval(env)
			if !ok {
				return nil, false
			}
			values[i] = v
		}
		return values, true
	}
}

// strict is an operator on operands that are all computed.
func (m modelMaker) strict(name string, n, depth int, scope int, apply func(v []any) (any, bool)) modelExpression {
	text, values := m.operands(n, depth, scope)
	return modelExpression{fmt.Sprintf(`{%q:%s}`, name, text), func(env modelEnv) (any, bool) {
		v, ok := values(env)
		if !ok {
			return nil, false
		}
		return apply(v)
	}}
}

func (m modelMaker) expression(depth int, scope int) modelExpression {
	if depth <= 0 {
		return m.leaf(scope)
	}
	switch m.IntN(6) {
	case 0:
		return m.leaf(scope)
	case 1:
		return m.arithmetic(depth, scope)
	case 2:
		return m.comparison(depth, scope)
	case 3:
		return m.array(depth, scope)
	case 4:
		return m.list(depth, scope)
	}
	return m.loop(depth, scope)
}

func (m modelMaker) arithmetic(depth int, scope int) modelExpression {
	add := func(x, y any) (any, bool) {
		return modelArithmetic(x, y, func(x, y *big.Int) *big.Int { return new(big.Int).Add(x, y) }, func(x, y float64) float64 { return x + y })
	}
	switch name := m.one("$add", "$subtract", "$multiply", "$divide", "$mod"); name {
	case "$add":
		return m.strict(name, m.IntN(4), depth, scope, func(v []any) (total any, ok bool) {
			total, ok = int32(0), true
			for _, x := range v {
				if total, ok = add(total, x); !ok || total == nil {
					return nil, ok
				}
			}
			return total, true
		})
	case "$multiply":
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			if _, _, kind := modelNumber(v[0]); !nothing(v[0]) && kind == 0 { // the first operand is looked at first
				return nil, false
			}
			return modelArithmetic(v[0], v[1], func(x, y *big.Int) *big.Int { return new(big.Int).Mul(x, y) }, func(x, y float64) float64 { return x * y })
		})
	case "$subtract":
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			return modelArithmetic(v[0], v[1], func(x, y *big.Int) *big.Int { return new(big.Int).Sub(x, y) }, func(x, y float64) float64 { return x - y })
		})
	default:
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			_, f, kind := modelNumber(v[1])
			if _, _, first := modelNumber(v[0]); kind != 0 && first != 0 && f == 0 {
				return nil, false
			}
			if name == "$mod" {
				return modelArithmetic(v[0], v[1], func(x, y *big.Int) *big.Int { return new(big.Int).Rem(x, y) }, math.Mod)
			}
			quotient, ok := modelArithmetic(v[0], v[1], func(_, _ *big.Int) *big.Int { return big.NewInt(0) }, func(_, _ float64) float64 { return 0 })
			if !ok || quotient == nil {
				return nil, ok
			}
			_, g, _ := modelNumber(v[0])
			return g / f, true
		})
	}
}

func (m modelMaker) comparison(depth int, scope int) modelExpression {
	switch name := m.one("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cmp", "$and", "$or", "$cond", "$ifNull"); name {
	case "$and", "$or", "$cond", "$ifNull":
		a, b, c := m.expression(depth-1, scope), m.expression(depth-1, scope), m.expression(depth-1, scope)
		return modelExpression{fmt.Sprintf(`{%q:[%s,%s,%s]}`, name, a.text, b.text, c.text), func(env modelEnv) (any, bool) {
			v, ok := a.eval(env)
			switch {
			case !ok:
				return nil, false
			case name == "$cond" && modelTruth(v):
				return b.eval(env)
			case name == "$cond":
				return c.eval(env)
			case name == "$ifNull" && !nothing(v):
				return v, true
			case name != "$ifNull" && modelTruth(v) == (name == "$or"):
				return name == "$or", true
			}
			if v, ok = b.eval(env); !ok || name == "$ifNull" && !nothing(v) {
				return v, ok
			}
			if name != "$ifNull" && modelTruth(v) == (name == "$or") {
				return name == "$or", true
			}
			v, ok = c.eval(env)
			if name == "$ifNull" || !ok {
				return v, ok
			}
			return modelTruth(v), true
		}}
	default:
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			c := modelCompare(v[0], v[1])
			if name == "$cmp" {
				return int32(max(-1, min(1, c))), true
			}
			return map[string]bool{"$eq": c == 0, "$ne": c != 0, "$gt": c > 0, "$gte": c >= 0, "$lt": c < 0, "$lte": c <= 0}[name], true
		})
	}
}

// array is an operator on one array.
func (m modelMaker) array(depth int, scope int) modelExpression {
	name := m.one("$size", "$first", "$last", "$reverseArray", "$isArray", "$sortArray", "$min", "$max")
	x := m.expression(depth-1, scope)
	if m.IntN(2) == 0 {
		x = m.list(depth-1, scope)
	}
	text := fmt.Sprintf(`{%q:[%s]}`, name, x.text)
	if name == "$sortArray" {
		text = fmt.Sprintf(`{"$sortArray":{"input":%s,"sortBy":-1}}`, x.text)
	}
	return modelExpression{text, func(env modelEnv) (any, bool) {
		v, ok := x.eval(env)
		list, isArray := v.([]any)
		switch {
		case !ok:
			return nil, false
		case name == "$isArray":
			return isArray, true
		case name == "$min" || name == "$max":
			if !isArray {
				list = []any{v}
			}
			var best any
			for _, e := range list {
				if !nothing(e) && (best == nil || (modelCompare(e, best) < 0) == (name == "$min") && modelCompare(e, best) != 0) {
					best = e
				}
			}
			return best, true
		case nothing(v) && name != "$size":
			return nil, true
		case !isArray:
			return nil, false
		case name == "$size":
			return int32(len(list)), true
		case (name == "$first" || name == "$last") && len(list) == 0:
			return modelMissing{}, true
		case name == "$first":
			return list[0], true
		case name == "$last":
			return list[len(list)-1], true
		}
		list = slices.Clone(list)
		if name == "$reverseArray" {
			slices.Reverse(list)
		} else {
			slices.SortStableFunc(list, func(a, b any) int { return modelCompare(b, a) })
		}
		return list, true
	}}
}

// list makes an array, or looks into one with a number.
func (m modelMaker) list(depth int, scope int) modelExpression {
	switch name := m.one("", "$concatArrays", "$in", "$arrayElemAt", "$indexOfArray", "$slice"); name {
	case "":
		text, values := m.operands(m.IntN(4), depth, scope)
		return modelExpression{text, func(env modelEnv) (any, bool) {
			v, ok := values(env)
			for i, e := range v {
				if nothing(e) {
					v[i] = nil
				}
			}
			return v, ok
		}}
	case "$concatArrays":
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			all := []any{}
			for _, x := range v {
				list, isArray := x.([]any)
				if !isArray {
					return nil, nothing(x)
				}
				all = append(all, list...)
			}
			return all, true
		})
	case "$in":
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			list, isArray := v[1].([]any)
			return slices.ContainsFunc(list, func(e any) bool { return modelCompare(e, v[0]) == 0 }), isArray
		})
	default:
		return m.strict(name, 2, depth, scope, func(v []any) (any, bool) {
			list, isArray := v[0].([]any)
			if nothing(v[0]) || name != "$indexOfArray" && nothing(v[1]) {
				return nil, true
			}
			if !isArray {
				return nil, false
			}
			if name == "$indexOfArray" {
				return int32(slices.IndexFunc(list, func(e any) bool { return modelCompare(e, v[1]) == 0 })), true
			}
			_, f, kind := modelNumber(v[1])
			if kind == 0 || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 && f != math.MinInt32 {
				return nil, false
			}
			i := int(f)
			if name == "$arrayElemAt" {
				if i < 0 {
					i += len(list)
				}
				if i < 0 || i >= len(list) {
					return modelMissing{}, true
				}
				return list[i], true
			}
			if i < 0 {
				return list[max(0, len(list)+i):], true
			}
			return list[:min(i, len(list))], true
		})
	}
}

// loop is $map, $filter or $reduce.
func (m modelMaker) loop(depth int, scope int) modelExpression {
	name := m.one("$map", "$filter", "$reduce")
	input := m.list(depth-1, scope)
	body := m.expression(depth-1, map[bool]int{false: max(scope, 1), true: 2}[name == "$reduce"])
	initial := m.expression(depth-1, scope)
	text := map[string]string{"$map": `{"$map":{"input":%s,"in":%s}}`, "$filter": `{"$filter":{"input":%s,"cond":%s}}`,
		"$reduce": `{"$reduce":{"input":%s,"in":%s,"initialValue":` + strings.ReplaceAll(initial.text, "%", "%%") + `}}`}[name]
	return modelExpression{fmt.Sprintf(text, input.text, body.text), func(env modelEnv) (any, bool) {
		v, ok := input.eval(env)
		list, isArray := v.([]any)
		if !ok || !isArray {
			return nil, ok && nothing(v)
		}
		made, acc := []any{}, any(nil)
		if name == "$reduce" {
			if acc, ok = initial.eval(env); !ok {
				return nil, false
			}
		}
		for _, e := range list {
			inner := modelEnv{env.document, e, env.acc}
			if name == "$reduce" {
				inner.acc = acc
			}
			v, ok := body.eval(inner)
			switch {
			case !ok:
				return nil, false
			case name == "$reduce":
				acc = v
			case name == "$map" && nothing(v):
				made = append(made, nil)
			case name == "$map":
				made = append(made, v)
			case modelTruth(v):
				made = append(made, e)
			}
		}
		if name == "$reduce" {
			return acc, true
		}
		return made, true
	}}
}

// modelValue is a value of the package as a value of the model.
func modelValue(v Value) any {
	switch v.Kind() {
	case KindMissing:
		return modelMissing{}
	case KindBool:
		return v.Bool()
	case KindInt32:
		return int32(v.Int64())
	case KindInt64:
		return v.Int64()
	case KindDouble:
		return v.Float64()
	case KindString:
		return string(v.Bytes())
	case KindArray:
		list := []any{}
		for e := v.First(); e.Exists(); e = e.Next() {
			list = append(list, modelValue(e))
		}
		return list
	}
	return nil
}

// TestExpressionsAgreeWithModel evaluates random expressions with the package and with the model.
func TestExpressionsAgreeWithModel(t *testing.T) {
	r := newSeed(t)
	m := modelMaker{r}
	d := testDocument(t, `{"a":[3,1,2.5,null],"b":2,"c":"x"}`)
	document := map[string]any{"a": []any{int64(3), int64(1), 2.5, nil}, "b": int64(2), "c": "x"}
	values, bad := map[string]int{}, 0
	for range 40_000 {
		made := m.expression(1+m.IntN(4), 0)
		want, ok := made.eval(modelEnv{document: document})
		v, err := expressionOf(t, made.text).eval(d.Root())
		if (err == nil) != ok {
			t.Fatalf("%s: got %v, want %v (%t)", made.text, err, want, ok)
		}
		if !ok {
			bad++
			continue
		}
		got := modelValue(v)
		values[v.Kind().String()]++
		if !reflect.DeepEqual(got, want) && fmt.Sprintf("%T%v", got, got) != fmt.Sprintf("%T%v", want, want) { // NaN is like itself
			t.Fatalf("%s: got %T %v, want %T %v", made.text, got, got, want, want)
		}
	}
	for _, kind := range []string{"int", "long", "double", "bool", "array", "null", "missing", "string"} {
		if values[kind] < 100 {
			t.Errorf("only %d of the values were of kind %s: the test says little (%v, %d errors)", values[kind], kind, values, bad)
		}
	}
}
