package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/freshetdb/freshet/internal/config"
)

// Exit codes. `freshet match` has those of grep instead.
const (
	ExitOK      = 0
	ExitFailure = 1 // at run time
	ExitUsage   = 2 // wrong command line or configuration
)

// errUsage is wrapped by errors of the command line.
var errUsage = errors.New("wrong usage")

// usageError is an errUsage whose text is its own.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }
func (e usageError) Unwrap() error { return errUsage }

// exitError is an exit code of a command's own. Without an error there is nothing to say.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e exitError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// Program is what the command line is run with.
type Program struct {
	Args    []string // without the program's name
	Environ []string // "NAME=value"
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Version string
	// Serve runs a node until ctx ends; its logger is in ctx.
	Serve func(ctx context.Context, c config.Config) error
}

// Main runs one command and returns the exit code. SIGINT and SIGTERM end the command in order; a second one ends the
// process at once.
func Main(p Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	return p.run(ctx)
}

func (p Program) run(ctx context.Context) int {
	root := p.command()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, problem := range problems {
			p.noticeError(problem)
		}
		return ExitUsage
	}
	var exit exitError
	own := errors.As(err, &exit)
	if !own || exit.err != nil {
		p.noticeError(err)
	}
	if own {
		return exit.code
	}
	if errors.Is(err, errUsage) {
		return ExitUsage
	}
	return ExitFailure
}

// notice writes one line for a person. Where standard error is gone there is nobody to tell.
func (p Program) notice(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stderr, "freshet: "+format+"\n", args...)
}

// noticeError writes an error in one line.
func (p Program) noticeError(err error) { p.notice("%s", strings.ReplaceAll(err.Error(), "\n", "; ")) }

func (p Program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "freshet",
		Short:         "An open live-query system: register a query once, get every change of its result",
		Version:       p.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          group,
	}
	root.SetVersionTemplate("freshet {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	for _, g := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"A server and its data:", []*cobra.Command{p.serveCommand(), p.configCommand(), p.healthCommand(), p.backupCommand(), p.restoreCommand(), p.dataCommand(), p.logCommand()}},
		{"Ask a server:", []*cobra.Command{p.subCommand(), p.importCommand(), p.exportCommand()}},
		{"Without a server:", []*cobra.Command{p.matchCommand(), p.versionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	return root
}

func init() {
	cobra.EnableCommandSorting = false // the help has the commands in the order of their use
}

// group is a command that only has subcommands.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	return usagef("the command %q is unknown%s `%s --help` lists the commands",
		args[0], didYouMean(args[0], known, ""), cmd.CommandPath())
}

// didYouMean asks whether the nearest known name was meant. Another clause may follow.
func didYouMean(name string, known []string, prefix string) string {
	return cmp.Or(config.DidYouMean(name, known, prefix), ";")
}

// exactly refuses any other number of arguments, by their names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usagef("%s takes no argument %q; see `%s --help`", cmd.CommandPath(), args[len(names)], cmd.CommandPath())
		}
		if len(args) < len(names) {
			return usagef("%s needs %s; see `%s --help`", cmd.CommandPath(), names[len(args)], cmd.CommandPath())
		}
		return nil
	}
}

func flagError(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return usagef("%v; see `%s --help`", err, cmd.CommandPath())
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	return usagef("the flag --%s is unknown%s `%s --help` lists the flags", name, didYouMean(name, known, "--"), cmd.CommandPath())
}

func (p Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(p.Stdout, "freshet", p.Version)
			return err
		},
	}
}

// terminalOf returns the descriptor of w where w is a terminal.
func terminalOf(w io.Writer) (fd int, ok bool) {
	file, isFile := w.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(file.Fd())
	return fd, term.IsTerminal(fd)
}
