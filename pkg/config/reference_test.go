package config

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

func TestReference(t *testing.T) {
	const path = "../../configs/reference.toml"
	got := Reference()
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
		t.Errorf("%s is not what the code says; run go test ./pkg/config -update", path)
	}
	cfg, err := Parse("reference.toml", got)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range Warnings(cfg) {
		t.Error(w)
	}
}

// Each key's example is valid, and comes out as it went in.
func TestExamples(t *testing.T) {
	examples(t, "global", configFields)
	examples(t, "daemon", daemonFields)
	examples(t, "kernel", kernelFields)
	examples(t, "drain", drainFields)
	examples(t, "health", healthFields)
	examples(t, "azure", azureFields)
	examples(t, "metrics", metricsFields)
	examples(t, "tunnel", tunnelFields)
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
	examples(t, "chain", chainFields)
	examples(t, "clause", clauseFields)
	examples(t, "match", matchFields)
	examples(t, "set", setFields)
}

func examples[T any](t *testing.T, table string, fields []field[T]) {
	t.Helper()
	for _, f := range fields {
		var base T
		example := f.example
		if example == "" {
			continue
		}
		vals, marks, fault := decode("example", []byte(f.key+" = "+example))
		if fault != nil {
			t.Errorf("%s.%s: %v", table, f.key, fault)
			continue
		}
		doc := &document{file: "example", lines: map[string]int{}, elems: map[string][]string{}}
		root, _ := cell{doc: doc, line: 1, val: vals, mark: marks}.table()
		f.required = false
		readFields(root, &base, []field[T]{f})
		if len(doc.errors) > 0 {
			t.Errorf("%s.%s: %v", table, f.key, doc.errors)
		}
		if got := f.bind(&base).toml(); got != example {
			t.Errorf("%s.%s = %s comes out as %s", table, f.key, example, got)
		}
		if f.doc == "" {
			t.Errorf("%s.%s has no description", table, f.key)
		}
	}
}
