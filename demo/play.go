package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/freshetdb/freshet/internal/client"
)

const (
	collection     = "quakes"
	limit          = 10
	requestTimeout = 10 * time.Second
	// settleTimeout bounds the wait for the events of the last writes.
	settleTimeout = 10 * time.Second
)

// player writes the timeline and follows two live queries: the one that is shown, and all documents, which gives each
// write one event to measure by.
type player struct {
	url    string
	writes []write

	mu      sync.Mutex // guards all below
	top     client.View
	topSeen int                    // events of the query that is shown
	allSeen int                    // events of the query over all documents
	sent    map[string][]time.Time // by id: writes whose event has not come
	took    []time.Duration        // from the write to its event
	written int
	clock   time.Time // of the week
	news    chan struct{}
}

// play replays the week in the given time and checks the live result against a naive sort in the end.
func play(ctx context.Context, url string, quakes []quake, length time.Duration) error {
	p := &player{url: url, writes: timeline(quakes), sent: map[string][]time.Time{}, news: make(chan struct{}, 1)}
	p.clock = p.writes[0].at
	if err := p.request(ctx, http.MethodPut, "/v1/db/"+collection, []byte("{}")); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	show := newDisplay(p)
	var running sync.WaitGroup
	follow := func(q client.Query, handle func(client.Frame) error) {
		running.Go(func() {
			sub := client.Subscription{URL: url, Query: q, Handle: handle}
			if err := sub.Run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	ready := make(chan struct{}, 2)
	topReady := sync.OnceFunc(func() { ready <- struct{}{} })
	allReady := sync.OnceFunc(func() { ready <- struct{}{} })
	follow(client.Query{Collection: collection, Sort: json.RawMessage(`[["mag",-1]]`), Limit: limit,
		Fields: json.RawMessage(`["mag","place","time","depth","status"]`)}, func(f client.Frame) error {
		return p.takeTop(f, topReady, show)
	})
	follow(client.Query{Collection: collection}, func(f client.Frame) error { return p.takeAll(f, allReady) })
	running.Go(func() { show.run(ctx) })
	err := p.replay(ctx, ready, length)
	if err == nil {
		err = p.settle(ctx, strongest(quakes, limit))
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(nil)
	running.Wait()
	err = errors.Join(err, show.close())
	if err == nil {
		fmt.Println(p.summary())
	}
	return err
}

// replay sends the writes, each when its time in the week has come. One follows the other, as in one reporting office.
func (p *player) replay(ctx context.Context, ready <-chan struct{}, length time.Duration) error {
	for range cap(ready) {
		select {
		case <-ready:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	first, last := p.writes[0].at, p.writes[len(p.writes)-1].at
	speed := float64(last.Sub(first)) / float64(length)
	start := time.Now()
	for _, w := range p.writes {
		due := start.Add(time.Duration(float64(w.at.Sub(first)) / speed))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		body, err := json.Marshal(w.quake)
		if err != nil {
			return fmt.Errorf("encode %s: %w", w.quake.ID, err)
		}
		p.mu.Lock()
		p.clock, p.written = w.at, p.written+1
		p.sent[w.quake.ID] = append(p.sent[w.quake.ID], time.Now())
		p.mu.Unlock()
		if err := p.request(ctx, http.MethodPut, "/v1/db/"+collection+"/"+url.PathEscape(w.quake.ID), body); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) request(ctx context.Context, method, path string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, client.MaxProblemBytes))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return nil
}

// takeTop brings the view of the query that is shown on by one frame.
func (p *player) takeTop(f client.Frame, ready func(), show *display) error {
	p.mu.Lock()
	err := p.top.Apply(f)
	p.topSeen += len(f.Events)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	p.tell()
	if f.Type == "result" {
		ready()
	}
	return show.take(f)
}

// takeAll measures: each write has one event in the query over all documents, in order.
func (p *player) takeAll(f client.Frame, ready func()) error {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range f.Events {
		p.allSeen++
		if waiting := p.sent[e.ID]; len(waiting) > 0 {
			p.took = append(p.took, now.Sub(waiting[0]))
			p.sent[e.ID] = waiting[1:]
		}
	}
	if f.Type == "result" {
		ready()
	}
	p.tell()
	return nil
}

// tell wakes settle; one wake-up stands for many.
func (p *player) tell() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// settle waits until every write had its event and the live result is what a naive sort of the file gives.
func (p *player) settle(ctx context.Context, want []string) error {
	timeout := time.After(settleTimeout)
	for {
		p.mu.Lock()
		seen := p.allSeen
		var got []string
		for _, d := range p.top.Documents {
			got = append(got, d.ID)
		}
		p.mu.Unlock()
		if seen == len(p.writes) && slices.Equal(got, want) {
			return nil
		}
		select {
		case <-p.news:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timeout:
			return fmt.Errorf("the live result is wrong: %d events for %d writes, the strongest are %v and must be %v", seen, len(p.writes), got, want)
		}
	}
}

func (p *player) summary() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.took)
	quantile := func(q float64) time.Duration {
		return p.took[int(q*float64(len(p.took)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d writes, %d events, %d of them for the %d strongest; from write to event p50 %v, p99 %v. The live result equals a sort of the file.",
		p.written, p.topSeen+p.allSeen, p.topSeen, limit, quantile(0.5), quantile(0.99))
}
