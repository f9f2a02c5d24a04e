package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

// TestAzurePage: docs/azure.md explains every code of nvactl azure diff and has every claim of
// nvactl azure verify, and no other.
func TestAzurePage(t *testing.T) {
	path, err := below("docs/azure.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ways, claims, ok := strings.Cut(string(page), "\n## What nvad relies on\n")
	if !ok {
		t.Fatal("the claims have no heading")
	}
	claims, _, _ = strings.Cut(claims, "\n## ")
	row := regexp.MustCompile(`(?m)^\| (.*) \| (.*) \|$`)
	var want, got []string
	for _, c := range azure.Verify(azure.Snapshot{}, azure.Self{}) {
		want = append(want, c.Sentence+" `"+c.ID+"`")
	}
	for _, m := range row.FindAllStringSubmatch(claims, -1)[1:] {
		got = append(got, m[1]+" "+m[2])
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/azure.md has the claims\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var explained []azure.Code
	for _, m := range row.FindAllStringSubmatch(ways, -1) {
		for _, code := range regexp.MustCompile("`([a-z0-9]+(?:-[a-z0-9]+)+)`").FindAllStringSubmatch(m[2], -1) {
			explained = append(explained, azure.Code(code[1]))
		}
	}
	for _, c := range azure.Codes {
		if !slices.Contains(explained, c) {
			t.Errorf("docs/azure.md does not explain %s", c)
		}
	}
	for _, c := range explained {
		if !slices.Contains(azure.Codes, c) {
			t.Errorf("docs/azure.md explains %s, which is no code", c)
		}
	}
}
