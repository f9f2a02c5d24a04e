package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goodFiles returns the shipped files and those of testdata/good, all of which must parse.
func goodFiles(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, pattern := range []string{"../../configs/*.toml", "testdata/good/*.toml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 3 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.Base(path)] = data
		}
	}
	return out
}

// A printed Config parses to an equal one, which prints the same.
func TestPrintParses(t *testing.T) {
	for name, data := range goodFiles(t) {
		t.Run(name, func(t *testing.T) {
			cfg, err := Parse(name, data)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, cfg)
		})
	}
}

func roundTrip(t testing.TB, cfg *Config) {
	t.Helper()
	text := Print(cfg, false)
	again, err := Parse("printed", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(cfg, again, cmpOptions); diff != "" || !cfg.Equal(again) {
		t.Fatalf("(-parsed +printed and parsed)\n%s\n%s", diff, text)
	}
	if second := Print(again, false); !bytes.Equal(text, second) {
		t.Fatalf("the second print differs: %s", cmp.Diff(string(text), string(second)))
	}
	if changes := Diff(cfg, again); changes != nil {
		t.Fatalf("a difference where there is none: %v", changes)
	}
}

func TestPrintGolden(t *testing.T) {
	for name, data := range goodFiles(t) {
		cfg, err := Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		golden := "testdata/printed/" + name
		got := Print(cfg, true)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestPrintHidesPasswords(t *testing.T) {
	const secret = "correct horse"
	cfg, err := Parse("nvad.toml", []byte(`
asn = 65001
router-id = "10.0.0.4"
[[neighbor]]
address = "10.0.1.4"
remote-asn = 65002
password = "`+secret+`"
`))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(Print(cfg, true)); strings.Contains(text, secret) || !strings.Contains(text, "<hidden>") {
		t.Errorf("redacted:\n%s", text)
	}
	if text := string(Print(cfg, false)); !strings.Contains(text, secret) {
		t.Errorf("in full:\n%s", text)
	}
	other := *cfg
	other.Neighbors = []Neighbor{cfg.Neighbors[0]}
	other.Neighbors[0].Password = "battery staple"
	want := []Change{{Object: "neighbor 10.0.1.4", What: "password: changed", Impact: SessionReset}}
	if diff := cmp.Diff(want, Diff(cfg, &other)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// FuzzParse checks that Parse returns errors with their place, or a Config that can be
// printed and parsed again.
func FuzzParse(f *testing.F) {
	for _, data := range goodFiles(f) {
		f.Add(data)
	}
	bad, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range bad {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("nvad.toml", data)
		if err != nil {
			for _, e := range err.(Errors) {
				if e.Line < 1 || e.Line > 1+bytes.Count(data, []byte("\n")) {
					t.Fatalf("no place: %q", e)
				}
			}
			return
		}
		roundTrip(t, cfg)
		Warnings(cfg)
	})
}
