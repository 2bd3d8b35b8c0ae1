package lines

import "bytes"

// skimmer finds lines that may match by their bytes alone: those that hold the query's literal, or a backslash, behind
// which the literal may be written in another way.
type skimmer struct {
	literal []byte
	data    []byte // of the chunk
	// The next places in data from some point on, len(data) if there is none: each byte is looked at once for each.
	nextLiteral, nextBackslash int
}

func (s *skimmer) begin(data []byte) {
	s.data, s.nextLiteral, s.nextBackslash = data, -1, -1
}

// next is the start of the first line from at on, which is the start of a line, that may match; len(data) if none may.
func (s *skimmer) next(at int) int {
	if s.nextLiteral < at {
		s.nextLiteral = find(bytes.Index(s.data[at:], s.literal), at, len(s.data))
	}
	if s.nextBackslash < at {
		s.nextBackslash = find(bytes.IndexByte(s.data[at:], '\\'), at, len(s.data))
	}
	hit := min(s.nextLiteral, s.nextBackslash)
	if hit == len(s.data) {
		return hit
	}
	return at + bytes.LastIndexByte(s.data[at:hit], '\n') + 1
}

func find(found, at, end int) int {
	if found < 0 {
		return end
	}
	return at + found
}
