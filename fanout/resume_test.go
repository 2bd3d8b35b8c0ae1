package fanout

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/freshetdb/freshet/matcher"
)

func mustComeBack(t *testing.T, s *Session, id string, q *testQuery, since string) {
	t.Helper()
	if err := s.Subscribe(Subscribe{ID: id, Collection: q.collection, Query: q.query, Since: since}); err != nil {
		t.Fatal(err)
	}
}

// of picks the frames of one subscription.
func of(frames []string, id string) (own []string) {
	for _, f := range frames {
		if strings.HasPrefix(f, id+": ") || strings.HasPrefix(f, `{"id":"`+id+`"`) {
			own = append(own, f)
		}
	}
	return own
}

// Frames of many positions at once do not pile up beyond MaxResumeBytes and those of one position more: the others come in
// a later round, and all are exact.
func TestResumesAreBoundedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxResumeBytes: 3000})
		q := mustCompile(t, 1, `{}`, "", "", 0, 0)
		session := s.listener.NewSession()
		defer session.Close()
		for i := range 3 {
			mustComeBack(t, session, fmt.Sprint("s", i), q, s.wireAt(s.sequence()))
			s.put(1, fmt.Sprintf(`{"_id":"p%d","t":%q}`, i, strings.Repeat("x", 600)))
		}
		s.settle()
		got := frames(t, session)
		for i := range 3 {
			own := of(got, fmt.Sprint("s", i))
			if len(own) != 1+3-i || !strings.Contains(own[1], fmt.Sprintf(`"_id":"p%d"`, i)) {
				t.Errorf("s%d: %q", i, own)
			}
		}
		m := s.listener.Metrics()
		if postponed, resumes := m.ResumesPostponed.Load(), m.Resumes.Load(); postponed != 1 || resumes != 3 {
			t.Errorf("%d positions were postponed and %d gone on from, not 1 and 3", postponed, resumes)
		}
	})
}

// More positions than one round goes on from: each has its frames all the same.
func TestResumesOfManyPositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{})
		q := mustCompile(t, 1, `{}`, "", "", 0, 0)
		session := s.listener.NewSession()
		defer session.Close()
		const positions = MaxResumesPerRound + 10
		for i := range positions {
			mustComeBack(t, session, fmt.Sprint("s", i), q, s.wireAt(s.sequence()))
			s.put(1, fmt.Sprintf(`{"_id":"p%d"}`, i))
		}
		s.settle()
		got := frames(t, session)
		for i := range positions {
			if own := of(got, fmt.Sprint("s", i)); len(own) != 1+positions-i {
				t.Errorf("s%d has %d frames, not %d", i, len(own), 1+positions-i)
			}
		}
	})
}

// A result that was larger than a window may be, at some time between the position and now, is no fault of those who
// subscribe now: who came back gets a fresh result.
func TestResumePastLargeWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{Limits: matcher.Limits{MaxWindow: 2}})
		q := mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 0)
		since := s.vector().String()
		s.apply(s.stage(inserts("p1", "p2", "p3")...))
		s.apply(s.stage(write{1, "p2", ""}, write{1, "p3", ""}))
		session := s.listener.NewSession()
		defer session.Close()
		mustSubscribe(t, session, "new", q)
		mustComeBack(t, session, "back", q, since)
		s.settle()
		got := frames(t, session)
		if own := of(got, "new"); len(own) != 2 || !strings.Contains(own[1], `"_id":"p1"`) {
			t.Errorf("new: %q", own)
		}
		if own := of(got, "back"); len(own) != 2 || !strings.Contains(own[1], `"reset":true,"reason":"`+ReasonNoHistory) {
			t.Errorf("back: %q", own)
		}
	})
}

// Small changes that bring large documents into a window are bounded by the frames that they make.
func TestResumeFramesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSteps(t, Config{MaxResumeBytes: 4000})
		q := mustCompile(t, 1, `{}`, `{"a":1}`, "", 0, 1)
		for i := range 4 {
			s.put(1, fmt.Sprintf(`{"_id":"p%d","a":%d,"t":%q}`, i, i, strings.Repeat("x", 2000)))
		}
		since := s.vector().String()
		s.apply(s.stage(write{1, "p0", ""}, write{1, "p1", ""}))
		session := s.listener.NewSession()
		defer session.Close()
		mustComeBack(t, session, "s", q, since)
		s.settle()
		got := frames(t, session)
		if len(got) != 2 || !strings.Contains(got[1], `"reason":"`+ReasonTooManyChanges) {
			t.Errorf("got %q", got)
		}
	})
}
