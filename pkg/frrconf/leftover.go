package frrconf

import "fmt"

// Kind says what to make of a line that was not carried over.
type Kind string

// Kinds of leftovers.
const (
	NoMeaning    Kind = "no meaning in nvad" // the route's way is the same without it
	NotSupported Kind = "not supported"      // nvad does not do this
	Attention    Kind = "needs attention"    // somebody has to decide or to check
)

// Leftover is a line, or a part of one, that the result does not say.
type Leftover struct {
	File   string // empty if the leftover belongs to no line
	Line   int    // from 1
	Text   string // the line without the space around it; secrets are hidden
	Reason string
	Kind   Kind
}

// String is "file:line: kind: reason: text" on one line.
func (l Leftover) String() string {
	s := fmt.Sprintf("%s: %s", l.Kind, l.Reason)
	if l.Text != "" {
		s += ": " + printable(l.Text)
	}
	if l.File == "" {
		return s
	}
	return fmt.Sprintf("%s:%d: %s", l.File, l.Line, s)
}

// outcome is what a handler made of a line; zero if the result says all of it.
type outcome struct {
	kind   Kind
	reason string
}

// carried is the outcome of a line that the result says in full.
var carried = outcome{}

func meaningless(format string, args ...any) outcome {
	return outcome{NoMeaning, fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) outcome {
	return outcome{NotSupported, fmt.Sprintf(format, args...)}
}

func attention(format string, args ...any) outcome {
	return outcome{Attention, fmt.Sprintf(format, args...)}
}
