package docs

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/nvad/nvad/integration/lab"
)

// page is one file of the documentation.
type page struct {
	name string // relative to the root of the module
	text string
}

// readPages reads the English pages for users, in the order in which the tests go through
// them.
func readPages(t *testing.T) []page {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	var pages []page
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "configs/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			short, _ := filepath.Rel(root, name)
			if isTranslation(short) {
				continue
			}
			pages = append(pages, page{short, string(data)})
		}
	}
	return pages
}

// statement is one shell statement that a page shows.
type statement struct {
	page string
	line int
	text string
	// programs are the first words of the commands in it.
	programs []string
}

var (
	fence    = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	indented = regexp.MustCompile(`(?m)^(    |\t)(sudo )?(nvad|nvactl|make|systemctl|journalctl|go|apt|az|terraform|curl|vtysh) .*$`)
	mention  = regexp.MustCompile("`((?:sudo )?(?:bin/)?(?:nvad|nvactl|make|go) [^`\n]+)`")
)

// shown are the statements of all blocks of shell of a page. A command that stands
// elsewhere than in such a block would run nowhere, so it is a fault.
func (p page) shown(t *testing.T) []statement {
	t.Helper()
	var out []statement
	for _, m := range fence.FindAllStringSubmatchIndex(p.text, -1) {
		if p.text[m[2]:m[3]] != "sh" {
			continue
		}
		first := 1 + strings.Count(p.text[:m[4]], "\n")
		out = append(out, p.parse(t, first, p.text[m[4]:m[5]])...)
	}
	for _, m := range indented.FindAllString(fence.ReplaceAllString(p.text, ""), -1) {
		if p.name != "docs/cli.md" { // where they are lines of usage
			t.Errorf("%s: a command outside of a block of sh: %s", p.name, m)
		}
	}
	return out
}

// mentioned are the commands within its sentences.
func (p page) mentioned() []string {
	var out []string
	for _, m := range mention.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		out = append(out, m[1])
	}
	return out
}

func (p page) parse(t *testing.T, first int, text string) []statement {
	t.Helper()
	file, err := syntax.NewParser().Parse(strings.NewReader(text), p.name)
	if err != nil {
		t.Errorf("%s:%d: %v", p.name, first, err)
		return nil
	}
	var out []statement
	for _, s := range file.Stmts {
		out = append(out, statement{p.name, first + int(s.Pos().Line()) - 1,
			text[s.Pos().Offset():s.End().Offset()], programsOf(s)})
	}
	return out
}

// programsOf are the programs that a statement starts, without sudo.
func programsOf(node syntax.Node) []string {
	var out []string
	for _, call := range callsOf(node) {
		out = append(out, call[0])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// callsOf are the commands of a statement as words, those that are not plain
// text empty.
func callsOf(node syntax.Node) [][]string {
	var out [][]string
	syntax.Walk(node, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		var words []string
		for _, w := range call.Args {
			words = append(words, plain(w))
		}
		if words[0] == "sudo" {
			words = words[1:]
		}
		words[0] = cmp.Or(strings.TrimPrefix(words[0], "bin/"), "?")
		out = append(out, words)
		return true
	})
	return out
}

// plain is a word without its quotes.
func plain(w *syntax.Word) string {
	var b strings.Builder
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			b.WriteString(part.Value)
		case *syntax.SglQuoted:
			b.WriteString(part.Value)
		case *syntax.DblQuoted:
			for _, inner := range part.Parts {
				if lit, ok := inner.(*syntax.Lit); ok {
					b.WriteString(lit.Value)
				}
			}
		}
	}
	return b.String()
}
