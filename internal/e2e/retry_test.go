package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshetdb/freshet/internal/e2e/wire"
	"github.com/freshetdb/freshet/loadtest/process"
)

// keyed is one request with an idempotency key.
type keyed struct {
	method, path, body, key string
}

func (k keyed) send(c *wire.Client) (wire.Answer, error) {
	var body []byte
	if k.body != "" {
		body = []byte(k.body)
	}
	return c.Do(k.method, k.path, body, "Idempotency-Key", k.key)
}

// abandon sends the request and never reads its answer.
func (k keyed) abandon(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, frameWait)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(k.method, "http://"+address+k.path, strings.NewReader(k.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", k.key)
	if err := request.Write(conn); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A server is killed when a write is there and its answer was not read. The repeat at the next one is answered as the
// first would have been, and nothing is made twice.
func TestRetryAfterTheCommit(t *testing.T) {
	data := t.TempDir()
	page := wire.Document("pages", "p")
	rows := []struct {
		keyed
		status int
		there  func(wire.Answer) bool // of the document, once the write is made
	}{
		{keyed{"PUT", page, `{"n":0}`, "k-put"}, 201, func(a wire.Answer) bool { return a.Status == 200 }},
		{keyed{"PATCH", page, `{"$inc":{"n":1}}`, "k-patch"}, 200, func(a wire.Answer) bool { return bytes.Contains(a.Body, []byte(`"n":1}`)) }},
		{keyed{"DELETE", page, ``, "k-delete"}, 204, func(a wire.Answer) bool { return a.Status == 404 }},
		{keyed{"POST", wire.Collection("pages"), `{"_id":"p","n":7}`, "k-post"}, 201, func(a wire.Answer) bool { return a.Status == 200 }},
	}
	for i, row := range rows {
		first, err := process.Start(binary, process.Dev(data)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = first.Kill() }) // does nothing if it has ended
		c := wire.NewClient(first.Listen, 2)
		conn := row.abandon(t, first.Listen)
		for made := false; !made; {
			answer, err := c.Do("GET", page, nil)
			if err != nil {
				t.Fatal(err)
			}
			made = row.there(answer)
		}
		if err := first.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}

		second, err := process.Start(binary, process.Dev(data)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = second.Kill() })
		c = wire.NewClient(second.Listen, 2)
		before, err := c.Do("GET", page, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			again, err := row.send(c)
			if err != nil || again.Status != row.status {
				t.Fatalf("%s again: %v, %v", row.method, again, err)
			}
			if after, err := c.Do("GET", page, nil); err != nil || after.String() != before.String() {
				t.Fatalf("the repeat of %s made a document of %v, which was %v (%v)", row.method, after, before, err)
			}
			if row.status != 204 && !bytes.Equal(again.Body, before.Body) {
				t.Fatalf("%s again: %v, but %v is stored", row.method, again, before)
			}
		}
		for _, earlier := range rows[:i] { // and all before it
			if again, err := earlier.send(c); err != nil || again.Status != earlier.status {
				t.Fatalf("%s again, later: %v, %v", earlier.method, again, err)
			}
		}
		c.Close()
		if err := second.Kill(); err != nil {
			t.Fatal(err)
		}
	}
}

// Clients count up documents and insert new ones while the server is killed again and again, and repeat each request
// until it is answered: each counts once.
func TestRetriesThroughCrashes(t *testing.T) {
	g := generator{random(t)}
	data := t.TempDir()
	const rounds, clients, documents = 5, 6, 3
	var address atomic.Pointer[string]
	var stopping atomic.Bool
	made := make([]atomic.Int64, documents)
	var inserted atomic.Int64
	var answers atomic.Int64
	answered := make(chan struct{}, 1<<20)
	server := func() *process.Process {
		t.Helper()
		p, err := process.Start(binary, process.Dev(data)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Kill() }) // does nothing if it has ended
		address.Store(&p.Listen)
		return p
	}
	running := server()
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			c := wire.NewClient(*address.Load(), 1)
			defer func() { c.Close() }()
			for i := 0; !stopping.Load(); i++ {
				d := (client + i) % documents
				k := keyed{"PATCH", wire.Document("counters", fmt.Sprint("c", d)) + "?upsert=true", `{"$inc":{"n":1}}`, fmt.Sprintf("%d-%d", client, i)}
				if i%3 == 0 {
					k.method, k.path, k.body = "POST", wire.Collection("pages"), fmt.Sprintf(`{"client":%d}`, client)
				}
				for {
					answer, err := k.send(c)
					if err != nil || answer.Status == 503 || answer.Status == 504 { // dead, starting, or stopping
						if now := *address.Load(); now != c.Address {
							c.Close()
							c = wire.NewClient(now, 1)
						} else {
							time.Sleep(time.Millisecond) // until the next server is up
						}
						continue
					}
					if answer.Status != 200 && answer.Status != 201 {
						t.Errorf("%+v: %v", k, answer)
						return
					}
					break
				}
				answers.Add(1)
				answered <- struct{}{}
				if k.method == "POST" {
					inserted.Add(1)
				} else {
					made[d].Add(1)
				}
			}
		})
	}
	for range rounds {
		for range 20 + g.IntN(200) {
			select {
			case <-answered:
			case <-time.After(frameWait):
				t.Fatal("the clients are not answered")
			}
		}
		if err := running.Kill(); err != nil {
			t.Fatal(err)
		}
		running = server()
	}
	stopping.Store(true)
	group.Wait()
	c := wire.NewClient(running.Listen, 1)
	defer c.Close()
	for d := range documents {
		answer, err := c.Do("GET", wire.Document("counters", fmt.Sprint("c", d)), nil)
		if want := fmt.Appendf(nil, `"n":%d}`, made[d].Load()); err != nil || !bytes.Contains(answer.Body, want) {
			t.Errorf("document %d: %v, want %s (%v)", d, answer, want, err)
		}
	}
	answer, err := c.Do("GET", wire.Collection("pages")+":count", nil)
	if want := fmt.Appendf(nil, `"count":%d,`, inserted.Load()); err != nil || !bytes.Contains(answer.Body, want) {
		t.Errorf("inserted: %v, want %s (%v)", answer, want, err)
	}
	t.Logf("%d requests", answers.Load())
	stop(t, running)
}
