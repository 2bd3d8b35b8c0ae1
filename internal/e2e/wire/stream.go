package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
)

// Stream is a live query over server-sent events.
type Stream struct {
	Header http.Header
	frames chan Frame
	err    error
	cancel context.CancelFunc
}

// OpenStream asks for a path with `Accept: text/event-stream`. lastEventID is left out where it is "".
func OpenStream(address, path, lastEventID string) (*Stream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Accept", "text/event-stream")
	if lastEventID != "" {
		request.Header.Set("Last-Event-ID", lastEventID)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, MaxBodyBytes))
		cancel()
		return nil, errors.Join(fmt.Errorf("open a stream: %s: %s", response.Status, text), err, response.Body.Close())
	}
	s := &Stream{Header: response.Header, frames: make(chan Frame, MaxQueuedFrames), cancel: cancel}
	go s.read(response.Body)
	return s, nil
}

// read follows the parsing rules of the HTML standard, section "Interpreting an event stream", for the fields that the
// protocol uses; any other line is an error.
func (s *Stream) read(body io.ReadCloser) {
	defer close(s.frames)
	defer func() { _ = body.Close() }() // cancelled or at its end
	r := bufio.NewReaderSize(body, 64<<10)
	var event, data, id string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			s.err = fmt.Errorf("read stream: %w", err)
			return
		}
		field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "\n" || line == "\r\n":
			if s.err = s.dispatch(event, data, id); s.err != nil {
				return
			}
			event, data, id = "", "", ""
		case field == "event":
			event = value
		case field == "data":
			data += value
		case field == "id":
			id = value
		case field == "retry" && value == "2000", field == "":
		default:
			s.err = fmt.Errorf("%w: the line %.200q", ErrForm, line)
			return
		}
	}
}

func (s *Stream) dispatch(event, data, id string) error {
	if data == "" {
		if id != "" {
			s.frames <- Frame{Type: "progress", EventID: id}
		}
		return nil
	}
	o, err := oracle.DecodeObject([]byte(data))
	if err != nil {
		return fmt.Errorf("%w: %w: %.200q", ErrForm, err, data)
	}
	s.frames <- Frame{Type: event, Object: o, EventID: id, Raw: data}
	return nil
}

// Next takes the next event.
func (s *Stream) Next(timeout time.Duration) (Frame, error) { return next(s.frames, timeout, &s.err) }

// Close ends the stream and its reader.
func (s *Stream) Close() {
	s.cancel()
	for range s.frames { // the reader may be waiting for room
	}
}
