package matcher

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// valueModel is a naive value: what the tests compare the tape with.
type valueModel struct {
	kind     Kind
	rational *big.Rat // of a finite number
	special  int      // of another one: -2 NaN, -1 -Infinity, 1 Infinity
	bytes    []byte
	extra    []byte // subtype, options
	integer  int64
	names    []string
	children []*valueModel
}

// compareModels is Compare, written down as the MongoDB manual says it, without a thought for speed.
func compareModels(a, b *valueModel) int {
	rank := func(k Kind) int {
		order := [][]Kind{{KindMinKey}, {KindNull, KindMissing}, {KindInt32, KindInt64, KindDouble, KindDecimal}, {KindString},
			{KindObject}, {KindArray}, {KindBinary}, {KindObjectID}, {KindBool}, {KindDate}, {KindTimestamp}, {KindRegex}, {KindMaxKey}}
		for i, kinds := range order {
			for _, kind := range kinds {
				if kind == k {
					return i
				}
			}
		}
		panic("unknown kind")
	}
	if c := cmp.Compare(rank(a.kind), rank(b.kind)); c != 0 {
		return c
	}
	switch a.kind {
	case KindInt32, KindInt64, KindDouble, KindDecimal:
		if a.special == 0 && b.special == 0 {
			return a.rational.Cmp(b.rational)
		}
		return cmp.Compare(a.special, b.special) // a finite number stands between the infinities
	case KindObject, KindArray:
		for i := range min(len(a.children), len(b.children)) {
			x, y := a.children[i], b.children[i]
			if a.kind == KindObject {
				if c := cmp.Or(cmp.Compare(rank(x.kind), rank(y.kind)), strings.Compare(a.names[i], b.names[i])); c != 0 {
					return c
				}
			}
			if c := compareModels(x, y); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(a.children), len(b.children))
	case KindBinary:
		return cmp.Or(cmp.Compare(len(a.bytes), len(b.bytes)), bytes.Compare(a.extra, b.extra), bytes.Compare(a.bytes, b.bytes))
	case KindTimestamp:
		return cmp.Compare(uint64(a.integer), uint64(b.integer))
	}
	return cmp.Or(bytes.Compare(a.bytes, b.bytes), bytes.Compare(a.extra, b.extra), cmp.Compare(a.integer, b.integer))
}

// rationalOf is the exact value of a decimal text.
func rationalOf(text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("no number: " + text)
	}
	return r
}

var (
	modelIntegers = []int64{0, 1, -1, 2, 5, 10, 1 << 53, 1<<53 + 1, 1<<53 - 1, -(1 << 53) - 1, math.MaxInt64, math.MinInt64,
		math.MaxInt64 - 1, 1 << 62, 9007199254740993, 1e18}
	modelDoubles = []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1.1, 0.5, 1 << 53, 1<<53 + 2, 1 << 63, -(1 << 63), 1e18, 1e300, -1e300,
		math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 5e-7, 123456.789}
	modelDecimals = []string{"0", "-0", "0.00", "1", "1.0", "1.10", "1.1", "0.1", "-0.1", "9007199254740993", "9007199254740992.5", "1E+400", "-1E+400",
		"1E-400", "-1E-400", "1E+6144", "9.999999999999999999999999999999999E+6144", "1E-6176", "9223372036854775807", "9223372036854775808",
		"-9223372036854775808.5", "1234567890123456789012345678901234", "0.1000000000000000055511151231257827", "Infinity", "-Infinity", "NaN", "5E-7", "1E+18"}
	modelStrings = []string{"", "a", "b", "ab", "a\x00", "a\x00b", "a\x01", "ä", "日本", "\U0001F600", "a\"b\\c\n", "$gt", "z", "\u2028<>&", "12345678", "1234567é90", "\x7f"}
	modelNames   = []string{"a", "b", "c", "ab", "", "ä", "a.b", "$set", "_id", "quo\"te", "\n", "longer name of a field", "0", "1"}
)

// randomModel makes a value and its Extended JSON, canonical or relaxed as it comes.
func randomModel(r *rand.Rand, depth int) (string, *valueModel) {
	pick := r.IntN(17)
	if depth <= 0 && (pick == 1 || pick == 2) {
		pick = 3
	}
	switch pick {
	case 1:
		return randomObjectModel(r, depth)
	case 2:
		m := &valueModel{kind: KindArray}
		var parts []string
		for range r.IntN(4) {
			text, child := randomModel(r, depth-1)
			parts, m.children = append(parts, text), append(m.children, child)
		}
		return "[" + strings.Join(parts, ",") + "]", m
	case 3, 4:
		s := modelStrings[r.IntN(len(modelStrings))]
		return randomlyQuoted(r, s), &valueModel{kind: KindString, bytes: []byte(s)}
	case 5:
		return "null", &valueModel{kind: KindNull}
	case 6:
		b := r.IntN(2)
		return strconv.FormatBool(b == 1), &valueModel{kind: KindBool, integer: int64(b)}
	case 7:
		id := make([]byte, 12)
		id[0], id[11] = byte(r.IntN(3)), byte(r.IntN(3))*100
		return fmt.Sprintf(`{"$oid":"%x"}`, id), &valueModel{kind: KindObjectID, bytes: id}
	case 8:
		ms := []int64{0, 1, 1767225600000, 1767225600123, -1, -62135596800000, maxDate, maxDate + 1, math.MinInt64, r.Int64()}[r.IntN(10)]
		if isRelaxedDate(ms) && r.IntN(2) == 0 {
			return fmt.Sprintf(`{"$date":%q}`, appendDate(nil, ms)), &valueModel{kind: KindDate, integer: ms}
		}
		return fmt.Sprintf(`{"$date":{"$numberLong":"%d"}}`, ms), &valueModel{kind: KindDate, integer: ms}
	case 9:
		b, subtype := make([]byte, r.IntN(4)), byte(r.IntN(3)*4)
		for i := range b {
			b[i] = byte(r.IntN(3) * 127)
		}
		return fmt.Sprintf(`{"$binary":{"base64":%q,"subType":"%02x"}}`, base64.StdEncoding.EncodeToString(b), subtype),
			&valueModel{kind: KindBinary, bytes: b, extra: []byte{subtype}}
	case 10:
		t, i := uint32(r.IntN(3))<<30, uint32(r.IntN(3))
		return fmt.Sprintf(`{"$timestamp":{"t":%d,"i":%d}}`, t, i), &valueModel{kind: KindTimestamp, integer: int64(uint64(t)<<32 | uint64(i))}
	case 11:
		pattern, options := []string{"", "a", "a\x00", "^b.*"}[r.IntN(4)], []string{"", "i", "im", "s"}[r.IntN(4)]
		return fmt.Sprintf(`{"$regularExpression":{"options":%q,"pattern":%s}}`, options, AppendString(nil, []byte(pattern))),
			&valueModel{kind: KindRegex, bytes: []byte(pattern), extra: []byte(options)}
	case 12:
		if r.IntN(2) == 0 {
			return `{"$minKey":1}`, &valueModel{kind: KindMinKey}
		}
		return `{"$maxKey":1}`, &valueModel{kind: KindMaxKey}
	}
	return randomNumberModel(r)
}

func randomObjectModel(r *rand.Rand, depth int) (string, *valueModel) {
	m := &valueModel{kind: KindObject}
	var parts []string
	for _, i := range r.Perm(len(modelNames))[:r.IntN(4)] {
		text, child := randomModel(r, depth-1)
		parts = append(parts, randomlyQuoted(r, modelNames[i])+":"+text)
		m.names, m.children = append(m.names, modelNames[i]), append(m.children, child)
	}
	return "{" + strings.Join(parts, ",") + "}", m
}

func randomNumberModel(r *rand.Rand) (string, *valueModel) {
	integer := modelIntegers[r.IntN(len(modelIntegers))] + int64(r.IntN(3)-1)
	if r.IntN(4) == 0 {
		integer = int64(r.Uint64())
	}
	switch r.IntN(4) {
	case 0:
		i := int64(int32(integer))
		return fmt.Sprintf(`{"$numberInt":"%d"}`, i), &valueModel{kind: KindInt32, rational: new(big.Rat).SetInt64(i)}
	case 1:
		text := strconv.FormatInt(integer, 10)
		if r.IntN(2) == 0 {
			text = `{"$numberLong":"` + text + `"}`
		}
		return text, &valueModel{kind: KindInt64, rational: new(big.Rat).SetInt64(integer)}
	case 2:
		f := modelDoubles[r.IntN(len(modelDoubles))]
		switch r.IntN(4) {
		case 0:
			f = float64(integer)
		case 1:
			f = math.Float64frombits(r.Uint64())
		}
		m := &valueModel{kind: KindDouble}
		if special := specialOf(f); special != 0 {
			m.special = special
		} else {
			m.rational = new(big.Rat).SetFloat64(f)
		}
		return `{"$numberDouble":"` + string(appendDouble(nil, f)) + `"}`, m
	}
	text := modelDecimals[r.IntN(len(modelDecimals))]
	switch r.IntN(4) {
	case 0:
		text = strconv.FormatInt(integer, 10)
	case 1:
		text = strconv.FormatFloat(modelDoubles[r.IntN(17)], 'e', 20, 64)
	}
	m := &valueModel{kind: KindDecimal}
	if special := map[string]int{"NaN": -2, "-Infinity": -1, "Infinity": 1}[text]; special != 0 {
		m.special = special
	} else {
		m.rational = rationalOf(text)
	}
	return `{"$numberDecimal":"` + text + `"}`, m
}

func specialOf(f float64) int {
	switch {
	case math.IsNaN(f):
		return -2
	case math.IsInf(f, -1):
		return -1
	case math.IsInf(f, 1):
		return 1
	}
	return 0
}

// randomlyQuoted writes a string with or without escapes that need not be.
func randomlyQuoted(r *rand.Rand, s string) string {
	if r.IntN(3) > 0 || len(s) == 0 || s[0] >= 0x80 {
		return string(AppendString(nil, []byte(s)))
	}
	return fmt.Sprintf(`"\u%04x%s`, s[0], AppendString(nil, []byte(s[1:]))[1:])
}

// checkModel reports where a value differs from its model.
func checkModel(t *testing.T, v Value, m *valueModel) {
	t.Helper()
	if v.Kind() != m.kind {
		t.Fatalf("%s is %v, want %v", v.Raw(), v.Kind(), m.kind)
	}
	switch m.kind {
	case KindObject, KindArray:
		if v.Len() != len(m.children) {
			t.Fatalf("%s has %d children, want %d", v.Raw(), v.Len(), len(m.children))
		}
		c := v.First()
		for i, child := range m.children {
			if m.kind == KindObject {
				if string(c.Name()) != m.names[i] {
					t.Fatalf("%s: name %d is %q, want %q", v.Raw(), i, c.Name(), m.names[i])
				}
				checkModel(t, v.Field(m.names[i]), child)
			} else {
				checkModel(t, v.Index(i), child)
			}
			checkModel(t, c, child)
			c = c.Next()
		}
		if c.Exists() {
			t.Fatalf("%s: iteration does not end", v.Raw())
		}
	case KindInt32, KindInt64:
		if got := new(big.Rat).SetInt64(v.Int64()); got.Cmp(m.rational) != 0 {
			t.Fatalf("%s is %v, want %v", v.Raw(), got, m.rational)
		}
	case KindDouble, KindDecimal:
		if got := specialOf(v.Float64()); m.rational == nil && got != m.special {
			t.Fatalf("%s is %v, want special %d", v.Raw(), v.Float64(), m.special)
		}
		if m.rational != nil {
			if want, _ := m.rational.Float64(); v.Float64() != want {
				t.Fatalf("%s is %v, want %v", v.Raw(), v.Float64(), want)
			}
		}
	case KindBool:
		if v.Bool() != (m.integer == 1) {
			t.Fatalf("%s is %v", v.Raw(), v.Bool())
		}
	case KindDate, KindTimestamp:
		if v.Int64() != m.integer {
			t.Fatalf("%s is %d, want %d", v.Raw(), v.Int64(), m.integer)
		}
	default:
		if !bytes.Equal(v.Bytes(), m.bytes) {
			t.Fatalf("%s is %q, want %q", v.Raw(), v.Bytes(), m.bytes)
		}
		if m.kind == KindRegex && !bytes.Equal(v.Options(), m.extra) || m.kind == KindBinary && v.Subtype() != m.extra[0] {
			t.Fatalf("%s has options %q, subtype %d, want %v", v.Raw(), v.Options(), v.Subtype(), m.extra)
		}
	}
}

// newSeed makes a seed that the test prints if it fails.
func newSeed(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

func mustParseValue(t testing.TB, text string) Value {
	t.Helper()
	d, err := ParseValue([]byte(text), Limits{})
	if err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return d.Root()
}
