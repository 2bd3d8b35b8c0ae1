package matcher

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/golang/geo/s2"
)

// minRememberedBytes is from which length of its text on a stored geometry is remembered: below it, reading it costs no
// more than some microseconds.
const minRememberedBytes = 4 << 10

// MaxRememberedGeometries bounds the stored geometries that are remembered: those of the images of a change, which every
// geo query of a collection reads one after the other.
const MaxRememberedGeometries = 4

// storedShapes are the shapes of a geometry in a document. Where they are remembered, they are made into one once, and
// shared by all who match.
type storedShapes struct {
	text   []byte // where it is remembered
	valid  bool   // else the text is no geometry
	bounds []s2.Cap
	make   func() *geometry // nil where a polygon is none
}

// rememberedShapes are the last ones that were long. A text means the same geometry wherever it stands, so that nothing
// can be out of date in it; which ones are there makes no difference but to the time that it takes.
var rememberedShapes struct {
	slots [MaxRememberedGeometries]atomic.Pointer[storedShapes]
	next  atomic.Uint32
}

// readStoredShapes reads v, an object. It is nil where that is no geometry.
func readStoredShapes(v Value) *storedShapes {
	text := v.Raw()
	long := len(text) >= minRememberedBytes
	if long {
		for i := range rememberedShapes.slots {
			if s := rememberedShapes.slots[i].Load(); s != nil && bytes.Equal(s.text, text) {
				return s.orNil()
			}
		}
	}
	r := &geometryReader{}
	s := &storedShapes{valid: r.object(v, nil)}
	if s.valid {
		s.bounds = r.shapes.bounds()
	}
	if !long {
		s.make = func() *geometry { return r.build(nil) }
		return s.orNil()
	}
	s.make = sync.OnceValue(func() *geometry { return r.build(nil) })
	s.text = slices.Clone(text)
	rememberedShapes.slots[rememberedShapes.next.Add(1)%MaxRememberedGeometries].Store(s)
	return s.orNil()
}

func (s *storedShapes) orNil() *storedShapes {
	if !s.valid {
		return nil
	}
	return s
}

// near reports whether the shapes may have a point in common with bound. It errs on the side of yes.
func (s *storedShapes) near(bound s2.Cap) bool {
	return bound.IsFull() || slices.ContainsFunc(s.bounds, bound.Intersects)
}
