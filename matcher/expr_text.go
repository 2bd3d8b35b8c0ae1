package matcher

import (
	"bytes"
	"math"
	"strings"
	"unicode/utf8"
)

// Operators on strings (manual: "String Expression Operators"). Only ASCII letters have two cases. Positions count bytes
// (…Bytes) or code points (…CP).

func stringOperators() map[string]*exprOperator {
	trim := func(left, right bool) *exprOperator {
		return &exprOperator{names: []string{"input", "chars"}, required: 1, eval: func(e *evaluation, args []Value) (Value, error) {
			return trimText(e, args, left, right)
		}}
	}
	return map[string]*exprOperator{
		"$concat":       {min: 0, max: -1, eval: evalConcat},
		"$toLower":      {min: 1, max: 1, eval: mapText('A', 'Z')},
		"$toUpper":      {min: 1, max: 1, eval: mapText('a', 'z')},
		"$strLenBytes":  {min: 1, max: 1, eval: textLength(func(b []byte) int { return len(b) })},
		"$strLenCP":     {min: 1, max: 1, eval: textLength(utf8.RuneCount)},
		"$substr":       {min: 3, max: 3, eval: evalSubstrBytes},
		"$substrBytes":  {min: 3, max: 3, eval: evalSubstrBytes},
		"$substrCP":     {min: 3, max: 3, eval: evalSubstrCP},
		"$indexOfBytes": {min: 2, max: 4, eval: indexOfText(false)},
		"$indexOfCP":    {min: 2, max: 4, eval: indexOfText(true)},
		"$split":        {min: 2, max: 2, eval: evalSplit},
		"$trim":         trim(true, true),
		"$ltrim":        trim(true, false),
		"$rtrim":        trim(false, true),
		"$strcasecmp":   {min: 2, max: 2, eval: evalStrcasecmp},
		"$replaceOne":   {names: []string{"input", "find", "replacement"}, required: 3, eval: replaceText(1)},
		"$replaceAll":   {names: []string{"input", "find", "replacement"}, required: 3, eval: replaceText(-1)},
	}
}

// runeBytes is how many bytes of text that is taken apart into code points count as one step.
const runeBytes = 8

// textOf reads a string as it is, and numbers and dates as the text that $toString gives; null and missing are "".
func textOf(v Value) ([]byte, error) {
	switch kind := v.Kind(); {
	case kind == KindString:
		return v.Bytes(), nil
	case nullish(v):
		return nil, nil
	case v.IsNumber():
		return numberText(v), nil
	case kind == KindDate:
		return dateText(v.Int64())
	}
	return nil, errExpression
}

// stringsOf reads operands that must be strings. null is true if one of them is null or missing.
func stringsOf(args []Value) (texts [3][]byte, null bool, err error) {
	for i, v := range args {
		switch {
		case nullish(v):
			null = true
		case v.Kind() != KindString:
			return texts, false, errExpression
		default:
			texts[i] = v.Bytes()
		}
	}
	return texts, null, nil
}

func evalConcat(e *evaluation, args []Value) (Value, error) {
	size := 0
	for _, v := range args {
		switch {
		case nullish(v):
			return valueNull, nil
		case v.Kind() != KindString:
			return Value{}, errExpression
		}
		size += len(v.Bytes())
	}
	if err := e.step(size / stepBytes); err != nil {
		return Value{}, err
	}
	text := make([]byte, 0, size)
	for _, v := range args {
		text = append(text, v.Bytes()...)
	}
	return textValue(text), nil
}

// mapText gives the ASCII letters from first to last their other case.
func mapText(first, last byte) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		text, err := textOf(args[0])
		if err == nil {
			err = e.step(len(text) / stepBytes)
		}
		if err != nil {
			return Value{}, err
		}
		made := make([]byte, len(text))
		for i, c := range text {
			if c >= first && c <= last {
				c ^= 0x20
			}
			made[i] = c
		}
		return textValue(made), nil
	}
}

func textLength(count func([]byte) int) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		if args[0].Kind() != KindString {
			return Value{}, errExpression
		}
		return int32Value(count(args[0].Bytes())), e.step(len(args[0].Bytes()) / stepBytes)
	}
}

// wholeArgument reads an argument that must be a whole number.
func wholeArgument(v Value) (int64, error) {
	i, exact, ok := wholeNumber(v)
	if !ok || !exact {
		return 0, errExpression
	}
	return i, nil
}

// evalSubstrBytes is [text, start, length]; a negative length means the rest. Neither end may be within a character.
func evalSubstrBytes(_ *evaluation, args []Value) (Value, error) {
	text, err := textOf(args[0])
	if err != nil {
		return Value{}, err
	}
	start, _, ok := wholeNumber(args[1])
	length, _, ok2 := wholeNumber(args[2])
	if !ok || !ok2 || start < 0 {
		return Value{}, errExpression
	}
	size := int64(len(text))
	if start >= size {
		return textValue(nil), nil
	}
	end := size
	if length >= 0 && length < size-start {
		end = start + length
	}
	if !utf8.RuneStart(text[start]) || end < size && !utf8.RuneStart(text[end]) {
		return Value{}, errExpression
	}
	return textValue(text[start:end:end]), nil
}

// evalSubstrCP is [text, start, length] in code points.
func evalSubstrCP(e *evaluation, args []Value) (Value, error) {
	text, err := textOf(args[0])
	if err != nil {
		return Value{}, err
	}
	start, err1 := wholeArgument(args[1])
	length, err2 := wholeArgument(args[2])
	if err1 != nil || err2 != nil || start < 0 || length < 0 {
		return Value{}, errExpression
	}
	if err := e.step(len(text) / runeBytes); err != nil {
		return Value{}, err
	}
	text = text[runeOffset(text, start):]
	end := runeOffset(text, length)
	return textValue(text[:end:end]), nil
}

// runeOffset is where the code point n begins, len(text) if there are not that many.
func runeOffset(text []byte, n int64) int {
	i := 0
	for ; n > 0 && i < len(text); n-- {
		_, size := utf8.DecodeRune(text[i:])
		i += size
	}
	return i
}

// indexOfText is [text, part, start, end]: where the part is first found in the range, -1 if it is not.
func indexOfText(codePoints bool) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		if nullish(args[0]) {
			return valueNull, nil
		}
		if args[0].Kind() != KindString || args[1].Kind() != KindString {
			return Value{}, errExpression
		}
		text, part := args[0].Bytes(), args[1].Bytes()
		if err := e.step((len(text) + len(part)) / runeBytes); err != nil {
			return Value{}, err
		}
		size := int64(len(text))
		if codePoints {
			size = int64(utf8.RuneCount(text))
		}
		start, end, err := indexRange(args[2:], size)
		if err != nil || start > end {
			return int32Value(-1), err
		}
		from, to := int(start), int(end)
		if codePoints {
			from, to = runeOffset(text, start), runeOffset(text, end)
		}
		i := bytes.Index(text[from:to], part)
		if i < 0 {
			return int32Value(-1), nil
		}
		if codePoints {
			return int32Value(utf8.RuneCount(text[:from+i])), nil
		}
		return int32Value(from + i), nil
	}
}

// indexRange reads the optional start and end of a search; an end beyond size is size.
func indexRange(args []Value, size int64) (start, end int64, err error) {
	end = size
	for i, v := range args {
		n, err := wholeArgument(v)
		switch {
		case err != nil || n < 0 || n > math.MaxInt32:
			return 0, 0, errExpression
		case i == 0:
			start = n
		default:
			end = min(n, size)
		}
	}
	if start > size {
		return 1, 0, nil
	}
	return start, end, nil
}

func evalSplit(e *evaluation, args []Value) (Value, error) {
	texts, null, err := stringsOf(args)
	if err != nil || null {
		return valueNull, err
	}
	text, separator := texts[0], texts[1]
	if len(separator) == 0 {
		return Value{}, errExpression
	}
	if err := e.step(len(text) / stepBytes); err != nil {
		return Value{}, err
	}
	b := begun(e, KindArray)
	for part := range bytes.SplitSeq(text, separator) {
		b.bytes(KindString, part)
	}
	return b.done()
}

// whiteSpace is what the trimming operators take off where they are not told the characters.
const whiteSpace = "\x00 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"

// maxTrimBytes bounds the characters that a trimming operator is told: each is looked for in them.
const maxTrimBytes = 4096

func trimText(e *evaluation, args []Value, left, right bool) (Value, error) {
	texts, null, err := stringsOf(args[:1])
	if err != nil || null {
		return valueNull, err
	}
	text, chars := texts[0], whiteSpace
	switch set := args[1]; {
	case set.Kind() == KindString && len(set.Bytes()) <= maxTrimBytes:
		chars = string(set.Bytes())
	case set.IsNull():
		return valueNull, nil
	case set.Exists():
		return Value{}, errExpression
	}
	const runesAtOnce = 1024 // after which the steps are counted
	for err == nil {
		before := len(text)
		n := 0
		trimmed := func(r rune) bool { n++; return n <= runesAtOnce && strings.ContainsRune(chars, r) }
		if left {
			text = bytes.TrimLeftFunc(text, trimmed)
		}
		if n = 0; right {
			text = bytes.TrimRightFunc(text, trimmed)
		}
		err = e.step(1 + (before-len(text))*(1+len(chars)/stepBytes)/8)
		if before-len(text) < runesAtOnce {
			break
		}
	}
	return textValue(text[:len(text):len(text)]), err
}

func evalStrcasecmp(e *evaluation, args []Value) (Value, error) {
	var texts [2][]byte
	for i, v := range args {
		text, err := textOf(v)
		if err == nil {
			err = e.step(len(text) / runeBytes)
		}
		if err != nil {
			return Value{}, err
		}
		texts[i] = bytes.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r - 0x20
			}
			return r
		}, text)
	}
	return compared[1+bytes.Compare(texts[0], texts[1])], nil
}

func replaceText(most int) func(*evaluation, []Value) (Value, error) {
	return func(e *evaluation, args []Value) (Value, error) {
		texts, null, err := stringsOf(args)
		if err != nil || null {
			return valueNull, err
		}
		if err := e.step(len(texts[0]) / runeBytes); err != nil {
			return Value{}, err
		}
		text, find, replacement := string(texts[0]), string(texts[1]), string(texts[2])
		found := strings.Count(text, find)
		if most >= 0 {
			found = min(found, most)
		}
		if err := e.step((len(text) + found*len(replacement)) / stepBytes); err != nil {
			return Value{}, err
		}
		return textValue([]byte(strings.Replace(text, find, replacement, most))), nil
	}
}
