package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/nvad/nvad/integration/lab"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	code    = regexp.MustCompile("`[^`\n]*`")
)

// TestLinks: what a page links to is there, down to the heading, and every page
// can be reached from the README.
func TestLinks(t *testing.T) {
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	pages := readPages(t)
	for _, tr := range readTranslations(t) {
		pages = append(pages, tr.page)
	}
	reached := map[string]bool{}
	for _, p := range pages {
		prose := code.ReplaceAllString(fence.ReplaceAllString(p.text, ""), "``")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, anchor, _ := strings.Cut(m[1], "#")
			target := p.name
			if name != "" {
				target = filepath.Join(filepath.Dir(p.name), name)
			}
			reached[target] = reached[target] || p.name == "README.md" || p.name == "README.ja.md"
			if fault := missing(filepath.Join(root, target), anchor); fault != "" {
				t.Errorf("%s links to %s: %s", p.name, m[1], fault)
			}
		}
	}
	for _, p := range pages {
		if !reached[p.name] && p.name != "README.md" && filepath.Dir(p.name) != "docs/adr" {
			t.Errorf("README.md does not lead to %s", p.name)
		}
	}
}

// missing says what of a link's target is not there.
func missing(path, anchor string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "no such file"
	}
	if anchor == "" || info.IsDir() {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(data), ""), -1) {
		if slug(m[1]) == anchor {
			return ""
		}
	}
	return "no such heading"
}

// slug is the anchor that GitHub gives to a heading.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
