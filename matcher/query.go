package matcher

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
)

// semanticsVersion stands in every query key. It grows when a query could mean something else than before, so that a
// resume across such a change becomes a reset. A commit that changes the answer of a filter, the order of a sort or what a
// projection shows, for any document, adds 1 once per release; a new operator, which no older query has, needs no new one.
const semanticsVersion = 3

// QuerySpec is a query as a client sent it. Filter, Sort, Fields and Collation are JSON texts, nil if absent.
type QuerySpec struct {
	Filter    []byte // {"published":true}
	Sort      []byte // {"date":-1,"title":1} (order counts), [["date",-1],["title",1]] or "-date,title"
	Fields    []byte // {"title":1} or ["title"]
	Collation []byte // {"locale":"de","strength":2}; nil: strings compare by bytes
	Skip      int
	Limit     int // 0: none
	Values    Values
	Dates     *Dates // what the collection declares: in Filter, and in conditions of Fields, ISO texts there are dates

	// AnyDocument says that the documents are no collection's but any JSON objects: `_id` may be of any type or absent,
	// and but for `_id`, which a projection shows unless told otherwise, no name is metadata. The order is that of the
	// sort alone: documents that it does not tell apart, or all where there is none, stay in the order in which they
	// come (Sorted). Such a query pins no ids and cannot be live.
	AnyDocument bool
}

// Query is a compiled query. It is immutable and safe for concurrent use.
type Query struct {
	filter     boundedFilter
	filterText string    // normal form of the filter
	sort       []sortKey // ends with _id by bytes, but where any document goes
	sorted     bool      // by a sort or a $near of its own
	collation  *collation
	ordered    bool
	skip       int
	limit      int
	maxWindow  int // of the limits that it was compiled with, for Explain
	values     Values
	projection *Projection
	normal     string
	ids        []string
	pinned     bool
	literal    []byte
	beside     int // of a Union's branch: how many parts of the filter, from the first on, are not the branch's
}

// Compile checks and compiles a query. The texts of spec may be reused afterwards. An error's Path is a JSON pointer
// into the query as an object of filter, sort, fields, collation, skip and limit.
//
// Skip and limit are not bounded here: a read may page through any number of documents. What a live query may hold
// is checked by LiveError.
func Compile(spec QuerySpec, limits Limits) (*Query, error) {
	limits = limits.WithDefaults()
	q := &Query{skip: spec.Skip, limit: spec.Limit, maxWindow: limits.MaxWindow, values: spec.Values}
	collation, err := parseCollation(given(spec.Collation), limits)
	if err != nil {
		return nil, below("collation", err)
	}
	q.collation = collation
	filter, err := compileFilter(given(spec.Filter), limits, &compiler{collation: collation, dates: spec.Dates.tree(), anyID: spec.AnyDocument})
	if err != nil {
		return nil, below("filter", err)
	}
	form := normalize(filter)
	shareSteps(form.node)
	q.filter, q.filterText = boundFilter(form.node), form.text
	if !spec.AnyDocument {
		q.ids, q.pinned = pinnedIDs(form.node)
	}
	if collation == nil {
		q.literal = literalOf(form.node)
	}
	if q.sort, err = compileSort(given(spec.Sort), limits, collation); err != nil {
		return nil, below("sort", err)
	}
	if fields := given(spec.Fields); fields != nil {
		if q.projection, err = parseProjection(slices.Clone(fields), spec.Dates, collation, limits, spec.AnyDocument); err != nil {
			return nil, below("fields", err)
		}
	}
	if err := checkCount("skip", spec.Skip); err != nil {
		return nil, err
	}
	if err := checkCount("limit", spec.Limit); err != nil {
		return nil, err
	}
	if near := nearOf(form.node); near != nil && q.sort == nil {
		q.sort = near.sortKeys()
	}
	q.sorted = q.sort != nil
	q.ordered = q.sorted || q.skip > 0 || q.limit > 0
	if !spec.AnyDocument {
		q.sort = withID(q.sort)
	}
	q.normal = q.appendNormal()
	return q, nil
}

// given reads the text null as no text.
func given(text []byte) []byte {
	if string(bytes.TrimSpace(text)) == "null" {
		return nil
	}
	return text
}

// below puts a part's name before the path of its error.
func below(part string, err error) error {
	var bad *Error
	if !errors.As(err, &bad) {
		return err
	}
	moved := *bad
	moved.Path = "/" + part + bad.Path
	return &moved
}

func checkCount(name string, n int) error {
	if n >= 0 {
		return nil
	}
	return &Error{Code: CodeQueryInvalid, Path: "/" + name,
		Detail: name + " is " + strconv.Itoa(n) + "; it must be a whole number from 0 on"}
}

// Match reports whether the filter alone accepts d, however long that takes. It allocates nothing.
func (q *Query) Match(d *Document) bool { return q.filter.match(d.Root()) }

// Decide is Match where others wait for the answer: it is an error of code CodeQueryTooCostly where d takes more than
// MaxMatchSteps or MaxRegexWork, or where it matches and the projection's $elemMatch takes more.
func (q *Query) Decide(d *Document) (matches bool, err error) {
	if matches, err = q.filter.decide(d); matches {
		err = q.projection.check(d)
	}
	return matches && err == nil, err
}

// DecideChange is Decide for both images of a change; an absent one does not match.
func (q *Query) DecideChange(c *Change) (before, after bool, err error) {
	if c.Before != nil {
		if before, err = q.Decide(c.Before); err != nil {
			return false, false, err
		}
	}
	if c.After != nil {
		if after, err = q.Decide(c.After); err != nil {
			return false, false, err
		}
	}
	return before, after, nil
}

// Ordered reports whether the query has a sort, a skip, a limit or a $near: its live result is a window.
func (q *Query) Ordered() bool { return q.ordered }

// Sorted reports whether the query itself names an order: by a sort, or by a $near.
func (q *Query) Sorted() bool { return q.sorted }

// Skip is the number of documents of the order that the result leaves out at its beginning.
func (q *Query) Skip() int { return q.skip }

// Limit is the most documents that the result has; 0 is no limit.
func (q *Query) Limit() int { return q.limit }

// Values is how values are written for this query's clients.
func (q *Query) Values() Values { return q.values }

// AppendSortKey appends d's sort key; its last part is `_id`. Invariant 6. For an unordered query it is the `_id`'s. A
// query of any documents has a key only if it is Sorted, and documents that its sort does not tell apart have equal ones.
func (q *Query) AppendSortKey(dst []byte, d *Document) []byte {
	return appendSortKey(dst, q.sort, d.Root())
}

// AppendDocument appends d as the client sees it: projected, values in the query's form.
func (q *Query) AppendDocument(dst []byte, d *Document) []byte {
	return q.projection.AppendDocument(dst, d, q.values)
}

// SameProjected reports whether a and b look the same to a client of this query (a change that need not be sent).
func (q *Query) SameProjected(a, b *Document) bool { return q.projection.Same(a, b) }

// Normal is the normal form: queries that mean the same have the same one, as far as normalize sees it. It covers
// filter, sort, skip, limit, projection, collation and values form. It is JSON.
func (q *Query) Normal() string { return q.normal }

func (q *Query) appendNormal() string {
	text := append([]byte(`{"filter":`), q.filterText...)
	if q.ordered {
		text = appendNormalSort(append(text, `,"sort":`...), q.sort)
		text = strconv.AppendInt(append(text, `,"skip":`...), int64(q.skip), 10)
		text = strconv.AppendInt(append(text, `,"limit":`...), int64(q.limit), 10)
	}
	if q.projection != nil {
		text = append(append(text, `,"fields":`...), q.projection.Normal()...)
	}
	if q.collation != nil {
		text = append(append(text, `,"collation":`...), q.collation.text...)
	}
	text = strconv.AppendInt(append(text, `,"values":`...), int64(q.values), 10)
	return string(append(text, '}'))
}

// Key is the query key: a short text that names the registered query (collection, normal form, version of the
// semantics). [A-Za-z0-9_-]{22}.
func (q *Query) Key(c CollectionID) string {
	head := binary.BigEndian.AppendUint32([]byte{semanticsVersion}, uint32(c))
	sum := sha256.Sum256(append(head, q.normal...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// decisionKey names all that Decide goes by: queries with the same one decide alike.
func (q *Query) decisionKey() string {
	key := q.filterText
	if q.collation != nil {
		key += q.collation.text
	}
	if q.projection != nil && len(q.projection.matches) > 0 {
		key += q.projection.Normal()
	}
	return key
}

// IDs returns the `_id`s that the filter pins by equality or $in, sorted, if it does. pinned without ids means that no
// document can match. The slice is not to be changed.
func (q *Query) IDs() (ids []string, pinned bool) { return q.ids, q.pinned }

// LiveError says whether the query can be live: a window holds skip + limit documents, which must be at most
// limits.MaxWindow. (A sort without a limit is checked as its documents come: Window.Load and Window.Apply.)
func (q *Query) LiveError(limits Limits) error {
	most := limits.WithDefaults().MaxWindow
	if !q.ordered || q.skip <= most && q.limit <= most-q.skip {
		return nil
	}
	return windowTooLarge(q, most)
}
