package matcher

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// MaxRegexBytes bounds the text of one regular expression.
const MaxRegexBytes = 4096

// MaxRegexSteps bounds the size of all regular expressions of one filter once their repetitions are written out
// ("a{1000}" has 1000 steps). What a match costs grows with it (MaxRegexWork).
const MaxRegexSteps = 10_000

// pattern is a compiled regular expression (RE2 syntax, as Go's regexp package has it).
type pattern struct {
	text    string
	options string // sorted, distinct
	program *regexp.Regexp
	steps   int // as MaxRegexSteps counts them
}

// searchWork is what MaxRegexWork counts for each byte of text.
func (p *pattern) searchWork() int {
	if _, plain := p.program.LiteralPrefix(); plain {
		return 1
	}
	return p.steps
}

// searchSteps is about what it costs to look for the pattern in so many bytes of text, in steps of an evaluation.
func (p *pattern) searchSteps(size int) int { return (1 + size) * (16 + p.steps) / regexStepWork }

// regexStepWork is how many bytes of text times steps of a pattern count as one step of an evaluation.
const regexStepWork = 64

// pattern compiles text with options out of i (letters of either case), m (^ and $ at line ends), s (a dot
// matches line ends too) and x (white space and comments in the pattern are left out).
func (c *compiler) pattern(text, options string, at *place) (*pattern, error) {
	if len(text) > MaxRegexBytes {
		return nil, at.tooLarge(MaxRegexBytes, "the regular expression has %d bytes, at most %d are allowed (MaxRegexBytes); shorten it",
			len(text), MaxRegexBytes)
	}
	if strings.ContainsRune(text, 0) {
		return nil, at.invalid("the regular expression contains a NUL byte; remove it")
	}
	letters := []byte(options)
	slices.Sort(letters)
	letters = slices.Compact(letters)
	var flags []byte
	source := withoutVerbs(text)
	for _, letter := range letters {
		switch letter {
		case 'i', 'm', 's':
			flags = append(flags, letter)
		case 'x':
			source = stripExtended(source)
		default:
			return nil, at.invalid("the regular expression option %q is unknown; known ones are i, m, s and x", letter)
		}
	}
	if len(flags) > 0 {
		source = "(?" + string(flags) + ")" + source
	}
	before := c.regexSteps
	program, err := c.program(text, source, at)
	if err != nil {
		return nil, err
	}
	return &pattern{text: text, options: string(letters), program: program, steps: c.regexSteps - before}, nil
}

// program compiles source, which is RE2 syntax made of text, within what is left of MaxRegexSteps.
func (c *compiler) program(text, source string, at *place) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(source, syntax.Perl)
	if err == nil {
		if c.regexSteps += regexSteps(tree); c.regexSteps > MaxRegexSteps {
			return nil, at.tooLarge(MaxRegexSteps,
				"the regular expressions of this filter have more than %d steps with their repetitions written out (MaxRegexSteps); repeat less", MaxRegexSteps)
		}
		var program *regexp.Regexp
		if program, err = regexp.Compile(source); err == nil {
			return program, nil
		}
	}
	return nil, at.invalid("the regular expression %q cannot be used: %v; RE2 syntax has no look-around and no back references",
		text, err)
}

// regexSteps estimates the instructions of a compiled expression from above.
func regexSteps(tree *syntax.Regexp) int {
	steps := 1
	switch tree.Op {
	case syntax.OpLiteral:
		steps += len(tree.Rune)
	case syntax.OpCharClass:
		steps += len(tree.Rune) / 16 // one step, but a large class is slow to search
	}
	for _, sub := range tree.Sub {
		steps += regexSteps(sub)
	}
	if tree.Op == syntax.OpRepeat {
		steps *= max(tree.Min, tree.Max, 1) + 1
	}
	return min(steps, MaxRegexSteps+1) // no overflow
}

// withoutVerbs drops the PCRE verbs at the start of a pattern that ask for what RE2 does anyway: texts are UTF-8, lines
// end with a line feed.
func withoutVerbs(text string) string {
	for _, verb := range []string{"(*UTF8)", "(*UTF)", "(*LF)"} {
		text = strings.TrimPrefix(text, verb)
	}
	return text
}

// match reports whether v is a string in which the pattern is found, or the same regular expression as a value.
func (p *pattern) match(v Value) bool {
	switch v.Kind() {
	case KindString:
		return p.program.Match(v.Bytes())
	case KindRegex:
		return string(v.Bytes()) == p.text && bytes.Equal(v.Options(), []byte(p.options))
	}
	return false
}

// stripExtended takes white space and comments out of a pattern with the option x, classes and escapes left alone.
func stripExtended(text string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			if c = text[i]; c == ' ' || c == '#' { // RE2 refuses to escape a space
				b.WriteString("[" + string(c) + "]")
				continue
			}
			b.WriteByte('\\')
		case class:
			class = c != ']'
		case c == '[':
			class = true
			b.WriteByte(c)
			if i+1 < len(text) && text[i+1] == '^' {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(text) && text[i+1] == ']' { // a first ] is a member of the class
				i++
				b.WriteByte(']')
			}
			continue
		case c == ' ' || (c >= '\t' && c <= '\r'):
			continue
		case c == '#':
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
