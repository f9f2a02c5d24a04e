package ctl

import (
	"io"
	"strings"
)

// Columns of a story.
const (
	storyLabel   = 13 // width of labels, after the margin
	storyVerdict = 10
	storyMargin  = 2
	storyHang    = 2 // of the lines after the first
)

// story tells things in order: headings, labelled texts, and steps with their
// verdicts. A label is printed once for all that follow with the same.
type story struct {
	out   io.Writer
	width int
	label string
	lines int
	err   error
}

// heading starts a section.
func (s *story) heading(text string) {
	s.label = ""
	if s.lines > 0 {
		s.write("")
	}
	for i, l := range wrap(printable(text), s.width-storyHang) {
		if i > 0 {
			l = strings.Repeat(" ", storyHang) + l
		}
		s.write(l)
	}
}

// field is a labelled text; an empty one is left out.
func (s *story) field(label, text string) {
	if text != "" {
		s.put(label, 0, text)
	}
}

// step is a labelled verdict and what it is about, indented by its depth.
func (s *story) step(label, verdict string, depth int, text string) {
	indent := storyVerdict + 2*depth
	s.put(label, indent, pad(verdict, indent)+text)
}

// put prints a text whose first columns are spaced already.
func (s *story) put(label string, spaced int, text string) {
	text = printable(text)
	runes := []rune(text)
	first, rest := string(runes[:spaced]), string(runes[spaced:])
	left := storyMargin + storyLabel
	for i, l := range wrap(rest, s.width-left-spaced-storyHang) {
		if i > 0 {
			first = strings.Repeat(" ", spaced+storyHang)
		}
		s.write(strings.Repeat(" ", storyMargin) + pad(s.once(label), storyLabel) + first + l)
	}
}

// once is the label where it changes.
func (s *story) once(label string) string {
	if label == s.label {
		return ""
	}
	s.label = label
	return label
}

func (s *story) write(text string) {
	s.lines++
	if s.err == nil {
		s.err = line(s.out, text)
	}
}
