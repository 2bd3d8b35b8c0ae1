package gateway

import (
	"slices"
)

// clientFrame is one row of the table of frames that clients send over a WebSocket.
type clientFrame struct {
	Type   string
	Fields []string // beside type
	Doc    string
	handle func(*socket, *input) error
	open   bool // taken before the session is authenticated
}

// clientFrames is the table. docs/protocol.md is generated from it.
func clientFrames() []clientFrame {
	subscribe := append([]string{"id", "collection"}, streamNames...)
	return []clientFrame{
		{"options", []string{"batch"}, "Says what the client can take. With `batch` a message may hold an array of frames, in both directions.", (*socket).takeOptions, true},
		{"auth", []string{"token"}, "The access token, where the handshake could not carry it. Answered by `authenticated`.", (*socket).takeAuth, true},
		{"subscribe", subscribe, "Registers a live query. Answered by `subscribed`, then `result`, then a `change` for every write that changes the result.", (*socket).takeSubscribe, false},
		{"unsubscribe", []string{"id"}, "Ends a subscription. Answered by `unsubscribed`, an unknown id too.", (*socket).takeUnsubscribe, false},
		{"write", append([]string{"id"}, writeNames...), "Makes a write. Answered by `written`, or by `error` with its id. Writes are made in the order of their frames; an answer comes before the changes that its write causes on this session.", (*socket).takeWrite, false},
		{"pong", nil, "Answers `ping`.", (*socket).takePong, true},
	}
}

func clientFrameTable() map[string]clientFrame {
	m := map[string]clientFrame{}
	for _, f := range clientFrames() {
		m[f.Type] = f
	}
	return m
}

// ServerFrame is one row of the table of frames that the server sends.
type ServerFrame struct {
	Type   string
	Fields []string // beside type
	Doc    string
}

// ServerFrames is the table, from which docs/protocol.md is generated.
var ServerFrames = []ServerFrame{
	{"hello", []string{"session", "version", "features", "heartbeatSeconds", "limits"}, "Always the first frame, unasked. `features` lists only what works."},
	{"authenticated", []string{"user"}, "The token of an `auth` frame was right."},
	{"subscribed", []string{"id", "queryKey", "ordered", "position", "warnings"}, "Always the first frame of a subscription that began, once."},
	{"result", []string{"id", "documents", "reset", "reason", "more", "position"}, "Replaces the view. A large one comes in parts: `more` is true on all but the last, which alone carries the position; apply them at the last. With `reset` the `reason` says why."},
	{"change", []string{"id", "events", "position"}, "What one write changes in the result; its events apply in sequence."},
	{"progress", []string{"position"}, "Every subscription of this session has been sent everything up to this position."},
	{"unsubscribed", []string{"id"}, "The last frame of a subscription that was ended; the id is free again."},
	{"written", []string{"id", "_id", "_rev", "position"}, "The write is durable and can be read. No `_rev` after a delete."},
	{"error", []string{"id", "problem"}, "With an id: the subscription has ended, or never began, or the write was not made, and this is its last frame. Without: a frame was refused, and nothing ended."},
	{"ping", nil, "Answer with `pong`, or let the WebSocket's own ping be answered; a silent client is closed."},
}

// closeCode is one row of the table of close codes. 4000 to 4499: connect again. 4500 to 4999: do not.
type closeCode struct {
	Code   int
	Reason string // sent with the code
	Doc    string
}

const (
	closeDrain         = 4001
	closeSlow          = 4002
	closeProtocol      = 4500
	closeNotAuthorised = 4501
	closeLimit         = 4502
)

// closeCodes is the table. docs/protocol.md is generated from it.
var closeCodes = []closeCode{
	{closeDrain, "the server is stopping", "The server is stopping. Connect again."},
	{closeSlow, "the client reads too slowly", "The client did not read what it had asked for, or said nothing for too long. Connect again."},
	{closeProtocol, "protocol error", "A message was not a frame: not text, not JSON, or an array without `batch`."},
	{closeNotAuthorised, "not authorised", "No access token came in time, or it is not valid."},
	{closeLimit, "a limit was passed", "A message was larger than `limits.maxFrameBytes`."},
}

func closeReason(code int) string {
	i := slices.IndexFunc(closeCodes, func(c closeCode) bool { return c.Code == code })
	return closeCodes[i].Reason
}
