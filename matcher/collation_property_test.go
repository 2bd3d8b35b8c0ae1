package matcher

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// collationMaker makes random collations and strings, from few characters that mean something to a collation.
type collationMaker struct{ *rand.Rand }

var collationParts = []string{"a", "A", "b", "c", "h", "C", "d", "z", "s", "y", "l", "j", "e", "é", "E", "ä", "a\u0308", "å", "Ö", "ø", "æ", "ñ", "ß", "č", "ǆ", "ı", "İ", "ł", "aa", "ch",
	" ", "-", "_", ".", "$", "'", "–", "\u00ad", "\u0001", "0", "1", "2", "9", "10", "007", "٣", "３", "½", "²", "\u0301", "\u0323", "\u030a", "α", "ά", "Σ", "ς", "б", "й", "Ё", "и", "א", "ب", "क", "কা", "ไก",
	"가", "각", "か", "ガ", "一", "𠀀", "ﬁ", "ａ", "😀", "\ufffd"}

func (m collationMaker) text() string {
	var b strings.Builder
	for range m.IntN(6) {
		b.WriteString(collationParts[m.IntN(len(collationParts))])
	}
	return b.String()
}

func (m collationMaker) options() collationOptions {
	locales := slices.Sorted(maps.Keys(collationLocales))
	o := collationOptions{locale: locales[m.IntN(len(locales))], strength: 1 + m.IntN(5), numeric: m.IntN(3) == 0, shifted: m.IntN(3) == 0, backwards: m.IntN(4) == 0}
	return o
}

// tableKey is the key without any shortcut.
func tableKey(c *collation, s string) []byte {
	w := newWeigher(c.alphabet)
	w.weigh(c, []byte(s))
	return w.appendTo(nil, c)
}

// TestCollationKeys holds the shortcuts against the keys of the tables: the order, and whether a key can end another.
func TestCollationKeys(t *testing.T) {
	rounds := 60
	if raceEnabled {
		rounds = 10
	}
	for seed := range uint64(rounds) {
		m := collationMaker{rand.New(rand.NewPCG(seed, 31))}
		c := newCollation(m.options())
		texts, keys := make([]string, 60), make([][]byte, 60)
		for i := range texts {
			texts[i] = m.text()
			keys[i] = tableKey(c, texts[i])
			for range 2 { // not known to the memo, and known
				if got := c.appendKey(nil, []byte(texts[i])); !bytes.Equal(got, keys[i]) {
					t.Fatalf("seed %d, %s: the key of %+q is %x, by the tables %x", seed, c.text, texts[i], got, keys[i])
				}
			}
			if composed := norm.NFC.String(texts[i]); !bytes.Equal(c.appendKey(nil, []byte(composed)), keys[i]) {
				t.Fatalf("seed %d, %s: %+q and %+q are not equal", seed, c.text, texts[i], composed)
			}
		}
		for i, a := range texts {
			for j, b := range texts {
				want := bytes.Compare(keys[i], keys[j])
				if got := c.compareStrings([]byte(a), []byte(b)); got != want {
					t.Fatalf("seed %d, %s: %+q to %+q is %d, by keys %d", seed, c.text, a, b, got, want)
				}
				if got := c.compareKnown([]byte(a), c.known([]byte(b))); got != want {
					t.Fatalf("seed %d, %s: %+q to the known %+q is %d, by keys %d", seed, c.text, a, b, got, want)
				}
				if want != 0 && bytes.HasPrefix(keys[i], keys[j]) {
					t.Fatalf("seed %d, %s: the key of %+q begins with that of %+q", seed, c.text, a, b)
				}
			}
		}
	}
}

// reference is what the tables' package is asked for if it is to compare.
func reference(o collationOptions) language.Tag {
	t, err := language.MustParse(collationLocales[o.locale].tables).SetTypeForKey("ks", "level"+strconv.Itoa(o.strength))
	if err != nil {
		panic(err)
	}
	return t
}

// TestCollationAgainstCompare holds keys against the comparison of the tables' package, which goes another way: weight by
// weight. It has no numbers, no punctuation that is shifted and one order of scripts.
func TestCollationAgainstCompare(t *testing.T) {
	for seed := range uint64(40) {
		m := collationMaker{rand.New(rand.NewPCG(seed, 32))}
		o := m.options()
		if o.strength > 3 || len(collationLocales[o.locale].first) > 0 || collationLocales[o.locale].han {
			continue
		}
		o.numeric, o.shifted, o.backwards = false, false, false
		c := newCollation(o)
		tables := collate.New(reference(o))
		for range 2000 {
			a, b := m.text(), m.text()
			want := tables.CompareString(norm.NFD.String(a), norm.NFD.String(b))
			if got := c.compareStrings([]byte(a), []byte(b)); got != want {
				t.Fatalf("seed %d, %s: %+q to %+q is %d, want %d", seed, c.text, a, b, got, want)
			}
		}
	}
}

// TestCollationNormalizes holds the normal form against that of the package that has the tables of it.
func TestCollationNormalizes(t *testing.T) {
	m := collationMaker{rand.New(rand.NewPCG(1, 35))}
	marks := []rune("\u0301\u0323\u030a\u0308\u0327\u0345\u05b0\u0f71\u0f72\u3099\u0300\u0344\u0f73")
	for i := range 20_000 {
		s := m.text()
		for range m.IntN(8) {
			s += string(marks[m.IntN(len(marks))])
		}
		s += m.text() + "각힣\U0001d15f\u2126\U0002f800"
		if i%500 == 0 {
			s += strings.Repeat("\u0327\u0301", 40)
		}
		if got := appendNormalForm([]byte("x"), []byte(s)); string(got) != "x"+norm.NFD.String(s) {
			t.Fatalf("round %d: the normal form of %+q is %+q, want %+q", i, s, got[1:], norm.NFD.String(s))
		}
	}
}

// TestCollationNumbers holds numeric ordering against a naive one, on strings of small letters and digits.
func TestCollationNumbers(t *testing.T) {
	c := testCollation(t, `{"locale":"en","numericOrdering":true}`)
	split := func(s string) (parts []any) {
		for len(s) > 0 {
			n := 1
			if s[0] > '9' {
				parts = append(parts, s[:n])
			} else {
				for n < len(s) && s[n] <= '9' {
					n++
				}
				number, err := strconv.Atoi(s[:n])
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, number)
			}
			s = s[n:]
		}
		return parts
	}
	order := func(a, b any) int {
		x, isNumber := a.(int)
		y, otherIsNumber := b.(int)
		switch {
		case isNumber && otherIsNumber:
			return cmp.Compare(x, y)
		case isNumber:
			return -1
		case otherIsNumber:
			return 1
		}
		return strings.Compare(a.(string), b.(string))
	}
	random := rand.New(rand.NewPCG(1, 33))
	text := func() string {
		b := make([]byte, random.IntN(8))
		for i := range b {
			b[i] = "00129abc"[random.IntN(8)]
		}
		return string(b)
	}
	for i := range 20_000 {
		a, b := text(), text()
		want := slices.CompareFunc(split(a), split(b), order)
		if got := c.compareStrings([]byte(a), []byte(b)); got != want {
			t.Fatalf("pair %d: %q to %q is %d, want %d", i, a, b, got, want)
		}
	}
}

// TestCollationTriples looks for three letters in a row that the tables join though they join no two of them: the
// shortcuts for ASCII and the memo would not see such a rule.
func TestCollationTriples(t *testing.T) {
	if raceEnabled {
		t.Skip("too slow with the race detector")
	}
	seen := map[string]bool{}
	for name, rules := range collationLocales {
		if seen[rules.tables] {
			continue
		}
		seen[rules.tables] = true
		c := newCollation(collationOptions{locale: name, strength: 3, shifted: rules.shifted, backwards: rules.backwards})
		w := c.weigher()
		var got, want []byte
		for i := range 26 * 26 * 26 {
			s := []byte{'a' + byte(i/676), 'a' + byte(i/26%26), 'a' + byte(i%26)}
			if c.ascii == nil && !c.memo.weigh(c, w, s) {
				continue
			}
			w.weigh(c, s)
			if got, want = c.appendKey(got[:0], s), w.appendTo(want[:0], c); !bytes.Equal(got, want) {
				t.Errorf("%s joins %q", name, s)
			}
		}
	}
}

// collatedWorld replaces each string of a JSON text, names left out, by the hexadecimal digits of its key in the
// tables: what holds for the texts under the collation must hold for the replaced ones without one.
type collatedWorld struct{ c *collation }

func (w collatedWorld) replace(t *testing.T, text string) string {
	d, err := ParseValue([]byte(text), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return string(w.value(nil, d.Root()))
}

func (w collatedWorld) value(dst []byte, v Value) []byte {
	switch v.Kind() {
	case KindString:
		return append(append(append(dst, '"'), hex.EncodeToString(tableKey(w.c, string(v.Bytes())))...), '"')
	case KindArray, KindObject:
		open, end := byte('['), byte(']')
		if v.Kind() == KindObject {
			open, end = '{', '}'
		}
		dst = append(dst, open)
		for child := v.First(); child.Exists(); child = child.Next() {
			if dst[len(dst)-1] != open {
				dst = append(dst, ',')
			}
			if open == '{' {
				dst = append(AppendString(dst, child.Name()), ':')
			}
			switch name := string(child.Name()); name {
			case "_id", "$regex", "$numberDecimal", "$numberDouble", "$numberInt", "$type":
				dst = AppendValue(dst, child, ValuesCanonical)
			default:
				dst = w.value(dst, child)
			}
		}
		return append(dst, end)
	}
	return AppendValue(dst, v, ValuesCanonical)
}

// wordy puts strings that collate in many ways in the place of the one string that a filterMaker knows.
func (m collationMaker) wordy(text string) string {
	words := []string{"x", "X", "ẍ", "x10", "x9", "Z", "å", "a-a", "aa"}
	for strings.Contains(text, `"x"`) {
		text = strings.Replace(text, `"x"`, strconv.Quote(words[m.IntN(len(words))]), 1)
	}
	return text
}

// TestCollationModel holds filters, sorts, values and their keys under collations against the plain ones on strings that
// were replaced by their keys.
func TestCollationModel(t *testing.T) {
	rounds := uint64(40)
	if raceEnabled {
		rounds = 8
	}
	matched := 0
	for seed := range rounds {
		random := rand.New(rand.NewPCG(seed, 34))
		m, f := collationMaker{random}, filterMaker{random}
		c := newCollation(m.options())
		w := collatedWorld{c}
		collation := []byte(c.text)
		if collationLocales[c.locale].upper {
			collation = []byte(strings.TrimSuffix(c.text, "}") + `,"caseFirst":"off"}`)
		}
		for i := range 40 {
			filter := m.wordy(f.filter(2))
			if strings.Contains(filter, "$regex") {
				continue
			}
			sort := fmt.Sprintf(`{%q:%s}`, f.pick("a", "b", "a.b", "a.a.b"), f.pick("1", "-1"))
			q := compile(t, QuerySpec{Filter: []byte(filter), Sort: []byte(sort), Collation: collation})
			plain := compile(t, QuerySpec{Filter: []byte(w.replace(t, filter)), Sort: []byte(sort)})
			var docs, replaced []*Document
			for range 12 {
				text := m.wordy(f.document())
				docs, replaced = append(docs, testDocument(t, text)), append(replaced, testDocument(t, w.replace(t, text)))
			}
			for j, d := range docs {
				want := plain.Match(replaced[j])
				if got := q.Match(d); got != want {
					t.Fatalf("seed %d, round %d, %s, %s: %s is %v", seed, i, filter, collation, d.Text(), got)
				}
				if want {
					matched++
				}
				for k, other := range docs {
					got := bytes.Compare(q.AppendSortKey(nil, d), q.AppendSortKey(nil, other))
					want := bytes.Compare(plain.AppendSortKey(nil, replaced[j]), plain.AppendSortKey(nil, replaced[k]))
					if got != want {
						t.Fatalf("seed %d, round %d, %s, %s: %s to %s sorts %d, want %d", seed, i, sort, collation, d.Text(), other.Text(), got, want)
					}
					a, b := d.Root().Field("a"), other.Root().Field("a")
					want = Compare(replaced[j].Root().Field("a"), replaced[k].Root().Field("a"))
					if got := c.compare(a, b); got != want || c.equal(a, b) != (want == 0) {
						t.Fatalf("seed %d, %s: %s to %s is %d, equal %v, want %d", seed, collation, a.Raw(), b.Raw(), got, c.equal(a, b), want)
					}
					if got := bytes.Compare(c.appendSortValue(nil, a), c.appendSortValue(nil, b)); got != want {
						t.Fatalf("seed %d, %s: the keys of %s and %s compare %d, want %d", seed, collation, a.Raw(), b.Raw(), got, want)
					}
				}
			}
		}
	}
	if matched < 100 {
		t.Errorf("only %d documents matched: the test says little", matched)
	}
}

func FuzzCollation(f *testing.F) {
	f.Add("straße 10", "STRASSE 9", uint16(0))
	f.Add("a\u0308\u0323", "ä\u0323", uint16(513))
	f.Add("ไก", "กไ", uint16(77))
	locales := slices.Sorted(maps.Keys(collationLocales))
	f.Fuzz(func(t *testing.T, a, b string, options uint16) {
		a, b = strings.ToValidUTF8(a, "\ufffd"), strings.ToValidUTF8(b, "\ufffd")
		n := int(options)
		c := newCollation(collationOptions{locale: locales[(n>>6)%len(locales)], strength: 1 + n%5, numeric: n>>3&1 == 1, shifted: n>>4&1 == 1, backwards: n>>5&1 == 1})
		x, y := tableKey(c, a), tableKey(c, b)
		if !bytes.Equal(c.appendKey(nil, []byte(a)), x) {
			t.Errorf("%s: the key of %+q is %x, by the tables %x", c.text, a, c.appendKey(nil, []byte(a)), x)
		}
		if got, want := c.compareStrings([]byte(a), []byte(b)), bytes.Compare(x, y); got != want {
			t.Errorf("%s: %+q to %+q is %d, by keys %d", c.text, a, b, got, want)
		}
		if !bytes.Equal(x, y) && (bytes.HasPrefix(x, y) || bytes.HasPrefix(y, x)) {
			t.Errorf("%s: one of the keys of %+q and %+q begins with the other", c.text, a, b)
		}
		if composed := norm.NFC.String(a); !bytes.Equal(tableKey(c, composed), x) {
			t.Errorf("%s: %+q and %+q are not equal", c.text, a, composed)
		}
	})
}

func FuzzCollationOptions(f *testing.F) {
	f.Add(`{"locale":"de","strength":2,"numericOrdering":true}`)
	f.Add(`{"locale":"simple"}`)
	f.Add(`{"alternate":"shifted","locale":"th","version":"CLDR 23"}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCollation([]byte(text), Limits{}.WithDefaults())
		if err != nil || c == nil || collationLocales[c.locale].upper {
			return
		}
		again, err := parseCollation([]byte(c.text), Limits{}.WithDefaults())
		if err != nil || again != c {
			t.Errorf("%s has the normal form %s, which is read as %v, %v", text, c.text, again, err)
		}
	})
}
