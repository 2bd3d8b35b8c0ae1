package matcher

import (
	"cmp"
	"slices"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// locale is what is known of the order of one language.
type locale struct {
	tables    string   // BCP 47: the tables that have this order
	first     []string // scripts that stand before all others, by their names in Unicode
	han       bool     // Han characters stand before all scripts but first
	shifted   bool     // unless the query says otherwise
	backwards bool     // unless the query says otherwise
	upper     bool     // capital letters come first, which the tables cannot do
	apart     string   // letters with a mark that are not one letter, as they are in the tables
	respelled []respelling
	joined    string // the Cyrillic letters with a mark that are letters of their own; empty: short I alone
}

// collationLocales are the locales by MongoDB's names. Those are in the list whose letters stand in the tables as they
// stand in today's CLDR: the tables have others too, some of them damaged, as those of nb, which therefore is sorted by
// nn's, which it shares in CLDR, and those of most languages of India, which therefore are not here. What differs in few
// letters is put right by apart, respelled and joined.
var collationLocales = map[string]locale{
	"af": {tables: "af"}, "be": {tables: "be", first: cyrillic, joined: "ЁёЎўЙй"},
	"bg": {tables: "bg", first: cyrillic}, "bs": {tables: "hr", first: latinCyrillic},
	"ca": {tables: "ca"}, "cs": {tables: "cs"}, "cy": {tables: "cy"}, "da": {tables: "da", upper: true, apart: "Ęę"},
	"de": {tables: "de"}, "de@collation=phonebook": {tables: "de-u-co-phonebk"},
	"el": {tables: "el", first: []string{"Greek"}}, "en": {tables: "en"}, "en_US": {tables: "en-US"}, "eo": {tables: "eo"},
	"es": {tables: "es"}, "fa": {tables: "fa", first: []string{"Arabic"}}, "fi": {tables: "fi", respelled: samiLetters},
	"fil": {tables: "fil"}, "fo": {tables: "fo"}, "fr": {tables: "fr"}, "fr_CA": {tables: "fr-CA", backwards: true},
	"ga": {tables: "und"}, "gl": {tables: "es"}, "ha": {tables: "ha"},
	"he": {tables: "he", first: []string{"Hebrew"}}, "hi": {tables: "hi", first: indic("Devanagari")}, "hr": {tables: "hr", first: latinCyrillic},
	"hu": {tables: "hu"}, "id": {tables: "und"}, "ig": {tables: "ig"},
	"is": {tables: "is"}, "it": {tables: "und"}, "ka": {tables: "und", first: []string{"Georgian"}}, "kl": {tables: "kl"},

	"lb": {tables: "und"}, "ko": {tables: "ko", first: []string{"Hangul"}, han: true}, "ln": {tables: "ln"}, "lt": {tables: "lt"},
	"mk": {tables: "mk", first: cyrillic, joined: "ЃѓЌќ"}, "mn": {tables: "und", first: cyrillic},
	"ms": {tables: "und"},
	"nb": {tables: "nn"}, "ne": {tables: "und", first: []string{"Devanagari"}},
	"nl": {tables: "und"}, "nn": {tables: "nn"}, "no": {tables: "nn"}, "om": {tables: "om"},
	"pl": {tables: "pl"}, "pt": {tables: "und"},
	"ro": {tables: "ro"}, "ru": {tables: "ru", first: cyrillic}, "se": {tables: "se"}, "sk": {tables: "sk"},
	"sl": {tables: "sl"}, "sq": {tables: "sq"}, "sr": {tables: "sr", first: cyrillic, joined: noneJoined}, "sr_Latn": {tables: "hr", first: latinCyrillic},
	"sv": {tables: "sv"}, "sw": {tables: "und"},
	"th": {tables: "th", respelled: maitaikhu, first: []string{"Thai"}, shifted: true},
	"to": {tables: "to"}, "tr": {tables: "tr"}, "uk": {tables: "uk", first: cyrillic, joined: "ЇїЙй"}, "vi": {tables: "vi"},
	"yo": {tables: "yo"}, "zh": {tables: "zh", han: true}, "zh_Hant": {tables: "zh-Hant", han: true},
	"zh@collation=stroke": {tables: "zh-u-co-stroke", han: true}, "zu": {tables: "und"},
}

// respelling is a letter that is weighed as another text: what only differs from another letter as an accent does.
type respelling struct {
	letter rune
	text   string
}

// samiLetters are letters of their own in the tables of Finnish, and variants of others in today's. Two strokes stand for
// what they have more, which no text has.
var samiLetters = []respelling{
	{'đ', "d\u0335\u0335"}, {'Đ', "D\u0335\u0335"}, {'ŋ', "n\u0335\u0335"}, {'Ŋ', "N\u0335\u0335"}, {'ŧ', "t\u0335\u0335"}, {'Ŧ', "T\u0335\u0335"},
}

// maitaikhu is a mark of Thai that the tables take for another one, thanthakhat, behind which it stands.
var maitaikhu = []respelling{{'\u0e47', "\u0e4c\u0335\u0335"}}

// noneJoined is for languages in which no Cyrillic letter with a mark is one of its own.
const noneJoined = "-"

// joinedLetters are the letters and marks that locale.joined is about.
func joinedLetters(composed string) [][2]rune {
	switch composed {
	case "":
		composed = "Йй"
	case noneJoined:
		return nil
	}
	return letterPairs(composed)
}

// letterPairs are the letters and marks of composed letters.
func letterPairs(composed string) (pairs [][2]rune) {
	for _, r := range composed {
		parts := []rune(norm.NFD.String(string(r)))
		pairs = append(pairs, [2]rune{parts[0], parts[1]})
	}
	return pairs
}

var (
	cyrillic      = []string{"Cyrillic"}
	latinCyrillic = []string{"Latin", "Cyrillic"}
)

// indicScripts stand together, in this order, before all others where a language is written in one of them.
var indicScripts = []string{"Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala"}

func indic(first string) []string {
	return append([]string{first}, slices.DeleteFunc(slices.Clone(indicScripts), func(s string) bool { return s == first })...)
}

// primaryMove says how far the weights of letters from low to high are moved.
type primaryMove struct {
	low, high uint32
	by        int32
}

// Where the tables' package puts the weights that it computes: those of Han characters without an entry, and those of
// characters that its version of Unicode does not know.
const (
	lastListed   = 0xFFFF // of an alphabet
	firstHan     = 0x14E00
	lastHan      = 0x4FFFF
	firstUnknown = 0x50000
	lastUnknown  = 0x15FFFF
	lastWeight   = 0x1FFFFF
)

// scriptMoves brings the locale's scripts before all others (UTS #35, "Collation Reordering"), which the tables' package
// does not do: their letters get the weights from that of the first letter on, and the letters before them move up.
func scriptMoves(w *weigher, rules locale) []primaryMove {
	if len(rules.first) == 0 && !rules.han {
		return nil
	}
	start := w.firstPrimary("a")
	next := start
	var moves []primaryMove
	for _, script := range rules.first {
		low, high := scriptPrimaries(w, unicode.Scripts[script], start)
		moves = append(moves, primaryMove{low, high, int32(next) - int32(low)})
		next += high - low + 1
	}
	slices.SortFunc(moves, func(a, b primaryMove) int { return cmp.Compare(a.low, b.low) })
	by, last := int32(next-start), uint32(0)
	if rules.han { // all other letters go behind the Han characters, which are many
		by, last = lastWeight+1, lastListed
	}
	from := start
	var others []primaryMove
	for _, m := range moves {
		if from < m.low {
			others = append(others, primaryMove{from, m.low - 1, by})
		}
		if from = m.high + 1; !rules.han {
			by -= int32(m.high - m.low + 1)
		}
	}
	if from < last {
		others = append(others, primaryMove{from, last, by})
	}
	if rules.han {
		others = append(others,
			primaryMove{firstUnknown, lastUnknown, by},
			primaryMove{firstHan, lastHan, lastWeight - lastHan}) // behind those of the tables
	}
	return append(moves, others...)
}

// scriptPrimaries is the range of the weights of a script's letters.
func scriptPrimaries(w *weigher, script *unicode.RangeTable, start uint32) (low, high uint32) {
	for _, of := range script.R16 {
		for r := rune(of.Lo); r <= rune(of.Hi); r += rune(of.Stride) {
			if !unicode.In(r, unicode.L, unicode.M) {
				continue
			}
			p := w.firstPrimary(string(r))
			if p < start || p > lastListed {
				continue
			}
			if low == 0 || p < low {
				low = p
			}
			high = max(high, p)
		}
	}
	return low, high
}

// firstPrimary is the weight of the first letter of s in the tables, 0 if there is none.
func (w *weigher) firstPrimary(s string) uint32 {
	w.buffer.Reset()
	p, _ := readLetter(w.collator.KeyFromString(&w.buffer, s))
	return p
}

// readLetter reads the weight of a letter that is not moved, as the tables' package writes it: n bytes, 0 for the end.
func readLetter(key []byte) (weight uint32, n int) {
	switch {
	case len(key) < 2 || key[0]|key[1] == 0:
		return 0, 0
	case key[0]&0x80 != 0:
		return uint32(key[0]&0x7F)<<16 | uint32(key[1])<<8 | uint32(key[2]), 3
	}
	return uint32(key[0])<<8 | uint32(key[1]), 2
}

// move is the weight of a letter in the order of the locale.
func (a *alphabet) move(weight uint32) uint32 {
	for _, m := range a.moves {
		if weight >= m.low && weight <= m.high {
			return uint32(int32(weight) + m.by)
		}
	}
	return weight
}

// appendLetter writes the weight of a letter in 2 to 4 bytes, such that bytes order as weights do; the first byte is below
// 0xC0.
func appendLetter(dst []byte, weight uint32) []byte {
	switch {
	case weight <= 0x7FFF:
		return append(dst, byte(weight>>8), byte(weight))
	case weight <= lastWeight:
		return append(dst, 0x80|byte(weight>>16), byte(weight>>8), byte(weight))
	}
	return append(dst, 0xA0|byte(weight>>24), byte(weight>>16), byte(weight>>8), byte(weight))
}
