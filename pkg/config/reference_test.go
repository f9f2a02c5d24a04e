package config

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/policy"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares the file at path with got.
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
		t.Errorf("%s is stale; run make docs, or go test ./pkg/config -update", path)
	}
}

// regenerated returns the file at path with its keys written anew, which must not change
// it. The file must have the marks between which they are written.
func regenerated(t *testing.T, path, begin string, write func([]byte) []byte) []byte {
	t.Helper()
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(old, []byte(begin)) {
		t.Errorf("%s: the mark %q is missing", path, begin)
	}
	got := write(old)
	golden(t, path, got)
	return got
}

func TestReference(t *testing.T) {
	got := regenerated(t, "../../configs/reference.toml", fileBegin, Reference)
	cfg, err := Parse("reference.toml", got)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range Warnings(cfg) {
		t.Error(w)
	}
}

// The page in docs is up to date, and every key has its kind, cost and description.
func TestReferencePage(t *testing.T) {
	page := regenerated(t, "../../docs/reference.md", pageBegin, ReferencePage)
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
	examples(t, "bmp", bmpFields)
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

func examples[T any](t *testing.T, table string, fields func(*T) []tomlfile.Field) {
	t.Helper()
	for i := range fields(new(T)) {
		f := fields(new(T))[i]
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
		f.Required = false
		tomlfile.ReadFields(root, []tomlfile.Field{f})
		if err := root.Doc.Err(); err != nil {
			t.Errorf("%s.%s: %v", table, f.Key, err)
		}
		if got := f.Value.TOML(); got != f.Example {
			t.Errorf("%s.%s = %s comes out as %s", table, f.Key, f.Example, got)
		}
	}
}

var tomlBlock = regexp.MustCompile("(?ms)^```toml\n(.*?)^```$")

// pageExamples returns the TOML blocks of a documentation page, joined.
func pageExamples(t *testing.T, path string) string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, m := range tomlBlock.FindAllStringSubmatch(string(page), -1) {
		out.WriteString(m[1] + "\n")
	}
	return out.String()
}

// The examples of docs/policy.md are a valid file together, and each key of policies has
// one.
func TestPolicyPage(t *testing.T) {
	text := pageExamples(t, "../../docs/policy.md")
	cfg, err := Parse("policy.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range Warnings(cfg) {
		if w.Code != "unreached" { // the page's blocks show a clause each, without the conditions of a whole route-map
			t.Error(w)
		}
	}
	for _, f := range slices.Concat(chainFields(&policy.Chain{}), clauseFields(&policy.Clause{}), matchFields(&policy.Match{}), setFields(&policy.Set{})) {
		if !regexp.MustCompile(`(?m)(^|[{,] ?)` + f.Key + ` = `).MatchString(text) {
			t.Errorf("no example of %s", f.Key)
		}
	}
}

// The examples of docs/wireguard.md are a valid file together, without warnings.
func TestWireGuardPage(t *testing.T) {
	text := "asn = 65001\nrouter-id = \"10.0.0.4\"\nkernel.ip-forward = true\n" + pageExamples(t, "../../docs/wireguard.md")
	cfg, err := Parse("wireguard.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Tunnels) != 3 {
		t.Errorf("%d tunnels", len(cfg.Tunnels))
	}
	for _, w := range Warnings(cfg) {
		t.Error(w)
	}
}
