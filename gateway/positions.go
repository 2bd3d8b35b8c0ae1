package gateway

import (
	"sync/atomic"

	"github.com/freshetdb/freshet/matcher"
)

// positions keeps the wire form of the last position vector: all writers of a group are answered with the same one.
type positions struct {
	last atomic.Pointer[positionText]
}

type positionText struct {
	vector matcher.Vector
	text   string
	header []string // text, as a header's value; never changed
}

// of is the wire form of v. The store's vectors never change once they are given out, so one is known by its memory.
func (p *positions) of(v matcher.Vector) *positionText {
	last := p.last.Load()
	if last == nil || len(v.Next) == 0 || &last.vector.Next[0] != &v.Next[0] || last.vector.Incarnation != v.Incarnation {
		text := v.String()
		last = &positionText{v, text, []string{text}}
		if len(v.Next) > 0 {
			p.last.Store(last)
		}
	}
	return last
}
