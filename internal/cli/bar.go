package cli

import (
	"fmt"
	"strings"
)

// bar is a progress bar on standard error, where that is a terminal; elsewhere it shows nothing.
type bar struct {
	program Program
	label   string
	format  func(int64) string // of what is counted
	shown   bool
	hidden  bool
}

func (p Program) newBar(label string) *bar {
	_, terminal := terminalOf(p.Stderr)
	return &bar{program: p, label: label, format: formatSize, hidden: !terminal}
}

const barCells = 30

// show draws how much is done. A total of 0 is not known.
func (b *bar) show(done, total int64) {
	if b.hidden {
		return
	}
	b.shown = true
	if total <= 0 {
		b.print("\r\x1b[K%s %s", b.label, b.format(done))
		return
	}
	cells := int(min(done, total) * barCells / total)
	b.print("\r\x1b[K%s [%s%s] %3d %%  %s of %s", b.label, strings.Repeat("#", cells), strings.Repeat(".", barCells-cells),
		min(done, total)*100/total, b.format(done), b.format(total))
}

// end takes the bar away. A second call does nothing.
func (b *bar) end() {
	if b.shown {
		b.print("\r\x1b[K")
		b.shown = false
	}
}

// print writes to a terminal that may have gone away, which is nobody's loss.
func (b *bar) print(format string, args ...any) {
	_, _ = fmt.Fprintf(b.program.Stderr, format, args...)
}

// formatSize is a number of bytes for a person.
func formatSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
