package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/freshetdb/freshet/loadtest/load"
)

// figures is what one run gives.
type figures struct {
	answers, events, bare, disk, late []time.Duration
	requestBytes, replyBytes          int
}

// documentsPerGroup is how many documents one pair of queries (a filter, a window of ten) selects from at least.
const documentsPerGroup = 20

// clock keeps when each write was due; writes are known by their sequence.
type clock struct {
	mu     sync.Mutex
	due    []time.Time
	from   int // sequence of the first write that is measured
	events []time.Duration
}

func (c *clock) received(message []byte, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	load.Written(message, func(n int) {
		if n >= c.from && n < len(c.due) {
			c.events = append(c.events, at.Sub(c.due[n]))
		}
	})
}

// measure runs one server from start to end.
func measure(ctx context.Context, c config, durability string) (f figures, err error) {
	server, err := load.Start(c.binary, c.folder, "--durability", durability)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	writer := load.NewWriter(server.Listen, c.connections)
	defer writer.Close()
	groups := max(1, min(c.queries/2, c.documents/documentsPerGroup))
	warm := c.rate * int(c.warmUp/time.Millisecond) / 1000
	count := warm + c.rate*int(c.duration/time.Millisecond)/1000
	clock := &clock{due: make([]time.Time, 0, count), from: warm}
	document := func(i, sequence int) (string, []byte) {
		return fmt.Sprintf("d%d", i), load.Document(i%groups, rand.IntN(1_000_000), sequence, c.bytes)
	}
	err = load.Fill(ctx, writer, c.documents, min(c.connections, 16), func(i int) (string, []byte) { return document(i, -1) })
	if err != nil {
		return f, err
	}
	sessions, err := subscribe(server.Listen, c, groups, clock.received)
	defer func() {
		for _, s := range sessions {
			err = errors.Join(err, s.Close())
		}
	}()
	if err != nil {
		return f, err
	}
	// The size of an HTTP request as the writer sends it: the document and about 180 bytes of header lines.
	f.requestBytes, f.replyBytes = c.bytes+180, c.bytes+400
	beside, err := startBeside(f.requestBytes, f.replyBytes, server.Folder(), c.bytes)
	if err != nil {
		return f, err
	}
	f.answers, f.late, err = openLoop(ctx, c, clock, count, func(sequence int) error {
		id, text := document(rand.IntN(c.documents), sequence)
		return writer.Put(ctx, id, text)
	}, beside.tick)
	f.bare, f.disk, err = beside.stop(err)
	if err != nil {
		return f, err
	}
	clock.mu.Lock()
	defer clock.mu.Unlock()
	f.events = clock.events
	if len(f.events) < count-warm {
		return f, fmt.Errorf("%d writes caused only %d events; every write matches at least one query", count-warm, len(f.events))
	}
	return f, nil
}

// subscribe opens the sessions. Half of the queries are filters, half are windows, and every group has one of each.
func subscribe(address string, c config, groups int, received func([]byte, time.Time)) ([]*load.Session, error) {
	queries := make([][]load.Query, c.sessions)
	for i := range c.queries {
		q := load.Query{Filter: map[string]int{"group": (i / 2) % groups}}
		if i%2 == 1 {
			q.Sort, q.Limit = map[string]int{"score": -1}, 10
		}
		queries[i%c.sessions] = append(queries[i%c.sessions], q)
	}
	var sessions []*load.Session
	for _, set := range queries {
		s, err := load.Subscribe(address, set, received)
		if err != nil {
			return sessions, err
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

// openLoop makes count writes, each at the time when it is due whatever the ones before it do; their times count from
// then. Between two writes it calls tick.
func openLoop(ctx context.Context, c config, clock *clock, count int, write func(sequence int) error, tick func(n int)) (answers, late []time.Duration, err error) {
	var (
		writers sync.WaitGroup
		mu      sync.Mutex
		failed  error
	)
	slots := make(chan struct{}, c.connections)
	start := time.Now()
	step := time.Second / time.Duration(c.rate)
	for n := range count {
		due := start.Add(time.Duration(n) * step)
		if err := sleepUntil(ctx, due); err != nil {
			return nil, nil, err
		}
		clock.mu.Lock()
		clock.due = append(clock.due, due)
		clock.mu.Unlock()
		if n >= clock.from {
			late = append(late, time.Since(due))
		}
		slots <- struct{}{}
		writers.Go(func() {
			defer func() { <-slots }()
			err := write(n)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			if failed = errors.Join(failed, err); n >= clock.from {
				answers = append(answers, took)
			}
		})
		if n >= clock.from {
			if err := sleepUntil(ctx, due.Add(step/2)); err != nil {
				return nil, nil, err
			}
			tick(n)
		}
	}
	writers.Wait()
	// The last events are a moment behind the last answers.
	return answers, late, errors.Join(failed, sleepUntil(ctx, time.Now().Add(500*time.Millisecond)))
}

// MaxPause is the last part of a wait, which is not given up when ctx ends.
const MaxPause = 2 * time.Millisecond

func sleepUntil(ctx context.Context, t time.Time) error {
	if rest := time.Until(t) - MaxPause; rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if rest := time.Until(t); rest > 0 {
		pause(rest)
	}
	return ctx.Err()
}
