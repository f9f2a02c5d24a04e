package web

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page returns the files of the page.
func page(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	dir := os.DirFS("static")
	err := fs.WalkDir(dir, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(dir, name)
		list[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestPageStaysSmall keeps the page a thing that one can read, and that loads at once.
func TestPageStaysSmall(t *testing.T) {
	total := 0
	for name, text := range page(t) {
		total += len(text)
		if n := strings.Count(text, "\n"); path.Ext(name) == ".js" && n > 400 {
			t.Errorf("%s has %d lines, more than 400", name, n)
		}
	}
	if total > 200_000 {
		t.Errorf("the page has %d bytes, more than 200,000", total)
	}
}

// TestPageLoadsEveryModuleAtOnce compares what index.html loads ahead with what there is: a module
// that is not listed is only asked for when the one that imports it has arrived.
func TestPageLoadsEveryModuleAtOnce(t *testing.T) {
	files := page(t)
	var listed, there []string
	for _, m := range regexp.MustCompile(`(?:modulepreload" href|script type="module" src)="static/([^"]+)"`).FindAllStringSubmatch(files["index.html"], -1) {
		listed = append(listed, m[1])
	}
	for name := range files {
		if path.Ext(name) == ".js" && name != "theme.js" {
			there = append(there, name)
		}
	}
	slices.Sort(listed)
	slices.Sort(there)
	if !slices.Equal(listed, there) {
		t.Errorf("index.html loads\n%v\nand these modules are there\n%v", listed, there)
	}
	for _, m := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(strings.Join(slices.Collect(maps.Values(files)), ""), -1) {
		if files[m[1]] == "" {
			t.Errorf("%s is imported and not there", m[1])
		}
	}
}

// TestPageMakesNoMarkupOfText looks for the ways to make elements, scripts or style of text, which
// would let a neighbor write into the page, and for addresses of other machines.
func TestPageMakesNoMarkupOfText(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|createContextualFragment|setHTMLUnsafe|` +
		`setTimeout\("|\bstyle="|<style|javascript:|https?://`)
	namespace := strings.NewReplacer("http://www.w3.org/2000/svg", "")
	for name, text := range page(t) {
		for i, line := range strings.Split(namespace.Replace(text), "\n") {
			if bad := forbidden.FindString(line); bad != "" {
				t.Errorf("%s:%d has %s", name, i+1, bad)
			}
			if path.Ext(name) == ".html" && regexp.MustCompile(`<script>|\son[a-z]+=`).MatchString(line) {
				t.Errorf("%s:%d has a script that the Content-Security-Policy forbids", name, i+1)
			}
		}
	}
}
