package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshetdb/freshet/internal/client"
)

const (
	defaultURL = "http://127.0.0.1:4680"
	urlEnv     = "FRESHET_URL"
	tokenEnv   = "FRESHET_TOKEN"
)

// collectionName is what the wire contract allows.
var collectionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

// subOptions is the command line of `freshet sub` as given.
type subOptions struct {
	collection           string
	filter, sort, fields string
	skip, limit          int
	limitGiven           bool
	url, token           string
	events, json         bool
}

func (p Program) subCommand() *cobra.Command {
	var o subOptions
	cmd := &cobra.Command{
		Use:   "sub COLLECTION",
		Short: "Subscribe to a query and show its result live",
		Long: "Subscribe to a query and show its result live.\n\n" +
			"On a terminal it is a table that is redrawn in place. Elsewhere, or with --events, it is one line an event:\n" +
			"its match (add, change, changeIndex, remove), its index (changeIndex: from>to; an unordered query: -), the\n" +
			"document's id and the document. A result comes as a line `result` with the number of documents, then a line\n" +
			"`document` each. A lost connection is taken up again; Ctrl-C ends.",
		Example: "  freshet sub quakes --filter '{\"mag\":{\"$gte\":4}}' --sort -mag --limit 10\n  freshet sub quakes --events",
		Args:    exactly("the name of a collection"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.collection = args[0]
			o.limitGiven = cmd.Flags().Changed("limit")
			return p.subscribe(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.filter, "filter", "", "filter in MongoDB's language, a `JSON` object or @FILE with one; none: every document")
	flags.StringVar(&o.sort, "sort", "", "sort, an `ORDER` such as -date,title or {\"date\":-1,\"title\":1}")
	flags.IntVar(&o.skip, "skip", 0, "leave out the first `N` documents")
	flags.IntVar(&o.limit, "limit", 0, "show at most `N` documents; needs no sort")
	flags.StringVar(&o.fields, "fields", "", "get only these `FIELDS`, such as title,author.name or {\"title\":1}; none: all")
	flags.StringVar(&o.url, "url", p.env(urlEnv, defaultURL), "the server's `URL` ("+urlEnv+")")
	flags.StringVar(&o.token, "token", "", "access `TOKEN` ("+tokenEnv+")")
	flags.BoolVar(&o.events, "events", false, "print one line an event, on a terminal too")
	flags.BoolVar(&o.json, "json", false, "print frames as they are received, one a line")
	return cmd
}

// env is the value of an environment variable, or a default where it is unset or empty.
func (p Program) env(name, otherwise string) string {
	for _, line := range p.Environ {
		if value, ok := strings.CutPrefix(line, name+"="); ok && value != "" {
			return value
		}
	}
	return otherwise
}

// query checks the options that can be checked here and puts them into wire form.
func (o subOptions) query() (client.Query, error) {
	q := client.Query{Collection: o.collection, Skip: o.skip, Limit: o.limit}
	if !collectionName.MatchString(o.collection) {
		return q, usagef("%q is not a collection's name; it begins with a letter and has up to 64 letters, digits, _ . and -", o.collection)
	}
	if o.skip < 0 {
		return q, usagef("--skip is %d; give 0 or more", o.skip)
	}
	if o.limitGiven && o.limit < 1 {
		return q, usagef("--limit is %d; give 1 or more, or leave it out for all documents", o.limit)
	}
	if o.events && o.json {
		return q, usagef("--events and --json exclude each other; give one of them")
	}
	filter, err := textOption("--filter", o.filter)
	if err != nil {
		return q, err
	}
	if filter != "" {
		if q.Filter, err = jsonOption("--filter", filter, '{'); err != nil {
			return q, err
		}
	}
	if q.Sort, err = shortOption("--sort", o.sort, sortPair); err != nil {
		return q, err
	}
	q.Fields, err = shortOption("--fields", o.fields, func(name string) any { return name })
	return q, err
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

func (p Program) subscribe(ctx context.Context, o subOptions) error {
	q, err := o.query()
	if err != nil {
		return err
	}
	if _, err := client.LiveURL(o.url); err != nil {
		return usagef("%v", err)
	}
	if o.token == "" {
		o.token = p.env(tokenEnv, "")
	}
	out, err := p.output(o, q)
	if err != nil {
		return err
	}
	sub := client.Subscription{URL: o.url, Token: o.token, Query: q, Handle: out.handle, Lost: out.lost}
	err = errors.Join(sub.Run(ctx), out.close())
	switch {
	case errors.Is(err, client.ErrUnreachable):
		return errors.New(err.Error() + "; is it running at " + o.url + "? `freshet serve --dev` starts one, --url names another")
	case errors.Is(err, client.ErrEnded) && status(err) == 401:
		return errors.New(err.Error() + "; give an access token with --token or " + tokenEnv)
	}
	return err
}

// status is the HTTP status of the server's problem in err, 0 if there is none.
func status(err error) int {
	var problem *client.Problem
	if errors.As(err, &problem) {
		return problem.Status
	}
	return 0
}

// subOutput shows what comes. Its functions are called by one goroutine.
type subOutput struct {
	handle func(client.Frame) error
	lost   func(cause error, wait time.Duration)
	close  func() error
}

func (p Program) output(o subOptions, q client.Query) (subOutput, error) {
	lost := func(cause error, wait time.Duration) {
		p.notice("the connection was lost (%v); trying again in %v", cause, wait.Round(10*time.Millisecond))
	}
	none := func() error { return nil }
	fd, terminal := terminalOf(p.Stdout)
	switch {
	case o.json:
		return subOutput{p.printFrame, lost, none}, nil
	case o.events || !terminal || p.env("TERM", "") == "dumb":
		return subOutput{p.printEvents, lost, none}, nil
	}
	live := newLiveTable(p, fd, o, q)
	return subOutput{live.handle, live.lost, live.close}, nil
}
