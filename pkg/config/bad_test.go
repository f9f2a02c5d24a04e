package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every file of testdata/bad gives exactly the errors that stand beside it.
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

// Every error has its file, and its line unless it is the file's as a whole.
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
