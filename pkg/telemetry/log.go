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

// NewLogger returns a log of the given level on stderr. Where stderr is systemd's
// journal, an event is sent there as one entry with a priority and a field for each
// key, NVAD_NEIGHBOR=10.0.210.4 for neighbor; else it is a line of text.
// Events that repeat too fast are counted instead, see [Limits].
func NewLogger(level slog.Leveler) Logger {
	h := newTextHandler(os.Stderr, level)
	if inJournal() {
		h = newJournalHandler(level, journal.Send, newPrefixHandler(os.Stderr, level))
	}
	return newLogger(h, DefaultLimits)
}

func newLogger(h slog.Handler, l Limits) Logger {
	limit := newLimiter(l)
	return Logger{slog.New(limitHandler{next: h, limiter: limit}), limit}
}

// Flush tells of what was held back up to now.
func (l Logger) Flush() { l.limit.flush() }

// ErrorPrefix is what a line of text on stderr must begin with to be an error in
// systemd's journal (sd-daemon(3)), and empty elsewhere.
func ErrorPrefix() string {
	if inJournal() {
		return prefixOf(slog.LevelError)
	}
	return ""
}

// inJournal reports whether stderr is systemd's journal. What can't be told is not.
func inJournal() bool {
	is, err := journal.StderrIsJournalStream()
	return is && err == nil
}

func newTextHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
}
