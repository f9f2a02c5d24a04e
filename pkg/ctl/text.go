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
