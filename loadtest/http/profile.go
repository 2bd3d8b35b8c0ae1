package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// step is a part of the server and the processor time that the profile found in it.
type step struct {
	name string
	time time.Duration
}

// MaxProfileBytes bounds what is read of a profile.
const MaxProfileBytes = 64 << 20

// profile takes a profile from the admin port, keeps it in the named file and adds its samples up by step. `go tool pprof -traces` prints every
// stack; a stack belongs to the innermost function that a step claims, so that a system call or an allocation counts
// for the step that asked for it.
func profile(ctx context.Context, admin string, duration time.Duration, name string) (steps []step, err error) {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", admin, int(duration.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("take a profile: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxProfileBytes))
	if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("take a profile: %s %w", response.Status, err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return nil, fmt.Errorf("keep the profile: %w", err)
	}
	traces, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", name).Output()
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	return addUp(string(traces))
}

// addUp reads the output of `go tool pprof -traces`: blocks apart by lines of dashes, in each first a time and the
// innermost function, then its callers.
func addUp(traces string) ([]step, error) {
	times := map[string]time.Duration{}
	var stack []string
	var value time.Duration
	flush := func() {
		if len(stack) > 0 {
			times[stepOf(stack)] += value
		}
		stack, value = nil, 0
	}
	lines := bufio.NewScanner(strings.NewReader(traces))
	lines.Buffer(nil, 1<<20)
	for inBlocks := false; lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "-----------+") {
			flush()
			inBlocks = true
			continue
		}
		fields := strings.Fields(line)
		if !inBlocks || len(fields) == 0 {
			continue
		}
		if len(stack) == 0 {
			var err error
			if value, err = parseValue(fields[0]); err != nil {
				continue // a label line before the value
			}
			fields = fields[1:]
		}
		stack = append(stack, strings.Join(fields, " "))
	}
	flush()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	if len(times) == 0 {
		return nil, errors.New("the profile has no samples")
	}
	var steps []step
	for name, t := range times {
		steps = append(steps, step{name, t})
	}
	slices.SortFunc(steps, func(a, b step) int { return int(b.time - a.time) })
	return steps, nil
}

func parseValue(text string) (time.Duration, error) {
	text = strings.Replace(strings.Replace(text, "mins", "m", 1), "hrs", "h", 1)
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("read a time: %w", err)
	}
	return d, nil
}

// claims says which functions belong to which step, by the beginning of their names; the first that fits counts.
var claims = []struct{ prefix, step string }{
	{"github.com/freshetdb/freshet/matcher.Parse", "parse and compose"},
	{"github.com/freshetdb/freshet/matcher.Compose", "parse and compose"},
	{"github.com/freshetdb/freshet/matcher.SameContent", "parse and compose"},
	{"github.com/freshetdb/freshet/matcher.(*Update)", "parse and compose"},
	{"github.com/freshetdb/freshet/matcher.(*Engine)", "match"},
	{"github.com/freshetdb/freshet/matcher.(*Window)", "match"},
	{"github.com/freshetdb/freshet/matcher.(*Query).Match", "match"},
	{"github.com/freshetdb/freshet/matcher.(*Query).SameProjected", "match"},
	{"github.com/freshetdb/freshet/matcher.Append", "encode"},
	{"github.com/freshetdb/freshet/matcher.(*Query).AppendDocument", "encode"},
	{"github.com/freshetdb/freshet/matcher.(*Projection).AppendDocument", "encode"},
	{"github.com/freshetdb/freshet/ingest", "log"},
	{"github.com/freshetdb/freshet/storage", "decide and apply"},
	{"github.com/freshetdb/freshet/fanout", "fanout"},
	{"github.com/freshetdb/freshet/gateway", "gateway"},
	{"github.com/freshetdb/freshet/internal", "gateway"},
	{"github.com/cockroachdb/pebble", "pebble"},
	{"github.com/gorilla/websocket", "transport: WebSocket"},
	{"net/http/pprof", "measuring"},
	{"net/http", "transport: HTTP"},
	{"net.", "transport: HTTP"},
	{"runtime.gcBgMarkWorker", "garbage collection"},
	{"runtime.bgsweep", "garbage collection"},
	{"runtime.bgscavenge", "garbage collection"},
	{"runtime.mcall", "scheduler"},
	{"runtime.mstart", "scheduler"},
	{"runtime.goexit0", "scheduler"},
	{"runtime.sysmon", "scheduler"},
}

const matcherPrefix = "github.com/freshetdb/freshet/matcher."

// stepOf finds the step of a stack, which begins with the innermost function. The matcher is entered at one of a few
// functions that tell what it is asked for; within it the outermost one counts.
func stepOf(stack []string) string {
	for i, function := range stack {
		if strings.HasPrefix(function, matcherPrefix) {
			entry := function
			for _, caller := range stack[i:] {
				if !strings.HasPrefix(caller, matcherPrefix) {
					break
				}
				entry = caller
			}
			if name, ok := claimed(entry); ok {
				return name
			}
			return "matcher, other"
		}
		if name, ok := claimed(function); ok {
			return transport(name, stack[i:])
		}
	}
	return "other"
}

// transport tells a socket's system calls apart by who asked for them.
func transport(name string, callers []string) string {
	if !strings.HasPrefix(name, "transport") {
		return name
	}
	for _, caller := range callers {
		if strings.HasPrefix(caller, "github.com/gorilla/websocket") {
			return "transport: WebSocket"
		}
	}
	return name
}

func claimed(function string) (string, bool) {
	for _, c := range claims {
		if strings.HasPrefix(function, c.prefix) {
			return c.step, true
		}
	}
	return "", false
}
