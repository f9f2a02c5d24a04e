// Package telemetry identifies the running nvad and writes its log.
//
// Operators filter and alert on the log, and a neighbor or a client must not be able to flood it.
// So each event has one line with known keys, which systemd's journal keeps as fields
// ([Keys]), and an event that repeats too fast is counted instead of logged ([Limits],
// [Throttle]); the count is not lost.
//
// The package imports nothing of nvad and decides nothing about routes. Its only state is what
// the log holds back. Metrics are in package metrics.
package telemetry

import (
	"io"
	"log/slog"
	"os"

	"github.com/coreos/go-systemd/v22/journal"
)

// Logger is the daemon's log.
type Logger struct {
	*slog.Logger
	limit *limiter
}

// NewLogger returns a log with the given level on stderr. If stderr is systemd's journal, it
// sends each event as one entry with a priority and a field for each key, such as
// NVAD_NEIGHBOR=10.0.210.4 for neighbor; otherwise it writes a line of text. Events that
// repeat too fast are counted instead, see [Limits].
func NewLogger(level slog.Leveler) Logger {
	h := newTextHandler(os.Stderr, level)
	if inJournal() {
		h = journalHandler{level: level, send: journal.Send, stream: os.Stderr}
	}
	return newLogger(h, DefaultLimits)
}

func newLogger(h slog.Handler, l Limits) Logger {
	limit := newLimiter(l)
	return Logger{slog.New(limitHandler{next: h, limiter: limit}), limit}
}

// Flush logs the counts of what is held back.
func (l Logger) Flush() { l.limit.flush() }

// ErrorPrefix returns the prefix with which a line of text on stderr becomes an error in
// systemd's journal (sd-daemon(3)); it is empty outside the journal.
func ErrorPrefix() string {
	if inJournal() {
		return prefixOf(slog.LevelError)
	}
	return ""
}

// inJournal reports whether stderr is known to be systemd's journal.
func inJournal() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
}

func newTextHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
}
