package web

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/debroot"
	"github.com/nvad/nvad/integration/lab"
)

// axe returns axe-core, which npm brings once, as package-lock.json says.
func axe(t *testing.T) string {
	t.Helper()
	lab.RequireCommands(t, "npm")
	pinned, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := debroot.Get("axe", string(pinned), func(dir string) error {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		for _, name := range []string{"package.json", "package-lock.json"} {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				return err
			}
		}
		return debroot.Run("npm", "ci", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund")
	})
	if errors.As(err, &debroot.Missing{}) {
		lab.NotRun(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// violation is a rule of axe-core that the page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// violations returns what axe-core finds wrong with what the tab shows, by all rules but the
// experimental ones. source is axe-core's; it is evaluated from outside, so the page's
// Content-Security-Policy stays as it is.
func (b *tab) violations(source string) string {
	b.Helper()
	eval[any](b, source+"; null")
	text := eval[string](b, "axe.run(document, {resultTypes: ['violations']}).then((r) => JSON.stringify(r.violations))")
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.Fatal(err)
	}
	var words strings.Builder
	for _, v := range found {
		words.WriteString(v.ID + " (" + v.Impact + "): " + v.Help + "\n")
		for _, n := range v.Nodes {
			words.WriteString("  " + n.HTML + "\n    " + strings.ReplaceAll(n.FailureSummary, "\n", "\n    ") + "\n")
		}
	}
	return words.String()
}
