package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// past is a history whose last versions are texts, in a directory of its own, with the
// file that it is about.
type past struct {
	*testing.T
	*history.History
	file string
}

func newPast(t *testing.T) *past {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("STATE_DIRECTORY", dir)
	file := filepath.Join(dir, "nvad.toml")
	h, err := openHistory(Options{Config: file})
	if err != nil {
		t.Fatal(err)
	}
	return &past{t, h, file}
}

// text is a valid configuration that can be told apart by its name.
func text(name string) string { return head + "# " + name + "\n" }

func (p *past) commit(r history.Record, name string) {
	p.Helper()
	if err := p.Commit(r, []byte(text(name))); err != nil {
		p.Fatal(err)
	}
}

// starts chooses at a time with the given file. It fails unless the configuration
// called want runs, with a warning that contains warn.
func (p *past) starts(now time.Time, file, want, warn string) choice {
	p.Helper()
	if err := os.WriteFile(p.file, []byte(file), 0o600); err != nil {
		p.Fatal(err)
	}
	c, err := choose(p.History, p.file, now)
	if err != nil {
		p.Fatal(err)
	}
	if string(c.text) != text(want) {
		p.Errorf("runs\n%s, want %s", c.text, want)
	}
	if warn == "" != (c.warn == "") || !strings.Contains(c.warn, warn) {
		p.Errorf("warns %q, want %q", c.warn, warn)
	}
	return c
}

func TestChooseFile(t *testing.T) {
	p := newPast(t)
	c := p.starts(noon, text("one"), "one", "")
	if e, _ := c.record.Find(1); e.Cause != history.Start || c.record.Running != 1 {
		t.Errorf("%+v", c.record)
	}
	p.commit(c.record, "one")
	if c := p.starts(noon, text("one"), "one", ""); len(c.record.Entries) != 1 {
		t.Errorf("a start with the same file is kept twice: %+v", c.record)
	}
	if c := p.starts(noon, text("two"), "two", ""); c.record.Running != 2 {
		t.Errorf("%+v", c.record)
	}
}

// A pending change stays pending until its deadline. Then the previous configuration
// runs, over any number of restarts, until somebody changes the file.
func TestChooseUnconfirmed(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{Cause: history.Start}), "one")
	p.commit(p.Record().NextPending(history.Entry{Cause: history.Reload}, noon, time.Minute), "two")
	p.starts(noon.Add(59*time.Second), text("two"), "two", "waits for confirmation")
	p.starts(noon.Add(time.Second), "not even TOML", "two", "waits for confirmation")
	c := p.starts(noon.Add(time.Minute), text("two"), "one", "not confirmed in time")
	if e, _ := c.record.Find(2); e.Result != history.Unconfirmed || c.record.Pending != nil || c.record.Running != 3 {
		t.Errorf("%+v", c.record)
	}
	p.commit(c.record, "one")
	p.starts(noon.Add(time.Hour), text("two"), "one", "rolled back")
	p.starts(noon.Add(time.Hour), text("one"), "one", "")
	p.starts(noon.Add(time.Hour), text("three"), "three", "")
}

// A file that was broken at the deadline is not taken, even if it is broken in another
// way now: what ran keeps running.
func TestChooseWithoutFile(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{}), "one")
	p.commit(p.Record().NextPending(history.Entry{}, noon, time.Minute), "two")
	c := p.starts(noon.Add(time.Hour), "not even TOML", "one", "not confirmed in time")
	p.commit(c.record, "one")
	p.starts(noon.Add(time.Hour), "not even TOML", "one", "rolled back")
	p.starts(noon.Add(time.Hour), "neither", "one", "a version of the history runs in its place")
}

// ruin replaces versions by text that no nvad can parse, as an upgrade that renames a
// key would.
func (p *past) ruin(versions ...int) {
	p.Helper()
	for _, v := range versions {
		if err := os.WriteFile(p.Path(v), []byte("old-key = 1\n"), 0o600); err != nil {
			p.Fatal(err)
		}
	}
}

// A broken file does not stop BGP: the last configuration runs until the file is
// correct.
func TestChooseBrokenFile(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{Cause: history.Start}), "one")
	p.commit(p.Record().Next(history.Entry{Cause: history.Reload}), "two")
	for range 2 {
		c := p.starts(noon, "broken", "two", "a version of the history runs in its place")
		if len(c.skipped) != 1 || len(c.record.Entries) != 2 || !strings.Contains(c.degraded(p.file), "version 2 of the history runs") {
			t.Errorf("%+v, %s", c.record, c.degraded(p.file))
		}
	}
	p.ruin(2)
	c := p.starts(noon, "broken", "one", "a version of the history runs in its place")
	if e, _ := c.record.Find(c.record.Running); c.record.Running != 3 || e.Origin != 1 || e.Cause != history.Start {
		t.Errorf("%+v", c.record)
	}
	p.commit(c.record, "one")
	p.starts(noon, text("three"), "three", "")
	if err := os.Remove(p.file); err != nil {
		t.Fatal(err)
	}
	if c, err := choose(p.History, p.file, noon); err != nil || string(c.text) != text("one") {
		t.Errorf("without the file: %s, %v", c.text, err)
	}
}

// If a pending change can't run, the file takes its place and stays pending, or else
// the last confirmed configuration runs.
func TestChooseRuinedWait(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{Cause: history.Start}), "one")
	p.commit(p.Record().NextPending(history.Entry{Cause: history.Reload}, noon, time.Minute), "two")
	p.ruin(2)
	c := p.starts(noon.Add(20*time.Second), text("two"), "two", "the file runs in its place")
	if w := c.record.Pending; w == nil || w.Fallback != 1 || w.Left(noon) > time.Minute || !w.Deadline.Equal(noon.Add(time.Minute)) {
		t.Errorf("it does not wait: %+v", w)
	}
	c = p.starts(noon.Add(20*time.Second), "broken", "one", "a version of the history runs in its place")
	if e, _ := c.record.Find(2); e.Result != history.Unconfirmed || c.record.Pending != nil {
		t.Errorf("%+v", c.record)
	}
	p.commit(c.record, "one")
	p.starts(noon.Add(time.Hour), "broken", "one", "rolled back")
}

// If the version to roll back to can't run, the file does, or any other version.
// Discarded versions come last.
func TestChooseRuinedFallback(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{Cause: history.Start}), "one")
	p.commit(p.Record().Next(history.Entry{Cause: history.Reload}), "two")
	p.commit(p.Record().NextPending(history.Entry{Cause: history.Reload}, noon, time.Minute), "three")
	p.ruin(2)
	late := noon.Add(time.Hour)
	p.starts(late, text("four"), "four", "the file runs in its place")
	c := p.starts(late, text("three"), "one", "a version of the history runs in its place")
	if c.record.HeldBack != history.Sum([]byte(text("three"))) || c.record.Pending != nil {
		t.Errorf("what was not confirmed would come back: %+v", c.record)
	}
	p.ruin(1)
	c = p.starts(late, text("three"), "three", "in its place")
	if c.record.Pending != nil {
		t.Errorf("%+v", c.record)
	}
	p.starts(late, "broken", "three", "in its place")
}

// After a rollback the file is taken if nothing else can run.
func TestChooseRuinedRollback(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{Cause: history.Start}), "one")
	p.commit(p.Record().Next(history.Entry{Cause: history.Reload}), "two")
	r := p.Record().Back(1, history.Entry{}, history.RolledBack)
	r.HeldBack = history.Sum([]byte(text("two")))
	p.commit(r, "one")
	p.starts(noon, text("two"), "one", "rolled back")
	p.ruin(3)
	p.starts(noon, text("two"), "one", "a version of the history runs in its place")
	p.ruin(1)
	p.starts(noon, text("two"), "two", "the file runs in its place")
}

// If nothing can run, the error is that of the file.
func TestChooseNothing(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{Cause: history.Start}), "one")
	p.ruin(1)
	if err := os.WriteFile(p.file, []byte("neither"), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs config.Errors
	if _, err := choose(p.History, p.file, noon); err == nil {
		t.Error("a bad file was taken")
	} else if errs, _ = err.(config.Errors); len(errs) == 0 {
		t.Errorf("%v", err)
	}
}
