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
	limits = limits.WithDefaults()
	var acl Value
	if len(m.ACL) > 0 {
		d, err := ParseValue(m.ACL, limits)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", fieldACL, err)
		}
		acl = d.Root()
	}
	d := composeTape(&m, acl, user, limits)
	if d == nil {
		var err error
		if d, err = Parse(composeText(&m, acl, user), limits); err != nil {
			return nil, err
		}
	}
	d.stamp(&m)
	return d, nil
}

// composeText is the text that Compose makes.
func composeText(m *Metadata, acl, user Value) []byte {
	text := make([]byte, 0, composedBytes(m, user))
	text = AppendString(append(text, `{"_id":`...), sharedBytes(m.ID))
	text = m.Revision.AppendText(append(text, `,"_rev":"`...))
	text = appendDateValue(append(text, `","_createdAt":`...), m.CreatedAt, valuesStored)
	text = appendDateValue(append(text, `,"_updatedAt":`...), m.UpdatedAt, valuesStored)
	if acl.Exists() {
		text = AppendValue(append(text, `,"_acl":`...), acl, valuesStored)
	}
	for v := user.First(); v.Exists(); v = v.Next() {
		if !IsMetadataField(sharedString(v.Name())) {
			text = AppendString(append(text, ','), v.Name())
			text = AppendValue(append(text, ':'), v, valuesStored)
		}
	}
	return append(text, '}')
}

// composedBytes is about what the text will have.
func composedBytes(m *Metadata, user Value) int {
	size := 192 + len(m.ID) + len(m.ACL)
	if user.Exists() {
		size += len(user.Raw())
	}
	return size
}

// stamp notes the metadata that Compose wrote into the document.
func (d *Document) stamp(m *Metadata) {
	d.revision, d.createdAt, d.updatedAt, d.acl = m.Revision, m.CreatedAt, m.UpdatedAt, 0
	if len(m.ACL) > 0 {
		d.acl = d.findACL().node
	}
}

// MetadataOf reads back what Compose wrote. The id shares the document's memory (Document.ID).
func MetadataOf(d *Document) Metadata {
	m := Metadata{ID: d.ID(), Revision: d.Revision()}
	m.CreatedAt, m.UpdatedAt = StoredTimes(d)
	if acl := StoredACL(d); acl.Exists() {
		m.ACL = AppendValue(nil, acl, valuesStored)
	}
	return m
}

// StoredTimes are `_createdAt` and `_updatedAt` of a document that Compose made, in ms since 1970.
func StoredTimes(d *Document) (createdAt, updatedAt int64) {
	if d.revision.Generation != 0 {
		return d.createdAt, d.updatedAt
	}
	return d.Field(fieldCreatedAt).Int64(), d.Field(fieldUpdatedAt).Int64()
}

// StoredACL is the `_acl` of a document that Compose made, missing if it has none. It looks no further than it must: of a
// document that nobody has read for a while, text and tape are not near the processor.
func StoredACL(d *Document) Value {
	if d.revision.Generation != 0 && d.acl == 0 {
		return Value{}
	}
	return d.findACL()
}

// findACL looks for the `_acl` among the metadata, which stand first.
func (d *Document) findACL() Value {
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
