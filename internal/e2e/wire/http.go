package wire

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
)

// MaxBodyBytes bounds the answer that is read.
const MaxBodyBytes = 64 << 20

// Client sends requests to one server.
type Client struct {
	Address string // host:port
	http    *http.Client
}

// NewClient makes a client that keeps up to connections open.
func NewClient(address string, connections int) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}
	return &Client{Address: address, http: &http.Client{Transport: transport, Timeout: 60 * time.Second}}
}

// Close ends the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Object decodes the body, nil if it is empty or no object.
func (a Answer) Object() oracle.Object {
	o, err := oracle.DecodeObject(a.Body)
	if err != nil {
		return nil
	}
	return o
}

// Code is the stable code of a problem body, "" if the body is none.
func (a Answer) Code() string { return a.Object().Text("code") }

func (a Answer) String() string { return fmt.Sprintf("%d %s", a.Status, a.Body) }

// Do sends one request. body is JSON, nil for none; headers come in pairs of name and value and may replace the content
// type.
func (c *Client) Do(method, path string, body []byte, headers ...string) (Answer, error) {
	request, err := http.NewRequest(method, "http://"+c.Address+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("send request: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end below
	text, err := io.ReadAll(io.LimitReader(response.Body, MaxBodyBytes))
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	return Answer{response.StatusCode, response.Header, text}, nil
}

// Collection is the path of a collection.
func Collection(name string) string { return "/v1/db/" + url.PathEscape(name) }

// Document is the path of a document.
func Document(collection, id string) string { return Collection(collection) + "/" + url.PathEscape(id) }

// QueryPath is the path of a query over a collection.
func QueryPath(collection string, q oracle.Query) string {
	values := url.Values{}
	if len(q.Filter) > 0 {
		values.Set("filter", string(oracle.Encode(q.Filter)))
	}
	if sort := q.SortText(); sort != "" {
		values.Set("sort", sort)
	}
	if q.Skip > 0 {
		values.Set("skip", fmt.Sprint(q.Skip))
	}
	if q.Limit > 0 {
		values.Set("limit", fmt.Sprint(q.Limit))
	}
	if q.Fields != nil {
		values.Set("fields", string(oracle.Encode(fieldList(q))))
	}
	if q.Collation != nil {
		values.Set("collation", q.Collation.Text())
	}
	return Collection(collection) + "?" + values.Encode()
}

func fieldList(q oracle.Query) []any {
	list := []any{}
	for _, f := range q.Fields {
		list = append(list, f)
	}
	return list
}
