package fanout

import (
	"bytes"
	"strconv"

	"github.com/freshetdb/freshet/matcher"
)

// FrameType tells the frames of a session apart. The names are the wire's.
type FrameType string

const (
	FrameSubscribed   FrameType = "subscribed"
	FrameResult       FrameType = "result"
	FrameChange       FrameType = "change"
	FrameProgress     FrameType = "progress"
	FrameUnsubscribed FrameType = "unsubscribed"
	FrameError        FrameType = "error"   // Err says why; the gateway writes the problem
	FrameWritten      FrameType = "written" // the answer to a write; Subscription is the client's id of it
	FrameControl      FrameType = "control" // Body is a whole frame that the gateway made (hello, error without id ...)
)

// Frame is one message for one session. On a WebSocket it is written as `{"id":<Subscription>` + Body (or, without a
// subscription, `{` + Body without its leading comma); Body is shared between sessions and never changed. It begins
// with a comma and ends with the closing brace: `,"type":"change","events":[...],"position":"..."}`.
type Frame struct {
	Type         FrameType
	Subscription string // the client's id; "" for progress and control
	Body         []byte // nil for FrameError
	Position     string // wire form, where the frame has one
	QueryKey     string // of the subscription's registered query
	Err          error  // FrameError: why the subscription ended
}

// frameOverheadBytes is what a queued frame costs beside its body.
const frameOverheadBytes = 128

func (f *Frame) cost() int { return len(f.Body) + len(f.Subscription) + frameOverheadBytes }

var bodyUnsubscribed = []byte(`,"type":"unsubscribed"}`)

func bodySubscribed(queryKey string, ordered bool, position string, warnings []byte) []byte {
	b := append([]byte(`,"type":"subscribed","queryKey":"`), queryKey...)
	b = append(b, `","ordered":`...)
	b = strconv.AppendBool(b, ordered)
	b = append(b, `,"position":"`...)
	b = append(b, position...)
	b = append(b, `","warnings":`...)
	if len(warnings) == 0 {
		warnings = []byte("[]")
	}
	b = append(b, warnings...)
	return append(b, '}')
}

func bodyProgress(position string) []byte {
	b := append([]byte(`,"type":"progress","position":"`), position...)
	return append(b, `"}`...)
}

// appendChange appends the body of a change frame.
func appendChange(dst []byte, q *matcher.Query, events []matcher.Event, ordered bool, position string) []byte {
	dst = append(dst, `,"type":"change","events":[`...)
	for i := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEvent(dst, q, &events[i], ordered)
	}
	dst = append(dst, `],"position":"`...)
	dst = append(dst, position...)
	return append(dst, `"}`...)
}

// appendEvent writes which index an event has by its match alone: add and change have `index`, remove
// `previousIndex`, changeIndex both; in an unordered result nothing has a place. A remove never has a document.
func appendEvent(dst []byte, q *matcher.Query, e *matcher.Event, ordered bool) []byte {
	dst = append(dst, `{"match":"`...)
	dst = append(dst, e.Match.String()...)
	dst = append(dst, `","operation":"`...)
	dst = append(dst, e.Operation.String()...)
	dst = append(dst, `","_id":`...)
	dst = matcher.AppendString(dst, []byte(e.ID))
	if ordered && e.Match != matcher.MatchRemove {
		dst = append(dst, `,"index":`...)
		dst = strconv.AppendInt(dst, int64(e.Index), 10)
	}
	if ordered && (e.Match == matcher.MatchRemove || e.Match == matcher.MatchChangeIndex) {
		dst = append(dst, `,"previousIndex":`...)
		dst = strconv.AppendInt(dst, int64(e.PreviousIndex), 10)
	}
	if e.Match != matcher.MatchRemove {
		dst = append(dst, `,"document":`...)
		dst = q.AppendDocument(dst, e.Document)
	}
	return append(dst, '}')
}

// resultKind is what a result says about itself beside its documents. Subscriptions of equal kind share the bytes.
type resultKind struct {
	reset  bool
	reason string
}

const resultHead = `,"type":"result","documents":[`

// appendResultTail ends a result's body. Only the last part has a position.
func appendResultTail(dst []byte, k resultKind, more bool, position string) []byte {
	dst = append(dst, `],"reset":`...)
	dst = strconv.AppendBool(dst, k.reset)
	dst = append(dst, `,"reason":"`...)
	dst = append(dst, k.reason...)
	dst = append(dst, `","more":`...)
	dst = strconv.AppendBool(dst, more)
	if !more {
		dst = append(dst, `,"position":"`...)
		dst = append(dst, position...)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

func frameTruncated(position string) Frame {
	body := appendResultTail([]byte(resultHead), resultKind{true, ReasonTruncated}, false, position)
	return Frame{Type: FrameResult, Body: body, Position: position}
}

// encodeResult writes the documents once, in parts of about partBytes, and closes the parts for each kind. It stops
// where the text grows beyond maxBytes (0: no bound), and then returns nil.
func encodeResult(q *matcher.Query, docs []*matcher.Document, kinds []resultKind, position string, partBytes, maxBytes int) map[resultKind][]Frame {
	total, parts := 0, make(map[resultKind][]Frame, len(kinds))
	body := append(make([]byte, 0, 512), resultHead...)
	finish := func(more bool) {
		total += len(body) - len(resultHead)
		for _, k := range kinds {
			f := Frame{Type: FrameResult, Body: appendResultTail(bytes.Clone(body), k, more, position)}
			if !more {
				f.Position = position
			}
			parts[k] = append(parts[k], f)
		}
		body = body[:len(resultHead)]
	}
	for _, d := range docs {
		if len(body) >= partBytes {
			finish(true)
			if maxBytes > 0 && total > maxBytes {
				return nil
			}
		}
		if len(body) > len(resultHead) {
			body = append(body, ',')
		}
		body = q.AppendDocument(body, d)
	}
	finish(false)
	if maxBytes > 0 && total > maxBytes {
		return nil
	}
	return parts
}
