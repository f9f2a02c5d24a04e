package telemetry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
)

// TestJournalEntries: what the journal is given.
func TestJournalEntries(t *testing.T) {
	type entry struct {
		message  string
		priority journal.Priority
		fields   map[string]string
	}
	var got []entry
	send := func(m string, p journal.Priority, f map[string]string) error {
		got = append(got, entry{m, p, f})
		return nil
	}
	log := slog.New(journalHandler{level: slog.LevelInfo, send: send, stream: io.Discard})
	log.Info("ready")
	log.With("neighbor", "10.0.210.4").Warn("neighbor down", "as", 65515, "reason", `NOTIFICATION received: "x y"`)
	log.Error("log level changed", "level", "debug", "hold-time", "9s")
	log.Debug("too fine")
	want := []entry{
		{"ready", journal.PriInfo, map[string]string{"SYSLOG_IDENTIFIER": "nvad"}},
		{`neighbor down neighbor=10.0.210.4 as=65515 reason="NOTIFICATION received: \"x y\""`, journal.PriWarning, map[string]string{
			"SYSLOG_IDENTIFIER": "nvad", "NVAD_NEIGHBOR": "10.0.210.4", "NVAD_AS": "65515", "NVAD_REASON": `NOTIFICATION received: "x y"`}},
		{"log level changed level=debug hold-time=9s", journal.PriErr, map[string]string{
			"SYSLOG_IDENTIFIER": "nvad", "NVAD_LEVEL": "debug", "NVAD_HOLD_TIME": "9s"}},
	}
	if len(got) != len(want) {
		t.Fatalf("%d entries: %v", len(got), got)
	}
	for i, w := range want {
		if g := got[i]; g.message != w.message || g.priority != w.priority || !maps.Equal(g.fields, w.fields) {
			t.Errorf("got  %v\nwant %v", g, w)
		}
	}
}

// TestJournalGone: without the journal's socket the stream still has the priority.
func TestJournalGone(t *testing.T) {
	var out bytes.Buffer
	fail := func(string, journal.Priority, map[string]string) error { return errors.New("no socket") }
	log := slog.New(journalHandler{level: slog.LevelDebug, send: fail, stream: &out})
	log.With("neighbor", "10.0.210.4").Error("two\nlines", "reason", "a\nb")
	log.Debug("fine", "count", 1)
	want := fmt.Sprintln(`<3>two lines neighbor=10.0.210.4 reason="a\nb"`) + "<7>fine count=1\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}
