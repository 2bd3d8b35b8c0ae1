package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/loadtest/load"
)

// answerWait bounds the wait for one answer.
const answerWait = 30 * time.Second

// httpClient is one kept-open connection, written and read by hand so that the load costs little beside the server.
type httpClient struct {
	m        *measurement
	conn     net.Conn
	in       *bufio.Reader
	out      []byte
	document []byte
}

func newHTTPClient(m *measurement) (client, error) {
	conn, err := net.DialTimeout("tcp", m.server.Listen, answerWait)
	if err != nil {
		return nil, err
	}
	return &httpClient{m: m, conn: conn, in: bufio.NewReader(conn)}, nil
}

func (c *httpClient) write(rng *rand.Rand, n int) error {
	for range n {
		number := rng.IntN(c.m.documents)
		c.document = c.m.appendDocument(c.document[:0], number, c.m.pads, rng)
		c.out = fmt.Appendf(c.out[:0], "PUT /v1/db/%s/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nPrefer: return=minimal\r\nContent-Length: %d\r\n\r\n",
			load.Collection, documentID(number), c.m.server.Listen, len(c.document))
		c.out = append(c.out, c.document...)
		if err := c.conn.SetDeadline(time.Now().Add(answerWait)); err != nil {
			return err
		}
		if _, err := c.conn.Write(c.out); err != nil {
			return err
		}
		response, err := http.ReadResponse(c.in, nil)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", response.Status, text)
		}
	}
	return nil
}

func (c *httpClient) close() error { return c.conn.Close() }

// appendWrite appends a write object, but for its closing brace.
func (m *measurement) appendWrite(dst []byte, rng *rand.Rand) []byte {
	number := rng.IntN(m.documents)
	dst = append(append(dst, `"operation":"replace","collection":"`+load.Collection+`","_id":"`...), documentID(number)...)
	return m.appendDocument(append(dst, `","document":`...), number, m.pads, rng)
}

// socketClient makes writes over a WebSocket.
type socketClient struct {
	m    *measurement
	conn *websocket.Conn
	out  []byte
	next int
}

func newSocketClient(m *measurement) (client, error) {
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+m.server.Listen+"/v1/live", nil)
	if err != nil {
		return nil, err
	}
	c := &socketClient{m: m, conn: conn}
	_, _, err = conn.ReadMessage() // hello
	return c, err
}

func (c *socketClient) write(rng *rand.Rand, n int) error {
	for range n {
		c.next++
		c.out = strconv.AppendInt(append(c.out[:0], `{"type":"write","id":"`...), int64(c.next), 10)
		c.out = append(c.m.appendWrite(append(c.out, `",`...), rng), '}')
		if err := c.conn.WriteMessage(websocket.TextMessage, c.out); err != nil {
			return err
		}
	}
	for answered := 0; answered < n; {
		if err := c.conn.SetReadDeadline(time.Now().Add(answerWait)); err != nil {
			return err
		}
		_, text, err := c.conn.ReadMessage()
		if err != nil {
			return err
		}
		switch {
		case bytes.Contains(text, []byte(`"type":"written"`)):
			answered++
		case bytes.Contains(text, []byte(`"type":"ping"`)):
		default:
			return fmt.Errorf("the server answered %s", text)
		}
	}
	return nil
}

func (c *socketClient) close() error { return c.conn.Close() }

// bulkClient makes writes in one bulk request.
type bulkClient struct {
	m        *measurement
	conn     net.Conn
	in       *bufio.Reader
	response *http.Response
	lines    []byte
	waiting  int
}

// maxBulkWaiting is how many lines a bulk client has on their way.
const maxBulkWaiting = 2000

func newBulkClient(m *measurement) (client, error) {
	conn, err := net.DialTimeout("tcp", m.server.Listen, answerWait)
	if err != nil {
		return nil, err
	}
	c := &bulkClient{m: m, conn: conn}
	_, err = fmt.Fprintf(conn, "POST /v1/bulk HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", m.server.Listen)
	return c, err
}

func (c *bulkClient) write(rng *rand.Rand, n int) error {
	c.lines = c.lines[:0]
	for range n {
		c.lines = append(c.m.appendWrite(append(c.lines, '{'), rng), '}', '\n')
	}
	if err := c.conn.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return err
	}
	chunk := net.Buffers{fmt.Appendf(nil, "%x\r\n", len(c.lines)), c.lines, []byte("\r\n")}
	if _, err := chunk.WriteTo(c.conn); err != nil {
		return err
	}
	c.waiting += n
	return c.read(maxBulkWaiting - n)
}

// read takes answers until no more than most are missing.
func (c *bulkClient) read(most int) error {
	if c.response == nil {
		response, err := http.ReadResponse(bufio.NewReaderSize(c.conn, 64<<10), nil)
		if err != nil {
			return err
		}
		c.response, c.in = response, bufio.NewReaderSize(response.Body, 64<<10)
	}
	for c.waiting > most {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if !bytes.Contains(line, []byte(`"_rev"`)) {
			return fmt.Errorf("the server answered %s", line)
		}
		c.waiting--
	}
	return nil
}

func (c *bulkClient) close() error {
	_, err := io.WriteString(c.conn, "0\r\n\r\n")
	return errors.Join(err, c.read(0), c.conn.Close())
}
