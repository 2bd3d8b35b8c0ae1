package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/freshetdb/freshet/matcher"
)

// queryOptions are a query on a command line, as given.
type queryOptions struct {
	filter, sort, fields, collation, values string
	skip, limit                             int
	limitGiven                              bool
}

// register adds the flags. verb is what the command does with a document; allFields and usual say what it does without
// --fields and --values.
func (o *queryOptions) register(flags *pflag.FlagSet, verb, allFields, usual string) {
	flags.StringVar(&o.filter, "filter", "", "filter in MongoDB's language, a `JSON` object or @FILE with one; none: every document")
	flags.StringVar(&o.sort, "sort", "", "sort, an `ORDER` such as -date,title or {\"date\":-1,\"title\":1}")
	flags.IntVar(&o.skip, "skip", 0, "leave out the first `N` documents")
	flags.IntVar(&o.limit, "limit", 0, verb+" at most `N` documents; needs no sort")
	flags.StringVar(&o.fields, "fields", "", verb+" only these `FIELDS`, such as title,author.name or {\"title\":1}; none: "+allFields)
	flags.StringVar(&o.collation, "collation", "", "order and equality of strings, a `JSON` object such as {\"locale\":\"de\",\"strength\":2}; none: by bytes")
	flags.StringVar(&o.values, "values", "", verb+" values in this `FORM`: relaxed, canonical or plain; none: "+usual)
}

// queryTexts are the parts of a query in the form that the wire and the compiler take; "" and nil are none.
type queryTexts struct {
	filter, collation string
	sort, fields      json.RawMessage
	values            matcher.Values
}

// texts checks what the compiler does not and brings the options into their form.
func (o queryOptions) texts() (t queryTexts, err error) {
	if o.skip < 0 {
		return t, usagef("--skip is %d; give 0 or more", o.skip)
	}
	if o.limitGiven && o.limit < 1 {
		return t, usagef("--limit is %d; give 1 or more, or leave it out for all documents", o.limit)
	}
	if t.filter, err = textOption("--filter", o.filter); err != nil {
		return t, err
	}
	t.filter, t.collation = strings.TrimSpace(t.filter), strings.TrimSpace(o.collation)
	if t.sort, err = shortOption("--sort", o.sort, sortPair); err != nil {
		return t, err
	}
	if t.fields, err = shortOption("--fields", o.fields, func(name string) any { return name }); err != nil {
		return t, err
	}
	if t.values, err = matcher.ParseValues(o.values); err != nil {
		return t, usagef("--values: %v", err)
	}
	return t, nil
}

// textOption is the text, or what is in FILE where it is @FILE.
func textOption(flag, text string) (string, error) {
	name, isFile := strings.CutPrefix(text, "@")
	if !isFile {
		return text, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return "", usagef("%s cannot be read: %v", flag, err)
	}
	return string(content), nil
}

// jsonOption checks a text that must be JSON beginning with one of the given characters.
func jsonOption(flag, text string, starts ...byte) (json.RawMessage, error) {
	raw := bytes.TrimSpace([]byte(text))
	var syntax *json.SyntaxError
	if err := json.Unmarshal(raw, new(any)); errors.As(err, &syntax) {
		return nil, usagef("%s is not JSON: %v at byte %d of %s", flag, err, syntax.Offset, text)
	} else if err != nil {
		return nil, usagef("%s is not JSON: %v", flag, err)
	}
	if bytes.IndexByte(starts, raw[0]) < 0 {
		return nil, usagef("%s is %s; it must be a JSON object", flag, text)
	}
	return raw, nil
}

// shortOption takes JSON, or names with commas between them.
func shortOption(flag, text string, item func(string) any) (json.RawMessage, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if text[0] == '{' || text[0] == '[' {
		return jsonOption(flag, text, '{', '[')
	}
	var list []any
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if strings.TrimLeft(name, "+-") == "" {
			return nil, usagef("%s has an empty name in %q", flag, text)
		}
		list = append(list, item(name))
	}
	return json.Marshal(list)
}

func sortPair(name string) any {
	if rest, down := strings.CutPrefix(name, "-"); down {
		return []any{rest, -1}
	}
	return []any{strings.TrimPrefix(name, "+"), 1}
}
