package frrconf

import (
	"slices"
	"strings"
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
