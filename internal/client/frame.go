package client

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Frame is one message of the server. Fields that its type does not have are zero.
type Frame struct {
	ID   string `json:"id"` // of the subscription; "" concerns the connection
	Type string `json:"type"`
	Raw  []byte `json:"-"` // as received

	Version          string `json:"version"`          // hello
	HeartbeatSeconds int    `json:"heartbeatSeconds"` // hello

	QueryKey string    `json:"queryKey"` // subscribed
	Ordered  bool      `json:"ordered"`  // subscribed
	Warnings []Warning `json:"warnings"` // subscribed

	Documents []json.RawMessage `json:"documents"` // result
	Reset     bool              `json:"reset"`     // result
	Reason    string            `json:"reason"`    // result
	More      bool              `json:"more"`      // result

	Events   []Event  `json:"events"`   // change
	Problem  *Problem `json:"problem"`  // error
	Position string   `json:"position"` // subscribed, result, change, progress
}

// Warning is something that the server noticed about a query that it accepted all the same.
type Warning struct {
	Code   string `json:"code"`
	Path   string `json:"path"`
	Detail string `json:"detail"`
}

// Event is what one change did to the result.
type Event struct {
	Match         string          `json:"match"`     // add, change, changeIndex, remove
	Operation     string          `json:"operation"` // insert, update, delete, none
	ID            string          `json:"_id"`
	Index         *int            `json:"index"`         // in the list after this event; nil if unordered
	PreviousIndex *int            `json:"previousIndex"` // in the list before this event
	Document      json.RawMessage `json:"document"`
}

// Problem is the server's refusal (RFC 9457).
type Problem struct {
	Title        string `json:"title"`
	Status       int    `json:"status"`
	Detail       string `json:"detail"`
	Code         string `json:"code"`
	Path         string `json:"path"`
	Retryable    bool   `json:"retryable"`
	RetryAfterMs int    `json:"retryAfterMs"`
}

// Error is the problem in one line: the detail, where it is, and its stable code.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	if p.Detail == "" {
		b.WriteString(p.Title)
	}
	if p.Path != "" {
		fmt.Fprintf(&b, " (at %s)", p.Path)
	}
	if p.Code != "" {
		fmt.Fprintf(&b, " [%s]", p.Code)
	}
	return b.String()
}

// ParseFrames reads one message: a frame, or an array of frames that belong together.
func ParseFrames(message []byte) ([]Frame, error) {
	raws := []json.RawMessage{message}
	if strings.HasPrefix(strings.TrimLeft(string(message[:min(len(message), 16)]), " \t\r\n"), "[") {
		raws = nil
		if err := json.Unmarshal(message, &raws); err != nil {
			return nil, fmt.Errorf("decode frames: %w", err)
		}
	}
	frames := make([]Frame, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &frames[i]); err != nil {
			return nil, fmt.Errorf("decode frame: %w", err)
		}
		frames[i].Raw = raw
	}
	return frames, nil
}
