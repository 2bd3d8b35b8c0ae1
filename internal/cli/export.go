package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshetdb/freshet/internal/client"
	"github.com/freshetdb/freshet/internal/transfer"
	"github.com/freshetdb/freshet/matcher"
)

type exportOptions struct {
	serverOptions
	collection           string
	filter, sort, fields string
	limit                int
	format, values, out  string
	array, metadata      bool
}

func (p Program) exportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export COLLECTION",
		Short: "Write the documents of a collection, or of a query, into a file",
		Long: `Write the documents of a collection, or of a query, to standard output or into a file, which appears whole or not at all.

Formats (--format, or by the name's ending of --out):
  ndjson   a JSON document a line, relaxed Extended JSON unless --values says otherwise
  extjson  as mongoexport writes (.json): canonical Extended JSON, a document a line or with --json-array in one array
  csv      a header with names and types, then a record a document; --fields chooses columns and their types, such as
           'name,age.int64(),born.date(2006-01-02)'. Without it there is a column for each field of the first 1,000 documents,
           and their values say its type: json() where they differ. What a column cannot hold exactly ends the export.

The documents are read in pages of at most 1,000. Each page is a snapshot; what is written meanwhile may be in those after
it. _rev, _createdAt and _updatedAt are left out unless --metadata asks for them. ` + "`freshet import`" + ` reads every format.`,
		Example: "  freshet export quakes --out quakes.ndjson\n  freshet export quakes --filter '{\"mag\":{\"$gte\":4}}' --sort -mag --fields place,mag --format csv",
		Args:    exactly("the name of a collection"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.collection = args[0]
			if cmd.Flags().Changed("limit") && o.limit < 1 {
				return usagef("--limit is %d; give 1 or more, or leave it out for all documents", o.limit)
			}
			return p.export(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.filter, "filter", "", "filter in MongoDB's language, a `JSON` object or @FILE with one; none: every document")
	flags.StringVar(&o.sort, "sort", "", "sort, an `ORDER` such as -date,title or {\"date\":-1,\"title\":1}; none: by _id")
	flags.IntVar(&o.limit, "limit", 0, "write at most `N` documents")
	flags.StringVar(&o.fields, "fields", "", "write only these `FIELDS`, such as title,author.name or {\"title\":1}; csv: columns, with types or without")
	flags.StringVar(&o.format, "format", "", "`FORMAT` of the file: ndjson, extjson or csv")
	flags.StringVar(&o.values, "values", "", "`FORM` of values in JSON: relaxed, canonical or plain (for reading; types are lost)")
	flags.BoolVar(&o.array, "json-array", false, "extjson: one array")
	flags.BoolVar(&o.metadata, "metadata", false, "write _rev, _createdAt and _updatedAt too")
	flags.StringVar(&o.out, "out", "", "write into `FILE`; none: standard output")
	p.serverFlags(flags, &o.serverOptions)
	return cmd
}

// exportPlan is what an export's options come to.
type exportPlan struct {
	query    client.Query
	format   transfer.Format
	values   matcher.Values
	headings []string // of csv; nil: those of the first documents
}

func (o *exportOptions) plan(p Program) (plan exportPlan, err error) {
	if err := o.check(p, o.collection); err != nil {
		return plan, err
	}
	if plan.format, err = formatOf(o.format, o.out); err != nil {
		return plan, err
	}
	plan.query = client.Query{Collection: o.collection, Limit: o.limit}
	filter, err := textOption("--filter", o.filter)
	if err != nil {
		return plan, err
	}
	if filter != "" {
		if plan.query.Filter, err = jsonOption("--filter", filter, '{'); err != nil {
			return plan, err
		}
	}
	if plan.query.Sort, err = shortOption("--sort", o.sort, sortPair); err != nil {
		return plan, err
	}
	switch {
	case o.array && plan.format != transfer.ExtJSON:
		return plan, usagef("--json-array is for --format extjson")
	case o.values != "" && plan.format == transfer.CSV:
		return plan, usagef("--values is for JSON; the types of CSV are those of its columns")
	case plan.format == transfer.CSV:
		return plan, plan.columns(o.fields)
	case plan.format == transfer.ExtJSON && o.values == "":
		o.values = matcher.ValuesCanonical.String()
	}
	if plan.values, err = matcher.ParseValues(o.values); err != nil {
		return plan, usagef("--values is %q; known are relaxed, canonical and plain", o.values)
	}
	plan.query.Fields, err = shortOption("--fields", o.fields, func(name string) any { return name })
	return plan, err
}

// columns reads the columns that were chosen. The server is asked for their fields alone.
func (plan *exportPlan) columns(fields string) (err error) {
	if fields = strings.TrimSpace(fields); fields == "" {
		return nil
	}
	if fields[0] == '{' || fields[0] == '[' {
		return usagef("--fields of CSV are columns with commas between them, such as title,author.name.string()")
	}
	var paths []string
	for heading := range strings.SplitSeq(fields, ",") {
		heading = strings.TrimSpace(heading)
		c, _, err := transfer.ParseColumn(heading)
		if err != nil {
			return usagef("--fields: %v", err)
		}
		plan.headings, paths = append(plan.headings, heading), append(paths, c.Path)
	}
	plan.query.Fields, err = json.Marshal(paths)
	return err
}

// outputFile is a file that appears with Commit, or standard output.
type outputFile struct {
	*bufio.Writer
	file  *os.File // nil: standard output
	name  string
	bytes int64
}

func (p Program) createOutput(name string) (*outputFile, error) {
	o := &outputFile{name: name}
	to := p.Stdout
	if name != "" {
		file, err := os.Create(name + ".part")
		if err != nil {
			return nil, err
		}
		o.file, to = file, file
	}
	o.Writer = bufio.NewWriterSize(to, 256<<10)
	return o, nil
}

func (o *outputFile) Write(b []byte) (int, error) {
	o.bytes += int64(len(b))
	return o.Writer.Write(b)
}

// close ends the file; where err is not nil it is taken away.
func (o *outputFile) close(err error) error {
	if err = errors.Join(err, o.Flush()); o.file == nil {
		return err
	}
	if err == nil {
		err = o.file.Sync()
	}
	if err = errors.Join(err, o.file.Close()); err != nil {
		return errors.Join(err, os.Remove(o.file.Name()))
	}
	return os.Rename(o.file.Name(), o.name)
}

func (p Program) export(ctx context.Context, o exportOptions) error {
	plan, err := o.plan(p)
	if err != nil {
		return err
	}
	out, err := p.createOutput(o.out)
	if err != nil {
		return err
	}
	documents, err := p.runExport(ctx, o, plan, out)
	if err = out.close(err); err != nil {
		return o.hint(err)
	}
	if o.out == "" {
		p.notice("%s, %s", count(int(documents), "document"), formatSize(out.bytes))
		return nil
	}
	_, err = fmt.Fprintf(p.Stdout, "%s, %s, in %s\n", count(int(documents), "document"), formatSize(out.bytes), o.out)
	return err
}

func (p Program) runExport(ctx context.Context, o exportOptions, plan exportPlan, out io.Writer) (documents int64, err error) {
	bar := p.newBar("exporting")
	defer bar.end()
	bar.format = func(n int64) string { return fmt.Sprintf("%d documents", n) }
	x := &transfer.Export{URL: o.url, Token: o.token, Query: plan.query, Metadata: o.metadata}
	x.Lost = func(cause error, wait time.Duration) {
		bar.end()
		p.notice("%v; trying again in %v", cause, wait.Round(10*time.Millisecond))
	}
	total := int64(0)
	if !bar.hidden {
		if total, err = x.Count(ctx); err != nil {
			return 0, err
		}
		if o.limit > 0 {
			total = min(total, int64(o.limit))
		}
	}
	var writer transfer.Writer
	x.Page = func(page []*matcher.Document) error {
		if writer == nil {
			var err error
			if writer, err = plan.writer(out, o.array, page); err != nil {
				return err
			}
		}
		for _, d := range page {
			if err := writer.Write(d); err != nil {
				return err
			}
			documents++
		}
		bar.show(documents, total)
		return nil
	}
	if err := x.Run(ctx); err != nil {
		return documents, err
	}
	return documents, writer.Close()
}

// writer is the writer for the export's format. The first page says what CSV's columns are.
func (plan exportPlan) writer(out io.Writer, array bool, first []*matcher.Document) (transfer.Writer, error) {
	if plan.format != transfer.CSV {
		return transfer.NewJSONWriter(out, plan.values, array), nil
	}
	columns, err := transfer.Columns(plan.headings, first)
	if err != nil {
		return nil, err
	}
	return transfer.NewCSVWriter(out, columns, plan.headings == nil)
}
