package cli

import (
	"io"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshetdb/freshet/internal/config"
)

func (p Program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a node",
		Long: "Run a node until SIGINT or SIGTERM.\n\n" +
			"Every flag is also an environment variable and a key in the file of --config; see docs/configuration.md.",
		Example: "  freshet serve --dev\n  freshet serve --data /var/lib/freshet --listen 0.0.0.0:4680",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(given(cmd), p.Environ)
			if err != nil {
				return err
			}
			log := newLogger(p.Stderr, loaded.Config)
			for _, w := range loaded.Warnings {
				log.Warn().Str("warning", w).Msg("configuration")
			}
			return p.Serve(log.WithContext(cmd.Context()), loaded.Config)
		},
	}
	addSettings(cmd)
	return cmd
}

func (p Program) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check the configuration", Args: cobra.ArbitraryArgs, RunE: group}
	check := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and print each effective setting and where it comes from",
		Long:  "Takes the flags, variables and file of `freshet serve`, and starts nothing.",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := config.Load(given(cmd), p.Environ)
			if err != nil {
				return err
			}
			for _, w := range loaded.Warnings {
				p.notice("warning: %s", w)
			}
			return loaded.WriteReport(p.Stdout)
		},
	}
	addSettings(check)
	cmd.AddCommand(check)
	return cmd
}

// settingFlag holds what the command line gives for one setting, as text: Load reads it, so that a refusal sounds the
// same wherever a value was given.
type settingFlag struct {
	setting config.Setting
	text    string
	given   bool
}

func (f *settingFlag) String() string { return f.text }

func (f *settingFlag) Set(text string) error {
	if f.given && f.setting.List {
		text = f.text + "," + text
	}
	f.text, f.given = text, true
	return nil
}

// Type is what the help shows for the value.
func (f *settingFlag) Type() string {
	if f.setting.Switch() {
		return "bool"
	}
	return f.setting.Holder
}

// addSettings makes a flag of every row of the table.
func addSettings(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, s := range config.Settings() {
		usage := strings.ReplaceAll(s.Meaning, "`", `"`)
		if d := s.Default(); d != "" && !s.Switch() {
			usage += " (default " + d + ")"
		}
		flags.Var(&settingFlag{setting: s}, s.Flag, usage)
		if s.Switch() {
			flags.Lookup(s.Flag).NoOptDefVal = "true"
		}
	}
	flags.String(config.FileFlag, "", "`FILE` with settings, in YAML")
}

// given is the flags that the command line really holds.
func given(cmd *cobra.Command) config.Given {
	g := config.Given{}
	cmd.Flags().Visit(func(f *pflag.Flag) { g[f.Name] = f.Value.String() })
	return g
}

// newLogger writes JSON lines, or lines for people.
func newLogger(w io.Writer, c config.Config) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel // cannot be: the configuration was checked
	}
	_, terminal := terminalOf(w)
	if c.LogFormat == config.LogConsole || c.LogFormat == config.LogAuto && terminal {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !terminal}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
