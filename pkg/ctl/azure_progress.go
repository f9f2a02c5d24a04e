package ctl

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// progress shows in one line of a terminal what a command waits for.
type progress struct {
	out   io.Writer // nil: nobody watches
	width int       // columns of the terminal

	on bool // the line is on the screen
}

func newProgress(w io.Writer, width int) *progress {
	p := &progress{width: width}
	if isTerminal(w) {
		p.out = w
	}
	return p
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
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
