package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// Endless nesting is an error and does not crash the process.
func TestParseDeep(t *testing.T) {
	for _, open := range []string{"[", "{a="} {
		_, err := Parse("nvad.toml", []byte("a = "+strings.Repeat(open, 2<<20)))
		if err == nil || !strings.Contains(err.Error(), "nested more than") {
			t.Errorf("%q: %v", open, err)
		}
	}
}

// Each file in testdata/bad has exactly the errors in the .err file beside it.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) < 45 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := Parse("nvad.toml", data)
			if err == nil {
				t.Fatalf("no error; got %+v", cfg)
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(path, ".toml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Every error has its file and its line.
func TestBadPlaces(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.toml")
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(path, data)
		var all Errors
		if !errors.As(err, &all) {
			t.Errorf("%s: %T is not Errors", path, err)
		}
		lines := 1 + strings.Count(string(data), "\n")
		for _, e := range all {
			if e.File != path || e.Line < 1 || e.Line > lines || strings.Contains(e.Msg, "\n") {
				t.Errorf("%s: %q has no place", path, e)
			}
		}
	}
}
