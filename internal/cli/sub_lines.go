package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/freshetdb/freshet/internal/client"
)

// printFrame writes a frame as it was received.
func (p Program) printFrame(f client.Frame) error {
	line := f.Raw
	if bytes.IndexByte(line, '\n') >= 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, line); err != nil {
			return err
		}
		line = compact.Bytes()
	}
	_, err := p.Stdout.Write(append(line[:len(line):len(line)], '\n'))
	return err
}

// printEvents writes what a frame does to the result, a line for each event.
func (p Program) printEvents(f client.Frame) error {
	var b bytes.Buffer
	switch f.Type {
	case "subscribed":
		for _, w := range f.Warnings {
			p.notice("warning: %s [%s]", w.Detail, w.Code)
		}
	case "result":
		word := "result"
		if f.Reset {
			word = "reset " + f.Reason
		}
		fmt.Fprintf(&b, "%s %d\n", word, len(f.Documents))
		for i, raw := range f.Documents {
			var document struct {
				ID string `json:"_id"`
			}
			if err := json.Unmarshal(raw, &document); err != nil {
				return fmt.Errorf("decode document: %w", err)
			}
			fmt.Fprintf(&b, "document %d %s %s\n", i, client.PlainID(document.ID), raw)
		}
	case "change":
		for _, e := range f.Events {
			b.WriteString(e.Line() + "\n")
		}
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := p.Stdout.Write(b.Bytes())
	return err
}
