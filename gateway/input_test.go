package gateway

import (
	"encoding/json"
	"testing"

	"github.com/freshetdb/freshet/storage"
)

func TestShorthand(t *testing.T) {
	for _, c := range []struct {
		fromURL     bool
		value, want string // want "": refused
	}{
		{true, `-date,title`, `[["date",-1],["title",1]]`},
		{true, `a.b`, `[["a.b",1]]`},
		{true, ` -a , b `, `[["a",-1],["b",1]]`},
		{true, `{"a":1}`, `{"a":1}`},
		{true, ` [["a",1]]`, `[["a",1]]`},
		{true, `a"b`, `[["a\"b",1]]`},
		{true, `a,,b`, ""},
		{true, `a,-`, ""},
		{true, `,`, ""},
		{false, `"-date,title"`, `[["date",-1],["title",1]]`},
		{false, `{"a":1}`, `{"a":1}`},
		{false, `""`, ""},
		{false, `7`, ""},
		{false, `true`, ""},
	} {
		in := &input{fromURL: c.fromURL, values: map[string][]byte{"sort": []byte(c.value)}}
		got := string(in.shorthand("sort", sortElement))
		if (in.err != nil) != (c.want == "") || got != c.want {
			t.Errorf("%v %s: %s, %v, want %s", c.fromURL, c.value, got, in.err, c.want)
		}
	}
}

func FuzzURLQuery(f *testing.F) {
	for _, query := range []string{`filter={"a":1}&sort=-a,b&limit=3`, "fields=a,b&values=plain", "skip=x", "page=AAAA&minPosition=x", "%zz", "since=a.b&initial=false"} {
		f.Add(query)
	}
	known := append([]string{"page"}, streamNames...)
	f.Fuzz(func(t *testing.T, query string) {
		in, err := urlInput(query, known)
		var q queryInput
		if err == nil {
			q, err = readQuery(in)
		}
		if err == nil {
			_, err = q.compile(storage.Collection{}, testLimits)
		}
		if err == nil {
			if q.spec.Skip < 0 || q.spec.Limit < 0 {
				t.Fatalf("%q: skip %d, limit %d", query, q.spec.Skip, q.spec.Limit)
			}
			return
		}
		p := problemOf(err)
		if p.kind().Status != 400 || p.Detail == "" {
			t.Fatalf("%q: %v", query, err)
		}
		if !json.Valid(p.body()) {
			t.Fatalf("%q: %s is not JSON", query, p.body())
		}
	})
}
