package gateway

import (
	"slices"
	"testing"

	"github.com/freshetdb/freshet/matcher"
	"github.com/freshetdb/freshet/storage"
)

// Whatever a client sends as a write object is refused with a problem of the table, or is a write of one document.
func FuzzWriteObject(f *testing.F) {
	for _, text := range []string{
		`{"operation":"insert","collection":"pages","document":{"_id":"a"}}`, `{"operation":"replace","collection":"c","_id":"a","document":{}}`,
		`{"operation":"update","collection":"c","_id":"a","update":{"$inc":{"n":1}},"ifMatch":"1-00000000000000000000"}`,
		`{"operation":"delete","collection":"c","_id":"a","idempotencyKey":"k"}`, `{"operation":"insert","collection":"c","document":{},"idempotencyKey":""}`,
		`{"operation":"insert","collection":"c","document":{"_id":{"$oid":"0123456789abcdef01234567"}},"ifNoneMatch":"*"}`, `[]`, `{`, `{"operation":7}`,
	} {
		f.Add([]byte(text))
	}
	s := startServer(f, Config{Dev: true})
	f.Fuzz(func(t *testing.T, text []byte) {
		object, err := s.gateway.parseWriteObject(slices.Clone(text))
		var in writeInput
		if err == nil {
			in, err = readWriteObject(object)
		}
		var request writeRequest
		if err == nil {
			request, err = s.gateway.readWrite(DefaultApp, in)
		}
		if err != nil {
			if problemOf(err).Code == "internal" {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		if !slices.Contains(writeOperations, in.operation) || in.collection == "" || matcher.CheckID(request.id, matcher.Limits{}) != nil || (request.key == "") != (request.hash == 0) {
			t.Fatalf("%s was taken for %+v, %+v", text, in, request)
		}
		if _, err := s.gateway.compute(&request, storage.Collection{}, nil, s.store.NewWriteID()); err != nil && problemOf(err).Code == "internal" {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
