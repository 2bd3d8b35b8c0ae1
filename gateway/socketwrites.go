package gateway

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// MaxSessionWrites bounds the writes of one session whose answers have not been taken by its socket. Beyond it nothing
// more is read from the client.
const MaxSessionWrites = 256

// takeWriteText takes a write frame by parsing it once, whole. It returns false for a text that is none, or none that can
// be read: then it is taken like any other frame, which says what is wrong with it.
func (s *socket) takeWriteText(text []byte) bool {
	const head = 64 // where clients put the type
	if !s.authenticated || !bytes.Contains(text[:min(len(text), head)], []byte(`"write"`)) {
		return false
	}
	object, err := s.g.parseWriteObject(text)
	if err != nil || string(object.Field("type").Bytes()) != "write" {
		return false
	}
	id := ""
	if given := object.Field("id"); given.Kind() == matcher.KindString {
		id = string(given.Bytes())
	}
	if err := s.beginWrite(id, object); err != nil {
		if s.idInUse(id) || len(id) > MaxSubscriptionIDBytes {
			id = ""
		}
		s.refuse(id, err)
	}
	return true
}

// takeWrite takes a write frame that takeWriteText did not.
func (s *socket) takeWrite(in *input) error {
	object, err := s.g.parseWriteObject(in.frame)
	if err != nil {
		return err
	}
	id := in.text("id")
	if in.err != nil {
		return in.err
	}
	return s.beginWrite(id, object)
}

// beginWrite begins a write. Its answer is queued by the store's apply loop, before the changes that the write causes.
func (s *socket) beginWrite(id string, object matcher.Value) error {
	if id == "" || len(id) > MaxSubscriptionIDBytes {
		return &Problem{Code: "field-invalid", Path: "/id", Limit: MaxSubscriptionIDBytes, Detail: fmt.Sprintf("A write needs an id, a string of 1 to %d bytes.", MaxSubscriptionIDBytes)}
	}
	if s.idInUse(id) {
		return &Problem{Code: "id-in-use", Path: "/id", Detail: fmt.Sprintf("The id %q is in use in this session; choose another.", id)}
	}
	in, err := readWriteObject(object, "type", "id")
	if err != nil {
		return err
	}
	if !s.admitWrite() {
		return nil // the socket is over
	}
	s.mu.Lock()
	s.ids[id] = useWrite
	s.mu.Unlock()
	s.g.beginWrite(s.app, in, func(document string, w storage.Written, err error) {
		f := fanout.Frame{Type: fanout.FrameWritten, Subscription: id}
		if err != nil {
			f.Type, f.Err = fanout.FrameError, err
		} else {
			text := append(make([]byte, 0, len(document)+writtenBytes), `,"type":"written",`...)
			f.Body = append(s.g.appendWritten(text, document, w), '}')
		}
		_ = s.session.Answer(f) // a session that is over says so in Next
	})
	return nil
}

// writtenBytes is what a written frame has beside its ids, with a position of a few log partitions.
const writtenBytes = 128

// admitWrite waits until one write more may be on its way; false once the socket is over. forgetEnded gives it back.
func (s *socket) admitWrite() bool {
	select {
	case s.writes <- struct{}{}:
		return true
	default:
	}
	select {
	case s.writes <- struct{}{}:
		s.extend() // nothing was read meanwhile
		return true
	case <-s.written:
		return false
	}
}

func (s *socket) idInUse(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, used := s.ids[id]
	return used
}

// forgetEnded frees the ids that end with these frames, before a client can see them, and lets the reader go on for every
// write that is answered.
func (s *socket) forgetEnded(frames []fanout.Frame) {
	var writes int
	var failures []failure
	s.mu.Lock()
	for i := range frames {
		f := &frames[i]
		if f.Type != fanout.FrameError && f.Type != fanout.FrameWritten {
			continue
		}
		what := "live query"
		if s.ids[f.Subscription] == useWrite {
			writes++
			what = "write"
		}
		delete(s.ids, f.Subscription)
		if f.Type == fanout.FrameError && !errors.Is(f.Err, storage.ErrStopped) {
			failures = append(failures, failure{what, f.Err})
		}
	}
	s.mu.Unlock()
	for range writes {
		<-s.writes
	}
	for _, f := range failures {
		s.g.note(problemOf(f.err), f.what)
	}
}

// failure is why a write or a live query ended.
type failure struct {
	what string
	err  error
}
