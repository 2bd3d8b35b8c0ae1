package follow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/freshetdb/freshet/internal/e2e/oracle"
)

// Same compares a view with a result: as lists where the query is ordered, else as sets. "" means that they are the
// same; otherwise it says how they differ.
func Same(q oracle.Query, view, result []oracle.Object) string {
	if len(view) != len(result) {
		return fmt.Sprintf("%d documents, want %d\nhave %s\nwant %s", len(view), len(result), names(view), names(result))
	}
	for i, want := range result {
		have := view[i]
		if !q.Ordered() {
			at := indexOf(view, want.ID())
			if at < 0 {
				return fmt.Sprintf("%s is missing", want.ID())
			}
			have = view[at]
		}
		if !oracle.Identical(have, want) {
			return fmt.Sprintf("entry %d is %s, want %s", i, oracle.Encode(have), oracle.Encode(want))
		}
	}
	return ""
}

func names(docs []oracle.Object) string {
	var out []string
	for _, d := range docs {
		out = append(out, d.ID())
	}
	return strings.Join(out, " ")
}

// Transition returns the events that one write of the document id must cause where it turns the result before into the
// result after; none if a client sees no difference. First what leaves, then what comes, else what changed in place.
func Transition(q oracle.Query, before, after []oracle.Object, id, operation string) []Event {
	var events []Event
	op := func(d oracle.Object) string {
		if d.ID() == id {
			return operation
		}
		return "none"
	}
	list := slices.Clone(before)
	for i := 0; i < len(list); {
		d := list[i]
		if indexOf(after, d.ID()) >= 0 {
			i++
			continue
		}
		events = append(events, Event{"remove", op(d), d.ID(), -1, i, nil})
		list = slices.Delete(list, i, i+1)
	}
	for i, d := range after {
		if indexOf(before, d.ID()) < 0 {
			events = append(events, Event{"add", op(d), d.ID(), i, -1, d})
		}
	}
	from, to := indexOf(before, id), indexOf(after, id)
	if from >= 0 && to >= 0 {
		switch {
		case from != to && q.Ordered():
			events = append(events, Event{"changeIndex", operation, id, to, from, after[to]})
		case !oracle.Identical(before[from], after[to]):
			events = append(events, Event{"change", operation, id, to, -1, after[to]})
		}
	}
	if !q.Ordered() {
		for i := range events {
			events[i].Index, events[i].PreviousIndex = -1, -1
		}
	}
	return events
}

// SameEvents compares events with the expected ones; "" means that they are the same.
func SameEvents(have, want []Event) string {
	same := len(have) == len(want)
	for i := 0; same && i < len(have); i++ {
		h, w := have[i], want[i]
		same = oracle.Identical(h.Document, w.Document) && (h.Document == nil) == (w.Document == nil)
		h.Document, w.Document = nil, nil
		same = same && h.Match == w.Match && h.Operation == w.Operation && h.ID == w.ID && h.Index == w.Index &&
			h.PreviousIndex == w.PreviousIndex
	}
	if same {
		return ""
	}
	var text strings.Builder
	for _, e := range have {
		fmt.Fprintf(&text, "\nhave %v", e)
	}
	for _, e := range want {
		fmt.Fprintf(&text, "\nwant %v", e)
	}
	return text.String()
}
