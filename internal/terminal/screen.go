package terminal

import (
	"io"
	"strings"
)

// Screen draws lines over the ones that it drew before.
type Screen struct {
	W     io.Writer
	drawn int
}

// Draw replaces the lines on the terminal. They must fit it (see Table.Lines).
func (s *Screen) Draw(lines []string) error {
	var b strings.Builder
	if s.drawn == 0 {
		b.WriteString("\x1b[?25l") // no cursor while the table lives
	}
	b.WriteString("\x1b[?7l") // a line that became too wide is cut, not wrapped
	for range s.drawn {
		b.WriteString("\x1b[A")
	}
	b.WriteString("\r")
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?7h")
	s.drawn = len(lines)
	_, err := io.WriteString(s.W, b.String())
	return err
}

// Close leaves the last lines on the terminal and gives the cursor back.
func (s *Screen) Close() error {
	if s.drawn == 0 {
		return nil
	}
	s.drawn = 0
	_, err := io.WriteString(s.W, "\x1b[?25h")
	return err
}
