package matcher

import "unicode/utf8"

// Operators with regular expressions (manual: "$regexMatch" and the like). The expression stands in the query, so that what
// it costs is known.

func regexOperators() map[string]*exprOperator {
	of := func(eval func(e *evaluation, args []expression) (Value, error)) *exprOperator {
		return &exprOperator{names: []string{"input", "regex", "options"}, required: 2, check: checkRegex, lazy: eval}
	}
	return map[string]*exprOperator{
		"$regexMatch":   of(evalRegexMatch),
		"$regexFind":    of(evalRegexFind),
		"$regexFindAll": of(evalRegexFindAll),
	}
}

// patternExpression is the compiled regular expression of an operator.
type patternExpression struct{ *pattern }

func (p patternExpression) constant() bool                  { return false } // nothing to compute
func (p patternExpression) eval(*evaluation) (Value, error) { return Value{}, nil }
func (p patternExpression) appendNormal(dst []byte) []byte  { return p.pattern.appendNormal(dst) }

// checkRegex compiles the regular expression. Options stand in it or beside it, not both.
func checkRegex(c *exprCompiler, args []expression, at *place) error {
	regex, ok := args[1].(constantExpression)
	options := constantExpression{textValue(nil)}
	if ok && args[2] != nil {
		options, ok = args[2].(constantExpression)
	}
	kind := regex.value.Kind()
	if !ok || kind != KindString && kind != KindRegex || options.value.Kind() != KindString && !nullish(options.value) {
		return at.invalid("the regular expression of %s must stand in the query as a text, so that its cost is known; give regex and options as constants", at.name)
	}
	letters := string(options.value.Bytes())
	if kind == KindRegex {
		if letters != "" && len(regex.value.Options()) > 0 {
			return at.invalid("options stand both in the regular expression and beside it; give them once")
		}
		letters += string(regex.value.Options())
	}
	compiled, err := c.pattern(string(regex.value.Bytes()), letters, at.field("regex"))
	if err != nil {
		return err
	}
	args[1], args[2] = patternExpression{compiled}, nil
	return nil
}

// regexInput evaluates the text that a regular expression is looked for in, and counts the search. null is true for null
// and missing.
func regexInput(e *evaluation, args []expression) (text []byte, p *pattern, null bool, err error) {
	input, err := args[0].eval(e)
	p = args[1].(patternExpression).pattern
	switch {
	case err != nil:
		return nil, p, false, err
	case nullish(input):
		return nil, p, true, nil
	case input.Kind() != KindString:
		return nil, p, false, errExpression
	}
	return input.Bytes(), p, false, e.step(p.searchSteps(len(input.Bytes())))
}

func evalRegexMatch(e *evaluation, args []expression) (Value, error) {
	text, p, null, err := regexInput(e, args)
	return boolValue(err == nil && !null && p.program.Match(text)), err
}

// evalRegexFind is the first match: {"match":text,"idx":code points before it,"captures":[...]}, null if there is none.
func evalRegexFind(e *evaluation, args []expression) (Value, error) {
	text, p, null, err := regexInput(e, args)
	if err != nil || null {
		return valueNull, err
	}
	found := p.program.FindSubmatchIndex(text)
	if found == nil {
		return valueNull, nil
	}
	b := newBuilder(e)
	b.found(text, found, utf8.RuneCount(text[:found[0]]))
	return b.done()
}

// evalRegexFindAll is an array of all matches, none of which overlap.
func evalRegexFindAll(e *evaluation, args []expression) (Value, error) {
	text, p, null, err := regexInput(e, args)
	b := begun(e, KindArray)
	if err != nil || null {
		if err == nil {
			return b.done()
		}
		return Value{}, err
	}
	counted, runes := 0, 0
	for _, found := range p.program.FindAllSubmatchIndex(text, e.most-e.steps+1) {
		runes += utf8.RuneCount(text[counted:found[0]])
		counted = found[0]
		if found[0] == len(text) && len(text) > 0 { // as MongoDB: the end of a text is no place for an empty match
			break
		}
		if b.found(text, found, runes); b.err != nil {
			break
		}
	}
	return b.done()
}

// found appends one match: the places of its whole and of its groups, -1 for a group that took no part.
func (b *builder) found(text []byte, places []int, runes int) {
	b.begin(KindObject)
	if b.err == nil {
		b.err = b.e.step(8 + len(places)) // what finding it took beside the search
	}
	b.field([]byte("match"))
	b.bytes(KindString, text[places[0]:places[1]])
	b.field([]byte("idx"))
	b.scalar(KindInt32, uint64(runes))
	b.field([]byte("captures"))
	b.begin(KindArray)
	for i := 2; i < len(places); i += 2 {
		if places[i] < 0 {
			b.scalar(KindNull, 0)
			continue
		}
		b.bytes(KindString, text[places[i]:places[i+1]])
	}
	b.end()
	b.end()
}
