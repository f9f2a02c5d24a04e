package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

func TestLoadFails(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.toml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#", tomlfile.MaxSize+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(dir, "closed.toml")
	if err := os.WriteFile(closed, nil, 0o000); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.toml")
	cases := map[string]string{
		missing:                   missing + ": no such file or directory",
		dir:                       dir + ": is a directory",
		large:                     large + ": the file is larger than 8 MiB",
		closed:                    closed + ": permission denied",
		filepath.Join(large, "x"): filepath.Join(large, "x") + ": not a directory",
	}
	for path, want := range cases {
		if path == closed && os.Geteuid() == 0 {
			continue // root may read it
		}
		if _, err := Load(path); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// A file that is nested without end is an error, not the end of the process.
func TestParseDeep(t *testing.T) {
	for _, open := range []string{"[", "{a="} {
		_, err := Parse("nvad.toml", []byte("a = "+strings.Repeat(open, 2<<20)))
		if err == nil || !strings.Contains(err.Error(), "nested more than") {
			t.Errorf("%q: %v", open, err)
		}
	}
}
