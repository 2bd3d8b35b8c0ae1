package gateway

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

func queryString(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "?" + v.Encode()
}

func TestQuery(t *testing.T) {
	s := startDev(t)
	for i := range 10 {
		s.do("PUT", fmt.Sprintf("/v1/db/pages/p%d", i), fmt.Sprintf(`{"n":%d,"even":%v,"at":{"$date":"2026-01-0%dT00:00:00Z"},"a":{"b":1,"c":2}}`, i, i%2 == 0, i%9+1)).want(201)
	}
	check := func(r reply, want string) {
		t.Helper()
		if got := strings.Join(r.want(200).ids(), " "); got != want {
			t.Errorf("%s: %s, want %s", r.what, got, want)
		}
	}
	get := func(pairs ...string) reply { return s.do("GET", "/v1/db/pages"+queryString(pairs...), "") }
	check(get("filter", `{"even":true}`), "p0 p2 p4 p6 p8")
	check(get("filter", `{"n":{"$gt":6}}`, "sort", `{"n":-1}`), "p9 p8 p7")
	check(get("sort", "-even,-n", "limit", "3"), "p8 p6 p4")
	check(get("sort", `[["n",-1]]`, "skip", "2", "limit", "2"), "p7 p6")
	check(get("limit", "2"), "p0 p1")
	check(s.do("POST", "/v1/db/pages:query", `{"filter":{"n":{"$lt":4}},"sort":{"n":-1},"limit":2}`), "p3 p2")
	check(s.do("POST", "/v1/db/pages:query", `{"sort":"-n","limit":1,"filter":null,"fields":"n"}`), "p9")

	for _, fields := range []string{"n,a.b", `["n","a.b"]`, `{"n":1,"a.b":1}`} {
		body := get("limit", "1", "fields", fields).want(200).body
		if !strings.Contains(body, `{"_id":"p0","n":0,"a":{"b":1}}`) {
			t.Errorf("fields %s: %s", fields, body)
		}
	}
	if body := get("limit", "1", "fields", "at", "values", "plain").want(200).body; !strings.Contains(body, `"at":"2026-01-01T00:00:00Z"`) {
		t.Errorf("plain values: %s", body)
	}
	if body := get("limit", "1", "fields", "n", "values", "canonical").want(200).body; !strings.Contains(body, `"n":{"$number`) {
		t.Errorf("canonical values: %s", body)
	}
	if got := s.do("GET", "/v1/db/pages:count"+queryString("filter", `{"even":true}`), "").want(200).object(); got["count"] != 5.0 || got["position"] == "" {
		t.Errorf("count: %v", got)
	}
	if got := s.do("POST", "/v1/db/pages:count", `{"filter":{"n":{"$gte":8}}}`).want(200).object(); got["count"] != 2.0 {
		t.Errorf("count: %v", got)
	}
	if got := s.do("GET", "/v1/db/pages:explain"+queryString("filter", `{"_id":"p1"}`), "").want(200).object(); got["foundBy"] != "ids" {
		t.Errorf("explain: %v", got)
	}
	if r := get("limit", "1"); r.object()["position"] != r.header.Get("Freshet-Position") {
		t.Errorf("position in the body and the header differ")
	}
}

// Invariant 2: what is not understood is refused, with its place.
func TestQueryRefusals(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages", "").want(201)
	for _, c := range []struct{ query, code, path, detail string }{
		{"?limit=0", "parameter-invalid", "/limit", "at least 1"},
		{"?limit=", "parameter-invalid", "/limit", ""},
		{"?limit=x", "parameter-invalid", "/limit", ""},
		{"?limit=99999999999", "parameter-invalid", "/limit", ""},
		{"?skip=-1", "parameter-invalid", "/skip", ""},
		{"?skip=99999999999", "parameter-invalid", "/skip", "2147483647"},
		{"?skip=100001", "result-too-large", "/skip", "100001 and may be at most 100000 (maxResultDocuments)"},
		{"?filtr=%7B%7D", "parameter-unknown", "/filtr", `"filter"`},
		{"?filter=1&filter=2", "parameter-invalid", "/filter", "more than once"},
		{"?filter=%zz", "parameter-invalid", "", ""},
		{"?filter=nonsense", "json-invalid", "/filter", ""},
		{`?filter={"a":{"$gtt":1}}`, "operator-unknown", "/filter/a/$gtt", "$gt"},
		{`?filter={"_id":5}`, "id-not-string", "/filter/_id", ""},
		{`?sort={"a":2}`, "query-invalid", "/sort/a", ""},
		{"?sort=a,,b", "parameter-invalid", "/sort", ""},
		{"?sort=-", "parameter-invalid", "/sort", ""},
		{"?fields=a,", "parameter-invalid", "/fields", ""},
		{"?values=pretty", "parameter-invalid", "/values", "canonical"},
		{"?minPosition=abc", "position-invalid", "/minPosition", ""},
		{"?page=abc", "page-invalid", "/page", ""},
		{`?collation={"locale":"dee"}`, "query-invalid", "/collation/locale", "did you mean de?"},
		{`?collation={"locale":"de","strenght":1}`, "query-invalid", "/collation/strenght", "strength"},
		{"?collation=de", "json-invalid", "/collation", ""},
		{"?since=abc", "parameter-unknown", "/since", ""},
	} {
		query := strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22").Replace(c.query)
		p := s.do("GET", "/v1/db/pages"+query, "").problem(c.code)
		if p.Path != c.path || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s: path %q, detail %q", c.query, p.Path, p.Detail)
		}
	}
	for _, c := range []struct{ body, code, path string }{
		{`{"limit":0}`, "field-invalid", "/limit"},
		{`{"limit":"3"}`, "field-invalid", "/limit"},
		{`{"limit":1.5}`, "field-invalid", "/limit"},
		{`{"filtr":{}}`, "field-unknown", "/filtr"},
		{`{"values":1}`, "field-invalid", "/values"},
		{`{"sort":7}`, "field-invalid", "/sort"},
		{`[]`, "json-invalid", ""},
		{`null`, "json-invalid", ""},
		{`{`, "json-invalid", ""},
	} {
		if p := s.do("POST", "/v1/db/pages:query", c.body).problem(c.code); p.Path != c.path {
			t.Errorf("%s: path %q", c.body, p.Path)
		}
	}
	s.do("POST", "/v1/db/pages:query?limit=3", `{}`).problem("parameter-unknown")
	s.do("POST", "/v1/db/pages:query", `{}`, "Content-Type: text/plain").problem("content-type-unsupported")
	s.do("GET", "/v1/db/pages:count?limit=3", "").problem("parameter-unknown")
	s.do("GET", "/v1/db/pages:settings?x=1", "").problem("parameter-unknown")
	s.do("GET", "/v1/db?x=1", "").problem("parameter-unknown")
	for _, query := range []string{"?events=all", "?maxRate=10", "?changes=patch", "?total=true", "?count=true"} {
		s.do("GET", "/v1/db/pages"+query, "", "Accept: text/event-stream").problem("option-unsupported")
	}
	s.do("GET", "/v1/db/pages?page=x", "", "Accept: text/event-stream").problem("parameter-unknown")
	s.do("GET", "/v1/db/pages?limit=20000", "", "Accept: text/event-stream").problem("window-too-large")
}

// A filter that has too much to do for a document gets an error, where it is read and where it is counted.
func TestCostlyDocument(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/db/pages/p1", `{"s":"`+strings.Repeat("ab", 5_000)+`x"}`)
	const heavy = "?filter=" + "%7B%22s%22%3A%7B%22%24regex%22%3A%22(a%7Cb)%7B1%2C900%7Dx%22%7D%7D"
	for _, call := range []string{"/v1/db/pages", "/v1/db/pages:count"} {
		s.do("GET", call+heavy, "").problem("query-too-costly")
	}
	s.do("PUT", "/v1/db/pages/p2", `{"n":2,"list":["`+strings.Repeat("ab", 5_000)+`x"]}`)
	costly := queryString("fields", `{"list":{"$elemMatch":{"$regex":"(a|b){1,900}x"}}}`)
	for _, call := range []string{"/v1/db/pages" + costly, "/v1/db/pages/p2" + costly} {
		if p := s.do("GET", call, "").problem("query-too-costly"); p.Path != "/fields" || !strings.Contains(p.Detail, "MaxRegexWork") {
			t.Errorf("%s: %q at %q", call, p.Detail, p.Path)
		}
	}
	if got := s.do("GET", "/v1/db/pages"+costly+"&filter="+url.QueryEscape(`{"n":{"$ne":2}}`), "").want(200).ids(); !slices.Equal(got, []string{"p1"}) {
		t.Errorf("what the filter does not match is not projected: %v", got)
	}
}

// The pages of a query, one after the other, are its whole answer: for any order, skip and limit, and however small
// the pages are.
func TestPagesAreTheWholeAnswer(t *testing.T) {
	s := startServer(t, Config{Dev: true, MaxPageBytes: 900})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	type document struct {
		id string
		a  int
	}
	var all []document
	for i := range 60 {
		d := document{fmt.Sprintf("d%02d", i), random.IntN(5)}
		all = append(all, d)
		s.do("PUT", "/v1/db/pages/"+d.id, fmt.Sprintf(`{"a":%d}`, d.a)).want(201)
	}
	for range 30 {
		want := slices.Clone(all)
		pairs := []string{"filter", `{"a":{"$ne":2}}`}
		want = slices.DeleteFunc(want, func(d document) bool { return d.a == 2 })
		if random.IntN(2) == 0 {
			pairs = append(pairs, "sort", "-a")
			slices.SortStableFunc(want, func(x, y document) int { return y.a - x.a })
		}
		if skip := random.IntN(20); skip > 0 {
			pairs = append(pairs, "skip", fmt.Sprint(skip))
			want = want[min(skip, len(want)):]
		}
		if limit := random.IntN(70); limit > 0 {
			pairs = append(pairs, "limit", fmt.Sprint(limit))
			want = want[:min(limit, len(want))]
		}
		var got []string
		next, pages := "", 0
		for {
			query := pairs
			if next != "" {
				query = append(slices.Clone(pairs), "page", next)
			}
			answer := s.do("GET", "/v1/db/pages"+queryString(query...), "").want(200)
			got = append(got, answer.ids()...)
			pages++
			more, has := answer.object()["next"].(string)
			if !has {
				break
			}
			next = more
		}
		var ids []string
		for _, d := range want {
			ids = append(ids, d.id)
		}
		if !slices.Equal(got, ids) {
			t.Fatalf("seed %d: %v in %d pages: %v, want %v", seed, pairs, pages, got, ids)
		}
		if len(want) > 20 && pages < 2 {
			t.Fatalf("seed %d: %d documents came in one page", seed, len(want))
		}
	}
}

func TestPageHoldsAtMostAThousand(t *testing.T) {
	s := startDev(t)
	c, _, err := s.store.PutCollection(t.Context(), DefaultApp, "pages", storage.Settings{})
	must(t, err)
	for i := range MaxPageDocuments + 5 {
		_, err := s.gateway.write(t.Context(), writeRequest{app: DefaultApp, collection: c.Name, id: fmt.Sprintf("d%05d", i),
			after: func(*matcher.Document) (image, error) {
				d, err := matcher.Parse([]byte(`{}`), s.gateway.cfg.Limits)
				return image{user: d.Root()}, err
			}})
		must(t, err)
	}
	first := s.do("GET", "/v1/db/pages?fields=_id", "").want(200)
	next, _ := first.object()["next"].(string)
	if n := len(first.ids()); n != MaxPageDocuments || next == "" {
		t.Fatalf("the first page has %d documents, next %q", n, next)
	}
	second := s.do("POST", "/v1/db/pages:query", `{"fields":["_id"],"page":"`+next+`"}`).want(200)
	if ids := second.ids(); len(ids) != 5 || ids[0] != "d01000" || second.object()["next"] != nil {
		t.Fatalf("the second page: %v", ids)
	}
	s.do("GET", "/v1/db/pages?fields=_id&limit=2000&page="+next, "").problem("page-invalid")
	s.do("GET", "/v1/db/pages?fields=a&page="+next, "").problem("page-invalid")
	s.do("GET", "/v1/db/pages?fields=_id&page="+next[:len(next)-1], "").problem("page-invalid")
	if got := s.do("GET", "/v1/db/pages?limit=1000", "").want(200).object(); got["next"] != nil {
		t.Fatal("a page follows a limit that was reached")
	}
}

func FuzzPageToken(f *testing.F) {
	f.Add(pageToken{"key", 7, []byte("after")}.String())
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePageToken(text, "key")
		if err != nil {
			if problemOf(err).Code != "page-invalid" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := parsePageToken(p.String(), "key"); err != nil || again.remaining != p.remaining || !bytes.Equal(again.after, p.after) {
			t.Fatalf("%q: %+v, then %+v (%v)", text, p, again, err)
		}
		if _, err := parsePageToken(text, "other"); err == nil {
			t.Fatalf("%q is good for two queries", text)
		}
	})
}

func TestMinPosition(t *testing.T) {
	s := startServer(t, Config{Dev: true, PositionTimeout: 1})
	position := s.do("PUT", "/v1/db/pages/p", `{}`).want(201).header.Get("Freshet-Position")
	s.do("GET", "/v1/db/pages/p?minPosition="+position, "").want(200)
	s.do("GET", "/v1/db/pages?minPosition="+position, "").want(200)
	v, err := matcher.ParseVector(position)
	must(t, err)
	later := v.Clone()
	later.Next[1] += 1000
	s.do("GET", "/v1/db/pages/p?minPosition="+later.String(), "").problem("position-not-reached")
	s.do("GET", "/v1/db/pages:count?minPosition="+later.String(), "").problem("position-not-reached")
	other := v.Clone()
	other.Incarnation++
	s.do("GET", "/v1/db/pages?minPosition="+other.String(), "").problem("position-gone")
}

// A read with the position of a write that is made while it waits sees that write.
func TestMinPositionWaits(t *testing.T) {
	s := startDev(t)
	position := s.do("PUT", "/v1/db/pages/p", `{"n":0}`).want(201).header.Get("Freshet-Position")
	v, err := matcher.ParseVector(position)
	must(t, err)
	next := v.Clone()
	for p := 1; p < len(next.Next); p++ {
		if next.Next[p] > 0 {
			next.Next[p]++ // the same document's next write
		}
	}
	answer := make(chan reply)
	go func() { answer <- s.do("GET", "/v1/db/pages/p?minPosition="+next.String(), "") }()
	s.do("PUT", "/v1/db/pages/p", `{"n":1}`).want(200)
	if got := (<-answer).want(200).object(); got["n"] != 1.0 {
		t.Fatalf("read %v", got)
	}
}
