package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshetdb/freshet/internal/client"
)

const (
	defaultHealthTimeout = 5 * time.Second
	maxHealthTimeout     = 10 * time.Minute
	maxHealthBytes       = 64 << 10 // of the server's answer
)

// healthOptions is the command line of `freshet health` as given.
type healthOptions struct {
	url     string
	alive   bool
	timeout time.Duration
}

func (p Program) healthCommand() *cobra.Command {
	var o healthOptions
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a server whether it takes requests",
		Long: `Ask a server whether it takes requests. It prints "ready" and exits with 0, or says why not and exits with 1: the server
starts or stops, cannot be reached, or does not answer in time. It needs no access token and asks once; either port answers.`,
		Example: "  freshet health\n  freshet health --alive --url http://127.0.0.1:4681",
		Args:    exactly(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.health(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.url, "url", p.env(urlEnv, defaultURL), "the server's `URL` ("+urlEnv+")")
	flags.BoolVar(&o.alive, "alive", false, "ask only whether the process runs, which it also does while it starts and stops")
	flags.DurationVar(&o.timeout, "timeout", defaultHealthTimeout, "give up after `DURATION`")
	return cmd
}

func (p Program) health(ctx context.Context, o healthOptions) error {
	if o.timeout <= 0 || o.timeout > maxHealthTimeout {
		return usagef("--timeout is %v; give more than 0 and at most %v", o.timeout, maxHealthTimeout)
	}
	if _, err := client.LiveURL(o.url); err != nil {
		return usagef("%v", err)
	}
	path, good, bad := "readyz", "ready", "not ready"
	if o.alive {
		path, good, bad = "healthz", "alive", "not alive"
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := askHealth(ctx, o.url, path); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: no answer from %s within %v", bad, o.url, o.timeout)
	} else if err != nil {
		return fmt.Errorf("%s: %w", bad, err)
	}
	_, err := fmt.Fprintln(p.Stdout, good)
	return err
}

// askHealth asks a health path of a server once, and fails with what the server has to say, a *client.Problem, or with what
// keeps it from being asked.
func askHealth(ctx context.Context, base, path string) error {
	address, err := url.JoinPath(base, path)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	direct := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := direct.Do(request)
	if err != nil {
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err // without the address, which follows
		}
		return fmt.Errorf("the server cannot be reached: %w; is it running at %s? --url names another", err, base)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxHealthBytes))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	var answer struct {
		Status json.RawMessage `json:"status"` // "ok", or a problem's number
	}
	var problem client.Problem
	switch {
	case json.Unmarshal(text, &answer) != nil:
	case response.StatusCode == http.StatusOK && string(answer.Status) == `"ok"`:
		return nil
	case json.Unmarshal(text, &problem) == nil && problem.Code != "":
		return &problem
	}
	return fmt.Errorf("%s answers %s, and not as a Freshet server does; --url names another", address, response.Status)
}
