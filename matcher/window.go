package matcher

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// minSpare is the least number of spare entries that a window with a limit asks for. An absolute number, because a
// share of a small limit is used up by a few removals.
const minSpare = 32

// ErrWindowDry says that a window's spare entries ran out: it must be loaded again at the vector at which it stands.
var ErrWindowDry = errors.New("the window's spare entries ran out")

// ErrWindowInconsistent says that a window and a change do not fit together: the before-image matched, but its entry
// is not where it must be, or an entry stands where the after-image belongs. It is a bug of the caller (a change
// skipped or applied twice); the window must not be used further.
var ErrWindowInconsistent = errors.New("the window does not fit the change")

// Window is the live state of one ordered query: the documents [0, skip+limit) of its order and spare ones behind.
//
// entries are always the first of the order, without gaps. If complete there are no others; else all documents whose
// key is at most horizon are among them, and of those behind nothing is known.
type Window struct {
	query    *Query
	start    int // first visible place: skip
	end      int // behind the last visible place: skip + limit; -1: no limit
	need     int // most entries kept; 0: all
	most     int // MaxWindow
	entries  []entry
	complete bool
	horizon  []byte
	scratch  []byte
}

type entry struct {
	key      []byte
	document *Document
}

// NewWindow makes an empty window; Load must come before Apply.
func NewWindow(q *Query, limits Limits) *Window {
	w := &Window{query: q, start: q.skip, end: -1, most: limits.WithDefaults().MaxWindow}
	if q.limit > 0 {
		w.end = q.skip + q.limit
		w.need = w.end + max(minSpare, q.limit/2)
	}
	return w
}

// Need is how many documents, from the first of the order on, Load wants: skip + limit + spare; 0 means all.
func (w *Window) Need() int { return w.need }

func windowTooLarge(q *Query, most int) error {
	asked, path := "skip + limit", "/limit"
	if q.limit == 0 {
		asked, path = "skip", "/skip"
	}
	return &Error{Code: CodeWindowTooLarge, Path: path, Limit: int64(most), Detail: fmt.Sprintf(
		"a live query keeps %s documents in order, at most %d are allowed (MaxWindow) but skip is %d and limit is %d; ask for fewer",
		asked, most, q.skip, q.limit)}
}

// Load sets the entries: docs are the first of the order, sorted; complete says that there are no more. It fails with
// CodeWindowTooLarge where the query asks for more than MaxWindow, or has no limit and the result grew beyond it.
func (w *Window) Load(docs []*Document, complete bool) error {
	if err := w.query.LiveError(Limits{MaxWindow: w.most}); err != nil {
		return err
	}
	if err := w.checkSize(len(docs)); err != nil {
		return err
	}
	if !complete && (w.end < 0 || len(docs) < w.end) {
		return fmt.Errorf("load window: %d documents, but %d are needed (0: all)", len(docs), w.need)
	}
	entries := make([]entry, len(docs))
	for i, d := range docs {
		entries[i] = entry{key: w.query.AppendSortKey(nil, d), document: d}
		if i > 0 && bytes.Compare(entries[i-1].key, entries[i].key) >= 0 {
			return fmt.Errorf("load window: document %d does not stand behind the one before it", i)
		}
	}
	w.entries, w.complete, w.horizon = entries, complete, nil
	if !complete {
		w.horizon = entries[len(entries)-1].key
	}
	w.trim()
	return nil
}

// checkSize bounds the entries of a window without a limit.
func (w *Window) checkSize(n int) error {
	if w.end >= 0 || n <= w.most {
		return nil
	}
	return &Error{Code: CodeWindowTooLarge, Limit: int64(w.most), Detail: fmt.Sprintf(
		"a live query without a limit keeps its whole result in order, and that has more than %d documents (MaxWindow); add a limit, or leave out sort and skip",
		w.most)}
}

// trim drops the entries beyond need.
func (w *Window) trim() {
	if w.need == 0 || len(w.entries) <= w.need {
		return
	}
	clear(w.entries[w.need:])
	w.entries = w.entries[:w.need]
	w.complete, w.horizon = false, w.entries[w.need-1].key
}

// Visible returns the documents in [skip, skip+limit), in order.
func (w *Window) Visible() []*Document {
	start, end := w.bounds()
	docs := make([]*Document, 0, end-start)
	for _, e := range w.entries[start:end] {
		docs = append(docs, e.document)
	}
	return docs
}

// bounds are the places of the visible entries.
func (w *Window) bounds() (start, end int) {
	end = len(w.entries)
	if w.end >= 0 {
		end = min(end, w.end)
	}
	return min(w.start, end), end
}

// find is where key stands or belongs among the entries.
func (w *Window) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(w.entries, key, func(e entry, key []byte) int { return bytes.Compare(e.key, key) })
}

// Apply appends the events that the change makes to the visible slice. before and after say whether the images match
// the filter. On ErrWindowDry nothing was changed (load again at the vector before c, then apply c). Any other error
// (window-too-large) ends the query.
func (w *Window) Apply(c *Change, before, after bool, events []Event) ([]Event, error) {
	m, err := w.plan(c, before, after)
	if err != nil {
		return events, err
	}
	if m.from < 0 && m.to < 0 {
		return events, nil
	}
	first, edge := w.edges()
	var old *Document
	if m.from >= 0 {
		old = w.entries[m.from].document
	}
	w.move(m, c.After)
	events = w.appendEvents(c, m, old, first, edge, events)
	w.trim()
	return events, nil
}

// windowMove is what a change does to the entries: the one at from leaves, one with key comes in at to, a place in the
// list without the one that left. -1: none.
type windowMove struct {
	from, to int
	key      []byte
}

// plan decides what the change does, and refuses what cannot be done, before anything is touched.
func (w *Window) plan(c *Change, before, after bool) (windowMove, error) {
	m := windowMove{from: -1, to: -1}
	if before {
		w.scratch = w.query.AppendSortKey(w.scratch[:0], c.Before)
		if w.complete || bytes.Compare(w.scratch, w.horizon) <= 0 {
			place, found := w.find(w.scratch)
			if !found {
				return m, fmt.Errorf("apply change of %q: no entry for the before-image: %w", c.ID, ErrWindowInconsistent)
			}
			m.from = place
		}
	}
	if after {
		w.scratch = w.query.AppendSortKey(w.scratch[:0], c.After)
		if w.complete || bytes.Compare(w.scratch, w.horizon) <= 0 {
			place, found := w.find(w.scratch)
			if found && place != m.from {
				return m, fmt.Errorf("apply change of %q: an entry with the key of the after-image: %w", c.ID, ErrWindowInconsistent)
			}
			m.to = place
			if m.from >= 0 && m.from < place {
				m.to-- // its own entry leaves before it
			}
			if found {
				m.key = w.entries[place].key
			} else {
				m.key = bytes.Clone(w.scratch)
			}
		}
	}
	size := len(w.entries)
	if m.from >= 0 {
		size--
	}
	if m.to >= 0 {
		size++
	}
	if !w.complete && size < w.end {
		return m, ErrWindowDry
	}
	if size > len(w.entries) {
		return m, w.checkSize(size)
	}
	return m, nil
}

// edges are the two edges of the visible slice: what may cross them when entries shift.
func (w *Window) edges() (first, last edge) {
	return w.edge(w.start), w.edge(w.end)
}

// edge is the two documents on both sides of a place; nil where there is none.
type edge struct{ before, behind *Document }

func (w *Window) edge(place int) edge {
	var e edge
	if place < 0 { // no limit: nothing ever crosses
		return e
	}
	if place > 0 && place <= len(w.entries) {
		e.before = w.entries[place-1].document
	}
	if place < len(w.entries) {
		e.behind = w.entries[place].document
	}
	return e
}

// move changes the entries.
func (w *Window) move(m windowMove, after *Document) {
	made := entry{key: m.key, document: after}
	switch {
	case m.to < 0:
		w.entries = slices.Delete(w.entries, m.from, m.from+1)
	case m.from < 0:
		w.entries = slices.Insert(w.entries, m.to, made)
	case m.from < m.to:
		copy(w.entries[m.from:], w.entries[m.from+1:m.to+1])
		w.entries[m.to] = made
	default:
		copy(w.entries[m.to+1:], w.entries[m.to:m.from])
		w.entries[m.to] = made
	}
}

// region is where a place lies.
type region uint8

const (
	regionBefore region = iota // in the skipped prefix
	regionInside               // visible
	regionBehind               // among the spare entries, beyond them, or nowhere
)

func (w *Window) region(place int) region {
	switch {
	case place < 0 || w.end >= 0 && place >= w.end:
		return regionBehind
	case place < w.start:
		return regionBefore
	}
	return regionInside
}

// appendEvents says what a move did to the visible slice, at most two events. first and last are the edges before it.
//
//	from \ to | before                    | inside                      | behind
//	before    | nothing                   | first leaves, it comes      | first leaves, next comes in at the end
//	inside    | it leaves, one comes      | change or changeIndex       | it leaves, next comes in at the end
//	          | in at the front           |                             |
//	behind    | last leaves, one comes    | last leaves, it comes       | nothing
//	          | in at the front           |                             |
//
// What leaves or comes because another document moved has the operation none; what does not exist neither leaves nor
// comes. Leaving always goes first, so that the list never has more than limit entries.
func (w *Window) appendEvents(c *Change, m windowMove, old *Document, first, last edge, events []Event) []Event {
	from, to := w.region(m.from), w.region(m.to)
	if from == regionInside && to == regionInside {
		return w.appendChange(c, m, old, events)
	}
	if from == to {
		return events
	}
	switch from {
	case regionBefore:
		events = appendLeave(events, first.behind, 0)
	case regionInside:
		events = append(events, Event{Match: MatchRemove, Operation: c.Operation, ID: c.ID, Index: -1, PreviousIndex: m.from - w.start})
	case regionBehind:
		events = appendLeave(events, last.before, w.end-1-w.start)
	}
	switch to {
	case regionBefore:
		events = appendEnter(events, first.before, 0)
	case regionInside:
		events = append(events, Event{Match: MatchAdd, Operation: c.Operation, ID: c.ID, Index: m.to - w.start, PreviousIndex: -1, Document: c.After})
	case regionBehind:
		events = appendEnter(events, last.behind, w.end-1-w.start)
	}
	return events
}

// appendChange is for a document that stays visible.
func (w *Window) appendChange(c *Change, m windowMove, old *Document, events []Event) []Event {
	e := Event{Match: MatchChange, Operation: c.Operation, ID: c.ID, Index: m.to - w.start, PreviousIndex: -1, Document: c.After}
	switch {
	case m.from != m.to:
		e.Match, e.PreviousIndex = MatchChangeIndex, m.from-w.start
	case w.query.SameProjected(old, c.After):
		return events
	}
	return append(events, e)
}

func appendLeave(events []Event, d *Document, place int) []Event {
	if d == nil {
		return events
	}
	return append(events, Event{Match: MatchRemove, Operation: OperationNone, ID: d.ID(), Index: -1, PreviousIndex: place})
}

func appendEnter(events []Event, d *Document, place int) []Event {
	if d == nil {
		return events
	}
	return append(events, Event{Match: MatchAdd, Operation: OperationNone, ID: d.ID(), Index: place, PreviousIndex: -1, Document: d})
}
