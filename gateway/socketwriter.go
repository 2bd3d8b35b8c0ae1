package gateway

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/fanout"
	"github.com/freshetdb/freshet/matcher"
)

// frameWriter writes a session's frames to its socket, and the WebSocket's control messages between them. A message is
// always written whole. It stands between the sessions and the sockets so that many sockets may share writers.
type frameWriter interface {
	// writeFrames writes the frames in their order, in as few writes as possible; batch makes them one message.
	writeFrames(frames []fanout.Frame, batch bool) error
	// control writes a ping, pong or close message.
	control(opcode int, payload []byte) error
}

// socketFlushBytes is how much is gathered before it is written; socketKeepBytes how large a buffer may stay.
const (
	socketFlushBytes = 64 << 10
	socketKeepBytes  = 256 << 10
)

// socketWriter is the frameWriter of one socket.
type socketWriter struct {
	timeout time.Duration
	sent    func(frames, bytes int)

	mu       sync.Mutex
	conn     net.Conn
	deadline time.Time // of conn's writes
	buffer   []byte
	closed   bool // a close message was written: nothing may follow
}

// writeFrames implements frameWriter. After an error the connection is of no use any more.
func (w *socketWriter) writeFrames(frames []fanout.Frame, batch bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	total := 0
	if batch {
		w.appendBatch(frames)
	}
	for i := 0; i < len(frames) && !batch; i++ {
		w.appendFrame(&frames[i])
		if len(w.buffer) >= socketFlushBytes {
			total += len(w.buffer)
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	total += len(w.buffer)
	w.sent(len(frames), total)
	return w.flush()
}

// flush writes what was gathered. mu is held.
func (w *socketWriter) flush() error {
	defer func() {
		if w.buffer = w.buffer[:0]; cap(w.buffer) > socketKeepBytes {
			w.buffer = nil
		}
	}()
	if len(w.buffer) == 0 {
		return nil
	}
	if w.closed {
		return net.ErrClosed
	}
	if now := time.Now(); w.deadline.Sub(now) < w.timeout {
		w.deadline = now.Add(w.timeout + deadlineSlack)
		if err := w.conn.SetWriteDeadline(w.deadline); err != nil {
			return err
		}
	}
	_, err := w.conn.Write(w.buffer)
	return err
}

// deadlineSlack is how much longer than its timeout a write may take, so that not every write has to move the deadline.
const deadlineSlack = time.Second

// control implements frameWriter.
func (w *socketWriter) control(opcode int, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buffer = append(appendHeader(w.buffer, opcode, len(payload)), payload...)
	err := w.flush()
	w.closed = w.closed || opcode == websocket.CloseMessage
	return err
}

// appendFrame gathers a frame as a message of its own: the id first, then the bytes that all subscribers share.
func (w *socketWriter) appendFrame(f *fanout.Frame) {
	var room [160]byte
	head, body := frameHead(room[:0], f), frameBody(f)
	w.buffer = appendHeader(w.buffer, websocket.TextMessage, len(head)+len(body))
	w.buffer = append(append(w.buffer, head...), body...)
}

// appendBatch gathers the frames as one message, an array.
func (w *socketWriter) appendBatch(frames []fanout.Frame) {
	if len(frames) == 0 {
		return
	}
	text := []byte{'['}
	for i := range frames {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(frameHead(text, &frames[i]), frameBody(&frames[i])...)
	}
	text = append(text, ']')
	w.buffer = append(appendHeader(w.buffer, websocket.TextMessage, len(text)), text...)
}

// frameHead appends what stands before a frame's shared bytes.
func frameHead(dst []byte, f *fanout.Frame) []byte {
	switch {
	case f.Type == fanout.FrameControl:
		return dst
	case f.Subscription == "":
		return append(dst, '{')
	}
	return matcher.AppendString(append(dst, `{"id":`...), []byte(f.Subscription))
}

// frameBody returns the rest of a frame. Where there is no id, its leading comma goes.
func frameBody(f *fanout.Frame) []byte {
	body := f.Body
	if f.Type == fanout.FrameError {
		body = append(append([]byte(`,"type":"error","problem":`), problemOf(f.Err).body()...), '}')
	}
	if f.Type != fanout.FrameControl && f.Subscription == "" {
		return body[1:]
	}
	return body
}

// appendHeader appends the header of an unmasked, unfragmented message: RFC 6455, section 5.2.
func appendHeader(dst []byte, opcode, size int) []byte {
	const final = 0x80
	dst = append(dst, final|byte(opcode))
	switch {
	case size < 126:
		return append(dst, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size))
}
