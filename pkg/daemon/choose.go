package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
)

// stateDirectory is where nvad keeps its history unless systemd or the socket
// says otherwise.
const stateDirectory = "/var/lib/nvad"

// openHistory opens the history of the configuration file. With an error it is
// empty, and nvad goes on.
func openHistory(o Options) (*history.History, error) {
	dir := stateDirectory
	switch systemd := os.Getenv("STATE_DIRECTORY"); {
	case systemd != "":
		dir = systemd
	case o.Socket != "":
		dir = filepath.Dir(o.Socket)
	}
	file, err := filepath.Abs(o.Config)
	if err != nil {
		file = o.Config
	}
	return history.Open(filepath.Join(dir, "history"), file)
}

// choice is what a start runs.
type choice struct {
	candidate
	record history.Record // the history once it runs
	warn   string         // why it is not the file, or not for good; empty: it is
}

// choose takes the file, unless the history knows better: what waits for its
// confirmation goes on waiting, what was not confirmed in time or was rolled
// back does not come back by a restart.
func choose(h *history.History, file string, now time.Time) (choice, error) {
	r := h.Record()
	text, unreadable := config.Read(file)
	switch {
	case r.Pending != nil && r.Pending.Left(now) > 0:
		return kept(h, r.Running, r, "configuration waits for confirmation still")
	case r.Pending != nil:
		return fallback(h, r, file, now)
	case r.HeldBack != "" && unreadable == nil && r.HeldBack == history.Sum(text):
		return kept(h, r.Running, r, "configuration file was rolled back and has not changed since: the history's runs")
	case unreadable != nil:
		return choice{}, unreadable
	}
	c, err := examine(file, text)
	if before, e := h.Text(r.Running); e != nil || !bytes.Equal(before, text) {
		r = r.Next(history.Entry{Time: now, Cause: history.Start})
	}
	return choice{candidate: c, record: r}, err
}

// fallback goes back from what was not confirmed while nvad did not run.
func fallback(h *history.History, r history.Record, file string, now time.Time) (choice, error) {
	to := r.Pending.Fallback
	c, err := kept(h, to, r, "configuration was not confirmed in time: the one before it runs")
	if err != nil {
		return c, err
	}
	ran, _ := h.Text(r.Running)
	c.record = r.Back(to, history.Entry{Time: now, By: deadlineName}, history.Unconfirmed)
	c.record.HeldBack = heldBack(file, ran, c.text)
	return c, nil
}

// kept is a version of the history.
func kept(h *history.History, version int, r history.Record, warn string) (choice, error) {
	text, err := h.Text(version)
	if err != nil {
		return choice{}, err
	}
	c, err := examine(h.Path(version), text)
	return choice{c, r, warn}, err
}
