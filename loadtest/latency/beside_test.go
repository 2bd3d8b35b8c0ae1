package main

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// The echo of the test is this test binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-echo" {
		exit(serveEcho(os.Args[2]))
	}
	os.Exit(m.Run())
}

func TestBesideMeasures(t *testing.T) {
	b, err := startBeside(1000, 2000, t.TempDir(), 500)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 21 {
		b.ticks <- n
	}
	bare, disk, err := b.stop(nil)
	if err != nil || len(bare) != 21 || len(disk) != 3 {
		t.Errorf("%d round trips, %d syncs, %v", len(bare), len(disk), err)
	}
}

func TestOpenLoopCountsFromTheDueTime(t *testing.T) {
	k := &clock{from: 5}
	ticks := 0
	answers, late, err := openLoop(context.Background(), config{rate: 1000, connections: 1}, k, 20, func(int) error { return nil }, func(int) { ticks++ })
	if err != nil || len(answers) != 15 || len(late) != 15 || len(k.due) != 20 || ticks != 15 {
		t.Errorf("%d answers, %d late, %d due, %d ticks, %v", len(answers), len(late), len(k.due), ticks, err)
	}
	if step := k.due[1].Sub(k.due[0]); step != time.Millisecond {
		t.Errorf("a step of %v", step)
	}
	k.received(fmt.Appendf(nil, `{"id":"s","type":"change","events":[{"match":"change","operation":"update","document":{"sequence":7}}]}`), k.due[7].Add(time.Second))
	k.received(fmt.Appendf(nil, `{"id":"s","type":"change","events":[{"match":"change","operation":"update","document":{"sequence":4}}]}`), time.Now())
	if len(k.events) != 1 || k.events[0] != time.Second {
		t.Errorf("events after %v", k.events)
	}
	if _, _, err := openLoop(context.Background(), config{rate: 1000, connections: 1}, &clock{}, 2, func(int) error { return context.Canceled }, func(int) {}); err == nil {
		t.Error("failed writes went unseen")
	}
}

func TestValidate(t *testing.T) {
	good := config{duration: time.Second, rate: 1, queries: 1, sessions: 1, documents: 1, connections: 1, bytes: 1}
	if err := good.validate(); err != nil {
		t.Error(err)
	}
	bad := good
	bad.rate = MaxRate + 1
	if bad.validate() == nil {
		t.Error("a rate beyond the bound was taken")
	}
}
