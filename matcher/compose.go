package matcher

import (
	"bytes"
	"fmt"
)

// Metadata is what Freshet keeps in a document beside the user's fields.
type Metadata struct {
	ID        string
	Revision  Revision
	CreatedAt int64  // ms since 1970
	UpdatedAt int64  // ms since 1970
	ACL       []byte // JSON, nil if none
}

// The names of the metadata fields. _meta is reserved.
const (
	fieldID        = "_id"
	fieldRevision  = "_rev"
	fieldCreatedAt = "_createdAt"
	fieldUpdatedAt = "_updatedAt"
	fieldACL       = "_acl"
	fieldMeta      = "_meta"
)

// IsMetadataField reports whether a field of that name, at the root of a document, is Freshet's and not the user's.
func IsMetadataField(name string) bool {
	if len(name) == 0 || name[0] != '_' {
		return false
	}
	switch name {
	case fieldID, fieldRevision, fieldCreatedAt, fieldUpdatedAt, fieldACL, fieldMeta:
		return true
	}
	return false
}

// Compose makes the stored document: metadata first (_id, _rev, _createdAt, _updatedAt, _acl if any), then the fields
// of user in their order, with every metadata field of user (_id _rev _createdAt _updatedAt _acl _meta) left out.
// user is the object of these fields, or missing. The text that it makes is compact, so that it is copied to clients as it stands (AppendValue).
func Compose(m Metadata, user Value, limits Limits) (*Document, error) {
	size := 192 + len(m.ID) + len(m.ACL)
	if user.Exists() {
		size += len(user.Raw())
	}
	text := make([]byte, 0, size)
	text = AppendString(append(text, `{"_id":`...), []byte(m.ID))
	text = m.Revision.AppendText(append(text, `,"_rev":"`...))
	text = appendDateValue(append(text, `","_createdAt":`...), m.CreatedAt, valuesStored)
	text = appendDateValue(append(text, `,"_updatedAt":`...), m.UpdatedAt, valuesStored)
	if len(m.ACL) > 0 {
		acl, err := ParseValue(m.ACL, limits)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", fieldACL, err)
		}
		text = AppendValue(append(text, `,"_acl":`...), acl.Root(), valuesStored)
	}
	if d, ok := composeTape(text, user, limits); ok {
		d.revision = m.Revision
		return d, nil
	}
	for v := user.First(); v.Exists(); v = v.Next() {
		if !IsMetadataField(sharedString(v.Name())) {
			text = AppendString(append(text, ','), v.Name())
			text = AppendValue(append(text, ':'), v, valuesStored)
		}
	}
	d, err := Parse(append(text, '}'), limits)
	if err != nil {
		return nil, err
	}
	d.revision = m.Revision
	return d, nil
}

// MetadataOf reads back what Compose wrote. The id shares the document's memory (Document.ID).
func MetadataOf(d *Document) Metadata {
	m := Metadata{ID: d.ID(), Revision: d.Revision(), CreatedAt: d.Field(fieldCreatedAt).Int64(),
		UpdatedAt: d.Field(fieldUpdatedAt).Int64()}
	if acl := StoredACL(d); acl.Exists() {
		m.ACL = AppendValue(nil, acl, valuesStored)
	}
	return m
}

// StoredACL is the `_acl` of a document that Compose made, missing if it has none. It looks no further than the metadata,
// which stand first: of a document that nobody has read for a while, the rest is not near the processor.
func StoredACL(d *Document) Value {
	v := d.Root().First()
	for v.Exists() && IsMetadataField(sharedString(v.Name())) {
		if string(v.Name()) == fieldACL {
			return v
		}
		v = v.Next()
	}
	return Value{}
}

// SameContent reports whether two stored documents hold the same fields in the same order, _acl included and `_rev`,
// `_createdAt` and `_updatedAt` apart. It is exact: 1 and 1.0 differ, though they are equal in a query.
func SameContent(a, b *Document) bool {
	x, y := nextContent(a.Root().First()), nextContent(b.Root().First())
	for x.Exists() && y.Exists() {
		if !bytes.Equal(x.Name(), y.Name()) || !identical(x, y) {
			return false
		}
		x, y = nextContent(x.Next()), nextContent(y.Next())
	}
	return !x.Exists() && !y.Exists()
}

// nextContent is v or the next field after it that is not stamped anew by each write.
func nextContent(v Value) Value {
	for v.Exists() && isStamp(v.Name()) {
		v = v.Next()
	}
	return v
}

func isStamp(name []byte) bool {
	if len(name) == 0 || name[0] != '_' {
		return false
	}
	return string(name) == fieldRevision || string(name) == fieldCreatedAt || string(name) == fieldUpdatedAt
}

// identical is stricter than Equal: kinds, the digits of decimals, the sign of 0 and the order of fields count.
func identical(a, b Value) bool {
	ka := a.Kind()
	if ka != b.Kind() {
		return false
	}
	if ka == KindMissing || bytes.Equal(a.Raw(), b.Raw()) {
		return true
	}
	switch ka {
	case KindDouble:
		return a.at().number == b.at().number
	case KindDecimal:
		return a.decimal() == b.decimal()
	case KindObject, KindArray:
		if a.Len() != b.Len() {
			return false
		}
		x, y := a.First(), b.First()
		for x.Exists() {
			if !bytes.Equal(x.Name(), y.Name()) || !identical(x, y) {
				return false
			}
			x, y = x.Next(), y.Next()
		}
		return true
	}
	return Equal(a, b)
}
