package lines

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/freshetdb/freshet/matcher"
)

// outcome is all that a scan says.
type outcome struct {
	output   string
	shown    int64
	problems []string
	strict   bool
}

func (o outcome) String() string {
	return fmt.Sprintf("%q, %d shown, problems %q, strict %v", o.output, o.shown, o.problems, o.strict)
}

// naive reads line after line, and sorts what matches at the end.
func naive(s Scan, texts []string) (o outcome) {
	type hit struct{ key, text []byte }
	var hits []hit
	q := s.Query
	complete := func() bool {
		return (!q.Sorted() || s.Count) && q.Limit() > 0 && len(hits) == q.Skip()+q.Limit()
	}
scan:
	for i, text := range texts {
		for number, line := range strings.SplitAfter(text, "\n") {
			content, ended := strings.CutSuffix(line, "\n")
			if strings.Trim(content, " \t\r") == "" {
				continue
			}
			d, err := matcher.Parse([]byte(content), matcher.Limits{MaxDocumentBytes: s.MaxDocumentBytes})
			if len(content) > s.MaxDocumentBytes {
				err = errors.New("it has more than")
			}
			if err != nil {
				o.problems = append(o.problems, fmt.Sprintf("s%d:%d: the line is no document: %v", i, number+1, err))
				if s.Strict {
					o.strict = true
					break scan
				}
				continue
			}
			if !q.Match(d) {
				continue
			}
			h := hit{text: []byte(line)}
			if q.Sorted() {
				h.key = q.AppendSortKey(nil, d)
			}
			if s.Encode {
				h.text = append(q.AppendDocument(nil, d), '\n')
			} else if !ended {
				h.text = append(h.text, '\n')
			}
			hits = append(hits, h)
			if complete() {
				break scan
			}
		}
	}
	if q.Sorted() && !s.Count {
		if o.strict {
			return o // nothing is shown of a sort that did not come to its end
		}
		slices.SortStableFunc(hits, func(a, b hit) int { return bytes.Compare(a.key, b.key) })
	}
	hits = hits[min(q.Skip(), len(hits)):]
	if q.Limit() > 0 {
		hits = hits[:min(q.Limit(), len(hits))]
	}
	o.shown = int64(len(hits))
	if !s.Count {
		for _, h := range hits {
			o.output += string(h.text)
		}
	}
	return o
}

// scanned runs the scan over the texts, each through its kind of reader.
func scanned(t testing.TB, s Scan, texts []string, through func(i int, r io.Reader) io.Reader) (o outcome) {
	t.Helper()
	var out strings.Builder
	s.Output = &out
	s.Report = func(p Problem) { o.problems = append(o.problems, p.Error()) }
	for i, text := range texts {
		s.Sources = append(s.Sources, Source{Name: fmt.Sprintf("s%d", i), Open: func() (io.ReadCloser, error) {
			return io.NopCloser(through(i, strings.NewReader(text))), nil
		}})
	}
	summary, err := s.Run(t.Context())
	if err != nil && !errors.Is(err, ErrStrict) {
		t.Fatal(err)
	}
	if int(summary.Problems) != len(o.problems) {
		t.Errorf("%d problems counted, %d reported", summary.Problems, len(o.problems))
	}
	o.output, o.shown, o.strict = out.String(), summary.Shown, err != nil
	return o
}

// within says that an unchecked scan showed the same, and reported nothing that there is not.
func within(got, want outcome) bool {
	for _, p := range got.problems {
		before, _, _ := strings.Cut(p, "it has more than")
		if !slices.ContainsFunc(want.problems, func(known string) bool { return strings.HasPrefix(known, before) }) {
			return false
		}
	}
	return got.output == want.output && got.shown == want.shown
}

// alike compares outcomes; of a line that is too long the two say it in their own words.
func alike(a, b outcome) bool {
	long := func(text string) string {
		if before, _, found := strings.Cut(text, "it has more than"); found {
			return before
		}
		return text
	}
	if len(a.problems) != len(b.problems) {
		return false
	}
	for i := range a.problems {
		if long(a.problems[i]) != long(b.problems[i]) {
			return false
		}
	}
	return a.output == b.output && a.shown == b.shown && a.strict == b.strict
}

func compile(t testing.TB, spec matcher.QuerySpec) *matcher.Query {
	t.Helper()
	spec.AnyDocument = true
	q, err := matcher.Compile(spec, matcher.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func through(random *rand.Rand) func(int, io.Reader) io.Reader {
	kind := random.IntN(5)
	return func(_ int, r io.Reader) io.Reader {
		switch kind {
		case 0:
			return iotest.OneByteReader(r)
		case 1:
			return iotest.HalfReader(r)
		case 2:
			return iotest.DataErrReader(r)
		case 3:
			return iotest.DataErrReader(iotest.OneByteReader(r))
		}
		return r
	}
}

// randomText is lines of all sorts: documents, other JSON, no JSON, blank ones, with line ends of both kinds.
func randomText(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(12) {
		switch random.IntN(9) {
		case 0:
			b.WriteString([]string{"", " ", "\t\r", "[1]", "{", `{"n":1}}`, `{"n":01}`, "\xff", `{"n":"` + strings.Repeat("x", 80) + `"}`}[random.IntN(9)])
		default:
			letter := string('a' + rune(random.IntN(3)))
			if random.IntN(4) == 0 {
				letter = fmt.Sprintf(`\u%04x`, letter[0])
			}
			fmt.Fprintf(&b, `{ "_id":%d, "n" :%d,"s":"%s","s":"%s"}`, random.IntN(3), random.IntN(6), []string{"old", "a"}[random.IntN(2)], letter)
		}
		b.WriteString([]string{"\n", "\n", "\r\n", "\n\n"}[random.IntN(4)])
	}
	text := b.String()
	if random.IntN(2) == 0 {
		text = strings.TrimRight(text, "\n")
	}
	return text
}

// Invariants 1, 2 and 4.
func TestScanIsTheNaiveOne(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	pick := func(texts ...string) []byte {
		if text := texts[random.IntN(len(texts))]; text != "" {
			return []byte(text)
		}
		return nil
	}
	for range 6_000 {
		spec := matcher.QuerySpec{
			Filter: pick("", `{"n":{"$gte":2}}`, `{"s":"a"}`, `{"n":9}`, `{"_id":{"$in":[0,"x"]}}`),
			Sort:   pick("", "", `{"n":1}`, `{"n":-1,"s":1}`, `{"_id":-1}`),
			Fields: pick("", "", `["n"]`),
			Skip:   random.IntN(2) * random.IntN(4), Limit: random.IntN(2) * random.IntN(6),
		}
		s := Scan{Query: compile(t, spec), Encode: spec.Fields != nil, Count: random.IntN(5) == 0, Strict: random.IntN(5) == 0,
			MaxDocumentBytes: 60, Workers: 1 + random.IntN(3), chunkBytes: 1 + random.IntN(80)}
		compare := alike
		if random.IntN(3) == 0 {
			s.Strict, s.Unchecked, compare = false, true, within
		}
		texts := make([]string, random.IntN(4))
		for i := range texts {
			texts[i] = randomText(random)
		}
		if got, want := scanned(t, s, texts, through(random)), naive(s, texts); !compare(got, want) {
			t.Fatalf("seed %d: %s sort %s skip %d limit %d, %+v\nover %q\ngives %v\nwant  %v",
				seed, spec.Filter, spec.Sort, spec.Skip, spec.Limit, s, texts, got, want)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add("{\"n\":1}\r\n\n {\"n\":2,\"n\":3}\n{", uint8(3), uint8(0))
	f.Add("{\"n\":{\"$numberLong\":\"5\"}}\n\"x\"\n{\"s\":\"\\u00e4\"}", uint8(200), uint8(7))
	queries := []matcher.QuerySpec{
		{},
		{Filter: []byte(`{"n":{"$gte":2}}`)},
		{Filter: []byte(`{"s":{"$exists":true}}`), Limit: 2},
		{Sort: []byte(`{"n":-1}`), Limit: 3},
		{Sort: []byte(`{"s":1}`), Skip: 1},
		{Filter: []byte(`{"s":"a"}`)},
	}
	f.Fuzz(func(t *testing.T, text string, chunkBytes, which uint8) {
		s := Scan{Query: compile(t, queries[int(which)%len(queries)]), Workers: 2, MaxDocumentBytes: 1000, chunkBytes: 1 + int(chunkBytes)}
		texts := []string{text, text}
		whole := func(_ int, r io.Reader) io.Reader { return r }
		unchecked := s
		unchecked.Unchecked = true
		if got, want := scanned(t, unchecked, texts, whole), naive(s, texts); !within(got, want) {
			t.Fatalf("unchecked, %q gives %v\nwant %v", text, got, want)
		}
		if got, want := scanned(t, s, texts, whole), naive(s, texts); !alike(got, want) {
			t.Fatalf("%q gives %v\nwant %v", text, got, want)
		}
	})
}
