package matcher

// CollectionID names a collection for its whole life. A dropped and re-created collection has another one.
type CollectionID uint32

// Operation is what the writer did to a document.
type Operation uint8

// OperationNone marks an event of an entry that moved over a window's edge because another document was written.
const (
	OperationNone Operation = iota
	OperationInsert
	OperationUpdate
	OperationDelete
)

var operationNames = [...]string{"none", "insert", "update", "delete"}

func (o Operation) String() string { return operationNames[o] }

// Match is what a write means for one result.
type Match uint8

const (
	MatchNone Match = iota
	MatchAdd
	MatchChange
	MatchChangeIndex
	MatchRemove
)

var matchNames = [...]string{"none", "add", "change", "changeIndex", "remove"}

func (m Match) String() string { return matchNames[m] }

// Decide is the one function that says what a change means for a query without a window.
//
//	before matches | after matches | means
//	no             | no            | nothing
//	no             | yes           | add
//	yes            | yes           | change
//	yes            | no            | remove
//
// (changeIndex exists only for ordered results: see Window.Apply.)
func Decide(before, after bool) Match {
	switch {
	case before && after:
		return MatchChange
	case after:
		return MatchAdd
	case before:
		return MatchRemove
	}
	return MatchNone
}

// Fence says that a change is not a write to a document but a new epoch of a collection.
type Fence uint8

const (
	FenceNone Fence = iota
	FenceTruncate
	FenceDrop
)

var fenceNames = [...]string{FenceNone: "none", FenceTruncate: "truncate", FenceDrop: "drop"}

// String is the fence's name.
func (f Fence) String() string { return fenceNames[f] }

// Change is one applied write: before-image, after-image and position. Before is nil for an insert, After for a
// delete; both are for a fence. A Change is immutable once it is made.
type Change struct {
	Sequence   uint64 // place in the node's local order, counted from its start
	Position   Position
	Collection CollectionID
	Operation  Operation
	Fence      Fence
	Epoch      uint32 // of the collection, from this change on
	ID         string
	Before     *Document
	After      *Document
}

// Past is a change read back from the history.
type Past struct {
	Change *Change
	At     string // wire form of the vector that it led to
}

// Group is what one step of the apply loop applied, in local order. After covers records that made no change as well
// (control records), so it may lie beyond the last change.
type Group struct {
	Before  Vector
	After   Vector
	Changes []*Change
}

// Event is what one change does to one registered query. Index is the place in the list after the event,
// PreviousIndex the place in the list before it; -1 means that there is none. Document is nil for a remove.
type Event struct {
	Match         Match
	Operation     Operation
	ID            string
	Index         int
	PreviousIndex int
	Document      *Document
}
