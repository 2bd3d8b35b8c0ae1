package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/freshetdb/freshet/fanout"
)

// takeMessage takes a frame, or an array of frames from a client that has said that it sends them.
func (s *socket) takeMessage(text []byte) {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '[' && s.batch.Load() {
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			s.close(closeProtocol)
			return
		}
		for _, frame := range list {
			if s.takeFrame(frame); s.isClosing() {
				return
			}
		}
		return
	}
	s.takeFrame(text)
}

// takeFrame takes one frame. What is wrong with it is answered; what is no frame at all ends the socket.
func (s *socket) takeFrame(text []byte) {
	if s.takeWriteText(text) {
		return
	}
	fields, err := decodeObject(text)
	if err != nil {
		s.close(closeProtocol)
		return
	}
	in := &input{values: fields, frame: text}
	name := in.text("type")
	frame, known := s.g.frames[name]
	if !known {
		s.refuse("", &Problem{Code: "frame-unknown", Path: "/type", Detail: fmt.Sprintf("There is no frame of type %q%s", name, didYouMean(name, s.g.frameNames))})
		return
	}
	if !s.authenticated && !frame.open {
		s.refuseAndClose(problemf("token-missing", "Send an auth frame first; until then only auth is taken."))
		return
	}
	err = nil
	for name := range fields {
		if name != "type" && !slices.Contains(frame.Fields, name) {
			err = unknownName("field-unknown", "field", name, frame.Fields)
		}
	}
	if err == nil {
		err = frame.handle(s, in)
	}
	if err != nil {
		s.refuse(s.freeID(in), err)
	}
}

// freeID is the id of a refused frame if an error may carry it: an error with the id of a subscription would end that.
func (s *socket) freeID(in *input) string {
	id := (&input{values: in.values}).text("id")
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.ids[id]; used || len(id) > MaxSubscriptionIDBytes {
		return ""
	}
	return id
}

// refuse answers a frame with an error.
func (s *socket) refuse(id string, err error) {
	p := problemOf(err)
	s.g.note(p, "frame")
	f := fanout.Frame{Type: fanout.FrameError, Subscription: id, Err: p}
	_ = s.session.Control(append(frameHead(nil, &f), frameBody(&f)...)) // a session that is over says so in Next
}

// refuseAndClose tells a client that it may not, and why, and closes.
func (s *socket) refuseAndClose(p *Problem) {
	s.g.note(p, "frame")
	f := fanout.Frame{Type: fanout.FrameError, Err: p}
	_ = s.writer.writeFrames([]fanout.Frame{f}, s.batch.Load()) // a client that went away is nobody's loss
	s.close(closeNotAuthorised)
}

func (s *socket) takeOptions(in *input) error {
	batch := in.boolean("batch", s.batch.Load())
	if in.err == nil {
		s.batch.Store(batch)
	}
	return in.err
}

func (s *socket) takeAuth(in *input) error {
	token := in.text("token")
	if in.err != nil {
		return in.err
	}
	if !s.g.cfg.Dev && !s.g.access.checkToken(token) {
		s.refuseAndClose(problemf("token-invalid", "The access token in the auth frame is not valid here."))
		return nil
	}
	s.authenticated = true
	s.extend()
	return s.session.Control([]byte(`{"type":"authenticated","user":"root"}`))
}

func (s *socket) takePong(*input) error { return nil }

func (s *socket) takeSubscribe(in *input) error {
	id, collection := in.text("id"), in.text("collection")
	switch {
	case in.err != nil:
		return in.err
	case id == "" || len(id) > MaxSubscriptionIDBytes:
		return &Problem{Code: "field-invalid", Path: "/id", Limit: MaxSubscriptionIDBytes, Detail: fmt.Sprintf("A subscription needs an id, a string of 1 to %d bytes.", MaxSubscriptionIDBytes)}
	case collection == "":
		return &Problem{Code: "field-invalid", Path: "/collection", Detail: "A subscription needs the name of a collection."}
	}
	if s.idInUse(id) {
		return &Problem{Code: "id-in-use", Path: "/id", Detail: fmt.Sprintf("The id %q is in use in this session; unsubscribe it first, or choose another.", id)}
	}
	q, err := readQuery(in)
	if err != nil {
		return err
	}
	if err := checkCollectionName(collection); err != nil {
		return err
	}
	// The id is taken before the subscription can end, so that its end is never missed.
	s.mu.Lock()
	s.ids[id] = useSubscription
	s.mu.Unlock()
	if err := s.g.subscribe(s.ctx, s.session, id, s.app, collection, q); err != nil {
		s.mu.Lock()
		delete(s.ids, id)
		s.mu.Unlock()
		return err
	}
	return nil
}

func (s *socket) takeUnsubscribe(in *input) error {
	id := in.text("id")
	if in.err != nil {
		return in.err
	}
	if id == "" || len(id) > MaxSubscriptionIDBytes {
		return &Problem{Code: "field-invalid", Path: "/id", Limit: MaxSubscriptionIDBytes, Detail: "An unsubscribe frame needs the id of a subscription."}
	}
	s.mu.Lock()
	use := s.ids[id]
	if use == useSubscription {
		delete(s.ids, id)
	}
	s.mu.Unlock()
	if use == useWrite {
		return &Problem{Code: "id-in-use", Path: "/id", Detail: fmt.Sprintf("The id %q is that of a write on its way, which cannot be taken back.", id)}
	}
	s.session.Unsubscribe(id)
	return nil
}
