package frrconf

import (
	"regexp"
	"strings"
	"unicode"
)

// line is one line of an input and what became of it.
type line struct {
	file   string
	number int
	text   string // without the space around it
	words  []string
	indent int // spaces before it
	fate   fate
	left   []outcome
}

// fate is what became of a line.
type fate uint8

const (
	unseen  fate = iota
	empty        // says nothing: a comment, the end of a block, output of vtysh
	inForce      // stays in force where it stands, and nvad does without
	taken        // the result says it
	refused      // it is among the leftovers
)

// scan splits a file into lines.
func scan(file string, data []byte) []*line {
	var out []*line
	text := strings.TrimPrefix(string(data), "\ufeff") // Windows editors write it
	for i, raw := range strings.Split(text, "\n") {
		text := strings.TrimSpace(raw)
		indent := len(raw) - len(strings.TrimLeftFunc(raw, unicode.IsSpace))
		out = append(out, &line{file: file, number: i + 1, text: text, words: strings.Fields(text), indent: indent})
	}
	return out
}

// settle notes the outcome of the line as a whole.
func (l *line) settle(o outcome) {
	l.fate = taken
	if o != carried {
		l.fate = refused
		l.leave(o)
	}
}

// leave adds a reason, once; a line that is taken may still leave a part over.
func (l *line) leave(o outcome) {
	for _, other := range l.left {
		if other == o {
			return
		}
	}
	l.left = append(l.left, o)
}

// drop takes a line back that was taken when it was read.
func (l *line) drop(o outcome) {
	l.fate = refused
	l.leave(o)
}

func (l *line) leftovers() []Leftover {
	var out []Leftover
	for _, o := range l.left {
		out = append(out, Leftover{l.file, l.number, hideSecret(l.text), o.reason, o.kind})
	}
	return out
}

// prompt is that of vtysh with the command after it, as a terminal's copy of
// "show running-config" begins and ends.
var prompt = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\([a-z0-9-]+\))?[#>](\s|$)`)

// blank reports lines of an FRR configuration that say nothing.
func (l *line) blank() bool {
	switch l.text {
	case "", "Building configuration...", "Current configuration:":
		return true
	}
	return l.text[0] == '!' || l.text[0] == '#' || prompt.MatchString(l.text)
}

// secret is a command and the key behind it, which no list of leftovers shows.
var secret = regexp.MustCompile(`^((?:.*?\s)??(?:\S*password|key-string|authentication-key|message-digest-key|authentication string|authentication key|md5))\s.*$`)

func hideSecret(text string) string {
	return secret.ReplaceAllString(text, "$1 <hidden>")
}

// printable is text that can stand in a comment of TOML: valid UTF-8 without
// control characters.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
