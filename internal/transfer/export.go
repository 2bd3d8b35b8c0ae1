package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/freshetdb/freshet/internal/client"
	"github.com/freshetdb/freshet/matcher"
)

// MaxPageBytes bounds what is read of one page of documents.
const MaxPageBytes = 64 << 20

// pageWait bounds how long one page may take.
const pageWait = 5 * time.Minute

// Export reads the documents of a query, page by page. A page is a snapshot; what is written while the export goes on may
// be in the pages after it.
type Export struct {
	URL, Token string
	Query      client.Query
	Metadata   bool // keep the revision and the times of documents

	// Page is called with the documents of each page in order, also with an empty first one.
	Page func(documents []*matcher.Document) error
	// Lost is told of a page that is asked for again.
	Lost func(cause error, wait time.Duration)
}

// Run reads all pages.
func (x *Export) Run(ctx context.Context) error {
	next := ""
	for first := true; first || next != ""; first = false {
		p, err := x.ask(ctx, next, first)
		if err != nil {
			return err
		}
		documents := make([]*matcher.Document, len(p.Documents))
		for i, text := range p.Documents {
			d, err := matcher.Parse(text, recordLimits)
			if err == nil && !x.Metadata {
				d, err = WithoutMetadata(d)
			}
			if err != nil {
				return fmt.Errorf("read a document of the server, %.80s: %w", text, err)
			}
			documents[i] = d
		}
		if err := x.Page(documents); err != nil {
			return err
		}
		next = p.Next
	}
	return nil
}

type page struct {
	Documents []json.RawMessage `json:"documents"`
	Next      string            `json:"next"`
}

// ask asks for a page until it comes.
func (x *Export) ask(ctx context.Context, token string, first bool) (page, error) {
	for attempt := 1; ; attempt++ {
		p, again, err := x.page(ctx, token)
		if err == nil {
			return p, nil
		}
		if ctx.Err() != nil || !again || attempt >= MaxAttempts || first && errors.Is(err, client.ErrUnreachable) {
			return p, err
		}
		wait := client.Backoff(attempt, rand.Float64())
		x.Lost(err, wait)
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// page asks for a page once; again is true if another try may help.
func (x *Export) page(ctx context.Context, token string) (p page, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	request, err := x.request(ctx, token)
	if err != nil {
		return p, false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return p, true, unanswered(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	if response.StatusCode != http.StatusOK {
		over, err := refused(response)
		return p, !over, err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxPageBytes+1))
	switch {
	case err != nil:
		return p, true, fmt.Errorf("%w: %w", errAnswer, err)
	case len(text) > MaxPageBytes:
		return p, false, fmt.Errorf("a page of documents has more than %d bytes; export fewer fields", MaxPageBytes)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, false, fmt.Errorf("read a page of the server: %w", err)
	}
	return p, false, nil
}

// request asks in a body, for a page's token and a filter may be long.
func (x *Export) request(ctx context.Context, token string) (*http.Request, error) {
	to, err := address(x.URL, "db", x.Query.Collection+":query")
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(struct {
		Filter json.RawMessage `json:"filter,omitempty"`
		Sort   json.RawMessage `json:"sort,omitempty"`
		Fields json.RawMessage `json:"fields,omitempty"`
		Limit  int             `json:"limit,omitempty"`
		Values string          `json:"values"`
		Page   string          `json:"page,omitempty"`
	}{x.Query.Filter, x.Query.Sort, x.Query.Fields, x.Query.Limit, matcher.ValuesCanonical.String(), token})
	if err != nil {
		return nil, fmt.Errorf("encode the query: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if x.Token != "" {
		request.Header.Set("Authorization", "Bearer "+x.Token)
	}
	return request, nil
}

// Count asks how many documents a filter has.
func (x *Export) Count(ctx context.Context) (int64, error) {
	to, err := address(x.URL, "db", x.Query.Collection+":count")
	if err != nil {
		return 0, err
	}
	if x.Query.Filter != nil {
		to += "?" + url.Values{"filter": {string(x.Query.Filter)}}.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return 0, err
	}
	if x.Token != "" {
		request.Header.Set("Authorization", "Bearer "+x.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, unanswered(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	if response.StatusCode != http.StatusOK {
		_, err := refused(response)
		return 0, err
	}
	var answer struct{ Count int64 }
	if err := json.NewDecoder(io.LimitReader(response.Body, client.MaxProblemBytes)).Decode(&answer); err != nil {
		return 0, fmt.Errorf("read the server's count: %w", err)
	}
	return answer.Count, nil
}
