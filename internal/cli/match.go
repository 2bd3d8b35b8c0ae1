package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"

	"github.com/freshetdb/freshet/internal/config"
	"github.com/freshetdb/freshet/internal/lines"
	"github.com/freshetdb/freshet/matcher"
)

// Exit codes of `freshet match`: grep's.
const (
	exitFound    = 0
	exitNotFound = 1
	exitTrouble  = 2
)

// Bounds of the sizes that `freshet match` takes. The longest text that a document can have bounds a line.
const (
	minLineBytes   = 1 << 10
	minMemoryBytes = 1 << 20
	maxMemoryBytes = math.MaxInt
)

// matchOptions is the command line of `freshet match` as given.
type matchOptions struct {
	queryOptions
	valuesGiven                       bool
	count, explain, strict, unchecked bool
	maxDocumentBytes, maxMemoryBytes  int
	files                             []string
}

const matchHelp = `Find documents in files of JSON, one document a line (NDJSON), by a query.

The query is what a live query would be, in the same language: docs/query-language.md. Lines that match are printed
byte for byte as they came; with --fields or --values documents are written anew, one a line. Without a FILE, or where
FILE is -, standard input is read; a stream that goes on is answered line by line.

A line may hold any JSON object: _id may be of any type or absent. Blank lines are passed over. A line that is no
document is named on standard error, and the search goes on.

Without --sort the documents keep their order and memory stays the same however long the input is; reading ends once
--limit is reached. With --sort (or $near, which sorts by distance) documents that compare equal keep their order, and
only skip + limit documents are kept in memory, or all that match where there is no --limit.

The exit code is grep's: 0 if a document was found, 1 if none was, 2 for a query that is wrong and for input that could
not be read or understood in full.`

const matchExample = `  freshet match --filter '{"mag":{"$gte":5}}' quakes.ndjson
  freshet match --filter '{"tags":"go"}' --sort -date --limit 10 --fields title,date pages-*.ndjson
  tail -f requests.log | freshet match --filter '{"status":{"$gte":500}}'
  freshet match --filter @query.json --explain`

func (p Program) matchCommand() *cobra.Command {
	o := matchOptions{maxDocumentBytes: lines.DefaultMaxDocumentBytes, maxMemoryBytes: lines.DefaultMaxMemoryBytes}
	cmd := &cobra.Command{
		Use:     "match [FILE...]",
		Short:   "Find documents in files of JSON lines by a query",
		Long:    matchHelp,
		Example: matchExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			o.limitGiven = cmd.Flags().Changed("limit")
			o.valuesGiven = cmd.Flags().Changed("values")
			return p.match(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	o.register(flags, "print", "the line", "the line, with --fields relaxed")
	flags.BoolVarP(&o.count, "count", "c", false, "print only how many documents there are")
	flags.BoolVar(&o.explain, "explain", false, "read nothing: print how a server understands the query and how writes find it while it is live")
	flags.BoolVar(&o.strict, "strict", false, "end at the first line that is no document")
	flags.BoolVar(&o.unchecked, "unchecked", false, "do not look for broken lines: pass over those that cannot match by their bytes alone (fast where a field must equal a string)")
	flags.Var(sizeFlag{config.Size(&o.maxDocumentBytes, minLineBytes, matcher.MaxTextBytes)}, "max-document-bytes", "longest line")
	flags.Var(sizeFlag{config.Size(&o.maxMemoryBytes, minMemoryBytes, maxMemoryBytes)}, "max-memory", "most that a sorted result may take")
	return cmd
}

// sizeFlag is a size as a flag.
type sizeFlag struct {
	value interface {
		Set(text string) error
		String() string
	}
}

func (f sizeFlag) Set(text string) error { return f.value.Set(text) }
func (f sizeFlag) Type() string          { return "SIZE" }

// String is also asked of a zero value, by whoever wants to know whether a default is worth printing.
func (f sizeFlag) String() string {
	if f.value == nil {
		return ""
	}
	return f.value.String()
}

// spec brings the options into the form that the compiler takes, which checks the rest.
func (o matchOptions) spec() (matcher.QuerySpec, error) {
	spec := matcher.QuerySpec{Skip: o.skip, Limit: o.limit, AnyDocument: true}
	if o.strict && o.unchecked {
		return spec, usagef("--strict and --unchecked exclude each other; give one of them")
	}
	texts, err := o.texts()
	if err != nil {
		return spec, err
	}
	if texts.filter != "" {
		spec.Filter = []byte(texts.filter)
	}
	if texts.collation != "" {
		spec.Collation = []byte(texts.collation)
	}
	spec.Sort, spec.Fields, spec.Values = texts.sort, texts.fields, texts.values
	return spec, nil
}

func (p Program) match(ctx context.Context, o matchOptions) error {
	spec, err := o.spec()
	if err != nil {
		return err
	}
	query, err := matcher.Compile(spec, matcher.Limits{})
	if err != nil {
		return usagef("%v", err)
	}
	if o.explain {
		return p.explain(spec)
	}
	scan := lines.Scan{
		Query:            query,
		Sources:          p.sources(o.files),
		Output:           p.Stdout,
		Report:           func(problem lines.Problem) { p.notice("%v", problem) },
		Encode:           spec.Fields != nil || o.valuesGiven,
		Count:            o.count,
		Strict:           o.strict,
		Unchecked:        o.unchecked,
		MaxDocumentBytes: o.maxDocumentBytes,
		MaxMemoryBytes:   o.maxMemoryBytes,
	}
	summary, err := scan.Run(ctx)
	switch {
	case errors.Is(err, lines.ErrStrict): // the line was named
		return exitError{code: exitTrouble}
	case errors.Is(err, context.Canceled):
		return exitError{code: exitTrouble, err: errors.New("interrupted before the end of the input")}
	case err != nil:
		return exitError{code: exitTrouble, err: err}
	}
	return p.found(o, summary)
}

// found says how a search ended that came to its end.
func (p Program) found(o matchOptions, summary lines.Summary) error {
	if o.count {
		if err := json.NewEncoder(p.Stdout).Encode(summary.Shown); err != nil {
			return exitError{code: exitTrouble, err: err}
		}
	}
	switch {
	case summary.Problems > 0:
		return exitError{code: exitTrouble}
	case summary.Shown == 0:
		return exitError{code: exitNotFound}
	}
	return nil // exitFound
}

// explain prints what a server makes of the query.
func (p Program) explain(spec matcher.QuerySpec) error {
	spec.AnyDocument = false
	query, err := matcher.Compile(spec, matcher.Limits{})
	if err != nil {
		return usagef("a server refuses this query: %v", err)
	}
	out := json.NewEncoder(p.Stdout)
	out.SetEscapeHTML(false)
	return out.Encode(query.Explain())
}

// sources are the files by their names, - and no file at all being standard input.
func (p Program) sources(files []string) []lines.Source {
	if len(files) == 0 {
		files = []string{"-"}
	}
	sources := make([]lines.Source, len(files))
	for i, name := range files {
		sources[i] = lines.Source{Name: name, Open: func() (io.ReadCloser, error) { return os.Open(name) }}
		if name == "-" {
			sources[i] = lines.Source{Name: "standard input", Open: func() (io.ReadCloser, error) { return io.NopCloser(p.Stdin), nil }}
		}
	}
	return sources
}
