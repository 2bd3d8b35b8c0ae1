package matcher

import "encoding/json"

// Explanation says how a query is understood and how changes find it.
type Explanation struct {
	Filter    json.RawMessage `json:"filter"`              // in normal form
	Sort      json.RawMessage `json:"sort,omitempty"`      // pairs of field and direction, `_id` included; ordered queries only
	Window    *ExplainWindow  `json:"window,omitempty"`    // ordered queries only
	Fields    json.RawMessage `json:"fields,omitempty"`    // the projection in normal form
	Collation json.RawMessage `json:"collation,omitempty"` // in normal form, with the version of its tables
	FoundBy   string          `json:"foundBy"`             // FoundByID or FoundByScan
	IDs       []string        `json:"ids,omitempty"`       // FoundByID: of the documents that can match
}

// ExplainWindow is the part of the order that a query shows.
type ExplainWindow struct {
	Skip  int    `json:"skip"`
	Limit int    `json:"limit"`           // 0: none
	Need  int    `json:"need"`            // documents that a live query keeps; 0: all that match
	Error string `json:"error,omitempty"` // why the query cannot be live
}

// How a change finds a registered query, by its filter alone (Engine). How a query's documents are found is storage's to
// explain: an index leads to documents, never to queries.
const (
	FoundByID   = "ids"  // the filter pins `_id`s: only changes of these documents look at the query
	FoundByScan = "scan" // every change in the collection evaluates the filter
)

// Explain says how the query is understood and how changes find it.
func (q *Query) Explain() Explanation {
	x := Explanation{Filter: json.RawMessage(q.filterText), FoundBy: FoundByScan}
	if q.pinned {
		x.FoundBy, x.IDs = FoundByID, q.ids
	}
	if q.projection != nil {
		x.Fields = json.RawMessage(q.projection.Normal())
	}
	if q.collation != nil {
		x.Collation = json.RawMessage(q.collation.text)
	}
	if q.ordered {
		x.Sort = appendNormalSort(nil, q.sort)
		x.Window = &ExplainWindow{Skip: q.skip, Limit: q.limit}
		limits := Limits{MaxWindow: q.maxWindow}
		if err := q.LiveError(limits); err != nil {
			x.Window.Error = err.Error()
		} else {
			x.Window.Need = NewWindow(q, limits).Need()
		}
	}
	return x
}
