package gateway

import (
	"regexp"
	"strings"
	"testing"
)

func TestParseRoute(t *testing.T) {
	cases := []struct {
		path string
		want route
		code string
	}{
		{"/v1/db", route{pattern: "/db", app: "default"}, ""},
		{"/v1/live", route{pattern: "/live", app: "default"}, ""},
		{"/v1/apps/shop-1/live", route{pattern: "/live", app: "shop-1"}, ""},
		{"/v1/db/pages", route{pattern: "/db/{collection}", app: "default", collection: "pages"}, ""},
		{"/v1/apps/shop/db/pages", route{pattern: "/db/{collection}", app: "shop", collection: "pages"}, ""},
		{"/v1/db/pages:query", route{pattern: "/db/{collection}:query", app: "default", collection: "pages"}, ""},
		{"/v1/db/pages%3Aquery", route{pattern: "/db/{collection}:query", app: "default", collection: "pages"}, ""},
		{"/v1/db/A.b_c-d/x%2Fy", route{pattern: "/db/{collection}/{id}", app: "default", collection: "A.b_c-d", id: "x/y"}, ""},
		{"/v1/db/pages/a:query", route{pattern: "/db/{collection}/{id}", app: "default", collection: "pages", id: "a:query"}, ""},
		{"/v1/db/live/live", route{pattern: "/db/{collection}/{id}", app: "default", collection: "live", id: "live"}, ""},
		{"/v1/db/pages:indexes", route{pattern: "/db/{collection}:indexes", app: "default", collection: "pages"}, ""},
		{"/v1/db/pages:indexes/by%2Fdate", route{pattern: "/db/{collection}:indexes/{index}", app: "default", collection: "pages", id: "by/date"}, ""},
		{"/v1/db/pages:query/x", route{}, "collection-name-invalid"},
		{"/", route{}, "route-not-found"},
		{"/v1", route{}, "route-not-found"},
		{"/v1/", route{}, "route-not-found"},
		{"/v1/db/", route{}, "route-not-found"},
		{"/v1/db/pages/", route{}, "route-not-found"},
		{"/v1/db//x", route{}, "route-not-found"},
		{"/v1/db/pages/x/y", route{}, "route-not-found"},
		{"/v1/live/x", route{}, "route-not-found"},
		{"/v1/apps", route{}, "route-not-found"},
		{"/v1/apps/shop", route{}, "route-not-found"},
		{"/v2/db", route{}, "route-not-found"},
		{"/v1/db/%zz", route{}, "route-not-found"},
		{"/v1/db/pages:quer", route{}, "route-not-found"},
		{"/v1/apps/Shop/db", route{}, "app-not-found"},
		{"/v1/db/9pages", route{}, "collection-name-invalid"},
		{"/v1/db/:query", route{}, "collection-name-invalid"},
		{"/v1/db/p%20q", route{}, "collection-name-invalid"},
		{"/v1/db/" + strings.Repeat("a", 65), route{}, "collection-name-invalid"},
		{"/v1/db/9/x", route{}, "collection-name-invalid"},
	}
	for _, c := range cases {
		got, err := parseRoute(c.path)
		code := ""
		if err != nil {
			code = problemOf(err).Code
		}
		if code != c.code || (err == nil && got != c.want) {
			t.Errorf("%s: %+v %q, want %+v %q", c.path, got, code, c.want, c.code)
		}
	}
}

// collectionName is the definition.
var collectionName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)

func TestCollectionNames(t *testing.T) {
	names := []string{"", strings.Repeat("a", 64), strings.Repeat("a", 65), "a.b-c_d9", "pages\n", "é"}
	for c := range 256 {
		names = append(names, string([]byte{byte(c)}), string([]byte{'a', byte(c)}), string([]byte{byte(c), 'a'}))
	}
	for _, name := range names {
		if got, want := isCollectionName(name), collectionName.MatchString(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func FuzzParseRoute(f *testing.F) {
	for _, path := range []string{"/v1/db/pages/a%2Fb", "/v1/apps/x/db", "/v1/db/p:query", "/v1/live", "//", "/v1/db/%00"} {
		f.Add(path)
	}
	table := routeTable()
	f.Fuzz(func(t *testing.T, path string) {
		rt, err := parseRoute(path)
		if err != nil {
			return
		}
		if table[rt.pattern] == nil {
			t.Fatalf("%q leads to %q, which has no handler", path, rt.pattern)
		}
		if rt.collection != "" && !collectionName.MatchString(rt.collection) {
			t.Fatalf("%q: collection %q", path, rt.collection)
		}
		if strings.HasSuffix(rt.pattern, "{id}") && rt.id == "" {
			t.Fatalf("%q: empty id", path)
		}
	})
}

func TestRoutesOverTheWire(t *testing.T) {
	s := startDev(t)
	s.do("PUT", "/v1/apps/default/db/pages", "").want(201)
	if r := s.do("PUT", "/v1/apps/default/db/pages/p", `{}`).want(201); r.header.Get("Location") != "/v1/apps/default/db/pages/p" {
		t.Fatalf("Location %s", r.header.Get("Location"))
	}
	s.do("GET", "/v1/db/pages/p", "").want(200)
	s.do("GET", "/v1/apps/shop/db", "").problem("app-not-found")
	if r := s.do("PATCH", "/v1/db/pages", `{}`); r.problem("method-not-allowed").Code == "" || r.header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, POST, PUT" {
		t.Fatalf("Allow %q", r.header.Get("Allow"))
	}
	s.do("GET", "/v1/db/pages:query", "").problem("method-not-allowed")
	if p := s.do("GET", "/v1/db/pages:quer", "").problem("route-not-found"); !strings.Contains(p.Detail, `"query"`) {
		t.Fatalf("no nearest operation in %q", p.Detail)
	}
}

func TestCollections(t *testing.T) {
	s := startServer(t, Config{})
	if got := s.do("GET", "/v1/db", "").want(200).body; got != `{"collections":[]}` {
		t.Fatalf("no collections: %s", got)
	}
	r := s.do("PUT", "/v1/db/pages", `{"comment":"all pages"}`).want(201)
	if r.header.Get("Location") != "/v1/db/pages" || r.body != `{"comment":"all pages"}` {
		t.Fatalf("created: %v %s", r.header, r.body)
	}
	s.do("PUT", "/v1/db/authors", "").want(201)
	if got := s.do("PUT", "/v1/db/pages", "").want(200).body; got != `{"comment":"all pages"}` {
		t.Fatalf("PUT without a body changed the settings: %s", got)
	}
	if got := s.do("PUT", "/v1/db/pages", `{"comment":"x"}`).want(200).body; got != `{"comment":"x"}` {
		t.Fatalf("configured: %s", got)
	}
	if got := s.do("GET", "/v1/db/pages:settings", "").want(200).body; got != `{"comment":"x"}` {
		t.Fatalf("settings: %s", got)
	}
	if got := s.do("GET", "/v1/db", "").want(200).body; got != `{"collections":[{"name":"authors"},{"name":"pages"}]}` {
		t.Fatalf("collections: %s", got)
	}
	if p := s.do("PUT", "/v1/db/pages", `{"coment":"x"}`).problem("field-unknown"); p.Path != "/coment" || !strings.Contains(p.Detail, `"comment"`) {
		t.Fatalf("unknown setting: %+v", p)
	}
	s.do("PUT", "/v1/db/pages", `{"comment":7}`).problem("field-invalid")
	s.do("PUT", "/v1/db/pages", `{"comment":"`+strings.Repeat("x", 5000)+`"}`).problem("field-invalid")

	// Without Dev an unknown collection is an error everywhere, and the nearest one is named.
	for _, c := range [][3]string{
		{"GET", "/v1/db/page", ""}, {"POST", "/v1/db/page", "{}"}, {"PUT", "/v1/db/page/x", "{}"}, {"GET", "/v1/db/page/x", ""}, {"DELETE", "/v1/db/page/x", ""},
		{"POST", "/v1/db/page:query", "{}"}, {"GET", "/v1/db/page:count", ""}, {"GET", "/v1/db/page:settings", ""}, {"DELETE", "/v1/db/page", ""}, {"POST", "/v1/db/page:truncate", ""},
	} {
		if p := s.do(c[0], c[1], c[2]).problem("collection-not-found"); !strings.Contains(p.Detail, `"pages"`) {
			t.Errorf("%s %s does not name the nearest: %s", c[0], c[1], p.Detail)
		}
	}
	s.do("PUT", "/v1/db/pages/p", `{}`).want(201)
	s.do("POST", "/v1/db/pages:truncate", "").want(204)
	s.do("GET", "/v1/db/pages/p", "").problem("document-not-found")
	s.do("PUT", "/v1/db/pages/p", `{}`).want(201)
	s.do("DELETE", "/v1/db/pages", "").want(204)
	s.do("GET", "/v1/db/pages/p", "").problem("collection-not-found")
	s.do("PUT", "/v1/db/pages", "").want(201)
	s.do("GET", "/v1/db/pages/p", "").problem("document-not-found")
}

func TestDevCollectionsComeWithTheFirstWrite(t *testing.T) {
	s := startDev(t)
	if got := s.do("GET", "/v1/db/pages", "").want(200).object(); len(got["documents"].([]any)) != 0 || got["position"] == "" {
		t.Fatalf("query of a missing collection: %v", got)
	}
	s.do("GET", "/v1/db/pages/p", "").problem("document-not-found")
	s.do("DELETE", "/v1/db/pages/p", "").problem("document-not-found")
	if got := s.do("GET", "/v1/db/pages:count", "").want(200).object()["count"]; got != 0.0 {
		t.Fatalf("count %v", got)
	}
	s.do("PUT", "/v1/db/pages/p", `{`).problem("json-invalid")
	if got := s.do("GET", "/v1/db", "").body; got != `{"collections":[]}` {
		t.Fatalf("reads and refused writes made %s", got)
	}
	s.do("PUT", "/v1/db/pages/p", `{}`).want(201)
	if got := s.do("GET", "/v1/db", "").body; got != `{"collections":[{"name":"pages"}]}` {
		t.Fatalf("after a write: %s", got)
	}
}
