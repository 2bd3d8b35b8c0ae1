package transfer

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/freshetdb/freshet/internal/client"
)

const (
	// MaxAnswerBytes bounds one line of the server's answer.
	MaxAnswerBytes = 1 << 20
	// answerWait bounds how long a write may wait for its answer.
	answerWait = 2 * time.Minute
)

// answer is one line of a bulk answer.
type answer struct {
	Line    int             `json:"line"`
	Status  int             `json:"status"`
	Problem *client.Problem `json:"problem"`
}

// address is that of a path below a server's base URL.
func address(base string, path ...string) (string, error) {
	if _, err := client.LiveURL(base); err != nil {
		return "", err
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	return u.JoinPath(append([]string{"v1"}, path...)...).String(), nil
}

// connect sends all records that have no answer yet in one request and takes the answers, until the file is at its end, something
// fails for good (over) or another connection may help.
func (im *Import) connect(ctx context.Context) (over bool, err error) {
	to, err := address(im.URL, "bulk")
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	im.pending.again()
	body, out := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, body)
	if err != nil {
		return true, err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	if im.Token != "" {
		request.Header.Set("Authorization", "Bearer "+im.Token)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = out.CloseWithError(im.write(ctx, out)) // without an error this ends the request; it cannot fail
	}()
	over, err = im.exchange(request, cancel)
	cancel()
	im.pending.close()
	_ = body.CloseWithError(errConnectionOver) // lets the sender go; it cannot fail
	<-sent
	switch {
	case err != nil:
		return over, err
	case im.ended:
		return true, im.fileError
	}
	return false, fmt.Errorf("%w: the file goes on", errAnswer)
}

var errConnectionOver = errors.New("the connection is over")

// write sends what waits from earlier connections, then new records.
func (im *Import) write(ctx context.Context, to io.Writer) error {
	out := bufio.NewWriterSize(to, 64<<10)
	for {
		w, ok, early := im.pending.next()
		switch {
		case early:
			if err := out.Flush(); err != nil {
				return err
			}
			if !im.pending.waitFor(w.id) {
				return errConnectionOver
			}
			continue
		case !ok && im.ended:
			return out.Flush()
		case !ok:
			if err := im.more(ctx, out); err != nil {
				return err
			}
			continue
		}
		object := w.object
		if w.err != nil {
			object = []byte("\"\"\n") // a line that is refused, so that the answers stay in step
		}
		if _, err := out.Write(object); err != nil {
			return err
		}
	}
}

// more takes one more record from the file. What was written is sent before anything is waited for.
func (im *Import) more(ctx context.Context, out *bufio.Writer) error {
	if !im.pending.hasRoom() {
		if err := out.Flush(); err != nil {
			return err
		}
		if !im.pending.wait() {
			return errConnectionOver
		}
	}
	select {
	case r := <-im.records:
		im.take(r)
		return nil
	default:
	}
	if err := out.Flush(); err != nil {
		return err
	}
	select {
	case r := <-im.records:
		im.take(r)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// exchange makes the request and settles its answers.
func (im *Import) exchange(request *http.Request, cancel context.CancelFunc) (over bool, err error) {
	timer := time.AfterFunc(answerWait, cancel)
	defer timer.Stop()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, unanswered(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	if response.StatusCode != http.StatusOK {
		return refused(response)
	}
	in := bufio.NewReaderSize(response.Body, MaxAnswerBytes)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			break
		} else if err != nil {
			return false, fmt.Errorf("%w: %w", errAnswer, err)
		}
		timer.Reset(answerWait)
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return true, fmt.Errorf("read the server's answer %.80q: %w", line, err)
		}
		if over, err := im.answered(a); err != nil {
			return over, err
		}
	}
	if !im.pending.empty() {
		return false, fmt.Errorf("%w: it ended before all documents had theirs", errAnswer)
	}
	return true, nil
}

var errAnswer = errors.New("the server's answer broke off")

// answered settles one answer. over is true if no other connection can help.
func (im *Import) answered(a answer) (over bool, err error) {
	w, ok := im.pending.first()
	if !ok {
		if a.Problem != nil {
			return false, a.Problem
		}
		return true, fmt.Errorf("the server answered a line %d that was not sent", a.Line)
	}
	if p := a.Problem; p != nil && w.err == nil {
		switch {
		case p.Retryable || p.Code == "outcome-unknown" || p.Code == "json-invalid":
			return false, p // the key makes the repeat safe; the document was read as JSON here, so the line was cut off
		case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || p.Code == "collection-not-found":
			return true, p
		}
	}
	im.pending.remove()
	return true, im.settle(w, a)
}

// CreateCollection makes a collection without settings. One that is there stays as it is.
func CreateCollection(ctx context.Context, server, token, collection string) error {
	to, err := address(server, "db", collection)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, to, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	if response.StatusCode >= http.StatusMultipleChoices {
		_, err := refused(response)
		return err
	}
	return nil
}

// unanswered tells a server that is not there from one whose answer did not come.
func unanswered(err error) error {
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return fmt.Errorf("%w: %w", client.ErrUnreachable, err)
	}
	return fmt.Errorf("%w: %w", errAnswer, err)
}

// refused is the problem of a request that was refused whole.
func refused(response *http.Response) (over bool, err error) {
	p := &client.Problem{}
	body, err := io.ReadAll(io.LimitReader(response.Body, client.MaxProblemBytes))
	if err != nil || json.Unmarshal(body, p) != nil || p.Code == "" {
		p = &client.Problem{Detail: "the server answered " + response.Status, Status: response.StatusCode}
	}
	again := response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests
	return !again, p
}
