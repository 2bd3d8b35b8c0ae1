package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// indexWait bounds the wait for an index.
const indexWait = 30 * time.Minute

// MakeIndex makes an ascending index on a field of the collection, named after it, and waits until it is built.
func MakeIndex(ctx context.Context, address, field string) error {
	ctx, cancel := context.WithTimeout(ctx, indexWait)
	defer cancel()
	url := "http://" + address + "/v1/db/" + Collection + ":indexes/" + field
	state, err := indexState(ctx, http.MethodPut, url, fmt.Sprintf(`{"keys":[[%q,1]]}`, field))
	for ; err == nil && state != "ready"; state, err = indexState(ctx, http.MethodGet, url, "") {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the index on %s: %w", field, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return err
}

// indexState sends a request whose answer describes an index.
func indexState(ctx context.Context, method, url, body string) (state string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	text, err := Answer(request)
	if err != nil {
		return "", err
	}
	var status struct{ State string }
	if err := json.Unmarshal(text, &status); err != nil {
		return "", fmt.Errorf("read the state of an index: %w", err)
	}
	return status.State, nil
}

// Answer makes a request and returns the body of its answer, which must say that it succeeded.
func Answer(request *http.Request) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s %s: %w", request.Method, request.URL, err)
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %.300s", request.Method, request.URL, response.Status, text)
	}
	return text, nil
}
