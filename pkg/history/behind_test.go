package history

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// If the directory is not writable for a while, the history is still correct in memory,
// and on disk as soon as that is possible.
func TestBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	h, err := Open(dir, "nvad.toml")
	if err != nil {
		t.Fatal(err)
	}
	commit := func(e Entry, text string) {
		t.Helper()
		if err := h.Commit(h.Record().Next(e), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	commit(Entry{Cause: Start}, "one")
	if err := os.Rename(dir, dir+".full"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // nothing can be written below a file
		t.Fatal(err)
	}
	if err := h.Commit(h.Record().Next(Entry{}), []byte("no")); err == nil || h.Record().Running != 1 || h.Behind() != nil {
		t.Errorf("a change that must be kept: %v, version %d, behind: %v", err, h.Record().Running, h.Behind())
	}
	for _, text := range []string{"two", "three"} {
		if err := h.Note(h.Record().Next(Entry{Cause: Reload}), []byte(text)); err == nil {
			t.Error("no error")
		}
	}
	h.Prune()
	if text, err := h.Text(3); err != nil || string(text) != "three" || h.Behind() == nil || h.Sync() == nil {
		t.Errorf("in memory: %q, %v, behind: %v", text, err, h.Behind())
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".full", dir); err != nil {
		t.Fatal(err)
	}
	if err := h.Sync(); err != nil || h.Behind() != nil {
		t.Errorf("%v, behind: %v", err, h.Behind())
	}
	again, err := Open(dir, "nvad.toml")
	if err != nil || again.Record().Running != 3 {
		t.Fatalf("read back: %+v, %v", again.Record(), err)
	}
	for version, want := range map[int]string{1: "one", 2: "two", 3: "three"} {
		if text, err := again.Text(version); err != nil || string(text) != want {
			t.Errorf("version %d: %q, %v", version, text, err)
		}
	}
}

// While the directory is behind, texts that are no longer kept use no memory.
func TestBehindIsBounded(t *testing.T) {
	h, _ := Open("/proc/nowhere", "nvad.toml")
	for range 5 * Kept {
		_ = h.Note(h.Record().Next(Entry{Time: time.Now()}), []byte("text"))
	}
	if n := len(h.unsaved); n > Kept {
		t.Errorf("%d texts in memory", n)
	}
}

// A text that was changed after it was stored is not run, even if it is valid: an
// empty file could be.
func TestDamagedText(t *testing.T) {
	h, err := Open(filepath.Join(t.TempDir(), "history"), "nvad.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(h.Record().Next(Entry{}), []byte("asn = 65001")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Path(1), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := h.Text(1); err == nil {
		t.Errorf("no error for %q", text)
	}
}

// Without the index, the texts can still be run, and are not overwritten.
func TestDamagedIndex(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	h, err := Open(dir, "nvad.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := h.Commit(h.Record().Next(Entry{}), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, indexName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, "nvad.toml")
	if r := again.Record(); err == nil || r.Running != 2 || len(r.Entries) != 2 || r.Pending != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := again.Commit(again.Record().Next(Entry{}), []byte("three")); err != nil {
		t.Fatal(err)
	}
	again.Prune()
	for version, want := range map[int]string{1: "one", 2: "two", 3: "three"} {
		if text, err := again.Text(version); err != nil || string(text) != want {
			t.Errorf("version %d: %q, %v", version, text, err)
		}
	}
}
