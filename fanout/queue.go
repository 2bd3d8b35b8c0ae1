package fanout

// frameQueue holds a session's frames in push order, and counts their bytes by what bounds them.
type frameQueue struct {
	frames       []Frame
	head         int // frames before it were taken
	changeBytes  int // change and progress frames: bounded by MaxQueueBytes
	resultBytes  int // results: bounded by MaxQueueBytes, apart, so that a large result does not make its changes lag
	controlBytes int // all others: bounded by MaxControlBytes
}

func (q *frameQueue) len() int   { return len(q.frames) - q.head }
func (q *frameQueue) bytes() int { return q.changeBytes + q.resultBytes + q.controlBytes }

func (q *frameQueue) counter(t FrameType) *int {
	switch t {
	case FrameChange, FrameProgress:
		return &q.changeBytes
	case FrameResult:
		return &q.resultBytes
	}
	return &q.controlBytes
}

// fits says whether f may be queued within maxBytes. The first of its sort always fits, else a frame larger than the
// bound could never be sent.
func (q *frameQueue) fits(f *Frame, maxBytes int) bool {
	n := *q.counter(f.Type)
	return n == 0 || n+f.cost() <= maxBytes
}

// fitsResult is fits for a whole result.
func (q *frameQueue) fitsResult(parts []Frame, maxBytes int) bool {
	if q.resultBytes == 0 {
		return true
	}
	n := q.resultBytes
	for i := range parts {
		n += parts[i].cost()
	}
	return n <= maxBytes
}

func (q *frameQueue) put(f Frame) {
	*q.counter(f.Type) += f.cost()
	q.frames = append(q.frames, f)
}

// take moves the first frames to dst: one at least, and as many as maxBytes hold.
func (q *frameQueue) take(dst []Frame, maxBytes int) []Frame {
	first, n := q.head, 0
	for q.head < len(q.frames) {
		f := &q.frames[q.head]
		if n += f.cost(); n > maxBytes && q.head > first {
			break
		}
		*q.counter(f.Type) -= f.cost()
		q.head++
	}
	dst = append(dst, q.frames[first:q.head]...)
	clear(q.frames[first:q.head])
	switch {
	case q.head == len(q.frames):
		q.frames, q.head = q.frames[:0], 0
		if cap(q.frames) > maxIdleFrames {
			q.frames = nil
		}
	case q.head > len(q.frames)/2: // moves each frame once at most, on average
		n := copy(q.frames, q.frames[q.head:])
		clear(q.frames[n:])
		q.frames, q.head = q.frames[:n], 0
	}
	return dst
}

// maxIdleFrames bounds the room that an empty queue keeps for its next frames.
const maxIdleFrames = 64

// without returns list without sub, order kept.
func without(list []*subscription, sub *subscription) []*subscription {
	for i, other := range list {
		if other == sub {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}
