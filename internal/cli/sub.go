package cli

import (
	"context"
	"encoding/json"
	"errors"
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
	queryOptions
	collection   string
	url, token   string
	events, json bool
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
	o.register(flags, "get", "all", "relaxed")
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
	q := client.Query{Collection: o.collection, Skip: o.skip, Limit: o.limit, Values: o.values}
	if !collectionName.MatchString(o.collection) {
		return q, usagef("%q is not a collection's name; it begins with a letter and has up to 64 letters, digits, _ . and -", o.collection)
	}
	if o.events && o.json {
		return q, usagef("--events and --json exclude each other; give one of them")
	}
	texts, err := o.texts()
	if err != nil {
		return q, err
	}
	for _, given := range []struct {
		flag, text string
		into       *json.RawMessage
	}{{"--filter", texts.filter, &q.Filter}, {"--collation", texts.collation, &q.Collation}} {
		if given.text == "" {
			continue
		}
		if *given.into, err = jsonOption(given.flag, given.text, '{'); err != nil {
			return q, err
		}
	}
	q.Sort, q.Fields = texts.sort, texts.fields
	return q, nil
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
