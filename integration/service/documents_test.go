package service

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var relativeLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// notShipped matches files of the source tree that the package's documents may link to.
var notShipped = regexp.MustCompile(`(^|/)(LICENSE|CONTRIBUTING\.md|SECURITY\.md|CODE_OF_CONDUCT\.md|(pkg|cmd|integration|packaging|systemd|proto)(/.*)?)$`)

// checkDocuments checks that the documents which an operator needs on the machine are there,
// and follows the links between them.
func checkDocuments(t *testing.T, files string) {
	t.Helper()
	doc := filepath.Join(files, "usr/share/doc/nvad")
	for _, path := range []string{
		"usr/share/doc/nvad/README.md", "usr/share/doc/nvad/docs/troubleshooting.md", "usr/share/doc/nvad/configs/reference.toml",
		"usr/share/nvad/prometheus/nvad.rules.yml", "usr/share/nvad/grafana/nvad.json", "usr/share/man/man5/nvad.toml.5.gz",
		"usr/share/man/man8/nvad-flush.8.gz", "usr/share/man/man8/nvad-bootstrap.8.gz",
	} {
		if _, err := os.Stat(filepath.Join(files, path)); err != nil {
			t.Error(err)
		}
	}
	page := sh(t, "zcat "+files+"/usr/share/man/man5/nvad.toml.5.gz")
	for _, want := range []string{".SH NAME\nnvad.toml", "socket-group", "/etc/nvad/nvad.toml"} {
		if !strings.Contains(page, want) {
			t.Errorf("nvad.toml(5) has no %q", want)
		}
	}
	if strings.Contains(page, "](") {
		t.Error("nvad.toml(5) has links")
	}
	err := filepath.WalkDir(doc, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		for _, m := range relativeLink.FindAllStringSubmatch(string(read(t, path)), -1) {
			to := filepath.Join(filepath.Dir(path), m[1])
			if _, err := os.Lstat(to); err != nil && !notShipped.MatchString(strings.TrimSuffix(m[1], "/")) {
				t.Errorf("%s links to %s, which is not in the package", path[len(doc):], m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
