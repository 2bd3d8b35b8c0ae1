package matcher

import (
	"strings"
	"testing"
)

var testMetadata = Metadata{ID: "p\"1", Revision: Revision{Generation: 3, WriteID: WriteID{1, 2, 3}}, CreatedAt: 1767225600000, UpdatedAt: 1767225600123}

func TestCompose(t *testing.T) {
	rows := []struct{ acl, user, want string }{
		{``, `{}`, ``},
		{``, `{"a":1,"b":{"x":[1.50]}}`, `,"a":1,"b":{"x":[1.50]}`},
		{`{"read":{"*":"allow"}}`, `{"a":1}`, `,"_acl":{"read":{"*":"allow"}},"a":1`},
		{` { "read" : [ ] } `, `{}`, `,"_acl":{"read":[]}`},
		{``, `{"_id":"other","_rev":"1-x","a":1,"_createdAt":5,"_updatedAt":6,"_acl":{},"_meta":1,"_class":"x","__v":0}`, `,"a":1,"_class":"x","__v":0`},
		{``, `{"a": {"$numberInt":"1"}, "a":{"$numberInt":"2"}, "d":{"$date":{"$numberLong":"0"}}, "sub":{"_id":1}}`,
			`,"a":{"$numberInt":"2"},"d":{"$date":"1970-01-01T00:00:00Z"},"sub":{"_id":1}`},
	}
	const head = `{"_id":"p\"1","_rev":"3-0410600000000000000g","_createdAt":{"$date":"2026-01-01T00:00:00Z"},"_updatedAt":{"$date":"2026-01-01T00:00:00.123Z"}`
	for _, row := range rows {
		m := testMetadata
		if row.acl != "" {
			m.ACL = []byte(row.acl)
		}
		d, err := Compose(m, mustParse(t, row.user).Root(), Limits{})
		if err != nil {
			t.Errorf("%s: %v", row.user, err)
			continue
		}
		want := strings.Replace(head, "0410600000000000000g", m.Revision.WriteID.String(), 1) + row.want + "}"
		if got := string(d.Text()); got != want {
			t.Errorf("%s is composed to\n%s, want\n%s", row.user, got, want)
		}
		back := MetadataOf(d)
		if back.ID != m.ID || back.Revision != m.Revision || back.CreatedAt != m.CreatedAt || back.UpdatedAt != m.UpdatedAt {
			t.Errorf("%s: metadata come back as %v, want %v", row.user, back, m)
		}
		if (back.ACL == nil) != (m.ACL == nil) || m.ACL != nil && !Equal(mustParseValue(t, string(back.ACL)), mustParseValue(t, row.acl)) {
			t.Errorf("%s: the access list comes back as %s, want %s", row.user, back.ACL, m.ACL)
		}
		again, err := Compose(back, d.Root(), Limits{})
		if err != nil || string(again.Text()) != want {
			t.Errorf("%s is composed again to %s, %v", row.user, again.Text(), err)
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	m := testMetadata
	m.ACL = []byte(`{},"x":1`)
	if _, err := Compose(m, Value{}, Limits{}); err == nil {
		t.Error("a malformed access list is composed")
	}
	_, err := Compose(testMetadata, mustParse(t, `{"a":"`+strings.Repeat("x", 100)+`"}`).Root(), Limits{MaxDocumentBytes: 150})
	wantError(t, "too large", err, CodeDocumentTooLarge, "", "MaxDocumentBytes")
	if d, err := Compose(testMetadata, Value{}, Limits{}); err != nil || d.Root().Len() != 4 {
		t.Errorf("no user's document: %v", err)
	}
}

// TestComposedTextIsRelaxed: what is stored can be sent as it stands, whatever the client wrote.
func TestComposedTextIsRelaxed(t *testing.T) {
	r := newSeed(t)
	for range 1000 {
		text, _ := randomObjectModel(r, 4)
		user := mustParse(t, text)
		d, err := Compose(testMetadata, user.Root(), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if relaxed := d.tape[0].flags&flagRelaxed != 0; relaxed == strings.Contains(string(d.Text()), "$numberInt") {
			t.Fatalf("%s is composed to %s, relaxed text: %v", text, d.Text(), relaxed)
		}
		for f := user.Root().First(); f.Exists(); f = f.Next() {
			if name := string(f.Name()); !IsMetadataField(name) && !identical(d.Field(name), f) {
				t.Fatalf("%s is composed to %s: the field %q differs", text, d.Text(), name)
			}
		}
		other, err := Compose(Metadata{ID: testMetadata.ID}, d.Root(), Limits{})
		if err != nil || !SameContent(d, other) {
			t.Fatalf("%s and %s differ in content, %v", d.Text(), other.Text(), err)
		}
	}
}

func TestSameContent(t *testing.T) {
	rows := []struct {
		a, b string
		want bool
	}{
		{`{"_rev":"1","a":1}`, `{"a":1,"_updatedAt":5}`, true},
		{`{"_createdAt":1}`, `{}`, true},
		{`{"a":{"b":[1, 2]}}`, `{"a":{"b":[1,2]}}`, true},
		{`{"a":{"$date":"1970-01-01T00:00:00Z"}}`, `{"a":{"$date":{"$numberLong":"0"}}}`, true},
		{`{"a":1}`, `{"a":1.0}`, false},
		{`{"a":1}`, `{"a":{"$numberInt":"1"}}`, false},
		{`{"a":0.0}`, `{"a":-0.0}`, false},
		{`{"a":{"$numberDecimal":"1.0"}}`, `{"a":{"$numberDecimal":"1.00"}}`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, false},
		{`{"a":{"x":1,"y":2}}`, `{"a":{"y":2,"x":1}}`, false},
		{`{"a":1}`, `{"a":1,"b":2}`, false},
		{`{"a":[1]}`, `{"a":[1,2]}`, false},
		{`{"a":null}`, `{}`, false},
		{`{"_acl":{"x":1}}`, `{}`, false},
		{`{"_acl":{"x":1}}`, `{"_acl":{"x":2}}`, false},
		{`{"_id":"a"}`, `{"_id":"b"}`, false},
		{`{"sub":{"_rev":1}}`, `{"sub":{"_rev":2}}`, false},
	}
	for _, row := range rows {
		a, b := mustParse(t, row.a), mustParse(t, row.b)
		if got := SameContent(a, b); got != row.want || SameContent(b, a) != got {
			t.Errorf("SameContent(%s, %s) = %v", row.a, row.b, got)
		}
	}
}

func TestStoredACL(t *testing.T) {
	user := testDocument(t, `{"x":1,"_a":2,"_acl":{"of":"the user's, left out"}}`)
	for acl, want := range map[string]string{"": "", `{"read":["u1"]}`: `{"read":["u1"]}`, `null`: `null`} {
		d, err := Compose(Metadata{ID: "a", ACL: []byte(acl)}, user.Root(), Limits{}.WithDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(StoredACL(d).Raw()); got != want || d.Field("_acl").Exists() != (want != "") {
			t.Errorf("of %s: %s, want %s", d.Text(), got, want)
		}
	}
	if StoredACL(testDocument(t, `{}`)).Exists() {
		t.Error("an empty document has an _acl")
	}
}
