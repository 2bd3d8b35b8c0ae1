package matcher

import "testing"

func TestByID(t *testing.T) {
	for sort, want := range map[string]bool{`{}`: true, `{"_id":1}`: true, `{"_id":1,"a":1}`: true, `{"_id":-1}`: false, `{"a":1}`: false} {
		q, err := Compile(QuerySpec{Sort: []byte(sort)}, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if q.ByID() != want {
			t.Errorf("sort %s: ByID is %v", sort, q.ByID())
		}
		d, err := Parse([]byte(`{"_id":"x-é","a":[1]}`), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := KeyID(q.AppendSortKey(nil, d)); want && (!ok || string(id) != "x-é") {
			t.Errorf("sort %s: the key's id is %q, %v", sort, id, ok)
		}
	}
	for _, key := range []string{"", "a", "abc", "\x00\x01"} {
		if id, ok := KeyID([]byte(key)); ok {
			t.Errorf("key %q has id %q", key, id)
		}
	}
}
