package config

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"testing"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

var update = flag.Bool("update", false, "write golden files")

// golden holds the file at path to what the code says.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code says; run make docs, or go test ./pkg/config -update", path)
	}
}

func TestReference(t *testing.T) {
	got := Reference()
	golden(t, "../../configs/reference.toml", got)
	cfg, err := Parse("reference.toml", got)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range Warnings(cfg) {
		t.Error(w)
	}
}

// The page is what the code says, and tells of every key what it holds and
// what it means.
func TestReferencePage(t *testing.T) {
	page := ReferencePage()
	golden(t, "../../docs/reference.md", page)
	entry := regexp.MustCompile("(?m)^- \\*\\*`[a-z0-9-]+`\\*\\* · [^·\n]+ · [^·\n]+( · [^·\n]+)?\\\\\n  [^\n]+\n")
	entries, all := len(entry.FindAll(page, -1)), bytes.Count(page, []byte("\n- **`"))
	if entries != all || all < 100 {
		t.Errorf("%d of %d entries are complete", entries, all)
	}
}

// Each key's example is valid, and is printed as it was written.
func TestExamples(t *testing.T) {
	examples(t, "global", identityFields)
	examples(t, "daemon", daemonFields)
	examples(t, "kernel", kernelFields)
	examples(t, "limits", limitsFields)
	examples(t, "drain", drainFields)
	examples(t, "health", healthFields)
	examples(t, "azure", azureFields)
	examples(t, "api", apiFields)
	examples(t, "metrics", metricsFields)
	examples(t, "tunnel", tunnelFields)
	examples(t, "nic", nicFields)
	examples(t, "static-route", staticFields)
	examples(t, "masquerade", masqueradeFields)
	examples(t, "snat", snatFields)
	examples(t, "dnat", dnatFields)
	examples(t, "network", networkFields)
	examples(t, "aggregate", aggregateFields)
	examples(t, "redistribute", redistributeFields)
	examples(t, "neighbor", neighborFields)
	examples(t, "peer-group", groupFields)
	examples(t, "settings", settingsFields)
	examples(t, "bfd", bfdFields)
	examples(t, "chain", chainFields)
	examples(t, "clause", clauseFields)
	examples(t, "match", matchFields)
	examples(t, "set", setFields)
}

func examples[T any](t *testing.T, table string, fields []tomlfile.Field[T]) {
	t.Helper()
	for _, f := range fields {
		if f.Doc == "" {
			t.Errorf("%s.%s has no description", table, f.Key)
		}
		if f.Example == "" {
			continue
		}
		root, err := tomlfile.Parse("example", []byte(f.Key+" = "+f.Example), nil)
		if err != nil {
			t.Errorf("%s.%s: %v", table, f.Key, err)
			continue
		}
		var base T
		f.Required = false
		tomlfile.ReadFields(root, &base, []tomlfile.Field[T]{f})
		if err := root.Doc.Err(); err != nil {
			t.Errorf("%s.%s: %v", table, f.Key, err)
		}
		if got := f.Bind(&base).TOML(); got != f.Example {
			t.Errorf("%s.%s = %s comes out as %s", table, f.Key, f.Example, got)
		}
	}
}
