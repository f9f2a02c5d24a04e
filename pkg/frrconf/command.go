package frrconf

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// handler carries a line over; args are the words that the pattern's capitals
// stand for.
type handler func(c *converter, l *line, args []string) outcome

// rule is a command and what to do with it.
type rule struct {
	words []string
	do    handler
}

// on makes a rule. A word of the pattern in capitals stands for any word,
// "a|b" for either, "REST" at the end for any number of words.
func on(pattern string, do handler) rule {
	return rule{strings.Fields(pattern), do}
}

// always is a handler with one answer, for commands that carry nothing over.
func always(o outcome) handler {
	return func(*converter, *line, []string) outcome { return o }
}

// each is rules with one answer.
func each(o outcome, patterns ...string) []rule {
	out := make([]rule, len(patterns))
	for i, p := range patterns {
		out[i] = on(p, always(o))
	}
	return out
}

// match returns the words that the pattern leaves open.
func (r rule) match(words []string) ([]string, bool) {
	var args []string
	for i, want := range r.words {
		switch {
		case want == "REST":
			return append(args, words[i:]...), true
		case i >= len(words):
			return nil, false
		case open(want):
			args = append(args, words[i])
		case !literal(want, words[i]):
			return nil, false
		}
	}
	return args, len(words) == len(r.words)
}

// open reports a word of a pattern that stands for any word.
func open(word string) bool {
	return word == strings.ToUpper(word) && word != strings.ToLower(word)
}

func literal(want, word string) bool {
	return slices.ContainsFunc(strings.Split(want, "|"), func(w string) bool {
		return strings.EqualFold(w, word)
	})
}

// mode is the block that a line stands in.
type mode struct {
	parent *mode
	rules  []rule
	family family  // of the neighbors' commands
	clause *clause // of a route-map
	device string  // of an interface block
	// skipped is the answer to all lines of a block that is left out.
	skipped outcome
	nested  bool // the block's lines are indented
	indent  int  // of the line that opened the block
}

// find returns the rule for words in the mode or the nearest one around it
// that knows them, as vtysh does for files that do not end their blocks.
func (m *mode) find(words []string) (*mode, handler, []string) {
	for ; m != nil; m = m.parent {
		for _, r := range m.rules {
			if args, ok := r.match(words); ok {
				return m, r.do, args
			}
		}
	}
	return nil, nil, nil
}

// enter makes the lines that follow those of a block in the current one.
func (c *converter) enter(m *mode) {
	m.parent = c.mode
	c.mode = m
}

// skip leaves a block out.
func (c *converter) skip(o outcome) outcome {
	c.enter(&mode{skipped: o})
	return o
}

// block is a handler that leaves out the block a command opens.
func block(o outcome) handler {
	return func(c *converter, _ *line, _ []string) outcome { return c.skip(o) }
}

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
