package history

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const file = "/etc/nvad/nvad.toml"

func open(t *testing.T, dir, file string) *History {
	t.Helper()
	h, err := Open(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func commit(t *testing.T, h *History, r Record, text string) {
	t.Helper()
	if err := h.Commit(r, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// The next process finds the last ten commits; nobody else can read them.
func TestKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	h := open(t, dir, file)
	for i := 1; i <= Kept+5; i++ {
		commit(t, h, h.Record().Next(Entry{Time: noon, Cause: Reload, By: "root"}), "# "+strconv.Itoa(i))
		h.Prune()
	}
	again := open(t, dir, file)
	if diff := cmp.Diff(h.Record(), again.Record()); diff != "" {
		t.Error(diff)
	}
	r := again.Record()
	if len(r.Entries) != Kept || r.Running != Kept+5 || r.Entries[0].Version != 6 {
		t.Errorf("kept %+v", r)
	}
	for _, e := range r.Entries {
		text, err := again.Text(e.Version)
		if err != nil || string(text) != "# "+strconv.Itoa(e.Version) {
			t.Errorf("version %d: %q, %v", e.Version, text, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != Kept+1 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", dir, info.Mode(), err)
	}
	if r := open(t, dir, "/tmp/other.toml").Record(); len(r.Entries) != 0 || r.Running != 0 {
		t.Errorf("another file has the history %+v", r)
	}
}

// A directory that is not writable, or has invalid content, is an error; the history
// stays as it was.
func TestBroken(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &History{dir: filepath.Join(dir, "file", "history")}
	if err := h.Commit(h.Record().Next(Entry{}), []byte("x")); err == nil {
		t.Error("written below a file")
	}
	if h.Record().Running != 0 {
		t.Errorf("record %+v", h.Record())
	}
	if err := os.WriteFile(filepath.Join(dir, indexName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Open(dir, file)
	if err == nil {
		t.Error("rubbish was read")
	}
	commit(t, h, h.Record().Next(Entry{}), "x")
	if open(t, dir, file).Record().Running != 1 {
		t.Error("not written over rubbish")
	}
}

// results returns the result of each version.
func results(r Record) (list []string) {
	for _, e := range r.Entries {
		list = append(list, strconv.Itoa(e.Version)+" "+e.Result)
	}
	return list
}

func TestConfirm(t *testing.T) {
	base := Record{}.Next(Entry{Cause: Start})
	waiting := base.NextPending(Entry{Cause: Reload, By: "root"}, noon, time.Minute)
	if p := waiting.Pending; p == nil || p.Fallback != 1 || !p.Deadline.Equal(noon.Add(time.Minute)) || waiting.Running != 2 {
		t.Fatalf("%+v", waiting)
	}
	if left := waiting.Pending.Left(noon.Add(-time.Hour)); left != time.Minute {
		t.Errorf("with the clock set back, %v are left", left)
	}
	if left := waiting.Pending.Left(noon.Add(2 * time.Minute)); left >= 0 {
		t.Errorf("after the deadline, %v are left", left)
	}
	done := waiting.Confirm("alice")
	if e, _ := done.Find(2); e.Result != Confirmed || e.Judge != "alice" || done.Pending != nil {
		t.Errorf("%+v", done)
	}
	if e, _ := waiting.Find(2); e.Result != Waiting {
		t.Error("the record before was changed")
	}
}

// A change that replaces a waiting one falls back to the version that was confirmed
// last, however many such changes follow.
func TestFallbackStays(t *testing.T) {
	r := Record{}.Next(Entry{Cause: Start})
	for range 3 * Kept {
		r = r.NextPending(Entry{Cause: Reload}, noon, time.Minute)
	}
	if _, kept := r.Find(1); !kept || r.Pending.Fallback != 1 || len(r.Entries) != Kept {
		t.Errorf("%+v", r)
	}
	if e, _ := r.Find(r.Running - 1); e.Result != Replaced {
		t.Errorf("replaced: %+v", e)
	}
	back := r.Back(1, Entry{Time: noon}, Unconfirmed)
	if e, _ := back.Find(back.Running); e.Cause != Rollback || e.Origin != 1 || back.Pending != nil {
		t.Errorf("%+v", back)
	}
}

// Repeated rollbacks go further back, and never to a discarded version.
func TestBefore(t *testing.T) {
	r := Record{}
	if r.Before() != 0 {
		t.Error("a version before none")
	}
	for range 3 {
		r = r.Next(Entry{Cause: Reload})
	}
	r = r.NextPending(Entry{Cause: Reload}, noon, time.Minute)
	var went []int
	for r.Before() != 0 {
		went = append(went, r.Before())
		r = r.Back(r.Before(), Entry{By: "root"}, RolledBack)
	}
	if want := []int{3, 2, 1}; !slices.Equal(went, want) {
		t.Errorf("went to %v, want %v: %v", went, want, results(r))
	}
	r = r.Next(Entry{Cause: Reload})
	if e, _ := r.Find(r.Before()); e.Origin != 1 {
		t.Errorf("a reload after it goes back to %+v", e)
	}
}

// TestStrangers: a history that somebody else created or could have changed is not read,
// and nothing is written through it.
func TestStrangers(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		root       bool
		spoil      func(dir string) error
	}{
		{"directory of another user", "belongs to another user", true, func(dir string) error { return os.Chown(dir, 65534, 65534) }},
		{"directory of all", "can be changed by other users", false, func(dir string) error { return os.Chmod(dir, 0o777) }},
		{"link", "is a link", false, func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir))
		}},
		{"index of another user", "belongs to another user", true, func(dir string) error {
			return os.Chown(filepath.Join(dir, indexName), 65534, 65534)
		}},
		{"index is a link", "too many levels of symbolic links", false, func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, indexName), dir+".json"), os.Symlink(dir+".json", filepath.Join(dir, indexName)))
		}},
		{"index is a pipe", "is a link or another kind of file", false, func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, indexName)), syscall.Mkfifo(filepath.Join(dir, indexName), 0o600))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			dir := filepath.Join(t.TempDir(), "history")
			h := open(t, dir, file)
			commit(t, h, h.Record().NextPending(Entry{Time: noon}, noon, time.Hour), "planted")
			if err := tt.spoil(dir); err != nil {
				t.Fatal(err)
			}
			again, err := Open(dir, file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if r := again.Record(); r.Pending != nil || r.Running != 0 {
				t.Errorf("the planted history is taken: %+v", r)
			}
			if strings.HasPrefix(tt.name, "index") {
				return
			}
			if err := again.Commit(again.Record().Next(Entry{Time: noon}), []byte("secret")); err == nil {
				t.Error("kept where others can change it")
			}
			if _, err := h.Text(1); err == nil {
				t.Error("a text is read that others can have changed")
			}
		})
	}
}
