package matcher

import "fmt"

// Stable codes of what this package refuses. The gateway's table gives each its status and title.
const (
	CodePositionInvalid  = "position-invalid"
	CodeJSONInvalid      = "json-invalid"       // not JSON, or JSON that no document can be
	CodeDocumentInvalid  = "document-invalid"   // JSON, but not a storable document
	CodeDocumentTooLarge = "document-too-large" // a bound on documents
	CodeQueryInvalid     = "query-invalid"      // filter, sort, fields, skip, limit
	CodeQueryTooLarge    = "query-too-large"    // a bound on queries
	CodeQueryTooCostly   = "query-too-costly"   // a bound on what a query does for one document
	CodeOperatorUnknown  = "operator-unknown"
	CodeIDNotString      = "id-not-string"
	CodeIDInvalid        = "id-invalid"
	CodeUpdateInvalid    = "update-invalid"
	CodeWindowTooLarge   = "window-too-large"
	CodeFieldInvalid     = "field-invalid" // a declaration of fields
	CodeTypeMismatch     = "type-mismatch" // a value that a declared field cannot have
	CodeIndexInvalid     = "index-invalid" // keys or partial filter of an index
)

// Error is bad input. It names the place, the value, the limit and the remedy.
type Error struct {
	Code   string
	Path   string // JSON pointer into the text that was refused; "" is its root
	Detail string // a sentence for the user
	Limit  int64  // the bound that was passed, 0 if none
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Detail
	}
	return fmt.Sprintf("%s: %s", e.Path, e.Detail)
}

// BoundError is an error of any room that says that a bound was passed, and which.
type BoundError struct {
	Err   error  // what happened
	Name  string // of the bound: the key of its setting, or the constant
	Bound int64
}

func (e *BoundError) Error() string { return fmt.Sprintf("%v (%s is %d)", e.Err, e.Name, e.Bound) }

func (e *BoundError) Unwrap() error { return e.Err }
