package gateway

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// BenchmarkPut is one replaced document over HTTP, from 64 clients on connections of their own, without fsync.
func BenchmarkPut(b *testing.B) {
	s := startDev(b)
	text := fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", 500))
	s.do("PUT", "/v1/db/pages/p", text).want(201)
	var next atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r := s.do("PUT", fmt.Sprintf("/v1/db/pages/p%d", next.Add(1)%1000), text, "Prefer: return=minimal"); r.status > 201 {
				b.Error(r.body)
			}
		}
	})
}

// BenchmarkFanout is one write and its change frame at every one of the sockets of one query.
func BenchmarkFanout(b *testing.B) {
	for _, sockets := range []int{1, 100} {
		b.Run(fmt.Sprintf("sockets=%d", sockets), func(b *testing.B) {
			s := startDev(b)
			s.do("PUT", "/v1/db/pages/p", `{"n":0}`).want(201)
			arrived := make(chan struct{}, sockets)
			for range sockets {
				k := s.open()
				k.send(`{"type":"subscribe","id":"s1","collection":"pages"}`)
				k.want("subscribed", "s1")
				k.want("result", "s1")
				must(b, k.conn.SetReadDeadline(time.Time{}))
				go func() {
					for {
						kind, _, err := k.conn.ReadMessage()
						if err != nil {
							return // the benchmark is over
						}
						if kind == websocket.TextMessage {
							arrived <- struct{}{}
						}
					}
				}()
			}
			n := 0
			for b.Loop() {
				n++
				s.do("PUT", "/v1/db/pages/p", fmt.Sprintf(`{"n":%d}`, n)).want(200)
				for range sockets {
					<-arrived
				}
			}
		})
	}
}
