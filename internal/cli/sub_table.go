package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/freshetdb/freshet/internal/client"
	"github.com/freshetdb/freshet/internal/terminal"
)

// flash is how long a row that changed is lit up; its mark stays until the next change.
const flash = 1200 * time.Millisecond

// redraw is how often the table is drawn while nothing comes, so that ages and flashes move on.
const redraw = 400 * time.Millisecond

// liveTable is the live result on a terminal.
type liveTable struct {
	size  func() (width, height int)
	title string
	table terminal.Table

	mu     sync.Mutex // guards all below
	screen terminal.Screen
	view   client.View
	last   map[string]terminal.Change // documents of the last change
	event  string                     // the last event, in words
	lit    time.Time                  // when the last change came
	moved  time.Time                  // when the position last moved
	notice string                     // in place of the age: what is wrong with the connection
	failed error                      // of the terminal

	stop, stopped chan struct{}
}

func newLiveTable(p Program, fd int, o subOptions, q client.Query) *liveTable {
	l := &liveTable{
		size: func() (int, int) {
			width, height, err := term.GetSize(fd)
			if err != nil || width <= 0 || height <= 0 {
				return 80, 24
			}
			return width, height
		},
		title:  title(o),
		table:  terminal.Table{Fields: columnNames(q.Fields), Color: p.env("NO_COLOR", "") == ""},
		screen: terminal.Screen{W: p.Stdout},
		event:  "waiting for the result",
		stop:   make(chan struct{}), stopped: make(chan struct{}),
	}
	go l.tick()
	return l
}

// title is the query in words.
func title(o subOptions) string {
	parts := []string{o.collection}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	add("filter", o.filter)
	add("sort", o.sort)
	if o.skip > 0 {
		add("skip", fmt.Sprint(o.skip))
	}
	if o.limit > 0 {
		add("limit", fmt.Sprint(o.limit))
	}
	return strings.Join(parts, "  ")
}

// columnNames are the fields that were asked for; nil where the documents decide.
func columnNames(fields json.RawMessage) (names []string) {
	if json.Unmarshal(fields, &names) == nil {
		return names
	}
	return nil
}

// tick redraws until close.
func (l *liveTable) tick() {
	defer close(l.stopped)
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case now := <-ticker.C:
			l.mu.Lock()
			l.draw(now)
			l.mu.Unlock()
		}
	}
}

func (l *liveTable) handle(f client.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.view.Apply(f); err != nil {
		return err
	}
	now := time.Now()
	if f.Position != "" {
		l.moved, l.notice = now, ""
	}
	switch f.Type {
	case "result":
		l.last, l.event = nil, "result"
		if f.Reset {
			l.event = "result read anew (" + f.Reason + ")"
		}
	case "change":
		l.lit, l.last = now, map[string]terminal.Change{}
		for _, e := range f.Events {
			l.last[e.ID] = terminal.ChangeOf(e.Match)
			l.event = fmt.Sprintf("%s %s at %s (%s)", e.Match, e.ID, e.Place(), e.Operation)
		}
	case "subscribed":
		if len(f.Warnings) > 0 {
			l.event = "warning: " + f.Warnings[0].Detail
		}
	default:
		return l.failed
	}
	l.draw(now)
	return l.failed
}

func (l *liveTable) lost(cause error, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notice = fmt.Sprintf("connection lost, trying again in %v (%v)", wait.Round(100*time.Millisecond), cause)
	l.draw(time.Now())
}

// draw shows the view. l.mu is held.
func (l *liveTable) draw(now time.Time) {
	parts := []string{count(len(l.view.Documents), "document"), l.event}
	if l.notice != "" {
		parts = []string{parts[0], l.notice}
	} else if !l.moved.IsZero() {
		parts = append(parts, fmt.Sprintf("position %v old", now.Sub(l.moved).Round(time.Second)))
	}
	t := l.table
	t.Title, t.Status = l.title, strings.Join(parts, "  |  ")
	rows := make([]terminal.Row, len(l.view.Documents))
	for i, d := range l.view.Documents {
		change := l.last[d.ID]
		rows[i] = terminal.Row{ID: d.ID, Document: d.JSON, Last: change, Fresh: change != terminal.Unchanged && now.Sub(l.lit) < flash}
	}
	width, height := l.size()
	if err := l.screen.Draw(t.Lines(rows, width, height)); err != nil && l.failed == nil {
		l.failed = fmt.Errorf("write to the terminal: %w", err)
	}
}

// close leaves the table as it is on the terminal.
func (l *liveTable) close() error {
	close(l.stop)
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.screen.Close()
}
