package matcher

import (
	"bytes"
	"testing"
)

// A query of any documents: no rule for `_id`, no metadata, no order but its own.
func TestAnyDocument(t *testing.T) {
	for _, test := range []struct {
		filter, document string
		match            bool
	}{
		{`{"_id":5}`, `{"_id":5}`, true},
		{`{"_id":5}`, `{"_id":{"$numberDouble":"5.0"}}`, true},
		{`{"_id":5}`, `{"_id":"5"}`, false},
		{`{"_id":null}`, `{}`, true},
		{`{"_id":{"$in":[1,"a"]}}`, `{"_id":"a"}`, true},
		{`{"_id":{"$in":[1,"a"]}}`, `{"_id":[7,1]}`, true},
		{`{"_id":{"$gt":{"$date":0}}}`, `{"_id":{"$date":1}}`, true},
		{`{"_id":{"$ne":3}}`, `{"_id":3}`, false},
		{`{"_id":{"$oid":"0123456789abcdef01234567"}}`, `{"_id":{"$oid":"0123456789abcdef01234567"}}`, true},
		{`{"_id":{"$oid":"0123456789abcdef01234567"}}`, `{"_id":"0123456789abcdef01234567"}`, false},
		{`{"_id":{"a":1}}`, `{"_id":{"a":1}}`, true},
		{`{"_id.a":1}`, `{"_id":{"a":1}}`, true},
	} {
		q := compile(t, QuerySpec{Filter: []byte(test.filter), AnyDocument: true})
		if got := q.Match(mustParse(t, test.document)); got != test.match {
			t.Errorf("%s on %s: %v", test.filter, test.document, got)
		}
		if ids, pinned := q.IDs(); pinned || ids != nil {
			t.Errorf("%s pins %q", test.filter, ids)
		}
	}
	_, err := Compile(QuerySpec{Filter: []byte(`{"_id":5}`)}, Limits{})
	wantError(t, "a collection's query", err, CodeIDNotString, "/filter/_id", "string")
}

func TestAnyDocumentOrder(t *testing.T) {
	for _, test := range []struct {
		sort, filter string
		sorted       bool
		a, b         string
		order        int
	}{
		{`{"n":1}`, ``, true, `{"n":1,"_id":"b"}`, `{"n":1,"_id":"a"}`, 0},
		{`{"n":-1}`, ``, true, `{"n":2}`, `{"n":1}`, -1},
		{`{"n":1,"_id":1,"m":1}`, ``, true, `{"n":1,"_id":[1],"m":2}`, `{"n":1,"_id":1,"m":1}`, 1},
		{``, `{"at":{"$near":[0,0]}}`, true, `{"at":[1,0],"_id":2}`, `{"at":[0,1],"_id":1}`, 0},
		{``, `{"at":{"$near":[0,0]}}`, true, `{"at":[1,0]}`, `{"at":[0,2]}`, -1},
		{`{}`, ``, false, `{}`, `{}`, 0},
	} {
		spec := QuerySpec{Sort: []byte(test.sort), Filter: []byte(test.filter), Limit: 1, AnyDocument: true}
		if test.sort == "" {
			spec.Sort = nil
		}
		if test.filter == "" {
			spec.Filter = nil
		}
		q := compile(t, spec)
		if q.Sorted() != test.sorted {
			t.Errorf("%s %s: sorted %v", test.sort, test.filter, q.Sorted())
		}
		if !test.sorted {
			continue
		}
		a, b := q.AppendSortKey(nil, mustParse(t, test.a)), q.AppendSortKey(nil, mustParse(t, test.b))
		if got := bytes.Compare(a, b); got != test.order {
			t.Errorf("%s %s: %s and %s compare %d, want %d", test.sort, test.filter, test.a, test.b, got, test.order)
		}
	}
}

func TestAnyDocumentProjection(t *testing.T) {
	const document = `{"_id":[1],"_rev":1,"_acl":{"x":1},"a":{"_id":1,"_meta":2},"b":2}`
	for _, test := range []struct{ fields, want string }{
		{`{"b":0}`, `{"_id":[1],"_rev":1,"_acl":{"x":1},"a":{"_id":1,"_meta":2}}`},
		{`{"_id":0}`, `{"_rev":1,"_acl":{"x":1},"a":{"_id":1,"_meta":2},"b":2}`},
		{`{"_id":0,"_acl.x":0}`, `{"_rev":1,"_acl":{},"a":{"_id":1,"_meta":2},"b":2}`},
		{`["b"]`, `{"_id":[1],"b":2}`},
		{`{"_rev":1,"_id":0}`, `{"_rev":1}`},
		{`{"a._id":0}`, `{"_id":[1],"_rev":1,"_acl":{"x":1},"a":{"_meta":2},"b":2}`},
	} {
		q := compile(t, QuerySpec{Fields: []byte(test.fields), AnyDocument: true})
		if got := string(q.AppendDocument(nil, mustParse(t, document))); got != test.want {
			t.Errorf("%s shows %s, want %s", test.fields, got, test.want)
		}
	}
}
