package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// answerWait bounds the wait for one answer.
const answerWait = 60 * time.Second

type request struct {
	method, path string
	kind         string // content type
	header       string // more lines, each with its end
	body         string
}

// connection is kept open, and written and read by hand so that the load costs little beside the servers.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func dial(address string) (*connection, error) {
	conn, err := net.DialTimeout("tcp", address, answerWait)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// do makes a request; its answer must be a success and hold the text as often as said.
func (c *connection) do(r request, text string, times int) error {
	body, err := c.send(r)
	if err != nil {
		return err
	}
	if n := bytes.Count(body, []byte(text)); n < times {
		return fmt.Errorf("%s %s: the answer holds %q %d times, not %d: %.200s", r.method, r.path, text, n, times, body)
	}
	return nil
}

func (c *connection) send(r request) ([]byte, error) {
	c.out = fmt.Appendf(c.out[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n%s", r.method, r.path, c.conn.RemoteAddr(), r.header)
	if r.body != "" {
		c.out = fmt.Appendf(c.out, "Content-Type: %s\r\nContent-Length: %d\r\n", r.kind, len(r.body))
	}
	c.out = append(append(c.out, "\r\n"...), r.body...)
	if err := c.conn.SetDeadline(time.Now().Add(answerWait)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %.300s", r.method, r.path, response.Status, body)
	}
	return body, nil
}

func (c *connection) close() error { return c.conn.Close() }
