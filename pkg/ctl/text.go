package ctl

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// defaultWidth is the width of output that does not go to a terminal.
const defaultWidth = 80

// columns returns the width that tables may have: that of env, of the variable
// COLUMNS, of the terminal, or 80.
func columns(env Env) int {
	if env.Width > 0 {
		return env.Width
	}
	if n, err := strconv.Atoi(env.Getenv("COLUMNS")); err == nil && n >= defaultWidth/2 {
		return n
	}
	if n, _ := terminalWidth(env.Out); n >= defaultWidth/2 {
		return n
	}
	return defaultWidth
}

// terminalWidth returns how many columns the terminal behind w has, 0 if it does not say. It
// reports false if w is no terminal.
func terminalWidth(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(ws.Col), true
}

// age returns the time from since to now as FRR prints it: 01:02:03, 1d02h03m,
// 01w2d03h, 01y02w3d; "never" if since is not set.
func (a *app) age(since *timestamppb.Timestamp) string {
	if since == nil {
		return "never"
	}
	return span(a.Now().Sub(since.AsTime()))
}

// lasting returns " for " and the time since a state began; nothing if that is not known.
func (a *app) lasting(since *timestamppb.Timestamp) string {
	return when(since != nil, " for "+a.age(since))
}

// until returns the time from now to t, in whole seconds.
func (a *app) until(t *timestamppb.Timestamp) time.Duration {
	return max(t.AsTime().Sub(a.Now()).Round(time.Second), 0)
}

// clock returns a time of today as 15:04:05, of another day with its date.
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

// count returns "1 path", "2 paths", "2 prefixes".
func count[T int | uint32 | uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if s, ok := strings.CutSuffix(noun, "x"); ok {
		noun = s + "xe"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func decimal[T uint32 | uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

// maybe returns a number that may be absent.
func maybe(n *uint32) string {
	if n == nil {
		return ""
	}
	return decimal(*n)
}

// octets returns a size in the unit that people would choose.
func octets(n uint64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case n < kib:
		return fmt.Sprintf("%d B", n)
	case n < mib:
		return fmt.Sprintf("%d KiB", n/kib)
	case n < gib:
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/gib)
}

// when returns text if cond holds, else nothing. Texts are put together from such parts,
// often by joined, and a page drops a field whose text is empty.
func when(cond bool, text string) string {
	if cond {
		return text
	}
	return ""
}

// prefixed returns text behind prefix; nothing if there is no text.
func prefixed(prefix, text string) string { return when(text != "", prefix+text) }

// joined returns the parts that are not empty, separated by sep.
func joined(sep string, parts ...string) string {
	parts = slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" })
	return strings.Join(parts, sep)
}

func orNone(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// oneOf returns "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// printable removes the characters that would steer a terminal. Most texts come from
// neighbors, or from a daemon that may be an impostor. Neither may send escape
// sequences or change the direction of writing on an operator's screen.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// wrap breaks s at spaces into lines of at most width characters. A longer word
// gets a line for itself.
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

// elide cuts s to width characters and marks the cut.
func elide(s string, width int) string {
	if length(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}

// widest returns the length of the longest line.
func widest(lines []string) int {
	n := 0
	for _, l := range lines {
		n = max(n, length(l))
	}
	return n
}

func length(s string) int { return utf8.RuneCountInString(s) }

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

func pad(s string, width int) string { return s + spaces(width-length(s)) }

// line prints one line, without spaces at its end and without characters that would
// steer a terminal. Run's buffer remembers a failed write and returns the error when
// it is flushed, so that nothing that prints has to check for one.
func line(w io.Writer, s string) {
	_, _ = io.WriteString(w, printable(strings.TrimRight(s, " "))+"\n")
}

// hang prints a text over as many lines as it takes in width columns, the first line
// after first, the others after rest.
func hang(w io.Writer, width int, first, rest, text string) {
	for i, l := range wrap(printable(text), width-length(rest)) {
		line(w, [...]string{first, rest}[min(i, 1)]+l)
	}
}

// paragraph prints a text whose lines after the first are indented.
func (a *app) paragraph(text string) { hang(a.Out, a.Width, "", "  ", text) }

// warn prints a warning to stderr.
func (a *app) warn(text string) { fmt.Fprintf(a.Err, "Warning: %s.\n", printable(text)) }

// mostItems bounds how many items of a list are printed; --output json has all.
const mostItems = 20

// items prints a list below a title, if there is anything in it.
func items[T any](a *app, title string, list []T, text func(T) string) {
	for i, it := range list {
		switch i {
		case 0:
			line(a.Out, title)
		case mostItems:
			line(a.Out, fmt.Sprintf("  - and %d more (--output json)", len(list)-i))
			return
		}
		hang(a.Out, a.Width, "  - ", "    ", text(it))
	}
}

// page shows one object in detail: labels with values, in sections.
type page struct {
	out   io.Writer
	width int
	items []item
}

// item is a field, or a heading if it has no label.
type item struct{ label, text string }

func (a *app) newPage() *page { return &page{out: a.Out, width: a.Width} }

// heading starts a section.
func (p *page) heading(format string, args ...any) {
	p.items = append(p.items, item{text: fmt.Sprintf(format, args...)})
}

// field adds a value, unless it is empty.
func (p *page) field(label, value string) {
	if value != "" {
		p.items = append(p.items, item{label, value})
	}
}

// print writes the page. A section without fields is left out, unless it is the
// first, which is the title.
func (p *page) print() {
	labels := 0
	for _, it := range p.items {
		labels = max(labels, length(it.label))
	}
	for i, it := range p.items {
		switch {
		case it.label != "":
			hang(p.out, p.width, "  "+pad(it.label, labels+gap), spaces(2+labels+gap), it.text)
		case i == 0:
			hang(p.out, p.width, "", "", it.text)
		case i+1 < len(p.items) && p.items[i+1].label != "":
			hang(p.out, p.width, "", "", "\n"+it.text)
		}
	}
}

// Widths of the parts of a story.
const (
	storyMargin  = 2
	storyLabel   = 13 // after the margin
	storyVerdict = 10
	storyHang    = 2 // indent of the lines after the first
)

// story prints a sequence of events: headings, labelled texts, and steps with their
// verdicts. It prints a label once for all successive lines with that label.
type story struct {
	out     io.Writer
	width   int
	label   string
	started bool
}

// heading starts a section.
func (s *story) heading(text string) {
	if s.started {
		line(s.out, "")
	}
	s.label, s.started = "", true
	hang(s.out, s.width, "", spaces(storyHang), text)
}

// field prints a labelled text, unless it is empty.
func (s *story) field(label, text string) {
	if text != "" {
		s.put(label, "", text)
	}
}

// step prints a labelled verdict and its object, indented by depth.
func (s *story) step(label, verdict string, depth int, text string) {
	s.put(label, pad(printable(verdict), storyVerdict+2*depth), text)
}

func (s *story) put(label, verdict, text string) {
	if s.label == label {
		label = ""
	} else {
		s.label = label
	}
	indent := spaces(storyMargin) + pad(label, storyLabel)
	s.started = true
	hang(s.out, s.width, indent+verdict, spaces(length(indent)+length(verdict)+storyHang), text)
}
