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

// past is a history whose last versions are texts, in its own directory, with
// the file that it is about.
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

// text is a valid configuration, told apart by its name.
func text(name string) string { return head + "# " + name + "\n" }

func (p *past) commit(r history.Record, name string) {
	p.Helper()
	if err := p.Commit(r, []byte(text(name))); err != nil {
		p.Fatal(err)
	}
}

// starts chooses at a time with the file given, and fails unless what runs is
// called want and the outcome a warning with warn in it.
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

// A change that waits goes on waiting until its deadline; then the one before
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

// A file that was broken when the deadline passed is not taken either.
func TestChooseWithoutFile(t *testing.T) {
	p := newPast(t)
	p.commit(p.Record().Next(history.Entry{}), "one")
	p.commit(p.Record().NextPending(history.Entry{}, noon, time.Minute), "two")
	c := p.starts(noon.Add(time.Hour), "not even TOML", "one", "not confirmed in time")
	p.commit(c.record, "one")
	p.starts(noon.Add(time.Hour), "not even TOML", "one", "rolled back")
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
