package bootstrap

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestWrite: bootstrap leaves files of others alone, replaces empty ones, and keeps
// symbolic links.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "nvad.toml"), filepath.Join(dir, "link.toml")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, tt := range []struct {
		content string
		changed bool
	}{{"a", true}, {"a", false}, {"b", true}} {
		changed, err := write(link, []byte(tt.content))
		if err != nil || changed != tt.changed {
			t.Errorf("%d: %v, %v", i, changed, err)
		}
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if err := os.WriteFile(file, []byte("asn = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := write(file, []byte("c")); !errors.Is(err, ErrChanged) {
		t.Errorf("a file of others: %v", err)
	}
	if _, err := write(filepath.Join(dir, "none", "nvad.toml"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}
