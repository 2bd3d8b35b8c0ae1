package terminal

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Change says what happened to a row last.
type Change int

const (
	Unchanged Change = iota
	Added
	Changed
	Moved
)

// ChangeOf is what an event's match did to the row that it leaves; a removed document leaves none.
func ChangeOf(match string) Change {
	switch match {
	case "add":
		return Added
	case "changeIndex":
		return Moved
	case "change":
		return Changed
	}
	return Unchanged
}

// Row is one document of a table.
type Row struct {
	ID       string
	Document json.RawMessage
	Last     Change
	Fresh    bool // just now: the whole row is lit up
}

// Table is what to draw.
type Table struct {
	Title  string   // first line
	Status string   // second line
	Fields []string // columns, dotted paths allowed; none: the fields of the documents
	Color  bool
}

// maxColumnWidth is the most that one column takes while others are cut.
const maxColumnWidth = 40

type column struct {
	name  string
	width int
	right bool
	cells []string
}

var marks = [...]struct{ sign, color string }{Unchanged: {" ", ""}, Added: {"+", "32"}, Changed: {"~", "33"}, Moved: {"↕", "36"}}

// Lines renders the table for a terminal of that many columns and rows.
func (t Table) Lines(rows []Row, width, height int) []string {
	lines := []string{
		t.paint("1", cut(clean(t.Title), width)),
		t.paint("2", cut(clean(t.Status), width)),
	}
	hidden := 0
	if room := max(height-len(lines)-2, 1); len(rows) > room {
		hidden = len(rows) - room + 1
		rows = rows[:len(rows)-hidden]
	}
	columns := t.columns(rows)
	shrink(columns, width-2)
	var head strings.Builder
	for _, c := range columns {
		head.WriteString(fit(c.name, c.width, c.right) + "  ")
	}
	lines = append(lines, t.paint("4", fit("  "+strings.TrimRight(head.String(), " "), width, false)))
	for i, row := range rows {
		lines = append(lines, t.row(columns, i, row, width))
	}
	if hidden > 0 {
		lines = append(lines, cut(fmt.Sprintf("  … %d more", hidden), width))
	}
	return lines[:min(len(lines), max(height-1, 1))]
}

func (t Table) row(columns []column, i int, row Row, width int) string {
	var text strings.Builder
	for _, c := range columns {
		text.WriteString(fit(c.cells[i], c.width, c.right) + "  ")
	}
	mark := marks[row.Last]
	line := cut(mark.sign+" "+strings.TrimRight(text.String(), " "), width)
	switch {
	case row.Fresh:
		return t.paint("7;"+mark.color, fit(line, width, false))
	case row.Last != Unchanged:
		return t.paint(mark.color, line)
	}
	return line
}

func (t Table) paint(code, text string) string {
	if !t.Color || text == "" {
		return text
	}
	return "\x1b[" + strings.Trim(code, ";") + "m" + text + "\x1b[0m"
}

// columns collects the named fields, or those that the rows have, in the order in which they first appear.
func (t Table) columns(rows []Row) []column {
	names := t.Fields
	if len(names) == 0 {
		seen := map[string]bool{"_id": true, "_rev": true, "_createdAt": true, "_updatedAt": true, "_acl": true}
		names = []string{"_id"}
		for _, row := range rows {
			for _, f := range fields(row.Document) {
				if !seen[f.name] {
					seen[f.name] = true
					names = append(names, f.name)
				}
			}
		}
	}
	columns := make([]column, 0, len(names))
	for _, name := range names {
		c := column{name: clean(name), right: len(rows) > 0, cells: make([]string, len(rows))}
		c.width = Width(c.name)
		for i, row := range rows {
			text, number := cell(lookup(row.Document, name))
			c.cells[i] = text
			c.right = c.right && (number || text == "" || text == "null")
			c.width = max(c.width, min(Width(text), maxColumnWidth))
		}
		columns = append(columns, c)
	}
	return columns
}

// shrink narrows the widest columns until the table fits, and leaves out the last ones where even that is not enough.
func shrink(columns []column, width int) {
	const narrowest = 6
	total := func() (n int) {
		for _, c := range columns {
			n += c.width + 2
		}
		return n - 2
	}
	for total() > width {
		widest := 0
		for i, c := range columns {
			if c.width > columns[widest].width {
				widest = i
			}
		}
		if columns[widest].width <= narrowest {
			return // the lines are cut at the edge
		}
		columns[widest].width--
	}
}
