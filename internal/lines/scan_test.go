package lines

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/freshetdb/freshet/matcher"
)

// one is a scan of one source that must report nothing.
func one(t *testing.T, spec matcher.QuerySpec, in io.Reader, out io.Writer) Scan {
	t.Helper()
	return Scan{Query: compile(t, spec), Output: out, Sources: []Source{reading("in", in)},
		Report: func(p Problem) { t.Errorf("problem: %v", p) }}
}

func reading(name string, in io.Reader) Source {
	return Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(in), nil }}
}

// Invariant 5: a line is answered before the next one is there, and the end ends it.
func TestSlowStreamIsAnsweredLineByLine(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	result, out := io.Pipe()
	s := one(t, matcher.QuerySpec{Filter: []byte(`{"n":{"$gt":0}}`)}, in, out)
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(t.Context())
		done <- errors.Join(err, out.Close())
	}()
	lines := bufio.NewReader(result)
	for i := range 100 {
		line := fmt.Sprintf("{\"n\":%d}\n", i+1)
		if _, err := io.WriteString(feed, "{\"n\":0}\n"+line+`{"n":`); err != nil { // and half of the next
			t.Fatal(err)
		}
		if got, err := lines.ReadString('\n'); err != nil || got != line {
			t.Fatalf("got %q, %v, want %q", got, err, line)
		}
		if _, err := io.WriteString(feed, "0}\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := lines.ReadByte(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// endless repeats a text for ever, or up to a number of bytes.
type endless struct {
	text   string
	at     int
	read   int64
	most   int64 // 0: no end
	during func()
}

func (e *endless) Read(b []byte) (n int, err error) {
	if e.most > 0 && e.read >= e.most {
		return 0, io.EOF
	}
	for n < len(b) {
		copied := copy(b[n:], e.text[e.at:])
		n += copied
		e.at = (e.at + copied) % len(e.text)
	}
	e.read += int64(n)
	if e.during != nil {
		e.during()
	}
	return n, nil
}

// Invariant 4: reading ends with the limit.
func TestLimitEndsReading(t *testing.T) {
	t.Parallel()
	const line = "{\"n\":1}\n"
	reads := make(chan int64, 1<<16)
	source := &endless{text: line}
	source.during = func() { reads <- source.read }
	var out bytes.Buffer
	s := one(t, matcher.QuerySpec{Skip: 7, Limit: 5}, source, &out)
	s.Workers = 2
	summary, err := s.Run(t.Context())
	if err != nil || summary.Shown != 5 || out.String() != strings.Repeat(line, 5) {
		t.Fatalf("%+v, %v, %q", summary, err, out.String())
	}
	var read int64
	for len(reads) > 0 {
		read = <-reads
	}
	if most := int64(MaxChunks(2)+1) * ChunkBytes; read > most {
		t.Errorf("%d bytes were read for five lines, want at most %d", read, most)
	}
}

// A source that says nothing more does not hold up a result that is complete.
func TestLimitDoesNotWaitForTheSource(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	go func() { _, _ = io.WriteString(feed, "{\"n\":1}\n{\"n\":2}\n") }()
	var out bytes.Buffer
	if _, err := one(t, matcher.QuerySpec{Limit: 1}, in, &out).Run(t.Context()); err != nil || out.String() != "{\"n\":1}\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestCancelEndsAScan(t *testing.T) {
	t.Parallel()
	in, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.WriteString(feed, "{\"n\":1}\n")
		cancel()
	}()
	if _, err := one(t, matcher.QuerySpec{}, in, io.Discard).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Invariant 3: the heap stays small however much comes by.
func TestMemoryDoesNotGrowWithTheInput(t *testing.T) { // not parallel: it looks at the heap of the process
	const mostHeapBytes = 24 << 20
	total := int64(200 << 20)
	if raceEnabled {
		total = 40 << 20
	}
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for name, spec := range map[string]matcher.QuerySpec{
		"unsorted":              {Filter: []byte(`{"n":{"$lt":50}}`)},
		"sorted with a limit":   {Sort: []byte(`{"n":-1,"text":1}`), Skip: 10, Limit: 100},
		"projected, everything": {Fields: []byte(`["n","tags"]`)},
	} {
		runtime.GC()
		var peak uint64
		var text strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&text, "{\"_id\":%d,\"n\":%d,\"tags\":[\"a\",\"b\"],\"text\":\"%s\\n\"}\r\n", i, i%100, strings.Repeat("words ", i%60))
		}
		source := &endless{text: text.String(), most: total, during: func() {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
		}}
		s := one(t, spec, source, io.Discard)
		s.Encode = spec.Fields != nil
		s.Report = func(Problem) {} // the last line is cut
		summary, err := s.Run(t.Context())
		if err != nil || summary.Shown == 0 || peak > mostHeapBytes {
			t.Errorf("%s: the heap grew to %d KiB over %d MiB, want at most %d KiB (%+v, %v)",
				name, peak>>10, total>>20, mostHeapBytes>>10, summary, err)
		}
	}
}

func TestSortedResultIsBounded(t *testing.T) {
	t.Parallel()
	const line = "{\"n\":1,\"text\":\"0123456789\"}\n"
	run := func(spec matcher.QuerySpec) error {
		s := one(t, spec, strings.NewReader(strings.Repeat(line, 10_000)), io.Discard)
		s.MaxMemoryBytes = 1 << 20
		_, err := s.Run(t.Context())
		return err
	}
	err := run(matcher.QuerySpec{Sort: []byte(`{"n":1}`)})
	if !errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), "1048576") || !strings.Contains(err.Error(), "--max-memory") {
		t.Errorf("without a limit: %v", err)
	}
	if err := run(matcher.QuerySpec{Sort: []byte(`{"n":-1}`), Skip: 100, Limit: 100}); err != nil {
		t.Errorf("with a limit: %v", err)
	}
	if err := run(matcher.QuerySpec{}); err != nil {
		t.Errorf("without a sort: %v", err)
	}
}

// A line that is too long costs that line, whatever the size of the chunks.
func TestTooLongLine(t *testing.T) {
	t.Parallel()
	long := `{"text":"` + strings.Repeat("x", 3<<20) + `"}`
	for _, test := range []struct {
		text, want string
		problems   int
	}{
		{"{\"n\":1}\n" + long + "\n{\"n\":2}", "{\"n\":1}\n{\"n\":2}\n", 1},
		{long + "\r\n" + long + "\n{\"n\":2}\n", "{\"n\":2}\n", 2},
		{"{\"n\":1}\n" + long, "{\"n\":1}\n", 1},
		{long, "", 1},
		{long[:1<<20-2] + "\"}\n", "", 0}, // just short enough, see below
	} {
		want := test.want
		if test.problems == 0 {
			want = test.text
		}
		var out bytes.Buffer
		var problems []string
		s := one(t, matcher.QuerySpec{}, iotest.HalfReader(strings.NewReader(test.text)), &out)
		s.MaxDocumentBytes = 1 << 20
		s.Report = func(p Problem) { problems = append(problems, p.Error()) }
		if _, err := s.Run(t.Context()); err != nil || out.String() != want || len(problems) != test.problems {
			t.Errorf("%.20q...: %v, %d bytes shown, want %d, problems %q", test.text, err, out.Len(), len(want), problems)
		}
		for _, p := range problems {
			if !strings.Contains(p, "more than 1048576 bytes") || !strings.Contains(p, "--max-document-bytes") {
				t.Errorf("the problem is %q", p)
			}
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("no more paper")
	for _, spec := range []matcher.QuerySpec{{}, {Sort: []byte(`{"n":1}`)}} {
		if _, err := one(t, spec, strings.NewReader("{}\n"), brokenWriter{broken}).Run(t.Context()); !errors.Is(err, broken) {
			t.Errorf("a broken output: %v", err)
		}
	}

	// Sources that cannot be read are reported, and the others are read. What came before the failure counts, but for
	// the line that it tore.
	var out bytes.Buffer
	var problems []string
	s := Scan{Query: compile(t, matcher.QuerySpec{}), Output: &out,
		Report: func(p Problem) {
			if !errors.Is(p.Err, ErrUnreadable) {
				t.Errorf("%v is not ErrUnreadable", p)
			}
			problems = append(problems, p.Error())
		},
		Sources: []Source{
			{Name: "absent", Open: func() (io.ReadCloser, error) { return nil, errors.New("no such file") }},
			reading("torn", io.MultiReader(strings.NewReader("{\"n\":1}\n{\"n\":2}\n{\"n\""), iotest.ErrReader(errors.New("disk on fire")))),
			reading("stuck", stuck{}),
			reading("whole", strings.NewReader(`{"n":3}`)),
		}}
	summary, err := s.Run(t.Context())
	want := []string{
		"absent: the input cannot be read: no such file",
		"torn: the input cannot be read: disk on fire",
		"stuck: the input cannot be read: " + io.ErrNoProgress.Error(),
	}
	if err != nil || fmt.Sprint(problems) != fmt.Sprint(want) || summary != (Summary{Shown: 3, Problems: 3}) || out.String() != "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n" {
		t.Errorf("%+v, %v, %q, %q", summary, err, out.String(), problems)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
