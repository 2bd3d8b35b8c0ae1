package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/loadtest/process"
)

// Collection is the collection that the programs write to.
const Collection = "load"

// Server is a server under load, in a folder of its own.
type Server struct {
	*process.Process
	folder string
}

// Start runs the binary on a new data folder below parent ("" is the system's folder for temporary files). An empty
// binary is built first.
func Start(binary, parent string, arguments ...string) (*Server, error) {
	folder, err := os.MkdirTemp(parent, "freshet-load")
	if err != nil {
		return nil, fmt.Errorf("make a data folder: %w", err)
	}
	s := &Server{folder: folder}
	if binary == "" {
		binary = filepath.Join(folder, "freshet")
		if err := Build(binary); err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
	s.Process, err = process.Start(binary, process.Dev(filepath.Join(folder, "data"), arguments...)...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return s, nil
}

// Build builds the program to that file, from the module that the caller is run in.
func Build(binary string) error {
	output, err := exec.Command("go", "build", "-o", binary, "github.com/freshetdb/freshet").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the server: %w: %s", err, output)
	}
	return nil
}

// Folder is where the server keeps its data, for measurements on the same file system.
func (s *Server) Folder() string { return s.folder }

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	return errors.Join(s.Terminate(30*time.Second), os.RemoveAll(s.folder))
}

// Document makes the JSON of a document of about size bytes. group and score are what queries ask for; sequence tells
// the write apart.
func Document(group, score, sequence, size int) []byte {
	text := fmt.Sprintf(`{"group":%d,"score":%d,"sequence":%d,"title":"Notes on the state of the river","tags":["water","level"],`+
		`"author":{"name":"Ada","city":"Basel"},"text":"`, group, score, sequence)
	return []byte(text + strings.Repeat("fresh ", max(0, size-len(text))/6+1) + `"}`)
}

// Sequence reads the field sequence out of an encoded document or frame; ok is false where there is none.
func Sequence(text []byte) (n int, ok bool) {
	const name = `"sequence":`
	i := bytes.Index(text, []byte(name))
	if i < 0 {
		return 0, false
	}
	text = text[i+len(name):]
	end := bytes.IndexAny(text, ",}")
	if end < 0 {
		return 0, false
	}
	n, err := strconv.Atoi(string(text[:end]))
	return n, err == nil
}

// Written gives the sequence of each document in a change frame that was itself written then. A document that entered a
// window because another one left (`none`) carries the sequence of an older write and is left out.
func Written(frame []byte, sequence func(n int)) {
	for event := range bytes.SplitSeq(frame, []byte(`{"match":`)) {
		if bytes.Contains(event, []byte(`"operation":"none"`)) {
			continue
		}
		if n, ok := Sequence(event); ok {
			sequence(n)
		}
	}
}

// Writer writes documents over HTTP.
type Writer struct {
	base   string
	client *http.Client
}

// NewWriter makes a writer with up to connections kept open.
func NewWriter(address string, connections int) *Writer {
	transport := &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true}
	return &Writer{"http://" + address + "/v1/db/" + Collection, &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// Put replaces or creates a document.
func (w *Writer) Put(ctx context.Context, id string, document []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, w.base+"/"+id, bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := w.client.Do(request)
	if err != nil {
		return fmt.Errorf("put %s: %w", id, err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fmt.Errorf("put %s: %w", id, err)
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("put %s: %s: %s", id, response.Status, text)
	}
	return nil
}

// Close ends the idle connections.
func (w *Writer) Close() { w.client.CloseIdleConnections() }

// Fill writes count documents, id(i) made from their number, over all connections.
func Fill(ctx context.Context, w *Writer, count, connections int, document func(i int) (id string, text []byte)) error {
	var group sync.WaitGroup
	failed := make(chan error, connections)
	for c := range connections {
		group.Go(func() {
			for i := c; i < count; i += connections {
				id, text := document(i)
				if err := w.Put(ctx, id, text); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// Query is a live query; its fields are those of a subscribe frame.
type Query struct {
	Filter any `json:"filter,omitempty"`
	Sort   any `json:"sort,omitempty"`
	Limit  int `json:"limit,omitempty"`
}

// Session is a WebSocket with live queries.
type Session struct {
	connection *websocket.Conn
	done       chan struct{}
	err        error // why reading ended; read it after done

	mu sync.Mutex // of writes to connection
}

// MaxDialWait bounds the handshake and the wait for the first results.
const MaxDialWait = 60 * time.Second

// Subscribe opens a session, registers the queries, waits for their first results, and gives every change after that to
// received, with its time of arrival; received must be quick and keeps nothing of message.
func Subscribe(address string, queries []Query, received func(message []byte, at time.Time)) (*Session, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"freshet.v1"}, HandshakeTimeout: MaxDialWait}
	connection, _, err := dialer.Dial("ws://"+address+"/v1/live", nil)
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	s := &Session{connection: connection, done: make(chan struct{})}
	ready := make(chan struct{})
	go s.read(len(queries), ready, received) // answers come while the queries are still being sent
	for i, q := range queries {
		frame := struct {
			Type       string `json:"type"`
			ID         string `json:"id"`
			Collection string `json:"collection"`
			Query
		}{"subscribe", "s" + strconv.Itoa(i), Collection, q}
		if err := s.write(frame); err != nil {
			return nil, errors.Join(fmt.Errorf("subscribe: %w", err), connection.Close())
		}
	}
	timer := time.NewTimer(MaxDialWait)
	defer timer.Stop()
	select {
	case <-ready:
		return s, nil
	case <-s.done:
		return nil, errors.Join(s.err, connection.Close())
	case <-timer.C:
		return nil, errors.Join(fmt.Errorf("the first results did not come within %v", MaxDialWait), connection.Close())
	}
}

func (s *Session) write(frame any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connection.WriteJSON(frame)
}

func (s *Session) read(queries int, ready chan struct{}, received func([]byte, time.Time)) {
	defer close(s.done)
	results := 0
	for {
		_, message, err := s.connection.ReadMessage()
		at := time.Now()
		if err != nil {
			s.err = err
			return
		}
		if bytes.Contains(message, []byte(`"type":"change"`)) {
			received(message, at)
			continue
		}
		var frame struct {
			Type string
			More bool
		}
		if err := json.Unmarshal(message, &frame); err != nil {
			s.err = fmt.Errorf("decode frame: %w", err)
			return
		}
		switch frame.Type {
		case "error":
			s.err = fmt.Errorf("the server refused: %s", message)
			return
		case "ping":
			if s.err = s.write(map[string]string{"type": "pong"}); s.err != nil {
				return
			}
		case "result":
			if !frame.More {
				if results++; results == queries {
					close(ready)
				}
			}
		}
	}
}

// Close ends the session and its reader. It fails if the session had ended before.
func (s *Session) Close() error {
	select {
	case <-s.done:
		return fmt.Errorf("the session ended by itself: %w", s.err)
	default:
	}
	err := s.connection.Close()
	<-s.done
	return err
}

// Quantiles of durations.
type Quantiles struct {
	Count              int
	P50, P90, P99, Max time.Duration
}

// Measure sorts the durations and takes their quantiles (nearest rank).
func Measure(durations []time.Duration) Quantiles {
	q := Quantiles{Count: len(durations)}
	if q.Count == 0 {
		return q
	}
	slices.Sort(durations)
	rank := func(percent int) time.Duration { return durations[(percent*q.Count+99)/100-1] }
	q.P50, q.P90, q.P99, q.Max = rank(50), rank(90), rank(99), durations[q.Count-1]
	return q
}

// PrintTable writes rows of cells in columns.
func PrintTable(w io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		if _, err := io.WriteString(table, strings.Join(row, "\t")+"\t\n"); err != nil {
			return fmt.Errorf("write a table: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("write a table: %w", err)
	}
	return nil
}
