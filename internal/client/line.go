package client

import (
	"encoding/json"
	"regexp"
	"strconv"
)

// Line is the event in one line: its match, its place, the document's id and, but for a remove, the document.
func (e Event) Line() string {
	line := e.Match + " " + e.Place() + " " + PlainID(e.ID)
	if len(e.Document) > 0 {
		line += " " + string(e.Document)
	}
	return line
}

// Place is where the document is now, was before it was removed, or, moved, both: 3>1. Unordered it is a dash.
func (e Event) Place() string {
	text := func(index *int) string {
		if index == nil {
			return "-"
		}
		return strconv.Itoa(*index)
	}
	switch e.Match {
	case "remove":
		return text(e.PreviousIndex)
	case "changeIndex":
		return text(e.PreviousIndex) + ">" + text(e.Index)
	}
	return text(e.Index)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9._:@/~+-]+$`)

// PlainID is the id as it is where that is one word, else as a JSON string.
func PlainID(id string) string {
	if plain.MatchString(id) {
		return id
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		return strconv.Quote(id) // cannot be: every string has a JSON form
	}
	return string(quoted)
}
