package differential

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/matcher"
	"golang.org/x/text/unicode/norm"
)

// alphabets are characters by what they mean to a collation: those between each two of a pair.
var alphabets = map[string][]rune{
	"ascii": {' ', '~'}, "letters": {'a', 'z', 'A', 'Z'}, "digits": {'0', '9', 0x660, 0x669, 0x966, 0x96F}, "punctuation": {'!', '/', 0x2010, 0x2027}, "latin": {0xA0, 0x17F}, "french": {0xC0, 0xC5, 0xC7, 0xCF, 0xD1, 0xD6, 0xD9, 0xDC, 0xE0, 0xE5, 0xE7, 0xEF, 0xF1, 0xF6, 0xF9, 0xFC},
	"marks": {0x300, 0x304, 0x306, 0x30C, 0x323, 0x323, 0x327, 0x328}, "vietnamese": {0x1EA0, 0x1EF9}, "greek": {0x386, 0x386, 0x388, 0x3CE}, "cyrillic": {0x400, 0x4FF},
	"hebrew": {0x5D0, 0x5EA}, "arabic": {0x621, 0x64A, 0x67E, 0x67E, 0x686, 0x686, 0x698, 0x698, 0x6A9, 0x6A9, 0x6AF, 0x6AF, 0x6CC, 0x6CC}, "devanagari": {0x905, 0x939, 0x93E, 0x94D},
	"georgian": {0x10D0, 0x10F0}, "thai": {0xE01, 0xE3A, 0xE40, 0xE4E}, "hangul": {0xAC00, 0xAC40, 0xD55C, 0xD5A0}, "kana": {0x3041, 0x3094, 0x30A1, 0x30FA},
	"han": {0x4E00, 0x4E0E, 0x5317, 0x5317, 0x4EAC, 0x4EAC, 0x6C34, 0x6C34}, "emoji": {0x1F600, 0x1F610, 0x2600, 0x2620}, "odd": {1, 0x1F, 0xAD, 0xAD, 0xFFFD, 0xFFFD},
	"new": {0x1F910, 0x1F918, 0x1AB0, 0x1ABE, 0x20BB, 0x20BE}, // newer than the tables
}

// ownAlphabets are those of the languages that are not written in the first letters of Latin alone.
var ownAlphabets = map[string]string{
	"be": "cyrillic", "bg": "cyrillic", "el": "greek", "fa": "arabic", "he": "hebrew", "hi": "devanagari", "ka": "georgian", "ko": "hangul", "mk": "cyrillic",
	"mn": "cyrillic", "ne": "devanagari", "ru": "cyrillic", "sr": "cyrillic", "th": "thai", "uk": "cyrillic", "vi": "vietnamese", "zh": "han",
}

// collationCase is a collation and the alphabets of its strings.
type collationCase struct {
	generator
	foreign                                                                         bool // other alphabets than the language's too
	locale, strength, caseLevel, caseFirst, numeric, alternate, backwards, variable string
	alphabets                                                                       []string
}

func newCollationCase(g generator, locale string) collationCase {
	c := collationCase{
		generator: g, locale: locale, strength: pick(g, "1", "2", "3", "3", "4", "5"), caseLevel: "false", caseFirst: "off",
		numeric: pick(g, "false", "false", "true"), alternate: pick(g, "-", "shifted", "non-ignorable"), backwards: pick(g, "-", "-", "true", "false"), variable: "punct",
		alphabets: []string{"ascii", "letters", "digits", "punctuation", "latin", "marks"},
	}
	language, _, _ := strings.Cut(strings.ReplaceAll(locale, "@", "_"), "_")
	if own, ok := ownAlphabets[language]; ok {
		c.alphabets = []string{"ascii", "letters", "digits", "punctuation", own, own, own, own}
	}
	if c.backwards == "true" || locale == "fr_CA" { // for letters that the tables split in two, such as ł, the end is another
		c.alphabets = []string{"ascii", "letters", "digits", "punctuation", "french", "french"}
	}
	if g.IntN(4) == 0 {
		c.foreign, c.alphabets = true, slices.Sorted(maps.Keys(alphabets))
	}
	return c
}

func (c collationCase) collation() object {
	o := object{{"locale", c.locale}, {"strength", int(c.strength[0] - '0')}, {"caseLevel", c.caseLevel == "true"}, {"numericOrdering", c.numeric == "true"}, {"maxVariable", c.variable}}
	if c.caseFirst != "-" {
		o = append(o, field{"caseFirst", c.caseFirst})
	}
	if c.alternate != "-" {
		o = append(o, field{"alternate", c.alternate})
	}
	if c.backwards != "-" {
		o = append(o, field{"backwards", c.backwards == "true"})
	}
	return o
}

func (c collationCase) rune() rune {
	ranges := alphabets[c.alphabets[c.IntN(len(c.alphabets))]]
	i := c.IntN(len(ranges)/2) * 2
	return ranges[i] + rune(c.IntN(int(ranges[i+1]-ranges[i])+1))
}

func (c collationCase) text() string {
	var b strings.Builder
	length := c.IntN(7)
	if c.IntN(20) == 0 {
		length = 40
	}
	for range length {
		b.WriteRune(c.rune())
	}
	return pick(c.generator, norm.NFC, norm.NFD).String(b.String())
}

// near is a string that differs from another in little.
func (c collationCase) near(text string) string {
	runes := []rune(text)
	if len(runes) == 0 {
		return c.text()
	}
	i := c.IntN(len(runes))
	switch c.IntN(6) {
	case 0:
		return strings.ToUpper(text)
	case 1:
		runes[i] = []rune(strings.ToLower(string(runes[i])))[0]
	case 2:
		runes[i] = c.rune()
	case 3:
		runes[i] = []rune(norm.NFD.String(string(runes[i])))[0]
	case 4:
		return string(runes[:i]) + string(c.rune()) + string(runes[i:])
	case 5:
		return string(runes[:i]) + string(runes[i+1:])
	}
	return string(runes)
}

// manyMarks are more marks on a letter than a language has, among which the tables do not find the one that makes another
// letter of it.
var manyMarks = regexp.MustCompile(`\p{M}{3}`)

func (c collationCase) pair() (a, b string) {
	a = c.text()
	return a, pick(c.generator, c.near(a), c.near(a), c.text())
}

// pairsOfCase is how many pairs of strings are compared under one collation.
const pairsOfCase = 60

// ours compares pairs as Freshet does, by sort keys; equality of a filter must say the same.
func (c collationCase) ours(t *testing.T, texts []string) string {
	collation := text(c.collation())
	order, err := matcher.Compile(matcher.QuerySpec{Sort: []byte(`{"s":1}`), Collation: collation}, matcher.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", collation, err)
	}
	var keys [][]byte
	var documents []*matcher.Document
	for _, s := range texts {
		d, err := matcher.Parse(text(object{{"_id", "d"}, {"s", s}}), matcher.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		keys, documents = append(keys, order.AppendSortKey(nil, d)), append(documents, d)
	}
	var signs strings.Builder
	for i := 0; i < len(keys); i += 2 {
		sign := bytes.Compare(keys[i], keys[i+1])
		signs.WriteByte("<=>"[1+sign])
		equal, err := matcher.Compile(matcher.QuerySpec{Filter: text(object{{"s", texts[i]}}), Collation: collation}, matcher.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if equal.Match(documents[i+1]) != (sign == 0) {
			t.Errorf("%s: %+q equals %+q is %v, their sort keys compare %d", collation, texts[i], texts[i+1], sign != 0, sign)
		}
	}
	return signs.String()
}

func (c collationCase) line(texts []string) []byte {
	fields := []string{c.locale, c.strength, c.caseLevel, c.caseFirst, c.numeric, c.alternate, c.backwards, c.variable}
	for _, s := range texts {
		fields = append(fields, hex.EncodeToString([]byte(s)))
	}
	return []byte(strings.Join(fields, "\t") + "\n")
}

// locales are those that Freshet has, as it says itself.
func locales(t *testing.T) []string {
	_, err := matcher.Compile(matcher.QuerySpec{Collation: []byte(`{"locale":"?"}`)}, matcher.Limits{})
	_, list, found := strings.Cut(fmt.Sprint(err), "known ones are simple, ")
	if !found {
		t.Fatalf("no list of locales in: %v", err)
	}
	return regexp.MustCompile(`[\w@=]+`).FindAllString(list, -1)
}

const (
	// MaxContradictions is on how many pairs in ten thousand ICU's comparison and its sort keys may disagree: a comparison
	// leaves out what both strings begin with, though what follows can depend on it. Freshet agrees with one of them.
	MaxContradictions = 20
	// MaxForeign is how many pairs in a hundred may compare otherwise where characters are foreign to the language, or newer
	// than the tables that Freshet has. MaxForeignEqual is of how many in ten thousand only one side says that they are equal.
	MaxForeign, MaxForeignEqual = 10, 30
)

// tally counts pairs.
type tally struct{ pairs, equal, contradictions, equality, order int }

// TestICU compares pairs of strings under all locales with ICU, of the version that MongoDB has. Nothing may differ where
// the strings are in the alphabet of the language; elsewhere little. Invariant 4.
func TestICU(t *testing.T) {
	installed(t, "java", filepath.Join("icu", "target", "classes", "Comparer.class"))
	classes := filepath.Join("target", "classes") + string(filepath.ListSeparator) + filepath.Join("target", "lib", "*")
	p := startPeer(t, "icu", "java", "-cp", classes, "Comparer")
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("repeat with -seed %d", seed)
	g := generator{Rand: rand.New(rand.NewPCG(seed, 2))}
	names := locales(t)
	own, foreign := new(tally), new(tally)
	for round := 0; own.pairs+foreign.pairs < *comparisonsFlag || round < len(names); round++ {
		c, into := newCollationCase(g, names[round%len(names)]), own
		if c.foreign {
			into = foreign
		}
		c.compare(t, p, into)
	}
	t.Logf("%d locales; in their own alphabets %+v, in others too %+v", len(names), *own, *foreign)
	all := own.pairs + foreign.pairs
	if contradictions := own.contradictions + foreign.contradictions; contradictions*10_000 > all*MaxContradictions {
		t.Errorf("ICU contradicts itself on %d of %d pairs, more than %d in 10,000: is it asked the right thing?", contradictions, all, MaxContradictions)
	}
	if foreign.order*100 > foreign.pairs*MaxForeign || foreign.equality*10_000 > foreign.pairs*MaxForeignEqual {
		t.Errorf("of %d pairs of other alphabets %d are ordered otherwise and %d are equal on one side only", foreign.pairs, foreign.order, foreign.equality)
	}
}

// compare asks both sides about pairs of strings.
func (c collationCase) compare(t *testing.T, p *peer, into *tally) {
	t.Helper()
	var texts []string
	for range pairsOfCase {
		a, b := c.pair()
		for !c.foreign && manyMarks.MatchString(norm.NFD.String(a+" "+b)) {
			a, b = c.pair()
		}
		texts = append(texts, a, b)
	}
	line, err := p.exchange(c.line(texts))
	if err != nil {
		t.Fatal(err)
	}
	want, got := strings.TrimSpace(string(line)), c.ours(t, texts)
	if len(want) != 2*pairsOfCase {
		t.Fatalf("%d answers to %d pairs", len(want)/2, pairsOfCase)
	}
	for i := range got {
		byComparison, byKeys := want[2*i], want[2*i+1]
		into.pairs++
		switch {
		case byComparison != byKeys:
			into.contradictions++
		case byKeys == '=':
			into.equal++
		}
		if got[i] == byComparison || got[i] == byKeys {
			continue
		}
		if (got[i] == '=') != (byKeys == '=') {
			into.equality++
		} else {
			into.order++
		}
		if !c.foreign && into.equality+into.order <= 10 {
			t.Errorf("%s: %+q %c %+q, ICU says %c", text(c.collation()), texts[2*i], got[i], texts[2*i+1], byKeys)
		}
	}
}
