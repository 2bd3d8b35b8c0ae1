package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/freshetdb/freshet/internal/e2e/follow"
	"github.com/freshetdb/freshet/internal/e2e/oracle"
	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

// Statement 4: a data folder serves one process.
func TestSecondServerIsRefused(t *testing.T) {
	data := t.TempDir()
	p := start(t, data)
	code, stderr, err := process.RunToEnd(30*time.Second, binary, process.Dev(data)...)
	if err != nil {
		t.Fatal(err)
	}
	if code != 1 || !strings.Contains(strings.ToLower(stderr), "lock") || !strings.Contains(stderr, data) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	answer, err := client(t, p, 1).Do("GET", "/readyz", nil)
	if err != nil || answer.Status != 200 {
		t.Errorf("the first server is not ready any more: %v %v", answer, err)
	}
}

// Statement 4: SIGTERM drains: live queries are told to come again, nothing acknowledged is lost, the exit code is 0,
// and the time line goes on.
func TestTerminate(t *testing.T) {
	for _, durability := range []string{"fsync", "os"} {
		t.Run(durability, func(t *testing.T) {
			data := t.TempDir()
			p, position, reason := restart(t, data, durability, func(p *process.Process) error { return p.Terminate(30 * time.Second) })
			if p.ExitCode() != 0 {
				t.Errorf("exit code %d: %s", p.ExitCode(), p.Stderr())
			}
			if reason != "" {
				t.Errorf("since=%s was answered by a reset because of %q", position, reason)
			}
		})
	}
}

// Statement 4: what was only handed to the operating system counts as lost after a crash, even if it was not: the
// positions of before are of another time line.
func TestCrashBeginsNewTimeLineUnderDurabilityOS(t *testing.T) {
	for durability, want := range map[string]string{"fsync": "", "os": "other-timeline"} {
		t.Run(durability, func(t *testing.T) {
			_, position, reason := restart(t, t.TempDir(), durability, (*process.Process).Kill)
			if reason != want {
				t.Errorf("since=%s was answered by a reset because of %q, want %q", position, reason, want)
			}
		})
	}
}

// restart runs a server with a live query, ends it, starts it again, resumes the query and writes. It returns why the
// query began anew, "" if it did not.
func restart(t *testing.T, data, durability string, end func(*process.Process) error) (p *process.Process, position, reason string) {
	t.Helper()
	p = start(t, data, "--durability", durability)
	session := dial(t, p)
	answer, err := client(t, p, 1).Do("PUT", wire.Document("pages", "a"), []byte(`{"n":1}`))
	if err != nil || answer.Status != 201 {
		t.Fatalf("%v %v", answer, err)
	}
	first := follow.New(oracle.Query{})
	subscribe(t, session, first, "")
	for !first.Live() {
		advance(t, session, first)
	}
	if err := end(p); err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = session.Next(frameWait)
	}
	var closed *websocket.CloseError
	if p.ExitCode() == 0 && (!errors.As(err, &closed) || closed.Code != 4001) {
		t.Errorf("the session ended with %v, want close code 4001", err)
	}
	_ = session.Close() // its other end is gone

	again := start(t, data, "--durability", durability)
	session = dial(t, again)
	second := first.Resume()
	subscribe(t, session, second, first.Position)
	another, err := client(t, again, 1).Do("PUT", wire.Document("pages", "b"), []byte(`{"n":2}`))
	if err != nil || another.Status != 201 {
		t.Fatalf("%v %v", another, err)
	}
	for len(second.View) < 2 {
		if step := advance(t, session, second); step.Reset {
			reason = step.Reason
		}
	}
	if differ := follow.Same(second.Query, second.View, []oracle.Object{answer.Object(), another.Object()}); differ != "" {
		t.Errorf("after the restart: %s", differ)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	return p, first.Position, reason
}

func subscribe(t *testing.T, session *wire.Session, f *follow.Follower, since string) {
	t.Helper()
	if err := session.Subscribe("s", "pages", f.Query, since); err != nil {
		t.Fatal(err)
	}
}

// advance applies the next frame.
func advance(t *testing.T, session *wire.Session, f *follow.Follower) follow.Step {
	t.Helper()
	for {
		frame, err := session.Next(frameWait)
		if err != nil {
			t.Fatal(err)
		}
		if frame.Type == "progress" {
			continue
		}
		step, err := f.Apply(frame)
		if err != nil {
			t.Fatal(err)
		}
		return step
	}
}
