package load

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestDocument(t *testing.T) {
	for _, size := range []int{0, 1000, 5000} {
		text := Document(3, 4, 567, size)
		var d struct{ Group, Score, Sequence int }
		if err := json.Unmarshal(text, &d); err != nil || d.Group != 3 || d.Score != 4 {
			t.Errorf("%s: %+v %v", text, d, err)
		}
		if n, ok := Sequence(text); !ok || n != 567 {
			t.Errorf("sequence %d %v", n, ok)
		}
		if over := len(text) - size; size >= 1000 && (over < 0 || over > 20) {
			t.Errorf("%d bytes, want about %d", len(text), size)
		}
	}
	if _, ok := Sequence([]byte(`{"match":"remove"}`)); ok {
		t.Error("a sequence where there is none")
	}
}

func TestMeasure(t *testing.T) {
	var all []time.Duration
	for i := 200; i > 0; i-- {
		all = append(all, time.Duration(i))
	}
	if got := Measure(all); got != (Quantiles{200, 100, 180, 198, 200}) {
		t.Errorf("got %+v", got)
	}
	if got := Measure([]time.Duration{7}); got != (Quantiles{1, 7, 7, 7, 7}) {
		t.Errorf("got %+v", got)
	}
	if got := Measure(nil); got != (Quantiles{}) {
		t.Errorf("got %+v", got)
	}
}

func TestWritten(t *testing.T) {
	frame := `{"id":"s","type":"change","events":[{"match":"remove","operation":"none","_id":"a","previousIndex":1},` +
		`{"match":"add","operation":"insert","_id":"b","index":0,"document":{"_id":"b","sequence":7}},` +
		`{"match":"add","operation":"none","_id":"c","index":0,"document":{"_id":"c","sequence":8}}],"position":"p"}`
	var got []int
	Written([]byte(frame), func(n int) { got = append(got, n) })
	if len(got) != 1 || got[0] != 7 {
		t.Errorf("got %v", got)
	}
}

func TestPrintTable(t *testing.T) {
	var out strings.Builder
	if err := PrintTable(&out, [][]string{{"step", "us"}, {"log", "12.5"}}); err != nil || out.String() != "  step    us\n   log  12.5\n" {
		t.Errorf("%q %v", out.String(), err)
	}
}
