package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
)

const contentEvents = "text/event-stream"

// eventsRetry is what a stream begins with: how long a browser waits before it connects again, in milliseconds.
const eventsRetry = "retry: 2000\n\n"

// streamQuery answers a query with server-sent events.
func (c *call) streamQuery() error {
	in, err := c.fields(streamNames)
	if err != nil {
		return err
	}
	q, err := readQuery(in)
	if err != nil {
		return err
	}
	return c.stream(q)
}

// streamDocument answers a document's URL with server-sent events: the live query for its id.
func (c *call) streamDocument() error {
	in, err := c.parameters(documentNames...)
	if err != nil {
		return err
	}
	q, err := readQuery(in)
	if err != nil {
		return err
	}
	if err := matcher.CheckID(c.route.id, c.cfg.Limits); err != nil {
		return err
	}
	q.spec.Filter = append(matcher.AppendString([]byte(`{"_id":`), []byte(c.route.id)), '}')
	return c.stream(q)
}

// stream subscribes and writes the subscription's frames as events until either side ends.
func (c *call) stream(q queryInput) error {
	if err := q.setSince(c.r.Header.Get("Last-Event-ID")); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.r.Context())
	defer cancel()
	defer context.AfterFunc(c.background, cancel)()
	session := c.hubs.NewSession()
	defer session.Close()
	if err := c.subscribe(ctx, session, "events", c.route.app, c.route.collection, q); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", contentEvents)
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	c.metrics.streams.Inc()
	defer c.metrics.streams.Dec()
	s := &eventStream{c: c, control: http.NewResponseController(c.w), noInitial: q.noInitial}
	if err := s.control.SetReadDeadline(time.Time{}); err != nil { // a stream lasts
		return err
	}
	c.w.WriteHeader(http.StatusOK)
	if s.write([]byte(eventsRetry)) == nil {
		s.run(ctx, session)
	}
	return nil
}

// eventStream writes one subscription as server-sent events.
type eventStream struct {
	c         *call
	control   *http.ResponseController
	noInitial bool
	queryKey  string // of the subscription, once it is known
}

// run writes events until the client goes, is too slow, or the subscription ends; in a quiet time it writes comments.
func (s *eventStream) run(ctx context.Context, session *fanout.Session) {
	var frames []fanout.Frame
	var buffer []byte
	for {
		wait, cancel := context.WithTimeout(ctx, s.c.cfg.CommentInterval)
		var err error
		frames, err = session.Next(wait, frames[:0])
		cancel()
		buffer = buffer[:0]
		switch {
		case err == nil:
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			buffer = append(buffer, ":\n\n"...)
		default:
			return
		}
		ended := false
		for i := range frames {
			buffer = s.appendEvent(buffer, &frames[i])
			ended = ended || frames[i].Type == fanout.FrameError
		}
		if s.write(buffer) != nil || ended {
			return
		}
		s.c.metrics.sentFrames(len(frames), len(buffer))
		clear(frames)
	}
}

// write writes and flushes, within the time that a client has.
func (s *eventStream) write(text []byte) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.c.cfg.WriteTimeout)); err != nil {
		return err
	}
	if _, err := s.c.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}

// appendEvent writes a frame as an event. It carries an id only where a client may go on from it (invariant 7): the
// position of `subscribed` is one only if no result follows.
func (s *eventStream) appendEvent(dst []byte, f *fanout.Frame) []byte {
	switch f.Type {
	case fanout.FrameError:
		p := problemOf(f.Err)
		s.c.note(p, "live query")
		dst = append(append(dst, "event: problem\ndata: "...), p.body()...)
		return append(dst, "\n\n"...)
	case fanout.FrameProgress:
		return append(s.appendID(dst, f), '\n')
	case fanout.FrameSubscribed, fanout.FrameResult, fanout.FrameChange:
		s.queryKey = f.QueryKey
		dst = append(append(append(dst, "event: "...), f.Type...), "\ndata: {"...)
		dst = append(append(dst, f.Body[1:]...), '\n')
		if f.Type != fanout.FrameSubscribed || s.noInitial {
			dst = s.appendID(dst, f)
		}
		return append(dst, '\n')
	}
	return dst
}

func (s *eventStream) appendID(dst []byte, f *fanout.Frame) []byte {
	if f.Position == "" {
		return dst
	}
	return append(append(append(append(append(dst, "id: "...), s.queryKey...), '.'), f.Position...), '\n')
}
