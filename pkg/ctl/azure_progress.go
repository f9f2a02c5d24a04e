package ctl

import (
	"cmp"
	"fmt"
	"io"
)

// progress shows in one line of a terminal what a command waits for.
type progress struct {
	out   io.Writer // nil: nobody watches
	width int       // columns of the terminal

	on bool // the line is on the screen
}

// newProgress returns a progress for the terminal behind w. If that does not say how wide it is,
// width counts.
func newProgress(w io.Writer, width int) *progress {
	p := &progress{width: width}
	if n, ok := terminalWidth(w); ok {
		p.out, p.width = w, cmp.Or(n, width)
	}
	return p
}

// show replaces the line.
func (p *progress) show(text string) {
	if p.out != nil {
		p.on = true
		// A line that is longer than the terminal would leave its beginning behind.
		fmt.Fprintf(p.out, "\r\x1b[K%s", elide("Azure: "+printable(text), p.width-1))
	}
}

// clear removes the line, so that what follows begins in the first column.
func (p *progress) clear() {
	if p.on {
		p.on = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
