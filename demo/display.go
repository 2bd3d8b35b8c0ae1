package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/freshetdb/freshet/internal/client"
	"github.com/freshetdb/freshet/internal/terminal"
)

const (
	redraw = 100 * time.Millisecond
	flash  = 900 * time.Millisecond
)

// display shows the live query: a table on a terminal, else a line an event.
type display struct {
	player *player
	table  bool
	color  bool

	mu     sync.Mutex // guards all below; taken before player.mu
	screen terminal.Screen
	last   map[string]terminal.Change
	event  string
	lit    time.Time
	failed error
}

func newDisplay(p *player) *display {
	return &display{
		player: p,
		table:  term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("TERM") != "dumb",
		color:  os.Getenv("NO_COLOR") == "",
		screen: terminal.Screen{W: os.Stdout},
		event:  "nothing yet",
	}
}

// take shows one frame of the live query.
func (d *display) take(f client.Frame) error {
	if f.Type != "change" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.table {
		var lines strings.Builder
		for _, e := range f.Events {
			lines.WriteString(e.Line() + "\n")
		}
		_, err := os.Stdout.WriteString(lines.String())
		return err
	}
	d.last, d.lit = map[string]terminal.Change{}, time.Now()
	for _, e := range f.Events {
		d.last[e.ID] = terminal.ChangeOf(e.Match)
		d.event = fmt.Sprintf("%s %s at %s (%s)", e.Match, e.ID, e.Place(), e.Operation)
	}
	d.draw()
	return d.failed
}

// run redraws until ctx ends, so that the clock of the week moves.
func (d *display) run(ctx context.Context) {
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for d.table {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.mu.Lock()
			d.draw()
			d.mu.Unlock()
		}
	}
}

// draw draws the table. d.mu is held.
func (d *display) draw() {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		width, height = 80, 24
	}
	p := d.player
	now := time.Now()
	p.mu.Lock()
	table := terminal.Table{
		Title:  fmt.Sprintf("The ten strongest earthquakes so far: %s  sort {\"mag\":-1}  limit %d", collection, limit),
		Status: fmt.Sprintf("%s  |  %d of %d writes  |  %s", p.clock.Format("Mon 2 Jan 2006 15:04"), p.written, len(p.writes), d.event),
		Fields: []string{"mag", "place", "time", "depth", "status", "_id"},
		Color:  d.color,
	}
	rows := make([]terminal.Row, len(p.top.Documents))
	for i, document := range p.top.Documents {
		change := d.last[document.ID]
		rows[i] = terminal.Row{ID: document.ID, Document: document.JSON, Last: change, Fresh: change != terminal.Unchanged && now.Sub(d.lit) < flash}
	}
	p.mu.Unlock()
	if err := d.screen.Draw(table.Lines(rows, width, height)); err != nil && d.failed == nil {
		d.failed = fmt.Errorf("write to the terminal: %w", err)
	}
}

// close leaves the last table on the terminal.
func (d *display) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.table {
		d.last = nil
		d.draw()
	}
	return d.screen.Close()
}
