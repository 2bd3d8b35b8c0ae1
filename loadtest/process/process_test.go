package process

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests run this test binary as the child.
func TestMain(m *testing.M) {
	switch os.Getenv("CHILD") {
	case "serve":
		println(`not JSON`)
		println(`{"level":"info","listen":"127.0.0.1:1","admin":"127.0.0.1:2","message":"serving"}`)
		var never chan int
		<-never
	case "fail":
		println("freshet: no way")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

func TestStartKill(t *testing.T) {
	t.Setenv("CHILD", "serve")
	p, err := Start(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if p.Listen != "127.0.0.1:1" || p.Admin != "127.0.0.1:2" {
		t.Errorf("listens on %q and %q", p.Listen, p.Admin)
	}
	if _, err := p.CPU(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child is still there: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	t.Setenv("CHILD", "fail")
	if _, err := Start(os.Args[0]); !errors.Is(err, ErrNotServing) || !strings.Contains(err.Error(), "no way") {
		t.Errorf("got %v", err)
	}
	code, stderr, err := RunToEnd(10*time.Second, os.Args[0])
	if code != 3 || !strings.Contains(stderr, "no way") || err != nil {
		t.Errorf("got %d %q %v", code, stderr, err)
	}
}

func TestParseCPU(t *testing.T) {
	got, err := parseCPU("12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 9 0 1")
	if err != nil || got != 1750*time.Millisecond {
		t.Errorf("got %v %v", got, err)
	}
	if _, err := parseCPU("12 (a) S 1"); err == nil {
		t.Error("a short line was read")
	}
}

func TestStderrIsBounded(t *testing.T) {
	var p Process
	p.keep("first line\n")
	for range 3 {
		p.keep(strings.Repeat("x", MaxStderrBytes/2) + "\n")
	}
	p.keep("last line\n")
	got := p.Stderr()
	if len(got) > MaxStderrBytes || !strings.HasPrefix(got, "first line\n") || !strings.HasSuffix(got, "last line\n") {
		t.Errorf("%d bytes kept, from %.20q", len(got), got)
	}
}
