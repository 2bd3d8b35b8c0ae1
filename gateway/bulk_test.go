package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// hold keeps the apply loop at a boundary, from its return until release is closed; then held has the outcome.
func (s *testServer) hold(release <-chan struct{}) (held <-chan error) {
	s.t.Helper()
	holds, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.store.Boundary(s.t.Context(), func(n *storage.Snapshot) {
			close(holds)
			if err := n.Close(); err != nil {
				s.t.Error(err)
			}
			<-release
		})
	}()
	select {
	case <-holds:
	case err := <-done:
		s.t.Fatalf("hold the loop: %v", err)
	}
	return done
}

const ndjson = "Content-Type: " + contentNDJSON

// answers are the lines of a bulk answer.
func (r reply) answers() (lines []map[string]any) {
	r.t.Helper()
	for line := range strings.Lines(r.body) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			r.t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, m)
	}
	return lines
}

// Each line has its answer in order; a bad one does not end the rest; a collection of its own for each.
func TestBulk(t *testing.T) {
	s := startDev(t)
	long := strings.Repeat("x", int(s.gateway.cfg.MaxBodyBytes))
	rows := []struct {
		line string
		want string // status or code
	}{
		{`{"operation":"insert","collection":"pages","document":{"_id":"a","n":1}}`, "201"},
		{`{"operation":"insert","collection":"pages","document":{"_id":"a","n":1}}`, "already-exists"},
		{`{"operation":"update","collection":"pages","_id":"a","update":{"$inc":{"n":1}}}`, "200"},
		{``, ""},
		{`no JSON`, "json-invalid"},
		{`[]`, "document-invalid"},
		{`{"operation":"update","collection":"pages","_id":"b","update":{"$inc":{"n":1}}}`, "document-not-found"},
		{`{"operation":"replace","collection":"others","_id":"b","document":{"n":5}}`, "201"},
		{`{"operation":"replace","collection":"others","_id":"b","document":{"x":"` + long + `"}}`, "body-too-large"},
		{`{"operation":"replace","collection":"others","_id":"b","document":{"x":"` + long[:s.gateway.cfg.Limits.MaxDocumentBytes] + `"}}`, "document-too-large"},
		{`  {"operation":"replace","collection":"others","_id":"b","document":{"n":6}}  `, "200"},
		{`{"operation":"insert","collection":"pages","document":{"n":7},"idempotencyKey":"k"}`, "201"},
		{`{"operation":"insert","collection":"pages","document":{"n":7},"idempotencyKey":"k"}`, "201"},
		{`{"operation":"insert","collection":"pages","document":{"n":8},"idempotencyKey":"k"}`, "idempotency-key-reused"},
		{`{"operation":"insert","collection":"pages","document":{"n":8},"type":"write"}`, "field-unknown"},
		{`{"operation":"replace","collection":"pages","_id":"a","ifMatch":"*","document":{"n":2}}`, "200"},
		{`{"operation":"replace","collection":"pages","_id":"z","ifMatch":"*","document":{"n":2}}`, "precondition-failed"},
		{`{"operation":"delete","collection":"pages","_id":"a"}`, "204"},
		{`{"operation":"delete","collection":"pages","_id":"a"}`, "document-not-found"},
		{`{"operation":"insert","collection":"pages","document":{"_id":"a","n":9}}`, "201"},
	}
	var body strings.Builder
	for i, row := range rows {
		body.WriteString(row.line)
		if i < len(rows)-1 { // the last line needs no end
			body.WriteString("\n")
		}
	}
	answers := s.do("POST", "/v1/bulk", body.String(), ndjson).want(200).answers()
	var ids []any
	for i, row := range rows {
		if row.want == "" {
			continue
		}
		if len(answers) == 0 {
			t.Fatalf("line %d has no answer", i+1)
		}
		a := answers[0]
		answers = answers[1:]
		got := fmt.Sprint(a["status"])
		if p, refused := a["problem"].(map[string]any); refused {
			got = p["code"].(string)
		} else if a["_id"] == "" || a["position"] == "" || (a["_rev"] == nil) != (row.want == "204") {
			t.Errorf("line %d: %v", i+1, a)
		}
		if a["line"] != float64(i+1) || got != row.want {
			t.Errorf("line %d: %v, want %s", i+1, a, row.want)
		}
		if strings.Contains(row.line, `"k"`) && a["_id"] != nil {
			ids = append(ids, a["_id"])
		}
	}
	if len(answers) != 0 {
		t.Errorf("answers too many: %v", answers)
	}
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("a repeated insert made %v", ids)
	}
	if n := s.do("GET", "/v1/db/others/b", "").want(200).object()["n"]; n != 6.0 {
		t.Errorf("n is %v", n)
	}
	s.do("POST", "/v1/bulk", "", ndjson).want(200)
	s.do("POST", "/v1/bulk", "{}").problem("content-type-unsupported")
	s.do("GET", "/v1/bulk", "").problem("method-not-allowed")
	s.do("POST", "/v1/bulk?x=1", "", ndjson).problem("parameter-unknown")
}

// Answers come while the request is being sent; writes to one document are made in order.
func TestBulkStreams(t *testing.T) {
	s := startDev(t)
	body, lines := io.Pipe()
	r := s.request("POST", s.base+"/v1/bulk", "", ndjson)
	r.Body, r.ContentLength = body, -1
	sent := make(chan error, 1)
	first := make(chan struct{})
	const writes = 1500
	go func() {
		write := func(i int) error {
			_, err := fmt.Fprintf(lines, `{"operation":"update","collection":"pages","_id":"p%d","update":{"$push":{"log":%d}}}`+"\n", i%3, i)
			return err
		}
		for i := range 3 {
			if _, err := fmt.Fprintf(lines, `{"operation":"insert","collection":"pages","document":{"_id":"p%d"}}`+"\n", i); err != nil {
				sent <- err
				return
			}
		}
		<-first // it is answered before anything more is sent
		for i := range writes {
			if err := write(i); err != nil {
				sent <- err
				return
			}
		}
		sent <- lines.Close()
	}()
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	in := bufio.NewScanner(answer.Body)
	for n := 1; in.Scan(); n++ {
		var a struct{ Line, Status int }
		must(t, json.Unmarshal(in.Bytes(), &a))
		if want := 200 + min(1, max(0, 4-n)); a.Line != n || a.Status != want {
			t.Fatalf("answer %d: %s", n, in.Text())
		}
		if n == 3 {
			close(first)
		}
	}
	must(t, in.Err())
	must(t, <-sent)
	total := 0
	for id := range 3 {
		log := s.do("GET", fmt.Sprintf("/v1/db/pages/p%d", id), "").want(200).object()["log"].([]any)
		for i, n := range log {
			if n != float64(3*i+id) {
				t.Fatalf("p%d: write %v was made in place %d", id, n, i)
			}
		}
		total += len(log)
	}
	if total != writes {
		t.Errorf("%d of %d writes were made", total, writes)
	}
}

// A bulk request that is being read when the server stops is told which lines were not.
func TestBulkDrains(t *testing.T) {
	s := startDev(t)
	body, lines := io.Pipe()
	r := s.request("POST", s.base+"/v1/bulk", "", ndjson)
	r.Body, r.ContentLength = body, -1
	go func() {
		if _, err := io.WriteString(lines, `{"operation":"insert","collection":"pages","document":{"_id":"p"}}`+"\n"); err != nil {
			t.Error(err)
		}
	}()
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()
	in := bufio.NewScanner(answer.Body)
	if !in.Scan() || !strings.Contains(in.Text(), `"status":201`) {
		t.Fatalf("%s %v", in.Text(), in.Err())
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	if !in.Scan() || !strings.HasPrefix(in.Text(), `{"line":2,"problem":`) || !strings.Contains(in.Text(), `"code":"draining"`) {
		t.Fatalf("%s %v", in.Text(), in.Err())
	}
	_ = lines.Close() // nobody reads it any more
	must(t, <-stopped)
}

// What a collection declares holds for every way in.
func TestWritesOfDeclaredDates(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages", `{"fields":{"at":{"type":"date"}}}`).want(201)
	k := s.open()
	const stored = `"at":{"$date":"2026-01-01T00:00:00Z"}`
	document := `{"at":"2026-01-01T00:00:00Z"}`
	k.send(`{"type":"write","id":"w","operation":"replace","collection":"pages","_id":"a","document":%s}`, document)
	k.want("written", "w")
	answers := s.do("POST", "/v1/bulk", `{"operation":"replace","collection":"pages","_id":"b","document":`+document+`}`+"\n"+
		`{"operation":"insert","collection":"pages","document":{"_id":"c"}}`+"\n"+
		`{"operation":"update","collection":"pages","_id":"c","update":{"$set":`+document+`}}`+"\n"+
		`{"operation":"insert","collection":"pages","document":{"at":"yesterday"}}`, ndjson).want(200).answers()
	if p, refused := answers[3]["problem"].(map[string]any); !refused || p["path"] != "/at" {
		t.Errorf("no date: %v", answers[3])
	}
	for _, id := range []string{"a", "b", "c"} {
		if r := s.do("GET", "/v1/db/pages/"+id, "").want(200); !strings.Contains(r.body, stored) {
			t.Errorf("stored %s", r.body)
		}
	}
}

// A line that comes while as many writes wait as may be waits too, instead of being refused.
func TestBulkWaitsWhereTooManyDo(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages", "").want(201)
	c, _ := s.store.Collection(DefaultApp, "pages")
	release := make(chan struct{})
	held := s.hold(release)
	answered := make(chan reply, 1)
	var begun sync.WaitGroup
	for full := false; !full; { // as long as the loop takes them, they go by
		for n := range 2 * storage.MaxWaitingWrites {
			refused := false
			begun.Add(1)
			s.store.Begin(storage.Update{Collection: c, ID: fmt.Sprint("w", n), Compute: func(d *matcher.Document, w matcher.WriteID) (storage.Image, error) {
				after, err := matcher.Compose(matcher.Metadata{ID: fmt.Sprint("w", n), Revision: matcher.Revision{Generation: 1, WriteID: w}}, emptyObject(t), matcher.Limits{}.WithDefaults())
				return storage.Image{After: after}, err
			}}, func(_ storage.Written, err error) {
				if errors.Is(err, storage.ErrOverloaded) { // told by Begin itself
					refused = true
				}
				begun.Done()
			})
			if full = refused; full {
				break
			}
		}
	}
	go func() {
		answered <- s.do("POST", "/v1/bulk", `{"operation":"insert","collection":"pages","document":{"_id":"a"}}`, ndjson)
	}()
	for s.counted("freshet_gateway_bulk_waits_total") == 0 {
		select {
		case r := <-answered:
			close(release)
			t.Fatalf("the line did not wait: %s", r.body)
		default:
			runtime.Gosched()
		}
	}
	close(release)
	if err := <-held; err != nil {
		t.Error(err)
	}
	if lines := (<-answered).want(200).answers(); len(lines) != 1 || lines[0]["status"] != 201.0 {
		t.Errorf("answered %v", lines)
	}
	begun.Wait()
}

// counted is the value of a counter.
func (s *testServer) counted(name string) float64 {
	s.t.Helper()
	families, err := s.gateway.metrics.registry.Gather()
	must(s.t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return 0
}

func emptyObject(t *testing.T) matcher.Value {
	d, err := matcher.Parse([]byte(`{}`), matcher.Limits{}.WithDefaults())
	must(t, err)
	return d.Root()
}
