package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/nvad/nvad/integration/lab"
)

// translation is a page in another language, and the English one.
type translation struct{ page, english page }

// readTranslations reads the pages in Japanese. TestCommands does not run their commands:
// TestTranslations holds them equal to those of the English pages, which it runs.
func readTranslations(t *testing.T) []translation {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(root, "docs/ja/*.md"))
	if err != nil || len(names) < 4 {
		t.Fatalf("docs/ja: %v, %v", names, err)
	}
	english := readPages(t)
	var out []translation
	for _, name := range append(names, filepath.Join(root, "README.ja.md")) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		short, _ := filepath.Rel(root, name)
		i := slices.IndexFunc(english, func(p page) bool { return p.name == originalOf(short) })
		if i < 0 {
			t.Errorf("%s translates %s, which does not exist", short, originalOf(short))
			continue
		}
		out = append(out, translation{page{short, string(data)}, english[i]})
	}
	return out
}

// isTranslation reports whether a page is in another language than English.
func isTranslation(name string) bool { return originalOf(name) != name }

func originalOf(name string) string {
	return strings.Replace(strings.Replace(name, ".ja.md", ".md", 1), "/ja/", "/", 1)
}

// TestTranslations: a page and its translation show the same commands and files in the same
// order, mention the same commands in their sentences, and link to each other.
func TestTranslations(t *testing.T) {
	for _, tr := range readTranslations(t) {
		want, got := tr.english.substance(t), tr.page.substance(t)
		for i := range max(len(want), len(got)) {
			if i >= len(want) || i >= len(got) || want[i] != got[i] {
				t.Errorf("%s and %s differ in block %d of code:\n%q\n%q", tr.english.name, tr.page.name, i+1, at(want, i), at(got, i))
				break
			}
		}
		if want, got := sorted(tr.english.mentioned()), sorted(tr.page.mentioned()); !slices.Equal(want, got) {
			t.Errorf("%s mentions %q,\n%s mentions %q", tr.english.name, want, tr.page.name, got)
		}
		for _, pair := range [][2]page{{tr.english, tr.page}, {tr.page, tr.english}} {
			target, _ := filepath.Rel(filepath.Dir(pair[0].name), pair[1].name)
			if !strings.Contains(pair[0].text, "]("+target+")\n") {
				t.Errorf("%s does not link to %s", pair[0].name, target)
			}
		}
	}
}

// TestTranslationsDiffer: a command that is changed in one language only is noticed.
func TestTranslationsDiffer(t *testing.T) {
	const text = "# A\n\n```sh\nnvactl status   # all\n```\n\n```toml\nasn = 65001 # ours\n```\n"
	a := page{"a.md", text}
	for _, other := range []string{
		strings.Replace(text, "status", "neighbors", 1),
		strings.Replace(text, "65001", "65002", 1),
		strings.Replace(text, "```sh\nnvactl status   # all\n```\n", "", 1),
	} {
		if b := (page{"b.md", other}); slices.Equal(a.substance(t), b.substance(t)) {
			t.Errorf("no difference was seen between %q and %q", text, other)
		}
	}
	if b := (page{"b.md", strings.Replace(text, "# all", "# すべて", 1)}); !slices.Equal(a.substance(t), b.substance(t)) {
		t.Error("comments may differ")
	}
}

var tomlComment = regexp.MustCompile(` *#[^"\n]*(?m:$)`)

// substance returns what must be the same in every language: blocks of shell and of TOML
// without their comments, and other blocks as they are. Drawings have words in them.
func (p page) substance(t *testing.T) (out []string) {
	t.Helper()
	for _, m := range fence.FindAllStringSubmatch(p.text, -1) {
		switch language, text := m[1], m[2]; language {
		case "sh":
			out = append(out, uncommented(t, p.name, text))
		case "toml":
			out = append(out, tomlComment.ReplaceAllString(text, ""))
		case "mermaid":
		default:
			out = append(out, text)
		}
	}
	return out
}

func uncommented(t *testing.T, name, text string) string {
	t.Helper()
	file, err := syntax.NewParser().Parse(strings.NewReader(text), name)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return text
	}
	var b strings.Builder
	if err := syntax.NewPrinter(syntax.Minify(true)).Print(&b, file); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return b.String()
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
