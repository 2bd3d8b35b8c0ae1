package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/freshetdb/freshet/internal/config"
	"github.com/freshetdb/freshet/matcher"
)

// invocation runs the command line in this process.
type invocation struct {
	code           int
	stdout, stderr string
	served         *config.Config
}

func invoke(t *testing.T, environ []string, args ...string) invocation {
	t.Helper()
	return invokeOn(t, "", environ, args...)
}

// invokeOn is invoke with something on standard input.
func invokeOn(t *testing.T, stdin string, environ []string, args ...string) (r invocation) {
	t.Helper()
	var out, errs strings.Builder
	p := Program{Args: args, Environ: environ, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Version: "1.2.3",
		Serve: func(ctx context.Context, c config.Config) error {
			r.served = &c
			zerolog.Ctx(ctx).Info().Msg("serving")
			if c.Data == "locked" {
				return errors.New("the data folder is in use")
			}
			if c.Data == "two" {
				return errors.Join(errors.New("one thing"), errors.New("and another"))
			}
			return nil
		}}
	r.code = p.run(t.Context())
	r.stdout, r.stderr = out.String(), errs.String()
	return r
}

// Invariants 1 and 2.
func TestExitCodesAndMessages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		code int
		want string // in standard error
	}{
		{"version", ExitOK, ""},
		{"version now", ExitUsage, `takes no argument "now"`},
		{"serve", ExitOK, `"message":"serving"`},
		{"serve --data locked", ExitFailure, "freshet: the data folder is in use"},
		{"serve --lisen 127.0.0.1:1", ExitUsage, "--lisen is unknown; did you mean --listen?"},
		{"serve --qqqqqqq", ExitUsage, "--qqqqqqq is unknown; `freshet serve --help`"},
		{"serve --listen", ExitUsage, "needs an argument"},
		{"serve --durability both", ExitUsage, "durability (flag --durability)"},
		{"serve --dev --listen 0.0.0.0:4680", ExitUsage, "other machines"},
		{"serve --config /nowhere.yaml", ExitUsage, "/nowhere.yaml"},
		{"serve extra", ExitUsage, `takes no argument "extra"`},
		{"serve --data two", ExitFailure, "freshet: one thing; and another\n"},
		{"srve", ExitUsage, `the command "srve" is unknown; did you mean serve? ` + "`freshet --help`"},
		{"config chek", ExitUsage, `the command "chek" is unknown; did you mean check?`},
		{"config check --log-partitions 0", ExitUsage, "from 1 to 4096"},
		{"sub", ExitUsage, "needs the name of a collection"},
		{"sub a b", ExitUsage, `takes no argument "b"`},
		{"sub 9a", ExitUsage, "not a collection's name"},
		{"sub a --limit 0", ExitUsage, "--limit is 0"},
		{"sub a --skip -1", ExitUsage, "--skip is -1"},
		{"sub a --filter {", ExitUsage, "--filter is not JSON"},
		{"sub a --filter [1]", ExitUsage, "must be a JSON object"},
		{"sub a --sort a,,b", ExitUsage, "empty name"},
		{"sub a --events --json", ExitUsage, "exclude each other"},
		{"sub a --url localhost", ExitUsage, "http://127.0.0.1:4680"},
		{"sub a --url http://127.0.0.1:1", ExitFailure, "cannot be reached"},
	} {
		r := invoke(t, nil, strings.Fields(test.args)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.want) {
			t.Errorf("%s: exit %d, %q; want %d, %q", test.args, r.code, r.stderr, test.code, test.want)
		}
		if test.code != ExitOK && (strings.Count(r.stderr, "freshet: ") != 1 || strings.Contains(strings.TrimSuffix(r.stderr[strings.Index(r.stderr, "freshet: "):], "\n"), "\n") || strings.Contains(r.stderr, "Usage:") || r.stdout != "") {
			t.Errorf("%s: not one line on standard error: %q, %q", test.args, r.stderr, r.stdout)
		}
		if test.code == ExitUsage && r.served != nil {
			t.Errorf("%s: served all the same", test.args)
		}
	}
}

// All wrong values are said at once, each in a line of its own, whichever command reads them.
func TestWrongSettingsAreALineEach(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"serve", "config check"} {
		r := invoke(t, []string{"FRESHET_CACHE_BYTES=lots", "FRESHET_DURABILITY=a\nb"}, append(strings.Fields(command), "--listen", "4680", "--heartbeat", "1")...)
		var lines []string
		for l := range strings.Lines(r.stderr) {
			setting, rest, _ := strings.Cut(strings.TrimPrefix(l, "freshet: "), " (")
			lines = append(lines, setting)
			if !strings.HasPrefix(l, "freshet: ") || !strings.Contains(rest, "; give ") {
				t.Errorf("%s: %q", command, l)
			}
		}
		if got := strings.Join(lines, " "); r.code != ExitUsage || r.served != nil || r.stdout != "" || got != "listen durability cacheBytes http.heartbeat" {
			t.Errorf("%s: exit %d, %q", command, r.code, r.stderr)
		}
	}
}

func TestServeGetsTheSettings(t *testing.T) {
	t.Parallel()
	r := invoke(t, []string{"FRESHET_CACHE_BYTES=2MiB", "FRESHET_CACH_BYTES=1", urlEnv + "=x", tokenEnv + "=x", adminURLEnv + "=x"},
		"serve", "--dev", "--origin", "https://a.example", "--origin=https://b.example", "--listen", "127.0.0.1:0", "--dev=true")
	if r.code != ExitOK || r.served == nil {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	c := r.served
	if !c.Dev || c.Listen != "127.0.0.1:0" || c.CacheBytes != 2<<20 || fmt.Sprint(c.Origins) != "[https://a.example https://b.example]" {
		t.Errorf("served %+v", *c)
	}
	if !strings.Contains(r.stderr, `"level":"warn"`) || !strings.Contains(r.stderr, "did you mean FRESHET_CACHE_BYTES?") {
		t.Errorf("no warning: %s", r.stderr)
	}
	if strings.Count(r.stderr, "is unknown") != 1 {
		t.Errorf("the variables of the client commands are none of the server's business: %s", r.stderr)
	}
	if r := invoke(t, []string{"FRESHET_DEV=true"}, "serve", "--dev=false"); r.served == nil || r.served.Dev {
		t.Error("--dev=false does not win over the environment")
	}
}

// Invariant 3.
func TestConfigCheckReportsOnStandardOutput(t *testing.T) {
	t.Parallel()
	r := invoke(t, []string{"FRESHET_DATA=/d", "FRESHET_DATUM=1"}, "config", "check", "--dev")
	if r.code != ExitOK || r.served != nil {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{"environment FRESHET_DATA\n", "flag --dev\n", "127.0.0.1:4680", "default\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	if !strings.HasPrefix(r.stderr, "freshet: warning: the environment variable FRESHET_DATUM is unknown") {
		t.Errorf("standard error: %q", r.stderr)
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	t.Parallel()
	r := invoke(t, nil, "serve", "--help")
	for _, s := range config.Settings() {
		if r.code != ExitOK || !strings.Contains(r.stdout, "--"+s.Flag) || !s.Switch() && !strings.Contains(r.stdout, s.Default()) {
			t.Errorf("--%s or its default %q is missing", s.Flag, s.Default())
		}
	}
	if r := invoke(t, nil); r.code != ExitOK || !strings.Contains(r.stdout, "config") {
		t.Errorf("freshet alone: exit %d, %q", r.code, r.stdout)
	}
	if r := invoke(t, nil, "completion", "bash"); r.code != ExitOK || !strings.Contains(r.stdout, "freshet") {
		t.Errorf("completion: exit %d", r.code)
	}
	for _, args := range []string{"version", "--version"} {
		if r := invoke(t, nil, args); r.code != ExitOK || r.stdout != "freshet 1.2.3\n" {
			t.Errorf("%s: exit %d, %q", args, r.code, r.stdout)
		}
	}
}

// TestCommandsTakeWholeQueries: whatever a query consists of can be given to every command that takes one.
func TestCommandsTakeWholeQueries(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"sub", "match"} {
		help := invoke(t, nil, command, "--help").stdout
		for part := range reflect.TypeFor[matcher.QuerySpec]().Fields() {
			if part.Name == "Dates" || part.Name == "AnyDocument" {
				continue // not the user's, but of what is asked
			}
			if flag := "--" + strings.ToLower(part.Name) + " "; !strings.Contains(help, flag) {
				t.Errorf("%s has no %s", command, flag)
			}
		}
	}
	for _, bad := range [][]string{{"--collation", "de"}, {"--collation", "[]"}, {"--values", "relax"}} {
		if r := invoke(t, nil, append([]string{"sub", "c"}, bad...)...); r.code != ExitUsage || !strings.Contains(r.stderr, bad[0]) {
			t.Errorf("%q: exit %d, %q", bad, r.code, r.stderr)
		}
	}
}

func TestShortFormsBecomeWireForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ sort, fields, wantSort, wantFields string }{
		{"-mag, place", "mag,a.b", `[["mag",-1],["place",1]]`, `["mag","a.b"]`},
		{"+a", "", `[["a",1]]`, ``},
		{`{"mag":-1}`, `{"mag":1}`, `{"mag":-1}`, `{"mag":1}`},
		{`[["a",1]]`, `["a"]`, `[["a",1]]`, `["a"]`},
		{"", "", "", ""},
	} {
		q, err := subOptions{collection: "c", queryOptions: queryOptions{sort: test.sort, fields: test.fields}}.query()
		if err != nil || string(q.Sort) != test.wantSort || string(q.Fields) != test.wantFields {
			t.Errorf("%q, %q: %s, %s, %v", test.sort, test.fields, q.Sort, q.Fields, err)
		}
	}
}
