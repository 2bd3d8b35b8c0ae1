package matcher

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// sameAsParsed holds a composed document against what Parse makes of its text.
func sameAsParsed(t *testing.T, d *Document) {
	t.Helper()
	want, err := Parse(bytes.Clone(d.text), Limits{MaxDocumentBytes: 1 << 24})
	if err != nil {
		t.Fatalf("composed %s: %v", d.text, err)
	}
	if !bytes.Equal(d.arena, want.arena) {
		t.Fatalf("composed %s with arena %q, want %q", d.text, d.arena, want.arena)
	}
	if len(d.tape) != len(want.tape) {
		t.Fatalf("composed %s with %d nodes, want %d", d.text, len(d.tape), len(want.tape))
	}
	for i := range d.tape {
		if d.tape[i] != want.tape[i] {
			t.Fatalf("composed %s: node %d is %+v, want %+v", d.text, i, d.tape[i], want.tape[i])
		}
	}
}

// sameStored holds what a composed document knows of its metadata against what its text says.
func sameStored(t *testing.T, d *Document) {
	t.Helper()
	want, err := Parse(bytes.Clone(d.text), Limits{MaxDocumentBytes: 1 << 24})
	if err != nil {
		t.Fatal(err)
	}
	a, b := MetadataOf(d), MetadataOf(want)
	if a.ID != b.ID || a.Revision != b.Revision || a.CreatedAt != b.CreatedAt || a.UpdatedAt != b.UpdatedAt || !bytes.Equal(a.ACL, b.ACL) {
		t.Fatalf("composed %s: metadata %+v, read back as %+v", d.text, a, b)
	}
}

var composedTexts = []string{
	`{}`, `{"a":1}`, `{"a":"x","b":[1,2.5,{"c":null,"d":true}],"e":{}}`, `{ "a" : [ ] , "b" : "x" }`,
	`{"_id":"other","a":1,"_rev":"x"}`, `{"a":{"$date":"2026-01-01T00:00:00Z"},"b":{"$date":5}}`, `{"a":"\u0041","b":"\n"}`,
	`{"a":{"$oid":"0123456789abcdef01234567"}}`, `{"a":{"$numberDecimal":"1.5"}}`, `{"":1,"x":{"":2}}`, `{"a":1,"a":2}`,
	`{"a":{"b":1,"b":2},"c":3}`, `{"a\tb":1}`, `{"é":"ü","/":"<"}`, `{"a":9007199254740993,"b":1e300,"c":-0.0}`,
	`{"_acl":{"read":["x"]},"_meta":1,"a":{"$regularExpression":{"pattern":"x","options":"i"}}}`,
	`{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`, `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"b":2}`,
}

// The quick way and the slow one make the same document, and refuse the same.
func FuzzComposeTape(f *testing.F) {
	for _, text := range composedTexts {
		f.Add(text, "id", `{"read":{"*":"allow"}}`, 100, 200)
		f.Add(text, "i\"d\n", ``, 5, 20)
		f.Add(text, "id", `{ "a\n":"\u0041"}`, 50, 90)
	}
	f.Fuzz(func(t *testing.T, text, id, acl string, depth, fields int) {
		user, err := Parse([]byte(text), Limits{})
		if err != nil {
			return
		}
		limits := Limits{MaxDocumentDepth: max(1, depth%110), MaxDocumentFields: max(1, fields%100), MaxDocumentBytes: 120 + fields%1000}
		m := Metadata{ID: id, Revision: Revision{Generation: 3, WriteID: WriteID{1}}, CreatedAt: 1, UpdatedAt: 1 << 50 >> (depth & 15)}
		if _, err := Parse([]byte(acl), Limits{}); err == nil {
			m.ACL = []byte(acl)
		}
		d, err := Compose(m, user.Root(), limits)
		text2 := []byte(nil)
		if big, bigErr := Compose(m, user.Root(), Limits{MaxDocumentBytes: 1 << 24, MaxDocumentDepth: 1 << 10, MaxDocumentFields: 1 << 20}); bigErr == nil {
			sameAsParsed(t, big)
			sameStored(t, big)
			text2 = big.text
		} else {
			t.Fatalf("compose %s: %v", text, bigErr)
		}
		_, wantErr := Parse(bytes.Clone(text2), limits)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("compose %s: %v, parsed: %v", text, err, wantErr)
		}
		if err == nil && !bytes.Equal(d.text, text2) {
			t.Fatalf("composed %s and %s", d.text, text2)
		}
	})
}

// Every limit, one by one, on both sides of where it is passed; every way to write metadata, those that cannot be copied too.
func TestComposeLimits(t *testing.T) {
	const wide = 1 << 24
	all := func(text string, m Metadata, user Value) {
		d, err := Compose(m, user, Limits{MaxDocumentBytes: wide, MaxDocumentDepth: 1 << 10, MaxDocumentFields: wide})
		if err != nil {
			t.Fatalf("compose %s: %v", text, err)
		}
		sameAsParsed(t, d)
		sameStored(t, d)
		if (len(m.ACL) > 0) != d.Field("_acl").Exists() {
			t.Fatalf("compose %s with %s: %s", text, m.ACL, d.text)
		}
		check := func(limits Limits) {
			_, want := Parse(bytes.Clone(d.text), limits)
			if _, err := Compose(m, user, limits); (err == nil) != (want == nil) {
				t.Fatalf("compose %s with %s under %+v: %v, parsed: %v", text, m.ACL, limits, err, want)
			}
		}
		for n := 1; n <= 64; n++ {
			check(Limits{MaxDocumentBytes: wide, MaxDocumentDepth: n, MaxDocumentFields: wide})
			check(Limits{MaxDocumentBytes: wide, MaxDocumentDepth: 1 << 10, MaxDocumentFields: n})
			check(Limits{MaxDocumentBytes: len(d.text) - 32 + n, MaxDocumentDepth: 1 << 10, MaxDocumentFields: wide})
		}
	}
	acls := []string{``, `{}`, `{"read":["u1"]}`, `{ "a\n":"\u0041"}`, `{"a":{"$oid":"0123456789abcdef01234567"}}`, `{"a":{"$date":"2026-01-01T00:00:00Z"}}`, `{"a":[[[1]]]}`}
	for _, text := range composedTexts {
		user := mustParse(t, text)
		for _, acl := range acls {
			plain := Metadata{ID: "id", Revision: Revision{Generation: 3, WriteID: WriteID{1}}, CreatedAt: 1, UpdatedAt: 2, ACL: []byte(acl)}
			created, updated, named := plain, plain, plain
			created.CreatedAt, updated.UpdatedAt, named.ID = -1<<50, 1<<60, "a\"\x01b" // written in another way than others
			for _, m := range []Metadata{plain, created, updated, named} {
				all(text, m, user.Root())
			}
		}
	}
	all("nothing", Metadata{ID: "id", Revision: Revision{Generation: 1}}, Value{})
}

// A field of a larger text is composed as well as a document of its own.
func TestComposeNested(t *testing.T) {
	for _, text := range composedTexts {
		alone := mustParse(t, text)
		line := mustParse(t, `{"operation":"insert","document": `+text+`,"collection":"c"}`)
		a, err := Compose(testMetadata, alone.Root(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := Compose(testMetadata, line.Field("document"), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.text, b.text) || !slices.Equal(a.tape, b.tape) || !bytes.Equal(a.arena, b.arena) {
			t.Errorf("composed %s and %s", a.text, b.text)
		}
	}
}
