package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
)

// stateDirectory is where nvad keeps its history, unless systemd or the socket says
// otherwise.
const stateDirectory = "/var/lib/nvad"

// openHistory opens the history of the configuration file. On an error the history is
// empty, and nvad continues.
func openHistory(o Options) (*history.History, error) {
	file, err := filepath.Abs(o.Config)
	if err != nil {
		file = o.Config
	}
	return history.Open(filepath.Join(o.stateDirectory(), "history"), file)
}

// stateDirectory returns the directory of what lasts longer than the machine is up.
func (o Options) stateDirectory() string {
	switch systemd := os.Getenv("STATE_DIRECTORY"); {
	case systemd != "":
		return systemd
	case o.Socket != "":
		return filepath.Dir(o.Socket)
	}
	return stateDirectory
}

// choice is the configuration that a start chose.
type choice struct {
	candidate
	record  history.Record // the history with this choice running
	warn    string         // why it is not the file, or is still pending; empty: it is the file
	skipped []error        // why better choices can't run
	isFile  bool
}

// theFile stands for the configuration file among the versions of the history.
const theFile = 0

// selection is everything that a start can choose from.
type selection struct {
	history    *history.History
	record     history.Record
	path       string // of the file
	text       []byte // of the file
	unreadable error  // of the file; nil: it has text
	now        time.Time
}

// choose takes the file, with these exceptions: a pending change stays pending, and a
// change that was not confirmed in time or was rolled back does not return with a
// restart. If nvad can't run a choice, it takes the next best, down to the oldest
// version kept (ADR 0012). If nothing can run, the error is that of the file.
func choose(h *history.History, path string, now time.Time) (choice, error) {
	s := selection{history: h, record: h.Record(), path: path, now: now}
	s.text, s.unreadable = config.Read(path)
	var skipped []error
	var fileErr error
	for _, version := range s.order() {
		c, err := s.candidate(version)
		if err == nil {
			return choice{c, s.recordOf(version, c.text), s.warning(version, len(skipped) > 0), skipped, version == theFile}, nil
		}
		if version == theFile {
			fileErr = err
		} else {
			err = fmt.Errorf("version %d of the history: %w", version, err)
		}
		skipped = append(skipped, err)
	}
	return choice{}, fileErr
}

func (s *selection) candidate(version int) (candidate, error) {
	if version == theFile {
		if s.unreadable != nil {
			return candidate{}, s.unreadable
		}
		return examine(s.path, s.text)
	}
	text, err := s.history.Text(version)
	if err != nil {
		return candidate{}, err
	}
	return examine(s.history.Path(version), text)
}

func (s *selection) waits() bool {
	return s.record.Pending != nil && s.record.Pending.Left(s.now) > 0
}

func (s *selection) lapsed() bool { return s.record.Pending != nil && !s.waits() }

// heldBack reports whether the file is unchanged since it was rolled back.
func (s *selection) heldBack() bool {
	return s.unreadable == nil && s.record.HeldBack == history.Sum(s.text)
}

// isRunning reports whether text ran last.
func (s *selection) isRunning(text []byte) bool {
	ran, err := s.history.Text(s.record.Running)
	return err == nil && bytes.Equal(ran, text)
}

// order lists the versions to try, the best first: those that ADR 0007 asks for, then
// those that nobody discarded, the newest first, then the discarded ones. To run one of
// them is better than not to run.
func (s *selection) order() []int {
	r := s.record
	var out []int
	switch {
	case s.waits():
		out = []int{r.Running, theFile, r.Pending.Fallback}
	case s.lapsed() && s.unreadable == nil && s.isRunning(s.text):
		out = []int{r.Pending.Fallback}
	case s.lapsed():
		out = []int{r.Pending.Fallback, theFile}
	case s.heldBack():
		out = []int{r.Running}
	case r.Running == 0:
		out = []int{theFile}
	default:
		out = []int{theFile, r.Running}
	}
	add := func(version int) {
		if !slices.Contains(out, version) {
			out = append(out, version)
		}
	}
	discarded := func(e history.Entry) bool {
		return e.Discarded() || s.lapsed() && e.Version == r.Running
	}
	for _, e := range slices.Backward(r.Entries) {
		if !discarded(e) {
			add(e.Version)
		}
	}
	add(theFile)
	for _, e := range slices.Backward(r.Entries) {
		add(e.Version)
	}
	return out
}

// recordOf returns the history with version, which has text, running.
func (s *selection) recordOf(version int, text []byte) history.Record {
	r := s.record
	start := history.Entry{Time: s.now, Cause: history.Start}
	switch {
	case !s.lapsed() && s.isRunning(text):
		return r
	case version == theFile && s.waits():
		return r.NextPending(start, s.now, r.Pending.Left(s.now))
	case version == theFile && s.lapsed():
		return r.Lapsed().Next(start)
	case version == theFile:
		return r.Next(start)
	}
	ran, _ := s.history.Text(r.Running)
	held := r.HeldBack
	if r.Pending != nil {
		held = heldBack(s.path, ran, text)
	}
	switch e, _ := r.Find(version); {
	case r.Pending != nil && version == r.Pending.Fallback:
		r = r.Back(version, history.Entry{Time: s.now, By: deadlineName}, history.Unconfirmed)
	case r.Pending != nil:
		start.Origin = e.Source()
		r = r.Lapsed().Next(start)
	default:
		start.Origin = e.Source()
		r = r.Next(start)
	}
	r.HeldBack = held
	return r
}

// warning says why version runs; empty if it is the file, as it should be.
func (s *selection) warning(version int, skipped bool) string {
	switch {
	case skipped && version == theFile:
		return "configuration that should run can't: the file runs in its place"
	case skipped:
		return "configuration that should run can't: a version of the history runs in its place"
	case version == theFile:
		return ""
	case s.waits():
		return "configuration still waits for confirmation"
	case s.lapsed():
		return "configuration was not confirmed in time: the one before it runs"
	}
	return "configuration file was rolled back and has not changed since: a version of the history runs"
}

// degraded says which configuration runs in place of a better one, and why; empty if
// the best one runs.
func (c choice) degraded(path string) string {
	if len(c.skipped) == 0 {
		return ""
	}
	why, _, more := strings.Cut(c.skipped[0].Error(), "\n")
	if more {
		why += " (and more)"
	}
	if c.isFile {
		return fmt.Sprintf("%s runs since the start, because nvad can't run the configuration that it should: %s", path, why)
	}
	return fmt.Sprintf("version %d of the history runs since the start, because nvad can't run the configuration that it should: %s (correct %s and reload)",
		c.record.Running, why, path)
}

// logSkipped logs why better choices can't run, one line for each fault.
func (d *daemon) logSkipped(c choice) {
	for _, err := range c.skipped {
		for line := range strings.Lines(err.Error()) {
			d.log.Error("configuration can't run", "reason", strings.TrimSuffix(line, "\n"))
		}
	}
	d.notices.set("configuration", c.degraded(d.opt.Config))
}

// remember writes the choice of the start into the history, and logs if it is not the
// file.
func (d *daemon) remember(c choice) {
	text := c.text
	if c.record.Running == d.history.Record().Running {
		text = nil
	}
	if err := d.history.Note(c.record, text); err != nil {
		d.log.Warn("configuration not kept, tried again", "reason", err)
	}
	d.history.Prune()
	if c.warn == "" {
		return
	}
	d.log.Warn(c.warn, "config_version", c.record.Running, "config", d.opt.Config)
	if p := c.record.Pending; p != nil {
		d.log.Warn("rollback unless confirmed", "deadline", p.Deadline, "fallback", p.Fallback)
	}
}

// keepTime is the time between two attempts to write the history.
const keepTime = 30 * time.Second

// keepHistory writes to the history, as soon as that is possible, what could not be
// written before.
func (d *daemon) keepHistory(ctx context.Context) error {
	tick := time.NewTicker(keepTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if d.history.Behind() == nil {
			continue
		}
		d.config.mu.Lock()
		if err := d.history.Sync(); err == nil {
			d.history.Prune()
			d.log.Info("history of configurations written", "config_version", d.history.Record().Running)
		}
		d.config.mu.Unlock()
	}
}
