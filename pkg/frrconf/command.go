package frrconf

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// handler carries a line over; args are the words for the capitals of the pattern.
type handler func(c *converter, l *line, args []string) outcome

// rule is a command and its handler.
type rule struct {
	words []string
	do    handler
}

// on returns a rule. In the pattern, a word in capitals stands for any word, "a|b" for
// either, and "REST" at the end for any number of words.
func on(pattern string, do handler) rule {
	return rule{strings.Fields(pattern), do}
}

// always returns a handler with a fixed outcome.
func always(o outcome) handler {
	return func(*converter, *line, []string) outcome { return o }
}

// each returns rules with a fixed outcome.
func each(o outcome, patterns ...string) []rule {
	out := make([]rule, len(patterns))
	for i, p := range patterns {
		out[i] = on(p, always(o))
	}
	return out
}

// match returns the words for the capitals of the pattern.
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

// literal returns the words of l in front of the first capitals of the pattern.
func (r rule) literal(l *line) string {
	n := slices.IndexFunc(r.words, open)
	if n < 0 {
		n = len(r.words)
	}
	return strings.ToLower(strings.Join(l.words[:n], " "))
}

// open reports whether a word of a pattern stands for any word.
func open(word string) bool {
	return word == strings.ToUpper(word) && word != strings.ToLower(word)
}

func literal(want, word string) bool {
	return slices.ContainsFunc(strings.Split(want, "|"), func(w string) bool {
		return strings.EqualFold(w, word)
	})
}

// mode is the block around a line.
type mode struct {
	parent  *mode
	rules   []rule
	family  family      // address family of neighbor commands
	clause  *clause     // in a route-map
	device  string      // in an interface block
	bfd     *bfdProfile // in the bfd block
	skipped outcome     // outcome of all lines, if the block is left out
	nested  bool        // the lines of the block are indented
	indent  int         // indentation of the line that opened the block
}

// find returns the rule for words from the block, or from the nearest one around it that
// knows them, as vtysh does for files that do not end their blocks.
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

// enter begins a block within the current one.
func (c *converter) enter(m *mode) {
	m.parent = c.mode
	c.mode = m
}

// skip leaves out the block that follows.
func (c *converter) skip(o outcome) outcome {
	c.enter(&mode{skipped: o})
	return o
}

// block returns a handler that leaves out the block that the command opens.
func block(o outcome) handler {
	return func(c *converter, _ *line, _ []string) outcome { return c.skip(o) }
}

// line is one line of an input and the result for it.
type line struct {
	file   string
	number int
	text   string // without the space around it
	words  []string
	indent int // number of spaces before it
	fate   fate
	left   []outcome
}

// fate is the result for a line.
type fate uint8

const (
	unseen  fate = iota
	empty        // no content: a comment, the end of a block, output of vtysh
	inForce      // stays in force in its file, and nvad does not need it
	taken        // carried over
	refused      // left over
)

// scan splits a file into lines.
func scan(file string, data []byte) []*line {
	var out []*line
	text := strings.TrimPrefix(readable(data), "\ufeff") // Windows editors write it
	for i, raw := range strings.Split(text, "\n") {
		text := strings.TrimSpace(raw)
		indent := len(raw) - len(strings.TrimLeftFunc(raw, unicode.IsSpace))
		out = append(out, &line{file: file, number: i + 1, text: text, words: strings.Fields(text), indent: indent})
	}
	return out
}

// readable returns a file as text. Octets that are no UTF-8 count as Latin-1: as invalid
// characters, two names of lists that differ would become one.
func readable(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var out strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			r = rune(data[0])
		}
		out.WriteRune(r)
		data = data[n:]
	}
	return out.String()
}

// settle records the outcome of the line as a whole.
func (l *line) settle(o outcome) {
	l.fate = taken
	if o != carried {
		l.fate = refused
		l.leave(o)
	}
}

// leave adds a leftover, once. Part of a line that is carried over may be left over.
func (l *line) leave(o outcome) {
	if !slices.Contains(l.left, o) {
		l.left = append(l.left, o)
	}
}

// drop leaves over a line that was carried over when it was read.
func (l *line) drop(o outcome) {
	l.fate = refused
	l.leave(o)
}

func (l *line) leftovers() []Leftover {
	var out []Leftover
	for _, o := range l.left {
		out = append(out, Leftover{l.file, l.number, o.kind, hideSecret(o.reason), hideSecret(l.text), o.placeholder})
	}
	return out
}

// prompt matches a prompt of vtysh with the command after it. A copy of "show
// running-config" from a terminal begins and ends with one.
var prompt = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\([a-z0-9-]+\))?[#>](\s|$)`)

// blank reports whether a line of an FRR configuration has no content.
func (l *line) blank() bool {
	switch l.text {
	case "", "Building configuration...", "Current configuration:":
		return true
	}
	return l.text[0] == '!' || l.text[0] == '#' || prompt.MatchString(l.text)
}

// secret matches a command with a password or key, which no leftover may show.
var secret = regexp.MustCompile(`^((?:.*?\s)??(?:\S*password|key-string|authentication-key|message-digest-key|authentication string|authentication key|md5))\s.*$`)

// Keys of wg-quick, by their names, and whatever else looks like one.
var (
	wgSecret = regexp.MustCompile(`(?i)^(\s*(?:private|preshared)\s*key)\b.*$`)
	wgKey    = regexp.MustCompile(`[A-Za-z0-9+/]{40,}=*`)
)

func hideSecret(text string) string {
	text = secret.ReplaceAllString(text, "$1 <hidden>")
	text = wgSecret.ReplaceAllString(text, "$1 <hidden>")
	return wgKey.ReplaceAllString(text, "<hidden>")
}

// printable makes a text valid in a comment of TOML: UTF-8 without control characters.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
