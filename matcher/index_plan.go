package matcher

import (
	"bytes"
	"slices"
	"strings"
)

// MaxIndexRanges bounds the ranges of entries that one search looks at.
const MaxIndexRanges = 2048

// IndexPlan is how an index serves a query: every document that the query matches and the index holds has an entry in
// one of the ranges, or is an overflow of the index.
type IndexPlan struct {
	Ranges []IndexRange
	// Points is the number of leading keys that have one value in each range; Narrowed that of keys that are narrowed.
	Points, Narrowed int
	// Repeats says that one document may have several entries in the ranges.
	Repeats bool
	// Exact says that the entries in the ranges are one each for the documents that the query matches and the index holds:
	// they can be counted.
	Exact bool
	// Reverse says that the order asks for the entries from the greatest to the least.
	Reverse bool
	// Bounds are the ranges of each narrowed key, for people.
	Bounds []IndexBound

	index    *Index
	ordering []sortKey // the leading fields of the query's sort that the entries of one range are in the order of
	skipped  int       // keys before them: the same value in all of a range
	widened  bool      // the first key has more ranges than may be looked at: they are one that spans them
}

// IndexRange is a range of entries, `_id` appended: Low <= entry < High. High is nil where there is no end.
type IndexRange struct {
	Low, High []byte
	points    []int // where the leading keys that have one value end in Low
}

// IndexBound says to which values a search narrows a key.
type IndexBound struct {
	Path   string   `json:"path"`
	Ranges []string `json:"ranges"`
}

// Finds reports whether the plan may find documents faster than reading all of them. Otherwise it is Exact, and counts them.
func (p *IndexPlan) Finds() bool { return p.Narrowed > 0 || p.Ordered() || p.index.partial != nil }

// SameRanges reports whether two plans of one index look at the same entries.
func (p *IndexPlan) SameRanges(o *IndexPlan) bool {
	return slices.EqualFunc(p.Ranges, o.Ranges, func(a, b IndexRange) bool {
		return bytes.Equal(a.Low, b.Low) && bytes.Equal(a.High, b.High)
	})
}

// Ordered reports whether the entries of each range are in the order of the query's sort, or of its first fields.
func (p *IndexPlan) Ordered() bool { return len(p.ordering) > 0 }

// SortedBy are the leading fields of the query's sort that the index gives the order of.
func (p *IndexPlan) SortedBy() (paths []string) {
	for _, k := range p.ordering {
		paths = append(paths, k.path.text)
	}
	return paths
}

// Plan says how the index serves q; ok is false where it cannot: the partial filter leaves out documents that q may
// match, or the index neither narrows nor orders nor counts. multikey has the bits of all documents ever indexed.
func (x *Index) Plan(q *Query, multikey uint64) (plan *IndexPlan, ok bool) {
	implies := implication{collated: q.collation != nil, known: x.texts}
	if x.partial != nil && !implies.holds(q.filter.node, x.partial.node) {
		return nil, false
	}
	p := &IndexPlan{index: x, Ranges: []IndexRange{{}}, Repeats: multikey != 0}
	for k := range x.keys {
		set, narrowed := q.narrow(x.keys[k].path, multikey>>k&1 != 0)
		if !narrowed || !p.extend(set, x.keys[k]) {
			break
		}
	}
	p.order(q, multikey)
	p.findExact(q, multikey, &implies)
	return p, p.Exact || p.Finds()
}

// narrow is the set of values to look for at a path.
func (q *Query) narrow(at path, multikey bool) (set intervals, narrowed bool) {
	sets := q.filter.bounds(at, nil)
	if multikey || len(sets) == 0 {
		return narrowest(sets)
	}
	set = sets[0]
	for _, more := range sets[1:] {
		set = intersect(set, more)
	}
	return set, true
}

// extend narrows the next key, and reports whether the key after it can be narrowed too.
func (p *IndexPlan) extend(set intervals, key sortKey) bool {
	if len(p.Ranges)*max(len(set), 1) > MaxIndexRanges {
		if p.Narrowed > 0 {
			return false
		}
		p.widened = true
		set = intervals{{low: set[0].low, high: set[len(set)-1].high, text: "from " + set[0].text + " to " + set[len(set)-1].text}}
	}
	points := set.points()
	ranges := make([]IndexRange, 0, len(p.Ranges)*len(set))
	for _, r := range p.Ranges {
		for i := range set {
			ranges = append(ranges, r.extend(set[i], key.descending))
		}
	}
	bound := IndexBound{Path: key.path.text, Ranges: []string{}}
	for _, i := range set {
		bound.Ranges = append(bound.Ranges, i.text)
	}
	p.Bounds = append(p.Bounds, bound)
	slices.SortFunc(ranges, func(a, b IndexRange) int { return bytes.Compare(a.Low, b.Low) })
	p.Ranges = ranges
	if p.Narrowed++; points {
		p.Points++
	}
	return points
}

// extend appends an interval of the next key to a range whose keys have one value each.
func (r IndexRange) extend(i interval, descending bool) IndexRange {
	low, high := i.low, i.high
	if descending {
		low, high = nil, prefixEnd(inverted(i.low))
		if i.high != nil {
			low = prefixEnd(inverted(i.high))
		}
		if i.point {
			low = inverted(i.low)
		}
	}
	next := IndexRange{Low: slices.Concat(r.Low, low), points: r.points}
	switch {
	case i.point:
		next.points = append(slices.Clone(r.points), len(next.Low))
		next.High = prefixEnd(next.Low)
	case high != nil:
		next.High = slices.Concat(r.Low, high)
	default:
		next.High = prefixEnd(r.Low)
	}
	return next
}

func inverted(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

// Holds reports whether an entry of a document lies in one of the ranges.
func (p *IndexPlan) Holds(entry []byte, id string) bool {
	i, found := slices.BinarySearchFunc(p.Ranges, entry, func(r IndexRange, entry []byte) int { return compareEntry(r.Low, entry, id) })
	if found {
		return true
	}
	if i == 0 {
		return false
	}
	high := p.Ranges[i-1].High
	return high == nil || compareEntry(high, entry, id) > 0
}

// compareEntry compares a bound of a range with an entry and the `_id` behind it.
func compareEntry(bound, entry []byte, id string) int {
	n := min(len(bound), len(entry))
	if order := bytes.Compare(bound[:n], entry[:n]); order != 0 || len(bound) < len(entry) {
		if order == 0 {
			return -1
		}
		return order
	}
	return strings.Compare(string(bound[n:]), id)
}

// order finds which leading fields of the query's sort the entries of a range are in the order of. Keys with one value
// in the range may stand before them. A key that has several values in some document gives no order.
func (p *IndexPlan) order(q *Query, multikey uint64) {
	if q.sort[0].near != nil {
		return
	}
	keys := append(slices.Clone(p.index.keys), withID(nil)...) // entries end with the `_id`
	for skipped := range p.Points + 1 {
		n := 0
		reverse := keys[skipped].descending != q.sort[0].descending
		for n < len(q.sort) && skipped+n < len(keys) {
			key, want := keys[skipped+n], q.sort[n]
			if key.path.text != want.path.text || want.collation != nil || (key.descending != want.descending) != reverse || multikey>>(skipped+n)&1 != 0 {
				break
			}
			n++
		}
		if n > len(p.ordering) {
			p.ordering, p.skipped, p.Reverse = q.sort[:n], skipped, reverse
		}
	}
}

// From narrows a range to the entries that are not before a document in the order of the query, by its sort key. More
// entries may stay, but all of those. A key that is none narrows nothing.
func (p *IndexPlan) From(r IndexRange, key []byte) IndexRange {
	prefix, ok := p.entryPrefix(r, key)
	switch {
	case !ok:
	case p.Reverse:
		if end := prefixEnd(prefix); end != nil && (r.High == nil || bytes.Compare(end, r.High) < 0) {
			r.High = end
		}
	case bytes.Compare(prefix, r.Low) > 0:
		r.Low = prefix
	}
	return r
}

// To narrows a range to the entries that are not behind a document in the order of the query, as From does.
func (p *IndexPlan) To(r IndexRange, key []byte) IndexRange {
	prefix, ok := p.entryPrefix(r, key)
	switch {
	case !ok:
	case !p.Reverse:
		if end := prefixEnd(prefix); end != nil && (r.High == nil || bytes.Compare(end, r.High) < 0) {
			r.High = end
		}
	case bytes.Compare(prefix, r.Low) > 0:
		r.Low = prefix
	}
	return r
}

// entryPrefix is what the entries of r begin with whose document has the ordering fields of a sort key.
func (p *IndexPlan) entryPrefix(r IndexRange, key []byte) (prefix []byte, ok bool) {
	if len(p.ordering) == 0 {
		return nil, false
	}
	if p.skipped > 0 {
		prefix = append(prefix, r.Low[:r.points[p.skipped-1]]...)
	}
	for i, field := range p.ordering {
		n, ok := sortPartLength(key, field.descending)
		if !ok {
			return nil, false
		}
		part := key[:n]
		if key = key[n:]; p.Reverse {
			part = inverted(part)
		}
		if p.skipped+i < len(p.index.keys) {
			prefix = append(prefix, part...)
			continue
		}
		id, ok := KeyID(part) // the entry has it bare
		if !ok {
			return nil, false
		}
		prefix = append(prefix, id...)
	}
	return prefix, true
}
