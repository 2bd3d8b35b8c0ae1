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

// invalid is a refused setting: where it was given, its value, and a phrase with the remedy.
func invalid(origin, key, text string, phrase error) error {
	return fmt.Errorf("%w: %s (%s): %q %v", ErrInvalid, key, origin, text, phrase)
}

// Load puts the settings together from flags, environment ("NAME=value") and the file that either of them names.
func Load(flags Given, environ []string) (Loaded, error) {
	l := Loaded{Config: Default(), Origin: map[string]string{}}
	for _, s := range settings {
		l.Origin[s.Key] = "default"
	}
	env := ownVariables(environ)
	l.File = env[FileEnv]
	if file, ok := flags[FileFlag]; ok {
		l.File = file
	}
	if l.File != "" {
		text, err := os.ReadFile(l.File)
		if err != nil {
			return Loaded{}, fmt.Errorf("%w: read the file of --%s: %w", ErrInvalid, FileFlag, err)
		}
		if err := l.readFile(l.File, text); err != nil {
			return Loaded{}, err
		}
	}
	for _, s := range settings {
		if text, ok := env[s.Env]; ok {
			if err := l.set(s, "environment "+s.Env, text); err != nil {
				return Loaded{}, err
			}
		}
		if text, ok := flags[s.Flag]; ok {
			if err := l.set(s, "flag --"+s.Flag, text); err != nil {
				return Loaded{}, err
			}
		}
	}
	l.Warnings = unknownVariables(env)
	if err := l.check(); err != nil {
		return Loaded{}, err
	}
	return l, nil
}

func (l *Loaded) set(s Setting, origin, text string) error {
	if err := s.value(&l.Config).Set(text); err != nil {
		return invalid(origin, s.Key, text, err)
	}
	l.Origin[s.Key] = origin
	return nil
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

// check refuses settings that are fine alone and wrong together.
func (l *Loaded) check() error {
	c := l.Config
	if c.Dev {
		for _, a := range []struct{ key, address string }{{"listen", c.Listen}, {"admin", c.Admin}} {
			if !loopback(a.address) {
				return invalid(l.Origin[a.key], a.key, a.address, fmt.Errorf(
					"can be reached from other machines, and dev (%s) lets anyone in; listen on 127.0.0.1, or leave dev out and use the root token",
					l.Origin["dev"]))
			}
		}
	}
	if _, port, _ := net.SplitHostPort(c.Listen); c.Listen == c.Admin && port != "0" {
		return invalid(l.Origin["admin"], "admin", c.Admin, errors.New("is the address of listen, too; give it another port"))
	}
	return nil
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
