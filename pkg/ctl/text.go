package ctl

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// defaultWidth is for output that does not go to a terminal.
const defaultWidth = 80

// columns is the width tables may have: what the caller asked for, the
// terminal's, or 80.
func columns(env Env) int {
	if env.Width > 0 {
		return env.Width
	}
	if n, err := strconv.Atoi(env.Getenv("COLUMNS")); err == nil && n >= defaultWidth/2 {
		return n
	}
	if f, ok := env.Out.(*os.File); ok {
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col >= defaultWidth/2 {
			return int(ws.Col)
		}
	}
	return defaultWidth
}

// age is the time from since to now as FRR prints it, "never" if since is not
// set: 01:02:03, 1d02h03m, 01w2d03h, 01y02w3d.
func (a *app) age(since *timestamppb.Timestamp) string {
	if since == nil {
		return "never"
	}
	return span(a.Now().Sub(since.AsTime()))
}

// clock is a time of today as 15:04:05, of another day with its date.
func (a *app) clock(t *timestamppb.Timestamp) string {
	at, now := t.AsTime().In(a.Now().Location()), a.Now()
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}

func span(d time.Duration) string {
	const day, week, year = 24, 7 * 24, 365 * 24 // in hours
	s := int(max(d, 0) / time.Second)
	h := s / 3600
	switch {
	case h < day:
		return fmt.Sprintf("%02d:%02d:%02d", h, s/60%60, s%60)
	case h < week:
		return fmt.Sprintf("%dd%02dh%02dm", h/day, h%day, s/60%60)
	case h < year:
		return fmt.Sprintf("%02dw%dd%02dh", h/week, h%week/day, h%day)
	}
	return fmt.Sprintf("%02dy%02dw%dd", h/year, h%year/week, h%year%week/day)
}

// count is "1 path", "2 paths".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if s, ok := strings.CutSuffix(noun, "x"); ok {
		noun = s + "xe"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable drops what would steer a terminal. Most texts are of neighbors, or of a
// daemon that need not be one: neither may write to the screen of an operator what it
// likes, such as escape sequences, or marks that turn the direction of writing.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// wrap breaks s at spaces into lines of at most width characters. A longer word
// has a line for itself.
func wrap(s string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(s, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			switch {
			case line == "":
				line = word
			case length(line)+1+length(word) <= width:
				line += " " + word
			default:
				lines = append(lines, line)
				line = word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// elide cuts s to width characters, the last of them a mark.
func elide(s string, width int) string {
	if length(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}

// widest is the length of the longest line.
func widest(lines []string) int {
	n := 0
	for _, l := range lines {
		n = max(n, length(l))
	}
	return n
}

func length(s string) int { return utf8.RuneCountInString(s) }

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-length(s), 0))
}

// line writes one line, without spaces at its end, and without what would steer a
// terminal.
func line(w io.Writer, s string) error {
	_, err := io.WriteString(w, printable(strings.TrimRight(s, " "))+"\n")
	return err
}

// page is one object in detail: labels with values, in sections.
type page struct {
	out   io.Writer
	width int
	items []item
}

// item is a field, or a heading if it has no label.
type item struct{ label, text string }

func newPage(out io.Writer, width int) *page { return &page{out: out, width: width} }

// heading starts a section.
func (p *page) heading(format string, args ...any) {
	p.items = append(p.items, item{text: fmt.Sprintf(format, args...)})
}

// field adds a value; an empty one is left out.
func (p *page) field(label, value string) {
	if value != "" {
		p.items = append(p.items, item{label, value})
	}
}

// print writes the page. A section without fields is left out, unless it is the
// first, which is the title.
func (p *page) print() error {
	labels := 0
	for _, it := range p.items {
		labels = max(labels, length(it.label))
	}
	for i, it := range p.items {
		if it.label == "" {
			empty := i+1 == len(p.items) || p.items[i+1].label == ""
			if i > 0 && empty {
				continue
			}
			if err := p.title(i, it.text); err != nil {
				return err
			}
			continue
		}
		if err := p.value(it, labels); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) title(i int, text string) error {
	if i > 0 {
		text = "\n" + text
	}
	return line(p.out, strings.Join(wrap(printable(text), p.width), "\n"))
}

func (p *page) value(it item, labels int) error {
	indent := 2 + labels + gap
	for i, l := range wrap(printable(it.text), p.width-indent) {
		label := ""
		if i == 0 {
			label = it.label
		}
		if err := line(p.out, "  "+pad(label, labels+gap)+l); err != nil {
			return err
		}
	}
	return nil
}

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
