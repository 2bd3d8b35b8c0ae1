package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshetdb/freshet/internal/client"
	"github.com/freshetdb/freshet/internal/config"
	"github.com/freshetdb/freshet/internal/transfer"
)

// maxShownFailures bounds the documents of an import whose failure is told one by one.
const maxShownFailures = 20

// saveEvery is how often an import's progress is written to its file.
const saveEvery = time.Second

// serverOptions say which server, and who asks.
type serverOptions struct{ url, token string }

func (p Program) serverFlags(flags *pflag.FlagSet, o *serverOptions) {
	flags.StringVar(&o.url, "url", p.env(urlEnv, defaultURL), "the server's `URL` ("+urlEnv+")")
	flags.StringVar(&o.token, "token", "", "access `TOKEN` ("+tokenEnv+")")
}

// check checks what can be checked here, and finds the token where none was given.
func (o *serverOptions) check(p Program, collection string) error {
	if !collectionName.MatchString(collection) {
		return usagef("%q is not a collection's name; it begins with a letter and has up to 64 letters, digits, _ . and -", collection)
	}
	if _, err := client.LiveURL(o.url); err != nil {
		return usagef("%v", err)
	}
	if o.token == "" {
		o.token = p.env(tokenEnv, "")
	}
	return nil
}

// hint adds what helps to an error of the server.
func (o serverOptions) hint(err error) error {
	switch {
	case err == nil:
	case errors.Is(err, client.ErrUnreachable):
		return fmt.Errorf("%w; is it running at %s? `freshet serve --dev` starts one, --url names another", err, o.url)
	case status(err) == 401:
		return fmt.Errorf("%w; give an access token with --token or %s", err, tokenEnv)
	}
	return err
}

// oneOf checks the value of a flag that takes one of some words.
func oneOf(flag, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return usagef("%s is %q; known are %s%s", flag, value, strings.Join(known, ", "), config.DidYouMean(value, known, ""))
}

// formatOf is the format that was asked for, or the one that a file's name ends with.
func formatOf(flag, file string) (transfer.Format, error) {
	if flag != "" {
		return transfer.Format(flag), oneOf("--format", flag, transfer.Formats)
	}
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv":
		return transfer.CSV, nil
	case ".json":
		return transfer.ExtJSON, nil
	}
	return transfer.NDJSON, nil
}

type importOptions struct {
	serverOptions
	collection, file string
	format, mode     string
	resume           string
	create           bool
	maxErrors        int64
}

func (p Program) importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import COLLECTION [FILE]",
		Short: "Write the documents of a file into a collection",
		Long: `Write the documents of a file, or of standard input (-), into a collection.

Formats (--format, or by the name's ending):
  ndjson   a JSON document a line; Extended JSON, canonical or relaxed
  extjson  as mongoexport writes (.json): documents one after another or in one array, over any number of lines
  csv      a header with names and types, such as name.string(),age.int64(),born.date(2006-01-02),address.city.string();
           a column without a type holds numbers and texts; an empty field is no field, "" an empty text

An _id that is an ObjectId or an integer becomes its digits as a string. _rev, _createdAt and _updatedAt are left out: the
server sets its own.

A lost connection or a restarted server is waited for, and the same import repeated after it was cut off writes no document
twice: each write has an idempotency key made of the file's name and of all its documents up to that one, which the server
remembers for its next million writes (maxRequestLag). With --resume a progress file remembers how far it came, for any
time and for standard input too.`,
		Example: "  freshet import quakes quakes.ndjson\n  mongoexport -c pages | freshet import pages --format extjson --mode upsert\n  freshet import people people.csv --resume people.progress",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			args = append(slices.Clone(args), "-")
			if len(args) == 1 || len(args) > 3 {
				return usagef("import takes the name of a collection and a file; see `freshet import --help`")
			}
			o.collection, o.file = args[0], args[1]
			return p.importFile(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.format, "format", "", "`FORMAT` of the file: ndjson, extjson or csv")
	flags.StringVar(&o.mode, "mode", transfer.Insert, "`MODE`: insert (a document that is there fails), upsert (it is replaced), replace (one that is missing fails)")
	flags.StringVar(&o.resume, "resume", "", "keep the progress in `FILE`, and go on from there where it exists")
	flags.BoolVar(&o.create, "create", false, "create the collection where it is missing")
	flags.Int64Var(&o.maxErrors, "max-errors", 1000, "give up when more than `N` documents failed; 0: never")
	p.serverFlags(flags, &o.serverOptions)
	return cmd
}

// countingReader counts what was read, for the progress bar.
type countingReader struct {
	io.Reader
	bytes atomic.Int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.bytes.Add(int64(n))
	return n, err
}

func (p Program) importFile(ctx context.Context, o importOptions) (err error) {
	if err := o.check(p, o.collection); err != nil {
		return err
	}
	if err := oneOf("--mode", o.mode, transfer.Modes); err != nil {
		return err
	}
	format, err := formatOf(o.format, o.file)
	if err != nil {
		return err
	}
	if o.maxErrors < 0 {
		return usagef("--max-errors is %d; give 0 or more", o.maxErrors)
	}
	in, size, seed := &countingReader{Reader: p.Stdin}, int64(0), rand.Text()
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		in.Reader, size, seed = file, info.Size(), filepath.Base(o.file)
	}
	records, err := transfer.NewReader(format, in)
	if err != nil {
		return err
	}
	im := &transfer.Import{URL: o.url, Token: o.token, Collection: o.collection, Mode: o.mode, Seed: seed,
		Records: records, MaxFailed: o.maxErrors}
	progress := transfer.Progress{}
	if o.resume != "" {
		if progress, err = transfer.Begin(o.resume, o.collection, o.mode); err != nil {
			return err
		}
		im.Seed, im.Skip, im.SkipSum = progress.Seed, progress.Counts, progress.Sum
	}
	if o.create {
		if err := transfer.CreateCollection(ctx, o.url, o.token, o.collection); err != nil {
			return o.hint(err)
		}
	}
	return p.runImport(ctx, o, im, progress, func(b *bar) { b.show(in.bytes.Load(), size) })
}

// runImport runs the import with a bar, and keeps its progress.
func (p Program) runImport(ctx context.Context, o importOptions, im *transfer.Import, progress transfer.Progress, show func(*bar)) error {
	bar := p.newBar("importing")
	defer bar.end()
	shown, saved, unsaved := 0, time.Now(), false
	im.Failed = func(line int, err error) {
		bar.end()
		if shown++; shown <= maxShownFailures {
			p.notice("line %d: %v", line, err)
		} else if shown == maxShownFailures+1 {
			p.notice("further failures are only counted")
		}
	}
	im.Lost = func(cause error, wait time.Duration) {
		bar.end()
		p.notice("%v; trying again in %v", cause, wait.Round(10*time.Millisecond))
	}
	save := func() error {
		saved, unsaved = time.Now(), false
		return progress.Save(o.resume)
	}
	im.Settled = func(c transfer.Counts, sum []byte) error {
		if c.Records%256 == 0 {
			show(bar)
		}
		if o.resume == "" {
			return nil
		}
		progress.Counts, progress.Sum, unsaved = c, sum, true
		if time.Since(saved) < saveEvery {
			return nil
		}
		return save()
	}
	began := im.Skip.Failed
	c, err := im.Run(ctx)
	if unsaved {
		err = errors.Join(err, save())
	}
	bar.end()
	summary := fmt.Sprintf("%s: %d inserted, %d replaced, %d failed", count(int(c.Records), "document"), c.Inserted, c.Replaced, c.Failed)
	if c.Repeated > 0 {
		summary += fmt.Sprintf(", %d there from an earlier run", c.Repeated)
	}
	if _, printed := fmt.Fprintln(p.Stdout, summary); printed != nil {
		err = errors.Join(err, printed)
	}
	if err == nil && c.Failed > 0 {
		err = fmt.Errorf("%d of %d documents failed", c.Failed, c.Records)
		if began > 0 {
			err = fmt.Errorf("%w, %d of them by the runs before", err, began)
		}
	}
	if missing := (*client.Problem)(nil); errors.As(err, &missing) && missing.Code == "collection-not-found" {
		err = fmt.Errorf("%w; --create creates it", err)
	}
	return o.hint(err)
}
