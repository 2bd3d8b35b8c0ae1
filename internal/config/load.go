package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/freshetdb/freshet/matcher"
)

// ErrInvalid is wrapped by every error of Load: the settings as given cannot be used.
var ErrInvalid = errors.New("the configuration is invalid")

// Problems is the error of Load: everything that is wrong, each with its place, value and remedy. Those of the file come
// first, in its order, then those of each setting's variable and flag, then those of settings that do not go together.
type Problems []error

// Error is all of them in one line.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, problem := range p {
		texts[i] = problem.Error()
	}
	return ErrInvalid.Error() + ": " + strings.Join(texts, "; ")
}

// Unwrap is ErrInvalid and the problems.
func (p Problems) Unwrap() []error { return append([]error{ErrInvalid}, p...) }

// FileFlag and FileEnv name the YAML file. They are no setting: the file cannot name itself.
const (
	FileFlag = "config"
	FileEnv  = "FRESHET_CONFIG"
)

// foreignVariables begin with FRESHET_ and belong to other parts of the program.
var foreignVariables = []string{FileEnv, "FRESHET_URL", "FRESHET_ADMIN_URL", "FRESHET_TOKEN", "FRESHET_CONFORMANCE"}

// Given is what the command line holds: the value of each flag that was really given, by its name.
type Given map[string]string

// Loaded is effective settings and where they come from.
type Loaded struct {
	Config   Config
	File     string            // the YAML file that was read, "" for none
	Origin   map[string]string // by key: "default", "file <name>:<line>", "environment <variable>", "flag --<name>"
	Warnings []string
}

// loading is settings that are being put together.
type loading struct {
	Loaded
	problems Problems
	refused  map[string]bool // keys whose value somewhere was refused: what they are in the end is not known
}

func newLoading() *loading {
	l := &loading{Loaded: Loaded{Config: Default(), Origin: map[string]string{}}, refused: map[string]bool{}}
	for _, s := range settings {
		l.Origin[s.Key] = "default"
	}
	return l
}

func (l *loading) wrong(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

// refuse is for the value of a setting: where it was given, and a phrase with the remedy.
func (l *loading) refuse(origin, key, text string, phrase error) {
	l.refused[key] = true
	l.wrong("%s (%s): %q %w", key, origin, text, phrase)
}

// Load puts the settings together from flags, environment ("NAME=value") and the file that either of them names. Its error
// is Problems.
func Load(flags Given, environ []string) (Loaded, error) {
	l := newLoading()
	env := ownVariables(environ)
	l.File = env[FileEnv]
	if file, ok := flags[FileFlag]; ok {
		l.File = file
	}
	if l.File != "" {
		text, err := os.ReadFile(l.File)
		if err != nil {
			l.wrong("read the file of --%s: %w", FileFlag, err)
		} else {
			l.readFile(l.File, text)
		}
	}
	for _, s := range settings {
		if text, ok := env[s.Env]; ok {
			l.set(s, "environment "+s.Env, text)
		}
		if text, ok := flags[s.Flag]; ok {
			l.set(s, "flag --"+s.Flag, text)
		}
	}
	l.check()
	if len(l.problems) > 0 {
		return Loaded{}, l.problems
	}
	l.Warnings = unknownVariables(env)
	return l.Loaded, nil
}

func (l *loading) set(s Setting, origin, text string) {
	if err := s.value(&l.Config).Set(text); err != nil {
		l.refuse(origin, s.Key, text, err)
		return
	}
	l.Origin[s.Key] = origin
}

func ownVariables(environ []string) map[string]string {
	own := map[string]string{}
	for _, line := range environ {
		if name, text, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "FRESHET_") {
			own[name] = text
		}
	}
	return own
}

func unknownVariables(env map[string]string) (warnings []string) {
	known := slices.Clone(foreignVariables)
	for _, s := range settings {
		known = append(known, s.Env)
	}
	for name := range env {
		if !slices.Contains(known, name) {
			warnings = append(warnings, fmt.Sprintf("the environment variable %s is unknown and was ignored%s", name, DidYouMean(name, known, "")))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// DidYouMean is "; did you mean <prefix><nearest>?" or "" where no known name is near.
func DidYouMean(name string, known []string, prefix string) string {
	if near := matcher.Nearest(name, known); near != "" {
		return "; did you mean " + prefix + near + "?"
	}
	return ""
}

// check refuses settings that are fine alone and wrong together. It leaves those alone that are refused already: what they
// should be is not known.
func (l *loading) check() {
	c := l.Config
	if c.Dev && !l.refused["dev"] {
		for _, a := range []struct{ key, address string }{{"listen", c.Listen}, {"admin", c.Admin}} {
			if !l.refused[a.key] && !loopback(a.address) {
				l.refuse(l.Origin[a.key], a.key, a.address, fmt.Errorf(
					"can be reached from other machines, and dev (%s) lets anyone in; listen on 127.0.0.1, or leave dev out and use the root token",
					l.Origin["dev"]))
			}
		}
	}
	if _, port, _ := net.SplitHostPort(c.Listen); c.Listen == c.Admin && port != "0" && !l.refused["listen"] && !l.refused["admin"] {
		l.refuse(l.Origin["admin"], "admin", c.Admin, errors.New("is the address of listen, too; give it another port"))
	}
}

// loopback reports whether only this machine can reach the address. A name other than localhost may resolve to anything.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
