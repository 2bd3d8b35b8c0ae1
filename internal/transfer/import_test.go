package transfer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshetdb/freshet/internal/client"
)

// bulkServer answers bulk requests and remembers what was written, first by key.
type bulkServer struct {
	t        *testing.T
	mu       sync.Mutex
	written  []string          // documents, in order
	byKey    map[string]string // documents
	requests int
	// fails says what goes wrong with a line: "" nothing, "end" the connection ends before, "lost" after it was written, else a code.
	fails func() string
}

func (s *bulkServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil {
		s.t.Error(err)
	}
	in := bufio.NewReader(r.Body)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var object struct {
			Operation, Collection, IdempotencyKey string
			Document                              json.RawMessage
		}
		if err := json.Unmarshal(line, &object); err != nil {
			_, _ = fmt.Fprintf(w, `{"line":%d,"problem":{"code":"document-invalid","status":400}}`+"\n", n)
			continue
		}
		how := s.fails()
		if how == "end" {
			return
		}
		if how == "" || how == "lost" {
			if before, ok := s.byKey[object.IdempotencyKey]; !ok {
				s.byKey[object.IdempotencyKey] = string(object.Document)
				s.written = append(s.written, string(object.Document))
			} else if before != string(object.Document) {
				s.t.Errorf("the key of %s comes with %s", before, object.Document)
			}
		}
		switch how {
		case "":
			_, _ = fmt.Fprintf(w, `{"line":%d,"status":201,"_id":"x","_rev":"1-x","position":"p"}`+"\n", n)
		case "lost":
			return
		default:
			again := how == "overloaded" || how == "draining"
			_, _ = fmt.Fprintf(w, `{"line":%d,"problem":{"code":%q,"status":500,"detail":"it was to fail","retryable":%v}}`+"\n", n, how, again)
		}
		if in.Buffered() == 0 {
			_ = control.Flush() // the client may be gone
		}
	}
}

func (s *bulkServer) run(text string, change func(*Import)) (Counts, error) {
	s.t.Helper()
	web := httptest.NewServer(s)
	defer web.Close()
	records, err := NewReader(NDJSON, strings.NewReader(text))
	must(s.t, err)
	im := &Import{URL: web.URL, Collection: "things", Mode: Insert, Seed: "seed", Records: records, Lost: func(error, time.Duration) {}}
	change(im)
	return im.Run(s.t.Context())
}

func lines(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `{"n":%d}`+"\n", i)
	}
	return text.String()
}

// Whatever goes wrong on the way, every write is made once, those to one document in order.
func TestImportRepeatsWhatHasNoAnswer(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	const documents = 3000
	left := 8 // each costs a pause
	s := &bulkServer{t: t, byKey: map[string]string{}, fails: func() string {
		if left == 0 || rng.IntN(documents/8) > 0 {
			return ""
		}
		left--
		return []string{"end", "lost", "overloaded", "draining", "outcome-unknown", "json-invalid"}[rng.IntN(6)]
	}}
	var text strings.Builder
	for i := range documents {
		if i == 7 {
			text.WriteString("no\n")
		}
		fmt.Fprintf(&text, `{"_id":"d%d","n":%d}`+"\n", rng.IntN(700), i)
	}
	failed := 0
	c, err := s.run(text.String(), func(im *Import) {
		im.Failed = func(line int, _ error) {
			if failed++; line != 8 {
				t.Errorf("line %d failed", line)
			}
		}
	})
	must(t, err)
	if want := (Counts{Records: documents + 1, Inserted: documents, Failed: 1}); c != want || failed != 1 {
		t.Errorf("%+v, want %+v", c, want)
	}
	seen, last := map[int]bool{}, map[string]int{}
	for _, text := range s.written {
		var d struct {
			ID string `json:"_id"`
			N  int
		}
		must(t, json.Unmarshal([]byte(text), &d))
		if before, ok := last[d.ID]; seen[d.N] || ok && before > d.N {
			t.Errorf("%s: write %d came after %d, or twice", d.ID, d.N, before)
		}
		seen[d.N], last[d.ID] = true, d.N
	}
	if len(seen) != documents {
		t.Errorf("%d of %d writes were made", len(seen), documents)
	}
}

func TestImportGivesUp(t *testing.T) {
	t.Parallel()
	always := func(code string) func() string { return func() string { return code } }
	s := &bulkServer{t: t, byKey: map[string]string{}, fails: always("precondition-failed")}
	c, err := s.run(lines(100), func(im *Import) { im.MaxFailed = 3 })
	if !errors.Is(err, ErrTooManyFailures) || c.Failed != 4 || c.Records != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	s.fails = always("collection-not-found")
	var problem *client.Problem
	if c, err = s.run(lines(100), func(*Import) {}); !errors.As(err, &problem) || problem.Code != "collection-not-found" || c.Records != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	s.fails = always("")
	broken := errors.New("no more room")
	if c, err = s.run(lines(100), func(im *Import) { im.Settled = func(Counts, []byte) error { return broken } }); !errors.Is(err, broken) {
		t.Errorf("%+v, %v", c, err)
	}
	reading := errors.New("the disk is gone")
	c, err = s.run("", func(im *Import) {
		im.Records = newLineReader(io.MultiReader(strings.NewReader(lines(50)), failingReader{reading}))
	})
	if !errors.Is(err, reading) || c.Inserted != 50 {
		t.Errorf("%+v, %v", c, err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// A server that ends a request on which nothing comes is asked again when something does.
func TestImportOfASlowSource(t *testing.T) {
	t.Parallel()
	calls := 0
	s := &bulkServer{t: t, byKey: map[string]string{}}
	s.fails = func() string { calls++; return "" }
	source, in := io.Pipe()
	c, err := s.run("", func(im *Import) {
		im.Records = newLineReader(source)
		im.Lost = func(err error, _ time.Duration) { t.Errorf("lost: %v", err) }
		im.Settled = func(c Counts, _ []byte) error { // one at a time: each answer brings the next line
			go func() {
				if c.Records < 5 {
					_, _ = fmt.Fprintf(in, "{\"n\":%d}\n", c.Records)
				} else {
					_ = in.Close()
				}
			}()
			return nil
		}
		go func() { _, _ = io.WriteString(in, "{\"n\":0}\n") }()
	})
	must(t, err)
	if c.Inserted != 5 || calls != 5 || s.requests != 1 {
		t.Errorf("%+v, %d calls, %d requests", c, calls, s.requests)
	}
}
