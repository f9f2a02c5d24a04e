package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScenariosTold: every scenario's description fits into 80 columns, its configurations
// exist, and docs/scenarios.md describes it.
func TestScenariosTold(t *testing.T) {
	root, err := ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "scenarios.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(doc), "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			rows[strings.Trim(cells[1], " `")] = line
		}
	}
	var list [][]string
	for _, s := range Scenarios() {
		list = append(list, []string{s.Name, s.About})
		if len(s.Show) == 0 {
			continue // for the emulator's own tests
		}
		if rows[s.Name] == "" || !strings.Contains(string(doc), "\n**"+s.Name+".**") {
			t.Errorf("%s is not in docs/scenarios.md", s.Name)
		}
		for vm, nva := range s.NVAs {
			if nva.Config == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, "configs", nva.Config)); err != nil {
				t.Errorf("%s: %s: %v", s.Name, vm, err)
			}
			if !strings.Contains(rows[s.Name], "`"+strings.TrimSuffix(nva.Config, ".toml")+"`") {
				t.Errorf("%s: docs/scenarios.md does not name %s", s.Name, nva.Config)
			}
		}
	}
	for _, line := range strings.Split(Table(list), "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestFold(t *testing.T) {
	long := "    " + strings.Repeat("dstport 4789 ", 12)
	lines := strings.Split(fold(long), "\n")
	for i, line := range lines {
		if len(strings.TrimRight(line, " ")) > terminal || i > 0 && !strings.HasPrefix(line, "        dstport") && !strings.HasPrefix(line, "        4789") {
			t.Errorf("%q", line)
		}
	}
	if got := strings.Join(strings.Fields(strings.Join(lines, " ")), " "); got != strings.TrimSpace(long) || len(lines) != 3 {
		t.Errorf("%d lines: %s", len(lines), got)
	}
	if row := strings.Repeat("é", terminal); fold(row) != row {
		t.Error("a row that fits was folded")
	}
}
