package oracle

import (
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// Collation is how strings compare. The oracle turns every string that takes part in a comparison into a Collated and
// goes on as ever.
type Collation struct {
	Locale   string // one whose tables are named alike and keep the scripts in the common order
	Strength int    // 1 to 3
	Numeric  bool
}

// Collated is a string with its place in a collation.
type Collated struct{ Text, key string }

// Text is the collation as JSON.
func (c *Collation) Text() string {
	return string(Encode(Object{{"locale", c.Locale}, {"strength", int64(c.Strength)}, {"numericOrdering", c.Numeric}}))
}

var digits = regexp.MustCompile(`[0-9]+`)

// numberDigits is more than any number in the tests has.
const numberDigits = 20

// collated replaces the strings in a value.
func (c *Collation) collated(v any) any {
	switch v := v.(type) {
	case string:
		tag := language.MustParse(c.Locale + "-u-ks-level" + strconv.Itoa(c.Strength))
		text := v
		if c.Numeric { // numbers of one length compare digit by digit
			text = digits.ReplaceAllStringFunc(v, func(n string) string { return strings.Repeat("0", numberDigits-len(n)) + n })
		}
		return Collated{v, string(collate.New(tag).KeyFromString(new(collate.Buffer), text))}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = c.collated(v[i])
		}
		return out
	case Object:
		out := make(Object, len(v))
		for i, f := range v {
			out[i] = f
			if f.Name != "$regex" && f.Name != "$options" {
				out[i].Value = c.collated(f.Value)
			}
		}
		return out
	}
	return v
}

// in is o under the collation of q, or o itself where it has none.
func (q Query) in(o Object) Object {
	if q.Collation == nil {
		return o
	}
	return q.Collation.collated(o).(Object)
}
