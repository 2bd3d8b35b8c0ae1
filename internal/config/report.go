package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteReport prints every effective setting and where it comes from, as `freshet config check` shows it.
func (l Loaded) WriteReport(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, orNone(s.Value(l.Config)), l.Origin[s.Key]); err != nil {
			return err
		}
	}
	return table.Flush()
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// Markdown is the reference of all settings: docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(markdownHead)
	group := ""
	for _, s := range settings {
		if s.Group != group {
			group = s.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		def := "none"
		if d := s.Default(); d != "" {
			def = "`" + d + "`"
		}
		flag := "--" + s.Flag
		if s.Holder != "" {
			flag += " " + s.Holder
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s.", s.Key, upperFirst(s.Meaning))
		if s.Cost != "" {
			fmt.Fprintf(&b, " %s", s.Cost)
		}
		fmt.Fprintf(&b, "\n\nFlag `%s`, variable `%s`, default %s.\n", flag, s.Env, def)
	}
	return b.String()
}

func upperFirst(text string) string {
	if text == "" || text[0] == '`' {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

const markdownHead = `# Configuration

<!-- Generated from the table in internal/config: go test ./internal/config -update -->

A setting has a flag, an environment variable and a key in a YAML file. A flag wins over the variable, the variable
over the file, the file over the default. The file is named by ` + "`--config FILE`" + ` or ` + "`FRESHET_CONFIG`" + `; there is no
file that is read unasked.

` + "```yaml" + `
listen: 127.0.0.1:4680
data: /var/lib/freshet
cacheBytes: 1GiB
http:
  origins:
    - https://app.example
` + "```" + `

An unknown flag or key stops the start and names the nearest known one; an unknown variable that begins with
` + "`FRESHET_`" + ` is reported and ignored. Whatever is wrong with the values in file, variables and flags is said at once, a line for
each: the place, the value, what it may be. ` + "`freshet config check`" + ` takes the same flags, variables and file as
` + "`freshet serve`" + ` and prints each effective setting and where it comes from.

Sizes are bytes, or a whole number with ` + "`KiB`, `MiB` or `GiB`" + `. Durations are written like ` + "`10s`, `1m30s`" + `.

The client commands read ` + "`FRESHET_URL`, `FRESHET_TOKEN` and, for `freshet backup`, `FRESHET_ADMIN_URL`" + `: the addresses and the
access token that they use.
`
