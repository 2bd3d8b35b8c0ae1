package main

import (
	"reflect"
	"testing"
	"time"
)

func TestAddUp(t *testing.T) {
	const traces = `File: freshet
Type: cpu
Duration: 10s, Total samples = 14s
-----------+-------------------------------------------------------
      10ms   runtime.memmove
             github.com/freshetdb/freshet/matcher.(*parser).value
             github.com/freshetdb/freshet/matcher.Parse
             github.com/freshetdb/freshet/gateway.(*call).readDocument
             net/http.HandlerFunc.ServeHTTP
-----------+-------------------------------------------------------
     1.50s   internal/runtime/syscall.Syscall6
             syscall.write
             net.(*conn).Write
             github.com/gorilla/websocket.(*Conn).write
             github.com/freshetdb/freshet/gateway.(*socket).flush
-----------+-------------------------------------------------------
      20ms   syscall.write
             os.(*File).Write
             github.com/freshetdb/freshet/ingest.(*SegmentLog).write
-----------+-------------------------------------------------------
      30ms   runtime.scanobject
             runtime.gcBgMarkWorker
-----------+-------------------------------------------------------
      40ms   net.(*conn).Read
             net/http.(*conn).serve
-----------+-------------------------------------------------------
      50ms   runtime.futex
`
	steps, err := addUp(traces)
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{"transport: WebSocket", 1500 * time.Millisecond}, {"other", 50 * time.Millisecond}, {"transport: HTTP", 40 * time.Millisecond},
		{"garbage collection", 30 * time.Millisecond}, {"log", 20 * time.Millisecond}, {"parse and compose", 10 * time.Millisecond},
	}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("got  %v\nwant %v", steps, want)
	}
	if _, err := addUp("nothing"); err == nil {
		t.Error("an empty profile was taken")
	}
}
