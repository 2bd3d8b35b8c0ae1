package matcher

import "bytes"

// ByID reports whether the query's order is that of `_id` alone, ascending: the order in which documents are stored.
func (q *Query) ByID() bool {
	return len(q.sort) == 1 && q.sort[0].path.text == "_id" && !q.sort[0].descending
}

// KeyID returns the `_id` in a sort key of a query that is ByID; ok is false for a key that is none, or whose `_id`
// can be no document's.
func KeyID(key []byte) (id []byte, ok bool) {
	if len(key) < 3 || key[0] != typeOrder[KindString] || !bytes.HasSuffix(key, []byte{0x00, 0x01}) {
		return nil, false
	}
	id = key[1 : len(key)-2]
	return id, bytes.IndexByte(id, 0) < 0 // an _id holds no control character
}
