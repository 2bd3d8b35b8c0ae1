package matcher

import (
	"bytes"
	"slices"
	"strings"
)

// interval is a set of values by their encodings (appendEntryValue): low <= encoding < high. No encoding is the beginning
// of another.
type interval struct {
	low   []byte
	high  []byte // nil: no end
	point bool   // one value: high is prefixEnd(low)
	text  string // for people: "> 5", `= "open"`
}

func pointInterval(key []byte, text string) interval {
	return interval{low: key, high: prefixEnd(key), point: true, text: text}
}

// bracket is all values of one type bracket.
func bracket(kind Kind, text string) interval {
	return interval{low: []byte{typeOrder[kind]}, high: []byte{typeOrder[kind] + 1}, text: text}
}

// prefixEnd is the first key after all keys that begin with prefix; nil: there is none.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// endsBefore reports whether a, which may be nil for no end, ends before b does.
func endsBefore(a, b []byte) bool {
	return a != nil && (b == nil || bytes.Compare(a, b) < 0)
}

// intervals is a set of values: in order, disjoint.
type intervals []interval

// normalIntervals puts intervals in order and joins those that overlap.
func normalIntervals(all intervals) intervals {
	slices.SortStableFunc(all, func(a, b interval) int { return bytes.Compare(a.low, b.low) })
	joined := all[:0]
	for _, i := range all {
		last := len(joined) - 1
		switch {
		case last < 0 || joined[last].high != nil && bytes.Compare(joined[last].high, i.low) <= 0:
			joined = append(joined, i)
		case joined[last].point && i.point: // the same value
		default:
			j := &joined[last]
			if endsBefore(j.high, i.high) {
				j.text += " or " + i.text
				j.high, j.point = i.high, false
			}
		}
	}
	return joined
}

func intersect(a, b intervals) (both intervals) {
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		low, high := x.low, x.high
		if bytes.Compare(low, y.low) < 0 {
			low = y.low
		}
		if endsBefore(y.high, high) {
			high = y.high
		}
		if high == nil || bytes.Compare(low, high) < 0 {
			i := interval{low: low, high: high, point: x.point || y.point, text: x.text}
			switch {
			case y.point:
				i.text = y.text
			case !x.point && !strings.Contains(x.text, y.text):
				i.text += " and " + y.text
			}
			both = append(both, i)
		}
		if endsBefore(x.high, y.high) {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return both
}

// within reports whether every value of s is in t. Neighbours in t are not joined, which can only make it say no.
func (s intervals) within(t intervals) bool {
	for _, i := range s {
		if !slices.ContainsFunc(t, func(j interval) bool {
			return bytes.Compare(j.low, i.low) <= 0 && !endsBefore(j.high, i.high)
		}) {
			return false
		}
	}
	return true
}

// holdsNull reports whether null, which a missing value is read as, is in s.
func (s intervals) holdsNull() bool {
	null := []byte{typeOrder[KindNull]}
	return slices.ContainsFunc(s, func(i interval) bool {
		return bytes.Compare(i.low, null) <= 0 && (i.high == nil || bytes.Compare(null, i.high) < 0)
	})
}

// points reports whether s is nothing but single values.
func (s intervals) points() bool {
	return !slices.ContainsFunc(s, func(i interval) bool { return !i.point })
}

// rank orders sets by how much they promise to narrow: single values, ranges with two ends, others.
func (s intervals) rank() int {
	switch {
	case len(s) == 0:
		return 0
	case s.points():
		return 1
	case slices.ContainsFunc(s, func(i interval) bool { return len(i.low) <= 1 || len(i.high) <= 1 }):
		return 3
	}
	return 2
}
