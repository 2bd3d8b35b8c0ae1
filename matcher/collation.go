package matcher

import (
	"bytes"
	"sync"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// collation is how the strings of one query compare: by the rules of a language instead of by their bytes (manual:
// "Collation"). It holds for equality, ranges, lists of values, comparisons in $expr and the sort; names of fields and
// regular expressions know nothing of it. A nil *collation is the order of bytes.
//
// Two strings compare as their collation keys do (appendKey) and in no other way: a shortcut is one that a test holds
// against the keys. A collation is safe for concurrent use: what the tables' package writes into is pooled.
type collation struct {
	collationOptions
	text string // the normal form, JSON
	*alphabet
}

// collationOptions are the options that make a difference to an order.
type collationOptions struct {
	locale    string
	strength  int  // the levels that count: 1 letters, 2 accents too, 3 case too, 4 what is shifted too, 5 everything
	numeric   bool // digits compare as the number that they write
	shifted   bool // white space and punctuation count from strength 4 on only
	backwards bool // accents count from the end of a string on, as in Canadian French
}

// collationTables names the data behind every order. It is part of the normal form and so of the query key: a live
// query that is resumed under other tables begins anew.
const collationTables = "CLDR " + collate.CLDRVersion

// collations are those that were asked for, by normal form. Their number is bounded: locales times options.
var collations sync.Map

// newCollation returns the collation of options that parseCollation has checked.
func newCollation(o collationOptions) *collation {
	text := o.normal()
	if c, known := collations.Load(text); known {
		return c.(*collation)
	}
	c, _ := collations.LoadOrStore(text, &collation{collationOptions: o, text: text, alphabet: alphabetOf(o.locale, o.shifted)})
	return c.(*collation)
}

// alphabet is what collations of one locale share: the weights of its characters, with punctuation shifted or not. How
// many levels of them count, how numbers compare and the direction of accents make no difference to it.
type alphabet struct {
	tables   language.Tag // what is asked of the tables' package
	joined   [][2]rune    // letters and marks that are one letter, where the tables have more of those
	apart    [][2]rune    // those that are not one, as they are in the tables
	respell  []respelling
	moves    []primaryMove // brings the language's own scripts before the others
	number   uint16        // the primary weight that numbers begin with: that of no digit and no letter
	ascii    *asciiWeights // nil: the language joins letters of ASCII into one, as Czech does with ch
	memo     letterMemo
	weighers sync.Pool  // of *weigher
	all      *collation // on this alphabet, with all levels that have weights
}

type alphabetName struct {
	locale  string
	shifted bool
}

// alphabets are those that were asked for, by alphabetName: twice as many as there are locales at most.
var alphabets sync.Map

func alphabetOf(locale string, shifted bool) *alphabet {
	name := alphabetName{locale, shifted}
	if a, known := alphabets.Load(name); known {
		return a.(*alphabet)
	}
	a := &alphabet{tables: tablesTag(collationLocales[locale].tables, shifted)}
	a.apart, a.respell = letterPairs(collationLocales[locale].apart), collationLocales[locale].respelled
	a.joined = joinedLetters(collationLocales[locale].joined)
	a.all = &collation{collationOptions: collationOptions{locale: locale, strength: 4, shifted: shifted}, alphabet: a}
	a.weighers.New = func() any { return newWeigher(a) }
	w := a.weigher()
	a.number = uint16(w.firstPrimary("0") - 1)
	a.moves = scriptMoves(w, collationLocales[locale])
	a.ascii = newASCIIWeights(w, a.all)
	a.release(w)
	shared, _ := alphabets.LoadOrStore(name, a)
	return shared.(*alphabet)
}

// tablesTag is what is asked of the tables' package: all levels.
func tablesTag(tables string, shifted bool) language.Tag {
	t := language.MustParse(tables)
	for key, value := range map[string]string{"ks": "level4", "ka": alternateTypes[shifted]} {
		var err error
		if t, err = t.SetTypeForKey(key, value); err != nil {
			panic(err) // the values are ours
		}
	}
	return t
}

var alternateTypes = map[bool]string{false: "noignore", true: "shifted"} // BCP 47

// compareStrings is the order of two strings.
func (c *collation) compareStrings(a, b []byte) int {
	switch {
	case bytes.Equal(a, b):
		return 0
	case c.walks(a) && c.walks(b):
		return c.ascii.compare(c, a, b)
	}
	k := keyBuffers.Get().(*keyBuffer)
	k.b = c.appendKey(k.b[:0], b)
	order := c.compareKey(a, k.b, k)
	k.giveBack()
	return order
}

// knownString is a string of a query, with its collation key.
type knownString struct{ text, key []byte }

func (c *collation) known(text []byte) knownString {
	return knownString{text, c.appendKey(nil, text)}
}

// compareKnown is compareStrings where the second string is known beforehand.
func (c *collation) compareKnown(s []byte, known knownString) int {
	switch {
	case bytes.Equal(s, known.text):
		return 0
	case c.walks(s) && c.walks(known.text):
		return c.ascii.compare(c, s, known.text)
	}
	k := keyBuffers.Get().(*keyBuffer)
	order := c.compareKey(s, known.key, k)
	k.giveBack()
	return order
}

// compareKey compares a string with a key. Most strings differ within their first letters.
func (c *collation) compareKey(s, key []byte, room *keyBuffer) int {
	if order, decided := c.memo.compareLetters(c, s, key); decided {
		return order
	}
	room.a = c.appendKey(room.a[:0], s)
	return bytes.Compare(room.a, key)
}

// keyBuffer is room for the keys of two strings that are compared.
type keyBuffer struct{ a, b []byte }

var keyBuffers = sync.Pool{New: func() any { return new(keyBuffer) }}

// maxPooledBytes is up to what size buffers are kept for the next string.
const maxPooledBytes = 64 << 10

func (k *keyBuffer) giveBack() {
	if cap(k.a)+cap(k.b) <= maxPooledBytes {
		keyBuffers.Put(k)
	}
}
